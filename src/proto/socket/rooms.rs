//! Who is in which room, and whom a broadcast is for.

use alloc::borrow::ToOwned as _;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// Whom a broadcast within a namespace is for.
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
    /// Sockets in any of these; where there are none, all of the namespace.
    pub rooms: Vec<String>,
    /// But for those in any of these.
    pub except: Vec<String>,
}

impl Filter {
    /// Whether a socket that is in the rooms of which `is_in` knows is meant.
    pub fn matches(&self, is_in: impl Fn(&str) -> bool) -> bool {
        let invited = self.rooms.is_empty() || self.rooms.iter().any(|room| is_in(room));
        invited && !self.except.iter().any(|room| is_in(room))
    }
}

/// The rooms of all namespaces, and who is in them. `S` names a socket within
/// its namespace.
///
/// It is an index of what each socket knows of itself, and can be made anew from
/// that at any time.
///
/// ```
/// use dormouse_proto::socket::{Filter, Rooms};
///
/// let mut rooms = Rooms::default();
/// rooms.join("/", "a", 1);
/// rooms.join("/", "a", 2);
/// rooms.join("/chat", "a", 3);
/// assert_eq!(rooms.select("/", &Filter::default()), [1, 2]);
/// rooms.leave("/", "a", 2);
/// assert_eq!(rooms.select("/", &Filter { rooms: vec!["a".into()], except: vec![] }), [1]);
/// ```
#[derive(Clone, Debug)]
pub struct Rooms<S> {
    /// Few: they are looked through.
    namespaces: Vec<(String, BTreeMap<String, BTreeSet<S>>)>,
}

impl<S> Default for Rooms<S> {
    fn default() -> Self {
        Self {
            namespaces: Vec::new(),
        }
    }
}

impl<S: Ord + Copy> Rooms<S> {
    /// A socket enters a room.
    pub fn join(&mut self, namespace: &str, room: &str, socket: S) {
        let rooms = match self.place(namespace) {
            Some(place) => self.namespaces.get_mut(place),
            None => {
                self.namespaces
                    .push((namespace.to_owned(), BTreeMap::new()));
                self.namespaces.last_mut()
            }
        };
        let Some((_, rooms)) = rooms else {
            return;
        };
        if let Some(members) = rooms.get_mut(room) {
            members.insert(socket);
        } else {
            let mut members = BTreeSet::new();
            members.insert(socket);
            rooms.insert(room.to_owned(), members);
        }
    }

    /// A socket leaves a room. Empty rooms are forgotten.
    pub fn leave(&mut self, namespace: &str, room: &str, socket: S) {
        let place = self.place(namespace);
        let Some((_, rooms)) = place.and_then(|place| self.namespaces.get_mut(place)) else {
            return;
        };
        if let Some(members) = rooms.get_mut(room) {
            members.remove(&socket);
            if members.is_empty() {
                rooms.remove(room);
            }
        }
        if rooms.is_empty() {
            self.namespaces.retain(|(name, _)| name != namespace);
        }
    }

    fn place(&self, namespace: &str) -> Option<usize> {
        let mut names = self.namespaces.iter().map(|(name, _)| name);
        names.position(|name| name == namespace)
    }

    fn of(&self, namespace: &str) -> Option<&BTreeMap<String, BTreeSet<S>>> {
        let place = self.place(namespace)?;
        self.namespaces.get(place).map(|(_, rooms)| rooms)
    }

    /// The sockets that a filter means, each of them once and in order.
    pub fn select(&self, namespace: &str, filter: &Filter) -> Vec<S> {
        let Some(rooms) = self.of(namespace) else {
            return Vec::new();
        };
        let members = |room: &String| rooms.get(room);
        let except: Vec<&BTreeSet<S>> = filter.except.iter().filter_map(members).collect();
        let wanted = |socket: &S| !except.iter().any(|members| members.contains(socket));
        match &*filter.rooms {
            [room] => {
                let members = members(room).into_iter().flatten();
                members.copied().filter(wanted).collect()
            }
            named => {
                // Without a name, all rooms: each socket is in that of its own id.
                let mut all = BTreeSet::new();
                if named.is_empty() {
                    for socket in rooms.values().flatten() {
                        all.insert(*socket);
                    }
                } else {
                    for socket in named.iter().filter_map(members).flatten() {
                        all.insert(*socket);
                    }
                }
                all.into_iter().filter(wanted).collect()
            }
        }
    }
}
