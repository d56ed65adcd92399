//! The layer of Socket.IO: tells a client's [`Connection`] what the client says and
//! what the application decides, and does what the connection asks.
//!
//! It knows nothing of packets, and decides nothing that the protocol has rules for.

mod acks;
mod clients;
mod cluster;
mod context;
mod events;
mod index;
mod joining;
mod leaving;
mod operations;
mod order;
mod outputs;
mod recovering;
mod recovery;
mod sending;
mod server_events;
mod spans;
mod watching;

use core::cell::Cell;
use std::rc::{Rc, Weak};

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{Data, Reason};
use dormouse_proto::rate::Class;
use dormouse_proto::socket::{Connection, Protocol};

use self::acks::PendingAcks;
use self::clients::{ClientEntry, Clients};
use self::context::{Asking, Context};
use self::index::Index;
use self::outputs::run_outputs;
use self::recovery::Recovery;
use super::{Content, Layer, Opening, Ringing, called};
use crate::api::endpoint::Endpoint;
use crate::api::engine::Message;
use crate::api::{Alarm, AlarmContext, Application};
use crate::http::origins;
use crate::log::Level;
use crate::parts::{self, Layered, Parts, opening};
use crate::port::watch::Counted;
use crate::port::{Called, LocalPort, Request};
use crate::request::{Dropped, StoredHandshake};
use crate::sid::Key;

thread_local! {
    /// Whether this instance has logged that not all headers are kept.
    static DROPPED_HEADERS: Cell<bool> = const { Cell::new(false) };
    /// The same for the parameters of a URL.
    static DROPPED_PARAMETERS: Cell<bool> = const { Cell::new(false) };
}

const TOO_MANY_HEADERS: &str = "not kept once the client has joined a namespace; name in \
                                `keep_headers` which to keep rather than others";

const TOO_LONG_URL: &str = "not kept once the client has joined a namespace; what has to be known \
                            later can be kept as data of the socket";

/// The layer of a Socket.IO server.
pub(super) struct Sockets(Rc<Context>);

impl Sockets {
    pub(super) fn new(
        application: &Rc<Application>,
        endpoint: &Rc<Endpoint>,
        parts: &Rc<Parts>,
        port: Weak<dyn LocalPort>,
    ) -> Self {
        Self(Rc::new_cyclic(|me| Context {
            me: me.clone(),
            application: application.clone(),
            parts: parts.clone(),
            port,
            clients: Clients::default(),
            index: Index::default(),
            acks: PendingAcks::default(),
            asking: Asking::default(),
            cluster: cluster::of(
                me.clone(),
                parts,
                &endpoint.options.path,
                &endpoint.options.placement,
            ),
            recovery: Recovery::new(application, endpoint, &parts.state),
            run_outputs,
        }))
    }
}

impl Content for Sockets {
    fn forget(&self, key: Key) {
        self.0.clients.remove(key);
    }

    fn content(&self, key: Key) -> Vec<u8> {
        self.0.clients.content(key)
    }

    fn weigh(&self, key: Key) -> Layered {
        let weigh = |client: &mut ClientEntry| client.weigh();
        self.0.clients.with(key, weigh).unwrap_or_default()
    }

    fn take_changed(&self, key: Key) -> bool {
        self.0.clients.take_changed(key)
    }

    fn must_be_handed_over(&self, key: Key) -> bool {
        let Self(cx) = self;
        cx.clients.must_be_handed_over(key) || watching::must_be_resumed(cx, key)
    }

    fn restore(&self, key: Key, content: Option<&[u8]>) -> bool {
        let Self(cx) = self;
        let restored = content.and_then(|content| ClientEntry::restore(&cx.application, content));
        let is_restored = restored.is_some();
        if let Some(client) = restored {
            cx.index.insert_all(key, &client);
            cx.clients.insert(key, client);
        }
        is_restored
    }
}

impl Layer for Sockets {
    fn open(&self, opening: Opening) {
        let Self(cx) = self;
        let key = opening.key;
        let revision = parts::revision(&cx.parts, key);
        let Some((revision, options)) = revision.zip(cx.parts.options()) else {
            return;
        };
        let now = cx.parts.turn.now();
        let protocol = Protocol::from(revision);
        let connection = Connection::open(now, cx.application.settings, protocol);
        let handshake = origins::handshake(options, &opening.request);
        let preferred = &*cx.application.keep_headers;
        let handshake = handshake.hold(preferred);
        let (client, dropped) = ClientEntry::open(connection, handshake, preferred);
        cx.clients.insert(key, client);
        warn_of_dropped(&cx.parts, key, &dropped);
        opening::admit(&cx.parts, key, opening.conn);
        watching::count(cx, Counted::Opened);
        run_outputs(cx, key);
    }

    fn classify(&self, key: Key, data: &Data<'_>) -> Class {
        let classify = |client: &mut ClientEntry| match client.is_dropping {
            true => Class::Dropped,
            false => client.connection.classify(data),
        };
        self.0.clients.with(key, classify).unwrap_or(Class::Whole)
    }

    fn drop_message(&self, key: Key, data: Data<'_>) {
        watching::count(&self.0, Counted::In(data.len()));
        events::drop_message(&self.0, key, data);
    }

    fn handshake(&self, key: Key) -> Option<Rc<StoredHandshake>> {
        let handshake = |client: &mut ClientEntry| client.handshake().clone();
        self.0.clients.with(key, handshake)
    }

    fn handle_message(&self, key: Key, data: Data<'_>) {
        watching::count(&self.0, Counted::In(data.len()));
        events::handle_message(&self.0, key, data);
    }

    fn is_ready_to_close(&self, key: Key) -> bool {
        order::is_idle(&self.0, key)
    }

    fn handle_closed(&self, key: Key, reason: Reason) {
        let Self(cx) = self;
        watching::count(cx, Counted::Closed(reason));
        cx.clients
            .with(key, |client| client.connection.handle_closed(reason));
        run_outputs(cx, key);
    }

    fn handle_timeout(&self, key: Key) {
        let Self(cx) = self;
        let now = cx.parts.turn.now();
        cx.clients
            .with(key, |client| client.connection.handle_timeout(now));
        run_outputs(cx, key);
    }

    fn next_deadline(&self, key: Key) -> Option<Timestamp> {
        let Self(cx) = self;
        let deadline = |client: &mut ClientEntry| client.connection.next_deadline();
        cx.clients.with(key, deadline).flatten()
    }

    fn finish(&self, key: Key) {
        watching::finish(&self.0, key);
        recovering::save(&self.0, key);
    }

    fn save_all(&self) -> Vec<Key> {
        recovering::save_all(&self.0)
    }

    fn is_busy(&self, key: Key) -> bool {
        let busy = |client: &mut ClientEntry| client.work.is_running();
        self.0.clients.with(key, busy) == Some(true)
    }

    fn resume(&self, key: Key) {
        run_outputs(&self.0, key);
        recovering::save(&self.0, key);
        watching::resume(&self.0, key);
    }

    fn queued(&self) -> Vec<(Key, Message)> {
        order::queued(&self.0)
    }

    fn handle_alarm(&self) -> Option<Timestamp> {
        recovering::expire(&self.0)
    }

    fn ring(&self, ringing: Ringing) -> bool {
        let Self(cx) = self;
        let handler = cx.application.alarms.find(&ringing.name);
        let Some(((handler, params), port)) = handler.zip(cx.port.upgrade()) else {
            return false;
        };
        let alarm = Alarm::new(&ringing.name, ringing.due, params, port.clone());
        super::ringing::ring(&cx.parts, ringing, || {
            handler(&mut AlarmContext::new(&port, &cx.application, &alarm))
        });
        true
    }

    fn tell_of_usage(&self) {
        let Self(cx) = self;
        if let Some(tell) = &cx.application.on_usage {
            called::tell_of_usage(&cx.parts, &cx.port, &|port| {
                tell.call(port, &cx.application)
            });
        }
    }

    fn marks(&self) -> Vec<u8> {
        let cluster = self.0.cluster.as_ref();
        cluster.map(|cluster| cluster.marks()).unwrap_or_default()
    }

    fn inherit(&self, marks: &[u8]) {
        if let Some(cluster) = &self.0.cluster {
            cluster.inherit(marks);
        }
    }

    fn call(&self, request: Request<'_>) -> Called {
        operations::call(&self.0, request)
    }
}

/// The bytes of names in one line of the log. Clients choose them.
const MOST_NAMES: usize = 500;

/// Logs, once for each instance, what of a handshake is not kept.
fn warn_of_dropped(parts: &Parts, key: Key, dropped: &Dropped) {
    let warn = |event, field, names: &[String], message| {
        let mut names = names.join(", ");
        names.truncate(names.floor_char_boundary(MOST_NAMES));
        let fields = [(field, &*names), ("message", message)];
        parts.log(Level::Warn, event, key, &fields);
    };
    let Dropped {
        headers,
        parameters,
    } = dropped;
    if !headers.is_empty() && !DROPPED_HEADERS.replace(true) {
        warn("headers dropped", "headers", headers, TOO_MANY_HEADERS);
    }
    if !parameters.is_empty() && !DROPPED_PARAMETERS.replace(true) {
        warn("query dropped", "parameters", parameters, TOO_LONG_URL);
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
