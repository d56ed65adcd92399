//! Many sockets at once: all of a namespace, or those in some rooms.

use core::any::Any;
use core::fmt;
use core::time::Duration;
use std::rc::{Rc, Weak};

use dormouse_proto::millis;
use dormouse_proto::socket::ROOT;
use serde::de::DeserializeOwned;
use worker::Env;

use super::acks::{Acked, Acks};
use super::context::Place;
use super::partial::{Gathered, Missing};
use super::{Application, ArgsError, Arguments, Event, FromArgs};
use crate::api::app::app;
use crate::api::client::SessionError;
use crate::api::data;
use crate::port::remote::RemotePort;
use crate::port::{
    LocalPort, Operation, Port, PortError, Remote, Reply, Request, Selection, Target,
};
use crate::request::Handshake;

/// The sockets of a server's namespace, from anywhere in the Worker.
/// [`of`](Self::of) is another namespace of the same server.
///
/// Handlers get it from [`Socket::io`](super::Socket::io) or take it as an argument.
/// Elsewhere, as in another route, or the handler of a queue or of a cron trigger,
/// [`Io::new`] creates it; whatever is done with it there is a request to the
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
    reach: Reach,
    application: Rc<Application>,
    namespace: Rc<str>,
}

/// The way to the object that holds the sockets.
#[derive(Clone)]
enum Reach {
    /// This code runs in it.
    Here(Rc<dyn LocalPort>),
    Elsewhere(Rc<RemotePort>),
}

impl Io {
    /// Returns the root namespace of the server on `path`, or `None` if there is no
    /// such Socket.IO server.
    pub fn new(env: &Env, path: &str) -> Option<Self> {
        let app = app();
        let endpoint = app.endpoint_at(path)?;
        let application = endpoint.socket()?.clone();
        let remote = RemotePort::new(endpoint.options.clone(), &app.binding, env);
        Some(Self::remote(remote, application, ROOT.into()))
    }

    fn remote(remote: RemotePort, application: Rc<Application>, namespace: Rc<str>) -> Self {
        Self {
            reach: Reach::Elsewhere(Rc::new(remote)),
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
            reach: Reach::Here(port),
            application,
            namespace: namespace.clone(),
        }
    }

    pub(crate) fn port(&self) -> &dyn Port {
        match &self.reach {
            Reach::Here(port) => &**port,
            Reach::Elsewhere(port) => &**port,
        }
    }

    /// Returns the port, if this code runs in the object.
    pub(crate) fn local_port(&self) -> Option<&dyn LocalPort> {
        match &self.reach {
            Reach::Here(port) => Some(&**port),
            Reach::Elsewhere(_) => None,
        }
    }

    pub(crate) fn application(&self) -> &Application {
        &self.application
    }

    /// Returns the surroundings of a handler that this is the subject of.
    pub(super) fn place(&self) -> Place<'_> {
        Place {
            env: self.port().env(),
            port: match &self.reach {
                Reach::Here(port) => Some(port),
                Reach::Elsewhere(_) => None,
            },
            states: &self.application.states,
        }
    }

    /// Returns the same namespace for the sockets that are
    /// [placed](crate::Placement::Key) by this key. In a handler it changes nothing:
    /// there, it is always the key of the handler's own object.
    pub fn key(self, key: &str) -> Self {
        match self.reach {
            Reach::Elsewhere(port) => {
                Self::remote(port.with_key(key), self.application, self.namespace)
            }
            Reach::Here(_) => self,
        }
    }

    /// Returns the object's value of this type: see
    /// [`Socket::memory`](crate::Socket::memory). `None` where this code does not run in an
    /// object.
    pub fn memory<T: Any + Default>(&self) -> Option<Rc<T>> {
        Some(self.local_port()?.memory().of())
    }

    /// Returns a handle that does not keep the object's memory: see [`WeakIo`]. `None` where
    /// this code does not run in an object.
    pub fn downgrade(&self) -> Option<WeakIo> {
        let Reach::Here(port) = &self.reach else {
            return None;
        };
        Some(WeakIo {
            port: Rc::downgrade(port),
            application: self.application.clone(),
            namespace: self.namespace.clone(),
        })
    }

    /// Returns another namespace of the same server.
    pub fn of(&self, namespace: &str) -> Self {
        Self {
            namespace: namespace.into(),
            ..self.clone()
        }
    }

    /// Returns the name of the namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Returns whether the server may have a namespace of this name. Nobody knows it of
    /// those that a predicate decides about.
    pub(crate) fn may_have(&self, namespace: &str) -> bool {
        self.application.may_have(namespace)
    }

    /// Addresses all sockets of the namespace.
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

    /// Addresses the sockets in any of these rooms. Every socket is in the room of
    /// its own id.
    #[doc = include_str!("operators/to.md")]
    pub fn to(&self, rooms: impl RoomNames) -> Broadcast {
        self.all().to(rooms)
    }

    /// Does the same as [`to`](Self::to).
    pub fn in_(&self, rooms: impl RoomNames) -> Broadcast {
        self.to(rooms)
    }

    /// Does the same as [`to`](Self::to), under a name that needs no underscore.
    pub fn within(&self, rooms: impl RoomNames) -> Broadcast {
        self.to(rooms)
    }

    /// Addresses all sockets except those in any of these rooms.
    #[doc = include_str!("operators/except.md")]
    pub fn except(&self, rooms: impl RoomNames) -> Broadcast {
        self.all().except(rooms)
    }

    /// Sends an event to all sockets of the namespace.
    #[doc = include_str!("operators/emit.md")]
    /// # Errors
    ///
    /// Those of [`Broadcast::emit`].
    pub async fn emit(&self, event: &str, args: impl Arguments) -> Result<(), EmitError> {
        self.all().emit(event, args).await
    }

    /// Returns what is known of each socket of the namespace.
    #[doc = include_str!("operators/fetch_sockets.md")]
    /// # Errors
    ///
    /// Those of [`Broadcast::fetch_sockets`].
    pub async fn fetch_sockets(&self) -> Result<Gathered<RemoteSocket>, EmitError> {
        self.all().fetch_sockets().await
    }

    /// Returns the number of sockets in the namespace.
    ///
    /// # Errors
    ///
    /// Those of [`Broadcast::count`].
    pub async fn count(&self) -> Result<usize, EmitError> {
        self.all().count().await
    }

    /// Returns the namespace's rooms, by name, and how many sockets are in each: see
    /// [`Broadcast::rooms`].
    ///
    /// # Errors
    ///
    /// Those of [`Broadcast::rooms`].
    pub async fn rooms(&self) -> Result<Gathered<Room>, EmitError> {
        self.all().rooms().await
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

/// A namespace that may be kept for as long as its object is awake, without keeping the
/// object's memory: what [`WeakSocket`](crate::WeakSocket) is of a socket.
#[derive(Clone)]
pub struct WeakIo {
    port: Weak<dyn LocalPort>,
    application: Rc<Application>,
    namespace: Rc<str>,
}

impl WeakIo {
    /// Returns the name of the namespace.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Returns the namespace, or `None` once its object has lost its memory.
    pub fn upgrade(&self) -> Option<Io> {
        let port = self.port.upgrade()?;
        Some(Io::local(port, self.application.clone(), &self.namespace))
    }
}

impl fmt::Debug for WeakIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakIo")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

/// Some sockets of a namespace, and the operations on them.
///
/// Its methods can be combined: [`to`](Self::to) adds the sockets of rooms,
/// [`except`](Self::except) takes some away, and a socket that is in several of the
/// rooms counts once.
///
/// ```no_run
/// # async fn example(socket: dormouse::Socket) -> Result<(), dormouse::EmitError> {
/// // Everybody else in two rooms, except those in a third.
/// socket.to(["a", "b"]).except("c").emit("news", "hello").await?;
/// // Everybody, including the sender; it does not matter if it gets lost.
/// socket.io().to("a").volatile().emit("position", (1, 2)).await?;
/// // Who answers?
/// let names: Vec<(String,)> = socket.to("a").emit_with_ack("name?", ()).await?.into_values();
/// # let _ = names;
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

/// The sockets that it is for.
impl Broadcast {
    /// Adds the sockets in these rooms. Without any rooms, it is for the whole
    /// namespace.
    #[doc = include_str!("operators/to.md")]
    pub fn to(mut self, rooms: impl RoomNames) -> Self {
        self.selection.filter.rooms.extend(rooms.names());
        self
    }

    /// Does the same as [`to`](Self::to).
    pub fn in_(self, rooms: impl RoomNames) -> Self {
        self.to(rooms)
    }

    /// Does the same as [`to`](Self::to), under a name that needs no underscore.
    pub fn within(self, rooms: impl RoomNames) -> Self {
        self.to(rooms)
    }

    /// Excludes the sockets in any of these rooms.
    #[doc = include_str!("operators/except.md")]
    pub fn except(mut self, rooms: impl RoomNames) -> Self {
        self.selection.filter.except.extend(rooms.names());
        self
    }

    /// Restricts it to sockets in the same object. That is all of them, unless they are
    /// [spread](crate::Placement::spread) over many objects or placed by a
    /// [key](crate::Placement::Key). From elsewhere in the Worker, no object of many is the
    /// same: there it is [`EmitError::Placement`].
    #[doc = include_str!("operators/local.md")]
    pub fn local(mut self) -> Self {
        self.selection.local = true;
        self
    }

    /// Lets events get lost if a client is not ready to receive them at once. Such
    /// events are not recovered either.
    #[doc = include_str!("operators/volatile.md")]
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// Sets how long [`emit_with_ack`](Self::emit_with_ack) waits. Default:
    /// [`Server::ack_timeout`](crate::Server::ack_timeout).
    #[doc = include_str!("operators/timeout.md")]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// Operations on them.
impl Broadcast {
    /// Sends an event to all of them. It is encoded once for each protocol, whatever
    /// the number of sockets.
    #[doc = include_str!("operators/emit.md")]
    /// # Errors
    ///
    /// [`EmitError::Json`] if the arguments cannot be written as JSON,
    /// [`EmitError::ReservedName`] for an event name that clients reserve,
    /// [`EmitError::Placement`] if it is not known which object holds the sockets,
    /// [`EmitError::Platform`] if that object could not be reached. In a server of many
    /// objects, [`EmitError::Partial`] if all others than those have got it,
    /// [`EmitError::Unsent`] or [`EmitError::Overloaded`] if nobody has, and
    /// [`EmitError::Unanswered`] if that is not known.
    pub async fn emit(&self, event: &str, args: impl Arguments) -> Result<(), EmitError> {
        let args = args.encode(Some(event))?;
        let volatile = self.volatile;
        self.carry_out(Operation::Emit { args, volatile }).await
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

    /// Sends an event and waits until every socket has acknowledged it or has gone,
    /// or the time is up. Returns what has come of it for each socket: an answer that
    /// is missing, or that cannot be read as a `T`, does not spoil the others.
    ///
    /// In [`on_connect`](crate::Namespace::on_connect), the handler's own socket is let
    /// in early if it is among them.
    ///
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn emit_with_ack<T: FromArgs>(
        &self,
        event: &str,
        args: impl Arguments,
    ) -> Result<Acks<T>, EmitError> {
        let args = args.encode(Some(event))?;
        let limit = self.limit.unwrap_or(self.io.application.ack_timeout);
        let timeout = millis(limit);
        let asked = self.operate(Operation::EmitWithAck { args, timeout });
        let (Reply::Acks(asked), missing) = split(asked.await?) else {
            return Err(PortError::Answer.into());
        };
        let acks: Acks<T> = asked.into_iter().map(Acked::from).collect();
        Ok(acks.without(missing))
    }

    /// Returns what is known of each of them.
    #[doc = include_str!("operators/fetch_sockets.md")]
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn fetch_sockets(&self) -> Result<Gathered<RemoteSocket>, EmitError> {
        let fetched = self.operate(Operation::Fetch(None)).await?;
        let (Reply::Sockets(sockets), missing) = split(fetched) else {
            return Err(PortError::Answer.into());
        };
        let io = &self.io;
        let sockets = sockets.into_iter().map(|remote| RemoteSocket {
            io: io.of(&self.selection.namespace),
            remote,
        });
        Ok(Gathered::new(sockets.collect(), missing))
    }

    /// Returns their number.
    ///
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn count(&self) -> Result<usize, EmitError> {
        match split(self.operate(Operation::Count).await?) {
            (Reply::Count(count), missing) if missing.is_none() => Ok(count),
            (Reply::Count(_), missing) => Err(EmitError::Partial(missing)),
            _ => Err(PortError::Answer.into()),
        }
    }

    /// Returns the rooms that they are in, by name, and how many of them are in each. A
    /// socket does not count in the room of its own id.
    ///
    /// ```no_run
    /// # async fn example(io: dormouse::Io) -> Result<(), dormouse::EmitError> {
    /// for room in io.rooms().await? {
    ///     println!("{}: {} sockets", room.name, room.sockets);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn rooms(&self) -> Result<Gathered<Room>, EmitError> {
        let asked = self.operate(Operation::Rooms(None)).await?;
        let (Reply::RoomSizes(rooms), missing) = split(asked) else {
            return Err(PortError::Answer.into());
        };
        let rooms = rooms.into_iter();
        let rooms = rooms.map(|(name, sockets)| Room { name, sockets });
        Ok(Gathered::new(rooms.collect(), missing))
    }

    /// Makes them enter rooms. A socket that would exceed
    /// [`max_rooms`](crate::Server::max_rooms) enters as many as it may.
    #[doc = include_str!("operators/join.md")]
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn join(&self, rooms: impl RoomNames) -> Result<(), EmitError> {
        self.carry_out(Operation::Join(rooms.names())).await
    }

    /// Makes them leave rooms.
    #[doc = include_str!("operators/join.md")]
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn leave(&self, rooms: impl RoomNames) -> Result<(), EmitError> {
        self.carry_out(Operation::Leave(rooms.names())).await
    }

    /// Disconnects them from the namespace.
    #[doc = include_str!("operators/disconnect.md")]
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn disconnect(&self) -> Result<(), EmitError> {
        self.carry_out(Operation::Disconnect { close: false }).await
    }

    /// Disconnects their clients from all namespaces, and closes their sessions.
    ///
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn close(&self) -> Result<(), EmitError> {
        self.carry_out(Operation::Disconnect { close: true }).await
    }

    /// Carries out something that has no other result than that it is done.
    pub(super) async fn carry_out(&self, operation: Operation) -> Result<(), EmitError> {
        let (_, missing) = split(self.operate(operation).await?);
        match missing.is_none() {
            true => Ok(()),
            false => Err(EmitError::Partial(missing)),
        }
    }

    pub(super) fn io(&self) -> &Io {
        &self.io
    }

    async fn operate(&self, operation: Operation) -> Result<Reply, EmitError> {
        Ok(self.request(operation).await?)
    }

    pub(super) async fn request(&self, operation: Operation) -> Result<Reply, PortError> {
        let target = Target::Sockets(self.selection.clone());
        let request = Request::Operate(target, operation);
        self.io.port().call(request).reply().await
    }
}

impl fmt::Debug for Broadcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast")
            .field("selection", &self.selection)
            .finish_non_exhaustive()
    }
}

/// Returns an answer, and which objects have no part in it.
pub(super) fn split(reply: Reply) -> (Reply, Missing) {
    if let Reply::Partial(reply, missing) = reply {
        (*reply, missing.into())
    } else {
        (reply, Missing::default())
    }
}

/// A room, and how many sockets are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Room {
    /// Its name.
    pub name: String,
    /// The number of sockets in it, of those that were asked about.
    pub sockets: usize,
}

/// A socket as it was when it was fetched, wherever it is.
#[derive(Clone)]
pub struct RemoteSocket {
    io: Io,
    remote: Remote,
}

impl RemoteSocket {
    /// Returns the socket's id, which is not for other clients: see
    /// [`Socket::id`](crate::Socket::id).
    pub fn id(&self) -> &str {
        &self.remote.id
    }

    /// Returns the names of the rooms it was in, including the room of its own id.
    pub fn rooms(&self) -> &[String] {
        &self.remote.rooms
    }

    /// Returns the data that the application has attached to it.
    ///
    /// # Errors
    ///
    /// The data cannot be read as a `T`.
    pub fn data<T: DeserializeOwned>(&self) -> Result<Option<T>, SessionError> {
        data::read(self.remote.data.as_deref())
    }

    /// Returns the request by which its client's session began, with the socket's `auth`.
    pub fn handshake(&self) -> Handshake {
        Handshake::from(&self.remote.handshake).with_auth(self.remote.auth.clone())
    }

    /// Addresses the socket itself.
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

/// One room name, or several.
pub trait RoomNames {
    /// Returns the names.
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

/// An operation on sockets failed, or was not answered.
#[derive(Debug)]
#[non_exhaustive]
pub enum EmitError {
    /// The socket is disconnected, or was sent more than 4 MiB before it was
    /// connected.
    Gone,
    /// The arguments cannot be written as JSON.
    Json(serde_json::Error),
    /// The event's name is one that clients reserve for themselves, such as
    /// `connect`: they would close their connections.
    ReservedName(String),
    /// The client did not acknowledge the event in time.
    Timeout,
    /// The acknowledgement cannot be read as the expected type.
    Args(ArgsError),
    /// The socket would be in more than [`max_rooms`](crate::Server::max_rooms), or
    /// their names would have more than 256 KiB; or what is done in many objects names more
    /// than 1,000 rooms that sockets are to be in.
    TooManyRooms,
    /// It is not known which object holds the sockets: they are placed by a key, and
    /// none was given (see [`Io::key`]); or they are in many objects, and it is for those
    /// in one ([`Broadcast::local`]).
    Placement,
    /// This is not a pattern of names: see [`Io::parent`].
    Pattern(String),
    /// The server has no handler for this event from other objects: see
    /// [`Server::on_server_event`](crate::Server::on_server_event).
    NoHandler(String),
    /// The object that holds the sockets could not be reached.
    Platform(worker::Error),
    /// All others than these objects have done it. Of a count, it is not the number of
    /// all.
    Partial(Missing),
    /// Another object did not answer in time, and nothing was done: it can be tried again.
    Unsent,
    /// Another object did not answer in time, and some objects may have done it.
    Unanswered,
    /// Too much waits for other objects already, and nothing was done: it can be tried
    /// again later.
    Overloaded,
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("the socket is disconnected"),
            Self::Json(error) => write!(f, "cannot be written as json: {error}"),
            Self::ReservedName(name) => write!(f, "`{name}` is a reserved event name"),
            Self::Timeout => f.write_str("not acknowledged in time"),
            Self::Args(error) => write!(f, "acknowledged with something else: {error}"),
            Self::TooManyRooms => f.write_str("more rooms than allowed (max_rooms)"),
            Self::Placement => {
                f.write_str("it does not say in which object: see Io::key and local")
            }
            Self::Pattern(text) => write!(f, "`{text}` is not a pattern of names"),
            Self::NoHandler(name) => write!(f, "`{name}` has no handler: on_server_event"),
            Self::Platform(error) => write!(f, "the object could not be reached: {error}"),
            Self::Partial(missing) => write!(f, "not done everywhere: {missing}"),
            Self::Unsent => f.write_str("another object did not answer, and nothing was done"),
            Self::Unanswered => f.write_str("another object did not answer, and some may do it"),
            Self::Overloaded => f.write_str("too much waits for other objects"),
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
            | Self::Placement
            | Self::Pattern(_)
            | Self::NoHandler(_)
            | Self::Partial(_)
            | Self::Unsent
            | Self::Unanswered
            | Self::Overloaded => None,
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
            PortError::Unsent => Self::Unsent,
            PortError::Unanswered => Self::Unanswered,
            PortError::Overloaded => Self::Overloaded,
            PortError::TooManyAlarms
            | PortError::Repeated
            | PortError::Answer
            | PortError::Lost => Self::Platform(error.to_string().into()),
        }
    }
}

impl From<EmitError> for worker::Error {
    fn from(error: EmitError) -> Self {
        Self::RustError(error.to_string())
    }
}

#[cfg(test)]
mod tests;
