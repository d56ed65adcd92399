//! A node or a hub of one namespace: its calls, and those to it.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::collections::VecDeque;
use std::rc::Rc;

use dormouse_proto::Timestamp;
use dormouse_proto::cluster::{
    Answer, Call, CallId, EmitId, Failure, GatherId, Hub, JoinKey, Mark, Members, Missing, Node,
    NodeId, Outcome, Output, Payload, Ticket,
};
use futures::channel::oneshot;

use super::joins::PendingJoin;
use crate::parts::HubRows;
use crate::platform;
use crate::table::Table;

/// A call that is not answered for so long has failed.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// The last event of a hub that logs is written down so long after it was carried out, or
/// when a session that may have had it is. By then others may have come.
const MARK_AFTER: Duration = Duration::from_secs(1);

/// One of the two, as the protocol's core has them.
pub(super) enum Core {
    Node(Node),
    Hub(Hub, HubRows),
}

/// A node or a hub of one namespace.
pub(super) struct Participant {
    pub(super) namespace: Rc<str>,
    core: RefCell<Core>,
    /// Its outputs are being carried out.
    pub(super) is_running: Cell<bool>,
    /// The calls that have left, and when they will have failed.
    out: RefCell<VecDeque<(Timestamp, CallId)>>,
    /// Those that have come in, and whom to give the answer.
    tickets: RefCell<Table<u64, oneshot::Sender<Answer>>>,
    next: Cell<u64>,
    /// The last event of each hub that was carried out, or is about to be.
    pub(super) marks: RefCell<Vec<Mark>>,
    /// When that is to be written down.
    saves_at: Cell<Option<Timestamp>>,
    pub(super) joins: RefCell<Table<JoinKey, PendingJoin>>,
    pub(super) emits: RefCell<Table<EmitId, PendingEmit>>,
    pub(super) gathers: RefCell<Table<GatherId, PendingGather>>,
}

/// An emit that has not ended.
#[derive(Default)]
pub(super) struct PendingEmit {
    /// The nodes that have taken it.
    taken: Vec<NodeId>,
    end: Option<oneshot::Sender<(Vec<NodeId>, Outcome)>>,
}

/// A question that is not answered by all.
#[derive(Default)]
pub(super) struct PendingGather {
    answers: Vec<Payload>,
    end: Option<oneshot::Sender<(Vec<Payload>, Missing)>>,
}

impl Participant {
    pub(super) fn new(namespace: &str, core: Core, marks: Vec<Mark>) -> Self {
        Self {
            namespace: namespace.into(),
            core: RefCell::new(core),
            is_running: Cell::new(false),
            out: RefCell::default(),
            tickets: RefCell::default(),
            next: Cell::new(0),
            marks: RefCell::new(marks),
            saves_at: Cell::new(None),
            joins: RefCell::default(),
            emits: RefCell::default(),
            gathers: RefCell::default(),
        }
    }

    /// Returns a number that was not given before.
    pub(super) fn number(&self) -> u64 {
        self.next.replace(self.next.get() + 1)
    }

    /// Does something with the node. `None` if this is a hub.
    pub(super) fn with_node<T>(&self, work: impl FnOnce(&mut Node) -> T) -> Option<T> {
        match &mut *self.core.borrow_mut() {
            Core::Node(node) => Some(work(node)),
            Core::Hub(..) => None,
        }
    }

    /// Takes in a call. The answer may be there already when this returns, once the
    /// outputs are carried out.
    pub(super) fn handle_call(
        &self,
        call: Call,
        now: Timestamp,
        members: &dyn Members,
    ) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        let ticket = self.number();
        self.tickets.borrow_mut().insert(ticket, sender);
        let ticket = Ticket(ticket);
        match &mut *self.core.borrow_mut() {
            Core::Node(node) => node.handle_call(ticket, call, now, members),
            Core::Hub(hub, rows) => hub.handle_call(ticket, call, now, rows),
        }
        receiver
    }

    /// Gives an answer to whoever waits for it.
    pub(super) fn answer(&self, ticket: Ticket, answer: Answer) {
        if let Some(sender) = self.tickets.borrow_mut().remove(ticket.0) {
            // Whoever it was may not wait any more.
            let _ = sender.send(answer);
        }
    }

    /// Notes that an event is about to be carried out. If that panics, it is not carried out
    /// again.
    pub(super) fn note_mark(&self, mark: Mark) {
        let mut marks = self.marks.borrow_mut();
        marks.retain(|other| other.hub != mark.hub);
        marks.push(mark);
    }

    /// Returns the place of the last event, where there is one hub.
    pub(super) fn place(&self) -> u64 {
        self.marks.borrow().first().map_or(0, |mark| mark.place)
    }

    /// Has the last event written down soon.
    pub(super) fn save_mark(&self, now: Timestamp) {
        if self.saves_at.get().is_none() {
            self.saves_at.set(Some(now + MARK_AFTER));
        }
    }

    /// Returns the last event, if it is to be written down now.
    pub(super) fn take_due_mark(&self, now: Timestamp) -> Option<Mark> {
        if self.saves_at.get()? > now {
            return None;
        }
        self.take_mark()
    }

    /// Returns the last event, if it is not written down yet.
    pub(super) fn take_mark(&self) -> Option<Mark> {
        self.saves_at.take()?;
        self.marks.borrow().first().copied()
    }

    /// Notes that a call has left.
    pub(super) fn note_call(&self, id: CallId, now: Timestamp) {
        self.out.borrow_mut().push_back((now + CALL_LIMIT, id));
    }

    /// Takes in what has become of a call.
    pub(super) fn handle_outcome(
        &self,
        id: CallId,
        outcome: Result<Answer, Failure>,
        now: Timestamp,
        members: &dyn Members,
    ) {
        self.out.borrow_mut().retain(|(_, other)| *other != id);
        let random = u32::from_le_bytes(platform::random());
        match (&mut *self.core.borrow_mut(), outcome) {
            (Core::Node(node), Ok(answer)) => node.handle_answer(id, answer, now, random, members),
            (Core::Node(node), Err(failure)) => {
                node.handle_failure(id, failure, now, random, members);
            }
            (Core::Hub(hub, rows), Ok(answer)) => {
                hub.handle_answer(id, answer, now, random, rows);
            }
            (Core::Hub(hub, rows), Err(failure)) => {
                hub.handle_failure(id, failure, now, random, rows);
            }
        }
    }

    /// Does what is due, also what is not worth [a timer](Self::next_deadline).
    pub(super) fn handle_timeout(&self, now: Timestamp, members: &dyn Members) {
        loop {
            let out = self.out.borrow().front().copied();
            match out {
                Some((at, id)) if at <= now => {
                    self.handle_outcome(id, Err(Failure::Broken), now, members);
                }
                Some(_) | None => break,
            }
        }
        match &mut *self.core.borrow_mut() {
            Core::Node(node) => {
                if node.next_deadline().is_some_and(|at| at <= now) {
                    node.handle_timeout(now, members);
                }
            }
            Core::Hub(hub, rows) => {
                if hub.next_deadline().is_some_and(|at| at <= now) {
                    hub.handle_timeout(now, rows);
                }
            }
        }
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) has something to do for which
    /// the object is to stay awake. That a room is empty is not such a thing.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let core = match &*self.core.borrow() {
            Core::Node(node) => node.next_deadline().filter(|_| !node.is_idle()),
            Core::Hub(hub, _) => hub.next_deadline(),
        };
        let out = self.out.borrow().front().map(|(at, _)| *at);
        let times = [core, out, self.saves_at.get()];
        times.into_iter().flatten().min()
    }

    /// Does what is due in a hub, also what survives the loss of its memory.
    pub(super) fn ring(&self, now: Timestamp) {
        if let Core::Hub(hub, rows) = &mut *self.core.borrow_mut() {
            hub.handle_timeout(now, rows);
        }
    }

    /// Returns when the alarm of a hub is to ring.
    pub(super) fn alarm(&self) -> Option<Timestamp> {
        match &*self.core.borrow() {
            Core::Node(_) => None,
            Core::Hub(hub, _) => hub.alarm(),
        }
    }

    /// Returns whether nothing would be lost if it were forgotten.
    pub(super) fn is_idle(&self) -> bool {
        let is_idle = match &*self.core.borrow() {
            Core::Node(node) => node.is_idle() && node.next_deadline().is_none(),
            Core::Hub(hub, _) => hub.is_idle(),
        };
        let is_saved = self.saves_at.get().is_none();
        is_idle && is_saved && !self.is_running.get() && self.tickets.borrow().is_empty()
    }

    pub(super) fn poll_output(&self) -> Option<Output> {
        match &mut *self.core.borrow_mut() {
            Core::Node(node) => node.poll_output(),
            Core::Hub(hub, _) => hub.poll_output(),
        }
    }
}

/// Emits and questions of a node.
impl Participant {
    /// Awaits the end of an emit: who has taken it, as far as it is told, and how it has
    /// ended.
    pub(super) fn await_emit(&self, id: EmitId) -> oneshot::Receiver<(Vec<NodeId>, Outcome)> {
        let (sender, receiver) = oneshot::channel();
        let pending = PendingEmit {
            end: Some(sender),
            ..PendingEmit::default()
        };
        self.emits.borrow_mut().insert(id, pending);
        receiver
    }

    pub(super) fn handle_taken(&self, id: EmitId, nodes: Vec<NodeId>) {
        if let Some(pending) = self.emits.borrow_mut().get_mut(id) {
            pending.taken = nodes;
        }
    }

    pub(super) fn handle_resolved(&self, id: EmitId, outcome: Outcome) {
        let pending = self.emits.borrow_mut().remove(id);
        if let Some(PendingEmit { taken, end }) = pending.map(|it| *it) {
            // Whoever it was may not wait any more.
            let _ = end.map(|end| end.send((taken, outcome)));
        }
    }

    /// Awaits the answers to a question, and who has not answered.
    pub(super) fn await_gather(&self, id: GatherId) -> oneshot::Receiver<(Vec<Payload>, Missing)> {
        let (sender, receiver) = oneshot::channel();
        let pending = PendingGather {
            end: Some(sender),
            ..PendingGather::default()
        };
        self.gathers.borrow_mut().insert(id, pending);
        receiver
    }

    pub(super) fn handle_collected(&self, id: GatherId, answer: Payload) {
        if let Some(pending) = self.gathers.borrow_mut().get_mut(id) {
            pending.answers.push(answer);
        }
    }

    pub(super) fn handle_gathered(&self, id: GatherId, missing: Missing) {
        let pending = self.gathers.borrow_mut().remove(id);
        if let Some(PendingGather { answers, end }) = pending.map(|it| *it) {
            let _ = end.map(|end| end.send((answers, missing)));
        }
    }
}
