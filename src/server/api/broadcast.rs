//! Many sockets at once: all of a namespace, or those in some rooms.

use core::fmt;
use core::time::Duration;

use dormouse_proto::millis;

use super::{
    Acked, Acks, Arguments, EmitError, Event, FromArgs, Gathered, Io, Missing, RemoteSocket,
    RoomNames,
};
use crate::port::{Operation, PortError, Reply, Request, Selection, Target};

/// Some sockets of a namespace, and the operations on them.
///
/// Its methods can be combined: [`to`](Self::to) adds the sockets of rooms,
/// [`except`](Self::except) takes some away, and a socket that is in several of the
/// rooms counts once.
///
/// ```no_run
/// # async fn example(socket: dormouse::Socket) -> Result<(), dormouse::EmitError> {
/// // Everybody else in two rooms, except those in a third.
/// socket.to(["a", "b"]).except("c").emit("news", "hello").await?;
/// // Everybody, including the sender; it does not matter if it gets lost.
/// socket.io().to("a").volatile().emit("position", (1, 2)).await?;
/// // Who answers?
/// let names: Vec<(String,)> = socket.to("a").emit_with_ack("name?", ()).await?.into_values();
/// # let _ = names;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "it says whom something is for, and not what"]
pub struct Broadcast {
    io: Io,
    selection: Selection,
    volatile: bool,
    limit: Option<Duration>,
}

/// The sockets that it is for.
impl Broadcast {
    /// Addresses all sockets of a namespace.
    pub(super) fn new(io: &Io) -> Self {
        Self {
            io: io.clone(),
            selection: Selection {
                namespace: io.namespace().to_owned(),
                ..Selection::default()
            },
            volatile: false,
            limit: None,
        }
    }

    /// Adds the sockets in these rooms. Without any rooms, it is for the whole
    /// namespace.
    #[doc = include_str!("operators/to.md")]
    pub fn to(mut self, rooms: impl RoomNames) -> Self {
        self.selection.filter.rooms.extend(rooms.names());
        self
    }

    /// Does the same as [`to`](Self::to).
    pub fn in_(self, rooms: impl RoomNames) -> Self {
        self.to(rooms)
    }

    /// Does the same as [`to`](Self::to), under a name that needs no underscore.
    pub fn within(self, rooms: impl RoomNames) -> Self {
        self.to(rooms)
    }

    /// Excludes the sockets in any of these rooms.
    #[doc = include_str!("operators/except.md")]
    pub fn except(mut self, rooms: impl RoomNames) -> Self {
        self.selection.filter.except.extend(rooms.names());
        self
    }

    /// Restricts it to sockets in the same object. That is all of them, unless they are
    /// [spread](crate::Placement::spread) over many objects or placed by a
    /// [key](crate::Placement::Key). From elsewhere in the Worker, no object of many is the
    /// same: there it is [`EmitError::Placement`].
    #[doc = include_str!("operators/local.md")]
    pub fn local(mut self) -> Self {
        self.selection.local = true;
        self
    }

    /// Lets events get lost if a client is not ready to receive them at once. Such
    /// events are not recovered either.
    #[doc = include_str!("operators/volatile.md")]
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// Sets how long [`emit_with_ack`](Self::emit_with_ack) waits. Default:
    /// [`Server::ack_timeout`](crate::Server::ack_timeout).
    #[doc = include_str!("operators/timeout.md")]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// Operations on them.
impl Broadcast {
    /// Sends an event to all of them. It is encoded once for each protocol, whatever
    /// the number of sockets.
    #[doc = include_str!("operators/emit.md")]
    /// # Errors
    ///
    /// [`EmitError::Json`] if the arguments cannot be written as JSON,
    /// [`EmitError::ReservedName`] for an event name that clients reserve,
    /// [`EmitError::Placement`] if it is not known which object holds the sockets,
    /// [`EmitError::Platform`] if that object could not be reached. In a server of many
    /// objects, [`EmitError::Partial`] if all others than those have got it,
    /// [`EmitError::Unsent`] or [`EmitError::Overloaded`] if nobody has, and
    /// [`EmitError::Unanswered`] if that is not known.
    pub async fn emit(&self, event: &str, args: impl Arguments) -> Result<(), EmitError> {
        let args = args.encode(Some(event))?;
        let volatile = self.volatile;
        self.carry_out(Operation::Emit { args, volatile }).await
    }

    /// Sends an event whose arguments are defined with it: see [`Event`].
    ///
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn emit_event<A: Arguments>(
        &self,
        event: Event<A>,
        args: A,
    ) -> Result<(), EmitError> {
        self.emit(event.name(), args).await
    }

    /// Sends an event and waits until every socket has acknowledged it or has gone,
    /// or the time is up. Returns what has come of it for each socket: an answer that
    /// is missing, or that cannot be read as a `T`, does not spoil the others.
    ///
    /// In [`on_connect`](crate::Namespace::on_connect), the handler's own socket is let
    /// in early if it is among them.
    ///
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn emit_with_ack<T: FromArgs>(
        &self,
        event: &str,
        args: impl Arguments,
    ) -> Result<Acks<T>, EmitError> {
        let args = args.encode(Some(event))?;
        let limit = self.limit.unwrap_or(self.io.application().ack_timeout);
        let timeout = millis(limit);
        let asked = self.operate(Operation::EmitWithAck { args, timeout });
        let (Reply::Acks(asked), missing) = split(asked.await?) else {
            return Err(PortError::Answer.into());
        };
        let acks: Acks<T> = asked.into_iter().map(Acked::from).collect();
        Ok(acks.without(missing))
    }

    /// Returns what is known of each of them.
    #[doc = include_str!("operators/fetch_sockets.md")]
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn fetch_sockets(&self) -> Result<Gathered<RemoteSocket>, EmitError> {
        let fetched = self.operate(Operation::Fetch(None)).await?;
        let (Reply::Sockets(sockets), missing) = split(fetched) else {
            return Err(PortError::Answer.into());
        };
        let io = &self.io;
        let sockets = sockets
            .into_iter()
            .map(|remote| RemoteSocket::new(io.of(&self.selection.namespace), remote));
        Ok(Gathered::new(sockets.collect(), missing))
    }

    /// Returns their number.
    ///
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn count(&self) -> Result<usize, EmitError> {
        match split(self.operate(Operation::Count).await?) {
            (Reply::Count(count), missing) if missing.is_none() => Ok(count),
            (Reply::Count(_), missing) => Err(EmitError::Partial(missing)),
            _ => Err(PortError::Answer.into()),
        }
    }

    /// Returns the rooms that they are in, by name, and how many of them are in each. A
    /// socket does not count in the room of its own id.
    ///
    /// ```no_run
    /// # async fn example(io: dormouse::Io) -> Result<(), dormouse::EmitError> {
    /// for room in io.rooms().await? {
    ///     println!("{}: {} sockets", room.name, room.sockets);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn rooms(&self) -> Result<Gathered<Room>, EmitError> {
        let asked = self.operate(Operation::Rooms(None)).await?;
        let (Reply::RoomSizes(rooms), missing) = split(asked) else {
            return Err(PortError::Answer.into());
        };
        let rooms = rooms.into_iter();
        let rooms = rooms.map(|(name, sockets)| Room { name, sockets });
        Ok(Gathered::new(rooms.collect(), missing))
    }

    /// Makes them enter rooms. A socket that would exceed
    /// [`max_rooms`](crate::Server::max_rooms) enters as many as it may.
    #[doc = include_str!("operators/join.md")]
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn join(&self, rooms: impl RoomNames) -> Result<(), EmitError> {
        self.carry_out(Operation::Join(rooms.names())).await
    }

    /// Makes them leave rooms.
    #[doc = include_str!("operators/join.md")]
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn leave(&self, rooms: impl RoomNames) -> Result<(), EmitError> {
        self.carry_out(Operation::Leave(rooms.names())).await
    }

    /// Disconnects them from the namespace.
    #[doc = include_str!("operators/disconnect.md")]
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn disconnect(&self) -> Result<(), EmitError> {
        self.carry_out(Operation::Disconnect { close: false }).await
    }

    /// Disconnects their clients from all namespaces, and closes their sessions.
    ///
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit).
    pub async fn close(&self) -> Result<(), EmitError> {
        self.carry_out(Operation::Disconnect { close: true }).await
    }

    /// Carries out something that has no other result than that it is done.
    pub(super) async fn carry_out(&self, operation: Operation) -> Result<(), EmitError> {
        let (_, missing) = split(self.operate(operation).await?);
        match missing.is_none() {
            true => Ok(()),
            false => Err(EmitError::Partial(missing)),
        }
    }

    pub(super) fn io(&self) -> &Io {
        &self.io
    }

    async fn operate(&self, operation: Operation) -> Result<Reply, EmitError> {
        Ok(self.request(operation).await?)
    }

    pub(super) async fn request(&self, operation: Operation) -> Result<Reply, PortError> {
        let target = Target::Sockets(self.selection.clone());
        let request = Request::Operate(target, operation);
        self.io.port().call(request).reply().await
    }
}

impl fmt::Debug for Broadcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast")
            .field("selection", &self.selection)
            .finish_non_exhaustive()
    }
}

/// Returns an answer, and which objects have no part in it.
pub(super) fn split(reply: Reply) -> (Reply, Missing) {
    if let Reply::Partial(reply, missing) = reply {
        (*reply, missing.into())
    } else {
        (reply, Missing::default())
    }
}

/// A room, and how many sockets are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Room {
    /// Its name.
    pub name: String,
    /// The number of sockets in it, of those that were asked about.
    pub sockets: usize,
}

#[cfg(test)]
mod tests;
