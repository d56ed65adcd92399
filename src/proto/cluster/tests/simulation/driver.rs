//! The drivers of nodes and hubs: what a server does for the core.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use super::rows::Rows;
use super::world::{
    Core, EmitRecord, Ended, From, Instance, NodePart, SocketIndex, What, World, emit_of, number_in,
};
use crate::cluster::rules::{Rule, is_broken};
use crate::cluster::{
    Address, Call, EmitId, GatherId, Hub, JoinKey, Missing, Node, NodeLife, Outcome, Output,
    Payload, Settings, Ticket,
};

impl World {
    /// Returns the present instance of an object, which begins if there is none.
    pub(super) fn wake(&mut self, actor: usize) -> u64 {
        if let Some(serial) = self.actors[actor].current {
            return serial;
        }
        self.number += 1;
        let serial = self.number;
        let hubs = self.actors[actor].hubs;
        let settings = Settings {
            hubs,
            ..self.settings
        };
        let core = match self.actors[actor].address {
            Address::Node(id) => Core::Node(NodePart {
                node: Node::resume(
                    id,
                    NodeLife(self.random.next()),
                    settings,
                    self.actors[actor].marks.values().copied(),
                ),
                sockets: mem::take(&mut self.actors[actor].asleep),
                joins: BTreeMap::new(),
                emits: BTreeMap::new(),
                gathers: BTreeMap::new(),
                next_join: 0,
                moved: self.actors[actor].desk.moved(actor),
                returns: BTreeMap::new(),
                guesses: BTreeSet::new(),
                beginnings: Vec::new(),
                settling: Vec::new(),
            }),
            Address::Hub(index) => {
                let mut rows = self.actors[actor].rows.clone();
                let hub = match self.recovering {
                    Some(settings) => {
                        let hub = Hub::recovering(settings, &mut rows);
                        if self.storm && self.random.permille(200) {
                            rows.fails_in.set(Some(self.random.below(5) as u32));
                        }
                        hub
                    }
                    None => Hub::new(index, hubs, &mut rows),
                };
                let mut hub = hub.unwrap();
                hub.relay_from(self.relay_from);
                Core::Hub(hub, rows)
            }
        };
        let instance = Instance {
            actor,
            hubs,
            core,
            tickets: BTreeMap::new(),
            last_event: self.now,
            timer: None,
            held: Vec::new(),
            gates: 0,
            safe_at: 0,
        };
        self.instances.insert(serial, instance);
        self.actors[actor].current = Some(serial);
        self.move_rooms(serial);
        serial
    }

    pub(super) fn is_old(&self, serial: u64) -> bool {
        let instance = self.instances.get(&serial);
        instance.is_none_or(|instance| self.actors[instance.actor].current != Some(serial))
    }

    /// Does what an instance asks.
    pub(super) fn after(&mut self, serial: u64, origin: Option<(u16, u64)>) {
        let is_old = self.is_old(serial);
        let (now, hit) = (self.now, self.storm && self.random.permille(5));
        let Some(instance) = self.instances.get_mut(&serial) else {
            return;
        };
        instance.last_event = now;
        let mut outputs = Vec::new();
        let (mut written, mut alarm) = (None, None);
        match &mut instance.core {
            Core::Node(part) => outputs.extend(core::iter::from_fn(|| part.node.poll_output())),
            Core::Hub(hub, rows) => {
                outputs.extend(core::iter::from_fn(|| hub.poll_output()));
                if rows.touched.take() && is_old && !is_broken(Rule::TouchStorage) {
                    return self.stop(serial);
                }
                if mem::take(&mut rows.written) && !is_old {
                    written = Some(rows.clone());
                }
                alarm = hub.alarm().filter(|_| !is_old);
                if hit {
                    rows.fails_in.set(Some(1));
                }
            }
        }
        if let Some(at) = alarm {
            self.set_alarm(serial, at.as_millis());
        }
        if let Some(rows) = written {
            let gate = self.now + self.random.below(20);
            if let Some(instance) = self.instances.get_mut(&serial) {
                instance.gates += 1;
                instance.safe_at = instance.safe_at.max(gate);
                let after = instance.safe_at - self.now;
                self.at(after, What::Safe(serial, rows));
            }
        }
        let Some(instance) = self.instances.get_mut(&serial) else {
            return;
        };
        if instance.gates > 0 && !is_broken(Rule::GateOutputs) {
            instance.held.extend(outputs);
        } else {
            for output in outputs {
                self.carry_out(serial, output, origin);
            }
        }
        self.schedule(serial);
    }

    /// Rows are safe: what relies on them may leave.
    pub(super) fn safe(&mut self, serial: u64, rows: Rows) {
        let Some(instance) = self.instances.get_mut(&serial) else {
            return;
        };
        instance.gates -= 1;
        let actor = instance.actor;
        if self.actors[actor].current != Some(serial) && !is_broken(Rule::TouchStorage) {
            return self.stop(serial); // Its successor has the storage.
        }
        if self.actors[actor].current == Some(serial) {
            self.actors[actor].rows = Rows {
                fails_in: None.into(),
                ..rows
            };
        }
        let Some(instance) = self.instances.get_mut(&serial).filter(|i| i.gates == 0) else {
            return;
        };
        let held = mem::take(&mut instance.held);
        for output in held {
            self.carry_out(serial, output, None);
        }
    }

    fn set_alarm(&mut self, serial: u64, at: u64) {
        let actor = self.instances[&serial].actor;
        let at = (at - self.actors[actor].fast).max(self.now);
        if self.actors[actor].alarm.is_none_or(|set| set > at) && !is_broken(Rule::SetAlarm) {
            self.actors[actor].alarm = Some(at);
            self.at(at - self.now, What::Alarm(actor));
        }
    }

    /// The alarm of a hub rings, and wakes it if it sleeps.
    pub(super) fn ring(&mut self, actor: usize) {
        let now = self.now;
        if self.actors[actor].alarm.take_if(|at| *at <= now).is_some() {
            self.count("alarms");
            let serial = self.wake(actor);
            self.timer(serial);
        }
    }

    pub(super) fn schedule(&mut self, serial: u64) {
        let Some(instance) = self.instances.get_mut(&serial) else {
            return;
        };
        let Some(at) = instance.next_deadline() else {
            return;
        };
        let at = at.as_millis();
        if instance.timer.is_none_or(|timer| timer > at) {
            instance.timer = Some(at);
            let late = if self.random.permille(100) { 30 } else { 0 };
            let here = self.time_of(serial).as_millis();
            let after = at.saturating_sub(here) + self.random.below(late + 1);
            self.at(after, What::Timer(serial));
        }
    }

    pub(super) fn carry_out(&mut self, serial: u64, output: Output, origin: Option<(u16, u64)>) {
        if !self.instances.contains_key(&serial) {
            return;
        }
        match output {
            Output::Call { id, to, call } => {
                let has_to_touch = matches!(call, Call::Control(_));
                if has_to_touch && self.is_old(serial) && !is_broken(Rule::TouchStorage) {
                    return self.stop(serial);
                }
                self.call(serial, id, to, &call);
            }
            Output::Answer { ticket, answer } => {
                let instance = self.instances.get_mut(&serial);
                let from = instance.and_then(|instance| instance.tickets.remove(&ticket));
                let Some((caller, id)) = from else {
                    return;
                };
                let way = self.way();
                if self.random.permille(self.fail) {
                    self.at(way, What::Fail(caller, id));
                } else {
                    self.at(way, What::Answer(caller, id, answer.encode()));
                }
            }
            Output::Deliver(event, mark) => {
                let actor = self.instances[&serial].actor;
                if !self.is_old(serial) {
                    self.actors[actor].marks.insert(mark.hub, mark);
                }
                let (hub, life) = origin.unwrap();
                if self.recovering.is_some() {
                    return self.give_to_sessions(serial, emit_of(&event), event.place);
                }
                self.give(serial, emit_of(&event), From::Hub(hub, life, event.place));
            }
            Output::Joined(key) => self.joined(serial, key),
            Output::Moved => self.moved(serial),
            Output::NotJoined(key) => {
                self.count("joins in vain");
                self.end_join(serial, key);
            }
            Output::Resolved(id, outcome) => self.resolved(serial, id, outcome),
            Output::Taken(..) => self.count("emits that tell nodes"),
            Output::Gather {
                ticket, payload, ..
            } => self.answer_gather(serial, ticket, &payload),
            Output::Collected(id, _, payload) => self.collected(serial, id, &payload),
            Output::Gathered(id, missing) => self.gathered(serial, id, missing),
            Output::Place(place) => self.begin_all(serial, place),
            Output::Gap => self.gap(serial),
            Output::Claim { ticket, claim } => self.answer_claim(serial, ticket, &claim),
            Output::Confirm { ticket, confirm } => self.answer_confirm(serial, ticket, &confirm),
            Output::Adopt(key, adopted) => self.adopt(serial, key, *adopted),
            Output::Returned(key, returned) => self.returned(serial, key, *returned),
            Output::NotReturned(key, why) => self.not_returned(serial, key, why),
            Output::Settled { pid, confirmed } => self.settled(serial, &pid, confirmed),
        }
    }

    /// Answers a question: which sockets are in these rooms?
    fn answer_gather(&mut self, serial: u64, ticket: Ticket, payload: &Payload) {
        let gather = number_in(&payload.0);
        let found = self.members(serial, gather);
        let answer: Vec<u8> = found
            .iter()
            .flat_map(|socket| (*socket as u64).to_le_bytes())
            .collect();
        if let Some(part) = self.part(serial) {
            part.node.answer_gather(ticket, &answer);
            self.after(serial, None);
        }
    }

    /// Returns the sockets here that a question is about.
    pub(super) fn members(&mut self, serial: u64, gather: usize) -> BTreeSet<SocketIndex> {
        let rooms = self.gathers[gather].rooms.clone();
        let Some(part) = self.part(serial) else {
            return BTreeSet::new();
        };
        let sockets = part.sockets.iter();
        let found = sockets.filter(|(_, is_in)| rooms.iter().any(|room| is_in.contains(room)));
        found.map(|(socket, _)| *socket).collect()
    }

    fn collected(&mut self, serial: u64, id: GatherId, payload: &Payload) {
        let gather = self
            .part(serial)
            .and_then(|part| part.gathers.get(&id).copied());
        if let Some(gather) = gather {
            let found = payload.0.chunks(8).map(number_in);
            self.gathers[gather].found.extend(found);
        }
    }

    fn gathered(&mut self, serial: u64, id: GatherId, missing: Missing) {
        let Some(gather) = self.part(serial).and_then(|part| part.gathers.remove(&id)) else {
            return;
        };
        let is_whole = missing == Missing::default();
        self.count(if is_whole {
            "gathered"
        } else {
            "gathered in part"
        });
        let record = &mut self.gathers[gather];
        record.ended = Some((self.now, is_whole));
        if self.now > record.called + 6_000 {
            self.wrong.push("a question took too long".into());
        }
    }

    /// Carries an event out on the sockets of an object that its filter selects.
    pub(super) fn give(&mut self, serial: u64, emit: usize, from: From) {
        if self.is_old(serial) {
            return; // Its clients are not there any more.
        }
        let Some(part) = self.part(serial) else {
            return;
        };
        let sockets = part.sockets.clone();
        let EmitRecord { rooms, except, .. } = &self.emits[emit];
        for (socket, is_in) in sockets {
            let is_meant = rooms.iter().any(|room| is_in.contains(room));
            if is_meant && !except.iter().any(|room| is_in.contains(room)) {
                self.sockets[socket].got.push((emit, from));
            }
        }
    }

    pub(super) fn part(&mut self, serial: u64) -> Option<&mut NodePart> {
        match &mut self.instances.get_mut(&serial)?.core {
            Core::Node(part) => Some(part),
            Core::Hub(..) => None,
        }
    }

    pub(super) fn end_join(
        &mut self,
        serial: u64,
        key: JoinKey,
    ) -> Option<(SocketIndex, String, bool)> {
        let part = self.part(serial)?;
        let (socket, room, called, emits) = part.joins.remove(&key)?;
        if self.now > called + 30_500 {
            self.wrong.push("a join took too long".into());
        }
        Some((socket, room, emits))
    }

    pub(super) fn joined(&mut self, serial: u64, key: JoinKey) {
        let Some((socket, room, emits)) = self.end_join(serial, key) else {
            return;
        };
        let now = self.time_of(serial);
        let Some(part) = self.part(serial) else {
            return;
        };
        if part.sockets.contains_key(&socket) {
            self.commit(serial, socket, room, emits);
            return;
        }
        let rooms = part.occupied();
        part.node
            .leave(&room, now, &|room: &str| rooms.contains(room));
        self.count("joins of the gone");
        self.schedule(serial);
    }

    pub(super) fn commit(&mut self, serial: u64, socket: SocketIndex, room: String, emits: bool) {
        let Some(part) = self.part(serial) else {
            return;
        };
        part.sockets.entry(socket).or_default().insert(room.clone());
        let (now, is_old) = (self.now, self.is_old(serial));
        let record = &mut self.sockets[socket];
        if !is_old {
            record.since.entry(room.clone()).or_insert(now);
        }
        self.count("joins");
        self.save(serial, socket);
        if emits {
            // The join has resolved, and then somebody emits.
            let object = match self.random.permille(500) {
                true => self.sockets[socket].object,
                false => self.random.below(self.node_count as u64) as usize,
            };
            self.plan(1, move |world| {
                let serial = world.wake(object);
                world.emit(serial, Vec::from([room]), Vec::new());
            });
        }
    }

    pub(super) fn resolved(&mut self, serial: u64, id: EmitId, outcome: Outcome) {
        let now = self.now;
        let Some(emit) = self.part(serial).and_then(|part| part.emits.remove(&id)) else {
            return;
        };
        self.count(match &outcome {
            Outcome::Reached => "reached",
            Outcome::Partial(missing) if missing.is_late => "late",
            Outcome::Partial(_) => "partial",
            Outcome::Unsent => "unsent",
            Outcome::Unanswered => "unanswered",
        });
        let record = &mut self.emits[emit];
        record.ended = Some((now, Ended::Known(outcome)));
        if now > record.called + 20_500 {
            self.wrong.push("an emit took too long".into());
        }
    }
}
