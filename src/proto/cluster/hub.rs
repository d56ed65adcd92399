//! The object that orders the events of some of a namespace's rooms.

mod asking;
mod interest;
mod lanes;
mod log;
mod publishing;
mod relaying;
mod replay;
mod trimming;

use self::interest::Interest;
use self::lanes::Lanes;
use self::log::Logging;
use self::publishing::{PublishId, Publishing};
use self::relaying::Relaying;
use super::calls::Calls;
use super::log::before_first;
use super::rules::{Rule, is_broken};
use super::{
    Answer, Call, CallId, Failed, Failure, HubIndex, HubLife, LogSettings, NodeId, Output, Store,
    Ticket, hub_of,
};
use crate::Timestamp;

/// A hub: it keeps, in rows, which nodes may have a member of its rooms, gives each
/// event its place among all others, and passes it on to those nodes.
///
/// It never knows who is in a room, what is in an event, or a client. What it remembers
/// besides its rows serves calls that are under way, and is lost when it sleeps.
///
/// ```
/// use dormouse_proto::Timestamp;
/// use dormouse_proto::cluster::{
///     Answer, Call, Control, Hub, HubIndex, HubLife, NodeId, NodeLife, Output, Stamp, Ticket,
/// };
/// # use dormouse_proto::cluster::{Failed, Store};
/// # #[derive(Default)]
/// # struct Rows(std::collections::BTreeMap<(String, NodeId), Stamp>);
/// # impl Store for Rows {
/// #     fn begin_life(&mut self) -> Result<HubLife, Failed> { Ok(HubLife(1)) }
/// #     fn keep_rooms(&mut self, _: u16, _: &dyn Fn(&str) -> bool) -> Result<(), Failed> { Ok(()) }
/// #     fn era(&self, _: NodeId) -> Result<u64, Failed> { Ok(0) }
/// #     fn put_era(&mut self, _: NodeId, _: u64) -> Result<(), Failed> { Ok(()) }
/// #     fn nodes(&self, room: &str) -> Result<Vec<NodeId>, Failed> {
/// #         Ok(self.0.keys().filter(|(name, _)| name == room).map(|(_, node)| *node).collect())
/// #     }
/// #     fn has(&self, room: &str, node: NodeId) -> Result<bool, Failed> {
/// #         Ok(self.nodes(room)?.contains(&node))
/// #     }
/// #     fn only_node(&self, room: &str) -> Result<Option<NodeId>, Failed> {
/// #         Ok(match self.nodes(room)?[..] { [only] => Some(only), _ => None })
/// #     }
/// #     fn put(&mut self, room: &str, node: NodeId, stamp: Stamp) -> Result<(), Failed> {
/// #         self.0.insert((room.into(), node), stamp);
/// #         Ok(())
/// #     }
/// #     fn delete_below(&mut self, _: &str, _: NodeId, _: Stamp) -> Result<(), Failed> { Ok(()) }
/// # }
/// let mut rows = Rows::default(); // a `Store`: SQL, in a Durable Object
/// let mut hub = Hub::new(HubIndex(0), 1, &mut rows).unwrap();
///
/// let control = Control {
///     node: NodeId([7; 32]),
///     life: NodeLife(1),
///     hello: true,
///     occupy: vec!["lobby".into()],
///     vacate: vec![],
///     stamp: Stamp::default(),
/// };
/// hub.handle_call(Ticket(0), Call::Control(control), Timestamp::from_millis(0), &mut rows);
/// let Some(Output::Answer { answer: Answer::Controlled(answer), .. }) = hub.poll_output() else {
///     panic!("the row is written, and the answer may leave when it is safe");
/// };
/// assert_eq!((answer.hub_life, answer.stamp.era), (HubLife(1), 1));
/// assert_eq!(hub.next_deadline(), None);
/// ```
#[derive(Debug)]
pub struct Hub {
    index: HubIndex,
    hubs: u16,
    life: HubLife,
    interest: Interest,
    lanes: Lanes,
    relaying: Relaying,
    publishing: Publishing,
    /// What it logs, if clients can come back.
    log: Option<Logging>,
    calls: Calls<Purpose>,
}

/// What a call of a hub is about.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    Deliver(NodeId),
    /// Which nodes it is for, is noted with what is [passed on](Relaying).
    Relay,
    Ask(HubIndex),
    Recall(NodeId),
}

impl Hub {
    /// Begins a life of the hub with this number, one of `hubs` in its namespace.
    ///
    /// If there were more of them or fewer in the life before, the rows of rooms that are
    /// led by others now are deleted.
    ///
    /// # Errors
    ///
    /// The storage fails. Without a life of its own, a hub could not tell calls that
    /// were meant for the one before.
    pub fn new(index: HubIndex, hubs: u16, store: &mut dyn Store) -> Result<Self, Failed> {
        let is_mine = |room: &str| hub_of(room, hubs) == index || is_broken(Rule::DeleteOthers);
        store.keep_rooms(hubs, &is_mine)?;
        Self::begin(index, hubs, store)
    }

    fn begin(index: HubIndex, hubs: u16, store: &mut dyn Store) -> Result<Self, Failed> {
        Ok(Self {
            index,
            hubs,
            life: store.begin_life()?,
            interest: Interest::default(),
            lanes: Lanes::default(),
            relaying: Relaying::default(),
            publishing: Publishing::default(),
            log: None,
            calls: Calls::default(),
        })
    }

    /// Begins a life of the only hub of a namespace whose clients can come back and get
    /// what they have missed: it logs the events that are to be
    /// [logged](super::Node::emit_logged).
    ///
    /// # Errors
    ///
    /// The storage fails, or has no [log](Store::log).
    pub fn recovering(settings: LogSettings, store: &mut dyn Store) -> Result<Self, Failed> {
        let mut hub = Self::begin(HubIndex(0), 1, store)?;
        hub.log = Some(Logging::open(settings, store)?);
        hub.publishing.place = before_first(hub.life);
        Ok(hub)
    }

    /// Has nodes pass events on as soon as so many are to get some: instead of
    /// [`RELAY_FROM`](super::RELAY_FROM).
    pub fn relay_from(&mut self, nodes: usize) {
        self.relaying.from = nodes;
    }

    /// Returns the life that this is.
    pub fn life(&self) -> HubLife {
        self.life
    }

    /// Returns whether nothing is under way: the object may fall asleep, and its memory
    /// be lost, without anybody noticing but by one more call.
    pub fn is_idle(&self) -> bool {
        self.calls.is_idle() && self.next_deadline().is_none()
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) has something to do.
    /// Calling it early or late is harmless.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let interest = self.interest.next_deadline();
        let lanes = self.lanes.next_deadline();
        let relaying = self.relaying.next_deadline();
        let publishing = self.publishing.next_deadline();
        let log = self.log.as_ref().and_then(Logging::next_deadline);
        let parts = [interest, lanes, relaying, publishing, log];
        parts.into_iter().flatten().min()
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) has something to do even if
    /// the hub's memory is lost before: events that are logged have to be passed on, or
    /// deleted. `None` if it does not log events, or has none.
    ///
    /// The driver sets an alarm that survives for that time, unless one is set for an
    /// earlier time already, before it carries out any output.
    pub fn alarm(&self) -> Option<Timestamp> {
        self.log.as_ref().and_then(Logging::alarm)
    }

    /// Returns what is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.calls.poll_output()
    }

    /// Takes in a call of a node or another hub.
    pub fn handle_call(
        &mut self,
        ticket: Ticket,
        call: Call,
        now: Timestamp,
        store: &mut dyn Store,
    ) {
        self.resume(now, store);
        match call {
            call if self.is_for_another(&call) => {
                self.calls.answer(ticket, Answer::Misdirected);
            }
            Call::Control(control) => {
                self.lanes.learn(control.node, control.life);
                if self.control(ticket, &control, now, store).is_err() {
                    self.forget_control(ticket);
                    self.calls.answer(ticket, Answer::Unavailable);
                }
            }
            Call::Publish(publish) => self.publish(ticket, publish, now, store),
            Call::Await(wanted) => self.await_published(ticket, &wanted),
            Call::Ask(ask) => {
                let answer = interest::answer(&ask, store);
                let answer = answer.map_or(Answer::Unavailable, Answer::Interested);
                self.calls.answer(ticket, answer);
            }
            Call::Missed(missed) if self.log.is_some() => {
                let answer = self.missed(&missed, store);
                let answer = answer.map_or(Answer::Unavailable, Answer::Missed);
                self.calls.answer(ticket, answer);
            }
            Call::Recall(_)
            | Call::Deliver(_)
            | Call::Relay(_)
            | Call::Gather(_)
            | Call::Missed(_)
            | Call::Claim(_)
            | Call::Confirm(_) => {
                self.calls.answer(ticket, Answer::Misdirected);
            }
        }
        self.send(now, store);
    }

    /// Takes in the answer to a call. One that was given up is ignored.
    pub fn handle_answer(
        &mut self,
        id: CallId,
        answer: Answer,
        now: Timestamp,
        random: u32,
        store: &mut dyn Store,
    ) {
        let Some(purpose) = self.end_call(id) else {
            return;
        };
        let rest = match (purpose, answer) {
            (Purpose::Deliver(node), Answer::Delivered(delivered)) => {
                self.delivered(node, &delivered, store);
                None
            }
            (Purpose::Deliver(node), Answer::WrongNodeLife(life)) => {
                self.learn_life(node, life, now, random);
                None
            }
            (Purpose::Relay, Answer::Relayed(passed)) => {
                self.relayed(id, &passed, now, random, store);
                None
            }
            (Purpose::Ask(hub), Answer::Interested(interested)) => {
                let fits = self.interested(hub, &interested, now, store);
                (!fits).then_some(Failure::Overloaded)
            }
            (Purpose::Recall(node), Answer::Recalled) => {
                self.recalled(node, store);
                None
            }
            (_, answer) => Some(blame(&answer)),
        };
        if let Some(failure) = rest {
            self.repeat(id, purpose, failure, now, random);
        }
        self.send(now, store);
    }

    /// Takes in that a call was not answered.
    pub fn handle_failure(
        &mut self,
        id: CallId,
        failure: Failure,
        now: Timestamp,
        random: u32,
        store: &mut dyn Store,
    ) {
        if let Some(purpose) = self.end_call(id) {
            self.repeat(id, purpose, failure, now, random);
            self.send(now, store);
        }
    }

    /// Ends a call, and returns what it was about. `None` if it was given up.
    fn end_call(&mut self, id: CallId) -> Option<Purpose> {
        let purpose = self.calls.end(id)?;
        if let Purpose::Deliver(_) | Purpose::Relay = purpose {
            self.lanes.free_call();
        }
        Some(purpose)
    }

    fn repeat(
        &mut self,
        id: CallId,
        purpose: Purpose,
        failure: Failure,
        now: Timestamp,
        random: u32,
    ) {
        match purpose {
            Purpose::Deliver(node) => self.lanes.fail(node, failure, now, random),
            Purpose::Relay => self.relay_failed(id, failure, now, random),
            Purpose::Ask(hub) => self.publishing.fail_ask(hub, failure, now, random),
            Purpose::Recall(node) => self.interest.fail_recall(node, failure, now, random),
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Timestamp, store: &mut dyn Store) {
        self.answer_impatient(now);
        self.let_senders_go_on(now);
        self.stop_asking(now, store);
        self.look_at_relays(now);
        self.look_at_lanes(now, store);
        self.look_at_log(now, store);
        self.send(now, store);
    }

    /// Makes the calls that are to be made.
    fn send(&mut self, now: Timestamp, store: &mut dyn Store) {
        self.send_recalls(now);
        self.send_questions(now);
        self.send_batches(now, store);
        self.time_log(now);
    }

    /// An event has reached a node, or will not any more.
    fn settle(&mut self, publish: PublishId, seq: u64, missing: Option<NodeId>, store: &dyn Store) {
        if self.publishing.settle(publish, seq, missing) {
            self.complete(publish, store);
        }
    }

    fn is_mine(&self, room: &str) -> bool {
        hub_of(room, self.hubs) == self.index
    }

    /// Returns whether a call names a room that another hub leads. Who has sent it counts
    /// on another number of hubs, and repeats it: for as long as there are objects of two
    /// builds, either may have a successor soon.
    fn is_for_another(&self, call: &Call) -> bool {
        if is_broken(Rule::RefuseOthers) {
            return false;
        }
        match call {
            Call::Control(control) => !control.occupy.iter().all(|room| self.is_mine(room)),
            Call::Ask(ask) => !ask.rooms.iter().all(|room| self.is_mine(room)),
            Call::Publish(publish) if publish.hubs != self.hubs => {
                let mut rooms = publish.operations.iter().flat_map(|op| &op.rooms);
                rooms.any(|room| hub_of(room, publish.hubs) != hub_of(room, self.hubs))
            }
            Call::Publish(_)
            | Call::Await(_)
            | Call::Recall(_)
            | Call::Deliver(_)
            | Call::Relay(_)
            | Call::Gather(_)
            | Call::Missed(_)
            | Call::Claim(_)
            | Call::Confirm(_) => false,
        }
    }
}

/// Returns how an answer that does not fit its call is counted.
pub(super) fn blame(answer: &Answer) -> Failure {
    match answer {
        Answer::Unavailable | Answer::WrongHubLife(_) | Answer::WrongNodeLife(_) => Failure::Broken,
        Answer::Misdirected
        | Answer::Controlled(_)
        | Answer::Published(_)
        | Answer::Interested(_)
        | Answer::Recalled
        | Answer::Delivered(_)
        | Answer::Gathered(_)
        | Answer::Missed(_)
        | Answer::Claimed(_)
        | Answer::Confirmed(_)
        | Answer::Relayed(_) => Failure::Overloaded,
    }
}
