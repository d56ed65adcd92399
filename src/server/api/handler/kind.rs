//! The kinds of handlers, and what each of them can take.

use dormouse_proto::engine;
use dormouse_proto::socket::{ROOT, Reason};

use super::super::context::{ConnectDetail, EngineDetail, EventDetail, Place, ServerDetail};
use super::super::encode::Replied;
use super::super::{Alarm, Expired, Io, JoinRequest, Rewrite, Socket};
use super::{Context, HandlerError};
use crate::api::engine::{Client, Handshake, Message, Refusal as EngineRefusal};
use crate::api::error::Refusal;
use crate::incoming::Incoming;
use crate::usage::Usage;

/// The occasion that a handler is called for. It decides what the handler can take
/// and return.
pub trait Kind: Sized + 'static {
    /// The type that the handler is called for: a [`Socket`], an Engine.IO
    /// [`Client`], a socket that has [`Expired`], a [`JoinRequest`], a namespace, or the
    /// request of a handshake.
    type Subject;
    #[doc(hidden)]
    type Detail<'a>;
    #[doc(hidden)]
    type Outcome: 'static;
    #[doc(hidden)]
    fn place<'a>(context: &'a Context<'_, Self>) -> Place<'a>;
}

/// The kind of [`Namespace::on`](crate::Namespace::on) and its like.
#[derive(Debug)]
pub enum OnEvent {}

/// The kind of [`Namespace::event_middleware`](crate::Namespace::event_middleware).
#[derive(Debug)]
pub enum BeforeEvent {}

/// The kind of [`Namespace::event_rewrite`](crate::Namespace::event_rewrite).
#[derive(Debug)]
pub enum RewriteEvent {}

/// The kind of [`Namespace::on_connect`](crate::Namespace::on_connect) and
/// [`middleware`](crate::Namespace::middleware).
#[derive(Debug)]
pub enum OnConnect {}

/// The kind of [`Namespace::on_disconnect`](crate::Namespace::on_disconnect) and
/// [`on_disconnecting`](crate::Namespace::on_disconnecting).
#[derive(Debug)]
pub enum OnDisconnect {}

/// The kind of [`Namespace::on_expired`](crate::Namespace::on_expired).
#[derive(Debug)]
pub enum OnExpired {}

/// The kind of [`Server::on_alarm`](crate::Server::on_alarm).
#[derive(Debug)]
pub enum OnAlarm {}

/// The kind of [`Server::on_server_event`](crate::Server::on_server_event).
#[derive(Debug)]
pub enum OnServerEvent {}

/// The kind of [`Server::namespace_if`](crate::Server::namespace_if).
#[derive(Debug)]
pub enum OnJoinRequest {}

/// The kind of [`Server::on_new_namespace`](crate::Server::on_new_namespace).
#[derive(Debug)]
pub enum OnNewNamespace {}

/// The kind of [`Server::on_usage`](crate::Server::on_usage).
#[derive(Debug)]
pub enum OnUsage {}

/// The kind of [`Server::admit`](crate::Server::admit) and
/// [`Engine::admit`](crate::engine::Engine::admit).
#[derive(Debug)]
pub enum OnAdmit {}

/// The kind of [`Engine::on_connect`](crate::engine::Engine::on_connect).
#[derive(Debug)]
pub enum OnOpen {}

/// The kind of [`Engine::on_message`](crate::engine::Engine::on_message).
#[derive(Debug)]
pub enum OnMessage {}

/// The kind of [`Engine::on_disconnect`](crate::engine::Engine::on_disconnect).
#[derive(Debug)]
pub enum OnClose {}

/// The kind of [`Engine::on_alarm`](crate::engine::Engine::on_alarm).
#[derive(Debug)]
pub enum OnEngineAlarm {}

/// The kind of [`Engine::on_usage`](crate::engine::Engine::on_usage).
#[derive(Debug)]
pub enum OnEngineUsage {}

macro_rules! kinds {
    ($($kind:ident: $subject:ty, $detail:ty => $outcome:ty, |$context:ident| $place:expr;)*) => {
        $(impl Kind for $kind {
            type Subject = $subject;
            type Detail<'a> = $detail;
            type Outcome = $outcome;

            fn place<'a>($context: &'a Context<'_, Self>) -> Place<'a> {
                $place
            }
        })*
    };
}

kinds! {
    OnEvent: Socket, EventDetail<'a> => Replied, |it| it.subject.place();
    BeforeEvent: Socket, EventDetail<'a> => Result<(), HandlerError>, |it| it.subject.place();
    RewriteEvent: Socket, EventDetail<'a> => Result<Option<Rewrite>, HandlerError>, |it| it.subject.place();
    OnConnect: Socket, ConnectDetail<'a> => Result<(), Refusal>, |it| it.subject.place();
    OnDisconnect: Socket, Reason => Result<(), HandlerError>, |it| it.subject.place();
    OnExpired: Expired, ServerDetail<'a> => Result<(), HandlerError>, |it| it.detail.place();
    OnAlarm: Alarm, ServerDetail<'a> => Result<(), HandlerError>, |it| it.detail.place();
    OnServerEvent: Io, EventDetail<'a> => Replied, |it| it.subject.place();
    OnJoinRequest: JoinRequest, Place<'a> => Result<bool, HandlerError>, |it| it.detail;
    OnNewNamespace: Io, Place<'a> => Result<(), HandlerError>, |it| it.detail;
    OnUsage: Usage, ServerDetail<'a> => Result<(), HandlerError>, |it| it.detail.place();
    OnAdmit: Handshake, Place<'a> => Result<(), HandlerError>, |it| it.detail;
    OnOpen: Client, &'a Incoming => Result<(), EngineRefusal>, |it| it.subject.place();
    OnMessage: Client, Option<Message> => Result<(), HandlerError>, |it| it.subject.place();
    OnClose: Client, engine::Reason => Result<(), HandlerError>, |it| it.subject.place();
    OnEngineAlarm: Alarm, EngineDetail<'a> => Result<(), HandlerError>, |it| it.detail.place();
    OnEngineUsage: Usage, EngineDetail<'a> => Result<(), HandlerError>, |it| it.detail.place();
}

/// The kinds of handlers that are called for a [`Socket`].
#[diagnostic::on_unimplemented(
    message = "a handler of kind `{Self}` is not called for a `Socket`",
    label = "there is no `Socket` here",
    note = "Engine.IO's handlers take a `dormouse::engine::Client`, `on_expired` takes an \
            `Expired`, and `on_alarm` takes an `Alarm` and an `Io`"
)]
pub trait OfSocket: Kind<Subject = Socket> {}

impl OfSocket for OnEvent {}
impl OfSocket for BeforeEvent {}
impl OfSocket for RewriteEvent {}
impl OfSocket for OnConnect {}
impl OfSocket for OnDisconnect {}

/// The kinds of handlers that are called for an event.
#[diagnostic::on_unimplemented(
    message = "a handler of kind `{Self}` is not called for an event: it has neither arguments \
               nor a name",
    label = "there is no event here",
    note = "a tuple, `Args` and `EventName` are for `on`, `on_event`, `on_fallback`, `on_any`, \
            `event_middleware`, `event_rewrite` and `on_server_event`",
    note = "`on_connect` takes what the client says of itself as `Auth`; `Engine::on_message` takes \
            a `Message`"
)]
pub trait OfEvent: for<'a> Kind<Detail<'a> = EventDetail<'a>> {}

impl OfEvent for OnEvent {}
impl OfEvent for BeforeEvent {}
impl OfEvent for RewriteEvent {}
impl OfEvent for OnServerEvent {}

/// The kinds of handlers that can acknowledge an event.
#[diagnostic::on_unimplemented(
    message = "a handler of kind `{Self}` cannot take an `Ack`",
    label = "there is nothing to acknowledge here",
    note = "`Ack` is for the handlers of events: `on` and `on_fallback`"
)]
pub trait OfAck: OfEvent + OfSocket {}

impl OfAck for OnEvent {}

/// The kinds of handlers that are called for a client that joins a namespace.
#[diagnostic::on_unimplemented(
    message = "a handler of kind `{Self}` cannot take `Auth` or `Recovered`",
    label = "no client is connecting here",
    note = "`Auth` and `Recovered` are for `Namespace::on_connect` and `middleware`; later it is \
            `Socket::auth`"
)]
pub trait OfConnect: OfSocket + for<'a> Kind<Detail<'a> = ConnectDetail<'a>> {}

impl OfConnect for OnConnect {}

/// The kinds of handlers that are called for a socket that is disconnected.
#[diagnostic::on_unimplemented(
    message = "a handler of kind `{Self}` cannot take a `dormouse::Reason`",
    label = "no socket is disconnected here",
    note = "`dormouse::Reason` is for `Namespace::on_disconnect` and `on_disconnecting`; \
            `Engine::on_disconnect` takes a `dormouse::engine::Reason`"
)]
pub trait OfDisconnect: OfSocket + for<'a> Kind<Detail<'a> = Reason> {}

impl OfDisconnect for OnDisconnect {}

/// The kinds of handlers that are called for a socket whose client does not come
/// back.
#[diagnostic::on_unimplemented(
    message = "a handler of kind `{Self}` cannot take an `Expired`",
    label = "no socket has expired here",
    note = "`Expired` is for `on_expired`; the other handlers of a namespace take a `Socket`"
)]
pub trait OfExpired: Kind<Subject = Expired> {}

impl OfExpired for OnExpired {}

/// The kinds of handlers that are told what an object has done.
#[diagnostic::on_unimplemented(
    message = "a handler of kind `{Self}` cannot take a `Usage`",
    label = "nothing is counted here",
    note = "`Usage` is for `on_usage`; elsewhere it is `Io::usage`, or `Clients::usage` of Engine.IO"
)]
pub trait OfUsage: Kind<Subject = Usage> {}

impl OfUsage for OnUsage {}
impl OfUsage for OnEngineUsage {}

/// The kinds of handlers that are called for an [`Alarm`].
#[diagnostic::on_unimplemented(
    message = "a handler of kind `{Self}` cannot take an `Alarm`",
    label = "no alarm has gone off here",
    note = "`Alarm` is for `on_alarm`; other handlers set one with `Io::set_alarm` or \
            `Client::set_alarm`"
)]
pub trait OfAlarm: Kind<Subject = Alarm> {}

impl OfAlarm for OnAlarm {}
impl OfAlarm for OnEngineAlarm {}

/// The kinds of handlers that are called for no [`Client`] of an Engine.IO server.
#[diagnostic::on_unimplemented(
    message = "a handler of kind `{Self}` cannot take `Clients`",
    label = "there are no `Clients` here",
    note = "`Clients` is for `Engine::on_alarm` and `Engine::on_usage`; others have it as \
            `Client::clients`"
)]
pub trait OfClients: for<'a> Kind<Detail<'a> = EngineDetail<'a>> {}

impl OfClients for OnEngineAlarm {}
impl OfClients for OnEngineUsage {}

/// The kinds of handlers that are called for an Engine.IO [`Client`].
#[diagnostic::on_unimplemented(
    message = "a handler of kind `{Self}` is not called for a `Client` of Engine.IO",
    label = "there is no `Client` here",
    note = "the handlers of a namespace take a `Socket`"
)]
pub trait OfClient: Kind<Subject = Client> {}

impl OfClient for OnOpen {}
impl OfClient for OnMessage {}
impl OfClient for OnClose {}

/// The kinds of handlers that are called for an Engine.IO message.
#[diagnostic::on_unimplemented(
    message = "a handler of kind `{Self}` cannot take a `Message`",
    label = "there is no message here",
    note = "`Message` is for `Engine::on_message`; the handler of an event takes its arguments as a \
            tuple, or as `Args`"
)]
pub trait OfMessage: OfClient + for<'a> Kind<Detail<'a> = Option<Message>> {}

impl OfMessage for OnMessage {}

/// The kinds of handlers that are called for an Engine.IO client that has gone.
#[diagnostic::on_unimplemented(
    message = "a handler of kind `{Self}` cannot take a `dormouse::engine::Reason`",
    label = "no client of Engine.IO has gone here",
    note = "`dormouse::engine::Reason` is for `Engine::on_disconnect`; `Namespace::on_disconnect` \
            takes a `dormouse::Reason`"
)]
pub trait OfClose: OfClient + for<'a> Kind<Detail<'a> = engine::Reason> {}

impl OfClose for OnClose {}

/// The kinds of handlers that are called for a client that connects, of Socket.IO
/// or of Engine.IO.
#[diagnostic::on_unimplemented(
    message = "a handler of kind `{Self}` cannot take a `Handshake`",
    label = "no client is connecting here",
    note = "`Handshake` is for `on_connect`, `middleware`, `admit` and `namespace_if`; later it is \
            `Socket::handshake`"
)]
pub trait OfHandshake: Kind {
    #[doc(hidden)]
    fn handshake(context: &Context<'_, Self>) -> Handshake;
}

impl OfHandshake for OnConnect {
    fn handshake(context: &Context<'_, Self>) -> Handshake {
        let ConnectDetail {
            handshake, auth, ..
        } = &context.detail;
        Handshake::from(&***handshake).with_auth(Some((*auth).to_owned()))
    }
}

impl OfHandshake for OnOpen {
    fn handshake(context: &Context<'_, Self>) -> Handshake {
        context.subject.handshake(context.detail)
    }
}

impl OfHandshake for OnAdmit {
    fn handshake(context: &Context<'_, Self>) -> Handshake {
        context.subject.clone()
    }
}

impl OfHandshake for OnJoinRequest {
    fn handshake(context: &Context<'_, Self>) -> Handshake {
        context.subject.handshake()
    }
}

/// The kinds of handlers that decide whether there is a namespace.
#[diagnostic::on_unimplemented(
    message = "a handler of kind `{Self}` cannot take a `JoinRequest`",
    label = "no namespace is looked for here",
    note = "`JoinRequest` is for `Server::namespace_if`; `on_connect` and `middleware` take a \
            `Socket`, `Auth` and a `Handshake`"
)]
pub trait OfJoinRequest: Kind<Subject = JoinRequest> {}

impl OfJoinRequest for OnJoinRequest {}

/// The kinds of handlers that belong to a namespace, or to all of them.
#[diagnostic::on_unimplemented(
    message = "a handler of kind `{Self}` cannot take an `Io`",
    label = "there are no namespaces here",
    note = "`Io` is for the handlers of a namespace; Engine.IO's reach other clients with \
            `Client::clients`"
)]
pub trait OfNamespace: Kind {
    #[doc(hidden)]
    fn io(context: &Context<'_, Self>) -> crate::Io;
}

macro_rules! of_namespace {
    ($($kind:ident)*) => {
        $(impl OfNamespace for $kind {
            fn io(context: &Context<'_, Self>) -> crate::Io {
                context.subject.io()
            }
        })*
    };
}

of_namespace!(OnEvent BeforeEvent RewriteEvent OnConnect OnDisconnect);

impl OfNamespace for OnExpired {
    fn io(context: &Context<'_, Self>) -> crate::Io {
        let namespace = context.subject.namespace().into();
        let ServerDetail { port, application } = context.detail;
        crate::Io::local(port.clone(), application.clone(), &namespace)
    }
}

impl OfNamespace for OnAlarm {
    fn io(context: &Context<'_, Self>) -> crate::Io {
        let ServerDetail { port, application } = context.detail;
        crate::Io::local(port.clone(), application.clone(), &ROOT.into())
    }
}

impl OfNamespace for OnUsage {
    fn io(context: &Context<'_, Self>) -> crate::Io {
        let ServerDetail { port, application } = context.detail;
        crate::Io::local(port.clone(), application.clone(), &ROOT.into())
    }
}

impl OfNamespace for OnServerEvent {
    fn io(context: &Context<'_, Self>) -> crate::Io {
        context.subject.clone()
    }
}

impl OfNamespace for OnNewNamespace {
    fn io(context: &Context<'_, Self>) -> crate::Io {
        context.subject.clone()
    }
}
