use dormouse_proto::engine::Revision;
use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::in_browser::object::{key, object, on_socket, polling};
use crate::in_browser::platform::{is_same, socket};
use crate::options::Options;

const ONE: ConnId = ConnId(1);
const OTHER: ConnId = ConnId(2);

#[wasm_bindgen_test]
fn a_session_is_in_memory_from_when_it_is_inserted_until_it_is_removed() {
    let object = object(Options::default());
    let sessions = &object.parts.sessions;
    assert!(!sessions.contains(key(1)));
    assert_eq!(sessions.with(key(1), |_| ()), None);
    object.add_polling(2, Phase::Open);
    object.add_polling(1, Phase::Opening);
    assert_eq!(sessions.keys(), [key(1), key(2)]);
    assert_eq!(
        sessions.with(key(1), |entry| entry.phase),
        Some(Phase::Opening)
    );
    sessions.remove(key(1));
    sessions.remove(key(1));
    assert_eq!(sessions.keys(), [key(2)]);
}

#[wasm_bindgen_test]
fn a_session_that_is_not_in_memory_is_asked_for_once() {
    let object = object(Options::default());
    let sessions = &object.parts.sessions;
    object.asleep.borrow_mut().push(key(1));
    assert!(!sessions.contains(key(1)), "to look is not to find");
    assert!(sessions.find(key(1)));
    assert!(sessions.find(key(1)));
    assert_eq!(object.take_heard(), "restore 1");
    // One that is nowhere may be written at any time, by the instance before.
    assert!(!sessions.find(key(2)));
    assert!(!sessions.find(key(2)));
    assert_eq!(object.take_heard(), "restore 2; restore 2");
}

#[wasm_bindgen_test]
fn all_sessions_are_restored_by_the_source() {
    let object = object(Options::default());
    object.asleep.borrow_mut().extend([key(1), key(2)]);
    object.parts.sessions.restore_all();
    assert_eq!(object.take_heard(), "restore all");
    assert_eq!(object.parts.sessions.keys(), [key(1), key(2)]);
}

#[wasm_bindgen_test]
fn a_websocket_is_found_by_its_number() {
    let object = object(Options::default());
    let sessions = &object.parts.sessions;
    object.add_polling(1, Phase::Open);
    let (one, other) = (socket(), socket());
    sessions.add_socket(key(1), ONE, &one);
    sessions.add_socket(key(1), OTHER, &other);
    assert_eq!(sessions.of_conn(ONE), Some(key(1)));
    assert_eq!(sessions.of_conn(OTHER), Some(key(1)));
    object.with(1, |entry| {
        assert!(is_same(entry.socket(OTHER).unwrap(), &other));
        assert!(entry.socket(ConnId(3)).is_none());
    });
    let taken = sessions.take_socket(key(1), ONE).unwrap();
    assert!(is_same(&taken, &one));
    assert!(sessions.take_socket(key(1), ONE).is_none(), "taken once");
    assert_eq!(sessions.of_conn(ONE), None);
    assert_eq!(sessions.of_conn(OTHER), Some(key(1)));
}

#[wasm_bindgen_test]
fn a_session_that_is_removed_takes_its_websockets_along() {
    let object = object(Options::default());
    let sessions = &object.parts.sessions;
    object.add_on_socket(1, Phase::Open);
    object.add_on_socket(2, Phase::Open);
    sessions.remove(key(1));
    assert_eq!(sessions.of_conn(ONE), None);
    assert_eq!(sessions.of_conn(OTHER), Some(key(2)));
}

#[wasm_bindgen_test]
fn a_session_that_is_restored_brings_its_websockets() {
    let object = object(Options::default());
    let session = on_socket(object.options(), Revision::V4, ONE);
    let mut entry = SessionEntry::new(session, Phase::Open);
    entry.sockets.push((ONE, socket()));
    object.parts.sessions.insert(key(1), entry);
    assert_eq!(object.parts.sessions.of_conn(ONE), Some(key(1)));
}

#[wasm_bindgen_test]
fn nobody_looks_at_sessions_that_somebody_changes() {
    let object = object(Options::default());
    let sessions = &object.parts.sessions;
    object.add_polling(1, Phase::Open);
    let mut seen = Vec::new();
    assert_eq!(sessions.try_for_each(|key, _| seen.push(key)), Some(()));
    assert_eq!(seen, [key(1)]);
    // As a handler does that panics in the middle of it.
    let looked = sessions.with(key(1), |_| sessions.try_for_each(|_, _| ()));
    assert_eq!(looked, Some(None));
}

#[wasm_bindgen_test]
fn a_session_is_over_once_the_application_knows() {
    let options = Options::default();
    let reason = Reason::TransportClose;
    for (phase, expect) in [
        (Phase::Opening, true),
        (Phase::Open, true),
        (Phase::Ended(reason), false),
        (Phase::Told, true),
    ] {
        let mut entry = SessionEntry::new(on_socket(&options, Revision::V4, ONE), phase);
        assert!(!entry.is_over(), "{phase:?}");
        entry.session.handle_socket_gone(ONE, false);
        assert!(!entry.is_over(), "it has yet to say so");
        while entry.session.poll_output().is_some() {}
        assert_eq!(entry.is_over(), expect, "{phase:?}");
    }
    let entry = SessionEntry::new(polling(&options, Revision::V4), Phase::Told);
    assert!(!entry.is_over());
}
