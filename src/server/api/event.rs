//! Events whose names and arguments are defined in one place.

use core::fmt;
use core::marker::PhantomData;

/// An event's name together with the type of its arguments, for both its sender and
/// its receiver.
///
/// ```
/// use dormouse::{Event, Server, Socket};
///
/// /// A room and a text.
/// const CHAT: Event<(String, String)> = Event::new("chat message");
///
/// let server = Server::new().namespace("/", |namespace| {
///     namespace.on_event(CHAT, async |socket: Socket, (room, text)| {
///         socket.to(&room).emit_event(CHAT, (room, text)).await
///     })
/// });
/// # let _ = server;
/// ```
pub struct Event<A> {
    name: &'static str,
    arguments: PhantomData<fn(A)>,
}

impl<A> Event<A> {
    /// Defines an event of this name.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            arguments: PhantomData,
        }
    }

    /// Returns the event's name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<A> Clone for Event<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Event<A> {}

impl<A> fmt::Debug for Event<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Event").field(&self.name).finish()
    }
}
