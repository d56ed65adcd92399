//! Which nodes may have a member of a room, and who serves one alone.

use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use super::{Hub, Purpose, Rule, is_broken};
use crate::cluster::flight::Flight;
use crate::cluster::{
    Address, Answer, Ask, Call, Control, Controlled, Failed, Failure, Interested, MAX_CLEAN,
    MAX_ROOMS, NodeId, RECALL_PATIENCE, Recall, Stamp, Store, Ticket,
};
use crate::{Map, Set, Timestamp};

/// What a hub remembers of its rooms besides its rows.
#[derive(Debug, Default)]
pub(super) struct Interest {
    /// Of these rows it is known that their node does not serve the room alone. Of any
    /// other it may, by a grant of an earlier life. Two rows of one room say the same:
    /// the second was written after a recall.
    clean: Set<(String, NodeId)>,
    /// The grants of this life, for the test that shows why these do not suffice.
    #[cfg(all(test, not(target_arch = "wasm32")))]
    granted: Set<(String, NodeId)>,
    /// Controls that wait for a recall.
    controls: Map<Ticket, Waiting>,
    /// Which of them wait for a room.
    arriving: Map<String, Set<Ticket>>,
    recalls: Map<NodeId, Recalling>,
}

/// A control that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    node: NodeId,
    stamp: Stamp,
    rooms: Set<String>,
    until: Timestamp,
}

/// The way of recalls to a node.
#[derive(Debug, Default)]
struct Recalling {
    flight: Flight,
    current: Vec<String>,
    next: Set<String>,
}

impl Recalling {
    fn has(&self, room: &str) -> bool {
        self.next.contains(room) || self.current.iter().any(|name| name == room)
    }
}

impl Interest {
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let recalls = self.recalls.values();
        let recalls = recalls.filter_map(|recalling| recalling.flight.next_deadline());
        let controls = self.controls.values().map(|waiting| waiting.until);
        recalls.chain(controls).min()
    }

    /// A recall has failed. It is repeated while somebody waits for it.
    pub(super) fn fail_recall(
        &mut self,
        node: NodeId,
        failure: Failure,
        now: Timestamp,
        random: u32,
    ) {
        let Some(recalling) = self.recalls.get_mut(&node) else {
            return;
        };
        let arriving = &self.arriving;
        recalling.current.retain(|room| arriving.contains_key(room));
        recalling.next.retain(|room| arriving.contains_key(room));
        if recalling.current.is_empty() && recalling.next.is_empty() {
            self.recalls.remove(&node);
        } else {
            recalling.flight.fail(failure, now, random);
        }
    }

    fn is_clean(&self, room: &str, node: NodeId) -> bool {
        let row = (room.into(), node);
        #[cfg(all(test, not(target_arch = "wasm32")))]
        if is_broken(Rule::DistrustMemory) {
            return !self.granted.contains(&row);
        }
        self.clean.contains(&row)
    }

    fn note_clean(&mut self, room: &str, node: NodeId) {
        if self.clean.len() >= MAX_CLEAN {
            self.clean.pop_first();
        }
        self.clean.insert((room.into(), node));
    }

    fn forget_row(&mut self, room: &str, node: NodeId) {
        let row = (room.into(), node);
        self.clean.remove(&row);
        #[cfg(all(test, not(target_arch = "wasm32")))]
        self.granted.remove(&row);
    }
}

impl Hub {
    pub(super) fn control(
        &mut self,
        ticket: Ticket,
        control: &Control,
        now: Timestamp,
        store: &mut dyn Store,
    ) -> Result<(), Failed> {
        let node = control.node;
        let era = store.era(node)?;
        let stamp = if control.hello {
            Stamp::first(era.saturating_add(1))
        } else {
            control.stamp
        };
        if stamp.era > era {
            store.put_era(node, stamp.era)?;
        }
        for room in &control.vacate {
            self.strike_out(room, node, stamp, store)?;
        }
        let mut rooms = Set::new();
        for room in &control.occupy {
            if !self.occupy(room, node, stamp, store)? {
                rooms.insert(room.clone());
            }
        }
        if rooms.is_empty() {
            self.answer_control(ticket, stamp, Vec::new());
            return Ok(());
        }
        for room in &rooms {
            let waiting = self.interest.arriving.entry(room.clone()).or_default();
            waiting.insert(ticket);
        }
        let waiting = Waiting {
            node,
            stamp,
            rooms,
            until: now + RECALL_PATIENCE,
        };
        self.interest.controls.insert(ticket, waiting);
        Ok(())
    }

    fn answer_control(&mut self, ticket: Ticket, stamp: Stamp, waiting: Vec<String>) {
        let controlled = Controlled {
            hub_life: self.life,
            stamp,
            waiting,
            place: self.log.as_ref().map_or(0, |_| self.publishing.place),
        };
        self.calls.answer(ticket, Answer::Controlled(controlled));
    }

    /// Strikes out a node, unless something later is known.
    pub(super) fn strike_out(
        &mut self,
        room: &str,
        node: NodeId,
        stamp: Stamp,
        store: &mut dyn Store,
    ) -> Result<(), Failed> {
        let stamp = if is_broken(Rule::CompareStamps) {
            Stamp::first(u64::MAX)
        } else {
            stamp
        };
        self.interest.forget_row(room, node);
        store.delete_below(room, node, stamp)
    }

    /// Enters a node, or returns `false` if another one has to give up the room first.
    fn occupy(
        &mut self,
        room: &str,
        node: NodeId,
        stamp: Stamp,
        store: &mut dyn Store,
    ) -> Result<bool, Failed> {
        let is_known = store.has(room, node)?;
        let holder = if is_known || self.log.is_some() {
            // A hub that logs events grants no room.
            None
        } else {
            store.only_node(room)?
        };
        let holder = holder.filter(|holder| !self.interest.is_clean(room, *holder));
        if let Some(holder) = holder.filter(|_| !is_broken(Rule::RecallFirst)) {
            if is_broken(Rule::WriteLast) {
                store.put(room, node, stamp)?;
            }
            let recalling = self.interest.recalls.entry(holder).or_default();
            if !recalling.has(room) {
                recalling.next.insert(room.into());
            }
            return Ok(false);
        }
        store.put(room, node, stamp)?;
        if !is_known && self.log.is_none() {
            // A node whose row is new has vacated before, or never was here.
            self.interest.note_clean(room, node);
        }
        Ok(true)
    }

    /// Sends recalls that wait or are due again, one call for each node.
    pub(super) fn send_recalls(&mut self, now: Timestamp) {
        for (node, recalling) in self.interest.recalls.iter_mut() {
            if !recalling.flight.is_idle() && !recalling.flight.is_due(now) {
                continue;
            }
            if recalling.current.is_empty() {
                let mut rooms = mem::take(&mut recalling.next).into_iter();
                recalling.current = rooms.by_ref().take(MAX_ROOMS).collect();
                recalling.next = rooms.collect();
            }
            let call = Call::Recall(Recall {
                hub: self.index,
                rooms: recalling.current.clone(),
            });
            let purpose = Purpose::Recall(*node);
            let id = self.calls.call(Address::Node(*node), call, purpose);
            recalling.flight.start(id);
        }
    }

    /// A node has given up what it was asked for. Whoever waited looks again: somebody
    /// else may have come.
    pub(super) fn recalled(&mut self, node: NodeId, store: &mut dyn Store) {
        let Some(recalling) = self.interest.recalls.get_mut(&node) else {
            return;
        };
        recalling.flight.finish();
        let rooms = mem::take(&mut recalling.current);
        if recalling.next.is_empty() {
            self.interest.recalls.remove(&node);
        }
        for room in rooms {
            self.interest.note_clean(&room, node);
            #[cfg(all(test, not(target_arch = "wasm32")))]
            self.interest.granted.remove(&(room.clone(), node));
            for ticket in self.interest.arriving.remove(&room).unwrap_or_default() {
                self.look_again(ticket, &room, store);
            }
        }
    }

    fn look_again(&mut self, ticket: Ticket, room: &str, store: &mut dyn Store) {
        let Some(waiting) = self.interest.controls.get(&ticket) else {
            return;
        };
        let (node, stamp) = (waiting.node, waiting.stamp);
        match self.occupy(room, node, stamp, store) {
            Ok(true) => {}
            Ok(false) => {
                let again = self.interest.arriving.entry(room.into()).or_default();
                again.insert(ticket);
                return;
            }
            Err(Failed) => {
                self.forget_control(ticket);
                self.calls.answer(ticket, Answer::Unavailable);
                return;
            }
        }
        let Some(waiting) = self.interest.controls.get_mut(&ticket) else {
            return;
        };
        waiting.rooms.remove(room);
        if waiting.rooms.is_empty() {
            self.interest.controls.remove(&ticket);
            self.answer_control(ticket, stamp, Vec::new());
        }
    }

    /// Answers those who have waited for a recall for long enough. They ask again.
    pub(super) fn answer_impatient(&mut self, now: Timestamp) {
        let controls = self.interest.controls.iter();
        let impatient = controls.filter(|(_, waiting)| waiting.until <= now);
        let impatient: Vec<_> = impatient.map(|(ticket, _)| *ticket).collect();
        for ticket in impatient {
            if let Some(waiting) = self.forget_control(ticket) {
                let rooms = waiting.rooms.into_iter().collect();
                self.answer_control(ticket, waiting.stamp, rooms);
            }
        }
    }

    /// Removes a control that waits.
    pub(super) fn forget_control(&mut self, ticket: Ticket) -> Option<Waiting> {
        let waiting = self.interest.controls.remove(&ticket)?;
        for room in &waiting.rooms {
            if let Some(tickets) = self.interest.arriving.get_mut(room) {
                tickets.remove(&ticket);
                if tickets.is_empty() {
                    self.interest.arriving.remove(room);
                }
            }
        }
        Some(waiting)
    }

    /// Returns which of these rooms a node may serve alone from now on: those of which it
    /// has the only row, and for which nobody waits.
    ///
    /// Nor may it while an earlier grant is being taken back, even if whoever wanted that
    /// has stopped waiting: the answer would be taken for one about this grant.
    pub(super) fn grant(
        &mut self,
        rooms: Vec<String>,
        node: NodeId,
        store: &dyn Store,
    ) -> Vec<String> {
        if self.log.is_some() {
            return Vec::new();
        }
        let Interest {
            arriving, recalls, ..
        } = &self.interest;
        let recalling = recalls.get(&node);
        let is_free = |room: &String| {
            let is_recalled = recalling.is_some_and(|recalling| recalling.has(room));
            let is_awaited = is_recalled || arriving.contains_key(room);
            (!is_awaited || is_broken(Rule::NoGrantMeanwhile))
                && store.only_node(room) == Ok(Some(node))
        };
        let granted: Vec<_> = rooms.into_iter().filter(is_free).collect();
        for room in &granted {
            let row = (room.clone(), node);
            self.interest.clean.remove(&row);
            #[cfg(all(test, not(target_arch = "wasm32")))]
            self.interest.granted.insert(row);
        }
        granted
    }
}

/// Answers another hub's question.
pub(super) fn answer(ask: &Ask, store: &dyn Store) -> Result<Interested, Failed> {
    let mut positions = Map::new();
    let mut interested = Interested::default();
    for room in &ask.rooms {
        let mut found = Vec::new();
        for node in store.nodes(room)? {
            let next = u16::try_from(positions.len()).map_err(|_| Failed)?;
            let position = *positions.entry(node).or_insert(next);
            if position == next {
                interested.nodes.push(node);
            }
            found.push(position);
        }
        interested.rooms.push(found);
    }
    Ok(interested)
}
