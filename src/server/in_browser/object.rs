//! The parts of an object on the fake of the platform. What they tell is written down.

use core::cell::{OnceCell, RefCell};
use std::rc::Rc;

use dormouse_proto::engine::{BodyError, ConnId, Format, Frame, Open, Revision, Session};
use dormouse_proto::socket::{Args, Encoded, Parser, Protocol, ServerPacket};
use futures::future::LocalBoxFuture;
use js_sys::Object as JsObject;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::WebSocket;
use worker::Env;

use super::platform::{self, ID, state};
use super::request;
use crate::layer::Layer;
use crate::log::Level;
use crate::options::Options;
use crate::parts::{
    Alarmed, Alarms, Budget, Clock, Finish, Kind, Listener, Parsed, Parts, Phase, Receiver,
    Repeats, Requests, Rows, ServerOptions, SessionEntry, Sessions, Source, Tasks, Turn,
    WebSockets, run_outputs,
};
use crate::platform::{ObjectState, SocketExt as _, now};
use crate::port::watch::Watched;
use crate::port::{Called, LocalPort, Memory, Port, PortError, Request};
use crate::sid::Key;

/// The number of the server that the sessions belong to.
pub(crate) const SERVER: u8 = 2;

/// An object whose parts are real, and that decides nothing.
pub(crate) struct FakeObject {
    pub(crate) parts: Rc<Parts>,
    /// Carries out what handlers ask.
    pub(crate) layer: OnceCell<Rc<dyn Layer>>,
    /// The sessions that are asleep: they poll, and wait for nothing.
    pub(crate) asleep: RefCell<Vec<Key>>,
    /// What the layer has of sessions that sleep on their WebSockets.
    pub(crate) carried: RefCell<Vec<(Key, Vec<u8>)>>,
    heard: RefCell<Vec<String>>,
}

/// The session of this number.
pub(crate) fn key(number: u8) -> Key {
    [number; 12]
}

/// Bindings of a Worker: none.
pub(crate) fn env() -> Env {
    JsObject::new().unchecked_into()
}

/// An object that nothing has happened to, of a server with these options.
pub(crate) fn object(options: Options) -> Rc<FakeObject> {
    object_on(&state(), options)
}

/// The next instance of an object: all but its state is new.
pub(crate) fn object_on(state: &ObjectState, options: Options) -> Rc<FakeObject> {
    let options = Rc::new(options);
    let object = Rc::new_cyclic(|me: &std::rc::Weak<FakeObject>| {
        let parts = Parts {
            id: ID.to_owned(),
            env: env(),
            server: OnceCell::new(),
            turn: Turn::new(me.clone()),
            sessions: Sessions::new(me.clone()),
            websockets: WebSockets::new(state, me.clone()),
            requests: Requests::new(state, &env(), |_| None, me.clone()),
            clock: Clock::new(state, me.clone()),
            rows: Rows::new(state),
            alarms: Alarms::new(state),
            tasks: Tasks::default(),
            budget: Budget::default(),
            networks: RefCell::default(),
            repeats: Repeats::default(),
            watched: Watched::new(now()),
            state: state.clone(),
        };
        FakeObject {
            parts: Rc::new(parts),
            layer: OnceCell::new(),
            asleep: RefCell::default(),
            carried: RefCell::default(),
            heard: RefCell::default(),
        }
    });
    let parts = &object.parts;
    parts.clock.set_settings(options.settings);
    let number = SERVER;
    let server = ServerOptions { number, options };
    assert!(parts.server.set(server).is_ok());
    object
}

/// An event with its name and its arguments as JSON, encoded for many.
pub(crate) fn event(json: &str, attachments: Vec<Vec<u8>>) -> Rc<Encoded> {
    let packet = ServerPacket::Event {
        namespace: "/",
        ack: None,
        args: &Args::new(json, attachments),
        offset: None,
    };
    Rc::new(packet.encode(Protocol::V5, Parser::JSON))
}

/// A session that polls, and has answered its handshake `ConnId(0)`.
pub(crate) fn polling(options: &Options, revision: Revision) -> Session {
    let settings = options.session_settings();
    let conn = ConnId(0);
    let mut session =
        Session::open_polling(now(), settings, open(revision), conn, Format::default());
    while session.poll_output().is_some() {}
    session
}

/// A session on the WebSocket `conn`, which has said hello.
pub(crate) fn on_socket(options: &Options, revision: Revision, conn: ConnId) -> Session {
    let settings = options.session_settings();
    let mut session = Session::open_websocket(now(), settings, open(revision), conn);
    while session.poll_output().is_some() {}
    session
}

fn open(revision: Revision) -> Open<'static> {
    Open {
        sid: "sid",
        revision,
        b64: false,
    }
}

impl FakeObject {
    fn hear(&self, what: impl Into<String>) {
        self.heard.borrow_mut().push(what.into());
    }

    /// What was told since this was last asked.
    pub(crate) fn take_heard(&self) -> String {
        self.heard.take().join("; ")
    }

    pub(crate) fn options(&self) -> &Rc<Options> {
        self.parts.options().unwrap()
    }

    /// Adds a session that polls.
    pub(crate) fn add_polling(&self, number: u8, phase: Phase) {
        let session = polling(self.options(), Revision::V4);
        self.parts
            .sessions
            .insert(key(number), SessionEntry::new(session, phase));
    }

    /// Adds a session on a WebSocket, whose number is that of the session.
    pub(crate) fn add_on_socket(&self, number: u8, phase: Phase) -> WebSocket {
        let conn = ConnId(number.into());
        let session = on_socket(self.options(), Revision::V4, conn);
        let sessions = &self.parts.sessions;
        sessions.insert(key(number), SessionEntry::new(session, phase));
        let socket = platform::socket();
        socket.set_number(conn);
        sessions.add_socket(key(number), conn, &socket);
        socket
    }

    /// Holds a request: its number, and the promise of its answer.
    pub(crate) fn hold(&self, kind: Kind) -> (ConnId, JsValue) {
        let url = "https://example.com/engine.io/?EIO=4";
        let headers: &[_] = match kind {
            Kind::Upgrade => &[("upgrade", "websocket")],
            Kind::Handshake | Kind::Poll | Kind::Post => &[],
        };
        let method = match kind {
            Kind::Post => "POST",
            Kind::Handshake | Kind::Upgrade | Kind::Poll => "GET",
        };
        let request = request(method, url, headers);
        let parsed = Parsed {
            kind,
            ..Parsed::read(request, |_| Some(self.options().clone())).unwrap()
        };
        self.parts.requests.hold(parsed)
    }

    /// Looks at a session in memory, or changes it.
    pub(crate) fn with<T>(&self, number: u8, change: impl FnOnce(&mut SessionEntry) -> T) -> T {
        self.parts.sessions.with(key(number), change).unwrap()
    }
}

impl Alarmed for FakeObject {
    fn handle_timeouts(&self) {
        self.hear("timeouts");
    }

    fn handle_timeout(&self, key: Key) {
        self.hear(format!("timeout {}", key[0]));
        self.parts.clock.arm(key, [None; 2]);
    }

    fn save_all(&self) {
        self.hear("save all");
    }

    fn clock(&self) -> &Clock {
        &self.parts.clock
    }
}

impl Source for FakeObject {
    fn restore(&self, key: Key) -> bool {
        self.hear(format!("restore {}", key[0]));
        let is_asleep = self.asleep.borrow().contains(&key);
        if is_asleep {
            self.add_polling(key[0], Phase::Open);
        }
        is_asleep
    }

    fn restore_all(&self) {
        self.hear("restore all");
        for key in self.asleep.take() {
            self.add_polling(key[0], Phase::Open);
        }
    }

    fn survey(&self, look: &mut dyn FnMut(Key, &[u8]) -> bool) -> bool {
        self.hear("survey");
        let carried = self.carried.borrow();
        carried.iter().all(|(key, content)| look(*key, content))
    }
}

impl Listener for FakeObject {
    fn handle_message(&self, _socket: &WebSocket, message: &JsValue) {
        self.hear(format!(
            "message {}",
            message.as_string().unwrap_or_default()
        ));
    }

    fn handle_close(&self, _socket: &WebSocket, code: u16) {
        self.hear(format!("close {code}"));
    }

    fn handle_error(&self, _socket: &WebSocket) {
        self.hear("error");
    }

    fn handle_brought(&self) {
        self.parts.websockets.take_brought(self);
    }
}

impl Receiver for FakeObject {
    fn handle_body(&self, key: Key, _conn: ConnId, body: Result<Frame<'static>, BodyError>) {
        self.hear(format!("body {} {body:?}", key[0]));
    }

    fn handle_abort(&self, _conn: ConnId) {
        self.hear("abort");
    }
}

impl Finish for FakeObject {
    fn finish(&self, key: Key) {
        self.hear(format!("finish {}", key[0]));
        run_outputs(&self.parts, key);
    }
}

impl Port for FakeObject {
    fn call(&self, request: Request<'_>) -> Called {
        match self.layer.get() {
            Some(layer) => self.parts.turn.run(|| layer.call(request)),
            None => PortError::Gone.into(),
        }
    }

    fn env(&self) -> &Env {
        &self.parts.env
    }
}

impl LocalPort for FakeObject {
    fn id(&self) -> &str {
        ID
    }

    fn storage(&self) -> worker::durable::Storage {
        self.parts.state.storage()
    }

    fn spawn(&self, session: Key, task: LocalBoxFuture<'static, ()>) {
        crate::parts::spawn(&self.parts, session, task);
    }

    fn spawn_for_all(
        &self,
        name: &str,
        task: LocalBoxFuture<'static, Result<(), String>>,
    ) -> Option<bool> {
        crate::parts::spawn_for_all(&self.parts, name, task).ok()
    }

    fn memory(&self) -> &Memory {
        unreachable!("nobody keeps anything")
    }

    fn watched(&self) -> &Watched {
        &self.parts.watched
    }

    fn meter(&self) -> &crate::usage::Meter {
        unreachable!("nothing is counted")
    }

    fn is_one_of_many(&self) -> bool {
        let options = self.parts.options();
        options.is_some_and(|options| options.placement.many().is_some())
    }

    fn log(&self, level: Level, event: &'static str, fields: &[(&str, &str)]) {
        self.parts.log_for_all(level, event, fields);
    }
}
