//! Which emits have to wait for others: those of one room go through one hub at a time,
//! so that they arrive in the order in which they were made.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use super::{EmitId, Rule, is_broken};
use crate::Map;
use crate::cluster::HubIndex;
use crate::sort;

/// The emits that have not ended.
#[derive(Debug, Default)]
pub(super) struct Holds {
    emits: Map<EmitId, Held>,
    rooms: Map<String, Room>,
}

#[derive(Debug)]
struct Held {
    rooms: Vec<String>,
    hub: HubIndex,
    is_let_go: bool,
}

/// The emits to a room.
#[derive(Debug, Default)]
struct Room {
    /// The hub that those which were let go go through, and how many have not ended.
    hub: Option<HubIndex>,
    open: usize,
    waiting: VecDeque<EmitId>,
}

impl Holds {
    pub(super) fn is_empty(&self) -> bool {
        self.emits.is_empty()
    }

    /// Returns whether no emit to any of these rooms is queued or under way.
    pub(super) fn are_free(&self, rooms: &[&str]) -> bool {
        !rooms.iter().any(|room| self.rooms.contains_key(*room))
    }

    /// Adds an emit. Returns whether it may go at once.
    pub(super) fn insert(&mut self, id: EmitId, rooms: Vec<String>, hub: HubIndex) -> bool {
        for room in &rooms {
            let room = self.rooms.entry(room.clone()).or_default();
            room.waiting.push_back(id);
        }
        let held = Held {
            rooms,
            hub,
            is_let_go: false,
        };
        self.emits.insert(id, held);
        self.try_to_let_go(id)
    }

    /// Removes an emit that has ended. Returns those that may go now, in order.
    pub(super) fn remove(&mut self, id: EmitId) -> Vec<EmitId> {
        let Some(held) = self.emits.remove(&id) else {
            return Vec::new();
        };
        let mut free = Vec::new();
        for name in &held.rooms {
            let Some(room) = self.rooms.get_mut(name) else {
                continue;
            };
            if held.is_let_go {
                room.open -= 1;
            } else {
                room.waiting.retain(|waiting| *waiting != id);
            }
            if room.open == 0 && room.waiting.is_empty() {
                self.rooms.remove(name);
            }
        }
        let mut names = held.rooms;
        while let Some(name) = names.pop() {
            while let Some(next) = self.first_waiting(&name) {
                if !self.try_to_let_go(next) {
                    break;
                }
                free.push(next);
                // Whatever waited behind it in its other rooms may go, too.
                if let Some(held) = self.emits.get(&next) {
                    names.extend(held.rooms.iter().filter(|other| **other != name).cloned());
                }
            }
        }
        sort(&mut free);
        free
    }

    fn first_waiting(&self, room: &str) -> Option<EmitId> {
        self.rooms.get(room)?.waiting.front().copied()
    }

    /// Lets an emit go if it is the first in each of its rooms, and those before it go
    /// through the same hub.
    fn try_to_let_go(&mut self, id: EmitId) -> bool {
        let Some(held) = self.emits.get_mut(&id) else {
            return false;
        };
        let rooms = &mut self.rooms;
        let hub = held.hub;
        let is_free = held.rooms.iter().all(|name| {
            rooms.get(name).is_some_and(|room| {
                let is_first = room.waiting.front() == Some(&id);
                is_first && (room.open == 0 || room.hub == Some(hub))
            })
        });
        if !is_free && !is_broken(Rule::HoldShared) {
            return false;
        }
        for name in &held.rooms {
            if let Some(room) = rooms.get_mut(name) {
                if room.waiting.front() == Some(&id) {
                    room.waiting.pop_front();
                } else {
                    room.waiting.retain(|waiting| *waiting != id);
                }
                room.open += 1;
                room.hub = Some(hub);
            }
        }
        held.is_let_go = true;
        true
    }
}
