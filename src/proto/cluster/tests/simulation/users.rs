//! What applications and the platform do with objects.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use super::world::{
    Core, EmitRecord, Ended, From, GatherRecord, SocketIndex, SocketRecord, What, World,
};
use crate::cluster::rules::{Rule, is_broken};
use crate::cluster::{Emit, Emitted, Gathering, JoinKey, Joining, Outcome, hub_of};

/// An object falls asleep after this time without an event.
const SLEEP_AFTER: u64 = 10_000;

impl World {
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
            hubs: self.actors[object].hubs,
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
        let (now, called) = (self.time_of(serial), self.now);
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
        let now = self.time_of(serial);
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
            self.save(serial, socket);
            self.after(serial, None);
        }
    }

    pub(super) fn disconnect(&mut self, serial: u64, socket: SocketIndex) {
        let now = self.time_of(serial);
        let Some(part) = self.part(serial) else {
            return;
        };
        let left = part.sockets.remove(&socket).unwrap_or_default();
        let rooms = part.occupied();
        for room in left {
            part.node
                .leave(&room, now, &|room: &str| rooms.contains(room));
        }
        let gone = self.now;
        self.sockets[socket].gone.get_or_insert(gone);
        self.after(serial, None);
    }

    pub(super) fn emit(&mut self, serial: u64, rooms: Vec<String>, except: Vec<String>) {
        let now = self.time_of(serial);
        let emit = self.emits.len();
        let count = self.hubs_of(serial);
        let hubs = rooms.iter().map(|room| hub_of(room, count).0);
        self.emits.push(EmitRecord {
            hub: hubs.min(),
            hubs: count,
            rooms: rooms.clone(),
            except,
            called: self.now,
            ended: None,
            from: serial,
            ..EmitRecord::default()
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
            tells_nodes: emit.is_multiple_of(7),
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

    /// Asks for the sockets in some rooms.
    pub(super) fn gather(&mut self, serial: u64, rooms: Vec<String>) {
        let now = self.time_of(serial);
        let gather = self.gathers.len();
        self.gathers.push(GatherRecord {
            rooms: rooms.clone(),
            called: self.now,
            ended: None,
            found: BTreeSet::new(),
            hubs: self.hubs_of(serial),
        });
        self.gathers[gather].found = self.members(serial, gather);
        let names: Vec<&str> = rooms.iter().map(String::as_str).collect();
        let payload = (gather as u64).to_le_bytes();
        let limit = Duration::from_secs(3);
        let is_old = self.is_old(serial);
        let Some(part) = self.part(serial) else {
            return;
        };
        match part.node.gather(&names, &[], &payload, limit, now) {
            Ok(_) if is_old && !is_broken(Rule::TouchStorage) => self.stop(serial),
            Ok(Gathering::Here) => {
                self.count("gathered here");
                self.gathers[gather].ended = Some((self.now, true));
            }
            Ok(Gathering::Sent(id)) => {
                part.gathers.insert(id, gather);
                self.after(serial, None);
            }
            Err(_) => self.wrong.push("a question is refused".into()),
        }
    }

    /// The memory of an object is lost, and so are its sockets. The old instance may
    /// live on for a while, and not know it.
    pub(super) fn crash(&mut self, actor: usize) {
        let Some(serial) = self.actors[actor].current.take() else {
            return;
        };
        self.count("crashes");
        self.actors[actor].marks.clear();
        let now = self.now;
        if self.recovering.is_some() {
            self.cut_all(actor);
        } else {
            for socket in self.sockets_of(serial) {
                self.sockets[socket].gone.get_or_insert(now);
            }
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

    /// The memory of an object is lost, and its sockets are still there.
    pub(super) fn panic(&mut self, actor: usize) {
        let Some(serial) = self.actors[actor].current.take() else {
            return;
        };
        self.count("panics");
        if let Some(part) = self.part(serial) {
            let sockets = mem::take(&mut part.sockets);
            for socket in sockets.keys() {
                self.sockets[*socket].survived = true;
            }
            self.actors[actor].asleep = sockets;
        }
        self.stop(serial);
    }

    /// An instance ends.
    pub(super) fn stop(&mut self, serial: u64) {
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
