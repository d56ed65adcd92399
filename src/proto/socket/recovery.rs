//! Connection state recovery, but for the store: what an event's offset is, what
//! is kept of a socket, and what it has missed.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::{Filter, Socket};

/// The place of an event among all that were sent: what a client remembers of
/// the last one it has had.
///
/// ```
/// use dormouse_proto::socket::Offset;
///
/// let offset = Offset(258);
/// assert_eq!(offset.to_string(), "258");
/// assert_eq!(Offset::parse("258"), Some(offset));
/// assert_eq!(Offset::parse("+258"), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Offset(pub u64);

impl Offset {
    /// Reads what a client sent; `None` if it is nothing that we write.
    pub fn parse(text: &str) -> Option<Self> {
        let is_canonical = text.bytes().all(|byte| byte.is_ascii_digit())
            && (text == "0" || !text.starts_with('0'));
        let number = text.parse().ok().filter(|_| is_canonical)?;
        Some(Self(number))
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is kept of a socket for its client to come back to.
///
/// ```
/// use dormouse_proto::socket::{Filter, Kept, Offset};
///
/// let kept = Kept {
///     id: "ada".into(),
///     namespace: "/".into(),
///     rooms: vec!["ada".into(), "room".into()],
///     data: None,
///     since: Offset(3),
/// };
/// let to = |room: &str| Filter { rooms: vec![room.into()], except: vec![] };
/// assert!(kept.missed(&to("room")));
/// assert!(!kept.missed(&to("elsewhere")));
/// assert!(!kept.missed(&Filter { rooms: vec![], except: vec!["ada".into()] }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The socket's id, which it will have again.
    pub id: String,
    /// Its namespace.
    pub namespace: String,
    /// The rooms it was in, by name.
    pub rooms: Vec<String>,
    /// What the application kept of it.
    pub data: Option<String>,
    /// The last event before it was connected: where a client stands that has
    /// had none.
    pub since: Offset,
}

impl Kept {
    /// What is to be kept of a socket.
    pub fn of(namespace: &str, socket: &Socket, since: Offset) -> Self {
        Self {
            id: socket.id.clone(),
            namespace: namespace.into(),
            rooms: socket.rooms.clone(),
            data: socket.data.clone(),
            since,
        }
    }

    /// Whether an event of its namespace was for this socket too.
    pub fn missed(&self, filter: &Filter) -> bool {
        filter.matches(|room| self.rooms.iter().any(|name| name == room))
    }
}
