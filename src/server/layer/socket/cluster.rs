//! Many objects that are one server, as the rest of this layer sees them.
//!
//! In a server of one object, or of objects that do not know each other, there is no
//! [`Cluster`], and nothing of the modules below is linked: they are reached through
//! what [`Placement::spread`] leaves in the options, and by no other way.
//!
//! Who is in a room is decided in the rest of the layer, and so is what an operation
//! does to the sockets in here. The rules about many objects are in
//! [`dormouse_proto::cluster`].

mod answers;
mod comebacks;
mod custody;
mod desk;
mod hubs;
mod joins;
mod logged;
mod merging;
mod moving;
mod objects;
mod operations;
mod participant;
mod returning;

use std::rc::{Rc, Weak};

use dormouse_proto::Timestamp;
use dormouse_proto::cluster::Position;
use dormouse_proto::socket::{Args, Offset, Socket};
use futures::future::LocalBoxFuture;

use self::objects::Objects;
use super::context::Context;
use super::recovering::Found;
use crate::parts::{Parts, placing};
use crate::placement::{Placement, Spread};
use crate::port::{Address, Called, ClusterCall, Operation, PortError, Spot, Target};

/// The other objects of a server.
pub(super) trait Cluster {
    /// Carries out an operation on sockets, wherever they are.
    fn operate(&self, target: Target, operation: Operation) -> Called;

    /// Has a socket enter rooms, once others know that it is about to.
    fn join(&self, spot: Spot, namespace: &str, rooms: Vec<String>) -> Called;

    /// Makes known to others that a socket is about to be in its namespace, and in these
    /// rooms. Until it is [present](Self::present), it counts as if it were.
    fn announce(
        &self,
        spot: Spot,
        namespace: &str,
        rooms: &[String],
    ) -> LocalBoxFuture<'static, Result<(), PortError>>;

    /// A socket is visible to others.
    fn present(&self, spot: Spot);

    /// A socket leaves a room that it is not in: if it is about to enter it, it does not.
    /// This, and the next two, may be called in the middle of anything.
    fn leave_early(&self, spot: Spot, room: &str);

    /// A socket has left a room, other than that of its own id.
    fn left(&self, namespace: &str, room: &str);

    /// A socket is hidden from others, or will not come.
    fn gone(&self, spot: Spot, socket: &Socket);

    /// Takes in a call of another object.
    fn handle(&self, call: &ClusterCall) -> Called;

    /// Returns the part that lets clients come back, if they can.
    fn returns(&self) -> Option<&dyn Returns>;

    /// Returns what the next instance has to know, if this one panics.
    fn marks(&self) -> Vec<u8>;

    /// Takes that up.
    fn inherit(&self, marks: &[u8]);
}

/// Connection state recovery of many objects: clients come back to any of them.
pub(super) trait Returns {
    /// Returns the secret of a new socket, which says where the socket began.
    fn new_pid(&self, id: &str) -> String;

    /// Returns the position of a client that connects now.
    fn position(&self, namespace: &str) -> LocalBoxFuture<'static, Offset>;

    /// Finds the socket of a client that has come back, in this object or another.
    fn find(&self, comeback: Comeback);

    /// Logs an event for a socket alone, and returns the offset that it is sent with: none
    /// if its client cannot come back.
    fn log(&self, address: &Address, args: &Args<'_>) -> Option<String>;

    /// Sends an event to sockets of this object that is not logged. Returns whether any of
    /// them has taken it.
    fn send(&self, namespace: &str, sockets: &[Spot], args: &Args<'_>, volatile: bool) -> bool;

    /// Writes down which events sessions have had, as these are about to be written.
    fn save(&self);

    /// A socket is not stored any more.
    fn forgotten(&self, namespace: &str, pid: &str);

    /// Does what is due, and returns when to call this again.
    fn handle_alarm(&self) -> Option<Timestamp>;
}

/// A client that has come back.
pub(super) struct Comeback {
    pub(super) spot: Spot,
    pub(super) namespace: Rc<str>,
    /// The tag of the namespace's definition.
    pub(super) tag: u32,
    pub(super) pid: String,
    /// The last event that it has received.
    pub(super) position: Option<Position>,
    /// Told what is found: nothing if it starts over.
    pub(super) then: Box<dyn FnOnce(Option<Found>)>,
}

/// Creates the [`Cluster`] of an object.
type Create = fn(Weak<Context>, &Rc<Parts>, &str, &Spread) -> Rc<dyn Cluster>;

/// Many objects that are one server.
impl Placement {
    /// Returns a placement of sessions in any of this many objects, which are one server:
    /// a room reaches into all of them, and so does everything else that addresses many
    /// sockets. Only Socket.IO servers can have it.
    ///
    /// ```
    /// use dormouse::{Placement, Server};
    ///
    /// let server = Server::new().placement(Placement::spread(8));
    /// # let _ = server;
    /// ```
    ///
    /// The number can be changed with any deploy: ids say where their sockets are.
    ///
    /// By default, each session is put into one of them at random, until its object has as
    /// many WebSockets as the platform allows. [`Spread`] has options for all of that.
    pub fn spread(objects: u32) -> Spread {
        const CREATE: &Create = &(Objects::create as Create);
        Spread::new(objects, CREATE, placing::place)
    }
}

/// Creates what makes many objects one server, if they are to be one.
pub(super) fn of(
    context: Weak<Context>,
    parts: &Rc<Parts>,
    path: &str,
    placement: &Placement,
) -> Option<Rc<dyn Cluster>> {
    let spread = placement.many()?;
    let create = spread.linked.downcast_ref::<Create>()?;
    Some(create(context, parts, path, spread))
}
