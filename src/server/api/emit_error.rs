//! Why an operation on sockets failed.

use core::fmt;

use super::{ArgsError, Missing};
use crate::port::PortError;

/// An operation on sockets failed, or was not answered.
#[derive(Debug)]
#[non_exhaustive]
pub enum EmitError {
    /// The socket is disconnected, or was sent more than 4 MiB before it was
    /// connected.
    Gone,
    /// The arguments cannot be written as JSON.
    Json(serde_json::Error),
    /// The event's name is one that clients reserve for themselves, such as
    /// `connect`: they would close their connections.
    ReservedName(String),
    /// The client did not acknowledge the event in time.
    Timeout,
    /// The acknowledgement cannot be read as the expected type.
    Args(ArgsError),
    /// The socket would be in more than [`max_rooms`](crate::Server::max_rooms), or
    /// their names would have more than 256 KiB; or what is done in many objects names more
    /// than 1,000 rooms that sockets are to be in.
    TooManyRooms,
    /// It is not known which object holds the sockets: they are placed by a key, and
    /// none was given (see [`Io::key`](crate::Io::key)); or they are in many objects, and
    /// it is for those in one ([`Broadcast::local`](crate::Broadcast::local)).
    Placement,
    /// This is not a pattern of names: see [`Io::parent`](crate::Io::parent).
    Pattern(String),
    /// The server has no handler for this event from other objects: see
    /// [`Server::on_server_event`](crate::Server::on_server_event).
    NoHandler(String),
    /// The object that holds the sockets could not be reached.
    Platform(worker::Error),
    /// All others than these objects have done it. Of a count, it is not the number of
    /// all.
    Partial(Missing),
    /// Another object did not answer in time, and nothing was done: it can be tried again.
    Unsent,
    /// Another object did not answer in time, and some objects may have done it.
    Unanswered,
    /// Too much waits for other objects already, and nothing was done: it can be tried
    /// again later.
    Overloaded,
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("the socket is disconnected"),
            Self::Json(error) => write!(f, "cannot be written as json: {error}"),
            Self::ReservedName(name) => write!(f, "`{name}` is a reserved event name"),
            Self::Timeout => f.write_str("not acknowledged in time"),
            Self::Args(error) => write!(f, "acknowledged with something else: {error}"),
            Self::TooManyRooms => f.write_str("more rooms than allowed (max_rooms)"),
            Self::Placement => {
                f.write_str("it does not say in which object: see Io::key and local")
            }
            Self::Pattern(text) => write!(f, "`{text}` is not a pattern of names"),
            Self::NoHandler(name) => write!(f, "`{name}` has no handler: on_server_event"),
            Self::Platform(error) => write!(f, "the object could not be reached: {error}"),
            Self::Partial(missing) => write!(f, "not done everywhere: {missing}"),
            Self::Unsent => f.write_str("another object did not answer, and nothing was done"),
            Self::Unanswered => f.write_str("another object did not answer, and some may do it"),
            Self::Overloaded => f.write_str("too much waits for other objects"),
        }
    }
}

impl core::error::Error for EmitError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            Self::Args(error) => Some(error),
            Self::Platform(error) => Some(error),
            Self::Gone
            | Self::ReservedName(_)
            | Self::Timeout
            | Self::TooManyRooms
            | Self::Placement
            | Self::Pattern(_)
            | Self::NoHandler(_)
            | Self::Partial(_)
            | Self::Unsent
            | Self::Unanswered
            | Self::Overloaded => None,
        }
    }
}

impl From<PortError> for EmitError {
    fn from(error: PortError) -> Self {
        match error {
            PortError::Gone => Self::Gone,
            PortError::TooManyRooms => Self::TooManyRooms,
            PortError::Placement => Self::Placement,
            PortError::Platform(error) => Self::Platform(error),
            PortError::Unsent => Self::Unsent,
            PortError::Unanswered => Self::Unanswered,
            PortError::Overloaded => Self::Overloaded,
            PortError::TooManyAlarms
            | PortError::Repeated
            | PortError::Answer
            | PortError::Lost => Self::Platform(error.to_string().into()),
        }
    }
}

impl From<EmitError> for worker::Error {
    fn from(error: EmitError) -> Self {
        Self::RustError(error.to_string())
    }
}
