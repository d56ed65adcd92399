//! The bytes that a connection holds on behalf of its client.

use alloc::string::String;
use alloc::vec;

use super::rig::{Rig, event};
use super::*;
use crate::engine;

/// What counts for each thing besides its content.
const COST: usize = 32;

/// Returns by how much a step changes what is held.
fn change(rig: &mut Rig, step: impl FnOnce(&mut Rig)) -> isize {
    let before = rig.connection.held_bytes();
    step(rig);
    rig.connection.held_bytes() as isize - before as isize
}

fn of(contents: &[usize]) -> isize {
    contents.iter().map(|bytes| bytes + COST).sum::<usize>() as isize
}

#[test]
fn nothing_is_held_for_a_client_that_has_said_nothing() {
    let rig = Rig::new(Protocol::V5);
    assert_eq!(rig.connection.held_bytes(), 0);
}

#[test]
fn a_packet_is_held_until_it_is_complete() {
    let mut rig = Rig::joined(Protocol::V5);
    let text = "52-[\"e\"]";
    let said = change(&mut rig, |rig| drop(rig.say(text)));
    assert_eq!(said, of(&[text.len()]));
    let part = |rig: &mut Rig| drop(rig.say_data(Data::from(&[0; 100][..])));
    assert_eq!(change(&mut rig, part), of(&[100]));
    assert_eq!(change(&mut rig, part), -of(&[text.len(), 100]));
}

/// Lets a client in that says so many bytes of itself.
fn join_with(rig: &mut Rig, namespace: &str, bytes: usize) -> JoinId {
    let admission = Admission {
        auth: Some("x".repeat(bytes)),
        ..Admission::new("id")
    };
    let join = rig.connection.begin(namespace, admission);
    rig.accept(join);
    join
}

#[test]
fn what_a_client_says_of_itself_is_held_up_to_a_bound() {
    for (bytes, is_kept) in [
        (MAX_AUTH - 1, true),
        (MAX_AUTH, true),
        (MAX_AUTH + 1, false),
    ] {
        let mut rig = Rig::new(Protocol::V5);
        let joined = change(&mut rig, |rig| {
            join_with(rig, "/ab", bytes);
        });
        let mut held = vec![3, 2, 2];
        held.extend(is_kept.then_some(bytes));
        assert_eq!(joined, of(&held), "{bytes}");
    }
}

#[test]
fn the_bound_is_for_all_namespaces_of_a_client() {
    let mut rig = Rig::new(Protocol::V5);
    let join = |rig: &mut Rig, namespace, bytes| {
        let join = join_with(rig, namespace, bytes);
        let auth = rig.connection.socket(join).and_then(Socket::auth);
        (join, auth.map(str::len))
    };
    let (first, kept) = join(&mut rig, "/a", MAX_AUTH - 5);
    assert_eq!(kept, Some(MAX_AUTH - 5));
    assert_eq!(join(&mut rig, "/b", 6).1, None);
    assert_eq!(join(&mut rig, "/c", 5).1, Some(5));
    assert_eq!(join(&mut rig, "/d", 1).1, None);
    // What has been left makes room.
    rig.connection.disconnect(first);
    rig.outputs();
    rig.connection.forget(first);
    assert_eq!(join(&mut rig, "/e", MAX_AUTH - 5).1, Some(MAX_AUTH - 5));
}

#[test]
fn a_socket_is_held_with_its_rooms_and_data() {
    let mut rig = Rig::new(Protocol::V5);
    rig.say("0/ab,");
    let begun = change(&mut rig, |rig| assert_eq!(rig.begin("/ab"), JoinId(0)));
    // Its namespace, its id, and the room of its id.
    assert_eq!(begun, of(&[3, 3, 3]));
    let socket = JoinId(0);
    rig.accept(socket);
    let enter = |rig: &mut Rig| assert!(rig.connection.enter(socket, "lobby").is_ok());
    assert_eq!(change(&mut rig, enter), of(&[5]));
    assert_eq!(change(&mut rig, enter), 0, "it is there already");
    let leave = |rig: &mut Rig| assert!(rig.connection.leave(socket, "lobby").is_some());
    assert_eq!(change(&mut rig, leave), -of(&[5]));
    assert_eq!(change(&mut rig, leave), 0, "it was not there");
    let mut put = |data: Option<&str>| {
        let put = |rig: &mut Rig| assert!(rig.connection.set_data(socket, data.map(String::from)));
        change(&mut rig, put)
    };
    assert_eq!(put(Some("[1,2]")), of(&[5]));
    assert_eq!(put(Some("1")), -4);
    assert_eq!(put(None), -of(&[1]));
    rig.end(engine::Reason::TransportClose);
    let gone = change(&mut rig, |rig| rig.connection.forget(socket));
    assert_eq!(gone, -of(&[3, 3, 3]));
}

#[test]
fn what_waits_for_the_news_is_held() {
    let mut rig = Rig::new(Protocol::V5);
    rig.say("0");
    let json = "[\"missed\"]";
    let begin = |rig: &mut Rig| {
        let recovered = RecoveredSocket {
            rooms: vec!["sid".into()],
            missed: vec![("1".into(), Args::new(json, vec![vec![0; 10], vec![]]))],
            ..RecoveredSocket::default()
        };
        rig.begin_again("/", recovered);
    };
    // Its namespace, its id, its pid, its room, and the event with its attachments.
    let socket = of(&[1, 3, 3, 3]);
    let event_size = of(&[json.len(), 10, 0]);
    assert_eq!(change(&mut rig, begin), socket + event_size);
    let packet = event(Protocol::V5, "/", None, "[\"held\"]");
    let size = packet.messages().map(|it| it.len()).sum();
    let hold = |rig: &mut Rig| assert!(rig.connection.hold(JoinId(0), &packet));
    assert_eq!(change(&mut rig, hold), of(&[size]));
    let accept = |rig: &mut Rig| drop(rig.accept(JoinId(0)));
    assert_eq!(change(&mut rig, accept), -event_size - of(&[size]));
}

#[test]
fn requests_that_wait_for_the_root_are_held_with_their_queries() {
    let mut rig = Rig::new(Protocol::V4);
    rig.outputs();
    let root = rig.begin("/");
    let ask = |rig: &mut Rig| assert_eq!(rig.say("0/ab?x=1"), "");
    assert_eq!(change(&mut rig, ask), of(&[3, 3]));
    let accept = |rig: &mut Rig| drop(rig.accept(root));
    assert_eq!(change(&mut rig, accept), -of(&[3, 3]));
}

#[test]
fn names_of_namespaces_that_the_server_has_left_are_held_within_a_bound() {
    let mut rig = Rig::joined(Protocol::V5);
    let leave = |rig: &mut Rig, name: &str| {
        let join = rig.join(name);
        rig.disconnect(join);
        rig.connection.forget(join);
    };
    assert_eq!(change(&mut rig, |rig| leave(rig, "/a")), of(&[2]));
    assert_eq!(change(&mut rig, |rig| leave(rig, "/a")), 0);
    assert_eq!(change(&mut rig, |rig| drop(rig.say("0/a,"))), -of(&[2]));
    let before = rig.connection.held_bytes();
    let long = |longer: usize| alloc::format!("/{}", "x".repeat(MAX_LEFT - COST - 1 + longer));
    leave(&mut rig, "/b");
    leave(&mut rig, &long(1));
    assert_eq!(rig.connection.held_bytes() - before, COST + 2);
    leave(&mut rig, &long(0));
    assert_eq!(rig.connection.held_bytes() - before, MAX_LEFT);
    for number in 0..1_000 {
        leave(&mut rig, &alloc::format!("/{number}"));
        assert!(rig.connection.held_bytes() - before <= MAX_LEFT);
    }
    assert_eq!(rig.say("2/999,[\"e\"]"), "");
    let told = "violation: packet for a namespace that was not joined; close";
    assert_eq!(rig.say("2/0,[\"e\"]"), told);
}
