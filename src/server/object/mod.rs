//! The object: a Durable Object that holds sessions, and sleeps.
//!
//! Each entry point restores what it needs, tells the session what came in, does
//! what the session asks, passes messages to the layer above, and saves what must
//! survive sleep. It knows nothing of packets.
//!
//! Nothing here awaits what must not be lost. A panic in a handler ends the whole
//! wasm instance, so every request that waits for its answer is known to the
//! JavaScript side ([`Requests`]), and what is in memory alone is handed over there
//! when a panic is reported ([`register`]).

mod alarms;
mod deadlines;
mod finishing;
mod inheritance;
mod inputs;
mod intake;
mod local_port;
mod persistence;
mod restoring;

use core::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use js_sys::Uint8Array;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{Request, WebSocket};
use worker::Env;
use worker::worker_sys::DurableObjectState;

use self::persistence::Persistence;
use crate::api::app::app;
use crate::api::endpoint::Endpoint;
use crate::api::engine::Message;
use crate::http;
use crate::incoming::Incoming;
use crate::layer::{self, Layer};
use crate::log::{self, Level};
use crate::options::Options;
use crate::parts::{
    Alarms, Budget, Clock, Finish as _, Kind, Listener as _, Parsed, Parts, RecoveryRows, Repeats,
    Requests, Rows, ServerOptions, Sessions, Source as _, Tasks, Turn, WebSockets, register,
};
use crate::platform::{self, ObjectState};
use crate::port::Memory;
use crate::port::watch::Watched;
use crate::port::wire::Calls;
use crate::sid::Key;
use crate::usage::{Begin, Counted, Meter};

/// The part of a Durable Object that [`worker!`](macro@crate::worker) wraps.
pub struct Object(Option<Rc<Inner>>);

/// The parts of an object, and the layer above them.
struct Inner {
    me: Weak<Inner>,
    parts: Rc<Parts>,
    /// The layer of the server whose sessions these are, once that is known.
    layer: OnceCell<Rc<dyn Layer>>,
    /// This instance has taken up what the previous one left.
    awake: Cell<bool>,
    /// Messages of one payload that have not been delivered yet.
    undelivered: RefCell<VecDeque<(Key, Message)>>,
    calls: Rc<Calls>,
    /// What is kept for the application's handlers.
    memory: Memory,
}

/// What an object was woken by, or created.
#[derive(Clone, Copy)]
enum WokenBy {
    Request(Kind),
    /// From a WebSocket, as is the next.
    Message,
    Close,
    /// A call of another part of the Worker.
    Call,
    Alarm,
    /// The instance before it has ended, and left something to do.
    Panic,
}

impl WokenBy {
    fn as_str(self) -> &'static str {
        match self {
            Self::Request(Kind::Handshake) => "handshake",
            Self::Request(Kind::Upgrade) => "upgrade",
            Self::Request(Kind::Poll) => "poll",
            Self::Request(Kind::Post) => "post",
            Self::Message => "message",
            Self::Close => "close",
            Self::Call => "call",
            Self::Alarm => "alarm",
            Self::Panic => "panic",
        }
    }
}

/// The entry points. The platform calls each of them by itself.
impl Object {
    /// Creates the object, when it is first needed or wakes up.
    pub fn new(state: &DurableObjectState, env: Env) -> Self {
        let state = ObjectState::new(state, Meter::new(begin_to_count()));
        let inner = Rc::new_cyclic(|me: &Weak<Inner>| {
            let parts = Parts {
                id: state.id(),
                env: env.clone(),
                server: OnceCell::new(),
                turn: Turn::new(me.clone()),
                sessions: Sessions::new(me.clone()),
                websockets: WebSockets::new(&state, me.clone()),
                requests: Requests::new(&state, &env, options_at, me.clone()),
                clock: Clock::new(&state, me.clone()),
                rows: Rows::new(&state),
                alarms: Alarms::new(&state),
                tasks: Tasks::default(),
                budget: Budget::default(),
                networks: RefCell::default(),
                repeats: Repeats::default(),
                watched: Watched::new(platform::now()),
                state,
            };
            Inner {
                me: me.clone(),
                parts: Rc::new(parts),
                layer: OnceCell::new(),
                awake: Cell::new(false),
                undelivered: RefCell::default(),
                calls: Rc::default(),
                memory: Memory::default(),
            }
        });
        register(inner.me.clone());
        Self(Some(inner))
    }

    /// Creates what stands for the class alone: it ignores all that it is told.
    pub fn outline() -> Self {
        Self(None)
    }

    /// Handles a request of a client, passed on by the front.
    pub fn fetch(&self, request: &Request) -> JsValue {
        let parsed = Parsed::read(Incoming::new(Clone::clone(request)), options_at);
        let Some((inner, parsed)) = self.0.as_ref().zip(parsed) else {
            return http::not_found().into();
        };
        inner.wake(&parsed.options, WokenBy::Request(parsed.kind));
        inner.count(Counted::Request);
        let is_asked = parsed.options.asks_for_answers();
        let (conn, answer) = inner.parts.requests.hold(parsed);
        let inner = inner.clone();
        let handle = move || inner.parts.turn.run(|| inner.handle_request(conn));
        if is_asked {
            // This call has to return even if the application panics.
            platform::spawn(Box::pin(async move { handle() }));
        } else {
            handle();
        }
        answer
    }

    /// Handles a request of another part of the Worker, for the server on `path`.
    /// Returns the answer or a promise of it, and `undefined` for what is not a request.
    pub fn call(&self, path: &JsValue, request: JsValue) -> JsValue {
        let endpoint = path.as_string().and_then(|path| endpoint_at(&path));
        let request = request.dyn_into::<Uint8Array>().ok();
        match (&self.0, endpoint, request) {
            (Some(inner), Some(endpoint), Some(request)) => inner.handle_call(&endpoint, &request),
            _ => JsValue::UNDEFINED,
        }
    }

    /// Wakes this instance, so that it takes up what the previous one left when it
    /// panicked.
    pub fn wake(&self, path: &JsValue) {
        let endpoint = path.as_string().and_then(|path| endpoint_at(&path));
        if let Some((inner, endpoint)) = self.0.as_ref().zip(endpoint) {
            inner.wake(&endpoint.options, WokenBy::Panic);
        }
    }

    /// Handles a frame from a WebSocket.
    pub fn web_socket_message(&self, socket: &WebSocket, message: &JsValue) {
        if let Some(inner) = &self.0 {
            platform::settle(|| inner.handle_message(socket, message));
        }
    }

    /// Handles a WebSocket that the client has closed.
    pub fn web_socket_close(&self, socket: &WebSocket, code: u16) {
        if let Some(inner) = &self.0 {
            inner.handle_close(socket, code);
        }
    }

    /// Handles a WebSocket that broke.
    pub fn web_socket_error(&self, socket: &WebSocket) {
        if let Some(inner) = &self.0 {
            inner.handle_error(socket);
        }
    }

    /// Handles the alarm.
    pub fn alarm(&self) {
        if let Some(inner) = &self.0 {
            inner.handle_alarm();
        }
    }
}

fn endpoint_at(path: &str) -> Option<Rc<Endpoint>> {
    app().endpoint_at(path).cloned()
}

/// Returns what begins to count what is billed, if any server wants it: whose object it is,
/// is not known yet.
fn begin_to_count() -> Option<Begin> {
    let app = app();
    let mut all = app.endpoints.iter();
    all.find_map(|endpoint| endpoint.options.usage)
}

fn options_at(path: &str) -> Option<Rc<Options>> {
    Some(endpoint_at(path)?.options.clone())
}

fn endpoint_of(options: &Rc<Options>) -> Option<Rc<Endpoint>> {
    let app = app();
    let mut all = app.endpoints.iter();
    let found = all.find(|endpoint| Rc::ptr_eq(&endpoint.options, options));
    found.cloned()
}

/// The server whose sessions these are.
impl Inner {
    fn adopt(&self, endpoint: Option<&Rc<Endpoint>>) {
        let Some(endpoint) = endpoint.filter(|_| self.layer.get().is_none()) else {
            return;
        };
        let app = app();
        let mut all = app.endpoints.iter();
        let number = all.position(|other| Rc::ptr_eq(other, endpoint));
        let Some(number) = number.and_then(|number| u8::try_from(number).ok()) else {
            return;
        };
        let options = endpoint.options.clone();
        self.parts.clock.set_settings(options.settings);
        if options.usage.is_none() {
            self.parts.state.meter().stop();
        }
        // Neither is set yet.
        let _ = self.parts.server.set(ServerOptions { number, options });
        let layer = layer::of(endpoint, &self.parts, self.me.clone());
        let _ = self.layer.set(layer);
    }

    /// Adopts the server that the stored alarms, or what is kept for recovery, belong to.
    fn adopt_stored(&self) {
        if self.layer.get().is_some() {
            return;
        }
        if let Some(path) = RecoveryRows::server(&self.parts.state) {
            self.adopt(endpoint_at(&path).as_ref());
        }
        if let Some(path) = self.parts.alarms.server() {
            self.adopt(endpoint_at(&path).as_ref());
        }
    }

    fn layer(&self) -> Option<&dyn Layer> {
        self.layer.get().map(|layer| &**layer)
    }

    fn persistence(&self) -> Option<Persistence<'_>> {
        Some(Persistence {
            parts: &self.parts,
            layer: self.layer()?,
        })
    }

    fn handle_alarm(&self) {
        let is_first = self.take_up();
        self.count(Counted::Alarm);
        self.parts.clock.handle_alarm();
        self.restore_all();
        // Perhaps all sessions have gone, and only what is kept for later is here.
        self.adopt_stored();
        if is_first {
            self.count(Counted::Wake(WokenBy::Alarm.as_str()));
        }
        if let Some(options) = self.parts.options().filter(|_| is_first) {
            self.log_wake(options, WokenBy::Alarm);
        }
        self.check_all();
        self.ring();
        self.rearm();
        self.give_back_unknown();
        // The row for the next alarm comes after the last turn.
        self.count(Counted::AlarmEnd);
        self.end();
    }

    fn count(&self, what: Counted) {
        self.parts.state.meter().count(what);
    }

    fn log_wake(&self, options: &Options, by: WokenBy) {
        let fields = [("reason", by.as_str()), ("object", &*self.parts.id)];
        log::log(&options.log, Level::Info, "wake", &fields);
    }

    /// Begins an event. Once for each instance, it takes up what the previous one
    /// has left.
    fn wake(&self, options: &Options, by: WokenBy) {
        if !self.take_up() {
            return;
        }
        self.count(Counted::Wake(by.as_str()));
        self.log_wake(options, by);
        // The caller's options are those of another server, where it is mistaken.
        let sleeps = match self.parts.options() {
            Some(own) => own.settings.sleeps(),
            None => options.settings.sleeps(),
        };
        if !sleeps {
            // Where objects never sleep, timers do the alarm's work, and they went
            // with the instance.
            self.restore_all();
            self.rearm();
        }
    }

    /// Returns whether this object's sessions are those of a server.
    fn serves(&self, options: &Rc<Options>) -> bool {
        let own = self.parts.options();
        own.is_some_and(|own| Rc::ptr_eq(own, options))
    }
}
