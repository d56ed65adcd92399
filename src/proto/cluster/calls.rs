//! The calls of a node or a hub that are under way, and what it asks of its driver.

use alloc::collections::VecDeque;

use super::{Address, Answer, Call, CallId, Output, Ticket};
use crate::Map;

/// `P` is what a call is about, for whoever made it.
#[derive(Clone, Debug)]
pub(super) struct Calls<P> {
    next: u64,
    out: Map<CallId, P>,
    outputs: VecDeque<Output>,
}

impl<P> Default for Calls<P> {
    fn default() -> Self {
        Self {
            next: 0,
            out: Map::new(),
            outputs: VecDeque::new(),
        }
    }
}

impl<P> Calls<P> {
    /// Calls somebody.
    pub(super) fn call(&mut self, to: Address, call: Call, purpose: P) -> CallId {
        let id = CallId(self.next);
        self.next += 1;
        self.out.insert(id, purpose);
        self.output(Output::Call { id, to, call });
        id
    }

    /// Ends a call, and returns what it was about. `None` if it was given up.
    pub(super) fn end(&mut self, id: CallId) -> Option<P> {
        self.out.remove(&id)
    }

    pub(super) fn answer(&mut self, ticket: Ticket, answer: Answer) {
        self.output(Output::Answer { ticket, answer });
    }

    pub(super) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns whether no call is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.out.is_empty() && self.outputs.is_empty()
    }
}
