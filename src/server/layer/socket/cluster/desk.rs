//! The sockets of a namespace, as the core asks for them, and as objects tell each other
//! of them.

use dormouse_proto::cluster::{self, Failed, Held, Kept, OwnEvent, Payload, Position, Tombstone};
use dormouse_proto::socket::Offset;
use dormouse_proto::socket::recovery::StoredSocket;
use dormouse_proto::{Timestamp, versioned};
use serde::{Deserialize, Serialize};

use super::super::context::Context;
use super::super::recovering;
use super::custody::{Custody, VERSION};
use crate::sid::Key;

/// What objects tell each other of a socket beside what the core knows.
#[derive(Serialize, Deserialize)]
struct State {
    data: Option<String>,
}

/// A socket that another object has held, as it is stored here.
pub(super) fn stored(
    held: &Held,
    (pid, namespace): (&str, &str),
    session: Vec<u8>,
    now: Timestamp,
) -> StoredSocket {
    StoredSocket {
        pid: pid.to_owned(),
        namespace: namespace.to_owned(),
        lost: Some(now),
        session,
        id: held.id.clone(),
        rooms: rooms_of(held),
        data: data_of(held),
        since: Offset(held.position.place),
    }
}

/// Returns the names of a socket's rooms.
pub(super) fn rooms_of(held: &Held) -> Vec<String> {
    let rooms = held.rooms.iter().filter(|room| !room.is_empty());
    rooms.cloned().collect()
}

/// Returns the data of a socket.
pub(super) fn data_of(held: &Held) -> Option<String> {
    let state: State = versioned::decode(VERSION, &held.state.0).ok()?;
    state.data
}

/// The sockets of one namespace, as the core asks for them.
pub(super) struct Desk<'a> {
    pub(super) cx: &'a Context,
    pub(super) custody: &'a Custody,
    pub(super) namespace: &'a str,
}

impl Desk<'_> {
    /// Ends the session that has a socket, if there is one, and returns what is stored.
    pub(super) fn release(&self, session: Option<Key>, pid: &str) -> Option<StoredSocket> {
        recovering::release(self.cx, session, self.namespace, pid)
    }

    fn find(&self, pid: &str) -> Option<StoredSocket> {
        recovering::find(self.cx, self.namespace, pid)
    }

    fn held(&self, socket: StoredSocket, position: Option<Position>) -> Result<Kept, Failed> {
        let position = position.unwrap_or_default();
        let position = Position {
            place: position.place.max(socket.since.0),
            own: position.own,
        };
        let Some(own) = self.custody.own(&socket.id, position.own)? else {
            return Ok(Kept::Gone);
        };
        let mut rooms = socket.rooms;
        rooms.push(String::new());
        let state = State { data: socket.data };
        Ok(Kept::Held(Held {
            id: socket.id,
            rooms,
            position,
            state: Payload(versioned::encode(VERSION, &state).into()),
            own,
        }))
    }
}

impl cluster::Custody for Desk<'_> {
    fn kept(&mut self, pid: &str, position: Option<Position>) -> Result<Kept, Failed> {
        let Some(socket) = self.find(pid) else {
            return Ok(Kept::Nothing);
        };
        match self.custody.unconfirmed(pid)? {
            Some(unconfirmed) => Ok(Kept::Unconfirmed(unconfirmed)),
            None => self.held(socket, position),
        }
    }

    fn id(&self, pid: &str) -> Result<Option<String>, Failed> {
        if self.custody.unconfirmed(pid)?.is_some() {
            return Ok(None);
        }
        Ok(self.find(pid).map(|socket| socket.id))
    }

    fn own_events(&mut self, id: &str, after: u64) -> Result<Option<Vec<OwnEvent>>, Failed> {
        self.custody.own(id, after)
    }

    fn give(&mut self, pid: &str, tombstone: &Tombstone) -> Result<(), Failed> {
        let bytes = versioned::encode(VERSION, tombstone);
        self.custody
            .rows()
            .put_tombstone(pid, tombstone.at, &bytes)?;
        recovering::forget(self.cx, pid);
        let limit = tombstone.at + cluster::TOMBSTONE_LIMIT;
        self.cx.parts.clock.arm_at(limit);
        Ok(())
    }

    fn tombstone(&self, pid: &str) -> Result<Option<Tombstone>, Failed> {
        let Some(rows) = self.custody.existing_rows() else {
            return Ok(None);
        };
        let bytes = rows.tombstone(pid)?;
        Ok(bytes.and_then(|bytes| versioned::decode(VERSION, &bytes).ok()))
    }

    fn trim_tombstones(&mut self, before: Timestamp, max: usize) -> Result<(), Failed> {
        self.custody.rows().trim_tombstones(before, max)
    }
}
