//! Engine.IO alone: messages to and from clients, without events or rooms.
//!
//! [`Engine`] is a server: its handlers and its options. Handlers talk to a
//! [`Client`]; [`Clients`] reaches any client from anywhere in the Worker.

use core::any::Any;
use core::fmt;
use core::future::Future;
use core::time::Duration;
use std::rc::Rc;

use serde::Serialize;

pub use dormouse_proto::engine::{Data, Reason, Revision, Transport};
pub use dormouse_proto::rate::{Limit, Scope};

pub use crate::api::alarm::{Alarm, AlarmError, When};
pub use crate::api::client::{Client, Clients, MAX_SESSION, SendError, SessionError};
pub use crate::api::error::{HandlerError, Rejection};
pub use crate::api::task::SpawnError;
pub use crate::log::{Level, LogRecord};
pub use crate::options::{
    AnswerHeaders, ConfigError, Cookie, OnOverrun, Origins, Overrun, RateLimit,
};
pub use crate::placement::Placement;
pub use crate::request::Handshake;
pub use crate::sid::Sid;
pub use crate::usage::Usage;

use crate::api::endpoint::{AdmitFn, Endpoint, Handlers};
use crate::api::error::{Failure, failure};
use crate::api::handler::{
    Handler, OnAdmit, OnClose, OnEngineAlarm, OnEngineUsage, OnMessage, OnOpen,
};
use crate::api::usage::Tell;
use crate::api::{AlarmHandlers, HandlerFn, States, erase};
use crate::http;
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

/// An Engine.IO server: its handlers and its options.
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
    pub(super) admit: Option<AdmitFn>,
    pub(super) handlers: EngineHandlers,
    /// Has handlers traced, if they are to be.
    pub(super) trace: Option<fn(&mut Engine)>,
}

/// The handlers that the application has registered.
#[derive(Default)]
pub(crate) struct EngineHandlers {
    pub(crate) on_connect: Option<HandlerFn<OnOpen>>,
    pub(crate) on_message: Option<HandlerFn<OnMessage>>,
    pub(crate) on_disconnect: Option<HandlerFn<OnClose>>,
    pub(crate) on_usage: Option<Tell<OnEngineUsage, Endpoint>>,
    pub(crate) alarms: AlarmHandlers<OnEngineAlarm>,
    pub(crate) states: States,
    /// The method of a handler that was given twice.
    duplicate: Option<&'static str>,
}

impl EngineHandlers {
    pub(crate) fn check(&self, options: &Options) -> Result<(), ConfigError> {
        match self.duplicate {
            Some(method) => Err(ConfigError {
                endpoint: options.path.clone(),
                option: method,
                remedy: "it has two handlers; make one of them".to_owned(),
            }),
            None if options.placement.many().is_some() => Err(ConfigError {
                endpoint: options.path.clone(),
                option: "placement",
                remedy: "Placement::spread makes many objects one Socket.IO server, and there is \
                         nothing that Engine.IO would share: use Placement::Shards"
                    .to_owned(),
            }),
            None => self.alarms.check(options),
        }
    }

    pub(super) fn set<H>(
        &mut self,
        method: &'static str,
        place: fn(&mut Self) -> &mut Option<H>,
        handler: H,
    ) {
        if place(self).replace(handler).is_some() {
            self.duplicate = Some(method);
        }
    }
}

/// Handlers.
///
/// Handlers are functions, async or not, whose argument types say what they want to
/// know, in any order: the [`Client`], the [`Message`], the [`Handshake`], the
/// [`Reason`], the Worker's `Env`, [`State`](crate::State), and
/// [extractors](crate::handler::Extract) of the application's own. They return `()`
/// or a `Result`: see [`Verdict`](crate::handler::Verdict). An error is logged with
/// the sid; apart from a client that is refused, it has no other consequence.
///
/// A handler that panics loses its event, while every session and every request goes
/// on. But the panic ends the WebAssembly instance, and with it all handlers and
/// [tasks](Client::spawn) in the same instance, of whatever client, that are waiting
/// for something at that moment. So return an error where you can.
impl Engine {
    /// Creates a server with the default options and no handlers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Provides a value that handlers can take: see [`State`](crate::State).
    ///
    /// ```
    /// use dormouse::State;
    /// use dormouse::engine::{Client, Engine};
    ///
    /// struct Greeting(&'static str);
    ///
    /// let server = Engine::new()
    ///     .state(Greeting("hello"))
    ///     .on_connect(async |State(greeting): State<Greeting>, client: Client| {
    ///         client.send(greeting.0).await
    ///     });
    /// # let _ = server;
    /// ```
    pub fn state<T: Any>(mut self, value: T) -> Self {
        self.handlers.states.insert(value);
        self
    }

    /// Registers the handler for a client that connects. The client waits until the
    /// handler returns; what the handler sends arrives right behind the handshake.
    /// An error refuses the client: see [`Refusal`]. If the handler panics, or takes
    /// more than 30 s, the client is refused with 401.
    ///
    /// ```
    /// use dormouse::engine::{Client, Engine, Handshake, Refusal};
    ///
    /// let server = Engine::new().on_connect(async |client: Client, handshake: Handshake| {
    ///     match handshake.query("name") {
    ///         Some(name) => Ok(client.send(format!("welcome, {name}")).await?),
    ///         None => Err(Refusal::new("who are you?")),
    ///     }
    /// });
    /// # let _ = server;
    /// ```
    pub fn on_connect<S>(mut self, handler: impl Handler<OnOpen, S>) -> Self {
        self.handlers
            .set("on_connect", |it| &mut it.on_connect, erase(handler));
        self
    }

    /// Registers the handler for a message. The messages of one client arrive in
    /// order. While a handler waits for something, the next message's handler
    /// begins, unless [`in_order`](Self::in_order) is set. A client with more than
    /// 1,000 messages, or 16 MiB of them, whose handlers have not returned is
    /// disconnected.
    pub fn on_message<S>(mut self, handler: impl Handler<OnMessage, S>) -> Self {
        self.handlers
            .set("on_message", |it| &mut it.on_message, erase(handler));
        self
    }

    /// Registers the handler for a client that has gone. Its user session can still
    /// be read; what is sent to it is lost. Handlers of its messages that are
    /// waiting for something may return later than this one, unless
    /// [`in_order`](Self::in_order) is set.
    ///
    /// It is called once for each client that [`on_connect`](Self::on_connect) has
    /// let in, except for those that the platform cuts off without telling anyone,
    /// as in a deploy.
    pub fn on_disconnect<S>(mut self, handler: impl Handler<OnClose, S>) -> Self {
        self.handlers
            .set("on_disconnect", |it| &mut it.on_disconnect, erase(handler));
        self
    }
}

/// Options, with the defaults that users of other servers know.
impl Engine {
    option_methods!(
        path: "`/engine.io/`",
        placement: "one of 8",
        spawn: "Client::spawn",
        usage: "engine::Clients::usage",
    );

    /// Sets whether a client's next message waits until the handler of the previous
    /// one has returned. Default: `false`, handlers run concurrently. A client with
    /// more than 1,000 messages, or 16 MiB of them, waiting is disconnected.
    pub fn in_order(mut self, in_order: bool) -> Self {
        self.options.in_order = in_order;
        self
    }
}

impl From<Engine> for Endpoint {
    fn from(mut engine: Engine) -> Self {
        if let Some(trace) = engine.trace {
            trace(&mut engine);
        }
        Self {
            options: engine.options.complete(),
            admit: engine.admit,
            handlers: Handlers::Engine(Rc::new(engine.handlers)),
            service: None,
            pages: None,
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

/// The application does not let a client in.
///
/// The client gets an HTTP error, via polling and over WebSocket alike: status 401
/// with the message as JSON, unless another status or other data is set.
///
/// An error that became a refusal by `?` is for the log: the client is told
/// `"internal error"`. The status is still 401, because what the client sent may be
/// what made the handler fail.
///
/// ```
/// use dormouse::engine::Refusal;
///
/// let refusal = Refusal::new("who are you?");
/// # let _ = refusal;
/// let refusal = Refusal::new("full").data(&["the house is full"]).status(503);
/// # let _ = refusal;
/// ```
///
/// It does not implement [`Error`](core::error::Error), because any `Error` can
/// become one.
#[derive(Debug)]
pub struct Refusal {
    pub(crate) failure: Failure,
    status: Option<u16>,
}

failure!(Refusal);

impl Refusal {
    /// Creates a refusal with a message, which is the body of the answer as a JSON
    /// string.
    pub fn new(message: impl fmt::Display) -> Self {
        Failure::new(&message).into()
    }

    /// Replaces the body of the answer by a value, written as JSON. A value that
    /// cannot be written makes the refusal an internal error.
    pub fn data(self, data: &impl Serialize) -> Self {
        Self {
            failure: self.failure.with_data(data),
            ..self
        }
    }

    /// Replaces the status. It is clamped to 400–599.
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status.clamp(400, 599));
        self
    }

    pub(crate) fn status_code(&self) -> u16 {
        self.status.unwrap_or(401)
    }

    /// Returns the answer to the client's handshake.
    pub(crate) fn reply(&self) -> http::Reply {
        http::Reply::new(self.status_code(), http::JSON, self.body())
    }

    /// Returns the body, as JSON.
    pub(crate) fn body(&self) -> String {
        match self.failure.data() {
            Some(data) => data.to_owned(),
            // A string can always be written.
            None => serde_json::to_string(self.message()).unwrap_or_else(|_| "null".to_owned()),
        }
    }
}

/// Returns a refusal with the message "Unauthorized" and status 401.
impl Default for Refusal {
    fn default() -> Self {
        Self::new("Unauthorized")
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            status: None,
        }
    }
}

impl From<HandlerError> for Refusal {
    fn from(error: HandlerError) -> Self {
        error.failure.into()
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        rejection.failure.into()
    }
}

/// Waits for this long. Meanwhile the object stays awake, and is billed for it: to
/// wait for more than a moment, let the client or an [alarm](Engine::on_alarm) wake the
/// object.
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
    use std::collections::BTreeMap;

    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn check(refusal: Refusal, status: u16, body: &str) {
        assert_eq!((refusal.status_code(), &*refusal.body()), (status, body));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_handler_that_is_given_twice_is_an_error() {
        let once = || {
            let engine = Engine::new().on_connect(|| ()).on_message(|| ());
            engine.on_disconnect(|| ())
        };
        for (engine, expect) in [
            (once(), None),
            (once().on_connect(|| ()), Some("on_connect")),
            (once().on_message(|| ()), Some("on_message")),
            (once().on_disconnect(|| ()), Some("on_disconnect")),
            (once().on_usage(|| ()), None),
            (once().on_usage(|| ()).on_usage(|| ()), Some("on_usage")),
        ] {
            let error = engine.handlers.check(&engine.options).err();
            assert_eq!(error.map(|error| error.option), expect);
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_refusal_is_json_with_401() {
        check(Refusal::default(), 401, r#""Unauthorized""#);
        check(Refusal::new("no \"one\""), 401, r#""no \"one\"""#);
        let refusal = Refusal::new("full").data(&["full", "€"]);
        check(refusal, 401, r#"["full","€"]"#);
        check(Refusal::new("no").data(&None::<()>), 401, "null");
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn an_internal_error_says_nothing() {
        check(
            Refusal::from(SendError::Unknown),
            401,
            r#""internal error""#,
        );
        let keys = BTreeMap::from([(vec![1], 2)]);
        let refusal = Refusal::new("no").data(&keys);
        assert_eq!(refusal.failure.to_log(), "key must be a string");
        check(refusal, 401, r#""internal error""#);
        let refusal = Refusal::from(SendError::Unknown).status(503).data(&1);
        check(refusal, 503, r#""internal error""#);
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
            check(Refusal::new("no").status(status), expect, r#""no""#);
        }
    }
}
