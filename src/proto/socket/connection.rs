//! One client, over one session: the sockets it has, one in each namespace.
//!
//! It contains no networking code, no clock and no application. What the client
//! sends is passed to [`handle_message`](Connection::handle_message), and what the
//! application decides to the methods named after the decision.
//! [`poll_output`](Connection::poll_output) returns what is to be done until nothing
//! is left.

mod decisions;
mod incomplete;
mod left;
mod snapshot;
pub(super) mod socket;
mod storing;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use self::incomplete::Progress;
use self::left::Left;
use self::socket::{SocketState, string_bytes};
use super::{
    Args, ClientPacket, Decoder, Encoded, Limits, ParseError, Protocol, Reason, ServerPacket,
    Settings,
};
use crate::Timestamp;
use crate::engine::{self, Data};
use crate::rate::Class;

pub use self::decisions::{Admission, JoinError, RecoveredSocket, Route};
pub use self::incomplete::{KEEP_AFTER, MAX_STALL};
pub use self::left::MAX_LEFT;
pub use self::snapshot::SleepingSocket;
pub use self::socket::{Definition, JoinId, MAX_AUTH, MAX_HELD, MAX_ROOM_NAMES, Socket};
pub use self::storing::{Due, Storing};

/// The root namespace.
pub const ROOT: &str = "/";

/// The message for a client that asks for a namespace that is not defined.
pub const INVALID_NAMESPACE: &str = "Invalid namespace";

/// The message for a client that asks for more than
/// [`max_namespaces`](Settings::max_namespaces).
pub const TOO_MANY_NAMESPACES: &str = "Too many namespaces";

/// The message for a client of protocol 4 whose requests take more than
/// [`MAX_WAITING`].
pub const REQUESTS_TOO_LARGE: &str = "Requests too large";

/// The maximum number of bytes of the requests of a client of protocol 4 that wait
/// until the root namespace is decided: names and queries, and 32 bytes more for each.
/// It is enough for a hundred namespaces with a token for each.
pub const MAX_WAITING: usize = 64 << 10;

/// The message for a client that asks for namespaces faster than it may.
pub const TOO_MANY_REQUESTS: &str = "Too many requests";

/// The message for a client that the application disconnects instead of letting it
/// in, without a word of its own.
pub const REJECTED: &str = "Connection rejected by server";

/// The message for a client if the decision about it was lost: the handler panicked,
/// took too long, or went with the object's memory.
pub const INTERNAL_ERROR: &str = "Internal server error";

/// One client, of either protocol.
///
/// Specification: protocol 5, "Connection to a namespace" and "Disconnection from a
/// namespace".
///
/// ```
/// use dormouse_proto::Timestamp;
/// use dormouse_proto::engine::Data;
/// use dormouse_proto::socket::{Admission, Connection, Incoming, Output, Protocol, Settings};
///
/// let now = Timestamp::from_millis(0);
/// let mut connection = Connection::open(now, Settings::default(), Protocol::V5);
///
/// // The client asks for a namespace …
/// assert_eq!(connection.handle_message(now, Data::from("0/chat,")), None);
/// let Some(Output::Connect(request)) = connection.poll_output() else {
///     panic!("this is a CONNECT");
/// };
/// assert_eq!(request.namespace, "/chat");
/// let join = connection.begin("/chat", Admission::new("an id"));
///
/// // … the application lets it in …
/// connection.accept(join);
/// assert!(matches!(connection.poll_output(), Some(Output::Present(_))));
/// let Some(Output::Send(packet)) = connection.poll_output() else {
///     panic!("the client is told");
/// };
/// let mut messages = packet.messages().map(|message| message.data());
/// assert_eq!(messages.next(), Some(Data::from("0/chat,{\"sid\":\"an id\"}")));
///
/// // … and the client has something to say.
/// let Some(Incoming::Event { join: by, name, args, .. }) =
///     connection.handle_message(now, Data::from("2/chat,[\"hello\",1]"))
/// else {
///     panic!("this is an EVENT");
/// };
/// assert_eq!((by, &*name, args.json()), (join, "hello", "[\"hello\",1]"));
/// ```
#[derive(Debug)]
pub struct Connection {
    settings: Settings,
    protocol: Protocol,
    decoder: Decoder,
    progress: Progress,
    /// They are few, and searched one by one.
    sockets: Vec<Socket>,
    left: Left,
    /// Requests of protocol 4 that wait until the root namespace is decided.
    waiting: VecDeque<ConnectRequest<'static>>,
    next_join: u32,
    phase: Phase,
    outputs: VecDeque<Output>,
    changed: bool,
}

/// The state of the session beneath.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Phase {
    /// By the given time, the client must have joined a namespace.
    Open { join_by: Option<Timestamp> },
    /// The session is being closed from this side, for this reason.
    Closing(Reason),
    /// The session is over, for this reason.
    Closed(Reason),
}

/// A client wants to join a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectRequest<'a> {
    /// The namespace's name.
    pub namespace: Cow<'a, str>,
    /// The client's `auth`.
    pub auth: Auth<'a>,
}

/// The `auth` of a client that joins a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth<'a> {
    /// The client sent nothing.
    None,
    /// A JSON object (protocol 5).
    Json(Cow<'a, str>),
    /// A URL's query (protocol 4).
    Query(Cow<'a, str>),
}

impl ConnectRequest<'_> {
    fn held_bytes(&self) -> usize {
        let auth = match &self.auth {
            Auth::None => None,
            Auth::Json(text) | Auth::Query(text) => Some(text),
        };
        let texts = core::iter::once(&self.namespace).chain(auth);
        texts.map(|text| string_bytes(text)).sum()
    }

    fn into_owned(self) -> ConnectRequest<'static> {
        ConnectRequest {
            namespace: Cow::Owned(self.namespace.into_owned()),
            auth: match self.auth {
                Auth::None => Auth::None,
                Auth::Json(json) => Auth::Json(Cow::Owned(json.into_owned())),
                Auth::Query(query) => Auth::Query(Cow::Owned(query.into_owned())),
            },
        }
    }
}

/// Something that a connected client says to the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// An event.
    Event {
        /// The socket it is for.
        join: JoinId,
        /// The number under which the client waits for an acknowledgement.
        ack: Option<u64>,
        /// The event's name.
        name: Cow<'a, str>,
        /// Its arguments, the name first.
        args: Args<'a>,
    },
    /// An acknowledgement of an event that a socket was sent.
    Ack {
        /// The socket.
        join: JoinId,
        /// The number that the event was sent with.
        id: u64,
        /// The values.
        args: Args<'a>,
    },
}

/// An action that a connection asks of its driver. Actions have to be taken in
/// order.
#[derive(Debug)]
pub enum Output {
    /// The client asks to join a namespace: [`Connection::begin`], or
    /// [`Connection::refuse_request`] if there is no such namespace. Where that takes
    /// time to find out, [`Connection::reserve`].
    Connect(ConnectRequest<'static>),
    /// A socket is seen by others from now on, with the rooms it is in.
    Present(JoinId),
    /// Send this packet.
    Send(Rc<Encoded>),
    /// A socket was not let in after all. It is no longer among the sockets.
    Refused(Box<Socket>),
    /// The client has gone, or has asked for the namespace again, before the application
    /// has decided about a socket. Others do not see it any more; the decision may still
    /// come.
    Abandoned(JoinId),
    /// A connected socket has gone. After the application has been told, call
    /// [`Connection::forget`].
    Disconnected(JoinId, Reason),
    /// The client broke a rule, and is being disconnected.
    Violation(Violation),
    /// Close the session, after everything that was sent before.
    Close,
}

/// A violation of the protocol, after which the client's session is closed. What ends
/// less than that, such as an acknowledgement without a number, is not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Its message is not a packet.
    Parse(ParseError),
    /// The packet is for a namespace that it has not joined, or has left.
    NotJoined,
}

impl Violation {
    /// Returns why the client's sockets are disconnected.
    pub const fn reason(self) -> Reason {
        match self {
            // npm's server reads it, and finds that it is out of turn.
            Self::Parse(ParseError::NotForServers) => Reason::ForcedServerClose,
            Self::Parse(_) => Reason::Session(engine::Reason::ParseError),
            Self::NotJoined => Reason::ForcedServerClose,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parse(error) => error.fmt(f),
            Self::NotJoined => f.write_str("packet for a namespace that was not joined"),
        }
    }
}

impl core::error::Error for Violation {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Parse(error) => Some(error),
            Self::NotJoined => None,
        }
    }
}

/// Opening connections, and their properties.
impl Connection {
    /// Opens a connection over a session that has just begun. A client of protocol 4
    /// joins the root namespace without asking.
    ///
    /// Specification: protocol 5, "Difference between v5 and v4".
    pub fn open(now: Timestamp, settings: Settings, protocol: Protocol) -> Self {
        let mut connection = Self {
            settings,
            protocol,
            decoder: Decoder::default(),
            progress: Progress::default(),
            sockets: Vec::new(),
            left: Left::default(),
            waiting: VecDeque::new(),
            next_join: 0,
            phase: Phase::Open {
                join_by: Some(now + settings.connect_timeout),
            },
            outputs: VecDeque::new(),
            changed: true,
        };
        if protocol == Protocol::V4 {
            connection.waiting.push_back(ConnectRequest {
                namespace: Cow::Borrowed(ROOT),
                auth: Auth::None,
            });
            connection.ask_waiting();
        }
        connection
    }

    /// Returns the protocol the client speaks.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Returns a socket, whichever state it is in.
    pub fn socket(&self, join: JoinId) -> Option<&Socket> {
        self.sockets.iter().find(|socket| socket.join == join)
    }

    fn socket_mut(&mut self, join: JoinId) -> Option<&mut Socket> {
        self.sockets.iter_mut().find(|socket| socket.join == join)
    }

    /// Returns all sockets, those that are leaving among them.
    pub fn sockets(&self) -> impl Iterator<Item = &Socket> {
        self.sockets.iter()
    }

    /// Returns the socket that the client has in a namespace, or may still get.
    pub fn socket_in(&self, namespace: &str) -> Option<&Socket> {
        let mut current = self.sockets.iter().filter(|socket| socket.is_current());
        current.find(|socket| socket.namespace == namespace)
    }

    /// Returns the id of a socket in protocol 4, where clients compute it by
    /// themselves. In protocol 5 it is for the server to choose.
    pub fn socket_id(protocol: Protocol, sid: &str, namespace: &str) -> Option<String> {
        match (protocol, namespace) {
            (Protocol::V5, _) => None,
            (Protocol::V4, ROOT) => Some(sid.into()),
            (Protocol::V4, namespace) => Some(alloc::format!("{namespace}#{sid}")),
        }
    }

    /// Returns the part of a socket's id that is like a session id, and in protocol 4
    /// is one.
    pub fn sid_in(id: &str) -> &str {
        id.rsplit_once('#').map_or(id, |(_, sid)| sid)
    }

    /// Returns the bytes that are held on behalf of the client: the parts of a packet
    /// that is not complete, requests that wait for the root namespace, the names
    /// of namespaces that it was disconnected from, and its sockets with their rooms, their data, the packets that are held for them and
    /// the events that they have missed.
    ///
    /// It is an estimate: each of these counts as its content and 32 bytes more, and
    /// a packet that is held for many sockets counts for each. Outputs do not count,
    /// since they are taken in the same turn. The number of steps is that of sockets
    /// and requests, whatever belongs to them.
    ///
    /// ```
    /// use dormouse_proto::Timestamp;
    /// use dormouse_proto::socket::{Admission, Connection, Protocol, Settings};
    ///
    /// let now = Timestamp::from_millis(0);
    /// let mut connection = Connection::open(now, Settings::default(), Protocol::V5);
    /// let join = connection.begin("/", Admission::new("an id"));
    /// let before = connection.held_bytes();
    /// connection.set_data(join, Some("\"a\"".into()));
    /// assert_eq!(connection.held_bytes() - before, 32 + 3);
    /// ```
    pub fn held_bytes(&self) -> usize {
        let sockets = self.sockets.iter().map(Socket::held_bytes);
        let waiting = self.waiting.iter().map(ConnectRequest::held_bytes);
        let others = self.decoder.held_bytes() + self.left.held_bytes();
        others + sockets.chain(waiting).sum::<usize>()
    }

    /// Returns the class of a message that the client has sent: whether it asks to join
    /// a namespace, or is an attachment of the packet before.
    pub fn classify(&self, data: &Data<'_>) -> Class {
        if self.decoder.is_pending() {
            return Class::Part;
        }
        match (self.settings.parser.is_connect)(self.protocol, self.limits(), data) {
            true => Class::Join,
            false => Class::Whole,
        }
    }

    /// Returns whether attachments of a packet are still to come.
    pub fn is_pending(&self) -> bool {
        self.decoder.is_pending()
    }

    fn limits(&self) -> Limits {
        Limits {
            attachments: self.settings.max_attachments,
            bytes: self.settings.max_packet,
        }
    }

    /// Returns whether anything that must survive sleep has changed since this was
    /// last called.
    ///
    /// The parts of a packet that is not complete do not count until
    /// [`KEEP_AFTER`] has passed.
    pub fn take_changed(&mut self) -> bool {
        core::mem::take(&mut self.changed)
    }

    /// Returns whether anything that must survive sleep is not in the last snapshot,
    /// the parts of a packet that is not complete included.
    pub fn is_changed(&self) -> bool {
        self.changed || self.has_unkept_parts()
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is to be called, if
    /// nothing happens before. Calling it early or late is harmless.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.join_by().into_iter().chain(self.keep_by()).min()
    }

    /// Returns by when the client has to join a namespace.
    fn join_by(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Open { join_by } => join_by.filter(|_| self.sockets.is_empty()),
            Phase::Closing(_) | Phase::Closed(_) => None,
        }
    }

    /// Returns the next thing to do, or `None` when everything is done for now.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open { .. })
    }
}

/// Inputs.
impl Connection {
    /// Takes in a message of the client's session. Returns what it says to the
    /// application; everything else is among the outputs.
    pub fn handle_message<'a>(&mut self, now: Timestamp, data: Data<'a>) -> Option<Incoming<'a>> {
        // This came in one payload with the message that ended the session.
        if !self.is_open() {
            return None;
        }
        let limits = self.limits();
        let decoded = self
            .decoder
            .decode(self.protocol, self.settings.parser, limits, data);
        self.note_progress(now);
        let handled = match decoded {
            Ok(Some(packet)) => self.handle_packet(packet),
            Ok(None) => self.check_announced().map(|()| None),
            Err(error) => Err(Violation::Parse(error)),
        };
        handled.unwrap_or_else(|violation| {
            self.end_for(violation);
            None
        })
    }

    fn end_for(&mut self, violation: Violation) {
        self.outputs.push_back(Output::Violation(violation));
        self.close_session(violation.reason());
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
            self.handle_connect(ConnectRequest { namespace, auth });
            return Ok(None);
        }
        let Some(join) = self.connected_in(packet.namespace())? else {
            return Ok(None);
        };
        Ok(match packet {
            ClientPacket::Event {
                ack, name, args, ..
            } => Some(Incoming::Event {
                join,
                ack,
                name,
                args,
            }),
            ClientPacket::Ack { id, args, .. } => Some(Incoming::Ack { join, id, args }),
            ClientPacket::Disconnect { .. } => {
                self.lose(join, Reason::ClientNamespaceDisconnect);
                None
            }
            ClientPacket::Connect { .. } => None,
        })
    }

    /// Returns the socket that the client knows to be connected in a namespace, or
    /// `None` if it may not have heard yet that it was disconnected.
    fn connected_in(&self, namespace: &str) -> Result<Option<JoinId>, Violation> {
        let socket = self.socket_in(namespace);
        match socket.filter(|socket| socket.is_connected()) {
            Some(socket) => Ok(Some(socket.join)),
            None if self.left.contains(namespace) => Ok(None),
            None => Err(Violation::NotJoined),
        }
    }

    fn handle_connect(&mut self, request: ConnectRequest<'_>) {
        self.take_back(&request.namespace);
        self.changed |= self.left.remove(&request.namespace);
        let current = self.sockets.iter().filter(|socket| socket.is_current());
        if current.count() + self.requests().count() >= self.settings.max_namespaces {
            self.refuse_request(&request.namespace, TOO_MANY_NAMESPACES, None);
            return;
        }
        // In protocol 4 the root namespace comes before any other.
        let has_to_wait = self.protocol == Protocol::V4 && request.namespace != ROOT;
        if has_to_wait && (self.root_is_undecided() || !self.waiting.is_empty()) {
            let waiting = self.waiting.iter().map(ConnectRequest::held_bytes);
            if waiting.sum::<usize>() + request.held_bytes() > MAX_WAITING {
                self.refuse_request(&request.namespace, REQUESTS_TOO_LARGE, None);
                return;
            }
            self.waiting.push_back(request.into_owned());
            self.changed = true;
            return;
        }
        self.outputs
            .push_back(Output::Connect(request.into_owned()));
    }

    /// Takes back what the client has asked for or has in a namespace, since it asks
    /// again. A client that disconnects before it has heard that it is connected says
    /// nothing of that, so its next CONNECT is all that tells of it.
    fn take_back(&mut self, namespace: &str) {
        self.outputs.retain(|output| match output {
            Output::Connect(request) => request.namespace != namespace,
            Output::Present(_)
            | Output::Send(_)
            | Output::Refused(_)
            | Output::Abandoned(_)
            | Output::Disconnected(..)
            | Output::Violation(_)
            | Output::Close => true,
        });
        let waiting = self.waiting.len();
        self.waiting
            .retain(|request| request.namespace != namespace);
        self.changed |= self.waiting.len() < waiting;
        let mut current = self.sockets.iter_mut().filter(|it| it.is_current());
        let Some(socket) = current.find(|socket| socket.namespace == namespace) else {
            return;
        };
        let (join, reason) = (socket.join, Reason::ClientNamespaceDisconnect);
        if socket.is_connected() {
            return self.lose(join, reason);
        }
        // What is stored under its secret is for the next socket.
        socket.pid = None;
        socket.state = SocketState::Abandoned(reason);
        self.changed = true;
        self.outputs.push_back(Output::Abandoned(join));
    }

    fn root_is_undecided(&self) -> bool {
        let is_root = |request: &ConnectRequest<'_>| request.namespace == ROOT;
        self.socket_in(ROOT).is_some_and(Socket::is_unanswered) || self.asked().any(is_root)
    }

    /// Returns the requests that are among the outputs.
    fn asked(&self) -> impl Iterator<Item = &ConnectRequest<'static>> {
        self.outputs.iter().filter_map(|output| match output {
            Output::Connect(request) => Some(request),
            Output::Present(_)
            | Output::Send(_)
            | Output::Refused(_)
            | Output::Abandoned(_)
            | Output::Disconnected(..)
            | Output::Violation(_)
            | Output::Close => None,
        })
    }

    /// Returns the requests for which there is no socket yet.
    fn requests(&self) -> impl Iterator<Item = &ConnectRequest<'static>> {
        self.asked().chain(&self.waiting)
    }

    /// Asks for the namespaces that have waited for the root to be decided.
    fn ask_waiting(&mut self) {
        while !self.root_is_undecided()
            && let Some(request) = self.waiting.pop_front()
        {
            self.changed = true;
            self.outputs.push_back(Output::Connect(request));
        }
    }

    /// Closes the session of a client that has joined nothing in time, or that has not
    /// completed a packet within [`MAX_STALL`].
    ///
    /// The latter alone is not a reason to wake an object, so
    /// [`next_deadline`](Self::next_deadline) does not name it.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if self.join_by().is_some_and(|deadline| now >= deadline) {
            self.close_session(Reason::ForcedServerClose);
        }
        self.check_progress(now);
    }

    /// Takes in that the session has ended, and with it every socket, connected or
    /// not.
    pub fn handle_closed(&mut self, reason: engine::Reason) {
        let reason = match self.phase {
            Phase::Open { .. } => reason.into(),
            Phase::Closing(reason) => reason,
            Phase::Closed(_) => return,
        };
        self.phase = Phase::Closed(reason);
        self.forget_requests();
        for socket in &mut self.sockets {
            let join = socket.join;
            match socket.state {
                SocketState::Reserved | SocketState::Asked(_) | SocketState::Admitted(_) => {
                    socket.state = SocketState::Abandoned(reason);
                    self.outputs.push_back(Output::Abandoned(join));
                }
                SocketState::AcceptedEarly | SocketState::Connected => {
                    socket.state = SocketState::Leaving;
                    self.outputs.push_back(Output::Disconnected(join, reason));
                }
                SocketState::Abandoned(_) | SocketState::Leaving => {}
            }
        }
    }

    fn close_session(&mut self, reason: Reason) {
        if self.is_open() {
            self.phase = Phase::Closing(reason);
            self.forget_requests();
            self.outputs.push_back(Output::Close);
        }
    }

    /// Forgets what nothing will come of, because the client is not heard any more.
    fn forget_requests(&mut self) {
        self.changed = true;
        self.waiting.clear();
        self.left = Left::default();
        self.decoder = Decoder::default();
        self.progress = Progress::default();
    }

    /// Disconnects a connected socket.
    fn lose(&mut self, join: JoinId, reason: Reason) {
        let socket = self.sockets.iter_mut().find(|socket| socket.join == join);
        if let Some(socket) = socket {
            socket.state = SocketState::Leaving;
            if reason == Reason::ServerNamespaceDisconnect {
                self.left.insert(&socket.namespace);
            }
            self.changed = true;
            self.outputs.push_back(Output::Disconnected(join, reason));
        }
    }

    /// Sends a packet, unless the session is being closed: nothing comes behind
    /// [`Output::Close`].
    fn send(&mut self, packet: &ServerPacket<'_>) {
        if self.is_open() {
            let encoded = self.encode(packet);
            self.outputs.push_back(Output::Send(Rc::new(encoded)));
        }
    }

    fn encode(&self, packet: &ServerPacket<'_>) -> Encoded {
        packet.encode(self.protocol, self.settings.parser)
    }
}
