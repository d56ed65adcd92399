//! Clients that come back to another object: rules and bounds.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::bounds::{NODE, OTHER, nobody};
use super::simulation::{Desk, Stored, pid_of};
use crate::Timestamp;
use crate::cluster::rules::{Rule, break_rule};
use crate::cluster::{
    Address, Answer, Attempt, Call, CallId, Claim, Claimed, Comeback, Confirm, Confirmed,
    Controlled, Custody as _, Held, HubIndex, HubLife, Interested, MAX_CLAIMS, MAX_HOPS,
    MAX_RETURN_BYTES, MAX_RETURNS, MAX_TOMBSTONES, MissedEvent, MissedEvents, Node, NodeId,
    NodeLife, NotReturned, Operation, Output, OwnEvent, Payload, Position, RETURN_LIMIT, ReturnKey,
    Returned, Settings, Shared, Stamp, TOMBSTONE_LIMIT, Ticket, Tombstone, Unconfirmed,
};

const HUB: Address = Address::Hub(HubIndex(0));

fn start() -> Timestamp {
    Timestamp::from_millis(1_000_000)
}

fn node() -> Node {
    Node::new(NODE, NodeLife(1), Settings::default())
}

fn comeback() -> Comeback<'static> {
    Comeback {
        pid: "pid 0",
        home: OTHER,
        id: "id 0",
        position: None,
    }
}

fn own(own: u64, place: u64) -> OwnEvent {
    OwnEvent {
        own,
        place,
        payload: Payload(Rc::from([])),
    }
}

fn held(rooms: &[&str]) -> Held {
    Held {
        id: "id 0".into(),
        rooms: rooms.iter().map(|room| String::from(*room)).collect(),
        position: Position { place: 3, own: 1 },
        state: Payload(Rc::from([])),
        own: Vec::from([own(2, 4)]),
    }
}

fn event(place: u64, bytes: usize) -> (u64, Shared) {
    let operation = Operation {
        seq: place,
        rooms: Vec::from(["a".into()]),
        nodes: Vec::new(),
        tells_nodes: false,
        is_logged: true,
        payload: Payload(alloc::vec![0; bytes].into()),
    };
    (place, Shared(Rc::new(operation)))
}

fn outputs(node: &mut Node) -> Vec<Output> {
    core::iter::from_fn(|| node.poll_output()).collect()
}

/// Returns the only call that a node makes.
fn call(node: &mut Node) -> (CallId, Address, Call) {
    match outputs(node).pop() {
        Some(Output::Call { id, to, call }) => (id, to, call),
        other => panic!("{other:?}"),
    }
}

fn answer(node: &mut Node, answer: Answer) {
    let (id, _, _) = call(node);
    node.handle_answer(id, answer, start(), 0, &nobody);
}

fn claim(node: &mut Node, key: u64) {
    let claimed = node.claim(ReturnKey(key), &comeback(), start(), &nobody);
    assert!(claimed.is_ok());
}

fn controlled() -> Answer {
    Answer::Controlled(Controlled {
        hub_life: HubLife(1),
        stamp: Stamp { era: 1, count: 0 },
        waiting: Vec::new(),
        place: 9,
    })
}

fn missed(up_to: u64, events: Vec<(u64, Shared)>) -> Answer {
    Answer::Missed(Some(MissedEvents { up_to, events }))
}

/// A client has come to a node, whose hub has said what it has missed.
fn bring_to_storing(node: &mut Node, events: Vec<(u64, Shared)>) {
    claim(node, 1);
    answer(
        node,
        Answer::Claimed(Claimed::Held(Attempt(1), held(&["a"]))),
    );
    answer(node, controlled());
    answer(node, missed(9, events));
}

#[test]
fn a_socket_is_stored_before_it_is_confirmed() {
    let mut node = node();
    bring_to_storing(&mut node, Vec::from([event(4, 1), event(5, 1)]));
    let [Output::Adopt(key, adopted)] = &outputs(&mut node)[..] else {
        panic!("nothing else happens");
    };
    assert_eq!(adopted.held.rooms, ["a", "id 0"]);
    assert_eq!(
        (adopted.unconfirmed.from, adopted.unconfirmed.own),
        (OTHER, 2)
    );
    node.adopted(*key, start(), &nobody);
    answer(
        &mut node,
        Answer::Confirmed(Confirmed::Given(Vec::from([own(3, 5)]))),
    );
    let [Output::Returned(ReturnKey(1), returned)] = &outputs(&mut node)[..] else {
        panic!("it is back");
    };
    assert_eq!(returned.up_to, 9);
    assert_eq!(order(returned, &[]), ["4", "own 2", "5", "own 3"]);
    assert!(node.is_idle());
}

fn order(returned: &Returned, since: &[OwnEvent]) -> Vec<String> {
    let events = returned.events(since).into_iter();
    let name = |event| match event {
        MissedEvent::OfHub { place, .. } => alloc::format!("{place}"),
        MissedEvent::Own(event) => alloc::format!("own {}", event.own),
    };
    events.map(name).collect()
}

#[test]
fn a_socket_of_this_object_asks_nobody_but_the_hub() {
    let mut node = node();
    let readmitted = node.readmit(ReturnKey(1), "pid 0", held(&["a"]), start(), &nobody);
    assert!(readmitted.is_ok());
    answer(&mut node, controlled());
    answer(&mut node, missed(9, Vec::from([event(5, 1)])));
    let [Output::Returned(_, returned)] = &outputs(&mut node)[..] else {
        panic!("it is back");
    };
    assert_eq!(order(returned, &[own(7, 5)]), ["own 2", "5", "own 7"]);
}

#[test]
fn a_guess_gets_nothing() {
    let mut node = node();
    claim(&mut node, 1);
    answer(&mut node, Answer::Claimed(Claimed::Unknown));
    let (id, to, ask) = call(&mut node);
    assert!(to == HUB && matches!(ask, Call::Ask(_)), "who has its id?");
    let nodes = Vec::from([NODE, OTHER]);
    let interested = Interested {
        nodes,
        rooms: Vec::from([Vec::from([0, 1])]),
    };
    node.handle_answer(id, Answer::Interested(interested), start(), 0, &nobody);
    answer(&mut node, Answer::Claimed(Claimed::Unknown));
    let expected = Output::NotReturned(ReturnKey(1), NotReturned::Unknown);
    assert_eq!(outputs(&mut node), [expected]);
    assert!(node.is_idle());
}

#[test]
fn what_is_gone_is_told() {
    for gone in [true, false] {
        let mut node = node();
        claim(&mut node, 1);
        if gone {
            answer(&mut node, Answer::Claimed(Claimed::Gone));
        } else {
            answer(
                &mut node,
                Answer::Claimed(Claimed::Held(Attempt(1), held(&["a"]))),
            );
            answer(&mut node, controlled());
            answer(&mut node, Answer::Missed(None));
        }
        let expected = Output::NotReturned(ReturnKey(1), NotReturned::Gone);
        assert_eq!(outputs(&mut node), [expected]);
    }
}

#[test]
fn a_room_that_nobody_came_to_has_no_row_to_rely_on() {
    let settings = Settings {
        vacate_after: Duration::from_secs(1),
        ..Settings::default()
    };
    let mut node = Node::new(NODE, NodeLife(1), settings);
    claim(&mut node, 1);
    answer(
        &mut node,
        Answer::Claimed(Claimed::Held(Attempt(1), held(&["a"]))),
    );
    let (control, _, _) = call(&mut node);
    // The client goes while the hub is told of its rooms, and comes again.
    node.forget_return(ReturnKey(1), start(), &nobody);
    node.handle_answer(control, controlled(), start(), 0, &nobody);
    let later = start() + Duration::from_secs(3);
    node.handle_timeout(later, &nobody);
    let (_, _, vacate) = call(&mut node);
    assert!(matches!(vacate, Call::Control(control) if control.vacate == ["a", "id 0"]));
    let readmitted = node.readmit(ReturnKey(2), "pid 0", held(&["a"]), later, &nobody);
    assert!(
        readmitted.is_ok() && outputs(&mut node).is_empty(),
        "the hub is told again"
    );
}

/// The rows of an object with a socket.
fn desk() -> Desk {
    let mut desk = Desk::default();
    let stored = Stored {
        socket: 0,
        home: 0,
        rooms: Vec::from(["a".into()]),
        position: Position::default(),
        lost: None,
        unconfirmed: None,
    };
    desk.sockets.insert(pid_of(0), stored);
    desk
}

/// Claims the socket.
fn ask(owner: &mut Node, desk: &mut Desk, node: NodeId) -> Claimed {
    let claim = Claim {
        node,
        pid: pid_of(0),
        position: None,
    };
    owner.answer_claim(Ticket(1), &claim, start(), &nobody, desk);
    match outputs(owner).pop() {
        Some(Output::Answer {
            answer: Answer::Claimed(claimed),
            ..
        }) => claimed,
        other => panic!("{other:?}"),
    }
}

/// Claims the socket, which is there.
fn attempt(owner: &mut Node, desk: &mut Desk, node: NodeId) -> Attempt {
    let claimed = ask(owner, desk, node);
    let Claimed::Held(attempt, _) = claimed else {
        panic!("{claimed:?}");
    };
    attempt
}

fn confirm(owner: &mut Node, desk: &mut Desk, node: NodeId, attempt: Attempt) -> Confirmed {
    let confirm = Confirm {
        node,
        attempt,
        pid: pid_of(0),
        own: 0,
    };
    owner.answer_confirm(Ticket(2), &confirm, start(), desk);
    match outputs(owner).pop() {
        Some(Output::Answer {
            answer: Answer::Confirmed(confirmed),
            ..
        }) => confirmed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_attempt_gets_a_socket() {
    let (one, two) = (NodeId([3; 32]), NodeId([4; 32]));
    let (mut owner, mut desk) = (node(), desk());
    let first = attempt(&mut owner, &mut desk, one);
    let second = attempt(&mut owner, &mut desk, two);
    // Its client came to the second last.
    let confirmed = confirm(&mut owner, &mut desk, one, first);
    assert_eq!(confirmed, Confirmed::Superseded);
    let given = Confirmed::Given(Vec::new());
    assert_eq!(confirm(&mut owner, &mut desk, two, second), given);
    let again = confirm(&mut owner, &mut desk, two, second);
    assert_eq!(again, given, "the same again");
    let moved = confirm(&mut owner, &mut desk, one, first);
    assert_eq!(moved, Confirmed::Moved(two));
    assert_eq!(ask(&mut owner, &mut desk, one), Claimed::Moved(two));
    // It is remembered in rows.
    let mut owner = node();
    assert_eq!(confirm(&mut owner, &mut desk, two, second), given);
    assert_eq!(ask(&mut owner, &mut desk, one), Claimed::Moved(two));
}

#[test]
fn what_a_claim_was_answered_counts_until_the_next() {
    let (mut owner, mut desk) = (node(), desk());
    let first = attempt(&mut owner, &mut desk, OTHER);
    // The call was repeated; the socket may have changed between.
    let second = attempt(&mut owner, &mut desk, OTHER);
    let confirmed = confirm(&mut owner, &mut desk, OTHER, first);
    assert_eq!(confirmed, Confirmed::Superseded);
    let confirmed = confirm(&mut owner, &mut desk, OTHER, second);
    assert_eq!(confirmed, Confirmed::Given(Vec::new()));
}

#[test]
fn a_claim_ends_with_the_memory_of_it_and_when_its_client_is_back() {
    let (mut owner, mut desk) = (node(), desk());
    let first = attempt(&mut owner, &mut desk, OTHER);
    let mut owner = Node::new(NODE, NodeLife(1_000), Settings::default());
    let confirmed = confirm(&mut owner, &mut desk, OTHER, first);
    assert_eq!(confirmed, Confirmed::Unknown);
    let second = attempt(&mut owner, &mut desk, OTHER);
    let readmitted = owner.readmit(ReturnKey(1), &pid_of(0), held(&[]), start(), &nobody);
    assert!(readmitted.is_ok());
    outputs(&mut owner);
    let confirmed = confirm(&mut owner, &mut desk, OTHER, second);
    assert_eq!(confirmed, Confirmed::Unknown);
}

#[test]
fn an_attempt_ends_when_its_client_comes_again_and_the_socket_is_stored() {
    for rule in [None, Some(Rule::SettleAlone)] {
        break_rule(rule);
        let mut node = node();
        claim(&mut node, 1);
        outputs(&mut node);
        // What the attempt has stored is another's, as far as is known.
        let unconfirmed = Unconfirmed {
            from: OTHER,
            attempt: Attempt(7),
            own: 0,
        };
        node.settle(comeback().pid, unconfirmed, start(), &nobody);
        let superseded = Output::NotReturned(ReturnKey(1), NotReturned::Superseded);
        assert_eq!(outputs(&mut node).contains(&superseded), rule.is_none());
        break_rule(None);
    }
}

#[test]
fn an_attempt_ends_within_its_limit() {
    let mut node = node();
    claim(&mut node, 1);
    let last = start() + RETURN_LIMIT;
    node.handle_timeout(last - Duration::from_millis(1), &nobody);
    let is_over = |output: &Output| matches!(output, Output::NotReturned(..));
    assert!(!outputs(&mut node).iter().any(is_over));
    node.handle_timeout(last, &nobody);
    let expected = Output::NotReturned(ReturnKey(1), NotReturned::Unanswered);
    assert_eq!(outputs(&mut node), [expected]);
    assert!(node.is_idle());
}

#[test]
fn nodes_that_are_asked_have_a_bound() {
    let mut node = node();
    claim(&mut node, 1);
    for hop in 0..MAX_HOPS {
        let (id, to, asked) = call(&mut node);
        assert!(matches!(asked, Call::Claim(_)) && to != HUB, "{hop}");
        let next = NodeId([10 + hop as u8; 32]);
        let moved = Answer::Claimed(Claimed::Moved(next));
        node.handle_answer(id, moved, start(), 0, &nobody);
    }
    let (_, to, _) = call(&mut node);
    assert_eq!(to, HUB);
}

#[test]
fn returns_have_a_bound() {
    let mut node = node();
    for key in 0..=MAX_RETURNS {
        let pid = alloc::format!("pid {key}");
        let comeback = Comeback {
            pid: &pid,
            ..comeback()
        };
        let claimed = node.claim(ReturnKey(key as u64), &comeback, start(), &nobody);
        assert_eq!(claimed.is_ok(), key < MAX_RETURNS, "{key}");
    }
}

#[test]
fn what_a_client_is_sent_has_a_bound() {
    let (_, empty) = event(5, 0);
    let size = empty.size();
    for (bytes, fits) in [
        (MAX_RETURN_BYTES - 1, true),
        (MAX_RETURN_BYTES, true),
        (MAX_RETURN_BYTES + 1, false),
    ] {
        let mut node = node();
        bring_to_storing(&mut node, Vec::from([event(5, bytes - size)]));
        let outputs = outputs(&mut node);
        let is_adopted = |output: &Output| matches!(output, Output::Adopt(..));
        let is_over = |output: &Output| matches!(output, Output::NotReturned(..));
        assert_eq!(
            outputs.iter().any(is_adopted) && !outputs.iter().any(is_over),
            fits
        );
    }
}

#[test]
fn claims_have_a_bound() {
    for (others, is_known) in [(MAX_CLAIMS - 1, true), (MAX_CLAIMS, false)] {
        let (mut owner, mut desk) = (node(), desk());
        let first = attempt(&mut owner, &mut desk, OTHER);
        let stored = desk.sockets[&pid_of(0)].clone();
        for number in 1..=others {
            let pid = alloc::format!("zz {number}");
            desk.sockets.insert(pid.clone(), stored.clone());
            let claim = Claim {
                node: OTHER,
                pid: pid.clone(),
                position: None,
            };
            owner.answer_claim(Ticket(1), &claim, start(), &nobody, &mut desk);
            desk.sockets.remove(&pid);
        }
        outputs(&mut owner);
        let confirmed = confirm(&mut owner, &mut desk, OTHER, first);
        assert_eq!(confirmed != Confirmed::Unknown, is_known, "{others}");
    }
}

#[test]
fn tombstones_have_bounds() {
    for (age, is_kept) in [(-1, true), (0, true), (1, false)] {
        let (mut owner, mut desk) = (node(), desk());
        let millis = start().as_millis() - TOMBSTONE_LIMIT.as_millis() as u64;
        let tombstone = Tombstone {
            id: "id 1".into(),
            node: OTHER,
            attempt: Attempt(9),
            at: Timestamp::from_millis(millis.saturating_add_signed(-age)),
        };
        desk.give("pid 1", &tombstone).unwrap();
        let attempt = attempt(&mut owner, &mut desk, OTHER);
        confirm(&mut owner, &mut desk, OTHER, attempt);
        assert_eq!(desk.tombstone("pid 1").unwrap().is_some(), is_kept);
    }
    let (mut owner, mut desk) = (node(), desk());
    for number in 1..=MAX_TOMBSTONES {
        let tombstone = Tombstone {
            id: "id".into(),
            node: OTHER,
            attempt: Attempt(9),
            at: start(),
        };
        desk.give(&alloc::format!("pid {number}"), &tombstone)
            .unwrap();
    }
    let attempt = attempt(&mut owner, &mut desk, OTHER);
    confirm(&mut owner, &mut desk, OTHER, attempt);
    assert_eq!(desk.tombstones.len(), MAX_TOMBSTONES);
}
