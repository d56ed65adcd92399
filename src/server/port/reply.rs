//! What is answered to requests, or why there is no answer.

use core::fmt;

use dormouse_proto::bytes;
use dormouse_proto::cluster::Missing;
use dormouse_proto::engine::Transport;
use dormouse_proto::socket::Args;
use futures::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};

use super::watch::Census;
use super::{Operation, Request, Target};
use crate::request::StoredHandshake;

/// The answer to a request.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Done,
    Transport(Transport),
    Sockets(Vec<Remote>),
    Acks(Vec<Asked>),
    Count(usize),
    /// Rooms by name, and the number of sockets in each.
    RoomSizes(Vec<(String, usize)>),
    /// A user session or a socket's data, as JSON.
    Json(Option<String>),
    /// An [`Answer`](dormouse_proto::cluster::Answer) to a [`ClusterCall`](super::ClusterCall).
    Cluster(#[serde(with = "bytes")] Vec<u8>),
    /// The answer of all objects but those that are missing.
    Partial(Box<Reply>, Missing),
    #[serde(skip)]
    Flag(bool),
    #[serde(skip)]
    Rooms(Vec<String>),
    /// A handshake, and the socket's `auth` as JSON.
    #[serde(skip)]
    Handshake(StoredHandshake, Option<String>),
    #[serde(skip)]
    Census(Census),
}

/// A socket as it is fetched.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Remote {
    pub(crate) id: String,
    pub(crate) rooms: Vec<String>,
    pub(crate) data: Option<String>,
    pub(crate) handshake: StoredHandshake,
    pub(crate) auth: Option<String>,
    /// That of its client, unless it has just gone.
    pub(crate) transport: Option<Transport>,
    /// What its client is called as long as it is in its object's memory. It says nothing of
    /// the session's id, which is a secret.
    pub(crate) client: String,
}

impl Remote {
    /// Returns about how many bytes it has.
    pub(crate) fn bytes(&self) -> usize {
        let rooms = self.rooms.iter().map(String::len);
        let data = self.data.as_ref().map_or(0, String::len);
        self.id.len() + rooms.sum::<usize>() + data
    }
}

/// A socket that was asked for an acknowledgement.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// The socket's id.
    pub(crate) id: String,
    pub(crate) answer: Answer,
}

/// The answer of a socket that was asked for an acknowledgement.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Args(Args<'static>),
    /// There was none in time.
    Late,
    /// There was none before it was disconnected.
    Gone,
}

/// A request that was given to a port.
pub(crate) enum Called {
    /// It is carried out.
    Done(Result<Reply, PortError>),
    /// Its answer has to be awaited.
    Later(LocalBoxFuture<'static, Result<Reply, PortError>>),
}

impl Called {
    /// Returns the answer, after waiting for it if necessary.
    pub(crate) async fn reply(self) -> Result<Reply, PortError> {
        match self {
            Self::Done(reply) => reply,
            Self::Later(reply) => reply.await,
        }
    }

    /// Returns the answer to a request that is carried out at once.
    pub(crate) fn now(self) -> Result<Reply, PortError> {
        match self {
            Self::Done(reply) => reply,
            Self::Later(_) => Err(PortError::Answer),
        }
    }
}

impl From<Reply> for Called {
    fn from(reply: Reply) -> Self {
        Self::Done(Ok(reply))
    }
}

impl From<PortError> for Called {
    fn from(error: PortError) -> Self {
        Self::Done(Err(error))
    }
}

impl From<Result<Reply, PortError>> for Called {
    fn from(reply: Result<Reply, PortError>) -> Self {
        Self::Done(reply)
    }
}

/// A request was not carried out.
#[derive(Debug)]
pub(crate) enum PortError {
    /// There is no such session or socket, or not any more.
    Gone,
    /// The socket is in as many rooms as it may be, or more are named than may be.
    TooManyRooms,
    /// As many alarms are set in the object as may be.
    TooManyAlarms,
    /// It is not known which object it is for.
    Placement,
    /// It is one that was made before, and is carried out once only.
    Repeated,
    /// The object could not be reached.
    Platform(worker::Error),
    /// The object's answer does not fit the request, as that of another build may
    /// not.
    Answer,
    /// The object failed before it answered.
    Lost,
    /// Too much waits for other objects. Nothing was done.
    Overloaded,
    /// Another object has to do its part first, and did not answer in time. Nothing was
    /// done.
    Unsent,
    /// The same, but what was done is not known.
    Unanswered,
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("there is no such session or socket"),
            Self::TooManyRooms => f.write_str("these are more rooms than allowed"),
            Self::TooManyAlarms => f.write_str("as many alarms are set as allowed"),
            Self::Placement => f.write_str("the request does not say which object it is for"),
            Self::Repeated => f.write_str("the request was made before"),
            Self::Platform(error) => write!(f, "the object could not be reached: {error}"),
            Self::Answer => f.write_str("the object's answer cannot be read"),
            Self::Lost => f.write_str("the object failed before it answered"),
            Self::Overloaded => f.write_str("too much waits for other objects"),
            Self::Unsent => f.write_str("another object did not answer, and nothing was done"),
            Self::Unanswered => {
                f.write_str("another object did not answer, and what was done is not known")
            }
        }
    }
}

impl core::error::Error for PortError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Platform(error) => Some(error),
            Self::Gone
            | Self::TooManyRooms
            | Self::TooManyAlarms
            | Self::Placement
            | Self::Repeated
            | Self::Answer
            | Self::Lost
            | Self::Overloaded
            | Self::Unsent
            | Self::Unanswered => None,
        }
    }
}

/// Returns the answer where there are none of the server's sessions. A request for
/// many sockets then reaches nobody, which is no error.
pub(crate) fn nobody(request: &Request<'_>) -> Result<Reply, PortError> {
    Ok(match request {
        Request::Operate(Target::Sockets(_), operation) => match operation {
            Operation::EmitWithAck { .. }
            | Operation::ServerEvent {
                timeout: Some(_), ..
            } => Reply::Acks(Vec::new()),
            Operation::Fetch(_) => Reply::Sockets(Vec::new()),
            Operation::Count => Reply::Count(0),
            Operation::Rooms(_) => Reply::RoomSizes(Vec::new()),
            Operation::Data | Operation::SetData(_) => return Err(PortError::Gone),
            Operation::Emit { .. }
            | Operation::Join(_)
            | Operation::Leave(_)
            | Operation::ServerEvent { timeout: None, .. }
            | Operation::Disconnect { .. } => Reply::Done,
        },
        Request::CloseAll | Request::Operate(Target::Children(_), _) => Reply::Done,
        Request::Send(..)
        | Request::Close(_)
        | Request::Transport(_)
        | Request::UserSession(_)
        | Request::SetUserSession(..)
        | Request::Alarm(..)
        | Request::Cluster(_)
        | Request::Operate(Target::Socket(_), _)
        | Request::Look(..)
        | Request::SetData(..)
        | Request::Acknowledge(..)
        | Request::Census => return Err(PortError::Gone),
    })
}
