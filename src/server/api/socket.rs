//! A socket, as handlers see it.

use core::any::Any;
use core::fmt;
use core::time::Duration;
use std::rc::{Rc, Weak};

use dormouse_proto::engine::Transport;
use dormouse_proto::millis;
use serde::Serialize;
use serde::de::DeserializeOwned;
use worker::Env;

use super::acks::Acked;
use super::context::Place;
use super::{Ack, Application, Arguments, Broadcast, EmitError, Event, FromArgs, Io};
#[cfg(doc)]
use crate::MAX_AUTH;
#[cfg(doc)]
use crate::api::client::MAX_SESSION;
use crate::api::client::SessionError;
use crate::api::data;
use crate::port::{Address, LocalPort, Look, Operation, PortError, Reply, Request, Spot, Target};
use crate::request::Handshake;
use crate::sid::Key;

/// One client in one namespace, which is, or was, connected.
///
/// It is cheap to clone, and valid in this object only, for as long as the object is
/// awake. Elsewhere in the Worker, and in a `static`, keep its [`id`](Self::id) and
/// reach it through [`Io`].
///
/// A handle stands for one time that the client has joined the namespace. Once that
/// is over, operations fail with [`EmitError::Gone`] and getters return nothing,
/// even if the client has joined again: that is another socket, with another handle.
///
/// ```no_run
/// use dormouse::{Reason, Server, Socket};
///
/// let server = Server::new().namespace("/", |namespace| {
///     namespace
///         .on("log in", |socket: Socket, (name,): (String,)| socket.set_data(&name))
///         .on("join", async |socket: Socket, (room,): (String,)| {
///             socket.join(&room).await?;
///             socket.to(&room).emit("joined", name(&socket)).await
///         })
///         .on_disconnect(async |socket: Socket, reason: Reason| {
///             socket.broadcast().emit("left", (name(&socket), reason.as_str())).await
///         })
/// });
///
/// fn name(socket: &Socket) -> Option<String> {
///     socket.data().ok().flatten()
/// }
/// # let _ = server;
/// ```
#[derive(Clone)]
pub struct Socket {
    port: Rc<dyn LocalPort>,
    application: Rc<Application>,
    address: Rc<Address>,
}

impl Socket {
    pub(crate) fn new(
        port: Rc<dyn LocalPort>,
        application: Rc<Application>,
        address: Rc<Address>,
    ) -> Self {
        Self {
            port,
            application,
            address,
        }
    }

    pub(crate) fn place(&self) -> Place<'_> {
        Place {
            env: self.port.env(),
            port: Some(&self.port),
            states: &self.application.states,
        }
    }

    /// Returns the key of its client's session.
    pub(crate) fn session(&self) -> Key {
        self.spot().session
    }

    fn spot(&self) -> Spot {
        self.address.spot
    }

    /// Makes a request for an operation on the socket.
    async fn operate(&self, operation: Operation) -> Result<Reply, EmitError> {
        let request = Request::Operate(Target::Socket(self.spot()), operation);
        Ok(self.port.call(request).reply().await?)
    }

    fn look(&self, look: Look) -> Result<Reply, PortError> {
        self.port.call(Request::Look(self.spot(), look)).now()
    }

    /// Sends an acknowledgement. Returns `false` if the socket has gone.
    pub(crate) fn acknowledge(&self, id: u64, values: dormouse_proto::socket::Args<'_>) -> bool {
        let request = Request::Acknowledge(self.spot(), id, values);
        matches!(self.port.call(request).now(), Ok(Reply::Done))
    }

    /// Returns the acknowledgement of an event of this socket, by the number that
    /// [`Ack::into_id`] has returned. It can be sent once: whoever keeps numbers has to
    /// know which of them are used up.
    pub fn ack(&self, id: u64) -> Ack {
        Ack::new(self, id)
    }

    /// Returns the socket's id. It is also the name of a room that this socket is in.
    ///
    /// **It is not for other clients**, unless [`revision_3`](crate::Server::revision_3)
    /// is off. Clients of protocol 5 are told an id that is made for the purpose, in the
    /// answer to their CONNECT. But those of protocol 4 compute theirs from the id of
    /// their session, and whoever knows that can act for them: fetch what is meant for
    /// them, send in their name, end the session. What others should know a client by
    /// can be kept as [data](Self::set_data): the name of a user, or a number at random.
    pub fn id(&self) -> &str {
        &self.address.id
    }

    /// Returns the id of the Durable Object that the socket is in, in hexadecimal, as the
    /// platform writes it and its dashboard shows it. Sockets in the same object share its
    /// memory and its thread; with [`Placement::spread`](crate::Placement::spread), this
    /// says which of the objects it is.
    ///
    /// ```
    /// use dormouse::{Server, Socket};
    ///
    /// let server = Server::new().namespace("/", |namespace| {
    ///     namespace.on("where am i", |socket: Socket| socket.object().to_owned())
    /// });
    /// # let _ = server;
    /// ```
    pub fn object(&self) -> &str {
        self.port.id()
    }

    /// Returns the name of the socket's namespace.
    pub fn namespace(&self) -> &str {
        &self.address.namespace
    }

    /// Returns the value of a placeholder in the namespace's name, or `None` if
    /// there is no such placeholder: see
    /// [`Server::namespace`](crate::Server::namespace).
    pub fn param(&self, name: &str) -> Option<String> {
        self.application.param(self.namespace(), name)
    }

    /// Returns whether the socket is connected: it has passed the middlewares, and
    /// has not gone.
    pub fn is_connected(&self) -> bool {
        matches!(self.look(Look::IsConnected), Ok(Reply::Flag(true)))
    }

    /// Returns the transport that the client uses now, or `None` once the socket has
    /// gone. Most clients begin with [`Transport::Polling`] and change to
    /// [`Transport::WebSocket`] soon after.
    pub fn transport(&self) -> Option<Transport> {
        let Ok(Reply::Transport(transport)) = self.look(Look::Transport) else {
            return None;
        };
        Some(transport)
    }

    /// Returns the request by which the client's session began, or `None` once the
    /// client has gone.
    pub fn handshake(&self) -> Option<Handshake> {
        let Ok(Reply::Handshake(stored, auth)) = self.look(Look::Handshake) else {
            return None;
        };
        Some(Handshake::from(&stored).with_auth(auth))
    }

    /// Returns the `auth` that the client has joined the namespace with, which
    /// [`Auth`](crate::Auth) is in [`on_connect`](crate::Namespace::on_connect). It
    /// survives sleep. A client that comes back after a lost connection has sent it again.
    ///
    /// `None` once the socket has gone, and where a client has sent too much: what is kept
    /// of one, for all its namespaces together, has at most [`MAX_AUTH`] bytes. In the
    /// second case the log says so once.
    ///
    /// ```
    /// use dormouse::{DataError, Server, Socket};
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// struct Login {
    ///     name: String,
    /// }
    ///
    /// let server = Server::new().namespace("/", |namespace| {
    ///     namespace.on("who am i", |socket: Socket| {
    ///         let login: Option<Login> = socket.auth()?;
    ///         Ok::<_, DataError>(login.map(|login| login.name))
    ///     })
    /// });
    /// # let _ = server;
    /// ```
    ///
    /// # Errors
    ///
    /// It cannot be read as a `T`.
    pub fn auth<T: DeserializeOwned>(&self) -> Result<Option<T>, SessionError> {
        let Ok(Reply::Json(auth)) = self.look(Look::Auth) else {
            return Ok(None);
        };
        data::read(auth.as_deref())
    }

    /// Sends an event. A tuple or an array is several arguments, `()` is none, and
    /// everything else is one; [`Binary`](crate::Binary) in it travels as bytes.
    ///
    /// Events arrive in the order in which they were sent to a socket. Only an
    /// acknowledgement tells that one has arrived: see
    /// [`emit_with_ack`](Self::emit_with_ack).
    #[doc = include_str!("operators/emit.md")]
    /// # Errors
    ///
    /// [`EmitError::Gone`] if the socket is disconnected, [`EmitError::Json`] if the
    /// arguments cannot be written as JSON, [`EmitError::ReservedName`] for an event
    /// name that clients reserve.
    pub async fn emit(&self, event: &str, args: impl Arguments) -> Result<(), EmitError> {
        let args = args.encode(Some(event))?;
        let volatile = false;
        self.operate(Operation::Emit { args, volatile })
            .await
            .map(drop)
    }

    /// Sends an event whose arguments are defined with it: see [`Event`].
    ///
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn emit_event<A: Arguments>(
        &self,
        event: Event<A>,
        args: A,
    ) -> Result<(), EmitError> {
        self.emit(event.name(), args).await
    }

    /// Sends an event and waits for its acknowledgement, for at most
    /// [`ack_timeout`](crate::Server::ack_timeout) or what
    /// [`timeout`](Self::timeout) sets. The object stays awake meanwhile.
    ///
    /// In [`on_connect`](crate::Namespace::on_connect) it lets the client in early. In
    /// a middleware it cannot be answered, since the client is not connected yet.
    ///
    /// ```no_run
    /// # async fn example(socket: dormouse::Socket) -> Result<(), dormouse::EmitError> {
    /// let (sum, note): (i64, String) = socket.emit_with_ack("add", (1, 2)).await?;
    /// # let _ = (sum, note);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`EmitError::Timeout`] if the time is up, [`EmitError::Gone`] if the socket
    /// is disconnected, before or while waiting, [`EmitError::Args`] if the answer
    /// cannot be read as a `T`, and those of [`emit`](Self::emit).
    pub async fn emit_with_ack<T: FromArgs>(
        &self,
        event: &str,
        args: impl Arguments,
    ) -> Result<T, EmitError> {
        let limit = self.application.ack_timeout;
        self.ask(event, args, limit).await
    }

    /// Sets another time limit for an acknowledgement:
    /// `socket.timeout(…).emit_with_ack(…)`.
    #[doc = include_str!("operators/timeout.md")]
    pub fn timeout(&self, limit: Duration) -> Timed<'_> {
        Timed {
            socket: self,
            limit,
        }
    }

    async fn ask<T: FromArgs>(
        &self,
        event: &str,
        args: impl Arguments,
        limit: Duration,
    ) -> Result<T, EmitError> {
        let args = args.encode(Some(event))?;
        let timeout = millis(limit);
        let asked = self.operate(Operation::EmitWithAck { args, timeout });
        let Reply::Acks(asked) = asked.await? else {
            return Err(PortError::Answer.into());
        };
        match asked.into_iter().next() {
            Some(asked) => Acked::from(asked).result.map_err(EmitError::from),
            None => Err(EmitError::Gone),
        }
    }

    /// Sends an event that is lost if the client is not ready to receive it at once.
    #[doc = include_str!("operators/volatile.md")]
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn emit_volatile(&self, event: &str, args: impl Arguments) -> Result<(), EmitError> {
        let args = args.encode(Some(event))?;
        let volatile = true;
        self.operate(Operation::Emit { args, volatile })
            .await
            .map(drop)
    }

    /// Enters one room or several.
    #[doc = include_str!("operators/join.md")]
    /// # Errors
    ///
    /// [`EmitError::Gone`] if the socket is disconnected,
    /// [`EmitError::TooManyRooms`] beyond [`max_rooms`](crate::Server::max_rooms), or if
    /// the names of all its rooms have more than 256 KiB: the rooms before that are
    /// entered.
    pub async fn join(&self, rooms: impl super::RoomNames) -> Result<(), EmitError> {
        self.operate(Operation::Join(rooms.names())).await.map(drop)
    }

    /// Leaves one room or several. Leaving a room that the socket is not in is not
    /// an error.
    #[doc = include_str!("operators/join.md")]
    /// # Errors
    ///
    /// [`EmitError::Gone`] if the socket is disconnected.
    pub async fn leave(&self, rooms: impl super::RoomNames) -> Result<(), EmitError> {
        let operation = Operation::Leave(rooms.names());
        self.operate(operation).await.map(drop)
    }

    /// Returns the names of the rooms the socket is in, including the room of its
    /// own id. While [`on_disconnecting`](crate::Namespace::on_disconnecting) and
    /// [`on_disconnect`](crate::Namespace::on_disconnect) run, these are the rooms
    /// it was in.
    pub fn rooms(&self) -> Vec<String> {
        let Ok(Reply::Rooms(rooms)) = self.look(Look::Rooms) else {
            return Vec::new();
        };
        rooms
    }

    /// Addresses the other sockets in these rooms.
    #[doc = include_str!("operators/to.md")]
    pub fn to(&self, rooms: impl super::RoomNames) -> Broadcast {
        self.broadcast().to(rooms)
    }

    /// Does the same as [`to`](Self::to).
    pub fn in_(&self, rooms: impl super::RoomNames) -> Broadcast {
        self.to(rooms)
    }

    /// Does the same as [`to`](Self::to), under a name that needs no underscore.
    pub fn within(&self, rooms: impl super::RoomNames) -> Broadcast {
        self.to(rooms)
    }

    /// Addresses the other sockets of the namespace, except those in these rooms.
    #[doc = include_str!("operators/except.md")]
    pub fn except(&self, rooms: impl super::RoomNames) -> Broadcast {
        self.broadcast().except(rooms)
    }

    /// Addresses the other sockets of the namespace.
    pub fn broadcast(&self) -> Broadcast {
        self.io().except(self.id())
    }

    /// Addresses the other sockets of the namespace in the same object.
    #[doc = include_str!("operators/local.md")]
    pub fn local(&self) -> Broadcast {
        self.broadcast().local()
    }

    /// Returns the namespace with all its sockets, this one included. [`Io::of`] is
    /// another namespace of the server.
    pub fn io(&self) -> Io {
        let (port, namespace) = (self.port.clone(), &self.address.namespace);
        Io::local(port, self.application.clone(), namespace)
    }

    /// Returns the data that the application has attached to this socket. It
    /// survives sleep and connection state recovery, and is gone when the socket is.
    /// `None` if nothing was set.
    ///
    /// ```no_run
    /// # async fn example(socket: dormouse::Socket) -> Result<(), dormouse::DataError> {
    /// socket.set_data(&"ada")?;
    /// let name: Option<String> = socket.data()?;
    /// assert_eq!(name.as_deref(), Some("ada"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The data cannot be read as a `T`.
    pub fn data<T: DeserializeOwned>(&self) -> Result<Option<T>, SessionError> {
        let Ok(Reply::Json(data)) = self.look(Look::Data) else {
            return Ok(None);
        };
        data::read(data.as_deref())
    }

    /// Attaches data to this socket, in place of any other.
    ///
    /// # Errors
    ///
    /// The value cannot be written as JSON, or its JSON has more than
    /// [`MAX_SESSION`] bytes, or the socket is disconnected.
    pub fn set_data(&self, value: &impl Serialize) -> Result<(), SessionError> {
        let request = Request::SetData(self.spot(), data::write(value)?);
        let set = self.port.call(request).now();
        set.map(drop).map_err(|_| SessionError::Unknown)
    }

    /// Changes the data in place, starting from `T::default()` if nothing was set.
    ///
    /// # Errors
    ///
    /// Those of [`data`](Self::data) and [`set_data`](Self::set_data).
    pub fn edit_data<T, R>(&self, edit: impl FnOnce(&mut T) -> R) -> Result<R, SessionError>
    where
        T: DeserializeOwned + Serialize + Default,
    {
        let mut value = self.data()?.unwrap_or_default();
        let result = edit(&mut value);
        self.set_data(&value)?;
        Ok(result)
    }

    /// Disconnects the socket from its namespace. The client stays in its other
    /// namespaces, and does not come back to this one by itself.
    ///
    /// In [`on_connect`](crate::Namespace::on_connect), the client is told first that
    /// it is connected, and sent what its socket was sent. In a middleware, the client
    /// is not let in: it is told the error that the middleware returns, or
    /// `Connection rejected by server`.
    #[doc = include_str!("operators/disconnect.md")]
    pub async fn disconnect(&self) {
        let disconnect = Operation::Disconnect { close: false };
        // A socket that has gone is disconnected already.
        let _ = self.operate(disconnect).await;
    }

    /// Disconnects the client from all its namespaces, and closes its session.
    pub async fn close(&self) {
        let close = Operation::Disconnect { close: true };
        // As above: a socket that has gone is closed already.
        let _ = self.operate(close).await;
    }

    /// Runs a task beside the handlers, until it is done, the client's session has
    /// ended, or [`task_limit`](crate::Server::task_limit) has passed. The object
    /// stays awake that long.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.port.spawn(self.spot().session, Box::pin(task));
    }

    /// Returns a handle that does not keep the object's memory: see [`WeakSocket`].
    pub fn downgrade(&self) -> WeakSocket {
        WeakSocket {
            port: Rc::downgrade(&self.port),
            application: self.application.clone(),
            address: self.address.clone(),
        }
    }

    /// Returns the object's value of this type, which all handlers in the object share. It
    /// is created when it is first asked for, and dropped when the object sleeps or is
    /// replaced. What is to outlive that belongs into [`storage`](Self::storage).
    ///
    /// A value that holds sockets would keep the object's memory for ever: let it hold
    /// [`WeakSocket`]s.
    ///
    /// ```
    /// use core::cell::Cell;
    ///
    /// use dormouse::{Server, Socket};
    ///
    /// /// How many messages there were since the object woke up.
    /// #[derive(Default)]
    /// struct Messages(Cell<u32>);
    ///
    /// let server = Server::new().namespace("/", |namespace| {
    ///     namespace.on("message", |socket: Socket| {
    ///         let messages = socket.memory::<Messages>();
    ///         messages.0.set(messages.0.get() + 1);
    ///         messages.0.get()
    ///     })
    /// });
    /// # let _ = server;
    /// ```
    pub fn memory<T: Any + Default>(&self) -> Rc<T> {
        self.port.memory().of()
    }

    /// Returns the Worker's bindings.
    pub fn env(&self) -> &Env {
        self.port.env()
    }

    /// Returns the storage of the object that holds this socket. The alarm, and
    /// tables whose names begin with `dormouse_`, belong to the server.
    pub fn storage(&self) -> worker::durable::Storage {
        self.port.storage()
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("id", &self.id())
            .field("namespace", &self.namespace())
            .finish_non_exhaustive()
    }
}

impl PartialEq for Socket {
    fn eq(&self, other: &Self) -> bool {
        // In protocol 4, a client that joins again has the same id.
        (self.spot(), self.id()) == (other.spot(), other.id())
    }
}

impl Eq for Socket {}

/// A socket that may be kept for as long as its object is awake, without keeping the
/// object's memory: see [`Socket::downgrade`].
///
/// ```
/// use core::cell::RefCell;
///
/// use dormouse::{Server, Socket, WeakSocket};
///
/// /// Who has knocked since the object woke up.
/// #[derive(Default)]
/// struct Knocked(RefCell<Vec<WeakSocket>>);
///
/// let server = Server::new().namespace("/", |namespace| {
///     namespace
///         .on("knock", |socket: Socket| {
///             let knocked = socket.memory::<Knocked>();
///             knocked.0.borrow_mut().push(socket.downgrade());
///         })
///         .on("open", async |socket: Socket| {
///             for knocked in socket.memory::<Knocked>().0.take() {
///                 if let Some(knocked) = knocked.upgrade() {
///                     knocked.emit("come in", ()).await.ok();
///                 }
///             }
///         })
/// });
/// # let _ = server;
/// ```
#[derive(Clone)]
pub struct WeakSocket {
    port: Weak<dyn LocalPort>,
    application: Rc<Application>,
    address: Rc<Address>,
}

impl WeakSocket {
    /// Returns the socket, or `None` once its object has lost its memory. A socket that
    /// has gone is still returned: operations on it fail.
    pub fn upgrade(&self) -> Option<Socket> {
        let port = self.port.upgrade()?;
        Some(Socket::new(
            port,
            self.application.clone(),
            self.address.clone(),
        ))
    }

    /// Returns whether both are one socket.
    pub fn is(&self, socket: &Socket) -> bool {
        (self.address.spot, &self.address.id) == (socket.spot(), &socket.address.id)
    }
}

impl fmt::Debug for WeakSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSocket")
            .field("id", &self.address.id)
            .field("namespace", &self.address.namespace)
            .finish_non_exhaustive()
    }
}

/// A socket with a time limit for acknowledgements: see [`Socket::timeout`].
#[derive(Clone, Copy, Debug)]
pub struct Timed<'a> {
    socket: &'a Socket,
    limit: Duration,
}

impl Timed<'_> {
    /// Sends an event and waits for its acknowledgement.
    ///
    /// # Errors
    ///
    /// Those of [`Socket::emit_with_ack`].
    pub async fn emit_with_ack<T: FromArgs>(
        &self,
        event: &str,
        args: impl Arguments,
    ) -> Result<T, EmitError> {
        self.socket.ask(event, args, self.limit).await
    }
}
