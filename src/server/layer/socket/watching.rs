//! Telling whoever watches the object what its sockets do.

use dormouse_proto::engine::Transport;
use dormouse_proto::socket::{Reason, Socket};
use dormouse_proto::sort;

use super::clients::ClientEntry;
use super::context::Context;
use super::operations;
use crate::api::Io;
use crate::parts;
use crate::port::watch::{Census, Counted, News};
use crate::port::{Address, Spot};
use crate::sid::Key;

/// Has something counted, if anybody watches.
pub(super) fn count(cx: &Context, what: Counted) {
    if cx.parts.watched.is_watched() {
        cx.parts.watched.count(what);
    }
}

/// Tells of an event that a socket was sent, if anybody wants to hear of single ones.
pub(super) fn tell(cx: &Context, spot: Spot, news: News<'_>) {
    if cx.parts.watched.hears_all() {
        cx.clients.with(spot.session, |client| {
            let socket = client.connection.socket(spot.join)?;
            tell_of(cx, socket, news);
            Some(())
        });
    }
}

/// Does the same while its client is being changed.
pub(super) fn tell_of(cx: &Context, socket: &Socket, news: News<'_>) {
    if cx.parts.watched.hears_all() {
        let watched = &cx.parts.watched;
        watched.tell(socket.namespace(), socket.id(), news);
    }
}

/// Tells of a socket whose address is known.
pub(super) fn tell_at(cx: &Context, address: &Address, news: News<'_>) {
    if cx.parts.watched.hears_all() {
        let watched = &cx.parts.watched;
        watched.tell(&address.namespace, &address.id, news);
    }
}

/// Tells of a socket that is connected.
pub(super) fn connected(cx: &Context, address: &Address) {
    if cx.parts.watched.hears_all()
        && let Some(remote) = operations::remote(cx, address.spot)
    {
        let know = |client: &mut ClientEntry| client.known_transport = remote.transport;
        cx.clients.with(address.spot.session, know);
        tell_at(cx, address, News::Connected(&remote));
    }
}

/// Tells of a socket that has gone, and so has left its rooms.
pub(super) fn disconnected(cx: &Context, address: &Address, reason: Reason) {
    if cx.parts.watched.hears_all() {
        tell_at(cx, address, News::Disconnected(reason));
        cx.clients.with(address.spot.session, |client| {
            let socket = client.connection.socket(address.spot.join)?;
            let rooms = socket.rooms().iter();
            rooms.for_each(|room| tell_of(cx, socket, News::Left(room)));
            Some(())
        });
    }
}

/// Tells of a session's transport, if it has changed in this turn.
pub(super) fn finish(cx: &Context, key: Key) {
    if !cx.parts.watched.hears_all() {
        return;
    }
    let transport = parts::transport(&cx.parts, key);
    cx.clients.with(key, |client| {
        let transport = transport.filter(|_| client.known_transport != transport)?;
        client.known_transport = Some(transport);
        let present = client.connection.sockets().filter(|it| it.is_present());
        present.for_each(|socket| tell_of(cx, socket, News::Transport(transport)));
        Some(())
    });
}

/// Returns whether the next instance has to have a client in its memory from the beginning:
/// it watches.
pub(super) fn must_be_resumed(cx: &Context, key: Key) -> bool {
    let is_it =
        |socket: &Socket| socket.is_connected() && cx.application.is_transient(socket.namespace());
    cx.application.transient.is_some() && cx.clients.has_socket(key, is_it)
}

/// Tells the application that somebody who watches is in memory again.
pub(super) fn resume(cx: &Context, key: Key) {
    if must_be_resumed(cx, key)
        && let Some(transient) = &cx.application.transient
        && let Some(port) = cx.port.upgrade()
    {
        let namespace = transient.name.as_str().into();
        (transient.resumed)(&Io::local(port, cx.application.clone(), &namespace));
    }
}

/// Counts the clients, and the sockets of each namespace, including those that are asleep.
pub(super) fn census(cx: &Context) -> Census {
    cx.parts.sessions.restore_all();
    let mut names = cx.index.namespaces(cx, |_| true);
    sort(&mut names);
    let mut census = Census {
        namespaces: names.into_iter().map(|name| (name, 0)).collect(),
        ..Census::default()
    };
    cx.clients.for_each(|key, client| {
        let Some(transport) = parts::transport(&cx.parts, key) else {
            return;
        };
        census.clients += 1;
        census.polling += usize::from(transport == Transport::Polling);
        for socket in client.connection.sockets().filter(|it| it.is_present()) {
            let namespaces = &mut census.namespaces;
            let place = namespaces.binary_search_by(|(name, _)| (**name).cmp(socket.namespace()));
            if let Some((_, count)) = place.ok().and_then(|place| namespaces.get_mut(place)) {
                *count += 1;
            }
        }
    });
    census
}
