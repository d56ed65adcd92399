//! Operations on sockets, one or many: the one place where they are carried out,
//! whoever asks.

use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::socket::{Args, Due, Filter, JoinError, Rooms, Route};

use super::acks::Expected;
use super::clients::ClientEntry;
use super::context::Context;
use super::sending::EncodedEvent;
use super::server_events::{self, ServerEvent};
use super::{joining, recovering, watching};
use crate::api::Pattern;
use crate::parts::{self, Packet};
use crate::port::watch::News;
use crate::port::{
    Address, Answer, Asked, Called, Look, Operation, Page, PortError, Remote, Reply, Request,
    Selection, Spot, Target, Update,
};

/// Carries out a request.
pub(super) fn call(cx: &Rc<Context>, request: Request<'_>) -> Called {
    match request {
        Request::Operate(target, operation) => match &cx.cluster {
            Some(cluster) if !target.is_here() => cluster.operate(target, operation),
            Some(_) | None => here(cx, target, operation),
        },
        Request::Cluster(call) => match &cx.cluster {
            Some(cluster) => cluster.handle(&call),
            None => PortError::Answer.into(),
        },
        Request::Look(spot, look) => look_at(cx, spot, look).into(),
        Request::SetData(spot, data) => set_data(cx, spot, Update::new(data)).into(),
        Request::Acknowledge(spot, id, args) => done(acknowledge(cx, spot, id, &args)),
        Request::Census => Reply::Census(watching::census(cx)).into(),
        Request::Send(..)
        | Request::Close(_)
        | Request::CloseAll
        | Request::Transport(_)
        | Request::UserSession(_)
        | Request::SetUserSession(..)
        | Request::Alarm(..) => PortError::Gone.into(),
    }
}

/// Carries out an operation on sockets of this object.
pub(super) fn here(cx: &Rc<Context>, target: Target, operation: Operation) -> Called {
    match (target, operation) {
        (Target::Socket(spot), operation) => on_one(cx, spot, operation),
        (Target::Sockets(selection), operation) => on_many(cx, &selection, operation),
        (Target::Children(selection), Operation::Emit { args, volatile }) => {
            emit_to_children(cx, &selection, &args, volatile).into()
        }
        (Target::Children(_), _) => PortError::Answer.into(),
    }
}

fn done(is_done: bool) -> Called {
    match is_done {
        true => Reply::Done.into(),
        false => PortError::Gone.into(),
    }
}

/// Does something with one socket, which needs no index of rooms.
fn on_one(cx: &Rc<Context>, spot: Spot, operation: Operation) -> Called {
    match operation {
        Operation::Emit { args, volatile } => done(emit_to(cx, spot, &args, volatile)),
        Operation::EmitWithAck { args, timeout } => {
            // Only `on_connect` has the handle of a socket that is not connected yet,
            // and what it started.
            joining::let_in_early(cx, spot);
            let sockets = if is_there(cx, spot) {
                vec![spot]
            } else {
                vec![]
            };
            ask(cx, namespace_of(cx, spot), sockets, &args, timeout)
        }
        Operation::Fetch(_) => Reply::Sockets(remote(cx, spot).into_iter().collect()).into(),
        Operation::Join(rooms) => join(cx, spot, rooms),
        Operation::Leave(rooms) => done(leave(cx, spot, &rooms)),
        Operation::Disconnect { close } => {
            // As above. The client hears what it was sent before.
            joining::let_in_early(cx, spot);
            done(disconnect(cx, spot, close))
        }
        Operation::Count => Reply::Count(is_there(cx, spot).into()).into(),
        Operation::Rooms(_) => Reply::RoomSizes(rooms_of(cx, &[spot])).into(),
        Operation::Data => look_at(cx, spot, Look::Data).into(),
        Operation::SetData(update) => set_data(cx, spot, update).into(),
        Operation::ServerEvent { .. } => PortError::Answer.into(),
    }
}

/// Does something with all selected sockets.
fn on_many(cx: &Rc<Context>, selection: &Selection, operation: Operation) -> Called {
    let select = || cx.index.select(cx, selection);
    let for_each = |change: &dyn Fn(Spot)| {
        select().into_iter().for_each(change);
        Reply::Done.into()
    };
    match operation {
        Operation::Emit { args, volatile } => {
            emit_to_many(cx, selection, &args, volatile);
            Reply::Done.into()
        }
        Operation::EmitWithAck { args, timeout } => {
            let sockets = select();
            let_in(cx, &sockets);
            ask(cx, selection.namespace.clone(), sockets, &args, timeout)
        }
        Operation::Fetch(Some(page)) => Reply::Sockets(on_page(cx, &select(), &page)).into(),
        Operation::Fetch(None) => {
            let sockets = select().into_iter().filter_map(|spot| remote(cx, spot));
            Reply::Sockets(sockets.collect()).into()
        }
        Operation::Join(rooms) => {
            let joins = select().into_iter();
            all(joins.map(|spot| join(cx, spot, rooms.clone())).collect())
        }
        Operation::Leave(rooms) => for_each(&|spot| {
            leave(cx, spot, &rooms);
        }),
        Operation::Disconnect { close } => {
            let sockets = select();
            let_in(cx, &sockets);
            for spot in sockets {
                disconnect(cx, spot, close);
            }
            Reply::Done.into()
        }
        Operation::Count => Reply::Count(cx.index.count(cx, selection)).into(),
        Operation::Rooms(page) => {
            let mut rooms = rooms_of(cx, &select());
            if let Some(page) = page {
                let (mut count, mut bytes) = (0, 0);
                rooms.retain(|(name, _)| {
                    let is_on = page.begins_before(name) && !page.is_full(count, bytes);
                    count += usize::from(is_on);
                    bytes += if is_on { name.len() } else { 0 };
                    is_on
                });
            }
            Reply::RoomSizes(rooms).into()
        }
        Operation::ServerEvent {
            name,
            args,
            timeout,
            from,
        } => {
            let event = ServerEvent {
                name,
                args,
                timeout,
                from,
            };
            server_events::handle(cx, &selection.namespace, event)
        }
        Operation::Data | Operation::SetData(_) => {
            // Others may be in the room of its id, too.
            let mut sockets = select().into_iter();
            match sockets.find(|spot| is_named(cx, *spot, &selection.filter.rooms)) {
                Some(spot) => on_one(cx, spot, operation),
                None => PortError::Gone.into(),
            }
        }
    }
}

/// Sends an event to the selected sockets of a namespace.
fn emit_to_many(cx: &Context, selection: &Selection, args: &Args<'_>, volatile: bool) {
    let (namespace, filter) = (&selection.namespace, &selection.filter);
    let select = || cx.index.select(cx, selection);
    if let Some(returns) = cx.returns_to(namespace) {
        returns.send(namespace, &select(), args, volatile);
        return;
    }
    let offset = recovering::log(cx, namespace, filter, args, volatile);
    let sockets = select();
    let event = EncodedEvent::new(cx, namespace, args).offset(offset);
    let event = event.count(sockets.len());
    for spot in sockets {
        event.send(spot, volatile);
    }
}

/// Does the same in each namespace that fits a pattern and that sockets are in, other than
/// those that are defined by their names.
fn emit_to_children(
    cx: &Context,
    selection: &Selection,
    args: &Args<'_>,
    volatile: bool,
) -> Result<Reply, PortError> {
    let pattern = Pattern::parse(&selection.namespace).ok_or(PortError::Answer)?;
    let fits =
        |namespace: &str| pattern.read(namespace).is_some() && !cx.application.is_named(namespace);
    for namespace in cx.index.namespaces(cx, fits) {
        let selection = Selection {
            namespace,
            ..selection.clone()
        };
        emit_to_many(cx, &selection, args, volatile);
    }
    Ok(Reply::Done)
}

/// Waits for operations on single sockets. One that fails does not keep others from it,
/// and is told in the end.
fn all(called: Vec<Called>) -> Called {
    let mut failure = None;
    let mut waiting = Vec::new();
    for called in called {
        match called {
            Called::Done(reply) => failure = failure.or(failure_of(reply)),
            Called::Later(reply) => waiting.push(reply),
        }
    }
    if waiting.is_empty() {
        return failure.map_or(Ok(Reply::Done), Err).into();
    }
    Called::Later(Box::pin(async move {
        for reply in waiting {
            failure = failure.or(failure_of(reply.await));
        }
        failure.map_or(Ok(Reply::Done), Err)
    }))
}

/// Returns why an operation on one of many sockets has failed, unless that is the socket's
/// own affair.
fn failure_of(reply: Result<Reply, PortError>) -> Option<PortError> {
    let is_own = |error: &PortError| matches!(error, PortError::Gone | PortError::TooManyRooms);
    reply.err().filter(|error| !is_own(error))
}

/// Lets in the socket whose `on_connect` does something with all of these, if it is
/// among them.
pub(super) fn let_own_in(cx: &Context, selection: &Selection) {
    if cx.asking.spot().is_some() {
        let_in(cx, &cx.index.select(cx, selection));
    }
}

/// Does the same for these sockets. Nobody else decides for `on_connect`.
fn let_in(cx: &Context, sockets: &[Spot]) {
    let own = cx.asking.spot().filter(|own| sockets.contains(own));
    if let Some(own) = own {
        joining::let_in_early(cx, own);
    }
}

fn is_named(cx: &Context, spot: Spot, ids: &[String]) -> bool {
    let is_named = cx.clients.with(spot.session, |client| {
        let socket = client.connection.socket(spot.join)?;
        Some(ids.iter().any(|id| id == socket.id()))
    });
    is_named.flatten() == Some(true)
}

/// Returns the sockets on a page, in the order of their ids.
fn on_page(cx: &Context, sockets: &[Spot], page: &Page) -> Vec<Remote> {
    let by_id = by_room(cx, sockets, true);
    let (mut on_page, mut bytes) = (Vec::new(), 0);
    for (id, _) in by_id.sizes("") {
        if page.begins_before(&id) && !page.is_full(on_page.len(), bytes) {
            let filter = Filter {
                rooms: vec![id],
                except: Vec::new(),
            };
            let named = by_id.select("", &filter).into_iter();
            on_page.extend(named.filter_map(|spot| remote(cx, spot)));
            bytes += on_page.last().map_or(0, Remote::bytes);
        }
    }
    on_page
}

/// Returns the rooms of sockets, and how many of the sockets are in each. None counts in
/// the room of its own id.
fn rooms_of(cx: &Context, sockets: &[Spot]) -> Vec<(String, usize)> {
    by_room(cx, sockets, false).sizes("")
}

/// Puts each of these sockets into the room of its own id, or into all its other rooms.
fn by_room(cx: &Context, sockets: &[Spot], own: bool) -> Rooms<Spot> {
    // They are all in one namespace, whatever its name is.
    let mut rooms = Rooms::default();
    for spot in sockets {
        cx.clients.with(spot.session, |client| {
            let socket = client.connection.socket(spot.join)?;
            rooms.insert("", *spot);
            if own {
                rooms.join("", socket.id(), *spot);
                return Some(());
            }
            for room in socket.rooms().iter().filter(|room| *room != socket.id()) {
                rooms.join("", room, *spot);
            }
            Some(())
        });
    }
    rooms
}

fn is_there(cx: &Context, spot: Spot) -> bool {
    let route = |client: &mut ClientEntry| client.connection.route(spot.join);
    let route = cx.clients.with(spot.session, route);
    route.is_some_and(|route| route != Route::Gone)
}

fn namespace_of(cx: &Context, spot: Spot) -> String {
    let namespace = cx.clients.with(spot.session, |client| {
        let socket = client.connection.socket(spot.join)?;
        Some(socket.namespace().to_owned())
    });
    namespace.flatten().unwrap_or_default()
}

fn emit_to(cx: &Context, spot: Spot, args: &Args<'_>, volatile: bool) -> bool {
    let address = |client: &mut ClientEntry| client.address(spot.session, spot.join);
    let Some(address) = cx.clients.with(spot.session, address).flatten() else {
        return false;
    };
    let namespace = &*address.namespace;
    if let Some(returns) = cx.returns_to(namespace).filter(|_| volatile) {
        return returns.send(namespace, &[spot], args, volatile);
    }
    let offset = if cx.recovery.is_on() && is_there(cx, spot) {
        recovering::log_for_one(cx, &address, args, volatile)
    } else {
        None
    };
    let event = EncodedEvent::new(cx, namespace, args).offset(offset);
    event.send(spot, volatile)
}

/// Sends an event to sockets, and waits for their acknowledgements.
fn ask(
    cx: &Rc<Context>,
    namespace: String,
    sockets: Vec<Spot>,
    args: &Args<'_>,
    timeout: u64,
) -> Called {
    let expected = Expected::from(&cx.acks, &sockets);
    let addresses = Addresses::of(cx, &sockets);
    let event = EncodedEvent::new(cx, &namespace, args).ack(expected.id);
    let event = event.count(sockets.len());
    for spot in sockets {
        event.send(spot, false);
    }
    Called::Later(Box::pin(async move {
        let waiting = expected.wait(Duration::from_millis(timeout)).await;
        let late: Vec<Spot> = waiting.missing().to_vec();
        let late = late.into_iter().map(|spot| (spot, Answer::Late));
        let gone = waiting.gone.into_iter().map(|spot| (spot, Answer::Gone));
        let answers = waiting.answers.into_iter();
        let answers = answers.map(|(spot, args)| (spot, Answer::Args(args)));
        let all = answers.chain(late).chain(gone).map(|(spot, answer)| Asked {
            id: addresses.id(spot),
            answer,
        });
        Ok(Reply::Acks(all.collect()))
    }))
}

/// The addresses of sockets that may be gone when they are asked for, in order.
struct Addresses(Vec<Rc<Address>>);

impl Addresses {
    /// Returns those of sockets that are in order, as they are when they are selected.
    fn of(cx: &Context, sockets: &[Spot]) -> Self {
        let address = |spot: &Spot| {
            let address = |client: &mut ClientEntry| client.address(spot.session, spot.join);
            cx.clients.with(spot.session, address).flatten()
        };
        Self(sockets.iter().filter_map(address).collect())
    }

    fn id(&self, spot: Spot) -> String {
        let place = self.0.binary_search_by_key(&spot, |address| address.spot);
        let address = place.ok().and_then(|place| self.0.get(place));
        address.map_or_else(String::new, |address| (*address.id).to_owned())
    }
}

/// Describes a socket, if it is there.
pub(super) fn remote(cx: &Context, spot: Spot) -> Option<Remote> {
    let transport = parts::transport(&cx.parts, spot.session);
    let remote = cx.clients.with(spot.session, |client| {
        let socket = client.connection.socket(spot.join)?;
        socket.is_present().then(|| Remote {
            id: socket.id().to_owned(),
            rooms: socket.rooms().to_vec(),
            data: socket.data().map(str::to_owned),
            handshake: client.stored_handshake(),
            auth: socket.auth().map(str::to_owned),
            transport,
            client: client.name(&cx.parts.id),
        })
    });
    remote.flatten()
}

/// Has a socket enter rooms.
fn join(cx: &Context, spot: Spot, rooms: Vec<String>) -> Called {
    match &cx.cluster {
        Some(cluster) => cluster.join(spot, &namespace_of(cx, spot), rooms),
        None => enter(cx, spot, &rooms).into(),
    }
}

/// Enters rooms at once, as many of them as the socket may.
pub(super) fn enter(cx: &Context, spot: Spot, rooms: &[String]) -> Result<Reply, PortError> {
    let joined = cx.clients.with(spot.session, |client| {
        for room in rooms {
            if client.connection.enter(spot.join, room)?
                && let Some(socket) = client.connection.socket(spot.join)
                && socket.is_present()
            {
                cx.index.join(spot, socket.namespace(), room);
                watching::tell_of(cx, socket, News::Joined(room));
            }
        }
        // Where there was no room to enter, nobody has looked yet.
        is_current(client, spot)
            .then_some(())
            .ok_or(JoinError::Gone)
    });
    cx.parts.turn.mark_dirty(spot.session);
    match joined {
        Some(Ok(())) => Ok(Reply::Done),
        Some(Err(JoinError::TooManyRooms)) => Err(PortError::TooManyRooms),
        Some(Err(JoinError::Gone)) | None => Err(PortError::Gone),
    }
}

/// Leaves rooms. Returns `false` if the socket has gone.
fn leave(cx: &Context, spot: Spot, rooms: &[String]) -> bool {
    let left = cx.clients.with(spot.session, |client| {
        for room in rooms {
            if !client.connection.leave(spot.join, room)? {
                cx.leave_early(spot, room);
            } else if let Some(socket) = client.connection.socket(spot.join) {
                cx.leave(spot, socket, room);
                watching::tell_of(cx, socket, News::Left(room));
            }
        }
        is_current(client, spot).then_some(())
    });
    cx.parts.turn.mark_dirty(spot.session);
    left.flatten().is_some()
}

fn is_current(client: &ClientEntry, spot: Spot) -> bool {
    client.connection.route(spot.join) != Route::Gone
}

/// Disconnects a socket, or with `close` its whole session. Returns `false` if the
/// socket has gone.
fn disconnect(cx: &Context, spot: Spot, close: bool) -> bool {
    let disconnected = cx.clients.with(spot.session, |client| {
        let is_there = is_current(client, spot);
        if is_there && close {
            client.connection.close();
        } else if is_there {
            client.connection.disconnect(spot.join);
        }
        is_there
    });
    cx.run_outputs(spot.session);
    disconnected == Some(true)
}

fn look_at(cx: &Context, spot: Spot, look: Look) -> Result<Reply, PortError> {
    let reply = cx.clients.with(spot.session, |client| {
        let socket = client.connection.socket(spot.join)?;
        Some(match look {
            Look::IsConnected => Reply::Flag(socket.is_present()),
            Look::Rooms => Reply::Rooms(socket.rooms().to_vec()),
            Look::Data => Reply::Json(socket.data().map(str::to_owned)),
            Look::Handshake => {
                let auth = socket.auth().map(str::to_owned);
                Reply::Handshake((**client.handshake()).clone(), auth)
            }
            Look::Auth => Reply::Json(socket.auth().map(str::to_owned)),
            Look::Transport => Reply::Transport(parts::transport(&cx.parts, spot.session)?),
        })
    });
    reply.flatten().ok_or(PortError::Gone)
}

fn set_data(cx: &Context, spot: Spot, update: Update<'_>) -> Result<Reply, PortError> {
    let set = cx.clients.with(spot.session, |client| {
        let socket = client.connection.socket(spot.join)?;
        let json = match update.apply(socket.data()) {
            Ok(json) => json,
            Err(kept) => return Some(kept),
        };
        let is_set = client.connection.set_data(spot.join, Some(json));
        let socket = client.connection.socket(spot.join)?;
        if let Some(json) = socket.data().filter(|_| is_set) {
            watching::tell_of(cx, socket, News::Data(json));
        }
        is_set.then_some(Reply::Done)
    });
    cx.parts.turn.mark_dirty(spot.session);
    set.flatten().ok_or(PortError::Gone)
}

/// Sends the acknowledgement of an event. Returns `false` if the socket has gone.
fn acknowledge(cx: &Context, spot: Spot, id: u64, args: &Args<'_>) -> bool {
    let encode = |client: &mut ClientEntry| client.connection.encode_ack(spot.join, id, args);
    let encoded = cx.clients.with(spot.session, encode);
    // Whoever is told that something is done may rely on it: what is kept for
    // recovery is written before the acknowledgement goes out, or its client starts
    // over.
    if cx.recovery.is_on() {
        let entered = cx.recovery.entered.take();
        for key in cx.parts.turn.dirty().into_iter().chain(entered.keys()) {
            recovering::store(cx, key, Due::Unstored);
        }
    }
    encoded.flatten().is_some_and(|encoded| {
        let packet = Packet::new(Rc::new(encoded), 1);
        cx.transmit(spot.session, &packet, false)
    })
}
