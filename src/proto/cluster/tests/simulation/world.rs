//! The platform, and the drivers of nodes and hubs on it.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use super::random::Random;
use super::rows::Rows;
use crate::Timestamp;
use crate::cluster::rules::{Rule, is_broken};
use crate::cluster::{
    Address, Answer, Call, CallId, Emit, EmitId, Emitted, Event, Failure, Hub, HubIndex, JoinKey,
    Joining, Node, NodeId, NodeLife, Outcome, Output, Settings, Ticket, hub_of,
};

/// An object falls asleep after this time without an event.
const SLEEP_AFTER: u64 = 10_000;
/// The platform ends a call that is not answered for so long.
const CALL_LIMIT: u64 = 30_000;

pub(super) type SocketIndex = usize;

/// A socket, as its client sees it.
#[derive(Debug, Default)]
pub(super) struct SocketRecord {
    pub(super) object: usize,
    /// What it got, and where from.
    pub(super) got: Vec<(usize, From)>,
    /// The rooms it is in, since when.
    pub(super) since: BTreeMap<String, u64>,
    /// All rooms it was ever in, or was about to be.
    pub(super) ever: BTreeSet<String>,
    pub(super) gone: Option<u64>,
}

/// Where an event came from: the object itself, or a place in a life of a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum From {
    Here(usize),
    Hub(u16, u64, u64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Known(Outcome),
    /// Its sender's memory was lost first.
    Lost,
}

#[derive(Debug)]
pub(super) struct EmitRecord {
    pub(super) rooms: Vec<String>,
    pub(super) except: Vec<String>,
    pub(super) called: u64,
    pub(super) ended: Option<(u64, Ended)>,
    /// The instance that sent it.
    pub(super) from: u64,
    pub(super) hub: Option<u16>,
    /// The lives of hubs that passed it on.
    pub(super) lives: BTreeSet<(u16, u64)>,
}

/// A life of an object's memory.
struct Instance {
    actor: usize,
    core: Core,
    tickets: BTreeMap<Ticket, (u64, CallId)>,
    last_event: u64,
    timer: Option<u64>,
    /// Outputs that wait for rows to be safe.
    held: Vec<Output>,
    gates: u32,
    /// When the last of them are. Rows become safe in order.
    safe_at: u64,
}

enum Core {
    Node(NodePart),
    Hub(Hub, Rows),
}

struct NodePart {
    node: Node,
    sockets: BTreeMap<SocketIndex, BTreeSet<String>>,
    joins: BTreeMap<JoinKey, (SocketIndex, String, u64, bool)>,
    emits: BTreeMap<EmitId, usize>,
    next_join: u64,
}

impl NodePart {
    fn occupied(&self) -> BTreeSet<String> {
        self.sockets.values().flatten().cloned().collect()
    }
}

/// An object through all of its lives.
pub(super) struct Actor {
    pub(super) address: Address,
    pub(super) current: Option<u64>,
    old: Vec<u64>,
    pub(super) down_until: u64,
    /// Rows that are safe.
    pub(super) rows: Rows,
    /// Sockets of an object that sleeps.
    asleep: BTreeMap<SocketIndex, BTreeSet<String>>,
}

enum What {
    Act(Box<dyn FnOnce(&mut World)>),
    Arrive(usize, Vec<u8>, Option<(u64, CallId)>),
    Answer(u64, CallId, Vec<u8>),
    Fail(u64, CallId),
    Timer(u64),
    Safe(u64, Rows),
    Stop(u64),
}

pub(super) struct World {
    pub(super) now: u64,
    pub(super) random: Random,
    queue: BTreeMap<(u64, u64), What>,
    number: u64,
    pub(super) actors: Vec<Actor>,
    instances: BTreeMap<u64, Instance>,
    open: BTreeSet<(u64, CallId)>,
    pub(super) settings: Settings,
    pub(super) node_count: usize,
    pub(super) rooms: Vec<String>,
    pub(super) sockets: Vec<SocketRecord>,
    pub(super) emits: Vec<EmitRecord>,
    pub(super) wrong: Vec<String>,
    pub(super) counts: BTreeMap<&'static str, u64>,
    fail: u64,
    lag: u64,
    tails: bool,
    pub(super) storm: bool,
    pub(super) calm: bool,
    /// From then on no object without a member may be called.
    pub(super) settled_at: u64,
}

fn node_id(index: usize) -> NodeId {
    NodeId([index as u8 + 1; 32])
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let (calm, storm) = (seed.is_multiple_of(8), seed % 4 == 1);
        let hubs = *random.pick(&[1, 2, 3]);
        let node_count = *random.pick(&[2, 3, 5]);
        let nodes = (0..node_count).map(|index| Address::Node(node_id(index)));
        let addresses = nodes.chain((0..hubs).map(|hub| Address::Hub(HubIndex(hub))));
        let actors = addresses.map(|address| Actor {
            address,
            current: None,
            old: Vec::new(),
            down_until: 0,
            rows: Rows::default(),
            asleep: BTreeMap::new(),
        });
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
            actors: actors.collect(),
            instances: BTreeMap::new(),
            open: BTreeSet::new(),
            settings: Settings {
                hubs,
                vacate_after: Duration::from_millis(*random.pick(&[300, 300, 30_000])),
            },
            node_count,
            rooms,
            sockets: Vec::new(),
            emits: Vec::new(),
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
            settled_at: u64::MAX,
            random,
        }
    }

    pub(super) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn time(&self) -> Timestamp {
        Timestamp::from_millis(self.now)
    }

    fn at(&mut self, after: u64, what: What) {
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

    // The network.

    fn way(&mut self) -> u64 {
        let lag = if self.tails && self.random.permille(150) {
            self.lag * 10
        } else {
            self.lag
        };
        self.random.below(lag + 1)
    }

    fn index_of(&self, address: Address) -> usize {
        match address {
            Address::Node(id) => usize::from(id.0[0]) - 1,
            Address::Hub(HubIndex(hub)) => self.node_count + usize::from(hub),
        }
    }

    fn call(&mut self, serial: u64, id: CallId, to: Address, call: &Call) {
        self.note_call(call);
        let actor = self.index_of(to);
        let bytes = call.encode();
        self.open.insert((serial, id));
        self.at(CALL_LIMIT, What::Fail(serial, id));
        let is_down = self.now < self.actors[actor].down_until;
        if is_down || self.random.permille(self.fail) {
            if self.random.permille(300) {
                let late = self.random.below(4_000);
                self.at(late, What::Arrive(actor, bytes, None));
            }
            let after = self.random.below(400);
            self.at(after, What::Fail(serial, id));
            return;
        }
        if !self.calm && self.random.permille(15) {
            let late = self.random.below(6_000);
            self.at(late, What::Arrive(actor, bytes.clone(), None));
        }
        let way = self.way();
        self.at(way, What::Arrive(actor, bytes, Some((serial, id))));
    }

    fn note_call(&mut self, call: &Call) {
        match call {
            Call::Deliver(deliver) => {
                let life = (deliver.hub.0, deliver.hub_life.0);
                for event in &deliver.events {
                    let emit = emit_of(event);
                    self.emits[emit].lives.insert(life);
                }
                self.count("delivers");
                if deliver.events.len() > 1 {
                    self.count("batches");
                }
            }
            Call::Control(control) => {
                self.count("controls");
                if control.hello && control.occupy.is_empty() {
                    self.count("bare hellos");
                }
                if !control.vacate.is_empty() {
                    self.count("vacates");
                }
            }
            Call::Publish(_) => self.count("publishes"),
            Call::Ask(_) => self.count("questions"),
            Call::Recall(_) => self.count("recalls"),
        }
    }

    fn arrive(&mut self, actor: usize, bytes: &[u8], from: Option<(u64, CallId)>) {
        if from.is_some() && self.now < self.actors[actor].down_until {
            return self.break_call(from);
        }
        let old = self.actors[actor].old.last().copied();
        let old = old.filter(|_| self.random.permille(100));
        let serial = old.unwrap_or_else(|| self.wake(actor));
        let call = Call::decode(bytes).unwrap();
        if self.now >= self.settled_at
            && let (Call::Deliver(deliver), Core::Node(part)) =
                (&call, &self.instances[&serial].core)
        {
            let rooms = part.occupied();
            let mut named = deliver.events.iter().flat_map(|e| &e.operation.rooms);
            if !named.any(|room| rooms.contains(room)) {
                self.wrong
                    .push("an object without members is called".into());
            }
        }
        let ticket = Ticket(self.number);
        self.number += 1;
        let now = self.time();
        let Some(instance) = self.instances.get_mut(&serial) else {
            return;
        };
        if let Some(from) = from {
            instance.tickets.insert(ticket, from);
        }
        let origin = match &call {
            Call::Deliver(deliver) => Some((deliver.hub.0, deliver.hub_life.0)),
            Call::Control(_) | Call::Publish(_) | Call::Ask(_) | Call::Recall(_) => None,
        };
        match &mut instance.core {
            Core::Node(part) => {
                let rooms = part.occupied();
                let members = |room: &str| rooms.contains(room);
                part.node.handle_call(ticket, call, now, &members);
                if old.is_some() && !is_broken(Rule::TouchStorage) {
                    return self.stop(serial);
                }
            }
            Core::Hub(hub, rows) => hub.handle_call(ticket, call, now, rows),
        }
        self.after(serial, origin);
    }

    fn break_call(&mut self, from: Option<(u64, CallId)>) {
        if let Some((caller, id)) = from {
            let way = self.way();
            self.at(way, What::Fail(caller, id));
        }
    }

    fn answered(&mut self, serial: u64, id: CallId, bytes: &[u8]) {
        if !self.open.remove(&(serial, id)) {
            return;
        }
        let answer = Answer::decode(bytes).unwrap();
        if let Answer::WrongHubLife(_) | Answer::WrongNodeLife(_) = answer {
            self.count("wrong lives");
        }
        if let Answer::Published(published) = &answer
            && !published.grants.is_empty()
        {
            self.count("grants");
        }
        let (now, random) = (self.time(), self.random.next() as u32);
        let Some(instance) = self.instances.get_mut(&serial) else {
            return;
        };
        match &mut instance.core {
            Core::Node(part) => {
                let rooms = part.occupied();
                let members = |room: &str| rooms.contains(room);
                part.node.handle_answer(id, answer, now, random, &members);
            }
            Core::Hub(hub, rows) => hub.handle_answer(id, answer, now, random, rows),
        }
        self.after(serial, None);
    }

    fn failed(&mut self, serial: u64, id: CallId) {
        if !self.open.remove(&(serial, id)) {
            return;
        }
        let failure = if self.random.permille(50) {
            Failure::Overloaded
        } else {
            Failure::Broken
        };
        let (now, random) = (self.time(), self.random.next() as u32);
        let Some(instance) = self.instances.get_mut(&serial) else {
            return;
        };
        match &mut instance.core {
            Core::Node(part) => {
                let rooms = part.occupied();
                let members = |room: &str| rooms.contains(room);
                part.node.handle_failure(id, failure, now, random, &members);
            }
            Core::Hub(hub, rows) => hub.handle_failure(id, failure, now, random, rows),
        }
        self.after(serial, None);
    }

    fn timer(&mut self, serial: u64) {
        let now = self.time();
        let Some(instance) = self.instances.get_mut(&serial) else {
            return;
        };
        if instance.timer.is_some_and(|at| at <= self.now) {
            instance.timer = None;
        }
        match &mut instance.core {
            Core::Node(part) => {
                let rooms = part.occupied();
                let members = |room: &str| rooms.contains(room);
                part.node.handle_timeout(now, &members);
            }
            Core::Hub(hub, rows) => hub.handle_timeout(now, rows),
        }
        self.after(serial, None);
    }

    // Drivers.

    /// Returns the present instance of an object, which begins if there is none.
    pub(super) fn wake(&mut self, actor: usize) -> u64 {
        if let Some(serial) = self.actors[actor].current {
            return serial;
        }
        self.number += 1;
        let serial = self.number;
        let core = match self.actors[actor].address {
            Address::Node(id) => Core::Node(NodePart {
                node: Node::new(id, NodeLife(self.random.next()), self.settings),
                sockets: mem::take(&mut self.actors[actor].asleep),
                joins: BTreeMap::new(),
                emits: BTreeMap::new(),
                next_join: 0,
            }),
            Address::Hub(index) => {
                let mut rows = self.actors[actor].rows.clone();
                let hub = Hub::new(index, self.settings.hubs, &mut rows).unwrap();
                Core::Hub(hub, rows)
            }
        };
        let instance = Instance {
            actor,
            core,
            tickets: BTreeMap::new(),
            last_event: self.now,
            timer: None,
            held: Vec::new(),
            gates: 0,
            safe_at: 0,
        };
        self.instances.insert(serial, instance);
        self.actors[actor].current = Some(serial);
        serial
    }

    fn is_old(&self, serial: u64) -> bool {
        let actor = self.instances[&serial].actor;
        self.actors[actor].current != Some(serial)
    }

    /// Does what an instance asks.
    fn after(&mut self, serial: u64, origin: Option<(u16, u64)>) {
        let is_old = self.is_old(serial);
        let (now, hit) = (self.now, self.storm && self.random.permille(5));
        let Some(instance) = self.instances.get_mut(&serial) else {
            return;
        };
        instance.last_event = now;
        let mut outputs = Vec::new();
        let mut written = None;
        match &mut instance.core {
            Core::Node(part) => outputs.extend(core::iter::from_fn(|| part.node.poll_output())),
            Core::Hub(hub, rows) => {
                outputs.extend(core::iter::from_fn(|| hub.poll_output()));
                if rows.touched.take() && is_old && !is_broken(Rule::TouchStorage) {
                    return self.stop(serial);
                }
                if mem::take(&mut rows.written) && !is_old {
                    written = Some(rows.clone());
                }
                if hit {
                    rows.fails_in.set(Some(1));
                }
            }
        }
        if let Some(rows) = written {
            let gate = self.now + self.random.below(20);
            if let Some(instance) = self.instances.get_mut(&serial) {
                instance.gates += 1;
                instance.safe_at = instance.safe_at.max(gate);
                let after = instance.safe_at - self.now;
                self.at(after, What::Safe(serial, rows));
            }
        }
        let Some(instance) = self.instances.get_mut(&serial) else {
            return;
        };
        if instance.gates > 0 && !is_broken(Rule::GateOutputs) {
            instance.held.extend(outputs);
        } else {
            for output in outputs {
                self.carry_out(serial, output, origin);
            }
        }
        self.schedule(serial);
    }

    /// Rows are safe: what relies on them may leave.
    fn safe(&mut self, serial: u64, rows: Rows) {
        let Some(instance) = self.instances.get_mut(&serial) else {
            return;
        };
        instance.gates -= 1;
        let actor = instance.actor;
        if self.actors[actor].current != Some(serial) && !is_broken(Rule::TouchStorage) {
            return self.stop(serial); // Its successor has the storage.
        }
        if self.actors[actor].current == Some(serial) {
            self.actors[actor].rows = Rows {
                fails_in: None.into(),
                ..rows
            };
        }
        let Some(instance) = self.instances.get_mut(&serial).filter(|i| i.gates == 0) else {
            return;
        };
        let held = mem::take(&mut instance.held);
        for output in held {
            self.carry_out(serial, output, None);
        }
    }

    fn schedule(&mut self, serial: u64) {
        let Some(instance) = self.instances.get_mut(&serial) else {
            return;
        };
        let Some(at) = instance.next_deadline() else {
            return;
        };
        let at = at.as_millis();
        if instance.timer.is_none_or(|timer| timer > at) {
            instance.timer = Some(at);
            let late = if self.random.permille(100) { 30 } else { 0 };
            let after = at.saturating_sub(self.now) + self.random.below(late + 1);
            self.at(after, What::Timer(serial));
        }
    }

    fn carry_out(&mut self, serial: u64, output: Output, origin: Option<(u16, u64)>) {
        if !self.instances.contains_key(&serial) {
            return;
        }
        match output {
            Output::Call { id, to, call } => {
                let has_to_touch = matches!(call, Call::Control(_));
                if has_to_touch && self.is_old(serial) && !is_broken(Rule::TouchStorage) {
                    return self.stop(serial);
                }
                self.call(serial, id, to, &call);
            }
            Output::Answer { ticket, answer } => {
                let instance = self.instances.get_mut(&serial);
                let from = instance.and_then(|instance| instance.tickets.remove(&ticket));
                let Some((caller, id)) = from else {
                    return;
                };
                let way = self.way();
                if self.random.permille(self.fail) {
                    self.at(way, What::Fail(caller, id));
                } else {
                    self.at(way, What::Answer(caller, id, answer.encode()));
                }
            }
            Output::Deliver(event) => {
                let (hub, life) = origin.unwrap();
                self.give(serial, emit_of(&event), From::Hub(hub, life, event.place));
            }
            Output::Joined(key) => self.joined(serial, key),
            Output::NotJoined(key) => {
                self.count("joins in vain");
                self.end_join(serial, key);
            }
            Output::Resolved(id, outcome) => self.resolved(serial, id, outcome),
        }
    }

    /// Carries an event out on the sockets of an object that its filter selects.
    fn give(&mut self, serial: u64, emit: usize, from: From) {
        if self.is_old(serial) {
            return; // Its clients are not there any more.
        }
        let Some(part) = self.part(serial) else {
            return;
        };
        let sockets = part.sockets.clone();
        let EmitRecord { rooms, except, .. } = &self.emits[emit];
        for (socket, is_in) in sockets {
            let is_meant = rooms.iter().any(|room| is_in.contains(room));
            if is_meant && !except.iter().any(|room| is_in.contains(room)) {
                self.sockets[socket].got.push((emit, from));
            }
        }
    }

    fn part(&mut self, serial: u64) -> Option<&mut NodePart> {
        match &mut self.instances.get_mut(&serial)?.core {
            Core::Node(part) => Some(part),
            Core::Hub(..) => None,
        }
    }

    fn end_join(&mut self, serial: u64, key: JoinKey) -> Option<(SocketIndex, String, bool)> {
        let part = self.part(serial)?;
        let (socket, room, called, emits) = part.joins.remove(&key)?;
        if self.now > called + 30_500 {
            self.wrong.push("a join took too long".into());
        }
        Some((socket, room, emits))
    }

    fn joined(&mut self, serial: u64, key: JoinKey) {
        let Some((socket, room, emits)) = self.end_join(serial, key) else {
            return;
        };
        let now = self.time();
        let Some(part) = self.part(serial) else {
            return;
        };
        if part.sockets.contains_key(&socket) {
            self.commit(serial, socket, room, emits);
            return;
        }
        let rooms = part.occupied();
        part.node
            .leave(&room, now, &|room: &str| rooms.contains(room));
        self.count("joins of the gone");
        self.schedule(serial);
    }

    fn commit(&mut self, serial: u64, socket: SocketIndex, room: String, emits: bool) {
        let Some(part) = self.part(serial) else {
            return;
        };
        part.sockets.entry(socket).or_default().insert(room.clone());
        let (now, is_old) = (self.now, self.is_old(serial));
        let record = &mut self.sockets[socket];
        if !is_old {
            record.since.entry(room.clone()).or_insert(now);
        }
        self.count("joins");
        if emits {
            // The join has resolved, and then somebody emits.
            let object = match self.random.permille(500) {
                true => self.sockets[socket].object,
                false => self.random.below(self.node_count as u64) as usize,
            };
            self.plan(1, move |world| {
                let serial = world.wake(object);
                world.emit(serial, Vec::from([room]), Vec::new());
            });
        }
    }

    fn resolved(&mut self, serial: u64, id: EmitId, outcome: Outcome) {
        let now = self.now;
        let Some(emit) = self.part(serial).and_then(|part| part.emits.remove(&id)) else {
            return;
        };
        self.count(match &outcome {
            Outcome::Reached => "reached",
            Outcome::Partial(missing) if missing.is_late => "late",
            Outcome::Partial(_) => "partial",
            Outcome::Unsent => "unsent",
            Outcome::Unanswered => "unanswered",
        });
        let record = &mut self.emits[emit];
        record.ended = Some((now, Ended::Known(outcome)));
        if now > record.called + 20_500 {
            self.wrong.push("an emit took too long".into());
        }
    }

    // What applications do.

    /// The instance in which somebody acts: now and then an old one.
    pub(super) fn actor(&mut self, object: usize) -> u64 {
        let old = self.actors[object].old.last().copied();
        let old = old.filter(|_| self.random.permille(300));
        old.unwrap_or_else(|| self.wake(object))
    }

    pub(super) fn sockets_of(&mut self, serial: u64) -> Vec<SocketIndex> {
        let part = self.part(serial);
        part.map_or(Vec::new(), |part| part.sockets.keys().copied().collect())
    }

    pub(super) fn connect(&mut self, object: usize, rooms: &[String]) {
        let serial = self.wake(object);
        let socket = self.sockets.len();
        self.sockets.push(SocketRecord {
            object,
            ..SocketRecord::default()
        });
        if let Some(part) = self.part(serial) {
            part.sockets.insert(socket, BTreeSet::new());
        }
        for room in rooms {
            self.join(serial, socket, room, false);
        }
        if self.rooms.contains(&String::new()) {
            self.join(serial, socket, "", false);
        }
    }

    pub(super) fn join(&mut self, serial: u64, socket: SocketIndex, room: &str, emits: bool) {
        let (now, called) = (self.time(), self.now);
        self.sockets[socket].ever.insert(room.into());
        let Some(part) = self.part(serial) else {
            return;
        };
        if part
            .sockets
            .get(&socket)
            .is_none_or(|rooms| rooms.contains(room))
        {
            return;
        }
        let key = JoinKey(part.next_join);
        part.next_join += 1;
        let rooms = part.occupied();
        let members = |room: &str| rooms.contains(room);
        match part.node.join(key, room, now, &members) {
            Ok(Joining::Now) => self.commit(serial, socket, room.into(), emits),
            Ok(Joining::Later) => {
                part.joins.insert(key, (socket, room.into(), called, emits));
            }
            Err(_) => self.wrong.push("a join is refused".into()),
        }
        if self.instances.contains_key(&serial) {
            self.after(serial, None);
        }
    }

    pub(super) fn leave(&mut self, serial: u64, socket: SocketIndex, room: &str) {
        let now = self.time();
        let is_old = self.is_old(serial);
        let Some(part) = self.part(serial) else {
            return;
        };
        if let Some(rooms) = part.sockets.get_mut(&socket)
            && rooms.remove(room)
        {
            let rooms = part.occupied();
            part.node
                .leave(room, now, &|room: &str| rooms.contains(room));
            if !is_old {
                self.sockets[socket].since.remove(room);
            }
            self.after(serial, None);
        }
    }

    pub(super) fn disconnect(&mut self, serial: u64, socket: SocketIndex) {
        let now = self.time();
        let Some(part) = self.part(serial) else {
            return;
        };
        let left = part.sockets.remove(&socket).unwrap_or_default();
        let rooms = part.occupied();
        for room in left {
            part.node
                .leave(&room, now, &|room: &str| rooms.contains(room));
        }
        self.sockets[socket].gone.get_or_insert(now.as_millis());
        self.after(serial, None);
    }

    pub(super) fn emit(&mut self, serial: u64, rooms: Vec<String>, except: Vec<String>) {
        let now = self.time();
        let emit = self.emits.len();
        let hubs = rooms.iter().map(|room| hub_of(room, self.settings.hubs).0);
        self.emits.push(EmitRecord {
            hub: hubs.min(),
            rooms: rooms.clone(),
            except,
            called: self.now,
            ended: None,
            from: serial,
            lives: BTreeSet::new(),
        });
        let Some(part) = self.part(serial) else {
            return;
        };
        let occupied = part.occupied();
        let members = |room: &str| occupied.contains(room);
        let names: Vec<&str> = rooms.iter().map(String::as_str).collect();
        let request = Emit {
            rooms: &names,
            nodes: &[],
            payload: &(emit as u64).to_le_bytes(),
        };
        match part.node.emit(&request, now, &members) {
            Ok(Emitted::Here) => {
                self.emits[emit].hub = None;
                if self.is_old(serial) && !is_broken(Rule::TouchStorage) {
                    return self.stop(serial);
                }
                self.count("emits here");
                self.give(serial, emit, From::Here(emit));
                let outcome = Ended::Known(Outcome::Reached);
                self.emits[emit].ended = Some((self.now, outcome));
            }
            Ok(Emitted::Sent(id)) => {
                part.emits.insert(id, emit);
                self.after(serial, None);
            }
            Err(_) => self.wrong.push("an emit is refused".into()),
        }
    }

    /// The memory of an object is lost, and so are its sockets. The old instance may
    /// live on for a while, and not know it.
    pub(super) fn crash(&mut self, actor: usize) {
        let Some(serial) = self.actors[actor].current.take() else {
            return;
        };
        self.count("crashes");
        let now = self.now;
        for socket in self.sockets_of(serial) {
            self.sockets[socket].gone.get_or_insert(now);
        }
        if self.random.permille(300) {
            self.count("old instances");
            self.actors[actor].old.push(serial);
            let life = self.random.below(30_000);
            self.at(life, What::Stop(serial));
        } else {
            self.stop(serial);
        }
    }

    /// An instance ends.
    fn stop(&mut self, serial: u64) {
        let Some(instance) = self.instances.remove(&serial) else {
            return;
        };
        self.actors[instance.actor].old.retain(|old| *old != serial);
        for from in instance.tickets.into_values() {
            self.break_call(Some(from));
        }
        self.open.retain(|(caller, _)| *caller != serial);
        for emit in &mut self.emits {
            if emit.from == serial && emit.ended.is_none() {
                emit.ended = Some((self.now, Ended::Lost));
            }
        }
    }

    /// An object falls asleep, if it can.
    pub(super) fn sleep(&mut self, actor: usize) {
        let Some(serial) = self.actors[actor].current else {
            return;
        };
        let instance = &self.instances[&serial];
        let is_idle = match &instance.core {
            Core::Node(part) => part.node.is_idle(),
            Core::Hub(hub, _) => hub.is_idle() && instance.gates == 0,
        };
        if !is_idle || self.now < instance.last_event + SLEEP_AFTER {
            return;
        }
        self.count("sleeps");
        self.actors[actor].current = None;
        if let Some(part) = self.part(serial) {
            let sockets = mem::take(&mut part.sockets);
            self.actors[actor].asleep = sockets;
        }
        self.stop(serial);
    }

    /// Returns the rooms that have members in an object.
    pub(super) fn occupied(&self, object: usize) -> BTreeSet<String> {
        let actor = &self.actors[object];
        match actor.current.map(|serial| &self.instances[&serial].core) {
            Some(Core::Node(part)) => part.occupied(),
            Some(Core::Hub(..)) | None => actor.asleep.values().flatten().cloned().collect(),
        }
    }
}

impl Instance {
    fn next_deadline(&self) -> Option<Timestamp> {
        match &self.core {
            Core::Node(part) => part.node.next_deadline(),
            Core::Hub(hub, _) => hub.next_deadline(),
        }
    }
}

fn emit_of(event: &Event) -> usize {
    let bytes = event.operation.payload.0.as_ref().try_into();
    u64::from_le_bytes(bytes.unwrap()) as usize
}
