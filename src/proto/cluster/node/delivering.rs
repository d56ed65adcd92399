//! Events that hubs pass on: each is taken once, in order, and in time.

use super::{Members, Node, Rule, is_broken};
use crate::cluster::log::life_of;
use crate::cluster::{
    Answer, Deliver, Delivered, EMIT_LIMIT, Event, HubIndex, HubLife, MAX_SENDERS, Mark, Output,
    Sender, Stamp,
};
use crate::{Map, Set, Timestamp};

/// The last events of all senders.
#[derive(Debug, Default)]
pub(super) struct Seen(Map<(Sender, HubIndex), Last>);

#[derive(Clone, Copy, Debug)]
struct Last {
    seq: u64,
    /// No repetition is taken later, whether it is remembered or not.
    until: Timestamp,
}

/// What a node makes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    First,
    Again,
    /// Too many senders are remembered to be sure.
    Unsure,
}

impl Seen {
    fn note(&mut self, hub: HubIndex, event: &Event, now: Timestamp) -> Sight {
        let hub = if is_broken(Rule::CountPerHub) {
            HubIndex(0)
        } else {
            hub
        };
        let key = (event.sender, hub);
        // Whatever a hub's clock says, nothing is remembered for longer.
        let until = event.deadline.min(now + EMIT_LIMIT);
        let seq = event.operation.seq;
        if let Some(last) = self.0.get_mut(&key) {
            if last.seq >= seq && !is_broken(Rule::DropRepeated) {
                return Sight::Again;
            }
            last.seq = seq;
            last.until = last.until.max(until);
            return Sight::First;
        }
        if self.0.len() >= MAX_SENDERS {
            self.0.retain(|_, last| last.until >= now);
        }
        if self.0.len() >= MAX_SENDERS {
            return Sight::Unsure;
        }
        self.0.insert(key, Last { seq, until });
        Sight::First
    }
}

/// The last batch that was taken from a hub, and what it was answered.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    at: (HubLife, u64),
    answer: Delivered,
}

impl Node {
    pub(super) fn deliver(
        &mut self,
        deliver: Deliver,
        now: Timestamp,
        members: &dyn Members,
    ) -> Answer {
        if deliver.node_life != self.life && !is_broken(Rule::NameLives) {
            return Answer::WrongNodeLife(self.life);
        }
        let hub = deliver.hub;
        let at = (deliver.hub_life, deliver.number);
        let link = self.links.entry(hub).or_default();
        if let Some(taken) = &link.taken
            && !is_broken(Rule::NumberDelivers)
        {
            if taken.at == at {
                return Answer::Delivered(taken.answer.clone());
            }
            if taken.at > at {
                // Its hub has gone on, or has a life after this.
                return Answer::Delivered(refuse_all(&deliver));
            }
        }
        let (last_life, _) = link.mark;
        if deliver.hub_life < last_life && !is_broken(Rule::NumberDelivers) {
            return Answer::Delivered(refuse_all(&deliver));
        }
        link.life = link.life.max(deliver.hub_life);
        let era = Stamp::first(deliver.era);
        // A late copy of a hello may have raised it.
        if link.stamp.is_some_and(|stamp| stamp < era) && !is_broken(Rule::FollowEra) {
            link.stamp = Some(era);
        }
        if deliver.has_gap {
            self.calls.output(Output::Gap);
        }
        let answer = self.take_events(hub, deliver, now, members);
        let link = self.links.entry(hub).or_default();
        let answer_copy = answer.clone();
        link.taken = Some(Taken { at, answer });
        Answer::Delivered(answer_copy)
    }

    fn take_events(
        &mut self,
        hub: HubIndex,
        deliver: Deliver,
        now: Timestamp,
        members: &dyn Members,
    ) -> Delivered {
        let mut delivered = Delivered::default();
        let mut vacant = Set::new();
        for (index, event) in (0_u32..).zip(deliver.events) {
            let is_logged = event.operation.is_logged;
            if event.deadline < now && !is_logged && !is_broken(Rule::KeepDeadlines) {
                delivered.refused.push(index);
                continue;
            }
            for room in &event.operation.rooms {
                let link = self.links.entry(hub).or_default();
                if link.control.is_occupying(room) || self.is_wanted(room, members) {
                    continue;
                }
                if self.hub_of(room) == hub {
                    vacant.insert(room.clone());
                } else {
                    self.linger(room, now);
                }
            }
            let mark = Mark {
                hub,
                life: match is_logged {
                    true => life_of(event.place),
                    false => deliver.hub_life,
                },
                place: event.place,
            };
            let link = self.links.entry(hub).or_default();
            if (mark.life, mark.place) <= link.mark && !is_broken(Rule::KeepMarks) {
                continue;
            }
            // Of what is logged, places are one order for all lives of the hub.
            let sight = match is_logged {
                true => Sight::First,
                false => self.seen.note(hub, &event, now),
            };
            match sight {
                Sight::First => {
                    link.mark = (mark.life, mark.place);
                    if is_logged && !is_broken(Rule::HoldLater) {
                        self.returns.hold(&event);
                    }
                    self.calls.output(Output::Deliver(event, mark));
                }
                Sight::Again => {}
                Sight::Unsure => delivered.refused.push(index),
            }
        }
        if vacant.is_empty() {
            return delivered;
        }
        let link = self.links.entry(hub).or_default();
        if let Some(stamp) = &mut link.stamp {
            delivered.stamp = stamp.advance();
            for room in &vacant {
                self.lingering.vacate(room);
                self.give_up_grant(hub, room, Rule::VacateGrant);
            }
            delivered.vacant = vacant.into_iter().collect();
        } else if !is_broken(Rule::Greet) {
            // Without an era it cannot say when they were empty.
            link.control.greet();
            for room in &vacant {
                self.linger(room, now);
            }
        }
        delivered
    }
}

fn refuse_all(deliver: &Deliver) -> Delivered {
    Delivered {
        refused: (0..).take(deliver.events.len()).collect(),
        ..Delivered::default()
    }
}
