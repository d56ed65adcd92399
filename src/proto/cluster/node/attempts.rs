//! What a node knows of clients that are about to come back.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use super::{ReturnKey, Rule, is_broken};
use crate::cluster::flight::Flight;
use crate::cluster::{
    Ask, Attempt, Call, Claim, Confirm, Event, Failure, Held, Missed, MissedEvents, NodeId,
    OwnEvent, Position, RETURN_LIMIT, Returned, Shared,
};
use crate::{Map, Set, Timestamp};

/// The clients that are about to come back.
#[derive(Debug, Default)]
pub(super) struct Returns {
    pub(super) open: Map<ReturnKey, Returning>,
    /// The rooms that they want to be in, and how many of them.
    pub(super) rooms: Map<String, usize>,
}

#[derive(Debug)]
pub(super) struct Returning {
    pub(super) pid: String,
    pub(super) id: String,
    pub(super) attempt: Attempt,
    pub(super) position: Option<Position>,
    pub(super) until: Timestamp,
    pub(super) step: Step,
    pub(super) flight: Flight,
    /// The node that holds the socket; `None` if this one does.
    pub(super) owner: Option<NodeId>,
    /// Nodes that may have it, and how many have been asked.
    pub(super) next: VecDeque<NodeId>,
    pub(super) hops: usize,
    pub(super) has_asked_hub: bool,
    pub(super) held: Option<Held>,
    /// Rooms that the hub does not know of yet.
    pub(super) unknown: Set<String>,
    pub(super) missed: MissedEvents,
    /// Events that have come since.
    pub(super) later: Vec<(u64, Shared)>,
    pub(super) bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A node is asked for the socket.
    Claiming(NodeId),
    /// The hub is asked where the socket is.
    Finding,
    /// The hub is told of its rooms.
    Occupying,
    /// The hub is asked what it has missed.
    Asking,
    /// The driver stores it.
    Storing,
    /// Its node is told so.
    Confirming(NodeId),
}

impl Returns {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let open = self.open.values();
        let limits = open.flat_map(|one| [Some(one.until), one.flight.next_deadline()]);
        limits.flatten().min()
    }

    /// Returns whether a socket that is about to come back is in this room.
    pub(super) fn wants(&self, room: &str) -> bool {
        self.rooms.contains_key(room) && !is_broken(Rule::KeepReturning)
    }

    /// The hub knows that a room has members here.
    pub(super) fn occupied(&mut self, room: &str) {
        for returning in self.open.values_mut() {
            returning.unknown.remove(room);
        }
    }

    /// Holds an event for sockets that are not here yet.
    pub(super) fn hold(&mut self, event: &Event) {
        let operation = &event.operation;
        for returning in self.open.values_mut() {
            let rooms = returning.held.iter().flat_map(|held| &held.rooms);
            if { rooms }.any(|room| operation.rooms.contains(room)) {
                returning.bytes += operation.size();
                returning.later.push((event.place, operation.clone()));
            }
        }
    }

    pub(super) fn remove(&mut self, key: ReturnKey) -> Option<Returning> {
        let returning = self.open.remove(&key)?;
        for room in returning.held.iter().flat_map(|held| &held.rooms) {
            if let Some(count) = self.rooms.get_mut(room) {
                *count -= 1;
                if *count == 0 {
                    self.rooms.remove(room);
                }
            }
        }
        Some(returning)
    }

    pub(super) fn fail(&mut self, key: ReturnKey, failure: Failure, now: Timestamp, random: u32) {
        if let Some(returning) = self.open.get_mut(&key) {
            returning.flight.fail(failure, now, random);
        }
    }
}

impl Returning {
    /// A client of which nothing is known but its secret.
    pub(super) fn new(pid: &str, now: Timestamp) -> Self {
        Self {
            pid: pid.into(),
            id: String::new(),
            attempt: Attempt(0),
            position: None,
            until: now + RETURN_LIMIT,
            step: Step::Finding,
            flight: Flight::default(),
            owner: None,
            next: VecDeque::new(),
            hops: 0,
            has_asked_hub: false,
            held: None,
            unknown: Set::new(),
            missed: MissedEvents::default(),
            later: Vec::new(),
            bytes: 0,
        }
    }

    /// Returns what the client has missed, if it is known which socket it has.
    pub(super) fn returned(mut self, taken: u64, meanwhile: Vec<OwnEvent>) -> Option<Returned> {
        let mut missed = mem::take(&mut self.missed.events);
        let up_to = self.missed.up_to;
        let is_later = |(place, _): &(u64, Shared)| *place > up_to || is_broken(Rule::DropEarlier);
        missed.extend(self.later.into_iter().filter(is_later));
        Some(Returned {
            held: self.held?,
            meanwhile,
            missed,
            up_to: up_to.max(taken),
        })
    }

    pub(super) fn claim(&self, node: NodeId) -> Call {
        Call::Claim(Claim {
            node,
            pid: self.pid.clone(),
            position: self.position,
        })
    }

    /// Asks the hub who has it, or what it has missed.
    pub(super) fn question(&self) -> Call {
        match &self.held {
            None => Call::Ask(Ask {
                rooms: Vec::from([self.id.clone()]),
            }),
            Some(held) => Call::Missed(Missed {
                rooms: held.rooms.clone(),
                after: held.position.place,
            }),
        }
    }

    pub(super) fn confirm(&self, node: NodeId) -> Call {
        Call::Confirm(Confirm {
            node,
            attempt: self.attempt,
            pid: self.pid.clone(),
            own: self.held.as_ref().map_or(0, last_own),
        })
    }
}

/// Returns the number of the last event for a socket alone that is in an answer.
pub(super) fn last_own(held: &Held) -> u64 {
    held.own.last().map_or(held.position.own, |event| event.own)
}
