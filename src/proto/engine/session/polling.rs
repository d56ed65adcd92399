//! HTTP long-polling: at most one `GET` waits for packets, and `POST`s bring some,
//! one after the other.
//!
//! Specification: revision 4, "HTTP long-polling", "Sending and receiving data".

use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use serde::{Deserialize, Serialize};

use super::{
    Answer, ClientPacket, ConnId, Data, Format, Output, Reason, RequestError, Revision,
    ServerPacket, Session, SessionState, Violation,
};
use crate::Timestamp;
use crate::engine::{Body, LATE_POLL, MAX_PACKETS, MAX_PAYLOAD_PACKETS, MAX_POSTS, decode_payload};

/// The assumed cost of a buffered packet besides its content, so that empty messages
/// count too.
const PACKET_COST: usize = 32;

/// The reason that a `POST` has no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It is longer than [`Settings::max_payload`](super::Settings::max_payload). The
    /// client is told so, and its session goes on.
    TooLarge,
    /// It is no text, although it should be: the session ends as with any malformed
    /// packet.
    Malformed,
    /// It broke off: the client is gone.
    Gone,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Polling {
    pub(super) poll: Poll,
    pub(super) outbox: Outbox,
}

impl Polling {
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.poll, Poll::Idle)
    }
}

/// The poll of a session: is a `GET` waiting?
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) enum Poll {
    #[default]
    Idle,
    Waiting(ConnId, Format),
}

/// Packets that wait for a `GET`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Outbox {
    packets: Vec<Buffered>,
    bytes: usize,
    /// The number of packets, from the first on, that are in the last snapshot.
    #[serde(skip)]
    saved: usize,
}

/// A packet that may have to wait. Others are never kept.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Buffered {
    Ping,
    Pong(String),
    Message(Data<'static>),
}

impl Buffered {
    fn len(&self) -> usize {
        match self {
            Self::Ping => 0,
            Self::Pong(text) => text.len(),
            Self::Message(data) => data.len(),
        }
    }

    pub(super) fn into_packet(self) -> ServerPacket<'static> {
        match self {
            Self::Ping => ServerPacket::Ping,
            Self::Pong(text) => ServerPacket::Pong(text.into()),
            Self::Message(data) => ServerPacket::Message(data),
        }
    }
}

impl Outbox {
    pub(super) fn push(&mut self, packet: Buffered) {
        let bytes = packet.len().saturating_add(PACKET_COST);
        self.bytes = self.bytes.saturating_add(bytes);
        self.packets.push(packet);
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns whether there are packets that are not in the last snapshot. From now
    /// on they count as saved.
    pub(super) fn take_changed(&mut self) -> bool {
        let saved = mem::replace(&mut self.saved, self.packets.len());
        saved < self.packets.len()
    }

    /// Returns whether there are packets that are not in the last snapshot.
    pub(super) fn is_changed(&self) -> bool {
        self.saved < self.packets.len()
    }

    /// Returns whether any of the packets are in the last snapshot.
    pub(super) fn is_saved(&self) -> bool {
        self.saved > 0
    }

    /// Takes the first packets, in order, and at most `room` of them.
    pub(super) fn take_some(&mut self, room: usize) -> Vec<ServerPacket<'static>> {
        let rest = self.packets.split_off(room.min(self.packets.len()));
        let saved = self.saved.saturating_sub(self.packets.len());
        let some = self.take();
        rest.into_iter().for_each(|packet| self.push(packet));
        self.saved = saved;
        some
    }

    /// Returns the number of packets that wait.
    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    /// Takes all packets, in order.
    pub(super) fn take(&mut self) -> Vec<ServerPacket<'static>> {
        mem::take(self)
            .packets
            .into_iter()
            .map(Buffered::into_packet)
            .collect()
    }
}

/// Inputs over HTTP.
impl Session {
    /// Takes in a `GET` of this session. It is answered now or later, by an
    /// [`Output::Answer`].
    ///
    /// Two at a time are an error: the second is refused, and the first is told that
    /// the session is closed.
    ///
    /// Specification: revision 4, "Receiving data".
    pub fn handle_poll(&mut self, now: Timestamp, request: ConnId, format: Format) {
        self.judge(now);
        match &mut self.state {
            SessionState::Polling(Polling { poll, .. })
            | SessionState::Probing(Polling { poll, .. }, _)
                if matches!(poll, Poll::Waiting(..)) =>
            {
                self.refuse(request, RequestError::BadRequest);
                self.end(Reason::TransportError, ServerPacket::Close);
            }
            SessionState::Polling(polling) => polling.poll = Poll::Waiting(request, format),
            SessionState::Probing(polling, probe) => {
                polling.poll = Poll::Waiting(request, format);
                probe.late_poll = Some(now + LATE_POLL);
            }
            SessionState::WebSocket(socket) => match socket.late_poll {
                Some(until) if now < until && self.overtaken.is_none() => {
                    self.overtaken = Some((request, until));
                }
                Some(_) | None => self.refuse(request, RequestError::BadRequest),
            },
            SessionState::Closing { outbox, .. } => {
                let mut packets = outbox.take_some(MAX_PACKETS - 1);
                let is_last = outbox.len() == 0;
                if is_last {
                    packets.push(ServerPacket::Close);
                }
                self.changed = true;
                self.answer_packets(request, format, &packets);
                if is_last {
                    self.forget();
                }
            }
            SessionState::Closed { farewell: Some(_) } => {
                self.forget();
                self.answer_packets(request, format, &[ServerPacket::Noop]);
            }
            SessionState::Closed { farewell: None } => {
                self.refuse(request, RequestError::UnknownSid)
            }
        }
    }

    /// Ends the session of a client that has dropped its waiting `GET`.
    pub fn handle_poll_gone(&mut self, request: ConnId) {
        if self
            .overtaken
            .take_if(|(other, _)| *other == request)
            .is_some()
        {
            self.refuse(request, RequestError::BadRequest);
        }
        if let SessionState::Polling(polling) | SessionState::Probing(polling, _) = &self.state
            && matches!(polling.poll, Poll::Waiting(waiting, _) if waiting == request)
        {
            self.end(Reason::TransportError, ServerPacket::Close);
        }
    }

    /// Takes in the head of a `POST` of this session. If this returns `true`, the
    /// body is to be read and passed to [`handle_body`](Self::handle_body). Otherwise
    /// the request has been answered, or waits for the previous one: then an
    /// [`Output::ReadBody`] asks for its body.
    ///
    /// More than [`MAX_POSTS`] at a time are an error: the last is refused, and the
    /// session ends.
    ///
    /// Specification: revision 4, "Sending data".
    #[must_use = "says whether the body is to be read"]
    pub fn handle_post(&mut self, now: Timestamp, request: ConnId) -> bool {
        self.judge(now);
        match &self.state {
            SessionState::Closed { .. } => self.refuse(request, RequestError::UnknownSid),
            SessionState::WebSocket(_) => self.refuse(request, RequestError::BadRequest),
            SessionState::Polling(_) | SessionState::Probing(..) | SessionState::Closing { .. } => {
                if self.posts.len() < MAX_POSTS {
                    self.posts.push_back(request);
                    return self.posts.len() == 1;
                }
                self.refuse(request, RequestError::BadRequest);
                self.end(Reason::TransportError, ServerPacket::Close);
            }
        }
        false
    }

    /// Takes in the body of the `POST`, or why there is none. Returns the
    /// application's messages, in order; those before a malformed packet count, but
    /// of more than [`MAX_PAYLOAD_PACKETS`] none does.
    ///
    /// A body is [`Body::Binary`] if it came as `application/octet-stream`, which
    /// only revision 3 may use.
    pub fn handle_body<'a>(
        &mut self,
        now: Timestamp,
        request: ConnId,
        body: Result<&'a Body<'_>, BodyError>,
    ) -> Vec<Data<'a>> {
        let mut messages = Vec::new();
        if self.posts.front() != Some(&request) {
            return messages;
        }
        self.posts.pop_front();
        let result = match body {
            Ok(body) => self
                .handle_packets(now, body, &mut messages)
                .map(|()| Answer::Received),
            Err(BodyError::TooLarge) => Ok(Answer::TooLarge),
            Err(BodyError::Malformed) => Err(Violation(Reason::ParseError)),
            Err(BodyError::Gone) => Err(Violation(Reason::TransportError)),
        };
        match result {
            Ok(answer) => self.answer(request, answer),
            Err(Violation(reason)) => {
                self.refuse(request, RequestError::BadRequest);
                self.end(reason, ServerPacket::Close);
            }
        }
        self.read_next_post();
        messages
    }

    fn handle_packets<'a>(
        &mut self,
        now: Timestamp,
        body: &'a Body<'_>,
        messages: &mut Vec<Data<'a>>,
    ) -> Result<(), Violation> {
        if self.revision == Revision::V4 && matches!(body, Body::Binary(_)) {
            return Err(Violation(Reason::TransportError));
        }
        let packets = decode_payload(self.revision, body).take(MAX_PAYLOAD_PACKETS + 1);
        let packets: Vec<_> = packets.collect();
        if packets.len() > MAX_PAYLOAD_PACKETS {
            return Err(Violation(Reason::Overrun));
        }
        for packet in packets {
            let packet: ClientPacket<'a> = packet.map_err(|_| Violation(Reason::ParseError))?;
            messages.extend(self.handle_packet(now, packet)?);
        }
        Ok(())
    }

    pub(super) fn read_next_post(&mut self) {
        if let Some(request) = self.posts.front().copied() {
            self.outputs.push_back(Output::ReadBody { request });
        }
    }
}
