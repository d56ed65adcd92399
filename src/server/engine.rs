//! Engine.IO alone: messages to and from clients, without events or rooms.
//!
//! [`Engine`] is a server: its handlers and its options. Handlers talk to a
//! [`Client`]; [`Clients`] reaches any client from anywhere in the Worker.

use core::fmt;
use core::future::Future;
use core::time::Duration;
use std::rc::Rc;

use futures::future::LocalBoxFuture;
use serde::Serialize;

pub use dormouse_proto::engine::{Data, Reason, Revision, Transport};

pub use crate::client::{Client, Clients, MAX_SESSION, SendError, SessionError};
pub use crate::log::Level;
pub use crate::options::{ConfigError, Cookie, Origins};
pub use crate::placement::Placement;
pub use crate::request::Handshake;
pub use crate::sid::Sid;

use crate::endpoint::{Admit, Application, Endpoint};
use crate::options::{Options, option_methods};

/// A message from a client: text or bytes.
///
/// ```
/// use dormouse::engine::Message;
///
/// fn describe(message: &Message) -> String {
///     match message {
///         Message::Text(text) => format!("the text {text:?}"),
///         Message::Binary(bytes) => format!("{} bytes", bytes.len()),
///     }
/// }
/// # assert_eq!(describe(&Message::from("hello")), "the text \"hello\"");
/// ```
pub type Message = Data<'static>;

/// An Engine.IO server: what the application does with its clients, and how.
///
/// ```
/// use dormouse::engine::{Client, Engine, Message};
///
/// let echo = Engine::new().on_message(async |client: Client, message: Message| {
///     client.send(message).await
/// });
/// # let _ = echo;
/// ```
#[derive(Default)]
pub struct Engine {
    pub(crate) options: Options,
    admit: Option<Admit>,
    handlers: Handlers,
}

/// What the application does with its clients.
#[derive(Default)]
pub(crate) struct Handlers {
    pub(crate) on_connect: Option<OnConnect>,
    pub(crate) on_message: Option<OnMessage>,
    pub(crate) on_disconnect: Option<OnDisconnect>,
}

type OnConnect = Rc<dyn Fn(Client, Handshake) -> LocalBoxFuture<'static, Result<(), Refused>>>;
type OnMessage = Rc<dyn Fn(Client, Message) -> LocalBoxFuture<'static, Result<(), HandlerError>>>;
type OnDisconnect = Rc<dyn Fn(Client, Reason) -> LocalBoxFuture<'static, Result<(), HandlerError>>>;

/// What the application does.
///
/// Handlers are async functions or closures that return `()` or a `Result`. A
/// handler that returns an error loses its own event: it is logged with the sid,
/// and nothing else comes of it.
///
/// A handler that panics loses its event in the same way, and every session and
/// every request goes on. But the panic ends the WebAssembly instance, and with
/// it those handlers and [tasks](Client::spawn) of the same instance, of whatever
/// client, that are waiting for something at that moment. So return an error
/// where you can.
impl Engine {
    /// A server with the usual options that does nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decides, in the stateless Worker and before any object is woken, whether
    /// a client may try to connect. An error refuses it with 403 and the
    /// protocol's code 4; its text is the message, `Forbidden` if it is empty.
    ///
    /// It cannot wait for anything; [`on_connect`](Self::on_connect) can.
    ///
    /// ```
    /// use dormouse::engine::{Engine, Handshake};
    ///
    /// let server = Engine::new().admit(|handshake: &Handshake| {
    ///     match handshake.header("authorization") {
    ///         Some(_) => Ok(()),
    ///         None => Err("no token".to_owned()),
    ///     }
    /// });
    /// # let _ = server;
    /// ```
    pub fn admit(mut self, admit: impl Fn(&Handshake) -> Result<(), String> + 'static) -> Self {
        self.admit = Some(Rc::new(admit));
        self
    }

    /// What to do when a client connects, before it is told that it is
    /// connected: until this returns, the client waits. What is sent here arrives
    /// right behind the handshake. An error refuses the client: see [`Refused`].
    /// If this panics, or takes more than 30 s, the client is refused with 401.
    ///
    /// ```
    /// use dormouse::engine::{Client, Engine, Handshake, Refused};
    ///
    /// let server = Engine::new().on_connect(async |client: Client, handshake: Handshake| {
    ///     let name = handshake.query("name").ok_or("who are you?")?;
    ///     client.send(format!("welcome, {name}")).await.ok();
    ///     Ok::<(), Refused>(())
    /// });
    /// # let _ = server;
    /// ```
    pub fn on_connect<F, R>(mut self, handler: F) -> Self
    where
        F: AsyncFn(Client, Handshake) -> R + 'static,
        R: ConnectOutcome,
    {
        let handler = Rc::new(handler);
        self.handlers.on_connect = Some(Rc::new(move |client, handshake| {
            let handler = handler.clone();
            Box::pin(async move { handler(client, handshake).await.into_result() })
        }));
        self
    }

    /// What to do with a message. Messages of one client arrive in order; while a
    /// handler waits for something, that of the next message begins, unless
    /// [`in_order`](Self::in_order) is set. A client of which more than 1,000
    /// handlers are waiting is disconnected.
    pub fn on_message<F, R>(mut self, handler: F) -> Self
    where
        F: AsyncFn(Client, Message) -> R + 'static,
        R: Outcome,
    {
        let handler = Rc::new(handler);
        self.handlers.on_message = Some(Rc::new(move |client, message| {
            let handler = handler.clone();
            Box::pin(async move { handler(client, message).await.into_result() })
        }));
        self
    }

    /// What to do when a client has gone. Its user session can still be read;
    /// what is sent to it is lost. Handlers of its messages that are waiting for
    /// something may return later than this, unless [`in_order`](Self::in_order)
    /// is set.
    ///
    /// It is called once for each client that [`on_connect`](Self::on_connect) has
    /// let in, but for those that the platform cuts off without telling anyone, as
    /// it does in a deploy.
    pub fn on_disconnect<F, R>(mut self, handler: F) -> Self
    where
        F: AsyncFn(Client, Reason) -> R + 'static,
        R: Outcome,
    {
        let handler = Rc::new(handler);
        self.handlers.on_disconnect = Some(Rc::new(move |client, reason| {
            let handler = handler.clone();
            Box::pin(async move { handler(client, reason).await.into_result() })
        }));
        self
    }
}

/// The options, with the defaults that users of other servers know.
impl Engine {
    option_methods!();

    /// The path that clients connect to: this very path, and nothing below it.
    /// Default: `/engine.io/`. With or without the last slash is the same.
    pub fn path(mut self, path: &str) -> Self {
        self.options.path = format!("{}/", path.trim_end_matches('/'));
        self
    }

    /// Whether a client's next message waits until the handler of the one
    /// before has returned. Default: `false`, handlers run concurrently. A client
    /// of which more than 1,000 messages wait is disconnected.
    pub fn in_order(mut self, in_order: bool) -> Self {
        self.options.in_order = in_order;
        self
    }

    /// How long a task started with [`Client::spawn`] may take before it is
    /// dropped, with a line in the log. Default: 60 s. A task keeps its object
    /// awake, which costs money: this bounds what a forgotten one can cost.
    pub fn task_limit(mut self, limit: Duration) -> Self {
        self.options.task_limit = limit;
        self
    }

    /// Which Durable Object a session is put into. Default: one of 8.
    pub fn placement(mut self, placement: Placement) -> Self {
        self.options.placement = placement;
        self
    }
}

impl From<Engine> for Endpoint {
    fn from(engine: Engine) -> Self {
        Self {
            options: Rc::new(engine.options),
            admit: engine.admit,
            application: Application::Engine(Rc::new(engine.handlers)),
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Why a handler failed, for the log.
#[derive(Debug)]
pub struct HandlerError(pub(crate) String);

/// What a handler may return: nothing, or a `Result` whose error can be shown.
pub trait Outcome {
    /// The error, if it is one, in words for the log.
    #[doc(hidden)]
    fn into_result(self) -> Result<(), HandlerError>;
}

impl Outcome for () {
    fn into_result(self) -> Result<(), HandlerError> {
        Ok(())
    }
}

impl<E: fmt::Display> Outcome for Result<(), E> {
    fn into_result(self) -> Result<(), HandlerError> {
        self.map_err(|error| HandlerError(error.to_string()))
    }
}

/// What [`Engine::on_connect`] may return: nothing, or a `Result` whose error
/// becomes a [`Refused`].
pub trait ConnectOutcome {
    /// The refusal, if it is one.
    #[doc(hidden)]
    fn into_result(self) -> Result<(), Refused>;
}

impl ConnectOutcome for () {
    fn into_result(self) -> Result<(), Refused> {
        Ok(())
    }
}

impl<E: Into<Refused>> ConnectOutcome for Result<(), E> {
    fn into_result(self) -> Result<(), Refused> {
        self.map_err(Into::into)
    }
}

/// The application does not want this client.
///
/// The client gets an HTTP error, by polling and by WebSocket alike: status 401
/// with the data as JSON, unless another status is chosen.
///
/// ```
/// use dormouse::engine::Refused;
///
/// let refused = Refused::new(&["the house is full"]).status(503);
/// # let _ = refused;
/// let refused = Refused::from("who are you?");
/// # let _ = refused;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Refused {
    /// A refusal with status 401 and `data` as the JSON body.
    pub fn new(data: &impl Serialize) -> Self {
        let body = serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned());
        Self { status: 401, body }
    }

    /// The same with another status, from 400 to 599.
    pub fn status(mut self, status: u16) -> Self {
        self.status = status.clamp(400, 599);
        self
    }
}

impl Default for Refused {
    fn default() -> Self {
        Self::new(&"Unauthorized")
    }
}

impl From<&str> for Refused {
    fn from(data: &str) -> Self {
        Self::new(&data)
    }
}

impl From<String> for Refused {
    fn from(data: String) -> Self {
        Self::new(&data)
    }
}

impl From<()> for Refused {
    fn from((): ()) -> Self {
        Self::default()
    }
}

/// Waits. While it does, the object stays awake, and is paid for: for more than
/// a moment, let the client or an alarm of your own wake you.
///
/// ```no_run
/// # async fn example(client: dormouse::engine::Client) {
/// use core::time::Duration;
///
/// dormouse::engine::sleep(Duration::from_millis(200)).await;
/// client.send("sorry to keep you waiting").await.ok();
/// # }
/// ```
pub fn sleep(duration: Duration) -> impl Future<Output = ()> {
    crate::platform::sleep(duration)
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn check(refused: Refused, status: u16, body: &str) {
        assert_eq!((refused.status, &*refused.body), (status, body));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_refusal_is_json_with_401() {
        check(Refused::default(), 401, r#""Unauthorized""#);
        check(Refused::from(()), 401, r#""Unauthorized""#);
        check(Refused::from("no \"one\""), 401, r#""no \"one\"""#);
        check(Refused::from("no".to_owned()), 401, r#""no""#);
        check(Refused::new(&["full", "€"]), 401, r#"["full","€"]"#);
        check(Refused::new(&None::<()>), 401, "null");
        // What cannot be JSON.
        check(
            Refused::new(
                &[(vec![1], 2)]
                    .into_iter()
                    .collect::<std::collections::BTreeMap<_, _>>(),
            ),
            401,
            "null",
        );
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_refusal_has_the_status_of_an_error() {
        for (status, expect) in [
            (0, 400),
            (200, 400),
            (399, 400),
            (400, 400),
            (401, 401),
            (503, 503),
            (599, 599),
            (600, 599),
            (u16::MAX, 599),
        ] {
            check(Refused::from("no").status(status), expect, r#""no""#);
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn handlers_return_nothing_or_a_result() {
        let message = |result: Result<(), HandlerError>| result.map_err(|error| error.0);
        assert_eq!(message(Outcome::into_result(())), Ok(()));
        assert_eq!(message(Outcome::into_result(Ok::<(), String>(()))), Ok(()));
        let error = Err::<(), _>(SendError::Unknown);
        assert_eq!(
            message(Outcome::into_result(error)),
            Err("no such client".to_owned())
        );
        assert_eq!(ConnectOutcome::into_result(()), Ok(()));
        assert_eq!(ConnectOutcome::into_result(Ok::<(), &str>(())), Ok(()));
        let error = Err::<(), _>("no");
        assert_eq!(ConnectOutcome::into_result(error), Err(Refused::from("no")));
    }
}
