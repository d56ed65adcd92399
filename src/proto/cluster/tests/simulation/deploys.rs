//! A deploy that changes the number of hubs: objects are replaced one after the other, and
//! some of their sockets are still there.

use alloc::vec::Vec;

use super::world::{Core, World};
use crate::cluster::Address;

/// All objects are replaced within this time.
const SPREAD: u64 = 15_000;

/// An object whose sockets are still there is awake after this time: its clients poll, or
/// it has to ping them.
const WOKEN_AFTER: u64 = 5_000;

/// After this time, all rooms have moved unless something hinders them.
pub(super) const LASTS: u64 = SPREAD + WOKEN_AFTER;

impl World {
    /// Returns the number of hubs, as an instance has it.
    pub(super) fn hubs_of(&self, serial: u64) -> u16 {
        self.instances
            .get(&serial)
            .map_or(0, |instance| instance.hubs)
    }

    /// From now on, objects are replaced by those of a build with another number of hubs.
    pub(super) fn deploy(&mut self, hubs: u16) {
        self.count("deploys");
        for actor in 0..self.actors.len() {
            let after = self.random.below(SPREAD);
            self.plan(after, move |world| world.replace(actor, hubs));
        }
    }

    fn replace(&mut self, actor: usize, hubs: u16) {
        self.actors[actor].hubs = hubs;
        if self.random.permille(500) {
            self.panic(actor);
        } else {
            self.crash(actor);
        }
        let left: Vec<_> = self.actors[actor].asleep.keys().copied().collect();
        for socket in &left {
            // What is promised begins again when its rooms have moved.
            self.sockets[*socket].since.clear();
        }
        if !left.is_empty() {
            let after = self.random.below(WOKEN_AFTER);
            self.plan(after, move |world| {
                world.wake(actor);
            });
        }
    }

    /// An object begins whose sockets may be known to other hubs than lead their rooms now.
    pub(super) fn move_rooms(&mut self, serial: u64) {
        let actor = self.instances[&serial].actor;
        let hubs = self.hubs_of(serial);
        let known_by = self.actors[actor].known_by;
        let Address::Node(_) = self.actors[actor].address else {
            return;
        };
        if known_by == Some(hubs) {
            return;
        }
        let now = self.time_of(serial);
        let Some(part) = self.part(serial) else {
            return;
        };
        let rooms = part.occupied();
        let members = |room: &str| rooms.contains(room);
        part.node.move_rooms(rooms.clone(), known_by, now, &members);
        self.actors[actor].known_by = None;
        self.after(serial, None);
    }

    /// The hubs that lead an object's rooms know of them.
    pub(super) fn moved(&mut self, serial: u64) {
        let Some(instance) = self.instances.get(&serial) else {
            return;
        };
        let (actor, hubs) = (instance.actor, instance.hubs);
        if self.is_old(serial) {
            return;
        }
        self.actors[actor].known_by = Some(hubs);
        self.count("moved");
        let Core::Node(part) = &self.instances[&serial].core else {
            return;
        };
        for (socket, rooms) in part.sockets.clone() {
            let record = &mut self.sockets[socket];
            record.hubs = hubs;
            for room in rooms {
                record.since.entry(room).or_insert(self.now);
            }
        }
    }
}
