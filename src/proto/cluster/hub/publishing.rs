//! Events that have come in: to whom they go, and what has become of them.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use super::asking::Asking;
use super::lanes::Queued;
use super::{Hub, Rule, is_broken};
use crate::cluster::{
    ANSWER_GRACE, ASK_LIMIT, Answer, Await, EMIT_LIMIT, Event, Failed, HubIndex, MAX_HELD_BYTES,
    MAX_SENDERS, Missing, NodeId, Operation, PUBLISH_PATIENCE, Publish, Published, Sender, Shared,
    Store, Ticket, hub_of,
};
use crate::{Map, Set, Timestamp};

/// The number of a publish in a life of the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PublishId(u64);

/// All that was published and is remembered.
#[derive(Debug, Default)]
pub(super) struct Publishing {
    next: u64,
    /// The last place that was given.
    pub(super) place: u64,
    pub(super) batches: Map<PublishId, Batch>,
    /// The size of those that are not answered, in bytes.
    held: usize,
    /// The last batch of each sender: of no other is a repetition expected.
    senders: Map<Sender, Last>,
    /// When each batch may be forgotten.
    ages: VecDeque<(Timestamp, Sender, PublishId)>,
    /// Batches whose senders wait, and until when.
    patience: Set<(Timestamp, PublishId)>,
    /// Batches whose senders have gone on, by the number of their first events.
    open: Map<(Sender, u64), PublishId>,
    pub(super) asks: Map<HubIndex, Asking>,
    /// Until when each batch waits for other hubs.
    pub(super) asking: Set<(Timestamp, PublishId)>,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    first_seq: u64,
    publish: PublishId,
}

/// The events of one publish.
#[derive(Debug)]
pub(super) struct Batch {
    sender: Sender,
    first_seq: u64,
    deadline: Timestamp,
    pub(super) operations: Vec<Shared>,
    /// The size of these, until they are answered.
    bytes: usize,
    pub(super) stage: Stage,
    /// The number of deliveries that have not ended.
    open: usize,
    turn: Turn,
    missing: Map<u64, Missing>,
    /// The nodes of events whose sender has to know them.
    nodes: Map<u64, Set<NodeId>>,
    waiters: Vec<Ticket>,
}

/// Whether the sender of a batch may go on with the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Not before the events have their places.
    Placing,
    /// As soon as they have arrived everywhere, or then.
    Waiting(Timestamp),
    /// It was told so.
    Next,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// Other hubs were asked.
    Asking {
        /// Those that have not answered.
        hubs: Set<HubIndex>,
        until: Timestamp,
        /// The nodes of each of their rooms.
        found: Map<String, Vec<NodeId>>,
    },
    /// The events are on their way.
    Placed,
    /// It was answered, and may have to be again.
    Complete,
}

impl Batch {
    fn published(&self, grants: Vec<String>) -> Published {
        let nodes = self.nodes.iter();
        Published {
            partial: self.missing.clone().into_iter().collect(),
            nodes: nodes
                .map(|(seq, nodes)| (*seq, nodes.iter().copied().collect()))
                .collect(),
            grants,
            ..Published::default()
        }
    }
}

impl Publishing {
    fn published(&self, id: PublishId, grants: Vec<String>) -> Published {
        let batch = self.batches.get(&id);
        batch.map_or_else(Published::default, |batch| batch.published(grants))
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let asking = self.asking.first().map(|(at, _)| *at);
        let asks = self.asks.values();
        let asks = asks.filter_map(|asking| asking.flight.next_deadline());
        let patience = self.patience.first().map(|(at, _)| *at);
        asking.into_iter().chain(asks).chain(patience).min()
    }

    /// An event has reached a node, or will not any more. Returns whether that was the
    /// last delivery of its batch.
    pub(super) fn settle(&mut self, publish: PublishId, seq: u64, missing: Option<NodeId>) -> bool {
        let Some(batch) = self.batches.get_mut(&publish) else {
            return false;
        };
        if let Some(node) = missing {
            batch.missing.entry(seq).or_default().add_node(node);
            if let Some(nodes) = batch.nodes.get_mut(&seq) {
                nodes.remove(&node);
            }
        }
        batch.open = batch.open.saturating_sub(1);
        batch.open == 0 && matches!(batch.stage, Stage::Placed)
    }

    /// Forgets batches whose senders do not wait for an answer any more. Returns the calls
    /// that have none: those of a clock that was set.
    fn expire(&mut self, now: Timestamp) -> Vec<Ticket> {
        let mut waiters = Vec::new();
        while let Some((until, sender, id)) = self.ages.front().copied() {
            if until >= now {
                break;
            }
            self.ages.pop_front();
            waiters.extend(self.remove(id).into_iter().flat_map(|it| it.waiters));
            let last = self.senders.get(&sender);
            if last.is_some_and(|last| last.publish == id) {
                self.senders.remove(&sender);
            }
        }
        waiters
    }

    /// Removes a batch, and what is remembered for its sake.
    fn remove(&mut self, id: PublishId) -> Option<Batch> {
        let batch = self.batches.remove(&id)?;
        self.held -= batch.bytes;
        if let Stage::Asking { until, .. } = batch.stage {
            self.asking.remove(&(until, id));
        }
        match batch.turn {
            Turn::Placing => {}
            Turn::Waiting(until) => {
                self.patience.remove(&(until, id));
            }
            Turn::Next => {
                self.open.remove(&(batch.sender, batch.first_seq));
            }
        }
        Some(batch)
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
        if self.is_resuming() && !is_broken(Rule::ResumeFirst) {
            self.calls.answer(ticket, Answer::Unavailable);
            return;
        }
        if publish.operations.iter().any(|op| op.is_logged) {
            let are_logged = publish.operations.iter().all(|op| op.is_logged);
            if self.log.is_none() || !are_logged {
                self.calls.answer(ticket, Answer::Misdirected);
            } else {
                self.publish_logged(ticket, &publish, now, store);
            }
            return;
        }
        for waiter in self.publishing.expire(now) {
            self.calls.answer(waiter, Answer::Unavailable);
        }
        let state = &mut self.publishing;
        let Some(first_seq) = publish.operations.first().map(|first| first.seq) else {
            let answer = Answer::Published(Published::default());
            self.calls.answer(ticket, answer);
            return;
        };
        if let Some(last) = state.senders.get(&sender).copied() {
            let batch = state.batches.get(&last.publish);
            let turn = batch.map(|batch| batch.turn);
            // Of one that could not be placed, nothing is left but its number.
            if last.first_seq == first_seq && turn.is_some() {
                self.answer_again(ticket, last.publish);
                return;
            }
            if last.first_seq > first_seq {
                // A sender that has gone on does not wait for this.
                self.calls.answer(ticket, Answer::Unavailable);
                return;
            }
            // A sender that goes on without being told to has given the one before up.
            if turn.is_some_and(|turn| turn != Turn::Next) {
                self.abandon(last.publish);
            }
        } else if state.senders.len() >= MAX_SENDERS {
            self.calls.answer(ticket, Answer::Unavailable);
            return;
        }
        let bytes = publish.operations.iter().map(|it| it.size()).sum();
        let held = self.publishing.held;
        if held > 0 && held + bytes > MAX_HELD_BYTES {
            self.calls.answer(ticket, Answer::Unavailable);
            return;
        }
        let id = self.remember(ticket, publish, (first_seq, bytes), now);
        if is_broken(Rule::PlaceBeforeNext) {
            self.let_sender_go_on(id);
        }
        if is_broken(Rule::AwaitNodes) {
            let answer = Answer::Published(Published::default());
            self.calls.answer(ticket, answer);
        }
        #[cfg(all(test, not(target_arch = "wasm32")))]
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
        (first_seq, bytes): (u64, usize),
        now: Timestamp,
    ) -> PublishId {
        // Whatever the sender's clock says, it does not get more time than anybody else.
        let deadline = publish.deadline.min(now + EMIT_LIMIT);
        let state = &mut self.publishing;
        state.next += 1;
        let id = PublishId(state.next);
        let until = deadline.max(now) + ANSWER_GRACE;
        let last = Last {
            first_seq,
            publish: id,
        };
        state.senders.insert(publish.sender, last);
        state.ages.push_back((until, publish.sender, id));
        state.held += bytes;
        let batch = Batch {
            sender: publish.sender,
            first_seq,
            deadline,
            operations: publish.operations,
            bytes,
            stage: Stage::Asking {
                hubs: Set::new(),
                until: deadline.min(now + ASK_LIMIT),
                found: Map::new(),
            },
            open: 0,
            turn: Turn::Placing,
            missing: Map::new(),
            nodes: Map::new(),
            waiters: Vec::from([ticket]),
        };
        if let Stage::Asking { until, .. } = batch.stage {
            state.asking.insert((until, id));
        }
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
            Stage::Placed if batch.turn == Turn::Next => {
                self.calls.answer(ticket, go_on());
            }
            Stage::Asking { .. } | Stage::Placed => batch.waiters.push(ticket),
            Stage::Complete => {
                // Grants were in the first answer. One that was lost is recalled.
                let published = batch.published(Vec::new());
                self.calls.answer(ticket, Answer::Published(published));
            }
        }
    }

    /// Forgets a batch whose sender does not wait for it. What was placed goes on.
    fn abandon(&mut self, id: PublishId) {
        if let Some(batch) = self.publishing.remove(id) {
            for ticket in batch.waiters {
                self.calls.answer(ticket, Answer::Unavailable);
            }
        }
    }

    pub(super) fn place_if_known(&mut self, id: PublishId, now: Timestamp, store: &mut dyn Store) {
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
    pub(super) fn place(&mut self, id: PublishId, now: Timestamp, store: &mut dyn Store) {
        let Some(batch) = self.publishing.batches.get_mut(&id) else {
            return;
        };
        let is_late = batch.deadline < now && !is_broken(Rule::KeepDeadlines);
        let operations = batch.operations.clone();
        let stage = mem::replace(&mut batch.stage, Stage::Placed);
        let Stage::Asking { hubs, found, until } = stage else {
            return;
        };
        self.publishing.asking.remove(&(until, id));
        // All rows are read before the first event has its place: a batch that fails
        // halfway would be repeated, and have two places.
        let nodes = operations
            .iter()
            .map(|operation| self.nodes(operation, &found, store));
        let Ok(nodes) = nodes.collect::<Result<Vec<_>, Failed>>() else {
            // It may come again. What its sender has published before may not.
            self.abandon(id);
            return;
        };
        for (operation, nodes) in operations.into_iter().zip(nodes) {
            if is_late {
                self.note(id, operation.seq, |missing| missing.is_late = true);
                continue;
            }
            if !is_broken(Rule::CountSilence) {
                self.note_silence(id, &operation, &hubs);
            }
            self.place_one(id, operation, nodes);
        }
        let until = now + PUBLISH_PATIENCE;
        let Some(batch) = self.publishing.batches.get_mut(&id) else {
            return;
        };
        if batch.open == 0 {
            self.complete(id, store);
        } else if batch.turn == Turn::Placing {
            batch.turn = Turn::Waiting(until);
            self.publishing.patience.insert((until, id));
        }
    }

    /// Lets senders go on whose events have not arrived everywhere.
    pub(super) fn let_senders_go_on(&mut self, now: Timestamp) {
        let is_due = |(until, _): &(Timestamp, PublishId)| *until <= now;
        while self.publishing.patience.first().is_some_and(is_due) {
            let Some((_, id)) = self.publishing.patience.pop_first() else {
                return;
            };
            self.let_sender_go_on(id);
        }
    }

    fn let_sender_go_on(&mut self, id: PublishId) {
        let Some(batch) = self.publishing.batches.get_mut(&id) else {
            return;
        };
        batch.turn = Turn::Next;
        let key = (batch.sender, batch.first_seq);
        for ticket in mem::take(&mut batch.waiters) {
            self.calls.answer(ticket, go_on());
        }
        self.publishing.open.insert(key, id);
    }

    /// A sender that has gone on asks for what has become of its events.
    pub(super) fn await_published(&mut self, ticket: Ticket, wanted: &Await) {
        if wanted.hub_life != self.life {
            self.calls.answer(ticket, Answer::WrongHubLife(self.life));
            return;
        }
        let open = &self.publishing.open;
        let id = open.get(&(wanted.sender, wanted.first_seq));
        let batch = id.and_then(|id| self.publishing.batches.get_mut(id));
        match batch {
            Some(batch) if matches!(batch.stage, Stage::Complete) => {
                let published = batch.published(Vec::new());
                self.calls.answer(ticket, Answer::Published(published));
            }
            Some(batch) => batch.waiters.push(ticket),
            None => self.calls.answer(ticket, Answer::Unavailable),
        }
    }

    /// Returns the nodes that may have a member who is meant.
    pub(super) fn nodes(
        &self,
        operation: &Operation,
        found: &Map<String, Vec<NodeId>>,
        store: &dyn Store,
    ) -> Result<Set<NodeId>, Failed> {
        let mut nodes: Set<NodeId> = operation.nodes.iter().copied().collect();
        for room in &operation.rooms {
            if self.is_mine(room) {
                nodes.extend(store.nodes(room)?);
            } else {
                nodes.extend(found.get(room).into_iter().flatten().copied());
            }
        }
        Ok(nodes)
    }

    /// Notes the hubs that did not say who is interested in an event.
    fn note_silence(&mut self, id: PublishId, operation: &Operation, silent: &Set<HubIndex>) {
        let rooms = operation.rooms.iter();
        let hubs: Set<_> = rooms.map(|room| hub_of(room, self.hubs)).collect();
        for hub in hubs.intersection(silent) {
            self.note(id, operation.seq, |missing| missing.hubs.push(*hub));
        }
    }

    fn place_one(&mut self, id: PublishId, operation: Shared, nodes: Set<NodeId>) {
        let Some(batch) = self.publishing.batches.get(&id) else {
            return;
        };
        let (sender, deadline) = (batch.sender, batch.deadline);
        self.publishing.place += 1;
        let (seq, tells_nodes) = (operation.seq, operation.tells_nodes);
        let event = Event {
            place: self.publishing.place,
            sender,
            deadline,
            operation,
        };
        for node in nodes {
            let queued = Queued {
                publish: Some(id),
                event: event.clone(),
            };
            if !self.lanes.push(node, queued) {
                self.note(id, seq, |missing| missing.add_node(node));
            } else if let Some(batch) = self.publishing.batches.get_mut(&id) {
                batch.open += 1;
                if tells_nodes {
                    batch.nodes.entry(seq).or_default().insert(node);
                }
            }
        }
    }

    fn note(&mut self, id: PublishId, seq: u64, change: impl FnOnce(&mut Missing)) {
        if let Some(batch) = self.publishing.batches.get_mut(&id) {
            change(batch.missing.entry(seq).or_default());
        }
    }

    /// What the rule `PlaceTogether` forbids.
    #[cfg(all(test, not(target_arch = "wasm32")))]
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
            let nodes = self.nodes(&operation, &Map::new(), store);
            self.place_one(id, operation, nodes.unwrap_or_default());
        }
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
        self.publishing.held -= mem::take(&mut batch.bytes);
        if let Turn::Waiting(until) = batch.turn {
            self.publishing.patience.remove(&(until, id));
        }
        // Who has gone on has heard of joins and leaves since, and takes no grant.
        let takes_grants = batch.turn != Turn::Next;
        let sender = batch.sender;
        let waiters = mem::take(&mut batch.waiters);
        let operations = mem::take(&mut batch.operations);
        let rooms = operations.iter().flat_map(|op| &op.rooms);
        let rooms = rooms.filter(|room| hub_of(room, count) == index);
        let rooms: Set<_> = rooms.cloned().collect();
        let grants = match takes_grants {
            true => self.grant(rooms.into_iter().collect(), sender.node, store),
            false => Vec::new(),
        };
        // Only the last of them is still listened to.
        for ticket in waiters {
            let published = self.publishing.published(id, grants.clone());
            self.calls.answer(ticket, Answer::Published(published));
        }
    }
}

/// Returns the answer that lets a sender go on.
fn go_on() -> Answer {
    Answer::Published(Published {
        is_open: true,
        ..Published::default()
    })
}
