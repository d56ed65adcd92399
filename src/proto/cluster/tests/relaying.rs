//! Nodes that pass events on: what hubs and nodes do when all goes well, and when it does not.

use alloc::vec::Vec;
use core::time::Duration;

use super::bounds::{NODE, Rig, event, nobody, node, publish_to};
use crate::Timestamp;
use crate::cluster::rules::{Rule, break_rule};
use crate::cluster::{
    Address, Addressed, Answer, Await, CLOCK_MARGIN, Call, CallId, Deliver, Delivered, Failure,
    HubIndex, HubLife, MAX_CALLS, MAX_RELAYS, Node, NodeId, NodeLife, Output, PUBLISH_PATIENCE,
    Passed, RELAY_DEGREE, RELAY_FROM, RELAY_LEAST, RELAY_LIMIT, RELAY_PATIENCE, Relay, Sender,
    Settings, Ticket,
};

const HUB: HubIndex = HubIndex(0);

fn is_relay(call: &Call) -> bool {
    matches!(call, Call::Relay(_))
}

/// Answers that all have taken what came.
fn taken(call: &Call) -> Answer {
    let Call::Relay(relay) = call else {
        return Answer::Delivered(Delivered::default());
    };
    let to = relay.to.iter();
    Answer::Relayed(
        to.map(|_| Passed::Delivered(Delivered::default()))
            .collect(),
    )
}

/// Those that a call is for, and the numbers of their batches.
fn receivers(call: &Call) -> Vec<(NodeId, u64)> {
    let Call::Relay(relay) = call else {
        return Vec::new();
    };
    relay.to.iter().map(|to| (to.node, to.number)).collect()
}

#[test]
fn from_some_number_on_nodes_pass_on() {
    for (count, relays, delivers) in [
        (RELAY_FROM - 1, 0, RELAY_FROM - 1),
        (RELAY_FROM, 2, 0),
        (RELAY_FROM + 1, 2, 1),
        (RELAY_FROM + RELAY_LEAST - 1, 2, RELAY_LEAST - 1),
        (RELAY_FROM + RELAY_LEAST, 3, 0),
    ] {
        let mut rig = Rig::new();
        rig.call(Ticket(1), publish_to(count, rig.now));
        let calls = rig.take_calls();
        let passed: Vec<_> = calls.iter().filter(|(_, call)| is_relay(call)).collect();
        assert_eq!(
            (passed.len(), calls.len() - passed.len()),
            (relays, delivers)
        );
        let all: usize = passed.iter().map(|(_, call)| receivers(call).len()).sum();
        assert_eq!(all + delivers, count);
        for (id, call) in calls {
            rig.answer(id, taken(&call));
        }
        let [(_, Answer::Published(published))] = &rig.take_answers()[..] else {
            panic!("all have answered");
        };
        assert_eq!(published.nodes[0].1.len(), count);
        assert_eq!(rig.hub.next_deadline(), None);
    }
}

#[test]
fn calls_under_way_have_a_bound_also_if_nodes_pass_on() {
    let (all, rest) = (MAX_CALLS * RELAY_DEGREE, RELAY_DEGREE);
    let mut rig = Rig::new();
    rig.call(Ticket(1), publish_to(all + rest, rig.now));
    let calls = rig.take_calls();
    assert_eq!(calls.len(), MAX_CALLS);
    let (id, call) = &calls[0];
    rig.answer(*id, taken(call));
    let more = rig.take_calls();
    assert_eq!(more.len(), 1);
    assert_eq!(receivers(&more[0].1).len(), rest);
}

#[test]
fn whoever_is_silent_is_called() {
    let mut rig = Rig::new();
    rig.call(Ticket(1), publish_to(RELAY_FROM, rig.now));
    let calls = rig.take_calls();
    let (id, call) = &calls[0];
    let silent = 3;
    let Answer::Relayed(mut passed) = taken(call) else {
        panic!("many are to get it");
    };
    passed[silent] = Passed::Failed(Failure::Broken);
    rig.answer(*id, Answer::Relayed(passed));
    assert_eq!(rig.take_calls(), []);
    rig.pass(Duration::from_millis(75));
    let again = rig.take_calls();
    let [(direct, Call::Deliver(deliver))] = &again[..] else {
        panic!("it is called by itself: {again:?}");
    };
    assert_eq!(deliver.number, receivers(call)[silent].1);
    // As long as it does not answer, nobody is made to wait for it.
    let (other, call) = &calls[1];
    rig.answer(*other, taken(call));
    rig.fail(*direct);
    rig.call(Ticket(2), publish_to(RELAY_FROM, rig.now));
    let calls = rig.take_calls();
    let name = node(silent);
    assert!(
        calls
            .iter()
            .all(|(_, call)| receivers(call).iter().all(|(node, _)| *node != name))
    );
    for (id, call) in calls {
        rig.answer(id, taken(&call));
    }
    rig.pass(Duration::from_millis(200));
    while let Some((id, call)) = rig.take_calls().pop() {
        rig.answer(id, taken(&call));
    }
    // It has answered: it is one of many again.
    rig.call(Ticket(3), publish_to(RELAY_FROM, rig.now));
    let calls = rig.take_calls();
    assert!(
        calls
            .iter()
            .any(|(_, call)| receivers(call).iter().any(|(node, _)| *node == name))
    );
}

#[test]
fn if_a_node_does_not_pass_on_all_are_called() {
    for is_answered in [false, true] {
        let mut rig = Rig::new();
        rig.call(Ticket(1), publish_to(RELAY_FROM, rig.now));
        let calls = rig.take_calls();
        let (id, call) = &calls[0];
        let (other, others) = &calls[1];
        rig.answer(*other, taken(others));
        if is_answered {
            // It is of another build, and knows no such call.
            rig.answer(*id, Answer::Misdirected);
        } else {
            rig.pass(RELAY_LIMIT);
        }
        let again = rig.take_calls();
        // The one that was called has to recover first.
        assert_eq!(again.len(), RELAY_DEGREE - 1);
        let numbers = again.iter().map(|(_, call)| {
            let Call::Deliver(deliver) = call else {
                panic!("they are called one by one");
            };
            deliver.number
        });
        let first = receivers(call);
        assert!(numbers.eq(first[1..].iter().map(|(_, number)| *number)));
        // What it says now is too late: they have been called.
        rig.answer(*id, taken(call));
        rig.pass(PUBLISH_PATIENCE);
        rig.take_answers();
        rig.call(Ticket(2), await_first(&rig));
        for (id, call) in again {
            rig.answer(id, taken(&call));
        }
        assert_eq!(rig.take_answers(), []);
        rig.pass(Duration::from_secs(3));
        let [(id, Call::Deliver(_))] = rig.take_calls()[..] else {
            panic!("the first is called in the end");
        };
        rig.answer(id, Answer::Delivered(Delivered::default()));
        assert_eq!(rig.take_answers().len(), 1);
        assert_eq!(rig.hub.next_deadline(), None);
    }
}

#[test]
fn what_is_said_of_an_earlier_batch_counts_for_no_other() {
    for rule in [None, Some(Rule::IgnoreEarlier)] {
        break_rule(rule);
        let mut rig = Rig::new();
        let early = Timestamp::from_millis(rig.now.as_millis() - 7_500);
        rig.call(Ticket(1), publish_to(RELAY_FROM, early));
        let calls = rig.take_calls();
        rig.pass(Duration::from_millis(500) + CLOCK_MARGIN);
        assert_eq!(rig.take_answers().len(), 1, "it was too late for the first");
        rig.call(Ticket(2), publish_to(RELAY_FROM, rig.now));
        for (id, call) in &calls {
            rig.answer(*id, taken(call));
        }
        assert_eq!(rig.take_answers().len(), usize::from(rule.is_some()));
        break_rule(None);
    }
}

/// Asks for the events that [`publish_to`] has published first.
fn await_first(rig: &Rig) -> Call {
    Call::Await(Await {
        hub_life: rig.hub.life(),
        sender: Sender {
            node: NODE,
            life: NodeLife(1),
        },
        first_seq: 1_000_000,
    })
}

fn relay(own_life: u64, others: usize) -> Relay {
    let addressed = |node, node_life| Addressed {
        node,
        node_life: NodeLife(node_life),
        number: 1,
        era: 0,
        has_gap: false,
    };
    let others = (0..others).map(|number| addressed(node(number), 1));
    Relay {
        hub: HUB,
        hub_life: HubLife(1),
        to: [addressed(NODE, own_life)]
            .into_iter()
            .chain(others)
            .collect(),
        events: Vec::from([event(1)]),
    }
}

fn outputs(node: &mut Node) -> Vec<Output> {
    core::iter::from_fn(|| node.poll_output()).collect()
}

fn calls(outputs: &[Output]) -> Vec<(CallId, NodeId, Deliver)> {
    let calls = outputs.iter().filter_map(|output| {
        let Output::Call {
            id,
            to: Address::Node(node),
            call: Call::Deliver(deliver),
        } = output
        else {
            return None;
        };
        Some((*id, *node, deliver.clone()))
    });
    calls.collect()
}

fn answers(outputs: &[Output]) -> Vec<Passed> {
    let Some(Output::Answer {
        ticket: Ticket(7),
        answer: Answer::Relayed(passed),
    }) = outputs.last()
    else {
        panic!("{outputs:?}");
    };
    passed.clone()
}

#[test]
fn a_node_passes_on_and_takes_what_is_its_own() {
    let now = Timestamp::from_millis(1_000_000);
    let everybody = |_: &str| true;
    let mut first = Node::new(NODE, NodeLife(1), Settings::default());
    first.handle_call(Ticket(7), Call::Relay(relay(1, 3)), now, &everybody);
    let made = outputs(&mut first);
    assert!(
        made.iter()
            .any(|output| matches!(output, Output::Deliver(..)))
    );
    let passed_on = calls(&made);
    let to: Vec<_> = passed_on.iter().map(|(_, node, _)| *node).collect();
    assert_eq!(to, [node(0), node(1), node(2)]);
    assert!(
        passed_on
            .iter()
            .all(|(_, _, deliver)| deliver.events.len() == 1)
    );
    let delivered = Answer::Delivered(Delivered::default());
    first.handle_answer(passed_on[0].0, delivered, now, 0, &everybody);
    first.handle_answer(
        passed_on[1].0,
        Answer::WrongNodeLife(NodeLife(9)),
        now,
        0,
        &everybody,
    );
    assert_eq!(outputs(&mut first), []);
    first.handle_failure(passed_on[2].0, Failure::Overloaded, now, 0, &everybody);
    let [own, rest @ ..] = &answers(&outputs(&mut first))[..] else {
        panic!("all have said something");
    };
    assert!(matches!(own, Passed::Delivered(_)));
    assert_eq!(rest[0], Passed::Delivered(Delivered::default()));
    assert_eq!(
        rest[1..],
        [
            Passed::WrongLife(NodeLife(9)),
            Passed::Failed(Failure::Overloaded)
        ]
    );
    assert!(first.is_idle());
}

#[test]
fn a_node_does_not_wait_for_the_silent() {
    let now = Timestamp::from_millis(1_000_000);
    let mut first = Node::new(NODE, NodeLife(1), Settings::default());
    // What was for another life of its memory is passed on all the same.
    first.handle_call(Ticket(7), Call::Relay(relay(5, 2)), now, &nobody);
    let passed_on = calls(&outputs(&mut first));
    let delivered = || Answer::Delivered(Delivered::default());
    first.handle_answer(passed_on[1].0, delivered(), now, 0, &nobody);
    assert_eq!(first.next_deadline(), Some(now + RELAY_PATIENCE));
    first.handle_timeout(now + RELAY_PATIENCE, &nobody);
    let said = answers(&outputs(&mut first));
    let last = Passed::Delivered(Delivered::default());
    assert_eq!(
        said,
        [
            Passed::WrongLife(NodeLife(1)),
            Passed::Failed(Failure::Broken),
            last
        ]
    );
    // Nobody is told of what comes now.
    first.handle_answer(
        passed_on[0].0,
        delivered(),
        now + RELAY_PATIENCE,
        0,
        &nobody,
    );
    assert_eq!(outputs(&mut first), []);
    assert!(first.is_idle());
}

#[test]
fn what_a_node_passes_on_has_a_bound() {
    let now = Timestamp::from_millis(1_000_000);
    let mut first = Node::new(NODE, NodeLife(1), Settings::default());
    for count in 0..=MAX_RELAYS {
        first.handle_call(Ticket(7), Call::Relay(relay(1, 1)), now, &nobody);
        let made = outputs(&mut first);
        assert_eq!(calls(&made).len(), usize::from(count < MAX_RELAYS));
        let refused = Output::Answer {
            ticket: Ticket(7),
            answer: Answer::Unavailable,
        };
        assert_eq!(made.contains(&refused), count == MAX_RELAYS);
    }
}
