//! Calls between objects: lost, late, repeated, and to the wrong instance.

use super::world::{Core, What, World, emit_of};
use crate::cluster::rules::{Rule, is_broken};
use crate::cluster::{
    Address, Answer, Call, CallId, Deliver, Event, Failure, HubIndex, Relay, Ticket,
};

/// The platform ends a call that is not answered for so long.
const CALL_LIMIT: u64 = 30_000;

impl World {
    pub(super) fn way(&mut self) -> u64 {
        let lag = if self.tails && self.random.permille(150) {
            self.lag * 10
        } else {
            self.lag
        };
        self.random.below(lag + 1)
    }

    pub(super) fn index_of(&self, address: Address) -> usize {
        match address {
            Address::Node(id) => usize::from(id.0[0]) - 1,
            Address::Hub(HubIndex(hub)) => self.node_count + usize::from(hub),
        }
    }

    pub(super) fn call(&mut self, serial: u64, id: CallId, to: Address, call: &Call) {
        self.note_call(call);
        let actor = self.index_of(to);
        let bytes = call.encode();
        self.open.insert((serial, id));
        self.at(CALL_LIMIT, What::Fail(serial, id));
        let is_down = self.now < self.actors[actor].down_until;
        if is_down || self.random.permille(self.fail) {
            if self.random.permille(300) {
                let late = self.random.below(4_000);
                self.at(late, What::Arrive(actor, bytes, None));
            }
            let after = self.random.below(400);
            self.at(after, What::Fail(serial, id));
            return;
        }
        if !self.calm && self.random.permille(15) {
            let late = self.random.below(6_000);
            self.at(late, What::Arrive(actor, bytes.clone(), None));
        }
        let way = self.way();
        self.at(way, What::Arrive(actor, bytes, Some((serial, id))));
    }

    pub(super) fn note_call(&mut self, call: &Call) {
        if let Some((life, events)) = passed_on(call) {
            for event in events {
                self.emits[emit_of(event)].lives.insert(life);
            }
            if events.len() > 1 {
                self.count("batches");
            }
        }
        match call {
            Call::Deliver(_) => self.count("delivers"),
            Call::Relay(_) => self.count("relays"),
            Call::Control(control) => {
                self.count("controls");
                if control.hello && control.occupy.is_empty() {
                    self.count("bare hellos");
                }
                if !control.vacate.is_empty() {
                    self.count("vacates");
                }
            }
            Call::Publish(_) => self.count("publishes"),
            Call::Await(_) => self.count("awaits"),
            Call::Ask(_) => self.count("questions"),
            Call::Recall(_) => self.count("recalls"),
            Call::Gather(_) => self.count("gather calls"),
            Call::Missed(_) => self.count("questions for what was missed"),
            Call::Claim(_) => self.count("claims"),
            Call::Confirm(_) => self.count("confirmations"),
        }
    }

    pub(super) fn arrive(&mut self, actor: usize, bytes: &[u8], from: Option<(u64, CallId)>) {
        if from.is_some() && self.now < self.actors[actor].down_until {
            return self.break_call(from);
        }
        let old = self.actors[actor].old.last().copied();
        let old = old.filter(|_| self.random.permille(100));
        let serial = old.unwrap_or_else(|| self.wake(actor));
        let call = Call::decode(bytes).unwrap();
        if self.now >= self.settled_at
            && let (Some((_, events)), Core::Node(part)) =
                (passed_on(&call), &self.instances[&serial].core)
        {
            let rooms = part.occupied();
            let mut named = events.iter().flat_map(|e| &e.operation.rooms);
            if !named.any(|room| rooms.contains(room)) {
                self.wrong
                    .push("an object without members is called".into());
            }
        }
        let ticket = Ticket(self.number);
        self.number += 1;
        let now = self.time_of(serial);
        let Some(instance) = self.instances.get_mut(&serial) else {
            return;
        };
        if let Some(from) = from {
            instance.tickets.insert(ticket, from);
        }
        let origin = passed_on(&call).map(|(life, _)| life);
        match &mut instance.core {
            Core::Node(part) => {
                let rooms = part.occupied();
                let members = |room: &str| rooms.contains(room);
                part.node.handle_call(ticket, call, now, &members);
                if old.is_some() && !is_broken(Rule::TouchStorage) {
                    return self.stop(serial);
                }
            }
            Core::Hub(hub, rows) => hub.handle_call(ticket, call, now, rows),
        }
        self.after(serial, origin);
    }

    pub(super) fn break_call(&mut self, from: Option<(u64, CallId)>) {
        if let Some((caller, id)) = from {
            let way = self.way();
            self.at(way, What::Fail(caller, id));
        }
    }

    pub(super) fn answered(&mut self, serial: u64, id: CallId, bytes: &[u8]) {
        if !self.open.remove(&(serial, id)) {
            return;
        }
        let answer = Answer::decode(bytes).unwrap();
        if let Answer::WrongHubLife(_) | Answer::WrongNodeLife(_) = answer {
            self.count("wrong lives");
        }
        if answer == Answer::Misdirected {
            self.count("refusals");
        }
        if let Answer::Published(published) = &answer
            && !published.grants.is_empty()
        {
            self.count("grants");
        }
        let (now, random) = (self.time_of(serial), self.random.next() as u32);
        let Some(instance) = self.instances.get_mut(&serial) else {
            return;
        };
        match &mut instance.core {
            Core::Node(part) => {
                let rooms = part.occupied();
                let members = |room: &str| rooms.contains(room);
                part.node.handle_answer(id, answer, now, random, &members);
            }
            Core::Hub(hub, rows) => hub.handle_answer(id, answer, now, random, rows),
        }
        self.after(serial, None);
    }

    pub(super) fn failed(&mut self, serial: u64, id: CallId) {
        if !self.open.remove(&(serial, id)) {
            return;
        }
        let failure = if self.random.permille(50) {
            Failure::Overloaded
        } else {
            Failure::Broken
        };
        let (now, random) = (self.time_of(serial), self.random.next() as u32);
        let Some(instance) = self.instances.get_mut(&serial) else {
            return;
        };
        match &mut instance.core {
            Core::Node(part) => {
                let rooms = part.occupied();
                let members = |room: &str| rooms.contains(room);
                part.node.handle_failure(id, failure, now, random, &members);
            }
            Core::Hub(hub, rows) => hub.handle_failure(id, failure, now, random, rows),
        }
        self.after(serial, None);
    }

    pub(super) fn timer(&mut self, serial: u64) {
        let now = self.time_of(serial);
        let Some(instance) = self.instances.get_mut(&serial) else {
            return;
        };
        if instance.timer.is_some_and(|at| at <= now.as_millis()) {
            instance.timer = None;
        }
        match &mut instance.core {
            Core::Node(part) => {
                let rooms = part.occupied();
                let members = |room: &str| rooms.contains(room);
                part.node.handle_timeout(now, &members);
            }
            Core::Hub(hub, rows) => hub.handle_timeout(now, rows),
        }
        self.after(serial, None);
    }
}

/// Returns the events that a call brings, and the hub and its life that they are from.
fn passed_on(call: &Call) -> Option<((u16, u64), &[Event])> {
    match call {
        Call::Deliver(Deliver {
            hub,
            hub_life,
            events,
            ..
        })
        | Call::Relay(Relay {
            hub,
            hub_life,
            events,
            ..
        }) => Some(((hub.0, hub_life.0), events)),
        Call::Control(_)
        | Call::Publish(_)
        | Call::Await(_)
        | Call::Ask(_)
        | Call::Recall(_)
        | Call::Gather(_)
        | Call::Missed(_)
        | Call::Claim(_)
        | Call::Confirm(_) => None,
    }
}
