//! Events that have come in: to whom they go, and what has become of them.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use super::lanes::Queued;
use super::{Hub, Purpose, Rule, is_broken};
use crate::Timestamp;
use crate::cluster::flight::Flight;
use crate::cluster::{
    ANSWER_GRACE, ASK_LIMIT, Address, Answer, Ask, Call, Event, Failed, Failure, HubIndex,
    Interested, MAX_ROOMS, MAX_SENDERS, Missing, NodeId, Publish, Published, Sender, Shared, Store,
    Ticket, hub_of,
};

/// The number of a publish in a life of the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PublishId(u64);

/// All that was published and is remembered.
#[derive(Debug, Default)]
pub(super) struct Publishing {
    next: u64,
    place: u64,
    batches: BTreeMap<PublishId, Batch>,
    /// The last batch of each sender: of no other is a repetition expected.
    senders: BTreeMap<Sender, Last>,
    /// When each of these may be forgotten.
    ages: VecDeque<(Timestamp, Sender)>,
    asks: BTreeMap<HubIndex, Asking>,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    first_seq: u64,
    publish: PublishId,
    until: Timestamp,
}

/// The events of one publish.
#[derive(Debug)]
struct Batch {
    sender: Sender,
    deadline: Timestamp,
    operations: Vec<Shared>,
    stage: Stage,
    /// The number of deliveries that have not ended.
    open: usize,
    missing: BTreeMap<u64, Missing>,
    waiters: Vec<Ticket>,
}

#[derive(Debug)]
enum Stage {
    /// Other hubs were asked.
    Asking {
        /// Those that have not answered.
        hubs: BTreeSet<HubIndex>,
        until: Timestamp,
        /// The nodes of each of their rooms.
        found: BTreeMap<String, Vec<NodeId>>,
    },
    /// The events are on their way.
    Placed,
    /// It was answered, and may have to be again.
    Complete,
}

/// The way of questions to another hub.
#[derive(Debug, Default)]
struct Asking {
    flight: Flight,
    rooms: Vec<String>,
    current: Vec<PublishId>,
    next: VecDeque<PublishId>,
}

impl Publishing {
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let asking = self.batches.values().filter_map(|batch| match batch.stage {
            Stage::Asking { until, .. } => Some(until),
            Stage::Placed | Stage::Complete => None,
        });
        let asks = self.asks.values();
        let asks = asks.filter_map(|asking| asking.flight.next_deadline());
        asking.chain(asks).min()
    }

    pub(super) fn fail_ask(
        &mut self,
        hub: HubIndex,
        failure: Failure,
        now: Timestamp,
        random: u32,
    ) {
        if let Some(asking) = self.asks.get_mut(&hub) {
            asking.flight.fail(failure, now, random);
        }
    }

    /// An event has reached a node, or will not any more. Returns whether that was the
    /// last delivery of its batch.
    pub(super) fn settle(&mut self, publish: PublishId, seq: u64, missing: Option<NodeId>) -> bool {
        let Some(batch) = self.batches.get_mut(&publish) else {
            return false;
        };
        if let Some(node) = missing {
            batch.missing.entry(seq).or_default().add_node(node);
        }
        batch.open = batch.open.saturating_sub(1);
        batch.open == 0 && matches!(batch.stage, Stage::Placed)
    }

    /// Forgets batches whose senders do not wait for an answer any more.
    fn expire(&mut self, now: Timestamp) {
        while let Some((until, sender)) = self.ages.front().copied() {
            if until >= now {
                return;
            }
            self.ages.pop_front();
            let last = self.senders.get(&sender).filter(|last| last.until < now);
            if let Some(Last { publish, .. }) = last {
                self.batches.remove(publish);
                self.senders.remove(&sender);
            }
        }
    }

    fn is_complete(&self, publish: PublishId) -> bool {
        let batch = self.batches.get(&publish);
        batch.is_none_or(|batch| matches!(batch.stage, Stage::Complete))
    }
}

impl Hub {
    /// Takes events in. Those of one call are placed together, after all hubs that they
    /// concern were asked: whoever joins meanwhile gets all of them or none.
    pub(super) fn publish(
        &mut self,
        ticket: Ticket,
        publish: Publish,
        now: Timestamp,
        store: &mut dyn Store,
    ) {
        if publish.hub_life != self.life && !is_broken(Rule::NameLives) {
            self.calls.answer(ticket, Answer::WrongHubLife(self.life));
            return;
        }
        let sender = publish.sender;
        self.lanes.learn(sender.node, sender.life);
        let state = &mut self.publishing;
        state.expire(now);
        let Some(first_seq) = publish.operations.first().map(|first| first.seq) else {
            let answer = Answer::Published(Published::default());
            self.calls.answer(ticket, answer);
            return;
        };
        if let Some(last) = state.senders.get(&sender).copied() {
            if last.first_seq == first_seq {
                self.answer_again(ticket, last.publish);
                return;
            }
            if last.first_seq > first_seq {
                // A sender that has gone on does not wait for this.
                self.calls.answer(ticket, Answer::Unavailable);
                return;
            }
            // A sender that goes on has given the one before up.
            self.abandon(last.publish);
        } else if state.senders.len() >= MAX_SENDERS {
            self.calls.answer(ticket, Answer::Unavailable);
            return;
        }
        let id = self.remember(ticket, publish, first_seq, now);
        if is_broken(Rule::AwaitNodes) {
            let answer = Answer::Published(Published::default());
            self.calls.answer(ticket, answer);
        }
        if is_broken(Rule::PlaceTogether) {
            self.place_own_rooms(id, store);
        }
        self.ask_others(id);
        self.place_if_known(id, now, store);
    }

    fn remember(
        &mut self,
        ticket: Ticket,
        publish: Publish,
        first_seq: u64,
        now: Timestamp,
    ) -> PublishId {
        let state = &mut self.publishing;
        state.next += 1;
        let id = PublishId(state.next);
        let until = publish.deadline.max(now) + ANSWER_GRACE;
        let last = Last {
            first_seq,
            publish: id,
            until,
        };
        state.senders.insert(publish.sender, last);
        state.ages.push_back((until, publish.sender));
        let batch = Batch {
            sender: publish.sender,
            deadline: publish.deadline,
            operations: publish.operations,
            stage: Stage::Asking {
                hubs: BTreeSet::new(),
                until: publish.deadline.min(now + ASK_LIMIT),
                found: BTreeMap::new(),
            },
            open: 0,
            missing: BTreeMap::new(),
            waiters: Vec::from([ticket]),
        };
        state.batches.insert(id, batch);
        id
    }

    /// A publish was repeated.
    fn answer_again(&mut self, ticket: Ticket, id: PublishId) {
        let Some(batch) = self.publishing.batches.get_mut(&id) else {
            self.calls.answer(ticket, Answer::Unavailable);
            return;
        };
        match batch.stage {
            Stage::Asking { .. } | Stage::Placed => batch.waiters.push(ticket),
            Stage::Complete => {
                let partial = batch.missing.clone().into_iter().collect();
                // Grants were in the first answer. One that was lost is recalled.
                let grants = Vec::new();
                let published = Published { partial, grants };
                self.calls.answer(ticket, Answer::Published(published));
            }
        }
    }

    /// Forgets a batch whose sender does not wait for it. What was placed goes on.
    fn abandon(&mut self, id: PublishId) {
        if let Some(batch) = self.publishing.batches.remove(&id) {
            for ticket in batch.waiters {
                self.calls.answer(ticket, Answer::Unavailable);
            }
        }
    }

    /// Notes which hubs have to be asked about a batch.
    fn ask_others(&mut self, id: PublishId) {
        let (index, count) = (self.index, self.hubs);
        let state = &mut self.publishing;
        let Some(batch) = state.batches.get_mut(&id) else {
            return;
        };
        let Stage::Asking { hubs, .. } = &mut batch.stage else {
            return;
        };
        let rooms = batch.operations.iter().flat_map(|op| &op.rooms);
        hubs.extend(rooms.map(|room| hub_of(room, count)));
        hubs.remove(&index);
        for hub in &*hubs {
            let asking = state.asks.entry(*hub).or_default();
            if is_broken(Rule::AskAfterwards) && !asking.flight.is_idle() {
                asking.current.push(id);
            } else {
                asking.next.push_back(id);
            }
        }
    }

    /// Asks other hubs about the batches that wait for them, one call for each hub.
    pub(super) fn send_questions(&mut self, now: Timestamp) {
        let count = self.hubs;
        let state = &mut self.publishing;
        for (hub, asking) in &mut state.asks {
            if !asking.flight.is_idle() && !asking.flight.is_due(now) {
                continue;
            }
            let batches = &state.batches;
            let waits = |id: &PublishId| match batches.get(id).map(|batch| &batch.stage) {
                Some(Stage::Asking { hubs, .. }) => hubs.contains(hub),
                Some(Stage::Placed | Stage::Complete) | None => false,
            };
            asking.current.retain(waits);
            if asking.current.is_empty() {
                asking.flight.finish();
                asking.next.retain(waits);
                let mut rooms = BTreeSet::new();
                while let Some(id) = asking.next.front() {
                    let operations = batches.get(id).map(|batch| &*batch.operations);
                    let named = operations
                        .unwrap_or_default()
                        .iter()
                        .flat_map(|op| &op.rooms);
                    let named = named.filter(|room| hub_of(room, count) == *hub);
                    let union: BTreeSet<_> = rooms.iter().copied().chain(named).collect();
                    if !rooms.is_empty() && union.len() > MAX_ROOMS {
                        break;
                    }
                    rooms = union;
                    asking.current.extend(asking.next.pop_front());
                }
                asking.rooms = rooms.into_iter().cloned().collect();
            }
            if !asking.current.is_empty() {
                let rooms = asking.rooms.clone();
                let purpose = Purpose::Ask(*hub);
                let call = Call::Ask(Ask { rooms });
                let id = self.calls.call(Address::Hub(*hub), call, purpose);
                asking.flight.start(id);
            }
        }
        state.asks.retain(|_, asking| !asking.current.is_empty());
    }

    /// Another hub has answered.
    pub(super) fn interested(
        &mut self,
        hub: HubIndex,
        interested: &Interested,
        now: Timestamp,
        store: &mut dyn Store,
    ) {
        let state = &mut self.publishing;
        let Some(asking) = state.asks.get_mut(&hub) else {
            return;
        };
        asking.flight.finish();
        let ids = mem::take(&mut asking.current);
        let rooms = mem::take(&mut asking.rooms);
        let node = |at: &u16| interested.nodes.get(usize::from(*at)).copied();
        let nodes = interested.rooms.iter();
        let nodes = nodes.map(|room| room.iter().filter_map(node).collect::<Vec<_>>());
        let answers: BTreeMap<String, Vec<NodeId>> = rooms.into_iter().zip(nodes).collect();
        for id in ids {
            let batch = self.publishing.batches.get_mut(&id);
            if let Some(Batch {
                stage: Stage::Asking { hubs, found, .. },
                operations,
                ..
            }) = batch
            {
                for room in operations.iter().flat_map(|op| &op.rooms) {
                    if let Some(nodes) = answers.get(room) {
                        found.insert(room.clone(), nodes.clone());
                    }
                }
                hubs.remove(&hub);
                self.place_if_known(id, now, store);
            }
        }
    }

    /// Goes on without the hubs that have not answered.
    pub(super) fn stop_asking(&mut self, now: Timestamp, store: &mut dyn Store) {
        let batches = self.publishing.batches.iter();
        let tired = batches.filter_map(|(id, batch)| match batch.stage {
            Stage::Asking { until, .. } if until <= now => Some(*id),
            Stage::Asking { .. } | Stage::Placed | Stage::Complete => None,
        });
        for id in tired.collect::<Vec<_>>() {
            self.place(id, now, store);
        }
    }

    fn place_if_known(&mut self, id: PublishId, now: Timestamp, store: &mut dyn Store) {
        let batch = self.publishing.batches.get(&id);
        if let Some(Batch {
            stage: Stage::Asking { hubs, .. },
            ..
        }) = batch
            && hubs.is_empty()
        {
            self.place(id, now, store);
        }
    }

    /// Gives the events of a batch their places, and sends them on their way.
    fn place(&mut self, id: PublishId, now: Timestamp, store: &mut dyn Store) {
        let Some(batch) = self.publishing.batches.get_mut(&id) else {
            return;
        };
        let stage = mem::replace(&mut batch.stage, Stage::Placed);
        let Stage::Asking { hubs, found, .. } = stage else {
            return;
        };
        let operations = batch.operations.clone();
        let is_late = batch.deadline < now && !is_broken(Rule::KeepDeadlines);
        for operation in operations {
            if is_late {
                self.note(id, operation.seq, |missing| missing.is_late = true);
                continue;
            }
            if !is_broken(Rule::CountSilence) {
                for room in &operation.rooms {
                    let hub = hub_of(room, self.hubs);
                    if hubs.contains(&hub) {
                        self.note(id, operation.seq, |missing| {
                            if !missing.hubs.contains(&hub) {
                                missing.hubs.push(hub);
                            }
                        });
                    }
                }
            }
            if self.place_one(id, operation, &found, store).is_err() {
                // The sender repeats it. What is on its way already is not taken twice.
                self.forget(id);
                return;
            }
        }
        let batch = self.publishing.batches.get(&id);
        if batch.is_some_and(|batch| batch.open == 0) {
            self.complete(id, store);
        }
    }

    fn place_one(
        &mut self,
        id: PublishId,
        operation: Shared,
        found: &BTreeMap<String, Vec<NodeId>>,
        store: &mut dyn Store,
    ) -> Result<(), Failed> {
        let mut nodes: BTreeSet<NodeId> = operation.nodes.iter().copied().collect();
        for room in &operation.rooms {
            if self.is_mine(room) {
                nodes.extend(store.nodes(room)?);
            } else {
                nodes.extend(found.get(room).into_iter().flatten());
            }
        }
        let Some(batch) = self.publishing.batches.get(&id) else {
            return Ok(());
        };
        let (sender, deadline) = (batch.sender, batch.deadline);
        self.publishing.place += 1;
        let seq = operation.seq;
        let event = Event {
            place: self.publishing.place,
            sender,
            deadline,
            operation,
        };
        for node in nodes {
            let queued = Queued {
                publish: id,
                event: event.clone(),
            };
            if self.lanes.push(node, queued) {
                if let Some(batch) = self.publishing.batches.get_mut(&id) {
                    batch.open += 1;
                }
            } else {
                self.note(id, seq, |missing| missing.add_node(node));
            }
        }
        Ok(())
    }

    fn note(&mut self, id: PublishId, seq: u64, change: impl FnOnce(&mut Missing)) {
        if let Some(batch) = self.publishing.batches.get_mut(&id) {
            change(batch.missing.entry(seq).or_default());
        }
    }

    /// What the rule `PlaceTogether` forbids.
    fn place_own_rooms(&mut self, id: PublishId, store: &mut dyn Store) {
        let Some(batch) = self.publishing.batches.get_mut(&id) else {
            return;
        };
        let operations = mem::take(&mut batch.operations);
        let (index, count) = (self.index, self.hubs);
        let is_mine = |op: &Shared| op.rooms.iter().all(|room| hub_of(room, count) == index);
        let (own, rest): (Vec<_>, Vec<_>) = operations.into_iter().partition(is_mine);
        batch.operations = rest;
        for operation in own {
            let _ = self.place_one(id, operation, &BTreeMap::new(), store);
        }
    }

    /// Forgets a batch as if it had not come.
    fn forget(&mut self, id: PublishId) {
        if let Some(batch) = self.publishing.batches.get(&id) {
            self.publishing.senders.remove(&batch.sender);
        }
        self.abandon(id);
    }

    /// All deliveries of a batch have ended: its sender is answered.
    pub(super) fn complete(&mut self, id: PublishId, store: &dyn Store) {
        if self.publishing.is_complete(id) {
            return;
        }
        let (index, count) = (self.index, self.hubs);
        let Some(batch) = self.publishing.batches.get_mut(&id) else {
            return;
        };
        batch.stage = Stage::Complete;
        let sender = batch.sender;
        let waiters = mem::take(&mut batch.waiters);
        let operations = mem::take(&mut batch.operations);
        let partial: Vec<_> = batch.missing.clone().into_iter().collect();
        let rooms = operations.iter().flat_map(|op| &op.rooms);
        let rooms = rooms.filter(|room| hub_of(room, count) == index);
        let rooms: BTreeSet<_> = rooms.cloned().collect();
        let grants = self.grant(rooms.into_iter().collect(), sender.node, store);
        // Only the last of them is still listened to.
        for ticket in waiters {
            let published = Published {
                partial: partial.clone(),
                grants: grants.clone(),
            };
            self.calls.answer(ticket, Answer::Published(published));
        }
    }
}
