//! Spans of the platform's tracing.
//!
//! What begins them, and all that it needs, is linked only where an application asks for spans:
//! others know it as a [`Tracing`], and what it returns as a [`Span`].

use core::cell::{Cell, OnceCell, RefCell};
use core::pin::Pin;
use core::task::{Context, Poll};
use std::rc::Rc;

use futures::future::LocalBoxFuture;
use js_sys::Reflect;
use wasm_bindgen::prelude::*;

use crate::{log, platform};

/// Something that the server does: a span, which ends when this is dropped.
pub(crate) trait Span {
    /// Notes that the application has said no.
    fn refuse(&self);

    /// Notes that it has failed, and how.
    fn fail(&self, how: &str);

    /// Calls `run` within it: what the platform does for that is below this span.
    fn within(&self, run: &mut dyn FnMut());

    /// Ends it before it is dropped.
    fn end(&self);
}

/// What happens to a client or comes from one, or from another object.
#[derive(Clone, Copy)]
pub(crate) enum Occasion<'a> {
    /// A client wants to open a session.
    Admit,
    /// A client has asked for a namespace that a predicate may know.
    Match,
    /// A namespace of many has got its first socket.
    Open,
    /// A client wants to join a namespace, or with Engine.IO alone, to connect.
    Connect,
    /// A socket or client is no longer connected, for this reason.
    Disconnect(&'a str),
    /// The client of a socket has not come back in time.
    Expire,
    Event {
        /// Its name, unless a client may have made that up.
        name: Option<&'a str>,
        /// Its client waits for an acknowledgement.
        has_ack: bool,
    },
    /// An event of this name from another object.
    ServerEvent(&'a str),
    /// Of Engine.IO alone.
    Message,
}

/// What the application has done when nobody asks for it.
#[derive(Clone, Copy)]
pub(crate) enum Work<'a> {
    /// That of an alarm, by the name or pattern that its handler was registered with.
    Alarm(&'a str),
    /// Being told what is billed.
    Usage,
    /// A task, by its name if it has one.
    Task(Option<&'a str>),
}

/// Begins a span in a namespace, which has been defined by this name or pattern, if that
/// has any; of a handshake, the server's path is both. Returns `None` if it would not be
/// traced.
pub(crate) type Begin = fn(&str, Option<&str>, Occasion<'_>) -> Option<Rc<dyn Span>>;

/// A task of a session's, and one of the whole object's.
pub(crate) type Task = LocalBoxFuture<'static, ()>;
pub(crate) type NamedTask = LocalBoxFuture<'static, Result<(), String>>;

/// What traces, where the application asks for it.
#[derive(Debug)]
pub(crate) struct Tracing {
    pub(crate) begin: Begin,
    /// Has a task run within a span.
    pub(crate) task: fn(Task) -> Task,
    pub(crate) named_task: fn(&str, NamedTask) -> NamedTask,
}

/// See [`Tracing`].
pub(crate) static TRACING: Tracing = Tracing {
    begin,
    task: |task| follow(work(Work::Task(None)), task, |_, ()| {}),
    named_task: |name, task| {
        follow(work(Work::Task(Some(name))), task, |span, result| {
            if result.is_err() {
                span.fail("task failed");
            }
        })
    },
};

/// Calls `run` within a span.
pub(crate) fn within<T>(span: &dyn Span, mut run: impl FnMut() -> T) -> T {
    let mut result = None;
    span.within(&mut || result = Some(run()));
    // What is traced is done, whatever becomes of the span.
    result.unwrap_or_else(run)
}

/// Has a future run within a span, if there is one, which does not end before. `judge` sees
/// the result; a future that is dropped has failed.
pub(crate) fn follow<T: 'static>(
    span: Option<Rc<dyn Span>>,
    future: LocalBoxFuture<'static, T>,
    judge: fn(&dyn Span, &T),
) -> LocalBoxFuture<'static, T> {
    match span {
        Some(span) => Box::pin(Followed {
            span,
            future,
            judge,
            has_returned: false,
        }),
        None => future,
    }
}

/// See [`follow`].
struct Followed<T> {
    span: Rc<dyn Span>,
    future: LocalBoxFuture<'static, T>,
    judge: fn(&dyn Span, &T),
    has_returned: bool,
}

impl<T> Future for Followed<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        let polled = within(&*this.span, || this.future.as_mut().poll(context));
        if let Poll::Ready(result) = &polled {
            (this.judge)(&*this.span, result);
            this.has_returned = true;
        }
        polled
    }
}

impl<T> Drop for Followed<T> {
    fn drop(&mut self) {
        if !self.has_returned {
            self.span.fail("dropped");
        }
    }
}

// The names of OpenTelemetry's conventions for messaging.
const SYSTEM: &str = "messaging.system";
const OPERATION: &str = "messaging.operation.name";
const TYPE: &str = "messaging.operation.type";
const NAMESPACE: &str = "messaging.destination.name";
const TEMPLATE: &str = "messaging.destination.template";
const ERROR: &str = "error.type";
// They have none for these. The server's kind is before the first four: `socketio.event`.
const EVENT: &str = "event";
const ACK: &str = "ack";
const REASON: &str = "reason";
const REFUSED: &str = "refused";
const FROM_SERVER: &str = "from_server";
const ALARM: &str = "dormouse.alarm";
const TASK: &str = "dormouse.task";

/// What stands for a name that a client may have made up, as in other conventions.
const OTHER: &str = "_OTHER";

thread_local! {
    /// The spans whose code is running, the innermost last.
    static RUNNING: RefCell<Vec<Traced>> = const { RefCell::new(Vec::new()) };
}

thread_local! {
    /// Ends them. It is set as soon as there is one.
    static END: Cell<Option<fn()>> = const { Cell::new(None) };
}

/// Ends the spans whose code is running: a panic is ending this instance.
pub(crate) fn end() {
    if let Ok(Some(end)) = END.try_with(Cell::get) {
        end();
    }
}

fn end_all() {
    let running = RUNNING.try_with(RefCell::take).unwrap_or_default();
    for span in running.iter().rev() {
        span.fail("panic");
        span.end();
    }
}

#[wasm_bindgen]
extern "C" {
    /// `tracing` of the module `cloudflare:workers`.
    #[derive(Clone)]
    type JsTracing;
    #[wasm_bindgen(method, catch, js_name = startSpan)]
    fn start_span(this: &JsTracing, name: &str) -> Result<JsSpan, JsValue>;
    // Not with `catch`: a panic in `run` must not be caught.
    #[wasm_bindgen(method, js_name = withActiveSpan)]
    fn with_active_span(this: &JsTracing, span: &JsSpan, run: &mut dyn FnMut());

    type JsSpan;
    #[wasm_bindgen(method, getter, js_name = isTraced)]
    fn is_traced(this: &JsSpan) -> bool;
    #[wasm_bindgen(method, catch, js_name = setAttribute)]
    fn set_text(this: &JsSpan, name: &str, value: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = setAttribute)]
    fn set_flag(this: &JsSpan, name: &str, value: bool) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = setStatus)]
    fn set_status(this: &JsSpan, status: &JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn end(this: &JsSpan) -> Result<(), JsValue>;
}

/// A span of the platform's.
#[derive(Clone)]
struct Traced(Rc<Ending>);

/// What ends when it is dropped.
struct Ending {
    tracing: JsTracing,
    span: JsSpan,
    /// What the names of the server's own attributes begin with.
    kind: &'static str,
}

/// See [`Begin`].
fn begin(namespace: &str, template: Option<&str>, occasion: Occasion<'_>) -> Option<Rc<dyn Span>> {
    open(("socket.io", "socketio"), namespace, template, occasion)
}

/// Begins a span of an Engine.IO server on this path.
pub(crate) fn engine(path: &str, occasion: Occasion<'_>) -> Option<Rc<dyn Span>> {
    open(("engine.io", "engineio"), path, Some(path), occasion)
}

fn open(
    (system, kind): (&str, &'static str),
    destination: &str,
    template: Option<&str>,
    occasion: Occasion<'_>,
) -> Option<Rc<dyn Span>> {
    let operation = match occasion {
        Occasion::Admit => "admit",
        Occasion::Match => "match",
        Occasion::Open => "open",
        Occasion::Expire => "expire",
        Occasion::Connect => "connect",
        Occasion::Disconnect(_) => "disconnect",
        Occasion::Event { .. } | Occasion::ServerEvent(_) | Occasion::Message => "process",
    };
    // What there are many of is an attribute, and not in the name.
    let span = start(operation, template, kind)?;
    span.set(SYSTEM, system);
    span.set(OPERATION, operation);
    span.set(NAMESPACE, destination);
    if let Some(template) = template.filter(|template| *template != destination) {
        span.set(TEMPLATE, template);
    }
    match occasion {
        Occasion::Admit
        | Occasion::Match
        | Occasion::Open
        | Occasion::Connect
        | Occasion::Expire => {}
        Occasion::Disconnect(reason) => span.set(&span.own(REASON), reason),
        Occasion::Event { name, has_ack } => {
            span.set(TYPE, operation);
            span.set(&span.own(EVENT), name.unwrap_or(OTHER));
            span.flag(&span.own(ACK), has_ack);
        }
        Occasion::ServerEvent(name) => {
            span.set(TYPE, operation);
            span.set(&span.own(EVENT), name);
            span.flag(&span.own(FROM_SERVER), true);
        }
        Occasion::Message => span.set(TYPE, operation),
    }
    Some(Rc::new(span))
}

/// Begins a span of something that nobody has asked for just now.
pub(crate) fn work(work: Work<'_>) -> Option<Rc<dyn Span>> {
    let span = match work {
        Work::Alarm(name) => {
            let span = start("alarm", Some(name), "")?;
            span.set(ALARM, name);
            span
        }
        Work::Usage => start("usage", None, "")?,
        Work::Task(name) => {
            let span = start("task", None, "")?;
            if let Some(name) = name {
                span.set(TASK, name);
            }
            span
        }
    };
    Some(Rc::new(span))
}

fn start(what: &str, template: Option<&str>, kind: &'static str) -> Option<Traced> {
    thread_local! {
        static FOUND: OnceCell<Option<JsTracing>> = const { OnceCell::new() };
    }
    let tracing = FOUND.with(|known| known.get_or_init(find).clone())?;
    let span = tracing.start_span(&match template {
        Some(template) => format!("{what} {template}"),
        None => what.to_owned(),
    });
    let span = span.ok()?;
    // Of a request that is not sampled, or where tracing is off.
    if !span.is_traced() {
        return None;
    }
    Some(Traced(Rc::new(Ending {
        tracing,
        span,
        kind,
    })))
}

fn find() -> Option<JsTracing> {
    let property = |of: &JsValue, name: &str| Reflect::get(of, &name.into()).ok();
    let module = platform::builtin("cloudflare:workers");
    let tracing = module.and_then(|module| property(&module, "tracing"));
    let tracing = tracing.filter(|it| {
        let mut all = ["startSpan", "withActiveSpan"].into_iter();
        all.all(|name| property(it, name).is_some_and(|it| it.is_function()))
    });
    if tracing.is_none() {
        log::misconfigured(
            "tracing(true) finds no spans in this runtime: it has to be one of September 2026 or \
             later, and `compatibility_date` in wrangler.toml has to be 2026-08-04 or later, or \
             `nodejs_compat` among the `compatibility_flags`; until then, nothing is traced",
        );
    }
    tracing.map(JsCast::unchecked_into)
}

// What the platform finds wrong with a span is not the application's fault.
impl Traced {
    /// Returns the name of an attribute of the server's own.
    fn own(&self, name: &str) -> String {
        format!("{}.{name}", self.0.kind)
    }

    fn set(&self, name: &str, value: &str) {
        let _ = self.0.span.set_text(name, value);
    }

    fn flag(&self, name: &str, value: bool) {
        let _ = self.0.span.set_flag(name, value);
    }
}

impl Span for Traced {
    fn refuse(&self) {
        self.flag(&self.own(REFUSED), true);
    }

    fn fail(&self, how: &str) {
        self.set(ERROR, how);
        let status = js_sys::Object::new();
        let _ = Reflect::set(&status, &"code".into(), &"error".into());
        let _ = self.0.span.set_status(&status);
    }

    fn within(&self, run: &mut dyn FnMut()) {
        END.set(Some(end_all));
        RUNNING.with_borrow_mut(|running| running.push(self.clone()));
        let Ending { tracing, span, .. } = &*self.0;
        tracing.with_active_span(span, &mut || run());
        RUNNING.with_borrow_mut(Vec::pop);
    }

    fn end(&self) {
        let _ = self.0.span.end();
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.span.end();
    }
}
