//! What the core asks an object to do for clients that come back, to it or to another one.

use std::rc::Rc;

use dormouse_proto::Timestamp;
use dormouse_proto::cluster::{
    Adopted, Answer, Claim, Confirm, Confirmed, Held, MissedEvent, Node, NotReturned, Output,
    OwnEvent, ReturnKey, Returned, Ticket,
};
use dormouse_proto::socket::{Filter, Offset, RecoveredSocket};

use super::super::context::Context;
use super::super::recovering::{self, Found};
use super::Comeback;
use super::comebacks::{Sought, expire, find, go_on, id_in};
use super::custody::{Custody, args_of};
use super::desk::{Desk, data_of, rooms_of, stored};
use super::logged::read;
use super::objects::Objects;
use super::participant::Participant;
use crate::log::Level;
use crate::parts::Moved;
use crate::platform;
use crate::port::Selection;

/// Does what the core asks for clients that come back.
pub(super) fn carry_out(objects: &Objects, node: &Rc<Participant>, output: Output) {
    let namespace = node.namespace.clone();
    let custody = objects.custody_of(&namespace);
    let Some((custody, cx)) = custody.zip(objects.context()) else {
        if let Output::Claim { ticket, .. } | Output::Confirm { ticket, .. } = output {
            node.answer(ticket, Answer::Misdirected);
        }
        return;
    };
    let at = At {
        objects,
        node,
        cx: &cx,
        custody,
        namespace: &namespace,
    };
    match output {
        Output::Claim { ticket, claim } => at.answer_claim(ticket, &claim),
        Output::Confirm { ticket, confirm } => at.answer_confirm(ticket, &confirm),
        Output::Place(place) => at.tell_place(place),
        Output::Gap => at.start_over(),
        Output::Adopt(key, adopted) => at.adopt(key, *adopted),
        Output::Returned(key, returned) => at.give_back(key, *returned),
        Output::NotReturned(key, why) => at.turn_away(key, why),
        Output::Settled { pid, confirmed } => at.settle(&pid, confirmed),
        // These are carried out elsewhere.
        Output::Call { .. }
        | Output::Answer { .. }
        | Output::Deliver(..)
        | Output::Joined(_)
        | Output::NotJoined(_)
        | Output::Moved
        | Output::Taken(..)
        | Output::Gather { .. }
        | Output::Collected(..)
        | Output::Gathered(..)
        | Output::Resolved(..) => {}
    }
    go_on(objects, custody);
}

/// A namespace of an object, while an output is carried out.
#[derive(Clone, Copy)]
struct At<'a> {
    objects: &'a Objects,
    node: &'a Rc<Participant>,
    cx: &'a Rc<Context>,
    custody: &'a Custody,
    namespace: &'a str,
}

impl<'a> At<'a> {
    fn desk(self) -> Desk<'a> {
        Desk {
            cx: self.cx,
            custody: self.custody,
            namespace: self.namespace,
        }
    }

    fn with_node<T>(
        self,
        work: impl FnOnce(&mut Node, Timestamp, &dyn Fn(&str) -> bool) -> T,
    ) -> Option<T> {
        let (objects, namespace) = (self.objects, self.namespace);
        let members = move |room: &str| objects.is_occupied(namespace, room);
        self.node
            .with_node(|node| work(node, objects.now(), &members))
    }

    /// Answers another object that wants a socket.
    fn answer_claim(self, ticket: Ticket, claim: &Claim) {
        let mut desk = self.desk();
        desk.release(None, &claim.pid);
        self.with_node(|node, now, members| {
            node.answer_claim(ticket, claim, now, &members, &mut desk);
        });
    }

    /// Answers another object that has stored a socket.
    fn answer_confirm(self, ticket: Ticket, confirm: &Confirm) {
        let mut desk = self.desk();
        self.with_node(|node, now, _| node.answer_confirm(ticket, confirm, now, &mut desk));
        // It may have been given away.
        if recovering::find(self.cx, self.namespace, &confirm.pid).is_none() {
            self.forget(&confirm.pid);
        }
    }

    /// A socket is not stored here any more.
    fn forget(self, pid: &str) {
        if let Some(id) = id_in(pid)
            && self.custody.forget(self.namespace, id)
        {
            self.with_node(|node, now, members| node.leave(id, now, &members));
        }
    }

    fn tell_place(self, place: u64) {
        self.custody.comebacks.begin_all(self.namespace, place);
    }

    /// Stores a socket that is still another object's.
    fn adopt(self, key: ReturnKey, adopted: Adopted) {
        let is_stored = self.try_to_adopt(key, &adopted).is_some();
        self.with_node(|node, now, members| match is_stored {
            true => node.adopted(key, now, &members),
            false => node.forget_return(key, now, &members),
        });
        if !is_stored && let Some(sought) = self.custody.comebacks.remove(key) {
            (sought.comeback.then)(None);
        }
    }

    fn try_to_adopt(self, key: ReturnKey, adopted: &Adopted) -> Option<()> {
        let Adopted { held, unconfirmed } = adopted;
        let (session, tag, pid) = self.custody.comebacks.note_adopted(key)?;
        let named = recovering::session(session, tag);
        let socket = stored(held, (&pid, self.namespace), named, platform::now());
        recovering::keep(self.cx, session, &socket)?;
        self.keep_own(&held.id, &held.own);
        let moved = Moved {
            pid,
            id: held.id.clone(),
            heard: 0,
        };
        self.custody
            .put(self.namespace, moved, Some(unconfirmed))
            .ok()
    }

    fn keep_own(self, id: &str, events: &[OwnEvent]) {
        for event in events {
            self.custody.keep(self.cx, self.namespace, id, event);
        }
    }

    /// A client has its socket again.
    fn give_back(self, key: ReturnKey, returned: Returned) {
        let Some(sought) = self.custody.comebacks.remove(key) else {
            return;
        };
        let Sought {
            comeback,
            is_adopted,
        } = sought;
        let Returned { held, up_to, .. } = &returned;
        let confirmed = self.confirm(&comeback.pid, held, *up_to, is_adopted);
        self.keep_own(&held.id, &returned.meanwhile);
        let last = held.own.last().map_or(held.position.own, |event| event.own);
        let since = match is_adopted {
            true => Some(Vec::new()),
            false => self.custody.own(&held.id, last).ok().flatten(),
        };
        let since = since.filter(|_| confirmed.is_some());
        let found = since.map(|since| Found {
            id: held.id.clone(),
            state: self.recovered(&returned, &since),
            pid: comeback.pid,
        });
        (comeback.then)(found);
    }

    /// Puts down that a socket is ours, and what its client has.
    fn confirm(self, pid: &str, held: &Held, up_to: u64, is_adopted: bool) -> Option<()> {
        if is_adopted {
            // Whoever asks finds it here, whatever is remembered of an earlier time.
            let _ = self.custody.rows().delete_tombstone(pid);
        }
        if is_adopted || up_to > self.node.place() {
            let moved = Moved {
                pid: pid.to_owned(),
                id: held.id.clone(),
                heard: up_to,
            };
            self.custody.put(self.namespace, moved, None).ok()?;
        }
        Some(())
    }

    /// Returns the state of a socket, with all that its client has missed.
    fn recovered(self, returned: &Returned, since: &[OwnEvent]) -> RecoveredSocket {
        let held = &returned.held;
        let rooms = rooms_of(held);
        let is_meant = |selection: &Selection| {
            let Selection { filter, .. } = selection;
            Filter::matches(filter, |room| rooms.iter().any(|name| name == room))
        };
        let mut position = held.position;
        let mut missed = Vec::new();
        for event in returned.events(since) {
            let args = match event {
                MissedEvent::OfHub { place, operation } => {
                    position.place = position.place.max(place);
                    let meant = read(&operation).filter(|(selection, _)| is_meant(selection));
                    meant.map(|(_, args)| args)
                }
                MissedEvent::Own(event) => {
                    position.own = position.own.max(event.own);
                    args_of(&event)
                }
            };
            missed.extend(args.map(|args| (position.to_string(), args)));
        }
        RecoveredSocket {
            data: data_of(held),
            since: Offset(held.position.place),
            missed,
            rooms,
        }
    }

    /// A client does not get its socket back here.
    fn turn_away(self, key: ReturnKey, why: NotReturned) {
        let Some(Sought { comeback, .. }) = self.custody.comebacks.remove(key) else {
            return;
        };
        let session = comeback.spot.session;
        match why {
            NotReturned::Superseded => {
                // It has another session since, here or elsewhere.
                recovering::end_session(self.cx, session);
            }
            NotReturned::Unanswered => {
                let fields = [("namespace", self.namespace)];
                let what = "socket out of reach";
                self.cx.parts.log(Level::Warn, what, session, &fields);
            }
            NotReturned::Unknown | NotReturned::Gone => {}
        }
        (comeback.then)(None);
    }

    /// A socket that is stored here is ours, or is not.
    fn settle(self, pid: &str, confirmed: Confirmed) {
        if let Confirmed::Given(meanwhile) = confirmed {
            if let Some(id) = id_in(pid) {
                self.keep_own(id, &meanwhile);
                let moved = Moved {
                    pid: pid.to_owned(),
                    id: id.to_owned(),
                    heard: 0,
                };
                let _ = self.custody.put(self.namespace, moved, None);
            }
            let _ = self.custody.rows().delete_tombstone(pid);
        } else {
            recovering::forget(self.cx, pid);
            self.forget(pid);
        }
        let waits =
            |_, comeback: &Comeback| *comeback.namespace == *self.namespace && comeback.pid == pid;
        for comeback in self.custody.comebacks.take_settling(waits) {
            find(self.objects, comeback);
        }
    }

    /// Logged events are gone that sockets here have not got: their clients start over.
    fn start_over(self) {
        let fields = [("namespace", self.namespace)];
        let what = "events lost";
        self.cx.parts.log_for_all(Level::Warn, what, &fields);
        let all = Selection {
            namespace: self.namespace.to_owned(),
            ..Selection::default()
        };
        for spot in self.cx.index.select(self.cx, &all) {
            recovering::end_session(self.cx, spot.session);
        }
        recovering::forget_namespace(self.cx, self.namespace);
        expire(self.objects);
    }
}
