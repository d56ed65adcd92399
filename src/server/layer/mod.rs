//! The layer between the sessions of an object and an application.
//!
//! The object knows sessions: it restores them, tells them what comes in, does what
//! they ask, and saves them. What their messages mean is for a [`Layer`] to say:
//! that of Engine.IO alone, which passes messages to the application as they are, or
//! that of Socket.IO.

mod called;
mod engine;
mod ringing;
mod socket;

use std::rc::{Rc, Weak};

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{ConnId, Data, Reason};
use dormouse_proto::rate::Class;

pub(crate) use self::ringing::Ringing;
use crate::api::endpoint::{Endpoint, Handlers};
use crate::api::engine::Message;
use crate::incoming::Incoming;
use crate::parts::{Layered, Parts};
use crate::port::{Called, LocalPort, Request};
use crate::request::StoredHandshake;
use crate::sid::Key;

/// A session that waits for the application to admit or deny its client.
pub(crate) struct Opening {
    pub(crate) key: Key,
    /// The request of its handshake.
    pub(crate) conn: ConnId,
    pub(crate) request: Incoming,
}

/// A layer's own state of each session, by key.
pub(crate) trait Content {
    /// Forgets a session that is over.
    fn forget(&self, key: Key);

    /// Returns what must survive sleep besides the session itself.
    fn content(&self, key: Key) -> Vec<u8>;

    /// Returns what is in memory of a session.
    fn weigh(&self, key: Key) -> Layered;

    /// Returns whether the content has changed since this was last called.
    fn take_changed(&self, key: Key) -> bool;

    /// Returns whether the content has changed since then, or something is under way
    /// that the next instance has to complete.
    fn must_be_handed_over(&self, key: Key) -> bool;

    /// Restores a session's content. Returns `false` if it is missing or of another
    /// version, and the session cannot do without.
    fn restore(&self, key: Key, content: Option<&[u8]>) -> bool;
}

/// The meaning of the messages of an object's sessions.
pub(crate) trait Layer: Content {
    /// Asks the application about a new client. In the end, the session is admitted
    /// or denied: see [`crate::parts::opening`].
    fn open(&self, opening: Opening);

    /// Returns the class of a message of a session's client.
    fn classify(&self, key: Key, data: &Data<'_>) -> Class;

    /// Handles a message of a session's client.
    fn handle_message(&self, key: Key, data: Data<'_>);

    /// Takes in a message that the application is not to hear of, since it exceeds a
    /// limit.
    fn drop_message(&self, key: Key, data: Data<'_>);

    /// Returns the request by which a session began, if that is kept.
    fn handshake(&self, key: Key) -> Option<Rc<StoredHandshake>>;

    /// Returns whether the application can be told now that a session has ended:
    /// everything before has been handled.
    fn is_ready_to_close(&self, key: Key) -> bool;

    /// Tells the application that a session has ended.
    fn handle_closed(&self, key: Key, reason: Reason);

    /// Checks the clock for what has taken too long.
    fn handle_timeout(&self, key: Key);

    /// Returns when to call [`handle_timeout`](Self::handle_timeout), if nothing
    /// happens before.
    fn next_deadline(&self, key: Key) -> Option<Timestamp>;

    /// Finishes a turn that has changed a session, before it is saved.
    fn finish(&self, key: Key);

    /// Stores what has waited to be stored in rows of its own. Returns the sessions
    /// whose content has changed by that.
    fn save_all(&self) -> Vec<Key>;

    /// Returns whether handlers of the session are still running.
    fn is_busy(&self, key: Key) -> bool;

    /// Continues with a session that is in memory again.
    fn resume(&self, key: Key);

    /// Returns messages that sessions have delivered and that wait for earlier
    /// handlers.
    fn queued(&self) -> Vec<(Key, Message)>;

    /// Checks what is kept for the whole object, and returns when to do so again.
    fn handle_alarm(&self) -> Option<Timestamp>;

    /// Calls the handler of an alarm. Returns `false` if there is none.
    fn ring(&self, ringing: Ringing) -> bool;

    /// Tells the application what was counted of the object, if it is to be told.
    fn tell_of_usage(&self);

    /// Returns what the next instance has to know of other objects, if this one panics.
    fn marks(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Takes that up.
    fn inherit(&self, _marks: &[u8]) {}

    /// Carries out a request for a session or for sockets.
    fn call(&self, request: Request<'_>) -> Called;
}

/// Creates the layer of a server.
pub(crate) fn of(
    endpoint: &Rc<Endpoint>,
    parts: &Rc<Parts>,
    port: Weak<dyn LocalPort>,
) -> Rc<dyn Layer> {
    match &endpoint.handlers {
        Handlers::Engine(handlers) => engine::Messages::new(handlers, endpoint, parts, port),
        Handlers::Socket(application) => {
            Rc::new(socket::Sockets::new(application, endpoint, parts, port))
        }
    }
}
