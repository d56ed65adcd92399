use std::rc::Rc;

use dormouse_proto::engine::{Data, Flush, Reason};
use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::in_browser::object::{FakeObject, key, object};
use crate::in_browser::time::Time;
use crate::options::Options;
use crate::parts::{Phase, close, run_outputs, send};

/// The cost of a buffered packet besides its content.
const PACKET_COST: usize = 32;

const LIMIT: usize = 8_000;

fn made() -> Rc<FakeObject> {
    let mut options = Options {
        max_memory: Some(LIMIT),
        ..Options::default()
    };
    options.settings.max_buffered = usize::MAX;
    let object = object(options);
    for number in 1..=3 {
        object.add_polling(number, Phase::Open);
    }
    object
}

fn held(bytes: usize) -> Option<Layered> {
    Some(Layered {
        held: bytes,
        kept: 0,
    })
}

fn kept(bytes: usize) -> Option<Layered> {
    Some(Layered {
        held: 0,
        kept: bytes,
    })
}

impl FakeObject {
    /// Has a session hold so many more bytes for its client.
    fn hold_bytes(&self, number: u8, bytes: usize) {
        let text = "x".repeat(bytes - PACKET_COST);
        send(&self.parts, key(number), Data::from(text));
    }

    fn held(&self) -> usize {
        self.parts.sessions.held_bytes()
    }

    fn ended(&self, number: u8) -> Option<Reason> {
        self.with(number, |entry| match entry.phase {
            Phase::Ended(reason) => Some(reason),
            Phase::Opening | Phase::Open | Phase::Told => None,
        })
    }

    /// The sessions that are still open.
    fn open(&self) -> Vec<u8> {
        let mut numbers = vec![1, 2, 3];
        numbers.retain(|number| self.ended(*number).is_none());
        numbers
    }
}

#[wasm_bindgen_test]
fn what_is_held_is_the_sum_over_all_sessions() {
    let object = made();
    assert_eq!(object.held(), 0);
    object.hold_bytes(1, 100);
    object.hold_bytes(2, 200);
    assert_eq!(object.held(), 300);
    weigh(&object.parts, key(1), held(50));
    assert_eq!(object.held(), 350);
    object.hold_bytes(1, 100);
    assert_eq!(object.held(), 450, "what is above is what it was");
    weigh(&object.parts, key(1), held(0));
    assert_eq!(object.held(), 400);
    object.parts.sessions.remove(key(1));
    assert_eq!(object.held(), 200);
}

#[wasm_bindgen_test]
fn who_holds_most_goes_first_and_nobody_else() {
    for (last, open) in [
        (999, vec![1, 2, 3]),
        (1_000, vec![1, 2, 3]),
        (1_001, vec![1, 3]),
    ] {
        let object = made();
        object.hold_bytes(1, 3_000);
        object.hold_bytes(2, 4_000);
        object.hold_bytes(3, last);
        assert_eq!(object.open(), open, "{last}");
        let reason = (!open.contains(&2)).then_some(Reason::MemoryExceeded);
        assert_eq!(object.ended(2), reason);
        assert!(object.held() <= LIMIT);
    }
}

#[wasm_bindgen_test]
fn as_many_go_as_it_takes() {
    let object = made();
    object.hold_bytes(1, 3_000);
    object.hold_bytes(2, 2_000);
    weigh(&object.parts, key(3), held(20_000));
    assert_eq!(object.open(), [1, 2]);
    object.hold_bytes(2, 5_000);
    assert_eq!(object.open(), [1], "the one that holds most now");
    assert_eq!(object.held(), 3_000);
    // What one that has ended still holds is about to go, and ends nobody else.
    weigh(&object.parts, key(3), held(20_000));
    assert_eq!((object.held(), object.open()), (3_000, vec![1]));
}

#[wasm_bindgen_test]
fn a_full_object_takes_nobody_until_there_is_room() {
    let time = Time::stop();
    let object = made();
    object.hold_bytes(1, LIMIT / 8 * 7);
    assert!(has_room(&object.parts));
    object.hold_bytes(2, PACKET_COST);
    assert!(!has_room(&object.parts));
    object.parts.sessions.remove(key(2));
    assert!(has_room(&object.parts));
    drop(time);
}

#[wasm_bindgen_test]
fn what_sessions_hold_that_have_ended_goes_before_anything_else() {
    let object = made();
    object.hold_bytes(1, 5_000);
    weigh(&object.parts, key(2), held(2_500));
    close(&object.parts, key(2), Flush::All);
    run_outputs(&object.parts, key(2));
    assert!(has_room(&object.parts));
    assert_eq!(object.held(), 5_000);
    assert_eq!(object.ended(2), Some(Reason::ForcedClose));
    // It is nobody's fault.
    assert_eq!(object.open(), [1, 3]);
}

#[wasm_bindgen_test]
fn nobody_keeps_others_out_for_long() {
    let time = Time::stop();
    let object = made();
    object.hold_bytes(1, 4_000);
    object.hold_bytes(2, 3_900);
    assert!(!has_room(&object.parts));
    time.advance(RETRY_AFTER - Duration::from_millis(1));
    assert!(!has_room(&object.parts));
    assert_eq!(object.open(), [1, 2, 3]);
    time.advance(Duration::from_millis(1));
    assert!(has_room(&object.parts));
    assert_eq!(object.open(), [2, 3]);
}

#[wasm_bindgen_test]
fn handshakes_have_the_room_of_the_isolate() {
    let object = made();
    weigh(&object.parts, key(1), kept(20 << 20));
    weigh(&object.parts, key(2), kept(64 << 20));
    assert!(has_room(&object.parts));
    weigh(&object.parts, key(3), kept(1));
    assert!(!has_room(&object.parts));
    weigh(&object.parts, key(3), kept(12 << 20));
    assert_eq!(object.open(), [1, 2, 3]);
    weigh(&object.parts, key(3), kept((12 << 20) + 1));
    assert_eq!(object.open(), [1, 3]);
    object.parts.sessions.remove(key(1));
    object.parts.sessions.remove(key(3));
    assert_eq!(object.parts.sessions.total_bytes(), 0);
}
