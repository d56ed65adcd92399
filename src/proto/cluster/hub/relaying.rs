//! Nodes that pass events on to others, so that a hub need not call all of them.
//!
//! A lane does not know which way its batch goes. If a node says nothing by way of another
//! one, it is called with the same batch, which it takes once.

use alloc::vec::Vec;

use super::{Hub, Purpose, Rule, is_broken};
use crate::cluster::{
    Address, Call, CallId, Failure, MAX_SENDERS, NodeId, Passed, RELAY_DEGREE, RELAY_FROM,
    RELAY_LEAST, RELAY_LIMIT, Relay, Store,
};
use crate::{Map, Set, Timestamp};

/// The calls by which nodes pass events on.
#[derive(Debug)]
pub(super) struct Relaying {
    /// With so many lanes that have something to send, nodes pass on.
    pub(super) from: usize,
    open: Map<CallId, Relayed>,
    /// Nodes that have not answered by way of another one. They are called until they
    /// answer.
    direct: Set<NodeId>,
}

#[derive(Debug)]
struct Relayed {
    nodes: Vec<NodeId>,
    until: Timestamp,
}

impl Default for Relaying {
    fn default() -> Self {
        Self {
            from: RELAY_FROM,
            open: Map::new(),
            direct: Set::new(),
        }
    }
}

impl Relaying {
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.open.values().map(|relayed| relayed.until).min()
    }

    /// Returns whether this is such a call, and under way.
    pub(super) fn is_open(&self, id: CallId) -> bool {
        self.open.contains_key(&id)
    }

    /// Returns whether a node may be one of several that are called by one.
    pub(super) fn allows(&self, node: NodeId) -> bool {
        !self.direct.contains(&node)
    }

    /// A node has answered.
    pub(super) fn trust(&mut self, node: NodeId) {
        self.direct.remove(&node);
    }

    fn distrust(&mut self, node: NodeId) {
        if self.direct.len() >= MAX_SENDERS && !self.direct.contains(&node) {
            self.direct.pop_first();
        }
        self.direct.insert(node);
    }
}

impl Hub {
    /// Sends the same events to these nodes, whose batches are ready.
    pub(super) fn send_run(&mut self, run: Vec<NodeId>, now: Timestamp, store: &dyn Store) {
        if run.len() < RELAY_LEAST.min(self.relaying.from) {
            for node in run {
                self.send_deliver(node, store);
            }
            return;
        }
        let to = run
            .iter()
            .filter_map(|node| self.lanes.addressed(*node, store));
        let (to, Some(first)) = (to.collect(), run.first().copied()) else {
            return;
        };
        let call = Call::Relay(Relay {
            hub: self.index,
            hub_life: self.life,
            to,
            events: self.lanes.events(first),
        });
        let id = self.calls.call(Address::Node(first), call, Purpose::Relay);
        self.lanes.depart(&run, id);
        let relayed = Relayed {
            nodes: run,
            until: now + RELAY_LIMIT,
        };
        self.relaying.open.insert(id, relayed);
    }

    /// Returns whether a node can be called together with these.
    pub(super) fn goes_along(&self, run: &[NodeId], node: NodeId) -> bool {
        let Some(first) = run.first() else {
            return true;
        };
        self.lanes.len() >= self.relaying.from
            && run.len() < RELAY_DEGREE
            && self.relaying.allows(*first)
            && self.relaying.allows(node)
            && self.lanes.have_same(*first, node)
    }

    /// A node says what has become of events that it was to pass on.
    pub(super) fn relayed(
        &mut self,
        id: CallId,
        passed: &[Passed],
        now: Timestamp,
        random: u32,
        store: &mut dyn Store,
    ) {
        let Some(relayed) = self.relaying.open.remove(&id) else {
            return;
        };
        for (index, node) in relayed.nodes.into_iter().enumerate() {
            // It may have been too late for its batch, and another one is under way.
            if !self.lanes.is_out(node, id) && !is_broken(Rule::IgnoreEarlier) {
                continue;
            }
            match passed.get(index) {
                Some(Passed::Delivered(delivered)) => self.delivered(node, delivered, store),
                Some(Passed::WrongLife(life)) => self.learn_life(node, *life, now, random),
                Some(Passed::Failed(_)) | None if is_broken(Rule::CallSilent) => {
                    self.delivered(node, &Default::default(), store);
                }
                Some(Passed::Failed(failure)) => {
                    self.relaying.distrust(node);
                    self.lanes.fail(node, *failure, now, random);
                }
                None => self.send_again(node),
            }
        }
    }

    /// A node does not say what has become of events that it was to pass on.
    pub(super) fn relay_failed(
        &mut self,
        id: CallId,
        failure: Failure,
        now: Timestamp,
        random: u32,
    ) {
        let Some(relayed) = self.relaying.open.remove(&id) else {
            return;
        };
        let mut nodes = relayed.nodes.into_iter();
        if let Some(first) = nodes.next().filter(|node| self.lanes.is_out(*node, id)) {
            self.relaying.distrust(first);
            self.lanes.fail(first, failure, now, random);
        }
        for node in nodes.filter(|_| !is_broken(Rule::CallAll)) {
            if self.lanes.is_out(node, id) {
                self.send_again(node);
            }
        }
    }

    /// Calls a node that was to get its batch by way of another one.
    fn send_again(&mut self, node: NodeId) {
        self.relaying.distrust(node);
        self.lanes.send_again(node);
    }

    /// Waits no longer for nodes that were to pass events on.
    pub(super) fn look_at_relays(&mut self, now: Timestamp) {
        let open = self.relaying.open.iter();
        let due = open.filter(|(_, relayed)| relayed.until <= now);
        for id in due.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.calls.end(id);
            self.lanes.free_call();
            self.relay_failed(id, Failure::Broken, now, 0);
        }
    }
}
