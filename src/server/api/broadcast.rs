//! Many sockets at once: all of a namespace, or those in some rooms.

use core::fmt;
use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::socket::ROOT;
use serde::de::DeserializeOwned;
use worker::Env;

use super::{Application, ArgsError, Arguments, Event, FromArgs};
use crate::api::app::app;
use crate::api::client::SessionError;
use crate::port::remote::RemotePort;
use crate::port::{
    Answers, LocalPort, Operation, Port, PortError, Remote, Reply, Request, Selection, Target,
};
use crate::request::Handshake;

/// The sockets of a server, from anywhere in the Worker: a namespace, and through
/// [`of`](Self::of) any other.
///
/// In a handler it is [`Socket::io`](super::Socket::io), or an argument of the
/// handler's own. Elsewhere, as in another route, or the handler of a queue or of
/// a cron trigger, [`Io::new`] makes it; what is asked there is a request to the
/// object, which wakes it and is billed as one.
///
/// ```no_run
/// use dormouse::Io;
/// use worker::{Env, Request, Response, Result};
///
/// /// Another route of the Worker: `POST /notify`
/// async fn notify(env: Env) -> Result<Response> {
///     let io = Io::new(&env, "/socket.io/").ok_or("no such server")?;
///     io.of("/chat").to("night shift").emit("alarm", "wake up").await?;
///     Response::ok("sent")
/// }
/// ```
#[derive(Clone)]
pub struct Io {
    port: Rc<dyn Port>,
    /// Where the port is not this object's: what it was made of, to be changed.
    remote: Option<Rc<RemotePort>>,
    application: Rc<Application>,
    namespace: Rc<str>,
}

impl Io {
    /// The root namespace of the server on `path`; `None` if there is no such
    /// Socket.IO server.
    pub fn new(env: &Env, path: &str) -> Option<Self> {
        let app = app();
        let endpoint = app.endpoint_at(path)?;
        let application = endpoint.socket()?.clone();
        let remote = RemotePort::new(endpoint.options.clone(), &app.binding, env);
        Some(Self::remote(remote, application, ROOT.into()))
    }

    fn remote(remote: RemotePort, application: Rc<Application>, namespace: Rc<str>) -> Self {
        let remote = Rc::new(remote);
        Self {
            port: remote.clone(),
            remote: Some(remote),
            application,
            namespace,
        }
    }

    pub(crate) fn local(
        port: Rc<dyn LocalPort>,
        application: Rc<Application>,
        namespace: &Rc<str>,
    ) -> Self {
        Self {
            port,
            remote: None,
            application,
            namespace: namespace.clone(),
        }
    }

    /// Where sockets are [placed by a key](crate::Placement::Key): those with
    /// this one. In a handler, which is in the midst of them, it changes nothing.
    pub fn key(self, key: &str) -> Self {
        match self.remote {
            Some(remote) => Self::remote(remote.with_key(key), self.application, self.namespace),
            None => self,
        }
    }

    /// Another namespace of the same server.
    pub fn of(&self, namespace: &str) -> Self {
        Self {
            namespace: namespace.into(),
            ..self.clone()
        }
    }

    /// The name of the namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// All sockets of the namespace.
    pub fn all(&self) -> Broadcast {
        Broadcast {
            io: self.clone(),
            selection: Selection {
                namespace: (*self.namespace).to_owned(),
                ..Selection::default()
            },
            volatile: false,
            limit: None,
        }
    }

    /// The sockets in any of these rooms; the id of a socket is a room.
    pub fn to(&self, rooms: impl RoomNames) -> Broadcast {
        self.all().to(rooms)
    }

    /// The same as [`to`](Self::to).
    pub fn in_(&self, rooms: impl RoomNames) -> Broadcast {
        self.to(rooms)
    }

    /// The same as [`to`](Self::to), for who finds `in_` odd.
    pub fn within(&self, rooms: impl RoomNames) -> Broadcast {
        self.to(rooms)
    }

    /// All sockets but those in these rooms.
    pub fn except(&self, rooms: impl RoomNames) -> Broadcast {
        self.all().except(rooms)
    }

    /// Sends an event to all sockets of the namespace.
    ///
    /// # Errors
    ///
    /// Those of [`Broadcast::emit`].
    pub async fn emit(&self, event: &str, args: impl Arguments) -> Result<(), EmitError> {
        self.all().emit(event, args).await
    }

    /// All sockets of the namespace.
    ///
    /// # Errors
    ///
    /// Those of [`Broadcast::fetch_sockets`].
    pub async fn fetch_sockets(&self) -> Result<Vec<RemoteSocket>, EmitError> {
        self.all().fetch_sockets().await
    }

    /// Closes a room: every socket leaves it.
    ///
    /// # Errors
    ///
    /// Those of [`Broadcast::leave`].
    pub async fn close_room(&self, room: &str) -> Result<(), EmitError> {
        self.to(room).leave(room).await
    }
}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

/// Some sockets of a namespace, and how to talk to them.
///
/// Its methods narrow it down further and can be combined: rooms are added up,
/// and a socket in several of them is meant once.
///
/// ```no_run
/// # async fn example(socket: dormouse::Socket) -> Result<(), dormouse::EmitError> {
/// // Everybody else in two rooms, but for who is in a third.
/// socket.to(["a", "b"]).except("c").emit("news", "hello").await?;
/// // Everybody, the sender too; it does not matter if it gets lost.
/// socket.io().to("a").volatile().emit("position", (1, 2)).await?;
/// // Who answers?
/// let answers: Vec<(String,)> = socket.to("a").emit_with_ack("name?", ()).await?.answers;
/// # let _ = answers;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "it says whom something is for, and not what"]
pub struct Broadcast {
    io: Io,
    selection: Selection,
    volatile: bool,
    limit: Option<Duration>,
}

/// Whom it is for.
impl Broadcast {
    /// The sockets in these rooms, too.
    pub fn to(mut self, rooms: impl RoomNames) -> Self {
        self.selection.filter.rooms.extend(rooms.names());
        self
    }

    /// The same as [`to`](Self::to).
    pub fn in_(self, rooms: impl RoomNames) -> Self {
        self.to(rooms)
    }

    /// The same as [`to`](Self::to), for who finds `in_` odd.
    pub fn within(self, rooms: impl RoomNames) -> Self {
        self.to(rooms)
    }

    /// But for the sockets in any of these rooms.
    pub fn except(mut self, rooms: impl RoomNames) -> Self {
        self.selection.filter.except.extend(rooms.names());
        self
    }

    /// Only sockets in this very object. Today that is all of them, as long as
    /// [`Placement::Key`](crate::Placement::Key) is not in use.
    pub fn local(mut self) -> Self {
        self.selection.local = true;
        self
    }

    /// An event may be lost where a client is not ready to receive it at once. It
    /// is not recovered either.
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// How long [`emit_with_ack`](Self::emit_with_ack) waits. Default:
    /// [`Server::ack_timeout`](crate::Server::ack_timeout).
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// What is done with them.
impl Broadcast {
    /// Sends an event to all of them. It is encoded once.
    ///
    /// # Errors
    ///
    /// [`EmitError::Json`] if the arguments cannot be written as JSON,
    /// [`EmitError::Platform`] if the object could not be reached,
    /// [`EmitError::Placement`] if it is not known which one that is.
    pub async fn emit(&self, event: &str, args: impl Arguments) -> Result<(), EmitError> {
        let args = args.encode(Some(event))?;
        let volatile = self.volatile;
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

    /// Sends an event and waits until all of them have acknowledged it, or have
    /// gone, or the time is over.
    ///
    /// # Errors
    ///
    /// [`EmitError::Args`] if an answer is something else than `T`, and those of
    /// [`emit`](Self::emit). That some answers are missing is no error: see
    /// [`Acks::late`].
    pub async fn emit_with_ack<T: FromArgs>(
        &self,
        event: &str,
        args: impl Arguments,
    ) -> Result<Acks<T>, EmitError> {
        let args = args.encode(Some(event))?;
        let limit = self.limit.unwrap_or(self.io.application.ack_timeout);
        let timeout = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let asked = self.operate(Operation::EmitWithAck { args, timeout });
        let Reply::Acks(Answers {
            answers,
            late,
            gone,
        }) = asked.await?
        else {
            return Err(PortError::Answer.into());
        };
        let answers = answers.iter().map(|args| T::from_args(args, false));
        Ok(Acks {
            answers: answers.collect::<Result<_, _>>().map_err(EmitError::Args)?,
            late,
            gone,
        })
    }

    /// What is known of each of them.
    ///
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn fetch_sockets(&self) -> Result<Vec<RemoteSocket>, EmitError> {
        let Reply::Sockets(sockets) = self.operate(Operation::Fetch).await? else {
            return Err(PortError::Answer.into());
        };
        let io = &self.io;
        let sockets = sockets.into_iter().map(|remote| RemoteSocket {
            io: io.of(&self.selection.namespace),
            remote,
        });
        Ok(sockets.collect())
    }

    /// Makes them enter rooms.
    ///
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn join(&self, rooms: impl RoomNames) -> Result<(), EmitError> {
        self.operate(Operation::Join(rooms.names())).await.map(drop)
    }

    /// Makes them leave rooms.
    ///
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn leave(&self, rooms: impl RoomNames) -> Result<(), EmitError> {
        self.operate(Operation::Leave(rooms.names()))
            .await
            .map(drop)
    }

    /// Disconnects them from the namespace.
    ///
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn disconnect(&self) -> Result<(), EmitError> {
        let operation = Operation::Disconnect { close: false };
        self.operate(operation).await.map(drop)
    }

    /// Disconnects their clients from all namespaces, and closes their sessions.
    ///
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn close(&self) -> Result<(), EmitError> {
        let operation = Operation::Disconnect { close: true };
        self.operate(operation).await.map(drop)
    }

    async fn operate(&self, operation: Operation) -> Result<Reply, EmitError> {
        let target = Target::Sockets(self.selection.clone());
        let request = Request::Operate(target, operation);
        Ok(self.io.port.call(request).reply().await?)
    }
}

impl fmt::Debug for Broadcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast")
            .field("selection", &self.selection)
            .finish_non_exhaustive()
    }
}

/// The acknowledgements of a broadcast.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Acks<T> {
    /// In the order in which they came.
    pub answers: Vec<T>,
    /// How many sockets have not answered in time.
    pub late: usize,
    /// How many were disconnected before they answered.
    pub gone: usize,
}

/// What is known of a socket wherever it is.
#[derive(Clone)]
pub struct RemoteSocket {
    io: Io,
    remote: Remote,
}

impl RemoteSocket {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.remote.id
    }

    /// The rooms it was in, by name; that of its own id is one of them.
    pub fn rooms(&self) -> &[String] {
        &self.remote.rooms
    }

    /// What the application kept of it.
    ///
    /// # Errors
    ///
    /// What was kept is no `T`.
    pub fn data<T: DeserializeOwned>(&self) -> Result<Option<T>, SessionError> {
        let data = self.remote.data.as_deref();
        data.map(|json| serde_json::from_str(json).map_err(SessionError::Json))
            .transpose()
    }

    /// The request by which its client's session began.
    pub fn handshake(&self) -> Handshake {
        Handshake::from(&self.remote.handshake)
    }

    /// The socket itself, to be talked to.
    pub fn socket(&self) -> Broadcast {
        self.io.to(self.id())
    }
}

impl fmt::Debug for RemoteSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteSocket")
            .field("id", &self.id())
            .field("rooms", &self.rooms())
            .finish_non_exhaustive()
    }
}

/// One name of a room, or several.
pub trait RoomNames {
    /// The names.
    #[doc(hidden)]
    fn names(self) -> Vec<String>;
}

impl RoomNames for &str {
    fn names(self) -> Vec<String> {
        vec![self.to_owned()]
    }
}

impl RoomNames for String {
    fn names(self) -> Vec<String> {
        vec![self]
    }
}

impl RoomNames for &String {
    fn names(self) -> Vec<String> {
        vec![self.clone()]
    }
}

impl<T: AsRef<str>> RoomNames for Vec<T> {
    fn names(self) -> Vec<String> {
        self.iter().map(|name| name.as_ref().to_owned()).collect()
    }
}

impl<T: AsRef<str>> RoomNames for &[T] {
    fn names(self) -> Vec<String> {
        self.iter().map(|name| name.as_ref().to_owned()).collect()
    }
}

impl<T: AsRef<str>, const N: usize> RoomNames for [T; N] {
    fn names(self) -> Vec<String> {
        self.as_slice().names()
    }
}

/// Why something could not be sent, or was not answered.
#[derive(Debug)]
#[non_exhaustive]
pub enum EmitError {
    /// The socket is disconnected.
    Gone,
    /// The arguments cannot be written as JSON.
    Json(serde_json::Error),
    /// An event of this name is reserved for the protocol, such as `connect`:
    /// clients would close their connections.
    ReservedName(String),
    /// The client has not acknowledged in time.
    Timeout,
    /// What the client acknowledged with is something else than expected.
    Args(ArgsError),
    /// The socket would be in more rooms than it may be in.
    TooManyRooms,
    /// Sockets are placed by a key, and no key was given: see [`Io::key`].
    Placement,
    /// The object that holds the sockets could not be reached.
    Platform(worker::Error),
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("the socket is disconnected"),
            Self::Json(error) => write!(f, "cannot be written as json: {error}"),
            Self::ReservedName(name) => write!(f, "`{name}` is a reserved event name"),
            Self::Timeout => f.write_str("not acknowledged in time"),
            Self::Args(error) => write!(f, "acknowledged with something else: {error}"),
            Self::TooManyRooms => f.write_str("in as many rooms as allowed (max_rooms)"),
            Self::Placement => f.write_str("sockets are placed by a key; name it with Io::key"),
            Self::Platform(error) => write!(f, "the object could not be reached: {error}"),
        }
    }
}

impl core::error::Error for EmitError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            Self::Args(error) => Some(error),
            Self::Platform(error) => Some(error),
            Self::Gone
            | Self::ReservedName(_)
            | Self::Timeout
            | Self::TooManyRooms
            | Self::Placement => None,
        }
    }
}

impl From<PortError> for EmitError {
    fn from(error: PortError) -> Self {
        match error {
            PortError::Gone => Self::Gone,
            PortError::TooManyRooms => Self::TooManyRooms,
            PortError::Placement => Self::Placement,
            PortError::Platform(error) => Self::Platform(error),
            PortError::Answer => Self::Platform(error.to_string().into()),
        }
    }
}

impl From<EmitError> for worker::Error {
    fn from(error: EmitError) -> Self {
        Self::RustError(error.to_string())
    }
}
