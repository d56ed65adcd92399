//! Passing events on to other nodes, for a hub that has too many to call.
//!
//! What they say is the hub's to judge: nothing is remembered of it, nothing repeated.

use alloc::vec::Vec;

use super::{Members, Node, Purpose};
use crate::cluster::hub::blame;
use crate::cluster::{
    Address, Answer, Call, CallId, Failure, MAX_RELAYS, Passed, RELAY_PATIENCE, Relay, Ticket,
};
use crate::{Map, Timestamp};

/// The calls of hubs that are being passed on.
#[derive(Debug, Default)]
pub(super) struct Relays {
    next: u64,
    open: Map<u64, Relaying>,
}

#[derive(Debug)]
struct Relaying {
    ticket: Ticket,
    until: Timestamp,
    /// What was said, by the positions of the nodes.
    passed: Vec<Passed>,
    /// The calls under way, and for which of them.
    out: Map<CallId, usize>,
}

impl Relays {
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.open.values().map(|relaying| relaying.until).min()
    }
}

impl Node {
    pub(super) fn relay(
        &mut self,
        ticket: Ticket,
        relay: &Relay,
        now: Timestamp,
        members: &dyn Members,
    ) {
        if self.relays.open.len() >= MAX_RELAYS {
            self.calls.answer(ticket, Answer::Unavailable);
            return;
        }
        let key = self.relays.next;
        self.relays.next += 1;
        let mut relaying = Relaying {
            ticket,
            until: now + RELAY_PATIENCE,
            passed: relay
                .to
                .iter()
                .map(|_| Passed::Failed(Failure::Broken))
                .collect(),
            out: Map::new(),
        };
        let others = relay.to.iter().enumerate();
        for (index, to) in others.filter(|(_, to)| to.node != self.id) {
            let call = Call::Deliver(relay.deliver(to));
            let id = self
                .calls
                .call(Address::Node(to.node), call, Purpose::Relay(key));
            relaying.out.insert(id, index);
        }
        let own = relay.to.iter().position(|to| to.node == self.id);
        if let Some((to, passed)) = own.and_then(|index| {
            let to = relay.to.get(index)?;
            Some((to, relaying.passed.get_mut(index)?))
        }) {
            *passed = self.deliver(relay.deliver(to), now, members).into();
        }
        self.relays.open.insert(key, relaying);
        self.end_relay_if(key, |relaying| relaying.out.is_empty());
    }

    /// A node has said something, or nothing.
    pub(super) fn relay_answered(&mut self, key: u64, id: CallId, passed: Passed) {
        if let Some(relaying) = self.relays.open.get_mut(&key)
            && let Some(index) = relaying.out.remove(&id)
            && let Some(place) = relaying.passed.get_mut(index)
        {
            *place = passed;
        }
        self.end_relay_if(key, |relaying| relaying.out.is_empty());
    }

    /// Answers with what there is.
    pub(super) fn end_relays(&mut self, now: Timestamp) {
        for key in self.relays.open.keys().copied().collect::<Vec<_>>() {
            self.end_relay_if(key, |relaying| relaying.until <= now);
        }
    }

    fn end_relay_if(&mut self, key: u64, is_over: impl Fn(&Relaying) -> bool) {
        if !self.relays.open.get(&key).is_some_and(is_over) {
            return;
        }
        if let Some(relaying) = self.relays.open.remove(&key) {
            for (id, _) in relaying.out {
                self.calls.end(id);
            }
            let answer = Answer::Relayed(relaying.passed);
            self.calls.answer(relaying.ticket, answer);
        }
    }
}

impl From<Answer> for Passed {
    fn from(answer: Answer) -> Self {
        let failure = blame(&answer);
        if let Answer::Delivered(delivered) = answer {
            Self::Delivered(delivered)
        } else if let Answer::WrongNodeLife(life) = answer {
            Self::WrongLife(life)
        } else {
            Self::Failed(failure)
        }
    }
}
