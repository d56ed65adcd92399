//! Messages are read as they were written, and no message, however odd, breaks a hub or
//! a node.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;

use super::arbitrary::{answer, call, held, pid, room, rooms};
use super::bounds::nobody;
use super::simulation::{Desk, LogTable, Rows, Stored, pid_of};
use crate::Timestamp;
use crate::cluster::{
    Answer, Call, CallId, Comeback, Failure, Held, Hub, HubIndex, JoinKey, LogSettings,
    MessageError, Node, NodeId, NodeLife, Output, Position, ReturnKey, Settings, Ticket,
};

/// Something that happens to a hub or a node.
#[derive(Clone, Debug)]
enum Step {
    Call(Call),
    /// To one of the calls that are under way.
    Answer(usize, Answer),
    Failure(usize, Failure),
    Timeout,
    Pass(u64),
    Join(String),
    Leave(String),
    Emit(Vec<String>),
    Gather(Vec<String>),
    /// The client with this secret is to come back.
    Claim(String),
    Readmit(String, Held),
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => call().prop_map(Step::Call),
        4 => (0..4_usize, answer()).prop_map(|(which, answer)| Step::Answer(which, answer)),
        1 => (0..4_usize).prop_map(|which| Step::Failure(which, Failure::Broken)),
        1 => (0..4_usize).prop_map(|which| Step::Failure(which, Failure::Overloaded)),
        1 => Just(Step::Timeout),
        1 => prop_oneof![0..200_u64, 0..20_000_u64].prop_map(Step::Pass),
        1 => room().prop_map(Step::Join),
        1 => room().prop_map(Step::Leave),
        1 => rooms().prop_map(Step::Emit),
        1 => rooms().prop_map(Step::Gather),
        1 => pid().prop_map(Step::Claim),
        1 => (pid(), held()).prop_map(|(pid, held)| Step::Readmit(pid, held)),
        1 => Just(Step::Forget),
    ]
}

proptest! {
    #[test]
    fn calls_are_read_as_they_were_written(call in call()) {
        prop_assert_eq!(Call::decode(&call.encode()), Ok(call));
    }

    #[test]
    fn answers_are_read_as_they_were_written(answer in answer()) {
        prop_assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..100)) {
        let _ = (Call::decode(&bytes), Answer::decode(&bytes));
        let mut versioned = Vec::from([1]);
        versioned.extend(bytes);
        let _ = (Call::decode(&versioned), Answer::decode(&versioned));
    }

    #[test]
    fn what_is_cut_off_or_damaged_is_not_misread(call in call(), at: prop::sample::Index, to: u8) {
        let mut bytes = call.encode();
        let at = at.index(bytes.len());
        prop_assert!(Call::decode(&bytes[..at]).is_err());
        bytes[at] = to;
        if let Ok(other) = Call::decode(&bytes) {
            // Numbers may be written in more than one way, and rooms be renamed.
            prop_assert_eq!(Call::decode(&other.encode()), Ok(other));
        }
    }

    #[test]
    fn another_version_is_named(call in call(), version: u8) {
        prop_assume!(version != 3);
        let mut bytes = call.encode();
        bytes[0] = version;
        prop_assert_eq!(Call::decode(&bytes), Err(MessageError::Version));
    }

    #[test]
    fn nothing_breaks_a_hub(steps in vec(step(), 0..60)) {
        let mut rows = Rows::default();
        let mut hub = Hub::new(HubIndex(0), 3, &mut rows).unwrap();
        hub.relay_from(2);
        live_through(&mut hub, &mut rows, steps);
    }

    #[test]
    fn nothing_breaks_a_hub_that_logs(steps in vec(step(), 0..60), max_events in 1..9_u64) {
        let mut rows = Rows::default();
        rows.log = Some(LogTable::default());
        let settings = LogSettings { max_events, max_row: 60, ..LogSettings::default() };
        let mut hub = Hub::recovering(settings, &mut rows).unwrap();
        hub.relay_from(2);
        live_through(&mut hub, &mut rows, steps);
    }

    #[test]
    fn nothing_breaks_a_node(steps in vec(step(), 0..60), members in vec(room(), 0..3)) {
        let members = |room: &str| members.iter().any(|name| name == room);
        let settings = Settings { hubs: 3, ..Settings::default() };
        let mut node = Node::new(NodeId([0; 32]), NodeLife(1), settings);
        let mut now = Timestamp::from_millis(1_000);
        let mut under_way: Vec<CallId> = Vec::new();
        let mut number = 0;
        let mut open = 0_i64;
        let mut desk = desk();
        for step in steps {
            number += 1;
            match step {
                Step::Call(call) => node.handle_call(Ticket(number), call, now, &members),
                Step::Answer(which, answer) if which < under_way.len() => {
                    node.handle_answer(under_way.remove(which), answer, now, 7, &members);
                }
                Step::Failure(which, failure) if which < under_way.len() => {
                    node.handle_failure(under_way.remove(which), failure, now, 7, &members);
                }
                Step::Pass(millis) => now = now + core::time::Duration::from_millis(millis),
                Step::Join(room) => {
                    let joining = node.join(JoinKey(number), &room, now, &members);
                    open += i64::from(joining == Ok(crate::cluster::Joining::Later));
                }
                Step::Leave(room) => node.leave(&room, now, &members),
                Step::Emit(rooms) => {
                    let rooms: Vec<_> = rooms.iter().map(String::as_str).collect();
                    let emit = crate::cluster::Emit {
                        rooms: &rooms,
                        nodes: &[],
                        tells_nodes: false,
                        payload: b"x",
                    };
                    let emitted = node.emit(&emit, now, &members);
                    open += i64::from(matches!(emitted, Ok(crate::cluster::Emitted::Sent(_))));
                }
                Step::Gather(rooms) => {
                    let rooms: Vec<_> = rooms.iter().map(String::as_str).collect();
                    let limit = core::time::Duration::from_secs(3);
                    let gathering = node.gather(&rooms, &[], b"x", limit, now);
                    open += i64::from(matches!(gathering, Ok(crate::cluster::Gathering::Sent(_))));
                }
                Step::Claim(pid) => {
                    let comeback = Comeback {
                        pid: &pid,
                        home: NodeId([1; 32]),
                        id: "id",
                        position: None,
                    };
                    open += i64::from(node.claim(ReturnKey(number), &comeback, now, &members).is_ok());
                }
                Step::Readmit(pid, held) => {
                    let readmitted = node.readmit(ReturnKey(number), &pid, held, now, &members);
                    open += i64::from(readmitted.is_ok());
                }
                // It has come back already, or never was there.
                Step::Forget => node.forget_return(ReturnKey(0), now, &members),
                Step::Answer(..) | Step::Failure(..) | Step::Timeout => {
                    node.handle_timeout(now, &members);
                }
            }
            open -= poll(&mut node, &mut desk, &mut under_way, now);
        }
        // Nobody answers any more, and everything ends.
        for _ in 0..2_000 {
            for id in under_way.drain(..) {
                node.handle_failure(id, Failure::Broken, now, 7, &members);
            }
            open -= poll(&mut node, &mut desk, &mut under_way, now);
            let Some(at) = node.next_deadline() else { break };
            now = now.max(at);
            node.handle_timeout(now, &members);
            open -= poll(&mut node, &mut desk, &mut under_way, now);
        }
        prop_assert!(node.is_idle());
        prop_assert_eq!(open, 0, "every join, emit and comeback ends, once");
    }
}

/// The rows of an object with two sockets.
fn desk() -> Desk {
    let mut desk = Desk::default();
    for socket in 0..2 {
        let stored = Stored {
            socket,
            home: 0,
            rooms: Vec::from(["a".into()]),
            position: Position::default(),
            lost: None,
            unconfirmed: None,
        };
        desk.sockets.insert(pid_of(socket), stored);
    }
    desk
}

/// Does what a node asks. Returns how much of what was begun has ended.
fn poll(node: &mut Node, desk: &mut Desk, under_way: &mut Vec<CallId>, now: Timestamp) -> i64 {
    let mut ended = 0;
    while let Some(output) = node.poll_output() {
        match output {
            Output::Call { id, .. } => under_way.push(id),
            Output::Claim { ticket, claim } => {
                node.answer_claim(ticket, &claim, now, &nobody, desk);
            }
            Output::Confirm { ticket, confirm } => {
                node.answer_confirm(ticket, &confirm, now, desk);
            }
            Output::Adopt(key, _) => node.adopted(key, now, &nobody),
            Output::Joined(_)
            | Output::NotJoined(_)
            | Output::Moved
            | Output::Resolved(..)
            | Output::Gathered(..)
            | Output::Returned(..)
            | Output::NotReturned(..) => ended += 1,
            Output::Answer { .. }
            | Output::Gap
            | Output::Place(_)
            | Output::Settled { .. }
            | Output::Deliver(..)
            | Output::Taken(..)
            | Output::Gather { .. }
            | Output::Collected(..) => {}
        }
    }
    ended
}

/// Lets all of this happen to a hub. In the end whoever it calls answers nothing any
/// more, and what it does for them ends.
fn live_through(hub: &mut Hub, rows: &mut Rows, steps: Vec<Step>) {
    let mut now = Timestamp::from_millis(1_000);
    let mut under_way: Vec<CallId> = Vec::new();
    let mut tickets = 0;
    for step in steps {
        match step {
            Step::Call(call) => {
                tickets += 1;
                hub.handle_call(Ticket(tickets), call, now, rows);
            }
            Step::Answer(which, answer) if which < under_way.len() => {
                hub.handle_answer(under_way.remove(which), answer, now, 7, rows);
            }
            Step::Failure(which, failure) if which < under_way.len() => {
                hub.handle_failure(under_way.remove(which), failure, now, 7, rows);
            }
            Step::Pass(millis) => now = now + core::time::Duration::from_millis(millis),
            Step::Answer(..)
            | Step::Failure(..)
            | Step::Timeout
            | Step::Join(_)
            | Step::Leave(_)
            | Step::Emit(_)
            | Step::Gather(_)
            | Step::Claim(_)
            | Step::Readmit(..)
            | Step::Forget => hub.handle_timeout(now, rows),
        }
        while let Some(output) = hub.poll_output() {
            if let Output::Call { id, .. } = output {
                under_way.push(id);
            }
        }
    }
    // Whoever is called answers nothing any more, and all of it ends.
    for _ in 0..1_000 {
        for id in under_way.drain(..) {
            hub.handle_failure(id, Failure::Broken, now, 7, rows);
        }
        let Some(at) = hub.next_deadline() else { break };
        now = now.max(at);
        if now == Timestamp::from_millis(u64::MAX) {
            return; // The deadline of a sender from another world.
        }
        hub.handle_timeout(now, rows);
        while let Some(output) = hub.poll_output() {
            if let Output::Call { id, .. } = output {
                under_way.push(id);
            }
        }
    }
    // A hub that logs goes on for as long as there is something in its log.
    assert!(hub.is_idle() || hub.alarm().is_some());
}
