//! Acknowledgements that are waited for.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::Args;

/// The largest number of an acknowledgement. Some clients read it into 31 bits.
pub const LAST_ACK: u32 = i32::MAX as u32;

/// Events that were sent with an acknowledgement asked for. `S` names a socket.
///
/// One number serves a whole broadcast. Numbers are not used again soon, and
/// begin at random whenever the memory is lost: so what is answered late, after
/// a sleep, answers nothing else.
///
/// ```
/// use dormouse_proto::socket::{Acks, Args};
///
/// let mut acks = Acks::begin_at(7);
/// let id = acks.expect(["ada", "bob"]);
/// assert_eq!(id, 7);
/// assert!(!acks.handle_ack(7, "ada", Args::new("[1]", vec![])));
/// assert!(!acks.handle_ack(7, "ada", Args::new("[2]", vec![])), "only the first one counts");
/// assert!(!acks.handle_ack(8, "bob", Args::new("[3]", vec![])), "nobody asked");
/// assert!(acks.handle_ack(7, "bob", Args::new("[4]", vec![])), "now all are here");
/// let answers: Vec<_> = acks.take(7).answers.into_iter().map(|(who, _)| who).collect();
/// assert_eq!(answers, ["ada", "bob"]);
/// ```
#[derive(Clone, Debug)]
pub struct Acks<S> {
    next: u32,
    waiting: BTreeMap<u32, Waiting<S>>,
}

/// What has come of one event.
#[derive(Clone, Debug)]
pub struct Waiting<S> {
    /// Who has not answered yet.
    pub missing: BTreeSet<S>,
    /// The answers, in the order in which they came.
    pub answers: Vec<(S, Args<'static>)>,
    /// How many have gone without an answer.
    pub gone: usize,
}

impl<S> Default for Waiting<S> {
    fn default() -> Self {
        Self {
            missing: BTreeSet::new(),
            answers: Vec::new(),
            gone: 0,
        }
    }
}

impl<S: Ord + Copy> Acks<S> {
    /// Nothing is waited for, and the first number will be this one.
    pub fn begin_at(first: u32) -> Self {
        Self {
            next: first % LAST_ACK,
            waiting: BTreeMap::new(),
        }
    }

    /// The number of an event that these sockets are to acknowledge.
    pub fn expect(&mut self, from: impl IntoIterator<Item = S>) -> u32 {
        while self.waiting.contains_key(&self.next) {
            self.advance();
        }
        let id = self.next;
        self.advance();
        let mut waiting = Waiting::default();
        // One by one: gathering them at once would bring a sort along.
        for socket in from {
            waiting.missing.insert(socket);
        }
        self.waiting.insert(id, waiting);
        id
    }

    fn advance(&mut self) {
        self.next = (self.next + 1) % LAST_ACK;
    }

    /// A socket has acknowledged. Whether that was the last answer to come;
    /// what nobody asked for, or has come before, is ignored.
    pub fn handle_ack(&mut self, id: u64, from: S, args: Args<'static>) -> bool {
        let waiting = u32::try_from(id)
            .ok()
            .and_then(|id| self.waiting.get_mut(&id));
        let Some(waiting) = waiting else {
            return false;
        };
        if !waiting.missing.remove(&from) {
            return false;
        }
        waiting.answers.push((from, args));
        waiting.missing.is_empty()
    }

    /// A socket is disconnected, and will not acknowledge this event any more.
    /// Whether it was the last one that was waited for.
    pub fn handle_gone(&mut self, id: u32, from: S) -> bool {
        let Some(waiting) = self.waiting.get_mut(&id) else {
            return false;
        };
        let was_missing = waiting.missing.remove(&from);
        waiting.gone += usize::from(was_missing);
        was_missing && waiting.missing.is_empty()
    }

    /// Whether all have answered or gone.
    pub fn is_complete(&self, id: u32) -> bool {
        self.waiting
            .get(&id)
            .is_none_or(|waiting| waiting.missing.is_empty())
    }

    /// What has come until now. Nothing more is waited for.
    pub fn take(&mut self, id: u32) -> Waiting<S> {
        self.waiting.remove(&id).unwrap_or_default()
    }

    /// Whether nothing is waited for.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }
}
