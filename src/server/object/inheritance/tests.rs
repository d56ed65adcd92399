use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::engine::{Data, Flush, Format, Reason, Revision};
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::WebSocket;

use super::*;
use crate::in_browser::layer::FakeLayer;
use crate::in_browser::object::{env, key, on_socket, polling};
use crate::in_browser::platform::{self, done, raw_state};
use crate::in_browser::time::Time;
use crate::object::Object;
use crate::options::Options;
use crate::parts::{Row, ServerOptions, SessionEntry, close, send};
use crate::platform::now;

/// An object with a session on a WebSocket.
fn made() -> (Rc<Inner>, WebSocket) {
    let Object(Some(inner)) = Object::new(&raw_state(), env()) else {
        unreachable!("it is one")
    };
    let options = Rc::new(Options::default());
    inner.parts.clock.set_settings(options.settings);
    let conn = ConnId(1);
    let session = on_socket(&options, Revision::V4, conn);
    let server = ServerOptions { number: 0, options };
    assert!(inner.parts.server.set(server).is_ok());
    assert!(inner.layer.set(Rc::new(FakeLayer::default())).is_ok());
    let entry = SessionEntry::new(session, Phase::Open);
    inner.parts.sessions.insert(key(1), entry);
    let socket = platform::socket();
    inner.parts.sessions.add_socket(key(1), conn, &socket);
    (inner, socket)
}

#[wasm_bindgen_test]
fn what_waits_behind_a_ping_is_sent_before_a_panic_ends_the_instance() {
    let _time = Time::stop();
    let (inner, socket) = made();
    inner.parts.turn.run(|| {
        inner.parts.sessions.with(key(1), |entry| {
            let due = now() + Duration::from_secs(25);
            entry.session.handle_timeout(due);
        });
        assert!(send(&inner.parts, key(1), Data::from("a")));
        assert_eq!(done(&socket), "");
        inner.hand_over(None);
        assert_eq!(done(&socket), "2; 4a");
    });
    assert_eq!(done(&socket), "2; 4a", "once");
}

#[wasm_bindgen_test]
fn what_a_turn_has_closed_is_closed_though_it_ends_in_a_panic() {
    let _time = Time::stop();
    let (inner, socket) = made();
    inner.parts.turn.run(|| {
        assert!(close(&inner.parts, key(1), Flush::All));
        inner.hand_over(None);
        assert!(done(&socket).contains("close "), "{}", done(&socket));
        let handover = Handover::take(&inner.parts.state).unwrap();
        let ended = handover.sessions.iter().map(|session| session.ended);
        assert_eq!(ended.collect::<Vec<_>>(), [Some(Reason::ForcedClose)]);
    });
}

#[wasm_bindgen_test]
fn what_is_in_a_row_is_not_handed_over_as_well() {
    let _time = Time::stop();
    let (inner, _socket) = made();
    let options = inner.parts.options().unwrap().clone();
    let handed_over = |change: &dyn Fn(&mut SessionEntry)| {
        let mut entry = SessionEntry::new(polling(&options, Revision::V4), Phase::Open);
        entry.session.take_changed();
        entry.stored.row = Row::Session;
        change(&mut entry);
        inner.parts.sessions.insert(key(2), entry);
        inner.hand_over(None);
        let handover = Handover::take(&inner.parts.state).unwrap();
        handover.sessions.iter().any(|it| it.key == key(2))
    };
    assert!(!handed_over(&|_| {}));
    assert!(handed_over(&|entry| entry.stored.row = Row::None));
    assert!(handed_over(&|entry| entry.stored.is_outdated = true));
    assert!(handed_over(
        &|entry| entry.phase = Phase::Ended(Reason::PingTimeout)
    ));
    // What has not been saved yet is not in it,
    assert!(handed_over(&|entry| {
        let _ = entry.session.send(now(), Data::from("a"));
    }));
    // and requests are in memory alone.
    assert!(handed_over(&|entry| {
        let format = Format::default();
        entry.session.handle_poll(now(), ConnId(9), format);
    }));
    assert!(handed_over(&|entry| {
        assert!(entry.session.handle_post(now(), ConnId(9)));
    }));
}
