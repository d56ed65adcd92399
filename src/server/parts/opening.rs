//! The end of a handshake: the application admits a client, or denies it.

use dormouse_proto::engine::{ConnId, Revision, Transport};

use super::attachment::attach;
use super::budget;
use super::effects::{cookie, run_outputs};
use super::requests::Kind;
use super::sessions::{Phase, SessionEntry};
use super::set::Parts;
use crate::http::{self, Reply};
use crate::log::Level;
use crate::options::Added;
use crate::platform::{self, SocketExt as _};
use crate::sid::Key;

/// Admits a client: tells it that it is connected.
pub(crate) fn admit(parts: &Parts, key: Key, conn: ConnId) {
    let opened = parts.sessions.with(key, |entry| {
        entry.phase = Phase::Open;
        (entry.session.transport(), entry.session.socket())
    });
    let (transport, socket) = opened.unwrap_or_default();
    let transport = transport.map_or("none", Transport::as_str);
    parts.log(Level::Info, "connect", key, &[("transport", transport)]);
    if socket == Some(conn) {
        accept(parts, key, conn);
    }
    run_outputs(parts, key);
    parts.turn.mark_dirty(key);
}

/// Denies a client, which is told so over HTTP.
pub(crate) fn deny(parts: &Parts, key: Key, conn: ConnId, reply: Reply) {
    parts.tasks.end(key);
    parts.sessions.remove(key);
    parts.requests.answer(conn, reply);
    // Finishing the session removes it from its layer.
    parts.turn.mark_dirty(key);
}

/// Creates the WebSocket that `conn` asked for, and hands its other end to the
/// client.
pub(crate) fn accept(parts: &Parts, key: Key, conn: ConnId) {
    let Some(parsed) = parts.requests.parsed(conn) else {
        return;
    };
    let Some((client, server)) = platform::socket_pair() else {
        return handle_no_socket(parts, key, conn);
    };
    let (cookie, added) = match parsed.kind {
        Kind::Handshake => (cookie(parts, key), Added::Initial),
        Kind::Upgrade | Kind::Poll | Kind::Post => (None, Added::Usual),
    };
    let response = parts
        .requests
        .make_answer(conn, &parsed, |options, request| {
            http::switch_protocols(options, request, &client, cookie.as_deref(), added)
        });
    let wanted = parts.sessions.with(key, |entry| {
        let revision = entry.session.revision();
        entry.session.has_socket(conn).then_some(revision)
    });
    let Some(revision) = wanted.flatten() else {
        parts.websockets.reject(server);
        return parts.requests.resolve(conn, &response);
    };
    server.set_number(conn);
    if !take_into_use(parts, key, revision, &server) {
        parts.log_for_all(Level::Warn, "full", &[]);
        handle_no_socket(parts, key, conn);
        return parts.requests.answer(conn, budget::full());
    }
    parts.sessions.add_socket(key, conn, &server);
    let outdated = |entry: &mut SessionEntry| entry.stored.is_outdated = true;
    parts.sessions.with(key, outdated);
    attach(parts, key, conn, &server);
    parts.requests.resolve(conn, &response);
}

fn take_into_use(parts: &Parts, key: Key, revision: Revision, socket: &web_sys::WebSocket) -> bool {
    if parts.sleeps() {
        return parts.websockets.accept(socket, key, revision).is_ok();
    }
    parts.websockets.accept_awake(socket, key);
    true
}

fn handle_no_socket(parts: &Parts, key: Key, conn: ConnId) {
    parts
        .sessions
        .with(key, |entry| entry.session.handle_socket_gone(conn, true));
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
