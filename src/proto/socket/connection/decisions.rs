//! Decisions of the application.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::socket::{Definition, JoinId, MAX_AUTH, Pending, Socket, SocketState};
use super::storing::Row;
use super::{Connection, Output, Phase, REJECTED};
use crate::engine;
use crate::socket::{Args, Encoded, Offset, Protocol, Reason, ServerPacket};

/// The properties of a new socket.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// Its id: [`Connection::socket_id`] in protocol 4, unguessable in protocol 5.
    pub id: String,
    /// The secret that its client can come back with, if recovery is on.
    pub pid: Option<String>,
    /// The newest event, if recovery is on: what is sent from now on, its client may
    /// miss. A socket whose client has come back has that of its
    /// [stored state](RecoveredSocket::since).
    pub since: Option<Offset>,
    /// The `auth` that its client has sent, if it is to be kept. It is not, if what is kept
    /// of the client would be more than [`MAX_AUTH`] bytes.
    pub auth: Option<String>,
    /// The application's definition that it belongs to.
    pub definition: Definition,
    /// Its stored state, if its client has come back in time.
    pub recovered: Option<RecoveredSocket>,
}

impl Admission {
    /// Describes a socket with this id, and without recovery.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            ..Self::default()
        }
    }
}

/// The state of a socket whose client has come back in time.
#[derive(Clone, Debug, Default)]
pub struct RecoveredSocket {
    /// The rooms it was in.
    pub rooms: Vec<String>,
    /// The data that the application attached to it.
    pub data: Option<String>,
    /// The last event before it was first connected.
    pub since: Offset,
    /// The events that it has missed, with their offsets as clients see them.
    pub missed: Vec<(String, Args<'static>)>,
}

/// The route of a packet for a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To its client.
    Send,
    /// Nowhere yet, because the client does not know that it is connected:
    /// [`Connection::hold`].
    Hold,
    /// Nowhere: the socket has gone.
    Gone,
}

/// A socket could not enter a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinError {
    /// The socket has gone.
    Gone,
    /// The socket is in [`max_rooms`](crate::socket::Settings::max_rooms) already.
    TooManyRooms,
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "the socket is disconnected",
            Self::TooManyRooms => "the socket is in as many rooms as allowed",
        })
    }
}

impl core::error::Error for JoinError {}

/// Letting sockets in.
impl Connection {
    /// Begins to decide about a request. From now on there is a socket, which
    /// neither its client nor others know about yet.
    pub fn begin(&mut self, namespace: &str, mut admission: Admission) -> JoinId {
        admission.auth = admission.auth.filter(|auth| self.has_room_for(auth));
        let join = self.reserve(namespace);
        if let Some(socket) = self.socket_mut(join) {
            let state = core::mem::replace(&mut socket.state, SocketState::Reserved);
            socket.fill(admission);
            // The client asked, and its session ended before this was called.
            if let SocketState::Abandoned(_) = state {
                socket.state = state;
            }
        }
        join
    }

    /// Reserves the place of a socket while the application finds out whether there is
    /// such a namespace. Then [`fill`](Self::fill) begins to decide, or
    /// [`refuse`](Self::refuse) ends it.
    ///
    /// ```
    /// use dormouse_proto::Timestamp;
    /// use dormouse_proto::socket::{Admission, Connection, Protocol, Settings};
    ///
    /// let now = Timestamp::from_millis(0);
    /// let mut connection = Connection::open(now, Settings::default(), Protocol::V5);
    /// let join = connection.reserve("/chat");
    /// // The client asks again, and does not wait for this answer any more.
    /// connection.handle_message(now, "0/chat,".into());
    /// assert!(!connection.fill(join, Admission::new("an id")));
    /// connection.refuse(join, "nobody hears this", None);
    /// ```
    pub fn reserve(&mut self, namespace: &str) -> JoinId {
        let join = JoinId(self.next_join);
        self.next_join = self.next_join.wrapping_add(1);
        self.changed = true;
        let mut socket = Socket::reserved(join, namespace);
        if let Phase::Closed(reason) = self.phase {
            socket.state = SocketState::Abandoned(reason);
        }
        self.sockets.push(socket);
        join
    }

    /// Begins to decide about a request whose namespace was found.
    ///
    /// Returns `false` if there is nothing to decide any more: the client has gone, or
    /// has asked again.
    pub fn fill(&mut self, join: JoinId, mut admission: Admission) -> bool {
        admission.auth = admission.auth.filter(|auth| self.has_room_for(auth));
        let socket = self.socket_mut(join);
        let reserved = socket.filter(|socket| matches!(socket.state, SocketState::Reserved));
        let Some(socket) = reserved else {
            return false;
        };
        socket.fill(admission);
        self.changed = true;
        true
    }

    fn has_room_for(&self, auth: &str) -> bool {
        let kept = self.sockets.iter().filter_map(Socket::auth).map(str::len);
        kept.sum::<usize>() + auth.len() <= MAX_AUTH
    }

    /// Returns whether there is still something to decide: the client is there, and no
    /// middleware has disconnected the socket. If not, nobody has to be asked any
    /// more, and [`refuse`](Self::refuse) ends it.
    pub fn is_wanted(&self, join: JoinId) -> bool {
        let socket = self.socket(join).filter(|_| self.is_open());
        socket.is_some_and(|socket| match &socket.state {
            SocketState::Asked(pending) => !pending.is_declined,
            SocketState::Reserved
            | SocketState::Admitted(_)
            | SocketState::AcceptedEarly
            | SocketState::Connected => true,
            SocketState::Abandoned(_) | SocketState::Leaving => false,
        })
    }

    /// Sets the newest event, if it was not known when the application
    /// [began](Self::begin) to decide. A socket whose client has come back keeps its own.
    pub fn set_since(&mut self, join: JoinId, since: Offset) {
        let socket = self.socket_mut(join);
        if let Some(socket) = socket.filter(|socket| !socket.is_recovered) {
            socket.since = Some(since);
            self.changed = true;
        }
    }

    /// Makes the socket visible to others: it has passed the middlewares.
    pub fn admit(&mut self, join: JoinId) {
        if let Some(socket) = self.socket_mut(join)
            && let SocketState::Asked(pending) = &mut socket.state
            && !pending.is_declined
        {
            socket.state = SocketState::Admitted(core::mem::take(pending));
            self.outputs.push_back(Output::Present(join));
        }
    }

    /// Tells the client of a socket that it is connected, before the application has
    /// decided: it is to answer something that the decision depends on. Its client is
    /// sent the same as by [`accept`](Self::accept). What it says from now on, other
    /// than acknowledgements, is to be kept from the application until there is a
    /// decision, and a refusal disconnects it.
    ///
    /// Returns whether this has connected it, which it does only between
    /// [`admit`](Self::admit) and the decision.
    pub fn accept_early(&mut self, join: JoinId) -> bool {
        let is_open = self.is_open();
        let socket = self.socket_mut(join).filter(|_| is_open);
        let Some(socket) = socket.filter(|it| matches!(it.state, SocketState::Admitted(_))) else {
            return false;
        };
        let state = core::mem::replace(&mut socket.state, SocketState::AcceptedEarly);
        if let SocketState::Admitted(pending) = state {
            self.connect(join, pending);
        }
        true
    }

    /// Lets the socket in. Its client is sent what it has missed, the news that it
    /// is connected, and what was held, in this order. If it has gone meanwhile, the
    /// application is told so, because it believes in the socket.
    ///
    /// Returns whether this has connected it, and not if it was connected already or
    /// has gone.
    pub fn accept(&mut self, join: JoinId) -> bool {
        self.admit(join);
        let Some(socket) = self.socket_mut(join) else {
            return false;
        };
        let pending = match &mut socket.state {
            SocketState::Admitted(pending) => Some(core::mem::take(pending)),
            SocketState::AcceptedEarly => None,
            SocketState::Reserved | SocketState::Asked(_) => {
                self.refuse(join, REJECTED, None);
                return false;
            }
            SocketState::Abandoned(reason) => {
                let reason = *reason;
                self.lose(join, reason);
                return false;
            }
            SocketState::Connected | SocketState::Leaving => return false,
        };
        socket.state = SocketState::Connected;
        socket.is_let_in = true;
        self.changed = true;
        let is_new = pending.is_some();
        if let Some(pending) = pending {
            self.connect(join, pending);
        }
        is_new
    }

    /// Connects a socket whose state says so already.
    fn connect(&mut self, join: JoinId, Pending { missed, held, .. }: Pending) {
        self.changed = true;
        if let Phase::Open { join_by } = &mut self.phase {
            *join_by = None;
            self.tell_connected(join, &missed);
            self.outputs.extend(held.into_iter().map(Output::Send));
            self.ask_waiting();
        }
    }

    fn tell_connected(&mut self, join: JoinId, missed: &[(String, Args<'static>)]) {
        let (protocol, parser) = (self.protocol, self.settings.parser);
        let takes_offsets = self.takes_offsets();
        let Some(socket) = self.sockets.iter().find(|socket| socket.join == join) else {
            return;
        };
        let outputs = &mut self.outputs;
        let mut send = |packet: ServerPacket<'_>| {
            let encoded = packet.encode(protocol, parser);
            outputs.push_back(Output::Send(Rc::new(encoded)));
        };
        for (offset, args) in missed {
            send(ServerPacket::Event {
                namespace: &socket.namespace,
                ack: None,
                args,
                offset: takes_offsets.then_some(offset),
            });
        }
        send(ServerPacket::Connect {
            namespace: &socket.namespace,
            sid: &socket.id,
            pid: socket.pid.as_deref(),
        });
    }

    /// Refuses the socket, and tells its client why. `data` is JSON. One that was
    /// [accepted early](Self::accept_early) is disconnected instead.
    ///
    /// Returns whether this has refused it, and not if it was connected already or
    /// has gone.
    pub fn refuse(&mut self, join: JoinId, message: &str, data: Option<&str>) -> bool {
        let Some(position) = self.sockets.iter().position(|socket| socket.join == join) else {
            return false;
        };
        match self.sockets.get(position).map(|socket| &socket.state) {
            Some(
                SocketState::Reserved
                | SocketState::Asked(_)
                | SocketState::Admitted(_)
                | SocketState::Abandoned(_),
            ) => {}
            Some(SocketState::AcceptedEarly) => {
                self.disconnect(join);
                return false;
            }
            Some(SocketState::Connected | SocketState::Leaving) | None => return false,
        }
        let socket = self.sockets.remove(position);
        self.changed = true;
        // Its client is not there, or waits for the answer to a later request.
        if !matches!(socket.state, SocketState::Abandoned(_)) {
            self.tell_refused(&socket.namespace, message, data);
        }
        self.outputs.push_back(Output::Refused(Box::new(socket)));
        self.ask_waiting();
        true
    }

    /// Refuses a request about which there is nothing to decide. `data` is JSON.
    pub fn refuse_request(&mut self, namespace: &str, message: &str, data: Option<&str>) {
        self.tell_refused(namespace, message, data);
        self.ask_waiting();
    }

    fn tell_refused(&mut self, namespace: &str, message: &str, data: Option<&str>) {
        self.send(&ServerPacket::ConnectError {
            namespace,
            message,
            data,
        });
    }
}

/// Disconnecting sockets.
impl Connection {
    /// Disconnects a socket from its namespace. One that has not been let in yet is
    /// refused: at once, or when the middleware has returned that does this, so that
    /// its reason counts.
    ///
    /// If it is `on_connect` that disconnects its socket, its client is to hear what it
    /// was sent before: that takes [`accept_early`](Self::accept_early) first.
    ///
    /// Returns `false` if it has gone already.
    pub fn disconnect(&mut self, join: JoinId) -> bool {
        let Some(socket) = self.socket_mut(join) else {
            return false;
        };
        match &mut socket.state {
            SocketState::Asked(pending) => {
                pending.is_declined = true;
                true
            }
            SocketState::Admitted(_) => self.refuse(join, REJECTED, None),
            SocketState::AcceptedEarly | SocketState::Connected => {
                let namespace = socket.namespace.clone();
                self.send(&ServerPacket::Disconnect {
                    namespace: &namespace,
                });
                self.lose(join, Reason::ServerNamespaceDisconnect);
                true
            }
            SocketState::Reserved | SocketState::Abandoned(_) | SocketState::Leaving => false,
        }
    }

    /// Disconnects the client from all its namespaces, and closes its session. Of
    /// those that it has not joined yet, it hears nothing more.
    pub fn close(&mut self) {
        let connected = self.sockets.iter().filter(|socket| socket.is_connected());
        let joins: Vec<JoinId> = connected.map(|socket| socket.join).collect();
        for join in joins {
            self.disconnect(join);
        }
        self.close_session(Reason::ForcedServerClose);
    }

    /// Closes the session because its client has come back in another one: this one
    /// is dead, and nobody has noticed yet.
    ///
    /// Returns `false` if no socket of it has this `pid` that its client can come back to:
    /// one that is connected, or that it has come back to before, whatever the application
    /// decides about that. What is stored of the latter stays as it is.
    pub fn supersede(&mut self, namespace: &str, pid: &str) -> bool {
        let mut sockets = self.sockets.iter_mut().filter(|socket| socket.is_current());
        let same =
            |socket: &&mut Socket| socket.namespace == namespace && socket.pid() == Some(pid);
        let Some(socket) = sockets.find(same) else {
            return false;
        };
        if socket.is_recovered && !socket.is_let_in {
            socket.row = Row::None;
        } else if !socket.is_connected() {
            return false;
        }
        self.close_session(Reason::Session(engine::Reason::TransportClose));
        true
    }

    /// Forgets a socket of which the application has been told that it has gone.
    pub fn forget(&mut self, join: JoinId) {
        let leaving =
            |socket: &Socket| socket.join == join && matches!(socket.state, SocketState::Leaving);
        self.sockets.retain(|socket| !leaving(socket));
    }
}

/// Packets for sockets.
impl Connection {
    /// Returns the route of a packet for a socket.
    pub fn route(&self, join: JoinId) -> Route {
        match self.socket(join).map(|socket| &socket.state) {
            Some(SocketState::AcceptedEarly | SocketState::Connected) => Route::Send,
            Some(SocketState::Asked(pending)) if pending.is_declined => Route::Gone,
            Some(SocketState::Asked(_) | SocketState::Admitted(_)) => Route::Hold,
            Some(SocketState::Reserved | SocketState::Abandoned(_) | SocketState::Leaving)
            | None => Route::Gone,
        }
    }

    /// Holds a packet until the client has been told that it is connected.
    ///
    /// Returns `false` if that would be more than
    /// [`MAX_HELD`](crate::socket::MAX_HELD) bytes, or the socket is connected or
    /// gone.
    pub fn hold(&mut self, join: JoinId, packet: &Rc<Encoded>) -> bool {
        let socket = self.socket_mut(join);
        socket.is_some_and(|socket| socket.hold(packet))
    }

    /// Encodes an acknowledgement. Returns `None` if the socket is not connected.
    pub fn encode_ack(&self, join: JoinId, id: u64, args: &Args<'_>) -> Option<Encoded> {
        let socket = self.socket(join).filter(|socket| socket.is_connected())?;
        let packet = ServerPacket::Ack {
            namespace: &socket.namespace,
            id,
            args,
        };
        Some(self.encode(&packet))
    }

    /// Returns whether the client understands offsets: clients of protocol 4 would
    /// take them for an argument.
    pub fn takes_offsets(&self) -> bool {
        match self.protocol {
            Protocol::V4 => false,
            Protocol::V5 => true,
        }
    }
}

/// Rooms and data.
impl Connection {
    /// Enters a room.
    ///
    /// Returns whether the socket was not in it before.
    ///
    /// # Errors
    ///
    /// The socket has gone, or is in as many rooms as it may be, not counting the
    /// room of its own id.
    pub fn enter(&mut self, join: JoinId, room: &str) -> Result<bool, JoinError> {
        let limit = self.settings.max_rooms;
        let socket = self.current_mut(join).ok_or(JoinError::Gone)?;
        if socket.is_in(room) {
            return Ok(false);
        }
        let is_own = room == socket.id;
        let others = socket.rooms.len() - usize::from(socket.is_in(&socket.id));
        if !is_own && (others >= limit || !socket.rooms.has_room(room)) {
            return Err(JoinError::TooManyRooms);
        }
        socket.rooms.insert(room);
        self.note_change(join);
        Ok(true)
    }

    /// Leaves a room. Returns whether the socket was in it; `None` if the socket
    /// has gone.
    pub fn leave(&mut self, join: JoinId, room: &str) -> Option<bool> {
        let socket = self.current_mut(join)?;
        if !socket.rooms.remove(room) {
            return Some(false);
        }
        self.note_change(join);
        Some(true)
    }

    /// Replaces the data that the application has attached to a socket. Returns
    /// `false` if the socket has gone.
    pub fn set_data(&mut self, join: JoinId, mut data: Option<String>) -> bool {
        let Some(socket) = self.current_mut(join) else {
            return false;
        };
        // Whoever has written it may have left as much room again, and it stays.
        if let Some(data) = &mut data {
            data.shrink_to_fit();
        }
        socket.data = data;
        self.note_change(join);
        true
    }

    fn current_mut(&mut self, join: JoinId) -> Option<&mut Socket> {
        let is_there = self.route(join) != Route::Gone;
        self.socket_mut(join).filter(|_| is_there)
    }

    fn note_change(&mut self, join: JoinId) {
        self.changed = true;
        if let Some(socket) = self.socket_mut(join) {
            socket.outdate();
        }
    }
}
