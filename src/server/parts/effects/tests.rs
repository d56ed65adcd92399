use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::engine::{Answer, Format, Reason};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::in_browser::object::{FakeObject, event, key, object, on_socket};
use crate::in_browser::platform::{self, answer, answer_heartbeat, done};
use crate::in_browser::time::Time;
use crate::options::{Cookie, Options};
use crate::parts::Kind;
use crate::platform::now;

const PING_INTERVAL: Duration = Duration::from_secs(25);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

fn made() -> Rc<FakeObject> {
    object(Options::default())
}

fn packet(json: &str) -> Packet {
    Packet::new(event(json, Vec::new()), 1)
}

impl FakeObject {
    /// Has a session something to say that is not carried out yet: a ping.
    fn ping_later(&self, number: u8) {
        self.with(number, |entry| {
            entry.session.handle_timeout(now() + PING_INTERVAL);
        });
    }

    /// Has a session ping now.
    fn ping(&self, number: u8) {
        self.with(number, |entry| entry.session.handle_timeout(now()));
        run_outputs(&self.parts, key(number));
    }

    /// Lets a session have a request that waits for packets.
    fn poll(&self, number: u8) -> JsValue {
        let (conn, promise) = self.hold(Kind::Poll);
        self.with(number, |entry| {
            entry.session.handle_poll(now(), conn, Format::default());
        });
        promise
    }

    fn phase(&self, number: u8) -> Phase {
        self.with(number, |entry| entry.phase)
    }
}

#[wasm_bindgen_test]
fn nothing_goes_out_before_the_application_wants_the_client() {
    let object = made();
    let socket = object.add_on_socket(1, Phase::Opening);
    object.ping_later(1);
    run_outputs(&object.parts, key(1));
    assert_eq!(done(&socket), "");
    object.with(1, |entry| entry.phase = Phase::Open);
    run_outputs(&object.parts, key(1));
    assert_eq!(done(&socket), "2");
}

#[wasm_bindgen_test]
fn what_is_sent_goes_behind_what_waits() {
    let object = made();
    let socket = object.add_on_socket(1, Phase::Open);
    object.ping_later(1);
    object.parts.turn.run(|| {
        assert!(send(&object.parts, key(1), Data::from("a")));
        assert!(transmit(&object.parts, key(1), &packet("[1]"), false));
        assert_eq!(done(&socket), "", "not before the turn is over");
    });
    assert_eq!(done(&socket), "2; 4a; 42[1]");
    // At once where nothing waits.
    object.parts.turn.run(|| {
        send(&object.parts, key(1), Data::from(vec![1, 2]));
        assert_eq!(done(&socket), "2; 4a; 42[1]; 1,2");
    });
}

#[wasm_bindgen_test]
async fn an_upgrade_is_carried_out_in_order() {
    let object = made();
    object.add_polling(1, Phase::Open);
    let poll = object.poll(1);
    let conn = ConnId(7);
    let socket = platform::socket();
    object.parts.sessions.add_socket(key(1), conn, &socket);
    let bring = |frame: &'static str| {
        object.with(1, |entry| {
            let _ = entry.session.handle_frame(now(), conn, Frame::from(frame));
        });
        run_outputs(&object.parts, key(1));
    };
    object.with(1, |entry| {
        assert_eq!(entry.session.handle_upgrade(now(), conn), Ok(()));
    });
    bring("2probe");
    assert_eq!(done(&socket), "3probe");
    assert_eq!(answer(poll).await, "200 6");
    assert!(send(&object.parts, key(1), Data::from("a")));
    assert_eq!(done(&socket), "3probe", "it still polls");
    assert_eq!(transport(&object.parts, key(1)), Some(Transport::Polling));
    bring("5");
    assert_eq!(done(&socket), "3probe; 4a");
    assert_eq!(transport(&object.parts, key(1)), Some(Transport::WebSocket));
}

#[wasm_bindgen_test]
async fn what_may_be_lost_is_dropped_where_nobody_takes_it() {
    let object = made();
    object.add_polling(1, Phase::Open);
    let volatile = |json: &str| transmit(&object.parts, key(1), &packet(json), true);
    assert!(volatile("[1]"), "its client is there");
    assert_eq!(object.take_heard(), "", "nothing has changed");
    let poll = object.poll(1);
    assert!(volatile("[2]"));
    assert_eq!(answer(poll).await, "200 42[2]");
    // It is sent all the same where it must not be lost.
    assert!(transmit(&object.parts, key(1), &packet("[3]"), false));
    assert!(volatile("[4]"));
    let poll = object.poll(1);
    run_outputs(&object.parts, key(1));
    assert_eq!(answer(poll).await, "200 42[3]");
}

#[wasm_bindgen_test]
fn what_may_be_lost_is_dropped_where_something_waits() {
    let object = made();
    let socket = object.add_on_socket(1, Phase::Open);
    object.ping_later(1);
    assert!(transmit(&object.parts, key(1), &packet("[1]"), true));
    run_outputs(&object.parts, key(1));
    assert!(transmit(&object.parts, key(1), &packet("[2]"), true));
    assert_eq!(done(&socket), "2; 42[2]");
}

#[wasm_bindgen_test]
fn a_packet_that_is_under_way_leaves_the_session_as_it_is() {
    let object = made();
    let socket = object.add_on_socket(1, Phase::Open);
    assert!(transmit(&object.parts, key(1), &packet("[1]"), false));
    assert_eq!(done(&socket), "42[1]");
    assert_eq!(object.take_heard(), "", "there is nothing to finish");
    object.add_polling(2, Phase::Open);
    assert!(transmit(&object.parts, key(2), &packet("[1]"), false));
    assert_eq!(object.take_heard(), "finish 2");
}

/// Sends to a client that was silent for long, in one way or the other.
type Sending = fn(&FakeObject) -> bool;

const SENDINGS: [Sending; 2] = [
    |object| send(&object.parts, key(1), Data::from("2[1]")),
    |object| transmit(&object.parts, key(1), &packet("[1]"), false),
];

#[wasm_bindgen_test]
fn a_client_that_was_silent_for_too_long_is_gone() {
    for sending in SENDINGS {
        let time = Time::stop();
        let object = made();
        let socket = object.add_on_socket(1, Phase::Open);
        time.advance(PING_INTERVAL);
        object.ping(1);
        time.advance(PING_TIMEOUT - Duration::from_millis(1));
        assert!(sending(&object), "it has a moment left");
        time.advance(Duration::from_millis(1));
        assert!(!sending(&object));
        assert_eq!(object.phase(1), Phase::Ended(Reason::PingTimeout));
        assert_eq!(done(&socket), "2; 42[1]; close 1000");
    }
}

#[wasm_bindgen_test]
fn a_client_in_doubt_is_there_if_the_runtime_heard_of_it() {
    for sending in SENDINGS {
        let time = Time::stop();
        let object = made();
        let socket = object.add_on_socket(1, Phase::Open);
        time.advance(PING_INTERVAL);
        object.ping(1);
        answer_heartbeat(&socket, now());
        time.advance(PING_TIMEOUT);
        assert!(sending(&object));
        assert_eq!(object.phase(1), Phase::Open);
        assert_eq!(done(&socket), "2; 2; 42[1]", "it is asked again");
    }
}

#[wasm_bindgen_test]
fn a_sign_of_life_is_told_where_there_is_one() {
    let time = Time::stop();
    let object = made();
    let socket = object.add_on_socket(1, Phase::Open);
    let conn = ConnId(1);
    object.with(1, |entry| {
        entry.session = on_socket(object.options(), Revision::V3, conn);
    });
    time.advance(PING_INTERVAL);
    let in_doubt = |at| object.with(1, |entry| entry.session.is_in_doubt(at));
    let end = now() + PING_TIMEOUT;
    tell_sign_of_life(&object.parts, key(1));
    assert!(in_doubt(end), "there was none");
    answer_heartbeat(&socket, now());
    tell_sign_of_life(&object.parts, key(1));
    assert!(!in_doubt(end));
    // Of sessions that poll, and of those that are not there, nothing is heard.
    object.add_polling(2, Phase::Open);
    tell_sign_of_life(&object.parts, key(2));
    tell_sign_of_life(&object.parts, key(3));
}

#[wasm_bindgen_test]
fn a_websocket_that_is_closed_is_taken_away() {
    let object = made();
    let (sessions, socket) = (&object.parts.sessions, object.add_on_socket(1, Phase::Open));
    let conn = ConnId(1);
    socket.set_attachment(&[1]).unwrap();
    let output = Output::CloseSocket {
        socket: conn,
        code: 1009,
    };
    run_output(&object.parts, key(1), output.clone());
    assert_eq!(sessions.of_conn(conn), None);
    assert_eq!(done(&socket), "close 1009");
    assert_eq!(socket.attachment(), Some(vec![]), "nobody's any more");
    run_output(&object.parts, key(1), output);
    let frame = Frame::from("4a");
    let late = Output::Send {
        socket: conn,
        frame,
    };
    run_output(&object.parts, key(1), late);
    assert_eq!(done(&socket), "close 1009", "it has gone");
}

#[wasm_bindgen_test]
fn a_websocket_that_has_gone_is_forgotten() {
    let object = made();
    let socket = object.add_on_socket(1, Phase::Open);
    forget_socket(&object.parts, key(1), ConnId(1));
    assert_eq!(object.parts.sessions.of_conn(ConnId(1)), None);
    assert_eq!(done(&socket), "", "there is nothing to close");
}

#[wasm_bindgen_test]
async fn the_handshake_alone_has_the_cookie() {
    let options = Options {
        cookie: Some(Cookie::from("io")),
        ..Options::default()
    };
    let object = object(options);
    object.add_polling(1, Phase::Open);
    let sid = object.parts.sid(key(1)).unwrap();
    let handshake = format!("200 io={sid}; Path=/; HttpOnly; SameSite=Lax; Secure ok");
    for (kind, expect) in [
        (Kind::Handshake, &*handshake),
        (Kind::Poll, "200 ok"),
        (Kind::Post, "200 ok"),
    ] {
        let (request, promise) = object.hold(kind);
        let answered = Output::Answer {
            request,
            answer: Answer::Received,
        };
        run_output(&object.parts, key(1), answered);
        assert_eq!(answer(promise).await, expect);
    }
    let without = made();
    assert_eq!(cookie(&without.parts, key(1)), None);
}

#[wasm_bindgen_test]
fn a_session_is_closed_once() {
    let object = made();
    let socket = object.add_on_socket(1, Phase::Open);
    object.parts.turn.run(|| {
        assert!(close(&object.parts, key(1), Flush::All));
        assert_eq!(done(&socket), "", "when the turn is over");
        assert!(!close(&object.parts, key(1), Flush::All));
    });
    assert_eq!(done(&socket), "close 1000");
    assert_eq!(object.phase(1), Phase::Ended(Reason::ForcedClose));
    let other = object.add_on_socket(2, Phase::Open);
    object.parts.turn.run(|| {
        close_now(&object.parts, key(2), Flush::All);
        assert_eq!(done(&other), "close 1000");
    });
}

#[wasm_bindgen_test]
async fn a_client_that_is_told_of_its_end_is_told_everything_else() {
    for (flush, expect) in [(Flush::All, "200 4a\u{1e}1"), (Flush::Nothing, "200 1")] {
        let object = made();
        object.add_polling(1, Phase::Open);
        send(&object.parts, key(1), Data::from("a"));
        let poll = object.poll(1);
        close_now(&object.parts, key(1), flush);
        assert_eq!(answer(poll).await, expect, "{flush:?}");
    }
}

#[wasm_bindgen_test]
fn to_who_is_gone_nothing_is_sent() {
    let object = made();
    let (parts, nobody) = (&object.parts, key(9));
    assert!(!send(parts, nobody, Data::from("a")));
    assert!(!transmit(parts, nobody, &packet("[1]"), false));
    assert!(!transmit(parts, nobody, &packet("[1]"), true));
    assert!(!close(parts, nobody, Flush::All));
    assert_eq!(revision(parts, nobody), None);
    assert_eq!(transport(parts, nobody), None);
    let socket = object.add_on_socket(1, Phase::Open);
    assert_eq!(revision(parts, key(1)), Some(Revision::V4));
    close(parts, key(1), Flush::All);
    assert!(!send(parts, key(1), Data::from("a")));
    assert!(!transmit(parts, key(1), &packet("[1]"), false));
    assert_eq!(transport(parts, key(1)), None);
    assert_eq!(done(&socket), "close 1000");
}
