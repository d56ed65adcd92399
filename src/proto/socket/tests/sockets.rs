//! The belongings of a socket: rooms, data, acknowledgements, and what is stored of
//! it.

use alloc::string::String;

use super::rig::{BOTH, Rig, event, text};
use super::*;
use crate::engine::Reason as Ended;

const ROOT_JOIN: JoinId = JoinId(0);

fn rooms(rig: &Rig) -> &[String] {
    rig.connection.socket(ROOT_JOIN).unwrap().rooms()
}

#[test]
fn a_socket_is_in_so_many_rooms() {
    let mut rig = Rig::joined(Protocol::V5);
    let connection = &mut rig.connection;
    assert_eq!(connection.enter(ROOT_JOIN, "b"), Ok(true));
    assert_eq!(connection.enter(ROOT_JOIN, "a"), Ok(true));
    assert_eq!(
        connection.enter(ROOT_JOIN, "a"),
        Ok(false),
        "it is there already"
    );
    let full = Err(JoinError::TooManyRooms);
    assert_eq!(connection.enter(ROOT_JOIN, "c"), full);
    assert_eq!(rooms(&rig), ["a", "b", "sid"]);
    let connection = &mut rig.connection;
    assert_eq!(connection.leave(ROOT_JOIN, "a"), Some(true));
    assert_eq!(connection.leave(ROOT_JOIN, "a"), Some(false));
    assert_eq!(connection.enter(ROOT_JOIN, "c"), Ok(true));
    assert_eq!(rooms(&rig), ["b", "c", "sid"]);
}

#[test]
fn the_room_of_its_own_id_is_not_counted() {
    let mut rig = Rig::joined(Protocol::V5);
    let connection = &mut rig.connection;
    assert_eq!(connection.leave(ROOT_JOIN, "sid"), Some(true));
    assert_eq!(connection.enter(ROOT_JOIN, "a"), Ok(true));
    assert_eq!(connection.enter(ROOT_JOIN, "b"), Ok(true));
    let full = Err(JoinError::TooManyRooms);
    assert_eq!(connection.enter(ROOT_JOIN, "c"), full);
    assert_eq!(connection.enter(ROOT_JOIN, "sid"), Ok(true));
}

#[test]
fn the_names_of_rooms_take_so_many_bytes() {
    // Each counts 32 bytes more than it has.
    let own = "sid".len() + 32;
    for (excess, full) in [(0, false), (1, true)] {
        let mut rig = Rig::joined(Protocol::V5);
        let connection = &mut rig.connection;
        let longest = "x".repeat(MAX_ROOM_NAMES - own - 32 + excess);
        let entered = connection.enter(ROOT_JOIN, &longest);
        assert_eq!(entered.is_err(), full, "{entered:?}");
        // Names that are too long take no room from others.
        let short = connection.enter(ROOT_JOIN, "a");
        assert_eq!(short.is_err(), !full, "{short:?}");
    }
}

#[test]
fn rooms_and_data_are_there_before_the_decision_and_not_behind_the_end() {
    for admitted in [false, true] {
        let mut rig = Rig::new(Protocol::V5);
        rig.say("0");
        let root = rig.begin("/");
        if admitted {
            rig.admit(root);
        }
        assert_eq!(rig.connection.enter(root, "a"), Ok(true));
        assert!(rig.connection.set_data(root, Some("1".into())));
        rig.end(Ended::TransportClose);
        assert_eq!(rig.connection.enter(root, "b"), Err(JoinError::Gone));
        assert_eq!(rig.connection.leave(root, "a"), None);
        assert!(!rig.connection.set_data(root, None));
        let socket = rig.connection.socket(root).unwrap();
        assert_eq!(socket.rooms(), ["a", "sid"], "those it was in");
        assert_eq!(socket.data(), Some("1"));
    }
}

#[test]
fn acknowledgements_go_to_connected_sockets() {
    for protocol in BOTH {
        let mut rig = Rig::joined(protocol);
        rig.say("0/a,");
        let a = rig.begin("/a");
        let args = Args::new("[1]", Vec::new());
        let ack = |rig: &Rig, join| {
            let packet = rig.connection.encode_ack(join, 7, &args);
            packet.map(|packet| text(&packet))
        };
        assert_eq!(ack(&rig, ROOT_JOIN).as_deref(), Some("37[1]"));
        assert_eq!(ack(&rig, a), None);
        rig.accept(a);
        assert_eq!(ack(&rig, a).as_deref(), Some("3/a,7[1]"));
        rig.end(Ended::TransportClose);
        assert_eq!(ack(&rig, a), None);
    }
}

#[test]
fn offsets_are_for_those_who_understand_them() {
    assert!(Rig::new(Protocol::V5).connection.takes_offsets());
    assert!(!Rig::new(Protocol::V4).connection.takes_offsets());
    let mut rig = Rig::new(Protocol::V4);
    rig.outputs();
    let missed = Args::new("[\"missed\"]", Vec::new());
    let recovered = RecoveredSocket {
        missed: [("7".into(), missed)].into(),
        ..RecoveredSocket::default()
    };
    let root = rig.begin_again("/", recovered);
    assert_eq!(rig.accept(root), "present #0; > 2[\"missed\"]; > 0");
}

#[test]
fn data_takes_no_more_room_than_it_needs() {
    let mut rig = Rig::joined(Protocol::V5);
    let mut data = String::with_capacity(1_000);
    data.push_str("[1]");
    assert!(rig.connection.set_data(ROOT_JOIN, Some(data)));
    let socket = rig.connection.socket(ROOT_JOIN).unwrap();
    assert_eq!(socket.data.as_ref().map(String::capacity), Some(3));
}

#[test]
fn a_held_packet_is_the_one_that_others_are_sent() {
    let mut rig = Rig::new(Protocol::V5);
    let root = rig.begin("/");
    let packet = event(Protocol::V5, "/", None, "[\"e\"]");
    assert!(rig.connection.hold(root, &packet));
    rig.connection.accept(root);
    let outputs = core::iter::from_fn(|| rig.connection.poll_output());
    let last = outputs.last();
    let Some(Output::Send(sent)) = last else {
        panic!("{last:?}");
    };
    assert!(alloc::rc::Rc::ptr_eq(&sent, &packet), "it is encoded once");
}
