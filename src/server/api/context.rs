//! The contexts that handlers are called with.

use core::any::Any;
use core::fmt;
use std::borrow::Cow;
use std::rc::Rc;

use dormouse_proto::engine;
use dormouse_proto::socket::{Args as Raw, Reason};
use serde::de::DeserializeOwned;
use worker::Env;

use super::args::{describe, from_json};
use super::handler::{
    BeforeEvent, Kind, OfAck, OfAlarm, OfClient, OfClients, OfConnect, OfEvent, OfExpired,
    OfHandshake, OfJoinRequest, OfMessage, OfNamespace, OfSocket, OnAdmit, OnAlarm, OnClose,
    OnConnect, OnDisconnect, OnEngineAlarm, OnEngineUsage, OnEvent, OnExpired, OnJoinRequest,
    OnMessage, OnNewNamespace, OnOpen, OnServerEvent, OnUsage, RewriteEvent,
};
use super::{
    Ack, Alarm, Application, Args, Expired, FromArgs, Io, JoinRequest, Socket, State, States,
};
use crate::api::endpoint::Endpoint;
use crate::api::engine::{Client, Clients, Handshake, Message};
use crate::api::error::Rejection;
use crate::incoming::Incoming;
use crate::port::LocalPort;
use crate::request::StoredHandshake;
use crate::usage::Usage;

/// Everything that a handler of this [kind](Kind) can take its arguments from:
/// [extractors](super::handler::Extract) are given it.
///
/// The kind decides which methods there are. Those of `K: OfSocket`, for example,
/// exist for every kind of handler that is called for a socket.
pub struct Context<'a, K: Kind> {
    pub(super) subject: &'a K::Subject,
    pub(super) detail: K::Detail<'a>,
}

pub(crate) type EventContext<'a> = Context<'a, OnEvent>;
pub(crate) type CheckContext<'a> = Context<'a, BeforeEvent>;
pub(crate) type RewriteContext<'a> = Context<'a, RewriteEvent>;
pub(crate) type ConnectContext<'a> = Context<'a, OnConnect>;
pub(crate) type DisconnectContext<'a> = Context<'a, OnDisconnect>;
pub(crate) type ExpireContext<'a> = Context<'a, OnExpired>;
pub(crate) type AlarmContext<'a> = Context<'a, OnAlarm>;
pub(crate) type EngineAlarmContext<'a> = Context<'a, OnEngineAlarm>;
pub(crate) type AdmitContext<'a> = Context<'a, OnAdmit>;
pub(crate) type JoinContext<'a> = Context<'a, OnJoinRequest>;
pub(crate) type ServerEventContext<'a> = Context<'a, OnServerEvent>;
pub(crate) type NamespaceContext<'a> = Context<'a, OnNewNamespace>;
pub(crate) type UsageContext<'a> = Context<'a, OnUsage>;
pub(crate) type EngineUsageContext<'a> = Context<'a, OnEngineUsage>;
pub(crate) type OpenContext<'a> = Context<'a, OnOpen>;
pub(crate) type MessageContext<'a> = Context<'a, OnMessage>;
pub(crate) type CloseContext<'a> = Context<'a, OnClose>;

/// The surroundings of a handler.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub(crate) env: &'a Env,
    /// That of the object, where the handler runs in one.
    pub(crate) port: Option<&'a Rc<dyn LocalPort>>,
    pub(crate) states: &'a States,
}

/// The server of what is called for no socket.
pub struct ServerDetail<'a> {
    pub(super) port: &'a Rc<dyn LocalPort>,
    pub(super) application: &'a Rc<Application>,
}

/// The server of Engine.IO of what is called for no client.
pub struct EngineDetail<'a> {
    pub(super) port: &'a Rc<dyn LocalPort>,
    pub(super) endpoint: &'a Rc<Endpoint>,
}

impl<'a> EngineDetail<'a> {
    pub(super) fn place(&self) -> Place<'a> {
        Place {
            env: self.port.env(),
            port: Some(self.port),
            states: self.endpoint.states(),
        }
    }
}

/// Details of an event.
pub struct EventDetail<'a> {
    name: Cow<'a, str>,
    args: Raw<'a>,
    ack: Option<Ack>,
}

/// Details of a client that wants to join a namespace.
pub struct ConnectDetail<'a> {
    pub(super) auth: &'a str,
    pub(super) handshake: &'a Rc<StoredHandshake>,
    recovered: bool,
}

impl<'a> ServerDetail<'a> {
    pub(super) fn place(&self) -> Place<'a> {
        Place {
            env: self.port.env(),
            port: Some(self.port),
            states: &self.application.states,
        }
    }
}

/// For every kind of handler.
impl<K: Kind> Context<'_, K> {
    /// Returns the Worker's bindings.
    pub fn env(&self) -> &Env {
        K::place(self).env
    }

    /// Returns the port of the handler's object, if it runs in one.
    pub(crate) fn port(&self) -> Option<&Rc<dyn LocalPort>> {
        K::place(self).port
    }

    /// Returns the value of this type that the server was given by
    /// [`Server::state`](crate::Server::state) or
    /// [`Engine::state`](crate::engine::Engine::state).
    ///
    /// # Errors
    ///
    /// The server was given no such value. The error is internal: the client is not
    /// told.
    pub fn state<T: Any>(&self) -> Result<State<T>, Rejection> {
        K::place(self).states.find()
    }
}

/// For handlers that are called for a socket: all of a namespace except
/// `on_expired`.
impl<K: OfSocket> Context<'_, K> {
    /// Returns the socket.
    pub fn socket(&self) -> &Socket {
        self.subject
    }
}

/// For all handlers of a namespace.
impl<K: OfNamespace> Context<'_, K> {
    /// Returns the namespace that the handler belongs to.
    pub fn io(&self) -> Io {
        K::io(self)
    }
}

/// For handlers and middlewares of events.
impl<K: OfEvent> Context<'_, K> {
    /// Returns the event's name.
    pub fn event(&self) -> &str {
        &self.detail.name
    }

    /// Returns the event's arguments as they came.
    pub fn args(&self) -> Args {
        Args::new(self.detail.args.clone().into_owned(), true)
    }

    /// Reads the event's arguments as a tuple.
    ///
    /// # Errors
    ///
    /// An argument is missing, or is something else. The client is told which.
    pub fn parse<T: FromArgs>(&self) -> Result<T, Rejection> {
        T::from_args(&self.detail.args, true).map_err(Rejection::new)
    }
}

/// For handlers of events.
impl<K: OfAck> Context<'_, K> {
    /// Takes the acknowledgement; then the handler's return value is not sent. If it
    /// has been taken already, returns one that nobody waits for.
    pub fn take_ack(&mut self) -> Ack {
        self.detail.ack.take().unwrap_or(Ack::none())
    }
}

/// For `on_connect` and middlewares of a namespace.
impl<K: OfConnect> Context<'_, K> {
    /// Reads the client's `auth`.
    ///
    /// # Errors
    ///
    /// It cannot be read as a `T`. The client is told so.
    pub fn auth<T: DeserializeOwned>(&self) -> Result<T, Rejection> {
        let auth = from_json(self.detail.auth);
        auth.map_err(|error| Rejection::new(format_args!("auth: {}", describe(&error))))
    }

    /// Returns whether the client has come back in time: see
    /// [`Recovery`](crate::Recovery).
    pub fn recovered(&self) -> bool {
        self.detail.recovered
    }
}

/// For `on_connect` and middlewares, of a namespace or of Engine.IO, and what comes before
/// them.
impl<K: OfHandshake> Context<'_, K> {
    /// Returns the request by which the client's session began. Other handlers have
    /// [`Socket::handshake`].
    pub fn handshake(&self) -> Handshake {
        K::handshake(self)
    }
}

/// For `on_disconnecting` and `on_disconnect` of a namespace.
impl Context<'_, OnDisconnect> {
    /// Returns why the socket is disconnected.
    pub fn reason(&self) -> Reason {
        self.detail
    }
}

/// For `on_expired`.
impl<K: OfExpired> Context<'_, K> {
    /// Returns the socket that has not come back.
    pub fn expired(&self) -> &Expired {
        self.subject
    }
}

/// For `namespace_if`.
impl<K: OfJoinRequest> Context<'_, K> {
    /// Returns the client's request.
    pub fn join_request(&self) -> &JoinRequest {
        self.subject
    }
}

/// For the handlers of alarms.
impl<K: OfAlarm> Context<'_, K> {
    /// Returns the alarm.
    pub fn alarm(&self) -> &Alarm {
        self.subject
    }
}

/// For the handlers of Engine.IO that are called for no client.
impl<K: OfClients> Context<'_, K> {
    /// Returns the clients of the server.
    pub fn clients(&self) -> Clients {
        Clients::local(self.detail.port, self.detail.endpoint)
    }
}

/// For all handlers of Engine.IO.
impl<K: OfClient> Context<'_, K> {
    /// Returns the client.
    pub fn client(&self) -> &Client {
        self.subject
    }
}

/// For `on_message` of Engine.IO.
impl<K: OfMessage> Context<'_, K> {
    /// Returns the message, or `None` once it has been taken.
    pub fn message(&self) -> Option<&Message> {
        self.detail.as_ref()
    }

    /// Takes the message. Returns `None` if it has been taken already.
    pub fn take_message(&mut self) -> Option<Message> {
        self.detail.take()
    }
}

/// For `on_disconnect` of Engine.IO.
impl Context<'_, OnClose> {
    /// Returns why the client's session has ended.
    pub fn reason(&self) -> engine::Reason {
        self.detail
    }
}

impl<'a> EventContext<'a> {
    pub(crate) fn new(
        socket: &'a Socket,
        name: Cow<'a, str>,
        args: Raw<'a>,
        ack: Option<Ack>,
    ) -> Self {
        Self {
            subject: socket,
            detail: EventDetail { name, args, ack },
        }
    }

    /// Returns the acknowledgement, unless the handler has taken it.
    pub(crate) fn into_ack(self) -> Option<Ack> {
        self.detail.ack
    }
}

impl<'a> ServerEventContext<'a> {
    pub(crate) fn new(io: &'a Io, name: &'a str, args: Raw<'a>) -> Self {
        Self {
            subject: io,
            detail: EventDetail {
                name: name.into(),
                args,
                ack: None,
            },
        }
    }
}

impl<'a, K: OfEvent + OfSocket> Context<'a, K> {
    /// The context of what is called before an event's handler.
    pub(crate) fn before(socket: &'a Socket, name: &'a str, args: &'a Raw<'_>) -> Self {
        Self {
            subject: socket,
            detail: EventDetail {
                name: name.into(),
                args: args.borrowed(),
                ack: None,
            },
        }
    }
}

impl<'a> ConnectContext<'a> {
    pub(crate) fn new(socket: &'a Socket, request: &'a JoinRequest, recovered: bool) -> Self {
        Self {
            subject: socket,
            detail: ConnectDetail {
                auth: request.json(),
                handshake: request.stored(),
                recovered,
            },
        }
    }
}

impl<'a> JoinContext<'a> {
    pub(crate) fn new(request: &'a JoinRequest, env: &'a Env, states: &'a States) -> Self {
        Self {
            subject: request,
            detail: Place {
                env,
                states,
                port: None,
            },
        }
    }
}

impl<'a> NamespaceContext<'a> {
    pub(crate) fn new(io: &'a Io, env: &'a Env, states: &'a States) -> Self {
        Self {
            subject: io,
            detail: Place {
                env,
                states,
                port: None,
            },
        }
    }
}

impl<'a> AdmitContext<'a> {
    pub(crate) fn new(handshake: &'a Handshake, env: &'a Env, states: &'a States) -> Self {
        Self {
            subject: handshake,
            detail: Place {
                env,
                states,
                port: None,
            },
        }
    }
}

impl<'a> DisconnectContext<'a> {
    pub(crate) fn new(socket: &'a Socket, reason: Reason) -> Self {
        Self {
            subject: socket,
            detail: reason,
        }
    }
}

impl<'a> ExpireContext<'a> {
    pub(crate) fn new(
        port: &'a Rc<dyn LocalPort>,
        application: &'a Rc<Application>,
        expired: &'a Expired,
    ) -> Self {
        Self {
            subject: expired,
            detail: ServerDetail { port, application },
        }
    }
}

impl<'a> AlarmContext<'a> {
    pub(crate) fn new(
        port: &'a Rc<dyn LocalPort>,
        application: &'a Rc<Application>,
        alarm: &'a Alarm,
    ) -> Self {
        Self {
            subject: alarm,
            detail: ServerDetail { port, application },
        }
    }
}

impl<'a> UsageContext<'a> {
    pub(crate) fn new(
        port: &'a Rc<dyn LocalPort>,
        application: &'a Rc<Application>,
        usage: &'a Usage,
    ) -> Self {
        Self {
            subject: usage,
            detail: ServerDetail { port, application },
        }
    }
}

impl<'a> EngineAlarmContext<'a> {
    pub(crate) fn new(
        port: &'a Rc<dyn LocalPort>,
        endpoint: &'a Rc<Endpoint>,
        alarm: &'a Alarm,
    ) -> Self {
        Self {
            subject: alarm,
            detail: EngineDetail { port, endpoint },
        }
    }
}

impl<'a> EngineUsageContext<'a> {
    pub(crate) fn new(
        port: &'a Rc<dyn LocalPort>,
        endpoint: &'a Rc<Endpoint>,
        usage: &'a Usage,
    ) -> Self {
        Self {
            subject: usage,
            detail: EngineDetail { port, endpoint },
        }
    }
}

impl<'a> OpenContext<'a> {
    pub(crate) fn new(client: &'a Client, request: &'a Incoming) -> Self {
        Self {
            subject: client,
            detail: request,
        }
    }
}

impl<'a> MessageContext<'a> {
    pub(crate) fn new(client: &'a Client, message: Message) -> Self {
        Self {
            subject: client,
            detail: Some(message),
        }
    }
}

impl<'a> CloseContext<'a> {
    pub(crate) fn new(client: &'a Client, reason: engine::Reason) -> Self {
        Self {
            subject: client,
            detail: reason,
        }
    }
}

impl<K: Kind> fmt::Debug for Context<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}
