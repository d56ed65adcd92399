//! What objects say to each other about a client that comes back to another one.
//!
//! ```text
//!   B ── Claim ───► A        supersedes a session that still has the socket
//!   B ◄─ Held ───── A        id, rooms, data, and what was for the socket alone
//!   B ── Control ─► hub      B is told of events of these rooms from now on
//!   B ── Missed ──► hub      everything up to a place; what is later, B holds
//!     B stores the socket
//!   B ── Confirm ─► A        A deletes it, and remembers who has it
//!   B ◄─ Given ──── A        what was for the socket alone since
//! ```
//!
//! Until it is confirmed, the socket is A's. Whatever breaks down before that, its
//! client can claim it again, wherever it comes to.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::{NodeId, Payload, Shared};
use crate::Timestamp;

/// The position of a client among all that it is sent: what it names as its offset.
///
/// ```
/// use dormouse_proto::cluster::Position;
///
/// let position = Position { place: 258, own: 3 };
/// assert_eq!(position.to_string(), "258.3");
/// assert_eq!(Position::parse("258.3"), Some(position));
/// assert_eq!(Position::parse("258"), None);
/// assert_eq!(Position::parse("258.+3"), None);
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Position {
    /// The place of the last event of the hub.
    pub place: u64,
    /// The last event that was for the socket alone.
    pub own: u64,
}

/// Returns the number of the next event for a socket alone. It is a time, so that none is
/// given twice even if what was before is forgotten.
///
/// ```
/// use dormouse_proto::Timestamp;
/// use dormouse_proto::cluster::next_own;
///
/// assert_eq!(next_own(0, Timestamp::from_millis(7)), 7_000);
/// assert_eq!(next_own(7_000, Timestamp::from_millis(7)), 7_001);
/// assert_eq!(next_own(9_000, Timestamp::from_millis(7)), 9_001);
/// ```
pub fn next_own(last: u64, now: Timestamp) -> u64 {
    let parts = now.as_millis().saturating_mul(OWN_PARTS);
    last.saturating_add(1).max(parts)
}

/// Returns about when an event for a socket alone was given its [number](next_own).
pub fn own_at(own: u64) -> Timestamp {
    Timestamp::from_millis(own / OWN_PARTS)
}

/// The parts of a millisecond in which the events for a socket alone are numbered.
const OWN_PARTS: u64 = 1_000;

impl Position {
    /// Parses a position from a client. Returns `None` if it is not written as we write
    /// them.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| {
            let is_canonical = text.bytes().all(|byte| byte.is_ascii_digit())
                && (text == "0" || !text.starts_with('0'));
            text.parse().ok().filter(|_| is_canonical)
        };
        let (place, own) = text.split_once('.')?;
        Some(Self {
            place: number(place)?,
            own: number(own)?,
        })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.place, self.own)
    }
}

/// One attempt of an object to get a socket. The object that has it numbers them, in all
/// of its lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attempt(pub u64);

/// A node wants a socket whose client has come to it. To the node that may have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The node that wants it.
    pub node: NodeId,
    /// The secret that the client has shown.
    pub pid: String,
    /// The last event that the client has received; `None` if it received none.
    pub position: Option<Position>,
}

/// The answer to a [`Claim`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Claimed {
    /// Here it is. It stays the callee's until the claim is confirmed.
    Held(Attempt, Held),
    /// That one has it.
    Moved(NodeId),
    /// It is not here: nobody has this secret, or it was forgotten.
    Unknown,
    /// It is here, and cannot be given what it has missed. Its client starts over.
    Gone,
}

/// A socket as its object holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Its id.
    pub id: String,
    /// The rooms it is in; `""` for the whole namespace. One that is not in the object
    /// in which it began is in the room of its id, too.
    pub rooms: Vec<String>,
    /// The last event that its client has received, or at which it connected.
    pub position: Position,
    /// Its data, and whatever else drivers have to know.
    pub state: Payload,
    /// What was for it alone, after that position.
    pub own: Vec<OwnEvent>,
}

/// An event that was for one socket alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnEvent {
    /// Its [number](next_own) among those for the socket, which it keeps when the socket
    /// moves.
    pub own: u64,
    /// The place of the last event of the hub that this object had taken before.
    pub place: u64,
    /// The content.
    pub payload: Payload,
}

/// A node has stored a socket that it claimed. To the node that has held it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirm {
    /// The node that has it now.
    pub node: NodeId,
    /// The attempt.
    pub attempt: Attempt,
    /// The secret.
    pub pid: String,
    /// The number of the last event for it alone that was in the answer to the claim.
    pub own: u64,
}

/// The answer to a [`Confirm`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Confirmed {
    /// The socket is the caller's, with what was for it alone since the claim.
    Given(Vec<OwnEvent>),
    /// Another attempt has got it: that of this node.
    Moved(NodeId),
    /// Its client has come to another object since.
    Superseded,
    /// Some of what was for the socket alone is gone. Its client starts over.
    Gone,
    /// The callee does not remember the claim. The socket may be claimed again.
    Unknown,
}

/// A node asks for the events that a socket has missed. To a hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// The socket's rooms.
    pub rooms: Vec<String>,
    /// The place of the last event that it has had.
    pub after: u64,
}

/// The answer to a [`Missed`] of which nothing is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissedEvents {
    /// No later event is among them. Those come to the node.
    pub up_to: u64,
    /// All events to one of the rooms, in order, with their places. Who is meant by the
    /// whole filter, only drivers know.
    pub events: Vec<(u64, Shared)>,
}

/// A client that comes back, and what it has shown.
#[derive(Clone, Copy, Debug)]
pub struct Comeback<'a> {
    /// The secret.
    pub pid: &'a str,
    /// The object in which the socket began, which the secret names.
    pub home: NodeId,
    /// The id of the socket, which the secret names, too.
    pub id: &'a str,
    /// The last event that the client has received.
    pub position: Option<Position>,
}

/// A socket that is to be stored before it is confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// The socket. What was for it alone is to be logged here, too, as it is.
    pub held: Held,
    /// Whose it still is: stored along with it.
    pub unconfirmed: Unconfirmed,
}

/// What is stored along with a socket that is not known to be here yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unconfirmed {
    /// The node that has held it.
    pub from: NodeId,
    /// The attempt to get it.
    pub attempt: Attempt,
    /// The last event for it alone that has come along.
    pub own: u64,
}

/// A client has its socket again, and is to be sent what it has missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// The socket.
    pub held: Held,
    /// What its former object has logged for it alone since it was claimed. It is to be
    /// logged here, too, as it is.
    pub meanwhile: Vec<OwnEvent>,
    /// What it has missed of the hub, in order, with the places.
    pub missed: Vec<(u64, Shared)>,
    /// It has all events of the hub up to this place: of those that are delivered here,
    /// only later ones are for it.
    pub up_to: u64,
}

impl Returned {
    /// Returns all that the client has missed, in order. `since` is what this object has
    /// logged for the socket alone since it was [readmitted](super::Node::readmit).
    ///
    /// What was for the socket alone comes after what its object had taken of the hub
    /// before.
    pub fn events(&self, since: &[OwnEvent]) -> Vec<MissedEvent> {
        let own = self.held.own.iter().chain(&self.meanwhile).chain(since);
        let mut of_hub = self.missed.iter().cloned().peekable();
        let mut merged = Vec::new();
        for event in own {
            let is_before = |(place, _): &(u64, Shared)| *place <= event.place;
            while let Some((place, operation)) = of_hub.next_if(is_before) {
                merged.push(MissedEvent::OfHub { place, operation });
            }
            merged.push(MissedEvent::Own(event.clone()));
        }
        let rest = of_hub.map(|(place, operation)| MissedEvent::OfHub { place, operation });
        merged.extend(rest);
        merged
    }
}

/// An event that a client has missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissedEvent {
    /// It was for members of rooms, and may not have been for this one.
    OfHub {
        /// Its place.
        place: u64,
        /// The event.
        operation: Shared,
    },
    /// It was for the socket alone.
    Own(OwnEvent),
}

/// Why a client does not get its socket back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReturned {
    /// Nobody knows its secret, or it has been away for too long. It starts over.
    Unknown,
    /// Some of what it has missed is gone, or it is too much. It starts over.
    Gone,
    /// The client has come to another object since, or again to this one. Its session
    /// here is to be closed.
    Superseded,
    /// Somebody did not answer in time. The client may come again, or starts over.
    Unanswered,
}
