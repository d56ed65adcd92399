use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::engine::{ConnId, Reason, Revision};
use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::in_browser::layer::FakeLayer;
use crate::in_browser::object::{env, key, polling};
use crate::in_browser::platform::{alarms, raw_state};
use crate::in_browser::time::Time;
use crate::object::Object;
use crate::options::Options;
use crate::parts::{Running, ServerOptions, SessionEntry};
use crate::platform::now;

const SECOND: Duration = Duration::from_secs(1);

/// An object and its layer, with a session that polls.
fn made() -> (Rc<Inner>, Rc<FakeLayer>) {
    let Object(Some(inner)) = Object::new(&raw_state(), env()) else {
        unreachable!("it is one")
    };
    let options = Rc::new(Options::default());
    inner.parts.clock.set_settings(options.settings);
    let session = polling(&options, Revision::V4);
    let server = ServerOptions { number: 0, options };
    assert!(inner.parts.server.set(server).is_ok());
    let layer = Rc::new(FakeLayer::default());
    assert!(inner.layer.set(layer.clone()).is_ok());
    let entry = SessionEntry::new(session, Phase::Open);
    inner.parts.sessions.insert(key(1), entry);
    inner.parts.clock.handle_alarm();
    (inner, layer)
}

fn with<T>(inner: &Inner, change: impl FnOnce(&mut SessionEntry) -> T) -> T {
    inner.parts.sessions.with(key(1), change).unwrap()
}

/// Ends the session, as its client does that closes it and fetches the news.
fn end(inner: &Inner) {
    with(inner, |entry| {
        entry.session.handle_timeout(now() + 45 * SECOND)
    });
}

#[wasm_bindgen_test]
fn a_session_that_has_changed_is_saved_and_scheduled() {
    let time = Time::stop();
    let (inner, layer) = made();
    inner.parts.turn.mark_dirty(key(1));
    assert_eq!(layer.take_heard(), "finish 1");
    assert_eq!(time.timers(), [SECOND / 2], "it is saved then");
    let expect = now() + 25 * SECOND;
    assert_eq!(alarms(&inner.parts.state), [expect], "it is pinged then");
}

#[wasm_bindgen_test]
fn what_is_above_a_session_may_have_an_earlier_deadline() {
    let _time = Time::stop();
    let at = now() + 20 * SECOND;
    let (inner, layer) = made();
    layer.deadline.set(Some(at));
    inner.parts.turn.mark_dirty(key(1));
    assert_eq!(alarms(&inner.parts.state), [at]);
    let (inner, layer) = made();
    layer.deadline.set(Some(at + 60 * SECOND));
    inner.parts.turn.mark_dirty(key(1));
    assert_eq!(alarms(&inner.parts.state), [now() + 25 * SECOND]);
    // A session that has ended concerns nobody above it.
    let (inner, layer) = made();
    layer.deadline.set(Some(at));
    layer.is_busy.set(true);
    end(&inner);
    inner.parts.turn.mark_dirty(key(1));
    assert_eq!(alarms(&inner.parts.state), []);
}

#[wasm_bindgen_test]
fn a_session_that_is_over_is_told_and_forgotten() {
    let _time = Time::stop();
    let (inner, layer) = made();
    end(&inner);
    inner.parts.turn.mark_dirty(key(1));
    let heard = layer.take_heard();
    assert!(
        heard.starts_with("closed 1 ping timeout; finish 1"),
        "{heard}"
    );
    assert_eq!(heard.matches("closed").count(), 1, "{heard}");
    assert!(heard.ends_with("forget 1"), "{heard}");
    assert!(!inner.parts.sessions.contains(key(1)));
}

#[wasm_bindgen_test]
fn the_application_is_told_when_it_has_dealt_with_the_rest() {
    let _time = Time::stop();
    let (inner, layer) = made();
    layer.is_ready_to_close.set(false);
    layer.is_busy.set(true);
    end(&inner);
    inner.parts.turn.mark_dirty(key(1));
    assert_eq!(layer.take_heard(), "finish 1");
    let phase = with(&inner, |entry| entry.phase);
    assert_eq!(phase, Phase::Ended(Reason::PingTimeout));
    layer.is_ready_to_close.set(true);
    inner.parts.turn.mark_dirty(key(1));
    assert!(layer.take_heard().starts_with("closed 1 ping timeout"));
    assert_eq!(with(&inner, |entry| entry.phase), Phase::Told);
    // Its last handler is still running.
    inner.parts.turn.mark_dirty(key(1));
    assert_eq!(layer.take_heard(), "finish 1");
    layer.is_busy.set(false);
    inner.parts.turn.mark_dirty(key(1));
    assert_eq!(layer.take_heard(), "finish 1; forget 1");
    assert!(!inner.parts.sessions.contains(key(1)));
}

#[wasm_bindgen_test]
fn tasks_end_when_the_application_is_told() {
    let _time = Time::stop();
    let (inner, layer) = made();
    let task = Running::default();
    inner.parts.tasks.add(key(1), task.clone());
    layer.is_ready_to_close.set(false);
    end(&inner);
    inner.parts.turn.mark_dirty(key(1));
    assert!(!task.is_over());
    layer.is_ready_to_close.set(true);
    inner.parts.turn.mark_dirty(key(1));
    assert!(task.is_over());
}

#[wasm_bindgen_test]
fn what_a_layer_has_of_a_client_that_was_denied_is_forgotten() {
    let (inner, layer) = made();
    inner.parts.sessions.remove(key(1));
    layer.is_busy.set(true);
    inner.parts.turn.mark_dirty(key(1));
    assert_eq!(layer.take_heard(), "finish 1", "not while its handler runs");
    layer.is_busy.set(false);
    inner.parts.turn.mark_dirty(key(1));
    assert_eq!(layer.take_heard(), "finish 1; forget 1");
}

#[wasm_bindgen_test]
fn an_object_that_belongs_to_nobody_finishes_nothing() {
    let Object(Some(inner)) = Object::new(&raw_state(), env()) else {
        unreachable!("it is one")
    };
    inner.parts.turn.mark_dirty(key(1));
    assert!(inner.parts.sessions.keys().is_empty());
    assert_eq!(inner.parts.requests.all(), Vec::<(ConnId, _)>::new());
}
