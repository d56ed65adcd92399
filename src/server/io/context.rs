//! What handlers are called with, and what they can take of it.

use core::any::{Any, TypeId, type_name};
use core::ops::Deref;
use std::borrow::Cow;
use std::rc::Rc;

use dormouse_proto::socket::recovery::StoredSocket;
use dormouse_proto::socket::{Args as Raw, Reason};
use serde::de::DeserializeOwned;
use worker::Env;

use super::handler::{
    BeforeEvent, Extract, OnConnect, OnDisconnect, OnEvent, OnExpired, Rejection,
};
use super::{Application, Args, Arguments, EmitError, FromArgs, Io, Socket};
use crate::client::SessionError;
use crate::port::LocalPort;
use crate::request::{Handshake, KeptHandshake};

/// An event for one socket.
pub struct EventContext<'a> {
    socket: &'a Socket,
    name: Cow<'a, str>,
    args: Raw<'a>,
    ack: Option<Ack>,
}

impl<'a> EventContext<'a> {
    pub(crate) fn new(
        socket: &'a Socket,
        name: Cow<'a, str>,
        args: Raw<'a>,
        ack: Option<Ack>,
    ) -> Self {
        Self {
            socket,
            name,
            args,
            ack,
        }
    }

    /// What the handler has not taken for itself.
    pub(crate) fn into_ack(self) -> Option<Ack> {
        self.ack
    }
}

/// A client that wants to join a namespace.
pub struct ConnectContext<'a> {
    socket: &'a Socket,
    auth: &'a str,
    handshake: &'a Rc<KeptHandshake>,
    recovered: bool,
}

impl<'a> ConnectContext<'a> {
    pub(crate) fn new(
        socket: &'a Socket,
        auth: &'a str,
        handshake: &'a Rc<KeptHandshake>,
        recovered: bool,
    ) -> Self {
        Self {
            socket,
            auth,
            handshake,
            recovered,
        }
    }
}

/// A socket that has gone.
pub struct DisconnectContext<'a> {
    socket: &'a Socket,
    reason: Reason,
}

impl<'a> DisconnectContext<'a> {
    pub(crate) fn new(socket: &'a Socket, reason: Reason) -> Self {
        Self { socket, reason }
    }
}

/// What every handler can take.
macro_rules! for_all_kinds {
    ($type:ty, $($parameter:ident: $bound:path,)? |$context:ident| $take:expr) => {
        for_all_kinds!(@ $type, ($($parameter: $bound)?), |$context| $take, OnEvent OnConnect OnDisconnect BeforeEvent);
    };
    (@ $type:ty, $parameters:tt, |$context:ident| $take:expr, $($kind:ident)*) => {
        $(for_all_kinds!(% $type, $parameters, |$context| $take, $kind);)*
    };
    (% $type:ty, ($($parameter:ident: $bound:path)?), |$context:ident| $take:expr, $kind:ident) => {
        impl $(<$parameter: $bound>)? Extract<$kind> for $type {
            fn extract(
                $context: &mut <$kind as super::handler::Kind>::Context<'_>,
            ) -> Result<Self, Rejection> {
                $take
            }
        }
    };
}

for_all_kinds!(Socket, |context| Ok(context.socket.clone()));
for_all_kinds!(Io, |context| Ok(context.socket.io()));
for_all_kinds!(Env, |context| Ok(context.socket.env().clone()));
for_all_kinds!(State<T>, T: Any, |context| context.socket.application().states.find());

impl Extract<OnEvent> for Ack {
    fn extract(context: &mut EventContext<'_>) -> Result<Self, Rejection> {
        Ok(context.ack.take().unwrap_or(Ack(None)))
    }
}

impl Extract<OnDisconnect> for Reason {
    fn extract(context: &mut DisconnectContext<'_>) -> Result<Self, Rejection> {
        Ok(context.reason)
    }
}

impl<T: DeserializeOwned> Extract<OnConnect> for Auth<T> {
    fn extract(context: &mut ConnectContext<'_>) -> Result<Self, Rejection> {
        let auth = serde_json::from_str(context.auth);
        auth.map(Self)
            .map_err(|error| Rejection::new(format_args!("auth: {error}")))
    }
}

impl Extract<OnConnect> for Handshake {
    fn extract(context: &mut ConnectContext<'_>) -> Result<Self, Rejection> {
        Ok(Self::from(&**context.handshake))
    }
}

impl Extract<OnConnect> for Recovered {
    fn extract(context: &mut ConnectContext<'_>) -> Result<Self, Rejection> {
        Ok(Self(context.recovered))
    }
}

macro_rules! for_events {
    ($($kind:ident)*) => {
        $(
            impl Extract<$kind> for EventName {
                fn extract(context: &mut EventContext<'_>) -> Result<Self, Rejection> {
                    Ok(Self(context.name.as_ref().into()))
                }
            }

            impl Extract<$kind> for Args {
                fn extract(context: &mut EventContext<'_>) -> Result<Self, Rejection> {
                    Ok(Self::new(context.args.clone().into_owned(), true))
                }
            }

            tuple_of_args!($kind, A);
            tuple_of_args!($kind, A B);
            tuple_of_args!($kind, A B C);
            tuple_of_args!($kind, A B C D);
            tuple_of_args!($kind, A B C D E);
            tuple_of_args!($kind, A B C D E F);
            tuple_of_args!($kind, A B C D E F G);
            tuple_of_args!($kind, A B C D E F G H);
        )*
    };
}

macro_rules! tuple_of_args {
    ($kind:ident, $($item:ident)+) => {
        impl<$($item: DeserializeOwned),+> Extract<$kind> for ($($item,)+) {
            fn extract(context: &mut EventContext<'_>) -> Result<Self, Rejection> {
                Ok(Self::from_args(&context.args, true)?)
            }
        }
    };
}

for_events!(OnEvent BeforeEvent);

/// What a client says of itself when it joins a namespace: its `auth`.
///
/// Clients of protocol 4 have none; theirs is the query of the namespace that
/// they ask for. Who says nothing has an empty object. What is no `T` refuses the
/// client.
///
/// ```
/// use dormouse::{Auth, Refusal, Server, Socket};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Login {
///     token: String,
/// }
///
/// let server = Server::new().namespace("/", |namespace| {
///     namespace.on_connect(async |_socket: Socket, Auth(login): Auth<Login>| {
///         match &*login.token {
///             "secret" => Ok(()),
///             _ => Err(Refusal::new("not authorized")),
///         }
///     })
/// });
/// # let _ = server;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth<T>(pub T);

/// Whether a client that joins a namespace has come back in time: see
/// [`Recovery`](crate::Recovery).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered(pub bool);

/// The name of the event that a handler is called for.
///
/// ```
/// use dormouse::{Args, EventName, Server, Socket};
///
/// let server = Server::new().namespace("/", |namespace| {
///     namespace.on_fallback(async |socket: Socket, event: EventName, args: Args| {
///         socket.broadcast().emit(&event, args).await
///     })
/// });
/// # let _ = server;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventName(pub String);

impl Deref for EventName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// A value that was given to [`Server::state`](crate::Server::state). It is in
/// the memory of one instance of the Worker: it does not outlive sleep, and there
/// may be several of it.
///
/// ```
/// use dormouse::{Server, Socket, State};
///
/// struct Greeting(&'static str);
///
/// let server = Server::new().state(Greeting("hello")).namespace("/", |namespace| {
///     namespace.on("greet", async |greeting: State<Greeting>| greeting.0.0)
/// });
/// # let _ = server;
/// ```
#[derive(Debug)]
pub struct State<T>(pub Rc<T>);

impl<T> Clone for State<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// The values that an application keeps at hand, one of each type.
#[derive(Default)]
pub(crate) struct States(Vec<(TypeId, Rc<dyn Any>)>);

impl States {
    pub(crate) fn insert<T: Any>(&mut self, value: T) {
        self.0.retain(|(id, _)| *id != TypeId::of::<T>());
        self.0.push((TypeId::of::<T>(), Rc::new(value)));
    }

    pub(crate) fn find<T: Any>(&self) -> Result<State<T>, Rejection> {
        let of_type = |(id, _): &&(TypeId, _)| *id == TypeId::of::<T>();
        let value = self.0.iter().find(of_type).map(|(_, value)| value.clone());
        let value = value.and_then(|value| value.downcast().ok());
        value.map(State).ok_or_else(|| {
            let name = type_name::<T>();
            Rejection::new(format_args!(
                "the server has no state of type {name}; give it one by Server::state"
            ))
        })
    }
}

/// The acknowledgement of an event, for a handler that wants to send it itself:
/// earlier than it returns, or later.
///
/// The value that such a handler returns is not sent. Where the client waits for
/// no acknowledgement, nothing is.
///
/// ```
/// use dormouse::{Ack, Server, Socket};
///
/// let server = Server::new().namespace("/", |namespace| {
///     namespace.on("order", async |socket: Socket, ack: Ack, (dish,): (String,)| {
///         ack.send("in the oven").await.ok();
///         // … some time later …
///         socket.emit("served", dish).await
///     })
/// });
/// # let _ = server;
/// ```
#[derive(Clone, Debug)]
pub struct Ack(Option<Asked>);

#[derive(Clone, Debug)]
struct Asked {
    socket: Socket,
    id: u64,
}

impl Ack {
    pub(crate) fn new(socket: &Socket, id: u64) -> Self {
        Self(Some(Asked {
            socket: socket.clone(),
            id,
        }))
    }

    /// Whether the client waits for one.
    pub fn is_expected(&self) -> bool {
        self.0.is_some()
    }

    /// Sends it. As with events, a tuple is several values.
    ///
    /// # Errors
    ///
    /// [`EmitError::Gone`] if the socket is disconnected, [`EmitError::Json`] if
    /// the values cannot be written as JSON.
    pub async fn send(self, values: impl Arguments) -> Result<(), EmitError> {
        let values = values.encode(None).map_err(EmitError::Json)?;
        if self.send_encoded(values) {
            Ok(())
        } else {
            Err(EmitError::Gone)
        }
    }

    pub(crate) fn send_encoded(self, values: Raw<'_>) -> bool {
        self.0
            .is_none_or(|Asked { socket, id }| socket.acknowledge(id, values))
    }
}

/// A client may not join a namespace: what it is told.
///
/// ```
/// use dormouse::Refusal;
///
/// let refusal = Refusal::new("too many players").data(&["retry", "later"]);
/// # let _ = refusal;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub(crate) message: String,
    /// As JSON.
    pub(crate) data: Option<String>,
}

impl Refusal {
    /// A refusal in these words: the `message` of the client's error.
    pub fn new(message: impl core::fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            data: None,
        }
    }

    /// With more on it: the `data` of the client's error. Clients of protocol 4
    /// are told this in place of the message.
    pub fn data(mut self, data: &impl serde::Serialize) -> Self {
        self.data = serde_json::to_string(data).ok();
        self
    }
}

impl From<&str> for Refusal {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self::new(rejection)
    }
}

impl From<EmitError> for Refusal {
    fn from(error: EmitError) -> Self {
        Self::new(error)
    }
}

/// A socket whose client has not come back in time.
pub struct ExpireContext {
    port: Rc<dyn LocalPort>,
    application: Rc<Application>,
    expired: Expired,
}

impl ExpireContext {
    pub(crate) fn new(
        port: Rc<dyn LocalPort>,
        application: Rc<Application>,
        stored: StoredSocket,
    ) -> Self {
        Self {
            port,
            application,
            expired: Expired { stored },
        }
    }
}

/// A socket that was cut off, and whose client has not come back in time: see
/// [`Namespace::on_expired`](crate::Namespace::on_expired).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    stored: StoredSocket,
}

impl Expired {
    /// The socket's id.
    pub fn id(&self) -> &str {
        &self.stored.id
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.stored.namespace
    }

    /// The rooms it was in, by name.
    pub fn rooms(&self) -> impl Iterator<Item = &str> {
        self.stored.rooms.iter().map(String::as_str)
    }

    /// What the application kept of it.
    ///
    /// # Errors
    ///
    /// What was kept is no `T`.
    pub fn data<T: DeserializeOwned>(&self) -> Result<Option<T>, SessionError> {
        let data = self.stored.data.as_deref();
        data.map(|json| serde_json::from_str(json).map_err(SessionError::Json))
            .transpose()
    }
}

impl Extract<OnExpired> for Expired {
    fn extract(context: &mut ExpireContext) -> Result<Self, Rejection> {
        Ok(context.expired.clone())
    }
}

impl Extract<OnExpired> for Io {
    fn extract(context: &mut ExpireContext) -> Result<Self, Rejection> {
        let namespace: Rc<str> = context.expired.namespace().into();
        let (port, application) = (context.port.clone(), context.application.clone());
        Ok(Self::local(port, application, &namespace))
    }
}

impl Extract<OnExpired> for Env {
    fn extract(context: &mut ExpireContext) -> Result<Self, Rejection> {
        Ok(context.port.env().clone())
    }
}

impl<T: Any> Extract<OnExpired> for State<T> {
    fn extract(context: &mut ExpireContext) -> Result<Self, Rejection> {
        context.application.states.find()
    }
}
