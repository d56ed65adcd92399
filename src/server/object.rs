//! The object: a Durable Object that holds sessions, and sleeps.
//!
//! Each entry point restores what it needs, tells the session what came in,
//! does what the session asks, hands messages to the application, and saves what
//! must outlive sleep. It knows nothing of packets.
//!
//! Nothing here awaits what it cannot lose. A panic in a handler costs the whole
//! wasm instance, so every request that waits for its answer is known to the
//! JavaScript side ([`waiting`]), and what is in memory alone is handed over
//! there when the panic is told ([`will`]).

mod clock;
mod commands;
mod handlers;
mod io;
mod rows;
mod sessions;
mod sockets;
mod store;
mod waiting;
mod will;

use core::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::{Rc, Weak};

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{
    ConnId, Format, Frame, Open, Refusal, Revision, Session, jsonp::JsonpIndex,
};
use wasm_bindgen::JsValue;
use web_sys::{Request, WebSocket};
use worker::Env;
use worker::worker_sys::DurableObjectState;

use self::clock::Clock;
use self::rows::Rows;
use self::sessions::{Carriers, Entry, retire};
use self::sockets::Sockets;
use self::waiting::{Kind, Waiting};
use crate::app::app;
use crate::endpoint::Endpoint;
use crate::engine::Message;
use crate::http;
use crate::io::Application;
use crate::platform::{self, ObjectState};
use crate::query;
use crate::sid::{Key, Sid};

pub(crate) use self::commands::Command;
pub(crate) use self::io::{Answer, Flags, Operation, Remote, Target};
pub(crate) use self::will::running_fetch;

/// The part of a Durable Object that [`worker!`](crate::worker) wraps.
pub struct Object(Rc<Shell>);

/// What one object knows while it is awake.
pub(crate) struct Shell {
    me: Weak<Shell>,
    state: ObjectState,
    pub(crate) env: Env,
    /// The object's id in hexadecimal.
    id: String,
    /// The server whose sessions these are.
    endpoint: OnceCell<Rc<Endpoint>>,
    entries: RefCell<BTreeMap<Key, Entry>>,
    /// Which session each WebSocket belongs to.
    carriers: RefCell<Carriers>,
    sockets: Sockets,
    waiting: Waiting,
    clock: Clock,
    /// Whether this instance has looked around since it was made.
    awake: Cell<bool>,
    /// Whose heartbeats the runtime answers, as far as this instance knows.
    paired: Cell<Option<Revision>>,
    /// How many events are being worked on, one within the other.
    depth: Cell<u32>,
    /// The time at which they began, once somebody has asked for it.
    moment: Cell<Option<Timestamp>>,
    /// Sessions that they changed, and that are to be settled at the end.
    touched: RefCell<Vec<Key>>,
    /// Messages that came in one payload and are yet to be delivered.
    undelivered: RefCell<VecDeque<(Key, Message)>>,
    rows: Rows,
    io: io::Shared,
}

/// The entry points. The platform calls each of them by itself.
impl Object {
    /// The object awakes, or is made.
    pub fn new(state: &DurableObjectState, env: Env) -> Self {
        let state = ObjectState::new(state);
        let shell = Rc::new_cyclic(|me: &Weak<Shell>| Shell {
            me: me.clone(),
            id: state.id(),
            endpoint: OnceCell::new(),
            entries: RefCell::default(),
            carriers: RefCell::default(),
            sockets: Sockets::new(&state, me.clone()),
            waiting: Waiting::new(&state, me.clone()),
            clock: Clock::default(),
            awake: Cell::new(false),
            paired: Cell::new(None),
            depth: Cell::new(0),
            moment: Cell::new(None),
            touched: RefCell::default(),
            undelivered: RefCell::default(),
            rows: Rows::new(&state),
            io: io::Shared::default(),
            state,
            env,
        });
        will::register(&shell);
        Self(shell)
    }

    /// A request came in: from a client, by way of the front, or from another
    /// part of the Worker.
    pub fn fetch(&self, request: &Request) -> JsValue {
        let shell = &self.0;
        let url = request.url();
        let (path, query) = query::split(&url);
        if path.starts_with(commands::PREFIX) {
            return shell.command(path, query, request);
        }
        let Some(endpoint) = app().endpoint_at(path).cloned() else {
            return commands::unknown();
        };
        shell.wake(&endpoint);
        let kind = match query::parameter(query, "sid") {
            None => Kind::Handshake,
            Some(sid) if sid.is_empty() => Kind::Handshake,
            Some(_) if http::is_upgrade(request) => Kind::Upgrade,
            Some(_) if request.method() == "POST" => Kind::Post,
            Some(_) => Kind::Poll,
        };
        shell.waiting.hold(request, kind)
    }

    /// A WebSocket brought a frame.
    pub fn web_socket_message(&self, socket: &WebSocket, message: &JsValue) {
        self.0.handle_message(socket, message);
    }

    /// A WebSocket was closed from the other side.
    pub fn web_socket_close(&self, socket: &WebSocket, code: u16) {
        self.0.handle_close(socket, code);
    }

    /// A WebSocket broke.
    pub fn web_socket_error(&self, socket: &WebSocket) {
        self.0.handle_error(socket);
    }

    /// The alarm went off.
    pub fn alarm(&self) {
        self.0.look_around();
        self.0.clock.handle_alarm();
        self.0.restore_all();
        self.0.recall_server();
        self.0.handle_timeouts();
    }
}

/// What a WebSocket brings.
impl Shell {
    fn handle_message(&self, socket: &WebSocket, message: &JsValue) {
        let Some((key, conn)) = self.whose(socket) else {
            return;
        };
        let (text, bytes);
        let frame = if let Some(message) = platform::text_of(message) {
            text = message;
            Frame::from(&*text)
        } else {
            bytes = js_sys::Uint8Array::new(message).to_vec();
            Frame::from(&*bytes)
        };
        self.event(|| {
            let message = self.with(key, |session| session.handle_frame(self.now(), conn, frame));
            self.drain(key);
            if let Some(message) = message.flatten() {
                self.deliver(key, message);
            }
            self.touch(key);
        });
    }

    fn handle_close(&self, socket: &WebSocket, code: u16) {
        self.handle_socket_gone(socket, false);
        // Without an answer the client would take it for an abnormal end. Not
        // every code that can be received may be sent: RFC 6455, section 7.4.
        let may_be_sent = matches!(code, 1000 | 3000..=4999);
        retire(socket, if may_be_sent { code } else { 1000 });
    }

    fn handle_error(&self, socket: &WebSocket) {
        self.handle_socket_gone(socket, true);
        retire(socket, 1011);
    }

    fn handle_socket_gone(&self, socket: &WebSocket, broken: bool) {
        if let Some((key, conn)) = self.whose(socket) {
            self.with(key, |session| session.handle_socket_gone(conn, broken));
            self.forget_socket(key, conn);
            self.touch(key);
        }
    }
}

/// What each kind of request does.
impl Shell {
    fn handle_request(&self, conn: ConnId, kind: Kind) {
        let Some((endpoint, request)) = self.waiting.request(conn) else {
            return;
        };
        if kind == Kind::Handshake {
            self.adopt(Some(&endpoint));
            return self.handle_handshake(&endpoint, conn, request);
        }
        match self.look_up(&endpoint, &request) {
            Ok(key) => match kind {
                Kind::Upgrade => self.handle_upgrade(key, conn),
                Kind::Post => self.handle_post(key, conn),
                Kind::Poll | Kind::Handshake => self.handle_poll(key, conn),
            },
            Err(refusal) => self.waiting.refuse(conn, refusal),
        }
    }

    /// The session that a request is for.
    fn look_up(&self, endpoint: &Rc<Endpoint>, request: &Request) -> Result<Key, Refusal> {
        let url = request.url();
        let (_, query) = query::split(&url);
        let sid = query::parameter(query, "sid").and_then(|sid| Sid::parse(&sid));
        let key = sid.ok_or(Refusal::UnknownSid)?.key();
        let ours = self.holds(key, endpoint);
        let revision = self.with(key, |session| session.revision());
        match query::parameter(query, "EIO") {
            _ if !ours => Err(Refusal::UnknownSid),
            Some(eio) if Revision::from_query(&eio) != revision => Err(Refusal::BadRequest),
            Some(_) | None => Ok(key),
        }
    }

    /// Whether this is a session of that server.
    fn holds(&self, key: Key, endpoint: &Rc<Endpoint>) -> bool {
        self.find(key) && self.endpoint().is_some_and(|own| Rc::ptr_eq(own, endpoint))
    }

    fn handle_handshake(&self, endpoint: &Endpoint, conn: ConnId, request: Request) {
        let url = request.url();
        let (_, query) = query::split(&url);
        let eio = query::parameter(query, "EIO").and_then(|eio| Revision::from_query(&eio));
        let Some((revision, sid)) = eio.zip(Sid::new(&self.id, platform::random())) else {
            return self
                .waiting
                .refuse(conn, Refusal::UnsupportedProtocolVersion);
        };
        let b64 = query::parameter(query, "b64").is_some_and(|b64| !b64.is_empty());
        let text = sid.to_string();
        let open = Open {
            sid: &text,
            revision,
            b64,
        };
        let (now, settings) = (self.now(), endpoint.options.session_settings());
        let session = if http::is_upgrade(&request) {
            Session::open_websocket(now, settings, open, conn)
        } else {
            Session::open_polling(now, settings, open, conn, format(query))
        };
        self.entries
            .borrow_mut()
            .insert(sid.key(), Entry::connecting(session));
        self.connect(sid, conn, request);
    }

    fn handle_upgrade(&self, key: Key, conn: ConnId) {
        match self.with(key, |session| session.handle_upgrade(self.now(), conn)) {
            Some(Ok(())) => self.accept(key, conn, None),
            Some(Err(refusal)) => self.waiting.refuse(conn, refusal),
            None => self.waiting.refuse(conn, Refusal::UnknownSid),
        }
        self.touch(key);
    }

    fn handle_poll(&self, key: Key, conn: ConnId) {
        let format = self.waiting.query(conn, format).unwrap_or_default();
        self.with(key, |session| session.handle_poll(self.now(), conn, format));
        self.touch(key);
        self.waiting.watch(conn, key);
    }

    fn handle_post(&self, key: Key, conn: ConnId) {
        if self.with(key, |session| session.handle_post(self.now(), conn)) == Some(true) {
            self.waiting.read_body(conn, key);
        }
        self.touch(key);
    }

    /// The body of a `POST` is here, or is not to be had.
    fn handle_body(&self, key: Key, conn: ConnId, body: Result<Frame<'static>, waiting::NoBody>) {
        let now = self.now();
        self.find(key);
        let messages = self.with(key, |session| match &body {
            Ok(body) => {
                let messages = session.handle_body(now, conn, body);
                messages.into_iter().map(|data| data.into_owned()).collect()
            }
            Err(waiting::NoBody::TooLarge) => {
                session.handle_body_too_large(conn);
                Vec::new()
            }
            Err(waiting::NoBody::Malformed) => {
                session.handle_body_malformed(conn);
                Vec::new()
            }
            Err(waiting::NoBody::Gone) => {
                session.handle_body_gone(conn);
                Vec::new()
            }
        });
        self.drain(key);
        self.deliver_all(key, messages.unwrap_or_default());
        self.touch(key);
    }

    /// The client let go of a poll that was held.
    fn handle_abort(&self, key: Key, conn: ConnId) {
        self.with(key, |session| session.handle_poll_gone(conn));
        self.touch(key);
    }

    /// Looks at every session in memory: which have lasted too long, and which
    /// are to be pinged?
    fn handle_timeouts(&self) {
        let keys: Vec<Key> = self.entries.borrow().keys().copied().collect();
        self.clock.hold();
        for key in keys {
            self.handle_timeout(key);
        }
        self.rearm();
    }

    fn handle_timeout(&self, key: Key) {
        self.tell_sign_of_life(key);
        self.with(key, |session| session.handle_timeout(self.now()));
        self.handle_join_timeout(key);
        self.touch(key);
    }

    /// What every event begins with: once for each instance, takes up what the
    /// one before has left.
    fn wake(&self, endpoint: &Endpoint) {
        if self.look_around() && !endpoint.options.settings.sleeps() {
            // Where objects never sleep, timers do the alarm's work. They went
            // with the instance.
            self.restore_all();
            self.rearm();
        }
    }

    /// Whether this instance looks around for the first time.
    fn look_around(&self) -> bool {
        let first = !self.awake.replace(true);
        if first {
            self.take_up();
        }
        first
    }

    pub(crate) fn storage(&self) -> worker::durable::Storage {
        self.state.storage()
    }

    pub(crate) fn endpoint(&self) -> Option<&Rc<Endpoint>> {
        self.endpoint.get()
    }

    /// The Socket.IO application, if it is one.
    fn application(&self) -> Option<&Application> {
        self.endpoint.get()?.io()
    }
}

/// The form in which a request wants the answer to its poll.
fn format(query: &str) -> Format {
    if let Some(j) = query::parameter(query, "j") {
        return Format::Jsonp(JsonpIndex::from_query(&j));
    }
    Format::Any
}
