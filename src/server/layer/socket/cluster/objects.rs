//! The nodes and hubs of this object: it carries their calls to other objects, and does
//! what they ask for.

use core::cell::{Cell, OnceCell, RefCell};
use core::time::Duration;
use std::rc::{Rc, Weak};

use dormouse_proto::cluster::{
    self, Answer, Call, Failure, HubIndex, Mark, Node, NodeId, NodeLife, Output, Settings,
};
use dormouse_proto::socket::{Args, Offset, Socket};
use dormouse_proto::versioned;
use dormouse_proto::{Map, Timestamp};
use futures::future::LocalBoxFuture;

use super::super::context::Context;
use super::answers::Answers;
use super::custody::Custody;
use super::joins::{Entering, Guests};
use super::moving::{self, Moving};
use super::participant::{Core, Participant};
use super::{
    Cluster, Comeback, Returns, Spread, comebacks, hubs, joins, logged, operations, returning,
};
use crate::api::app::app;
use crate::parts::Parts;
use crate::placement::DYNAMIC;
use crate::platform::{self, Timer};
use crate::port::wire::{self, Unanswered};
use crate::port::{
    self, Address, Called, ClusterCall, Operation, PortError, Reply, Request, Spot, Target, locate,
};
use crate::sid::Sid;

/// The number of participants from which those that are idle are forgotten.
const MANY: usize = 256;

/// The layout of the [marks](Cluster::marks). Another number is another layout.
const VERSION: u8 = 1;

/// The nodes and hubs of this object.
pub(super) struct Objects {
    me: Weak<Self>,
    context: Weak<Context>,
    pub(super) parts: Rc<Parts>,
    path: String,
    pub(super) spread: Spread,
    /// This object.
    pub(super) id: NodeId,
    /// By namespace.
    nodes: RefCell<Map<Rc<str>, Rc<Participant>>>,
    /// The hub that this object is, if it is one.
    pub(super) hub: OnceCell<(HubIndex, Rc<Participant>)>,
    /// Those of them for which something is due later.
    due: RefCell<Vec<Rc<Participant>>>,
    timer: RefCell<Option<(Timestamp, Timer)>>,
    /// When the storage was last touched.
    touched: Cell<Option<Timestamp>>,
    /// What the last instance knew of hubs, for nodes that are not there yet.
    inherited: RefCell<Vec<(String, Vec<Mark>)>>,
    pub(super) guests: Guests,
    pub(super) entering: Entering,
    pub(super) answers: Answers,
    /// What this object has of clients that come back, if they can.
    pub(super) custody: Option<Custody>,
    pub(super) moving: Moving,
}

impl Objects {
    pub(super) fn create(
        context: Weak<Context>,
        parts: &Rc<Parts>,
        path: &str,
        spread: &Spread,
    ) -> Rc<dyn Cluster> {
        // An id of an object always has this form.
        let id = Sid::new(&parts.id, [0; 12]).map(|sid| sid.object_bytes());
        let objects = Rc::new_cyclic(|me: &Weak<Self>| Self {
            me: me.clone(),
            context,
            parts: parts.clone(),
            path: path.to_owned(),
            spread: spread.clone(),
            id: NodeId(id.unwrap_or_default()),
            nodes: RefCell::default(),
            hub: OnceCell::new(),
            due: RefCell::default(),
            timer: RefCell::default(),
            touched: Cell::new(None),
            inherited: RefCell::default(),
            guests: Guests::default(),
            entering: Entering::default(),
            answers: Answers::default(),
            custody: spread.logs.then(|| Custody::new(&parts.state)),
            moving: Moving::default(),
        });
        moving::begin(&objects);
        objects
    }

    /// Returns the rest of the layer.
    pub(super) fn context(&self) -> Option<Rc<Context>> {
        self.context.upgrade()
    }

    /// Returns the path of the server.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn weak(&self) -> Weak<Self> {
        self.me.clone()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.parts.turn.now()
    }

    /// Returns what this object has of clients that come back to a namespace, if they can.
    pub(super) fn custody_of(&self, namespace: &str) -> Option<&Custody> {
        let custody = self.custody.as_ref();
        custody.filter(|_| self.spread.logs(namespace))
    }

    /// Returns whether somebody in here is in a room, or is about to be.
    pub(super) fn is_occupied(&self, namespace: &str, room: &str) -> bool {
        if self.guests.is_occupied(namespace, room) {
            return true;
        }
        if let Some(custody) = self.custody_of(namespace)
            && (self.is_home_of(room) || custody.has_moved_here(self, namespace, room))
        {
            return true;
        }
        self.is_in_use(namespace, room)
    }

    /// Returns whether this is the id of a socket that has begun in here. Whoever names it
    /// names this object.
    pub(super) fn is_home_of(&self, id: &str) -> bool {
        let sid = Sid::parse(id);
        sid.is_some_and(|sid| NodeId(sid.object_bytes()) == self.id)
    }

    /// Returns whether a socket in here is in a room.
    pub(super) fn is_in_use(&self, namespace: &str, room: &str) -> bool {
        self.context().is_some_and(|cx| match namespace {
            DYNAMIC => {
                let fits = |name: &str| !cx.application.is_named(name);
                let dynamic = cx.index.namespaces(&cx, fits);
                room.is_empty() && !dynamic.is_empty()
            }
            namespace => cx.index.is_occupied(&cx, namespace, room),
        })
    }

    /// Returns the node of a namespace.
    pub(super) fn node(&self, namespace: &str) -> Rc<Participant> {
        if let Some(found) = self.existing_node(namespace) {
            return found;
        }
        self.forget_idle();
        let life = NodeLife(u64::from_le_bytes(platform::random()));
        let settings = Settings {
            hubs: self.spread.hubs_of(namespace),
            ..Settings::default()
        };
        let marks = self.take_inherited(namespace);
        let stored = || {
            let custody = self.custody_of(namespace)?;
            Some(vec![custody.mark(namespace)?])
        };
        let marks = marks.or_else(stored).unwrap_or_default();
        let node = Node::resume(self.id, life, settings, marks.iter().copied());
        let participant = Rc::new(Participant::new(namespace, Core::Node(node), marks));
        let key = participant.namespace.clone();
        self.nodes.borrow_mut().insert(key, participant.clone());
        moving::move_rooms(self, &participant);
        participant
    }

    /// Returns what the last instance knew of a namespace's hubs.
    fn take_inherited(&self, namespace: &str) -> Option<Vec<Mark>> {
        let mut inherited = self.inherited.borrow_mut();
        let position = inherited.iter().position(|(name, _)| name == namespace)?;
        Some(inherited.swap_remove(position).1)
    }

    /// Returns the node of a namespace, if there is one.
    pub(super) fn existing_node(&self, namespace: &str) -> Option<Rc<Participant>> {
        self.nodes.borrow().get(namespace).cloned()
    }

    /// Forgets nodes that have nothing to remember, where there are many namespaces.
    fn forget_idle(&self) {
        let mut nodes = self.nodes.borrow_mut();
        if nodes.len() >= MANY {
            nodes.retain(|namespace, node| !node.is_idle() || self.is_occupied(namespace, ""));
        }
    }

    /// Makes sure that this is the instance that the platform sends calls to: another one
    /// that is still there is stopped by this. Once in a turn will do.
    pub(super) fn touch(&self) {
        let now = Some(self.now());
        if self.touched.replace(now) != now {
            // What it returns does not matter.
            let _ = self.parts.state.sql("SELECT 1", &[]);
        }
    }

    /// Carries out what a participant asks for.
    pub(super) fn run(&self, participant: &Rc<Participant>) {
        if participant.is_running.replace(true) {
            // What it asks for now comes after what it has asked for before.
            return;
        }
        let namespace = &*participant.namespace;
        participant.handle_timeout(self.now(), &|room: &str| self.is_occupied(namespace, room));
        if let Some(at) = participant.alarm() {
            self.parts.clock.arm_at(at);
        }
        while let Some(output) = participant.poll_output() {
            self.carry_out(participant, output);
        }
        participant.is_running.set(false);
        self.put_mark(namespace, participant.take_due_mark(self.now()));
        let mut due = self.due.borrow_mut();
        if !due.iter().any(|other| Rc::ptr_eq(other, participant)) {
            due.push(participant.clone());
        }
        drop(due);
        self.arm();
    }

    /// Writes down the last event of a hub that logs, if it is to be written down.
    fn put_mark(&self, namespace: &str, mark: Option<Mark>) {
        if let Some(mark) = mark
            && let Some((custody, cx)) = self.custody_of(namespace).zip(self.context())
        {
            custody.put_mark(&cx, namespace, mark);
        }
    }

    fn carry_out(&self, participant: &Rc<Participant>, output: Output) {
        match output {
            Output::Call { id, to, call } => {
                if matches!(call, Call::Control(_)) {
                    self.touch();
                }
                participant.note_call(id, self.now());
                self.send_call(participant.clone(), id, to, &call);
            }
            Output::Answer { ticket, answer } => participant.answer(ticket, answer),
            Output::Deliver(event, mark) => {
                participant.note_mark(mark);
                if event.operation.is_logged {
                    participant.save_mark(self.now());
                    logged::deliver(self, participant, &event);
                } else {
                    operations::deliver(self, &event);
                }
            }
            Output::Joined(key) => joins::handle_joined(self, participant, key),
            Output::Moved => moving::handle_moved(self),
            Output::NotJoined(key) => joins::handle_not_joined(participant, key),
            Output::Taken(id, nodes) => participant.handle_taken(id, nodes),
            Output::Resolved(id, outcome) => participant.handle_resolved(id, outcome),
            Output::Gather {
                ticket,
                deadline,
                payload,
            } => operations::take_question(self, participant, ticket, deadline, &payload),
            Output::Claim { .. }
            | Output::Confirm { .. }
            | Output::Place(_)
            | Output::Gap
            | Output::Adopt(..)
            | Output::Returned(..)
            | Output::NotReturned(..)
            | Output::Settled { .. } => returning::carry_out(self, participant, output),
            Output::Collected(id, _, answer) => participant.handle_collected(id, answer),
            Output::Gathered(id, missing) => participant.handle_gathered(id, missing),
        }
    }

    /// Sends a call on its way.
    fn send_call(
        &self,
        participant: Rc<Participant>,
        id: cluster::CallId,
        to: cluster::Address,
        call: &Call,
    ) {
        let hub = match to {
            cluster::Address::Hub(index) => Some(index),
            cluster::Address::Node(_) => None,
        };
        let call = ClusterCall {
            namespace: (*participant.namespace).to_owned(),
            hub,
            call: call.encode(),
        };
        let me = self.me.clone();
        platform::spawn(Box::pin(async move {
            let Some(carried) = me.upgrade().map(|objects| objects.carry(to, call)) else {
                return;
            };
            let outcome = carried.await;
            if let Some(objects) = me.upgrade() {
                let turn = &objects.parts.turn;
                turn.run(|| {
                    let namespace = &*participant.namespace;
                    let members = |room: &str| objects.is_occupied(namespace, room);
                    participant.handle_outcome(id, outcome, objects.now(), &members);
                    objects.run(&participant);
                });
            }
        }));
    }

    /// Carries a call to another object, or to this one.
    fn carry(
        &self,
        to: cluster::Address,
        call: ClusterCall,
    ) -> LocalBoxFuture<'static, Result<Answer, Failure>> {
        let found = locate::objects(&app().binding, &self.parts.env).ok();
        let found = found.and_then(|objects| match to {
            cluster::Address::Hub(HubIndex(index)) => {
                let hub = HubIndex(index);
                let name = self.spread.hub_name(&self.path, &call.namespace, hub);
                let is_here = locate::id_of(&objects, &name)? == self.parts.id;
                let object = (!is_here).then(|| locate::by_name(&objects, Some(&name)));
                Some(object.transpose().ok()?)
            }
            cluster::Address::Node(node) if node == self.id => Some(None),
            cluster::Address::Node(node) => locate::by_id(&objects, &hex(node)).map(Some),
        });
        match found {
            // No object has this id, and none ever will.
            None => Box::pin(async { Err(Failure::Overloaded) }),
            Some(None) => {
                let called = self.parts.turn.run(|| self.handle(&call));
                Box::pin(async move { read(called.reply().await.map_err(|_| Failure::Broken)) })
            }
            Some(Some(object)) => {
                let path = self.path.clone();
                Box::pin(async move {
                    let request = Request::Cluster(call);
                    let bytes = port::encode_request(&request, None);
                    let bytes = bytes.map_err(|_| Failure::Broken)?;
                    let reply = wire::carry(object, &path, &bytes).await;
                    read(reply.map_err(|failure| match failure {
                        Unanswered::Broken => Failure::Broken,
                        Unanswered::Overloaded => Failure::Overloaded,
                    }))
                })
            }
        }
    }

    /// Sets a timer for what is due next, as long as something is under way.
    fn arm(&self) {
        let mut due = self.due.borrow_mut();
        due.retain(|participant| participant.next_deadline().is_some());
        let next = due.iter().filter_map(|it| it.next_deadline()).min();
        drop(due);
        let mut timer = self.timer.borrow_mut();
        let Some(at) = next else {
            timer.take();
            return;
        };
        if timer.as_ref().is_some_and(|(set, _)| *set <= at) {
            return;
        }
        let me = self.me.clone();
        let callback = move || {
            if let Some(objects) = me.upgrade() {
                objects.handle_timer();
            }
        };
        let wait = at.since(platform::now()).max(Duration::from_millis(1));
        *timer = Some((at, Timer::new(wait, callback)));
    }

    fn handle_timer(&self) {
        self.timer.take();
        self.parts.turn.run(|| {
            // Whoever runs is noted there again.
            let due = self.due.borrow().clone();
            for participant in due {
                self.run(&participant);
            }
        });
        self.arm();
    }
}

impl Cluster for Objects {
    fn operate(&self, target: Target, operation: Operation) -> Called {
        operations::operate(self, target, operation)
    }

    fn join(&self, spot: Spot, namespace: &str, rooms: Vec<String>) -> Called {
        joins::join(self, spot, namespace, rooms)
    }

    fn announce(
        &self,
        spot: Spot,
        namespace: &str,
        rooms: &[String],
    ) -> LocalBoxFuture<'static, Result<(), PortError>> {
        joins::announce(self, spot, namespace, rooms)
    }

    fn present(&self, spot: Spot) {
        self.guests.remove(spot);
    }

    fn leave_early(&self, spot: Spot, room: &str) {
        self.entering.leave(spot, room);
    }

    fn left(&self, namespace: &str, room: &str) {
        joins::forget_later(self, vec![(namespace.into(), room.to_owned())]);
    }

    fn gone(&self, spot: Spot, socket: &Socket) {
        joins::gone(self, spot, socket);
        comebacks::give_up(self, spot, socket.namespace());
    }

    fn handle(&self, call: &ClusterCall) -> Called {
        let Ok(decoded) = Call::decode(&call.call) else {
            // Of another build.
            return answer(&Answer::Misdirected).into();
        };
        let participant = match call.hub {
            Some(index) => hubs::find(self, &call.namespace, index),
            None => Ok(self.node(&call.namespace)),
        };
        let participant = match participant {
            Ok(participant) => participant,
            Err(refusal) => return answer(&refusal).into(),
        };
        self.touch();
        let namespace = &*participant.namespace;
        let members = |room: &str| self.is_occupied(namespace, room);
        let mut receiver = participant.handle_call(decoded, self.now(), &members);
        self.run(&participant);
        if let Ok(Some(given)) = receiver.try_recv() {
            return answer(&given).into();
        }
        Called::Later(Box::pin(async move {
            let given = receiver.await.map_err(|_| PortError::Lost)?;
            Ok(answer(&given))
        }))
    }

    fn returns(&self) -> Option<&dyn Returns> {
        self.custody.as_ref()?;
        Some(self)
    }

    fn marks(&self) -> Vec<u8> {
        let (nodes, inherited) = (self.nodes.borrow(), self.inherited.borrow());
        let marks = nodes
            .iter()
            .map(|(namespace, node)| ((**namespace).to_owned(), node.marks.borrow().clone()));
        let all: Vec<(String, Vec<Mark>)> = marks.chain(inherited.iter().cloned()).collect();
        versioned::encode(VERSION, &all)
    }

    fn inherit(&self, marks: &[u8]) {
        if let Ok(marks) = versioned::decode(VERSION, marks) {
            self.inherited.replace(marks);
        }
    }
}

impl Returns for Objects {
    fn new_pid(&self, id: &str) -> String {
        comebacks::new_pid(id)
    }

    fn position(&self, namespace: &str) -> LocalBoxFuture<'static, Offset> {
        comebacks::position(self, namespace)
    }

    fn find(&self, comeback: Comeback) {
        comebacks::find(self, comeback);
    }

    fn log(&self, address: &Address, args: &Args<'_>) -> Option<String> {
        logged::log(self, address, args)
    }

    fn send(&self, namespace: &str, sockets: &[Spot], args: &Args<'_>, volatile: bool) -> bool {
        logged::send(self, namespace, sockets, args, volatile)
    }

    fn save(&self) {
        for (namespace, node) in &*self.nodes.borrow() {
            self.put_mark(namespace, node.take_mark());
        }
    }

    fn forgotten(&self, namespace: &str, pid: &str) {
        comebacks::forgotten(self, namespace, pid);
    }

    fn handle_alarm(&self) -> Option<Timestamp> {
        let here = comebacks::expire(self);
        let hub = hubs::ring(self);
        [here, hub].into_iter().flatten().min()
    }
}

fn answer(answer: &Answer) -> Reply {
    Reply::Cluster(answer.encode())
}

fn read(reply: Result<Reply, Failure>) -> Result<Answer, Failure> {
    let Reply::Cluster(bytes) = reply? else {
        return Err(Failure::Broken);
    };
    Answer::decode(&bytes).map_err(|_| Failure::Broken)
}

/// Returns an object's id as the platform writes it.
pub(super) fn hex(node: NodeId) -> String {
    Sid::of_object(node.0).object()
}
