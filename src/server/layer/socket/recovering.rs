//! Events that are logged before they are sent, sockets that are stored, and clients
//! that come back to them.

use dormouse_proto::Timestamp;
use dormouse_proto::cluster::Position;
use dormouse_proto::engine::{self, Flush};
use dormouse_proto::socket::recovery::{
    self, Expired, Holder, Recovery, RecoveryRequest, Store, StoredSocket,
};
use dormouse_proto::socket::{Args, Due, Filter, Offset, Reason, RecoveredSocket, Storing};

use super::clients::ClientEntry;
use super::context::Context;
use crate::api;
use crate::api::ExpireContext;
use crate::layer::called::finish;
use crate::parts::{self, Job, Purpose};
use crate::platform;
use crate::port::{Address, Selection, Spot};
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
) -> Option<String> {
    if cx.application.is_transient(namespace) {
        return None;
    }
    let offset = match volatile {
        true => newest(cx),
        false => append(cx, namespace, filter, args),
    };
    offset.map(|offset| offset.to_string())
}

/// Does the same for an event for one socket.
pub(super) fn log_for_one(
    cx: &Context,
    address: &Address,
    args: &Args<'_>,
    volatile: bool,
) -> Option<String> {
    if let Some(returns) = cx.returns_to(&address.namespace) {
        return returns.log(address, args);
    }
    let filter = Filter {
        rooms: vec![(*address.id).to_owned()],
        except: Vec::new(),
    };
    log(cx, &address.namespace, &filter, args, volatile)
}

fn append(cx: &Context, namespace: &str, filter: &Filter, args: &Args<'_>) -> Option<Offset> {
    let now = platform::now();
    let (offset, forgotten) = cx.recovery.with(|rules, rows| {
        let logged = rules.log(rows, now, namespace, filter, args);
        let offset = logged.unwrap_or_else(|failed| failed.offset);
        (offset, rules.expiry(now))
    })?;
    // Perhaps nobody else will wake the object to delete it.
    cx.parts.clock.arm_at(forgotten);
    Some(offset)
}

/// Returns the newest event, which is where a client begins to miss something.
pub(super) fn newest(cx: &Context) -> Option<Offset> {
    let now = platform::now();
    cx.recovery.with(|rules, rows| rules.offset(rows, now))
}

/// Replaces rows of a client's sockets that are not true any more. Those that have
/// no row yet are stored soon: most sockets stay, and one that does not never had a
/// row.
pub(super) fn save(cx: &Context, key: Key) {
    if !cx.recovery.is_on() {
        return;
    }
    store(cx, key, Due::Outdated);
    await_storing(cx, key);
}

/// Has a client's sockets stored soon that are not.
fn await_storing(cx: &Context, key: Key) {
    let is_unstored = |client: &mut ClientEntry| client.connection.is_unstored();
    if cx.clients.with(key, is_unstored) == Some(true) {
        cx.recovery.unstored.borrow_mut().insert(key, ());
        cx.parts.save_soon(key);
    }
}

/// Stores the sockets that have waited for it. Returns their sessions.
pub(super) fn save_all(cx: &Context) -> Vec<Key> {
    if let Some(returns) = cx.returns() {
        // Else a session could outlive the knowledge of an event that it has had.
        returns.save();
    }
    let unstored = cx.recovery.unstored.take();
    let keys: Vec<Key> = unstored.keys().collect();
    for key in &keys {
        store(cx, *key, Due::Unstored);
        await_storing(cx, *key);
    }
    keys
}

/// Stores those of a client's sockets that are due.
pub(super) fn store(cx: &Context, key: Key, due: Due) {
    loop {
        let may_write = cx.parts.may_write(key, Purpose::Change);
        let next = |client: &mut ClientEntry| {
            let storing = client.connection.poll_storing(due, may_write)?;
            Some(carry_out(cx, key, storing, None))
        };
        match cx.clients.with(key, next).flatten() {
            Some(stored) => settle(cx, key, stored),
            None => return,
        }
    }
}

/// Stores a socket that has gone for its client to come back to, or deletes what is
/// stored of it.
pub(super) fn lose(cx: &Context, spot: Spot, reason: Reason) {
    if !cx.recovery.is_on() {
        return;
    }
    let key = spot.session;
    let may_write = cx.parts.may_write(key, Purpose::End);
    let last = |client: &mut ClientEntry| {
        let storing = client
            .connection
            .last_storing(spot.join, reason, may_write)?;
        Some(carry_out(cx, key, storing, Some(platform::now())))
    };
    if let Some(stored) = cx.clients.with(key, last).flatten() {
        settle(cx, key, stored);
    }
}

/// The outcome of a row that was written or deleted.
#[derive(Default)]
struct Stored {
    /// The sockets that gave way.
    evicted: Vec<StoredSocket>,
    /// When the row expires.
    expiry: Option<Timestamp>,
}

/// Writes or deletes the row of a socket. It was `lost` at this time, if it was.
fn carry_out(cx: &Context, key: Key, storing: Storing<'_>, lost: Option<Timestamp>) -> Stored {
    let now = platform::now();
    let stored = cx.recovery.with(|rules, rows| match storing {
        Storing::Write(socket) => {
            let since = socket.since().unwrap_or_default();
            let session = session(key, socket.definition().tag);
            let stored = StoredSocket::of(&session, socket.namespace(), socket, since)?;
            let evicted = rules.save(rows, now, &StoredSocket { lost, ..stored });
            let expiry = Some(rules.expiry(now));
            Some(Stored { evicted, expiry })
        }
        Storing::Delete(socket) => {
            rules.forget(rows, socket.pid()?);
            None
        }
    });
    if let (Storing::Delete(socket), Some(returns)) = (storing, cx.returns())
        && lost.is_some()
        && let Some(pid) = socket.pid()
    {
        returns.forgotten(socket.namespace(), pid);
    }
    stored.flatten().unwrap_or_default()
}

fn settle(cx: &Context, key: Key, stored: Stored) {
    cx.parts.charge_row(key);
    if let Some(expiry) = stored.expiry {
        cx.parts.clock.arm_at(expiry);
    }
    tell_all(cx, stored.evicted);
}

/// Stores a socket for a client that has come back to it, and whose session this is to
/// be. `None` if that fails.
pub(super) fn keep(cx: &Context, key: Key, socket: &StoredSocket) -> Option<()> {
    let now = platform::now();
    let (evicted, expiry) = cx.recovery.with(|rules, rows| {
        let evicted = rules.save(rows, now, socket);
        (evicted, rules.expiry(now))
    })?;
    let expiry = Some(expiry);
    settle(cx, key, Stored { evicted, expiry });
    find(cx, &socket.namespace, &socket.pid).map(drop)
}

/// Deletes what is stored of a socket.
pub(super) fn forget(cx: &Context, pid: &str) {
    cx.recovery.with(|rules, rows| rules.forget(rows, pid));
}

/// Deletes what is stored of all sockets of a namespace.
pub(super) fn forget_namespace(cx: &Context, namespace: &str) {
    cx.recovery
        .with(|rules, rows| rules.forget_namespace(rows, namespace));
}

/// Returns what a client of many objects asks for that wants its socket back: the secret,
/// and the last event that it has received.
pub(super) fn read_request(auth: &str) -> Option<(String, Option<Position>)> {
    let (pid, offset) = recovery::read_auth(auth)?;
    let position = match offset {
        Some(offset) => Some(Position::parse(&offset)?),
        None => None,
    };
    Some((pid, position))
}

/// A client that has come back in time.
pub(super) struct Found {
    pub(super) id: String,
    pub(super) pid: String,
    pub(super) state: RecoveredSocket,
}

/// Finds the stored socket of a client that wants it back, and what it has missed.
pub(super) fn recover(cx: &Context, key: Key, namespace: &str, auth: &str) -> Option<Found> {
    if !cx.recovery.is_on() || cx.application.is_transient(namespace) {
        return None;
    }
    let request = RecoveryRequest::from_auth(auth)?;
    let socket = release(cx, Some(key), namespace, &request.pid)?;
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
            missed: missed
                .into_iter()
                .map(|(offset, args)| (offset.to_string(), args))
                .collect(),
        },
    })
}

/// Returns a stored socket whose client may still come back.
pub(super) fn find(cx: &Context, namespace: &str, pid: &str) -> Option<StoredSocket> {
    let now = platform::now();
    let find = |rules: &mut Recovery, rows: &mut dyn Store| rules.find(rows, now, namespace, pid);
    cx.recovery.with(find).flatten()
}

/// Ends the session that has a socket, if it is another one than this, and returns what
/// is stored of the socket.
pub(super) fn release(
    cx: &Context,
    session: Option<Key>,
    namespace: &str,
    pid: &str,
) -> Option<StoredSocket> {
    let found = find(cx, namespace, pid);
    let holder = match &found {
        Some(socket) if socket.lost.is_some() => deciding_holder(cx, session, socket),
        Some(socket) => read_session(&socket.session).map(|(key, _)| key),
        None => unstored_holder(cx, namespace, pid),
    };
    match holder.filter(|holder| Some(*holder) != session) {
        Some(holder) if supersede(cx, holder, namespace, pid) => find(cx, namespace, pid),
        Some(_) | None => found,
    }
}

/// Returns the session, other than this, whose client has come back to a socket while the
/// application has not decided about it: the row still says that it is lost.
fn deciding_holder(cx: &Context, session: Option<Key>, socket: &StoredSocket) -> Option<Key> {
    let in_own_room = Selection {
        namespace: socket.namespace.clone(),
        filter: Filter {
            rooms: vec![socket.id.clone()],
            except: Vec::new(),
        },
        ..Selection::default()
    };
    let spots = cx.index.select(cx, &in_own_room).into_iter();
    let mut keys = spots.map(|spot| spot.session);
    keys.find(|key| Some(*key) != session && has_socket(cx, *key, &socket.namespace, &socket.pid))
}

/// Returns the session of a socket that has no row yet.
fn unstored_holder(cx: &Context, namespace: &str, pid: &str) -> Option<Key> {
    let unstored = cx.recovery.unstored.borrow();
    let mut keys = unstored.keys();
    keys.find(|key| has_socket(cx, *key, namespace, pid))
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
        end_session(cx, before);
    }
    is_superseded
}

/// Ends a session. When this returns, its sockets are stored as lost.
pub(super) fn end_session(cx: &Context, key: Key) {
    parts::close_now(&cx.parts, key, Flush::All);
    let reason = engine::Reason::TransportClose;
    cx.clients
        .with(key, |client| client.connection.handle_closed(reason));
    cx.run_outputs(key);
}

/// Deletes what has expired, and returns when to call this again.
pub(super) fn expire(cx: &Context) -> Option<Timestamp> {
    let now = platform::now();
    let mut is_held = |holder: &Holder| is_held(cx, holder);
    let Expired { sockets, next } = cx
        .recovery
        .with(|rules, rows| rules.expire(rows, now, &mut is_held))?;
    tell_all(cx, sockets);
    let elsewhere = cx.returns().and_then(|returns| returns.handle_alarm());
    [next, elsewhere].into_iter().flatten().min()
}

/// The clients of sockets have not come back in time, or the sockets gave way.
fn tell_all(cx: &Context, sockets: Vec<StoredSocket>) {
    for socket in sockets {
        if let Some(returns) = cx.returns() {
            returns.forgotten(&socket.namespace, &socket.pid);
        }
        tell(cx, socket);
    }
}

/// Returns whether a session still has a stored socket. All sessions are in memory.
fn is_held(cx: &Context, holder: &Holder) -> bool {
    let session = read_session(&holder.session);
    session.is_some_and(|(key, _)| has_socket(cx, key, &holder.namespace, &holder.pid))
}

fn has_socket(cx: &Context, key: Key, namespace: &str, pid: &str) -> bool {
    let has_it = |client: &mut ClientEntry| {
        let socket = client.connection.socket_in(namespace);
        socket.is_some_and(|socket| socket.pid() == Some(pid))
    };
    cx.clients.with(key, has_it) == Some(true)
}

/// Returns the name that a stored socket has for its session, followed by the tag of
/// its namespace's definition.
pub(super) fn session(key: Key, tag: u32) -> Vec<u8> {
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
