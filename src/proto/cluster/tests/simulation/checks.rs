//! What must hold of what every socket got.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::world::{EmitRecord, Ended, From, SocketRecord, World};
use crate::cluster::{Address, DEFAULT_HUBS, Outcome, hub_of};

#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) wrong: Vec<String>,
    pub(super) counts: BTreeMap<&'static str, u64>,
}

impl Report {
    pub(super) fn add(&mut self, other: Self) {
        for (name, count) in other.counts {
            *self.counts.entry(name).or_default() += count;
        }
    }

    pub(super) fn count(&mut self, what: &'static str, count: usize) {
        *self.counts.entry(what).or_default() += count as u64;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.counts)
    }
}

pub(super) fn check(world: &World) -> Report {
    let mut report = Report {
        wrong: world.wrong.clone(),
        counts: world.counts.clone(),
    };
    let mut orders = BTreeSet::new();
    for (index, socket) in world.sockets.iter().enumerate() {
        let name = format!("socket {index} of object {}", socket.object);
        report.count("deliveries", socket.got.len());
        check_completeness(world, &name, socket, &mut report);
        check_order(world, &name, socket, &mut report);
        for (position, (emit, _)) in socket.got.iter().enumerate() {
            for (earlier, _) in &socket.got[position.saturating_sub(12)..position] {
                orders.insert((*earlier, *emit));
            }
        }
    }
    check_one_order(world, &orders, &mut report);
    for emit in &world.emits {
        if emit.ended.is_none() {
            report.wrong.push("an emit never ended".into());
        }
    }
    check_gathers(world, &mut report);
    check_interest(world, &mut report);
    report
}

fn is_reached(emit: &EmitRecord) -> bool {
    let ended = emit.ended.as_ref().map(|(_, ended)| ended);
    ended == Some(&Ended::Known(Outcome::Reached))
}

fn is_lost(emit: &EmitRecord) -> bool {
    matches!(emit.ended, Some((_, Ended::Lost)))
}

/// Once, and if its sender was told that all were reached, at least once.
fn check_completeness(world: &World, name: &str, socket: &SocketRecord, report: &mut Report) {
    let got: BTreeSet<usize> = socket.got.iter().map(|(emit, _)| *emit).collect();
    let mut once = BTreeSet::new();
    for (emit, _) in &socket.got {
        if once.insert(*emit) {
            continue;
        }
        // Not promised: the memories of its hub and its object were lost together.
        if socket.survived && world.emits[*emit].lives.len() > 1 {
            report.count("repetitions across lives", 1);
        } else {
            report.wrong.push(format!("{name} got emit {emit} twice"));
        }
    }
    for (index, emit) in world.emits.iter().enumerate() {
        let Some((ended, _)) = emit.ended else {
            continue;
        };
        // Not promised: objects of two builds, one of which has another number of hubs.
        let is_other = emit.hubs != socket.hubs;
        if !is_reached(emit) || got.contains(&index) || is_other {
            continue;
        }
        let is_in = |room: &String| socket.since.get(room).is_some_and(|at| *at < emit.called);
        let may_be_excepted = emit.except.iter().any(|room| socket.ever.contains(room));
        let has_gone = socket.gone.is_some_and(|at| at <= ended);
        if emit.rooms.iter().any(is_in) && !may_be_excepted && !has_gone {
            report
                .wrong
                .push(format!("{name} missed emit {index}: {emit:?}"));
        }
    }
    for (emit, _) in &socket.got {
        let EmitRecord { rooms, .. } = &world.emits[*emit];
        if !rooms.iter().any(|room| socket.ever.contains(room)) {
            report.wrong.push(format!("{name} got what was not for it"));
        }
    }
}

/// The order within a life of a hub, that of time, and that of each sender and room.
fn check_order(world: &World, name: &str, socket: &SocketRecord, report: &mut Report) {
    let mut places = BTreeMap::new();
    let mut senders: BTreeMap<(u64, &str), usize> = BTreeMap::new();
    let mut called = 0;
    for (index, from) in &socket.got {
        let emit = &world.emits[*index];
        // Not promised: what a hub sent before its end and comes late, after a later
        // life of the hub has ended the emit, to a socket that has joined since.
        let mut is_stray = false;
        if let From::Hub(hub, life, place) = *from {
            let last = places.insert((hub, life), place);
            if last.is_some_and(|last| last >= place) {
                report
                    .wrong
                    .push(format!("{name}: the order of hub {hub} is broken"));
            }
            let lives = emit.lives.iter().filter(|(other, _)| *other == hub);
            is_stray = lives.map(|(_, life)| *life).max() > Some(life);
            // Nor is it when the memories of its hub and its object were lost together.
            is_stray |= socket.survived && emit.lives.len() > 1;
        }
        let ended = emit.ended.as_ref().map_or(u64::MAX, |(at, _)| *at);
        if ended < called {
            if is_stray || is_lost(emit) {
                report.count("strays", 1);
            } else {
                let what = format!("{name} got emit {index} after a later one: {emit:?}");
                report.wrong.push(what);
            }
        }
        for room in &emit.rooms {
            let last = senders.entry((emit.from, room)).or_insert(*index);
            if *last > *index {
                if is_stray {
                    report.count("strays", 1);
                } else {
                    let before = &world.emits[*last];
                    let what = format!(
                        "{name}: a sender's order to {room:?} is broken by {emit:?} after {before:?}"
                    );
                    report.wrong.push(what);
                }
            }
            *last = (*last).max(*index);
        }
        called = called.max(emit.called);
    }
}

/// What two sockets got in opposite orders.
fn check_one_order(world: &World, orders: &BTreeSet<(usize, usize)>, report: &mut Report) {
    for (first, second) in orders {
        if first > second || !orders.contains(&(*second, *first)) {
            continue;
        }
        let (one, two) = (&world.emits[*first], &world.emits[*second]);
        if !one.rooms.iter().any(|room| two.rooms.contains(room)) {
            continue;
        }
        if one.lives.len() > 1 || two.lives.len() > 1 {
            report.count("orders across lives", 1);
        } else if one.hub.is_some() && two.hub.is_some() && one.hub != two.hub {
            report.count("orders across hubs", 1);
        } else {
            let what = format!("opposite orders of {first} and {second}: {one:?} {two:?}");
            report.wrong.push(what);
        }
    }
}

/// A question that nobody was missing from has found everybody.
fn check_gathers(world: &World, report: &mut Report) {
    for (index, gather) in world.gathers.iter().enumerate() {
        let Some((ended, true)) = gather.ended else {
            continue;
        };
        for (number, socket) in world.sockets.iter().enumerate() {
            let is_other = gather.hubs != socket.hubs;
            let has_gone = is_other || socket.gone.is_some_and(|at| at <= ended);
            let is_in =
                |room: &String| socket.since.get(room).is_some_and(|at| *at < gather.called);
            if gather.rooms.iter().any(is_in) && !has_gone && !gather.found.contains(&number) {
                let what = format!("question {index} did not find socket {number}: {gather:?}");
                report.wrong.push(what);
            }
        }
    }
}

/// Stale interest is gone, and nobody who is in a room is not noted.
fn check_interest(world: &World, report: &mut Report) {
    for actor in &world.actors {
        // A hub that nobody has called since a deploy does not know of it.
        let known = actor.rows.hubs.unwrap_or(DEFAULT_HUBS);
        for (room, nodes) in &actor.rows.interest {
            if known == actor.hubs && Address::Hub(hub_of(room, known)) != actor.address {
                let what = format!("{:?} has a row of {room:?}", actor.address);
                report.wrong.push(what);
            }
            if known != actor.hubs {
                continue;
            }
            for node in nodes.keys() {
                let object = usize::from(node.0[0]) - 1;
                if !world.occupied(object).contains(room) {
                    let hub = match actor.address {
                        Address::Hub(hub) => hub.0,
                        Address::Node(_) => u16::MAX,
                    };
                    let what = format!("hub {hub} has object {object} for {room:?}");
                    report.wrong.push(what);
                }
            }
        }
    }
}
