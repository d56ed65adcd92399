use futures::channel::oneshot;
use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::api::engine::{Engine, Transport};
use crate::http;
use crate::in_browser::object::{FakeObject, key, object};
use crate::in_browser::platform::{answer, done};
use crate::in_browser::settle;
use crate::in_browser::time::Time;
use crate::log::Log;
use crate::options::Options;
use crate::parts::{Kind, Phase};
use crate::port::Update;

/// What handlers note, and what those that wait are waiting for.
#[derive(Default)]
struct Notes {
    lines: RefCell<Vec<String>>,
    waiting: RefCell<VecDeque<oneshot::Sender<()>>>,
}

impl Notes {
    fn note(&self, line: impl Into<String>) {
        self.lines.borrow_mut().push(line.into());
    }

    fn take(&self) -> String {
        self.lines.take().join("; ")
    }

    /// Waits until a test says so.
    async fn wait(&self) {
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().push_back(sender);
        let _ = receiver.await;
    }

    /// Lets the handler that has waited the longest go on.
    async fn go_on(&self) {
        let next = self.waiting.borrow_mut().pop_front();
        assert!(next.is_some_and(|next| next.send(()).is_ok()));
        settle().await;
    }
}

struct Rig {
    object: Rc<FakeObject>,
    layer: Rc<Messages>,
    notes: Rc<Notes>,
}

/// An object with the layer of a server.
fn made(define: impl FnOnce(Engine, Rc<Notes>) -> Engine) -> Rig {
    let notes = Rc::new(Notes::default());
    let engine = define(Engine::new().log(Level::Off), notes.clone());
    let endpoint = Rc::new(Endpoint::from(engine));
    let object = object(Options {
        log: Log::off(),
        ..Options::default()
    });
    let port: Rc<dyn LocalPort> = object.clone();
    let handlers = endpoint.engine().unwrap();
    let layer = Messages::new(handlers, &endpoint, &object.parts, Rc::downgrade(&port));
    assert!(object.layer.set(layer.clone()).is_ok());
    Rig {
        object,
        layer,
        notes,
    }
}

/// Where the handler of messages waits in the middle.
fn made_to_wait(in_order: bool) -> Rig {
    made(|engine, notes| {
        engine
            .in_order(in_order)
            .on_message(async move |message: Message| {
                let Message::Text(text) = message else {
                    return;
                };
                notes.note(format!("begin {text}"));
                notes.wait().await;
                notes.note(format!("end {text}"));
            })
    })
}

impl Rig {
    /// A session that the layer knows, on a WebSocket.
    fn add(&self, number: u8) -> web_sys::WebSocket {
        let socket = self.object.add_on_socket(number, Phase::Open);
        assert!(self.layer.restore(key(number), None));
        socket
    }

    fn bring(&self, text: &'static str) {
        self.layer.handle_message(key(1), Data::from(text));
    }

    fn call(&self, request: Request<'_>) -> Result<Reply, PortError> {
        self.layer.call(request).now()
    }

    fn phase(&self) -> Phase {
        self.object.with(1, |entry| entry.phase)
    }
}

#[wasm_bindgen_test]
async fn in_order_each_message_waits_for_the_one_before() {
    let rig = made_to_wait(true);
    rig.add(1);
    for text in ["1", "2", "3"] {
        rig.bring(text);
    }
    assert_eq!(rig.notes.take(), "begin 1");
    let queued = [(key(1), Message::from("2")), (key(1), Message::from("3"))];
    assert_eq!(rig.layer.queued(), queued);
    assert!(rig.layer.is_busy(key(1)) && !rig.layer.is_ready_to_close(key(1)));
    rig.notes.go_on().await;
    assert_eq!(rig.notes.take(), "end 1; begin 2");
    rig.notes.go_on().await;
    rig.notes.go_on().await;
    assert_eq!(rig.notes.take(), "end 2; begin 3; end 3");
    assert!(!rig.layer.is_busy(key(1)) && rig.layer.is_ready_to_close(key(1)));
    assert!(rig.object.take_heard().ends_with("finish 1"));
}

#[wasm_bindgen_test]
async fn in_no_order_nothing_waits() {
    let rig = made_to_wait(false);
    rig.add(1);
    rig.bring("1");
    rig.bring("2");
    assert_eq!(rig.notes.take(), "begin 1; begin 2");
    assert!(rig.layer.queued().is_empty());
    assert!(rig.layer.is_busy(key(1)), "a handler is running");
    assert!(rig.layer.is_ready_to_close(key(1)), "nobody waits for it");
    rig.notes.go_on().await;
    assert!(rig.layer.is_busy(key(1)));
    rig.notes.go_on().await;
    assert!(!rig.layer.is_busy(key(1)));
}

#[wasm_bindgen_test]
fn a_handler_that_returns_at_once_keeps_nobody_waiting() {
    let rig = made(|engine, notes| {
        engine
            .in_order(true)
            .on_message(move |message: Message| notes.note(format!("{message:?}")))
    });
    rig.add(1);
    rig.bring("1");
    rig.bring("2");
    assert_eq!(rig.notes.take(), r#"Text("1"); Text("2")"#);
    assert!(!rig.layer.is_busy(key(1)));
    for _ in 0..1_001 {
        rig.bring("a");
    }
    assert_eq!(rig.phase(), Phase::Open, "nothing waits");
}

#[wasm_bindgen_test]
fn a_client_that_is_faster_than_its_handlers_is_closed() {
    for in_order in [false, true] {
        let rig = made_to_wait(in_order);
        let socket = rig.add(1);
        for _ in 0..1_000 {
            rig.bring("a");
        }
        assert_eq!(rig.phase(), Phase::Open);
        rig.bring("one more");
        assert_eq!(rig.phase(), Phase::Ended(Reason::Overrun));
        assert_eq!(done(&socket), "close 1008");
    }
}

#[wasm_bindgen_test]
fn messages_that_nobody_handles_are_not_counted() {
    let rig = made(|engine, _| engine);
    rig.add(1);
    for _ in 0..1_001 {
        rig.bring("a");
    }
    assert_eq!(rig.phase(), Phase::Open);
    // Nor are those of a session that is not there.
    let rig = made_to_wait(true);
    rig.bring("a");
    assert_eq!(rig.notes.take(), "");
}

#[wasm_bindgen_test]
async fn a_session_that_is_forgotten_has_its_handlers_return() {
    let rig = made_to_wait(true);
    rig.add(1);
    rig.bring("1");
    rig.bring("2");
    rig.layer.forget(key(1));
    assert!(!rig.layer.is_busy(key(1)));
    rig.notes.go_on().await;
    assert_eq!(rig.notes.take(), "begin 1; end 1", "and no other is begun");
}

#[wasm_bindgen_test]
fn the_application_is_told_of_the_end() {
    let rig = made(|engine, notes| {
        engine.on_disconnect(move |client: Client, reason: Reason| {
            notes.note(format!("{reason} {}", client.transport().is_some()));
        })
    });
    rig.add(1);
    rig.layer.handle_closed(key(1), Reason::PingTimeout);
    assert_eq!(rig.notes.take(), "ping timeout true");
    assert!(!rig.layer.is_busy(key(1)));
}

#[wasm_bindgen_test]
async fn a_handler_of_the_end_that_waits_keeps_the_session() {
    let rig = made(|engine, notes| {
        engine.on_disconnect(async move || {
            notes.wait().await;
            notes.note("told");
        })
    });
    rig.add(1);
    rig.layer.handle_closed(key(1), Reason::PingTimeout);
    assert!(rig.layer.is_busy(key(1)));
    rig.notes.go_on().await;
    assert_eq!(rig.notes.take(), "told");
    assert!(!rig.layer.is_busy(key(1)));
    assert_eq!(rig.object.take_heard(), "finish 1");
}

impl Rig {
    /// A client asks to connect.
    fn open(&self) -> wasm_bindgen::JsValue {
        let (conn, promise) = self.object.hold(Kind::Handshake);
        self.object.add_polling(1, Phase::Opening);
        let request = self.object.parts.requests.parsed(conn).unwrap();
        self.layer.open(Opening {
            key: key(1),
            conn,
            request: Clone::clone(&request.request),
        });
        promise
    }
}

#[wasm_bindgen_test]
fn without_a_handler_everybody_is_admitted() {
    let rig = made(|engine, _| engine);
    let _promise = rig.open();
    assert_eq!(rig.phase(), Phase::Open);
}

#[wasm_bindgen_test]
async fn a_handler_decides_after_the_call() {
    let rig = made(|engine, notes| engine.on_connect(async move || notes.wait().await));
    let _promise = rig.open();
    assert!(
        rig.notes.waiting.borrow().is_empty(),
        "it is not called yet"
    );
    settle().await;
    assert_eq!(rig.phase(), Phase::Opening);
    rig.notes.go_on().await;
    assert_eq!(rig.phase(), Phase::Open);
}

#[wasm_bindgen_test]
async fn who_is_refused_is_told_why() {
    let rig = made(|engine, _| engine.on_connect(|| Err::<(), _>(Refusal::new("no").status(401))));
    let promise = rig.open();
    let expect = Refusal::new("no");
    assert_eq!(answer(promise).await, format!("401 {}", expect.body()));
    assert!(!rig.object.parts.sessions.contains(key(1)));
}

#[wasm_bindgen_test]
async fn who_is_not_decided_about_in_time_is_refused() {
    let time = Time::stop();
    let rig = made(|engine, notes| engine.on_connect(async move || notes.wait().await));
    let promise = rig.open();
    settle().await;
    time.advance(CONNECT_LIMIT);
    settle().await;
    let http::Reply { status, .. } = Refusal::default().reply();
    assert!(answer(promise).await.starts_with(&status.to_string()));
    assert!(!rig.object.parts.sessions.contains(key(1)));
}

#[wasm_bindgen_test]
fn the_user_session_is_kept() {
    let rig = made(|engine, _| engine);
    rig.add(1);
    let read = |rig: &Rig| match rig.call(Request::UserSession(key(1))) {
        Ok(Reply::Json(json)) => json,
        other => panic!("{other:?}"),
    };
    assert_eq!(read(&rig), None);
    assert!(!rig.layer.take_changed(key(1)));
    let set = rig.call(Request::SetUserSession(
        key(1),
        Update::new("[1]".to_owned()),
    ));
    assert!(matches!(set, Ok(Reply::Done)));
    assert_eq!(rig.object.take_heard(), "finish 1");
    assert!(rig.layer.must_be_handed_over(key(1)));
    assert!(rig.layer.take_changed(key(1)));
    assert!(!rig.layer.must_be_handed_over(key(1)));
    assert!(!rig.layer.take_changed(key(1)));
    let content = rig.layer.content(key(1));
    for (kept, expect) in [
        (Some(&*content), Some("[1]")),
        (Some(&[0xff; 9]), None),
        (None, None),
    ] {
        let next = made(|engine, _| engine);
        next.object.add_polling(1, Phase::Open);
        assert!(next.layer.restore(key(1), kept));
        assert_eq!(read(&next).as_deref(), expect);
    }
}

#[wasm_bindgen_test]
fn a_client_that_is_asleep_is_found() {
    let rig = made(|engine, _| engine);
    rig.object.asleep.borrow_mut().extend([key(1), key(2)]);
    let send = rig.call(Request::Send(key(1), Data::from("a")));
    assert!(matches!(send, Ok(Reply::Done)));
    let transport = rig.call(Request::Transport(key(2)));
    assert!(matches!(
        transport,
        Ok(Reply::Transport(Transport::Polling))
    ));
    for request in [
        Request::Send(key(9), Data::from("a")),
        Request::Close(key(9)),
        Request::Transport(key(9)),
        Request::UserSession(key(9)),
        Request::SetUserSession(key(9), Update::new("[1]".to_owned())),
    ] {
        let asked = format!("{request:?}");
        let reply = rig.call(request);
        assert!(matches!(reply, Err(PortError::Gone)), "{asked}: {reply:?}");
    }
}

#[wasm_bindgen_test]
fn all_clients_are_disconnected_sleeping_ones_among_them() {
    let rig = made(|engine, _| engine);
    let socket = rig.add(1);
    rig.object.asleep.borrow_mut().push(key(2));
    assert!(matches!(rig.call(Request::CloseAll), Ok(Reply::Done)));
    assert_eq!(done(&socket), "close 1000");
    for number in [1, 2] {
        let phase = rig.object.with(number, |entry| entry.phase);
        assert_eq!(phase, Phase::Ended(Reason::ForcedClose));
    }
    let again = rig.call(Request::Close(key(1)));
    assert!(matches!(again, Err(PortError::Gone)));
}
