//! Events for clients that may come back, on their way to sockets of this object.

use dormouse_proto::cluster::{Event, Operation as Logged};
use dormouse_proto::socket::{Args, Socket};

use super::super::clients::ClientEntry;
use super::super::context::Context;
use super::super::sending::EncodedEvent;
use super::custody::Custody;
use super::objects::Objects;
use super::participant::Participant;
use crate::port::{self, Address, Operation, Reply, Request, Selection, Spot, Target};

/// Gives an event that a hub has logged to the sockets here that it is for.
pub(super) fn deliver(objects: &Objects, node: &Participant, event: &Event) {
    let namespace = &*node.namespace;
    let custody = objects.custody_of(namespace);
    let Some(((mut selection, args), (custody, cx))) =
        read(&event.operation).zip(custody.zip(objects.context()))
    else {
        return;
    };
    leave_out(custody, &mut selection, event.place);
    let sockets = cx.index.select(&cx, &selection);
    let offset = custody.position(event.place).to_string();
    let encoded = EncodedEvent::new(&cx, namespace, &args).offset(Some(offset));
    let encoded = encoded.count(sockets.len());
    for spot in sockets {
        encoded.send(spot, false);
    }
}

/// Leaves out the sockets whose clients were given everything up to this place when they
/// came back.
pub(super) fn leave_out(custody: &Custody, selection: &mut Selection, place: u64) {
    let ahead = custody.ahead(&selection.namespace, place);
    selection.filter.except.extend(ahead);
}

/// Reads what was logged: whom it is for, and what it says.
pub(super) fn read(operation: &Logged) -> Option<(Selection, Args<'static>)> {
    match port::decode_request(&operation.payload.0) {
        Some((_, Request::Operate(Target::Sockets(selection), Operation::Emit { args, .. }))) => {
            Some((selection, args))
        }
        // Of another build.
        Some(_) | None => None,
    }
}

/// Sends an event to sockets, each of which is known to be here, and logs it for each of
/// them alone.
pub(super) fn emit_here(
    objects: &Objects,
    cx: &Context,
    selection: &Selection,
    args: &Args<'_>,
) -> Reply {
    let namespace = &*selection.namespace;
    for spot in cx.index.select(cx, selection) {
        let address = |client: &mut ClientEntry| client.address(spot.session, spot.join);
        let Some(address) = cx.clients.with(spot.session, address).flatten() else {
            continue;
        };
        let event = EncodedEvent::new(cx, namespace, args).offset(log(objects, &address, args));
        event.send(spot, false);
    }
    Reply::Done
}

/// Logs an event for a socket alone, and returns the offset that it is sent with.
pub(super) fn log(objects: &Objects, address: &Address, args: &Args<'_>) -> Option<String> {
    let (namespace, id) = (&*address.namespace, &*address.id);
    let (custody, cx) = objects.custody_of(namespace).zip(objects.context())?;
    let can_come_back = |client: &mut ClientEntry| {
        let socket = client.connection.socket(address.spot.join);
        socket.and_then(Socket::pid).is_some()
    };
    if cx.clients.with(address.spot.session, can_come_back) != Some(true) {
        return None;
    }
    let place = place_of(objects, custody, namespace, id);
    custody.log(&cx, namespace, (id, place), args);
    Some(custody.position(place).to_string())
}

/// Sends an event to sockets that is not logged. It has the offset of the one before: a
/// client takes the last text of any event for its offset.
pub(super) fn send(
    objects: &Objects,
    namespace: &str,
    sockets: &[Spot],
    args: &Args<'_>,
    volatile: bool,
) -> bool {
    let Some((custody, cx)) = objects.custody_of(namespace).zip(objects.context()) else {
        return false;
    };
    let event = |offset| EncodedEvent::new(&cx, namespace, args).offset(offset);
    let place = objects.node(namespace).place();
    let same = event(Some(custody.position(place).to_string())).count(sockets.len());
    let is_ahead = custody.is_ahead(namespace, place);
    let mut is_taken = false;
    for spot in sockets {
        let heard = || custody.heard(namespace, &id_of(&cx, *spot)?, place);
        let heard = if is_ahead { heard() } else { None };
        is_taken |= match heard {
            Some(heard) => event(Some(custody.position(heard).to_string())).send(*spot, volatile),
            None => same.send(*spot, volatile),
        };
    }
    is_taken
}

/// Returns the place of the last event of the hub that a client has.
fn place_of(objects: &Objects, custody: &Custody, namespace: &str, id: &str) -> u64 {
    let place = objects.node(namespace).place();
    custody.heard(namespace, id, place).unwrap_or(place)
}

fn id_of(cx: &Context, spot: Spot) -> Option<String> {
    let id = |client: &mut ClientEntry| {
        let socket = client.connection.socket(spot.join)?;
        Some(socket.id().to_owned())
    };
    cx.clients.with(spot.session, id).flatten()
}
