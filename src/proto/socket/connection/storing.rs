//! The rows of sockets whose clients may come back: when each is written or deleted.
//!
//! A row says what its socket is now, or it is not there: nobody comes back to
//! rooms that the socket has left, or misses those that it has entered since. Each
//! row that is written or deleted costs money, so the driver says whether another
//! one may be written now.

use serde::{Deserialize, Serialize};

use super::socket::{JoinId, Socket};
use super::{Connection, Reason};

/// The row of a socket whose client may come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::socket) enum Row {
    /// There is none.
    #[default]
    None,
    /// It says what the socket is.
    Current,
    /// It says what the socket was. It is replaced or deleted before anything goes
    /// out that depends on the change.
    Outdated,
}

/// The sockets whose rows are to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Those whose row is not true any more.
    Outdated,
    /// Those that have no row, as well.
    Unstored,
}

/// What has to happen to the row of a socket.
#[derive(Clone, Copy, Debug)]
pub enum Storing<'a> {
    /// It is written:
    /// [`StoredSocket::of`](crate::socket::recovery::StoredSocket::of).
    Write(&'a Socket),
    /// It is deleted.
    Delete(&'a Socket),
}

/// Storing sockets for recovery.
impl Connection {
    /// Returns what has to happen to the next row, and treats it as done. It has to
    /// be called until there is nothing.
    ///
    /// A socket without a row can wait: it may be gone before it is worth one, and
    /// until then its client would start over. A row that is not true any more
    /// cannot. Where no row may be written now, it is deleted, and the socket is one
    /// without a row.
    pub fn poll_storing(&mut self, due: Due, may_write: bool) -> Option<Storing<'_>> {
        let is_due = |socket: &&mut Socket| match socket.row {
            Row::Outdated => socket.is_storable(),
            Row::None => may_write && due == Due::Unstored && socket.is_storable(),
            Row::Current => false,
        };
        let socket = self.sockets.iter_mut().find(is_due)?;
        self.changed = true;
        Some(if may_write {
            socket.row = Row::Current;
            Storing::Write(socket)
        } else {
            socket.row = Row::None;
            Storing::Delete(socket)
        })
    }

    /// Returns whether any socket has to be stored that is not.
    pub fn is_unstored(&self) -> bool {
        let mut sockets = self.sockets.iter();
        sockets.any(|socket| socket.is_storable() && socket.row != Row::Current)
    }

    /// Returns what has to happen to the row of a socket that has gone, for this
    /// reason.
    ///
    /// If no row may be written, a client that could come back finds the row as it
    /// is, if that is true.
    pub fn last_storing(
        &self,
        join: JoinId,
        reason: Reason,
        may_write: bool,
    ) -> Option<Storing<'_>> {
        let socket = self.socket(join).filter(|socket| socket.pid.is_some())?;
        let may_come_back = reason.is_recoverable() && socket.is_let_in;
        if may_come_back && may_write {
            return Some(Storing::Write(socket));
        }
        match socket.row {
            Row::None => None,
            Row::Current if may_come_back => None,
            Row::Current | Row::Outdated => Some(Storing::Delete(socket)),
        }
    }
}

impl Socket {
    /// Returns whether its client can come back to it: not before the application has
    /// let it in, whatever its client has been told.
    fn is_storable(&self) -> bool {
        self.pid.is_some() && self.is_connected() && self.is_let_in
    }

    /// Notes that it is not what its row says, if there is one.
    pub(super) fn outdate(&mut self) {
        self.row = match self.row {
            Row::None => Row::None,
            Row::Current | Row::Outdated => Row::Outdated,
        };
    }
}
