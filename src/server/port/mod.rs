//! The one way to the sessions and sockets of a server.
//!
//! A handler in the same object, or a route somewhere else in the Worker, makes a
//! [`Request`] and gives it to a [`Port`], which answers with a [`Reply`]. An object
//! carries requests out itself; the port of another part of the Worker finds the
//! object and sends them there, in the one encoding that both have.
//!
//! A request names its target by ids and numbers alone. So nothing outside the
//! object holds what dies with its memory, and a request for a socket that has gone
//! reaches nobody, even if its client has joined the namespace again.

pub(crate) mod locate;
pub(crate) mod remote;
pub(crate) mod watch;
pub(crate) mod wire;

use core::any::Any;
use core::cell::RefCell;
use core::fmt;
use core::time::Duration;
use std::borrow::Cow;
use std::rc::Rc;

use dormouse_proto::Timestamp;
use dormouse_proto::cluster::{HubIndex, JOIN_LIMIT, Missing};
use dormouse_proto::engine::{Data, Transport};
use dormouse_proto::socket::{Args, Filter, JoinId};
use dormouse_proto::{bytes, versioned};
use futures::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use worker::Env;

use self::watch::{Census, Watched};
use crate::log::Level;
use crate::request::StoredHandshake;
use crate::sid::Key;
use crate::usage::Meter;

/// The time in which an object has to answer a request of another part of the Worker, beside
/// what is given to clients and to joins. Between the objects of one server, nothing else
/// takes longer: an event 20 s.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// Carries out requests.
pub(crate) trait Port {
    /// Carries out a request. It is done when this returns, unless its answer has to
    /// be awaited.
    fn call(&self, request: Request<'_>) -> Called;

    /// Returns the Worker's bindings.
    fn env(&self) -> &Env;
}

/// The port of the object that this code runs in.
pub(crate) trait LocalPort: Port {
    /// Returns the object's id in hexadecimal.
    fn id(&self) -> &str;

    /// Returns the object's storage.
    fn storage(&self) -> worker::durable::Storage;

    /// Runs a task beside the handlers, for as long as a session lasts.
    fn spawn(&self, session: Key, task: LocalBoxFuture<'static, ()>);

    /// Runs a task beside the handlers until it returns, unless one of this name is
    /// running: then returns `false`. Its error is logged. Returns `None` if too many are
    /// running.
    fn spawn_for_all(
        &self,
        name: &str,
        task: LocalBoxFuture<'static, Result<(), String>>,
    ) -> Option<bool>;

    /// Returns what is kept for the handlers of this object.
    fn memory(&self) -> &Memory;

    /// Returns the object as it is watched.
    fn watched(&self) -> &Watched;

    /// Returns what is counted of it.
    fn meter(&self) -> &Meter;

    /// Returns whether others are one server together with this object.
    fn is_one_of_many(&self) -> bool;

    /// Logs an event of the object, which is not one session's.
    fn log(&self, level: Level, event: &'static str, fields: &[(&str, &str)]);
}

/// Values that handlers share within one object, at most one of each type. They are gone
/// when the object sleeps or is replaced, with whatever waited for them.
#[derive(Default)]
pub(crate) struct Memory(RefCell<Vec<Rc<dyn Any>>>);

impl Memory {
    /// Returns the value of a type, which is created when it is first asked for.
    pub(crate) fn of<T: Any + Default>(&self) -> Rc<T> {
        let mut values = self.0.borrow_mut();
        let found = values.iter().find_map(|it| it.clone().downcast().ok());
        found.unwrap_or_else(|| {
            let value = Rc::new(T::default());
            values.push(value.clone());
            value
        })
    }
}

/// Something to be done with a session or with sockets.
///
/// A request that names a socket by its [`Spot`] is valid in its own object only: it
/// has no encoding, because the numbers mean nothing elsewhere. Variants without an
/// encoding stand last, since the others are encoded by their number.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request<'a> {
    /// Sends a message to a session's client.
    Send(Key, Data<'a>),
    /// Disconnects a session's client.
    Close(Key),
    /// Disconnects the clients of all sessions.
    CloseAll,
    /// The transport that a session uses.
    Transport(Key),
    /// An operation on sockets.
    Operate(Target, Operation),
    /// The user session of a client.
    UserSession(Key),
    /// Replaces it.
    SetUserSession(Key, Update<'a>),
    /// Sets or cancels the application's alarm of this name, in the object itself.
    Alarm(String, AlarmChange),
    /// A call between objects that are one server.
    Cluster(ClusterCall),
    /// Something about one socket.
    #[serde(skip)]
    Look(Spot, Look),
    /// Replaces what the application keeps of a socket by other JSON.
    #[serde(skip)]
    SetData(Spot, String),
    /// Acknowledges an event of a socket's client.
    #[serde(skip)]
    Acknowledge(Spot, u64, Args<'a>),
    /// How many clients and sockets are in the object.
    #[serde(skip)]
    Census,
}

impl Request<'_> {
    /// Returns the session it is for, if it is for one.
    pub(crate) fn session(&self) -> Option<Key> {
        match self {
            Self::Send(key, _)
            | Self::Close(key)
            | Self::Transport(key)
            | Self::UserSession(key)
            | Self::SetUserSession(key, _) => Some(*key),
            Self::Operate(Target::Socket(spot), _)
            | Self::Look(spot, _)
            | Self::SetData(spot, _)
            | Self::Acknowledge(spot, ..) => Some(spot.session),
            Self::CloseAll
            | Self::Census
            | Self::Alarm(..)
            | Self::Cluster(_)
            | Self::Operate(Target::Sockets(_) | Target::Children(_), _) => None,
        }
    }

    /// Returns the time in which another object has to answer it.
    pub(crate) fn limit(&self) -> Duration {
        let more = if let Self::Operate(_, Operation::EmitWithAck { timeout, .. }) = self {
            Duration::from_millis(*timeout)
        } else if let Self::Operate(_, Operation::Join(_)) = self {
            JOIN_LIMIT
        } else {
            Duration::ZERO
        };
        REQUEST_LIMIT.saturating_add(more)
    }
}

/// One socket: a session of the object, and which of its client's joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub(crate) session: Key,
    pub(crate) join: JoinId,
}

impl Spot {
    pub(crate) fn new(session: Key, join: JoinId) -> Self {
        Self { session, join }
    }
}

/// A socket's place and names, which do not change while it lives.
#[derive(Debug)]
pub(crate) struct Address {
    pub(crate) spot: Spot,
    pub(crate) namespace: Rc<str>,
    pub(crate) id: Box<str>,
}

/// The sockets that an operation is for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Target {
    /// Sockets of a namespace.
    Sockets(Selection),
    /// Sockets of all namespaces whose names fit the pattern that stands for one. They can
    /// be sent an event, and nothing else.
    Children(Selection),
    /// One socket.
    #[serde(skip)]
    Socket(Spot),
}

impl Target {
    /// Returns whether the sockets are in one object, wherever others are.
    pub(crate) fn is_here(&self) -> bool {
        match self {
            Self::Sockets(selection) => selection.local,
            Self::Children(_) => false,
            Self::Socket(_) => true,
        }
    }
}

/// Some sockets of a namespace.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Selection {
    pub(crate) namespace: String,
    pub(crate) filter: Filter,
    /// Only sockets in the same object.
    pub(crate) local: bool,
}

/// An operation on sockets.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Operation {
    Emit {
        args: Args<'static>,
        /// It may be lost.
        volatile: bool,
    },
    EmitWithAck {
        args: Args<'static>,
        /// The number of milliseconds to wait for their answers.
        timeout: u64,
    },
    /// Describes them: all, or a page of them.
    Fetch(Option<Page>),
    Join(Vec<String>),
    Leave(Vec<String>),
    Disconnect {
        /// The whole session is closed.
        close: bool,
    },
    /// Counts them.
    Count,
    /// Lists the rooms they are in: all, or a page of them.
    Rooms(Option<Page>),
    /// What the application keeps of the one whose id is the only room selected.
    Data,
    /// Replaces that.
    SetData(Update<'static>),
    /// Calls the handler that objects with sockets in the namespace have for an event of
    /// this name.
    ServerEvent {
        name: String,
        /// Its name comes first.
        args: Args<'static>,
        /// The number of milliseconds to wait for their answers, if anybody does.
        timeout: Option<u64>,
        /// The object that it is from, if it is from one. It does not hear of it.
        from: Option<String>,
    },
}

/// A part of a list that is in order: of sockets by id, or of rooms by name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Page {
    /// Only what comes after this one.
    pub(crate) after: Option<String>,
    /// The maximum number of items.
    pub(crate) limit: usize,
}

/// The number of bytes from which a page takes no further items.
const PAGE_BYTES: usize = 1 << 20;

impl Page {
    /// Returns whether an item of this name is after the last page.
    pub(crate) fn begins_before(&self, name: &str) -> bool {
        self.after.as_deref().is_none_or(|after| after < name)
    }

    /// Returns whether a page of so many items, which have so many bytes, takes no
    /// further ones.
    pub(crate) fn is_full(&self, items: usize, bytes: usize) -> bool {
        items >= self.limit || bytes >= PAGE_BYTES
    }
}

/// JSON that is to be kept, in place of what was kept before.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Update<'a> {
    pub(crate) json: Cow<'a, str>,
    /// What has to be kept now. If something else is, the answer is that, and it stays.
    pub(crate) expected: Option<Option<String>>,
}

impl<'a> Update<'a> {
    /// Replaces whatever is kept.
    pub(crate) fn new(json: String) -> Self {
        Self {
            json: json.into(),
            expected: None,
        }
    }

    /// Applies it to what is kept.
    pub(crate) fn apply(self, kept: Option<&str>) -> Result<String, Reply> {
        match self.expected {
            Some(expected) if expected.as_deref() != kept => {
                Err(Reply::Json(kept.map(str::to_owned)))
            }
            Some(_) | None => {
                let mut json = self.json.into_owned();
                // Whoever has written it may have left as much room again, and it stays.
                json.shrink_to_fit();
                Ok(json)
            }
        }
    }
}

/// What becomes of an alarm of the application's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AlarmChange {
    Set {
        due: Timestamp,
        /// One that is set already stays as it is.
        keeps: bool,
    },
    Cancel,
}

/// A call of a node or a hub to another.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ClusterCall {
    pub(crate) namespace: String,
    /// The hub that it is for; if none, it is for the node.
    pub(crate) hub: Option<HubIndex>,
    /// A [`Call`](dormouse_proto::cluster::Call).
    #[serde(with = "bytes")]
    pub(crate) call: Vec<u8>,
}

/// A question about one socket.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Look {
    IsConnected,
    Rooms,
    Data,
    Handshake,
    Auth,
    Transport,
}

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
    /// An [`Answer`](dormouse_proto::cluster::Answer) to a [`ClusterCall`].
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

/// The layout of the bytes below. Another number is another layout: while a new
/// version is rolled out, objects of both may meet.
const VERSION: u8 = 5;

/// Encodes a request for another object. One that is to be carried out once only is known
/// by `once`.
pub(crate) fn encode_request(
    request: &Request<'_>,
    once: Option<&str>,
) -> Result<Vec<u8>, PortError> {
    // As `versioned` does, save that what is asked of a spot cannot be written.
    postcard::to_allocvec(&(VERSION, (once, request))).map_err(|_| PortError::Answer)
}

/// Decodes a request that another part of the Worker sent, and what it is known by.
pub(crate) fn decode_request(bytes: &[u8]) -> Option<(Option<String>, Request<'static>)> {
    versioned::decode(VERSION, bytes).ok()
}

/// The answer of an object that could not do what was asked.
#[derive(Debug, Serialize, Deserialize)]
enum Failure {
    Gone,
    TooManyRooms,
    /// For another reason.
    Other,
    /// It failed before it could.
    Lost,
    TooManyAlarms,
    Repeated,
    Overloaded,
    Unsent,
    Unanswered,
}

/// Encodes an answer to another part of the Worker.
pub(crate) fn encode_reply(reply: Result<Reply, PortError>) -> Vec<u8> {
    let reply = reply.map_err(|error| match error {
        PortError::Gone => Failure::Gone,
        PortError::TooManyRooms => Failure::TooManyRooms,
        PortError::Lost => Failure::Lost,
        PortError::TooManyAlarms => Failure::TooManyAlarms,
        PortError::Repeated => Failure::Repeated,
        PortError::Overloaded => Failure::Overloaded,
        PortError::Unsent => Failure::Unsent,
        PortError::Unanswered => Failure::Unanswered,
        PortError::Placement | PortError::Platform(_) | PortError::Answer => Failure::Other,
    });
    versioned::encode(VERSION, &reply)
}

/// Decodes another object's answer.
pub(crate) fn decode_reply(bytes: &[u8]) -> Result<Reply, PortError> {
    let reply: Result<Reply, Failure> =
        versioned::decode(VERSION, bytes).map_err(|_| PortError::Answer)?;
    reply.map_err(|failure| match failure {
        Failure::Gone => PortError::Gone,
        Failure::TooManyRooms => PortError::TooManyRooms,
        Failure::TooManyAlarms => PortError::TooManyAlarms,
        Failure::Repeated => PortError::Repeated,
        Failure::Overloaded => PortError::Overloaded,
        Failure::Unsent => PortError::Unsent,
        Failure::Unanswered => PortError::Unanswered,
        Failure::Other => PortError::Answer,
        Failure::Lost => PortError::Lost,
    })
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test(unsupported = test)]
    fn requests_and_replies_arrive_as_they_were_sent() {
        for request in [
            Request::CloseAll,
            Request::UserSession([1; 12]),
            Request::SetUserSession([1; 12], Update::new("[1]".to_owned())),
            Request::Alarm("close".to_owned(), AlarmChange::Cancel),
            Request::Alarm(
                "close".to_owned(),
                AlarmChange::Set {
                    due: Timestamp::from_millis(7),
                    keeps: true,
                },
            ),
            Request::Operate(
                Target::Sockets(Selection::default()),
                Operation::SetData(Update {
                    json: "{}".into(),
                    expected: Some(None),
                }),
            ),
            Request::Send([1; 12], Data::from("é")),
            Request::Send([1; 12], Data::from(vec![0, 255])),
            Request::Operate(
                Target::Children(Selection::default()),
                Operation::Emit {
                    args: Args::new("[\"e\",1]", vec![vec![1]]),
                    volatile: true,
                },
            ),
        ] {
            for once in [None, Some("7.ab.0")] {
                let bytes = encode_request(&request, once).unwrap();
                let (known_by, read) = decode_request(&bytes).unwrap();
                assert_eq!(known_by.as_deref(), once);
                assert_eq!(format!("{read:?}"), format!("{request:?}"));
            }
        }
        let reply = decode_reply(&encode_reply(Ok(Reply::Transport(Transport::WebSocket))));
        assert!(matches!(reply, Ok(Reply::Transport(Transport::WebSocket))));
        let reply = decode_reply(&encode_reply(Ok(Reply::Json(Some("1".to_owned())))));
        assert!(matches!(reply, Ok(Reply::Json(Some(json))) if json == "1"));
        let reply = decode_reply(&encode_reply(Err(PortError::Gone)));
        assert!(matches!(reply, Err(PortError::Gone)));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_spot_does_not_leave_its_object() {
        let spot = Spot {
            session: [7; 12],
            join: JoinId(3),
        };
        let look = Request::Look(spot, Look::Rooms);
        assert!(matches!(
            encode_request(&look, None),
            Err(PortError::Answer)
        ));
        let leave = Request::Operate(Target::Socket(spot), Operation::Leave(Vec::new()));
        assert!(matches!(
            encode_request(&leave, None),
            Err(PortError::Answer)
        ));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn an_update_replaces_only_what_it_expects() {
        let update = |expected: Option<Option<&str>>| Update {
            json: "2".into(),
            expected: expected.map(|json| json.map(str::to_owned)),
        };
        for (kept, expected, replaces) in [
            (None, None, true),
            (Some("1"), None, true),
            (None, Some(None), true),
            (Some("1"), Some(Some("1")), true),
            (Some("1"), Some(None), false),
            (None, Some(Some("1")), false),
            (Some("3"), Some(Some("1")), false),
        ] {
            match update(expected).apply(kept) {
                Ok(json) => assert!(replaces && json == "2"),
                Err(reply) => {
                    assert!(!replaces);
                    assert!(matches!(reply, Reply::Json(json) if json.as_deref() == kept));
                }
            }
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn what_another_build_says_is_not_misread() {
        let mut bytes = encode_reply(Ok(Reply::Done));
        bytes[0] += 1;
        assert!(matches!(decode_reply(&bytes), Err(PortError::Answer)));
        assert!(matches!(decode_reply(&[]), Err(PortError::Answer)));
        assert!(decode_request(b"\x05\xff\xff").is_none());
    }
}
