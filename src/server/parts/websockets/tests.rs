use std::rc::Rc;

use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::in_browser::object::{FakeObject, key, object, object_on};
use crate::in_browser::platform::{bring, done, is_same, paired, socket};
use crate::in_browser::time::Time;
use crate::in_browser::{js, settle};
use crate::options::Options;

fn made() -> Rc<FakeObject> {
    object(Options::default())
}

/// The next instance of an object.
fn next(before: &FakeObject) -> Rc<FakeObject> {
    object_on(&before.parts.state, Options::default())
}

/// The heartbeats that are answered after each of these revisions has one more
/// WebSocket; with `anew`, each of them in another instance.
fn check_pairs(accepted: &[Revision], anew: bool, expect: &[Revision]) {
    let mut object = made();
    for (number, revision) in (1..).zip(accepted) {
        if anew {
            object = next(&object);
        }
        let websockets = &object.parts.websockets;
        websockets
            .accept(&socket(), key(number), *revision)
            .unwrap();
    }
    let expect: Vec<_> = expect.iter().map(|it| it.auto_response().0).collect();
    let found = paired(&object.parts.state);
    assert_eq!(found, expect.join(","), "{accepted:?} {anew}");
}

#[wasm_bindgen_test]
fn the_runtime_answers_the_heartbeats_of_most() {
    use Revision::{V3, V4};
    for anew in [false, true] {
        check_pairs(&[], anew, &[]);
        check_pairs(&[V4], anew, &[V4]);
        check_pairs(&[V3], anew, &[V3]);
        check_pairs(&[V4, V4, V4], anew, &[V4]);
        // Who comes second stays second until there are more of them.
        check_pairs(&[V4, V3], anew, &[V4]);
        check_pairs(&[V4, V3, V3], anew, &[V4, V3]);
        check_pairs(&[V4, V3, V3, V4], anew, &[V4, V3]);
        check_pairs(&[V4, V3, V3, V4, V4], anew, &[V4, V3, V4]);
    }
}

#[wasm_bindgen_test]
fn those_that_have_gone_have_no_say() {
    let object = made();
    let websockets = &object.parts.websockets;
    let accept = |number, revision| websockets.accept(&socket(), key(number), revision);
    accept(1, Revision::V4).unwrap();
    accept(2, Revision::V4).unwrap();
    // The platform lets go of those that are closed.
    crate::in_browser::js("x.length = 0;", object.parts.state.own("sockets"));
    accept(3, Revision::V3).unwrap();
    let [v4, v3] = [Revision::V4, Revision::V3].map(|it| it.auto_response().0);
    assert_eq!(paired(&object.parts.state), format!("{v4},{v3}"));
}

#[wasm_bindgen_test]
fn those_that_are_closed_have_no_say_though_their_clients_keep_them() {
    let object = made();
    let accept = |number, revision| {
        let websockets = &object.parts.websockets;
        let socket = socket();
        websockets.accept(&socket, key(number), revision).unwrap();
        socket
    };
    let closed = [accept(1, Revision::V4), accept(2, Revision::V4)];
    for socket in &closed {
        retire(socket, 1000);
    }
    accept(3, Revision::V3);
    let [v4, v3] = [Revision::V4, Revision::V3].map(|it| it.auto_response().0);
    assert_eq!(paired(&object.parts.state), format!("{v4},{v3}"));
}

#[wasm_bindgen_test]
fn websockets_are_counted_once() {
    let object = made();
    let sockets = object.parts.state.own("sockets");
    let count = "const { filter } = x;
        x.asked = 0;
        x.filter = (...args) => {
            x.asked += 1;
            return filter.apply(x, args);
        };";
    js(count, &sockets);
    let asked = || js("return x.asked;", &sockets).as_f64();
    let websockets = &object.parts.websockets;
    let accept = |number, revision| {
        let socket = socket();
        websockets.accept(&socket, key(number), revision).unwrap();
        socket
    };
    for number in 1..=20 {
        accept(number, Revision::V4);
    }
    assert_eq!(asked(), Some(0.0));
    let old: Vec<_> = (21..=30).map(|it| accept(it, Revision::V3)).collect();
    for (number, socket) in (21..).zip(&old) {
        websockets.forget(socket, key(number), Revision::V3);
    }
    // All but ten of revision 4 go, and those of revision 3 are more with the eleventh.
    for number in 1..=10 {
        websockets.forget(&socket(), key(number), Revision::V4);
    }
    let [v4, v3] = [Revision::V4, Revision::V3].map(|it| it.auto_response().0);
    for number in 31..=40 {
        accept(number, Revision::V3);
        assert_eq!(paired(&object.parts.state), v4);
    }
    accept(41, Revision::V3);
    assert_eq!(paired(&object.parts.state), format!("{v4},{v3}"));
    assert_eq!(asked(), Some(2.0), "once for each revision");
}

#[wasm_bindgen_test]
fn a_full_object_takes_no_more() {
    let object = made();
    object.parts.state.set_own("room", &1.into());
    let accept = |number| {
        let websockets = &object.parts.websockets;
        websockets.accept(&socket(), key(number), Revision::V4)
    };
    assert!(accept(1).is_ok());
    assert!(accept(2).is_err());
    assert_eq!(object.parts.websockets.all().len(), 1);
}

#[wasm_bindgen_test]
fn websockets_of_both_kinds_are_found() {
    let object = made();
    let websockets = &object.parts.websockets;
    let [asleep, awake, other] = [socket(), socket(), socket()];
    websockets.accept(&asleep, key(1), Revision::V4).unwrap();
    websockets.accept_awake(&awake, key(1));
    websockets.accept_awake(&other, key(2));
    let [one, two] = &*websockets.of_session(key(1)) else {
        panic!("it has two");
    };
    assert!(is_same(one, &asleep) && is_same(two, &awake));
    assert_eq!(websockets.of_session(key(2)).len(), 1);
    assert_eq!(websockets.of_session(key(3)).len(), 0);
    assert_eq!(websockets.all().len(), 3);
    // The next instance finds the same.
    let after = next(&object);
    assert_eq!(after.parts.websockets.of_session(key(1)).len(), 2);
    assert_eq!(after.parts.websockets.all().len(), 3);
}

#[wasm_bindgen_test]
fn one_that_is_awake_is_forgotten_when_it_is_closed() {
    let object = made();
    let websockets = &object.parts.websockets;
    let [one, other] = [socket(), socket()];
    websockets.accept_awake(&one, key(1));
    websockets.accept_awake(&other, key(1));
    websockets.forget(&one, key(2), Revision::V4);
    assert_eq!(websockets.all().len(), 2, "it is not that session's");
    websockets.forget(&one, key(1), Revision::V4);
    websockets.forget(&one, key(1), Revision::V4);
    let [left] = &*websockets.of_session(key(1)) else {
        panic!("the other one is left");
    };
    assert!(is_same(left, &other));
    websockets.forget(&other, key(1), Revision::V4);
    assert!(websockets.all().is_empty());
    let kept: Map = object.parts.state.own(AWAKE).unchecked_into();
    assert_eq!(kept.size(), 0, "nothing is left of the session");
}

#[wasm_bindgen_test]
async fn one_that_is_awake_tells_what_it_brings() {
    let object = made();
    let socket = socket();
    object.parts.websockets.accept_awake(&socket, key(1));
    assert_eq!(done(&socket), "accept");
    let binary_type = Reflect::get(&socket, &"binaryType".into()).unwrap();
    assert_eq!(binary_type.as_string().as_deref(), Some("arraybuffer"));
    bring(&socket, "{ type: 'message', data: 'a' }");
    bring(&socket, "{ type: 'message', data: 'b' }");
    bring(&socket, "{ type: 'close', code: 1001 }");
    bring(&socket, "{ type: 'error' }");
    assert_eq!(
        object.take_heard(),
        "",
        "a listener that panics would end it"
    );
    settle().await;
    let expect = "message a; message b; close 1001; error";
    assert_eq!(object.take_heard(), expect);
}

#[wasm_bindgen_test]
async fn the_next_instance_listens_in_place_of_the_one_before() {
    let before = made();
    let socket = socket();
    before.parts.websockets.accept_awake(&socket, key(1));
    let after = next(&before);
    bring(&socket, "{ type: 'message', data: 'a' }");
    settle().await;
    assert_eq!(before.take_heard(), "");
    assert_eq!(after.take_heard(), "message a");
}

#[wasm_bindgen_test]
async fn what_one_instance_has_not_taken_the_next_one_takes() {
    let before = made();
    let socket = socket();
    before.parts.websockets.accept_awake(&socket, key(1));
    bring(&socket, "{ type: 'message', data: 'a' }");
    let after = next(&before);
    after.parts.websockets.take_brought(&*after);
    assert_eq!(after.take_heard(), "message a");
    settle().await;
    assert_eq!(before.take_heard(), "", "it is taken once");
}

#[wasm_bindgen_test]
async fn one_that_is_rejected_is_closed_a_moment_later() {
    let time = Time::stop();
    let object = made();
    let socket = socket();
    object.parts.websockets.reject(socket.clone());
    settle().await;
    time.advance(LATE_POLL - core::time::Duration::from_millis(1));
    settle().await;
    assert_eq!(done(&socket), "accept");
    assert_eq!(object.parts.websockets.all().len(), 1);
    time.advance(core::time::Duration::from_millis(1));
    settle().await;
    assert_eq!(done(&socket), "accept; close 1000");
    assert!(object.parts.websockets.all().is_empty());
}

#[wasm_bindgen_test]
async fn those_that_were_rejected_are_closed_by_the_next_instance() {
    let _time = Time::stop();
    let before = made();
    let [rejected, kept] = [socket(), socket()];
    before.parts.websockets.reject(rejected.clone());
    before.parts.websockets.accept_awake(&kept, key(1));
    settle().await;
    let after = next(&before);
    after.parts.websockets.close_rejected();
    assert_eq!(done(&rejected), "accept; close 1000");
    assert_eq!(done(&kept), "accept");
    assert_eq!(after.parts.websockets.all().len(), 1);
}

#[wasm_bindgen_test]
fn one_that_is_retired_is_nobodys() {
    let socket = socket();
    socket.set_attachment(&[1, 2]).unwrap();
    retire(&socket, 1011);
    assert_eq!(done(&socket), "close 1011");
    assert_eq!(socket.attachment(), Some(vec![]));
}

#[wasm_bindgen_test]
fn what_is_no_websocket_brings_nothing() {
    let object = made();
    for event in ["{}", "{ type: 'message', target: {} }", "null"] {
        let event = crate::in_browser::js(&format!("return {event};"), 0);
        handle_event(&*object, &event);
    }
    assert_eq!(object.take_heard(), "");
}

#[wasm_bindgen_test]
fn the_websocket_of_a_session_that_sleeps_is_found_once_without_the_runtime() {
    let object = made();
    let websockets = &object.parts.websockets;
    let (one, other) = (socket(), socket());
    websockets.remember(vec![(key(2), other.clone()), (key(1), one.clone())]);
    let is_found = |number: u8, socket: &WebSocket| {
        let found = websockets.of_session(key(number));
        matches!(&*found, [only] if is_same(only, socket))
    };
    assert!(is_found(1, &one));
    assert!(!is_found(1, &one), "it is awake");
    assert!(is_found(2, &other));
    websockets.remember(vec![(key(1), one.clone())]);
    websockets.remember(Vec::new());
    assert!(!is_found(1, &one), "all are awake");
}
