//! The platform, and the drivers of nodes and hubs on it.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, Pending};
use super::desk::Desk;
use super::log_table::LogTable;
use super::random::Random;
use super::rows::Rows;
use crate::Timestamp;
use crate::cluster::{
    Address, CallId, EmitId, Event, GatherId, Hub, HubIndex, JoinKey, LogSettings, Mark, Node,
    NodeId, Outcome, Output, ReturnKey, Settings, Ticket,
};

pub(super) type SocketIndex = usize;

/// A socket, as its client sees it.
#[derive(Debug, Default)]
pub(super) struct SocketRecord {
    pub(super) object: usize,
    /// Where it began.
    pub(super) home: usize,
    /// What it got, and where from.
    pub(super) got: Vec<(usize, From)>,
    /// The rooms it is in, since when.
    pub(super) since: BTreeMap<String, u64>,
    /// All rooms it was ever in, or was about to be.
    pub(super) ever: BTreeSet<String>,
    pub(super) gone: Option<u64>,
    /// Its object has lost its memory.
    pub(super) survived: bool,
    /// The number of hubs, as its object's build has it.
    pub(super) hubs: u16,
}

/// Where an event came from: the object itself, or a place in a life of a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum From {
    Here(usize),
    Hub(u16, u64, u64),
    /// It was for this socket alone.
    Own,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Known(Outcome),
    /// Its sender's memory was lost first.
    Lost,
}

#[derive(Debug, Default)]
pub(super) struct EmitRecord {
    pub(super) rooms: Vec<String>,
    pub(super) except: Vec<String>,
    pub(super) called: u64,
    pub(super) ended: Option<(u64, Ended)>,
    /// The instance that sent it.
    pub(super) from: u64,
    pub(super) hub: Option<u16>,
    /// The number of hubs, as its sender's build has it.
    pub(super) hubs: u16,
    /// The lives of hubs that passed it on.
    pub(super) lives: BTreeSet<(u16, u64)>,
    pub(super) is_logged: bool,
    /// The socket that it is for alone.
    pub(super) own: Option<SocketIndex>,
}

impl EmitRecord {
    pub(super) fn is_for(&self, is_in: impl Fn(&String) -> bool) -> bool {
        self.rooms.iter().any(&is_in) && !self.except.iter().any(is_in)
    }
}

/// A question: which sockets are in these rooms?
#[derive(Debug)]
pub(super) struct GatherRecord {
    pub(super) rooms: Vec<String>,
    pub(super) called: u64,
    /// When it ended, and whether nobody was missing.
    pub(super) ended: Option<(u64, bool)>,
    pub(super) found: BTreeSet<SocketIndex>,
    /// The number of hubs, as the build of whoever asks has it.
    pub(super) hubs: u16,
}

/// A life of an object's memory.
pub(super) struct Instance {
    pub(super) actor: usize,
    /// The number of hubs, as its build has it.
    pub(super) hubs: u16,
    pub(super) core: Core,
    pub(super) tickets: BTreeMap<Ticket, (u64, CallId)>,
    pub(super) last_event: u64,
    pub(super) timer: Option<u64>,
    /// Outputs that wait for rows to be safe.
    pub(super) held: Vec<Output>,
    pub(super) gates: u32,
    /// When the last of them are. Rows become safe in order.
    pub(super) safe_at: u64,
}

pub(super) enum Core {
    Node(NodePart),
    Hub(Hub, Rows),
}

pub(super) struct NodePart {
    pub(super) node: Node,
    pub(super) sockets: BTreeMap<SocketIndex, BTreeSet<String>>,
    pub(super) joins: BTreeMap<JoinKey, (SocketIndex, String, u64, bool)>,
    pub(super) emits: BTreeMap<EmitId, usize>,
    pub(super) gathers: BTreeMap<GatherId, usize>,
    pub(super) next_join: u64,
    /// The ids of sockets that have moved here and are stored.
    pub(super) moved: BTreeSet<String>,
    pub(super) returns: BTreeMap<ReturnKey, Pending>,
    /// Clients, with their connections, that are to have a new socket.
    pub(super) beginnings: Vec<(usize, u64)>,
    /// Those that do not know the secret.
    pub(super) guesses: BTreeSet<ReturnKey>,
    /// Clients whose sockets have to be settled first.
    pub(super) settling: Vec<Pending>,
}

impl NodePart {
    pub(super) fn occupied(&self) -> BTreeSet<String> {
        let rooms = self.sockets.values().flatten();
        rooms.chain(&self.moved).cloned().collect()
    }
}

/// An object through all of its lives.
pub(super) struct Actor {
    pub(super) address: Address,
    pub(super) current: Option<u64>,
    pub(super) old: Vec<u64>,
    pub(super) down_until: u64,
    /// Its clock is so many milliseconds fast.
    pub(super) fast: u64,
    /// Rows that are safe.
    pub(super) rows: Rows,
    /// What an object keeps with its sockets.
    pub(super) marks: BTreeMap<HubIndex, Mark>,
    /// Sockets of an object that sleeps.
    pub(super) asleep: BTreeMap<SocketIndex, BTreeSet<String>>,
    pub(super) desk: Desk,
    /// When it is woken, whatever happens before.
    pub(super) alarm: Option<u64>,
    /// The number of hubs, as its build has it.
    pub(super) hubs: u16,
    /// The number by which the rooms of an object are known to hubs. `None` while they move.
    pub(super) known_by: Option<u16>,
}

pub(super) enum What {
    Act(Box<dyn FnOnce(&mut World)>),
    Arrive(usize, Vec<u8>, Option<(u64, CallId)>),
    Answer(u64, CallId, Vec<u8>),
    Fail(u64, CallId),
    Timer(u64),
    Alarm(usize),
    Safe(u64, Rows),
    Stop(u64),
}

pub(super) struct World {
    pub(super) now: u64,
    pub(super) random: Random,
    pub(super) queue: BTreeMap<(u64, u64), What>,
    pub(super) number: u64,
    pub(super) actors: Vec<Actor>,
    pub(super) instances: BTreeMap<u64, Instance>,
    pub(super) open: BTreeSet<(u64, CallId)>,
    pub(super) settings: Settings,
    pub(super) node_count: usize,
    /// From how many objects on they pass events on to one another.
    pub(super) relay_from: usize,
    pub(super) rooms: Vec<String>,
    pub(super) sockets: Vec<SocketRecord>,
    pub(super) emits: Vec<EmitRecord>,
    pub(super) gathers: Vec<GatherRecord>,
    pub(super) wrong: Vec<String>,
    pub(super) counts: BTreeMap<&'static str, u64>,
    pub(super) fail: u64,
    pub(super) lag: u64,
    pub(super) tails: bool,
    pub(super) storm: bool,
    pub(super) calm: bool,
    /// Clients come back: the hub logs events, within these bounds.
    pub(super) recovering: Option<LogSettings>,
    pub(super) clients: Vec<Client>,
    /// The bounds are so low that clients start over without a failure.
    pub(super) is_forgetful: bool,
    /// From then on no object without a member may be called.
    pub(super) settled_at: u64,
    /// The number of hubs after a deploy, if there is one that changes it.
    pub(super) next_hubs: Option<u16>,
}

pub(super) fn node_id(index: usize) -> NodeId {
    NodeId([index as u8 + 1; 32])
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let (calm, storm) = (seed.is_multiple_of(8), seed % 4 == 1);
        let hubs = *random.pick(&[1, 2, 3]);
        let node_count = *random.pick(&[2, 3, 5]);
        let nodes = (0..node_count).map(|index| Address::Node(node_id(index)));
        // In some worlds, the number of hubs is another one after a deploy.
        let next_hubs = match seed % 3 {
            2 => Some(*[1, 2, 3, 5].get(seed as usize / 3 % 4).unwrap_or(&1)),
            _ => None,
        };
        let most = next_hubs.map_or(hubs, |next| hubs.max(next));
        let addresses = nodes.chain((0..most).map(|hub| Address::Hub(HubIndex(hub))));
        let actors = addresses.map(|address| Actor {
            address,
            current: None,
            old: Vec::new(),
            down_until: 0,
            fast: 0,
            rows: Rows::default(),
            marks: BTreeMap::new(),
            asleep: BTreeMap::new(),
            desk: Desk::default(),
            alarm: None,
            hubs,
            known_by: Some(hubs),
        });
        let differ = random.below(3) == 0;
        let mut actors: Vec<_> = actors.collect();
        for actor in &mut actors {
            actor.fast = if differ { random.below(500) } else { 0 };
        }
        let mut rooms: Vec<_> = (0..4).map(|_| format!("r{}", random.below(50))).collect();
        if random.below(3) == 0 {
            rooms.push(String::new());
        }
        rooms.sort();
        rooms.dedup();
        Self {
            now: 1_000_000,
            queue: BTreeMap::new(),
            number: 0,
            actors,
            instances: BTreeMap::new(),
            open: BTreeSet::new(),
            settings: Settings {
                hubs,
                vacate_after: Duration::from_millis(*random.pick(&[300, 300, 30_000])),
            },
            node_count,
            relay_from: match seed / 8 % 3 {
                0 => usize::MAX,
                1 => 2,
                _ => 3,
            },
            rooms,
            sockets: Vec::new(),
            emits: Vec::new(),
            gathers: Vec::new(),
            wrong: Vec::new(),
            counts: BTreeMap::new(),
            fail: if calm {
                0
            } else if storm {
                *random.pick(&[150, 350])
            } else {
                *random.pick(&[0, 20, 150])
            },
            lag: *random.pick(&[20, 60, 200]),
            tails: !calm && random.below(3) == 0,
            storm,
            calm,
            recovering: None,
            clients: Vec::new(),
            is_forgetful: false,
            settled_at: u64::MAX,
            next_hubs,
            random,
        }
    }

    /// A world in which clients come back.
    pub(super) fn recovering(seed: u64) -> Self {
        let mut world = Self::new(seed);
        world.actors.truncate(world.node_count + 1);
        world.settings.hubs = 1;
        world.next_hubs = None;
        world.is_forgetful = world.random.below(4) == 0;
        let window = *world.random.pick(&[20_000, 60_000]);
        let defaults = LogSettings::default();
        world.recovering = Some(LogSettings {
            max_disconnection: Duration::from_millis(window),
            max_events: if world.is_forgetful { 12 } else { 10_000 },
            ..defaults
        });
        for actor in &mut world.actors {
            actor.desk.window = window;
            (actor.hubs, actor.known_by) = (1, Some(1));
            if let Address::Hub(_) = actor.address {
                actor.rows.log = Some(LogTable::default());
            }
        }
        world
    }

    pub(super) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Returns the time that an instance believes it is.
    pub(super) fn time_of(&self, serial: u64) -> Timestamp {
        let instance = self.instances.get(&serial);
        let fast = instance.map_or(0, |instance| self.actors[instance.actor].fast);
        Timestamp::from_millis(self.now + fast)
    }

    pub(super) fn at(&mut self, after: u64, what: What) {
        self.number += 1;
        self.queue.insert((self.now + after, self.number), what);
    }

    /// Lets something happen in so many milliseconds.
    pub(super) fn plan(&mut self, after: u64, action: impl FnOnce(&mut Self) + 'static) {
        self.at(after, What::Act(Box::new(action)));
    }

    pub(super) fn run(&mut self) {
        let mut steps = 0;
        while let Some(((at, _), what)) = self.queue.pop_first() {
            self.now = at;
            steps += 1;
            if steps > 400_000 {
                self.wrong.push("it does not become quiet".into());
                return;
            }
            match what {
                What::Act(action) => action(self),
                What::Arrive(actor, bytes, from) => self.arrive(actor, &bytes, from),
                What::Answer(to, id, bytes) => self.answered(to, id, &bytes),
                What::Fail(to, id) => self.failed(to, id),
                What::Timer(serial) => self.timer(serial),
                What::Alarm(actor) => self.ring(actor),
                What::Safe(serial, rows) => self.safe(serial, rows),
                What::Stop(serial) => self.stop(serial),
            }
        }
        let instances = self.instances.values();
        let busy = instances.filter(|instance| instance.next_deadline().is_some());
        if busy.count() > 0 {
            self.wrong.push("a timeout is left".into());
        }
    }
}

impl Instance {
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        match &self.core {
            Core::Node(part) => part.node.next_deadline(),
            Core::Hub(hub, _) => hub.next_deadline(),
        }
    }
}

/// Returns the emit that an event belongs to.
pub(super) fn emit_of(event: &Event) -> usize {
    number_in(&event.operation.payload.0)
}

pub(super) fn number_in(bytes: &[u8]) -> usize {
    u64::from_le_bytes(bytes.try_into().unwrap()) as usize
}
