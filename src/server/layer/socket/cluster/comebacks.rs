//! Clients that come back, and sockets of this object that have their clients elsewhere.
//!
//! What is asked of whom, and in which order, is the core's to say.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::collections::VecDeque;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dormouse_proto::Timestamp;
use dormouse_proto::cluster::{
    Adopted, Claim, Confirm, Confirmed, Custody as _, Held, Kept, MAX_RETURNS, MissedEvent,
    NotReturned, Output, OwnEvent, Position, RETURN_LIMIT, ReturnKey, Returned, Ticket,
};
use dormouse_proto::socket::{Args, Filter, Offset, RecoveredSocket};
use futures::channel::oneshot;
use futures::future::LocalBoxFuture;

use super::super::context::Context;
use super::super::recovering::{self, Found};
use super::Comeback;
use super::custody::{Custody, Desk, Expired, args_of, data_of, rooms_of, stored};
use super::logged::read;
use super::objects::Objects;
use super::operations::object_of;
use super::participant::Participant;
use crate::log::Level;
use crate::parts::Moved;
use crate::platform::{self, sleep};
use crate::port::{Selection, Spot};
use crate::sid::Key;
use crate::table::Table;

/// A new socket begins at a place that was the last one at most so long ago.
const MAX_AGE: Duration = Duration::from_secs(2);

/// The number of random bytes in a secret, behind the id: as many as in two session ids.
const SECRET: usize = 24;

/// The length of a secret as text.
const SECRET_TEXT: usize = SECRET / 3 * 4;

/// A client whose turn has not come for so long starts over.
const PATIENCE: Duration = Duration::from_secs(20);

/// The clients that wait for their sockets.
#[derive(Default)]
pub(super) struct Comebacks {
    /// Those whose sockets are looked for.
    sought: RefCell<Table<ReturnKey, Sought>>,
    /// Those whose turn has not come, and since when they wait: a deploy sends all of an
    /// object's clients elsewhere at once.
    queue: RefCell<VecDeque<(Timestamp, Comeback)>>,
    /// Those whose sockets are here, and not known to be ours.
    settling: RefCell<Vec<(u64, Comeback)>>,
    /// Those that wait to be told at which place they begin, by namespace.
    beginning: RefCell<Vec<(Rc<str>, oneshot::Sender<u64>)>>,
    next: Cell<u64>,
}

/// A client whose socket is looked for.
struct Sought {
    comeback: Comeback,
    /// The socket comes from another object.
    is_adopted: bool,
}

impl Comebacks {
    fn number(&self) -> u64 {
        self.next.replace(self.next.get() + 1)
    }

    /// Returns the number of the client with this place, if its socket is looked for.
    fn key_of(&self, spot: Spot) -> Option<ReturnKey> {
        let sought = self.sought.borrow();
        let mut all = sought.iter();
        let found = all.find(|(_, sought)| sought.comeback.spot == spot);
        found.map(|(key, _)| key)
    }

    /// Returns whether as many sockets are looked for as may be.
    fn is_full(&self) -> bool {
        self.sought.borrow().keys().count() >= MAX_RETURNS
    }

    fn remove(&self, key: ReturnKey) -> Option<Sought> {
        self.sought.borrow_mut().remove(key).map(|sought| *sought)
    }

    /// Notes that a socket comes from another object. Returns the session of its client,
    /// the tag of its namespace's definition, and its secret.
    fn note_adopted(&self, key: ReturnKey) -> Option<(Key, u32, String)> {
        let mut sought = self.sought.borrow_mut();
        let sought = sought.get_mut(key)?;
        sought.is_adopted = true;
        let Comeback { spot, tag, pid, .. } = &sought.comeback;
        Some((spot.session, *tag, pid.clone()))
    }

    /// Takes the clients that wait for a socket to be settled.
    fn take_settling(&self, wanted: impl Fn(u64, &Comeback) -> bool) -> Vec<Comeback> {
        let mut settling = self.settling.borrow_mut();
        let taken = settling.extract_if(.., |(number, comeback)| wanted(*number, comeback));
        taken.map(|(_, comeback)| comeback).collect()
    }
}

/// Returns the secret of a new socket: its id, which says where it began, and what nobody
/// else can know.
pub(super) fn new_pid(id: &str) -> String {
    let secret = URL_SAFE_NO_PAD.encode(platform::random::<SECRET>());
    format!("{id}{secret}")
}

/// Returns the id of the socket with a secret.
fn id_in(pid: &str) -> Option<&str> {
    let (id, _) = pid.split_at_checked(pid.len().checked_sub(SECRET_TEXT)?)?;
    Some(id)
}

/// Returns the position of a client that connects now.
pub(super) fn position(objects: &Objects, namespace: &str) -> LocalBoxFuture<'static, Offset> {
    let node = objects.node(namespace);
    let now = objects.now();
    let known = |max_age| {
        let place = node.with_node(|node| node.place(max_age, now)).flatten();
        place.map(|place| Offset(place.max(node.place())))
    };
    let Some(custody) = objects.custody_of(namespace) else {
        return Box::pin(async { Offset::default() });
    };
    if let Some(offset) = known(MAX_AGE) {
        return Box::pin(async move { offset });
    }
    let (sender, receiver) = oneshot::channel();
    let waiting = (node.namespace.clone(), sender);
    custody.comebacks.beginning.borrow_mut().push(waiting);
    let members = |room: &str| objects.is_occupied(&node.namespace, room);
    node.with_node(|node| node.ask_place(now, &members));
    // Where the hub does not answer, what is known has to do.
    let otherwise = known(Duration::MAX).unwrap_or(Offset(node.place()));
    objects.run(&node);
    Box::pin(async move {
        let place = receiver.await.unwrap_or_default();
        otherwise.max(Offset(place))
    })
}

/// Finds the socket of a client that has come back, in this object or another, when its
/// turn has come.
pub(super) fn find(objects: &Objects, comeback: Comeback) {
    let Some(custody) = objects.custody_of(&comeback.namespace) else {
        return (comeback.then)(None);
    };
    if custody.comebacks.is_full() {
        let waiting = (objects.now(), comeback);
        return custody.comebacks.queue.borrow_mut().push_back(waiting);
    }
    look_for(objects, comeback);
}

/// A client has gone before its socket was found. Should its former object give the
/// socket away for it, a session that it has elsewhere by then would lose it.
pub(super) fn give_up(objects: &Objects, spot: Spot, namespace: &str) {
    let Some(custody) = objects.custody_of(namespace) else {
        return;
    };
    let Some(key) = custody.comebacks.key_of(spot) else {
        return;
    };
    // Not at once: whoever says so may be in the middle of something.
    let (me, namespace) = (objects.weak(), namespace.to_owned());
    platform::spawn(Box::pin(async move {
        let Some(objects) = me.upgrade() else {
            return;
        };
        objects.parts.turn.run(|| {
            let Some(custody) = objects.custody_of(&namespace) else {
                return;
            };
            let node = objects.node(&namespace);
            let (now, members) = (objects.now(), |room: &str| {
                objects.is_occupied(&namespace, room)
            });
            node.with_node(|node| node.forget_return(key, now, &members));
            if let Some(sought) = custody.comebacks.remove(key) {
                (sought.comeback.then)(None);
            }
            objects.run(&node);
            go_on(&objects, custody);
        });
    }));
}

/// Lets the next clients have their turn.
fn go_on(objects: &Objects, custody: &Custody) {
    while !custody.comebacks.is_full() {
        let next = custody.comebacks.queue.borrow_mut().pop_front();
        match next {
            Some((since, comeback)) if since + PATIENCE > objects.now() => {
                look_for(objects, comeback);
            }
            Some((_, comeback)) => (comeback.then)(None),
            None => break,
        }
    }
}

fn look_for(objects: &Objects, comeback: Comeback) {
    let namespace = comeback.namespace.clone();
    let Some((custody, cx)) = objects.custody_of(&namespace).zip(objects.context()) else {
        return (comeback.then)(None);
    };
    let home = id_in(&comeback.pid).and_then(|id| Some((object_of(objects, id)?, id)));
    let Some((home, id)) = home else {
        return (comeback.then)(None);
    };
    let (pid, position) = (&*comeback.pid, comeback.position);
    let mut desk = Desk {
        cx: &cx,
        custody,
        namespace: &namespace,
    };
    desk.release(Some(comeback.spot.session), pid);
    let key = ReturnKey(custody.comebacks.number());
    let now = objects.now();
    let node = objects.node(&namespace);
    let members = |room: &str| objects.is_occupied(&namespace, room);
    let begun = match desk.kept(pid, position) {
        Ok(Kept::Held(held)) => node.with_node(|node| node.readmit(key, pid, held, now, &members)),
        Ok(Kept::Nothing) => {
            let client = dormouse_proto::cluster::Comeback {
                pid,
                home,
                id,
                position,
            };
            node.with_node(|node| node.claim(key, &client, now, &members))
        }
        Ok(Kept::Unconfirmed(unconfirmed)) => {
            node.with_node(|node| node.settle(pid, unconfirmed, now));
            await_settling(objects, custody, comeback);
            return objects.run(&node);
        }
        Ok(Kept::Gone) | Err(_) => None,
    };
    if begun.is_none_or(|begun| begun.is_err()) {
        return (comeback.then)(None);
    }
    let sought = Sought {
        comeback,
        is_adopted: false,
    };
    custody.comebacks.sought.borrow_mut().insert(key, sought);
    objects.run(&node);
}

/// Has a client wait until it is known whether a socket that is here is ours: for so long,
/// and then it starts over.
fn await_settling(objects: &Objects, custody: &Custody, comeback: Comeback) {
    let number = custody.comebacks.number();
    custody
        .comebacks
        .settling
        .borrow_mut()
        .push((number, comeback));
    let objects = objects.weak();
    platform::spawn(Box::pin(async move {
        sleep(RETURN_LIMIT).await;
        let Some(objects) = objects.upgrade() else {
            return;
        };
        let Some(custody) = &objects.custody else {
            return;
        };
        let late = custody.comebacks.take_settling(|other, _| other == number);
        objects.parts.turn.run(|| {
            for comeback in late {
                (comeback.then)(None);
            }
        });
    }));
}

/// Does what the core asks for clients that come back.
pub(super) fn carry_out(objects: &Objects, node: &Rc<Participant>, output: Output) {
    let namespace = node.namespace.clone();
    let custody = objects.custody_of(&namespace);
    let Some((custody, cx)) = custody.zip(objects.context()) else {
        if let Output::Claim { ticket, .. } | Output::Confirm { ticket, .. } = output {
            node.answer(ticket, dormouse_proto::cluster::Answer::Misdirected);
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
        work: impl FnOnce(&mut dormouse_proto::cluster::Node, Timestamp, &dyn Fn(&str) -> bool) -> T,
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
        let mut beginning = self.custody.comebacks.beginning.borrow_mut();
        let told = beginning.extract_if(.., |(namespace, _)| **namespace == *self.namespace);
        for (_, sender) in told {
            // Whoever it was may not wait any more.
            let _ = sender.send(place);
        }
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
        let mut missed: Vec<(Position, Args<'static>)> = Vec::new();
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
            missed.extend(args.map(|args| (position, args)));
        }
        RecoveredSocket {
            data: data_of(held),
            since: Offset(held.position.place),
            missed: missed
                .into_iter()
                .map(|(position, args)| (position.to_string(), args))
                .collect(),
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
        for spot in self.cx.index.select(&self.cx.parts, &self.cx.clients, &all) {
            recovering::end_session(self.cx, spot.session);
        }
        recovering::forget_namespace(self.cx, self.namespace);
        expire(self.objects);
    }
}

/// A socket is not stored any more.
pub(super) fn forgotten(objects: &Objects, namespace: &str, pid: &str) {
    let Some(custody) = objects.custody_of(namespace) else {
        return;
    };
    let Some(id) = id_in(pid).filter(|id| custody.forget(namespace, id)) else {
        return;
    };
    leave(objects, namespace, id.to_owned());
}

fn leave(objects: &Objects, namespace: &str, id: String) {
    super::joins::forget_later(objects, vec![(namespace.into(), id)]);
}

/// Deletes what nobody needs any more, and returns when to call this again.
pub(super) fn expire(objects: &Objects) -> Option<Timestamp> {
    let custody = objects.custody.as_ref()?;
    let keep = objects.context()?.recovery.settings()?.max_disconnection;
    // A storage that fails is tried again with the next alarm.
    let Expired { gone, next } = custody.expire(objects, keep).unwrap_or_default();
    for (namespace, id) in gone {
        leave(objects, &namespace, id);
    }
    next
}
