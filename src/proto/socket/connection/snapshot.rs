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
struct Saved<'a> {
    #[serde(borrow)]
    start: Start<'a>,
    waiting: Vec<(String, SavedAuth)>,
    next_join: u32,
    phase: Phase,
    left: Left,
}

/// As much of it as says where the sockets are.
#[derive(Deserialize)]
struct Start<'a> {
    protocol: Protocol,
    decoder: Decoder,
    last_part: Option<Timestamp>,
    #[serde(borrow)]
    sockets: Vec<SavedSocket<'a>>,
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
struct SavedSocket<'a> {
    join: u32,
    namespace: &'a str,
    id: &'a str,
    pid: Option<&'a str>,
    #[serde(borrow)]
    rooms: Vec<&'a str>,
    data: Option<&'a str>,
    auth: Option<&'a str>,
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

/// A socket in a snapshot, as far as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SleepingSocket<'a> {
    /// The socket.
    pub join: JoinId,
    /// Its namespace.
    pub namespace: &'a str,
    /// The rooms it is in.
    pub rooms: Vec<&'a str>,
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
        let saved: Saved<'_> = versioned::decode(VERSION, snapshot)?;
        let Start {
            protocol,
            decoder,
            last_part,
            sockets: sleeping,
        } = saved.start;
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
        let mut sockets = Vec::with_capacity(sleeping.len());
        for socket in sleeping {
            let index = define(socket.namespace, socket.tag);
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
            protocol,
            progress: Progress {
                last: last_part.unwrap_or_default(),
                kept: Cell::new(decoder.parts()),
            },
            decoder,
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

    /// Returns the sockets of a [`snapshot`](Self::snapshot), without restoring it.
    /// `None` if there is no way around that: the snapshot cannot be read, or restoring
    /// it would have the client told something.
    ///
    /// ```
    /// use dormouse_proto::Timestamp;
    /// use dormouse_proto::socket::{Admission, Connection, Protocol, Settings};
    ///
    /// let now = Timestamp::from_millis(0);
    /// let mut connection = Connection::open(now, Settings::default(), Protocol::V5);
    /// let join = connection.begin("/chat", Admission::new("an id"));
    /// assert_eq!(Connection::sleeping(&connection.snapshot()), None);
    /// connection.accept(join);
    /// let snapshot = connection.snapshot();
    /// let sleeping = Connection::sleeping(&snapshot).unwrap_or_default();
    /// assert_eq!((sleeping[0].namespace, &*sleeping[0].rooms), ("/chat", &["an id"][..]));
    /// ```
    pub fn sleeping(snapshot: &[u8]) -> Option<Vec<SleepingSocket<'_>>> {
        let start: Start<'_> = versioned::decode_start(VERSION, snapshot).ok()?;
        let sockets = start.sockets.into_iter();
        let connected = sockets.map(|socket| match socket.standing {
            Standing::Connected => Some(SleepingSocket {
                join: JoinId(socket.join),
                namespace: socket.namespace,
                rooms: socket.rooms,
            }),
            Standing::Undecided | Standing::AcceptedEarly => None,
        });
        connected.collect()
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

impl SavedSocket<'_> {
    fn into_socket(self, index: u16) -> Socket {
        let rooms = self.rooms.into_iter().map(String::from);
        Socket {
            join: JoinId(self.join),
            namespace: self.namespace.into(),
            id: self.id.into(),
            pid: self.pid.map(String::from),
            rooms: RoomNames::new(rooms.collect()),
            data: self.data.map(String::from),
            auth: self.auth.map(String::from),
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
