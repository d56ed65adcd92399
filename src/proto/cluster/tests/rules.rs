//! A rule, a test.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use super::bounds::{EMIT, NODE, OTHER, Rig, control, nobody, operations, publish};
use super::simulation::Rows;
use crate::Timestamp;
use crate::cluster::{
    ANSWER_GRACE, Answer, Await, CLOCK_MARGIN, Call, CallId, Control, Controlled, Deliver,
    Delivered, EMIT_LIMIT, Emit, Emitted, Event, Failure, Gathering, Hub, HubIndex, HubLife,
    Interested, JoinKey, Joining, Mark, Missing, Node, NodeLife, Outcome, Output, Publish,
    Published, RECALL_PATIENCE, Recall, Sender, Settings, Stamp, Store as _, Ticket, UNSENT_LIMIT,
    hub_of,
};

const HUB: HubIndex = HubIndex(0);

/// A node that is alone in a room, whose hub has granted it.
fn node_with_grant() -> Node {
    let mut node = Node::new(NODE, NodeLife(1), Settings::default());
    let now = Timestamp::from_millis(0);
    let members = |room: &str| room == "a";
    assert_eq!(node.join(JoinKey(0), "a", now, &nobody), Ok(Joining::Later));
    answer(
        &mut node,
        Answer::Controlled(Controlled {
            hub_life: HubLife(1),
            stamp: Stamp { era: 1, count: 0 },
            place: 0,
            waiting: Vec::new(),
        }),
    );
    assert!(matches!(
        node.emit(&EMIT, now, &members),
        Ok(Emitted::Sent(_))
    ));
    answer(
        &mut node,
        Answer::Published(Published {
            grants: Vec::from(["a".into()]),
            ..Published::default()
        }),
    );
    while node.poll_output().is_some() {}
    node
}

/// Answers the next call of a node with a member of `a`.
fn answer(node: &mut Node, answer: Answer) -> Call {
    let members = |room: &str| room == "a";
    loop {
        if let Some(Output::Call { id, call, .. }) = node.poll_output() {
            node.handle_answer(id, answer, Timestamp::from_millis(0), 0, &members);
            return call;
        }
    }
}

#[test]
fn a_room_in_one_object_costs_no_call() {
    let mut node = node_with_grant();
    let members = |room: &str| room == "a";
    let now = Timestamp::from_millis(0);
    assert!(node.is_granted("a"));
    for _ in 0..3 {
        assert_eq!(node.emit(&EMIT, now, &members), Ok(Emitted::Here));
    }
    let limit = Duration::from_secs(1);
    assert_eq!(
        node.gather(&["a"], &[], b"", limit, now),
        Ok(Gathering::Here)
    );
    assert_eq!(node.poll_output(), None);
    assert_eq!(node.next_deadline(), None);
    // Named besides are nodes elsewhere, or rooms that are not granted.
    let emit = Emit {
        nodes: &[OTHER],
        ..EMIT
    };
    assert!(matches!(
        node.emit(&emit, now, &members),
        Ok(Emitted::Sent(_))
    ));
    let mut node = node_with_grant();
    let emit = Emit {
        rooms: &["a", "b"],
        ..EMIT
    };
    assert!(matches!(
        node.emit(&emit, now, &members),
        Ok(Emitted::Sent(_))
    ));
    // An own emit to the room is under way: this one must not pass it.
    assert!(matches!(
        node.emit(&EMIT, now, &members),
        Ok(Emitted::Sent(_))
    ));
}

#[test]
fn a_recall_ends_a_grant() {
    let mut node = node_with_grant();
    let now = Timestamp::from_millis(0);
    let recall = Call::Recall(Recall {
        hub: HUB,
        rooms: Vec::from(["a".into()]),
    });
    node.handle_call(Ticket(9), recall, now, &nobody);
    assert!(!node.is_granted("a"));
    let answer = Answer::Recalled;
    assert_eq!(
        node.poll_output(),
        Some(Output::Answer {
            ticket: Ticket(9),
            answer
        })
    );
}

#[test]
fn a_grant_that_an_occupy_has_overtaken_is_not_taken() {
    let controlled = |count| {
        Answer::Controlled(Controlled {
            hub_life: HubLife(1),
            stamp: Stamp { era: 1, count },
            place: 0,
            waiting: Vec::new(),
        })
    };
    let granted = Answer::Published(Published {
        grants: Vec::from(["a".into()]),
        ..Published::default()
    });
    for is_overtaken in [false, true] {
        let mut node = node_with_grant();
        let members = |room: &str| room == "a";
        let mut now = Timestamp::from_millis(0);
        if is_overtaken {
            node.leave("a", now, &nobody);
            now = node.next_deadline().unwrap();
            node.handle_timeout(now, &nobody);
        } else {
            let recall = Call::Recall(Recall {
                hub: HUB,
                rooms: Vec::from(["a".into()]),
            });
            node.handle_call(Ticket(0), recall, now, &nobody);
        }
        let mut calls = Vec::new();
        let mut take = |node: &mut Node| {
            while let Some(output) = node.poll_output() {
                if let Output::Call { id, call, .. } = output {
                    calls.push((id, call));
                }
            }
            calls.pop().map(|(id, _)| id)
        };
        let vacate = take(&mut node);
        // The hub answers this while the row is still there.
        assert!(matches!(
            node.emit(&EMIT, now, &nobody),
            Ok(Emitted::Sent(_))
        ));
        let publish = take(&mut node).unwrap();
        if let Some(vacate) = vacate {
            node.handle_answer(vacate, controlled(1), now, 0, &nobody);
            assert_eq!(node.join(JoinKey(7), "a", now, &nobody), Ok(Joining::Later));
            let occupy = take(&mut node).unwrap();
            node.handle_answer(occupy, controlled(2), now, 0, &nobody);
            assert_eq!(node.poll_output(), Some(Output::Joined(JoinKey(7))));
        }
        node.handle_answer(publish, granted.clone(), now, 0, &members);
        assert_eq!(node.is_granted("a"), !is_overtaken);
    }
}

#[test]
fn sockets_that_outlive_a_memory_get_nothing_twice() {
    let now = Timestamp::from_millis(0);
    let event = |place| Event {
        place,
        sender: publish(OTHER, now, Vec::new()).sender,
        deadline: now + EMIT_LIMIT,
        operation: operations(&[(place, "a")]).remove(0),
    };
    let deliver = |life, hub_life, number, places: &[u64]| {
        Call::Deliver(Deliver {
            node_life: NodeLife(life),
            hub: HUB,
            hub_life: HubLife(hub_life),
            number,
            era: 0,
            has_gap: false,
            events: places.iter().map(|place| event(*place)).collect(),
        })
    };
    let members = |room: &str| room == "a";
    let take = |node: &mut Node, call| {
        node.handle_call(Ticket(0), call, now, &members);
        let mut marks = Vec::new();
        while let Some(output) = node.poll_output() {
            match output {
                Output::Deliver(_, mark) => marks.push(mark),
                Output::Answer { answer, .. } => return (marks, answer),
                Output::Call { .. }
                | Output::Gap
                | Output::Place(_)
                | Output::Claim { .. }
                | Output::Confirm { .. }
                | Output::Adopt(..)
                | Output::Returned(..)
                | Output::NotReturned(..)
                | Output::Settled { .. }
                | Output::Joined(_)
                | Output::NotJoined(_)
                | Output::Moved
                | Output::Taken(..)
                | Output::Gather { .. }
                | Output::Collected(..)
                | Output::Gathered(..)
                | Output::Resolved(..) => panic!("nobody asked for that"),
            }
        }
        panic!("it is answered");
    };
    let mut node = Node::new(NODE, NodeLife(1), Settings::default());
    let (marks, _) = take(&mut node, deliver(1, 2, 1, &[1, 2]));
    assert_eq!(marks.len(), 2);
    // The answer is lost with the memory, and the hub sends the batch again.
    let mut node = Node::resume(
        NODE,
        NodeLife(2),
        Settings::default(),
        marks.into_iter().last(),
    );
    let (marks, answer) = take(&mut node, deliver(2, 2, 1, &[1, 2]));
    assert!(marks.is_empty());
    assert_eq!(answer, Answer::Delivered(Delivered::default()));
    assert_eq!(take(&mut node, deliver(2, 2, 2, &[3])).0.len(), 1);
    // What an earlier life of the hub has sent comes too late.
    let mut node = Node::resume(
        NODE,
        NodeLife(3),
        Settings::default(),
        [Mark {
            hub: HUB,
            life: HubLife(2),
            place: 3,
        }],
    );
    let (marks, answer) = take(&mut node, deliver(3, 1, 9, &[8, 9]));
    assert!(marks.is_empty());
    let refused = Vec::from([0, 1]);
    assert_eq!(
        answer,
        Answer::Delivered(Delivered {
            refused,
            ..Delivered::default()
        })
    );
}

#[test]
fn no_room_is_granted_while_it_is_taken_back() {
    let mut rig = Rig::new();
    rig.control(Ticket(0), control(NODE, &["a"], &[]));
    rig.take_calls();
    // A new life of the hub does not know whether the first node has a grant.
    rig.restart();
    rig.control(Ticket(1), control(OTHER, &["a"], &[]));
    let [(recall, Call::Recall(_))] = &rig.take_calls()[..] else {
        panic!("the room is taken back first");
    };
    // Whoever wanted it stops waiting.
    rig.now = rig.now + RECALL_PATIENCE;
    rig.hub.handle_timeout(rig.now, &mut rig.rows);
    let [(Ticket(1), Answer::Controlled(controlled))] = &rig.take_answers()[..] else {
        panic!("it is told to ask again");
    };
    assert_eq!(controlled.waiting, ["a"]);
    // The first node's answer is on its way. A grant now would be taken for returned.
    assert_eq!(
        rig.publish_and_deliver(Ticket(2), NODE, 1),
        Published::default()
    );
    rig.answer(*recall, Answer::Recalled);
    let granted = rig.publish_and_deliver(Ticket(3), NODE, 2);
    assert_eq!(granted.grants, ["a"]);
    rig.control(Ticket(4), control(OTHER, &["a"], &[]));
    assert!(matches!(rig.take_calls()[..], [(_, Call::Recall(_))]));
}

#[test]
fn a_batch_that_fails_is_not_placed_in_part() {
    for fails_in in 0..8 {
        let mut rig = Rig::new();
        rig.control(Ticket(0), control(NODE, &["a", "b"], &[]));
        rig.take_answers();
        rig.rows.fails_in.set(Some(fails_in));
        let batch = publish(OTHER, rig.now, operations(&[(1, "a"), (2, "b"), (3, "a")]));
        rig.call(Ticket(1), Call::Publish(batch.clone()));
        if rig.take_answers() == [(Ticket(1), Answer::Unavailable)] {
            assert!(rig.take_calls().is_empty(), "{fails_in}");
            rig.call(Ticket(2), Call::Publish(batch));
        }
        let delivers = rig.take_calls();
        let [(_, Call::Deliver(Deliver { events, .. }))] = &delivers[..] else {
            panic!("{fails_in}: {delivers:?}");
        };
        let places: Vec<_> = events.iter().map(|event| event.place).collect();
        assert_eq!(places, [1, 2, 3], "{fails_in}");
    }
}

#[test]
fn a_repeated_publish_is_answered_with_the_first() {
    let mut rig = Rig::new();
    rig.control(Ticket(0), control(NODE, &["a"], &[]));
    rig.take_calls();
    let batch = publish(OTHER, rig.now, operations(&[(1, "a")]));
    rig.call(Ticket(1), Call::Publish(batch.clone()));
    rig.call(Ticket(2), Call::Publish(batch.clone()));
    let calls = rig.take_calls();
    assert_eq!(calls.len(), 1);
    rig.take_answers();
    rig.answer(calls[0].0, Answer::Delivered(Default::default()));
    assert_eq!(rig.take_answers().len(), 2);
    rig.call(Ticket(3), Call::Publish(batch.clone()));
    let done = Answer::Published(Published::default());
    assert_eq!(rig.take_answers(), [(Ticket(3), done)]);
    // For another life of the hub it is nobody's.
    rig.restart();
    rig.call(Ticket(4), Call::Publish(batch));
    let life = rig.hub.life();
    assert_eq!(
        rig.take_answers(),
        [(Ticket(4), Answer::WrongHubLife(life))]
    );
}

#[test]
fn an_emit_ends_within_its_limit_whoever_is_silent() {
    let mut node = Node::new(
        NODE,
        NodeLife(1),
        Settings {
            hubs: 2,
            ..Settings::default()
        },
    );
    // A room of each hub.
    let names: Vec<_> = (0..9).map(|number| alloc::format!("r{number}")).collect();
    let of = |hub| {
        names
            .iter()
            .find(|name| hub_of(name, 2) == HubIndex(hub))
            .unwrap()
            .as_str()
    };
    let (first, second) = (of(0), of(1));
    let mut now = Timestamp::from_millis(0);
    let start = now;
    // The last waits for the second, which goes through another hub, and that for the
    // first, which shares a room with it.
    let mut open = BTreeMap::new();
    for rooms in [&[second][..], &[first, second], &[first], &[second]] {
        let emit = Emit { rooms, ..EMIT };
        let Ok(Emitted::Sent(id)) = node.emit(&emit, now, &nobody) else {
            panic!("it is sent");
        };
        open.insert(id, rooms.len());
    }
    let mut outcomes = Vec::new();
    loop {
        while let Some(output) = node.poll_output() {
            match output {
                Output::Call { id, .. } => {
                    node.handle_failure(id, Failure::Broken, now, 0, &nobody);
                }
                Output::Resolved(id, outcome) => {
                    assert!(open.remove(&id).is_some());
                    outcomes.push(outcome);
                }
                Output::Answer { .. }
                | Output::Deliver(..)
                | Output::Gap
                | Output::Place(_)
                | Output::Claim { .. }
                | Output::Confirm { .. }
                | Output::Adopt(..)
                | Output::Returned(..)
                | Output::NotReturned(..)
                | Output::Settled { .. }
                | Output::Joined(_)
                | Output::NotJoined(_)
                | Output::Moved
                | Output::Taken(..)
                | Output::Gather { .. }
                | Output::Collected(..)
                | Output::Gathered(..) => panic!("nobody asked for that"),
            }
        }
        let Some(at) = node.next_deadline() else {
            break;
        };
        now = now.max(at);
        node.handle_timeout(now, &nobody);
    }
    assert!(open.is_empty());
    assert!(now <= start + UNSENT_LIMIT + EMIT_LIMIT + ANSWER_GRACE);
    assert!(outcomes.contains(&Outcome::Unanswered), "{outcomes:?}");
}

#[test]
fn a_node_that_does_not_answer_is_named() {
    let mut rig = Rig::new();
    rig.control(Ticket(0), control(NODE, &["a"], &[]));
    rig.control(Ticket(1), control(OTHER, &["a"], &[]));
    for (id, _) in rig.take_calls() {
        rig.answer(id, Answer::Recalled);
    }
    rig.take_answers();
    let batch = publish(NODE, rig.now, operations(&[(1, "a")]));
    rig.call(Ticket(2), Call::Publish(batch));
    let calls = rig.take_calls();
    assert_eq!(calls.len(), 2);
    rig.answer(calls[0].0, Answer::Delivered(Default::default()));
    assert!(rig.take_answers().is_empty());
    // A node whose clock is slow may take it until then.
    rig.now = rig.now + EMIT_LIMIT;
    rig.hub.handle_timeout(rig.now, &mut rig.rows);
    let [(Ticket(2), Answer::Published(Published { is_open: true, .. }))] = rig.take_answers()[..]
    else {
        panic!("its sender may go on");
    };
    let wanted = Await {
        hub_life: HubLife(1),
        sender: Sender {
            node: NODE,
            life: NodeLife(1),
        },
        first_seq: 1,
    };
    rig.call(Ticket(3), Call::Await(wanted));
    assert!(rig.take_answers().is_empty());
    rig.now = rig.now + CLOCK_MARGIN;
    rig.hub.handle_timeout(rig.now, &mut rig.rows);
    let mut missing = Missing::default();
    missing.add_node(OTHER);
    let partial = Vec::from([(1, missing)]);
    let published = Published {
        partial,
        ..Published::default()
    };
    assert_eq!(
        rig.take_answers(),
        [(Ticket(3), Answer::Published(published))]
    );
    assert!(rig.hub.is_idle());
}

#[test]
fn what_is_later_counts_whichever_comes_first() {
    let mut rig = Rig::new();
    rig.control(Ticket(0), control(NODE, &[], &[]));
    let stamped = |count, occupy: &[&str], vacate: &[&str]| Control {
        hello: false,
        stamp: Stamp { era: 1, count },
        ..control(NODE, occupy, vacate)
    };
    rig.control(Ticket(1), stamped(5, &["a"], &[]));
    rig.control(Ticket(2), stamped(4, &[], &["a"]));
    assert_eq!(rig.rows.nodes("a"), Ok(Vec::from([NODE])));
    rig.control(Ticket(3), stamped(6, &[], &["a"]));
    assert_eq!(rig.rows.nodes("a"), Ok(Vec::new()));
}

#[test]
fn an_empty_room_is_kept_for_a_while() {
    let mut node = node_with_grant();
    let mut now = Timestamp::from_millis(0);
    node.leave("a", now, &nobody);
    now = now + Duration::from_secs(29);
    node.handle_timeout(now, &nobody);
    assert_eq!(node.poll_output(), None);
    assert_eq!(node.join(JoinKey(1), "a", now, &nobody), Ok(Joining::Now));
    // It does not come after all.
    node.leave("a", now, &nobody);
    now = node.next_deadline().unwrap();
    node.handle_timeout(now, &nobody);
    let Some(Output::Call {
        call: Call::Control(control),
        ..
    }) = node.poll_output()
    else {
        panic!("the hub is told");
    };
    assert_eq!(control.vacate, ["a"]);
    assert!(!node.is_granted("a"));
    assert_eq!(node.join(JoinKey(2), "a", now, &nobody), Ok(Joining::Later));
}

#[test]
fn a_hub_without_storage_has_no_life() {
    let mut rows = Rows::default();
    assert!(Hub::new(HUB, 1, &mut rows).is_ok_and(|hub| hub.life() == HubLife(1)));
    assert!(Hub::new(HUB, 1, &mut rows).is_ok_and(|hub| hub.life() == HubLife(2)));
}

#[test]
fn an_answer_that_does_not_fit_is_none() {
    let names: Vec<_> = (0..9).map(|number| alloc::format!("r{number}")).collect();
    let room = names
        .iter()
        .find(|name| hub_of(name, 2) == HubIndex(1))
        .unwrap();
    let mut rows = Rows::default();
    let mut hub = Hub::new(HUB, 2, &mut rows).unwrap();
    let mut now = Timestamp::from_millis(1_000_000);
    let batch = Publish {
        hubs: 2,
        ..publish(NODE, now, operations(&[(1, room)]))
    };
    hub.handle_call(Ticket(0), Call::Publish(batch), now, &mut rows);
    for (nodes, rooms) in [
        (Vec::new(), Vec::new()),
        (Vec::new(), Vec::from([Vec::from([0])])),
        (Vec::from([OTHER]), Vec::from([Vec::from([0]), Vec::new()])),
        (Vec::from([OTHER]), Vec::from([Vec::from([0])])),
    ] {
        let Some(Output::Call {
            id,
            call: Call::Ask(_),
            ..
        }) = hub.poll_output()
        else {
            panic!("the other hub is asked");
        };
        let interested = Interested { nodes, rooms };
        hub.handle_answer(id, Answer::Interested(interested), now, 0, &mut rows);
        now = now + Duration::from_millis(900);
        hub.handle_timeout(now, &mut rows);
    }
    let output = hub.poll_output();
    assert!(matches!(
        output,
        Some(Output::Call {
            call: Call::Deliver(_),
            ..
        })
    ));
}

#[test]
fn a_late_publish_reaches_nobody() {
    let mut rig = Rig::new();
    rig.control(Ticket(0), control(NODE, &["a"], &[]));
    rig.take_answers();
    let batch = publish(OTHER, rig.now, operations(&[(1, "a")]));
    rig.now = batch.deadline + Duration::from_millis(1);
    rig.call(Ticket(1), Call::Publish(Publish { ..batch }));
    let [(_, Answer::Published(published))] = &rig.take_answers()[..] else {
        panic!("it is answered");
    };
    assert!(published.partial[0].1.is_late);
    assert!(rig.take_calls().is_empty());
}

/// The time so many seconds after the beginning.
fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(0) + Duration::from_secs(seconds)
}

/// Returns the last control that a node sends.
fn last_control(node: &mut Node) -> Option<(CallId, Control)> {
    let outputs = core::iter::from_fn(|| node.poll_output());
    let controls = outputs.filter_map(|output| {
        if let Output::Call {
            id,
            call: Call::Control(control),
            ..
        } = output
        {
            return Some((id, control));
        }
        None
    });
    controls.last()
}

fn controlled(count: u64) -> Answer {
    Answer::Controlled(Controlled {
        hub_life: HubLife(1),
        stamp: Stamp { era: 1, count },
        waiting: Vec::new(),
        place: 0,
    })
}

/// A node that tells its hub of a member of `a` from 20 s on, for whom nobody waits any
/// more.
fn node_without_patience() -> (Node, CallId) {
    let mut node = Node::new(NODE, NodeLife(1), Settings::default());
    let join = |node: &mut Node, key, room, now| {
        assert_eq!(node.join(key, room, now, &nobody), Ok(Joining::Later));
    };
    join(&mut node, JoinKey(0), "z", at(0));
    let (first, _) = last_control(&mut node).unwrap();
    join(&mut node, JoinKey(1), "a", at(1));
    node.handle_answer(first, controlled(0), at(20), 0, &nobody);
    let (second, control) = last_control(&mut node).unwrap();
    assert_eq!(control.occupy, ["a"]);
    node.handle_timeout(at(31), &nobody);
    (node, second)
}

fn deliver_to_a(node: &mut Node, now: Timestamp) -> Delivered {
    let event = Event {
        place: 1,
        sender: publish(OTHER, now, Vec::new()).sender,
        deadline: now + EMIT_LIMIT,
        operation: operations(&[(1, "a")]).remove(0),
    };
    let deliver = Deliver {
        node_life: NodeLife(1),
        hub: HUB,
        hub_life: HubLife(1),
        number: 1,
        era: 0,
        has_gap: false,
        events: Vec::from([event]),
    };
    node.handle_call(Ticket(0), Call::Deliver(deliver), now, &nobody);
    let mut outputs = core::iter::from_fn(|| node.poll_output());
    let answer = outputs.find_map(|output| {
        if let Output::Answer {
            answer: Answer::Delivered(delivered),
            ..
        } = output
        {
            return Some(delivered);
        }
        None
    });
    answer.unwrap()
}

#[test]
fn a_room_is_not_vacant_while_its_hub_is_told_of_a_member() {
    let (mut node, control) = node_without_patience();
    // Whatever it says now would count as later than the control.
    assert_eq!(deliver_to_a(&mut node, at(32)), Delivered::default());
    node.handle_answer(control, controlled(0), at(33), 0, &nobody);
    assert_eq!(
        node.join(JoinKey(2), "a", at(34), &nobody),
        Ok(Joining::Now)
    );
}

#[test]
fn whoever_leaves_again_leaves_no_belief_in_a_row() {
    let mut node = Node::new(NODE, NodeLife(1), Settings::default());
    let key = JoinKey(0);
    assert_eq!(node.join(key, "a", at(0), &nobody), Ok(Joining::Later));
    let (control, _) = last_control(&mut node).unwrap();
    node.handle_answer(control, controlled(0), at(1), 0, &nobody);
    node.leave("a", at(2), &nobody);
    // The hub hears that it is empty, and deletes the row.
    assert_eq!(deliver_to_a(&mut node, at(3)).vacant, ["a"]);
    node.leave("a", at(4), &nobody);
    let key = JoinKey(1);
    assert_eq!(node.join(key, "a", at(5), &nobody), Ok(Joining::Later));
}
