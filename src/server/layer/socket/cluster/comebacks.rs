//! Clients that come back: their turn, and finding their sockets.
//!
//! What is asked of whom, and in which order, is the core's to say.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::collections::VecDeque;
use std::rc::Rc;

use dormouse_proto::Base64;
use dormouse_proto::Timestamp;
use dormouse_proto::cluster::{
    Comeback as Wanted, Custody as _, Kept, MAX_RETURNS, RETURN_LIMIT, ReturnKey,
};
use dormouse_proto::socket::Offset;
use futures::channel::oneshot;
use futures::future::LocalBoxFuture;

use super::Comeback;
use super::custody::{Custody, Expired};
use super::desk::Desk;
use super::joins;
use super::objects::Objects;
use super::operations::object_of;
use crate::platform::{self, sleep};
use crate::port::Spot;
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
pub(super) struct Sought {
    pub(super) comeback: Comeback,
    /// The socket comes from another object.
    pub(super) is_adopted: bool,
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

    pub(super) fn remove(&self, key: ReturnKey) -> Option<Sought> {
        self.sought.borrow_mut().remove(key).map(|sought| *sought)
    }

    /// Notes that a socket comes from another object. Returns the session of its client,
    /// the tag of its namespace's definition, and its secret.
    pub(super) fn note_adopted(&self, key: ReturnKey) -> Option<(Key, u32, String)> {
        let mut sought = self.sought.borrow_mut();
        let sought = sought.get_mut(key)?;
        sought.is_adopted = true;
        let Comeback { spot, tag, pid, .. } = &sought.comeback;
        Some((spot.session, *tag, pid.clone()))
    }

    /// Tells new clients of a namespace at which place they begin.
    pub(super) fn begin_all(&self, namespace: &str, place: u64) {
        let mut beginning = self.beginning.borrow_mut();
        for (_, sender) in beginning.extract_if(.., |(of, _)| **of == *namespace) {
            // Whoever it was may not wait any more.
            let _ = sender.send(place);
        }
    }

    /// Takes the clients that wait for a socket to be settled.
    pub(super) fn take_settling(&self, wanted: impl Fn(u64, &Comeback) -> bool) -> Vec<Comeback> {
        let mut settling = self.settling.borrow_mut();
        let taken = settling.extract_if(.., |(number, comeback)| wanted(*number, comeback));
        taken.map(|(_, comeback)| comeback).collect()
    }
}

/// Returns the secret of a new socket: its id, which says where it began, and what nobody
/// else can know.
pub(super) fn new_pid(id: &str) -> String {
    let secret = Base64::UrlSafe.encode(platform::random::<SECRET>());
    format!("{id}{secret}")
}

/// Returns the id of the socket with a secret.
pub(super) fn id_in(pid: &str) -> Option<&str> {
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
pub(super) fn go_on(objects: &Objects, custody: &Custody) {
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
            let client = Wanted {
                pid,
                home,
                id,
                position,
            };
            node.with_node(|node| node.claim(key, &client, now, &members))
        }
        Ok(Kept::Unconfirmed(unconfirmed)) => {
            node.with_node(|node| node.settle(pid, unconfirmed, now, &members));
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
    joins::forget_later(objects, vec![(namespace.into(), id)]);
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
