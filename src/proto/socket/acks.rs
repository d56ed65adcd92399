//! Acknowledgements that are awaited.

use alloc::vec::Vec;

use super::Args;
use super::sorted::SortedSet;

/// The bound of acknowledgements' numbers. Some clients read them into 31 bits.
pub const LAST_ACK: u32 = i32::MAX as u32;

/// Events that were sent with a request for an acknowledgement. `S` names a socket,
/// and `W` is whatever is to be done when all answers have come.
///
/// One number serves a whole broadcast. Numbers are not reused soon, and begin at
/// random whenever the memory is lost, so that a late answer, after a sleep, does
/// not answer anything else.
///
/// Specification: protocol 5, "Acknowledgement".
///
/// ```
/// use dormouse_proto::socket::{AwaitedAcks, Args};
///
/// let mut acks = AwaitedAcks::begin_at(7);
/// let id = acks.expect(["ada", "bob"], "all are here");
/// assert_eq!(id, 7);
/// let answer = |text: &'static str| Args::new(text, vec![]);
/// assert_eq!(acks.handle_ack(7, "ada", answer("[1]")), None);
/// assert_eq!(acks.handle_ack(7, "ada", answer("[2]")), None, "the first one counts");
/// assert_eq!(acks.handle_ack(7, "eve", answer("[3]")), None, "she was not asked");
/// assert_eq!(acks.handle_ack(8, "bob", answer("[4]")), None, "nobody asked");
/// assert_eq!(acks.handle_ack(7, "bob", answer("[5]")), Some("all are here"));
/// let answers: Vec<_> = acks.take(7).answers.into_iter().map(|(who, _)| who).collect();
/// assert_eq!(answers, ["ada", "bob"]);
/// ```
#[derive(Clone, Debug)]
pub struct AwaitedAcks<S, W> {
    next: u32,
    /// Mostly in the order of their numbers; searched from the end.
    waiting: Vec<(u32, Waiting<S>, Option<W>)>,
}

/// The answers to one event.
#[derive(Clone, Debug)]
pub struct Waiting<S> {
    /// The sockets that have not answered yet.
    missing: SortedSet<S>,
    /// The answers, in the order in which they came.
    pub answers: Vec<(S, Args<'static>)>,
    /// The sockets that have gone without an answer, in the order in which they went.
    pub gone: Vec<S>,
}

impl<S: Ord + Copy> Waiting<S> {
    fn new() -> Self {
        Self {
            missing: SortedSet::default(),
            answers: Vec::new(),
            gone: Vec::new(),
        }
    }

    /// Returns the sockets that have not answered yet, in order.
    pub fn missing(&self) -> &[S] {
        self.missing.as_slice()
    }
}

impl<S: Ord + Copy, W> AwaitedAcks<S, W> {
    /// Creates an empty set whose first number will be this one.
    pub fn begin_at(first: u32) -> Self {
        Self {
            next: first % LAST_ACK,
            waiting: Vec::new(),
        }
    }

    /// Returns the number of an event that these sockets have to acknowledge.
    pub fn expect(&mut self, from: impl IntoIterator<Item = S>, then: W) -> u32 {
        while self.place(self.next).is_some() {
            self.advance();
        }
        let id = self.next;
        self.advance();
        let mut waiting = Waiting::new();
        for socket in from {
            waiting.missing.insert(socket);
        }
        self.waiting.push((id, waiting, Some(then)));
        id
    }

    fn advance(&mut self) {
        self.next = (self.next + 1) % LAST_ACK;
    }

    fn place(&self, id: u32) -> Option<usize> {
        self.waiting.iter().rposition(|(other, ..)| *other == id)
    }

    /// Takes in a socket's acknowledgement. Returns what is to be done if that was
    /// the last answer. Acknowledgements that nobody asked for, or that have come
    /// before, are ignored.
    pub fn handle_ack(&mut self, id: u64, from: S, args: Args<'static>) -> Option<W> {
        let place = self.place(u32::try_from(id).ok()?)?;
        let (_, waiting, then) = self.waiting.get_mut(place)?;
        if !waiting.missing.remove(from) {
            return None;
        }
        waiting.answers.push((from, args));
        then.take_if(|_| waiting.missing.is_empty())
    }

    /// Takes in that a socket is disconnected, and will not answer any more. Returns
    /// what is to be done for the events that were waiting for it alone.
    pub fn handle_gone(&mut self, from: S) -> Vec<W> {
        let mut complete = Vec::new();
        for (_, waiting, then) in &mut self.waiting {
            if waiting.missing.remove(from) {
                waiting.gone.push(from);
                complete.extend(then.take_if(|_| waiting.missing.is_empty()));
            }
        }
        complete
    }

    /// Returns whether all sockets have answered or gone.
    pub fn is_complete(&self, id: u32) -> bool {
        let waiting = self.place(id).and_then(|place| self.waiting.get(place));
        waiting.is_none_or(|(_, waiting, _)| waiting.missing.is_empty())
    }

    /// Returns the answers so far, and stops waiting for others.
    pub fn take(&mut self, id: u32) -> Waiting<S> {
        match self.place(id) {
            Some(place) => self.waiting.remove(place).1,
            None => Waiting::new(),
        }
    }
}
