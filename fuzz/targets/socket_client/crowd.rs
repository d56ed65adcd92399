//! Who is in which room and who owes an acknowledgement, beside what is known of
//! that the plain way.

use std::collections::{BTreeMap, BTreeSet};

use dormouse_proto::socket::{Args, AwaitedAcks, Filter, JoinId, LAST_ACK, Rooms, Socket};

use super::super::bytes::Bytes;
use super::{CLIENTS, NAMESPACES, Name, ROOMS};

/// An event whose acknowledgements are waited for.
struct Asked {
    missing: BTreeSet<Name>,
    answered: Vec<Name>,
    gone: usize,
}

pub(super) struct Crowd {
    rooms: Rooms<Name>,
    /// The members of each namespace.
    present: BTreeSet<(String, Name)>,
    /// Who is in which room of which namespace.
    members: BTreeSet<(String, String, Name)>,
    acks: AwaitedAcks<Name, u32>,
    asked: BTreeMap<u32, Asked>,
    next: u32,
}

impl Crowd {
    pub(super) fn new(first: u32) -> Self {
        Self {
            rooms: Rooms::default(),
            present: BTreeSet::new(),
            members: BTreeSet::new(),
            acks: AwaitedAcks::begin_at(first),
            asked: BTreeMap::new(),
            next: first % LAST_ACK,
        }
    }

    /// A socket is seen from now on, with the rooms it is in.
    pub(super) fn insert(&mut self, name: Name, socket: &Socket) {
        let namespace = socket.namespace();
        self.rooms.insert(namespace, name);
        let new = self.present.insert((namespace.to_owned(), name));
        assert!(new, "it is seen once");
        for room in socket.rooms() {
            self.enter(namespace, room, name);
        }
    }

    pub(super) fn enter(&mut self, namespace: &str, room: &str, name: Name) {
        self.rooms.join(namespace, room, name);
        self.members
            .insert((namespace.to_owned(), room.to_owned(), name));
    }

    pub(super) fn leave(&mut self, namespace: &str, room: &str, name: Name) {
        self.rooms.leave(namespace, room, name);
        self.members
            .remove(&(namespace.to_owned(), room.to_owned(), name));
    }

    /// A socket has gone, if anybody saw it, with the rooms it was in.
    pub(super) fn gone(&mut self, name: Name, socket: &Socket) {
        let namespace = socket.namespace();
        let rooms = socket.rooms().iter().map(|room| &**room);
        self.rooms.remove(namespace, rooms, name);
        self.present.remove(&(namespace.to_owned(), name));
        for room in socket.rooms() {
            self.members
                .remove(&(namespace.to_owned(), room.clone(), name));
        }
        let left = self.members.iter().any(|(_, _, other)| *other == name);
        assert!(!left, "it knows all of its rooms");
        let mut expected = Vec::new();
        for (id, asked) in &mut self.asked {
            if asked.missing.remove(&name) {
                asked.gone += 1;
                expected.extend(asked.missing.is_empty().then_some(*id));
            }
        }
        let mut complete = self.acks.handle_gone(name);
        complete.sort_unstable();
        assert_eq!(complete, expected);
    }

    pub(super) fn ack(&mut self, id: u64, name: Name, args: Args<'static>) {
        let asked = u32::try_from(id)
            .ok()
            .and_then(|id| self.asked.get_mut(&id));
        let expected = asked.is_some_and(|asked| {
            let counts = asked.missing.remove(&name);
            asked.answered.extend(counts.then_some(name));
            counts && asked.missing.is_empty()
        });
        let complete = self.acks.handle_ack(id, name, args).map(u64::from);
        assert_eq!(complete, expected.then_some(id));
    }

    /// Somebody broadcasts, asks for acknowledgements, or stops waiting for them.
    pub(super) fn step(&mut self, bytes: &mut Bytes<'_>) {
        let namespace = NAMESPACES[bytes.below(NAMESPACES.len())];
        match bytes.below(8) {
            0..=2 => self.check_select(namespace, bytes.byte()),
            3 | 4 => self.expect(namespace, bytes.byte()),
            5 => {
                let id = self.asked.keys().nth(bytes.below(4)).copied();
                self.take(id.unwrap_or(u32::from(bytes.byte())));
            }
            6 => {
                let (id, who) = (self.asked.keys().nth(bytes.below(4)), bytes.below(CLIENTS));
                let id = id.map_or(7, |id| u64::from(*id));
                if let Some(name) = self.first(namespace, who) {
                    self.ack(id, name, Args::new("[]", Vec::new()));
                }
            }
            _ => {}
        }
    }

    fn check_select(&self, namespace: &str, choice: u8) {
        let pick = |bits: u8| {
            let named = ROOMS
                .iter()
                .enumerate()
                .filter(move |(i, _)| bits >> i & 1 == 1);
            named.map(|(_, room)| room.to_string()).collect::<Vec<_>>()
        };
        let filter = Filter {
            rooms: pick(choice & 15),
            except: pick(choice >> 4),
        };
        let selected = self.rooms.select(namespace, &filter);
        let is_meant = |name: &Name| {
            let members = self.members.iter();
            let members = members.filter(|(n, _, it)| n == namespace && it == name);
            let rooms: Vec<&String> = members.map(|(_, room, _)| room).collect();
            let named = filter.rooms.iter().any(|room| rooms.contains(&room));
            let meant = (filter.rooms.is_empty() || named)
                && !filter.except.iter().any(|room| rooms.contains(&room));
            let is_in = |room: &str| rooms.iter().any(|it| *it == room);
            assert_eq!(filter.matches(is_in), meant);
            meant
        };
        let present = self.present.iter().filter(|(n, _)| n == namespace);
        let mut expected: Vec<Name> = present.map(|(_, name)| *name).filter(is_meant).collect();
        expected.sort_unstable();
        assert_eq!(selected, expected, "{filter:?}");
    }

    /// A client's first socket in a namespace.
    fn first(&self, namespace: &str, who: usize) -> Option<Name> {
        let mut present = self.present.iter();
        let first = present.find(|(n, (by, _))| n == namespace && *by == who);
        first.map(|(_, name)| *name)
    }

    fn expect(&mut self, namespace: &str, choice: u8) {
        while self.asked.contains_key(&self.next) {
            self.next = (self.next + 1) % LAST_ACK;
        }
        let id = self.next;
        self.next = (self.next + 1) % LAST_ACK;
        let missing: BTreeSet<Name> = (0..CLIENTS)
            .filter(|who| choice >> who & 1 == 1)
            // One of them may not be there, and yet be asked.
            .map(|who| {
                self.first(namespace, who)
                    .unwrap_or((who, JoinId(u32::MAX)))
            })
            .collect();
        let given = self.acks.expect(missing.iter().copied(), id);
        assert_eq!(given, id);
        assert_eq!(self.acks.is_complete(id), missing.is_empty());
        let asked = Asked {
            missing,
            answered: Vec::new(),
            gone: 0,
        };
        self.asked.insert(id, asked);
    }

    fn take(&mut self, id: u32) {
        let expected = self.asked.remove(&id);
        let complete = expected
            .as_ref()
            .is_none_or(|asked| asked.missing.is_empty());
        assert_eq!(self.acks.is_complete(id), complete);
        let waiting = self.acks.take(id);
        let answered: Vec<Name> = waiting.answers.iter().map(|(who, _)| *who).collect();
        match expected {
            Some(asked) => {
                assert_eq!((answered, waiting.gone.len()), (asked.answered, asked.gone));
                assert!(waiting.missing().iter().eq(&asked.missing));
            }
            None => assert!(answered.is_empty() && waiting.missing().is_empty()),
        }
        assert!(self.acks.is_complete(id), "nothing more is waited for");
    }
}
