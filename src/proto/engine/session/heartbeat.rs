//! The heartbeat: revision 3 clients ping, revision 4 clients are pinged.
//!
//! Specification: revision 4, "Heartbeat", and "From v3 to v4", which reversed it.

use serde::{Deserialize, Serialize};

use super::{
    Buffered, Probe, Reason, RequestError, Revision, ServerPacket, Session, SessionState, websocket,
};
use crate::Timestamp;

/// The evidence that the client is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Heartbeat {
    /// The handshake, or the last sign of life: any packet in revision 3, a
    /// pong in revision 4.
    heard: Timestamp,
    /// The ping that has not been answered yet (revision 4).
    pinged: Option<Ping>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ping {
    sent: Timestamp,
    /// The last time that its answer was looked for, and was not there.
    looked: Timestamp,
}

impl Heartbeat {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            heard: now,
            pinged: None,
        }
    }

    /// Returns whether a ping has not been answered yet.
    pub(super) fn is_pending(&self) -> bool {
        self.pinged.is_some()
    }
}

/// The time at which a session has to be checked, and the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    /// The time to call [`Session::handle_timeout`].
    pub at: Timestamp,
    /// The reason for the call.
    pub cause: Cause,
}

/// The cause of a [`Deadline`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The heartbeat: a ping is due, or its answer.
    Heartbeat,
    /// An upgrade that must be completed by then.
    Upgrade,
    /// A closed session stops waiting for the client to fetch the news.
    Farewell,
    /// Something above the session that it does not know about.
    Application,
}

/// The passing of time.
impl Session {
    /// Returns when to call [`handle_timeout`](Self::handle_timeout). Calling it
    /// early or late is harmless.
    ///
    /// It is `None` if only the client can make something happen: a session of
    /// revision 3 on a WebSocket, in an object that
    /// [sleeps](super::Settings::sleeps), is judged when something else wakes the
    /// object.
    pub fn next_deadline(&self) -> Option<Deadline> {
        let overtaken = self.overtaken.map(|(_, at)| Deadline {
            at,
            cause: Cause::Upgrade,
        });
        self.state_deadline().into_iter().chain(overtaken).min()
    }

    fn state_deadline(&self) -> Option<Deadline> {
        let heartbeat = self.heartbeat_deadline();
        let farewell = |at| Deadline {
            at,
            cause: Cause::Farewell,
        };
        match &self.state {
            SessionState::Polling(_) => Some(heartbeat),
            SessionState::Probing(_, probe) => Some(heartbeat.min(self.probe_deadline(probe))),
            SessionState::WebSocket(_) => {
                let needed = self.revision == Revision::V4 || !self.settings.sleeps();
                needed.then_some(heartbeat)
            }
            SessionState::Closing { until, probe, .. } => {
                let probe = probe.as_ref().map(|probe| self.probe_deadline(probe));
                probe.into_iter().chain([farewell(*until)]).min()
            }
            SessionState::Closed {
                farewell: Some(until),
            } => Some(farewell(*until)),
            SessionState::Closed { farewell: None } => None,
        }
    }

    fn probe_deadline(&self, probe: &Probe) -> Deadline {
        let timeout = probe.since + self.settings.upgrade_timeout;
        Deadline {
            at: probe.late_poll.map_or(timeout, |until| until.min(timeout)),
            cause: Cause::Upgrade,
        }
    }

    fn heartbeat_deadline(&self) -> Deadline {
        let Heartbeat { heard, pinged } = self.heartbeat;
        let settings = &self.settings;
        let at = match (self.revision, pinged) {
            (Revision::V3, _) => self.expiry(),
            (Revision::V4, None) => heard + settings.ping_interval,
            // If heartbeats are batched, each pulse looks for the answer, because
            // the next ping may be due; the first pulse after the client's time is
            // up judges its absence.
            (Revision::V4, Some(Ping { sent, looked })) if settings.sleeps() => {
                let next_pulse = sent + settings.ping_interval;
                self.expiry()
                    .max(next_pulse)
                    .min(looked + settings.ping_interval)
            }
            (Revision::V4, Some(_)) => self.expiry(),
        };
        Deadline {
            at,
            cause: Cause::Heartbeat,
        }
    }

    /// Takes in a heartbeat that the runtime answered while the object slept: the
    /// client was there at `at`.
    pub fn handle_sign_of_life(&mut self, at: Timestamp) {
        let SessionState::WebSocket(socket) = &mut self.state else {
            return;
        };
        match (self.revision, self.heartbeat.pinged) {
            (Revision::V4, Some(ping)) if at >= ping.sent => {
                socket.handle_pong();
                self.heartbeat = Heartbeat::new(at);
                self.changed = true;
            }
            (Revision::V3, _) if at > self.heartbeat.heard => {
                socket.handle_sign(self.settings.allowance(self.heartbeat.heard, at));
                self.heartbeat = Heartbeat::new(at);
            }
            (Revision::V3 | Revision::V4, _) => {}
        }
    }

    /// Returns whether the session should be told the last
    /// [sign of life](Self::handle_sign_of_life) before it is sent anything else:
    /// its client seems to be silent, or has been sent much.
    pub fn is_in_doubt(&self, now: Timestamp) -> bool {
        self.is_strained() || now >= self.expiry()
    }

    /// Ends what has taken too long, and pings, at the time that
    /// [`next_deadline`](Self::next_deadline) returned or any other.
    ///
    /// A session whose heartbeats the runtime may have answered has to be told the
    /// last [sign of life](Self::handle_sign_of_life) first.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.expire(now);
        if let Some((request, _)) = self.overtaken.take_if(|(_, until)| now >= *until) {
            self.refuse(request, RequestError::BadRequest);
        }
        let timeout = self.settings.upgrade_timeout;
        if let Some(probe) = self.probe_mut() {
            probe.late_poll = probe.late_poll.filter(|until| now < *until);
            if now >= probe.since + timeout {
                let socket = probe.conn;
                self.abandon_probe();
                self.close_socket(socket, websocket::CLOSE_NORMAL);
            }
        }
        if self.transport().is_some()
            && let Some(ping) = &mut self.heartbeat.pinged
            && now >= ping.looked + self.settings.ping_interval
        {
            ping.looked = now;
            self.changed = true;
        }
        let due = self.heartbeat.heard + self.settings.ping_interval;
        if self.revision == Revision::V4 && now + self.settings.head_start() >= due {
            self.ping_unless_pending(now);
        }
    }

    /// Checks the clock when a request comes in, so that its outcome does not depend
    /// on timers.
    ///
    /// It does not judge a WebSocket, whose heartbeats the runtime may have
    /// answered.
    pub(super) fn judge(&mut self, now: Timestamp) {
        if self.socket().is_none() {
            self.expire(now);
        }
    }

    /// Ends the session if its client has been silent for too long, and forgets a
    /// closed one whose client did not come in time.
    fn expire(&mut self, now: Timestamp) {
        if self.transport().is_some() && now >= self.expiry() {
            self.end(Reason::PingTimeout, ServerPacket::Close);
        }
        if let SessionState::Closing { until, .. }
        | SessionState::Closed {
            farewell: Some(until),
        } = &self.state
            && now >= *until
        {
            self.forget();
        }
    }

    /// Returns when the client's silence ends the session: after ping interval and
    /// timeout, or one timeout after a ping that was sent early.
    fn expiry(&self) -> Timestamp {
        let silent = self.heartbeat.heard + self.settings.patience();
        match self.heartbeat.pinged {
            Some(ping) => silent.min(ping.sent + self.settings.ping_timeout),
            None => silent,
        }
    }

    pub(super) fn ping_unless_pending(&mut self, now: Timestamp) {
        if self.transport().is_none() || self.heartbeat.is_pending() {
            return;
        }
        self.heartbeat.pinged = Some(Ping {
            sent: now,
            looked: now,
        });
        if let SessionState::WebSocket(socket) = &mut self.state {
            socket.handle_ping_sent();
        }
        self.changed = true;
        self.transmit(Buffered::Ping);
    }

    /// Takes in the proof that the client is there.
    pub(super) fn prove(&mut self, now: Timestamp) {
        if let SessionState::WebSocket(socket) = &mut self.state {
            match self.revision {
                Revision::V3 => {
                    socket.handle_sign(self.settings.allowance(self.heartbeat.heard, now));
                }
                Revision::V4 => socket.handle_pong(),
            }
        }
        self.changed |= self.heartbeat.is_pending();
        self.heartbeat = Heartbeat::new(now);
    }
}
