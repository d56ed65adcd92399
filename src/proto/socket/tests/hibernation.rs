//! A connection that sleeps after every step is like one that never does.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::rig::{OPENED, Rig, settings};
use super::*;
use crate::Timestamp;
use crate::engine;
use crate::versioned::SnapshotError;

/// Something that happens to a connection. Sockets go by the number of their join.
#[derive(Clone, Debug)]
enum Step {
    Text(&'static str),
    Binary,
    Begin(&'static str),
    Admit(u32),
    AcceptEarly(u32),
    Accept(u32),
    Refuse(u32),
    Disconnect(u32),
    Close,
    Supersede,
    Enter(u32, &'static str),
    Leave(u32, &'static str),
    Data(u32, Option<&'static str>),
    Store(Due, bool),
    Timeout(u64),
    End(engine::Reason),
}

const STORE: Step = Step::Store(Due::Unstored, true);

const NAMESPACES: [&str; 3] = ["/", "/a", "/b"];
const ROOMS: [&str; 3] = ["room", "zoo", "sid"];
const TEXTS: [&str; 10] = [
    "0",
    "0/a,{\"x\":1}",
    "0/b?y=1,",
    "1",
    "1/a,",
    "2[\"e\",1]",
    "2/a,5[\"e\"]",
    "3/a,5[]",
    "52-[\"e\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]",
    "nonsense",
];

fn step() -> impl Strategy<Value = Step> {
    let join = || 0..5_u32;
    let room = || prop::sample::select(&ROOMS[..]);
    let due = || prop_oneof![Just(Due::Outdated), Just(Due::Unstored)];
    prop_oneof![
        8 => prop::sample::select(&TEXTS[..9]).prop_map(Step::Text),
        1 => prop::sample::select(&TEXTS[..]).prop_map(Step::Text),
        3 => Just(Step::Binary),
        6 => prop::sample::select(&NAMESPACES[..]).prop_map(Step::Begin),
        2 => join().prop_map(Step::Admit),
        2 => join().prop_map(Step::AcceptEarly),
        6 => join().prop_map(Step::Accept),
        1 => join().prop_map(Step::Refuse),
        1 => join().prop_map(Step::Disconnect),
        2 => (join(), room()).prop_map(|(join, room)| Step::Enter(join, room)),
        2 => (join(), room()).prop_map(|(join, room)| Step::Leave(join, room)),
        2 => (join(), prop::option::of(Just("1"))).prop_map(|(join, data)| Step::Data(join, data)),
        1 => (due(), any::<bool>()).prop_map(|(due, may)| Step::Store(due, may)),
        1 => Just(Step::Supersede),
        1 => (0..90_000_u64).prop_map(Step::Timeout),
    ]
}

/// Generates a step that ends a connection. Whatever is left of it afterwards must
/// sleep too.
fn ending() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Close),
        Just(Step::Text("nonsense")),
        Just(Step::End(engine::Reason::TransportClose)),
        Just(Step::End(engine::Reason::ForcedClose)),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let part = || prop::collection::vec(step(), 0..15);
    (part(), ending(), part(), ending(), part()).prop_map(|(steps, end, after, last, over)| {
        let mut all = steps;
        all.push(end);
        all.extend(after);
        all.push(last);
        all.extend(over);
        all
    })
}

/// Does a step, and describes the outcome.
fn run(rig: &mut Rig, step: &Step) -> String {
    let connection = &mut rig.connection;
    let result = match *step {
        Step::Text(text) => return rig.say(text),
        Step::Binary => return rig.say_data(Data::from(&[1, 2][..])),
        Step::Begin(namespace) => {
            // As a driver does: nobody begins what the client has not asked for.
            if connection.socket_in(namespace).is_some() {
                return String::new();
            }
            let admission = Admission {
                pid: Some(format!("pid of {namespace}")),
                auth: Some(format!("{{\"in\":\"{namespace}\"}}")),
                definition: Definition { index: 7, tag: 7 },
                ..Admission::new("sid")
            };
            format!("{:?}", connection.begin(namespace, admission))
        }
        Step::Admit(join) => return rig.admit(JoinId(join)),
        Step::AcceptEarly(join) => return rig.accept_early(JoinId(join)),
        Step::Accept(join) => return rig.accept(JoinId(join)),
        Step::Refuse(join) => return rig.refuse(JoinId(join), "no", Some("1")),
        Step::Disconnect(join) => format!("{}", connection.disconnect(JoinId(join))),
        Step::Close => return rig.close(),
        Step::Supersede => format!("{}", connection.supersede("/a", "pid of /a")),
        Step::Enter(join, room) => format!("{:?}", connection.enter(JoinId(join), room)),
        Step::Leave(join, room) => format!("{:?}", connection.leave(JoinId(join), room)),
        Step::Data(join, data) => {
            format!(
                "{}",
                connection.set_data(JoinId(join), data.map(Into::into))
            )
        }
        Step::Store(due, may_write) => {
            let mut stored = Vec::new();
            while let Some(storing) = connection.poll_storing(due, may_write) {
                stored.push(match storing {
                    Storing::Write(socket) => (socket.join_id(), socket.since()),
                    Storing::Delete(socket) => (socket.join_id(), None),
                });
            }
            format!("{stored:?} {}", connection.is_unstored())
        }
        Step::Timeout(millis) => {
            rig.now = Timestamp::from_millis(millis);
            connection.handle_timeout(rig.now);
            return rig.outputs();
        }
        Step::End(reason) => return rig.end(reason),
    };
    format!("{result}; {}", rig.outputs())
}

/// Lets the application decide about everything, and hear of whoever has gone:
/// neither outlives sleep.
fn settle(rig: &mut Rig) -> String {
    let all: Vec<JoinId> = rig.connection.sockets().map(Socket::join_id).collect();
    for join in all {
        rig.connection.accept(join);
        rig.connection.forget(join);
    }
    rig.outputs()
}

/// Returns everything that can be observed of a connection.
fn look(rig: &Rig) -> String {
    let connection = &rig.connection;
    let sockets: Vec<_> = connection
        .sockets()
        .map(|it| {
            let own = (it.join_id(), it.namespace(), it.id(), it.pid(), it.data());
            let rest = (it.rooms(), it.since(), it.definition(), it.is_connected());
            (own, it.auth(), rest, connection.route(it.join_id()))
        })
        .collect();
    // What is counted as it goes is counted from the start after sleep.
    let held = connection.held_bytes();
    format!("{sockets:?} {:?} {held}", connection.next_deadline())
}

proptest! {
    #[test]
    fn sleep_changes_nothing(old in any::<bool>(), steps in steps()) {
        let protocol = if old { Protocol::V4 } else { Protocol::V5 };
        let mut awake = Rig::new(protocol);
        let mut asleep = Rig::new(protocol);
        prop_assert_eq!(awake.outputs(), asleep.outputs());
        for step in &steps {
            // What is to be stored is stored before an object sleeps.
            for step in [step, &STORE] {
                prop_assert_eq!(run(&mut awake, step), run(&mut asleep, step), "{:?}", step);
            }
            prop_assert_eq!(settle(&mut awake), settle(&mut asleep), "after {:?}", step);
            run(&mut awake, &STORE);
            run(&mut asleep, &STORE);
            prop_assert_eq!(asleep.sleep(), "", "after {:?}", step);
            // Who stays awake is saved all the same.
            awake.connection.snapshot();
            prop_assert_eq!(look(&awake), look(&asleep), "after {:?}", step);
            prop_assert!(!asleep.connection.take_changed(), "what was just read is saved");
        }
    }

    /// As [`sleep_changes_nothing`], with sockets that nobody has decided about:
    /// they are refused when the object wakes up, and only they have changed.
    #[test]
    fn whoever_was_to_be_decided_about_is_refused(old in any::<bool>(), steps in steps()) {
        let protocol = if old { Protocol::V4 } else { Protocol::V5 };
        let mut awake = Rig::new(protocol);
        let mut asleep = Rig::new(protocol);
        prop_assert_eq!(awake.outputs(), asleep.outputs());
        for step in &steps {
            prop_assert_eq!(run(&mut awake, step), run(&mut asleep, step), "{:?}", step);
            let undecided = awake.connection.sockets().filter(|it| it.is_undecided());
            let undecided: Vec<JoinId> = undecided.map(Socket::join_id).collect();
            let refused: Vec<String> = undecided
                .into_iter()
                .map(|join| awake.refuse(join, INTERNAL_ERROR, None))
                .collect();
            prop_assert_eq!(asleep.sleep(), refused.join("; "), "after {:?}", step);
            settle(&mut awake);
            run(&mut awake, &STORE);
            run(&mut asleep, &STORE);
            // Who stays awake is saved all the same.
            awake.connection.snapshot();
            prop_assert_eq!(look(&awake), look(&asleep), "after {:?}", step);
        }
    }

    /// Whatever changes what a connection sleeps by says so.
    #[test]
    fn what_changes_says_so(old in any::<bool>(), steps in steps()) {
        let protocol = if old { Protocol::V4 } else { Protocol::V5 };
        let mut rig = Rig::new(protocol);
        prop_assert!(rig.connection.take_changed(), "a new one was never saved");
        let mut before = rig.connection.snapshot();
        for step in &steps {
            let _ = run(&mut rig, step);
            let changed = rig.connection.is_changed();
            // Parts of a packet are saved later than anything else.
            prop_assert!(changed || !rig.connection.take_changed());
            let after = rig.connection.snapshot();
            prop_assert!(changed || after == before, "{:?}", step);
            rig.connection.take_changed();
            prop_assert!(!rig.connection.is_changed(), "all of it is in the snapshot");
            before = after;
        }
    }

    #[test]
    fn no_bytes_make_a_snapshot_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..60),
        steps in steps(),
    ) {
        let restore = |bytes: &[u8]| {
            let restored = Connection::restore(bytes, settings(), |_, _| Some(0));
            if let Ok(connection) = restored {
                let mut rig = Rig { connection, now: OPENED };
                rig.outputs();
                for step in &steps {
                    let _ = run(&mut rig, step);
                }
            }
        };
        restore(&bytes);
        let mut rig = Rig::joined(Protocol::V4);
        rig.join("/a");
        rig.begin("/b");
        let mut mangled = rig.connection.snapshot();
        for (position, byte) in bytes.iter().enumerate() {
            if let Some(target) = mangled.get_mut(1 + position * 7 % 40) {
                *target ^= byte;
            }
        }
        restore(&mangled);
    }
}

#[test]
fn a_definition_is_found_again_wherever_it_has_moved() {
    let mut rig = Rig::new(Protocol::V5);
    for namespace in ["/a", "/bc"] {
        let admission = Admission {
            definition: Definition { index: 3, tag: 9 },
            ..Admission::new(namespace)
        };
        let join = rig.connection.begin(namespace, admission);
        rig.accept(join);
    }
    let snapshot = rig.connection.snapshot();
    let restore =
        |define: fn(&str, u32) -> Option<u16>| Connection::restore(&snapshot, settings(), define);
    let moved = restore(|name, tag| (tag == 9).then_some(name.len() as u16)).unwrap();
    let definition = |join| moved.socket(JoinId(join)).unwrap().definition();
    assert_eq!(definition(0), Definition { index: 2, tag: 9 });
    assert_eq!(definition(1), Definition { index: 3, tag: 9 });
    let gone = restore(|name, _| (name != "/bc").then_some(0));
    assert_eq!(gone.unwrap_err(), SnapshotError::Version);
}

#[test]
fn what_is_no_snapshot_of_this_version_is_an_error() {
    let snapshot = Rig::joined(Protocol::V5).connection.snapshot();
    let restore = |bytes: &[u8]| Connection::restore(bytes, settings(), |_, _| Some(0));
    assert!(restore(&snapshot).is_ok());
    let mut other = snapshot.clone();
    other[0] -= 1;
    assert_eq!(restore(&other).unwrap_err(), SnapshotError::Version);
    let longer = [&*snapshot, &[0]].concat();
    assert_eq!(restore(&longer).unwrap_err(), SnapshotError::Malformed);
    for end in 0..snapshot.len() {
        let shorter = &snapshot[..end];
        assert_eq!(restore(shorter).unwrap_err(), SnapshotError::Malformed);
    }
}

#[test]
fn a_packet_is_complete_although_its_attachments_come_after_sleep() {
    let mut rig = Rig::joined(Protocol::V5);
    rig.say("51-[\"photo\",{\"_placeholder\":true,\"num\":0}]");
    rig.sleep();
    let photo = "event #0 [\"photo\",{\"_placeholder\":true,\"num\":0}]+";
    assert_eq!(rig.say_data(Data::from(&[1, 2][..])), photo);
    assert!(rig.connection.take_changed(), "it does not wait any more");
}

#[test]
fn the_number_of_a_join_is_not_used_again_after_sleep() {
    let mut rig = Rig::joined(Protocol::V5);
    rig.say("1");
    rig.sleep();
    assert!(rig.connection.socket(JoinId(0)).is_none(), "it was leaving");
    rig.say("0");
    assert_eq!(rig.begin("/"), JoinId(1));
    let refused = "> 4{\"message\":\"Internal server error\"}; refused #1";
    assert_eq!(rig.sleep(), refused);
    assert_eq!(rig.begin("/"), JoinId(2));
}

#[test]
fn those_who_wait_for_the_root_are_heard_when_it_is_refused_after_sleep() {
    let mut rig = Rig::new(Protocol::V4);
    rig.outputs();
    rig.begin("/");
    rig.say("0/a?x=1,");
    rig.say("0/b,");
    let told = "> 4\"Internal server error\"; refused #0; asks for /a with x=1; asks for /b";
    assert_eq!(rig.sleep(), told);
}

/// It was being closed, and is so still: its sockets go for the same reason.
#[test]
fn a_session_that_is_being_closed_stays_so() {
    let mut rig = Rig::joined(Protocol::V5);
    rig.say("nonsense");
    rig.sleep();
    assert_eq!(rig.say("0/a,"), "");
    let ended = rig.end(engine::Reason::ForcedClose);
    assert_eq!(ended, "disconnected #0: parse error");
}
