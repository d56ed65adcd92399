//! Emits on their way to hubs: one publish under way to each, and what waits goes
//! together with the next.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Emit, EmitId, Emitted, Full, Members, Node, Outcome, Purpose, Rule, is_broken};
use crate::cluster::flight::Flight;
use crate::cluster::{
    ANSWER_GRACE, Address, Await, Call, EMIT_LIMIT, HubIndex, HubLife, MAX_BATCH, MAX_ROOMS,
    MAX_WAITING, MAX_WAITING_BYTES, Operation, Output, Payload, Publish, Published, Shared,
    UNSENT_LIMIT,
};
use crate::{Map, Set, Timestamp};

/// The way of events to a hub.
#[derive(Debug, Default)]
pub(super) struct Publishing {
    pub(super) flight: Flight,
    current: Option<Batch>,
    /// Batches that the hub has placed and that have not arrived everywhere, and the way of
    /// the question for the first of them.
    open: VecDeque<Open>,
    pub(super) awaiting: Flight,
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// Emits that wait for others first, and when that becomes too long.
    held: VecDeque<Waiting>,
    /// The number of the last event.
    seq: u64,
    /// Rooms whose grant is not taken, should it be in the answer to what is under way.
    spoiled: Set<String>,
}

#[derive(Debug)]
struct Waiting {
    id: EmitId,
    operation: Operation,
    until: Timestamp,
}

/// The events of one call, which stays the same when it is repeated.
#[derive(Debug)]
struct Batch {
    deadline: Timestamp,
    emits: Vec<EmitId>,
    operations: Vec<Shared>,
}

/// A batch on its way.
#[derive(Debug)]
struct Open {
    batch: Batch,
    /// The life of the hub that has placed it. `None` if that has ended: then nobody knows
    /// what becomes of it, until it can reach nobody any more.
    life: Option<HubLife>,
}

impl Batch {
    fn is_over(&self, now: Timestamp) -> bool {
        self.deadline + ANSWER_GRACE <= now
    }

    fn first_seq(&self) -> u64 {
        self.operations.first().map_or(0, |first| first.seq)
    }
}

impl Publishing {
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let current = self.current.as_ref();
        let open = self.open.front().map(|open| &open.batch);
        let limits = [
            current.map(|batch| batch.deadline + ANSWER_GRACE),
            open.map(|batch| batch.deadline + ANSWER_GRACE),
            self.awaiting.next_deadline(),
            self.waiting.front().map(|waiting| waiting.until),
            self.held.front().map(|held| held.until),
            self.flight.next_deadline(),
        ];
        limits.into_iter().flatten().min()
    }

    /// Makes sure that no grant of a room is taken that is on its way.
    pub(super) fn spoil(&mut self, room: &str) {
        if self.current.is_some() {
            self.spoiled.insert(room.into());
        }
    }

    /// Returns whether so much is on its way that nothing else may leave.
    fn is_blocked(&self) -> bool {
        let open = self.open.iter().map(|open| open.batch.emits.len());
        open.sum::<usize>() >= MAX_WAITING
    }

    fn is_full(&self, size: usize) -> bool {
        let count = self.waiting.len() + self.held.len();
        count >= MAX_WAITING || (count > 0 && self.bytes + size > MAX_WAITING_BYTES)
    }

    /// Takes the events of the next call.
    fn take_batch(&mut self, now: Timestamp) -> Option<Batch> {
        let (mut bytes, mut rooms, mut first) = (0, 0, None);
        let mut emits = Vec::new();
        let mut operations = Vec::new();
        while let Some(waiting) = self.waiting.front() {
            let size = waiting.operation.size();
            bytes += size;
            rooms += waiting.operation.rooms.len();
            // What is logged is answered before it has arrived, and waits for nothing.
            let is_logged = waiting.operation.is_logged;
            let is_other = first.is_some_and(|first| first != is_logged);
            let is_full = bytes > MAX_BATCH || rooms > MAX_ROOMS;
            if !emits.is_empty() && (is_full || is_other) {
                break;
            }
            first = Some(is_logged);
            let Some(mut waiting) = self.waiting.pop_front() else {
                break;
            };
            self.bytes -= size;
            self.seq += 1;
            waiting.operation.seq = self.seq;
            emits.push(waiting.id);
            operations.push(Shared(Rc::new(waiting.operation)));
        }
        self.spoiled.clear();
        (!emits.is_empty()).then(|| Batch {
            deadline: now + EMIT_LIMIT,
            emits,
            operations,
        })
    }

    /// Removes what has waited for too long.
    fn take_unsent(&mut self, now: Timestamp) -> Vec<EmitId> {
        let mut unsent = Vec::new();
        for queue in [&mut self.waiting, &mut self.held] {
            while queue.front().is_some_and(|waiting| waiting.until <= now) {
                if let Some(waiting) = queue.pop_front() {
                    self.bytes -= waiting.operation.size();
                    unsent.push(waiting.id);
                }
            }
        }
        unsent
    }

    /// Lets an emit go that had to wait for others.
    fn let_go(&mut self, id: EmitId) -> bool {
        let position = self.held.binary_search_by_key(&id, |waiting| waiting.id);
        let waiting = position
            .ok()
            .and_then(|position| self.held.remove(position));
        let Some(waiting) = waiting else {
            return false;
        };
        // Those behind it have no room in common with it, and more time.
        let position = self.waiting.partition_point(|other| other.id < id);
        self.waiting.insert(position, waiting);
        true
    }
}

impl Node {
    /// Sends an event to members of rooms, wherever they are.
    ///
    /// # Errors
    ///
    /// It has no room or more than [`MAX_ROOMS`], or [`MAX_WAITING`] events or
    /// [`MAX_WAITING_BYTES`] wait for the same hub already. It is not sent.
    pub fn emit(
        &mut self,
        emit: &Emit<'_>,
        now: Timestamp,
        members: &dyn Members,
    ) -> Result<Emitted, Full> {
        if self.is_served_here(emit) {
            return Ok(Emitted::Here);
        }
        self.send_emit(emit, false, now, members).map(Emitted::Sent)
    }

    /// Sends an event that is logged, for clients that come back: to members of rooms,
    /// wherever they are, and whether they are connected or not.
    ///
    /// The hub has to be [recovering](crate::cluster::Hub::recovering). The emit is
    /// [`Outcome::Reached`] as soon as the event is logged; from then on it is sent until
    /// it has arrived. Nobody is [told of nodes](Emit::tells_nodes): events that ask for
    /// acknowledgements are not recovered, and go by [`emit`](Self::emit).
    ///
    /// # Errors
    ///
    /// As for [`emit`](Self::emit).
    pub fn emit_logged(
        &mut self,
        emit: &Emit<'_>,
        now: Timestamp,
        members: &dyn Members,
    ) -> Result<EmitId, Full> {
        self.send_emit(emit, true, now, members)
    }

    fn send_emit(
        &mut self,
        emit: &Emit<'_>,
        is_logged: bool,
        now: Timestamp,
        members: &dyn Members,
    ) -> Result<EmitId, Full> {
        let rooms = emit.rooms;
        let hub = rooms.iter().map(|room| self.hub_of(room)).min();
        let hub = hub.filter(|_| rooms.len() <= MAX_ROOMS).ok_or(Full)?;
        let names: Set<&str> = rooms.iter().copied().collect();
        let rooms: Vec<String> = names.into_iter().map(String::from).collect();
        let operation = Operation {
            seq: 0,
            rooms: rooms.clone(),
            nodes: emit.nodes.into(),
            tells_nodes: emit.tells_nodes && !is_logged,
            is_logged,
            payload: Payload(emit.payload.into()),
        };
        let publishing = &mut self.links.entry(hub).or_default().publishing;
        let size = operation.size();
        if publishing.is_full(size) {
            return Err(Full);
        }
        publishing.bytes += size;
        let id = EmitId(self.next_emit);
        self.next_emit += 1;
        let waiting = Waiting {
            id,
            operation,
            until: now + UNSENT_LIMIT,
        };
        if self.holds.insert(id, rooms, hub) {
            publishing.waiting.push_back(waiting);
        } else {
            publishing.held.push_back(waiting);
        }
        self.send(now, members);
        Ok(id)
    }

    /// Returns whether all who may be meant are in this object.
    fn is_served_here(&self, emit: &Emit<'_>) -> bool {
        let mut rooms = emit.rooms.iter();
        let is_granted = |room: &&str| self.grants.contains(*room);
        let are_granted = if is_broken(Rule::GrantAll) {
            rooms.any(is_granted)
        } else {
            !emit.rooms.is_empty() && rooms.all(is_granted)
        };
        are_granted
            && emit.nodes.iter().all(|node| *node == self.id)
            && (self.holds.are_free(emit.rooms) || is_broken(Rule::LocalLast))
    }

    pub(super) fn send_publishes(&mut self, now: Timestamp) {
        let sender = self.sender();
        let hubs = self.settings.hubs;
        // Members here of a room that moves would miss them.
        let is_held = self.joins.are_moving() && !is_broken(Rule::MoveFirst);
        for (hub, link) in self.links.iter_mut() {
            let publishing = &mut link.publishing;
            let is_due = publishing.flight.is_due(now) || publishing.flight.is_idle();
            if !is_due {
                continue;
            }
            if publishing.current.is_none() && !publishing.is_blocked() && !is_held {
                publishing.current = publishing.take_batch(now);
            }
            let Some(batch) = &publishing.current else {
                continue;
            };
            let call = Call::Publish(Publish {
                hub_life: link.life,
                hubs,
                sender,
                deadline: batch.deadline,
                operations: batch.operations.clone(),
            });
            let id = self
                .calls
                .call(Address::Hub(*hub), call, Purpose::Publish(*hub));
            publishing.flight.start(id);
        }
    }

    /// Asks for what has become of the first batches that are on their way.
    pub(super) fn send_awaits(&mut self, now: Timestamp) {
        let sender = self.sender();
        for (hub, link) in self.links.iter_mut() {
            let awaiting = &mut link.publishing.awaiting;
            let is_due = awaiting.is_due(now) || awaiting.is_idle();
            let mut open = link.publishing.open.iter().filter(|_| is_due);
            let wanted = open.find_map(|open| Some((open.life?, open.batch.first_seq())));
            let Some((hub_life, first_seq)) = wanted else {
                continue;
            };
            let call = Call::Await(Await {
                hub_life,
                sender,
                first_seq,
            });
            let id = self
                .calls
                .call(Address::Hub(*hub), call, Purpose::Await(*hub));
            awaiting.start(id);
        }
    }

    /// The hub has said what has become of a batch, or that the next one may come.
    pub(super) fn published(
        &mut self,
        hub: HubIndex,
        mut published: Published,
        now: Timestamp,
        members: &dyn Members,
    ) {
        let link = self.links.entry(hub).or_default();
        if published.place > 0 {
            link.learn_place(published.place, now);
        }
        link.publishing.flight.finish();
        let Some(batch) = link.publishing.current.take() else {
            return;
        };
        if published.is_open {
            let life = Some(link.life);
            link.publishing.open.push_back(Open { batch, life });
            return;
        }
        for room in core::mem::take(&mut published.grants) {
            let is_spoiled = link.publishing.spoiled.contains(&room);
            if members.is_occupied(&room) && !is_spoiled {
                self.grants.insert(room);
            }
        }
        self.resolve_batch(batch, published);
    }

    /// The hub has said what has become of the first batch that it knows to be on its way.
    pub(super) fn settled_at_last(&mut self, hub: HubIndex, published: Published) {
        let Some(link) = self.links.get_mut(&hub) else {
            return;
        };
        let publishing = &mut link.publishing;
        publishing.awaiting.finish();
        let known = publishing.open.iter().position(|open| open.life.is_some());
        let open = known.and_then(|position| publishing.open.remove(position));
        if let Some(Open { batch, .. }) = open {
            self.resolve_batch(batch, published);
        }
    }

    /// The hub has lost its memory, and with it what it knew of that batch.
    pub(super) fn forgotten_by(&mut self, hub: HubIndex) {
        let Some(link) = self.links.get_mut(&hub) else {
            return;
        };
        let publishing = &mut link.publishing;
        publishing.awaiting.finish();
        let mut open = publishing.open.iter_mut();
        if let Some(open) = open.find(|open| open.life.is_some()) {
            open.life = None;
        }
    }

    fn resolve_batch(&mut self, batch: Batch, published: Published) {
        let mut partial: Map<_, _> = published.partial.into_iter().collect();
        let mut nodes: Map<_, _> = published.nodes.into_iter().collect();
        for (id, operation) in batch.emits.into_iter().zip(batch.operations) {
            let outcome = match partial.remove(&operation.seq) {
                Some(missing) => Outcome::Partial(missing),
                None => Outcome::Reached,
            };
            if operation.tells_nodes {
                let taken = nodes.remove(&operation.seq).unwrap_or_default();
                self.calls.output(Output::Taken(id, taken));
            }
            self.resolve(id, outcome);
        }
    }

    /// Gives up what has no answer, and what could not be sent.
    pub(super) fn end_publishes(&mut self, now: Timestamp) {
        let mut ended = Vec::new();
        for link in self.links.values_mut() {
            let publishing = &mut link.publishing;
            let mut over = Vec::new();
            let open = publishing.open.iter();
            let count = open.take_while(|open| open.batch.is_over(now)).count();
            for open in publishing.open.drain(..count) {
                over.push((open.batch, publishing.awaiting.finish()));
            }
            if let Some(batch) = publishing.current.take_if(|batch| batch.is_over(now)) {
                over.push((batch, publishing.flight.finish()));
            }
            for (batch, call) in over {
                call.and_then(|id| self.calls.end(id));
                ended.extend(batch.emits.into_iter().map(|id| (id, Outcome::Unanswered)));
            }
            let unsent = publishing.take_unsent(now).into_iter();
            ended.extend(unsent.map(|id| (id, Outcome::Unsent)));
        }
        for (id, outcome) in ended {
            self.resolve(id, outcome);
        }
    }

    fn resolve(&mut self, id: EmitId, outcome: Outcome) {
        self.calls.output(Output::Resolved(id, outcome));
        for free in self.holds.remove(id) {
            let mut links = self.links.values_mut();
            let _ = links.any(|link| link.publishing.let_go(free));
        }
    }
}
