//! Doing what a client's connection asks.

use dormouse_proto::engine::Flush;
use dormouse_proto::socket::{Output, TOO_MANY_REQUESTS};

use super::clients::ClientEntry;
use super::context::Context;
use super::{joining, leaving};
use crate::log::Level;
use crate::parts::{self, Packet};
use crate::port::Spot;
use crate::sid::Key;

/// Does what a client's connection asks.
pub(super) fn run_outputs(cx: &Context, key: Key) {
    while let Some(output) = cx.clients.poll_output(key) {
        run_output(cx, key, output);
    }
}

/// Does the same, but refuses a client that wants to join a namespace.
pub(super) fn refuse_joins(cx: &Context, key: Key) {
    while let Some(output) = cx.clients.poll_output(key) {
        if let Output::Connect(request) = output {
            cx.clients.with(key, |client| {
                let connection = &mut client.connection;
                connection.refuse_request(&request.namespace, TOO_MANY_REQUESTS, None);
            });
        } else {
            run_output(cx, key, output);
        }
    }
}

fn run_output(cx: &Context, key: Key, output: Output) {
    match output {
        Output::Connect(request) => joining::ask(cx, key, request),
        Output::Present(join) => cx.show(Spot::new(key, join)),
        Output::Send(packet) => {
            cx.transmit(key, &Packet::new(packet, 1), false);
        }
        Output::Refused(socket) => {
            let join = socket.join_id();
            cx.hide(Spot::new(key, join), &socket);
            cx.acks.handle_gone(Spot::new(key, join));
            cx.clients.with(key, |client| client.forget_address(join));
        }
        Output::Abandoned(join) => {
            let abandoned = |client: &mut ClientEntry| {
                let socket = client.connection.socket(join)?;
                cx.hide(Spot::new(key, join), socket);
                Some(())
            };
            cx.clients.with(key, abandoned);
            cx.acks.handle_gone(Spot::new(key, join));
        }
        Output::Disconnected(join, reason) => leaving::tell(cx, Spot::new(key, join), reason),
        Output::Violation(violation) => {
            let message = violation.to_string();
            let fields = [("message", &*message)];
            cx.parts.log(Level::Info, "violation", key, &fields);
        }
        Output::Close => {
            parts::close(&cx.parts, key, Flush::All);
        }
    }
}
