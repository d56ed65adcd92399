//! What comes in by HTTP and by WebSocket.

use std::mem;

use dormouse_proto::engine::{
    Body, ClientPacket, ConnId, Data, Frame, LATE_POLL, MAX_PACKETS, MAX_POSTS, Reason,
    RequestError, Revision, decode_payload,
};

use super::{Model, Phase, Probe, Received, Reply};

/// HTTP.
impl Model {
    pub(super) fn poll(&mut self, now: u64, request: ConnId) {
        self.next += 1;
        self.judge(now);
        match &mut self.phase {
            Phase::Polling(_) if self.get.is_some() => {
                self.answer(request, Reply::Refused(RequestError::BadRequest));
                self.end(Reason::TransportError, Received::Close);
            }
            Phase::Polling(probe) => {
                self.get = Some(request);
                if let Some(probe) = probe {
                    probe.held = Some(now + LATE_POLL.as_millis() as u64);
                }
            }
            Phase::WebSocket { late, .. } => match late {
                Some(until) if now < *until && self.overtaken.is_none() => {
                    self.overtaken = Some((request, *until));
                }
                _ => self.answer(request, Reply::Refused(RequestError::BadRequest)),
            },
            Phase::Closing { .. } => {
                let mut packets = self.take_waiting(MAX_PACKETS - 1);
                let is_last = self.waiting.is_empty();
                packets.extend(is_last.then_some(Received::Close));
                self.answer(request, Reply::Packets(packets));
                if is_last {
                    self.forget();
                }
            }
            Phase::Farewell { .. } => {
                self.answer(request, Reply::Packets(vec![Received::Noop]));
                self.forget();
            }
            Phase::Over => self.answer(request, Reply::Refused(RequestError::UnknownSid)),
        }
    }

    pub(super) fn poll_gone(&mut self, request: ConnId) {
        if self.overtaken.is_some_and(|(other, _)| other == request) {
            self.overtaken = None;
            self.answer(request, Reply::Refused(RequestError::BadRequest));
        }
        if self.get == Some(request) {
            self.end(Reason::TransportError, Received::Close);
        }
    }

    pub(super) fn begin_post(&mut self, now: u64, request: ConnId) -> bool {
        self.next += 1;
        self.judge(now);
        let refusal = match self.phase {
            Phase::Farewell { .. } | Phase::Over => RequestError::UnknownSid,
            Phase::WebSocket { .. } => RequestError::BadRequest,
            Phase::Polling(_) | Phase::Closing { .. } if self.posts.len() < MAX_POSTS => {
                self.posts.push(request);
                return self.posts.len() == 1;
            }
            Phase::Polling(_) | Phase::Closing { .. } => RequestError::BadRequest,
        };
        self.answer(request, Reply::Refused(refusal));
        if matches!(self.phase, Phase::Polling(_)) {
            self.end(Reason::TransportError, Received::Close);
        }
        false
    }

    /// Removes a `POST`, if its body was being read. Returns `false` if it was not.
    pub(super) fn finish_post(&mut self, request: ConnId) -> bool {
        let is_first = self.posts.first() == Some(&request);
        if is_first {
            self.posts.remove(0);
        }
        is_first
    }

    pub(super) fn read_next_post(&mut self) {
        self.expected.read = self.posts.first().copied();
    }

    pub(super) fn body(
        &mut self,
        now: u64,
        request: ConnId,
        body: &Body<'static>,
    ) -> Vec<Data<'static>> {
        let mut messages = Vec::new();
        let broken = if self.revision == Revision::V4 && matches!(body, Body::Binary(_)) {
            Some(Reason::TransportError)
        } else {
            decode_payload(self.revision, body).find_map(|packet| match packet {
                Ok(packet) => self.packet(now, packet, &mut messages).err(),
                Err(_) => Some(Reason::ParseError),
            })
        };
        match broken {
            None => self.answer(request, Reply::Received),
            Some(reason) => self.refuse_post(request, reason),
        }
        messages
    }

    pub(super) fn refuse_post(&mut self, request: ConnId, reason: Reason) {
        self.answer(request, Reply::Refused(RequestError::BadRequest));
        if self.is_alive() {
            self.end(reason, Received::Close);
        }
    }
}

/// WebSocket.
impl Model {
    pub(super) fn upgrade(&mut self, now: u64, conn: ConnId) -> Result<(), RequestError> {
        self.next += 1;
        self.judge(now);
        if !self.settings.allow_upgrades {
            return Err(RequestError::BadRequest);
        }
        match &mut self.phase {
            Phase::Polling(probe @ None) => {
                *probe = Some(Probe {
                    conn,
                    since: now,
                    answered: false,
                    held: None,
                });
            }
            Phase::Polling(Some(_)) | Phase::WebSocket { .. } => {
                self.expected.closed.push((conn, 1000));
            }
            Phase::Closing { .. } | Phase::Farewell { .. } | Phase::Over => {
                return Err(RequestError::UnknownSid);
            }
        }
        Ok(())
    }

    pub(super) fn frame(
        &mut self,
        now: u64,
        conn: ConnId,
        frame: &Frame<'static>,
    ) -> Vec<Data<'static>> {
        let mut messages = Vec::new();
        let packet = ClientPacket::decode(self.revision, frame.clone());
        if self.socket() == Some(conn) {
            if frame.len() > self.settings.max_payload {
                self.end_with(Reason::TransportError, Received::Close, 1009);
                return messages;
            }
            let result = packet
                .map_err(|_| Reason::ParseError)
                .and_then(|packet| self.packet(now, packet, &mut messages));
            if let Err(reason) = result {
                self.end(reason, Received::Close);
            }
            return messages;
        }
        let Some(answered) = self
            .probe()
            .filter(|it| it.conn == conn)
            .map(|it| it.answered)
        else {
            return messages;
        };
        match packet {
            Ok(ClientPacket::Ping(text)) if text == "probe" && !answered => {
                self.expected
                    .frames
                    .push((conn, Received::Pong("probe".to_owned())));
                if let Phase::Polling(Some(probe))
                | Phase::Closing {
                    probe: Some(probe), ..
                } = &mut self.phase
                {
                    probe.answered = true;
                }
            }
            Ok(ClientPacket::Upgrade) if answered => self.complete_upgrade(now),
            _ => {
                self.take_probe();
                self.expected.closed.push((conn, 1000));
            }
        }
        messages
    }

    pub(super) fn complete_upgrade(&mut self, now: u64) {
        let is_closing = matches!(self.phase, Phase::Closing { .. });
        let Some(Probe { conn, held, .. }) = self.take_probe() else {
            panic!("there is a probe");
        };
        let mut bytes = 0;
        for packet in mem::take(&mut self.waiting) {
            bytes += self.frame_len(&packet);
            self.expected.frames.push((conn, packet));
        }
        if is_closing {
            self.expected.closed.push((conn, 1000));
            return self.forget();
        }
        let until = now + LATE_POLL.as_millis() as u64;
        match (self.get.take(), held) {
            (Some(request), Some(_)) => self.overtaken = Some((request, until)),
            (Some(request), None) => self.answer(request, Reply::Packets(vec![Received::Noop])),
            (None, _) => {}
        }
        self.expected.upgraded = true;
        (self.unproven, self.since_ping) = (bytes, bytes);
        self.phase = Phase::WebSocket {
            conn,
            late: Some(until),
        };
    }

    pub(super) fn socket_gone(&mut self, conn: ConnId, broken: bool) {
        if self.socket() == Some(conn) {
            let reason = match broken {
                true => Reason::TransportError,
                false => Reason::TransportClose,
            };
            self.end(reason, Received::Close);
        } else if self.is_socket(conn) {
            self.take_probe();
        }
    }
}
