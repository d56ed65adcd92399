//! Sockets that are disconnected, and telling the application about it.

use dormouse_proto::socket::Reason;

use super::clients::ClientEntry;
use super::context::Context;
use super::{order, recovering, spans, watching};
use crate::api::{Call, DisconnectContext, DisconnectFn};
use crate::layer::called::log_failure;
use crate::log::Level;
use crate::parts::{self, Job};
use crate::port::Spot;
use crate::tracing::Occasion;

/// Tells the application that a socket is no longer connected.
pub(super) fn tell(cx: &Context, spot: Spot, reason: Reason) {
    recovering::lose(cx, spot, reason);
    cx.clients.with(spot.session, |client| {
        let socket = client.connection.socket(spot.join)?;
        cx.hide(spot, socket);
        Some(())
    });
    cx.acks.handle_gone(spot);
    if order::may_tell(cx, spot, reason) {
        call_handlers(cx, spot, reason);
    }
}

/// Calls the handlers of a socket that has gone, and forgets it.
pub(super) fn call_handlers(cx: &Context, spot: Spot, reason: Reason) {
    let (key, join) = (spot.session, spot.join);
    let left = cx.clients.with(key, |client| {
        let definition = client.connection.socket(join)?.definition().index;
        Some((definition, client.address(key, join)?))
    });
    let Some((definition, address)) = left.flatten() else {
        return;
    };
    let fields = [
        ("namespace", &*address.namespace),
        ("socket", &*address.id),
        ("reason", reason.as_str()),
    ];
    cx.parts.log(Level::Info, "leave", key, &fields);
    watching::disconnected(cx, &address, reason);
    let span = spans::begin(
        cx,
        &address.namespace,
        definition,
        Occasion::Disconnect(reason.as_str()),
    );
    let forget = move |client: &mut ClientEntry| client.forget(join);
    let handlers = cx.application.handlers(definition);
    let steps = handlers.iter().flat_map(|handlers| {
        let steps = [&handlers.on_disconnecting, &handlers.on_disconnect];
        steps.into_iter().flatten().cloned()
    });
    let steps: Vec<DisconnectFn> = steps.collect();
    let Some(socket) = cx.socket(address).filter(|_| !steps.is_empty()) else {
        cx.clients.with(key, forget);
        return;
    };
    let told = async move {
        let mut failures = Vec::new();
        for step in steps {
            let outcome = match step(&mut DisconnectContext::new(&socket, reason)) {
                Ok(Call::Done(outcome)) => outcome,
                Ok(Call::Later(future)) => future.await,
                Err(rejection) => Err(rejection.into()),
            };
            failures.extend(outcome.err());
        }
        failures
    };
    cx.clients.with(key, |client| client.work.begin());
    let me = cx.me.clone();
    let job = Job::new(key, "disconnect");
    let told = spans::follow(&span, Box::pin(told));
    parts::run(&cx.parts, job, told, move |failures| {
        let Some(cx) = me.upgrade() else {
            return;
        };
        for error in failures.iter().flatten() {
            spans::fail(&span, "handler failed");
            log_failure(&cx.parts, job, &error.failure);
        }
        cx.clients.with(key, |client| {
            client.work.end();
            forget(client);
        });
        cx.parts.turn.mark_dirty(key);
    });
}
