//! A session by the book: what has to come of each step.
//!
//! It knows what the specifications and the limits say, and neither encodings nor
//! how a session is kept.

mod connections;
mod lifetime;
mod packets;

use std::mem;

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{
    ConnId, Data, Open, Output, Reason, Revision, Session, Settings, Transport,
};

use super::expect::{Outcome, Reply};
use super::step::{Conns, Effects, Step};
use crate::targets::wire::Received;

/// What a packet that waits costs beside its content.
const PACKET_COST: usize = 32;

#[derive(Debug)]
struct Probe {
    conn: ConnId,
    since: u64,
    answered: bool,
    /// Until when a `GET` that came after it is held.
    held: Option<u64>,
}

#[derive(Debug)]
enum Phase {
    Polling(Option<Probe>),
    WebSocket {
        conn: ConnId,
        late: Option<u64>,
    },
    Closing {
        until: u64,
        probe: Option<Probe>,
    },
    /// The client has closed by `POST`, and its `GET` may come after it.
    Farewell {
        until: u64,
    },
    Over,
}

#[derive(Debug)]
pub(super) struct Model {
    settings: Settings,
    revision: Revision,
    b64: bool,
    phase: Phase,
    /// What the client has not had yet, in order.
    waiting: Vec<Received>,
    get: Option<ConnId>,
    /// In order. The body of the first is being read.
    posts: Vec<ConnId>,
    /// A `GET` that an upgrade has overtaken.
    overtaken: Option<(ConnId, u64)>,
    heard: u64,
    pinged: Option<u64>,
    unproven: usize,
    since_ping: usize,
    next: u64,
    expected: Outcome,
}

impl Model {
    pub(super) fn new(settings: Settings, open: Open<'_>, websocket: bool) -> Self {
        let conn = ConnId(0);
        Self {
            settings,
            revision: open.revision,
            b64: open.b64,
            phase: match websocket {
                true => Phase::WebSocket { conn, late: None },
                false => Phase::Polling(None),
            },
            waiting: Vec::new(),
            get: None,
            posts: Vec::new(),
            overtaken: None,
            heard: super::BEGIN,
            pinged: None,
            unproven: 0,
            since_ping: 0,
            next: 1,
            expected: Outcome::default(),
        }
    }

    /// The handshake, and nothing else.
    pub(super) fn check_opened(&self, outputs: Vec<Output>) {
        let mut expected = Outcome::default();
        match self.phase {
            Phase::WebSocket { conn, .. } => expected.frames.push((conn, Received::Open)),
            _ => {
                let reply = Reply::Packets(vec![Received::Open]);
                expected.answers.insert(ConnId(0), reply);
            }
        }
        assert_eq!(Outcome::of(self.revision, self.b64, outputs), expected);
    }

    /// What a step can be about.
    pub(super) fn conns(&self) -> Conns {
        Conns {
            revision: self.revision,
            b64: self.b64 && self.revision == Revision::V3,
            next: ConnId(self.next),
            get: self.get.or(self.overtaken.map(|(request, _)| request)),
            post: self.posts.first().copied(),
            socket: self.socket().or(self.probe().map(|probe| probe.conn)),
        }
    }

    pub(super) fn is_socket(&self, conn: ConnId) -> bool {
        self.conns().socket == Some(conn)
    }

    fn socket(&self) -> Option<ConnId> {
        match self.phase {
            Phase::WebSocket { conn, .. } => Some(conn),
            _ => None,
        }
    }

    fn probe(&self) -> Option<&Probe> {
        match &self.phase {
            Phase::Polling(probe) | Phase::Closing { probe, .. } => probe.as_ref(),
            _ => None,
        }
    }

    fn take_probe(&mut self) -> Option<Probe> {
        match &mut self.phase {
            Phase::Polling(probe) | Phase::Closing { probe, .. } => probe.take(),
            _ => None,
        }
    }

    fn is_alive(&self) -> bool {
        matches!(self.phase, Phase::Polling(_) | Phase::WebSocket { .. })
    }

    /// What the session must look like from outside.
    pub(super) fn compare(&self, session: &Session) {
        let transport = match self.phase {
            Phase::Polling(_) => Some(Transport::Polling),
            Phase::WebSocket { .. } => Some(Transport::WebSocket),
            _ => None,
        };
        assert_eq!(session.transport(), transport);
        assert_eq!(session.socket(), self.socket());
        assert_eq!(session.waiting_poll(), self.get);
        assert_eq!(session.is_over(), matches!(self.phase, Phase::Over));
        for conn in (0..self.next).map(ConnId) {
            assert_eq!(session.has_socket(conn), self.is_socket(conn), "{conn:?}");
        }
        let strained = self.socket().is_some() && self.unproven > self.settings.max_unproven / 2;
        assert_eq!(
            session.is_ready(),
            match self.phase {
                Phase::Polling(_) => self.get.is_some(),
                Phase::WebSocket { .. } => !strained,
                _ => false,
            }
        );
        assert!(self.buffered() <= self.settings.max_buffered);
        assert!(self.socket().is_none() || self.unproven <= self.settings.max_unproven);
        let deadline = session.next_deadline().map(|deadline| deadline.at);
        let latest = match &self.phase {
            Phase::Over => return assert_eq!(deadline, None, "nothing is left to do"),
            Phase::Closing { until, .. } | Phase::Farewell { until } => *until,
            Phase::Polling(_) => self.expiry().max(self.heard + 2 * self.interval()),
            // Somebody else wakes such an object.
            Phase::WebSocket { .. } if self.revision == Revision::V3 => return,
            Phase::WebSocket { .. } => self.expiry().max(self.heard + 2 * self.interval()),
        };
        // A clock that went back brings heartbeats that look late.
        if self
            .pinged
            .is_none_or(|pinged| pinged <= self.heard + 2 * self.interval())
        {
            let latest = Timestamp::from_millis(latest + 2 * self.interval());
            assert!(
                deadline.is_some_and(|at| at <= latest),
                "{deadline:?} {self:?}"
            );
        }
    }

    /// A step was taken, and this has come of it.
    pub(super) fn handle(&mut self, step: &Step, now: u64, effects: Effects) {
        let messages = self.take_step(step, now, &effects);
        self.settle();
        assert_eq!(effects.messages, messages, "{step:?}");
        let mut outcome = Outcome::of(self.revision, self.b64, effects.outputs);
        if let Some((socket, frame)) = effects.frame {
            assert_eq!(
                outcome,
                Outcome::default(),
                "it must not go before what came earlier"
            );
            let packet = crate::targets::wire::read_frame(self.revision, &frame);
            outcome.frames.push((socket, packet));
        }
        assert_eq!(outcome, mem::take(&mut self.expected), "{step:?} {self:?}");
    }

    fn take_step(&mut self, step: &Step, now: u64, effects: &Effects) -> Vec<Data<'static>> {
        let mut reads = false;
        let mut refused = None;
        let mut messages = Vec::new();
        match step {
            Step::Poll(request, _) => self.poll(now, *request),
            Step::PollGone(request) => self.poll_gone(*request),
            Step::Post(request) => reads = self.begin_post(now, *request),
            Step::Body(request, body) if self.finish_post(*request) => {
                messages = self.body(now, *request, body);
                self.read_next_post();
            }
            Step::BodyTooLarge(request) if self.finish_post(*request) => {
                self.answer(*request, Reply::TooLarge);
                self.read_next_post();
            }
            Step::BodyMalformed(request) if self.finish_post(*request) => {
                self.refuse_post(*request, Reason::ParseError);
                self.read_next_post();
            }
            Step::BodyGone(request) if self.finish_post(*request) => {
                self.refuse_post(*request, Reason::TransportError);
                self.read_next_post();
            }
            Step::Body(..) | Step::BodyTooLarge(_) | Step::BodyMalformed(_) | Step::BodyGone(_) => {
            }
            Step::Upgrade(socket) => refused = self.upgrade(now, *socket).err(),
            Step::Frame(socket, frame) => messages = self.frame(now, *socket, frame),
            Step::SocketGone(socket, broken) => self.socket_gone(*socket, *broken),
            Step::Send(data) | Step::SendPrepared(data) => self.send(now, data),
            Step::Close(flush) => self.close(now, *flush),
            Step::Timeout => self.timeout(now),
            Step::SignOfLife(ago) => self.sign_of_life(now - ago),
            Step::Evict => {
                self.get = None;
                self.posts.clear();
                self.overtaken = None;
            }
            Step::Wait => {}
        }
        assert_eq!(
            (effects.reads, effects.refused),
            (reads, refused),
            "{step:?}"
        );
        messages
    }
}
