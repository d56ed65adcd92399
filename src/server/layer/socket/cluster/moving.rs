//! Rooms whose hub is another one since the number of hubs has changed. If sockets have
//! outlived the deploy, their rooms are made known to the hubs that lead them now.

use core::cell::Cell;

use super::objects::Objects;
use super::operations;
use super::participant::Participant;
use crate::parts::{Whose, hub_count, put_hub_count};
use crate::placement::DYNAMIC;
use crate::platform;

/// The rooms of an object that are on their way to other hubs.
#[derive(Default)]
pub(super) struct Moving {
    /// The number of hubs when their members joined, if it was another one. `None` within
    /// if nobody knows: they were on their way before, and did not arrive.
    from: Cell<Option<Option<u16>>>,
    /// All nodes with sockets are in memory.
    is_begun: Cell<bool>,
    /// The number of nodes whose rooms have not arrived.
    open: Cell<usize>,
}

/// Looks whether the number of hubs has changed since this object last had sockets. If it
/// has, their rooms move as soon as this event is over, or with the first use of their node.
pub(super) fn begin(objects: &Objects) {
    let from = hub_count(&objects.parts.state, Whose::Sockets);
    if from == Some(objects.spread.hub_count()) {
        return;
    }
    objects.moving.from.set(Some(from));
    let objects = objects.weak();
    platform::spawn(Box::pin(async move {
        if let Some(objects) = objects.upgrade() {
            objects.parts.turn.run(|| move_all(&objects, from));
        }
    }));
}

fn move_all(objects: &Objects, from: Option<u16>) {
    let Some(cx) = objects.context() else {
        return;
    };
    let mut namespaces = cx.index.namespaces(&cx, |_| true);
    if objects.is_in_use(DYNAMIC, "") {
        namespaces.push(DYNAMIC.to_owned());
    }
    if !namespaces.is_empty() && from.is_some() {
        // Until they have arrived, nobody knows which hubs know which rooms.
        let _ = put_hub_count(&objects.parts.state, Whose::Sockets, None);
    }
    let nodes: Vec<_> = namespaces.iter().map(|name| objects.node(name)).collect();
    objects.moving.is_begun.set(true);
    for node in &nodes {
        objects.run(node);
    }
    if !nodes.is_empty() {
        end(objects);
    }
}

/// Has the rooms of a node move that is new in memory.
pub(super) fn move_rooms(objects: &Objects, participant: &Participant) {
    let namespace = &*participant.namespace;
    let (Some(from), Some(cx)) = (objects.moving.from.get(), objects.context()) else {
        return;
    };
    if objects.spread.logs(namespace) {
        // It has one hub, whatever the number.
        return;
    }
    let mut rooms = match namespace {
        DYNAMIC => Vec::new(),
        namespace => cx.index.rooms(&cx, namespace),
    };
    // The id of a socket in here names this object, and no hub knows it.
    rooms.retain(|room| operations::object_of(objects, room) != Some(objects.id));
    if objects.is_in_use(namespace, "") {
        rooms.push(String::new());
    }
    objects.moving.open.set(objects.moving.open.get() + 1);
    let (now, members) = (objects.now(), |room: &str| {
        objects.is_occupied(namespace, room)
    });
    participant.with_node(|node| node.move_rooms(rooms, from, now, &members));
}

/// The rooms of a node have arrived.
pub(super) fn handle_moved(objects: &Objects) {
    let open = &objects.moving.open;
    open.set(open.get().saturating_sub(1));
    end(objects);
}

/// If all rooms have arrived, it is noted which hubs know them.
fn end(objects: &Objects) {
    let Moving {
        from,
        is_begun,
        open,
    } = &objects.moving;
    if from.get().is_some() && is_begun.get() && open.get() == 0 {
        from.set(None);
        // If it is not noted, they move again, and nothing is lost.
        let hubs = Some(objects.spread.hub_count());
        let _ = put_hub_count(&objects.parts.state, Whose::Sockets, hubs);
    }
}
