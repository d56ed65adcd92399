//! What is known of a socket that may be in another object.

use core::fmt;

use serde::de::DeserializeOwned;

use super::{Broadcast, Io, data};
use crate::api::client::SessionError;
use crate::port::Remote;
use crate::request::Handshake;

/// A socket as it was when it was fetched, wherever it is.
#[derive(Clone)]
pub struct RemoteSocket {
    io: Io,
    remote: Remote,
}

impl RemoteSocket {
    pub(super) fn new(io: Io, remote: Remote) -> Self {
        Self { io, remote }
    }

    /// Returns the socket's id, which is not for other clients: see
    /// [`Socket::id`](crate::Socket::id).
    pub fn id(&self) -> &str {
        &self.remote.id
    }

    /// Returns the names of the rooms it was in, including the room of its own id.
    pub fn rooms(&self) -> &[String] {
        &self.remote.rooms
    }

    /// Returns the data that the application has attached to it.
    ///
    /// # Errors
    ///
    /// The data cannot be read as a `T`.
    pub fn data<T: DeserializeOwned>(&self) -> Result<Option<T>, SessionError> {
        data::read(self.remote.data.as_deref())
    }

    /// Returns the request by which its client's session began, with the socket's `auth`.
    pub fn handshake(&self) -> Handshake {
        Handshake::from(&self.remote.handshake).with_auth(self.remote.auth.clone())
    }

    /// Addresses the socket itself.
    pub fn socket(&self) -> Broadcast {
        self.io.to(self.id())
    }
}

impl fmt::Debug for RemoteSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteSocket")
            .field("id", &self.id())
            .field("rooms", &self.rooms())
            .finish_non_exhaustive()
    }
}
