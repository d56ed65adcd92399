//! What time does, and how a session ends.

use std::mem;

use dormouse_proto::engine::{
    ConnId, FAREWELL, Flush, MAX_PACKETS, Reason, RequestError, Revision,
};

use super::{Model, Phase, Received, Reply};

/// Time.
impl Model {
    pub(super) fn interval(&self) -> u64 {
        self.settings.ping_interval.as_millis() as u64
    }

    pub(super) fn expiry(&self) -> u64 {
        let timeout = self.settings.ping_timeout.as_millis() as u64;
        let silent = self.heard + self.interval() + timeout;
        self.pinged
            .map_or(silent, |pinged| silent.min(pinged + timeout))
    }

    /// A request looks at the clock too, but knows nothing of a WebSocket's heartbeat.
    pub(super) fn judge(&mut self, now: u64) {
        if self.socket().is_none() {
            self.expire(now);
        }
    }

    pub(super) fn expire(&mut self, now: u64) {
        match self.phase {
            Phase::Polling(_) | Phase::WebSocket { .. } if now >= self.expiry() => {
                self.end(Reason::PingTimeout, Received::Close);
            }
            Phase::Closing { until, .. } | Phase::Farewell { until } if now >= until => {
                self.forget();
            }
            _ => {}
        }
    }

    pub(super) fn timeout(&mut self, now: u64) {
        self.expire(now);
        if let Some((request, _)) = self.overtaken.take_if(|(_, until)| now >= *until) {
            self.answer(request, Reply::Refused(RequestError::BadRequest));
        }
        let timeout = self.settings.upgrade_timeout.as_millis() as u64;
        if let Phase::Polling(Some(probe))
        | Phase::Closing {
            probe: Some(probe), ..
        } = &mut self.phase
        {
            probe.held.take_if(|until| now >= *until);
            if now >= probe.since + timeout {
                let conn = probe.conn;
                self.take_probe();
                self.expected.closed.push((conn, 1000));
            }
        }
        // Where many sessions share a pulse, a ping goes out when it is nearly due.
        let early = match self.settings.sleeps() {
            true => {
                let timeout = self.settings.ping_timeout.as_millis() as u64;
                self.interval() - timeout.min(self.interval()) / 4
            }
            false => 0,
        };
        if self.revision == Revision::V4 && now + early >= self.heard + self.interval() {
            self.ping(now);
        }
    }

    pub(super) fn ping(&mut self, now: u64) {
        if self.is_alive() && self.pinged.is_none() {
            self.pinged = Some(now);
            self.since_ping = 0;
            self.transmit(Received::Ping);
        }
    }

    pub(super) fn sign_of_life(&mut self, at: u64) {
        let is_news = match self.revision {
            Revision::V3 => at > self.heard,
            Revision::V4 => self.pinged.is_some_and(|pinged| at >= pinged),
        };
        if self.socket().is_some() && is_news {
            self.prove(at);
        }
    }
}

/// The end.
impl Model {
    pub(super) fn close(&mut self, now: u64, flush: Flush) {
        if flush == Flush::Nothing && matches!(self.phase, Phase::Polling(_)) {
            self.waiting.clear();
        }
        if matches!(self.phase, Phase::Polling(_)) && self.get.is_none() {
            let until = now + FAREWELL.as_millis() as u64;
            let probe = self.take_probe();
            self.phase = Phase::Closing { until, probe };
            self.conclude(Reason::ForcedClose);
        } else if self.is_alive() {
            self.end(Reason::ForcedClose, Received::Close);
        }
    }

    pub(super) fn end(&mut self, reason: Reason, last: Received) {
        self.end_with(reason, last, 1000);
    }

    pub(super) fn end_with(&mut self, reason: Reason, last: Received, code: u16) {
        if let Some(request) = self.get.take() {
            let mut packets = self.take_waiting(MAX_PACKETS - 1);
            packets.push(last);
            self.answer(request, Reply::Packets(packets));
        }
        match mem::replace(&mut self.phase, Phase::Over) {
            Phase::Polling(Some(probe)) => self.expected.closed.push((probe.conn, 1000)),
            Phase::WebSocket { conn, .. } => self.expected.closed.push((conn, code)),
            _ => {}
        }
        self.waiting.clear();
        self.conclude(reason);
    }

    pub(super) fn conclude(&mut self, reason: Reason) {
        if let Some((request, _)) = self.overtaken.take() {
            self.answer(request, Reply::Refused(RequestError::BadRequest));
        }
        for request in mem::take(&mut self.posts) {
            let reply = match reason {
                Reason::ForcedClose => Reply::Received,
                _ => Reply::Refused(RequestError::BadRequest),
            };
            self.answer(request, reply);
        }
        self.expected.over = Some(reason);
    }

    /// Nobody waits for the news any more.
    pub(super) fn forget(&mut self) {
        if let Some(probe) = self.take_probe() {
            self.expected.closed.push((probe.conn, 1000));
        }
        for request in mem::take(&mut self.posts) {
            self.answer(request, Reply::Received);
        }
        self.waiting.clear();
        self.phase = Phase::Over;
    }

    /// A `GET` that waits takes along what there is.
    pub(super) fn settle(&mut self) {
        let Phase::Polling(probe) = &self.phase else {
            return;
        };
        let drains = probe
            .as_ref()
            .is_some_and(|it| it.answered && it.held.is_none());
        if self.get.is_some() && (drains || !self.waiting.is_empty()) {
            let mut packets = self.take_waiting(MAX_PACKETS);
            if packets.is_empty() {
                packets.push(Received::Noop);
            }
            if let Some(request) = self.get.take() {
                self.answer(request, Reply::Packets(packets));
            }
        }
    }

    pub(super) fn take_waiting(&mut self, most: usize) -> Vec<Received> {
        let rest = self.waiting.split_off(most.min(self.waiting.len()));
        mem::replace(&mut self.waiting, rest)
    }

    pub(super) fn answer(&mut self, request: ConnId, reply: Reply) {
        self.expected.answers.insert(request, reply);
    }
}
