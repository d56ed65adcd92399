//! What an object stores of its sockets, for their clients to come back.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::world::SocketIndex;
use crate::Timestamp;
use crate::cluster::{
    Custody, Failed, Held, Kept, OwnEvent, Payload, Position, Tombstone, Unconfirmed, next_own,
};

/// A stored socket.
#[derive(Clone, Debug)]
pub(in crate::cluster::tests) struct Stored {
    pub(in crate::cluster::tests) socket: SocketIndex,
    pub(in crate::cluster::tests) home: usize,
    pub(in crate::cluster::tests) rooms: Vec<String>,
    pub(in crate::cluster::tests) position: Position,
    pub(in crate::cluster::tests) lost: Option<u64>,
    pub(in crate::cluster::tests) unconfirmed: Option<Unconfirmed>,
}

/// A session that holds a socket. It survives the loss of memory if its WebSocket does.
#[derive(Clone, Copy, Debug)]
pub(in crate::cluster::tests) struct Session {
    pub(in crate::cluster::tests) client: usize,
    pub(in crate::cluster::tests) number: u64,
    /// Events of the hub up to this place are not for it.
    pub(in crate::cluster::tests) since: u64,
}

/// The rows of an object.
#[derive(Debug, Default)]
pub(in crate::cluster::tests) struct Desk {
    pub(in crate::cluster::tests) now: u64,
    pub(in crate::cluster::tests) window: u64,
    pub(in crate::cluster::tests) sockets: BTreeMap<String, Stored>,
    pub(in crate::cluster::tests) tombstones: BTreeMap<String, Tombstone>,
    /// Events for one socket alone: whose it is, and its number.
    pub(in crate::cluster::tests) own: BTreeMap<(SocketIndex, u64), OwnEvent>,
    pub(in crate::cluster::tests) sessions: BTreeMap<SocketIndex, Session>,
}

pub(in crate::cluster::tests) fn pid_of(socket: SocketIndex) -> String {
    format!("pid {socket}")
}

pub(in crate::cluster::tests) fn id_of(socket: SocketIndex) -> String {
    format!("id {socket}")
}

impl Desk {
    /// Returns a confirmed socket whose client may still come back.
    pub(in crate::cluster::tests) fn find(&self, pid: &str) -> Option<&Stored> {
        let stored = self.sockets.get(pid)?;
        let is_late = |lost: u64| lost + self.window < self.now;
        (!stored.lost.is_some_and(is_late)).then_some(stored)
    }

    /// Returns the ids of sockets that have moved here, confirmed or not. They are found
    /// by them for as long as they are stored.
    pub(in crate::cluster::tests) fn moved(&self, object: usize) -> BTreeSet<String> {
        let stored = self.sockets.iter();
        let stored =
            stored.filter(|(pid, stored)| stored.home != object && self.find(pid).is_some());
        stored.map(|(_, stored)| id_of(stored.socket)).collect()
    }

    /// Logs an event for a socket alone, and returns its number.
    pub(in crate::cluster::tests) fn log_own(
        &mut self,
        socket: SocketIndex,
        place: u64,
        payload: Payload,
    ) -> u64 {
        let own = next_own(self.last_own(socket), Timestamp::from_millis(self.now));
        let event = OwnEvent {
            own,
            place,
            payload,
        };
        self.own.insert((socket, own), event);
        own
    }

    /// Logs an event that has come from another object.
    pub(in crate::cluster::tests) fn keep_own(&mut self, socket: SocketIndex, event: OwnEvent) {
        self.own.insert((socket, event.own), event);
    }

    pub(in crate::cluster::tests) fn last_own(&self, socket: SocketIndex) -> u64 {
        let logged = self.own.range(..=(socket, u64::MAX)).next_back();
        let logged = logged.filter(|((of, _), _)| *of == socket);
        let stored = self.sockets.get(&pid_of(socket));
        let stored = stored.map_or(0, |stored| stored.position.own);
        logged.map_or(0, |((_, own), _)| *own).max(stored)
    }

    pub(in crate::cluster::tests) fn held(
        &self,
        stored: &Stored,
        position: Option<Position>,
    ) -> Held {
        let position = position.unwrap_or_default();
        let position = Position {
            place: position.place.max(stored.position.place),
            own: position.own.max(stored.position.own),
        };
        Held {
            id: id_of(stored.socket),
            rooms: stored.rooms.clone(),
            position,
            state: Payload(stored.socket.to_le_bytes().to_vec().into()),
            own: self.own_of(stored.socket, position.own),
        }
    }

    pub(in crate::cluster::tests) fn own_of(
        &self,
        socket: SocketIndex,
        after: u64,
    ) -> Vec<OwnEvent> {
        let own = self
            .own
            .range((socket, after.saturating_add(1))..=(socket, u64::MAX));
        own.map(|(_, event)| event.clone()).collect()
    }
}

impl Custody for Desk {
    fn kept(&mut self, pid: &str, position: Option<Position>) -> Result<Kept, Failed> {
        Ok(match self.find(pid) {
            None => Kept::Nothing,
            Some(Stored {
                unconfirmed: Some(unconfirmed),
                ..
            }) => Kept::Unconfirmed(*unconfirmed),
            Some(stored) => Kept::Held(self.held(stored, position)),
        })
    }

    fn id(&self, pid: &str) -> Result<Option<String>, Failed> {
        let stored = self.sockets.get(pid);
        let stored = stored.filter(|stored| stored.unconfirmed.is_none());
        Ok(stored.map(|stored| id_of(stored.socket)))
    }

    fn own_events(&mut self, id: &str, after: u64) -> Result<Option<Vec<OwnEvent>>, Failed> {
        let socket = id
            .strip_prefix("id ")
            .and_then(|number| number.parse().ok());
        Ok(Some(self.own_of(socket.unwrap(), after)))
    }

    fn give(&mut self, pid: &str, tombstone: &Tombstone) -> Result<(), Failed> {
        self.sockets.remove(pid);
        self.tombstones.insert(pid.into(), tombstone.clone());
        Ok(())
    }

    fn tombstone(&self, pid: &str) -> Result<Option<Tombstone>, Failed> {
        Ok(self.tombstones.get(pid).cloned())
    }

    fn trim_tombstones(&mut self, before: Timestamp, max: usize) -> Result<(), Failed> {
        self.tombstones
            .retain(|_, tombstone| tombstone.at >= before);
        while self.tombstones.len() > max {
            self.tombstones.pop_first();
        }
        Ok(())
    }
}
