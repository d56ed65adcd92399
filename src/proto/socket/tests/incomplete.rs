//! Packets whose attachments are still to come: who may begin one, when it is saved,
//! and how long it may take.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::rig::{BOTH, OPENED, Rig, settings};
use super::*;
use crate::Timestamp;
use crate::engine::{self, SLEEP_AFTER};

const NOT_JOINED: &str = "violation: packet for a namespace that was not joined; close";
const TOO_LATE: &str = "violation: attachments did not come in time; close";
const TWO: &str = r#"52-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;

fn part(rig: &mut Rig) -> String {
    rig.say_data(Data::from(&[1, 2][..]))
}

fn wait(rig: &mut Rig, time: Duration) -> String {
    rig.now = rig.now + time;
    rig.connection.handle_timeout(rig.now);
    rig.outputs()
}

/// A client that has joined, and is saved.
fn joined(protocol: Protocol) -> Rig {
    let mut rig = Rig::joined(protocol);
    save(&mut rig);
    rig
}

/// Saves a connection. Returns how many bytes that took, and zero if it had not
/// changed.
fn save(rig: &mut Rig) -> usize {
    match rig.connection.take_changed() {
        true => rig.connection.snapshot().len(),
        false => 0,
    }
}

#[test]
fn nobody_waits_for_attachments_of_a_packet_that_is_for_nobody() {
    for protocol in BOTH {
        for text in [
            "51-/a,[\"e\"]",
            "61-/a,7[]",
            "51-/a?x=1,[\"e\"]",
            "59-/b,[\"e\"]",
        ] {
            let mut rig = Rig::joined(protocol);
            rig.say("0/a,");
            let a = rig.begin("/a");
            let before = rig.connection.held_bytes();
            assert_eq!(rig.say(text), NOT_JOINED, "{text}: nobody has decided");
            assert!(rig.connection.held_bytes() <= before, "nothing is kept");
            assert_eq!(part(&mut rig), "", "nobody listens any more");
            rig.connection.refuse(a, "no", None);
        }
    }
    let mut rig = Rig::new(Protocol::V5);
    assert_eq!(rig.say(TWO), NOT_JOINED, "not even the root");
    assert_eq!(rig.connection.held_bytes(), 0);
}

#[test]
fn attachments_may_come_for_every_namespace_that_was_joined() {
    for protocol in BOTH {
        let mut rig = Rig::joined(protocol);
        rig.say("0/a,");
        rig.join("/a");
        assert_eq!(rig.say("51-/a,3[\"e\"]"), "");
        assert_eq!(part(&mut rig), "event #1 3[\"e\"]+");
        assert_eq!(rig.say("61-/a,7[]"), "");
        assert_eq!(part(&mut rig), "ack #1 7[]");
        assert_eq!(rig.say("51-[\"e\"]"), "");
        assert_eq!(part(&mut rig), "event #0 [\"e\"]+");
    }
}

#[test]
fn an_error_in_the_text_comes_first() {
    let mut rig = Rig::new(Protocol::V5);
    let said = rig.say("51-/a,[nonsense");
    assert_eq!(said, "violation: payload is not json; close");
}

/// The namespace may be left between two parts, by the server.
#[test]
fn a_packet_for_a_socket_that_has_gone_is_one_for_nobody() {
    let mut rig = joined(Protocol::V5);
    rig.say(TWO);
    part(&mut rig);
    rig.disconnect(JoinId(0));
    assert_eq!(part(&mut rig), "");
    assert!(!rig.connection.is_pending());
}

/// What a packet of ten attachments costs: nothing is written while its parts come.
#[test]
fn a_packet_that_is_complete_in_time_is_never_saved() {
    let mut rig = joined(Protocol::V5);
    let mut written = 0;
    for _ in 0..10 {
        rig.say("510-[\"e\"]");
        for _ in 0..10 {
            assert_eq!(wait(&mut rig, Duration::from_millis(4_900)), "");
            written += save(&mut rig);
            assert!(rig.connection.is_changed(), "a hand-over has to have it");
            rig.say_data(Data::from(&[7; 10_000][..]));
            written += save(&mut rig);
        }
        assert!(
            !rig.connection.is_changed(),
            "there is nothing to hand over"
        );
    }
    assert_eq!(written, 0);
    assert_eq!(rig.connection.next_deadline(), None);
}

#[test]
fn a_packet_that_is_not_complete_is_saved_once_before_an_object_sleeps() {
    assert!(KEEP_AFTER * 2 <= SLEEP_AFTER);
    let mut rig = joined(Protocol::V5);
    for say in [
        |rig: &mut Rig| drop(rig.say(TWO)),
        |rig: &mut Rig| drop(part(rig)),
    ] {
        say(&mut rig);
        assert_eq!(rig.connection.next_deadline(), Some(rig.now + KEEP_AFTER));
        assert_eq!(save(&mut rig), 0);
        assert_eq!(wait(&mut rig, KEEP_AFTER - Duration::from_millis(1)), "");
        assert_eq!(save(&mut rig), 0, "it is early");
        assert_eq!(wait(&mut rig, Duration::from_millis(1)), "");
        assert_eq!(rig.connection.next_deadline(), None, "it is being saved");
        assert!(rig.connection.is_changed());
        assert!(save(&mut rig) > TWO.len());
        assert!(!rig.connection.is_changed());
        assert_eq!(wait(&mut rig, KEEP_AFTER), "");
        assert_eq!(save(&mut rig), 0, "once");
    }
    // What was saved of it must not be there after the next sleep.
    let expect =
        "event #0 [\"e\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]++";
    assert_eq!(part(&mut rig), expect);
    assert_ne!(save(&mut rig), 0);
    assert_eq!(rig.say("2[\"next\"]"), "event #0 [\"next\"]");
}

/// A change may be saved later than it was noted, and then parts are in it that came
/// meanwhile. They must not stay there.
#[test]
fn parts_that_were_saved_with_something_else_do_not_stay() {
    let mut rig = joined(Protocol::V5);
    rig.connection.enter(JoinId(0), "room").unwrap();
    assert!(rig.connection.take_changed());
    rig.say("51-[\"e\"]");
    let saved = rig.connection.snapshot();
    assert_eq!(rig.connection.next_deadline(), None, "it is saved");
    part(&mut rig);
    assert!(rig.connection.take_changed());
    assert!(rig.connection.snapshot().len() < saved.len());
}

#[test]
fn a_packet_may_go_so_long_without_another_part() {
    for protocol in BOTH {
        for asleep in [false, true] {
            let mut rig = joined(protocol);
            rig.say(TWO);
            let almost = MAX_STALL - Duration::from_millis(1);
            assert_eq!(wait(&mut rig, almost), "");
            assert_eq!(part(&mut rig), "", "it goes on");
            assert_eq!(wait(&mut rig, almost), "");
            if asleep {
                rig.sleep();
            }
            assert_eq!(wait(&mut rig, Duration::from_millis(1)), TOO_LATE);
            assert_eq!(rig.connection.next_deadline(), None);
            rig.end(engine::Reason::ForcedClose);
            rig.connection.forget(JoinId(0));
            assert_eq!(rig.connection.held_bytes(), 0);
        }
    }
}

#[test]
fn a_part_that_comes_late_is_better_than_none() {
    let mut rig = joined(Protocol::V5);
    rig.say("51-[\"e\"]");
    rig.now = rig.now + MAX_STALL * 2;
    assert_eq!(part(&mut rig), "event #0 [\"e\"]+");
    assert_eq!(wait(&mut rig, MAX_STALL), "", "nothing is missing");
}

#[test]
fn a_session_that_ends_keeps_no_parts() {
    let ends: [fn(&mut Rig); 3] = [
        |rig| drop(rig.close()),
        |rig| drop(rig.end(engine::Reason::TransportClose)),
        |rig| drop(rig.say("nonsense")),
    ];
    for end in ends {
        let mut rig = joined(Protocol::V5);
        let empty = rig.connection.held_bytes();
        rig.say("59-[\"e\"]");
        rig.say_data(Data::from(&[7; 10_000][..]));
        end(&mut rig);
        assert!(rig.connection.held_bytes() <= empty);
        assert_eq!(rig.connection.next_deadline(), None);
        assert!(rig.connection.take_changed());
    }
}

/// Limits at n − 1, n and n + 1, with a client that has joined.
#[test]
fn a_packet_has_so_many_attachments_and_bytes() {
    let check = |limits: (usize, usize), text: &str, parts: &[usize]| {
        let settings = Settings {
            max_attachments: limits.0,
            max_packet: limits.1,
            ..settings()
        };
        let mut rig = Rig {
            connection: Connection::open(OPENED, settings, Protocol::V5),
            now: OPENED,
        };
        rig.say("0");
        rig.join("/");
        let mut said = rig.say(text);
        for size in parts {
            said = rig.say_data(Data::from(alloc::vec![7; *size]));
        }
        said
    };
    let event = |count: usize| format!("5{count}-[\"e\"]");
    for count in [9, 10] {
        let parts: Vec<usize> = (0..count).collect();
        let heard = format!("event #0 [\"e\"]{}", "+".repeat(count));
        assert_eq!(check((10, 1_000), &event(count), &parts), heard);
    }
    let said = check((10, 1_000), &event(11), &[]);
    assert_eq!(said, "violation: too many attachments; close");
    let text = event(2).len();
    for last in [49, 50] {
        let heard = "event #0 [\"e\"]++";
        assert_eq!(check((10, text + 100), &event(2), &[50, last]), heard);
    }
    let said = check((10, text + 100), &event(2), &[50, 51]);
    assert_eq!(said, "violation: packet too large; close");
}

/// A client of protocol 4 may ask before the root is decided, but not for ever so
/// much.
#[test]
fn so_many_bytes_of_requests_wait_for_the_root() {
    let query = |size: usize| {
        // The name, and what counts for name and query.
        let request = format!("0/a?{}", "x".repeat(size - 2 - 2 * 32));
        let mut rig = Rig::new(Protocol::V4);
        rig.outputs();
        rig.begin("/");
        let said = (rig.say(&request), rig.connection.held_bytes());
        (said.0, said.1, rig.say("0/b"))
    };
    let held = |rig: &Rig| rig.connection.held_bytes();
    let mut empty = Rig::new(Protocol::V4);
    empty.outputs();
    empty.begin("/");
    let refused = "> 4/a,\"Requests too large\"";
    for size in [MAX_WAITING - 1, MAX_WAITING] {
        let (said, bytes, other) = query(size);
        assert_eq!((&*said, bytes), ("", held(&empty) + size));
        assert_eq!(
            other, "> 4/b,\"Requests too large\"",
            "there is no room for it"
        );
    }
    let (said, bytes, other) = query(MAX_WAITING + 1);
    assert_eq!((&*said, bytes), (refused, held(&empty)));
    assert_eq!(other, "", "it has room");
}

#[test]
fn the_time_may_jump() {
    let mut rig = joined(Protocol::V5);
    rig.now = Timestamp::from_millis(u64::MAX);
    rig.say(TWO);
    assert_eq!(wait(&mut rig, MAX_STALL), TOO_LATE);
    let mut rig = joined(Protocol::V5);
    rig.now = OPENED + MAX_STALL;
    rig.say(TWO);
    rig.now = OPENED;
    assert_eq!(wait(&mut rig, Duration::ZERO), "");
    assert_eq!(part(&mut rig), "");
    assert_eq!(rig.connection.next_deadline(), Some(OPENED + KEEP_AFTER));
}
