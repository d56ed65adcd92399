use core::time::Duration;

use dormouse_proto::engine::{Format, LATE_POLL, Open, Reason, RequestError, Session};
use js_sys::Reflect;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::WebSocket;

use super::*;
use crate::in_browser::object::{FakeObject, SERVER, key, object};
use crate::in_browser::platform::{answer, done};
use crate::in_browser::time::Time;
use crate::in_browser::{js, js_async, settle};
use crate::options::{Cookie, Options};
use crate::parts::{Kind, whose};
use crate::platform::now;

const HANDSHAKE: &str = r#"{"sid":"sid","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
const HANDSHAKE_ON_SOCKET: &str =
    r#"{"sid":"sid","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

fn options() -> Options {
    Options {
        cookie: Some(Cookie::from("io")),
        ..Options::default()
    }
}

/// A handshake that the application has yet to decide about.
fn opening(object: &FakeObject, transport: Transport) -> (ConnId, JsValue) {
    let (conn, promise) = object.hold(Kind::Handshake);
    let open = Open {
        sid: "sid",
        revision: Revision::V4,
        b64: false,
    };
    let settings = object.options().session_settings();
    let session = match transport {
        Transport::Polling => Session::open_polling(now(), settings, open, conn, Format::default()),
        Transport::WebSocket => Session::open_websocket(now(), settings, open, conn),
    };
    let entry = SessionEntry::new(session, Phase::Opening);
    object.parts.sessions.insert(key(1), entry);
    (conn, promise)
}

/// Our end of the WebSocket that a session has.
fn own_socket(object: &FakeObject, conn: ConnId) -> Option<WebSocket> {
    object.with(1, |entry| entry.socket(conn).cloned())
}

fn set_room(object: &FakeObject, room: u32) {
    object.parts.state.set_own("room", &room.into());
}

fn cookie_of(object: &FakeObject) -> String {
    let cookie = cookie(&object.parts, key(1)).unwrap();
    format!("{cookie}; Secure")
}

#[wasm_bindgen_test]
async fn a_client_that_polls_is_told_that_it_is_connected() {
    let object = object(options());
    let (conn, promise) = opening(&object, Transport::Polling);
    run_outputs(&object.parts, key(1));
    assert!(object.parts.requests.contains(conn), "not yet");
    admit(&object.parts, key(1), conn);
    let expect = format!("200 {} 0{HANDSHAKE}", cookie_of(&object));
    assert_eq!(answer(promise).await, expect);
    assert_eq!(object.with(1, |entry| entry.phase), Phase::Open);
    assert_eq!(object.take_heard(), "finish 1");
}

#[wasm_bindgen_test]
async fn a_client_on_a_websocket_is_handed_its_end_and_told() {
    let object = object(options());
    let (conn, promise) = opening(&object, Transport::WebSocket);
    admit(&object.parts, key(1), conn);
    let socket = own_socket(&object, conn).unwrap();
    assert_eq!(done(&socket), format!("0{HANDSHAKE_ON_SOCKET}"));
    assert_eq!(whose(&socket), Some((SERVER, key(1), conn)));
    assert_eq!(socket.conn(), Some(conn));
    assert!(object.with(1, |entry| entry.stored.is_outdated));
    assert_eq!(object.parts.websockets.of_session(key(1)).len(), 1);
    let response = js_async("return await x;", promise).await;
    let client = Reflect::get(&response, &"webSocket".into()).unwrap();
    assert_eq!(done(client.unchecked_ref()), "", "it is the client's");
    let status = js("return x.status + ' ' + x.cookie;", &response);
    let expect = format!("101 {}", cookie_of(&object));
    assert_eq!(status.as_string(), Some(expect));
}

#[wasm_bindgen_test]
async fn a_client_that_is_not_wanted_is_told_why() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        let object = object(options());
        let (conn, promise) = opening(&object, transport);
        let reply = Reply::new(403, http::JSON, "{}");
        deny(&object.parts, key(1), conn, reply);
        assert_eq!(answer(promise).await, "403 {}", "and no cookie");
        assert!(!object.parts.sessions.contains(key(1)));
        assert_eq!(object.take_heard(), "finish 1");
    }
}

#[wasm_bindgen_test]
async fn a_full_object_has_no_room() {
    let object = object(options());
    set_room(&object, 0);
    let (conn, promise) = opening(&object, Transport::WebSocket);
    admit(&object.parts, key(1), conn);
    let expect = r#"503 {"message":"Server is full"}"#;
    assert_eq!(answer(promise).await, expect);
    assert!(own_socket(&object, conn).is_none());
    let phase = object.with(1, |entry| entry.phase);
    assert_eq!(phase, Phase::Ended(Reason::TransportError));
}

/// A client that polls asks for a WebSocket.
fn upgrade(object: &FakeObject) -> (ConnId, JsValue) {
    let (conn, promise) = object.hold(Kind::Upgrade);
    object.with(1, |entry| {
        assert_eq!(entry.session.handle_upgrade(now(), conn), Ok(()));
    });
    accept(&object.parts, key(1), conn);
    run_outputs(&object.parts, key(1));
    (conn, promise)
}

#[wasm_bindgen_test]
async fn a_full_object_lets_its_client_poll_on() {
    let object = object(options());
    object.add_polling(1, Phase::Open);
    set_room(&object, 0);
    let (conn, promise) = upgrade(&object);
    assert!(answer(promise).await.starts_with("503 "));
    assert!(own_socket(&object, conn).is_none());
    let transport = object.with(1, |entry| entry.session.transport());
    assert_eq!(transport, Some(Transport::Polling));
    // It may try again.
    set_room(&object, 1);
    let (conn, promise) = upgrade(&object);
    assert_eq!(answer(promise).await, "101");
    assert!(own_socket(&object, conn).is_some());
}

#[wasm_bindgen_test]
async fn a_second_websocket_is_rejected_a_moment_later() {
    let time = Time::stop();
    let object = object(options());
    object.add_polling(1, Phase::Open);
    let (first, _) = upgrade(&object);
    let (second, promise) = upgrade(&object);
    assert_eq!(answer(promise).await, "101", "it is opened all the same");
    assert!(own_socket(&object, first).is_some());
    assert!(own_socket(&object, second).is_none());
    let rejected = object.parts.websockets.all();
    let rejected: Vec<_> = rejected.iter().filter(|s| s.conn().is_none()).collect();
    let [rejected] = &*rejected else {
        panic!("one of the two has no session");
    };
    settle().await;
    assert_eq!(done(rejected), "accept");
    time.advance(LATE_POLL);
    settle().await;
    assert_eq!(done(rejected), "accept; close 1000");
    assert_eq!(object.parts.websockets.all().len(), 1);
}

#[wasm_bindgen_test]
fn an_object_that_never_sleeps_keeps_its_websockets_awake() {
    let mut options = options();
    options.settings.ping_interval = Duration::from_secs(5);
    let object = object(options);
    let (conn, _) = opening(&object, Transport::WebSocket);
    // The platform's limit does not concern those.
    set_room(&object, 0);
    admit(&object.parts, key(1), conn);
    let socket = own_socket(&object, conn).unwrap();
    let expect = format!("accept; 0{}", HANDSHAKE_ON_SOCKET.replace("25000", "5000"));
    assert_eq!(done(&socket), expect);
    assert!(object.parts.state.sockets().is_empty());
    assert_eq!(object.parts.websockets.of_session(key(1)).len(), 1);
}

#[wasm_bindgen_test]
fn a_request_that_waits_no_longer_has_no_websocket() {
    let object = object(options());
    let (conn, _) = opening(&object, Transport::WebSocket);
    object.parts.requests.refuse(conn, RequestError::BadRequest);
    accept(&object.parts, key(1), conn);
    assert!(own_socket(&object, conn).is_none());
    assert!(object.parts.websockets.all().is_empty());
}
