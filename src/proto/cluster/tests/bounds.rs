//! Every bound, one below, at, and one beyond it.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::simulation::{LogTable, Rows};
use crate::Timestamp;
use crate::cluster::{
    Answer, Ask, Call, CallId, Control, Deliver, Delivered, EMIT_LIMIT, Emit, Event, Failure, Full,
    Gathering, Hub, HubIndex, HubLife, JoinKey, Joining, LogSettings, MAX_BATCH, MAX_CALLS,
    MAX_GATHERS, MAX_HELD_BYTES, MAX_JOINS, MAX_NAMED, MAX_ROOMS, MAX_SENDERS, MAX_WAITING,
    MAX_WAITING_BYTES, MessageError, Missing, Node, NodeId, NodeLife, Operation, Output, Payload,
    Publish, Published, Recall, Sender, Settings, Shared, Stamp, Ticket, hub_of,
};

pub(super) const NODE: NodeId = NodeId([1; 32]);
pub(super) const OTHER: NodeId = NodeId([2; 32]);

pub(super) const EMIT: Emit<'_> = Emit {
    rooms: &["a"],
    nodes: &[],
    tells_nodes: false,
    payload: b"x",
};

pub(super) fn nobody(_: &str) -> bool {
    false
}

/// A hub with its rows.
pub(super) struct Rig {
    pub(super) hub: Hub,
    pub(super) rows: Rows,
    pub(super) now: Timestamp,
    calls: Vec<(CallId, Call)>,
    answers: Vec<(Ticket, Answer)>,
    log: Option<LogSettings>,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with(None)
    }

    /// A hub that logs events.
    pub(super) fn recovering(settings: LogSettings) -> Self {
        Self::with(Some(settings))
    }

    fn with(log: Option<LogSettings>) -> Self {
        let mut rows = Rows::default();
        rows.log = log.map(|_| LogTable::default());
        Self {
            hub: begin(log, &mut rows),
            rows,
            now: Timestamp::from_millis(1_000_000),
            calls: Vec::new(),
            answers: Vec::new(),
            log,
        }
    }

    /// Its memory is lost.
    pub(super) fn restart(&mut self) {
        self.hub = begin(self.log, &mut self.rows);
        self.calls.clear();
        self.answers.clear();
    }

    fn poll(&mut self) {
        while let Some(output) = self.hub.poll_output() {
            match output {
                Output::Call { id, call, .. } => self.calls.push((id, call)),
                Output::Answer { ticket, answer } => self.answers.push((ticket, answer)),
                Output::Deliver(..)
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
                | Output::Resolved(..) => panic!("a hub has no sockets"),
            }
        }
    }

    pub(super) fn call(&mut self, ticket: Ticket, call: Call) {
        self.hub.handle_call(ticket, call, self.now, &mut self.rows);
    }

    pub(super) fn control(&mut self, ticket: Ticket, control: Control) {
        self.call(ticket, Call::Control(control));
    }

    pub(super) fn answer(&mut self, id: CallId, answer: Answer) {
        self.hub
            .handle_answer(id, answer, self.now, 0, &mut self.rows);
    }

    pub(super) fn fail(&mut self, id: CallId) {
        self.hub
            .handle_failure(id, Failure::Broken, self.now, 0, &mut self.rows);
    }

    /// Lets time pass, and what is due be done.
    pub(super) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.hub.handle_timeout(self.now, &mut self.rows);
    }

    pub(super) fn take_calls(&mut self) -> Vec<(CallId, Call)> {
        self.poll();
        core::mem::take(&mut self.calls)
    }

    pub(super) fn take_answers(&mut self) -> Vec<(Ticket, Answer)> {
        self.poll();
        core::mem::take(&mut self.answers)
    }

    /// Publishes an event to the room `a`, and lets all nodes take it.
    pub(super) fn publish_and_deliver(
        &mut self,
        ticket: Ticket,
        node: NodeId,
        seq: u64,
    ) -> Published {
        let mut batch = publish(node, self.now, operations(&[(seq, "a")]));
        batch.hub_life = self.hub.life();
        self.call(ticket, Call::Publish(batch));
        for (id, call) in self.take_calls() {
            assert!(matches!(call, Call::Deliver(_)));
            self.answer(id, Answer::Delivered(Delivered::default()));
        }
        match self.take_answers().pop() {
            Some((_, Answer::Published(published))) => published,
            other => panic!("{other:?}"),
        }
    }
}

fn begin(log: Option<LogSettings>, rows: &mut Rows) -> Hub {
    let hub = match log {
        Some(settings) => Hub::recovering(settings, rows),
        None => Hub::new(HubIndex(0), 1, rows),
    };
    hub.unwrap()
}

pub(super) fn control(node: NodeId, occupy: &[&str], vacate: &[&str]) -> Control {
    let names = |rooms: &[&str]| rooms.iter().map(|room| String::from(*room)).collect();
    Control {
        node,
        life: NodeLife(1),
        hello: true,
        occupy: names(occupy),
        vacate: names(vacate),
        stamp: Stamp::default(),
    }
}

fn operation(seq: u64, room: &str, bytes: usize) -> Shared {
    Shared(Rc::new(Operation {
        seq,
        rooms: Vec::from([room.into()]),
        nodes: Vec::new(),
        tells_nodes: false,
        is_logged: false,
        payload: Payload(alloc::vec![0; bytes].into()),
    }))
}

pub(super) fn operations(events: &[(u64, &str)]) -> Vec<Shared> {
    let events = events.iter();
    events.map(|(seq, room)| operation(*seq, room, 1)).collect()
}

pub(super) fn publish(node: NodeId, now: Timestamp, operations: Vec<Shared>) -> Publish {
    Publish {
        hub_life: HubLife(1),
        hubs: 1,
        sender: Sender {
            node,
            life: NodeLife(1),
        },
        deadline: now + EMIT_LIMIT,
        operations,
    }
}

/// A call that publishes an event to so many nodes, whose sender has to know them.
pub(super) fn publish_to(count: usize, now: Timestamp) -> Call {
    let mut operation = Operation {
        nodes: (0..count).map(node).collect(),
        ..(*operation(now.as_millis(), "a", 0)).clone()
    };
    operation.tells_nodes = true;
    let all = Vec::from([Shared(Rc::new(operation))]);
    Call::Publish(publish(NODE, now, all))
}

/// An event in its place.
pub(super) fn event(place: u64) -> Event {
    Event {
        place,
        sender: Sender {
            node: OTHER,
            life: NodeLife(1),
        },
        deadline: Timestamp::from_millis(u64::MAX),
        operation: operation(place, "a", 1),
    }
}

pub(super) fn node(number: usize) -> NodeId {
    let mut id = [9; 32];
    id[..8].copy_from_slice(&(number as u64).to_be_bytes());
    NodeId(id)
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("r{number}")).collect()
}

#[test]
fn messages_have_a_bound() {
    let is_read = |call: Call| match Call::decode(&call.encode()) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error, MessageError::TooLarge);
            false
        }
    };
    for (count, fits) in [
        (MAX_ROOMS - 1, true),
        (MAX_ROOMS, true),
        (MAX_ROOMS + 1, false),
    ] {
        let rooms = names(count);
        let (occupy, vacate) = rooms.split_at(count / 2);
        let control = Control {
            occupy: occupy.into(),
            vacate: vacate.into(),
            ..control(NODE, &[], &[])
        };
        assert_eq!(is_read(Call::Control(control)), fits);
        assert_eq!(
            is_read(Call::Ask(Ask {
                rooms: rooms.clone()
            })),
            fits
        );
        let hub = HubIndex(0);
        assert_eq!(is_read(Call::Recall(Recall { hub, rooms })), fits);
    }
    for (count, fits) in [
        (MAX_WAITING - 1, true),
        (MAX_WAITING, true),
        (MAX_WAITING + 1, false),
    ] {
        let now = Timestamp::from_millis(0);
        let operations: Vec<_> = (0..count)
            .map(|seq| operation(seq as u64, "a", 0))
            .collect();
        let events = operations.iter().map(|operation| Event {
            place: 1,
            sender: publish(NODE, now, Vec::new()).sender,
            deadline: now,
            operation: operation.clone(),
        });
        let deliver = deliver(1, events.collect());
        assert_eq!(is_read(Call::Deliver(deliver)), fits);
        assert_eq!(is_read(Call::Publish(publish(NODE, now, operations))), fits);
    }
}

fn deliver(number: u64, events: Vec<Event>) -> Deliver {
    Deliver {
        node_life: NodeLife(1),
        hub: HubIndex(0),
        hub_life: HubLife(1),
        number,
        era: 0,
        has_gap: false,
        events,
    }
}

#[test]
fn a_lane_has_a_bound() {
    for (count, bytes) in [(MAX_WAITING, 0), (4, MAX_WAITING_BYTES / 4)] {
        // The first goes at once, the others wait for its answer.
        let size = operation(0, "a", bytes).size();
        let fit = MAX_WAITING.min(MAX_WAITING_BYTES / size);
        assert!(fit == count || fit + 1 == count);
        for extra in [fit - 1, fit, fit + 1] {
            let mut rig = Rig::new();
            rig.control(Ticket(0), control(OTHER, &["a"], &[]));
            rig.take_answers();
            let batch = publish(NODE, rig.now, Vec::from([operation(1, "a", bytes)]));
            rig.call(Ticket(1), Call::Publish(batch));
            let waiting = (0..extra).map(|seq| operation(seq as u64 + 2, "a", bytes));
            let batch = publish(NODE, rig.now, waiting.collect());
            rig.call(Ticket(2), Call::Publish(batch));
            let mut partial = Vec::new();
            for _ in 0..20 {
                for (id, _) in rig.take_calls() {
                    rig.answer(id, Answer::Delivered(Delivered::default()));
                }
                for (_, answer) in rig.take_answers() {
                    if let Answer::Published(published) = answer {
                        partial.extend(published.partial);
                    }
                }
            }
            assert_eq!(
                partial.len(),
                extra.saturating_sub(fit),
                "{extra} of {bytes} bytes"
            );
            assert!(rig.hub.is_idle());
        }
    }
}

#[test]
fn a_batch_has_a_bound() {
    let fixed = operation(0, "a", 0).size();
    for (over, expected) in [(0, 2), (1, 1)] {
        let mut rig = Rig::new();
        rig.control(Ticket(0), control(OTHER, &["a"], &[]));
        let bytes = MAX_BATCH / 2 - fixed;
        let both = Vec::from([operation(1, "a", bytes), operation(2, "a", bytes + over)]);
        rig.call(Ticket(1), Call::Publish(publish(NODE, rig.now, both)));
        let calls = rig.take_calls();
        let [(_, Call::Deliver(deliver))] = &calls[..] else {
            panic!("{calls:?}");
        };
        assert_eq!(deliver.events.len(), expected);
    }
    // A single one may be larger.
    let mut rig = Rig::new();
    rig.control(Ticket(0), control(OTHER, &["a"], &[]));
    let one = Vec::from([operation(1, "a", 2 * MAX_BATCH)]);
    rig.call(Ticket(1), Call::Publish(publish(NODE, rig.now, one)));
    assert_eq!(rig.take_calls().len(), 1);
}

#[test]
fn calls_under_way_have_a_bound() {
    for count in [MAX_CALLS - 1, MAX_CALLS, MAX_CALLS + 1] {
        let mut rig = Rig::new();
        rig.hub.relay_from(usize::MAX);
        rig.call(Ticket(1), publish_to(count, rig.now));
        let calls = rig.take_calls();
        assert_eq!(calls.len(), count.min(MAX_CALLS));
        for (id, _) in calls {
            rig.answer(id, Answer::Delivered(Delivered::default()));
        }
        let rest = rig.take_calls();
        assert_eq!(rest.len(), count.saturating_sub(MAX_CALLS));
        for (id, _) in rest {
            rig.answer(id, Answer::Delivered(Delivered::default()));
        }
        let [(_, Answer::Published(published))] = &rig.take_answers()[..] else {
            panic!("all have answered");
        };
        assert_eq!(published.nodes[0].1.len(), count);
    }
}

#[test]
fn senders_have_a_bound() {
    let mut rig = Rig::new();
    let from = |number, rig: &Rig| publish(node(number), rig.now, operations(&[(1, "a")]));
    for number in 0..MAX_SENDERS {
        rig.call(Ticket(0), Call::Publish(from(number, &rig)));
        let [(_, Answer::Published(_))] = &rig.take_answers()[..] else {
            panic!("sender {number} is not taken");
        };
    }
    rig.call(Ticket(1), Call::Publish(from(MAX_SENDERS, &rig)));
    assert_eq!(rig.take_answers(), [(Ticket(1), Answer::Unavailable)]);
    // Those that do not wait for an answer any more are forgotten.
    rig.now = rig.now + EMIT_LIMIT * 2;
    rig.call(Ticket(2), Call::Publish(from(MAX_SENDERS, &rig)));
    assert!(matches!(
        rig.take_answers()[..],
        [(Ticket(2), Answer::Published(_))]
    ));
}

#[test]
fn a_hub_holds_only_so_many_bytes() {
    let mut rig = Rig::new();
    // Somebody is in the room, and never answers.
    rig.control(Ticket(0), control(NODE, &["a"], &[]));
    rig.take_answers();
    let from = |number, size, rig: &Rig| {
        let large = operation(1, "a", size);
        Call::Publish(publish(node(number), rig.now, Vec::from([large])))
    };
    let overhead = operation(1, "a", 0).size();
    let largest = MAX_HELD_BYTES - 2 * overhead;
    rig.call(Ticket(1), from(1, largest, &rig));
    rig.call(Ticket(2), from(2, 0, &rig));
    assert_eq!(rig.take_answers(), []);
    rig.call(Ticket(3), from(3, 0, &rig));
    assert_eq!(rig.take_answers(), [(Ticket(3), Answer::Unavailable)]);
    // A repetition holds nothing more.
    rig.call(Ticket(4), from(2, 0, &rig));
    assert_eq!(rig.take_answers(), []);
    // Whoever goes on has given up what was before.
    let next = publish(node(1), rig.now, Vec::from([operation(2, "a", 0)]));
    rig.call(Ticket(5), Call::Publish(next));
    assert_eq!(rig.take_answers(), [(Ticket(1), Answer::Unavailable)]);
    rig.call(Ticket(6), from(3, 0, &rig));
    assert_eq!(rig.take_answers(), []);
}

#[test]
fn a_publish_is_answered_though_the_clock_is_set_past_its_end() {
    let mut rig = Rig::new();
    // Somebody is in the room, and never answers.
    rig.control(Ticket(0), control(OTHER, &["a"], &[]));
    rig.take_answers();
    let from = |number, now| {
        let operations = Vec::from([operation(1, "a", 0)]);
        Call::Publish(publish(node(number), now, operations))
    };
    rig.call(Ticket(1), from(1, rig.now));
    assert_eq!(rig.take_answers(), []);
    rig.now = rig.now + 4 * EMIT_LIMIT;
    rig.call(Ticket(2), from(2, rig.now));
    assert_eq!(rig.take_answers(), [(Ticket(1), Answer::Unavailable)]);
}

#[test]
fn a_single_event_is_never_too_large_for_a_hub() {
    let mut rig = Rig::new();
    let large = operation(1, "a", MAX_HELD_BYTES + 1);
    let publish = publish(node(1), rig.now, Vec::from([large]));
    rig.call(Ticket(0), Call::Publish(publish));
    assert!(matches!(
        rig.take_answers()[..],
        [(Ticket(0), Answer::Published(_))]
    ));
}

#[test]
fn a_node_does_not_take_what_it_could_not_tell_from_a_repetition() {
    let mut now = Timestamp::from_millis(1_000_000);
    let mut alone = Node::new(NODE, NodeLife(1), Settings::default());
    let mut number = 0;
    let mut take = |sender: usize, now: Timestamp| {
        number += 1;
        let event = Event {
            place: number,
            sender: publish(node(sender), now, Vec::new()).sender,
            deadline: now + EMIT_LIMIT,
            operation: operation(1, "a", 0),
        };
        let deliver = deliver(number, Vec::from([event]));
        alone.handle_call(Ticket(number), Call::Deliver(deliver), now, &|_: &str| true);
        let mut refused = None;
        while let Some(output) = alone.poll_output() {
            if let Output::Answer {
                answer: Answer::Delivered(delivered),
                ..
            } = output
            {
                refused = Some(!delivered.refused.is_empty());
            }
        }
        refused.unwrap()
    };
    for sender in 0..MAX_SENDERS {
        assert!(!take(sender, now), "sender {sender}");
    }
    assert!(take(MAX_SENDERS, now));
    now = now + EMIT_LIMIT * 2;
    assert!(!take(MAX_SENDERS, now));
}

#[test]
fn joins_have_a_bound() {
    let now = Timestamp::from_millis(0);
    let mut alone = Node::new(NODE, NodeLife(1), Settings::default());
    for key in 0..MAX_JOINS as u64 {
        assert_eq!(
            alone.join(JoinKey(key), "a", now, &nobody),
            Ok(Joining::Later)
        );
    }
    assert_eq!(
        alone.join(JoinKey(MAX_JOINS as u64), "a", now, &nobody),
        Err(Full)
    );
    alone.handle_timeout(alone.next_deadline().unwrap(), &nobody);
    assert_eq!(
        alone.join(JoinKey(MAX_JOINS as u64), "a", now, &nobody),
        Ok(Joining::Later)
    );
}

#[test]
fn emits_that_wait_have_a_bound() {
    let now = Timestamp::from_millis(0);
    let mut alone = Node::new(NODE, NodeLife(1), Settings::default());
    // One is under way.
    for count in 0..=MAX_WAITING {
        assert!(alone.emit(&EMIT, now, &nobody).is_ok(), "emit {count}");
    }
    assert_eq!(alone.emit(&EMIT, now, &nobody), Err(Full));
    for (count, fits) in [(MAX_ROOMS, true), (MAX_ROOMS + 1, false), (0, false)] {
        let mut alone = Node::new(NODE, NodeLife(1), Settings::default());
        let names = names(count);
        let rooms: Vec<_> = names.iter().map(String::as_str).collect();
        let emit = Emit {
            rooms: &rooms,
            ..EMIT
        };
        assert_eq!(
            alone.emit(&emit, now, &nobody).is_ok(),
            fits,
            "{count} rooms"
        );
    }
}

#[test]
fn questions_have_a_bound() {
    let now = Timestamp::from_millis(0);
    let mut alone = Node::new(NODE, NodeLife(1), Settings::default());
    for _ in 0..MAX_GATHERS {
        let gathering = alone.gather(&["a"], &[], b"", EMIT_LIMIT, now);
        assert!(matches!(gathering, Ok(Gathering::Sent(_))));
    }
    assert_eq!(alone.gather(&["a"], &[], b"", EMIT_LIMIT, now), Err(Full));
}

#[test]
fn only_so_many_are_named_as_missing() {
    for count in [MAX_NAMED - 1, MAX_NAMED, MAX_NAMED + 1] {
        let mut missing = Missing::default();
        (0..count).for_each(|number| missing.add_node(node(number)));
        assert_eq!(missing.count as usize, count);
        assert_eq!(missing.nodes.len(), count.min(MAX_NAMED));
    }
}

#[test]
fn rooms_are_spread_and_few_move() {
    let rooms = names(9_000);
    for hubs in 1..12_u16 {
        let of = |hubs: u16| rooms.iter().map(move |room| hub_of(room, hubs));
        let counts = of(hubs).fold(alloc::vec![0; usize::from(hubs)], |mut counts, hub| {
            counts[usize::from(hub.0)] += 1;
            counts
        });
        let fair = rooms.len() / usize::from(hubs);
        assert!(
            counts
                .iter()
                .all(|count| (fair * 3 / 4..=fair * 5 / 4).contains(count)),
            "{counts:?}"
        );
        let moved = of(hubs)
            .zip(of(hubs + 1))
            .filter(|(before, after)| before != after);
        let to: BTreeSet<_> = moved.map(|(_, after)| after).collect();
        assert_eq!(to, BTreeSet::from([HubIndex(hubs)]));
    }
}
