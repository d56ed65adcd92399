//! Spans of the platform's tracing.
//!
//! [`begin`], and all that it needs, is linked only where an application asks for spans:
//! others know it as a [`Begin`], and what it returns as a [`Span`].

use core::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

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

/// What a span is for.
#[derive(Clone, Copy)]
pub(crate) enum Occasion<'a> {
    /// A client wants to join a namespace.
    Connect,
    /// A socket is no longer connected, for this reason.
    Disconnect(&'a str),
    Event {
        /// Its name, unless a client may have made that up.
        name: Option<&'a str>,
        /// Its client waits for an acknowledgement.
        has_ack: bool,
    },
}

/// Begins a span in a namespace, which has been defined by this name or pattern, if that
/// has any. Returns `None` if it would not be traced.
pub(crate) type Begin = fn(&str, Option<&str>, Occasion<'_>) -> Option<Rc<dyn Span>>;

// The names of OpenTelemetry's conventions for messaging.
const SYSTEM: &str = "messaging.system";
const OPERATION: &str = "messaging.operation.name";
const TYPE: &str = "messaging.operation.type";
const NAMESPACE: &str = "messaging.destination.name";
const TEMPLATE: &str = "messaging.destination.template";
const ERROR: &str = "error.type";
// They have none for these.
const EVENT: &str = "socketio.event";
const ACK: &str = "socketio.ack";
const REASON: &str = "socketio.reason";
const REFUSED: &str = "socketio.refused";

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
    type Tracing;
    #[wasm_bindgen(method, catch, js_name = startSpan)]
    fn start_span(this: &Tracing, name: &str) -> Result<JsSpan, JsValue>;
    // Not with `catch`: a panic in `run` must not be caught.
    #[wasm_bindgen(method, js_name = withActiveSpan)]
    fn with_active_span(this: &Tracing, span: &JsSpan, run: &mut dyn FnMut());

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
    tracing: Tracing,
    span: JsSpan,
}

/// See [`Begin`].
pub(crate) fn begin(
    namespace: &str,
    template: Option<&str>,
    occasion: Occasion<'_>,
) -> Option<Rc<dyn Span>> {
    let operation = match occasion {
        Occasion::Connect => "connect",
        Occasion::Disconnect(_) => "disconnect",
        Occasion::Event { .. } => "process",
    };
    // What there are many of is an attribute, and not in the name.
    let span = start(&match template {
        Some(template) => format!("{operation} {template}"),
        None => operation.to_owned(),
    })?;
    span.set(SYSTEM, "socket.io");
    span.set(OPERATION, operation);
    span.set(NAMESPACE, namespace);
    if let Some(template) = template.filter(|template| *template != namespace) {
        span.set(TEMPLATE, template);
    }
    match occasion {
        Occasion::Connect => {}
        Occasion::Disconnect(reason) => span.set(REASON, reason),
        Occasion::Event { name, has_ack } => {
            span.set(TYPE, operation);
            span.set(EVENT, name.unwrap_or(OTHER));
            span.flag(ACK, has_ack);
        }
    }
    Some(Rc::new(span))
}

fn start(name: &str) -> Option<Traced> {
    thread_local! {
        static TRACING: OnceCell<Option<Tracing>> = const { OnceCell::new() };
    }
    let tracing = TRACING.with(|known| known.get_or_init(find).clone())?;
    let span = tracing.start_span(name).ok()?;
    // Of a request that is not sampled, or where tracing is off.
    if !span.is_traced() {
        return None;
    }
    Some(Traced(Rc::new(Ending { tracing, span })))
}

fn find() -> Option<Tracing> {
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
    fn set(&self, name: &str, value: &str) {
        let _ = self.0.span.set_text(name, value);
    }

    fn flag(&self, name: &str, value: bool) {
        let _ = self.0.span.set_flag(name, value);
    }
}

impl Span for Traced {
    fn refuse(&self) {
        self.flag(REFUSED, true);
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
        let Ending { tracing, span } = &*self.0;
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
