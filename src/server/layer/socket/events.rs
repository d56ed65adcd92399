//! Events and acknowledgements that clients send.

use std::borrow::Cow;
use std::rc::Rc;

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{Data, Reason};
use dormouse_proto::socket::{Args, Incoming, Socket};

use super::clients::ClientEntry;
use super::context::Context;
use super::order;
use super::outputs::refuse_joins;
use super::spans::{self, Opened};
use super::watching;
use crate::api::error::{Failure, HandlerError, Rejection};
use crate::api::{
    self, Ack, BeforeFn, Call, CheckContext, EventContext, EventFn, NamespaceHandlers, Replied,
    Rewrite, RewriteContext,
};
use crate::log::Level;
use crate::parts::{self, Job, Parts};
use crate::port::watch::News;
use crate::port::{Address, Spot};
use crate::sid::Key;
use crate::tracing::Occasion;

/// An event on its way to the application.
pub(super) struct IncomingEvent<'a> {
    pub(super) address: Rc<Address>,
    /// The definition of its namespace.
    definition: u16,
    pub(super) ack: Option<u64>,
    name: Cow<'a, str>,
    pub(super) args: Args<'a>,
    /// The size of the message that brought it.
    bytes: usize,
}

impl IncomingEvent<'_> {
    pub(super) fn into_owned(self) -> IncomingEvent<'static> {
        IncomingEvent {
            name: self.name.into_owned().into(),
            args: self.args.into_owned(),
            ..self
        }
    }

    /// Returns the socket that it is for.
    pub(super) fn spot(&self) -> Spot {
        self.address.spot
    }
}

/// The outcome of reading a message.
enum Handled<'a> {
    /// Nothing for the application yet.
    Nothing,
    Event(IncomingEvent<'a>),
    Ack(Spot, u64, Args<'a>),
    /// The client sends faster than its handlers work.
    Overrun,
}

/// Handles a message from a session's client.
pub(super) fn handle_message(cx: &Context, key: Key, data: Data<'_>) {
    let (now, bytes) = (cx.parts.turn.now(), data.len());
    let handled = cx
        .clients
        .with(key, |client| read(client, key, now, data, bytes));
    match handled {
        Some(Handled::Event(event)) => handle_event(cx, event),
        Some(Handled::Ack(spot, id, args)) => cx.acks.handle_ack(spot, id, args),
        Some(Handled::Overrun) => parts::expel(&cx.parts, key, Reason::Overrun),
        Some(Handled::Nothing) => cx.run_outputs(key),
        None => {}
    }
}

/// Takes in a message that the application is not to hear of. The connection reads it
/// all the same, so that it knows which message is the next packet, and which
/// namespaces its client has left. To join one is refused.
pub(super) fn drop_message(cx: &Context, key: Key, data: Data<'_>) {
    let now = cx.parts.turn.now();
    cx.clients.with(key, |client| discard(client, now, data));
    refuse_joins(cx, key);
}

fn discard(client: &mut ClientEntry, now: Timestamp, data: Data<'_>) {
    client.connection.handle_message(now, data);
    client.is_dropping = client.connection.is_pending();
}

fn read<'a>(
    client: &mut ClientEntry,
    key: Key,
    now: Timestamp,
    data: Data<'a>,
    bytes: usize,
) -> Handled<'a> {
    if client.is_dropping {
        discard(client, now, data);
        return Handled::Nothing;
    }
    match client.connection.handle_message(now, data) {
        None => Handled::Nothing,
        Some(Incoming::Ack { join, id, args }) => Handled::Ack(Spot::new(key, join), id, args),
        Some(Incoming::Event {
            join,
            ack,
            name,
            args,
        }) => {
            // Attachments came before the last message.
            let bytes = bytes.max(args.bytes());
            if !client.work.take_on(bytes) {
                return Handled::Overrun;
            }
            let socket = client.connection.socket(join);
            let definition = socket.map_or(0, |socket| socket.definition().index);
            let is_early = socket.is_some_and(Socket::is_undecided);
            let Some(address) = client.address(key, join) else {
                return Handled::Nothing;
            };
            let event = IncomingEvent {
                address,
                definition,
                ack,
                name,
                args,
                bytes,
            };
            if is_early {
                client.early.push(event.into_owned());
                return Handled::Nothing;
            }
            Handled::Event(event)
        }
    }
}

/// Handles what a client has said while `on_connect` decided about it, or drops that if
/// it was not let in.
pub(super) fn handle_early(cx: &Context, spot: Spot) {
    let early = cx
        .clients
        .with(spot.session, |client| client.take_early(spot));
    for event in early.into_iter().flatten() {
        let is_connected = |client: &mut ClientEntry| {
            let socket = client.connection.socket(spot.join);
            socket.is_some_and(Socket::is_connected)
        };
        match cx.clients.with(spot.session, is_connected) {
            Some(true) => handle_event(cx, event),
            Some(false) | None => put_down(cx, spot.session, event.bytes),
        }
    }
}

fn handle_event(cx: &Context, event: IncomingEvent<'_>) {
    if let Some(event) = order::pass(cx, event) {
        handle_now(cx, event);
    }
}

/// Handles an event that need not wait.
pub(super) fn handle_now(cx: &Context, event: IncomingEvent<'_>) {
    watching::tell_at(cx, &event.address, News::Received(&event.args));
    let handlers = cx.application.handlers(event.definition);
    let Some((handlers, socket)) = handlers.zip(cx.socket(event.address.clone())) else {
        return;
    };
    if handlers.is_plain() {
        run_handler(cx, &handlers, &socket, event);
    } else {
        run_all(cx, handlers, socket, event);
    }
}

/// Calls the event's only handler, as for most events.
fn run_handler(
    cx: &Context,
    handlers: &NamespaceHandlers,
    socket: &api::Socket,
    event: IncomingEvent<'_>,
) {
    let (key, bytes) = (event.address.spot.session, event.bytes);
    let Some(handler) = handlers.handler(&event.name) else {
        log_unknown(&cx.parts, &event.address, &event.name);
        return put_down(cx, key, bytes);
    };
    let name = event.name.clone();
    let span = span(cx, &event);
    let ack = event.ack.map(|id| Ack::new(socket, id));
    let mut context = EventContext::new(socket, event.name, event.args, ack.clone());
    let job = Job::droppable(key, "event");
    let call = || handler(&mut context);
    let called = parts::guarded(&cx.parts, job, || spans::within(&span, call));
    let reply = Acknowledgement {
        span,
        address: event.address,
        is_taken: context.into_ack().is_none(),
        ack,
        name: name.into_owned(),
    };
    match called {
        Ok(Call::Done(replied)) => {
            reply.send(&cx.parts, replied);
            put_down(cx, key, bytes);
        }
        Ok(Call::Later(future)) => {
            let me = cx.me.clone();
            begin(cx, key);
            let future = spans::follow(&reply.span, future);
            parts::run(&cx.parts, job, future, move |replied| {
                let Some(cx) = me.upgrade() else {
                    return;
                };
                match replied {
                    Some(replied) => reply.send(&cx.parts, replied),
                    None => reply.drop(),
                }
                end(&cx, key, bytes);
            });
        }
        Err(rejection) => {
            reply.reject(&cx.parts, &rejection);
            put_down(cx, key, bytes);
        }
    }
}

/// Calls the handler of an event after the middlewares and observers before it.
fn run_all(
    cx: &Context,
    handlers: Rc<NamespaceHandlers>,
    socket: api::Socket,
    event: IncomingEvent<'_>,
) {
    let (key, bytes) = (event.address.spot.session, event.bytes);
    let span = span(cx, &event);
    let name = event.name.into_owned();
    let args = event.args.into_owned();
    let ack = event.ack.map(|id| Ack::new(&socket, id));
    let reply = Acknowledgement {
        span,
        address: event.address,
        is_taken: false,
        ack: ack.clone(),
        name: name.clone(),
    };
    let (parts, address) = (Rc::downgrade(&cx.parts), reply.address.clone());
    let all = async move {
        let (mut name, mut args) = (name, args);
        for before in &handlers.before {
            match before {
                BeforeFn::Check(check) => {
                    let mut context = CheckContext::before(&socket, &name, &args);
                    finished(check(&mut context)).await?;
                }
                BeforeFn::Rewrite(rewrite) => {
                    let mut context = RewriteContext::before(&socket, &name, &args);
                    match finished(rewrite(&mut context)).await? {
                        Some(Rewrite {
                            name: other,
                            args: rewritten,
                        }) => (name, args) = (other, rewritten),
                        // As if nobody had heard of it.
                        None => return Ok((Replied::default(), true)),
                    }
                }
            }
        }
        let context = |ack| EventContext::new(&socket, Cow::from(&*name), args.borrowed(), ack);
        for observer in &handlers.on_any {
            let replied = call(observer, &mut context(None)).await?;
            if let Some(error) = replied.failed {
                return Err(Rejection::from(error));
            }
        }
        let Some(handler) = handlers.handler(&name) else {
            // Observers have heard of it.
            if handlers.on_any.is_empty()
                && let Some(parts) = parts.upgrade()
            {
                log_unknown(&parts, &address, &name);
            }
            return Ok((Replied::default(), true));
        };
        let mut context = context(ack);
        let replied = call(handler, &mut context);
        let is_taken = context.into_ack().is_none();
        Ok((replied.await?, is_taken))
    };
    let me = cx.me.clone();
    begin(cx, key);
    let job = Job::droppable(key, "event");
    let all = spans::follow(&reply.span, Box::pin(all));
    parts::run(&cx.parts, job, all, move |outcome| {
        let Some(cx) = me.upgrade() else {
            return;
        };
        match outcome {
            Some(Ok((replied, is_taken))) => {
                Acknowledgement { is_taken, ..reply }.send(&cx.parts, replied)
            }
            Some(Err(rejection)) => reply.reject(&cx.parts, &rejection),
            None => reply.drop(),
        }
        end(&cx, key, bytes);
    });
}

fn span(cx: &Context, event: &IncomingEvent<'_>) -> Opened {
    cx.parts.options()?.tracing?;
    let handlers = cx.application.handlers(event.definition)?;
    let occasion = Occasion::Event {
        name: Some(&*event.name).filter(|name| handlers.has(name)),
        has_ack: event.ack.is_some(),
    };
    spans::begin(cx, &event.address.namespace, event.definition, occasion)
}

/// Of an event's name, the most characters that are logged.
const MAX_LOGGED: usize = 256;

/// Logs that nobody handles an event: somebody may have mistyped its name.
fn log_unknown(parts: &Parts, address: &Address, name: &str) {
    let end = name.char_indices().nth(MAX_LOGGED).map(|(end, _)| end);
    let name = end.and_then(|end| name.get(..end)).unwrap_or(name);
    let fields = [
        ("namespace", &*address.namespace),
        ("socket", &*address.id),
        ("name", name),
    ];
    parts.log(Level::Info, "unknown event", address.spot.session, &fields);
}

fn begin(cx: &Context, key: Key) {
    let is_in_order = order::is_on(cx);
    cx.clients.with(key, |client| {
        client.work.begin();
        if is_in_order {
            client.order.begin();
        }
    });
}

fn end(cx: &Context, key: Key, bytes: usize) {
    cx.clients.with(key, |client| {
        client.work.end();
        client.order.end();
    });
    put_down(cx, key, bytes);
    order::release(cx, key);
}

fn put_down(cx: &Context, key: Key, bytes: usize) {
    cx.clients.with(key, |client| client.work.put_down(bytes));
    cx.parts.turn.mark_dirty(key);
}

/// Returns what a middleware says, after waiting for it if necessary.
async fn finished<T>(
    called: Result<Call<Result<T, HandlerError>>, Rejection>,
) -> Result<T, Rejection> {
    let outcome = match called? {
        Call::Done(outcome) => outcome,
        Call::Later(future) => future.await,
    };
    outcome.map_err(Rejection::from)
}

/// Calls a handler. The future does not borrow from the context.
fn call(
    handler: &EventFn,
    context: &mut EventContext<'_>,
) -> impl Future<Output = Result<Replied, Rejection>> + use<> {
    let called = handler(context);
    async move {
        match called? {
            Call::Done(replied) => Ok(replied),
            Call::Later(future) => Ok(future.await),
        }
    }
}

/// The way that a handler's return value takes.
struct Acknowledgement {
    /// Of the handler, which ends with this.
    span: Opened,
    address: Rc<Address>,
    /// `None` if nobody waits for it.
    ack: Option<Ack>,
    /// The handler sends the acknowledgement itself, unless it fails.
    is_taken: bool,
    name: String,
}

impl Acknowledgement {
    fn send(self, parts: &Parts, replied: Replied) {
        if let Some(error) = &replied.failed {
            self.log(parts, &error.failure);
        }
        let is_ours = !self.is_taken || replied.failed.is_some();
        if let Some(ack) = self.ack.filter(|_| is_ours) {
            ack.send_encoded(replied.args);
        }
    }

    /// Answers an event that was not handled: an argument was missing, or the
    /// application has rejected it.
    fn reject(self, parts: &Parts, rejection: &Rejection) {
        self.log(parts, &rejection.failure);
        if let Some(ack) = self.ack {
            ack.send_encoded(rejection.failure.to_ack());
        }
    }

    /// The handler was dropped before it has returned.
    fn drop(self) {
        spans::fail(&self.span, "dropped");
    }

    /// Logs an error. One that is meant for the client is not a fault of the
    /// application.
    fn log(&self, parts: &Parts, failure: &Failure) {
        let (level, what) = match failure.cause() {
            Some(_) => (Level::Error, "handler failed"),
            None => (Level::Info, "event rejected"),
        };
        match failure.cause() {
            Some(_) => spans::fail(&self.span, what),
            None => spans::refuse(&self.span),
        }
        let message = failure.to_log();
        let fields = [
            ("namespace", &*self.address.namespace),
            ("socket", &*self.address.id),
            ("handler", &*self.name),
            ("message", &*message),
        ];
        parts.log(level, what, self.address.spot.session, &fields);
    }
}
