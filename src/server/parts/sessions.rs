//! The table of the sessions that are in memory, and which of them each WebSocket
//! belongs to.

use core::cell::RefCell;
use std::rc::Weak;

use dormouse_proto::engine::{ConnId, Reason, Session};
use web_sys::WebSocket;

use crate::sid::Key;
use crate::table::Table;

/// Brings sessions that are asleep into memory.
pub(crate) trait Source {
    /// Restores a session. `false` if there is none.
    fn restore(&self, key: Key) -> bool;

    /// Restores all sessions of the object.
    fn restore_all(&self);
}

/// A session in memory, and what belongs to it.
pub(crate) struct Seat {
    pub(crate) session: Session,
    /// The WebSockets of this session: the one that carries it, one that probes.
    pub(crate) sockets: Vec<(ConnId, WebSocket)>,
    pub(crate) phase: Phase,
    pub(crate) stored: Stored,
}

/// What the application knows of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It is being asked whether it wants this client. Nothing goes out yet.
    Opening,
    /// The client is connected.
    Open,
    /// The session has ended, and the application is to be told why.
    Ended(Reason),
    /// The application has been told.
    Told,
}

impl Seat {
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

    /// Whether nothing can come of the session any more, as far as it knows itself.
    pub(crate) fn is_over(&self) -> bool {
        let is_told = match self.phase {
            Phase::Opening | Phase::Open | Phase::Told => true,
            Phase::Ended(_) => false,
        };
        is_told && self.session.is_over()
    }
}

/// How far what is stored of a session is true.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stored {
    /// Something has changed since.
    pub(crate) is_outdated: bool,
    pub(crate) row: Row,
}

/// What is in the object's storage of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Row {
    /// Nothing.
    #[default]
    None,
    /// A session as it was once.
    Session,
    /// What its layer keeps, as it is now.
    Content,
}

/// All that are in memory.
pub(crate) struct Sessions {
    seats: RefCell<Table<Key, Seat>>,
    conns: RefCell<Table<ConnId, Key>>,
    source: Weak<dyn Source>,
}

/// Not inlined: it is done in many places.
#[inline(never)]
fn look_up(seats: &mut Table<Key, Seat>, key: Key) -> Option<&mut Seat> {
    seats.get_mut(key)
}

impl Sessions {
    pub(crate) fn new(source: Weak<dyn Source>) -> Self {
        Self {
            seats: RefCell::default(),
            conns: RefCell::default(),
            source,
        }
    }

    /// Looks at a session in memory, or changes it.
    pub(crate) fn with<T>(&self, key: Key, change: impl FnOnce(&mut Seat) -> T) -> Option<T> {
        look_up(&mut self.seats.borrow_mut(), key).map(change)
    }

    /// Whether a session is in memory.
    pub(crate) fn contains(&self, key: Key) -> bool {
        self.seats.borrow().contains(key)
    }

    /// Whether there is such a session, in memory or asleep. It is in memory then.
    pub(crate) fn find(&self, key: Key) -> bool {
        self.contains(key)
            || self
                .source
                .upgrade()
                .is_some_and(|source| source.restore(key))
    }

    /// Brings every session of the object into memory.
    pub(crate) fn restore_all(&self) {
        if let Some(source) = self.source.upgrade() {
            source.restore_all();
        }
    }

    pub(crate) fn insert(&self, key: Key, seat: Seat) {
        for (conn, _) in &seat.sockets {
            self.conns.borrow_mut().insert(*conn, key);
        }
        self.seats.borrow_mut().insert(key, seat);
    }

    pub(crate) fn remove(&self, key: Key) {
        let seat = self.seats.borrow_mut().remove(key);
        for (conn, _) in seat.iter().flat_map(|seat| &seat.sockets) {
            self.conns.borrow_mut().remove(*conn);
        }
    }

    /// The sessions that are in memory.
    pub(crate) fn keys(&self) -> Vec<Key> {
        self.seats.borrow().keys().collect()
    }

    /// Looks at all of them. `None` where somebody else is doing so, as in the
    /// middle of a panic.
    pub(crate) fn try_for_each(&self, mut look: impl FnMut(Key, &Seat)) -> Option<()> {
        for (key, seat) in self.seats.try_borrow().ok()?.iter() {
            look(key, seat);
        }
        Some(())
    }

    /// Which session a WebSocket in memory belongs to.
    pub(crate) fn of_conn(&self, conn: ConnId) -> Option<Key> {
        self.conns.borrow().get(conn).copied()
    }

    pub(crate) fn add_socket(&self, key: Key, conn: ConnId, socket: &WebSocket) {
        self.conns.borrow_mut().insert(conn, key);
        self.with(key, |seat| seat.sockets.push((conn, socket.clone())));
    }

    /// Takes a WebSocket away from its session.
    pub(crate) fn take_socket(&self, key: Key, conn: ConnId) -> Option<WebSocket> {
        self.conns.borrow_mut().remove(conn);
        let taken = self.with(key, |seat| {
            let mut sockets = seat.sockets.iter();
            let position = sockets.position(|(other, _)| *other == conn)?;
            Some(seat.sockets.remove(position).1)
        });
        taken.flatten()
    }
}
