//! Socket.IO in the object: what a session's client asks is handed to the
//! application, and what the application asks is done.
//!
//! It knows nothing of packets: [`Client`] reads and makes them.

mod acks;
mod incoming;
mod joining;
mod leaving;
mod operate;
mod outgoing;
mod recovery;

use core::any::Any;
use core::cell::{OnceCell, RefCell};
use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::socket::{self, Client, Offset, Protocol, Reason, Rooms};
use serde::{Deserialize, Serialize};

use self::acks::Acks;
use self::outgoing::Outgoing;
use self::recovery::Log;
use super::Shell;
use super::sessions::Entry;
use crate::io::{Application, Handlers, Rejection, Socket, State};
use crate::platform;
use crate::request::{Handshake, KeptHandshake};
use crate::sid::{Key, Sid};

pub(crate) use self::operate::{Answer, Flags, Operation, Remote, Target};

/// What a session's client has above Engine.IO.
pub(super) struct Io {
    pub(super) client: Client,
    handshake: Rc<KeptHandshake>,
    /// What there is to know of a namespace besides its socket.
    beside: Vec<(String, Beside)>,
    /// Sockets that are disconnected, until the application knows.
    gone: Vec<(Rc<str>, socket::Socket)>,
    /// Why they are disconnected, where the session has ended.
    ended: Option<Reason>,
}

/// What there is to know of a client in a namespace, besides its socket.
#[derive(Default)]
struct Beside {
    /// It has passed the middlewares: others see it, and what is sent to it comes
    /// to it, although its client does not know yet that it is connected.
    present: bool,
    /// What is sent to the socket before its client knows.
    held: Vec<Rc<Outgoing>>,
    /// What is kept of the socket for recovery is no longer true.
    unkept: bool,
    /// The last event before it was connected, where recovery is on.
    since: Option<Offset>,
}

/// The same as it is kept.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedIo {
    client: Vec<u8>,
    handshake: KeptHandshake,
    since: Vec<(String, Offset)>,
}

impl Io {
    pub(super) fn save(&self) -> SavedIo {
        SavedIo {
            client: self.client.snapshot(),
            handshake: KeptHandshake::clone(&self.handshake),
            since: self
                .beside
                .iter()
                .filter_map(|(namespace, beside)| Some((namespace.clone(), beside.since?)))
                .collect(),
        }
    }

    pub(super) fn restore(application: &Application, saved: SavedIo) -> Option<Self> {
        let client = Client::restore(&saved.client, application.settings).ok()?;
        let mut io = Self::new(client, saved.handshake);
        for (namespace, since) in saved.since {
            io.with_beside(&namespace, |beside| beside.since = Some(since));
        }
        Some(io)
    }

    fn new(client: Client, handshake: KeptHandshake) -> Self {
        Self {
            client,
            handshake: Rc::new(handshake),
            beside: Vec::new(),
            gone: Vec::new(),
            ended: None,
        }
    }

    /// A client is in few namespaces: they are looked through.
    fn with_beside<T>(&mut self, namespace: &str, change: impl FnOnce(&mut Beside) -> T) -> T {
        let known = self.beside.iter_mut().find(|(name, _)| name == namespace);
        if let Some((_, beside)) = known {
            return change(beside);
        }
        let mut beside = Beside::default();
        let result = change(&mut beside);
        self.beside.push((namespace.to_owned(), beside));
        result
    }

    fn beside(&self, namespace: &str) -> Option<&Beside> {
        let mut all = self.beside.iter();
        all.find_map(|(name, beside)| (name == namespace).then_some(beside))
    }

    /// The sockets that are there for others.
    fn present(&self) -> impl Iterator<Item = (&str, &socket::Socket)> {
        let is_present = |namespace| self.beside(namespace).is_some_and(|it| it.present);
        let sockets = self.client.sockets();
        sockets.filter(move |(namespace, socket)| socket.is_connected() || is_present(namespace))
    }

    fn present_in(&self, namespace: &str) -> Option<&socket::Socket> {
        let mut all = self.present();
        all.find_map(|(name, socket)| (name == namespace).then_some(socket))
    }

    fn forget_beside(&mut self, namespace: &str) {
        self.beside.retain(|(name, _)| name != namespace);
    }
}

/// What an object knows of all its clients together while it is awake.
pub(super) struct Shared {
    /// Made when it is needed first.
    rooms: RefCell<Option<Rooms<Key>>>,
    acks: RefCell<Acks>,
    log: OnceCell<Log>,
}

impl Default for Shared {
    fn default() -> Self {
        let first = u32::from_le_bytes(platform::random());
        Self {
            rooms: RefCell::default(),
            acks: RefCell::new(Acks::begin_at(first)),
            log: OnceCell::new(),
        }
    }
}

impl Shell {
    fn with_io<T>(&self, key: Key, change: impl FnOnce(&mut Io) -> T) -> Option<T> {
        self.with_entry(key, |entry| entry.io.as_mut().map(change))
            .flatten()
    }

    /// What the application has registered for a namespace that a client is in.
    fn handlers_of(&self, key: Key, namespace: &str) -> Option<Rc<Handlers>> {
        let definition = self.with_io(key, |io| {
            io.client.socket(namespace).map(|socket| socket.definition)
        });
        self.handlers(definition.flatten()?)
    }

    fn handlers(&self, definition: u16) -> Option<Rc<Handlers>> {
        self.application()?.handlers(definition)
    }

    /// A client has connected, and will now join namespaces.
    pub(super) fn open_io(&self, key: Key, application: &Application, handshake: &Handshake) {
        let Some(revision) = self.with(key, |session| session.revision()) else {
            return;
        };
        let protocol = Protocol::from(revision);
        let client = Client::open(self.now(), application.settings, protocol);
        let io = Io::new(client, handshake.keep());
        self.with_entry(key, |entry| entry.io = Some(io));
    }

    /// The handshake of a socket's session.
    pub(crate) fn handshake(&self, key: Key) -> Option<Handshake> {
        let kept = self.find_io(key, |io| io.handshake.clone())?;
        Some(Handshake::from(&*kept))
    }

    /// Looks at a client, which may be asleep.
    fn find_io<T>(&self, key: Key, look: impl FnOnce(&mut Io) -> T) -> Option<T> {
        if self.find(key) {
            self.with_io(key, look)
        } else {
            None
        }
    }

    /// Looks at a socket, which may be disconnected while the application is
    /// being told.
    fn find_socket<T>(
        &self,
        key: Key,
        namespace: &str,
        look: impl FnOnce(&socket::Socket) -> T,
    ) -> Option<T> {
        self.find_io(key, |io| {
            let gone = io.gone.iter().rev();
            let gone = gone.map(|(other, socket)| (&**other, socket));
            let mut all = io.client.sockets().chain(gone);
            all.find(|(other, _)| *other == namespace)
                .map(|(_, socket)| look(socket))
        })
        .flatten()
    }

    /// The rooms of all sockets in the object, sleeping ones among them.
    fn with_rooms<T>(&self, look: impl FnOnce(&mut Rooms<Key>) -> T) -> T {
        if self.io.rooms.borrow().is_none() {
            self.restore_all();
            let mut rooms = Rooms::default();
            for (key, entry) in self.entries.borrow().iter() {
                entry.index(*key, &mut rooms);
            }
            self.io.rooms.replace(Some(rooms));
        }
        look(self.io.rooms.borrow_mut().get_or_insert_default())
    }

    /// Changes the index of rooms, if it has been made.
    fn reindex(&self, change: impl FnOnce(&mut Rooms<Key>)) {
        if let Some(rooms) = &mut *self.io.rooms.borrow_mut() {
            change(rooms);
        }
    }

    /// A socket has passed the middlewares.
    fn make_present(&self, key: Key, namespace: &str) {
        self.with_io(key, |io| {
            io.with_beside(namespace, |beside| beside.present = true)
        });
        let rooms = self.rooms_of(key, namespace).unwrap_or_default();
        self.index_socket(key, namespace, &rooms, true);
    }

    /// A socket is there for others or has gone: all its rooms at once.
    fn index_socket(&self, key: Key, namespace: &str, rooms: &[String], is_in: bool) {
        self.reindex(|index| {
            for room in rooms {
                if is_in {
                    index.join(namespace, room, key);
                } else {
                    index.leave(namespace, room, key);
                }
            }
        });
    }

    /// Enters rooms. `false` if the socket has gone or is in too many.
    pub(crate) fn join(&self, key: Key, namespace: &str, rooms: &[String]) -> bool {
        let joined = self.find_io(key, |io| {
            let room_for = |room: &String| io.client.join(namespace, room);
            rooms.iter().all(room_for)
        });
        // Where it was too many, some of them were entered all the same.
        let entered = self.with_io(key, |io| {
            let socket = io.present_in(namespace)?;
            let entered = rooms.iter().filter(|room| socket.is_in(room));
            Some(entered.cloned().collect::<Vec<_>>())
        });
        let entered = entered.flatten().unwrap_or_default();
        self.index_socket(key, namespace, &entered, true);
        self.keep(key, namespace);
        self.touch(key);
        joined == Some(true)
    }

    pub(crate) fn leave(&self, key: Key, namespace: &str, rooms: &[String]) -> bool {
        let left = self.find_io(key, |io| {
            let is_there = io.client.socket(namespace).is_some();
            for room in rooms {
                io.client.leave(namespace, room);
            }
            is_there
        });
        self.index_socket(key, namespace, rooms, false);
        self.keep(key, namespace);
        self.touch(key);
        left == Some(true)
    }

    pub(crate) fn rooms_of(&self, key: Key, namespace: &str) -> Option<Vec<String>> {
        self.find_socket(key, namespace, |socket| socket.rooms.clone())
    }

    pub(crate) fn data_of(&self, key: Key, namespace: &str) -> Option<Option<String>> {
        self.find_socket(key, namespace, |socket| socket.data.clone())
    }

    pub(crate) fn set_data_of(&self, key: Key, namespace: &str, data: Option<String>) -> bool {
        let set = self.find_io(key, |io| io.client.set_data(namespace, data));
        self.keep(key, namespace);
        self.touch(key);
        set == Some(true)
    }

    pub(crate) fn is_socket_connected(&self, key: Key, namespace: &str) -> bool {
        self.find_io(key, |io| io.present_in(namespace).is_some()) == Some(true)
    }

    /// Closes a session whose client has joined nothing in time.
    pub(super) fn handle_join_timeout(&self, key: Key) {
        let late = self.with_io(key, |io| io.client.handle_timeout(self.now()));
        if late == Some(true) {
            self.end_io(key, Reason::ForcedServerClose);
        }
    }

    /// A handle for a socket.
    fn socket(self: &Rc<Self>, key: Key, namespace: &str) -> Option<Socket> {
        let id = self.find_socket(key, namespace, |socket| socket.id.clone())?;
        Some(Socket::new(self.clone(), key, namespace.into(), &id))
    }

    /// A value that the application keeps at hand.
    pub(crate) fn state<T: Any>(&self) -> Result<State<T>, Rejection> {
        match self.application() {
            Some(io) => io.states.find(),
            None => Err(Rejection::new("no socket.io server")),
        }
    }

    pub(crate) fn param(&self, key: Key, namespace: &str, name: &str) -> Option<String> {
        let definition = self.find_socket(key, namespace, |socket| socket.definition)?;
        self.application()?.param(definition, namespace, name)
    }

    pub(crate) fn ack_timeout(&self) -> Duration {
        self.application()
            .map_or(Duration::ZERO, |application| application.ack_timeout)
    }

    /// A new id for a socket: like a sid, it says which object the socket is in.
    fn new_socket_id(&self) -> String {
        Sid::new(&self.id, platform::random()).map_or_else(String::new, |sid| sid.to_string())
    }
}

impl Entry {
    fn index(&self, key: Key, rooms: &mut Rooms<Key>) {
        for (namespace, socket) in self.io.iter().flat_map(Io::present) {
            for room in &socket.rooms {
                rooms.join(namespace, room, key);
            }
        }
    }
}
