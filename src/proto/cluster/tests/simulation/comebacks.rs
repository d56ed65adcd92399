//! What the core asks an object to do for clients that come back.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::clients::{Pending, emit_in, socket_of};
use super::desk::{Session, Stored, pid_of};
use super::world::{From, SocketIndex, World};
use crate::cluster::rules::{Rule, is_broken};
use crate::cluster::{
    Adopted, Claim, Confirm, Confirmed, MissedEvent, NotReturned, ReturnKey, Returned, Ticket,
};

impl World {
    pub(super) fn answer_claim(&mut self, serial: u64, ticket: Ticket, claim: &Claim) {
        if let Some(socket) = socket_of(&claim.pid) {
            self.supersede(serial, socket);
        }
        let now = self.time_of(serial);
        let is_answered = self.at_desk(serial, |desk, part| {
            let rooms = part.occupied();
            let members = |room: &str| rooms.contains(room);
            part.node.answer_claim(ticket, claim, now, &members, desk);
        });
        if is_answered.is_some() {
            self.after(serial, None);
        }
    }

    pub(super) fn answer_confirm(&mut self, serial: u64, ticket: Ticket, confirm: &Confirm) {
        let now = self.time_of(serial);
        let is_answered = self.at_desk(serial, |desk, part| {
            part.node.answer_confirm(ticket, confirm, now, desk);
        });
        if is_answered.is_some() {
            self.after(serial, None);
        }
    }

    /// Stores a socket that is still another object's.
    pub(super) fn adopt(&mut self, serial: u64, key: ReturnKey, adopted: Adopted) {
        let (now, fails) = (self.time_of(serial), self.random.permille(10));
        let homes: Vec<usize> = self.sockets.iter().map(|socket| socket.home).collect();
        let mut has_guessed = false;
        let is_adopted = self.at_desk(serial, |desk, part| {
            let rooms = part.occupied();
            let members = |room: &str| rooms.contains(room);
            let Some(pending) = part.returns.get_mut(&key) else {
                has_guessed = part.guesses.contains(&key);
                return;
            };
            if fails {
                part.returns.remove(&key);
                part.node.forget_return(key, now, &members);
                return;
            }
            pending.is_adopted = true;
            let socket = pending.socket;
            let Adopted { held, unconfirmed } = adopted;
            let stored = Stored {
                socket,
                home: homes[socket],
                rooms: held.rooms,
                position: held.position,
                lost: None,
                unconfirmed: Some(unconfirmed),
            };
            desk.sockets.insert(pid_of(socket), stored);
            for event in held.own {
                desk.keep_own(socket, event);
            }
            part.node.adopted(key, now, &members);
        });
        if has_guessed {
            self.wrong.push("a guess has found a socket".into());
        }
        if is_adopted.is_some() {
            self.after(serial, None);
        }
    }

    /// A client has its socket again.
    pub(super) fn returned(&mut self, serial: u64, key: ReturnKey, returned: Returned) {
        let object = self.instances[&serial].actor;
        let back = self.at_desk(serial, |desk, part| {
            let pending = part.returns.remove(&key)?;
            let Pending {
                client,
                session,
                socket,
                is_adopted,
            } = pending;
            let pid = pid_of(socket);
            desk.tombstones.remove(&pid);
            let stored = desk.sockets.get_mut(&pid)?;
            stored.unconfirmed = None;
            stored.lost = None;
            let rooms: BTreeSet<_> = stored.rooms.iter().cloned().collect();
            let held = &returned.held;
            for event in returned.meanwhile.clone() {
                desk.keep_own(socket, event);
            }
            let last = held.own.last().map_or(held.position.own, |last| last.own);
            let since = match is_adopted || is_broken(Rule::ReadAgain) {
                true => Vec::new(),
                false => desk.own_of(socket, last),
            };
            part.sockets.insert(socket, rooms.clone());
            let session = Session {
                client,
                number: session,
                since: returned.up_to,
            };
            desk.sessions.insert(socket, session);
            Some((pending, rooms, held.position, returned.events(&since)))
        });
        let Some(Some((pending, rooms, mut position, events))) = back else {
            return;
        };
        self.sockets[pending.socket].object = object;
        let to = (pending.client, pending.session, pending.socket);
        for event in events {
            match event {
                MissedEvent::OfHub { place, operation } => {
                    position.place = position.place.max(place);
                    let emit = emit_in(&operation.payload);
                    if self.emits[emit].is_for(|room| rooms.contains(room)) {
                        self.send(to, (emit, From::Hub(0, 0, place)), position);
                    }
                }
                MissedEvent::Own(event) => {
                    position.own = event.own;
                    let emit = emit_in(&event.payload);
                    self.send(to, (emit, From::Own), position);
                }
            }
        }
        if pending.is_adopted {
            self.count("moves");
        }
        self.answer_connect(serial, pending, true);
        self.find_dead_sessions(pending);
    }

    /// A session whose client is not there any more is noticed some time later.
    fn find_dead_sessions(&mut self, pending: Pending) {
        let after = self.random.below(45_000);
        self.plan(after, move |world| {
            if world.clients[pending.client].session != pending.session {
                world.lose(world.sockets[pending.socket].object, pending.session);
            }
        });
    }

    pub(super) fn not_returned(&mut self, serial: u64, key: ReturnKey, why: NotReturned) {
        let part = self.part(serial);
        let Some(pending) = part.and_then(|part| part.returns.remove(&key)) else {
            return self.count("guesses");
        };
        match why {
            NotReturned::Unknown | NotReturned::Gone => {
                let window = self.actors[0].desk.window;
                let client = &self.clients[pending.client];
                let is_late = self.now + 5_000 > client.heard + window;
                // It may have tried again meanwhile.
                let is_excused = is_late || client.session != pending.session;
                self.answer_connect(serial, pending, false);
                if self.calm && !self.is_forgetful && !is_excused {
                    let what = "a client starts over without a reason";
                    self.wrong
                        .push(alloc::format!("{what}: {why:?} {pending:?}"));
                }
            }
            NotReturned::Superseded => self.turn_away(pending, "superseded"),
            NotReturned::Unanswered => self.turn_away(pending, "unanswered returns"),
        }
    }

    fn turn_away(&mut self, pending: Pending, why: &'static str) {
        self.count(why);
        if self.clients[pending.client].session == pending.session {
            self.cut_and_return(pending.client);
        }
    }

    /// A socket that was stored here is this object's, or is not.
    pub(super) fn settled(&mut self, serial: u64, pid: &str, confirmed: Confirmed) {
        self.count("settled");
        let now = self.now;
        let waiting = self.at_desk(serial, |desk, part| {
            let socket = socket_of(pid).unwrap();
            match confirmed {
                Confirmed::Given(meanwhile) => {
                    desk.tombstones.remove(pid);
                    if let Some(stored) = desk.sockets.get_mut(pid) {
                        stored.unconfirmed = None;
                        stored.lost = Some(now);
                        for event in meanwhile {
                            desk.keep_own(socket, event);
                        }
                    }
                }
                Confirmed::Moved(_)
                | Confirmed::Superseded
                | Confirmed::Gone
                | Confirmed::Unknown => {
                    desk.sockets.remove(pid);
                }
            }
            let waits = |one: &Pending| one.socket == socket;
            let (waiting, others) = part.settling.iter().partition(|one| waits(one));
            part.settling = others;
            waiting
        });
        let waiting: Vec<Pending> = waiting.unwrap_or_default();
        for one in waiting {
            let client = &self.clients[one.client];
            if client.session == one.session {
                let position = client.position;
                let who = (one.client, one.session, one.socket);
                self.come_back(serial, who, position);
            }
        }
    }

    /// Logged events are gone that sockets here have not got.
    pub(super) fn gap(&mut self, serial: u64) {
        self.count("gaps");
        let now = self.time_of(serial);
        let object = self.instances[&serial].actor;
        let is_done = self.at_desk(serial, |desk, part| {
            desk.sockets.clear();
            let left: Vec<(SocketIndex, BTreeSet<_>)> =
                core::mem::take(&mut part.sockets).into_iter().collect();
            let rooms = part.occupied();
            for room in left.into_iter().flat_map(|(_, rooms)| rooms) {
                part.node
                    .leave(&room, now, &|room: &str| rooms.contains(room));
            }
        });
        if is_done.is_some() {
            self.cut_all(object);
        }
    }
}
