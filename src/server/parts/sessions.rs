//! The sessions that are in memory, and which of them each WebSocket belongs to.

use core::cell::{Cell, RefCell};
use std::rc::Weak;

use dormouse_proto::engine::{ConnId, Reason, Session, Transport};
use dormouse_proto::rate::Intake;
use web_sys::WebSocket;

use super::RowBudget;
use crate::sid::Key;
use crate::table::Table;

/// Restores sessions that are asleep.
pub(crate) trait Source {
    /// Restores a session. Returns `false` if there is no such session.
    fn restore(&self, key: Key) -> bool;

    /// Restores all sessions of the object.
    fn restore_all(&self);

    /// Calls `look` with what the layer keeps of each session that sleeps on its
    /// WebSocket, and restores those in rows. Returns `false` if that has not been
    /// enough: there are others, or `look` has returned `false`.
    fn survey(&self, look: &mut dyn FnMut(Key, &[u8]) -> bool) -> bool;
}

/// A session in memory, and what belongs to it.
pub(crate) struct SessionEntry {
    pub(crate) session: Session,
    /// The WebSockets of this session: the one that carries it, one that probes.
    pub(crate) sockets: Vec<(ConnId, WebSocket)>,
    pub(crate) phase: Phase,
    pub(crate) stored: Stored,
    weight: Weight,
    pub(crate) row_budget: RowBudget,
    /// What of its client's messages is taken in.
    pub(crate) intake: Intake,
}

/// The bytes that a layer has in memory of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layered {
    /// What it holds for the client at the moment.
    pub(crate) held: usize,
    /// What it keeps for as long as the session lasts: its handshake.
    pub(crate) kept: usize,
}

/// The bytes that the object has in memory of a session, when it was last weighed.
#[derive(Clone, Copy, Debug, Default)]
struct Weight {
    above: Layered,
    /// What the session and the layer hold.
    held: usize,
    /// The session has been written off: whatever it still holds is about to go.
    is_void: bool,
}

/// The session that has most in memory, as things are ordered by when to let go of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Heaviest {
    pub(crate) has_ended: bool,
    pub(crate) bytes: usize,
    pub(crate) key: Key,
}

impl Weight {
    fn total(&self) -> usize {
        self.held.saturating_add(self.above.kept)
    }
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
            weight: Weight::default(),
            row_budget: RowBudget::default(),
            intake: Intake::default(),
        }
    }

    pub(crate) fn socket(&self, conn: ConnId) -> Option<&WebSocket> {
        let mut sockets = self.sockets.iter();
        sockets.find_map(|(other, socket)| (*other == conn).then_some(socket))
    }

    fn has_ended(&self) -> bool {
        match self.phase {
            Phase::Opening | Phase::Open => false,
            Phase::Ended(_) | Phase::Told => true,
        }
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
    /// The bytes that all sessions in memory hold together, and with what is kept of
    /// them.
    held: Cell<usize>,
    total: Cell<usize>,
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
            held: Cell::new(0),
            total: Cell::new(0),
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

    /// Calls `look` with the content of each session that is asleep, rather than
    /// restoring it, as far as that is possible. Afterwards, the other sessions are in
    /// memory. Returns `false` if `look` has to forget what it has seen, since all are.
    pub(crate) fn survey(&self, look: &mut dyn FnMut(Key, &[u8]) -> bool) -> bool {
        let Some(source) = self.source.upgrade() else {
            return false;
        };
        let is_enough = source.survey(look);
        if !is_enough {
            source.restore_all();
        }
        is_enough
    }

    pub(crate) fn insert(&self, key: Key, entry: SessionEntry) {
        for (conn, _) in &entry.sockets {
            self.conns.borrow_mut().insert(*conn, key);
        }
        self.entries.borrow_mut().insert(key, entry);
    }

    pub(crate) fn remove(&self, key: Key) {
        let entry = self.entries.borrow_mut().remove(key);
        if let Some(entry) = &entry {
            self.reweigh(entry.weight, Weight::default());
        }
        for (conn, _) in entry.iter().flat_map(|entry| &entry.sockets) {
            self.conns.borrow_mut().remove(*conn);
        }
    }

    /// Returns the keys of the sessions in memory.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.borrow().keys().next().is_none()
    }

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

    /// Returns how many of those in memory poll.
    pub(crate) fn count_polling(&self) -> usize {
        let entries = self.entries.borrow();
        let transports = entries.iter().map(|(_, entry)| entry.session.transport());
        let polling = transports.filter(|it| *it == Some(Transport::Polling));
        polling.count()
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

/// What is in memory of sessions.
impl Sessions {
    /// Weighs a session that may hold more or less than before. The layer has said what
    /// it has, or has what it had.
    pub(crate) fn weigh(&self, key: Key, above: Option<Layered>) {
        let change = self.with(key, |entry| {
            let before = entry.weight;
            if !before.is_void {
                let above = above.unwrap_or(before.above);
                let waiting = entry.intake.held_bytes();
                let held = entry.session.held_bytes().saturating_add(waiting);
                let held = held.saturating_add(above.held);
                entry.weight = Weight {
                    above,
                    held,
                    is_void: false,
                };
            }
            (before, entry.weight)
        });
        if let Some((before, now)) = change {
            self.reweigh(before, now);
        }
    }

    fn reweigh(&self, before: Weight, now: Weight) {
        let change = |sum: &Cell<usize>, before, now| {
            let others = sum.get().saturating_sub(before);
            sum.set(others.saturating_add(now));
        };
        change(&self.held, before.held, now.held);
        change(&self.total, before.total(), now.total());
    }

    /// Returns the number of bytes that all sessions in memory hold together.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held.get()
    }

    /// Returns the same, with what is kept of them.
    pub(crate) fn total_bytes(&self) -> usize {
        self.total.get()
    }

    /// Returns the session that holds most, or with `total` has most in memory, and
    /// how much that is. Sessions that have ended, whose handlers still run, come before
    /// others.
    pub(crate) fn heaviest(&self, total: bool) -> Option<Heaviest> {
        let entries = self.entries.borrow();
        let weighed = entries.iter().map(|(key, entry)| Heaviest {
            has_ended: entry.has_ended(),
            bytes: match total {
                true => entry.weight.total(),
                false => entry.weight.held,
            },
            key,
        });
        weighed.filter(|it| it.bytes > 0).max()
    }

    /// Counts a session for nothing from now on, since it is about to go.
    pub(crate) fn write_off(&self, key: Key) {
        let void = Weight {
            is_void: true,
            ..Weight::default()
        };
        let before = self.with(key, |entry| core::mem::replace(&mut entry.weight, void));
        self.reweigh(before.unwrap_or_default(), void);
    }

    /// Returns whether a session has been written off.
    pub(crate) fn is_written_off(&self, key: Key) -> bool {
        self.with(key, |entry| entry.weight.is_void) == Some(true)
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
