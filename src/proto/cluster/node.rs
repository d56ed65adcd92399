//! The part of an object with sockets that talks to hubs.

mod attempts;
mod delivering;
mod emitting;
mod gathering;
mod holds;
mod joining;
mod keeping;
mod relaying;
mod returning;

use alloc::string::String;
use core::fmt;
use core::time::Duration;

use self::attempts::Returns;
use self::delivering::{Seen, Taken};
use self::emitting::Publishing;
use self::gathering::Gatherings;
pub use self::gathering::{GatherId, Gathering};
use self::holds::Holds;
use self::joining::{Controlling, Joins, Lingering};
use self::keeping::Keeping;
use self::relaying::Relays;
pub use self::returning::ReturnKey;
use super::calls::Calls;
use super::hub::blame;
use super::rules::{Rule, is_broken};
use super::{
    Answer, Call, CallId, Failure, HubIndex, HubLife, Mark, Missing, NodeId, NodeLife, Output,
    Passed, Sender, Stamp, Ticket, hub_of,
};
use crate::{Map, Set, Timestamp};

/// Which rooms have members in this object, which only its driver knows.
///
/// A socket counts from the moment its join has resolved until it leaves.
pub trait Members {
    /// Returns whether a socket of this object is in the room; for `""`, whether there
    /// is any in the namespace.
    fn is_occupied(&self, room: &str) -> bool;
}

impl<F: Fn(&str) -> bool> Members for F {
    fn is_occupied(&self, room: &str) -> bool {
        self(room)
    }
}

/// What a node has to know of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The number of hubs of the namespace, at least one. Default: 1. When it has changed
    /// since sockets have joined that are still there, their rooms
    /// [are to move](Node::move_rooms).
    pub hubs: u16,
    /// The time that an empty room is kept, for sockets that leave and join again.
    /// Default: 30 s.
    pub vacate_after: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hubs: 1,
            vacate_after: Duration::from_secs(30),
        }
    }
}

/// The number of a join, which the driver chooses and uses once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JoinKey(pub u64);

/// The number of an emit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EmitId(pub u64);

/// What has to happen before a socket is in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Joining {
    /// Nothing: it may be from now on.
    Now,
    /// The hub is told. [`Output::Joined`] or [`Output::NotJoined`] will follow.
    Later,
}

/// An event for members of rooms.
#[derive(Clone, Debug)]
pub struct Emit<'a> {
    /// The rooms whose members may be meant; `""` is the whole namespace.
    pub rooms: &'a [&'a str],
    /// Nodes that are meant whatever rooms they have.
    pub nodes: &'a [NodeId],
    /// [`Output::Taken`] is to name the nodes that have taken it, to gather their
    /// acknowledgements.
    pub tells_nodes: bool,
    /// The filter and the content, which only the driver reads.
    pub payload: &'a [u8],
}

/// What has become of an emit for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Emitted {
    /// All who may be meant are in this object: the driver carries it out at once, and
    /// touches its storage in the same turn.
    Here,
    /// It goes through a hub, and comes back as [`Output::Deliver`] if somebody here may
    /// be meant. [`Output::Resolved`] will follow.
    Sent(EmitId),
}

/// There are too many emits, joins or rooms already, or a single one has too many rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too much waits for other objects")
    }
}

impl core::error::Error for Full {}

/// How an emit has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every node that may have had a member has taken it.
    Reached,
    /// All others have taken it.
    Partial(Missing),
    /// It was not sent within [`UNSENT_LIMIT`](super::UNSENT_LIMIT): nobody has got it.
    Unsent,
    /// The hub did not say what has become of it: some may have got it.
    Unanswered,
}

/// The part of an object with sockets that talks to the hubs of one namespace.
///
/// It never knows who is in a room: that is asked of [`Members`]. It never reads an
/// event's filter or content. What it remembers serves a life of the object's memory.
///
/// ```
/// use dormouse_proto::Timestamp;
/// use dormouse_proto::cluster::{
///     Address, Answer, Call, Controlled, HubIndex, HubLife, JoinKey, Joining, Node, NodeId,
///     NodeLife, Output, Settings, Stamp,
/// };
///
/// let now = Timestamp::from_millis(0);
/// let mut node = Node::new(NodeId([7; 32]), NodeLife(1), Settings::default());
/// let nobody = |_: &str| false;
/// assert_eq!(node.join(JoinKey(0), "lobby", now, &nobody), Ok(Joining::Later));
///
/// let Some(Output::Call { id, to, call: Call::Control(control) }) = node.poll_output() else {
///     panic!("the hub is told before the socket is in the room");
/// };
/// assert_eq!((to, &*control.occupy), (Address::Hub(HubIndex(0)), &["lobby".to_owned()][..]));
///
/// let stamp = Stamp { era: 1, count: 0 };
/// let controlled = Controlled { hub_life: HubLife(1), stamp, waiting: vec![], place: 0 };
/// node.handle_answer(id, Answer::Controlled(controlled), now, 0, &nobody);
/// assert_eq!(node.poll_output(), Some(Output::Joined(JoinKey(0))));
///
/// // The next one need not ask.
/// let ada = |room: &str| room == "lobby";
/// assert_eq!(node.join(JoinKey(1), "lobby", now, &ada), Ok(Joining::Now));
/// ```
#[derive(Debug)]
pub struct Node {
    id: NodeId,
    life: NodeLife,
    settings: Settings,
    links: Map<HubIndex, Link>,
    joins: Joins,
    lingering: Lingering,
    /// Rooms that are served here alone.
    grants: Set<String>,
    holds: Holds,
    seen: Seen,
    gatherings: Gatherings,
    relays: Relays,
    returns: Returns,
    keeping: Keeping,
    next_emit: u64,
    calls: Calls<Purpose>,
}

/// What a node knows of one hub.
#[derive(Debug, Default)]
struct Link {
    life: HubLife,
    /// The last stamp; `None` until a hello was answered.
    stamp: Option<Stamp>,
    control: Controlling,
    publishing: Publishing,
    taken: Option<Taken>,
    /// The last event: the life of the hub, and its place.
    mark: (HubLife, u64),
    /// The last place that a hub which logs events is known to have given, and when.
    place_at: Option<(u64, Timestamp)>,
}

/// What a call of a node is about.
#[derive(Clone, Debug)]
enum Purpose {
    Control(HubIndex),
    Publish(HubIndex),
    /// What has become of the first events that are on their way.
    Await(HubIndex),
    Ask(GatherId, HubIndex),
    Gather(GatherId, NodeId),
    /// An event that is passed on for a hub.
    Relay(u64),
    /// Whatever a client that comes back waits for.
    Return(ReturnKey),
    /// Whether the socket with this secret is this object's.
    Settle(String),
}

impl Node {
    /// Begins a life of the node's memory. `life` is random.
    pub fn new(id: NodeId, life: NodeLife, settings: Settings) -> Self {
        Self::resume(id, life, settings, [])
    }

    /// Begins a life in which sockets of the one before are still there, with the
    /// [marks](Mark) that were kept with them.
    pub fn resume(
        id: NodeId,
        life: NodeLife,
        settings: Settings,
        marks: impl IntoIterator<Item = Mark>,
    ) -> Self {
        let links = marks.into_iter().map(|mark| {
            let link = Link {
                mark: (mark.life, mark.place),
                ..Link::default()
            };
            (mark.hub, link)
        });
        Self {
            id,
            life,
            settings,
            links: links.collect(),
            joins: Joins::default(),
            lingering: Lingering::default(),
            grants: Set::new(),
            holds: Holds::default(),
            seen: Seen::default(),
            gatherings: Gatherings::default(),
            relays: Relays::default(),
            returns: Returns::default(),
            keeping: Keeping::default(),
            next_emit: 0,
            calls: Calls::default(),
        }
    }

    /// Returns whether a room is served here alone.
    pub fn is_granted(&self, room: &str) -> bool {
        self.grants.contains(room)
    }

    /// Returns whether nothing is under way. Rooms that have just become empty do not
    /// count: if they are forgotten, the next event for one of them says that it is
    /// empty.
    pub fn is_idle(&self) -> bool {
        let is_waiting = !self.holds.is_empty()
            || !self.joins.is_empty()
            || !self.returns.is_empty()
            || !self.keeping.is_empty();
        self.calls.is_idle() && !is_waiting && self.gatherings.is_empty()
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) has something to do.
    /// Calling it early or late is harmless.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let links = self.links.values().filter_map(Link::next_deadline);
        let others = [
            self.joins.next_deadline(),
            self.lingering.next_deadline(),
            self.gatherings.next_deadline(),
            self.relays.next_deadline(),
            self.returns.next_deadline(),
            self.keeping.next_deadline(),
        ];
        links.chain(others.into_iter().flatten()).min()
    }

    /// Returns what is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.calls.poll_output()
    }

    /// Takes in a call of a hub. Its events come out before its answer does.
    pub fn handle_call(
        &mut self,
        ticket: Ticket,
        call: Call,
        now: Timestamp,
        members: &dyn Members,
    ) {
        let answer = match call {
            Call::Deliver(deliver) => self.deliver(deliver, now, members),
            Call::Relay(relay) => {
                self.relay(ticket, &relay, now, members);
                self.send(now, members);
                return;
            }
            Call::Recall(recall) => {
                for room in &recall.rooms {
                    self.give_up_grant(recall.hub, room, Rule::CancelArriving);
                }
                Answer::Recalled
            }
            Call::Gather(gather) => {
                self.take_question(ticket, gather, now);
                return;
            }
            Call::Claim(claim) => {
                self.calls.output(Output::Claim { ticket, claim });
                return;
            }
            Call::Confirm(confirm) => {
                self.calls.output(Output::Confirm { ticket, confirm });
                return;
            }
            Call::Control(_)
            | Call::Publish(_)
            | Call::Await(_)
            | Call::Ask(_)
            | Call::Missed(_) => Answer::Misdirected,
        };
        self.calls.answer(ticket, answer);
        self.send(now, members);
    }

    /// Takes in the answer to a call. One that was given up is ignored.
    pub fn handle_answer(
        &mut self,
        id: CallId,
        answer: Answer,
        now: Timestamp,
        random: u32,
        members: &dyn Members,
    ) {
        let Some(purpose) = self.calls.end(id) else {
            return;
        };
        match (purpose, answer) {
            (Purpose::Control(hub), Answer::Controlled(controlled)) => {
                self.controlled(hub, controlled, now, members);
            }
            (Purpose::Publish(hub), Answer::Published(published)) => {
                self.published(hub, published, now, members);
            }
            (Purpose::Publish(hub), Answer::WrongHubLife(life)) => {
                let link = self.links.entry(hub).or_default();
                if life > link.life {
                    link.life = life;
                    link.publishing.flight.land();
                } else {
                    link.publishing.flight.fail(Failure::Broken, now, random);
                }
            }
            (Purpose::Await(hub), Answer::Published(published)) => {
                self.settled_at_last(hub, published)
            }
            (Purpose::Await(hub), Answer::WrongHubLife(_)) => self.forgotten_by(hub),
            (Purpose::Ask(id, hub), Answer::Interested(interested)) => {
                self.hub_answered(id, hub, interested);
            }
            (Purpose::Gather(id, node), Answer::Gathered(payload)) => {
                self.node_answered(id, node, payload);
            }
            (Purpose::Relay(key), answer) => self.relay_answered(key, id, answer.into()),
            (Purpose::Return(key), answer) => {
                if let Some(other) = self.return_answered(key, answer, now, members) {
                    self.returns.fail(key, blame(&other), now, random);
                }
            }
            (Purpose::Settle(pid), Answer::Confirmed(confirmed)) => self.settled(pid, confirmed),
            (purpose, answer) => self.repeat(id, purpose, blame(&answer), now, random),
        }
        self.send(now, members);
    }

    /// Takes in that a call was not answered.
    pub fn handle_failure(
        &mut self,
        id: CallId,
        failure: Failure,
        now: Timestamp,
        random: u32,
        members: &dyn Members,
    ) {
        if let Some(purpose) = self.calls.end(id) {
            self.repeat(id, purpose, failure, now, random);
            self.send(now, members);
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Timestamp, members: &dyn Members) {
        self.end_joins(now);
        self.end_lingering(now, members);
        self.end_controls(now, members);
        self.end_publishes(now);
        self.end_gathers(now);
        self.end_relays(now);
        self.end_returns(now, members);
        self.end_settles(now);
        self.send(now, members);
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
            Purpose::Control(hub) => {
                let link = self.links.entry(hub).or_default();
                link.control.flight.fail(failure, now, random);
            }
            Purpose::Publish(hub) => {
                let link = self.links.entry(hub).or_default();
                link.publishing.flight.fail(failure, now, random);
            }
            Purpose::Await(hub) => {
                let link = self.links.entry(hub).or_default();
                link.publishing.awaiting.fail(failure, now, random);
            }
            Purpose::Ask(gather, hub) => self.fail_ask((gather, hub), failure, now, random),
            Purpose::Gather(gather, node) => {
                self.fail_gather((gather, node), failure, now, random);
            }
            Purpose::Relay(key) => self.relay_answered(key, id, Passed::Failed(failure)),
            Purpose::Return(key) => self.returns.fail(key, failure, now, random),
            Purpose::Settle(pid) => self.keeping.fail(&pid, failure, now, random),
        }
    }

    /// Makes the calls that are to be made.
    fn send(&mut self, now: Timestamp, members: &dyn Members) {
        self.send_controls(now, members);
        self.send_publishes(now);
        self.send_awaits(now);
        self.send_gathers(now);
        self.send_returns(now, members);
        self.send_settles(now);
    }

    fn hub_of(&self, room: &str) -> HubIndex {
        hub_of(room, self.settings.hubs)
    }

    fn sender(&self) -> Sender {
        Sender {
            node: self.id,
            life: self.life,
        }
    }

    /// Gives up that a room is served here alone, also if a grant is on its way.
    fn give_up_grant(&mut self, hub: HubIndex, room: &str, rule: Rule) {
        if rule != Rule::VacateGrant || !is_broken(rule) {
            self.grants.remove(room);
        }
        if !is_broken(rule) {
            let link = self.links.entry(hub).or_default();
            link.publishing.spoil(room);
        }
    }
}

impl Link {
    fn learn_place(&mut self, place: u64, now: Timestamp) {
        let (known, _) = self.place_at.unwrap_or_default();
        self.place_at = Some((place.max(known), now));
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        let control = self.control.next_deadline();
        let publishing = self.publishing.next_deadline();
        control.into_iter().chain(publishing).min()
    }
}
