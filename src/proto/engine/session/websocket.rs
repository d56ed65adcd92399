//! WebSocket, and the upgrade from polling to it.
//!
//! Specification: revision 4, "WebSocket" and "Upgrade".

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{
    ClientPacket, ConnId, Data, Frame, Output, Poll, Reason, RequestError, Revision, ServerPacket,
    Session, SessionState, Violation,
};
use crate::Timestamp;
use crate::engine::LATE_POLL;

/// RFC 6455, section 7.4.1: the purpose of the connection is fulfilled.
pub(super) const CLOSE_NORMAL: u16 = 1000;
/// RFC 6455, section 7.4.1: a message was too big to be processed.
const CLOSE_TOO_BIG: u16 = 1009;

/// The text of the probe, in both directions.
const PROBE: &str = "probe";

/// The WebSocket that carries a session.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WebSocket {
    pub(super) conn: ConnId,
    /// The bytes sent that no sign of life has accounted for.
    pub(super) unproven: usize,
    /// Those of them that were sent after the ping that has not been answered yet.
    since_ping: usize,
    /// The time until which the upgrade may have overtaken a `GET`.
    pub(super) late_poll: Option<Timestamp>,
}

/// A WebSocket that is to take over a polling session.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Probe {
    pub(super) conn: ConnId,
    pub(super) since: Timestamp,
    /// Its `3probe` has been sent.
    pub(super) answered: bool,
    /// The time until which a `GET` is held that came after the WebSocket.
    pub(super) late_poll: Option<Timestamp>,
}

impl Probe {
    /// Returns whether a waiting `GET` is to be answered, so that the client can
    /// continue the upgrade.
    pub(super) fn drains(&self) -> bool {
        self.answered && self.late_poll.is_none()
    }
}

impl WebSocket {
    pub(super) fn new(conn: ConnId) -> Self {
        Self {
            conn,
            unproven: 0,
            since_ping: 0,
            late_poll: None,
        }
    }

    fn handle_sent(&mut self, bytes: usize) {
        self.unproven = self.unproven.saturating_add(bytes);
        self.since_ping = self.since_ping.saturating_add(bytes);
    }

    pub(super) fn handle_ping_sent(&mut self) {
        self.since_ping = 0;
    }

    /// Takes in the answer to the last ping: what was sent before it has arrived.
    pub(super) fn handle_pong(&mut self) {
        self.unproven = self.since_ping;
    }

    /// Takes in a sign of life that does not tell what has arrived, and that makes
    /// room for this many bytes.
    pub(super) fn handle_sign(&mut self, allowance: usize) {
        self.unproven = self.unproven.saturating_sub(allowance);
    }
}

/// Inputs over WebSocket.
impl Session {
    /// Takes in a WebSocket that asks to take over this session. `Ok` means that it
    /// has to be accepted, and then to be treated as the outputs say: if the session
    /// has a WebSocket already, the new one is closed at once.
    ///
    /// Specification: revision 4, "Upgrade".
    ///
    /// # Errors
    ///
    /// The request has to be refused: the session is over, or may not upgrade.
    pub fn handle_upgrade(&mut self, now: Timestamp, socket: ConnId) -> Result<(), RequestError> {
        self.judge(now);
        if !self.settings.allow_upgrades {
            return Err(RequestError::BadRequest);
        }
        match &mut self.state {
            SessionState::Polling(polling) => {
                let polling = core::mem::take(polling);
                self.state = SessionState::Probing(
                    polling,
                    Probe {
                        conn: socket,
                        since: now,
                        answered: false,
                        late_poll: None,
                    },
                );
                self.changed = true;
            }
            SessionState::Probing(..) | SessionState::WebSocket(_) => {
                self.close_socket(socket, CLOSE_NORMAL)
            }
            SessionState::Closing { .. } | SessionState::Closed { .. } => {
                return Err(RequestError::UnknownSid);
            }
        }
        Ok(())
    }

    /// Takes in a frame from one of the session's WebSockets. Returns the message,
    /// if it is one, for the application.
    pub fn handle_frame<'a>(
        &mut self,
        now: Timestamp,
        socket: ConnId,
        frame: Frame<'a>,
    ) -> Option<Data<'a>> {
        if frame.len() > self.settings.max_payload {
            self.handle_oversized_frame(socket);
            return None;
        }
        if self.socket() == Some(socket) {
            return match self.handle_socket_frame(now, frame) {
                Ok(message) => message,
                Err(Violation(reason)) => {
                    self.end(reason, ServerPacket::Close);
                    None
                }
            };
        }
        self.others += 1;
        // Any other WebSocket has been closed, and its frame was still on its way.
        if self.probe().is_some_and(|probe| probe.conn == socket) {
            self.handle_probe_frame(now, &frame);
        }
        None
    }

    /// Takes in that one of the session's WebSockets has brought a frame that is larger
    /// than [`Settings::max_payload`](super::Settings::max_payload), which there is no
    /// need to read. The session ends, or the attempt to upgrade it.
    pub fn handle_oversized_frame(&mut self, socket: ConnId) {
        if self.socket() == Some(socket) {
            self.end_with_code(Reason::TransportError, ServerPacket::Close, CLOSE_TOO_BIG);
        } else if self.probe().is_some_and(|probe| probe.conn == socket) {
            self.abandon_probe();
            self.close_socket(socket, CLOSE_NORMAL);
        }
    }

    /// Returns the WebSocket that is to take over.
    pub(super) fn probe(&self) -> Option<&Probe> {
        match &self.state {
            SessionState::Probing(_, probe) => Some(probe),
            SessionState::Closing { probe, .. } => probe.as_ref(),
            SessionState::Polling(_) | SessionState::WebSocket(_) | SessionState::Closed { .. } => {
                None
            }
        }
    }

    pub(super) fn probe_mut(&mut self) -> Option<&mut Probe> {
        match &mut self.state {
            SessionState::Probing(_, probe) => Some(probe),
            SessionState::Closing { probe, .. } => probe.as_mut(),
            SessionState::Polling(_) | SessionState::WebSocket(_) | SessionState::Closed { .. } => {
                None
            }
        }
    }

    fn handle_socket_frame<'a>(
        &mut self,
        now: Timestamp,
        frame: Frame<'a>,
    ) -> Result<Option<Data<'a>>, Violation> {
        let packet = ClientPacket::decode(self.revision, frame)
            .map_err(|_| Violation(Reason::ParseError))?;
        self.handle_packet(now, packet)
    }

    /// Takes in a frame of a WebSocket that is to take over: `2probe` is answered by
    /// `3probe`, and then `5` completes the upgrade. Anything else ends the attempt,
    /// and polling goes on.
    fn handle_probe_frame(&mut self, now: Timestamp, frame: &Frame<'_>) {
        let (revision, b64) = (self.revision, self.b64);
        let Some(probe) = self.probe_mut() else {
            return;
        };
        match ClientPacket::decode(revision, frame.borrowed()) {
            Ok(ClientPacket::Ping(text)) if text == PROBE && !probe.answered => {
                probe.answered = true;
                let socket = probe.conn;
                let frame = ServerPacket::Pong(PROBE.into()).encode(revision, b64);
                self.changed = true;
                self.outputs.push_back(Output::Send { socket, frame });
            }
            Ok(ClientPacket::Upgrade) if probe.answered => self.complete_upgrade(now),
            Ok(_) | Err(_) => {
                let socket = probe.conn;
                self.abandon_probe();
                self.close_socket(socket, CLOSE_NORMAL);
            }
        }
    }

    fn complete_upgrade(&mut self, now: Timestamp) {
        let (polling, probe) = match &mut self.state {
            SessionState::Probing(polling, probe) => (polling, probe),
            SessionState::Closing {
                outbox,
                probe: Some(probe),
                ..
            } => {
                let (socket, packets) = (probe.conn, outbox.take());
                self.flush(socket, packets);
                return self.forget();
            }
            SessionState::Polling(_)
            | SessionState::WebSocket(_)
            | SessionState::Closing { probe: None, .. }
            | SessionState::Closed { .. } => return,
        };
        let until = now + LATE_POLL;
        let mut socket = WebSocket::new(probe.conn);
        socket.late_poll = Some(until);
        let (poll, late) = (polling.poll, probe.late_poll.is_some());
        let packets = polling.outbox.take();
        self.changed = true;
        match (poll, late) {
            // Answered at once, it might arrive before the `3probe`.
            (Poll::Waiting(request, _), true) => self.overtaken = Some((request, until)),
            (Poll::Waiting(request, format), false) => {
                self.answer_packets(request, format, &[ServerPacket::Noop]);
            }
            (Poll::Idle, _) => {}
        }
        self.outputs.push_back(Output::Upgraded);
        socket.handle_sent(self.flush(socket.conn, packets));
        self.state = SessionState::WebSocket(socket);
    }

    /// Sends what has waited for a `GET`. Returns the number of bytes.
    fn flush(&mut self, socket: ConnId, packets: Vec<ServerPacket<'static>>) -> usize {
        let mut bytes = 0_usize;
        for packet in packets {
            let frame = packet.encode(self.revision, self.b64);
            bytes = bytes.saturating_add(frame.len());
            self.outputs.push_back(Output::Send { socket, frame });
        }
        bytes
    }

    /// Gives up an upgrade: polling goes on without the WebSocket.
    pub(super) fn abandon_probe(&mut self) {
        match &mut self.state {
            SessionState::Probing(polling, _) => {
                self.state = SessionState::Polling(core::mem::take(polling));
                self.changed = true;
            }
            SessionState::Closing { probe, .. } => self.changed |= probe.take().is_some(),
            SessionState::Polling(_) | SessionState::WebSocket(_) | SessionState::Closed { .. } => {
            }
        }
    }

    /// Takes in that a WebSocket of the session was closed by its client or, if
    /// `broken`, by an error. If it carried the session, the session is over.
    pub fn handle_socket_gone(&mut self, socket: ConnId, broken: bool) {
        if self.socket() == Some(socket) {
            let reason = if broken {
                Reason::TransportError
            } else {
                Reason::TransportClose
            };
            self.end(reason, ServerPacket::Close);
        } else if self.has_socket(socket) {
            self.abandon_probe();
        }
    }

    /// Counts the bytes that are about to be sent. If the client has been sent too
    /// much without a sign of life, ends the session and returns `false`.
    ///
    /// A client of revision 4 is pinged when half of the bound is used up, so that
    /// only one that reads nothing reaches the bound. For revision 3, see
    /// [`Settings::allowance`](crate::engine::Settings::allowance).
    pub(super) fn account(&mut self, now: Timestamp, bytes: usize) -> bool {
        if self.is_strained() && self.revision == Revision::V4 {
            self.ping_unless_pending(now);
        }
        let SessionState::WebSocket(socket) = &mut self.state else {
            return false;
        };
        socket.handle_sent(bytes);
        if socket.unproven > self.settings.max_unproven {
            self.end(Reason::TransportError, ServerPacket::Close);
            return false;
        }
        true
    }

    /// Returns whether more than half of what may be sent without a sign of life has
    /// been sent.
    pub(super) fn is_strained(&self) -> bool {
        match &self.state {
            SessionState::WebSocket(socket) => socket.unproven > self.settings.max_unproven / 2,
            SessionState::Polling(_)
            | SessionState::Probing(..)
            | SessionState::Closing { .. }
            | SessionState::Closed { .. } => false,
        }
    }
}
