//! The rooms of all sockets in the object.

use core::cell::RefCell;

use dormouse_proto::socket::{Gathering, Rooms, Socket};

use super::clients::{ClientEntry, Clients};
use super::context::Context;
use crate::port::{Selection, Spot};
use crate::sid::Key;

/// An index of what each socket knows of itself, built when it is first needed.
#[derive(Default)]
pub(super) struct Index(RefCell<Option<Rooms<Spot>>>);

impl Index {
    /// Returns the selected sockets. Those that were asleep are in memory again.
    pub(super) fn select(&self, cx: &Context, selection: &Selection) -> Vec<Spot> {
        let mut selected = self.asleep_or_not(cx, selection);
        let all = selected.len();
        selected.retain(|spot| cx.parts.sessions.find(spot.session));
        if selected.len() < all {
            // What could not be restored is gone.
            self.0.take();
        }
        selected
    }

    /// Returns how many sockets are selected, without restoring any.
    pub(super) fn count(&self, cx: &Context, selection: &Selection) -> usize {
        self.asleep_or_not(cx, selection).len()
    }

    fn asleep_or_not(&self, cx: &Context, selection: &Selection) -> Vec<Spot> {
        self.read(cx, |rooms| {
            rooms.select(&selection.namespace, &selection.filter)
        })
    }

    /// Returns whether no socket is in a namespace.
    pub(super) fn is_empty(&self, cx: &Context, namespace: &str) -> bool {
        self.read(cx, |rooms| rooms.is_empty(namespace))
    }

    /// Returns whether a socket is in a room, or, for `""`, in the namespace.
    pub(super) fn is_occupied(&self, cx: &Context, namespace: &str, room: &str) -> bool {
        self.read(cx, |rooms| match room {
            "" => !rooms.is_empty(namespace),
            room => rooms.is_occupied(namespace, room),
        })
    }

    /// Returns the names of the namespaces that sockets are in, of those that fit.
    pub(super) fn namespaces(&self, cx: &Context, fits: impl Fn(&str) -> bool) -> Vec<String> {
        let namespaces = |rooms: &Rooms<_>| {
            let fitting = rooms.namespaces().filter(|name| fits(name));
            fitting.map(str::to_owned).collect()
        };
        self.read(cx, namespaces)
    }

    /// Returns the names of a namespace's rooms in which sockets are.
    pub(super) fn rooms(&self, cx: &Context, namespace: &str) -> Vec<String> {
        let sizes = self.read(cx, |rooms| rooms.sizes(namespace));
        sizes.into_iter().map(|(name, _)| name).collect()
    }

    /// Calls `read` with all rooms, including those of sockets that are asleep.
    fn read<T>(&self, cx: &Context, read: impl FnOnce(&Rooms<Spot>) -> T) -> T {
        if self.0.borrow().is_none() {
            let rooms = gather(cx);
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

/// Returns the rooms of all sockets. Those that are asleep are left alone where it is
/// known without waking them in which rooms they are.
fn gather(cx: &Context) -> Rooms<Spot> {
    let mut gathering = Gathering::default();
    let mut look = |session: Key, content: &[u8]| {
        let sleeping = ClientEntry::sleeping(&cx.application, content);
        let is_known = sleeping.is_some();
        for socket in sleeping.into_iter().flatten() {
            let spot = Spot::new(session, socket.join);
            gathering.add(socket.namespace, socket.rooms, spot);
        }
        is_known
    };
    if !cx.parts.sessions.survey(&mut look) {
        gathering = Gathering::default();
    }
    cx.clients.for_each(|session, client| {
        for socket in client.connection.sockets().filter(|it| it.is_present()) {
            let rooms = socket.rooms().iter().map(String::as_str);
            let spot = Spot::new(session, socket.join_id());
            gathering.add(socket.namespace(), rooms, spot);
        }
    });
    gathering.finish()
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
