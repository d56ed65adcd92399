//! Events that are for clients that may come back, and how they reach them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::desk::{id_of, pid_of};
use super::world::{EmitRecord, Ended, From, SocketIndex, World};
use crate::cluster::rules::{Rule, is_broken};
use crate::cluster::{Emit, Outcome, Payload, Position};

impl World {
    /// Sends an event to a client, in order. It is lost if the connection breaks.
    pub(super) fn send(
        &mut self,
        (client, session, socket): (usize, u64, SocketIndex),
        (emit, from): (usize, From),
        position: Position,
    ) {
        let one = &mut self.clients[client];
        one.arrives = one.arrives.max(self.now + self.random.below(self.lag + 1));
        let after = one.arrives - self.now;
        self.plan(after, move |world| {
            let one = &mut world.clients[client];
            if one.session == session && one.socket == Some(socket) {
                one.position = Some(position);
                if from != From::Own {
                    one.heard = world.emits[emit].called;
                }
                world.sockets[socket].got.push((emit, from));
            }
        });
    }

    /// Emits an event to rooms that is logged.
    pub(super) fn emit_logged(&mut self, serial: u64, rooms: Vec<String>, except: Vec<String>) {
        let now = self.time_of(serial);
        let emit = self.emits.len();
        self.emits.push(EmitRecord {
            hub: Some(0),
            rooms: rooms.clone(),
            except,
            called: self.now,
            from: serial,
            is_logged: true,
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
            tells_nodes: false,
            payload: &(emit as u64).to_le_bytes(),
        };
        match part.node.emit_logged(&request, now, &members) {
            Ok(id) => {
                part.emits.insert(id, emit);
                self.after(serial, None);
            }
            Err(_) => self.wrong.push("an emit is refused".into()),
        }
    }

    /// Emits an event to a socket by its id: where it began, or through the hub.
    pub(super) fn emit_to(&mut self, serial: u64, socket: SocketIndex) {
        let home = self.sockets[socket].home;
        let desk = &self.actors[home].desk;
        let stored = desk.sockets.get(&pid_of(socket));
        if stored.is_some_and(|stored| stored.unconfirmed.is_none()) {
            self.emit_own(home, socket);
        } else {
            self.count("emits to moved sockets");
            self.emit_logged(serial, Vec::from([id_of(socket)]), Vec::new());
        }
    }

    /// Emits an event to a socket of an object, connected or not.
    pub(super) fn emit_own(&mut self, object: usize, socket: SocketIndex) {
        let serial = self.wake(object);
        let emit = self.emits.len();
        self.emits.push(EmitRecord {
            rooms: Vec::from([format!("only {socket}")]),
            called: self.now,
            ended: Some((self.now, Ended::Known(Outcome::Reached))),
            from: serial,
            is_logged: true,
            own: Some(socket),
            ..EmitRecord::default()
        });
        let mark = self.actors[object].marks.values().next();
        let mark = mark.map_or(0, |mark| mark.place);
        let sent = self.at_desk(serial, |desk, _| {
            let session = desk.sessions.get(&socket).copied();
            let place = session.map_or(mark, |session| session.since.max(mark));
            let payload = Payload((emit as u64).to_le_bytes().to_vec().into());
            let own = desk.log_own(socket, place, payload);
            (session, Position { place, own })
        });
        if let Some((Some(session), position)) = sent {
            let to = (session.client, session.number, socket);
            self.send(to, (emit, From::Own), position);
        }
    }

    /// Gives a delivered event to the sockets here that it is for.
    pub(super) fn give_to_sessions(&mut self, serial: u64, emit: usize, place: u64) {
        let given = self.at_desk(serial, |desk, part| {
            let sessions = desk.sessions.iter();
            let sessions = sessions.filter_map(|(socket, session)| {
                let rooms = part.sockets.get(socket)?.clone();
                Some((*socket, *session, rooms, desk.last_own(*socket)))
            });
            sessions.collect::<Vec<_>>()
        });
        for (socket, session, rooms, own) in given.unwrap_or_default() {
            let is_new = session.since < place || is_broken(Rule::SkipEarlier);
            if is_new && self.emits[emit].is_for(|room| rooms.contains(room)) {
                let to = (session.client, session.number, socket);
                let position = Position { place, own };
                self.send(to, (emit, From::Hub(0, 0, place)), position);
            }
        }
    }
}
