//! Spans of the platform's tracing.
//!
//! [`begin`], and all that it needs, is linked only where an application asks for spans:
//! others know it as a [`Begin`], and what it returns as a [`Span`].

use core::cell::{OnceCell, RefCell};
use std::rc::Rc;

use js_sys::Reflect;
use wasm_bindgen::prelude::*;

use crate::{log, platform};

/// Something that the server does: a span, which ends when this is dropped.
pub(crate) trait Span {
    /// Adds an attribute.
    fn note(&self, name: &str, value: Attribute<'_>);

    /// Marks it as failed.
    fn fail(&self);

    /// Calls `run` within it: what the platform does for that is below this span.
    fn within(&self, run: &mut dyn FnMut());

    /// Ends it before it is dropped.
    fn end(&self);
}

/// The value of an attribute.
#[derive(Clone, Copy)]
pub(crate) enum Attribute<'a> {
    Text(&'a str),
    Flag(bool),
}

/// Begins a span of this name. Returns `None` if it would not be traced.
pub(crate) type Begin = fn(&str) -> Option<Rc<dyn Span>>;

/// OpenTelemetry's name for the kind of a failure.
const ERROR: &str = "error.type";

thread_local! {
    /// The spans whose code is running, the innermost last.
    static RUNNING: RefCell<Vec<Rc<dyn Span>>> = const { RefCell::new(Vec::new()) };
}

/// Calls `run` within a span.
pub(crate) fn within<T>(span: &Rc<dyn Span>, mut run: impl FnMut() -> T) -> T {
    RUNNING.with_borrow_mut(|running| running.push(span.clone()));
    let mut result = None;
    span.within(&mut || result = Some(run()));
    RUNNING.with_borrow_mut(Vec::pop);
    // What is traced is done, whatever becomes of the span.
    result.unwrap_or_else(run)
}

/// Marks a span as that of something that has failed.
pub(crate) fn fail(span: &dyn Span, how: &str) {
    span.note(ERROR, Attribute::Text(how));
    span.fail();
}

/// Ends the spans whose code is running: a panic is ending this instance.
pub(crate) fn end() {
    let running = RUNNING.try_with(RefCell::take).unwrap_or_default();
    for span in running.iter().rev() {
        fail(&**span, "panic");
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
struct Traced {
    tracing: Tracing,
    span: JsSpan,
}

/// See [`Begin`].
pub(crate) fn begin(name: &str) -> Option<Rc<dyn Span>> {
    thread_local! {
        static TRACING: OnceCell<Option<Tracing>> = const { OnceCell::new() };
    }
    let tracing = TRACING.with(|known| known.get_or_init(find).clone())?;
    let span = tracing.start_span(name).ok()?;
    // Of a request that is not sampled, or where tracing is off.
    if !span.is_traced() {
        return None;
    }
    Some(Rc::new(Traced { tracing, span }))
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
impl Span for Traced {
    fn note(&self, name: &str, value: Attribute<'_>) {
        let _ = match value {
            Attribute::Text(value) => self.span.set_text(name, value),
            Attribute::Flag(value) => self.span.set_flag(name, value),
        };
    }

    fn fail(&self) {
        let status = js_sys::Object::new();
        let _ = Reflect::set(&status, &"code".into(), &"error".into());
        let _ = self.span.set_status(&status);
    }

    fn within(&self, run: &mut dyn FnMut()) {
        self.tracing.with_active_span(&self.span, &mut || run());
    }

    fn end(&self) {
        let _ = self.span.end();
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        Span::end(self);
    }
}
