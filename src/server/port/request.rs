//! What can be asked of sessions and sockets.

use core::time::Duration;
use std::borrow::Cow;
use std::rc::Rc;

use dormouse_proto::cluster::{HubIndex, JOIN_LIMIT};
use dormouse_proto::engine::Data;
use dormouse_proto::socket::{Args, Filter, JoinId};
use dormouse_proto::{Timestamp, bytes};
use serde::{Deserialize, Serialize};

use super::Reply;
use crate::sid::Key;

/// The time in which an object has to answer a request of another part of the Worker, beside
/// what is given to clients and to joins. Between the objects of one server, nothing else
/// takes longer: an event 20 s.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);

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

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

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
}
