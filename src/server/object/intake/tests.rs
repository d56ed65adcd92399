use core::cell::Cell;
use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::engine::{Cause, Reason, Revision};
use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::api::engine::Engine;
use crate::in_browser::layer::FakeLayer;
use crate::in_browser::object::{env, key, polling};
use crate::in_browser::platform::raw_state;
use crate::in_browser::time::Time;
use crate::object::Object;
use crate::options::RateLimit;
use crate::parts::{Alarmed as _, Handover, HandsOver as _, Phase, ServerOptions, SessionEntry};

/// An object whose sessions, two of which poll, may send three packets at once and one
/// more each second.
fn made(decide: impl Fn(&Overrun) -> OnOverrun + 'static) -> (Rc<Inner>, Rc<FakeLayer>) {
    let Object(Some(inner)) = Object::new(&raw_state(), env()) else {
        unreachable!("it is one")
    };
    let engine = Engine::new()
        .rate_limit(RateLimit::none().packets(1, 3))
        .on_overrun(decide);
    let options = Rc::new(engine.options);
    inner.parts.clock.set_settings(options.settings);
    for number in [1, 2] {
        let session = polling(&options, Revision::V4);
        let entry = SessionEntry::new(session, Phase::Open);
        inner.parts.sessions.insert(key(number), entry);
    }
    let server = ServerOptions { number: 0, options };
    assert!(inner.parts.server.set(server).is_ok());
    let layer = Rc::new(FakeLayer::default());
    assert!(inner.layer.set(layer.clone()).is_ok());
    (inner, layer)
}

fn send(inner: &Inner, texts: &[&str]) {
    let messages = texts.iter().map(|text| Data::from(*text).into_owned());
    let messages = messages.collect();
    inner.parts.turn.run(|| inner.deliver(key(1), messages));
}

/// Returns what the layer was told, but for the ends of turns.
fn heard(layer: &FakeLayer) -> Vec<String> {
    let heard = layer.take_heard();
    let is_noise = |it: &str| it.starts_with("finish") || it.starts_with("timeout");
    let all = heard.split("; ").filter(|it| !is_noise(it));
    all.filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

fn reason(inner: &Inner) -> Option<Reason> {
    let ended = |entry: &mut SessionEntry| match entry.phase {
        Phase::Ended(reason) => Some(reason),
        Phase::Opening | Phase::Open | Phase::Told => None,
    };
    inner.parts.sessions.with(key(1), ended).flatten()
}

#[wasm_bindgen_test]
fn the_application_is_asked_about_each_message_that_is_too_much() {
    let _time = Time::stop();
    let asked = Rc::new(Cell::new(0));
    let count = asked.clone();
    let (inner, layer) = made(move |overrun| {
        assert_eq!(
            (overrun.limit().as_str(), overrun.scope().as_str()),
            ("packets", "client")
        );
        assert!(overrun.address().is_none() && overrun.handshake().is_none());
        count.set(count.get() + 1);
        OnOverrun::Drop
    });
    send(&inner, &["a", "b", "c", "d", "e"]);
    assert_eq!(asked.get(), 2);
    let heard = heard(&layer);
    assert_eq!(heard.len(), 5, "{heard:?}");
    assert_eq!(heard.get(3..).unwrap(), ["drop 1", "drop 1"]);
}

#[wasm_bindgen_test]
fn nothing_comes_behind_the_message_that_ended_a_session() {
    let _time = Time::stop();
    let asked = Rc::new(Cell::new(0));
    let count = asked.clone();
    let (inner, layer) = made(move |_| {
        count.set(count.get() + 1);
        OnOverrun::Close
    });
    inner.parts.turn.run(|| {
        send(&inner, &["a", "b", "c", "d", "e", "f"]);
        crate::parts::run_outputs(&inner.parts, key(1));
        assert_eq!(reason(&inner), Some(Reason::Overrun));
        assert_eq!(heard(&layer).len(), 3);
    });
    send(&inner, &["g"]);
    assert_eq!(asked.get(), 1);
}

#[wasm_bindgen_test]
fn what_waits_is_released_by_a_timer_that_keeps_the_object_awake() {
    let time = Time::stop();
    let (inner, layer) = made(|_| OnOverrun::Delay);
    send(&inner, &["a", "b", "c", "d", "e"]);
    assert_eq!(heard(&layer).len(), 3);
    assert!(time.timers().contains(&Duration::from_secs(1)));
    for _ in 0..2 {
        inner.handle_timeout(key(1));
        assert_eq!(heard(&layer), [""; 0], "it is too early");
        time.advance(Duration::from_secs(1));
        inner.handle_timeout(key(1));
        assert_eq!(heard(&layer).len(), 1);
    }
    let [own, above] = inner.deadlines(key(1));
    assert_eq!(own.map(|it| it.cause), Some(Cause::Heartbeat));
    assert_eq!(above, None);
}

#[wasm_bindgen_test]
fn what_waits_is_handed_over_in_order() {
    let _time = Time::stop();
    let (inner, layer) = made(|_| OnOverrun::Delay);
    send(&inner, &["a", "b", "c", "d", "e"]);
    let queued = (key(2), Data::from("queued"));
    layer.queued.borrow_mut().push(queued.clone());
    let last = (key(1), Data::from("undelivered"));
    inner.undelivered.borrow_mut().push_back(last.clone());
    inner.hand_over(None);
    let handover = Handover::take(&inner.parts.state).unwrap();
    let held = ["d", "e"].map(|text| (key(1), Data::from(text)));
    let [first, second] = held;
    assert_eq!(handover.messages, [queued, first, second, last]);
}

#[wasm_bindgen_test]
fn packets_that_are_not_messages_can_only_end_a_session() {
    let _time = Time::stop();
    let decision = Rc::new(Cell::new(OnOverrun::Drop));
    let decided = decision.clone();
    let (inner, _layer) = made(move |_| decided.get());
    inner.take_others(key(1), 3, 0);
    inner.take_others(key(1), 1, 0);
    decision.set(OnOverrun::Delay);
    inner.take_others(key(1), 1, 0);
    assert_eq!(reason(&inner), None);
    decision.set(OnOverrun::Close);
    inner.parts.turn.run(|| {
        inner.take_others(key(1), 1, 0);
        crate::parts::run_outputs(&inner.parts, key(1));
        assert_eq!(reason(&inner), Some(Reason::Overrun));
    });
}
