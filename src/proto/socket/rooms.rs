//! The members of rooms, and the filters of broadcasts.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::sorted::SortedSet;

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
/// rooms.leave("/", "a", 2);
/// assert_eq!(rooms.select("/", &Filter { rooms: vec!["a".into()], except: vec![] }), [1]);
/// assert_eq!(rooms.select("/", &Filter::default()), [1, 2]);
/// ```
#[derive(Clone, Debug)]
pub struct Rooms<S> {
    /// They are few, and searched one by one.
    namespaces: Vec<(String, Members<S>)>,
}

/// The members of a namespace.
#[derive(Clone, Debug)]
struct Members<S> {
    /// All of them, whichever rooms they are in.
    all: SortedSet<S>,
    rooms: BTreeMap<String, SortedSet<S>>,
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
        match self.of_mut(namespace) {
            Some(members) => {
                members.all.insert(socket);
            }
            None => {
                let mut all = SortedSet::default();
                all.insert(socket);
                let rooms = BTreeMap::new();
                self.namespaces
                    .push((namespace.to_owned(), Members { all, rooms }));
            }
        }
    }

    /// Takes a socket out of a namespace and of the rooms it is in.
    pub fn remove<'a>(
        &mut self,
        namespace: &str,
        rooms: impl IntoIterator<Item = &'a str>,
        socket: S,
    ) {
        let Some(members) = self.of_mut(namespace) else {
            return;
        };
        members.all.remove(socket);
        for room in rooms {
            members.leave(room, socket);
        }
        if members.all.is_empty() {
            self.namespaces.retain(|(name, _)| name != namespace);
        }
    }

    /// Returns the names of a namespace's rooms, in order, and the number of sockets in
    /// each.
    pub fn sizes(&self, namespace: &str) -> Vec<(String, usize)> {
        let mut all = self.namespaces.iter();
        let Some((_, members)) = all.find(|(name, _)| name == namespace) else {
            return Vec::new();
        };
        let rooms = members.rooms.iter();
        rooms
            .map(|(name, room)| (name.clone(), room.as_slice().len()))
            .collect()
    }

    /// Puts a socket that is in a namespace into a room.
    pub fn join(&mut self, namespace: &str, room: &str, socket: S) {
        let Some(members) = self.of_mut(namespace) else {
            return;
        };
        if let Some(room) = members.rooms.get_mut(room) {
            room.insert(socket);
        } else {
            let mut only = SortedSet::default();
            only.insert(socket);
            members.rooms.insert(room.to_owned(), only);
        }
    }

    /// Takes a socket out of a room. Empty rooms are forgotten.
    pub fn leave(&mut self, namespace: &str, room: &str, socket: S) {
        if let Some(members) = self.of_mut(namespace) {
            members.leave(room, socket);
        }
    }

    fn of_mut(&mut self, namespace: &str) -> Option<&mut Members<S>> {
        let mut all = self.namespaces.iter_mut();
        all.find_map(|(name, members)| (name == namespace).then_some(members))
    }

    fn of(&self, namespace: &str) -> Option<&Members<S>> {
        let mut all = self.namespaces.iter();
        all.find_map(|(name, members)| (name == namespace).then_some(members))
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

impl<S: Ord + Copy> Members<S> {
    fn leave(&mut self, room: &str, socket: S) {
        if let Some(members) = self.rooms.get_mut(room) {
            members.remove(socket);
            if members.is_empty() {
                self.rooms.remove(room);
            }
        }
    }
}
