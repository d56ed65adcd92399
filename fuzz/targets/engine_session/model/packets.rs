//! What packets do, whichever way they come and go.

use dormouse_proto::engine::{ClientPacket, Data, FAREWELL, Reason, Revision};

use super::{Model, PACKET_COST, Phase, Received};

/// Packets.
impl Model {
    pub(super) fn packet(
        &mut self,
        now: u64,
        packet: ClientPacket<'_>,
        messages: &mut Vec<Data<'static>>,
    ) -> Result<(), Reason> {
        if !self.is_alive() {
            return Ok(());
        }
        if self.revision == Revision::V3 {
            self.prove(now);
        }
        match (packet, self.revision) {
            (ClientPacket::Message(data), _) => messages.push(data.into_owned()),
            (ClientPacket::Ping(text), Revision::V3) => {
                let pong = Received::Pong(text.into_owned());
                if self.socket().is_none() || self.account(&pong) {
                    self.transmit(pong);
                }
            }
            (ClientPacket::Pong(_), Revision::V4) => self.prove(now),
            (ClientPacket::Ping(_), Revision::V4) | (ClientPacket::Pong(_), Revision::V3) => {
                return Err(Reason::TransportError);
            }
            (ClientPacket::Close, _) => {
                let may_poll = matches!(self.phase, Phase::Polling(_)) && self.get.is_none();
                self.end(Reason::TransportClose, Received::Noop);
                if may_poll {
                    let until = now + FAREWELL.as_millis() as u64;
                    self.phase = Phase::Farewell { until };
                }
            }
            (ClientPacket::Upgrade | ClientPacket::Noop, _) => {}
        }
        Ok(())
    }

    pub(super) fn prove(&mut self, at: u64) {
        self.unproven = match self.revision {
            Revision::V3 => {
                let elapsed = at.saturating_sub(self.heard).min(self.interval());
                let room = self.settings.max_unproven as u64 * elapsed / self.interval();
                self.unproven.saturating_sub(room as usize)
            }
            Revision::V4 => self.since_ping,
        };
        self.heard = at;
        self.pinged = None;
    }

    pub(super) fn send(&mut self, now: u64, data: &Data<'static>) {
        let packet = Received::Message(data.clone());
        if self.socket().is_none() {
            return self.transmit(packet);
        }
        if self.unproven > self.settings.max_unproven / 2 && self.revision == Revision::V4 {
            self.ping(now);
        }
        if self.account(&packet) {
            self.transmit(packet);
        }
    }

    /// What is sent over WebSocket is counted, until it is too much.
    fn account(&mut self, packet: &Received) -> bool {
        let bytes = self.frame_len(packet);
        self.unproven += bytes;
        self.since_ping += bytes;
        let fits = self.unproven <= self.settings.max_unproven;
        if !fits {
            self.end(Reason::TransportError, Received::Close);
        }
        fits
    }

    /// By whichever transport there is.
    pub(super) fn transmit(&mut self, packet: Received) {
        match self.phase {
            Phase::Polling(_) => {
                self.waiting.push(packet);
                if self.buffered() > self.settings.max_buffered {
                    self.waiting.clear();
                    self.end(Reason::TransportError, Received::Close);
                }
            }
            Phase::WebSocket { conn, .. } => self.expected.frames.push((conn, packet)),
            Phase::Closing { .. } | Phase::Farewell { .. } | Phase::Over => {}
        }
    }

    pub(super) fn buffered(&self) -> usize {
        let content = |packet: &Received| match packet {
            Received::Pong(text) => text.len(),
            Received::Message(data) => data.len(),
            Received::Open | Received::Close | Received::Ping | Received::Noop => 0,
        };
        self.waiting
            .iter()
            .map(|it| content(it) + PACKET_COST)
            .sum()
    }

    pub(super) fn frame_len(&self, packet: &Received) -> usize {
        match packet {
            Received::Pong(text) => 1 + text.len(),
            Received::Message(Data::Text(text)) => 1 + text.len(),
            Received::Message(Data::Binary(bytes)) => match (self.b64, self.revision) {
                (true, Revision::V3) => 2 + bytes.len().div_ceil(3) * 4,
                (true, Revision::V4) => 1 + bytes.len().div_ceil(3) * 4,
                (false, Revision::V3) => 1 + bytes.len(),
                (false, Revision::V4) => bytes.len(),
            },
            Received::Open | Received::Close | Received::Ping | Received::Noop => 1,
        }
    }
}
