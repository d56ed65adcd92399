use core::fmt;

use serde::{Deserialize, Serialize};

use crate::engine;

/// The reason that a socket is disconnected, in the words that users of other
/// servers know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Reason {
    /// The client left the namespace.
    ClientNamespaceDisconnect,
    /// The application disconnected the socket.
    ServerNamespaceDisconnect,
    /// The client broke a rule of the protocol, or joined nothing in time.
    ForcedServerClose,
    /// The session beneath has ended.
    Session(engine::Reason),
}

impl Reason {
    /// Returns the reason's text, as handlers and the log have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientNamespaceDisconnect => "client namespace disconnect",
            Self::ServerNamespaceDisconnect => "server namespace disconnect",
            Self::ForcedServerClose => "forced server close",
            Self::Session(reason) => reason.as_str(),
        }
    }

    /// Returns whether the socket is kept for its client to come back to, if
    /// connection state recovery is on. A client that left on purpose, was
    /// disconnected by the application, or sent a malformed packet starts over.
    pub const fn is_recoverable(self) -> bool {
        match self {
            Self::ForcedServerClose => true,
            Self::Session(reason) => match reason {
                engine::Reason::TransportError
                | engine::Reason::TransportClose
                | engine::Reason::ForcedClose
                | engine::Reason::PingTimeout
                | engine::Reason::Overrun
                | engine::Reason::MemoryExceeded => true,
                engine::Reason::ParseError => false,
            },
            Self::ClientNamespaceDisconnect | Self::ServerNamespaceDisconnect => false,
        }
    }
}

impl From<engine::Reason> for Reason {
    fn from(reason: engine::Reason) -> Self {
        Self::Session(reason)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
