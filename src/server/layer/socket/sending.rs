//! Events on their way to sockets.

use core::cell::OnceCell;
use std::rc::Rc;

use dormouse_proto::socket::{Args, Protocol, Route, ServerPacket};

use super::clients::ClientEntry;
use super::context::Context;
use super::watching;
use crate::parts::{self, Job, Packet};
use crate::port::Spot;
use crate::port::watch::News;

/// An event for sockets of both protocols, encoded at most once for each protocol.
pub(super) struct EncodedEvent<'a> {
    cx: &'a Context,
    namespace: &'a str,
    ack: Option<u32>,
    args: &'a Args<'a>,
    offset: Option<String>,
    count: usize,
    is_observed: bool,
    /// The packet for clients that take offsets, and for those that do not.
    packets: [OnceCell<Packet>; 2],
}

impl<'a> EncodedEvent<'a> {
    pub(super) fn new(cx: &'a Context, namespace: &'a str, args: &'a Args<'a>) -> Self {
        Self {
            cx,
            namespace,
            ack: None,
            args,
            offset: None,
            count: 1,
            is_observed: cx.application.observes_outgoing(),
            packets: [OnceCell::new(), OnceCell::new()],
        }
    }

    /// Sets the number that the event is to be acknowledged with.
    pub(super) fn ack(self, id: u32) -> Self {
        Self {
            ack: Some(id),
            ..self
        }
    }

    /// Sets the event's offset, if recovery is on.
    pub(super) fn offset(self, offset: Option<String>) -> Self {
        Self { offset, ..self }
    }

    /// Sets the number of sockets that the event is for.
    pub(super) fn count(self, count: usize) -> Self {
        Self { count, ..self }
    }

    fn packet(&self, protocol: Protocol) -> &Packet {
        // Without an offset, an event is the same in both protocols.
        let [with, without] = &self.packets;
        let offset = self.offset.as_deref();
        let offset = offset.filter(|_| protocol == Protocol::V5);
        let cell = if self.offset.is_some() && offset.is_none() {
            without
        } else {
            with
        };
        cell.get_or_init(|| {
            let packet = ServerPacket::Event {
                namespace: self.namespace,
                ack: self.ack.map(u64::from),
                args: self.args,
                offset,
            };
            let encoded = packet.encode(protocol, self.cx.application.settings.parser);
            Packet::new(Rc::new(encoded), self.count)
        })
    }

    /// Sends the event to a socket, or holds it until the socket is connected.
    /// Returns `false` if the socket has gone.
    pub(super) fn send(&self, spot: Spot, volatile: bool) -> bool {
        let route = |client: &mut ClientEntry| {
            let packet = self.packet(client.connection.protocol());
            match client.connection.route(spot.join) {
                Route::Send => Ok(packet),
                Route::Hold => Err(client.connection.hold(spot.join, packet.encoded())),
                Route::Gone => Err(false),
            }
        };
        let is_taken = match self.cx.clients.with(spot.session, route) {
            Some(Ok(packet)) => self.cx.transmit(spot.session, packet, volatile),
            Some(Err(held)) => held,
            None => false,
        };
        if is_taken {
            watching::tell(self.cx, spot, News::Sent(self.args));
        }
        if is_taken && self.is_observed {
            self.show(spot);
        }
        is_taken
    }

    /// Shows the event to the observers in a socket's namespace.
    fn show(&self, spot: Spot) {
        let cx = self.cx;
        let found = cx.clients.with(spot.session, |client| {
            let definition = client.connection.socket(spot.join)?.definition().index;
            Some((definition, client.address(spot.session, spot.join)?))
        });
        let Some((definition, address)) = found.flatten() else {
            return;
        };
        let handlers = cx.application.handlers(definition);
        let Some((handlers, socket)) = handlers.zip(cx.socket(address)) else {
            return;
        };
        let job = Job::droppable(spot.session, "outgoing");
        for observer in &handlers.on_any_outgoing {
            parts::guarded(&cx.parts, job, || observer(&socket, self.args));
        }
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
