use core::cell::Cell;

use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::in_browser::js;
use crate::in_browser::object::{FakeObject, env, key, object};
use crate::in_browser::platform::state;
use crate::options::Options;

fn left() -> Handover {
    let session = |number, ended| HandedOver {
        key: key(number),
        session: vec![number; 3],
        content: vec![number; 1_000],
        ended,
    };
    Handover {
        path: "/engine.io/".to_owned(),
        sessions: vec![
            session(1, None),
            session(2, Some(Reason::PingTimeout)),
            session(3, Some(Reason::ForcedClose)),
        ],
        messages: vec![
            (key(1), Data::from("é")),
            (key(2), Data::from(vec![0, 255])),
        ],
        refused: Some(1 << 52),
        marks: vec![7],
    }
}

#[wasm_bindgen_test]
fn what_is_left_is_taken_once() {
    let state = state();
    assert!(Handover::take(&state).is_none(), "nobody was there before");
    let left = left();
    left.write(&state);
    let taken = Handover::take(&state).unwrap();
    assert_eq!(taken.path, left.path);
    assert_eq!(taken.messages, left.messages);
    assert_eq!(taken.refused, left.refused);
    let fields = |it: &HandedOver| (it.key, it.session.clone(), it.content.clone(), it.ended);
    assert!(
        taken
            .sessions
            .iter()
            .map(fields)
            .eq(left.sessions.iter().map(fields))
    );
    assert!(Handover::take(&state).is_none());
}

#[wasm_bindgen_test]
fn who_hands_over_last_is_right() {
    let state = state();
    left().write(&state);
    Handover::default().write(&state);
    let taken = Handover::take(&state).unwrap();
    assert!(taken.sessions.is_empty() && taken.refused.is_none());
}

#[wasm_bindgen_test]
fn what_another_build_has_left_is_ignored() {
    for bytes in [
        "new Uint8Array([1, 2, 3])",
        "new Uint8Array(0)",
        "'text'",
        "{}",
    ] {
        let state = state();
        state.set_own(PROPERTY, &js(&format!("return {bytes};"), 0));
        assert!(Handover::take(&state).is_none(), "{bytes}");
    }
}

/// The handler that is running.
fn event() -> Option<&'static str> {
    RUNNING.with_borrow(|running| running.as_ref().map(|running| running.event))
}

#[wasm_bindgen_test]
fn the_innermost_handler_is_the_one_that_runs() {
    let object = object(Options::default());
    let job = |event| Job::new(key(1), event);
    assert_eq!(event(), None);
    let outer = running(&object.parts, job("message"));
    {
        let _inner = running(&object.parts, job("disconnect"));
        assert_eq!(event(), Some("disconnect"));
        let _front = running_in_front(&env(), "fetch");
        assert_eq!(event(), Some("fetch"));
    }
    assert_eq!(event(), Some("message"));
    drop(outer);
    assert_eq!(event(), None);
}

/// Notes what it is asked when somebody panics.
#[derive(Default)]
struct Noting {
    handed_over: Cell<u32>,
    refused: Cell<Option<ConnId>>,
    next: Cell<u32>,
}

impl HandsOver for Noting {
    fn hand_over(&self, refused: Option<ConnId>) {
        self.handed_over.set(self.handed_over.get() + 1);
        self.refused.set(refused);
    }

    fn make_next(&self, _env: &Env) {
        self.next.set(self.next.get() + 1);
    }
}

fn noting() -> Rc<Noting> {
    let noting = Rc::new(Noting::default());
    let object: Rc<dyn HandsOver> = noting.clone();
    register(Rc::downgrade(&object));
    noting
}

fn quiet() -> Rc<FakeObject> {
    object(Options {
        log: Log::off(),
        ..Options::default()
    })
}

#[wasm_bindgen_test]
fn every_object_of_the_instance_hands_over() {
    let (one, other) = (noting(), noting());
    let object = quiet();
    let job = Job {
        conn: Some(ConnId(7)),
        ..Job::new(key(1), "connect")
    };
    let guard = running(&object.parts, job);
    handle_panic("it");
    drop(guard);
    for noting in [one, other] {
        assert_eq!(noting.handed_over.get(), 1);
        assert_eq!(noting.refused.get(), Some(ConnId(7)), "the handshake");
        assert_eq!(noting.next.get(), 1);
    }
}

#[wasm_bindgen_test]
fn objects_that_have_gone_hand_nothing_over() {
    drop(noting());
    let there = noting();
    OBJECTS.with_borrow(|objects| {
        let gone = objects.iter().filter(|it| it.strong_count() == 0);
        assert_eq!(gone.count(), 0, "they are forgotten when another one comes");
    });
    handle_panic("it");
    assert_eq!(there.handed_over.get(), 1);
    assert_eq!(there.next.get(), 0, "no handler was running");
}

#[wasm_bindgen_test]
fn a_handler_whose_object_has_gone_makes_nothing() {
    let noting = noting();
    let object = quiet();
    let guard = running(&object.parts, Job::new(key(1), "task"));
    drop(object);
    handle_panic("it");
    drop(guard);
    assert_eq!(noting.handed_over.get(), 1);
    assert_eq!(noting.next.get(), 0);
}
