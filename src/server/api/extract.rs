//! The types that handlers can take as arguments.

use core::any::{Any, TypeId, type_name};
use core::ops::Deref;
use std::rc::Rc;

use dormouse_proto::engine;
use dormouse_proto::socket::Reason;
use dormouse_proto::socket::recovery::StoredSocket;
use serde::de::DeserializeOwned;
use worker::Env;

use super::handler::{
    Context, Kind, OfAck, OfAlarm, OfClient, OfClients, OfClose, OfConnect, OfDisconnect, OfEvent,
    OfExpired, OfHandshake, OfJoinRequest, OfMessage, OfNamespace, OfSocket, OfUsage,
};
use super::{Ack, Alarm, Args, Io, JoinRequest, Socket};
use crate::api::client::SessionError;
use crate::api::data;
use crate::api::engine::{Client, Clients, Handshake, Message};
use crate::api::error::Rejection;
use crate::usage::Usage;

/// A type that handlers of kind `K` can take as an argument.
///
/// Applications can write extractors of their own, for what many handlers need or
/// require.
///
/// ```
/// use dormouse::handler::{Context, Extract, OfSocket, OnConnect};
/// use dormouse::{Rejection, Server, Socket};
/// use serde::{Deserialize, Serialize};
///
/// /// A client that has logged in.
/// #[derive(Deserialize, Serialize)]
/// struct User {
///     name: String,
/// }
///
/// // For every handler that is called for a socket.
/// impl<K: OfSocket> Extract<K> for User {
///     fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
///         // An error here is logged, and the client is not told about it.
///         let user = context.socket().data()?;
///         // This is for the client.
///         user.ok_or_else(|| Rejection::new("log in first"))
///     }
/// }
///
/// /// The token in a client's header, while the client connects.
/// struct Token(String);
///
/// impl Extract<OnConnect> for Token {
///     fn extract(context: &mut Context<'_, OnConnect>) -> Result<Self, Rejection> {
///         let token = context.handshake().header("authorization");
///         token.map(Self).ok_or_else(|| Rejection::new("no token"))
///     }
/// }
///
/// let server = Server::new().namespace("/", |namespace| {
///     namespace
///         .on_connect(async |socket: Socket, Token(name): Token| socket.set_data(&User { name }))
///         .on("say", async |user: User, socket: Socket, (text,): (String,)| {
///             socket.broadcast().emit("said", (user.name, text)).await
///         })
/// });
/// # let _ = server;
/// ```
#[diagnostic::on_unimplemented(
    message = "a handler of kind `{K}` cannot take a `{Self}`",
    label = "`{Self}` is not an extractor",
    note = "the arguments of an event are taken as one tuple, whatever their number: \
            `(text,): (String,)` with a comma behind the only one, \
            `(room, text): (String, String)`",
    note = "an application's own type is an extractor if it implements `dormouse::handler::Extract`"
)]
pub trait Extract<K: Kind>: Sized {
    /// The number of times it takes what the client has sent. A handler can do so at
    /// most once.
    #[doc(hidden)]
    const PAYLOADS: usize = 0;

    /// Takes the value from what the handler is called with.
    ///
    /// # Errors
    ///
    /// The value is missing, or is something else. The handler is not called.
    fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection>;
}

/// A type that is not a reference. Nothing implements this trait.
#[diagnostic::on_unimplemented(
    message = "a handler takes its arguments by value, and not a `{Self}`",
    label = "this argument is a reference",
    note = "leave the `&` out: `Socket`, `Client` and `Io` are cheap handles"
)]
pub trait ByValue {}

impl<K: Kind, T: ?Sized> Extract<K> for &T
where
    Self: ByValue,
{
    fn extract(_context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        Err(Rejection::new("by value"))
    }
}

impl<K: Kind> Extract<K> for Env {
    fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        Ok(context.env().clone())
    }
}

impl<K: Kind, T: Any> Extract<K> for State<T> {
    fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        context.state()
    }
}

impl<K: OfSocket> Extract<K> for Socket {
    fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        Ok(context.socket().clone())
    }
}

impl<K: OfNamespace> Extract<K> for Io {
    fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        Ok(context.io())
    }
}

impl<K: OfUsage> Extract<K> for Usage {
    fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        Ok(*context.subject)
    }
}

impl<K: OfEvent> Extract<K> for EventName {
    fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        Ok(Self(context.event().to_owned()))
    }
}

impl<K: OfEvent> Extract<K> for Args {
    const PAYLOADS: usize = 1;

    fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        Ok(context.args())
    }
}

macro_rules! tuple_of_args {
    ($($item:ident)+) => {
        impl<K: OfEvent, $($item: DeserializeOwned),+> Extract<K> for ($($item,)+) {
            const PAYLOADS: usize = 1;

            fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
                context.parse()
            }
        }
    };
}

tuple_of_args!(A);
tuple_of_args!(A B);
tuple_of_args!(A B C);
tuple_of_args!(A B C D);
tuple_of_args!(A B C D E);
tuple_of_args!(A B C D E F);
tuple_of_args!(A B C D E F G);
tuple_of_args!(A B C D E F G H);

impl<K: OfAck> Extract<K> for Ack {
    fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        Ok(context.take_ack())
    }
}

impl<K: OfConnect, T: DeserializeOwned> Extract<K> for Auth<T> {
    fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        context.auth().map(Self)
    }
}

impl<K: OfConnect> Extract<K> for Recovered {
    fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        Ok(Self(context.recovered()))
    }
}

impl<K: OfHandshake> Extract<K> for Handshake {
    fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        Ok(context.handshake())
    }
}

impl<K: OfJoinRequest> Extract<K> for JoinRequest {
    fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        Ok(context.join_request().clone())
    }
}

impl<K: OfDisconnect> Extract<K> for Reason {
    fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        Ok(context.detail)
    }
}

impl<K: OfExpired> Extract<K> for Expired {
    fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        Ok(context.expired().clone())
    }
}

impl<K: OfAlarm> Extract<K> for Alarm {
    fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        Ok(context.alarm().clone())
    }
}

impl<K: OfClients> Extract<K> for Clients {
    fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        Ok(context.clients())
    }
}

impl<K: OfClient> Extract<K> for Client {
    fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        Ok(context.client().clone())
    }
}

impl<K: OfMessage> Extract<K> for Message {
    const PAYLOADS: usize = 1;

    fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        let message = context.take_message();
        message.ok_or_else(|| Rejection::internal("an extractor has taken the message already"))
    }
}

impl<K: OfClose> Extract<K> for engine::Reason {
    fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        Ok(context.detail)
    }
}

/// The `auth` of a client that joins a namespace, read as a `T`.
///
/// Clients of protocol 4 have no `auth`: theirs is the query of the namespace that
/// they ask for, as an object of strings. A client that sends nothing has an empty
/// object. A client whose `auth` cannot be read as a `T` is refused.
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

/// Tells whether a client that joins a namespace has come back in time: see
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

/// A value that was given to [`Server::state`](crate::Server::state) or
/// [`Engine::state`](crate::engine::Engine::state). It is in the memory of one
/// instance of the Worker: it does not survive sleep, and several instances may have
/// one each.
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

/// The values that an application provides, at most one of each type.
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
            let remedy = "give it one with `state`";
            Rejection::internal(format!("the server has no state of type {name}; {remedy}"))
        })
    }
}

/// A socket that was cut off and whose client has not come back in time: see
/// [`Namespace::on_expired`](crate::Namespace::on_expired).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    stored: StoredSocket,
}

impl Expired {
    pub(crate) fn new(stored: StoredSocket) -> Self {
        Self { stored }
    }

    /// Returns the socket's id, which is not for other clients: see
    /// [`Socket::id`](crate::Socket::id).
    pub fn id(&self) -> &str {
        &self.stored.id
    }

    /// Returns the name of the socket's namespace.
    pub fn namespace(&self) -> &str {
        &self.stored.namespace
    }

    /// Returns the names of the rooms that the socket was in.
    pub fn rooms(&self) -> impl Iterator<Item = &str> {
        self.stored.rooms.iter().map(String::as_str)
    }

    /// Returns the data that the application had attached to the socket.
    ///
    /// # Errors
    ///
    /// The data cannot be read as a `T`.
    pub fn data<T: DeserializeOwned>(&self) -> Result<Option<T>, SessionError> {
        data::read(self.stored.data.as_deref())
    }
}
