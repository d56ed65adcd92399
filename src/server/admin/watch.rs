//! What is known while somebody watches, and the task that sends it.
//!
//! It begins with the first who enters the namespace, and ends with the last who leaves.
//! Meanwhile its timer keeps the object awake.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::Timestamp;
use dormouse_proto::socket::Args;
use futures::channel::oneshot;
use futures::future::select;
use js_sys::Date;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use wasm_bindgen::JsValue;

use super::stats::{Counts, Stats};
use super::{Admin, MAX_SHOWN, MAX_WAITING, MAX_WAITING_BYTES, STATS_EVERY, others, sockets};
use crate::api::{Arguments, Io, SpawnError, WeakIo};
use crate::platform::{self, sleep};
use crate::port::watch::{Counted, News, Watcher};
use crate::port::{Operation, Request, Selection, Target};

/// The names of the tasks.
const TASK: &str = "dormouse admin";
const SENDING: &str = "dormouse admin: events";

/// What an object knows as long as it is watched.
#[derive(Default)]
pub(super) struct Watch {
    pub(super) counts: Counts,
    /// The admin namespace, once somebody watches.
    io: RefCell<Option<WeakIo>>,
    hears_all: Cell<bool>,
    /// Somebody who watches is in this object, and the task is running.
    is_running: Cell<bool>,
    /// Until when somebody in another object watches.
    lease: Cell<Option<Timestamp>>,
    waiting: RefCell<Waiting>,
    /// Those who watch have to be sent a list of all sockets again.
    is_stale: Cell<bool>,
    /// Somebody has come who was not told any numbers yet.
    has_come: Cell<bool>,
    news: Bell,
    /// Somebody has left.
    pub(super) left: Bell,
}

/// Events that are to be sent to those who watch.
#[derive(Default)]
struct Waiting {
    events: Vec<Args<'static>>,
    bytes: usize,
}

/// Begins to watch, if nobody in this object does.
pub(super) fn begin(io: &Io, admin: &Rc<Admin>) -> Result<(), SpawnError> {
    let watch = io.memory::<Watch>().ok_or(SpawnError::Elsewhere)?;
    // It may be running.
    let _ = io.spawn(TASK, run)?;
    watch.is_running.set(true);
    watch.has_come.set(true);
    watch.set(io, admin);
    watch.news.ring();
    others::begin(io, admin)
}

/// Begins again, after sleep or a panic: nobody knows what has happened meanwhile.
pub(super) fn resume(io: &Io, admin: &Rc<Admin>) {
    if begin(io, admin).is_ok()
        && let Some(watch) = io.memory::<Watch>()
    {
        watch.list_again();
    }
}

/// Looks whether there is anybody left who watches.
pub(super) fn look(io: &Io) {
    if let Some(watch) = io.memory::<Watch>() {
        watch.news.ring();
        watch.left.ring();
    }
}

/// Watches for somebody in another object. Returns whether nobody has before.
pub(super) fn lease(io: &Io, admin: &Rc<Admin>, duration: Duration) -> bool {
    let Some(watch) = io.memory::<Watch>() else {
        return false;
    };
    let is_new = !watch.is_wanted(platform::now());
    watch.lease.set(Some(platform::now() + duration));
    watch.set(io, admin);
    is_new
}

/// Returns whether somebody who watches is in this object.
pub(super) async fn is_anybody_here(io: &Io) -> bool {
    io.all().local().count().await.is_ok_and(|count| count > 0)
}

/// Sends what there is to tell for as long as somebody who watches is in this object.
async fn run(io: Io) {
    let Some(watch) = io.memory::<Watch>() else {
        return;
    };
    let mut due = platform::now();
    while is_anybody_here(&io).await {
        let now = platform::now();
        if now >= due || watch.has_come.take() {
            due = now + STATS_EVERY;
            let stats = Stats::of(&io, &watch.counts, now);
            // There is another one soon.
            io.emit("server_stats", stats).await.ok();
            watch.send_list(&io).await;
        }
        watch.send(&io).await;
        if watch.is_empty() {
            watch.news.wait(due.since(platform::now())).await;
        }
    }
    watch.is_running.set(false);
    watch.end_if_unwanted();
}

/// Sends what there is to tell from an object in which nobody watches.
async fn send_for_others(io: Io) {
    let Some(watch) = io.memory::<Watch>() else {
        return;
    };
    while !watch.is_empty() {
        watch.send(&io).await;
        watch.send_list(&io).await;
    }
}

impl Watch {
    fn set(self: &Rc<Self>, io: &Io, admin: &Admin) {
        let io = io.of(&admin.namespace);
        self.hears_all.set(admin.development);
        self.io.replace(io.downgrade());
        if let Some(port) = io.local_port() {
            port.watched().set(Some(self.clone()));
        }
    }

    /// Returns whether somebody still watches.
    fn is_wanted(&self, now: Timestamp) -> bool {
        self.is_running.get() || self.lease.get().is_some_and(|until| now < until)
    }

    /// Forgets everything if nobody watches any more.
    fn end_if_unwanted(&self) -> bool {
        if self.is_wanted(platform::now()) {
            return false;
        }
        let io = self.io.take().and_then(|io| io.upgrade());
        if let Some(port) = io.as_ref().and_then(Io::local_port) {
            port.watched().set(None);
        }
        self.counts.take();
        self.waiting.take();
        self.is_stale.set(false);
        true
    }

    /// Has all sockets listed again, with the next numbers.
    pub(super) fn list_again(&self) {
        self.is_stale.set(true);
    }

    fn is_empty(&self) -> bool {
        self.waiting.borrow().events.is_empty()
    }

    fn push(&self, event: &str, args: impl Serialize) {
        let Ok(args) = args.encode(Some(event)) else {
            return;
        };
        let mut waiting = self.waiting.borrow_mut();
        let bytes = waiting.bytes + args.bytes();
        if waiting.events.len() == MAX_WAITING || bytes > MAX_WAITING_BYTES {
            self.is_stale.set(true);
            return;
        }
        waiting.bytes = bytes;
        waiting.events.push(args);
        drop(waiting);
        self.send_soon();
    }

    /// Has sent what waits, but not now: whoever tells may be in the middle of something.
    fn send_soon(&self) {
        if self.is_running.get() {
            return self.news.ring();
        }
        let io = self.io.borrow().as_ref().and_then(WeakIo::upgrade);
        if let Some(io) = io {
            // One that is running sends this as well.
            let _ = io.spawn(SENDING, send_for_others);
        }
    }

    /// Sends what waits to all who watch, wherever they are.
    async fn send(&self, io: &Io) {
        for args in self.waiting.take().events {
            let selection = Selection {
                namespace: io.namespace().to_owned(),
                ..Selection::default()
            };
            let operation = Operation::Emit {
                args,
                volatile: false,
            };
            let request = Request::Operate(Target::Sockets(selection), operation);
            if io.port().call(request).reply().await.is_err() {
                self.is_stale.set(true);
            }
        }
    }

    /// Sends a list of all sockets, if one is due.
    async fn send_list(&self, io: &Io) {
        if self.is_stale.take() && self.hears_all.get() {
            let list = sockets::list(io).await;
            // What is lost now is listed another time.
            io.emit("all_sockets", (list,)).await.ok();
        }
    }
}

impl Watcher for Watch {
    fn count(&self, what: Counted) {
        if !self.end_if_unwanted() {
            self.counts.add(platform::now(), what);
        }
    }

    fn hears_all(&self) -> bool {
        self.hears_all.get()
    }

    fn tell(&self, namespace: &str, socket: &str, news: News<'_>) {
        if self.end_if_unwanted() {
            return;
        }
        let time = iso(platform::now());
        match news {
            News::Connected(remote) => {
                let described = sockets::describe(namespace, remote);
                self.push("socket_connected", (described, time));
            }
            News::Disconnected(reason) => {
                let what = (namespace, socket, reason.as_str(), time);
                self.push("socket_disconnected", what);
            }
            News::Transport(transport) => {
                let updated = Updated::new(namespace, socket);
                let transport = Some(transport.as_str());
                self.push(
                    "socket_updated",
                    Updated {
                        transport,
                        ..updated
                    },
                );
            }
            News::Data(json) => {
                let updated = Updated::new(namespace, socket);
                let data = Some(sockets::Data(Some(json)));
                self.push("socket_updated", Updated { data, ..updated });
            }
            News::Joined(room) => self.push("room_joined", (namespace, room, socket, time)),
            News::Left(room) => self.push("room_left", (namespace, room, socket, time)),
            News::Received(args) => self.push_event("event_received", namespace, socket, args),
            News::Sent(args) => self.push_event("event_sent", namespace, socket, args),
        }
    }
}

impl Watch {
    /// Tells of an event, unless it is one of those by which others are told of.
    fn push_event(&self, name: &str, namespace: &str, socket: &str, args: &Args<'_>) {
        let is_own = |io: &WeakIo| io.namespace() == namespace;
        if !self.io.borrow().as_ref().is_some_and(is_own) {
            self.push(name, (namespace, socket, shown(args), iso(platform::now())));
        }
    }
}

/// What has changed of a socket.
#[derive(Serialize)]
struct Updated<'a> {
    id: &'a str,
    nsp: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<sockets::Data<'a>>,
}

impl<'a> Updated<'a> {
    fn new(nsp: &'a str, id: &'a str) -> Self {
        Self {
            id,
            nsp,
            transport: None,
            data: None,
        }
    }
}

/// Returns the name and the arguments of an event as they are shown: without attachments,
/// of which the placeholders are there.
fn shown(args: &Args<'_>) -> Option<Box<RawValue>> {
    let json = args.json();
    if json.len() <= MAX_SHOWN {
        return RawValue::from_string(json.to_owned()).ok();
    }
    let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    to_raw_value(&(items.first()?, format!("{} bytes", json.len()))).ok()
}

/// Returns a time as the UI reads it.
fn iso(time: Timestamp) -> String {
    let millis = JsValue::from_f64(time.as_millis() as f64);
    Date::new(&millis).to_iso_string().into()
}

/// Wakes one task that waits for it.
#[derive(Default)]
pub(super) struct Bell(RefCell<Option<oneshot::Sender<()>>>);

impl Bell {
    fn ring(&self) {
        if let Some(bell) = self.0.take() {
            // Nobody may wait any more.
            let _ = bell.send(());
        }
    }

    /// Waits until it rings, or for so long.
    pub(super) async fn wait(&self, limit: Duration) {
        let (bell, rung) = oneshot::channel();
        self.0.replace(Some(bell));
        select(rung, Box::pin(sleep(limit))).await;
        self.0.take();
    }
}
