//! The interface of what an object stores of sockets whose clients may come back.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Attempt, Failed, Held, NodeId, OwnEvent, Position, Unconfirmed};
use crate::Timestamp;

/// The sockets that an object has for their clients to come back to, and which ones it
/// has given away.
///
/// A socket that is [unconfirmed](Unconfirmed) is stored like any other, and is nobody's
/// until that is [settled](super::Output::Settled). When it is confirmed, the tombstone
/// of an earlier time here is deleted.
pub trait Custody {
    /// Returns what is stored under a secret. The driver has ended the session that held
    /// the socket before.
    ///
    /// `position` is the last event that the client has received. If that is earlier than
    /// the one stored with the socket, or `None`, the stored one counts.
    fn kept(&mut self, pid: &str, position: Option<Position>) -> Result<Kept, Failed>;
    /// Returns the id of a confirmed socket.
    fn id(&self, pid: &str) -> Result<Option<String>, Failed>;
    /// Returns what was for the socket with this id alone after an event. `None` if some
    /// of it is gone.
    fn own_events(&mut self, id: &str, after: u64) -> Result<Option<Vec<OwnEvent>>, Failed>;
    /// Deletes a socket, and puts a tombstone in its place, at once.
    fn give(&mut self, pid: &str, tombstone: &Tombstone) -> Result<(), Failed>;
    /// Reads a tombstone.
    fn tombstone(&self, pid: &str) -> Result<Option<Tombstone>, Failed>;
    /// Deletes the tombstones from before a time, and the oldest where there are more
    /// than `max`.
    fn trim_tombstones(&mut self, before: Timestamp, max: usize) -> Result<(), Failed>;
}

/// What is stored under a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Nothing, or its client has been away for too long.
    Nothing,
    /// A socket.
    Held(Held),
    /// A socket, and some of what was for it alone is gone.
    Gone,
    /// A socket that is not known to be here.
    Unconfirmed(Unconfirmed),
}

/// What an object remembers of a socket that it has given away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// The id of the socket.
    pub id: String,
    /// The node that has it.
    pub node: NodeId,
    /// The attempt with which it got it.
    pub attempt: Attempt,
    /// When that was.
    pub at: Timestamp,
}
