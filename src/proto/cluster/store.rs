//! The interface of the storage that a hub needs.

use alloc::vec::Vec;
use core::fmt;

use super::{HubLife, LogStore, NodeId, Stamp};

/// Stores the rows of a [`Hub`](super::Hub): which nodes may have a member of which
/// room.
///
/// As SQL, with the primary keys that bound its costs:
///
/// ```sql
/// CREATE TABLE interest (room TEXT, node BLOB, era INTEGER, count INTEGER,
///                        PRIMARY KEY (room, node)) WITHOUT ROWID;
/// CREATE TABLE eras (node BLOB PRIMARY KEY, era INTEGER) WITHOUT ROWID;
/// ```
///
/// Every call may fail, for example because the storage is full. A call that fails has
/// changed nothing. What was written need not be safe when a call returns, but it must
/// be before an output leaves that the hub gives after it.
pub trait Store {
    /// Adds one to the number of lives that the hub has had, and returns the sum.
    fn begin_life(&mut self) -> Result<HubLife, Failed>;

    /// Deletes the rows of all rooms for which `is_kept` returns `false`, unless that was
    /// done when the hub last began a life, with the same number of hubs. It remembers the
    /// number: [`DEFAULT_HUBS`](super::DEFAULT_HUBS) until there was another one.
    ///
    /// This must be possible in a storage that is full.
    fn keep_rooms(&mut self, hubs: u16, is_kept: &dyn Fn(&str) -> bool) -> Result<(), Failed>;

    /// Returns the last era that was given to a node; 0 if it never said hello.
    fn era(&self, node: NodeId) -> Result<u64, Failed>;
    /// Puts or replaces the era of a node.
    fn put_era(&mut self, node: NodeId, era: u64) -> Result<(), Failed>;

    /// Returns the nodes of a room, in order.
    fn nodes(&self, room: &str) -> Result<Vec<NodeId>, Failed>;
    /// Returns whether a node has a row for a room.
    fn has(&self, room: &str, node: NodeId) -> Result<bool, Failed>;
    /// Returns the node of a room that has exactly one. It need not read more than two
    /// rows.
    fn only_node(&self, room: &str) -> Result<Option<NodeId>, Failed>;
    /// Puts a row, or raises its stamp; a higher one stays.
    fn put(&mut self, room: &str, node: NodeId, stamp: Stamp) -> Result<(), Failed>;
    /// Deletes a row if its stamp is lower than this. This must be possible in a storage
    /// that is full.
    fn delete_below(&mut self, room: &str, node: NodeId, stamp: Stamp) -> Result<(), Failed>;

    /// Returns the log of a [recovering](super::Hub::recovering) hub. Others have none.
    fn log(&mut self) -> Option<&mut dyn LogStore> {
        None
    }
}

/// The storage has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the storage of a hub has failed")
    }
}

impl core::error::Error for Failed {}
