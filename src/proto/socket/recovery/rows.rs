//! The contents of rows: a version, then a value as postcard writes it.
//!
//! Rows outlive a deploy, so the code that reads one need not be the code that wrote
//! it. A row of another version, or one that is damaged, counts as absent.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{NewSocket, Offset, SocketRow};
use crate::Timestamp;
use crate::socket::{Args, Filter, Socket};
use crate::versioned;

/// Changes with [`Head`], with [`Args`], and with whatever these consist of.
pub(super) const EVENT_VERSION: u8 = 2;

/// Changes with [`StoredSocket`].
pub(super) const SOCKET_VERSION: u8 = 2;

/// What is stored of an event besides its arguments, its offset and its namespace.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head<'a> {
    /// The sockets it was for.
    pub(super) filter: Cow<'a, Filter>,
    /// `None` if its arguments are too large to be sent to a client that has missed
    /// it.
    pub(super) content: Option<Content>,
}

/// The stored arguments of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    /// The bytes that they are for the bound of what a client can have missed.
    pub(super) bytes: u64,
    /// The rows that they take, counting from the one with the head.
    pub(super) rows: u8,
}

impl Head<'_> {
    pub(super) fn encode(&self) -> Vec<u8> {
        versioned::encode(EVENT_VERSION, self)
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Head<'static>> {
        versioned::decode(EVENT_VERSION, bytes).ok()
    }
}

pub(super) fn encode_args(args: &Args<'_>) -> Vec<u8> {
    versioned::encode(EVENT_VERSION, args)
}

pub(super) fn decode_args(bytes: &[u8]) -> Option<Args<'static>> {
    versioned::decode(EVENT_VERSION, bytes).ok()
}

/// A socket as it is stored for its client to come back to.
///
/// It names its namespace and not the application's definition of it, which may be
/// another after a deploy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSocket {
    /// The secret that its client comes back with, which is the key of the row.
    #[serde(skip)]
    pub pid: String,
    /// Its namespace.
    #[serde(skip)]
    pub namespace: String,
    /// The time it was lost at; `None` while it is connected.
    #[serde(skip)]
    pub lost: Option<Timestamp>,
    /// The session it is or was part of, as the caller names sessions.
    #[serde(skip)]
    pub session: Vec<u8>,
    /// The socket's id, which it will have again.
    pub id: String,
    /// The rooms it was in, by name.
    pub rooms: Vec<String>,
    /// The data that the application attached to it, as JSON.
    pub data: Option<String>,
    /// The position of a client that has not received any event: the
    /// [offset](super::Recovery::offset) at which it connected.
    pub since: Offset,
}

impl StoredSocket {
    /// Returns the stored form of a connected socket, or `None` if it has no `pid`
    /// and cannot come back.
    pub fn of(session: &[u8], namespace: &str, socket: &Socket, since: Offset) -> Option<Self> {
        Some(Self {
            pid: socket.pid.clone()?,
            namespace: namespace.into(),
            lost: None,
            session: session.into(),
            id: socket.id.clone(),
            rooms: socket.rooms().to_vec(),
            data: socket.data.clone(),
            since,
        })
    }

    /// Marks it as lost at this time.
    pub fn lost_at(self, at: Timestamp) -> Self {
        Self {
            lost: Some(at),
            ..self
        }
    }

    /// Returns whether an event of its namespace was for this socket too.
    pub fn is_meant_by(&self, filter: &Filter) -> bool {
        filter.matches(|room| self.rooms.iter().any(|name| name == room))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        versioned::encode(SOCKET_VERSION, self)
    }

    pub(super) fn row<'a>(&'a self, bytes: &'a [u8]) -> NewSocket<'a> {
        NewSocket {
            pid: &self.pid,
            namespace: &self.namespace,
            lost: self.lost,
            session: &self.session,
            bytes,
        }
    }

    pub(super) fn decode(row: SocketRow) -> Option<Self> {
        let socket: Self = versioned::decode(SOCKET_VERSION, &row.bytes).ok()?;
        Some(Self {
            pid: row.pid,
            namespace: row.namespace,
            lost: row.lost,
            session: row.session,
            ..socket
        })
    }
}
