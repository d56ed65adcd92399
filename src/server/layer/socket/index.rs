//! The rooms of all sockets in the object.

use core::cell::RefCell;

use dormouse_proto::socket::{Rooms, Socket};

use super::clients::{ClientEntry, Clients};
use crate::parts::Parts;
use crate::port::{Selection, Spot};
use crate::sid::Key;

/// An index of what each socket knows of itself, built when it is first needed.
#[derive(Default)]
pub(super) struct Index(RefCell<Option<Rooms<Spot>>>);

impl Index {
    /// Returns the selected sockets, including those that are asleep.
    pub(super) fn select(
        &self,
        parts: &Parts,
        clients: &Clients,
        selection: &Selection,
    ) -> Vec<Spot> {
        let select = |rooms: &Rooms<_>| rooms.select(&selection.namespace, &selection.filter);
        self.read(parts, clients, select)
    }

    /// Returns whether no socket is in a namespace.
    pub(super) fn is_empty(&self, parts: &Parts, clients: &Clients, namespace: &str) -> bool {
        let is_empty = |rooms: &Rooms<_>| rooms.is_empty(namespace);
        self.read(parts, clients, is_empty)
    }

    /// Returns whether a socket is in a room, or, for `""`, in the namespace.
    pub(super) fn is_occupied(
        &self,
        parts: &Parts,
        clients: &Clients,
        namespace: &str,
        room: &str,
    ) -> bool {
        self.read(parts, clients, |rooms| match room {
            "" => !rooms.is_empty(namespace),
            room => rooms.is_occupied(namespace, room),
        })
    }

    /// Returns the names of the namespaces that sockets are in, of those that fit.
    pub(super) fn namespaces(
        &self,
        parts: &Parts,
        clients: &Clients,
        fits: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let namespaces = |rooms: &Rooms<_>| {
            let fitting = rooms.namespaces().filter(|name| fits(name));
            fitting.map(str::to_owned).collect()
        };
        self.read(parts, clients, namespaces)
    }

    /// Calls `read` with all rooms, including those of sockets that are asleep.
    fn read<T>(&self, parts: &Parts, clients: &Clients, read: impl FnOnce(&Rooms<Spot>) -> T) -> T {
        if self.0.borrow().is_none() {
            parts.sessions.restore_all();
            let mut rooms = Rooms::default();
            clients.for_each(|key, client| insert_all(&mut rooms, key, client));
            self.0.replace(Some(rooms));
        }
        read(self.0.borrow().as_ref().unwrap_or(&Rooms::default()))
    }

    fn change(&self, change: impl FnOnce(&mut Rooms<Spot>)) {
        if let Some(rooms) = &mut *self.0.borrow_mut() {
            change(rooms);
        }
    }

    /// Makes a socket visible to others.
    pub(super) fn insert(&self, clients: &Clients, spot: Spot) {
        self.change(|rooms| {
            clients.with(spot.session, |client| {
                let socket = client.connection.socket(spot.join)?;
                insert(rooms, spot, socket);
                Some(())
            });
        });
    }

    /// Adds the sockets of a client that was brought into memory.
    pub(super) fn insert_all(&self, key: Key, client: &ClientEntry) {
        self.change(|rooms| insert_all(rooms, key, client));
    }

    /// Hides a socket from others.
    pub(super) fn remove(&self, spot: Spot, socket: &Socket) {
        self.change(|rooms| {
            let names = socket.rooms().iter().map(String::as_str);
            rooms.remove(socket.namespace(), names, spot);
        });
    }

    pub(super) fn join(&self, spot: Spot, namespace: &str, room: &str) {
        self.change(|rooms| rooms.join(namespace, room, spot));
    }

    pub(super) fn leave(&self, spot: Spot, namespace: &str, room: &str) {
        self.change(|rooms| rooms.leave(namespace, room, spot));
    }
}

fn insert_all(rooms: &mut Rooms<Spot>, session: Key, client: &ClientEntry) {
    for socket in client.connection.sockets() {
        if socket.is_present() {
            let join = socket.join_id();
            insert(rooms, Spot { session, join }, socket);
        }
    }
}

fn insert(rooms: &mut Rooms<Spot>, spot: Spot, socket: &Socket) {
    rooms.insert(socket.namespace(), spot);
    for room in socket.rooms() {
        rooms.join(socket.namespace(), room, spot);
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
