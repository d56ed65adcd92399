//! Messages are read as they were written, and no message, however odd, breaks a hub or
//! a node.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;

use super::simulation::Rows;
use crate::Timestamp;
use crate::cluster::{
    Answer, Ask, Call, CallId, Control, Controlled, Deliver, Delivered, Event, Failure, Gather,
    Hub, HubIndex, HubLife, Interested, JoinKey, MessageError, Missing, Node, NodeId, NodeLife,
    Operation, Output, Payload, Publish, Published, Recall, Sender, Settings, Shared, Stamp,
    Ticket,
};

fn node_id() -> impl Strategy<Value = NodeId> {
    (0..4_u8).prop_map(|byte| NodeId([byte; 32]))
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..4_u64, any::<u64>(), Just(u64::MAX)]
}

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![Just(0), 900..1_100_u64, Just(u64::MAX)].prop_map(Timestamp::from_millis)
}

fn room() -> impl Strategy<Value = String> {
    prop_oneof!["[abé]?", ".{0,9}"]
}

fn rooms() -> impl Strategy<Value = Vec<String>> {
    vec(room(), 0..4)
}

fn stamp() -> impl Strategy<Value = Stamp> {
    (number(), number()).prop_map(|(era, count)| Stamp { era, count })
}

fn sender() -> impl Strategy<Value = Sender> {
    (node_id(), number()).prop_map(|(node, life)| Sender {
        node,
        life: NodeLife(life),
    })
}

fn payload() -> impl Strategy<Value = Payload> {
    vec(any::<u8>(), 0..20).prop_map(|bytes| Payload(bytes.into()))
}

fn operation() -> impl Strategy<Value = Shared> {
    (
        number(),
        rooms(),
        vec(node_id(), 0..3),
        any::<bool>(),
        payload(),
    )
        .prop_map(|(seq, rooms, nodes, tells_nodes, payload)| {
            Shared(Rc::new(Operation {
                seq,
                rooms,
                nodes,
                tells_nodes,
                payload,
            }))
        })
}

fn event() -> impl Strategy<Value = Event> {
    (number(), sender(), time(), operation()).prop_map(|(place, sender, deadline, operation)| {
        Event {
            place,
            sender,
            deadline,
            operation,
        }
    })
}

fn missing() -> impl Strategy<Value = Missing> {
    (any::<u32>(), vec(node_id(), 0..3), any::<bool>()).prop_map(|(count, nodes, is_late)| {
        Missing {
            count,
            nodes,
            hubs: Vec::from([HubIndex(3)]),
            is_late,
        }
    })
}

fn call() -> impl Strategy<Value = Call> {
    let control = (
        node_id(),
        number(),
        any::<bool>(),
        rooms(),
        rooms(),
        stamp(),
    )
        .prop_map(|(node, life, hello, occupy, vacate, stamp)| {
            Call::Control(Control {
                node,
                life: NodeLife(life),
                hello,
                occupy,
                vacate,
                stamp,
            })
        });
    let publish = (0..3_u64, sender(), time(), vec(operation(), 0..4)).prop_map(
        |(life, sender, deadline, operations)| {
            Call::Publish(Publish {
                hub_life: HubLife(life),
                sender,
                deadline,
                operations,
            })
        },
    );
    let deliver = (
        0..3_u64,
        0..3_u16,
        number(),
        number(),
        number(),
        vec(event(), 0..4),
    )
        .prop_map(|(life, hub, hub_life, number, era, events)| {
            Call::Deliver(Deliver {
                node_life: NodeLife(life),
                hub: HubIndex(hub),
                hub_life: HubLife(hub_life),
                number,
                era,
                events,
            })
        });
    prop_oneof![
        control,
        publish,
        deliver,
        rooms().prop_map(|rooms| Call::Ask(Ask { rooms })),
        (0..3_u16, rooms()).prop_map(|(hub, rooms)| Call::Recall(Recall {
            hub: HubIndex(hub),
            rooms
        })),
        (time(), payload())
            .prop_map(|(deadline, payload)| Call::Gather(Gather { deadline, payload })),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        (number(), stamp(), rooms()).prop_map(|(life, stamp, waiting)| Answer::Controlled(
            Controlled {
                hub_life: HubLife(life),
                stamp,
                waiting
            }
        )),
        (
            vec((number(), missing()), 0..3),
            vec((number(), vec(node_id(), 0..3)), 0..3),
            rooms()
        )
            .prop_map(|(partial, nodes, grants)| Answer::Published(Published {
                partial,
                nodes,
                grants
            })),
        (vec(node_id(), 0..4), vec(vec(0..6_u16, 0..4), 0..4))
            .prop_map(|(nodes, rooms)| Answer::Interested(Interested { nodes, rooms })),
        Just(Answer::Recalled),
        (rooms(), stamp(), vec(any::<u32>(), 0..4)).prop_map(|(vacant, stamp, refused)| {
            Answer::Delivered(Delivered {
                vacant,
                stamp,
                refused,
            })
        }),
        payload().prop_map(Answer::Gathered),
        number().prop_map(|life| Answer::WrongHubLife(HubLife(life))),
        number().prop_map(|life| Answer::WrongNodeLife(NodeLife(life))),
        Just(Answer::Unavailable),
        Just(Answer::Misdirected),
    ]
}

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
        prop_assume!(version != 1);
        let mut bytes = call.encode();
        bytes[0] = version;
        prop_assert_eq!(Call::decode(&bytes), Err(MessageError::Version));
    }

    #[test]
    fn nothing_breaks_a_hub(steps in vec(step(), 0..60)) {
        let mut rows = Rows::default();
        let mut hub = Hub::new(HubIndex(0), 3, &mut rows).unwrap();
        let mut now = Timestamp::from_millis(1_000);
        let mut under_way: Vec<CallId> = Vec::new();
        let mut tickets = 0;
        for step in steps {
            match step {
                Step::Call(call) => {
                    tickets += 1;
                    hub.handle_call(Ticket(tickets), call, now, &mut rows);
                }
                Step::Answer(which, answer) if which < under_way.len() => {
                    hub.handle_answer(under_way.remove(which), answer, now, 7, &mut rows);
                }
                Step::Failure(which, failure) if which < under_way.len() => {
                    hub.handle_failure(under_way.remove(which), failure, now, 7, &mut rows);
                }
                Step::Pass(millis) => now = now + core::time::Duration::from_millis(millis),
                Step::Answer(..)
                | Step::Failure(..)
                | Step::Timeout
                | Step::Join(_)
                | Step::Leave(_)
                | Step::Emit(_)
                | Step::Gather(_) => hub.handle_timeout(now, &mut rows),
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
                hub.handle_failure(id, Failure::Broken, now, 7, &mut rows);
            }
            let Some(at) = hub.next_deadline() else { break };
            now = now.max(at);
            if now == Timestamp::from_millis(u64::MAX) {
                return Ok(()); // The deadline of a sender from another world.
            }
            hub.handle_timeout(now, &mut rows);
            while let Some(output) = hub.poll_output() {
                if let Output::Call { id, .. } = output {
                    under_way.push(id);
                }
            }
        }
        prop_assert!(hub.is_idle());
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
                Step::Answer(..) | Step::Failure(..) | Step::Timeout => {
                    node.handle_timeout(now, &members);
                }
            }
            while let Some(output) = node.poll_output() {
                match output {
                    Output::Call { id, .. } => under_way.push(id),
                    Output::Joined(_)
                    | Output::NotJoined(_)
                    | Output::Resolved(..)
                    | Output::Gathered(..) => open -= 1,
                    Output::Answer { .. }
                    | Output::Deliver(..)
                    | Output::Taken(..)
                    | Output::Gather { .. }
                    | Output::Collected(..) => {}
                }
            }
        }
        // Nobody answers any more, and everything ends.
        for _ in 0..2_000 {
            for id in under_way.drain(..) {
                node.handle_failure(id, Failure::Broken, now, 7, &members);
            }
            let Some(at) = node.next_deadline() else { break };
            now = now.max(at);
            node.handle_timeout(now, &members);
            while let Some(output) = node.poll_output() {
                match output {
                    Output::Call { id, .. } => under_way.push(id),
                    Output::Joined(_)
                    | Output::NotJoined(_)
                    | Output::Resolved(..)
                    | Output::Gathered(..) => open -= 1,
                    Output::Answer { .. }
                    | Output::Deliver(..)
                    | Output::Taken(..)
                    | Output::Gather { .. }
                    | Output::Collected(..) => {}
                }
            }
        }
        prop_assert!(node.is_idle());
        prop_assert_eq!(open, 0, "every join and every emit ends, once");
    }
}
