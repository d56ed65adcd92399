//! A socket, as handlers see it.

use core::fmt;
use core::time::Duration;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use worker::Env;

use super::context::Place;
use super::{Application, Arguments, Broadcast, EmitError, Event, FromArgs, Io};
use crate::api::client::{MAX_SESSION, SessionError};
use crate::port::{Address, LocalPort, Look, Operation, PortError, Reply, Request, Spot, Target};
use crate::request::Handshake;

/// One client in one namespace, that is, or was, connected.
///
/// Cheap to clone, and of use in this object only: elsewhere in the Worker, keep
/// its [`id`](Self::id) and reach it through [`Io`].
///
/// ```no_run
/// use dormouse::{Reason, Server, Socket};
///
/// let server = Server::new().namespace("/", |namespace| {
///     namespace
///         .on("join", async |socket: Socket, (room,): (String,)| {
///             socket.join(&room).await?;
///             socket.to(&room).emit("joined", socket.id()).await
///         })
///         .on_disconnect(async |socket: Socket, reason: Reason| {
///             socket.broadcast().emit("left", (socket.id(), reason.as_str())).await
///         })
/// });
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
            states: &self.application.states,
        }
    }

    fn spot(&self) -> Spot {
        self.address.spot
    }

    /// Has something done with the socket.
    async fn operate(&self, operation: Operation) -> Result<Reply, EmitError> {
        let request = Request::Operate(Target::Socket(self.spot()), operation);
        Ok(self.port.call(request).reply().await?)
    }

    fn look(&self, look: Look) -> Result<Reply, PortError> {
        self.port.call(Request::Look(self.spot(), look)).now()
    }

    /// Sends an acknowledgement. `false` if the socket has gone.
    pub(crate) fn acknowledge(&self, id: u64, values: dormouse_proto::socket::Args<'_>) -> bool {
        let request = Request::Acknowledge(self.spot(), id, values);
        matches!(self.port.call(request).now(), Ok(Reply::Done))
    }

    /// The socket's id. Others may know it; it is also the name of a room that
    /// this socket is in.
    ///
    /// Clients of protocol 5 are told it in the answer to their CONNECT. Those of
    /// protocol 4 compute it: theirs contains the session id.
    pub fn id(&self) -> &str {
        &self.address.id
    }

    /// The name of its namespace.
    pub fn namespace(&self) -> &str {
        &self.address.namespace
    }

    /// What stands in an open place of its namespace's name: see
    /// [`Server::namespace`](crate::Server::namespace). `None` if there is no such
    /// place.
    pub fn param(&self, name: &str) -> Option<String> {
        self.application.param(self.namespace(), name)
    }

    /// Whether it is connected: the middlewares have let it pass, and it has not
    /// gone.
    pub fn is_connected(&self) -> bool {
        matches!(self.look(Look::IsConnected), Ok(Reply::Flag(true)))
    }

    /// The request by which the client's session began. `None` once the client
    /// has gone.
    pub fn handshake(&self) -> Option<Handshake> {
        let Ok(Reply::Handshake(stored)) = self.look(Look::Handshake) else {
            return None;
        };
        Some(Handshake::from(&stored))
    }

    /// Sends an event. A tuple or an array is several arguments, `()` none, and
    /// everything else one; [`Binary`](crate::Binary) in it travels as bytes.
    ///
    /// What is sent to one socket arrives in that order. That it arrives is told
    /// by an acknowledgement alone: [`emit_with_ack`](Self::emit_with_ack).
    ///
    /// ```no_run
    /// # async fn example(socket: dormouse::Socket) -> Result<(), dormouse::EmitError> {
    /// socket.emit("news", "one argument").await?;
    /// socket.emit("news", ("two", 2)).await?;
    /// socket.emit("news", ()).await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`EmitError::Gone`] if the socket is disconnected, [`EmitError::Json`] if
    /// the arguments cannot be written as JSON.
    pub async fn emit(&self, event: &str, args: impl Arguments) -> Result<(), EmitError> {
        let args = args.encode(Some(event))?;
        let volatile = false;
        self.operate(Operation::Emit { args, volatile })
            .await
            .map(drop)
    }

    /// Sends an event whose arguments are defined with it.
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

    /// Sends an event and waits for its acknowledgement: until
    /// [`ack_timeout`](crate::Server::ack_timeout) has passed, or what
    /// [`timeout`](Self::timeout) says. The object stays awake that long.
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
    /// [`EmitError::Timeout`]; [`EmitError::Args`] if what the client answers is
    /// something else; and those of [`emit`](Self::emit).
    pub async fn emit_with_ack<T: FromArgs>(
        &self,
        event: &str,
        args: impl Arguments,
    ) -> Result<T, EmitError> {
        let limit = self.application.ack_timeout;
        self.ask(event, args, limit).await
    }

    /// The same with another time limit: `socket.timeout(…).emit_with_ack(…)`.
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
        let timeout = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let asked = self.operate(Operation::EmitWithAck { args, timeout });
        let Reply::Acks(answers) = asked.await? else {
            return Err(PortError::Answer.into());
        };
        match &*answers.answers {
            [args, ..] => T::from_args(args, false).map_err(EmitError::Args),
            [] if answers.late > 0 => Err(EmitError::Timeout),
            [] => Err(EmitError::Gone),
        }
    }

    /// Sends an event that may be lost: it is, if the client is not ready to
    /// receive it at once.
    ///
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

    /// Enters rooms: one name, or several.
    ///
    /// # Errors
    ///
    /// [`EmitError::Gone`] if the socket is disconnected,
    /// [`EmitError::TooManyRooms`] past [`max_rooms`](crate::Server::max_rooms).
    pub async fn join(&self, rooms: impl super::RoomNames) -> Result<(), EmitError> {
        self.operate(Operation::Join(rooms.names())).await.map(drop)
    }

    /// Leaves rooms. It is no error not to have been there.
    ///
    /// # Errors
    ///
    /// [`EmitError::Gone`] if the socket is disconnected.
    pub async fn leave(&self, rooms: impl super::RoomNames) -> Result<(), EmitError> {
        let operation = Operation::Leave(rooms.names());
        self.operate(operation).await.map(drop)
    }

    /// The rooms it is in, by name; that of its own id is one of them. While
    /// [`on_disconnecting`](crate::Namespace::on_disconnecting) and
    /// [`on_disconnect`](crate::Namespace::on_disconnect) run, those that it was
    /// in.
    pub fn rooms(&self) -> Vec<String> {
        let Ok(Reply::Rooms(rooms)) = self.look(Look::Rooms) else {
            return Vec::new();
        };
        rooms
    }

    /// The other sockets in these rooms.
    pub fn to(&self, rooms: impl super::RoomNames) -> Broadcast {
        self.broadcast().to(rooms)
    }

    /// The same as [`to`](Self::to).
    pub fn in_(&self, rooms: impl super::RoomNames) -> Broadcast {
        self.to(rooms)
    }

    /// The same as [`to`](Self::to), for who finds `in_` odd.
    pub fn within(&self, rooms: impl super::RoomNames) -> Broadcast {
        self.to(rooms)
    }

    /// The other sockets of the namespace, but for those in these rooms.
    pub fn except(&self, rooms: impl super::RoomNames) -> Broadcast {
        self.broadcast().except(rooms)
    }

    /// The other sockets of the namespace.
    pub fn broadcast(&self) -> Broadcast {
        self.io().except(self.id())
    }

    /// The other sockets of the namespace that are in this very object.
    pub fn local(&self) -> Broadcast {
        self.broadcast().local()
    }

    /// All sockets of the namespace, this one among them; and any other
    /// namespace of the server.
    pub fn io(&self) -> Io {
        let (port, namespace) = (self.port.clone(), &self.address.namespace);
        Io::local(port, self.application.clone(), namespace)
    }

    /// What the application keeps of this socket. It survives sleep and
    /// connection state recovery, and is gone when the socket is. `None` if
    /// nothing was set.
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
    /// What was set is no `T`.
    pub fn data<T: DeserializeOwned>(&self) -> Result<Option<T>, SessionError> {
        let Ok(Reply::Json(data)) = self.look(Look::Data) else {
            return Ok(None);
        };
        data.map(|json| serde_json::from_str(&json).map_err(SessionError::Json))
            .transpose()
    }

    /// Replaces what the application keeps of this socket.
    ///
    /// # Errors
    ///
    /// The value cannot be written as JSON, or its JSON has more than
    /// [`MAX_SESSION`] bytes, or the socket is disconnected.
    pub fn set_data(&self, value: &impl Serialize) -> Result<(), SessionError> {
        let json = serde_json::to_string(value).map_err(SessionError::Json)?;
        if json.len() > MAX_SESSION {
            return Err(SessionError::TooLarge);
        }
        let request = Request::SetData(self.spot(), json);
        let set = self.port.call(request).now();
        set.map(drop).map_err(|_| SessionError::Unknown)
    }

    /// Changes it in place, beginning with `T::default()` where nothing was set.
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

    /// Disconnects the socket from its namespace. The client's other namespaces
    /// stay, and it does not come back by itself.
    pub async fn disconnect(&self) {
        let disconnect = Operation::Disconnect { close: false };
        // One that has gone is disconnected.
        let _ = self.operate(disconnect).await;
    }

    /// Disconnects the client from all its namespaces and closes its session.
    pub async fn close(&self) {
        let close = Operation::Disconnect { close: true };
        // As above.
        let _ = self.operate(close).await;
    }

    /// Runs a task beside the handlers, until it is done, the client's session
    /// has ended, or [`task_limit`](crate::Server::task_limit) has passed. The
    /// object stays awake that long.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.port.spawn(self.spot().session, Box::pin(task));
    }

    /// The Worker's bindings.
    pub fn env(&self) -> &Env {
        self.port.env()
    }

    /// The storage of the object that holds this socket. Tables whose names
    /// begin with `dormouse_` are the server's own, and so is the alarm.
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
        (self.id(), self.namespace()) == (other.id(), other.namespace())
    }
}

impl Eq for Socket {}

/// A socket with a time limit for its acknowledgement.
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
