//! Who is in which room and who owes an acknowledgement, beside what is known of
//! that the plain way.

use std::collections::{BTreeMap, BTreeSet};

use dormouse_proto::socket::{Acks, Args, Filter, Kept, LAST_ACK, Offset, Rooms};

use super::super::bytes::Bytes;
use super::{CLIENTS, NAMESPACES, ROOMS};

/// An event whose acknowledgements are waited for.
struct Asked {
    namespace: &'static str,
    missing: BTreeSet<usize>,
    answered: Vec<usize>,
    gone: usize,
}

pub(super) struct Crowd {
    rooms: Rooms<usize>,
    /// Who is in which room of which namespace.
    members: BTreeSet<(String, String, usize)>,
    acks: Acks<usize, u32>,
    asked: BTreeMap<u32, Asked>,
    next: u32,
}

impl Crowd {
    pub(super) fn new(first: u32) -> Self {
        Self {
            rooms: Rooms::default(),
            members: BTreeSet::new(),
            acks: Acks::begin_at(first),
            asked: BTreeMap::new(),
            next: first % LAST_ACK,
        }
    }

    pub(super) fn join(&mut self, namespace: &str, room: &str, who: usize) {
        self.rooms.join(namespace, room, who);
        self.members
            .insert((namespace.to_owned(), room.to_owned(), who));
    }

    pub(super) fn leave(&mut self, namespace: &str, room: &str, who: usize) {
        self.rooms.leave(namespace, room, who);
        self.members
            .remove(&(namespace.to_owned(), room.to_owned(), who));
    }

    /// A socket is gone, with the rooms it was in.
    pub(super) fn gone(&mut self, namespace: &str, who: usize, rooms: &[String]) {
        rooms
            .iter()
            .for_each(|room| self.leave(namespace, room, who));
        let left = self
            .members
            .iter()
            .any(|(n, _, w)| n == namespace && *w == who);
        assert!(!left, "it knows all of its rooms");
        let mut expected = Vec::new();
        for (id, asked) in &mut self.asked {
            if asked.namespace == namespace && asked.missing.remove(&who) {
                asked.gone += 1;
                expected.extend(asked.missing.is_empty().then_some(*id));
            }
        }
        let mut complete = self.acks.handle_gone(namespace, who);
        complete.sort_unstable();
        assert_eq!(complete, expected);
    }

    pub(super) fn ack(&mut self, id: u64, namespace: &str, who: usize, args: Args<'static>) {
        let asked = u32::try_from(id)
            .ok()
            .and_then(|id| self.asked.get_mut(&id));
        let asked = asked.filter(|asked| asked.namespace == namespace);
        let expected = asked.is_some_and(|asked| {
            let counts = asked.missing.remove(&who);
            asked.answered.extend(counts.then_some(who));
            counts && asked.missing.is_empty()
        });
        let complete = self
            .acks
            .handle_ack(id, namespace, who, args)
            .map(u64::from);
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
                self.ack(id, namespace, who, Args::new("[]", Vec::new()));
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
        let rooms_of = |who| {
            let members = self
                .members
                .iter()
                .filter(move |(n, _, w)| n == namespace && *w == who);
            members.map(|(_, room, _)| room.clone()).collect::<Vec<_>>()
        };
        let is_meant = |who: &usize| {
            let rooms = rooms_of(*who);
            let kept = Kept {
                id: String::new(),
                namespace: namespace.to_owned(),
                rooms: rooms.clone(),
                data: None,
                since: Offset(0),
            };
            let named = filter.rooms.is_empty() || rooms.iter().any(|it| filter.rooms.contains(it));
            let meant = named && !rooms.iter().any(|room| filter.except.contains(room));
            assert_eq!(kept.missed(&filter), meant);
            !rooms.is_empty() && meant
        };
        let expected: Vec<usize> = (0..CLIENTS).filter(is_meant).collect();
        assert_eq!(selected, expected, "{filter:?}");
    }

    fn expect(&mut self, namespace: &'static str, choice: u8) {
        while self.asked.contains_key(&self.next) {
            self.next = (self.next + 1) % LAST_ACK;
        }
        let id = self.next;
        self.next = (self.next + 1) % LAST_ACK;
        let missing: BTreeSet<_> = (0..CLIENTS).filter(|who| choice >> who & 1 == 1).collect();
        let given = self.acks.expect(namespace, missing.iter().copied(), id);
        assert_eq!(given, id);
        assert_eq!(self.acks.is_complete(id), missing.is_empty());
        let asked = Asked {
            namespace,
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
        let answered: Vec<usize> = waiting.answers.iter().map(|(who, _)| *who).collect();
        match expected {
            Some(asked) => {
                assert_eq!((answered, waiting.gone), (asked.answered, asked.gone));
                assert_eq!(waiting.missing, asked.missing);
            }
            None => assert!(answered.is_empty() && waiting.missing.is_empty()),
        }
        assert!(self.acks.is_complete(id), "nothing more is waited for");
    }
}
