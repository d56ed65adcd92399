//! Doing what sessions ask: answers, frames, closes.

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{ConnId, Data, Flush, Frame, Output, Reason, Revision, Transport};
use web_sys::WebSocket;

use super::budget::weigh;
use super::packet::{self, Packet};
use super::sessions::{Phase, SessionEntry};
use super::set::Parts;
use super::websockets::retire;
use crate::http::Reply;
use crate::log::Level;
use crate::options::Added;
use crate::platform::SocketExt as _;
use crate::sid::Key;

/// Carries out all outputs of a session, in order.
pub(crate) fn run_outputs(parts: &Parts, key: Key) {
    while let Some(output) = parts.sessions.with(key, next_output).flatten() {
        run_output(parts, key, output);
    }
}

/// Returns a session's next output. Nothing goes out before the application has
/// admitted the client.
pub(crate) fn next_output(entry: &mut SessionEntry) -> Option<Output> {
    match entry.phase {
        Phase::Opening => None,
        Phase::Open | Phase::Ended(_) | Phase::Told => entry.session.poll_output(),
    }
}

pub(crate) fn run_output(parts: &Parts, key: Key, output: Output) {
    match output {
        Output::Answer { request, answer } => {
            let mut reply = Reply::from(answer);
            if parts.requests.is_handshake(request) {
                reply.cookie = cookie(parts, key);
                reply.added = Added::Initial;
            }
            parts.requests.answer(request, reply);
        }
        Output::ReadBody { request } => parts.requests.read_body(request, key),
        Output::Send { socket, frame } => {
            parts.sessions.with(key, |entry| {
                entry
                    .socket(socket)
                    .map(|socket| send_frame(socket, &frame))
            });
        }
        Output::CloseSocket { socket, code } => {
            if let Some(socket) = take_socket(parts, key, socket) {
                retire(&socket, code);
            }
        }
        Output::Upgraded => parts.log(Level::Info, "upgrade", key, &[]),
        Output::Closed(reason) => {
            let fields = [("reason", reason.as_str())];
            parts.log(Level::Info, "disconnect", key, &fields);
            parts
                .sessions
                .with(key, |entry| entry.phase = Phase::Ended(reason));
        }
    }
}

fn send_frame(socket: &WebSocket, frame: &Frame<'_>) {
    match frame {
        Frame::Text(text) => socket.send_text(text),
        Frame::Binary(bytes) => socket.send_bytes(bytes),
    }
}

/// Returns the cookie of a handshake.
pub(crate) fn cookie(parts: &Parts, key: Key) -> Option<String> {
    let cookie = parts.options()?.cookie.as_ref()?;
    let sid = parts.sid(key)?;
    Some(format!("{}={sid}; {}", cookie.name, cookie.attributes))
}

/// Tells a session when its client last answered a heartbeat that the runtime took
/// in for us.
pub(crate) fn tell_sign_of_life(parts: &Parts, key: Key) {
    parts.sessions.with(key, |entry| {
        let conn = entry.session.socket()?;
        let at = parts.state.auto_response_time(entry.socket(conn)?)?;
        entry.session.handle_sign_of_life(at);
        Some(())
    });
}

/// Finds out whether a client is still there that has not been heard of.
fn resolve_doubt(parts: &Parts, key: Key, now: Timestamp) {
    tell_sign_of_life(parts, key);
    parts
        .sessions
        .with(key, |entry| entry.session.handle_timeout(now));
    parts.turn.mark_dirty(key);
}

/// Sends a message to a session's client. Returns `false` if it has gone.
pub(crate) fn send(parts: &Parts, key: Key, data: Data<'_>) -> bool {
    let now = parts.turn.now();
    let in_doubt = parts
        .sessions
        .with(key, |entry| entry.session.is_in_doubt(now));
    if in_doubt == Some(true) {
        resolve_doubt(parts, key, now);
    }
    let open = parts.sessions.with(key, |entry| {
        let open = entry.session.transport().is_some();
        if let Some((conn, frame)) = entry.session.send(now, data)
            && let Some(socket) = entry.socket(conn)
        {
            send_frame(socket, &frame);
        }
        open
    });
    parts.turn.mark_dirty(key);
    weigh(parts, key, None);
    open == Some(true)
}

/// The fate of a packet.
enum Sent {
    /// The session took it. Whether it is open, and whether it has no outputs.
    Yes(bool, bool),
    /// The client may be gone.
    InDoubt,
    /// The packet is volatile, and the client was not ready.
    Dropped,
}

/// Sends a packet to a session's client. Returns `false` if it has gone.
pub(crate) fn transmit(parts: &Parts, key: Key, packet: &Packet, volatile: bool) -> bool {
    let now = parts.turn.now();
    let sent = parts.sessions.with(key, |entry| {
        if volatile && !entry.session.is_ready() {
            Sent::Dropped
        } else if entry.session.is_in_doubt(now) {
            Sent::InDoubt
        } else {
            transmit_now(entry, packet, now)
        }
    });
    let sent = match sent {
        Some(Sent::InDoubt) => {
            resolve_doubt(parts, key, now);
            parts
                .sessions
                .with(key, |entry| transmit_now(entry, packet, now))
        }
        sent => sent,
    };
    match sent {
        Some(Sent::Yes(open, settled)) => {
            if !settled {
                parts.turn.mark_dirty(key);
                weigh(parts, key, None);
            }
            open
        }
        Some(Sent::Dropped) => true,
        Some(Sent::InDoubt) | None => false,
    }
}

fn transmit_now(entry: &mut SessionEntry, packet: &Packet, now: Timestamp) -> Sent {
    let mut settled = true;
    for (message, value) in packet.messages() {
        match entry.session.send_prepared(now, message) {
            Some((conn, frame)) => {
                let mut sockets = entry.sockets.iter();
                if let Some((_, socket)) = sockets.find(|(other, _)| *other == conn) {
                    packet::send(socket, &frame, message, value);
                }
            }
            None => settled = false,
        }
    }
    Sent::Yes(entry.session.transport().is_some(), settled)
}

/// Closes a session from this side. Returns `false` if it has ended already.
pub(crate) fn close(parts: &Parts, key: Key, flush: Flush) -> bool {
    let now = parts.turn.now();
    let open = parts.sessions.with(key, |entry| {
        let open = entry.session.transport().is_some();
        entry.session.close(now, flush);
        open
    });
    parts.turn.mark_dirty(key);
    open == Some(true)
}

/// Ends a session whose client costs too much, with a line in the log.
pub(crate) fn expel(parts: &Parts, key: Key, reason: Reason) {
    expel_with(parts, key, reason, &[]);
}

/// Does the same, and says more in the log.
pub(crate) fn expel_with(parts: &Parts, key: Key, reason: Reason, fields: &[(&str, &str)]) {
    let shut = |entry: &mut SessionEntry| entry.intake.shut();
    parts.sessions.with(key, shut);
    if transport(parts, key).is_none() {
        return;
    }
    let now = parts.turn.now();
    parts.log(Level::Warn, reason.as_str(), key, fields);
    parts
        .sessions
        .with(key, |entry| entry.session.expel(now, reason));
    parts.turn.mark_dirty(key);
}

/// Closes a session, and carries out its outputs at once.
pub(crate) fn close_now(parts: &Parts, key: Key, flush: Flush) {
    close(parts, key, flush);
    run_outputs(parts, key);
}

/// Returns the revision that a session's client speaks.
pub(crate) fn revision(parts: &Parts, key: Key) -> Option<Revision> {
    parts.sessions.with(key, |entry| entry.session.revision())
}

/// Returns the transport that a session uses.
pub(crate) fn transport(parts: &Parts, key: Key) -> Option<Transport> {
    let transport = parts.sessions.with(key, |entry| entry.session.transport());
    transport.flatten()
}

/// Forgets a WebSocket that is gone.
pub(crate) fn forget_socket(parts: &Parts, key: Key, conn: ConnId) {
    take_socket(parts, key, conn);
}

fn take_socket(parts: &Parts, key: Key, conn: ConnId) -> Option<WebSocket> {
    let revision = revision(parts, key)?;
    let socket = parts.sessions.take_socket(key, conn)?;
    parts.websockets.forget(&socket, key, revision);
    Some(socket)
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
