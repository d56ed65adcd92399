//! Clients that come, are cut off, and come back to another object.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use super::desk::{Desk, Session, Stored, id_of, pid_of};
use super::world::{NodePart, SocketIndex, SocketRecord, World, node_id, number_in};
use crate::cluster::rules::{Rule, is_broken};
use crate::cluster::{Comeback, Payload, Position, ReturnKey};

/// A client gives up when its CONNECT is not answered for so long.
const PATIENCE: u64 = 20_000;

/// A client, through all of its connections.
#[derive(Debug, Default)]
pub(super) struct Client {
    /// The socket that it has or wants back.
    pub(super) socket: Option<SocketIndex>,
    /// The last event that it has received.
    pub(super) position: Option<Position>,
    /// Its connection; 0 if it has none.
    pub(super) session: u64,
    object: usize,
    /// Its CONNECT is answered.
    pub(super) is_in: bool,
    /// When the last event of the hub that it has received was sent.
    pub(super) heard: u64,
    /// When the last of what is under way to it arrives.
    pub(super) arrives: u64,
}

/// A client that an object is about to give its socket back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) client: usize,
    pub(super) session: u64,
    pub(super) socket: SocketIndex,
    /// Its socket comes from another object.
    pub(super) is_adopted: bool,
}

impl World {
    /// Calls with the rows of the object of an instance, and with its part. `None` if the
    /// instance is old: it is stopped when it touches its storage.
    pub(super) fn at_desk<T>(
        &mut self,
        serial: u64,
        work: impl FnOnce(&mut Desk, &mut NodePart) -> T,
    ) -> Option<T> {
        let actor = self.instances.get(&serial)?.actor;
        if self.is_old(serial) {
            self.stop(serial);
            return None;
        }
        let mut desk = mem::take(&mut self.actors[actor].desk);
        desk.now = self.now;
        let now = self.time_of(serial);
        let done = self.part(serial).map(|part| {
            let done = work(&mut desk, part);
            // A socket that has moved here is found by its id for as long as it is stored.
            let before = mem::replace(&mut part.moved, desk.moved(actor));
            let rooms = part.occupied();
            for id in before.difference(&part.moved) {
                part.node.leave(id, now, &|room: &str| rooms.contains(room));
            }
            done
        });
        self.actors[actor].desk = desk;
        self.schedule(serial);
        done
    }

    /// A client connects.
    pub(super) fn come(&mut self, client: usize, object: usize) {
        self.number += 1;
        let (session, now) = (self.number, self.now);
        let one = &mut self.clients[client];
        one.session = session;
        one.object = object;
        one.is_in = false;
        one.arrives = now;
        let (socket, position) = (one.socket, one.position);
        self.plan(PATIENCE, move |world| {
            let one = &world.clients[client];
            if one.session == session && !one.is_in {
                world.count("impatient clients");
                world.cut_and_return(client);
            }
        });
        let serial = self.wake(object);
        match socket {
            None => self.begin(serial, client, session),
            Some(socket) => self.come_back(serial, (client, session, socket), position),
        }
    }

    /// A client is to have another socket, which begins at a place that is not old.
    pub(super) fn begin(&mut self, serial: u64, client: usize, session: u64) {
        let now = self.time_of(serial);
        let max_age = match is_broken(Rule::BeginLate) {
            true => Duration::MAX,
            false => Duration::from_secs(2),
        };
        let place = self.at_desk(serial, |_, part| {
            let place = part.node.place(max_age, now);
            if place.is_none() {
                let rooms = part.occupied();
                part.beginnings.push((client, session));
                part.node.ask_place(now, &|room: &str| rooms.contains(room));
            }
            place
        });
        if let Some(Some(place)) = place {
            self.begin_at(serial, (client, session), place);
        }
        self.after(serial, None);
    }

    pub(super) fn begin_all(&mut self, serial: u64, place: u64) {
        let beginnings = self.at_desk(serial, |_, part| mem::take(&mut part.beginnings));
        for (client, session) in beginnings.unwrap_or_default() {
            if self.clients[client].session == session {
                self.begin_at(serial, (client, session), place);
            }
        }
    }

    /// A client has another socket.
    fn begin_at(&mut self, serial: u64, (client, session): (usize, u64), place: u64) {
        let socket = self.sockets.len();
        let object = self.instances[&serial].actor;
        let mut record = SocketRecord {
            object,
            home: object,
            ..SocketRecord::default()
        };
        record.since.insert(id_of(socket), self.now);
        record.ever.insert(id_of(socket));
        self.sockets.push(record);
        self.clients[client].socket = Some(socket);
        self.clients[client].position = None;
        self.clients[client].is_in = true;
        self.clients[client].heard = self.now;
        self.at_desk(serial, |desk, part| {
            let stored = Stored {
                socket,
                home: object,
                rooms: Vec::new(),
                position: Position { place, own: 0 },
                lost: None,
                unconfirmed: None,
            };
            desk.sockets.insert(pid_of(socket), stored);
            let session = Session {
                client,
                number: session,
                since: place,
            };
            desk.sessions.insert(socket, session);
            part.sockets.insert(socket, BTreeSet::new());
        });
        for room in self.rooms.clone() {
            if room.is_empty() || self.random.permille(500) {
                self.join(serial, socket, &room, false);
            }
        }
    }

    /// A client wants its socket back.
    pub(super) fn come_back(
        &mut self,
        serial: u64,
        (client, session, socket): (usize, u64, SocketIndex),
        position: Option<Position>,
    ) {
        self.count("comebacks");
        let now = self.time_of(serial);
        self.number += 1;
        let key = ReturnKey(self.number);
        let home = node_id(self.sockets[socket].home);
        self.supersede(serial, socket);
        self.at_desk(serial, |desk, part| {
            let pending = Pending {
                client,
                session,
                socket,
                is_adopted: false,
            };
            let (pid, id) = (pid_of(socket), id_of(socket));
            let rooms = part.occupied();
            let members = |room: &str| rooms.contains(room);
            let taken = match desk.find(&pid) {
                Some(stored) if stored.unconfirmed.is_none() || is_broken(Rule::SettleFirst) => {
                    let held = desk.held(stored, position);
                    part.node.readmit(key, &pid, held, now, &members)
                }
                Some(stored) => {
                    let unconfirmed = stored.unconfirmed.unwrap();
                    part.node.settle(&pid, unconfirmed, now, &members);
                    part.settling.push(pending);
                    return;
                }
                None => {
                    let comeback = Comeback {
                        pid: &pid,
                        home,
                        id: &id,
                        position,
                    };
                    part.node.claim(key, &comeback, now, &members)
                }
            };
            assert!(taken.is_ok());
            part.returns.insert(key, pending);
        });
        self.after(serial, None);
    }

    /// Somebody guesses a secret.
    pub(super) fn forge(&mut self, serial: u64, socket: SocketIndex) {
        let now = self.time_of(serial);
        self.number += 1;
        let key = ReturnKey(self.number);
        let home = node_id(self.sockets[socket].home);
        self.at_desk(serial, |_, part| {
            let rooms = part.occupied();
            let comeback = Comeback {
                pid: "pid guessed",
                home,
                id: &id_of(socket),
                position: None,
            };
            let members = |room: &str| rooms.contains(room);
            assert!(part.node.claim(key, &comeback, now, &members).is_ok());
            part.guesses.insert(key);
        });
        self.after(serial, None);
    }

    /// The connection of a client breaks. Its object notices some time later, or never.
    pub(super) fn cut(&mut self, client: usize) {
        let one = &mut self.clients[client];
        let (session, object) = (mem::take(&mut one.session), one.object);
        if session == 0 {
            return;
        }
        let after = match self.random.below(3) {
            0 => 0,
            1 => self.random.below(500),
            _ => self.random.below(45_000),
        };
        self.plan(after, move |world| world.lose(object, session));
    }

    pub(super) fn cut_and_return(&mut self, client: usize) {
        self.cut(client);
        let after = match self.random.below(20) {
            0 => 70_000,
            1..8 => 0,
            _ => self.random.below(3_000),
        };
        let to = self.random.below(self.node_count as u64) as usize;
        let object = match self.random.below(3) {
            0 => self.clients[client].object,
            _ => to,
        };
        self.plan(after, move |world| {
            if world.clients[client].session == 0 {
                world.come(client, object);
            }
        });
    }

    /// An object notices that a session has ended.
    pub(super) fn lose(&mut self, object: usize, session: u64) {
        let serial = self.wake(object);
        let now = self.time_of(serial);
        let mut sessions = self.actors[object].desk.sessions.iter();
        let held = sessions.find(|(_, one)| one.number == session);
        let held = held.map(|(socket, _)| *socket);
        if let Some(socket) = held {
            self.end_session(serial, socket);
        }
        if let Some(part) = self.part(serial) {
            let rooms = part.occupied();
            let members = |room: &str| rooms.contains(room);
            let mut pending = part.returns.iter();
            let key = pending.find(|(_, one)| one.session == session);
            if let Some(key) = key.map(|(key, _)| *key) {
                part.returns.remove(&key);
                part.node.forget_return(key, now, &members);
            }
            self.after(serial, None);
        }
    }

    /// Ends the session that holds a socket here, which is stored as lost.
    pub(super) fn end_session(&mut self, serial: u64, socket: SocketIndex) {
        let (at, now) = (self.now, self.time_of(serial));
        self.at_desk(serial, |desk, part| {
            desk.sessions.remove(&socket);
            let Some(left) = part.sockets.remove(&socket) else {
                return;
            };
            if let Some(stored) = desk.sockets.get_mut(&pid_of(socket)) {
                stored.lost = Some(at);
            }
            let rooms = part.occupied();
            for room in left {
                part.node
                    .leave(&room, now, &|room: &str| rooms.contains(room));
            }
        });
    }

    /// Closes the session that holds a socket here: its client is elsewhere. Should it
    /// not be, it comes back.
    pub(super) fn supersede(&mut self, serial: u64, socket: SocketIndex) {
        let Some(instance) = self.instances.get(&serial) else {
            return;
        };
        let session = self.actors[instance.actor].desk.sessions.get(&socket);
        let session = session.copied();
        self.end_session(serial, socket);
        if let Some(Session { client, number, .. }) = session
            && self.clients[client].session == number
        {
            self.count("needless closes");
            self.cut_and_return(client);
        }
    }

    /// All connections of an object break.
    pub(super) fn cut_all(&mut self, object: usize) {
        self.actors[object].desk.sessions.clear();
        for client in 0..self.clients.len() {
            let one = &self.clients[client];
            if one.session != 0 && one.object == object {
                self.cut_and_return(client);
            }
        }
    }

    /// Stores the rooms of a socket that have changed.
    pub(super) fn save(&mut self, serial: u64, socket: SocketIndex) {
        if self.recovering.is_none() || self.is_old(serial) {
            return;
        }
        self.at_desk(serial, |desk, part| {
            let rooms = part.sockets.get(&socket);
            if let Some((stored, rooms)) = desk.sockets.get_mut(&pid_of(socket)).zip(rooms) {
                stored.rooms = rooms.iter().cloned().collect();
            }
        });
    }

    /// Tells a client that it has its socket again, or another one.
    pub(super) fn answer_connect(&mut self, serial: u64, pending: Pending, is_back: bool) {
        let Pending {
            client, session, ..
        } = pending;
        let one = &mut self.clients[client];
        one.arrives = one.arrives.max(self.now);
        let after = one.arrives - self.now;
        let object = self.instances[&serial].actor;
        self.plan(after, move |world| {
            if world.clients[client].session != session {
                return;
            }
            world.count(if is_back { "recovered" } else { "started over" });
            world.clients[client].is_in = is_back;
            if !is_back {
                world.clients[client].socket = None;
                let now = world.now;
                world.sockets[pending.socket].gone.get_or_insert(now);
                let serial = world.wake(object);
                world.begin(serial, client, session);
            }
        });
    }
}

/// Returns the socket whose secret this is.
pub(super) fn socket_of(pid: &str) -> Option<SocketIndex> {
    pid.strip_prefix("pid ")?.parse().ok()
}

/// Returns the emit that this is the content of.
pub(super) fn emit_in(payload: &Payload) -> usize {
    number_in(&payload.0)
}
