//! The sessions that are in memory, and which of them each WebSocket belongs to.

use core::cell::RefCell;
use std::rc::Weak;

use dormouse_proto::engine::{ConnId, Reason, Session};
use web_sys::WebSocket;

use crate::sid::Key;
use crate::table::Table;

/// Restores sessions that are asleep.
pub(crate) trait Source {
    /// Restores a session. Returns `false` if there is no such session.
    fn restore(&self, key: Key) -> bool;

    /// Restores all sessions of the object.
    fn restore_all(&self);
}

/// A session in memory, and what belongs to it.
pub(crate) struct SessionEntry {
    pub(crate) session: Session,
    /// The WebSockets of this session: the one that carries it, one that probes.
    pub(crate) sockets: Vec<(ConnId, WebSocket)>,
    pub(crate) phase: Phase,
    pub(crate) stored: Stored,
}

/// The application's knowledge of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It has not admitted the client yet. Nothing goes out.
    Opening,
    /// The client is connected.
    Open,
    /// The session has ended, and the application has to be told why.
    Ended(Reason),
    /// The application has been told.
    Told,
}

impl SessionEntry {
    pub(crate) fn new(session: Session, phase: Phase) -> Self {
        Self {
            session,
            sockets: Vec::new(),
            phase,
            stored: Stored::default(),
        }
    }

    pub(crate) fn socket(&self, conn: ConnId) -> Option<&WebSocket> {
        let mut sockets = self.sockets.iter();
        sockets.find_map(|(other, socket)| (*other == conn).then_some(socket))
    }

    /// Returns whether the session can be forgotten, as far as it knows itself.
    pub(crate) fn is_over(&self) -> bool {
        let is_told = match self.phase {
            Phase::Opening | Phase::Open | Phase::Told => true,
            Phase::Ended(_) => false,
        };
        is_told && self.session.is_over()
    }
}

/// The state of what is stored of a session.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stored {
    /// Something has changed since.
    pub(crate) is_outdated: bool,
    pub(crate) row: Row,
}

/// The object's row of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Row {
    /// Nothing.
    #[default]
    None,
    /// A session as it was some time ago.
    Session,
    /// The layer's content, as it is now.
    Content,
}

/// All sessions in memory.
pub(crate) struct Sessions {
    entries: RefCell<Table<Key, SessionEntry>>,
    conns: RefCell<Table<ConnId, Key>>,
    source: Weak<dyn Source>,
}

/// Looks up a session. It is not inlined, because it is used in many places.
#[inline(never)]
fn look_up(entries: &mut Table<Key, SessionEntry>, key: Key) -> Option<&mut SessionEntry> {
    entries.get_mut(key)
}

impl Sessions {
    pub(crate) fn new(source: Weak<dyn Source>) -> Self {
        Self {
            entries: RefCell::default(),
            conns: RefCell::default(),
            source,
        }
    }

    /// Calls `change` with a session, if it is in memory.
    pub(crate) fn with<T>(
        &self,
        key: Key,
        change: impl FnOnce(&mut SessionEntry) -> T,
    ) -> Option<T> {
        look_up(&mut self.entries.borrow_mut(), key).map(change)
    }

    /// Returns whether a session is in memory.
    pub(crate) fn contains(&self, key: Key) -> bool {
        self.entries.borrow().contains(key)
    }

    /// Returns whether there is such a session, after restoring it if it is asleep.
    pub(crate) fn find(&self, key: Key) -> bool {
        self.contains(key)
            || self
                .source
                .upgrade()
                .is_some_and(|source| source.restore(key))
    }

    /// Restores every session of the object.
    pub(crate) fn restore_all(&self) {
        if let Some(source) = self.source.upgrade() {
            source.restore_all();
        }
    }

    pub(crate) fn insert(&self, key: Key, entry: SessionEntry) {
        for (conn, _) in &entry.sockets {
            self.conns.borrow_mut().insert(*conn, key);
        }
        self.entries.borrow_mut().insert(key, entry);
    }

    pub(crate) fn remove(&self, key: Key) {
        let entry = self.entries.borrow_mut().remove(key);
        for (conn, _) in entry.iter().flat_map(|entry| &entry.sockets) {
            self.conns.borrow_mut().remove(*conn);
        }
    }

    /// Returns the keys of the sessions in memory.
    pub(crate) fn keys(&self) -> Vec<Key> {
        self.entries.borrow().keys().collect()
    }

    /// Calls `look` with all sessions. Returns `None` if they are borrowed, as in
    /// the middle of a panic.
    pub(crate) fn try_for_each(&self, mut look: impl FnMut(Key, &SessionEntry)) -> Option<()> {
        for (key, entry) in self.entries.try_borrow().ok()?.iter() {
            look(key, entry);
        }
        Some(())
    }

    /// Returns the session that a WebSocket in memory belongs to.
    pub(crate) fn of_conn(&self, conn: ConnId) -> Option<Key> {
        self.conns.borrow().get(conn).copied()
    }

    pub(crate) fn add_socket(&self, key: Key, conn: ConnId, socket: &WebSocket) {
        self.conns.borrow_mut().insert(conn, key);
        self.with(key, |entry| entry.sockets.push((conn, socket.clone())));
    }

    /// Removes a WebSocket from its session.
    pub(crate) fn take_socket(&self, key: Key, conn: ConnId) -> Option<WebSocket> {
        self.conns.borrow_mut().remove(conn);
        let taken = self.with(key, |entry| {
            let mut sockets = entry.sockets.iter();
            let position = sockets.position(|(other, _)| *other == conn)?;
            Some(entry.sockets.remove(position).1)
        });
        taken.flatten()
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
