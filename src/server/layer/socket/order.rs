//! A client's events one after the other: each waits until the handler of the one before
//! has returned, if the application wants it so (`in_order`).
//!
//! Acknowledgements do not wait, or a handler could not wait for one.

use std::collections::VecDeque;

use dormouse_proto::socket::{Reason, ServerPacket};

use super::clients::ClientEntry;
use super::context::Context;
use super::events::{self, IncomingEvent};
use super::leaving;
use crate::api::engine::Message;
use crate::port::Spot;
use crate::sid::Key;

/// What of one client waits, and for what. What it holds is counted as its work.
#[derive(Default)]
pub(super) struct Order {
    /// The handler of an event has not returned.
    is_busy: bool,
    /// What waits is being taken up: handlers that return at once do so within.
    is_releasing: bool,
    waiting: VecDeque<Waiting>,
}

enum Waiting {
    Event(IncomingEvent<'static>),
    /// The application is yet to be told that a socket has gone.
    Left(Spot, Reason),
}

impl Order {
    /// Notes that the handler of an event waits for something, where others wait for it.
    pub(super) fn begin(&mut self) {
        self.is_busy = true;
    }

    /// Notes that it has returned.
    pub(super) fn end(&mut self) {
        self.is_busy = false;
    }

    fn is_idle(&self) -> bool {
        !self.is_busy && self.waiting.is_empty()
    }
}

/// Returns whether events of the server wait.
pub(super) fn is_on(cx: &Context) -> bool {
    cx.parts.options().is_some_and(|options| options.in_order)
}

/// Returns the event, unless it has to wait.
pub(super) fn pass<'a>(cx: &Context, event: IncomingEvent<'a>) -> Option<IncomingEvent<'a>> {
    let key = event.address.spot.session;
    let mut event = Some(event);
    cx.clients.with(key, |client| {
        if !client.order.is_idle() {
            let event = event.take().map(IncomingEvent::into_owned);
            client.order.waiting.extend(event.map(Waiting::Event));
        }
    });
    event
}

/// Returns whether the application can be told that a socket has gone; else it is told
/// after what came before.
pub(super) fn may_tell(cx: &Context, spot: Spot, reason: Reason) -> bool {
    let may = cx.clients.with(spot.session, |client| {
        let is_idle = client.order.is_idle();
        if !is_idle {
            let left = Waiting::Left(spot, reason);
            client.order.waiting.push_back(left);
        }
        is_idle
    });
    may != Some(false)
}

/// Takes up what waits, as far as it need not wait any more.
pub(super) fn release(cx: &Context, key: Key) {
    let begin = |client: &mut ClientEntry| {
        let order = &mut client.order;
        !order.waiting.is_empty() && !core::mem::replace(&mut order.is_releasing, true)
    };
    if cx.clients.with(key, begin) != Some(true) {
        return;
    }
    while let Some(next) = cx.clients.with(key, take_next).flatten() {
        match next {
            Waiting::Event(event) => events::handle_now(cx, event),
            Waiting::Left(spot, reason) => leaving::call_handlers(cx, spot, reason),
        }
    }
    let end = |client: &mut ClientEntry| client.order.is_releasing = false;
    cx.clients.with(key, end);
}

fn take_next(client: &mut ClientEntry) -> Option<Waiting> {
    let order = &mut client.order;
    match order.is_busy {
        true => None,
        false => order.waiting.pop_front(),
    }
}

/// Returns whether nothing of a client waits.
pub(super) fn is_idle(cx: &Context, key: Key) -> bool {
    let is_idle = |client: &mut ClientEntry| client.order.is_idle();
    cx.clients.with(key, is_idle) != Some(false)
}

/// Returns the events that wait, as their clients have sent them, for the next instance.
/// Those of a client that is in the middle of a packet are lost: they would get into it.
pub(super) fn queued(cx: &Context) -> Vec<(Key, Message)> {
    let mut messages = Vec::new();
    cx.clients.try_for_each(|key, client| {
        let connection = &client.connection;
        if connection.is_pending() {
            return;
        }
        for waiting in &client.order.waiting {
            let Waiting::Event(event) = waiting else {
                continue;
            };
            // For one that has left its namespace, it would be a violation.
            let spot = event.address.spot;
            if connection
                .socket(spot.join)
                .is_some_and(|it| it.is_present())
            {
                let packet = ServerPacket::Event {
                    namespace: &event.address.namespace,
                    ack: event.ack,
                    args: &event.args,
                    offset: None,
                };
                let parser = cx.application.settings.parser;
                let encoded = packet.encode(connection.protocol(), parser);
                let data = encoded
                    .messages()
                    .map(|message| message.data().into_owned());
                messages.extend(data.map(|data| (key, data)));
            }
        }
    });
    messages
}
