//! Rooms that gain their first member here, and those that have lost their last.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use super::{Full, JoinKey, Joining, Members, Node, Purpose, Rule, is_broken};
use crate::cluster::flight::Flight;
use crate::cluster::{
    Address, CONTROL_LIMIT, Call, Control, Controlled, HubIndex, JOIN_LIMIT, MAX_BATCH, MAX_JOINS,
    MAX_KNOWN_ROWS, MAX_ROOMS, Output, Stamp, VACATE_STEPS, hub_of,
};
use crate::{Map, Set, Timestamp, millis};

/// Joins that are not answered.
#[derive(Debug, Default)]
pub(super) struct Joins {
    rooms: Map<String, Set<JoinKey>>,
    keys: Map<JoinKey, String>,
    deadlines: VecDeque<(Timestamp, JoinKey)>,
    /// Rooms with members that the hubs which lead them now do not know of.
    moving: Set<String>,
}

impl Joins {
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && !self.are_moving()
    }

    pub(super) fn are_moving(&self) -> bool {
        !self.moving.is_empty()
    }

    /// Returns whether the hub of a room is to be told of it.
    fn is_pending(&self, room: &str) -> bool {
        self.rooms.contains_key(room) || self.moving.contains(room)
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.front().map(|(at, _)| *at)
    }

    fn insert(&mut self, key: JoinKey, room: &str, now: Timestamp) {
        let keys = self.rooms.entry(room.into()).or_default();
        keys.insert(key);
        self.keys.insert(key, room.into());
        self.deadlines.push_back((now + JOIN_LIMIT, key));
    }

    fn take_room(&mut self, room: &str) -> Set<JoinKey> {
        let keys = self.rooms.remove(room).unwrap_or_default();
        for key in &keys {
            self.keys.remove(key);
        }
        self.forget_ended();
        keys
    }

    fn take_key(&mut self, key: JoinKey) -> bool {
        let Some(room) = self.keys.remove(&key) else {
            return false;
        };
        if let Some(keys) = self.rooms.get_mut(&room) {
            keys.remove(&key);
            if keys.is_empty() {
                self.rooms.remove(&room);
            }
        }
        true
    }

    /// Drops deadlines of joins that have ended, as far as they are the first.
    fn forget_ended(&mut self) {
        while let Some((_, key)) = self.deadlines.front()
            && !self.keys.contains_key(key)
        {
            self.deadlines.pop_front();
        }
    }
}

/// Rooms without a member, which the hub is told of when they have been so for a while.
#[derive(Debug, Default)]
pub(super) struct Lingering {
    /// Rooms that the hub is known to have a row for, whether somebody is in them or not:
    /// as far as there is space. Without this, whoever is said to have left a room after
    /// the hub was told that it is empty would leave the belief that the row is still there.
    rows: Set<String>,
    rooms: Map<String, Since>,
    deadlines: VecDeque<(Timestamp, String)>,
}

#[derive(Clone, Copy, Debug)]
struct Since {
    until: Timestamp,
    /// The hub has a row for it, so a socket that joins need not wait.
    is_known: bool,
}

impl Lingering {
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.front().map(|(at, _)| *at)
    }

    /// The hub has written a row.
    fn note_row(&mut self, room: &str) {
        if self.rows.len() >= MAX_KNOWN_ROWS {
            self.rows.pop_first();
        }
        self.rows.insert(room.into());
    }

    /// The hub is told that a room is empty, and deletes its row.
    pub(super) fn vacate(&mut self, room: &str) {
        self.rows.remove(room);
        self.remove(room);
    }

    fn insert(&mut self, room: &str, now: Timestamp, after: Duration, is_known: bool) {
        let step = millis(after / VACATE_STEPS).max(1);
        let until = (now + after).as_millis().next_multiple_of(step);
        let until = Timestamp::from_millis(until);
        self.rooms.insert(room.into(), Since { until, is_known });
        self.deadlines.push_back((until, room.into()));
    }

    /// Removes a room. Returns whether the hub has a row for it.
    pub(super) fn remove(&mut self, room: &str) -> bool {
        let since = self.rooms.remove(room);
        self.forget_ended();
        since.is_some_and(|since| since.is_known)
    }

    fn forget_ended(&mut self) {
        while let Some((at, room)) = self.deadlines.front()
            && self.rooms.get(room).is_none_or(|since| since.until != *at)
        {
            self.deadlines.pop_front();
        }
    }

    fn take_due(&mut self, now: Timestamp) -> Vec<String> {
        let mut due = Vec::new();
        while let Some((_, room)) = self.deadlines.pop_front_if_due(now) {
            if self
                .rooms
                .get(&room)
                .is_some_and(|since| since.until <= now)
            {
                self.rooms.remove(&room);
                due.push(room);
            }
        }
        self.forget_ended();
        due
    }
}

/// Deadlines in the order in which they come.
trait Deadlines<T> {
    fn pop_front_if_due(&mut self, now: Timestamp) -> Option<(Timestamp, T)>;
}

impl<T> Deadlines<T> for VecDeque<(Timestamp, T)> {
    fn pop_front_if_due(&mut self, now: Timestamp) -> Option<(Timestamp, T)> {
        let (at, _) = self.front()?;
        if *at <= now { self.pop_front() } else { None }
    }
}

/// The way of controls to a hub: one under way, in order.
#[derive(Debug, Default)]
pub(super) struct Controlling {
    pub(super) flight: Flight,
    current: Option<Sent>,
    occupy: Set<String>,
    vacate: Set<String>,
    /// An era is needed, to be able to say that rooms are empty.
    greet: bool,
    /// The last place that the hub has given is needed.
    asks_place: bool,
}

#[derive(Clone, Debug)]
struct Sent {
    hello: bool,
    occupy: Vec<String>,
    vacate: Vec<String>,
    stamp: Stamp,
    until: Timestamp,
    asks_place: bool,
}

impl Controlling {
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let limit = self.current.as_ref().map(|sent| sent.until);
        limit.into_iter().chain(self.flight.next_deadline()).min()
    }

    /// A room is to have its first member here.
    pub(super) fn occupy(&mut self, room: &str) {
        self.vacate.remove(room);
        if !self.is_occupying(room) {
            self.occupy.insert(room.into());
        }
    }

    /// Returns whether the hub is being told that a room has a member. What is said of
    /// it meanwhile would count as later.
    pub(super) fn is_occupying(&self, room: &str) -> bool {
        let sent = self.current.iter().flat_map(|sent| &sent.occupy);
        { sent }.any(|name| name == room)
    }

    /// An era is asked for with the next control.
    pub(super) fn greet(&mut self) {
        self.greet = true;
    }

    /// Composes the next control, if there is something to say. `is_wanted` is asked
    /// now, since somebody may have joined since a room became empty.
    fn compose(
        &mut self,
        stamp: &mut Option<Stamp>,
        now: Timestamp,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Option<Sent> {
        let mut room_left = MAX_ROOMS;
        let mut bytes_left = MAX_BATCH;
        let mut take = |rooms: &mut Set<String>| {
            let mut taken = Vec::new();
            while let Some(room) = rooms.pop_first() {
                if room_left == 0 || (bytes_left < room.len() && room_left < MAX_ROOMS) {
                    rooms.insert(room);
                    break;
                }
                room_left -= 1;
                bytes_left = bytes_left.saturating_sub(room.len());
                taken.push(room);
            }
            taken
        };
        let occupy = take(&mut self.occupy);
        self.vacate.retain(|room| !is_wanted(room));
        let hello = stamp.is_none();
        let vacate = match stamp {
            Some(_) => take(&mut self.vacate),
            None => Vec::new(),
        };
        let has_to_greet = hello && (self.greet || !self.vacate.is_empty());
        let asks_place = mem::take(&mut self.asks_place);
        if occupy.is_empty() && vacate.is_empty() && !has_to_greet && !asks_place {
            return None;
        }
        if hello && !asks_place && occupy.is_empty() && is_broken(Rule::Greet) {
            self.vacate.clear();
            return None;
        }
        self.greet = false;
        Some(Sent {
            hello,
            occupy,
            vacate,
            stamp: stamp.as_mut().map_or(Stamp::default(), Stamp::advance),
            until: now + CONTROL_LIMIT,
            asks_place,
        })
    }
}

impl Node {
    /// A socket is to join a room.
    ///
    /// If another one here is in it, or was until a moment ago, it may be
    /// [at once](Joining::Now). Else the hub is told first, and the socket may be in the
    /// room when [`Output::Joined`] says so.
    ///
    /// # Errors
    ///
    /// More than [`MAX_JOINS`] joins wait already.
    pub fn join(
        &mut self,
        key: JoinKey,
        room: &str,
        now: Timestamp,
        members: &dyn Members,
    ) -> Result<Joining, Full> {
        let is_known = self.lingering.remove(room);
        let is_moving = self.joins.moving.contains(room) && !is_broken(Rule::JoinMoved);
        if (is_known || members.is_occupied(room)) && !is_moving {
            return Ok(Joining::Now);
        }
        if self.joins.keys.len() >= MAX_JOINS {
            return Err(Full);
        }
        let hub = self.hub_of(room);
        self.links.entry(hub).or_default().control.occupy(room);
        self.joins.insert(key, room, now);
        self.send(now, members);
        Ok(Joining::Later)
    }

    /// Makes rooms known to the hubs that lead them now. Their members have joined in an
    /// earlier life of this object, in which there were `from` hubs, or nobody knows how
    /// many. [`Output::Moved`] will follow.
    ///
    /// The driver calls it before anything else if [the number](super::Settings::hubs) has
    /// changed. Until then the members may miss events of others. What this object emits
    /// waits, and so do sockets that join one of the rooms.
    pub fn move_rooms(
        &mut self,
        rooms: impl IntoIterator<Item = String>,
        from: Option<u16>,
        now: Timestamp,
        members: &dyn Members,
    ) {
        for room in rooms {
            let hub = self.hub_of(&room);
            let is_same = from.is_some_and(|from| hub_of(&room, from) == hub);
            if !is_same && !is_broken(Rule::MoveRooms) {
                self.links.entry(hub).or_default().control.occupy(&room);
                self.joins.moving.insert(room);
            }
        }
        if !self.joins.are_moving() {
            self.calls.output(Output::Moved);
        }
        self.send(now, members);
    }

    /// A room has moved, or nobody is in it any more.
    fn has_moved(&mut self, room: &str) {
        if self.joins.moving.remove(room) && !self.joins.are_moving() {
            self.calls.output(Output::Moved);
        }
    }

    /// A socket has left a room, or is gone. Has to be called at least for the last one
    /// of a room, and after [`Output::Joined`] for a socket that is gone already.
    pub fn leave(&mut self, room: &str, now: Timestamp, members: &dyn Members) {
        if !self.is_wanted(room, members) && !self.lingering.rooms.contains_key(room) {
            let is_known = self.lingering.rows.contains(room) || self.is_granted(room);
            self.lingering
                .insert(room, now, self.settings.vacate_after, is_known);
        }
    }

    /// Returns the last place that the [recovering](crate::cluster::Hub::recovering) hub
    /// is known to have given, where a client that connects now begins to miss something.
    /// `None` if it is not known since `max_age`: an older one may be deleted before the
    /// client comes back.
    pub fn place(&self, max_age: Duration, now: Timestamp) -> Option<u64> {
        let link = self.links.get(&HubIndex(0))?;
        let (place, at) = link.place_at?;
        (now.since(at) <= max_age).then_some(place)
    }

    /// Asks the hub for the last place that it has given. [`Output::Place`] follows.
    pub fn ask_place(&mut self, now: Timestamp, members: &dyn Members) {
        let link = self.links.entry(HubIndex(0)).or_default();
        link.control.asks_place = true;
        self.send(now, members);
    }

    /// Returns whether somebody here is in the room, or is about to be.
    pub(super) fn is_wanted(&self, room: &str, members: &dyn Members) -> bool {
        let is_pending = self.joins.is_pending(room) && !is_broken(Rule::KeepPending);
        is_pending || self.returns.wants(room) || members.is_occupied(room)
    }

    /// A room that the hub may have a row for is empty.
    pub(super) fn linger(&mut self, room: &str, now: Timestamp) {
        if !self.lingering.rooms.contains_key(room) {
            self.lingering
                .insert(room, now, self.settings.vacate_after, false);
        }
    }

    pub(super) fn end_joins(&mut self, now: Timestamp) {
        while let Some((_, key)) = self.joins.deadlines.pop_front_if_due(now) {
            if self.joins.take_key(key) {
                self.calls.output(Output::NotJoined(key));
            }
        }
        self.joins.forget_ended();
    }

    pub(super) fn end_lingering(&mut self, now: Timestamp, members: &dyn Members) {
        for room in self.lingering.take_due(now) {
            if !self.is_wanted(&room, members) {
                let hub = self.hub_of(&room);
                let link = self.links.entry(hub).or_default();
                link.control.vacate.insert(room);
            }
        }
    }

    /// Gives up controls that are not answered. Rooms that somebody still wants are
    /// asked for again; that others are empty, the next event for them will say.
    pub(super) fn end_controls(&mut self, now: Timestamp, members: &dyn Members) {
        let mut rooms = Vec::new();
        for (hub, link) in self.links.iter_mut() {
            let current = &mut link.control.current;
            if let Some(sent) = current.take_if(|sent| sent.until <= now) {
                if let Some(id) = link.control.flight.finish() {
                    self.calls.end(id);
                }
                // A hub that does not answer is not to keep this object awake.
                link.control.vacate.clear();
                link.control.greet = false;
                if sent.asks_place {
                    let (place, _) = link.place_at.unwrap_or_default();
                    self.calls.output(Output::Place(place));
                }
                rooms.extend(sent.occupy.into_iter().map(|room| (*hub, room)));
            }
        }
        for (hub, room) in rooms {
            self.occupy_again(hub, room, now, members);
        }
    }

    fn occupy_again(&mut self, hub: HubIndex, room: String, now: Timestamp, members: &dyn Members) {
        let is_occupied = members.is_occupied(&room);
        if !is_occupied {
            self.has_moved(&room);
        }
        if self.joins.is_pending(&room) || self.returns.wants(&room) {
            let link = self.links.entry(hub).or_default();
            link.control.occupy.insert(room);
        } else if !is_occupied {
            self.linger(&room, now);
        }
    }

    pub(super) fn send_controls(&mut self, now: Timestamp, members: &dyn Members) {
        let hubs: Vec<_> = self.links.keys().copied().collect();
        for hub in hubs {
            self.send_control(hub, now, members);
        }
    }

    fn send_control(&mut self, hub: HubIndex, now: Timestamp, members: &dyn Members) {
        let (joins, returns) = (&self.joins, &self.returns);
        let is_pending = |room: &str| joins.is_pending(room) || returns.wants(room);
        let Some(link) = self.links.get_mut(&hub) else {
            return;
        };
        let control = &mut link.control;
        control.occupy.retain(|room| is_pending(room));
        let mut emptied = Vec::new();
        if control.flight.is_idle() && control.current.is_none() {
            let is_wanted = |room: &str| is_pending(room) || members.is_occupied(room);
            control.current = control.compose(&mut link.stamp, now, is_wanted);
            if let Some(sent) = &control.current {
                emptied.clone_from(&sent.vacate);
            }
        } else if !control.flight.is_due(now) {
            return;
        }
        let Some(sent) = &control.current else {
            return;
        };
        let call = Call::Control(Control {
            node: self.id,
            life: self.life,
            hello: sent.hello,
            occupy: sent.occupy.clone(),
            vacate: sent.vacate.clone(),
            stamp: sent.stamp,
        });
        let id = self
            .calls
            .call(Address::Hub(hub), call, Purpose::Control(hub));
        control.flight.start(id);
        for room in emptied {
            // Somebody may have waited for it in vain meanwhile: its row goes all the same.
            self.lingering.vacate(&room);
            self.give_up_grant(hub, &room, Rule::VacateGrant);
        }
    }

    /// The hub has written what a control said.
    pub(super) fn controlled(
        &mut self,
        hub: HubIndex,
        controlled: Controlled,
        now: Timestamp,
        members: &dyn Members,
    ) {
        let link = self.links.entry(hub).or_default();
        link.control.flight.finish();
        link.life = link.life.max(controlled.hub_life);
        link.learn_place(controlled.place, now);
        let Some(sent) = link.control.current.take() else {
            return;
        };
        if sent.asks_place {
            let (place, _) = link.place_at.unwrap_or_default();
            self.calls.output(Output::Place(place));
        }
        if sent.hello {
            link.stamp = link.stamp.max(Some(controlled.stamp));
        }
        let waiting: Set<String> = controlled.waiting.into_iter().collect();
        for room in sent.occupy {
            if waiting.contains(&room) {
                self.occupy_again(hub, room, now, members);
                continue;
            }
            if !is_broken(Rule::SpoilByOccupy) {
                let link = self.links.entry(hub).or_default();
                link.publishing.spoil(&room);
            }
            self.returns.occupied(&room);
            self.lingering.note_row(&room);
            self.has_moved(&room);
            let keys = self.joins.take_room(&room);
            if keys.is_empty() && !self.is_wanted(&room, members) {
                // Whoever wanted it did not wait for so long.
                self.lingering
                    .insert(&room, now, self.settings.vacate_after, true);
            }
            for key in keys {
                self.calls.output(Output::Joined(key));
            }
        }
    }
}
