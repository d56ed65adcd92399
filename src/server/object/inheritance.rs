//! Handing over to the next instance, and taking up what the previous one has left.

use dormouse_proto::engine::{ConnId, RequestError};
use worker::Env;

use super::{Inner, endpoint_at};
use crate::api::app::app;
use crate::api::engine::Refusal;
use crate::http::Reply;
use crate::options::Added;
use crate::parts::{HandedOver, Handover, HandsOver, Kind, Listener as _, Phase, Row, run_outputs};
use crate::port::{locate, wire};

impl HandsOver for Inner {
    fn hand_over(&self, refused: Option<ConnId>) {
        self.calls.fail_all();
        self.parts.alarms.claim_running(self.again());
        let (Some(layer), Ok(undelivered)) = (self.layer(), self.undelivered.try_borrow()) else {
            return;
        };
        if self.parts.sessions.try_for_each(|_, _| ()).is_none() {
            return;
        }
        // The turn is over. What it has sent to others, or has closed, is not lost.
        for key in self.parts.turn.dirty() {
            run_outputs(&self.parts, key);
        }
        let mut sessions = Vec::new();
        let looked = self.parts.sessions.try_for_each(|key, entry| {
            // A row is true where it is there, but neither what this turn has changed is
            // in it nor the requests that wait.
            let is_in_row = entry.stored.row == Row::Session
                && entry.phase == Phase::Open
                && !entry.session.is_changed()
                && !entry.session.has_requests();
            let is_saved = entry.session.socket().is_some() || is_in_row;
            let is_nowhere_else =
                entry.stored.is_outdated || !is_saved || layer.must_be_handed_over(key);
            if entry.phase != Phase::Opening && is_nowhere_else {
                sessions.push(HandedOver {
                    key,
                    session: entry.session.snapshot(),
                    content: layer.content(key),
                    ended: match entry.phase {
                        Phase::Ended(reason) => Some(reason),
                        Phase::Opening | Phase::Open | Phase::Told => None,
                    },
                });
            }
        });
        if looked.is_none() {
            return;
        }
        // What waits for a handler came before what waits for its client's limits, and
        // that before what has not been looked at.
        let mut messages = layer.queued();
        let looked = self.parts.sessions.try_for_each(|key, entry| {
            let held = entry.intake.held().cloned();
            messages.extend(held.map(|message| (key, message)));
        });
        if looked.is_none() {
            return;
        }
        messages.extend(undelivered.iter().cloned());
        let handover = Handover {
            path: self.path(),
            sessions,
            messages,
            refused: refused.map(|conn| conn.0),
            marks: layer.marks(),
        };
        handover.write(&self.parts.state);
    }

    fn make_next(&self, env: &Env) {
        let mut idle = true;
        let looked = self.parts.sessions.try_for_each(|_, _| idle = false);
        let is_in_use = looked.is_none() || !idle || !self.parts.requests.all().is_empty();
        if !is_in_use {
            return;
        }
        let objects = locate::objects(&app().binding, env).ok();
        let object = objects.and_then(|objects| locate::by_id(&objects, &self.parts.id));
        if let Some(object) = object {
            wire::wake(&object, &self.path());
        }
    }
}

impl Inner {
    fn path(&self) -> String {
        let options = self.parts.options();
        options.map_or_else(String::new, |options| options.path.clone())
    }

    /// Takes up what the previous instance has left, if there was one. Returns
    /// `false` if this instance has done so already.
    pub(super) fn take_up(&self) -> bool {
        if self.awake.replace(true) {
            return false;
        }
        self.parts.websockets.close_rejected();
        let handover = Handover::take(&self.parts.state).unwrap_or_default();
        self.adopt(endpoint_at(&handover.path).as_ref());
        let refused = handover.refused.map(ConnId);
        if let Some(layer) = self.layer() {
            layer.inherit(&handover.marks);
        }
        self.parts.turn.run(|| {
            for session in &handover.sessions {
                if let Some((persistence, layer)) = self.persistence().zip(self.layer()) {
                    persistence.inherit(session);
                    layer.resume(session.key);
                }
            }
            for (conn, kind) in self.parts.requests.all() {
                self.take_up_request(conn, kind, refused);
            }
            for (key, _) in &handover.messages {
                self.parts.sessions.find(*key);
            }
            // All at once: the handler of one of them may panic again, and then the
            // others are handed over again.
            self.undelivered.borrow_mut().extend(handover.messages);
            self.deliver_rest();
        });
        self.handle_brought();
        true
    }

    fn take_up_request(&self, conn: ConnId, kind: Kind, refused: Option<ConnId>) {
        let requests = &self.parts.requests;
        if requests.was_being_answered(conn) {
            let reply = match kind {
                Kind::Handshake => Refusal::default().reply(),
                Kind::Upgrade | Kind::Poll | Kind::Post => {
                    Reply::refusal(RequestError::BadRequest, None)
                }
            };
            let added = Added::Nothing;
            return requests.answer(conn, Reply { added, ..reply });
        }
        match kind {
            Kind::Handshake if Some(conn) == refused => {
                requests.answer(conn, Refusal::default().reply());
            }
            Kind::Handshake => self.handle_request(conn),
            Kind::Post => requests.resume_body(conn),
            Kind::Upgrade => requests.refuse(conn, RequestError::BadRequest),
            Kind::Poll => {
                let key = requests.key(conn);
                let waits = key.and_then(|key| {
                    self.parts
                        .sessions
                        .with(key, |entry| entry.session.waiting_poll())
                });
                match key.filter(|_| waits.flatten() == Some(conn)) {
                    Some(key) => requests.watch(conn, key),
                    None => requests.refuse(conn, RequestError::BadRequest),
                }
            }
        }
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
