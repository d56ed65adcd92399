//! What stands between the sessions of an object and an application.
//!
//! The object knows sessions: it restores them, tells them what comes in, does what
//! they ask, and saves them. What their messages mean is a [`Layer`]'s: of Engine.IO
//! alone, whose messages go to the application as they are, or of Socket.IO.

mod called;
mod engine;
mod socket;

use std::rc::{Rc, Weak};

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{ConnId, Data, Reason, Session};

use crate::api::endpoint::{Application, Endpoint};
use crate::api::engine::Message;
use crate::parts::Parts;
use crate::port::{Called, LocalPort, Request};
use crate::sid::Key;

/// A session that waits for the application to decide whether it wants its client.
pub(crate) struct Opening {
    pub(crate) key: Key,
    /// The request of its handshake.
    pub(crate) conn: ConnId,
    pub(crate) request: web_sys::Request,
}

/// What a layer keeps of sessions, each by its key.
pub(crate) trait Content {
    /// Forgets a session of which nothing can come any more.
    fn forget(&self, key: Key);

    /// What must outlive sleep besides the session itself.
    fn content(&self, key: Key) -> Vec<u8>;

    /// Whether it has changed since this was last asked.
    fn take_changed(&self, key: Key) -> bool;

    /// Whether it has changed since then, or something is under way that the next
    /// instance has to bring to an end.
    fn must_be_handed_over(&self, key: Key) -> bool;

    /// Brings back what was kept of a session. `false` if that is missing, or of
    /// another version, and the session cannot do without.
    fn restore(&self, key: Key, content: Option<&[u8]>, session: &Session) -> bool;
}

/// What the messages of an object's sessions mean.
pub(crate) trait Layer: Content {
    /// Asks the application whether it wants a client. In the end, the session is
    /// admitted or denied: see [`crate::parts::opening`].
    fn open(&self, opening: Opening);

    /// Handles a message of a session's client.
    fn handle_message(&self, key: Key, data: Data<'_>);

    /// Whether the application can be told now that a session has ended: that what
    /// came before has been dealt with.
    fn is_ready_to_close(&self, key: Key) -> bool;

    /// Tells the application that a session has ended.
    fn handle_closed(&self, key: Key, reason: Reason);

    /// Judges by the clock.
    fn handle_timeout(&self, key: Key);

    /// When that is to be done, if nothing happens before.
    fn next_deadline(&self, key: Key) -> Option<Timestamp>;

    /// Finishes a turn that has changed a session, before it is saved.
    fn finish(&self, key: Key);

    /// Whether handlers of the session are still running.
    fn is_busy(&self, key: Key) -> bool;

    /// Goes on with a session that is in memory again.
    fn resume(&self, key: Key);

    /// Messages that were taken from sessions and wait for their turn.
    fn queued(&self) -> Vec<(Key, Message)>;

    /// Looks at what is kept for the whole object. The moment for which that is to be
    /// done again.
    fn handle_alarm(&self) -> Option<Timestamp>;

    /// Carries out a request for a session or for sockets.
    fn call(&self, request: Request<'_>) -> Called;
}

/// The layer of a server.
pub(crate) fn of(
    endpoint: &Rc<Endpoint>,
    parts: &Rc<Parts>,
    port: Weak<dyn LocalPort>,
) -> Rc<dyn Layer> {
    match &endpoint.application {
        Application::Engine(handlers) => engine::Messages::new(handlers, endpoint, parts, port),
        Application::Socket(application) => {
            Rc::new(socket::Sockets::new(application, endpoint, parts, port))
        }
    }
}
