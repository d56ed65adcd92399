//! The members of rooms, and the filters of broadcasts.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::sorted::SortedSet;
use crate::Map;

/// The sockets of a namespace that a broadcast is for.
///
/// Every socket is in the room of its own id, so a filter can name sockets too.
///
/// ```
/// use dormouse_proto::socket::Filter;
///
/// // io.to("room").except("its author")
/// let filter = Filter {
///     rooms: vec!["room".into()],
///     except: vec!["its author".into()],
/// };
/// assert!(filter.matches(|room| room == "room"));
/// assert!(!filter.matches(|room| room == "room" || room == "its author"));
/// assert!(Filter::default().matches(|_| false));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// The rooms it is for: sockets in any of them. If empty, it is for the whole
    /// namespace.
    pub rooms: Vec<String>,
    /// The rooms it is not for: sockets in any of them are left out.
    pub except: Vec<String>,
}

impl Filter {
    /// Returns whether the filter selects a socket that is in the rooms for which
    /// `is_in` returns `true`.
    pub fn matches(&self, is_in: impl Fn(&str) -> bool) -> bool {
        let invited = self.rooms.is_empty() || self.rooms.iter().any(|room| is_in(room));
        invited && !self.except.iter().any(|room| is_in(room))
    }
}

/// The rooms of all namespaces, and their members. `S` names a socket.
///
/// It is an index of what each socket knows of itself, and can be rebuilt from that
/// at any time.
///
/// ```
/// use dormouse_proto::socket::{Filter, Rooms};
///
/// let mut rooms = Rooms::default();
/// for (namespace, socket) in [("/", 1), ("/", 2), ("/chat", 3)] {
///     rooms.insert(namespace, socket);
///     rooms.join(namespace, "a", socket);
/// }
/// assert_eq!(rooms.select("/", &Filter::default()), [1, 2]);
/// assert_eq!(rooms.sizes("/"), [("a".to_owned(), 2)]);
/// assert!(rooms.is_empty("/news") && !rooms.is_empty("/chat"));
/// assert!(rooms.is_occupied("/chat", "a") && !rooms.is_occupied("/chat", "b"));
/// assert_eq!(rooms.namespaces().collect::<Vec<_>>(), ["/", "/chat"]);
/// rooms.leave("/", "a", 2);
/// assert_eq!(rooms.select("/", &Filter { rooms: vec!["a".into()], except: vec![] }), [1]);
/// assert_eq!(rooms.select("/", &Filter::default()), [1, 2]);
/// ```
#[derive(Clone, Debug)]
pub struct Rooms<S> {
    /// By name, in order.
    namespaces: Vec<(String, Members<S>)>,
}

/// The members of a namespace.
#[derive(Clone, Debug)]
struct Members<S> {
    /// All of them, whichever rooms they are in.
    all: SortedSet<S>,
    rooms: Map<String, SortedSet<S>>,
}

impl<S> Default for Rooms<S> {
    fn default() -> Self {
        Self {
            namespaces: Vec::new(),
        }
    }
}

impl<S: Ord + Copy> Rooms<S> {
    /// Adds a socket to a namespace.
    pub fn insert(&mut self, namespace: &str, socket: S) {
        if let Some(members) = self.of_or_new(namespace) {
            members.all.insert(socket);
        }
    }

    fn of_or_new(&mut self, namespace: &str) -> Option<&mut Members<S>> {
        let position = match self.position(namespace) {
            Ok(position) => position,
            Err(position) => {
                let members = Members {
                    all: SortedSet::default(),
                    rooms: Map::new(),
                };
                let namespace = (namespace.to_owned(), members);
                self.namespaces.insert(position, namespace);
                position
            }
        };
        let found = self.namespaces.get_mut(position);
        found.map(|(_, members)| members)
    }

    /// Takes a socket out of a namespace and of the rooms it is in.
    pub fn remove<'a>(
        &mut self,
        namespace: &str,
        rooms: impl IntoIterator<Item = &'a str>,
        socket: S,
    ) {
        let Ok(position) = self.position(namespace) else {
            return;
        };
        let Some((_, members)) = self.namespaces.get_mut(position) else {
            return;
        };
        members.all.remove(socket);
        for room in rooms {
            members.leave(room, socket);
        }
        if members.all.is_empty() {
            self.namespaces.remove(position);
        }
    }

    /// Returns the names of a namespace's rooms, in order, and the number of sockets in
    /// each.
    pub fn sizes(&self, namespace: &str) -> Vec<(String, usize)> {
        let Some(members) = self.of(namespace) else {
            return Vec::new();
        };
        let rooms = members.rooms.iter();
        rooms
            .map(|(name, room)| (name.clone(), room.as_slice().len()))
            .collect()
    }

    /// Puts a socket that is in a namespace into a room.
    pub fn join(&mut self, namespace: &str, room: &str, socket: S) {
        if let Some(members) = self.of_mut(namespace) {
            members.room_or_new(room).insert(socket);
        }
    }

    /// Takes a socket out of a room. Empty rooms are forgotten.
    pub fn leave(&mut self, namespace: &str, room: &str, socket: S) {
        if let Some(members) = self.of_mut(namespace) {
            members.leave(room, socket);
        }
    }

    fn position(&self, namespace: &str) -> Result<usize, usize> {
        self.namespaces
            .binary_search_by(|(name, _)| (**name).cmp(namespace))
    }

    fn of_mut(&mut self, namespace: &str) -> Option<&mut Members<S>> {
        let position = self.position(namespace).ok()?;
        let found = self.namespaces.get_mut(position);
        found.map(|(_, members)| members)
    }

    fn of(&self, namespace: &str) -> Option<&Members<S>> {
        let position = self.position(namespace).ok()?;
        let found = self.namespaces.get(position);
        found.map(|(_, members)| members)
    }

    /// Returns the names of the namespaces that sockets are in, in order.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.namespaces.iter().map(|(name, _)| &**name)
    }

    /// Returns whether no socket is in a namespace.
    pub fn is_empty(&self, namespace: &str) -> bool {
        self.of(namespace).is_none()
    }

    /// Returns whether a socket is in a room of a namespace.
    pub fn is_occupied(&self, namespace: &str, room: &str) -> bool {
        let members = self.of(namespace);
        members.is_some_and(|members| members.rooms.contains_key(room))
    }

    /// Returns the sockets that a filter selects, each of them once and in order.
    pub fn select(&self, namespace: &str, filter: &Filter) -> Vec<S> {
        let Some(Members { all, rooms }) = self.of(namespace) else {
            return Vec::new();
        };
        let members = |room: &String| rooms.get(room);
        let except: Vec<&SortedSet<S>> = filter.except.iter().filter_map(members).collect();
        let meant = match &*filter.rooms {
            [] => all.clone(),
            [room] => members(room).cloned().unwrap_or_default(),
            named => {
                let mut union = SortedSet::default();
                for members in named.iter().filter_map(members) {
                    union.extend(members);
                }
                union
            }
        };
        let mut meant = meant.into_vec();
        if !except.is_empty() {
            meant.retain(|socket| !except.iter().any(|members| members.contains(*socket)));
        }
        meant
    }
}

/// Many sockets at once, in any order, on their way into an index. One by one, each
/// would move those behind it.
///
/// ```
/// use dormouse_proto::socket::{Filter, Gathering};
///
/// let mut gathering = Gathering::default();
/// for socket in [3, 1, 2] {
///     gathering.add("/", ["a"], socket);
/// }
/// let rooms = gathering.finish();
/// assert_eq!(rooms.select("/", &Filter::default()), [1, 2, 3]);
/// assert_eq!(rooms.sizes("/"), [("a".to_owned(), 3)]);
/// ```
#[derive(Debug)]
pub struct Gathering<S>(Rooms<S>);

impl<S> Default for Gathering<S> {
    fn default() -> Self {
        Self(Rooms::default())
    }
}

impl<S: Ord + Copy> Gathering<S> {
    /// Adds a socket to a namespace and to rooms there.
    pub fn add<'a>(
        &mut self,
        namespace: &str,
        rooms: impl IntoIterator<Item = &'a str>,
        socket: S,
    ) {
        if let Some(members) = self.0.of_or_new(namespace) {
            members.all.push(socket);
            for room in rooms {
                members.room_or_new(room).push(socket);
            }
        }
    }

    /// Returns the index of them all.
    pub fn finish(mut self) -> Rooms<S> {
        for (_, members) in &mut self.0.namespaces {
            members.all.sort();
            members.rooms.values_mut().for_each(SortedSet::sort);
        }
        self.0
    }
}

impl<S: Ord + Copy> Members<S> {
    fn room_or_new(&mut self, room: &str) -> &mut SortedSet<S> {
        self.rooms.entry(room.to_owned()).or_default()
    }

    fn leave(&mut self, room: &str, socket: S) {
        if let Some(members) = self.rooms.get_mut(room) {
            members.remove(socket);
            if members.is_empty() {
                self.rooms.remove(room);
            }
        }
    }
}
