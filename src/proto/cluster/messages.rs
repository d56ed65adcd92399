//! Calls between nodes and hubs, their answers, and their encoding.
//!
//! They are encoded as rows are: a version, then a value as postcard writes it. While a
//! new version is rolled out, objects of both may meet. One that cannot read a call says
//! so, and the call is repeated until its limit.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    Claim, Claimed, Confirm, Confirmed, Failure, HubIndex, HubLife, MAX_NAMED, MAX_ROOMS,
    MAX_WAITING, Missed, MissedEvents, NodeId, NodeLife, RELAY_DEGREE, Sender, Stamp,
};
use crate::versioned::{self, SnapshotError};
use crate::{Timestamp, bytes};

/// The layout of the bytes below. Another number is another layout.
const VERSION: u8 = 3;

/// A call of a node or a hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    /// A node says which rooms have, and no longer have, members there. To a hub.
    Control(Control),
    /// A node sends events. To a hub.
    Publish(Publish),
    /// A hub asks which nodes have members. To a hub.
    Ask(Ask),
    /// A hub takes rooms back that a node has served alone. To a node.
    Recall(Recall),
    /// A hub passes events on. To a node.
    Deliver(Deliver),
    /// A node asks what another one knows of its sockets. To a node.
    Gather(Gather),
    /// A node asks for what a socket has missed. To a hub.
    Missed(Missed),
    /// A node wants a socket whose client has come to it. To a node.
    Claim(Claim),
    /// A node has stored a socket that it claimed. To a node.
    Confirm(Confirm),
    /// A hub has events passed on to several nodes. To one of these.
    Relay(Relay),
    /// A node asks for what has become of events that are [on their way](Published::is_open).
    /// To a hub.
    Await(Await),
}

/// The rooms of a node that gain and lose their members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// The node.
    pub node: NodeId,
    /// The life of its memory.
    pub life: NodeLife,
    /// It has no stamp yet, and is given an era.
    pub hello: bool,
    /// Rooms that are to have their first member here.
    pub occupy: Vec<String>,
    /// Rooms that have none any more. Never said along with a hello.
    pub vacate: Vec<String>,
    /// Its stamp, if this is no hello.
    pub stamp: Stamp,
}

/// The answer to a [`Control`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Controlled {
    /// The life of the hub, to publish to.
    pub hub_life: HubLife,
    /// The stamp of what was written.
    pub stamp: Stamp,
    /// The rooms that are not occupied yet, because another node still serves them
    /// alone. They are to be asked for again.
    pub waiting: Vec<String>,
    /// The last place that the hub has given, if it logs events; else 0.
    pub place: u64,
}

/// Events that a node sends through a hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// The life of the hub that it is for; 0 if the sender knows none.
    pub hub_life: HubLife,
    /// The number of hubs that there are, as the sender knows it. A hub that knows another
    /// takes only events of which both say that the same hubs lead their rooms.
    pub hubs: u16,
    /// The sender.
    pub sender: Sender,
    /// No node takes the events later.
    pub deadline: Timestamp,
    /// The events, in order.
    pub operations: Vec<Shared>,
}

/// A question for the events of a [`Publish`] that was answered before they had arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Await {
    /// The life of the hub that has answered it.
    pub hub_life: HubLife,
    /// The sender.
    pub sender: Sender,
    /// The number of the first of the events.
    pub first_seq: u64,
}

/// An event as its sender describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Its number among those of its sender that go to the same hub.
    pub seq: u64,
    /// The rooms whose members may be meant; `""` is the whole namespace.
    pub rooms: Vec<String>,
    /// Nodes that are meant whatever rooms they have: a socket was named there by its id.
    pub nodes: Vec<NodeId>,
    /// The sender has to know which nodes have taken it, to gather their answers.
    pub tells_nodes: bool,
    /// The hub logs it, and passes it on until it has arrived.
    pub is_logged: bool,
    /// The filter and the content, which are the driver's.
    pub payload: Payload,
}

/// An event that waits for many nodes at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared(pub Rc<Operation>);

impl Serialize for Shared {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Shared {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Operation::deserialize(from).map(|operation| Self(Rc::new(operation)))
    }
}

impl core::ops::Deref for Shared {
    type Target = Operation;

    fn deref(&self) -> &Operation {
        &self.0
    }
}

/// Bytes that only the driver reads.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(pub Rc<[u8]>);

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        bytes::serialize(&self.0, to)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let read: Vec<u8> = bytes::deserialize(from)?;
        Ok(Self(read.into()))
    }
}

impl Operation {
    /// Returns its size for bounds, in bytes: what it occupies besides a few numbers.
    pub(super) fn size(&self) -> usize {
        let rooms: usize = self.rooms.iter().map(String::len).sum();
        self.payload.0.len() + rooms + size_of_val(&*self.nodes) + 64
    }
}

/// The answer to a [`Publish`], and to an [`Await`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The numbers of events that did not reach all, and what is missing.
    pub partial: Vec<(u64, Missing)>,
    /// The nodes that have taken an event whose sender [has to know](Operation::tells_nodes).
    pub nodes: Vec<(u64, Vec<NodeId>)>,
    /// Rooms that the sender may serve alone from now on.
    pub grants: Vec<String>,
    /// The last place that the hub has given, if it logs events; else 0.
    pub place: u64,
    /// The events have their places, and have not arrived everywhere. Nothing else is said
    /// then; others may be published, and an [`Await`] asks for what becomes of these.
    pub is_open: bool,
}

/// What an event has not reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The number of nodes that did not answer, or had no room left.
    pub count: u32,
    /// The first [`MAX_NAMED`] of them.
    pub nodes: Vec<NodeId>,
    /// The hubs that did not answer. It is not known which nodes they would have named.
    pub hubs: Vec<HubIndex>,
    /// It was too late when the hub could have passed it on: it has reached nobody.
    pub is_late: bool,
}

impl Missing {
    pub(super) fn add_node(&mut self, node: NodeId) {
        self.count = self.count.saturating_add(1);
        if self.nodes.len() < MAX_NAMED {
            self.nodes.push(node);
        }
    }
}

/// A question between hubs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The rooms, all of which are the callee's.
    pub rooms: Vec<String>,
}

/// The answer to an [`Ask`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interested {
    /// All nodes that may have a member of one of the rooms.
    pub nodes: Vec<NodeId>,
    /// For each room that was asked about, the positions of its nodes among these.
    pub rooms: Vec<Vec<u16>>,
}

/// A hub takes rooms back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recall {
    /// The hub.
    pub hub: HubIndex,
    /// The rooms.
    pub rooms: Vec<String>,
}

/// Events that a hub passes on to a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliver {
    /// The life of the node that it is for; 0 if the hub knows none.
    pub node_life: NodeLife,
    /// The hub.
    pub hub: HubIndex,
    /// The life of the hub.
    pub hub_life: HubLife,
    /// Rises with each batch in a life of the hub.
    pub number: u64,
    /// The last era that the hub has given to the node.
    pub era: u64,
    /// Logged events that the node has not taken are gone.
    pub has_gap: bool,
    /// The events, in order.
    pub events: Vec<Event>,
}

/// An event on its way to a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its position among all events of a life of the hub.
    pub place: u64,
    /// The sender.
    pub sender: Sender,
    /// No node takes it later.
    pub deadline: Timestamp,
    /// The event.
    pub operation: Shared,
}

/// Events that a hub passes on to several nodes by one of them, which makes the calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relay {
    /// The hub.
    pub hub: HubIndex,
    /// The life of the hub.
    pub hub_life: HubLife,
    /// The nodes, at most [`RELAY_DEGREE`]. The callee is one of them.
    pub to: Vec<Addressed>,
    /// The events, in order: the same for all.
    pub events: Vec<Event>,
}

/// What a [`Deliver`] says to its node, beside the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addressed {
    /// The node.
    pub node: NodeId,
    /// See [`Deliver::node_life`].
    pub node_life: NodeLife,
    /// See [`Deliver::number`].
    pub number: u64,
    /// See [`Deliver::era`].
    pub era: u64,
    /// See [`Deliver::has_gap`].
    pub has_gap: bool,
}

impl Relay {
    /// Returns the call to one of the nodes.
    pub(super) fn deliver(&self, to: &Addressed) -> Deliver {
        to.deliver((self.hub, self.hub_life), self.events.clone())
    }
}

impl Addressed {
    /// Returns the call of a hub in this life of it.
    pub(super) fn deliver(&self, from: (HubIndex, HubLife), events: Vec<Event>) -> Deliver {
        let (hub, hub_life) = from;
        Deliver {
            node_life: self.node_life,
            hub,
            hub_life,
            number: self.number,
            era: self.era,
            has_gap: self.has_gap,
            events,
        }
    }
}

/// What a node has said to a [`Deliver`] that came to it by another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Passed {
    /// It has taken them.
    Delivered(Delivered),
    /// They were for another life of it. This is its present one.
    WrongLife(NodeLife),
    /// It did not answer in time, or not as it should.
    Failed(Failure),
}

/// The answer to a [`Deliver`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// Rooms of the calling hub that nobody here is in.
    pub vacant: Vec<String>,
    /// The stamp at which they were vacant.
    pub stamp: Stamp,
    /// The positions of events that were not taken.
    pub refused: Vec<u32>,
}

/// A question of one node to another. It may come more than once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gather {
    /// The time at which to answer, with what there is by then.
    pub deadline: Timestamp,
    /// The question, which only drivers read.
    pub payload: Payload,
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To a [`Control`].
    Controlled(Controlled),
    /// To a [`Publish`], or an [`Await`].
    Published(Published),
    /// To an [`Ask`].
    Interested(Interested),
    /// To a [`Recall`].
    Recalled,
    /// To a [`Deliver`].
    Delivered(Delivered),
    /// To a [`Gather`]. Only drivers read it.
    Gathered(Payload),
    /// To a [`Missed`]; `None` if some of the events are gone, or they are too many.
    Missed(Option<MissedEvents>),
    /// To a [`Claim`].
    Claimed(Claimed),
    /// To a [`Confirm`].
    Confirmed(Confirmed),
    /// To a [`Relay`]: for each of its nodes, in order.
    Relayed(Vec<Passed>),
    /// A [`Publish`] or an [`Await`] was for another life of the hub. This is its present one.
    WrongHubLife(HubLife),
    /// A [`Deliver`] was for another life of the node. This is its present one.
    WrongNodeLife(NodeLife),
    /// Nothing was done. It may be tried again.
    Unavailable,
    /// The callee does not take such calls, or could not read it.
    Misdirected,
}

/// A call or an answer could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageError {
    /// It is of another version.
    Version,
    /// It is damaged, or no message at all.
    Malformed,
    /// It has more rooms, events or nodes than are allowed.
    TooLarge,
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "message of another version",
            Self::Malformed => "damaged message",
            Self::TooLarge => "message with too many rooms, events or nodes",
        })
    }
}

impl core::error::Error for MessageError {}

impl From<SnapshotError> for MessageError {
    fn from(error: SnapshotError) -> Self {
        match error {
            SnapshotError::Version => Self::Version,
            SnapshotError::Malformed => Self::Malformed,
        }
    }
}

impl Call {
    /// Encodes the call.
    pub fn encode(&self) -> Vec<u8> {
        versioned::encode(VERSION, self)
    }

    /// Decodes a call.
    ///
    /// # Errors
    ///
    /// It is of another version, damaged, or exceeds [`MAX_ROOMS`], [`MAX_WAITING`] or
    /// [`RELAY_DEGREE`].
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let call: Self = versioned::decode(VERSION, bytes)?;
        let is_small = match &call {
            Self::Control(Control { occupy, vacate, .. }) => {
                occupy.len() + vacate.len() <= MAX_ROOMS
            }
            Self::Publish(publish) => publish.operations.len() <= MAX_WAITING,
            Self::Ask(Ask { rooms }) | Self::Recall(Recall { rooms, .. }) => {
                rooms.len() <= MAX_ROOMS
            }
            Self::Deliver(deliver) => deliver.events.len() <= MAX_WAITING,
            Self::Missed(missed) => missed.rooms.len() <= MAX_ROOMS,
            Self::Relay(relay) => {
                relay.to.len() <= RELAY_DEGREE && relay.events.len() <= MAX_WAITING
            }
            Self::Gather(_) | Self::Claim(_) | Self::Confirm(_) | Self::Await(_) => true,
        };
        if is_small {
            Ok(call)
        } else {
            Err(MessageError::TooLarge)
        }
    }
}

impl Answer {
    /// Encodes the answer.
    pub fn encode(&self) -> Vec<u8> {
        versioned::encode(VERSION, self)
    }

    /// Decodes an answer.
    ///
    /// # Errors
    ///
    /// It is of another version, or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        Ok(versioned::decode(VERSION, bytes)?)
    }
}
