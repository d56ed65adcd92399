//! The interface of the storage that recovery needs.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::Offset;
use crate::Timestamp;

/// Stores rows for [`Recovery`](super::Recovery): events, sockets and a few numbers.
///
/// Every call may fail, for example because the storage is full. A call that fails
/// has changed nothing. Reads come in pages bounded by bytes, so that no caller ever
/// holds a whole table: a page contains as many rows as have at most `max_bytes`
/// together, but at least one; an empty page means that there are no more rows.
pub trait Store {
    /// Reads a number, if it was ever put.
    fn number(&self, number: Number) -> Result<Option<u64>, Failed>;
    /// Puts or replaces a number.
    fn put_number(&mut self, number: Number, value: u64) -> Result<(), Failed>;
    /// Deletes a number. This must be possible in a storage that is full.
    fn delete_number(&mut self, number: Number) -> Result<(), Failed>;

    /// Adds a row of an event, whose offset is higher than any other.
    fn append_event(&mut self, offset: Offset, row: NewEvent<'_>) -> Result<(), Failed>;
    /// Reads a page of the heads of a namespace's events after an offset, in order.
    fn event_heads(
        &self,
        namespace: &str,
        after: Offset,
        max_bytes: usize,
    ) -> Result<Vec<EventHead>, Failed>;
    /// Reads the contents of rows of events, in the order of their offsets. Those that
    /// are not there are left out.
    fn event_contents(&self, offsets: &[Offset]) -> Result<Vec<(Offset, Vec<u8>)>, Failed>;
    /// Returns offset and size of at most `count` rows of all events after an offset,
    /// in order.
    fn event_sizes(&self, after: Offset, count: usize) -> Result<Vec<(Offset, u64)>, Failed>;
    /// Returns the highest offset.
    fn newest_event(&self) -> Result<Option<Offset>, Failed>;
    /// Returns the highest offset below `offset`.
    fn newest_event_before(&self, offset: Offset) -> Result<Option<Offset>, Failed>;
    /// Counts the rows of all events, and their bytes: heads and contents.
    fn event_usage(&self) -> Result<Usage, Failed>;
    /// Deletes all events up to an offset, that one included. This must be possible
    /// in a storage that is full.
    fn delete_events(&mut self, up_to: Offset) -> Result<(), Failed>;

    /// Puts or replaces the socket with this `pid`.
    fn put_socket(&mut self, socket: NewSocket<'_>) -> Result<(), Failed>;
    /// Reads the socket with this `pid` if it is in this namespace.
    fn socket(&self, pid: &str, namespace: &str) -> Result<Option<SocketRow>, Failed>;
    /// Marks a socket as lost at this time.
    fn lose_socket(&mut self, pid: &str, at: Timestamp) -> Result<(), Failed>;
    /// Deletes a socket if it is there. This must be possible in a storage that is
    /// full.
    fn delete_socket(&mut self, pid: &str) -> Result<(), Failed>;
    /// Deletes all sockets.
    fn delete_sockets(&mut self) -> Result<(), Failed>;
    /// Deletes all sockets of a namespace.
    fn delete_sockets_of(&mut self, namespace: &str) -> Result<(), Failed>;
    /// Reads a page of the sockets that were lost before a time, first those that
    /// were lost first.
    fn lost_sockets(&self, before: Timestamp, max_bytes: usize) -> Result<Vec<SocketRow>, Failed>;
    /// Deletes the sockets that were lost before a time.
    fn delete_lost_sockets(&mut self, before: Timestamp) -> Result<(), Failed>;
    /// Returns whether any socket is not lost.
    fn has_connected_sockets(&self) -> Result<bool, Failed>;
    /// Reads whose at most `count` sockets are that are not lost, in the order of their
    /// `pid`s, of which all are higher than `after`.
    fn connected_sockets(&self, after: &str, count: usize) -> Result<Vec<Holder>, Failed>;
    /// Returns when the first of all lost sockets was lost.
    fn earliest_loss(&self) -> Result<Option<Timestamp>, Failed>;
    /// Counts all sockets, and their bytes.
    fn socket_usage(&self) -> Result<Usage, Failed>;
}

/// The storage could not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the storage failed")
    }
}

impl core::error::Error for Failed {}

/// A number that is stored under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Number {
    /// The newest offset whose event may no longer be stored.
    Pruned,
    /// Present while no event is missing from the log. It is deleted when one could
    /// not be stored: deleting is possible where nothing else is.
    Intact,
    /// The last time that sockets were searched for that were cut off without a
    /// word.
    Searched,
}

/// A row of an event that is to be stored. One that does not fit into a row has
/// several, with successive offsets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewEvent<'a> {
    /// Its namespace; empty in all rows but the first.
    pub namespace: &'a str,
    /// Whom it was for, and how many rows it has; empty in all rows but the first.
    pub head: &'a [u8],
    /// As much of its arguments as there is room for.
    pub content: &'a [u8],
}

/// The head of a stored event, which is all that has to be read of one that was for
/// others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventHead {
    /// Its offset.
    pub offset: Offset,
    /// The stored bytes.
    pub head: Vec<u8>,
}

/// A socket that is to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewSocket<'a> {
    /// The secret that its client comes back with.
    pub pid: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// The time it was lost at; `None` while it is connected.
    pub lost: Option<Timestamp>,
    /// The session that holds it, as the caller names sessions.
    pub session: &'a [u8],
    /// The other bytes to store.
    pub bytes: &'a [u8],
}

/// The session that holds a stored socket, if it was not cut off without a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The secret that the socket's client comes back with.
    pub pid: String,
    /// The socket's namespace.
    pub namespace: String,
    /// The session, as the caller names sessions.
    pub session: Vec<u8>,
}

/// A stored socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketRow {
    /// The secret that its client comes back with.
    pub pid: String,
    /// Its namespace.
    pub namespace: String,
    /// The time it was lost at; `None` while it is connected.
    pub lost: Option<Timestamp>,
    /// The session that holds or held it, as the caller names sessions.
    pub session: Vec<u8>,
    /// The other stored bytes.
    pub bytes: Vec<u8>,
}

/// The number of rows, and of bytes in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The number of rows.
    pub count: u64,
    /// The bytes of all of them.
    pub bytes: u64,
}

impl Usage {
    /// Adds up two.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    /// Takes `other` away.
    pub(super) fn minus(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_sub(other.count),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }

    /// Returns whether neither count nor bytes exceed `limit`.
    pub(super) fn is_within(self, limit: Self) -> bool {
        self.count <= limit.count && self.bytes <= limit.bytes
    }

    /// Returns what to go down to when `limit` is exceeded: a tenth less than the
    /// limit, so that the next row does not exceed it again.
    pub(super) fn reduced_to(self, limit: Self) -> Self {
        let reduce = |used: u64, limit: u64| {
            if used > limit {
                limit - limit / 10
            } else {
                used
            }
        };
        Self {
            count: reduce(self.count, limit.count),
            bytes: reduce(self.bytes, limit.bytes),
        }
    }
}

/// The number of rows that an instance adds before it counts those that are stored.
/// Most instances sleep again before that.
pub(super) const COUNT_EVERY: u32 = 100;

/// The amount that is stored, as far as an instance knows.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// At least as much as there is.
    known: Option<Usage>,
    added: u32,
}

impl Tally {
    /// Returns whether `more` may exceed `limit`, or it is time to count.
    pub(super) fn is_due(&self, more: Usage, limit: Usage) -> bool {
        match self.known {
            Some(known) => !known.plus(more).is_within(limit),
            None => self.added >= COUNT_EVERY,
        }
    }

    pub(super) fn known(&self) -> Option<Usage> {
        self.known
    }

    pub(super) fn add(&mut self, more: Usage) {
        self.added = self.added.saturating_add(1);
        self.known = self.known.map(|known| known.plus(more));
    }

    pub(super) fn remove(&mut self, less: Usage) {
        self.known = self.known.map(|known| known.minus(less));
    }

    pub(super) fn set(&mut self, usage: Usage) {
        *self = Self {
            known: Some(usage),
            added: 0,
        };
    }
}
