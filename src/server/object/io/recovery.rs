//! Connection state recovery: the store. What is kept is in the object's SQLite,
//! since nothing else outlives a crash or a deploy.
//!
//! An event is written before it is sent, and the platform lets nothing out that
//! was sent after a write until the write is safe. So a client never knows of an
//! event that the store does not.

use core::cell::Cell;
use core::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dormouse_proto::Timestamp;
use dormouse_proto::engine;
use dormouse_proto::socket::{Args, Filter, Kept, Offset, Protocol, Reason, Socket};
use js_sys::{Array, Uint8Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast as _, JsValue};

use super::Target;
use super::outgoing::Letter;
use crate::app::app;
use crate::io::{Call, ExpireContext, Recovery};
use crate::log::Level;
use crate::object::Shell;
use crate::platform::{self, ObjectState};
use crate::sid::{Key, key_from_tag, tag};

/// Events that have come since the old ones were looked for last.
const LOOK_EVERY: u32 = 100;

/// Offsets are no lower than the time they are given out at, in these parts of a
/// millisecond: so none is ever given out twice, even if all that are stored are
/// gone.
const PARTS: u64 = 1_000;

/// What is as old as it may be is too old a moment later.
const MOMENT: Duration = Duration::from_millis(1);

/// What is stored of sockets, in the order in which a row of it is read.
const KEPT_SOCKETS: &str =
    "SELECT pid, definition, bytes, namespace, session, lost FROM dormouse_sockets";

/// What this instance knows of the events that are stored.
pub(super) struct Log {
    /// The newest event's.
    last: Cell<u64>,
    /// The newest of those that are not stored any more.
    pruned: Cell<u64>,
    /// How many are stored, and with how many bytes. Not known before they are
    /// looked through: most instances sleep again before that.
    stored: Cell<Option<(u64, u64)>>,
    since_look: Cell<u32>,
    /// An event could not be stored, and the storage does not know of that yet.
    gap: Cell<bool>,
}

/// An event as it is stored, its place apart.
#[derive(Serialize, Deserialize)]
struct Noted {
    filter: Filter,
    args: Args<'static>,
}

/// A client that has come back in time.
pub(super) struct Recovered {
    pub(super) kept: Kept,
    pid: String,
    missed: Vec<(Offset, Args<'static>)>,
}

/// What a client says that wants to come back.
#[derive(Deserialize)]
struct Claim {
    pid: String,
    offset: Option<String>,
}

/// SQL. A statement that fails finds nothing: a table that nobody has written to
/// yet is not there.
fn run(state: &ObjectState, statement: &str, bindings: &[JsValue]) -> Vec<Array> {
    let rows = state.sql(statement, bindings).unwrap_or_default();
    rows.iter().map(JsValue::unchecked_into).collect()
}

/// A statement that has to be carried out. `false` if it was not, as where the
/// storage is full.
fn write(state: &ObjectState, statement: &str, bindings: &[JsValue]) -> bool {
    state.sql(statement, bindings).is_ok()
}

fn number(row: Option<&Array>, place: u32) -> u64 {
    let value = row.and_then(|row| row.get(place).as_f64());
    value.unwrap_or_default() as u64
}

fn bytes(row: &Array, place: u32) -> Vec<u8> {
    Uint8Array::new(&row.get(place)).to_vec()
}

fn blob(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).buffer().into()
}

fn value(number: u64) -> JsValue {
    JsValue::from_f64(number as f64)
}

impl Log {
    fn open(state: &ObjectState, path: &str) -> Self {
        for statement in [
            "CREATE TABLE IF NOT EXISTS dormouse_events \
             (place INTEGER PRIMARY KEY, namespace TEXT, bytes BLOB)",
            "CREATE TABLE IF NOT EXISTS dormouse_sockets \
             (pid TEXT PRIMARY KEY, namespace TEXT, session TEXT, definition INTEGER, \
             bytes BLOB, lost INTEGER) WITHOUT ROWID",
            // What has a name: PRUNED, LOOKED and SERVER.
            "CREATE TABLE IF NOT EXISTS dormouse_numbers (name INTEGER PRIMARY KEY, value INTEGER)",
        ] {
            run(state, statement, &[]);
        }
        let remember = "INSERT OR IGNORE INTO dormouse_numbers VALUES (?, ?)";
        run(state, remember, &[SERVER.into(), path.into()]);
        let last = run(state, "SELECT MAX(place) FROM dormouse_events", &[]);
        let pruned = read_number(state, PRUNED);
        Self {
            last: Cell::new(number(last.first(), 0).max(pruned)),
            pruned: Cell::new(pruned),
            stored: Cell::new(None),
            since_look: Cell::new(0),
            gap: Cell::new(false),
        }
    }

    /// Whether the storage tells what is missing in it.
    fn is_sound(&self, state: &ObjectState) -> bool {
        if self.gap.get() && write_number(state, PRUNED, self.pruned.get()) {
            self.gap.set(false);
        }
        !self.gap.get()
    }

    fn append(
        &self,
        state: &ObjectState,
        limits: &Recovery,
        namespace: &str,
        noted: &Noted,
    ) -> Result<Offset, Offset> {
        let now = platform::now().as_millis();
        let place = (self.last.get() + 1).max(now * PARTS);
        let bytes = postcard::to_allocvec(noted).unwrap_or_default();
        let insert = "INSERT INTO dormouse_events VALUES (?, ?, ?)";
        let values = [value(place), namespace.into(), blob(&bytes)];
        self.last.set(place);
        if !self.is_sound(state) || !write(state, insert, &values) {
            self.pruned.set(place);
            self.gap.set(true);
            return Err(Offset(place));
        }
        let stored = self.stored.get();
        let stored = stored.map(|(count, size)| (count + 1, size + bytes.len() as u64));
        self.stored.set(stored);
        let due = self.since_look.replace(self.since_look.get() + 1) >= LOOK_EVERY;
        let too_many = stored
            .is_some_and(|(count, size)| count > limits.max_events || size > limits.max_bytes);
        if due || too_many {
            self.prune(state, limits);
        }
        Ok(Offset(place))
    }

    /// Forgets events that are too old, and the oldest where there are too many.
    fn prune(&self, state: &ObjectState, limits: &Recovery) {
        self.since_look.set(0);
        let (count, size) = self.stored.get().unwrap_or_else(|| look_through(state));
        let mut up_to = self.expired(state, limits);
        // A tenth more at once, so that it is not done for each event.
        if count > limits.max_events {
            let keep = limits.max_events - limits.max_events / 10;
            up_to = up_to.max(place_before_last(state, keep));
        }
        if size > limits.max_bytes {
            let keep = count * limits.max_bytes / size.max(1);
            up_to = up_to.max(place_before_last(state, keep - keep / 10));
        }
        self.forget(state, up_to);
        self.stored.set(Some(if up_to == 0 {
            (count, size)
        } else {
            look_through(state)
        }));
    }

    /// The newest event that is too old. Places grow with the clock, so that no
    /// other event has to be looked at.
    fn expired(&self, state: &ObjectState, limits: &Recovery) -> u64 {
        let now = platform::now().as_millis();
        let oldest = now.saturating_sub(millis(limits.max_disconnection)) * PARTS;
        let find = "SELECT MAX(place) FROM dormouse_events WHERE place < ?";
        number(run(state, find, &[value(oldest)]).first(), 0)
    }

    /// When the newest event that is stored will be too old, and so all of them.
    fn last_expires(&self, limits: &Recovery) -> Option<Timestamp> {
        let noted = Timestamp::from_millis(self.last.get() / PARTS);
        let at = noted + limits.max_disconnection + MOMENT;
        (at > platform::now()).then_some(at)
    }

    fn forget(&self, state: &ObjectState, up_to: u64) {
        if up_to == 0 {
            return;
        }
        let forget = "DELETE FROM dormouse_events WHERE place <= ?";
        run(state, forget, &[value(up_to)]);
        self.pruned.set(self.pruned.get().max(up_to));
        write_number(state, PRUNED, self.pruned.get());
        self.stored.set(None);
    }

    /// The events behind an offset that were for a socket; `None` if some of them
    /// may be gone, or the offset is none that was given out.
    fn missed(
        &self,
        state: &ObjectState,
        kept: &Kept,
        offset: Offset,
    ) -> Option<Vec<(Offset, Args<'static>)>> {
        if offset.0 < self.pruned.get() || offset.0 > self.last.get() {
            return None;
        }
        let rows = run(
            state,
            "SELECT place, bytes FROM dormouse_events WHERE namespace = ? AND place > ? \
             ORDER BY place",
            &[kept.namespace.as_str().into(), value(offset.0)],
        );
        let noted = rows.iter().filter_map(|row| {
            let noted: Noted = postcard::from_bytes(&bytes(row, 1)).ok()?;
            let is_for_it = kept.missed(&noted.filter);
            is_for_it.then(|| (Offset(number(Some(row), 0)), noted.args))
        });
        Some(noted.collect())
    }
}

/// How many events are stored, and with how many bytes.
fn look_through(state: &ObjectState) -> (u64, u64) {
    let find = "SELECT COUNT(*), SUM(LENGTH(bytes)) FROM dormouse_events";
    let rows = run(state, find, &[]);
    (number(rows.first(), 0), number(rows.first(), 1))
}

/// The newest event but for so many.
fn place_before_last(state: &ObjectState, count: u64) -> u64 {
    let find = "SELECT place FROM dormouse_events ORDER BY place DESC LIMIT 1 OFFSET ?";
    number(run(state, find, &[value(count)]).first(), 0)
}

/// The newest event that is not stored any more.
const PRUNED: u32 = 1;
/// When sockets were looked for last that were cut off without a word.
const LOOKED: u32 = 2;
/// The path of the server that all this is of: text, in a column that takes it.
const SERVER: u32 = 3;

fn read_number(state: &ObjectState, name: u32) -> u64 {
    let find = "SELECT value FROM dormouse_numbers WHERE name = ?";
    number(run(state, find, &[name.into()]).first(), 0)
}

fn write_number(state: &ObjectState, name: u32, number: u64) -> bool {
    let replace = "INSERT OR REPLACE INTO dormouse_numbers VALUES (?, ?)";
    write(state, replace, &[name.into(), value(number)])
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Events.
impl Shell {
    /// What recovery is set to, where it is on, and what is stored for it.
    fn recovery(&self) -> Option<(&Recovery, &Log)> {
        let recovery = self.application()?.recovery.as_ref()?;
        let path = &self.endpoint()?.options.path;
        let log = self.io.log.get_or_init(|| Log::open(&self.state, path));
        Some((recovery, log))
    }

    /// Finds out whose server this is when no session can tell: all have gone, and
    /// only what is kept of them is here.
    pub(in crate::object) fn recall_server(&self) {
        if self.endpoint().is_some() {
            return;
        }
        let find = "SELECT value FROM dormouse_numbers WHERE name = ?";
        let rows = run(&self.state, find, &[SERVER.into()]);
        let path = rows.first().and_then(|row| row.get(0).as_string());
        self.adopt(
            path.and_then(|path| app().endpoint_at(&path).cloned())
                .as_ref(),
        );
    }

    /// Stores an event before it is sent. One that may be lost is not stored, and
    /// has the place of the one before it. Where one cannot be stored, nobody can
    /// come back who may have missed it.
    pub(super) fn note(&self, target: &Target, args: &Args<'_>) -> Option<Offset> {
        let (recovery, log) = self.recovery()?;
        if target.flags.volatile {
            return Some(Offset(log.last.get()));
        }
        let noted = Noted {
            filter: target.filter.clone(),
            args: args.clone().into_owned(),
        };
        let appended = log.append(&self.state, recovery, &target.namespace, &noted);
        if appended.is_err() {
            self.expire(&run(&self.state, KEPT_SOCKETS, &[]));
        }
        // Nobody else may wake the object to forget it.
        let forgotten = platform::now() + recovery.max_disconnection;
        self.clock.arm_at(self, forgotten + MOMENT);
        let (Ok(offset) | Err(offset)) = appended;
        Some(offset)
    }

    /// The same for an event to one socket.
    pub(super) fn note_for(&self, namespace: &str, id: &str, args: &Args<'_>) -> Option<Offset> {
        self.recovery()?;
        let target = Target {
            namespace: namespace.to_owned(),
            filter: Filter {
                rooms: vec![id.to_owned()],
                except: Vec::new(),
            },
            ..Target::default()
        };
        self.note(&target, args)
    }
}

/// Sockets.
impl Shell {
    /// What a new socket can come back with. It is as long as two sids' secrets:
    /// who guesses it is the client.
    pub(super) fn new_pid(
        &self,
        protocol: Protocol,
        recovered: Option<&Recovered>,
    ) -> Option<String> {
        self.recovery()?;
        match (protocol, recovered) {
            (Protocol::V4, _) => None,
            (Protocol::V5, Some(recovered)) => Some(recovered.pid.clone()),
            (Protocol::V5, None) => Some(URL_SAFE_NO_PAD.encode(platform::random::<24>())),
        }
    }

    /// Finds what was kept of a client that wants to come back.
    pub(super) fn recover(&self, key: Key, namespace: &str, auth: &str) -> Option<Recovered> {
        let (recovery, log) = self.recovery()?;
        let claim: Claim = serde_json::from_str(auth).ok()?;
        let find = "SELECT session, bytes, lost FROM dormouse_sockets \
                    WHERE pid = ? AND namespace = ?";
        let bindings = [claim.pid.as_str().into(), namespace.into()];
        let row = run(&self.state, find, &bindings).into_iter().next()?;
        let lost = row.get(2).as_f64();
        if let Some(before) = row.get(0).as_string().and_then(|it| key_from_tag(&it))
            && before != key
            && lost.is_none()
        {
            // The old connection is dead, and nobody has noticed yet.
            self.supersede(before, namespace, &claim.pid);
        }
        let row = run(&self.state, find, &bindings).into_iter().next()?;
        let now = platform::now().as_millis();
        let lost = row.get(2).as_f64().map_or(now, |lost| lost as u64);
        let kept: Kept = postcard::from_bytes(&bytes(&row, 1)).ok()?;
        let offset = match &claim.offset {
            Some(offset) => Offset::parse(offset)?,
            None => kept.since,
        };
        let in_time = now <= lost.saturating_add(millis(recovery.max_disconnection));
        let missed = log.missed(&self.state, &kept, offset).filter(|_| in_time)?;
        if missed.iter().map(|(_, args)| args.bytes()).sum::<usize>() > self.most_missed() {
            return None;
        }
        Some(Recovered {
            kept,
            pid: claim.pid,
            missed,
        })
    }

    /// The most bytes that a client can be sent at once.
    fn most_missed(&self) -> usize {
        let settings = self.endpoint().map(|endpoint| endpoint.options.settings);
        let settings = settings.unwrap_or_default();
        settings.max_buffered.min(settings.max_unproven) / 2
    }

    fn supersede(&self, before: Key, namespace: &str, pid: &str) {
        let same = self.find_socket(before, namespace, |socket| {
            socket.is_connected() && socket.pid.as_deref() == Some(pid)
        });
        if same == Some(true) {
            let reason = Reason::Session(engine::Reason::TransportClose);
            self.end_io(before, reason);
            self.conclude_now(before);
        }
    }

    /// Sends what a client has missed.
    pub(super) fn send_missed(&self, key: Key, namespace: &str, recovered: Recovered) {
        let parser = self.parser();
        let now = platform::now();
        for (offset, args) in &recovered.missed {
            let letter = Letter::new(parser, namespace, None, args, Some(*offset));
            self.transmit_all(key, letter.encoded(Protocol::V5), now);
        }
    }

    /// A socket has changed in what is kept of it.
    pub(super) fn keep(&self, key: Key, namespace: &str) {
        self.with_io(key, |io| {
            let socket = io.client.socket(namespace);
            if socket.is_some_and(|it| it.is_connected() && it.pid.is_some()) {
                io.with_beside(namespace, |beside| beside.unkept = true);
            }
        });
    }

    /// Stores what is to be kept of a session's sockets.
    pub(in crate::object) fn keep_all(&self, key: Key) {
        let unkept: Option<Vec<String>> = self.with_io(key, |io| {
            let unkept = io.beside.iter_mut().filter_map(|(namespace, beside)| {
                let unkept = core::mem::take(&mut beside.unkept);
                unkept.then(|| namespace.clone())
            });
            unkept.collect()
        });
        for namespace in unkept.unwrap_or_default() {
            let socket = self.with_io(key, |io| io.client.socket(&namespace).cloned());
            if let Some(socket) = socket.flatten() {
                self.store_socket(key, &namespace, &socket, None);
            }
        }
    }

    /// The same for all that this event has changed so far.
    pub(super) fn keep_touched(&self) {
        let touched = self.touched.borrow().clone();
        touched.into_iter().for_each(|key| self.keep_all(key));
    }

    /// A socket has gone: it is kept for its client to come back to, or not.
    pub(super) fn keep_or_forget(
        &self,
        key: Key,
        namespace: &str,
        socket: &Socket,
        reason: Reason,
    ) {
        let Some(pid) = &socket.pid else {
            return;
        };
        let Some((recovery, _)) = self.recovery() else {
            return;
        };
        self.with_io(key, |io| {
            io.with_beside(namespace, |beside| beside.unkept = false)
        });
        if reason.is_recoverable() {
            let now = platform::now();
            self.store_socket(key, namespace, socket, Some(now));
            self.clock.arm_at(self, now + recovery.max_disconnection);
        } else {
            let forget = "DELETE FROM dormouse_sockets WHERE pid = ?";
            run(&self.state, forget, &[pid.as_str().into()]);
        }
    }

    fn store_socket(&self, key: Key, namespace: &str, socket: &Socket, lost: Option<Timestamp>) {
        let (Some((_, log)), Some(pid)) = (self.recovery(), &socket.pid) else {
            return;
        };
        // While it is connected, it misses nothing of what is sent.
        let kept = Kept::of(namespace, socket, Offset(log.last.get()));
        let since = self.with_io(key, |io| {
            io.with_beside(namespace, |beside| *beside.since.get_or_insert(kept.since))
        });
        let kept = Kept {
            since: since.unwrap_or(kept.since),
            ..kept
        };
        let lost = lost.map_or(JsValue::NULL, |lost| value(lost.as_millis()));
        let values = [
            pid.as_str().into(),
            namespace.into(),
            tag(key).into(),
            socket.definition.into(),
            blob(&postcard::to_allocvec(&kept).unwrap_or_default()),
            lost,
        ];
        let store = "INSERT OR REPLACE INTO dormouse_sockets VALUES (?, ?, ?, ?, ?, ?)";
        if !log.is_sound(&self.state) || !write(&self.state, store, &values) {
            // It is not what is stored of it: its client begins anew.
            let forget = "DELETE FROM dormouse_sockets WHERE pid = ?";
            run(&self.state, forget, &[pid.as_str().into()]);
        }
    }
}

/// Expiry.
impl Shell {
    /// Forgets the sockets whose clients have not come back in time. The moment
    /// for which it is to be called again.
    pub(in crate::object) fn expire_lost(&self) -> Option<Timestamp> {
        let (recovery, log) = self.recovery()?;
        let look = self.find_lost(recovery.max_disconnection);
        log.forget(&self.state, log.expired(&self.state, recovery));
        let now = platform::now();
        let oldest = now
            .as_millis()
            .saturating_sub(millis(recovery.max_disconnection));
        let expired = format!("{KEPT_SOCKETS} WHERE lost <= ?");
        self.expire(&run(&self.state, &expired, &[value(oldest)]));
        let next = run(&self.state, "SELECT MIN(lost) FROM dormouse_sockets", &[]);
        let next = next.first().and_then(|row| row.get(0).as_f64());
        let next =
            next.map(|lost| Timestamp::from_millis(lost as u64) + recovery.max_disconnection);
        next.into_iter()
            .chain(look)
            .chain(log.last_expires(recovery))
            .min()
    }

    /// Forgets what is stored of sockets, and tells the application of those that
    /// are not connected.
    fn expire(&self, rows: &[Array]) {
        for row in rows {
            let forget = "DELETE FROM dormouse_sockets WHERE pid = ?";
            run(&self.state, forget, &[row.get(0)]);
            if row.get(5).is_null() && self.is_held(row) {
                continue;
            }
            let definition = number(Some(row), 1);
            if let (Ok(definition), Ok(kept)) = (
                u16::try_from(definition),
                postcard::from_bytes::<Kept>(&bytes(row, 2)),
            ) {
                self.tell_of_expiry(definition, kept);
            }
        }
    }

    /// Whether a session still has the socket of a row: its pid, and from the third
    /// place on its namespace and session.
    fn is_held(&self, row: &Array) -> bool {
        let pid = row.get(0).as_string();
        let namespace = row.get(3).as_string().unwrap_or_default();
        let key = row.get(4).as_string().and_then(|it| key_from_tag(&it));
        let is_it = |socket: &Socket| socket.pid == pid;
        key.is_some_and(|key| self.find_socket(key, &namespace, is_it) == Some(true))
    }

    /// Sockets that were cut off without a word, as by a deploy, are lost from now
    /// on. They are looked for now and then only, for that is to look at every
    /// socket: the moment for which it is to be done again, where there are any.
    fn find_lost(&self, every: Duration) -> Option<Timestamp> {
        let any = "SELECT 1 FROM dormouse_sockets WHERE lost IS NULL LIMIT 1";
        if run(&self.state, any, &[]).is_empty() {
            return None;
        }
        let now = platform::now();
        let due = Timestamp::from_millis(read_number(&self.state, LOOKED)) + every;
        if now < due {
            return Some(due);
        }
        write_number(&self.state, LOOKED, now.as_millis());
        let find = "SELECT pid, 0, 0, namespace, session FROM dormouse_sockets WHERE lost IS NULL";
        for row in run(&self.state, find, &[]) {
            if !self.is_held(&row) {
                let lose = "UPDATE dormouse_sockets SET lost = ? WHERE pid = ?";
                run(&self.state, lose, &[value(now.as_millis()), row.get(0)]);
            }
        }
        Some(now + every)
    }

    fn tell_of_expiry(&self, definition: u16, kept: Kept) {
        let handlers = self.handlers(definition);
        let Some((handlers, shell)) = handlers.zip(self.me.upgrade()) else {
            return;
        };
        let Some(handler) = &handlers.on_expired else {
            return;
        };
        // The session it had is over: there is none that this is part of.
        let key = Key::default();
        let called = self.guarded(key, "expired", || {
            handler(&mut ExpireContext::new(shell.clone(), kept))
        });
        let failed = match called {
            Ok(Call::Done(outcome)) => outcome.err().map(|error| error.0),
            Ok(Call::Later(future)) => {
                return self.run(key, "expired", 0, future, move |shell, outcome| {
                    if let Err(error) = outcome {
                        shell.log_failure(key, "expired", &error.0);
                    }
                });
            }
            Err(rejection) => Some(rejection.to_string()),
        };
        if let Some(message) = failed {
            self.log(
                Level::Error,
                "handler failed",
                key,
                &[("handler", "expired"), ("message", &message)],
            );
        }
    }
}
