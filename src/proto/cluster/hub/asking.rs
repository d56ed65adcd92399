//! Questions to other hubs: which nodes may have a member of their rooms.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use super::publishing::{Batch, PublishId, Publishing, Stage};
use super::{Hub, Purpose, Rule, is_broken};
use crate::cluster::flight::Flight;
use crate::cluster::{
    Address, Ask, Call, Failure, HubIndex, Interested, MAX_ROOMS, NodeId, Store, hub_of,
};
use crate::{Map, Set, Timestamp};

/// The way of questions to another hub.
#[derive(Debug, Default)]
pub(super) struct Asking {
    pub(super) flight: Flight,
    rooms: Vec<String>,
    current: Vec<PublishId>,
    next: VecDeque<PublishId>,
}

impl Publishing {
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
}

impl Hub {
    /// Notes which hubs have to be asked about a batch.
    pub(super) fn ask_others(&mut self, id: PublishId) {
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
        for (hub, asking) in state.asks.iter_mut() {
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
                let mut rooms = Set::new();
                while let Some(id) = asking.next.front() {
                    let operations = batches.get(id).map(|batch| &*batch.operations);
                    let named = operations.unwrap_or_default().iter();
                    let named = named.flat_map(|op| &op.rooms);
                    let named = named.filter(|room| hub_of(room, count) == *hub);
                    let named: Set<_> = named.collect();
                    let more = named.difference(&rooms).count();
                    if !rooms.is_empty() && rooms.len() + more > MAX_ROOMS {
                        break;
                    }
                    rooms.extend(named);
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

    /// Another hub has answered. Returns `false` if that is no answer to the question.
    pub(super) fn interested(
        &mut self,
        hub: HubIndex,
        interested: &Interested,
        now: Timestamp,
        store: &mut dyn Store,
    ) -> bool {
        let state = &mut self.publishing;
        let Some(asking) = state.asks.get_mut(&hub) else {
            return true;
        };
        let mut positions = interested.rooms.iter().flatten();
        let are_known = positions.all(|at| usize::from(*at) < interested.nodes.len());
        if interested.rooms.len() != asking.rooms.len() || !are_known {
            return false;
        }
        asking.flight.finish();
        let ids = mem::take(&mut asking.current);
        let rooms = mem::take(&mut asking.rooms);
        let node = |at: &u16| interested.nodes.get(usize::from(*at)).copied();
        let nodes = interested.rooms.iter();
        let nodes = nodes.map(|room| room.iter().filter_map(node).collect::<Vec<_>>());
        let answers: Map<String, Vec<NodeId>> = rooms.into_iter().zip(nodes).collect();
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
        true
    }

    /// Goes on without the hubs that have not answered.
    pub(super) fn stop_asking(&mut self, now: Timestamp, store: &mut dyn Store) {
        let asking = self.publishing.asking.iter();
        let tired = asking.take_while(|(until, _)| *until <= now);
        let tired = tired.map(|(_, id)| *id);
        for id in tired.collect::<Vec<_>>() {
            self.place(id, now, store);
        }
    }
}
