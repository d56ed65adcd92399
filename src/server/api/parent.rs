//! All namespaces of a pattern at once.

use core::fmt;

use super::pattern::Pattern;
use super::{Arguments, EmitError, Event, Io, RoomNames};
use crate::port::{Operation, Request, Selection, Target};

/// All namespaces whose names fit a pattern: see [`Io::parent`].
///
/// An event goes to the namespaces that have a socket in the object at that moment, and is
/// encoded once for each of them and each protocol. With [`Recovery`](crate::Recovery), it is
/// stored once for each of them, too: clients that are away get it if any other socket is in
/// their namespace.
#[derive(Clone)]
#[must_use = "it says whom something is for, and not what"]
pub struct ParentNamespace {
    io: Io,
    selection: Selection,
    volatile: bool,
}

impl Io {
    /// Addresses all namespaces whose names fit a pattern, written as for
    /// [`Server::namespace`](crate::Server::namespace), other than those that are defined by
    /// their own names. Namespaces of [`namespace_if`](crate::Server::namespace_if) are
    /// among them.
    ///
    /// ```no_run
    /// use dormouse::{EmitError, Io, Server};
    /// use worker::{Env, Request, Response, Result};
    ///
    /// fn server() -> Server {
    ///     Server::new().namespace("/room-{id}", |namespace| {
    ///         namespace.on("to all rooms", async |io: Io, (text,): (String,)| {
    ///             io.parent("/room-{id}").emit("news", text).await
    ///         })
    ///     })
    /// }
    ///
    /// /// Another route of the Worker.
    /// async fn close(env: Env) -> Result<Response> {
    ///     let io = Io::new(&env, "/socket.io/").ok_or("no such server")?;
    ///     io.parent("/room-{id}").except("staff").emit("closing", ()).await?;
    ///     Response::ok("told")
    /// }
    /// # let _ = (server, close);
    /// ```
    pub fn parent(&self, pattern: &str) -> ParentNamespace {
        ParentNamespace {
            io: self.clone(),
            selection: Selection {
                namespace: pattern.to_owned(),
                ..Selection::default()
            },
            volatile: false,
        }
    }
}

impl ParentNamespace {
    /// Adds the sockets in these rooms, of whichever of the namespaces. Without any rooms,
    /// it is for all sockets.
    pub fn to(mut self, rooms: impl RoomNames) -> Self {
        self.selection.filter.rooms.extend(rooms.names());
        self
    }

    /// Excludes the sockets in any of these rooms.
    pub fn except(mut self, rooms: impl RoomNames) -> Self {
        self.selection.filter.except.extend(rooms.names());
        self
    }

    /// Lets events get lost if a client is not ready to receive them at once. Such
    /// events are not recovered either.
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// Sends an event to all of them.
    ///
    /// # Errors
    ///
    /// [`EmitError::Pattern`] if the text is not a pattern, and those of
    /// [`Broadcast::emit`](crate::Broadcast::emit).
    pub async fn emit(&self, event: &str, args: impl Arguments) -> Result<(), EmitError> {
        let pattern = &self.selection.namespace;
        if Pattern::parse(pattern).is_none() {
            return Err(EmitError::Pattern(pattern.clone()));
        }
        let args = args.encode(Some(event))?;
        let volatile = self.volatile;
        let target = Target::Children(self.selection.clone());
        let request = Request::Operate(target, Operation::Emit { args, volatile });
        self.io.port().call(request).reply().await?;
        Ok(())
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
}

impl fmt::Debug for ParentNamespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParentNamespace")
            .field("selection", &self.selection)
            .finish_non_exhaustive()
    }
}
