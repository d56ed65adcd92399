//! What users and the platform do in a world.

use alloc::string::String;
use alloc::vec::Vec;

use super::deploys;
use super::world::World;

/// Plans a life: some steps at random, then quiet, and some emits that wake whoever is
/// still noted for a room without a member.
pub(super) fn drive(world: &mut World) {
    let steps = 60 + world.random.below(120);
    let quick = *world.random.pick(&[20, 120]);
    let mut at = 0;
    for _ in 0..steps {
        let pause = match world.random.below(100) {
            0..4 => 12_000,
            4..20 => 0,
            _ => world.random.below(quick),
        };
        at += pause;
        world.plan(at, act);
    }
    let rounds = 4;
    if let Some(hubs) = world.next_hubs {
        let deployed_at = world.random.below(at);
        world.plan(deployed_at, move |world| world.deploy(hubs));
        at = at.max(deployed_at + deploys::LASTS);
    }
    for round in 0..rounds {
        world.plan(at + 60_000 + round * 60_000, emit_to_all);
    }
    world.plan(at + 60_000 + (rounds - 1) * 60_000 - 1, settle);
}

fn settle(world: &mut World) {
    world.settled_at = world.now;
}

fn emit_to_all(world: &mut World) {
    let serial = world.wake(0);
    for room in world.rooms.clone() {
        world.emit(serial, Vec::from([room]), Vec::new());
    }
}

/// In half of the worlds, most rooms have their members in one object.
fn is_sparse(world: &World) -> bool {
    world
        .rooms
        .first()
        .is_some_and(|room| room.len() == 2 || room.is_empty())
}

fn a_room(world: &mut World, object: usize) -> String {
    let rooms: Vec<_> = world
        .rooms
        .iter()
        .filter(|room| !room.is_empty())
        .cloned()
        .collect();
    if is_sparse(world) && world.random.permille(850) {
        rooms[object % rooms.len()].clone()
    } else {
        world.random.pick(&rooms).clone()
    }
}

fn some_rooms(world: &mut World) -> Vec<String> {
    let rooms = world.rooms.clone();
    rooms
        .into_iter()
        .filter(|_| world.random.permille(500))
        .collect()
}

fn act(world: &mut World) {
    let object = world.random.below(world.node_count as u64) as usize;
    let anybody = world.random.below(world.actors.len() as u64) as usize;
    let serial = world.actor(object);
    let sockets = world.sockets_of(serial);
    let crash = match (world.calm, world.storm) {
        (true, _) => 0,
        (_, true) => 50,
        _ => 20,
    };
    if world.random.permille(60) {
        let rooms = some_rooms(world);
        if !rooms.is_empty() {
            return world.gather(serial, rooms);
        }
    }
    let dice = world.random.below(1_000);
    if dice < 150 || sockets.is_empty() {
        let mut rooms = some_rooms(world);
        if is_sparse(world) && world.random.permille(850) {
            rooms = Vec::from([a_room(world, object)]);
        }
        return world.connect(object, &rooms);
    }
    let socket = *world.random.pick(&sockets);
    let room = a_room(world, object);
    if dice < 270 {
        let emits = world.random.permille(500);
        world.join(serial, socket, &room, emits);
    } else if dice < 380 {
        world.leave(serial, socket, &room);
    } else if dice < 400 {
        world.disconnect(serial, socket);
    } else if dice < 400 + crash {
        if world.random.permille(400) {
            world.panic(object);
        } else {
            world.crash(object);
        }
    } else if dice < 400 + 2 * crash {
        let hubs = (world.actors.len() - world.node_count) as u64;
        let hub = world.node_count + world.random.below(hubs) as usize;
        world.crash(hub);
    } else if dice < 560 {
        world.sleep(anybody);
    } else if dice < 570 {
        if !world.calm {
            world.actors[anybody].down_until = world.now + world.random.below(12_000);
        }
    } else {
        let count = if world.random.permille(300) { 3 } else { 1 };
        for _ in 0..count {
            let serial = world.actor(object);
            emit(world, serial, &room);
        }
    }
}

fn emit(world: &mut World, serial: u64, room: &str) {
    let mut rooms = Vec::from([String::from(room)]);
    if world.random.permille(250) {
        rooms.extend(some_rooms(world));
        rooms.sort();
        rooms.dedup();
    }
    let mut except = Vec::new();
    if world.random.permille(100) {
        let all = world.rooms.clone();
        let other = world.random.pick(&all).clone();
        if !rooms.contains(&other) {
            except.push(other);
        }
    }
    world.emit(serial, rooms, except);
}
