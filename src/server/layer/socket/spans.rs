//! Spans around the application's handlers, where it asks for them.
//!
//! They have the names of OpenTelemetry's conventions for messaging. Nothing is in them
//! that a client writes, but for the names of namespaces and of events that have a handler.

use core::future::poll_fn;
use std::rc::Rc;

use dormouse_proto::socket::Reason;
use futures::future::LocalBoxFuture;

use super::context::Context;
use crate::tracing::{self, Attribute, Span};

/// A span, if there is one.
pub(super) type Opened = Option<Rc<dyn Span>>;

const SYSTEM: &str = "messaging.system";
const OPERATION: &str = "messaging.operation.name";
/// The kind of an operation. There is none for those that connect.
const TYPE: &str = "messaging.operation.type";
const NAMESPACE: &str = "messaging.destination.name";
const TEMPLATE: &str = "messaging.destination.template";
// The conventions have no names for these.
const EVENT: &str = "socketio.event";
const ACK: &str = "socketio.ack";
const REASON: &str = "socketio.reason";
const REFUSED: &str = "socketio.refused";

/// What stands for a name that a client may have made up, as in other conventions.
const OTHER: &str = "_OTHER";

/// Begins the span of an event.
pub(super) fn event(
    cx: &Context,
    namespace: &str,
    definition: u16,
    name: &str,
    ack: bool,
) -> Opened {
    let span = begin(cx, "process", namespace, definition)?;
    let handlers = cx.application.handlers(definition);
    let is_known = handlers.is_some_and(|handlers| handlers.has(name));
    span.note(TYPE, Attribute::Text("process"));
    span.note(EVENT, Attribute::Text(if is_known { name } else { OTHER }));
    span.note(ACK, Attribute::Flag(ack));
    Some(span)
}

/// Begins the span of a client that wants to join a namespace.
pub(super) fn connect(cx: &Context, namespace: &str, definition: u16) -> Opened {
    begin(cx, "connect", namespace, definition)
}

/// Begins the span of a socket that is no longer connected.
pub(super) fn disconnect(cx: &Context, namespace: &str, definition: u16, reason: Reason) -> Opened {
    let span = begin(cx, "disconnect", namespace, definition)?;
    span.note(REASON, Attribute::Text(reason.as_str()));
    Some(span)
}

fn begin(cx: &Context, operation: &str, namespace: &str, definition: u16) -> Opened {
    let begin = cx.parts.options()?.tracing?;
    let template = cx.application.template(definition);
    // What there are many of is an attribute, and not in the name.
    let span = begin(&match template {
        Some(template) => format!("{operation} {template}"),
        None => operation.to_owned(),
    })?;
    span.note(SYSTEM, Attribute::Text("socket.io"));
    span.note(OPERATION, Attribute::Text(operation));
    span.note(NAMESPACE, Attribute::Text(namespace));
    if let Some(template) = template.filter(|template| *template != namespace) {
        span.note(TEMPLATE, Attribute::Text(template));
    }
    Some(span)
}

/// Calls `run` within a span.
pub(super) fn within<T>(span: &Opened, mut run: impl FnMut() -> T) -> T {
    match span {
        Some(span) => tracing::within(span, run),
        None => run(),
    }
}

/// Has a future run within a span, which does not end before.
pub(super) fn follow<T: 'static>(
    span: &Opened,
    mut future: LocalBoxFuture<'static, T>,
) -> LocalBoxFuture<'static, T> {
    match span.clone() {
        Some(span) => Box::pin(poll_fn(move |context| {
            tracing::within(&span, || future.as_mut().poll(context))
        })),
        None => future,
    }
}

/// Notes that the application, or a middleware of its, has said no.
pub(super) fn refused(span: &Opened) {
    if let Some(span) = span {
        span.note(REFUSED, Attribute::Flag(true));
    }
}

/// Notes that what was to be done has failed.
pub(super) fn failed(span: &Opened, how: &str) {
    if let Some(span) = span {
        tracing::fail(&**span, how);
    }
}
