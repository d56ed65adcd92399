//! The clients that are in memory, by session.

use core::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use dormouse_proto::engine::Transport;
use dormouse_proto::socket::{Connection, JoinId, Output, SleepingSocket, Socket};
use dormouse_proto::{bytes, versioned};
use serde::{Deserialize, Serialize};

use super::events::IncomingEvent;
use super::order::Order;
use crate::api::Application;
use crate::parts::{Layered, Work};
use crate::port::{Address, Spot};
use crate::request::{Dropped, StoredHandshake};
use crate::sid::Key;
use crate::table::Table;

/// A client's state besides its session.
pub(super) struct ClientEntry {
    /// Tells it from others in the object's memory.
    number: u32,
    /// The transport that whoever watches knows of.
    pub(super) known_transport: Option<Transport>,
    pub(super) connection: Connection,
    /// What is stored of its handshake, as it is stored: it is written far more often
    /// than read.
    stored: Vec<u8>,
    /// The same, once somebody has asked for it.
    read: OnceCell<Rc<StoredHandshake>>,
    /// All of it, if not all is stored, until the client has joined a namespace.
    whole: Option<Rc<StoredHandshake>>,
    pub(super) work: Work,
    pub(super) order: Order,
    /// The packet whose attachments are to come is not for the application.
    pub(super) is_dropping: bool,
    /// Events for sockets that were accepted before `on_connect` has decided about
    /// them. Each has been taken on.
    pub(super) early: Vec<IncomingEvent<'static>>,
    /// The addresses of its sockets, as handles have them: created once for each.
    addresses: Vec<Rc<Address>>,
}

/// The layout of what is stored. Another number is another layout.
const VERSION: u8 = 3;

/// The client as it is stored.
#[derive(Serialize)]
struct Storing<'a> {
    #[serde(with = "bytes")]
    connection: Vec<u8>,
    #[serde(serialize_with = "bytes::serialize")]
    handshake: &'a [u8],
}

/// The same, read back.
#[derive(Deserialize)]
struct Stored<'a> {
    connection: &'a [u8],
    handshake: &'a [u8],
}

impl ClientEntry {
    /// A new client with all of its handshake, and what is not kept of that.
    pub(super) fn open(
        connection: Connection,
        mut handshake: StoredHandshake,
        preferred: &[String],
    ) -> (Self, Dropped) {
        let whole = handshake.is_too_large().then(|| Rc::new(handshake.clone()));
        let dropped = handshake.reduce(preferred);
        let client = Self {
            whole,
            ..Self::new(connection, versioned::encode(VERSION, &handshake))
        };
        // It is about to be asked for.
        let _ = client.read.set(Rc::new(handshake));
        (client, dropped)
    }

    fn new(connection: Connection, stored: Vec<u8>) -> Self {
        Self {
            number: 0,
            known_transport: None,
            connection,
            stored,
            read: OnceCell::new(),
            whole: None,
            work: Work::default(),
            order: Order::default(),
            is_dropping: false,
            early: Vec::new(),
            addresses: Vec::new(),
        }
    }

    pub(super) fn restore(application: &Application, content: &[u8]) -> Option<Self> {
        let content: Stored<'_> = versioned::decode(VERSION, content).ok()?;
        let define = |namespace: &str, tag| application.define(namespace, tag);
        let connection =
            Connection::restore(content.connection, application.settings, define).ok()?;
        Some(Self::new(connection, content.handshake.to_owned()))
    }

    /// Returns the sockets of a client that is asleep. `None` if it has to be restored:
    /// its content says no more than that, or one of its sockets watches the object.
    pub(super) fn sleeping<'a>(
        application: &Application,
        content: &'a [u8],
    ) -> Option<Vec<SleepingSocket<'a>>> {
        let connection: &[u8] = versioned::decode_start(VERSION, content).ok()?;
        let sockets = Connection::sleeping(connection)?;
        let watches = |socket: &SleepingSocket<'_>| application.is_transient(socket.namespace);
        (!sockets.iter().any(watches)).then_some(sockets)
    }

    fn content(&self) -> Vec<u8> {
        let content = Storing {
            connection: self.connection.snapshot(),
            handshake: &self.stored,
        };
        versioned::encode(VERSION, &content)
    }

    /// Returns what it is called, in an object of this id, as long as it is in memory.
    pub(super) fn name(&self, object: &str) -> String {
        format!("{}-{}", object.get(..8).unwrap_or(object), self.number)
    }

    /// Returns its handshake, as far as the application can see it.
    pub(super) fn handshake(&self) -> &Rc<StoredHandshake> {
        let read = || self.read.get_or_init(|| Rc::new(self.stored_handshake()));
        self.whole.as_ref().unwrap_or_else(read)
    }

    /// Returns what is stored of its handshake.
    pub(super) fn stored_handshake(&self) -> StoredHandshake {
        // It is damaged only if the client's whole content is, which is not restored.
        versioned::decode(VERSION, &self.stored).unwrap_or_default()
    }

    /// Returns what is in memory of it. A handshake of which not all is kept is held.
    pub(super) fn weigh(&self) -> Layered {
        let whole = self.whole.as_ref().map_or(0, |whole| whole.bytes());
        let work = self.work.held_bytes();
        Layered {
            held: self.connection.held_bytes() + work + whole,
            kept: match self.read.get() {
                Some(_) => 2 * self.stored.len(),
                None => self.stored.len(),
            },
        }
    }

    /// Lets it into a namespace. Returns `false` if it has left meanwhile.
    pub(super) fn accept(&mut self, join: JoinId) -> bool {
        self.whole = None;
        self.read.take();
        self.connection.accept(join)
    }

    /// Takes the events that have waited for the decision about a socket.
    pub(super) fn take_early(&mut self, spot: Spot) -> Vec<IncomingEvent<'static>> {
        let is_its = |event: &mut IncomingEvent<'_>| event.spot() == spot;
        self.early.extract_if(.., is_its).collect()
    }

    /// Returns the address of one of its sockets.
    pub(super) fn address(&mut self, session: Key, join: JoinId) -> Option<Rc<Address>> {
        let mut known = self.addresses.iter();
        if let Some(address) = known.find(|address| address.spot.join == join) {
            return Some(address.clone());
        }
        let socket = self.connection.socket(join)?;
        let address = Rc::new(Address {
            spot: Spot { session, join },
            namespace: socket.namespace().into(),
            id: socket.id().into(),
        });
        self.addresses.push(address.clone());
        Some(address)
    }

    /// Forgets a socket of which the application has been told that it has gone.
    pub(super) fn forget(&mut self, join: JoinId) {
        self.connection.forget(join);
        self.forget_address(join);
    }

    pub(super) fn forget_address(&mut self, join: JoinId) {
        self.addresses.retain(|address| address.spot.join != join);
    }
}

/// All clients in memory.
#[derive(Default)]
pub(super) struct Clients {
    table: RefCell<Table<Key, ClientEntry>>,
    /// How many there were so far.
    count: Cell<u32>,
}

/// Looks up a client. It is not inlined, because it is used in many places.
#[inline(never)]
fn look_up(clients: &mut Table<Key, ClientEntry>, key: Key) -> Option<&mut ClientEntry> {
    clients.get_mut(key)
}

impl Clients {
    /// Calls `change` with a client, if it is in memory.
    pub(super) fn with<T>(
        &self,
        key: Key,
        change: impl FnOnce(&mut ClientEntry) -> T,
    ) -> Option<T> {
        look_up(&mut self.table.borrow_mut(), key).map(change)
    }

    pub(super) fn insert(&self, key: Key, client: ClientEntry) {
        let number = self.count.get().wrapping_add(1);
        self.count.set(number);
        let client = ClientEntry { number, ..client };
        self.table.borrow_mut().insert(key, client);
    }

    pub(super) fn remove(&self, key: Key) {
        self.table.borrow_mut().remove(key);
    }

    pub(super) fn for_each(&self, mut look: impl FnMut(Key, &ClientEntry)) {
        for (key, client) in self.table.borrow().iter() {
            look(key, client);
        }
    }

    /// Does the same, unless a client is being changed.
    pub(super) fn try_for_each(&self, mut look: impl FnMut(Key, &ClientEntry)) {
        if let Ok(clients) = self.table.try_borrow() {
            for (key, client) in clients.iter() {
                look(key, client);
            }
        }
    }

    /// Returns the next output of a client's connection.
    pub(super) fn poll_output(&self, key: Key) -> Option<Output> {
        let poll = |client: &mut ClientEntry| client.connection.poll_output();
        self.with(key, poll).flatten()
    }

    /// Returns what must survive sleep of a client.
    pub(super) fn content(&self, key: Key) -> Vec<u8> {
        let clients = self.table.try_borrow();
        let content = clients.map(|clients| clients.get(key).map(ClientEntry::content));
        content.ok().flatten().unwrap_or_default()
    }

    /// Returns whether a client has changed since this was last called.
    pub(super) fn take_changed(&self, key: Key) -> bool {
        let changed = |client: &mut ClientEntry| client.connection.take_changed();
        self.with(key, changed) == Some(true)
    }

    /// Returns whether a client has such a socket, unless it is being changed.
    pub(super) fn has_socket(&self, key: Key, is_it: impl Fn(&Socket) -> bool) -> bool {
        let clients = self.table.try_borrow();
        let has = |client: &ClientEntry| client.connection.sockets().any(&is_it);
        clients.is_ok_and(|clients| clients.get(key).is_some_and(has))
    }

    /// Returns whether a client differs from what was last kept, or waits for an answer
    /// that only the next instance can give.
    pub(super) fn must_be_handed_over(&self, key: Key) -> bool {
        let clients = self.table.try_borrow();
        let must_be = |client: &ClientEntry| {
            let mut sockets = client.connection.sockets();
            client.connection.is_changed() || sockets.any(Socket::is_undecided)
        };
        clients.is_ok_and(|clients| clients.get(key).is_some_and(must_be))
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
