//! What clients and the platform do in a world in which clients come back.

use alloc::string::String;
use alloc::vec::Vec;

use super::clients::Client;
use super::recovered;
use super::world::World;

/// The number of clients.
const CLIENTS: usize = 6;

/// Plans a life: some steps at random, then everybody comes back, and some emits show
/// who is in which room.
pub(super) fn drive(world: &mut World) {
    let steps = 60 + world.random.below(120);
    let quick = *world.random.pick(&[20, 120, 400]);
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
    for round in 1..6 {
        world.plan(at + round * 30_000, return_all);
    }
    world.plan(at + 170_000, |world| {
        let report = recovered::check_connected(world);
        world.wrong.extend(report.wrong);
    });
    for round in 6..9 {
        world.plan(at + round * 30_000, emit_to_all);
    }
}

fn return_all(world: &mut World) {
    for client in 0..world.clients.len() {
        if world.clients[client].session == 0 {
            let object = world.random.below(world.node_count as u64) as usize;
            world.come(client, object);
        }
    }
}

fn emit_to_all(world: &mut World) {
    let serial = world.wake(0);
    for room in world.rooms.clone() {
        world.emit_logged(serial, Vec::from([room]), Vec::new());
    }
    for client in 0..world.clients.len() {
        if let Some(socket) = world.clients[client].socket {
            let serial = world.wake(0);
            world.emit_to(serial, socket);
        }
    }
}

fn act(world: &mut World) {
    let object = world.random.below(world.node_count as u64) as usize;
    let hub = world.node_count;
    let crash = match (world.calm, world.storm) {
        (true, _) => 0,
        (_, true) => 40,
        _ => 15,
    };
    if world.clients.len() < CLIENTS && world.random.permille(200) {
        world.clients.push(Client::default());
        return world.come(world.clients.len() - 1, object);
    }
    if world.clients.is_empty() {
        return;
    }
    let client = world.random.below(world.clients.len() as u64) as usize;
    let dice = world.random.below(1_000);
    if dice < 150 {
        return world.cut_and_return(client);
    }
    if dice < 300 {
        return change_rooms(world, client);
    }
    if dice < 300 + 4 * crash {
        return break_down(world, object, (dice - 300) / crash);
    }
    if dice < 520 {
        let anybody = world.random.below(world.actors.len() as u64) as usize;
        return world.sleep(anybody);
    }
    if dice < 530 {
        if !world.calm {
            let anybody = *world.random.pick(&[object, hub]);
            world.actors[anybody].down_until = world.now + world.random.below(15_000);
        }
        return;
    }
    emit(world, object, client);
}

fn change_rooms(world: &mut World, client: usize) {
    let Some(socket) = world.clients[client].socket else {
        return;
    };
    let object = world.sockets[socket].object;
    let serial = world.actor(object);
    let rooms = world.rooms.clone();
    let room = world.random.pick(&rooms).clone();
    if world.random.permille(600) {
        world.join(serial, socket, &room, false);
    } else if !room.is_empty() {
        world.leave(serial, socket, &room);
    }
}

fn break_down(world: &mut World, object: usize, how: u64) {
    match how {
        0 => world.panic(object),
        1 => world.crash(object),
        2 => world.crash(world.node_count),
        _ if world.random.permille(300) => {
            world.count("deploys");
            for actor in 0..world.actors.len() {
                world.crash(actor);
            }
        }
        _ => {}
    }
}

fn emit(world: &mut World, object: usize, client: usize) {
    let serial = world.actor(object);
    let rooms = world.rooms.clone();
    let room = world.random.pick(&rooms).clone();
    match (world.random.below(20), world.clients[client].socket) {
        (0, Some(socket)) => world.forge(serial, socket),
        (1..4, Some(socket)) => world.emit_to(serial, socket),
        (4..7, Some(socket)) => {
            let object = world.sockets[socket].object;
            if world.actors[object].desk.sessions.contains_key(&socket) {
                world.emit_own(object, socket);
            }
        }
        (7 | 8, _) => world.emit(serial, Vec::from([room]), Vec::new()),
        _ => {
            let count = if world.random.permille(300) { 3 } else { 1 };
            for _ in 0..count {
                let (rooms, except) = some_rooms(world, &room);
                let serial = world.actor(object);
                world.emit_logged(serial, rooms, except);
            }
        }
    }
}

fn some_rooms(world: &mut World, room: &str) -> (Vec<String>, Vec<String>) {
    let all = world.rooms.clone();
    let (mut rooms, mut except) = (Vec::from([String::from(room)]), Vec::new());
    if world.random.permille(250) {
        rooms.push(world.random.pick(&all).clone());
        rooms.sort();
        rooms.dedup();
    }
    if world.random.permille(100) {
        let other = world.random.pick(&all).clone();
        if !rooms.contains(&other) && !other.is_empty() {
            except.push(other);
        }
    }
    (rooms, except)
}
