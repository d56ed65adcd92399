//! Spans around handlers that are registered with a server: of handshakes, of namespaces, of
//! alarms, of events of other objects, of sockets that have expired, of what is billed, and of
//! Engine.IO alone. Those that sockets have are the layer's.
//!
//! Handlers are wrapped where an application asks for it, and only there: nobody else knows
//! that they can be.

use std::rc::Rc;

use super::Server;
use super::definition::{Definition, Matcher};
use super::encode::Replied;
use super::handler::{Call, Context, HandlerFn, Kind};
use super::usage::Tell;
use crate::api::engine::{self, Engine};
use crate::api::error::{Failure, HandlerError};
use crate::tracing::{self, Occasion, Span, TRACING, Work};

impl Server {
    /// Sets whether the platform traces what handlers do. Default: `false`, which costs
    /// nothing.
    ///
    /// There is a [span](https://developers.cloudflare.com/workers/observability/traces/custom-spans/)
    /// for each event that reaches a handler, for each socket that connects or disconnects,
    /// for each alarm, for each event of another object, for each task, and for each call of
    /// the server's other handlers: `admit`, `namespace_if`, `on_new_namespace`, `on_expired`
    /// and `on_usage`. It lasts until the handlers have returned, middlewares included, and
    /// what they ask of the platform is below it. Its attributes have the names of
    /// OpenTelemetry's conventions for messaging; `docs/observability.md` lists them.
    /// Nothing that clients write is in them, but for the names of namespaces, and of
    /// events that are registered by name.
    ///
    /// Traces have to be on in `wrangler.toml`: `[observability.traces]` with
    /// `enabled = true`. The runtime has to be one of September 2026 or later, and to have
    /// Node's modules, as it has with a `compatibility_date` from 2026-08-04 on, or
    /// `nodejs_compat` among the `compatibility_flags`. If not, nothing is traced, and the
    /// log says so once for each instance, `misconfigured`.
    ///
    /// ```
    /// use dormouse::{Server, Socket};
    /// use worker::Result;
    ///
    /// // Three spans, one below the other: of the message, `process /`, and two of the
    /// // platform's own.
    /// async fn count(socket: Socket) -> Result<u32> {
    ///     let count = socket.storage().get("count").await?.unwrap_or(0) + 1;
    ///     socket.storage().put("count", count).await?;
    ///     Ok(count)
    /// }
    ///
    /// let server = Server::new().tracing(true).namespace("/", |namespace| {
    ///     namespace.on("count", count)
    /// });
    /// # let _ = server;
    /// ```
    pub fn tracing(mut self, tracing: bool) -> Self {
        self.options.tracing = tracing.then_some(&TRACING);
        self.trace = tracing.then_some(of_server);
        self
    }
}

impl Engine {
    /// Sets whether the platform traces what handlers do. Default: `false`, which costs
    /// nothing.
    ///
    /// There is a span for each client that connects or disconnects, for each message, for
    /// each alarm, for each task, and for each call of `admit` and `on_usage`, where there is
    /// a handler. All else is as with [`Server::tracing`], which says what that needs.
    ///
    /// ```
    /// use dormouse::engine::{Client, Engine, Message};
    ///
    /// let server = Engine::new().tracing(true).on_message(async |client: Client, message: Message| {
    ///     client.send(message).await
    /// });
    /// # let _ = server;
    /// ```
    pub fn tracing(mut self, tracing: bool) -> Self {
        self.options.tracing = tracing.then_some(&TRACING);
        self.trace = tracing.then_some(of_engine);
        self
    }
}

fn of_server(server: &mut Server) {
    let path: Rc<str> = server.options.path.as_str().into();
    replace(&mut server.admit, |handler| {
        wrap(handler, move |_| {
            (TRACING.begin)(&path, Some(&path), Occasion::Admit)
        })
    });
    let application = &mut server.application;
    application.definitions.iter_mut().for_each(of_definition);
    replace(&mut application.on_new_namespace, |handler| {
        wrap(handler, |context| {
            let io = context.subject;
            let template = io.application().template_of(io.namespace());
            (TRACING.begin)(io.namespace(), template, Occasion::Open)
        })
    });
    replace(&mut application.on_usage, of_usage);
    application.alarms.wrap(of_alarm);
    application.server_events.wrap(|name, handler| {
        let name: Rc<str> = name.into();
        wrap(handler, move |context| {
            let io = context.subject;
            let template = io.application().template_of(io.namespace());
            (TRACING.begin)(io.namespace(), template, Occasion::ServerEvent(&name))
        })
    });
}

fn of_definition(definition: &mut Definition) {
    if let Matcher::Predicate(predicate) = &mut definition.matcher {
        // What clients ask for is not in the name.
        let traced = wrap(predicate.clone(), |context| {
            (TRACING.begin)(context.subject.namespace(), None, Occasion::Match)
        });
        *predicate = traced;
    }
    let name: Rc<str> = definition.name.as_str().into();
    // Nobody else has them yet.
    if let Some(handlers) = Rc::get_mut(&mut definition.handlers) {
        replace(&mut handlers.on_expired, |handler| {
            wrap(handler, move |context| {
                // A predicate's has no name.
                let template = Some(&*name).filter(|name| !name.is_empty());
                (TRACING.begin)(context.subject.namespace(), template, Occasion::Expire)
            })
        });
    }
}

fn of_engine(engine: &mut Engine) {
    let path: Rc<str> = engine.options.path.as_str().into();
    let own = path.clone();
    replace(&mut engine.admit, |handler| {
        wrap(handler, move |_| tracing::engine(&own, Occasion::Admit))
    });
    let handlers = &mut engine.handlers;
    replace(&mut handlers.on_usage, of_usage);
    handlers.alarms.wrap(of_alarm);
    let own = path.clone();
    replace(&mut handlers.on_connect, |handler| {
        wrap(handler, move |_| tracing::engine(&own, Occasion::Connect))
    });
    let own = path.clone();
    replace(&mut handlers.on_message, |handler| {
        wrap(handler, move |_| tracing::engine(&own, Occasion::Message))
    });
    replace(&mut handlers.on_disconnect, |handler| {
        wrap(handler, move |context| {
            tracing::engine(&path, Occasion::Disconnect(context.detail.as_str()))
        })
    });
}

fn replace<T>(place: &mut Option<T>, change: impl FnOnce(T) -> T) {
    *place = place.take().map(change);
}

fn of_alarm<K: Kind<Outcome = Result<(), HandlerError>>>(
    name: &str,
    handler: HandlerFn<K>,
) -> HandlerFn<K> {
    let name: Rc<str> = name.into();
    wrap(handler, move |_| tracing::work(Work::Alarm(&name)))
}

fn of_usage<K: Kind<Outcome = Result<(), HandlerError>>, S>(tell: Tell<K, S>) -> Tell<K, S> {
    Tell {
        handler: wrap(tell.handler, |_| tracing::work(Work::Usage)),
        call: tell.call,
    }
}

/// Has a handler run within a span.
fn wrap<K: Kind>(
    handler: HandlerFn<K>,
    begin: impl Fn(&Context<'_, K>) -> Option<Rc<dyn Span>> + 'static,
) -> HandlerFn<K>
where
    K::Outcome: Judged,
{
    Rc::new(move |context| {
        let Some(span) = begin(context) else {
            return handler(context);
        };
        let called = tracing::within(&*span, || handler(context));
        match called {
            Ok(Call::Done(outcome)) => {
                judge(&*span, &outcome);
                Ok(Call::Done(outcome))
            }
            Ok(Call::Later(future)) => Ok(Call::Later(tracing::follow(Some(span), future, judge))),
            Err(rejection) => {
                note(&*span, &rejection.failure);
                Err(rejection)
            }
        }
    })
}

/// What a handler has returned.
trait Judged {
    fn failure(&self) -> Option<&Failure>;

    /// Returns whether it is a no, and no failure.
    fn is_no(&self) -> bool {
        false
    }
}

impl Judged for Result<bool, HandlerError> {
    fn failure(&self) -> Option<&Failure> {
        self.as_ref().err().map(|error| &error.failure)
    }

    fn is_no(&self) -> bool {
        matches!(self, Ok(false))
    }
}

impl Judged for Result<(), HandlerError> {
    fn failure(&self) -> Option<&Failure> {
        self.as_ref().err().map(|error| &error.failure)
    }
}

impl Judged for Result<(), engine::Refusal> {
    fn failure(&self) -> Option<&Failure> {
        self.as_ref().err().map(|refusal| &refusal.failure)
    }
}

impl Judged for Replied {
    fn failure(&self) -> Option<&Failure> {
        self.failed.as_ref().map(|error| &error.failure)
    }
}

fn judge<T: Judged>(span: &dyn Span, outcome: &T) {
    if let Some(failure) = outcome.failure() {
        note(span, failure);
    }
    if outcome.is_no() {
        span.refuse();
    }
}

fn note(span: &dyn Span, failure: &Failure) {
    match failure.cause() {
        Some(_) => span.fail("handler failed"),
        None => span.refuse(),
    }
}
