//! The interface of the storage in which a hub logs events, and the bounds of that.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Failed, HubLife, NodeId, Sender};
use crate::Timestamp;

/// The bits of a place that count within a life of the hub. Those above are the life:
/// 2^28 of them, each with 2^36 events.
const LIFE_SHIFT: u32 = 36;

/// Returns the place before the first one in a life.
pub(super) const fn before_first(life: HubLife) -> u64 {
    life.0 << LIFE_SHIFT
}

/// Returns the life in which a place was given.
pub(super) const fn life_of(place: u64) -> HubLife {
    HubLife(place >> LIFE_SHIFT)
}

/// The bounds of a hub's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The time that a client may be away, and for which events are kept. Default: 2
    /// minutes.
    pub max_disconnection: Duration,
    /// The maximum number of events. Past it the oldest go. It may be exceeded by a
    /// hundred batches, since they are not counted at each. Default: 10,000.
    pub max_events: u64,
    /// The maximum size of all events in bytes. Past it the oldest go. Default: 64 MiB.
    pub max_bytes: u64,
    /// The maximum size of what one client can have missed, in bytes. Default: 2 MiB.
    pub max_missed: usize,
    /// The maximum size of a row, in bytes. The content of an event that is larger is
    /// not stored; who may have missed it starts over. Default: 1,900,000.
    pub max_row: usize,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            max_disconnection: Duration::from_secs(120),
            max_events: 10_000,
            max_bytes: 64 << 20,
            max_missed: 2 << 20,
            max_row: 1_900_000,
        }
    }
}

/// Stores the log of a [recovering](super::Hub::recovering) hub.
///
/// As SQL, beside the tables of its [`Store`](super::Store):
///
/// ```sql
/// CREATE TABLE log (place INTEGER PRIMARY KEY, at INTEGER, settled INTEGER,
///                   head BLOB, content BLOB);
/// CREATE TABLE senders (node BLOB, life INTEGER, seq INTEGER, until INTEGER,
///                       PRIMARY KEY (node, life)) WITHOUT ROWID;
/// CREATE TABLE gaps (node BLOB PRIMARY KEY) WITHOUT ROWID;
/// ```
///
/// An event is one row of `log`, and a batch of them one of `senders`. Every call may
/// fail; one that fails has changed nothing, also if it writes several rows.
pub trait LogStore {
    /// Returns how far the log goes.
    fn ends(&self) -> Result<LogEnds, Failed>;
    /// Adds events, whose places are higher than any other, and notes the last of their
    /// sender.
    fn append(&mut self, batch: &NewBatch<'_>) -> Result<(), Failed>;
    /// Returns the number of the last event of a sender; 0 if none is known.
    fn last_seq(&self, sender: Sender) -> Result<u64, Failed>;
    /// Deletes what is noted of senders until a time, that one left out.
    fn forget_senders(&mut self, until: Timestamp) -> Result<(), Failed>;
    /// Reads a page of the heads of events after a place, in order: as many as have at
    /// most `max_bytes` together, but at least one if there is any.
    fn heads(&self, after: u64, max_bytes: usize) -> Result<Vec<LogHead>, Failed>;
    /// Reads the contents of events, in the order of their places. Those that are not
    /// there are left out.
    fn contents(&self, places: &[u64]) -> Result<Vec<(u64, Vec<u8>)>, Failed>;
    /// Counts the events, and their bytes: heads and contents.
    fn usage(&self) -> Result<LogUsage, Failed>;
    /// Returns place and size of at most `count` events after a place, in order.
    fn sizes(&self, after: u64, count: usize) -> Result<Vec<(u64, u64)>, Failed>;
    /// Returns the place of the newest event that was stored before a time.
    fn newest_before(&self, at: Timestamp) -> Result<Option<u64>, Failed>;
    /// Deletes the events up to a place, that one included, puts it down as
    /// [pruned](LogEnds::pruned), and notes nodes that may have missed some of them.
    fn trim(&mut self, up_to: u64, gaps: &[NodeId]) -> Result<(), Failed>;
    /// Puts down that all nodes have taken the events up to a place.
    fn settle(&mut self, place: u64) -> Result<(), Failed>;
    /// Returns the nodes that may have missed events that are gone.
    fn gaps(&self) -> Result<Vec<NodeId>, Failed>;
    /// Forgets that a node may have missed events: it knows.
    fn close_gap(&mut self, node: NodeId) -> Result<(), Failed>;
}

/// How far a log goes. All are places, and 0 if there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogEnds {
    /// The last event that was deleted.
    pub pruned: u64,
    /// All nodes have taken the events up to this one: what was put down last, be it
    /// along with an event or alone.
    pub settled: u64,
    /// The last event.
    pub last: u64,
    /// When that was stored.
    pub last_at: Timestamp,
}

/// Events that are to be stored.
#[derive(Clone, Debug)]
pub struct NewBatch<'a> {
    /// The time.
    pub at: Timestamp,
    /// Whose they are.
    pub sender: Sender,
    /// The number of the last of them among the events of their sender.
    pub seq: u64,
    /// Until then the sender is to be remembered.
    pub until: Timestamp,
    /// What is to be put down as [settled](LogEnds::settled), in the same rows.
    pub settled: u64,
    /// The events, in order.
    pub events: &'a [NewLogged],
}

/// An event that is to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLogged {
    /// Its place.
    pub place: u64,
    /// Whom it is for.
    pub head: Vec<u8>,
    /// What it says.
    pub content: super::Payload,
}

/// The head of a stored event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogHead {
    /// Its place.
    pub place: u64,
    /// The stored bytes.
    pub head: Vec<u8>,
}

/// The number of events, and of bytes in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogUsage {
    /// The number of events.
    pub events: u64,
    /// The bytes of all of them.
    pub bytes: u64,
}
