//! The names of objects, and of what they have been.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The id of an object that holds sockets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeId(pub [u8; 32]);

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeId(")?;
        for byte in self.0.iter().take(4) {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("…)")
    }
}

/// The number of a hub among those of its namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HubIndex(pub u16);

/// An object that can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// An object that holds sockets.
    Node(NodeId),
    /// A hub of the namespace.
    Hub(HubIndex),
}

/// One life of a node's memory: a random number, which no other of its lives has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeLife(pub u64);

/// One life of a hub's memory. They are counted, in a row, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HubLife(pub u64);

/// Who publishes: one life of a node. Its events are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sender {
    /// The node.
    pub node: NodeId,
    /// The life of its memory.
    pub life: NodeLife,
}

/// The position of something that a node says to a hub among all that it says about its
/// rooms. What is later has a higher stamp, whichever arrives first, and however often.
///
/// Eras are given by the hub, one to each life of the node that says hello, so no clock
/// is compared with another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp {
    /// Given by the hub.
    pub era: u64,
    /// Counted by the node.
    pub count: u64,
}

impl Stamp {
    /// Returns the first stamp of an era.
    pub(super) const fn first(era: u64) -> Self {
        Self { era, count: 0 }
    }

    /// Counts on, and returns the new stamp.
    pub(super) fn advance(&mut self) -> Self {
        self.count = self.count.saturating_add(1);
        *self
    }
}

/// The last event of a hub that an object has taken.
///
/// An object whose memory is lost while its sockets survive has to know it, or an event
/// that was under way then would reach them twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The hub.
    pub hub: HubIndex,
    /// The life of the hub.
    pub life: HubLife,
    /// The place of the event in that life.
    pub place: u64,
}

/// Returns the hub of a room among `hubs` of them. The whole namespace is the room `""`.
///
/// When there is one hub more, as few rooms as possible move to it, and none moves
/// between the others ("A Fast, Minimal Memory, Consistent Hash Algorithm", Lamping and
/// Veach, 2014, in whole numbers).
///
/// ```
/// use dormouse_proto::cluster::{HubIndex, hub_of};
///
/// assert_eq!(hub_of("lobby", 1), HubIndex(0));
/// let (before, after) = (hub_of("lobby", 4), hub_of("lobby", 5));
/// assert!(before == after || after == HubIndex(4));
/// ```
pub fn hub_of(room: &str, hubs: u16) -> HubIndex {
    // FNV-1a, 64 bits.
    let mut key = room.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut hub = 0;
    let mut jump: u64 = 0;
    while jump < u64::from(hubs) {
        hub = u16::try_from(jump).unwrap_or(u16::MAX);
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        jump = ((jump + 1) << 31) / ((key >> 33) + 1);
    }
    HubIndex(hub)
}
