use dormouse_proto::socket::{Filter, Protocol};
use wasm_bindgen_test::wasm_bindgen_test;

use super::super::tests::{Rig, made};
use super::*;
use crate::in_browser::object::key;

/// Whose sockets are meant, each by the number of its session.
fn select(rig: &Rig, namespace: &str, rooms: &[&str], except: &[&str]) -> Vec<u8> {
    let names = |names: &[&str]| names.iter().copied().map(str::to_owned).collect();
    let selection = Selection {
        namespace: namespace.to_owned(),
        filter: Filter {
            rooms: names(rooms),
            except: names(except),
        },
        local: false,
    };
    let cx = &rig.cx;
    let selected = cx.index.select(cx, &selection);
    selected.iter().map(|spot| spot.session[0]).collect()
}

fn enter(rig: &Rig, spot: Spot, room: &str) {
    rig.with(spot, |client, join| {
        assert!(client.connection.enter(join, room).is_ok());
    });
}

#[wasm_bindgen_test]
fn the_index_is_made_of_everybody_when_it_is_first_needed() {
    let rig = made();
    for number in [1, 2, 3] {
        rig.add(number, Protocol::V5);
    }
    let one = rig.join(1, "/", "one");
    rig.join(2, "/", "two");
    rig.join(3, "/chat", "three");
    enter(&rig, one, "room");
    assert_eq!(rig.object.take_heard(), "");
    assert_eq!(select(&rig, "/", &[], &[]), [1, 2]);
    assert_eq!(rig.object.take_heard(), "survey");
    assert_eq!(select(&rig, "/", &["room"], &[]), [1]);
    assert_eq!(select(&rig, "/", &[], &["room"]), [2]);
    assert_eq!(
        select(&rig, "/", &["two"], &[]),
        [2],
        "its own id is a room"
    );
    assert_eq!(select(&rig, "/chat", &[], &[]), [3]);
    assert_eq!(select(&rig, "/none", &[], &[]), [0; 0]);
    assert_eq!(rig.object.take_heard(), "", "all are in memory");
}

#[wasm_bindgen_test]
fn sockets_are_seen_once_they_are_admitted() {
    for is_made in [false, true] {
        let rig = made();
        rig.add(1, Protocol::V5);
        if is_made {
            select(&rig, "/", &[], &[]);
        }
        let spot = rig.begin(1, "/", "one");
        assert_eq!(select(&rig, "/", &[], &[]), [0; 0], "it is being asked");
        rig.with(spot, |client, join| client.connection.admit(join));
        assert_eq!(select(&rig, "/", &[], &[]), [1]);
        rig.with(spot, |client, join| {
            client.connection.refuse(join, "no", None);
        });
        assert_eq!(select(&rig, "/", &[], &[]), [0; 0]);
    }
}

#[wasm_bindgen_test]
fn sockets_that_have_gone_are_not_seen() {
    let rig = made();
    rig.add(1, Protocol::V5);
    let spot = rig.join(1, "/", "one");
    enter(&rig, spot, "room");
    assert_eq!(select(&rig, "/", &["room"], &[]), [1]);
    rig.with(spot, |client, join| client.connection.disconnect(join));
    assert_eq!(select(&rig, "/", &["room"], &[]), [0; 0]);
    assert_eq!(select(&rig, "/", &[], &[]), [0; 0]);
}

#[wasm_bindgen_test]
fn a_client_that_is_brought_into_memory_is_seen() {
    let rig = made();
    rig.add(1, Protocol::V5);
    let spot = rig.join(1, "/", "one");
    enter(&rig, spot, "room");
    let content = rig.cx.clients.content(spot.session);
    rig.cx.clients.remove(spot.session);
    assert_eq!(select(&rig, "/", &[], &[]), [0; 0]);
    let client = ClientEntry::restore(&rig.cx.application, &content).unwrap();
    rig.cx.index.insert_all(spot.session, &client);
    assert_eq!(select(&rig, "/", &["room"], &[]), [1]);
}

#[wasm_bindgen_test]
fn only_the_selected_ones_of_those_asleep_are_restored() {
    let rig = made();
    for number in [1, 2] {
        rig.add(number, Protocol::V5);
        let id = ["one", "two"][usize::from(number) - 1];
        let session = rig.join(number, "/", id).session;
        let content = rig.cx.clients.content(session);
        rig.object.carried.borrow_mut().push((session, content));
        rig.object.asleep.borrow_mut().push(session);
        rig.cx.clients.remove(session);
        rig.object.parts.sessions.remove(session);
    }
    rig.object.take_heard();
    let selection = Selection {
        namespace: "/".to_owned(),
        filter: Filter::default(),
        local: false,
    };
    assert_eq!(rig.cx.index.count(&rig.cx, &selection), 2);
    assert_eq!(rig.object.take_heard(), "survey");
    assert_eq!(select(&rig, "/", &["two"], &[]), [2]);
    assert_eq!(rig.object.take_heard(), "restore 2");
    rig.object.asleep.borrow_mut().retain(|it| *it != key(1));
    rig.object.carried.borrow_mut().clear();
    assert_eq!(select(&rig, "/", &[], &[]), [2], "one has gone");
    assert_eq!(rig.object.take_heard(), "restore 1");
    assert_eq!(rig.cx.index.count(&rig.cx, &selection), 0);
    assert_eq!(rig.object.take_heard(), "survey", "it is made again");
}

#[wasm_bindgen_test]
fn what_has_to_be_told_when_it_wakes_is_restored() {
    let rig = made();
    rig.add(1, Protocol::V5);
    let undecided = rig.begin(1, "/", "one");
    let content = rig.cx.clients.content(undecided.session);
    assert_eq!(ClientEntry::sleeping(&rig.cx.application, &content), None);
    let carried = (undecided.session, content);
    rig.object.carried.borrow_mut().push(carried);
    rig.object.take_heard();
    assert_eq!(select(&rig, "/", &[], &[]), [0; 0]);
    assert_eq!(rig.object.take_heard(), "survey; restore all");
}

#[wasm_bindgen_test]
fn rooms_are_joined_and_left() {
    let rig = made();
    rig.add(1, Protocol::V5);
    let spot = rig.join(1, "/", "one");
    // Before the index is made there is nothing to change.
    rig.cx.index.join(spot, "/", "early");
    assert_eq!(select(&rig, "/", &["early"], &[]), [0; 0]);
    rig.cx.index.join(spot, "/", "room");
    assert_eq!(select(&rig, "/", &["room"], &[]), [1]);
    assert_eq!(select(&rig, "/chat", &["room"], &[]), [0; 0]);
    rig.cx.index.leave(spot, "/", "room");
    assert_eq!(select(&rig, "/", &["room"], &[]), [0; 0]);
}
