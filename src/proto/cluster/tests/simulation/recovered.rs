//! What must hold of what clients got that come back, through all of their connections.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

use super::checks::Report;
use super::world::{EmitRecord, Ended, From, SocketIndex, SocketRecord, World};
use crate::cluster::Outcome;

pub(super) fn check(world: &World) -> Report {
    let mut report = Report {
        wrong: world.wrong.clone(),
        counts: world.counts.clone(),
    };
    let places = places(world, &mut report);
    for (index, socket) in world.sockets.iter().enumerate() {
        report.count("deliveries", socket.got.len());
        let name = format!("socket {index} of object {}", socket.home);
        check_order(world, &name, socket, &mut report);
        check_completeness(world, (index, &name), socket, &places, &mut report);
    }
    for emit in &world.emits {
        if emit.ended.is_none() {
            report.wrong.push("an emit never ended".into());
        }
    }
    for client in &world.clients {
        let is_connected = client.session != 0 && client.is_in;
        if !is_connected {
            report.wrong.push(format!("never back: {client:?}"));
        }
    }
    report
}

/// Checks that whoever is connected has everything that has been logged: the hub sends it
/// also if nobody calls it.
pub(super) fn check_connected(world: &World) -> Report {
    let mut report = Report::default();
    let places = places(world, &mut report);
    for client in world.clients.iter().filter(|client| client.is_in) {
        if let Some(index) = client.socket.filter(|_| client.session != 0) {
            let name = format!("in the quiet, socket {index}");
            let socket = &world.sockets[index];
            check_completeness(world, (index, &name), socket, &places, &mut report);
        }
    }
    report
}

/// The place of each emit that is known: it has only one, and nobody else has it.
fn places(world: &World, report: &mut Report) -> BTreeMap<usize, u64> {
    let (mut places, mut emits) = (BTreeMap::new(), BTreeMap::new());
    for (emit, from) in world.sockets.iter().flat_map(|socket| &socket.got) {
        if let From::Hub(_, _, place) = *from
            && world.emits[*emit].is_logged
        {
            let same = *places.entry(*emit).or_insert(place) == place;
            if !same || *emits.entry(place).or_insert(*emit) != *emit {
                report.wrong.push(format!("two places of emit {emit}"));
            }
        }
    }
    places
}

/// Once, in the order of places, that of each sender and room, and that of what was for
/// the socket alone.
fn check_order(world: &World, name: &str, socket: &SocketRecord, report: &mut Report) {
    let (mut once, mut last_place, mut last_own) = (BTreeSet::new(), 0, 0);
    let mut senders: BTreeMap<(u64, &String), usize> = BTreeMap::new();
    for (index, from) in &socket.got {
        let emit = &world.emits[*index];
        if !once.insert(*index) {
            // Not promised: it is not logged, and was sent by two lives of the hub.
            if !emit.is_logged && emit.lives.len() > 1 {
                report.count("repetitions across lives", 1);
                continue;
            }
            report.wrong.push(format!("{name} got emit {index} twice"));
        }
        if emit.own.is_some() {
            if *index < last_own {
                report
                    .wrong
                    .push(format!("{name}: its own events are out of order"));
            }
            last_own = *index;
            continue;
        }
        if let From::Hub(_, _, place) = *from {
            if place <= last_place {
                let what = format!("{name}: emit {index} at {place} after {last_place}");
                report.wrong.push(what);
            }
            last_place = place;
        }
        if !emit.rooms.iter().any(|room| socket.ever.contains(room)) {
            report.wrong.push(format!("{name} got what was not for it"));
        }
        for room in emit.rooms.iter().filter(|_| emit.is_logged) {
            let last = senders.entry((emit.from, room)).or_insert(*index);
            if *last > *index {
                report
                    .wrong
                    .push(format!("{name}: a sender's order to {room:?} is broken"));
            }
            *last = (*last).max(*index);
        }
    }
}

/// Nothing is missing before the last that it got; and in the end, nothing at all, unless
/// its client was told that it starts over.
fn check_completeness(
    world: &World,
    (socket_index, name): (SocketIndex, &str),
    socket: &SocketRecord,
    places: &BTreeMap<usize, u64>,
    report: &mut Report,
) {
    let got: BTreeSet<usize> = socket.got.iter().map(|(emit, _)| *emit).collect();
    let place = |(emit, _): &(usize, From)| places.get(emit).copied();
    let last_place = socket.got.iter().filter_map(place).max().unwrap_or(0);
    let own = got.iter().filter(|emit| world.emits[**emit].own.is_some());
    let last_own = own.max().copied().unwrap_or(0);
    for (index, emit) in world.emits.iter().enumerate() {
        if !emit.is_logged || got.contains(&index) || !was_for(emit, socket_index, socket) {
            continue;
        }
        let is_passed = match (emit.own, places.get(&index)) {
            (Some(_), _) => index < last_own,
            (None, place) => place.is_some_and(|place| *place < last_place),
        };
        let is_reached = matches!(emit.ended, Some((_, Ended::Known(Outcome::Reached))));
        if is_passed || (is_reached && socket.gone.is_none()) {
            let what = format!("{name} missed emit {index}: {emit:?} {socket:?}");
            report.wrong.push(what);
        }
    }
}

fn was_for(emit: &EmitRecord, index: SocketIndex, socket: &SocketRecord) -> bool {
    if let Some(own) = emit.own {
        return own == index;
    }
    let is_in = |room: &String| socket.since.get(room).is_some_and(|at| *at < emit.called);
    let may_be_excepted = emit.except.iter().any(|room| socket.ever.contains(room));
    emit.rooms.iter().any(is_in) && !may_be_excepted
}
