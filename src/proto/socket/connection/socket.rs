//! One client in one namespace.

use alloc::borrow::ToOwned as _;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::decisions::Admission;
use super::storing::Row;
use crate::socket::{Args, Encoded, Offset, Reason};
use crate::sort;

/// The maximum number of bytes held for a socket whose client does not know yet that
/// it is connected: a handler that sends without end must not use up the memory.
pub const MAX_HELD: usize = 4 << 20;

/// The bytes that are counted for each thing that is held, besides its content: it
/// has an allocation of its own, and whatever points there.
pub(in crate::socket) const ITEM_COST: usize = 32;

pub(super) fn string_bytes(text: &str) -> usize {
    ITEM_COST + text.len()
}

/// The number of a client's join that a socket came from.
///
/// A client that leaves a namespace and joins it again has another socket there,
/// although in protocol 4 its id is the same. No two sockets of one
/// [`Connection`](crate::socket::Connection) share a number, not even across sleep.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct JoinId(pub u32);

/// One client in one namespace.
#[derive(Debug)]
pub struct Socket {
    pub(in crate::socket) join: JoinId,
    pub(in crate::socket) namespace: String,
    pub(in crate::socket) id: String,
    pub(in crate::socket) pid: Option<String>,
    pub(super) rooms: RoomNames,
    pub(in crate::socket) data: Option<String>,
    pub(super) auth: Option<String>,
    pub(in crate::socket) since: Option<Offset>,
    pub(in crate::socket) definition: Definition,
    pub(in crate::socket) row: Row,
    /// Its client has come back in time. It is not part of a snapshot.
    pub(in crate::socket) is_recovered: bool,
    /// The application has let it in.
    pub(in crate::socket) is_let_in: bool,
    pub(in crate::socket) state: SocketState,
}

/// The application's definition of a socket's namespace, as two numbers that only
/// the driver understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Definition {
    /// The definition in this build of the application. It is not part of a
    /// snapshot: the next build may count them differently.
    pub index: u16,
    /// The number that finds the definition again, together with the namespace's
    /// name. It is part of a snapshot.
    pub tag: u32,
}

/// The state of a socket.
///
/// ```text
///            reserve           fill
///   CONNECT ─────────▶ Reserved ───▶ Asked (below); or refuse ──▶ (none)
///
///           begin            admit              accept
///   CONNECT ─────▶ Asked ───────────▶ Admitted ─────────▶ Connected
///                    │                 │    │ accept_early ▲  │ DISCONNECT, disconnect,
///                    │ refuse   refuse │    ▼              │  │ the session ends
///                    ▼                 ▼   AcceptedEarly ──┘  ▼
///                 (none)            (none)  └──────────────▶ Leaving ──forget──▶ (none)
///                                             the same, refuse  ▲
///            the session ends, or the client sends another CONNECT,
///                              before the decision: Abandoned ──┘ accept
/// ```
#[derive(Debug)]
pub(in crate::socket) enum SocketState {
    /// The application finds out whether there is such a namespace. The socket has no
    /// id yet, and nobody has a handle of it.
    Reserved,
    /// The middlewares decide. Nobody else sees the socket yet.
    Asked(Pending),
    /// It has passed them, and `on_connect` decides: others see it.
    Admitted(Pending),
    /// The client knows that it is connected, because `on_connect` has asked it
    /// something. `on_connect` still decides.
    AcceptedEarly,
    /// The client knows that it is connected, and the application has let it in.
    Connected,
    /// The session ended, or its client asked again, before the application decided.
    Abandoned(Reason),
    /// It was connected, and the application is being told that it no longer is.
    Leaving,
}

/// The maximum number of bytes of the names of a socket's rooms, where each counts 32
/// bytes more than it has. They are saved whenever one of them changes. It is enough for
/// a thousand names of 200 bytes.
pub const MAX_ROOM_NAMES: usize = 256 << 10;

/// The maximum number of bytes that are kept of what a client says of itself when it joins
/// namespaces, for all of them together. There is room for several tokens.
pub const MAX_AUTH: usize = 16 << 10;

/// The names of the rooms that a socket is in, sorted, and what they take.
#[derive(Debug, Default)]
pub(super) struct RoomNames {
    names: Vec<String>,
    bytes: usize,
}

impl RoomNames {
    pub(super) fn new(mut names: Vec<String>) -> Self {
        sort(&mut names);
        let bytes = names.iter().map(|name| string_bytes(name)).sum();
        Self { names, bytes }
    }

    fn position(&self, room: &str) -> Result<usize, usize> {
        self.names.binary_search_by(|name| (**name).cmp(room))
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn contains(&self, room: &str) -> bool {
        self.position(room).is_ok()
    }

    /// Returns whether there is room for this name besides the others.
    pub(super) fn has_room(&self, room: &str) -> bool {
        self.bytes.saturating_add(string_bytes(room)) <= MAX_ROOM_NAMES
    }

    /// Returns whether it was not there before.
    pub(super) fn insert(&mut self, room: &str) -> bool {
        let Err(position) = self.position(room) else {
            return false;
        };
        self.names.insert(position, room.to_owned());
        self.bytes += string_bytes(room);
        true
    }

    /// Returns whether it was there.
    pub(super) fn remove(&mut self, room: &str) -> bool {
        let Ok(position) = self.position(room) else {
            return false;
        };
        self.names.remove(position);
        self.bytes -= string_bytes(room);
        true
    }
}

/// The packets that a client is sent with the news that it is connected.
#[derive(Debug, Default)]
pub(in crate::socket) struct Pending {
    /// The events that it missed while it was away. They come before the news.
    pub(super) missed: Vec<(String, Args<'static>)>,
    /// The packets that the socket was sent meanwhile. They come after it.
    pub(in crate::socket) held: Vec<Rc<Encoded>>,
    /// A middleware has disconnected the socket: it will not be let in.
    pub(super) is_declined: bool,
    bytes: usize,
    missed_bytes: usize,
}

impl Pending {
    pub(super) fn new(missed: Vec<(String, Args<'static>)>) -> Self {
        let bytes = |args: &Args<'_>| ITEM_COST * (1 + args.attachments().len()) + args.bytes();
        Self {
            missed_bytes: missed.iter().map(|(_, args)| bytes(args)).sum(),
            missed,
            ..Self::default()
        }
    }

    fn hold(&mut self, packet: &Rc<Encoded>) -> bool {
        let size: usize = packet.messages().map(|message| message.len()).sum();
        let has_room = !self.is_declined && self.bytes + size <= MAX_HELD;
        if has_room {
            self.bytes += size;
            self.held.push(packet.clone());
        }
        has_room
    }

    fn held_bytes(&self) -> usize {
        self.missed_bytes + self.bytes + ITEM_COST * self.held.len()
    }
}

impl Socket {
    /// Returns a socket that has its place and nothing more.
    pub(in crate::socket) fn reserved(join: JoinId, namespace: &str) -> Self {
        Self {
            join,
            namespace: namespace.to_owned(),
            pid: None,
            rooms: RoomNames::default(),
            id: String::new(),
            data: None,
            auth: None,
            since: None,
            definition: Definition::default(),
            row: Row::None,
            is_recovered: false,
            is_let_in: false,
            state: SocketState::Reserved,
        }
    }

    /// Returns a socket about which the application decides.
    #[cfg(all(test, not(target_arch = "wasm32")))]
    pub(in crate::socket) fn new(
        join: JoinId,
        namespace: &str,
        id: String,
        definition: Definition,
    ) -> Self {
        let mut socket = Self::reserved(join, namespace);
        socket.fill(Admission {
            definition,
            ..Admission::new(id)
        });
        socket
    }

    /// Gives it what it has when the application begins to decide.
    pub(super) fn fill(&mut self, admission: Admission) {
        self.rooms = RoomNames::new(vec![admission.id.clone()]);
        self.id = admission.id;
        self.pid = admission.pid;
        self.auth = admission.auth;
        self.since = admission.since;
        self.definition = admission.definition;
        let mut missed = Vec::new();
        if let Some(recovered) = admission.recovered {
            self.rooms = RoomNames::new(recovered.rooms);
            self.data = recovered.data;
            self.since = Some(recovered.since);
            // It names the session before, and the socket may be in other rooms when it
            // is let in.
            self.row = Row::Outdated;
            self.is_recovered = true;
            missed = recovered.missed;
        }
        self.state = SocketState::Asked(Pending::new(missed));
    }

    /// Returns the number of its client's join that it came from.
    pub fn join_id(&self) -> JoinId {
        self.join
    }

    /// Returns the name of its namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Returns its id, which is not a secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the secret that proves that a later session belongs to the same
    /// client, if connection state recovery is on. Only its client may know it.
    pub fn pid(&self) -> Option<&str> {
        self.pid.as_deref()
    }

    /// Returns the names of the rooms it is in, including the room of its own id.
    /// For a socket that is leaving, these are the rooms it was in.
    pub fn rooms(&self) -> &[String] {
        &self.rooms.names
    }

    /// Returns the data that the application has attached to it.
    pub fn data(&self) -> Option<&str> {
        self.data.as_deref()
    }

    /// Returns the `auth` that its client has joined with, as the driver has written it.
    /// `None` if there was no room for it: see [`MAX_AUTH`].
    pub fn auth(&self) -> Option<&str> {
        self.auth.as_deref()
    }

    /// Returns the last event before it was there, if recovery is on: the position of
    /// a client that has not received any event since.
    pub fn since(&self) -> Option<Offset> {
        self.since
    }

    /// Returns the application's definition that it belongs to.
    pub fn definition(&self) -> Definition {
        self.definition
    }

    /// Returns whether it is in a room.
    pub fn is_in(&self, room: &str) -> bool {
        self.rooms.contains(room)
    }

    /// Returns whether its client has been told that it is connected.
    pub fn is_connected(&self) -> bool {
        match self.state {
            SocketState::AcceptedEarly | SocketState::Connected => true,
            SocketState::Reserved
            | SocketState::Asked(_)
            | SocketState::Admitted(_)
            | SocketState::Abandoned(_)
            | SocketState::Leaving => false,
        }
    }

    /// Returns whether others see it: it has passed the middlewares and has not
    /// gone.
    pub fn is_present(&self) -> bool {
        match self.state {
            SocketState::Admitted(_) | SocketState::AcceptedEarly | SocketState::Connected => true,
            SocketState::Reserved
            | SocketState::Asked(_)
            | SocketState::Abandoned(_)
            | SocketState::Leaving => false,
        }
    }

    /// Returns whether the application has not decided about it yet. Its client may
    /// have been told that it is connected: see
    /// [`Connection::accept_early`](crate::socket::Connection::accept_early).
    pub fn is_undecided(&self) -> bool {
        self.is_unanswered() || matches!(self.state, SocketState::AcceptedEarly)
    }

    /// Returns whether its client waits for the answer to its CONNECT.
    pub(in crate::socket) fn is_unanswered(&self) -> bool {
        match self.state {
            SocketState::Reserved | SocketState::Asked(_) | SocketState::Admitted(_) => true,
            SocketState::AcceptedEarly
            | SocketState::Connected
            | SocketState::Abandoned(_)
            | SocketState::Leaving => false,
        }
    }

    /// Returns whether its client has come back in time, since the object last slept.
    pub fn is_recovered(&self) -> bool {
        self.is_recovered
    }

    /// Returns whether it is in its namespace, or may still be let in.
    pub(in crate::socket) fn is_current(&self) -> bool {
        match self.state {
            SocketState::Reserved
            | SocketState::Asked(_)
            | SocketState::Admitted(_)
            | SocketState::AcceptedEarly
            | SocketState::Connected => true,
            SocketState::Abandoned(_) | SocketState::Leaving => false,
        }
    }
}

impl Socket {
    /// Returns the bytes that it holds: see
    /// [`Connection::held_bytes`](crate::socket::Connection::held_bytes).
    pub(super) fn held_bytes(&self) -> usize {
        let texts = [Some(&self.namespace), Some(&self.id)];
        let more = [self.pid.as_ref(), self.data.as_ref(), self.auth.as_ref()];
        let texts = texts.into_iter().chain(more).flatten();
        let waiting = match &self.state {
            SocketState::Asked(pending) | SocketState::Admitted(pending) => pending.held_bytes(),
            SocketState::Reserved
            | SocketState::AcceptedEarly
            | SocketState::Connected
            | SocketState::Abandoned(_)
            | SocketState::Leaving => 0,
        };
        texts.map(|text| string_bytes(text)).sum::<usize>() + self.rooms.bytes + waiting
    }

    /// Holds a packet until the client has been told that it is connected.
    pub(super) fn hold(&mut self, packet: &Rc<Encoded>) -> bool {
        match &mut self.state {
            SocketState::Asked(pending) | SocketState::Admitted(pending) => pending.hold(packet),
            SocketState::Reserved
            | SocketState::AcceptedEarly
            | SocketState::Connected
            | SocketState::Abandoned(_)
            | SocketState::Leaving => false,
        }
    }
}
