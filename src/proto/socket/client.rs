//! One client: the sockets it has, one in each namespace, over one session.
//!
//! It contains no networking code, no clock and no application. What the client
//! sends is told to [`handle_message`](Client::handle_message), which says what
//! the application is to be asked or told. What the application decides is told
//! to the other methods, which return the packet that tells the client.

mod snapshot;

use alloc::borrow::{Cow, ToOwned as _};
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::{
    Args, ClientPacket, Decoder, Encoded, Limits, ParseError, Parser, Protocol, Reason,
    ServerPacket, Settings,
};
use crate::Timestamp;
use crate::engine::{self, Data};

/// The namespace that everybody knows.
pub const ROOT: &str = "/";

/// What a client is told that asks for a namespace which nobody has defined.
pub const INVALID_NAMESPACE: &str = "Invalid namespace";

/// What it is told that asks for more than
/// [`max_namespaces`](Settings::max_namespaces).
pub const TOO_MANY_NAMESPACES: &str = "Too many namespaces";

/// One client, of either protocol.
///
/// ```text
///                 CONNECT                     accept
///   no socket ──────────────▶ Connecting ──────────────▶ Connected
///       ▲                         │ refuse                   │
///       └─────────────────────────┴──────────────────────────┘
///                                       DISCONNECT, disconnect
/// ```
///
/// ```
/// use dormouse_proto::Timestamp;
/// use dormouse_proto::engine::Data;
/// use dormouse_proto::socket::{Client, Incoming, Protocol, Settings, Socket};
///
/// let mut client = Client::open(Timestamp::from_millis(0), Settings::default(), Protocol::V5);
///
/// // The client asks for a namespace …
/// let Ok(Some(Incoming::Connect(request))) = client.handle_message(Data::from("0/chat,")) else {
///     panic!("this is a CONNECT");
/// };
/// assert_eq!(request.namespace, "/chat");
/// client.begin("/chat", Socket::new("an id".into(), 0));
///
/// // … the application lets it in …
/// let packet = client.accept("/chat").unwrap();
/// let mut messages = packet.messages().map(|message| message.data());
/// assert_eq!(messages.next(), Some(Data::from("0/chat,{\"sid\":\"an id\"}")));
///
/// // … and the client has something to say.
/// let Ok(Some(Incoming::Event { namespace, name, args, .. })) =
///     client.handle_message(Data::from("2/chat,[\"hello\",1]"))
/// else {
///     panic!("this is an EVENT");
/// };
/// assert_eq!((&*namespace, &*name, args.json()), ("/chat", "hello", "[\"hello\",1]"));
/// ```
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    protocol: Protocol,
    decoder: Decoder,
    /// By namespace. They are few, and looked through.
    sockets: Vec<(String, Socket)>,
    /// Requests of protocol 4 that wait until the root namespace is decided.
    waiting: VecDeque<ConnectRequest<'static>>,
    /// Until when it must have joined a namespace.
    join_by: Option<Timestamp>,
    changed: bool,
}

/// A client in one namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Socket {
    /// Its id. Others may know it.
    pub id: String,
    /// What proves that a later session is the same client's, where connection
    /// state recovery is on. Nobody else may know it.
    pub pid: Option<String>,
    /// The rooms it is in, by name; that of its own id is among them.
    pub rooms: Vec<String>,
    /// What the application keeps of it.
    pub data: Option<String>,
    /// A number for whoever drives this: which of the application's definitions
    /// the namespace was found by.
    pub definition: u16,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    /// The application has not decided yet.
    Connecting,
    Connected,
}

impl Socket {
    /// A socket that is not let in yet.
    pub fn new(id: String, definition: u16) -> Self {
        Self {
            pid: None,
            rooms: vec![id.clone()],
            data: None,
            definition,
            state: State::Connecting,
            id,
        }
    }

    /// Whether it is in a room.
    pub fn is_in(&self, room: &str) -> bool {
        self.place(room).is_ok()
    }

    fn place(&self, room: &str) -> Result<usize, usize> {
        self.rooms.binary_search_by(|name| (**name).cmp(room))
    }

    /// Whether the client knows that it is connected.
    pub fn is_connected(&self) -> bool {
        self.state == State::Connected
    }
}

/// A client wants to join a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectRequest<'a> {
    /// Which one.
    pub namespace: Cow<'a, str>,
    /// What the client says of itself.
    pub auth: Auth<'a>,
}

/// What a client says of itself when it joins a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth<'a> {
    /// Nothing.
    None,
    /// A JSON object (protocol 5).
    Json(Cow<'a, str>),
    /// A URL's query (protocol 4).
    Query(Cow<'a, str>),
}

impl Auth<'_> {
    fn into_owned(self) -> Auth<'static> {
        match self {
            Self::None => Auth::None,
            Self::Json(json) => Auth::Json(Cow::Owned(json.into_owned())),
            Self::Query(query) => Auth::Query(Cow::Owned(query.into_owned())),
        }
    }
}

/// What a client's message means to the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// May it join? [`Client::begin`], then [`Client::accept`] or
    /// [`Client::refuse`]; or the latter at once.
    Connect(ConnectRequest<'a>),
    /// An event for a connected socket.
    Event {
        /// Its namespace.
        namespace: Cow<'a, str>,
        /// The number under which the client waits for an acknowledgement.
        ack: Option<u64>,
        /// The event's name.
        name: Cow<'a, str>,
        /// Its arguments, the name first.
        args: Args<'a>,
    },
    /// An acknowledgement of an event that a connected socket was sent.
    Ack {
        /// Its namespace.
        namespace: Cow<'a, str>,
        /// The number that the event was sent with.
        id: u64,
        /// The values.
        args: Args<'a>,
    },
    /// The client has left a namespace.
    Disconnect {
        /// Which one.
        namespace: Cow<'a, str>,
        /// What it was there.
        socket: Socket,
    },
    /// This is to be sent, and the application need not know.
    Reply(Encoded),
}

/// The client broke a rule: its session is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// What it sent is no packet.
    Parse(ParseError),
    /// The packet is for a namespace that it has not joined.
    NotJoined,
    /// It asks to join a namespace that it is in.
    JoinedTwice,
}

impl Violation {
    /// Why the client's sockets are disconnected.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Parse(_) => Reason::Session(engine::Reason::ParseError),
            Self::NotJoined | Self::JoinedTwice => Reason::ForcedServerClose,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parse(error) => error.fmt(f),
            Self::NotJoined => f.write_str("packet for a namespace that was not joined"),
            Self::JoinedTwice => f.write_str("second connect to the same namespace"),
        }
    }
}

impl core::error::Error for Violation {}

/// Opening and looking.
impl Client {
    /// A client whose session has just been opened. One of protocol 4 joins the
    /// root namespace without asking: see [`next_request`](Self::next_request).
    pub fn open(now: Timestamp, settings: Settings, protocol: Protocol) -> Self {
        let waiting = match protocol {
            Protocol::V4 => VecDeque::from([ConnectRequest {
                namespace: Cow::Borrowed(ROOT),
                auth: Auth::None,
            }]),
            Protocol::V5 => VecDeque::new(),
        };
        Self {
            settings,
            protocol,
            decoder: Decoder::default(),
            sockets: Vec::new(),
            waiting,
            join_by: Some(now + settings.connect_timeout),
            changed: true,
        }
    }

    /// The protocol the client speaks.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// How its packets are written.
    pub fn parser(&self) -> Parser {
        self.settings.parser
    }

    /// Its socket in a namespace.
    pub fn socket(&self, namespace: &str) -> Option<&Socket> {
        let found = self.sockets.iter().find(|(name, _)| name == namespace);
        found.map(|(_, socket)| socket)
    }

    fn socket_mut(&mut self, namespace: &str) -> Option<&mut Socket> {
        let found = self.sockets.iter_mut().find(|(name, _)| name == namespace);
        found.map(|(_, socket)| socket)
    }

    fn remove(&mut self, namespace: &str) -> Option<Socket> {
        let place = self.sockets.iter().position(|(name, _)| name == namespace);
        self.changed |= place.is_some();
        Some(self.sockets.remove(place?).1)
    }

    /// Its sockets, by namespace.
    pub fn sockets(&self) -> impl Iterator<Item = (&str, &Socket)> {
        self.sockets
            .iter()
            .map(|(namespace, socket)| (&**namespace, socket))
    }

    /// The id of a socket in protocol 4, where clients compute it by themselves.
    /// In protocol 5 it is for the server to choose.
    pub fn socket_id(protocol: Protocol, sid: &str, namespace: &str) -> Option<String> {
        match (protocol, namespace) {
            (Protocol::V5, _) => None,
            (Protocol::V4, ROOT) => Some(sid.to_owned()),
            (Protocol::V4, namespace) => Some(alloc::format!("{namespace}#{sid}")),
        }
    }

    /// Whether anything that must outlive sleep changed since this was last
    /// asked.
    pub fn take_changed(&mut self) -> bool {
        core::mem::take(&mut self.changed)
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, if nothing
    /// happens before. Calling it early or late is harmless.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.join_by.filter(|_| self.sockets.is_empty())
    }
}

/// What comes in.
impl Client {
    /// The client's session brought a message.
    ///
    /// # Errors
    ///
    /// The session is to be closed, for the client broke a rule.
    pub fn handle_message<'a>(
        &mut self,
        data: Data<'a>,
    ) -> Result<Option<Incoming<'a>>, Violation> {
        let was_pending = self.decoder.is_pending();
        let packet = self.decoder.decode(
            self.protocol,
            self.settings.parser,
            Limits {
                attachments: self.settings.max_attachments,
                bytes: self.settings.max_packet,
            },
            data,
        );
        self.changed |= was_pending || self.decoder.is_pending();
        match packet.map_err(Violation::Parse)? {
            Some(packet) => self.handle_packet(packet),
            None => Ok(None),
        }
    }

    fn handle_packet<'a>(
        &mut self,
        packet: ClientPacket<'a>,
    ) -> Result<Option<Incoming<'a>>, Violation> {
        if let ClientPacket::Connect {
            namespace,
            query,
            auth,
        } = packet
        {
            let auth = match (query, auth) {
                (_, Some(json)) => Auth::Json(json),
                (Some(query), None) => Auth::Query(query),
                (None, None) => Auth::None,
            };
            return self.handle_connect(ConnectRequest { namespace, auth });
        }
        let joined = self.socket(packet.namespace());
        if !joined.is_some_and(Socket::is_connected) {
            return Err(Violation::NotJoined);
        }
        Ok(match packet {
            ClientPacket::Event {
                namespace,
                ack,
                name,
                args,
            } => Some(Incoming::Event {
                namespace,
                ack,
                name,
                args,
            }),
            ClientPacket::Ack {
                namespace,
                id,
                args,
            } => Some(Incoming::Ack {
                namespace,
                id,
                args,
            }),
            ClientPacket::Disconnect { namespace } => {
                let socket = self.remove(&namespace);
                socket.map(|socket| Incoming::Disconnect { namespace, socket })
            }
            ClientPacket::Connect { .. } => None,
        })
    }

    fn handle_connect<'a>(
        &mut self,
        request: ConnectRequest<'a>,
    ) -> Result<Option<Incoming<'a>>, Violation> {
        let asked = |other: &ConnectRequest<'_>| other.namespace == request.namespace;
        if self.socket(&request.namespace).is_some() || self.waiting.iter().any(asked) {
            return Err(Violation::JoinedTwice);
        }
        if self.sockets.len() + self.waiting.len() >= self.settings.max_namespaces {
            let refusal = self.refuse(&request.namespace, TOO_MANY_NAMESPACES, None);
            return Ok(Some(Incoming::Reply(refusal)));
        }
        if self.is_undecided() {
            self.waiting.push_back(ConnectRequest {
                namespace: Cow::Owned(request.namespace.into_owned()),
                auth: request.auth.into_owned(),
            });
            self.changed = true;
            return Ok(None);
        }
        Ok(Some(Incoming::Connect(request)))
    }

    /// In protocol 4 the root namespace comes before any other.
    fn is_undecided(&self) -> bool {
        let root = self.socket(ROOT);
        let is_connecting = root.is_some_and(|root| !root.is_connected());
        self.protocol == Protocol::V4 && (is_connecting || !self.waiting.is_empty())
    }

    /// A request that has waited for the root namespace to be decided, or is for
    /// that one: to be asked for until there is none, when the client is new and
    /// whenever a namespace was decided.
    pub fn next_request(&mut self) -> Option<ConnectRequest<'static>> {
        let root = self.socket(ROOT);
        if root.is_some_and(|root| !root.is_connected()) {
            return None;
        }
        let request = self.waiting.pop_front()?;
        self.changed = true;
        Some(request)
    }

    /// Whether the client has joined no namespace in time, so that its session is
    /// to be closed.
    pub fn handle_timeout(&mut self, now: Timestamp) -> bool {
        self.next_deadline().is_some_and(|deadline| now >= deadline)
    }
}

/// What the application decides.
impl Client {
    /// It thinks about a request: from now on there is a socket, of which the
    /// client does not know yet.
    pub fn begin(&mut self, namespace: &str, socket: Socket) {
        self.remove(namespace);
        self.changed = true;
        self.sockets.push((namespace.to_owned(), socket));
    }

    /// The socket is let in. `None` if it has gone meanwhile.
    pub fn accept(&mut self, namespace: &str) -> Option<Encoded> {
        self.socket_mut(namespace)?.state = State::Connected;
        self.join_by = None;
        self.changed = true;
        let socket = self.socket(namespace)?;
        let packet = ServerPacket::Connect {
            namespace,
            sid: &socket.id,
            pid: socket.pid.as_deref(),
        };
        Some(packet.encode(self.protocol, self.settings.parser))
    }

    /// The client may not join; `data` is JSON.
    pub fn refuse(&mut self, namespace: &str, message: &str, data: Option<&str>) -> Encoded {
        self.remove(namespace);
        let packet = ServerPacket::ConnectError {
            namespace,
            message,
            data,
        };
        packet.encode(self.protocol, self.settings.parser)
    }

    /// The client is sent out of a namespace. `None` if it is not in there.
    pub fn disconnect(&mut self, namespace: &str) -> Option<(Socket, Encoded)> {
        let socket = self.remove(namespace)?;
        let packet = ServerPacket::Disconnect { namespace };
        Some((socket, packet.encode(self.protocol, self.settings.parser)))
    }

    /// The session has ended, and with it every socket, connected or not.
    pub fn close(&mut self) -> impl Iterator<Item = (String, Socket)> + use<> {
        self.changed = true;
        self.waiting.clear();
        core::mem::take(&mut self.sockets).into_iter()
    }

    /// Enters a room. `false` if the socket is in as many as it may be in, or
    /// there is none.
    pub fn join(&mut self, namespace: &str, room: &str) -> bool {
        let limit = self.settings.max_rooms;
        let Some(socket) = self.socket_mut(namespace) else {
            return false;
        };
        let Err(place) = socket.place(room) else {
            return true;
        };
        // That of its own id is not counted.
        if socket.rooms.len() > limit {
            return false;
        }
        socket.rooms.insert(place, room.to_owned());
        self.changed = true;
        true
    }

    /// Leaves a room.
    pub fn leave(&mut self, namespace: &str, room: &str) {
        if let Some(socket) = self.socket_mut(namespace)
            && let Ok(place) = socket.place(room)
        {
            socket.rooms.remove(place);
            self.changed = true;
        }
    }

    /// Replaces what the application keeps of a socket. `false` if there is no
    /// such socket.
    pub fn set_data(&mut self, namespace: &str, data: Option<String>) -> bool {
        let set = self.socket_mut(namespace).map(|socket| socket.data = data);
        self.changed |= set.is_some();
        set.is_some()
    }
}
