//! Many objects that are one server: who is told of an event, in which order, and what
//! is known of it in the end.
//!
//! This module contains no networking code, no storage, no clock and no randomness. A
//! [`Node`] is the part of an object that holds sockets; a [`Hub`] is the object that
//! orders the events of some of a namespace's rooms, and knows which nodes may have a
//! member of each. Both take in calls and their answers with `handle_*`, and
//! `poll_output` returns what is to be done until nothing is left.
//!
//! Who is in which room is known only where the sockets are. A hub has a superset,
//! in rows: a node is entered before its first socket is in a room, and struck out some
//! time after its last one has left. So an event goes to no node that certainly has no
//! member, and each node decides by the whole filter who is meant.
//!
//! ```text
//!   join ─► Node ── Control ──► Hub ── row ── answer ──► Node ─► Output::Joined
//!   emit ─► Node ── Publish ──► Hub ─┬─ Deliver ──► Node ─► Output::Deliver
//!                                    ├─ Relay ──► Node ── Deliver ──► Node (where there are many)
//!                                    └─ Ask ──► Hub (a room that is that one's)
//!                               Hub ── Recall ──► Node (a room that it served alone)
//! ```
//!
//! # What is promised
//!
//! - An [emit](Node::emit) that is [`Outcome::Reached`] was given exactly once to every
//!   node with a socket whose [join](Node::join) had resolved before, and that stays.
//! - The events of one room reach all nodes in the same order, within a life of its hub;
//!   those of one sender to a room in the order in which it sent them.
//! - While a node does not answer, a sender goes on after [`PUBLISH_PATIENCE`], and hears
//!   later what has become of the events; unless the next one shares a room with them and
//!   goes through another hub.
//! - Everything ends within its limit: [`JOIN_LIMIT`], [`UNSENT_LIMIT`] and then
//!   [`EMIT_LIMIT`] with [`ANSWER_GRACE`]. An [`Outcome`] says what is missing.
//! - A room whose members are all in one node is served there: [`Emitted::Here`], without
//!   a call.
//! - Where nothing happens there is no timeout, no call and no row.
//!
//! Not promised is the order of events to rooms of different hubs, nor, across the end
//! of a hub's memory, that of events whose publishing was repeated because of it. Should
//! the memories of a hub and of an object be lost within the same seconds, and sockets
//! of that object survive, they may be sent such an event twice.
//!
//! # Another number of hubs
//!
//! A number that has changed between two builds leaves some rooms with another hub
//! ([`hub_of`]). A hub refuses calls that name rooms which it does not lead, or whose sender
//! counts on other hubs, so they are repeated until both are of the same build. Nodes whose
//! sockets outlive the change [move their rooms](Node::move_rooms); from then on all that is
//! promised holds for their members among nodes of the same build. Not promised is what
//! nodes of two builds hear of each other.
//!
//! # What its driver does
//!
//! - It carries [`Output::Call`] to its callee as it is, and passes on the answer or the
//!   failure under the number of that call; a call is repeated only by the core. One
//!   that is not answered within 30 s has failed.
//! - It carries out outputs in the order in which it polls them, in the same turn as the
//!   input. Rows are written through a [`Store`] before an answer that relies on them is
//!   among the outputs, so the answer must not leave before the rows are safe: on
//!   Durable Objects the output gate holds calls and answers back until they are.
//! - It touches its storage in every turn in which a call comes in, in which a
//!   [`Control`] leaves, and in which an emit is [`Emitted::Here`]. An old instance that
//!   is alive beside its successor is stopped by that, before it answers for sockets
//!   that it no longer has.
//! - It keeps the [`Mark`] of each hub with what it keeps of its sockets, in the same
//!   turn, if these can survive the loss of its memory; and gives them to the next
//!   [`Node`].
//! - It keeps the number of hubs by which rooms with members were made known, if sockets can
//!   survive a change of it, and [has them moved](Node::move_rooms) when it has changed.
//!
//! # Clients that come back
//!
//! A namespace whose clients can come back, to any of its nodes, has one hub, which
//! [logs](Hub::recovering) the events that are [to be logged](Node::emit_logged). In
//! addition, or instead:
//!
//! - An emit is [`Outcome::Reached`] as soon as it is logged. It is then sent until it has
//!   arrived, also after the hub has lost its memory. Its place is one order for all
//!   lives of the hub.
//! - A client that comes back in time has its socket again, and what it has missed: once,
//!   in order, any number of times in a row, whatever has crashed or slept meanwhile, and
//!   also if the session that had the socket before is not known to be dead. Or it is
//!   told that it starts over, as soon as anything that it may have missed is gone.
//! - Whoever does not know its secret gets nothing.
//! - No room is granted: the hub has to log. Events that are not logged have the promises
//!   above.
//! - The log has [bounds](LogSettings). Nothing is left of it, and no alarm, when nothing
//!   has happened for [`LogSettings::max_disconnection`].
//!
//! A client is asked for its [`Position`] by the last event that it has received. If that
//! is older than the log, it starts over, however short it was away.
//!
//! The calls are drawn where they are [defined](Claim). What the driver does for it:
//!
//! - *The hub* has a name, and so a storage, of its own: one that does not log has
//!   granted rooms. Its [`Store`] has a [log](Store::log). It sets an alarm as
//!   [`Hub::alarm`] says, and when that rings, calls [`Hub::handle_timeout`].
//! - *Sockets* are stored when they have connected, when their rooms have changed, and
//!   when they are lost. A new one begins at a [place](Node::place) that is not older than
//!   it may be when its client comes back, if need be [after asking](Node::ask_place).
//!   Its secret names the object in which it began, its *home*, and its id.
//! - *Events* that a node delivers are sent with the [`Position`] of their place, and only
//!   to sockets that begin, or have [returned](Returned::up_to), at an earlier one. What
//!   is for one socket alone is logged in its object, also while it is lost, under its
//!   [next number](next_own), with the place of the last [`Mark`].
//! - *Who names a socket by its id* goes to its home first. If it is not stored there, the
//!   event is logged by the hub, in the room of that id. An object that is not the home
//!   is in that room, [as it sees it](Members), for as long as the socket is stored there.
//! - *A client that comes back*: if its socket is stored here and confirmed, the driver
//!   ends the session that holds it, and has it [readmitted](Node::readmit); if it is
//!   unconfirmed, [settled](Node::settle), and looks again; else [claimed](Node::claim).
//!   When it has [`Returned`], what was logged for it alone since is read again. If the
//!   client goes meanwhile, the driver says so: [`Node::forget_return`].
//! - *Claims of others* are answered from its [`Custody`], after it has ended the session
//!   that holds the socket.
//! - *A [gap](Output::Gap)* ends all sessions and forgets all sockets of the namespace.

mod calls;
mod custody;
mod flight;
mod hub;
mod ids;
mod log;
mod messages;
mod node;
mod recovery;
mod rules;
mod store;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::Timestamp;

pub use custody::{Custody, Kept, Tombstone};
pub use flight::{CallId, Failure, Ticket};
pub use hub::Hub;
pub use ids::{Address, HubIndex, HubLife, Mark, NodeId, NodeLife, Sender, Stamp, hub_of};
pub use log::{LogEnds, LogHead, LogSettings, LogStore, LogUsage, NewBatch, NewLogged};
pub use messages::{
    Addressed, Answer, Ask, Await, Call, Control, Controlled, Deliver, Delivered, Event, Gather,
    Interested, MessageError, Missing, Operation, Passed, Payload, Publish, Published, Recall,
    Relay, Shared,
};
pub use node::{
    Emit, EmitId, Emitted, Full, GatherId, Gathering, JoinKey, Joining, Members, Node, Outcome,
    ReturnKey, Settings,
};
pub use recovery::{
    Adopted, Attempt, Claim, Claimed, Comeback, Confirm, Confirmed, Held, Missed, MissedEvent,
    MissedEvents, NotReturned, OwnEvent, Position, Returned, Unconfirmed, next_own, own_at,
};
pub use store::{Failed, Store};

/// The number of hubs of a namespace, unless the server has another one.
pub const DEFAULT_HUBS: u16 = 8;

/// The maximum number of hubs of a namespace.
pub const MAX_HUBS: u16 = 256;

/// The time in which an event has to reach all nodes, counted from when it is first
/// sent to a hub. No node takes it later, so nodes and hubs need not remember longer
/// than this what they have had; an object that falls asleep after 10 s in which
/// nothing happened forgets nothing that could matter.
pub const EMIT_LIMIT: Duration = Duration::from_secs(8);

/// The time after [`EMIT_LIMIT`] in which a hub's answer about what is missing may come.
pub const ANSWER_GRACE: Duration = Duration::from_secs(2);

/// The time for which a hub holds the answer to a [`Publish`] back until the events have
/// arrived. Then the sender may go on, and asks for what becomes of these by an [`Await`].
pub const PUBLISH_PATIENCE: Duration = Duration::from_millis(500);

/// By so much may the clocks of two objects differ. For so long after [`EMIT_LIMIT`], a
/// hub does not call an event missed: a node whose clock is slow may still take it.
pub const CLOCK_MARGIN: Duration = Duration::from_secs(1);

/// The time that an event may wait behind others before it is sent to a hub.
pub const UNSENT_LIMIT: Duration = Duration::from_secs(10);

/// The time that a hub waits for other hubs before it goes on without them.
pub const ASK_LIMIT: Duration = Duration::from_secs(4);

/// The time that a join may take.
pub const JOIN_LIMIT: Duration = Duration::from_secs(30);

/// The time after which a [`Control`] that is not answered is given up. What it asked
/// for is asked again if somebody still wants it.
pub const CONTROL_LIMIT: Duration = Duration::from_secs(30);

/// Rooms that have been empty for [`Settings::vacate_after`] are looked at once in this
/// part of that time, so that one call takes many.
pub const VACATE_STEPS: u32 = 6;

/// The time for which a hub holds the answer to a [`Control`] back because another node
/// has to give up a room first. Other rooms of that node would have to wait behind it.
pub const RECALL_PATIENCE: Duration = Duration::from_secs(1);

/// The maximum number of events that wait for one callee; and of those of one sender that
/// are [on their way](Published::is_open) when it goes on.
pub const MAX_WAITING: usize = 1_000;

/// The maximum size of the events that wait for one callee, in bytes.
pub const MAX_WAITING_BYTES: usize = 4 << 20;

/// The maximum size of the events in one call, in bytes, unless a single one is larger.
pub const MAX_BATCH: usize = 1 << 20;

/// The maximum number of [`Deliver`] calls of a hub, and of [`Gather`] calls of a node,
/// that are under way.
pub const MAX_CALLS: usize = 128;

/// A hub that has events for so many nodes at once calls some of them, which
/// [pass them on](Relay) to the others.
pub const RELAY_FROM: usize = 64;

/// The maximum number of nodes that get events by one of them, itself included.
pub const RELAY_DEGREE: usize = 32;

/// With fewer nodes than this that are to get the same events, each is called.
pub const RELAY_LEAST: usize = 8;

/// The time for which a node waits for those to which it passes events on. What it has
/// not heard by then, the hub finds out by itself.
pub const RELAY_PATIENCE: Duration = Duration::from_secs(1);

/// The time for which a hub waits for a node that passes events on. Then it calls all for
/// which they were.
pub const RELAY_LIMIT: Duration = Duration::from_secs(2);

/// The maximum number of calls by which one node is passing events on.
pub const MAX_RELAYS: usize = 64;

/// The maximum number of senders whose last event is remembered.
pub const MAX_SENDERS: usize = 4_096;

/// The maximum size of the events that a hub has taken and not answered, in bytes, unless
/// those of a single sender are larger.
pub const MAX_HELD_BYTES: usize = 16 << 20;

/// The maximum number of rooms in one [`Control`], [`Ask`] or [`Recall`].
pub const MAX_ROOMS: usize = 1_000;

/// The maximum number of joins of a node that are not answered.
pub const MAX_JOINS: usize = 10_000;

/// The maximum number of questions of a node that are open.
pub const MAX_GATHERS: usize = 1_000;

/// The maximum number of nodes that an outcome names as missing. It counts all of them.
pub const MAX_NAMED: usize = 64;

/// The maximum number of rooms of which a hub remembers that nobody serves them alone.
/// Forgetting one costs a [`Recall`].
pub const MAX_CLEAN: usize = 100_000;

/// The maximum number of rooms of which an object knows that their hub has a row for it. To
/// join another one that was left a moment ago is a call more.
pub const MAX_KNOWN_ROWS: usize = 10_000;

/// The time in which a client has to have its socket back that comes back to an object.
pub const RETURN_LIMIT: Duration = Duration::from_secs(15);

/// The time for which an object remembers to whom it has given a socket. Whoever asks
/// later asks the hub who has it.
pub const TOMBSTONE_LIMIT: Duration = Duration::from_secs(300);

/// The maximum number of clients that are about to come back to one object.
pub const MAX_RETURNS: usize = 256;

/// The maximum size of what a client is sent that comes back, in bytes.
pub const MAX_RETURN_BYTES: usize = 4 << 20;

/// The maximum number of nodes that are asked for a socket before the hub is, and after.
pub const MAX_HOPS: usize = 8;

/// The maximum number of claims that an object remembers until they are confirmed.
/// Forgetting one costs that it is claimed again.
pub const MAX_CLAIMS: usize = 10_000;

/// The maximum number of sockets of which an object remembers to whom it has given them.
pub const MAX_TOMBSTONES: usize = 10_000;

/// Something that a [`Hub`] or a [`Node`] asks of its driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Calls another object, and passes on its answer under this number.
    Call {
        /// The number of the call.
        id: CallId,
        /// The object to call.
        to: Address,
        /// The call.
        call: Call,
    },
    /// Answers a call that has come in.
    Answer {
        /// The number under which it came in.
        ticket: Ticket,
        /// The answer.
        answer: Answer,
    },
    /// Carries out an event on the sockets of this object that its filter selects. Only
    /// nodes ask for it, and before they answer the call that brought it. The mark takes
    /// the place of the hub's last one.
    Deliver(Event, Mark),
    /// The last place that the hub has given, if it [was asked](Node::ask_place): 0 if it
    /// has not answered.
    Place(u64),
    /// Logged events are gone that sockets here have not got: their clients have been out
    /// of reach for too long. The driver closes their sessions, and forgets all sockets
    /// of the namespace, so that they start over.
    Gap,
    /// A join is known to its hub: the socket is in the room from now on. If there is no
    /// such socket any more, the driver says so with [`Node::leave`].
    Joined(JoinKey),
    /// The hub did not answer within [`JOIN_LIMIT`]: the socket is not in the room.
    NotJoined(JoinKey),
    /// All rooms [that were to move](Node::move_rooms) are known to the hubs that lead
    /// them now.
    Moved,
    /// The nodes that have taken an event whose sender [has to know](Emit::tells_nodes).
    /// The outcome follows.
    Taken(EmitId, Vec<NodeId>),
    /// Asks this object a question of another. The driver answers with
    /// [`Node::answer_gather`], at the latest at the deadline.
    Gather {
        /// The number under which it came in.
        ticket: Ticket,
        /// The time at which to answer with what there is.
        deadline: Timestamp,
        /// The question.
        payload: Payload,
    },
    /// An object has answered a question.
    Collected(GatherId, NodeId, Payload),
    /// A question is over. Nobody else will answer it.
    Gathered(GatherId, Missing),
    /// An emit has ended.
    Resolved(EmitId, Outcome),
    /// Another object wants a socket. The driver ends the session that holds it, if there
    /// is one, and calls [`Node::answer_claim`].
    Claim {
        /// The number under which it came in.
        ticket: Ticket,
        /// The claim.
        claim: Claim,
    },
    /// Another object has stored a socket. The driver calls [`Node::answer_confirm`].
    Confirm {
        /// The number under which it came in.
        ticket: Ticket,
        /// The confirmation.
        confirm: Confirm,
    },
    /// Stores a socket that is still another object's, unconfirmed. The driver calls
    /// [`Node::adopted`], or [`Node::forget_return`] if that fails.
    Adopt(ReturnKey, Box<Adopted>),
    /// A client has its socket again. The driver marks it as confirmed, deletes a
    /// tombstone of it, puts it into its rooms, and sends what was missed.
    Returned(ReturnKey, Box<Returned>),
    /// A client does not get its socket back here.
    NotReturned(ReturnKey, NotReturned),
    /// What became of a socket that was [unconfirmed](Node::settle). If it was given, the
    /// driver marks it as confirmed, deletes a tombstone of it, and logs what was for it
    /// alone meanwhile; else it deletes it.
    Settled {
        /// The secret of the socket.
        pid: String,
        /// The answer.
        confirmed: Confirmed,
    },
}
