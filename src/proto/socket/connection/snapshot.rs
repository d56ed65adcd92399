//! Snapshots of connections, which they sleep by.

use alloc::borrow::Cow;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;

use serde::{Deserialize, Serialize};

use super::incomplete::Progress;
use super::left::Left;
use super::socket::{Definition, JoinId, Pending, RoomNames, Socket, SocketState};
use super::storing::Row;
use super::{Auth, ConnectRequest, Connection, INTERNAL_ERROR, Phase};
use crate::Timestamp;
use crate::socket::{Decoder, Offset, Protocol, Settings};
use crate::versioned::{self, SnapshotError};

/// The version of the layout below. A snapshot of another version is not read.
const VERSION: u8 = 5;

/// Everything that must survive sleep, borrowed from the connection.
#[derive(Serialize)]
struct Saving<'a> {
    protocol: Protocol,
    decoder: &'a Decoder,
    /// The time of the last part of a packet that is not complete.
    last_part: Option<Timestamp>,
    sockets: Vec<SavingSocket<'a>>,
    waiting: Vec<(&'a str, SavedAuth)>,
    next_join: u32,
    phase: Phase,
    left: &'a Left,
}

/// The same, read back.
#[derive(Deserialize)]
struct Saved {
    protocol: Protocol,
    decoder: Decoder,
    last_part: Option<Timestamp>,
    sockets: Vec<SavedSocket>,
    waiting: Vec<(String, SavedAuth)>,
    next_join: u32,
    phase: Phase,
    left: Left,
}

#[derive(Serialize)]
struct SavingSocket<'a> {
    join: u32,
    namespace: &'a str,
    id: &'a str,
    pid: Option<&'a str>,
    rooms: &'a [String],
    data: Option<&'a str>,
    auth: Option<&'a str>,
    since: Option<Offset>,
    tag: u32,
    row: Row,
    standing: Standing,
}

#[derive(Deserialize)]
struct SavedSocket {
    join: u32,
    namespace: String,
    id: String,
    pid: Option<String>,
    rooms: Vec<String>,
    data: Option<String>,
    auth: Option<String>,
    since: Option<Offset>,
    tag: u32,
    row: Row,
    standing: Standing,
}

/// How far a socket has come.
#[derive(Serialize, Deserialize)]
enum Standing {
    Undecided,
    Connected,
    AcceptedEarly,
}

#[derive(Serialize, Deserialize)]
enum SavedAuth {
    None,
    Json(String),
    Query(String),
}

/// Falling asleep and waking up.
impl Connection {
    /// Returns everything that must survive sleep, as bytes.
    ///
    /// Outputs are not part of it: they have to be taken first. Neither are sockets
    /// of which the application is being told that they have gone.
    pub fn snapshot(&self) -> Vec<u8> {
        let waiting = self.waiting.iter().map(|request| {
            let auth = match &request.auth {
                Auth::None => SavedAuth::None,
                Auth::Json(json) => SavedAuth::Json((**json).into()),
                Auth::Query(query) => SavedAuth::Query((**query).into()),
            };
            (&*request.namespace, auth)
        });
        let is_pending = self.decoder.is_pending();
        self.progress.kept.set(self.decoder.parts());
        let current = self.sockets.iter().filter(|socket| socket.is_current());
        let saving = Saving {
            protocol: self.protocol,
            decoder: &self.decoder,
            last_part: is_pending.then_some(self.progress.last),
            sockets: current.map(SavingSocket::from).collect(),
            waiting: waiting.collect(),
            next_join: self.next_join,
            phase: self.phase,
            left: &self.left,
        };
        versioned::encode(VERSION, &saving)
    }

    /// Restores the connection of a [`snapshot`](Self::snapshot).
    ///
    /// `define` finds the definition of a namespace by its name and its
    /// [tag](Definition::tag), and returns `None` if the application does not have
    /// it any more. A socket that the application had not decided about is refused,
    /// or disconnected if it was accepted early, because the decision went with the
    /// object's memory.
    ///
    /// # Errors
    ///
    /// The bytes are not a snapshot, or one of another version, or of an application
    /// that had another namespace.
    pub fn restore(
        snapshot: &[u8],
        settings: Settings,
        define: impl Fn(&str, u32) -> Option<u16>,
    ) -> Result<Self, SnapshotError> {
        let saved: Saved = versioned::decode(VERSION, snapshot)?;
        let waiting: VecDeque<_> = saved
            .waiting
            .into_iter()
            .map(|(namespace, auth)| ConnectRequest {
                namespace: Cow::Owned(namespace),
                auth: match auth {
                    SavedAuth::None => Auth::None,
                    SavedAuth::Json(json) => Auth::Json(Cow::Owned(json)),
                    SavedAuth::Query(query) => Auth::Query(Cow::Owned(query)),
                },
            })
            .collect();
        let mut sockets = Vec::with_capacity(saved.sockets.len());
        for socket in saved.sockets {
            let index = define(&socket.namespace, socket.tag);
            let index = match socket.standing {
                // It is refused, and may have none yet.
                Standing::Undecided => index.unwrap_or_default(),
                Standing::Connected | Standing::AcceptedEarly => {
                    index.ok_or(SnapshotError::Version)?
                }
            };
            sockets.push(socket.into_socket(index));
        }
        let mut connection = Self {
            settings,
            protocol: saved.protocol,
            progress: Progress {
                last: saved.last_part.unwrap_or_default(),
                kept: Cell::new(saved.decoder.parts()),
            },
            decoder: saved.decoder,
            sockets,
            waiting,
            next_join: saved.next_join,
            phase: saved.phase,
            left: saved.left,
            outputs: VecDeque::new(),
            changed: false,
        };
        connection.refuse_undecided();
        Ok(connection)
    }

    fn refuse_undecided(&mut self) {
        let undecided = self.sockets.iter().filter(|socket| socket.is_undecided());
        let joins: Vec<JoinId> = undecided.map(|socket| socket.join).collect();
        for join in joins {
            self.refuse(join, INTERNAL_ERROR, None);
        }
    }
}

impl<'a> From<&'a Socket> for SavingSocket<'a> {
    fn from(socket: &'a Socket) -> Self {
        Self {
            join: socket.join.0,
            namespace: &socket.namespace,
            id: &socket.id,
            pid: socket.pid.as_deref(),
            rooms: socket.rooms(),
            data: socket.data.as_deref(),
            auth: socket.auth.as_deref(),
            since: socket.since,
            tag: socket.definition.tag,
            row: socket.row,
            standing: match socket.state {
                SocketState::Connected => Standing::Connected,
                SocketState::AcceptedEarly => Standing::AcceptedEarly,
                SocketState::Reserved
                | SocketState::Asked(_)
                | SocketState::Admitted(_)
                | SocketState::Abandoned(_)
                | SocketState::Leaving => Standing::Undecided,
            },
        }
    }
}

impl SavedSocket {
    fn into_socket(self, index: u16) -> Socket {
        Socket {
            join: JoinId(self.join),
            namespace: self.namespace,
            id: self.id,
            pid: self.pid,
            rooms: RoomNames::new(self.rooms),
            data: self.data,
            auth: self.auth,
            since: self.since,
            definition: Definition {
                index,
                tag: self.tag,
            },
            row: self.row,
            is_recovered: false,
            is_let_in: matches!(self.standing, Standing::Connected),
            state: match self.standing {
                Standing::Connected => SocketState::Connected,
                Standing::AcceptedEarly => SocketState::AcceptedEarly,
                Standing::Undecided => SocketState::Asked(Pending::default()),
            },
        }
    }
}
