//! Questions to all objects that may have a member: sockets, counts, acknowledgements.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Full, Node, Purpose};
use crate::cluster::flight::Flight;
use crate::cluster::{
    ANSWER_GRACE, ASK_LIMIT, Address, Answer, Ask, Call, Failure, Gather, HubIndex, Interested,
    MAX_CALLS, MAX_GATHERS, MAX_ROOMS, Missing, NodeId, Output, Payload, Ticket,
};
use crate::{Map, Set, Timestamp};

/// The number of a question to many objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GatherId(pub u64);

/// Where the answers to a question come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Gathering {
    /// From this object alone. The driver touches its storage, as for
    /// [`Emitted::Here`](super::Emitted::Here).
    Here,
    /// From this object, which the driver asks itself, and from others:
    /// [`Output::Collected`] for each, and [`Output::Gathered`] in the end.
    Sent(GatherId),
}

/// The questions that are not answered in full.
#[derive(Debug, Default)]
pub(super) struct Gatherings {
    next: u64,
    open: Map<GatherId, Question>,
    /// The number of calls to nodes that are under way.
    out: usize,
}

#[derive(Debug)]
struct Question {
    payload: Payload,
    deadline: Timestamp,
    hubs: Map<HubIndex, Asked>,
    ask_until: Timestamp,
    /// All nodes that were found.
    found: Set<NodeId>,
    /// Those that are still to be asked, and those that were.
    waiting: VecDeque<NodeId>,
    nodes: Map<NodeId, Flight>,
    missing: Missing,
}

/// A hub that is asked for nodes.
#[derive(Debug)]
struct Asked {
    rooms: Vec<String>,
    flight: Flight,
}

impl Question {
    fn find(&mut self, nodes: impl IntoIterator<Item = NodeId>) {
        for node in nodes {
            if self.found.insert(node) {
                self.waiting.push_back(node);
            }
        }
    }

    fn is_over(&self) -> bool {
        self.hubs.is_empty() && self.nodes.is_empty() && self.waiting.is_empty()
    }

    /// `may_call` says whether another node can be called now. If not, it will be when a
    /// call ends.
    fn next_deadline(&self, may_call: bool) -> Timestamp {
        let hubs = self.hubs.values().map(|asked| &asked.flight);
        let nodes = self.nodes.values().filter(|_| may_call);
        let flights = hubs.chain(nodes);
        let repeated = flights.filter_map(Flight::next_deadline).min();
        let asking = (!self.hubs.is_empty()).then_some(self.ask_until);
        let end = self.deadline + ANSWER_GRACE;
        repeated.into_iter().chain(asking).fold(end, Timestamp::min)
    }
}

impl Gatherings {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let may_call = self.out < MAX_CALLS;
        let questions = self.open.values();
        questions
            .map(|question| question.next_deadline(may_call))
            .min()
    }

    /// A call to a node has ended, for whatever reason.
    fn call_ended(&mut self) {
        self.out = self.out.saturating_sub(1);
    }
}

impl Node {
    /// Asks all other objects that may have a member of one of the rooms, and those that
    /// are named. What is asked, and what is answered, only drivers read.
    ///
    /// They have until `limit` to answer. Whoever has not is [`Missing`], and so are hubs
    /// that did not say whom to ask. A question may reach an object more than once.
    ///
    /// # Errors
    ///
    /// [`MAX_GATHERS`] questions are open already, or there are more than [`MAX_ROOMS`]
    /// rooms.
    pub fn gather(
        &mut self,
        rooms: &[&str],
        nodes: &[NodeId],
        payload: &[u8],
        limit: Duration,
        now: Timestamp,
    ) -> Result<Gathering, Full> {
        if rooms.len() > MAX_ROOMS || self.gatherings.open.len() >= MAX_GATHERS {
            return Err(Full);
        }
        let mut hubs: Map<HubIndex, Asked> = Map::new();
        let elsewhere = rooms.iter().filter(|room| !self.is_granted(room));
        for room in elsewhere.collect::<Set<_>>() {
            let asked = hubs.entry(self.hub_of(room)).or_insert_with(|| Asked {
                rooms: Vec::new(),
                flight: Flight::default(),
            });
            asked.rooms.push((*room).into());
        }
        let mut question = Question {
            payload: Payload(payload.into()),
            deadline: now + limit,
            hubs,
            ask_until: now + ASK_LIMIT.min(limit),
            found: Set::from_iter([self.id]),
            waiting: VecDeque::new(),
            nodes: Map::new(),
            missing: Missing::default(),
        };
        question.find(nodes.iter().copied());
        if question.is_over() {
            return Ok(Gathering::Here);
        }
        let id = GatherId(self.gatherings.next);
        self.gatherings.next += 1;
        self.gatherings.open.insert(id, question);
        self.send_gathers(now);
        Ok(Gathering::Sent(id))
    }

    /// Answers a question that came as [`Output::Gather`].
    pub fn answer_gather(&mut self, ticket: Ticket, payload: &[u8]) {
        let payload = Payload(payload.into());
        self.calls.answer(ticket, Answer::Gathered(payload));
    }

    pub(super) fn take_question(&mut self, ticket: Ticket, gather: Gather, now: Timestamp) {
        if gather.deadline < now {
            self.calls.answer(ticket, Answer::Unavailable);
            return;
        }
        self.calls.output(Output::Gather {
            ticket,
            deadline: gather.deadline,
            payload: gather.payload,
        });
    }

    pub(super) fn send_gathers(&mut self, now: Timestamp) {
        let Self {
            gatherings, calls, ..
        } = self;
        let mut free = MAX_CALLS.saturating_sub(gatherings.out);
        for (id, question) in gatherings.open.iter_mut() {
            for (hub, asked) in question.hubs.iter_mut() {
                if asked.flight.is_idle() || asked.flight.is_due(now) {
                    let rooms = asked.rooms.clone();
                    let call = Call::Ask(Ask { rooms });
                    let purpose = Purpose::Ask(*id, *hub);
                    let call = calls.call(Address::Hub(*hub), call, purpose);
                    asked.flight.start(call);
                }
            }
            let due = question
                .nodes
                .iter()
                .filter(|(_, flight)| flight.is_due(now));
            let due: Vec<_> = due.map(|(node, _)| *node).collect();
            let first = question.waiting.len().min(free.saturating_sub(due.len()));
            for node in due
                .into_iter()
                .take(free)
                .chain(question.waiting.drain(..first))
            {
                let call = Call::Gather(Gather {
                    deadline: question.deadline,
                    payload: question.payload.clone(),
                });
                let purpose = Purpose::Gather(*id, node);
                let call = calls.call(Address::Node(node), call, purpose);
                question.nodes.entry(node).or_default().start(call);
                gatherings.out += 1;
                free -= 1;
            }
        }
        let open = gatherings.open.iter();
        let over = open.filter(|(_, question)| question.is_over());
        for id in over.map(|(id, _)| *id).collect::<Vec<_>>() {
            if let Some(question) = gatherings.open.remove(&id) {
                calls.output(Output::Gathered(id, question.missing));
            }
        }
    }

    /// A hub has said whom to ask.
    pub(super) fn hub_answered(&mut self, id: GatherId, hub: HubIndex, interested: Interested) {
        if let Some(question) = self.gatherings.open.get_mut(&id)
            && question.hubs.remove(&hub).is_some()
        {
            question.find(interested.nodes);
        }
    }

    /// A node has answered.
    pub(super) fn node_answered(&mut self, id: GatherId, node: NodeId, payload: Payload) {
        self.gatherings.call_ended();
        if let Some(question) = self.gatherings.open.get_mut(&id)
            && question.nodes.remove(&node).is_some()
        {
            self.calls.output(Output::Collected(id, node, payload));
        }
    }

    pub(super) fn fail_ask(
        &mut self,
        at: (GatherId, HubIndex),
        failure: Failure,
        now: Timestamp,
        random: u32,
    ) {
        let question = self.gatherings.open.get_mut(&at.0);
        if let Some(asked) = question.and_then(|question| question.hubs.get_mut(&at.1)) {
            asked.flight.fail(failure, now, random);
        }
    }

    pub(super) fn fail_gather(
        &mut self,
        at: (GatherId, NodeId),
        failure: Failure,
        now: Timestamp,
        random: u32,
    ) {
        self.gatherings.call_ended();
        let question = self.gatherings.open.get_mut(&at.0);
        if let Some(flight) = question.and_then(|question| question.nodes.get_mut(&at.1)) {
            flight.fail(failure, now, random);
        }
    }

    /// Goes on without those that have not answered.
    pub(super) fn end_gathers(&mut self, now: Timestamp) {
        let Self {
            gatherings, calls, ..
        } = self;
        let mut ended = Vec::new();
        for question in gatherings.open.values_mut() {
            if question.ask_until <= now {
                for (hub, mut asked) in core::mem::take(&mut question.hubs) {
                    ended.extend(asked.flight.finish());
                    question.missing.hubs.push(hub);
                }
            }
            if question.deadline + ANSWER_GRACE <= now {
                let asked = core::mem::take(&mut question.nodes);
                let unasked = core::mem::take(&mut question.waiting);
                for (node, mut flight) in asked {
                    if let Some(call) = flight.finish() {
                        gatherings.out = gatherings.out.saturating_sub(1);
                        ended.push(call);
                    }
                    question.missing.add_node(node);
                }
                unasked
                    .into_iter()
                    .for_each(|node| question.missing.add_node(node));
            }
        }
        for call in ended {
            calls.end(call);
        }
    }
}
