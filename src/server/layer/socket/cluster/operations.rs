//! Operations on sockets of many objects.
//!
//! What is to be done to sockets goes through a hub, as an event. What is asked about
//! them goes to each object by itself. Where the end of what is done has to be known, as
//! with acknowledgements, the objects that have taken the event are asked for that, by
//! the token that it carries.

use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::Base64;
use dormouse_proto::Timestamp;
use dormouse_proto::cluster::{
    Emit, Emitted, Event, Gathering, JOIN_LIMIT, MAX_ROOMS, Missing, NodeId, Outcome, Payload,
    Ticket,
};
use dormouse_proto::socket::Connection;
use dormouse_proto::{bytes, versioned};
use futures::future::{Either, LocalBoxFuture, select};
use serde::{Deserialize, Serialize};

use super::super::context::Context;
use super::super::operations as here;

use super::answers::Awaited;
use super::objects::{Objects, hex};
use super::participant::Participant;
use super::{logged, merging};
use crate::api::app::app;
use crate::placement::DYNAMIC;
use crate::platform::{self, sleep};
use crate::port::{
    self, Called, Operation, PortError, Reply, Request, Selection, Target, locate, wire,
};
use crate::sid::Sid;

/// The time in which all objects have to answer a question about their sockets.
const QUESTION_LIMIT: Duration = Duration::from_secs(5);

/// The time after the limit of an acknowledgement in which the answers of an object may
/// still come.
const GRACE: Duration = Duration::from_secs(1);

/// The layout of a question. Another number is another layout.
const VERSION: u8 = 1;

/// A question to an object.
#[derive(Serialize, Deserialize)]
enum Question {
    /// What has come of the event with this token.
    Result(String),
    /// What comes of this request.
    Request(#[serde(with = "bytes")] Vec<u8>),
}

/// How an event is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Plain,
    /// It is told which objects have taken it.
    Telling,
    /// Clients that have missed it get it when they come back.
    Logged,
}

/// Where the sockets are that an operation is for.
struct Whereabouts<'a> {
    /// The rooms that may have members anywhere.
    rooms: Vec<&'a str>,
    /// Objects whose sockets are named by their ids.
    nodes: Vec<NodeId>,
    /// All are in this object.
    is_here: bool,
}

/// Carries out an operation on sockets, wherever they are.
pub(super) fn operate(objects: &Objects, target: Target, operation: Operation) -> Called {
    let Some(cx) = objects.context() else {
        return PortError::Gone.into();
    };
    let (namespace, selection) = match &target {
        Target::Sockets(selection) => (&*selection.namespace, selection),
        Target::Children(selection) => (DYNAMIC, selection),
        Target::Socket(_) => return PortError::Answer.into(),
    };
    let whereabouts = match &target {
        Target::Children(_) => Whereabouts::everywhere(),
        Target::Sockets(_) | Target::Socket(_) => Whereabouts::of(objects, selection),
    };
    if whereabouts.is_here {
        return match (&target, &operation) {
            (
                Target::Sockets(selection),
                Operation::Emit {
                    args,
                    volatile: false,
                },
            ) if objects.custody_of(namespace).is_some() => {
                logged::emit_here(objects, &cx, selection, args).into()
            }
            _ => here::here(&cx, target, operation),
        };
    }
    if whereabouts.rooms.len() > MAX_ROOMS {
        return PortError::TooManyRooms.into();
    }
    let node = objects.node(namespace);
    match &operation {
        Operation::Emit { .. }
        | Operation::Leave(_)
        | Operation::ServerEvent { timeout: None, .. } => {
            emit(objects, &cx, &node, &whereabouts, target.clone(), operation)
        }
        Operation::Disconnect { .. } => {
            here::let_own_in(&cx, selection);
            emit(objects, &cx, &node, &whereabouts, target.clone(), operation)
        }
        Operation::ServerEvent {
            timeout: Some(timeout),
            ..
        } => {
            let limit = Duration::from_millis(*timeout);
            let request = (target.clone(), operation);
            emit_and_ask(objects, &cx, &node, &whereabouts, request, limit)
        }
        Operation::EmitWithAck { timeout, .. } => {
            here::let_own_in(&cx, selection);
            let limit = Duration::from_millis(*timeout);
            let request = (target.clone(), operation);
            emit_and_ask(objects, &cx, &node, &whereabouts, request, limit)
        }
        Operation::Join(_) => {
            let request = (target.clone(), operation);
            emit_and_ask(objects, &cx, &node, &whereabouts, request, JOIN_LIMIT)
        }
        Operation::Fetch(_) | Operation::Count | Operation::Rooms(_) => ask(
            objects,
            &cx,
            &node,
            &whereabouts,
            (target.clone(), operation),
        ),
        Operation::Data | Operation::SetData(_) if objects.custody_of(namespace).is_some() => {
            ask_one(objects, &node, &whereabouts, (target.clone(), operation))
        }
        Operation::Data | Operation::SetData(_) => {
            let there = whereabouts.nodes.first().copied();
            send_to(objects, there, target.clone(), operation)
        }
    }
}

impl<'a> Whereabouts<'a> {
    fn everywhere() -> Self {
        Self {
            rooms: vec![""],
            nodes: Vec::new(),
            is_here: false,
        }
    }

    fn of(objects: &Objects, selection: &'a Selection) -> Self {
        if selection.filter.rooms.is_empty() {
            return Self::everywhere();
        }
        let mut found = Self {
            rooms: Vec::new(),
            nodes: Vec::new(),
            is_here: false,
        };
        let namespace = &*selection.namespace;
        let may_move = objects.custody_of(namespace).is_some();
        // A socket that may have gone elsewhere is looked for there, too.
        let is_here = |id: &str| !may_move || objects.is_in_use(namespace, id);
        let mut here = Vec::new();
        for room in &selection.filter.rooms {
            match object_of(objects, room) {
                Some(node) if node == objects.id && is_here(room) => here.push(&**room),
                Some(node) => {
                    found.rooms.push(room);
                    found.nodes.push(node);
                }
                None => found.rooms.push(room),
            }
        }
        found.is_here = found.rooms.is_empty();
        if !here.is_empty() {
            found.nodes.push(objects.id);
        }
        if may_move && !found.is_here {
            // What is logged names all rooms: its sockets may miss it, and come back.
            found.rooms.append(&mut here);
        }
        found
    }
}

/// Returns the object of the socket with this id, if it is one of a socket.
pub(super) fn object_of(objects: &Objects, id: &str) -> Option<NodeId> {
    let sid = Sid::parse(Connection::sid_in(id))?;
    let node = NodeId(sid.object_bytes());
    if node == objects.id {
        return Some(node);
    }
    // Anybody can make up a name of a room that looks like an id.
    let namespace = locate::objects(&app().binding, &objects.parts.env).ok()?;
    locate::by_id(&namespace, &sid.object()).map(|_| node)
}

fn encode(target: Target, operation: Operation, token: Option<&str>) -> Result<Vec<u8>, PortError> {
    port::encode_request(&Request::Operate(target, operation), token)
}

/// Has something done to sockets.
fn emit(
    objects: &Objects,
    cx: &Rc<Context>,
    node: &Rc<Participant>,
    whereabouts: &Whereabouts<'_>,
    target: Target,
    operation: Operation,
) -> Called {
    let is_event = matches!(
        operation,
        Operation::Emit {
            volatile: false,
            ..
        }
    );
    let manner = match objects.custody_of(&node.namespace) {
        Some(_) if is_event => Manner::Logged,
        Some(_) | None => Manner::Plain,
    };
    let payload = match encode(target, operation, None) {
        Ok(payload) => payload,
        Err(error) => return error.into(),
    };
    match begin(objects, node, whereabouts, &payload, manner) {
        Err(error) => error.into(),
        Ok(Emitted::Here) => carry_out(cx, &payload),
        Ok(Emitted::Sent(id)) => {
            let ended = node.await_emit(id);
            objects.run(node);
            Called::Later(Box::pin(async move {
                let (_, outcome) = ended.await.map_err(|_| PortError::Lost)?;
                match outcome {
                    Outcome::Reached => Ok(Reply::Done),
                    Outcome::Partial(missing) => Ok(Reply::Partial(Box::new(Reply::Done), missing)),
                    Outcome::Unsent => Err(PortError::Unsent),
                    Outcome::Unanswered => Err(PortError::Unanswered),
                }
            }))
        }
    }
}

fn begin(
    objects: &Objects,
    node: &Rc<Participant>,
    whereabouts: &Whereabouts<'_>,
    payload: &[u8],
    manner: Manner,
) -> Result<Emitted, PortError> {
    let members = |room: &str| objects.is_occupied(&node.namespace, room);
    let emit = Emit {
        rooms: &whereabouts.rooms,
        nodes: &whereabouts.nodes,
        tells_nodes: manner == Manner::Telling,
        payload,
    };
    let now = objects.now();
    let emitted = node.with_node(|node| match manner {
        Manner::Plain | Manner::Telling => node.emit(&emit, now, &members),
        Manner::Logged => node.emit_logged(&emit, now, &members).map(Emitted::Sent),
    });
    let emitted = emitted.and_then(Result::ok).ok_or(PortError::Overloaded)?;
    if emitted == Emitted::Here {
        objects.touch();
    }
    Ok(emitted)
}

/// Carries out an event, or answers a question, in this object.
fn carry_out(cx: &Rc<Context>, payload: &[u8]) -> Called {
    match port::decode_request(payload) {
        Some((_, Request::Operate(target, operation))) => here::here(cx, target, operation),
        // Of another build.
        Some(_) | None => PortError::Answer.into(),
    }
}

/// Carries out an event that a hub has passed on.
pub(super) fn deliver(objects: &Objects, event: &Event) {
    let Some(cx) = objects.context() else {
        return;
    };
    let Some((token, Request::Operate(mut target, operation))) =
        port::decode_request(&event.operation.payload.0)
    else {
        // Of another build.
        return;
    };
    if let Target::Sockets(selection) = &mut target
        && let Some(custody) = objects.custody_of(&selection.namespace)
    {
        logged::leave_out(custody, selection, event.place);
    }
    let called = here::here(&cx, target, operation);
    if let Some(token) = token {
        objects.answers.keep(token, called, objects.now());
    }
}

/// Has something done to sockets that ends later, and collects what comes of it.
fn emit_and_ask(
    objects: &Objects,
    cx: &Rc<Context>,
    node: &Rc<Participant>,
    whereabouts: &Whereabouts<'_>,
    (target, operation): (Target, Operation),
    limit: Duration,
) -> Called {
    let token = Base64::UrlSafe.encode(platform::random::<12>());
    let nobody = if matches!(operation, Operation::Join(_)) {
        Reply::Done
    } else {
        Reply::Acks(Vec::new())
    };
    let payload = match encode(target, operation, Some(&token)) {
        Ok(payload) => payload,
        Err(error) => return error.into(),
    };
    match begin(objects, node, whereabouts, &payload, Manner::Telling) {
        Err(error) => error.into(),
        Ok(Emitted::Here) => carry_out(cx, &payload),
        Ok(Emitted::Sent(id)) => {
            let ended = node.await_emit(id);
            objects.run(node);
            let (me, node) = (objects.weak(), node.clone());
            Called::Later(Box::pin(async move {
                let (taken, outcome) = ended.await.map_err(|_| PortError::Lost)?;
                let missed = match outcome {
                    Outcome::Reached => Missing::default(),
                    Outcome::Partial(missing) => missing,
                    Outcome::Unsent => return Err(PortError::Unsent),
                    Outcome::Unanswered => return Err(PortError::Unanswered),
                };
                let objects = me.upgrade().ok_or(PortError::Gone)?;
                let own = taken.contains(&objects.id);
                let own = own.then(|| objects.answers.get(&token));
                let collected = objects.parts.turn.run(|| {
                    let question = Question::Result(token.clone());
                    collect(&objects, &node, (&[], &taken), &question, limit + GRACE)
                });
                // The object may go while this waits.
                drop(objects);
                let (mut replies, mut missing) = collected.await?;
                if let Some(own) = own {
                    match port::decode_reply(&own.answer().await) {
                        Ok(reply) => replies.push(reply),
                        Err(_) => missing.count = missing.count.saturating_add(1),
                    }
                }
                Ok(merging::merge(nobody, replies, [missed, missing]))
            }))
        }
    }
}

/// Asks all objects about their sockets.
fn ask(
    objects: &Objects,
    cx: &Rc<Context>,
    node: &Rc<Participant>,
    whereabouts: &Whereabouts<'_>,
    (target, operation): (Target, Operation),
) -> Called {
    let page = if let Operation::Fetch(page) | Operation::Rooms(page) = &operation {
        page.clone()
    } else {
        None
    };
    let payload = match encode(target, operation, None) {
        Ok(payload) => payload,
        Err(error) => return error.into(),
    };
    let own = carry_out(cx, &payload);
    let whom = (&*whereabouts.rooms, &*whereabouts.nodes);
    let question = Question::Request(payload);
    let collected = collect(objects, node, whom, &question, QUESTION_LIMIT);
    Called::Later(Box::pin(async move {
        let own = own.reply().await?;
        let (replies, missing) = collected.await?;
        Ok(merging::cut(merging::merge(own, replies, [missing]), page))
    }))
}

/// Asks whichever object has a socket that may have moved.
fn ask_one(
    objects: &Objects,
    node: &Rc<Participant>,
    whereabouts: &Whereabouts<'_>,
    (target, operation): (Target, Operation),
) -> Called {
    let request = match encode(target, operation, None) {
        Ok(request) => request,
        Err(error) => return error.into(),
    };
    let whom = (&*whereabouts.rooms, &*whereabouts.nodes);
    let collected = collect(
        objects,
        node,
        whom,
        &Question::Request(request),
        QUESTION_LIMIT,
    );
    Called::Later(Box::pin(async move {
        // All others say that it is not there.
        let (replies, _) = collected.await?;
        replies.into_iter().next().ok_or(PortError::Gone)
    }))
}

/// Asks all other objects that may have a member of these rooms, and these nodes. Returns
/// their answers, and who has given none.
fn collect(
    objects: &Objects,
    node: &Rc<Participant>,
    (rooms, nodes): (&[&str], &[NodeId]),
    question: &Question,
    limit: Duration,
) -> LocalBoxFuture<'static, Result<(Vec<Reply>, Missing), PortError>> {
    let question = versioned::encode(VERSION, question);
    let now = objects.now();
    let gathering = node.with_node(|node| node.gather(rooms, nodes, &question, limit, now));
    let ended = match gathering.and_then(Result::ok) {
        Some(Gathering::Here) => {
            objects.touch();
            return Box::pin(async { Ok((Vec::new(), Missing::default())) });
        }
        Some(Gathering::Sent(id)) => node.await_gather(id),
        None => return Box::pin(async { Err(PortError::Overloaded) }),
    };
    objects.run(node);
    Box::pin(async move {
        let (answers, mut missing) = ended.await.map_err(|_| PortError::Lost)?;
        let mut replies = Vec::new();
        for Payload(answer) in answers {
            match port::decode_reply(&answer) {
                Ok(reply) => replies.push(reply),
                Err(_) => missing.count = missing.count.saturating_add(1),
            }
        }
        Ok((replies, missing))
    })
}

/// Answers a question of another object.
pub(super) fn take_question(
    objects: &Objects,
    node: &Rc<Participant>,
    ticket: Ticket,
    deadline: Timestamp,
    question: &Payload,
) {
    let answer = match versioned::decode(VERSION, &question.0) {
        Ok(Question::Result(token)) => objects.answers.get(&token),
        Ok(Question::Request(request)) => match objects.context() {
            Some(cx) => Awaited::from(carry_out(&cx, &request)),
            None => Awaited::lost(),
        },
        // Of another build.
        Err(_) => Awaited::lost(),
    };
    let answer = match answer {
        Awaited::Now(answer) => {
            node.with_node(|node| node.answer_gather(ticket, &answer));
            return;
        }
        Awaited::Later(answer) => answer,
    };
    let limit = deadline.since(objects.now());
    let (me, node) = (objects.weak(), node.clone());
    platform::spawn(Box::pin(async move {
        let answer = match select(answer, Box::pin(sleep(limit))).await {
            Either::Left((Ok(answer), _)) => answer,
            Either::Left((Err(_), _)) | Either::Right(_) => {
                port::encode_reply(Err(PortError::Lost))
            }
        };
        if let Some(objects) = me.upgrade() {
            objects.parts.turn.run(|| {
                node.with_node(|node| node.answer_gather(ticket, &answer));
                objects.run(&node);
            });
        }
    }));
}

/// Sends a request for one socket to the object that its id names.
fn send_to(
    objects: &Objects,
    node: Option<NodeId>,
    target: Target,
    operation: Operation,
) -> Called {
    let namespace = locate::objects(&app().binding, &objects.parts.env).ok();
    let object = node.and_then(|node| locate::by_id(&namespace?, &hex(node)));
    let Some(object) = object else {
        return PortError::Gone.into();
    };
    let request = Request::Operate(target, operation);
    wire::ask(object, objects.path(), &request, None)
}
