//! Spans around the application's handlers, where it asks for them.

use core::future::poll_fn;
use std::rc::Rc;

use futures::future::LocalBoxFuture;

use super::context::Context;
use crate::tracing::{self, Occasion, Span};

/// A span, if there is one.
pub(super) type Opened = Option<Rc<dyn Span>>;

/// Begins the span of something that happens in a namespace of this definition.
#[inline(never)]
pub(super) fn begin(
    cx: &Context,
    namespace: &str,
    definition: u16,
    occasion: Occasion<'_>,
) -> Opened {
    let tracing = cx.parts.options()?.tracing?;
    (tracing.begin)(namespace, cx.application.template(definition), occasion)
}

/// Calls `run` within a span.
pub(super) fn within<T>(span: &Opened, mut run: impl FnMut() -> T) -> T {
    let Some(span) = span else {
        return run();
    };
    tracing::within(&**span, run)
}

/// Has a future run within a span, which does not end before.
pub(super) fn follow<T: 'static>(
    span: &Opened,
    mut future: LocalBoxFuture<'static, T>,
) -> LocalBoxFuture<'static, T> {
    if span.is_none() {
        return future;
    }
    let span = span.clone();
    Box::pin(poll_fn(move |context| {
        within(&span, || future.as_mut().poll(context))
    }))
}

/// Notes that the application has said no.
pub(super) fn refuse(span: &Opened) {
    if let Some(span) = span {
        span.refuse();
    }
}

/// Notes that what was to be done has failed, and how.
pub(super) fn fail(span: &Opened, how: &str) {
    if let Some(span) = span {
        span.fail(how);
    }
}
