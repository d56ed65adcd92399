//! The ways to the nodes: one call under way to each, and what waits goes together with
//! the next.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::publishing::PublishId;
use super::{Hub, Purpose, Rule, is_broken};
use crate::cluster::flight::Flight;
use crate::cluster::{
    Address, Addressed, CLOCK_MARGIN, Call, CallId, Delivered, EMIT_LIMIT, Event, Failure,
    MAX_BATCH, MAX_CALLS, MAX_SENDERS, MAX_WAITING, MAX_WAITING_BYTES, NodeId, NodeLife, Store,
};
use crate::{Map, Set, Timestamp};

/// The ways to all nodes.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: Map<NodeId, Lane>,
    /// Those that have something to send, in the order in which they got it.
    ready: VecDeque<NodeId>,
    /// The number of calls under way.
    out: usize,
    /// The number of the last batch. They are counted over all nodes, so that a lane
    /// that is forgotten does not begin again.
    number: u64,
    /// When each lane has to be looked at. A broadcast to a thousand nodes has a thousand
    /// answers, none of which may look at all lanes.
    deadlines: Set<(Timestamp, NodeId)>,
    /// The lives of nodes, as far as they are known. A wrong one costs a call.
    lives: Map<NodeId, NodeLife>,
    /// The lanes that are behind, and from which place on.
    behind: Set<(u64, NodeId)>,
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
    /// Logged events from this place on are not in memory, and are read when what waits
    /// has been sent.
    behind: Option<u64>,
    gap: Gap,
}

/// Whether logged events that a node has not taken are gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    No,
    /// They are still in memory. If that is lost before they have arrived, they are gone.
    Threatens,
    Yes,
}

/// An event that waits, and whose it is.
#[derive(Clone, Debug)]
pub(super) struct Queued {
    /// `None` if it is logged, and nobody waits for it to arrive.
    pub(super) publish: Option<PublishId>,
    pub(super) event: Event,
}

/// The events of one call, which stays the same when it is repeated.
#[derive(Clone, Debug)]
struct Batch {
    number: u64,
    deadline: Timestamp,
    events: Vec<Queued>,
}

impl Batch {
    fn places(&self) -> impl Iterator<Item = u64> {
        self.events.iter().map(|queued| queued.event.place)
    }
}

impl Lane {
    /// Returns the place of the first logged event that has not arrived.
    fn first_logged(&self) -> Option<u64> {
        let batch = self.batch.iter().flat_map(|batch| &batch.events);
        let mut events = batch.chain(&self.waiting);
        let first = events.find(|queued| queued.publish.is_none());
        let first = first.map(|queued| queued.event.place);
        first.into_iter().chain(self.behind).min()
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        let batch = self.batch.as_ref();
        let batch = batch.map(|batch| batch.deadline + CLOCK_MARGIN);
        batch.into_iter().chain(self.flight.next_deadline()).min()
    }

    /// Returns whether there is nothing to send.
    fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.behind.is_none()
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
            if queued.publish.is_some() && queued.event.deadline < now {
                late.push(queued);
            } else {
                bytes += size;
                events.push(queued);
            }
        }
        let deadlines = events.iter().map(|queued| match queued.publish {
            Some(_) => queued.event.deadline,
            None => now + EMIT_LIMIT,
        });
        let deadline = deadlines.max()?;
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
        // What is logged must not be overtaken: a node takes nothing that is earlier
        // than its last.
        let is_behind = lane.behind.is_some() && !is_broken(Rule::StayBehind);
        if lane.is_full(size) || is_behind {
            return false;
        }
        lane.bytes += size;
        lane.waiting.push_back(queued);
        if lane.batch.is_none() {
            self.make_ready(node);
        }
        true
    }

    /// Adds a logged event to what waits for a node. Returns `false` if it is to be read
    /// later.
    pub(super) fn push_logged(&mut self, node: NodeId, queued: Queued) -> bool {
        let place = queued.event.place;
        let is_taken = self.push(node, queued);
        if !is_taken {
            self.fall_behind(node, place);
        }
        is_taken
    }

    /// Adds an event that was read from the log.
    pub(super) fn queue(&mut self, node: NodeId, event: Event) {
        let lane = self.lanes.entry(node).or_default();
        lane.bytes += event.operation.size();
        lane.waiting.push_back(Queued {
            publish: None,
            event,
        });
    }

    /// Logged events from this place on are to be read for a node.
    pub(super) fn fall_behind(&mut self, node: NodeId, place: u64) {
        let behind = self.lanes.get(&node).and_then(|lane| lane.behind);
        let first = behind.map_or(place, |behind| behind.min(place));
        self.catch_up(node, Some(first));
        let lane = self.lanes.get(&node);
        if lane.is_some_and(|lane| lane.batch.is_none()) {
            self.make_ready(node);
        }
    }

    /// Logged events from this place on are not in memory; with `None`, all are that
    /// have not arrived.
    pub(super) fn catch_up(&mut self, node: NodeId, place: Option<u64>) {
        let lane = self.lanes.entry(node).or_default();
        if let Some(before) = lane.behind {
            self.behind.remove(&(before, node));
        }
        lane.behind = place;
        self.behind.extend(place.map(|place| (place, node)));
    }

    /// Returns the first place that a node is behind from.
    pub(super) fn first_behind(&self) -> Option<u64> {
        self.behind.first().map(|(place, _)| *place)
    }

    /// A node is to be told, with the next event for it, that logged events are gone which
    /// it has not taken.
    pub(super) fn open_gap(&mut self, node: NodeId) {
        self.lanes.entry(node).or_default().gap = Gap::Yes;
    }

    /// Removes a lane that has nothing to send and nothing to remember.
    fn remove_done(&mut self, node: NodeId) {
        let lane = self.lanes.get(&node);
        let is_done = |lane: &Lane| lane.is_done() && !lane.is_ready && lane.gap == Gap::No;
        if lane.is_some_and(is_done) {
            self.lanes.remove(&node);
        }
    }

    /// Returns the nodes that have not taken all that was logged up to this place.
    pub(super) fn missing(&self, up_to: u64) -> Vec<NodeId> {
        let lanes = self.lanes.iter();
        let missing = lanes.filter(|(_, lane)| lane.first_logged().is_some_and(|at| at <= up_to));
        missing.map(|(node, _)| *node).collect()
    }

    /// What was logged up to this place is gone.
    pub(super) fn trim(&mut self, up_to: u64) {
        for node in self.missing(up_to) {
            let Some(lane) = self.lanes.get_mut(&node) else {
                continue;
            };
            lane.gap = lane.gap.max(Gap::Threatens);
            if lane.behind.is_some_and(|at| at <= up_to) {
                self.catch_up(node, Some(up_to + 1));
                if !is_broken(Rule::TellGaps) {
                    self.open_gap(node);
                }
            }
        }
    }

    /// Drops all that waits for a node. What is logged will be read again.
    fn drop_waiting(&mut self, node: NodeId) -> VecDeque<Queued> {
        let Some(lane) = self.lanes.get_mut(&node) else {
            return VecDeque::new();
        };
        lane.bytes = 0;
        core::mem::take(&mut lane.waiting)
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

    /// A call has ended, and another one may leave.
    pub(super) fn free_call(&mut self) {
        self.out = self.out.saturating_sub(1);
    }

    /// A node's batch is to be sent again. If no call is free, it is not to be looked at
    /// again until one is.
    pub(super) fn send_again(&mut self, node: NodeId) {
        if let Some(lane) = self.lanes.get_mut(&node) {
            lane.flight.land();
        }
        self.note_deadline(node);
        self.make_ready(node);
    }

    /// Returns the number of nodes that have something to get.
    pub(super) fn len(&self) -> usize {
        self.lanes.len()
    }

    /// Returns whether a node's batch is under way with this call.
    pub(super) fn is_out(&self, node: NodeId, id: CallId) -> bool {
        let lane = self.lanes.get(&node);
        lane.is_some_and(|lane| lane.flight.is_out(id))
    }

    /// The batches of these nodes have left with one call.
    pub(super) fn depart(&mut self, nodes: &[NodeId], id: CallId) {
        self.out += 1;
        for node in nodes {
            if let Some(lane) = self.lanes.get_mut(node) {
                lane.flight.start(id);
            }
            self.note_deadline(*node);
        }
    }

    /// Returns what a node's batch says to it beside its events.
    pub(super) fn addressed(&self, node: NodeId, store: &dyn Store) -> Option<Addressed> {
        let lane = self.lanes.get(&node)?;
        Some(Addressed {
            node,
            node_life: self.lives.get(&node).copied().unwrap_or_default(),
            number: lane.batch.as_ref()?.number,
            // A storage that does not answer says nothing new.
            era: store.era(node).unwrap_or(0),
            has_gap: lane.gap == Gap::Yes,
        })
    }

    /// Returns the events of a node's batch.
    pub(super) fn events(&self, node: NodeId) -> Vec<Event> {
        let batch = self.lanes.get(&node).and_then(|lane| lane.batch.as_ref());
        let events = batch.map(|batch| batch.events.iter().map(|queued| queued.event.clone()));
        events.map(Iterator::collect).unwrap_or_default()
    }

    /// Returns whether the batches of two nodes have the same events.
    pub(super) fn have_same(&self, one: NodeId, other: NodeId) -> bool {
        let batch = |node| self.lanes.get(&node).and_then(|lane| lane.batch.as_ref());
        let (Some(one), Some(other)) = (batch(one), batch(other)) else {
            return false;
        };
        one.places().eq(other.places())
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
        if lane.is_done() {
            self.remove_done(node);
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
        let mut run = Vec::new();
        while self.lanes.out < MAX_CALLS {
            let next = self.prepare_next(now, store);
            if let Some(node) = next.filter(|node| self.goes_along(&run, *node)) {
                run.push(node);
                continue;
            }
            self.send_run(core::mem::take(&mut run), now, store);
            match next {
                Some(node) => run.push(node),
                None => return,
            }
        }
        for node in run {
            self.lanes.make_ready(node);
        }
    }

    /// Returns the next node with something to send, which is in its batch then.
    fn prepare_next(&mut self, now: Timestamp, store: &mut dyn Store) -> Option<NodeId> {
        loop {
            let node = self.lanes.ready.pop_front()?;
            let mut late = Vec::new();
            let has_batch = self.prepare(node, now, &mut late, store);
            for queued in late {
                self.end_queued(node, &queued, false, store);
            }
            if has_batch {
                return Some(node);
            }
        }
    }

    /// Returns whether a node's lane has a batch to send.
    fn prepare(
        &mut self,
        node: NodeId,
        now: Timestamp,
        late: &mut Vec<Queued>,
        store: &mut dyn Store,
    ) -> bool {
        let Some(lane) = self.lanes.lanes.get_mut(&node) else {
            return false;
        };
        lane.is_ready = false;
        let is_empty = lane.batch.is_none() && lane.waiting.is_empty();
        if let Some(from) = lane.behind.filter(|_| is_empty)
            && self.refill(node, from, now, store).is_err()
        {
            self.lanes.fail(node, Failure::Broken, now, 0);
            return false;
        }
        let lanes = &mut self.lanes;
        let Some(lane) = lanes.lanes.get_mut(&node) else {
            return false;
        };
        if lane.batch.is_none() {
            lanes.number += 1;
            lane.batch = lane.take_batch(lanes.number, now, late);
        }
        if lane.batch.is_some() {
            return true;
        }
        if lane.is_done() {
            lanes.remove_done(node);
        } else {
            lanes.make_ready(node);
        }
        false
    }

    /// Sends a node its batch, by a call of its own.
    pub(super) fn send_deliver(&mut self, node: NodeId, store: &dyn Store) {
        let Some(to) = self.lanes.addressed(node, store) else {
            return;
        };
        let deliver = to.deliver((self.index, self.life), self.lanes.events(node));
        let call = Call::Deliver(deliver);
        let purpose = Purpose::Deliver(node);
        let id = self.calls.call(Address::Node(node), call, purpose);
        self.lanes.depart(&[node], id);
    }

    /// A node has taken a batch.
    pub(super) fn delivered(&mut self, node: NodeId, delivered: &Delivered, store: &mut dyn Store) {
        self.relaying.trust(node);
        for room in &delivered.vacant {
            if self.is_mine(room) {
                // A row that stays is named again with the next event.
                let _ = self.strike_out(room, node, delivered.stamp, store);
            }
        }
        self.close_gap(node, store);
        let refused: Set<u32> = delivered.refused.iter().copied().collect();
        for (index, queued) in (0..).zip(self.lanes.finish(node)) {
            self.end_queued(node, &queued, !refused.contains(&index), store);
        }
    }

    /// A node has another life than was known, or than it has said.
    pub(super) fn learn_life(&mut self, node: NodeId, life: NodeLife, now: Timestamp, random: u32) {
        if self.lanes.learn(node, life) {
            self.lanes.send_again(node);
        } else {
            self.lanes.fail(node, Failure::Broken, now, random);
        }
    }

    /// A node knows that it has missed something, or has missed nothing after all.
    fn close_gap(&mut self, node: NodeId, store: &mut dyn Store) {
        let Some(lane) = self.lanes.lanes.get_mut(&node) else {
            return;
        };
        let is_open = lane.gap == Gap::Yes
            || (lane.gap == Gap::Threatens && lane.waiting.is_empty() && lane.behind.is_none());
        if is_open && store.log().is_some_and(|log| log.close_gap(node).is_ok()) {
            lane.gap = Gap::No;
        }
    }

    /// Repeats batches after their pauses, and gives those up whose time is over.
    pub(super) fn look_at_lanes(&mut self, now: Timestamp, store: &mut dyn Store) {
        for node in self.lanes.due(now) {
            if !self.lanes.is_expired(node, now) {
                self.lanes.send_again(node);
                continue;
            }
            let lane = self.lanes.lanes.get_mut(&node);
            let out = lane.and_then(|lane| lane.flight.finish());
            if let Some(id) = out.filter(|id| !self.relaying.is_open(*id)) {
                self.calls.end(id);
                self.lanes.free_call();
            }
            for queued in self.lanes.finish(node) {
                self.end_queued(node, &queued, false, store);
            }
        }
    }

    /// An event has arrived at a node, or will not any more unless it is logged.
    fn end_queued(
        &mut self,
        node: NodeId,
        queued: &Queued,
        has_arrived: bool,
        store: &mut dyn Store,
    ) {
        let Some(publish) = queued.publish else {
            self.end_logged(node, queued.event.place, has_arrived);
            if !has_arrived {
                // Nothing may overtake it.
                for waiting in self.lanes.drop_waiting(node) {
                    self.end_queued(node, &waiting, false, store);
                }
            }
            return;
        };
        let missing = (!has_arrived).then_some(node);
        self.settle(publish, queued.event.operation.seq, missing, store);
    }
}
