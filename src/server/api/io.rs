//! A namespace, from anywhere in the Worker.

use core::any::Any;
use core::fmt;
use std::rc::{Rc, Weak};

use dormouse_proto::socket::ROOT;
use worker::Env;

use super::context::Place;
use super::{
    Application, Arguments, Broadcast, EmitError, Gathered, RemoteSocket, Room, RoomNames,
};
use crate::api::app::app;
use crate::port::remote::RemotePort;
use crate::port::{LocalPort, Port};

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
        Broadcast::new(self)
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

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
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
