//! A sender goes on while an object is silent, and hears later what became of its events.

use alloc::format;
use alloc::vec::Vec;

use super::bounds::{EMIT, NODE, OTHER, Rig, control, nobody, node, operations, publish};
use crate::Timestamp;
use crate::cluster::{
    ANSWER_GRACE, Answer, Await, Call, CallId, Deliver, Delivered, EMIT_LIMIT, Emit, Emitted,
    Failure, HubLife, MAX_WAITING, Missing, Node, NodeLife, Outcome, Output, PUBLISH_PATIENCE,
    Publish, Published, Sender, Settings, Ticket,
};

const SENDER: Sender = Sender {
    node: OTHER,
    life: NodeLife(1),
};

fn open() -> Answer {
    Answer::Published(Published {
        is_open: true,
        ..Published::default()
    })
}

fn wanted(first_seq: u64) -> Call {
    Call::Await(Await {
        hub_life: HubLife(1),
        sender: SENDER,
        first_seq,
    })
}

fn taken() -> Answer {
    Answer::Delivered(Delivered::default())
}

/// A hub with a room in two nodes, to which an event was published. The first of its calls is
/// not answered.
fn rig() -> (Rig, CallId) {
    let mut rig = Rig::new();
    for (ticket, node) in [NODE, node(1)].into_iter().enumerate() {
        rig.control(Ticket(ticket as u64), control(node, &["a"], &[]));
    }
    for (id, _) in rig.take_calls() {
        rig.answer(id, Answer::Recalled);
    }
    rig.take_answers();
    let batch = publish(OTHER, rig.now, operations(&[(1, "a")]));
    rig.call(Ticket(2), Call::Publish(batch));
    let calls = rig.take_calls();
    rig.answer(calls[1].0, taken());
    (rig, calls[0].0)
}

#[test]
fn a_hub_lets_a_sender_go_on_and_answers_later() {
    let (mut rig, silent) = rig();
    assert_eq!(rig.take_answers(), []);
    rig.pass(PUBLISH_PATIENCE);
    assert_eq!(rig.take_answers(), [(Ticket(2), open())]);
    // It was not heard, and says so again.
    let batch = publish(OTHER, rig.now, operations(&[(1, "a")]));
    rig.call(Ticket(3), Call::Publish(batch));
    assert_eq!(rig.take_answers(), [(Ticket(3), open())]);

    // The next event is with everybody else at once.
    let batch = publish(OTHER, rig.now, operations(&[(2, "a")]));
    rig.call(Ticket(4), Call::Publish(batch));
    let [(id, Call::Deliver(Deliver { events, .. }))] = &rig.take_calls()[..] else {
        panic!("one of the two is waited for");
    };
    assert_eq!(events[0].operation.seq, 2);
    rig.answer(*id, taken());

    rig.call(Ticket(5), wanted(1));
    assert_eq!(rig.take_answers(), []);
    rig.answer(silent, taken());
    let done = || Answer::Published(Published::default());
    assert_eq!(rig.take_answers(), [(Ticket(5), done())]);
    let [(id, _)] = rig.take_calls()[..] else {
        panic!("the second follows");
    };
    rig.answer(id, taken());
    assert_eq!(rig.take_answers(), [(Ticket(4), done())]);
    // The answer may be lost.
    rig.call(Ticket(6), wanted(1));
    assert_eq!(rig.take_answers(), [(Ticket(6), done())]);
    assert!(rig.hub.is_idle());

    rig.call(Ticket(7), wanted(2));
    assert_eq!(rig.take_answers(), [(Ticket(7), Answer::Unavailable)]);
    rig.restart();
    rig.call(Ticket(8), wanted(1));
    let life = rig.hub.life();
    assert_eq!(
        rig.take_answers(),
        [(Ticket(8), Answer::WrongHubLife(life))]
    );
}

#[test]
fn who_has_gone_on_is_granted_nothing() {
    // One node has the room, and publishes to it.
    for goes_on in [false, true] {
        let mut rig = Rig::new();
        rig.control(Ticket(0), control(NODE, &["a"], &[]));
        rig.take_answers();
        let batch = publish(NODE, rig.now, operations(&[(1, "a")]));
        rig.call(Ticket(1), Call::Publish(batch));
        let [(id, _)] = rig.take_calls()[..] else {
            panic!("it is in the room");
        };
        if goes_on {
            rig.pass(PUBLISH_PATIENCE);
            assert_eq!(rig.take_answers(), [(Ticket(1), open())]);
            let sender = Sender {
                node: NODE,
                ..SENDER
            };
            rig.call(
                Ticket(2),
                Call::Await(Await {
                    hub_life: HubLife(1),
                    sender,
                    first_seq: 1,
                }),
            );
        }
        rig.answer(id, taken());
        let [(_, Answer::Published(published))] = &rig.take_answers()[..] else {
            panic!("it is answered");
        };
        assert_eq!(published.grants.is_empty(), goes_on);
    }
}

#[test]
fn what_could_not_be_placed_makes_room_for_nothing_earlier() {
    let mut rig = Rig::new();
    rig.control(Ticket(0), control(NODE, &["a"], &[]));
    rig.take_answers();
    let batch = |seq, rig: &Rig| Call::Publish(publish(OTHER, rig.now, operations(&[(seq, "a")])));
    let (first, second) = (batch(1, &rig), batch(2, &rig));
    rig.call(Ticket(1), first.clone());
    for (id, _) in rig.take_calls() {
        rig.answer(id, taken());
    }
    rig.take_answers();
    rig.rows.fails_in.set(Some(0));
    rig.call(Ticket(2), second.clone());
    assert_eq!(rig.take_answers(), [(Ticket(2), Answer::Unavailable)]);
    // A late copy of the first.
    rig.call(Ticket(3), first);
    assert_eq!(rig.take_calls(), []);
    assert_eq!(rig.take_answers(), [(Ticket(3), Answer::Unavailable)]);
    rig.call(Ticket(4), second);
    assert_eq!(rig.take_calls().len(), 1);
}

/// A node with its outputs.
struct Sending {
    node: Node,
    now: Timestamp,
    calls: Vec<(CallId, Call)>,
    outcomes: Vec<Outcome>,
}

impl Sending {
    fn new() -> Self {
        Self {
            node: Node::new(OTHER, NodeLife(1), Settings::default()),
            now: Timestamp::from_millis(1_000_000),
            calls: Vec::new(),
            outcomes: Vec::new(),
        }
    }

    fn emit(&mut self, room: &str) -> bool {
        let rooms = [room];
        let emit = Emit {
            rooms: &rooms,
            ..EMIT
        };
        let emitted = self.node.emit(&emit, self.now, &nobody);
        self.poll();
        matches!(emitted, Ok(Emitted::Sent(_)))
    }

    fn answer(&mut self, id: CallId, answer: Answer) {
        self.node.handle_answer(id, answer, self.now, 0, &nobody);
        self.poll();
    }

    fn wait_until(&mut self, now: Timestamp) {
        self.now = now;
        self.node.handle_timeout(now, &nobody);
        self.poll();
    }

    fn poll(&mut self) {
        while let Some(output) = self.node.poll_output() {
            if let Output::Call { id, call, .. } = output {
                self.calls.push((id, call));
            } else if let Output::Resolved(_, outcome) = output {
                self.outcomes.push(outcome);
            }
        }
    }

    /// Takes the call that publishes, of those that were made.
    fn published(&mut self) -> Option<(CallId, Publish)> {
        let position = self
            .calls
            .iter()
            .position(|(_, call)| matches!(call, Call::Publish(_)));
        let (id, Call::Publish(publish)) = self.calls.remove(position?) else {
            return None;
        };
        Some((id, publish))
    }

    /// Takes the call that asks for what has become of events.
    fn awaited(&mut self) -> Option<(CallId, Await)> {
        let position = self
            .calls
            .iter()
            .position(|(_, call)| matches!(call, Call::Await(_)));
        let (id, Call::Await(wanted)) = self.calls.remove(position?) else {
            return None;
        };
        Some((id, wanted))
    }
}

#[test]
fn a_sender_goes_on_and_hears_later() {
    let mut sending = Sending::new();
    assert!(sending.emit("a"));
    let (id, _) = sending.published().unwrap();
    assert!(sending.emit("a"));
    assert!(sending.published().is_none(), "one is under way");
    sending.answer(id, open());
    let (second, batch) = sending.published().unwrap();
    assert_eq!(batch.operations[0].seq, 2);
    let (question, wanted) = sending.awaited().unwrap();
    assert_eq!(wanted.first_seq, 1);
    sending.answer(second, Answer::Published(Published::default()));
    assert_eq!(
        sending.outcomes,
        [Outcome::Reached],
        "the second is ahead of the first"
    );
    let missing = Missing {
        count: 1,
        ..Missing::default()
    };
    let partial = Published {
        partial: Vec::from([(1, missing.clone())]),
        ..Published::default()
    };
    sending.answer(question, Answer::Published(partial));
    assert_eq!(sending.outcomes[1], Outcome::Partial(missing));
    assert!(sending.node.is_idle());
    assert_eq!(sending.node.next_deadline(), None);
}

#[test]
fn whose_hub_has_forgotten_waits_until_nothing_can_arrive() {
    let mut sending = Sending::new();
    for _ in 0..2 {
        assert!(sending.emit("a"));
        let (id, _) = sending.published().unwrap();
        sending.answer(id, open());
    }
    let deadline = sending.now + EMIT_LIMIT + ANSWER_GRACE;
    let (question, _) = sending.awaited().unwrap();
    sending.answer(question, Answer::WrongHubLife(HubLife(2)));
    assert_eq!(sending.outcomes, [], "some of it may still be on its way");
    // What becomes of the next is asked all the same, again and again.
    let (question, wanted) = sending.awaited().unwrap();
    assert_eq!(wanted.first_seq, 2);
    let now = sending.now;
    sending
        .node
        .handle_failure(question, Failure::Broken, now, 0, &nobody);
    let at = sending.node.next_deadline().unwrap();
    sending.wait_until(at);
    let (question, _) = sending.awaited().unwrap();
    sending.answer(question, Answer::Published(Published::default()));
    assert_eq!(sending.outcomes, [Outcome::Reached]);
    sending.wait_until(deadline);
    assert_eq!(sending.outcomes, [Outcome::Reached, Outcome::Unanswered]);
    assert!(sending.node.is_idle());
}

#[test]
fn events_on_their_way_have_a_bound() {
    for (count, leaves) in [(MAX_WAITING - 1, true), (MAX_WAITING, false)] {
        let mut sending = Sending::new();
        assert!(sending.emit("a"));
        let (mut id, _) = sending.published().unwrap();
        for number in 1..count {
            assert!(sending.emit(&format!("r{number}")));
        }
        sending.answer(id, open());
        (id, _) = sending.published().unwrap();
        sending.answer(id, open());
        assert!(sending.emit("b"));
        assert_eq!(
            sending.published().is_some(),
            leaves,
            "{count} are on their way"
        );
        let (question, _) = sending.awaited().unwrap();
        sending.answer(question, Answer::Published(Published::default()));
        assert_eq!(sending.published().is_some(), !leaves);
    }
}
