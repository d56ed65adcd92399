//! Sockets that enter and leave rooms of which other objects have to know.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::rc::{Rc, Weak};

use dormouse_proto::cluster::{JOIN_LIMIT, JoinKey, Joining};
use dormouse_proto::socket::Socket;
use futures::channel::oneshot;
use futures::future::LocalBoxFuture;

use super::super::clients::ClientEntry;
use super::super::context::Context;
use super::super::operations::enter;

use super::objects::Objects;
use super::participant::Participant;
use crate::parts::Purpose;
use crate::placement::DYNAMIC;
use crate::platform::{self, sleep};
use crate::port::{Called, PortError, Reply, Spot};

/// A join that others do not know of yet.
pub(super) struct PendingJoin {
    wanted: Rc<Wanted>,
    end: oneshot::Sender<Result<(), PortError>>,
}

/// What becomes of a join that others know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The socket enters the room.
    Enter,
    /// The socket is about to be in it.
    Announce,
}

/// A join that has not ended.
struct Wanted {
    namespace: Rc<str>,
    spot: Spot,
    room: Box<str>,
    kind: Kind,
    /// The socket has been told to leave the room since.
    is_left: Cell<bool>,
}

impl Wanted {
    fn new(namespace: &str, spot: Spot, room: &str, kind: Kind) -> Rc<Self> {
        Rc::new(Self {
            namespace: namespace.into(),
            spot,
            room: room.into(),
            kind,
            is_left: Cell::new(false),
        })
    }
}

/// The joins of sockets that are to enter rooms later.
#[derive(Default)]
pub(super) struct Entering(RefCell<Vec<Weak<Wanted>>>);

impl Entering {
    fn insert(&self, wanted: &Rc<Wanted>) {
        let mut all = self.0.borrow_mut();
        all.retain(|other| other.strong_count() > 0);
        all.push(Rc::downgrade(wanted));
    }

    /// A socket leaves a room that it may not be in yet.
    pub(super) fn leave(&self, spot: Spot, room: &str) {
        let all = self.0.borrow();
        let wanted = all.iter().filter_map(Weak::upgrade);
        wanted
            .filter(|it| it.spot == spot && &*it.room == room && it.kind == Kind::Enter)
            .for_each(|it| it.is_left.set(true));
    }
}

/// The end of a join that others are told of.
type Joined = LocalBoxFuture<'static, Result<(), PortError>>;

/// Sockets that are about to be in rooms: they count as if they were.
#[derive(Default)]
pub(super) struct Guests(RefCell<Vec<Guest>>);

struct Guest {
    spot: Spot,
    namespace: Rc<str>,
    room: Box<str>,
}

impl Guests {
    pub(super) fn is_occupied(&self, namespace: &str, room: &str) -> bool {
        let guests = self.0.borrow();
        let mut guests = guests.iter();
        guests.any(|guest| &*guest.namespace == namespace && &*guest.room == room)
    }

    fn insert(&self, spot: Spot, namespace: &Rc<str>, room: &str) {
        self.0.borrow_mut().push(Guest {
            spot,
            namespace: namespace.clone(),
            room: room.into(),
        });
    }

    /// Removes a socket that has come, or does not come. Returns the rooms that it was
    /// about to be in.
    pub(super) fn remove(&self, spot: Spot) -> Vec<(Rc<str>, String)> {
        let mut guests = self.0.borrow_mut();
        let (gone, others) = core::mem::take(&mut *guests)
            .into_iter()
            .partition(|guest| guest.spot == spot);
        *guests = others;
        let gone: Vec<Guest> = gone;
        let rooms = gone.into_iter();
        rooms
            .map(|guest| (guest.namespace, guest.room.into()))
            .collect()
    }
}

/// Has a socket enter rooms, in order.
pub(super) fn join(objects: &Objects, spot: Spot, namespace: &str, rooms: Vec<String>) -> Called {
    let Some(cx) = objects.context() else {
        return PortError::Gone.into();
    };
    let mut waiting = Vec::new();
    for room in &rooms {
        let wanted = Wanted::new(namespace, spot, room, Kind::Enter);
        if is_in(&cx, spot, room) {
            continue;
        }
        if is_own(&cx, spot, room) {
            if let Err(error) = enter(&cx, spot, core::slice::from_ref(room)) {
                return error.into();
            }
            continue;
        }
        match begin(objects, &cx, wanted) {
            Ok(joined) => waiting.extend(joined),
            Err(error) => return error.into(),
        }
    }
    if waiting.is_empty() {
        // Where there was no room to enter, nobody has looked for the socket yet.
        return enter(&cx, spot, &[]).into();
    }
    Called::Later(Box::pin(
        async move { all(waiting).await.map(|()| Reply::Done) },
    ))
}

/// Makes known that a socket is about to be in its namespace, and in these rooms.
pub(super) fn announce(
    objects: &Objects,
    spot: Spot,
    namespace: &str,
    rooms: &[String],
) -> LocalBoxFuture<'static, Result<(), PortError>> {
    let Some(cx) = objects.context() else {
        return Box::pin(async { Err(PortError::Gone) });
    };
    let is_other = |room: &&String| !is_own(&cx, spot, room);
    let rooms = rooms
        .iter()
        .filter(is_other)
        .map(|room| (namespace, &**room));
    let mut wanted = vec![(namespace, "")];
    if !cx.application.is_named(namespace) {
        wanted.push((DYNAMIC, ""));
    }
    let mut waiting = Vec::new();
    for (namespace, room) in wanted.into_iter().chain(rooms) {
        let wanted = Wanted::new(namespace, spot, room, Kind::Announce);
        match begin(objects, &cx, wanted) {
            Ok(joined) => waiting.extend(joined),
            Err(error) => return Box::pin(async { Err(error) }),
        }
    }
    Box::pin(all(waiting))
}

async fn all(waiting: Vec<Joined>) -> Result<(), PortError> {
    for joined in waiting {
        joined.await?;
    }
    Ok(())
}

/// Begins a join. It has ended already where nothing is returned.
///
/// The first of a room in this object has its hub write a row. That is one of the client's,
/// which waits where it has used up its own. All of them are for this: a join that fails is
/// worse than a change that is written later.
fn begin(
    objects: &Objects,
    cx: &Rc<Context>,
    wanted: Rc<Wanted>,
) -> Result<Option<Joined>, PortError> {
    let key = wanted.spot.session;
    let wait = cx.parts.wait_to_write(key, Purpose::End);
    if !wait.is_zero() && !objects.is_occupied(&wanted.namespace, &wanted.room) {
        objects.entering.insert(&wanted);
        let objects = objects.weak();
        return Ok(Some(Box::pin(begin_later(objects, wanted, wait))));
    }
    let node = objects.node(&wanted.namespace);
    let number = JoinKey(node.number());
    let members = |room: &str| objects.is_occupied(&node.namespace, room);
    let now = objects.now();
    let joining = node.with_node(|node| node.join(number, &wanted.room, now, &members));
    let joining = joining.and_then(Result::ok).ok_or(PortError::Overloaded)?;
    let joined: Option<Joined> = match joining {
        Joining::Now => {
            commit(objects, cx, &wanted)?;
            None
        }
        Joining::Later => {
            cx.parts.charge_row(key);
            objects.entering.insert(&wanted);
            let (end, receiver) = oneshot::channel();
            let pending = PendingJoin { wanted, end };
            node.joins.borrow_mut().insert(number, pending);
            Some(Box::pin(async move {
                // One whose sender is dropped was forgotten with its node.
                receiver.await.unwrap_or(Err(PortError::Lost))
            }))
        }
    };
    objects.run(&node);
    Ok(joined)
}

/// Does the same when the client may have rows written again.
async fn begin_later(
    objects: Weak<Objects>,
    wanted: Rc<Wanted>,
    wait: Duration,
) -> Result<(), PortError> {
    if wait > JOIN_LIMIT {
        sleep(JOIN_LIMIT).await;
        return Err(PortError::Unsent);
    }
    sleep(wait).await;
    let objects = objects.upgrade().ok_or(PortError::Gone)?;
    let cx = objects.context().ok_or(PortError::Gone)?;
    let begun = objects.parts.turn.run(|| begin(&objects, &cx, wanted))?;
    // The object may go while this waits.
    drop((objects, cx));
    match begun {
        Some(joined) => joined.await,
        None => Ok(()),
    }
}

/// Does what others know of now.
fn commit(objects: &Objects, cx: &Rc<Context>, wanted: &Wanted) -> Result<(), PortError> {
    let Wanted { spot, kind, .. } = *wanted;
    let room = (*wanted.room).to_owned();
    if wanted.is_left.get() {
        // It has been in the room, as far as anybody can tell, and has left it.
        forget_later(objects, vec![(wanted.namespace.clone(), room)]);
        return Ok(());
    }
    let is_there = match kind {
        Kind::Enter => {
            if cx.recovery.is_on() {
                cx.recovery.entered.borrow_mut().insert(spot.session, ());
            }
            enter(cx, spot, core::slice::from_ref(&room)).map(drop)
        }
        Kind::Announce => match is_wanted(cx, spot) {
            true => Ok(()),
            false => Err(PortError::Gone),
        },
    };
    match &is_there {
        Ok(()) if is_present(cx, spot) => {}
        Ok(()) => objects.guests.insert(spot, &wanted.namespace, &room),
        Err(_) => forget_later(objects, vec![(wanted.namespace.clone(), room)]),
    }
    is_there
}

/// Others know that somebody is about to be in a room.
pub(super) fn handle_joined(objects: &Objects, node: &Participant, key: JoinKey) {
    let pending = node.joins.borrow_mut().remove(key);
    let (Some(pending), Some(cx)) = (pending, objects.context()) else {
        return;
    };
    let PendingJoin { wanted, end } = *pending;
    // Whoever wanted it may not wait any more.
    let _ = end.send(commit(objects, &cx, &wanted));
    cx.parts.turn.mark_dirty(wanted.spot.session);
}

/// The hub did not answer in time.
pub(super) fn handle_not_joined(node: &Participant, key: JoinKey) {
    if let Some(pending) = node.joins.borrow_mut().remove(key) {
        let _ = pending.end.send(Err(PortError::Unsent));
    }
}

/// A socket is hidden from others, or will not come.
pub(super) fn gone(objects: &Objects, spot: Spot, socket: &Socket) {
    let namespace: Rc<str> = socket.namespace().into();
    let rooms = socket.rooms().iter().filter(|room| *room != socket.id());
    let rooms = rooms.cloned().chain([String::new()]);
    let rooms = rooms.map(|room| (namespace.clone(), room));
    let dynamic = (Rc::from(DYNAMIC), String::new());
    let guests = objects.guests.remove(spot);
    forget_later(objects, rooms.chain([dynamic]).chain(guests).collect());
}

/// Looks soon at whether rooms are empty. Not at once: whoever says so may be in the
/// middle of something.
pub(super) fn forget_later(objects: &Objects, rooms: Vec<(Rc<str>, String)>) {
    let objects = objects.weak();
    platform::spawn(Box::pin(async move {
        let Some(objects) = objects.upgrade() else {
            return;
        };
        objects.parts.turn.run(|| {
            for (namespace, room) in rooms {
                // Without a node, the next event for a room finds out that it is empty.
                if let Some(node) = objects.existing_node(&namespace) {
                    let now = objects.now();
                    let members = |room: &str| objects.is_occupied(&namespace, room);
                    node.with_node(|node| node.leave(&room, now, &members));
                    objects.run(&node);
                }
            }
        });
    }));
}

/// Returns whether a room is the one of the socket's own id, which is known everywhere.
fn is_own(cx: &Context, spot: Spot, room: &str) -> bool {
    let is_own = |client: &mut ClientEntry| Some(client.connection.socket(spot.join)?.id() == room);
    cx.clients.with(spot.session, is_own).flatten() == Some(true)
}

fn is_in(cx: &Context, spot: Spot, room: &str) -> bool {
    let is_in = |client: &mut ClientEntry| {
        let mut rooms = client.connection.socket(spot.join)?.rooms().iter();
        Some(rooms.any(|name| name == room))
    };
    cx.clients.with(spot.session, is_in).flatten() == Some(true)
}

fn is_present(cx: &Context, spot: Spot) -> bool {
    let is_present =
        |client: &mut ClientEntry| Some(client.connection.socket(spot.join)?.is_present());
    cx.clients.with(spot.session, is_present).flatten() == Some(true)
}

fn is_wanted(cx: &Context, spot: Spot) -> bool {
    let is_wanted = |client: &mut ClientEntry| client.connection.is_wanted(spot.join);
    cx.clients.with(spot.session, is_wanted) == Some(true)
}
