//! The ways to the nodes: one call under way to each, and what waits goes together with
//! the next.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use super::publishing::PublishId;
use super::{Hub, Purpose};
use crate::Timestamp;
use crate::cluster::flight::Flight;
use crate::cluster::{
    Address, CLOCK_MARGIN, Call, Deliver, Delivered, Event, Failure, MAX_BATCH, MAX_CALLS,
    MAX_SENDERS, MAX_WAITING, MAX_WAITING_BYTES, NodeId, NodeLife, Store,
};

/// The ways to all nodes.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: BTreeMap<NodeId, Lane>,
    /// Those that have something to send, in the order in which they got it.
    ready: VecDeque<NodeId>,
    /// The number of calls under way.
    out: usize,
    /// The number of the last batch. They are counted over all nodes, so that a lane
    /// that is forgotten does not begin again.
    number: u64,
    /// When each lane has to be looked at. A broadcast to a thousand nodes has a thousand
    /// answers, none of which may look at all lanes.
    deadlines: BTreeSet<(Timestamp, NodeId)>,
    /// The lives of nodes, as far as they are known. A wrong one costs a call.
    lives: BTreeMap<NodeId, NodeLife>,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Queued>,
    bytes: usize,
    flight: Flight,
    batch: Option<Batch>,
    is_ready: bool,
    /// As it stands among the deadlines.
    deadline: Option<Timestamp>,
}

/// An event that waits, and whose it is.
#[derive(Clone, Debug)]
pub(super) struct Queued {
    pub(super) publish: PublishId,
    pub(super) event: Event,
}

/// The events of one call, which stays the same when it is repeated.
#[derive(Clone, Debug)]
struct Batch {
    number: u64,
    deadline: Timestamp,
    events: Vec<Queued>,
}

impl Lane {
    fn next_deadline(&self) -> Option<Timestamp> {
        let batch = self.batch.as_ref();
        let batch = batch.map(|batch| batch.deadline + CLOCK_MARGIN);
        batch.into_iter().chain(self.flight.next_deadline()).min()
    }

    fn is_full(&self, size: usize) -> bool {
        self.waiting.len() >= MAX_WAITING
            || (!self.waiting.is_empty() && self.bytes + size > MAX_WAITING_BYTES)
    }

    /// Takes the events of the next call, without those for which it is too late.
    fn take_batch(&mut self, number: u64, now: Timestamp, late: &mut Vec<Queued>) -> Option<Batch> {
        let mut bytes = 0;
        let mut events = Vec::new();
        while let Some(queued) = self.waiting.front() {
            let size = queued.event.operation.size();
            if !events.is_empty() && bytes + size > MAX_BATCH {
                break;
            }
            let Some(queued) = self.waiting.pop_front() else {
                break;
            };
            self.bytes -= size;
            if queued.event.deadline < now {
                late.push(queued);
            } else {
                bytes += size;
                events.push(queued);
            }
        }
        let deadline = events.iter().map(|queued| queued.event.deadline).max()?;
        Some(Batch {
            number,
            deadline,
            events,
        })
    }
}

impl Lanes {
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Puts a lane that has changed where it belongs among the deadlines.
    fn note_deadline(&mut self, node: NodeId) {
        let Some(lane) = self.lanes.get_mut(&node) else {
            return;
        };
        let next = lane.next_deadline();
        if lane.deadline != next {
            if let Some(at) = lane.deadline {
                self.deadlines.remove(&(at, node));
            }
            self.deadlines.extend(next.map(|at| (at, node)));
            lane.deadline = next;
        }
    }

    /// Adds an event to what waits for a node. Returns `false` if that is too much.
    pub(super) fn push(&mut self, node: NodeId, queued: Queued) -> bool {
        let lane = self.lanes.entry(node).or_default();
        let size = queued.event.operation.size();
        if lane.is_full(size) {
            return false;
        }
        lane.bytes += size;
        lane.waiting.push_back(queued);
        if lane.batch.is_none() {
            self.make_ready(node);
        }
        true
    }

    /// Notes the life of a node. Returns whether it is another than was known.
    pub(super) fn learn(&mut self, node: NodeId, life: NodeLife) -> bool {
        if self.lives.len() >= MAX_SENDERS && !self.lives.contains_key(&node) {
            self.lives.pop_first();
        }
        self.lives.insert(node, life) != Some(life)
    }

    /// Lets a node's lane send when a call is free.
    pub(super) fn make_ready(&mut self, node: NodeId) {
        if let Some(lane) = self.lanes.get_mut(&node).filter(|lane| !lane.is_ready) {
            lane.is_ready = true;
            self.ready.push_back(node);
        }
    }

    /// A pause is over. If no call is free, it is not to be looked at again until one is.
    fn resume(&mut self, node: NodeId) {
        if let Some(lane) = self.lanes.get_mut(&node) {
            lane.flight.land();
        }
        self.note_deadline(node);
        self.make_ready(node);
    }

    /// A call to a node is under way no more. What is in its batch may be sent again.
    pub(super) fn call_ended(&mut self, node: NodeId) {
        self.out = self.out.saturating_sub(1);
        if let Some(lane) = self.lanes.get_mut(&node) {
            lane.flight.land();
        }
        self.note_deadline(node);
    }

    pub(super) fn fail(&mut self, node: NodeId, failure: Failure, now: Timestamp, random: u32) {
        if let Some(lane) = self.lanes.get_mut(&node) {
            lane.flight.fail(failure, now, random);
        }
        self.note_deadline(node);
    }

    /// Ends a node's batch.
    fn finish(&mut self, node: NodeId) -> Vec<Queued> {
        let Some(lane) = self.lanes.get_mut(&node) else {
            return Vec::new();
        };
        lane.flight.finish();
        let events = lane.batch.take().map(|batch| batch.events);
        self.note_deadline(node);
        let Some(lane) = self.lanes.get_mut(&node) else {
            return Vec::new();
        };
        if lane.waiting.is_empty() {
            if !lane.is_ready {
                self.lanes.remove(&node);
            }
        } else {
            self.make_ready(node);
        }
        events.unwrap_or_default()
    }

    /// Returns the nodes whose lanes have to be looked at.
    fn due(&self, now: Timestamp) -> Vec<NodeId> {
        let due = self.deadlines.iter().take_while(|(at, _)| *at <= now);
        due.map(|(_, node)| *node).collect()
    }

    fn is_expired(&self, node: NodeId, now: Timestamp) -> bool {
        let batch = self.lanes.get(&node).and_then(|lane| lane.batch.as_ref());
        batch.is_some_and(|batch| batch.deadline + CLOCK_MARGIN <= now)
    }
}

impl Hub {
    /// Sends what waits, as far as calls are free.
    pub(super) fn send_batches(&mut self, now: Timestamp, store: &mut dyn Store) {
        while self.lanes.out < MAX_CALLS {
            let Some(node) = self.lanes.ready.pop_front() else {
                return;
            };
            let mut late = Vec::new();
            self.send_batch(node, now, &mut late, store);
            for queued in late {
                let seq = queued.event.operation.seq;
                self.settle(queued.publish, seq, Some(node), store);
            }
        }
    }

    fn send_batch(
        &mut self,
        node: NodeId,
        now: Timestamp,
        late: &mut Vec<Queued>,
        store: &dyn Store,
    ) {
        let lanes = &mut self.lanes;
        let Some(lane) = lanes.lanes.get_mut(&node) else {
            return;
        };
        lane.is_ready = false;
        if lane.batch.is_none() {
            lanes.number += 1;
            lane.batch = lane.take_batch(lanes.number, now, late);
        }
        let Some(batch) = &lane.batch else {
            lanes.lanes.remove(&node);
            return;
        };
        let events = batch.events.iter().map(|queued| queued.event.clone());
        let call = Call::Deliver(Deliver {
            node_life: lanes.lives.get(&node).copied().unwrap_or_default(),
            hub: self.index,
            hub_life: self.life,
            number: batch.number,
            // A storage that does not answer says nothing new.
            era: store.era(node).unwrap_or(0),
            events: events.collect(),
        });
        let purpose = Purpose::Deliver(node);
        let id = self.calls.call(Address::Node(node), call, purpose);
        lane.flight.start(id);
        lanes.out += 1;
        lanes.note_deadline(node);
    }

    /// A node has taken a batch.
    pub(super) fn delivered(&mut self, node: NodeId, delivered: &Delivered, store: &mut dyn Store) {
        self.lanes.call_ended(node);
        for room in &delivered.vacant {
            if self.is_mine(room) {
                // A row that stays is named again with the next event.
                let _ = self.strike_out(room, node, delivered.stamp, store);
            }
        }
        let refused: BTreeSet<u32> = delivered.refused.iter().copied().collect();
        for (index, queued) in (0..).zip(self.lanes.finish(node)) {
            let missing = refused.contains(&index).then_some(node);
            let seq = queued.event.operation.seq;
            self.settle(queued.publish, seq, missing, store);
        }
    }

    /// Repeats batches after their pauses, and gives those up whose time is over.
    pub(super) fn look_at_lanes(&mut self, now: Timestamp, store: &dyn Store) {
        for node in self.lanes.due(now) {
            if !self.lanes.is_expired(node, now) {
                self.lanes.resume(node);
                continue;
            }
            let lane = self.lanes.lanes.get_mut(&node);
            if let Some(id) = lane.and_then(|lane| lane.flight.finish()) {
                self.calls.end(id);
                self.lanes.out = self.lanes.out.saturating_sub(1);
            }
            for queued in self.lanes.finish(node) {
                let seq = queued.event.operation.seq;
                self.settle(queued.publish, seq, Some(node), store);
            }
        }
    }
}
