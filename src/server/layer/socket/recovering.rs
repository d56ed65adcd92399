//! Events that are logged before they are sent, sockets that are stored, and clients
//! that come back to them.

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{self, Flush};
use dormouse_proto::socket::recovery::{Expired, RecoveryRequest, StoredSocket};
use dormouse_proto::socket::{Args, Filter, Offset, Reason, RecoveredSocket};

use super::clients::ClientEntry;
use super::context::Context;
use crate::api;
use crate::api::ExpireContext;
use crate::layer::called::finish;
use crate::parts::{self, Job};
use crate::platform;
use crate::port::Spot;
use crate::sid::Key;

/// Stores an event before it is sent, and returns its offset. A volatile event is
/// not stored, and has the offset of the previous one: a client takes the last
/// string argument of any event for its offset.
pub(super) fn log(
    cx: &Context,
    namespace: &str,
    filter: &Filter,
    args: &Args<'_>,
    volatile: bool,
) -> Option<Offset> {
    let now = platform::now();
    if volatile {
        return cx.recovery.with(|rules, rows| rules.offset(rows, now));
    }
    let (offset, forgotten) = cx.recovery.with(|rules, rows| {
        let logged = rules.log(rows, now, namespace, filter, args);
        let offset = logged.unwrap_or_else(|failed| failed.offset);
        (offset, rules.expiry(now))
    })?;
    // Perhaps nobody else will wake the object to delete it.
    cx.parts.clock.arm_at(forgotten);
    Some(offset)
}

/// Stores those of a client's sockets whose stored form is out of date.
pub(super) fn save(cx: &Context, key: Key) {
    if !cx.recovery.is_on() {
        return;
    }
    while let Some(Some((evicted, expiry))) =
        cx.clients.with(key, |client| save_one(cx, key, client))
    {
        cx.parts.clock.arm_at(expiry);
        evicted.into_iter().for_each(|socket| tell(cx, socket));
    }
}

fn save_one(
    cx: &Context,
    key: Key,
    client: &mut ClientEntry,
) -> Option<(Vec<StoredSocket>, Timestamp)> {
    // While it is connected, it does not miss anything.
    let now = platform::now();
    let newest = || cx.recovery.with(|rules, rows| rules.offset(rows, now));
    let socket = client
        .connection
        .take_unstored(|| newest().unwrap_or_default())?;
    let session = session(key, socket.definition().tag);
    let since = socket.since().unwrap_or_default();
    let stored = StoredSocket::of(&session, socket.namespace(), socket, since)?;
    cx.recovery.with(|rules, rows| {
        let evicted = rules.save(rows, now, &stored);
        (evicted, rules.expiry(now))
    })
}

/// Stores a socket that has gone for its client to come back to, or deletes what is
/// stored of it.
pub(super) fn lose(cx: &Context, spot: Spot, reason: Reason) {
    let (key, join) = (spot.session, spot.join);
    let now = platform::now();
    let lost = cx.clients.with(key, |client| {
        let socket = client.connection.socket(join)?;
        let pid = socket.pid()?;
        cx.recovery.with(|rules, rows| {
            if !reason.is_recoverable() {
                rules.forget(rows, pid);
                return None;
            }
            let since = socket.since().unwrap_or_else(|| rules.offset(rows, now));
            let session = session(key, socket.definition().tag);
            let stored = StoredSocket::of(&session, socket.namespace(), socket, since)?;
            let evicted = rules.save(rows, now, &stored.lost_at(now));
            Some((evicted, rules.expiry(now)))
        })?
    });
    if let Some((evicted, expiry)) = lost.flatten() {
        cx.parts.clock.arm_at(expiry);
        evicted.into_iter().for_each(|socket| tell(cx, socket));
    }
}

/// A client that has come back in time.
pub(super) struct Found {
    pub(super) id: String,
    pub(super) pid: String,
    pub(super) state: RecoveredSocket,
}

/// Finds the stored socket of a client that wants it back, and what it has missed.
pub(super) fn recover(cx: &Context, key: Key, namespace: &str, auth: &str) -> Option<Found> {
    if !cx.recovery.is_on() {
        return None;
    }
    let request = RecoveryRequest::from_auth(auth)?;
    let find = || {
        let now = platform::now();
        cx.recovery
            .with(|rules, rows| rules.find(rows, now, namespace, &request))
            .flatten()
    };
    let mut socket = find()?;
    if socket.lost.is_none()
        && let Some((before, _)) = read_session(&socket.session)
        && before != key
        && supersede(cx, before, namespace, &request.pid)
    {
        socket = find()?;
    }
    let now = platform::now();
    let missed = cx
        .recovery
        .with(|rules, rows| rules.missed(rows, now, &socket, &request))??;
    Some(Found {
        id: socket.id,
        pid: socket.pid,
        state: RecoveredSocket {
            rooms: socket.rooms,
            data: socket.data,
            since: socket.since,
            missed,
        },
    })
}

/// Ends the session that still has the socket: its connection is dead, and nobody
/// has noticed yet. Returns `false` if there is none.
fn supersede(cx: &Context, before: Key, namespace: &str, pid: &str) -> bool {
    if !cx.parts.sessions.find(before) {
        return false;
    }
    let same = |client: &mut ClientEntry| client.connection.supersede(namespace, pid);
    let is_superseded = cx.clients.with(before, same) == Some(true);
    if is_superseded {
        cx.run_outputs(before);
        parts::close_now(&cx.parts, before, Flush::All);
        // Its sockets are stored as lost before the caller looks for them again.
        let reason = engine::Reason::TransportClose;
        cx.clients
            .with(before, |client| client.connection.handle_closed(reason));
        cx.run_outputs(before);
    }
    is_superseded
}

/// Deletes what has expired, and returns when to call this again.
pub(super) fn expire(cx: &Context) -> Option<Timestamp> {
    let now = platform::now();
    let mut is_held = |stored: &StoredSocket| is_held(cx, stored);
    let Expired { sockets, next } = cx
        .recovery
        .with(|rules, rows| rules.expire(rows, now, &mut is_held))?;
    sockets.into_iter().for_each(|socket| tell(cx, socket));
    next
}

/// Returns whether a session still has a stored socket. All sessions are in memory.
fn is_held(cx: &Context, stored: &StoredSocket) -> bool {
    let has_it = |client: &mut ClientEntry| {
        let socket = client.connection.socket_in(&stored.namespace);
        socket.is_some_and(|socket| socket.pid() == Some(&stored.pid))
    };
    read_session(&stored.session).is_some_and(|(key, _)| cx.clients.with(key, has_it) == Some(true))
}

/// Returns the name that a stored socket has for its session, followed by the tag of
/// its namespace's definition.
fn session(key: Key, tag: u32) -> Vec<u8> {
    [key.as_slice(), &tag.to_le_bytes()].concat()
}

fn read_session(bytes: &[u8]) -> Option<(Key, u32)> {
    let (key, tag) = bytes.split_first_chunk()?;
    Some((*key, u32::from_le_bytes(tag.try_into().ok()?)))
}

/// Tells the application that the client of a socket has not come back in time.
fn tell(cx: &Context, stored: StoredSocket) {
    let definition = read_session(&stored.session)
        .and_then(|(_, tag)| cx.application.define(&stored.namespace, tag));
    let handlers = definition.and_then(|definition| cx.application.handlers(definition));
    let handler = handlers.and_then(|handlers| handlers.on_expired.clone());
    let Some((handler, port)) = handler.zip(cx.port.upgrade()) else {
        return;
    };
    // Its session is over, so the job belongs to none.
    let job = Job::new(Key::default(), "expired");
    let expired = api::Expired::new(stored);
    let mut context = ExpireContext::new(&port, &cx.application, &expired);
    let called = parts::guarded(&cx.parts, job, || handler(&mut context));
    finish(&cx.parts, job, called, || {});
}
