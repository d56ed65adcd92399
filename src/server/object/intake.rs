//! The way of messages from sessions to the layer, past the limits of their clients.

use dormouse_proto::engine::{Data, Reason};
use dormouse_proto::rate::{Excess, Taken};

use super::Inner;
use crate::api::engine::Message;
use crate::layer::Layer;
use crate::log::Level;
use crate::options::{OnOverrun, Overrun};
use crate::parts::{self, Job, charge, expel, expel_with, guarded, hold};
use crate::sid::Key;

impl Inner {
    /// Delivers the messages of one payload, one after the other. If a handler panics,
    /// those behind its own are handed over.
    pub(super) fn deliver(&self, key: Key, messages: Vec<Message>) {
        let messages = messages.into_iter().map(|message| (key, message));
        self.undelivered.borrow_mut().extend(messages);
        self.deliver_rest();
    }

    /// Delivers the messages that have not been delivered yet.
    pub(super) fn deliver_rest(&self) {
        if self.layer().is_none() {
            return;
        }
        loop {
            let next = self.undelivered.borrow_mut().pop_front();
            let Some((key, message)) = next else {
                return;
            };
            self.take_in(key, message);
            self.parts.turn.mark_dirty(key);
        }
    }

    /// Passes a message on, or does with it what becomes of one beyond a limit. One of
    /// a session that has ended is ignored.
    pub(super) fn take_in(&self, key: Key, data: Data<'_>) {
        let Some(layer) = self.layer() else {
            return;
        };
        let class = layer.classify(key, &data);
        match parts::take(&self.parts, key, data, class) {
            Some(Taken::Now(data)) => layer.handle_message(key, data),
            Some(Taken::Exceeds(data, excess)) => self.handle_excess(layer, key, data, excess),
            Some(Taken::Full) => expel(&self.parts, key, Reason::Overrun),
            Some(Taken::Waits | Taken::Ignored) | None => {}
        }
    }

    /// Counts packets without a message. The session has handled them, so that the
    /// application can only end it.
    pub(super) fn take_others(&self, key: Key, packets: usize, bytes: usize) {
        if packets > 0
            && let Some(excess) = charge(&self.parts, key, packets, bytes)
            && let Some(layer) = self.layer()
        {
            self.decide(layer, key, excess);
        }
    }

    /// Passes on what has waited long enough.
    pub(super) fn release(&self, key: Key) {
        let Some(layer) = self.layer() else {
            return;
        };
        while let Some(data) = parts::release(&self.parts, key, |data| layer.classify(key, data)) {
            layer.handle_message(key, data);
        }
    }

    fn handle_excess(&self, layer: &dyn Layer, key: Key, data: Data<'_>, excess: Excess) {
        match self.decide(layer, key, excess) {
            OnOverrun::Drop => layer.drop_message(key, data),
            OnOverrun::Delay => {
                if !hold(&self.parts, key, data.into_owned(), excess) {
                    expel(&self.parts, key, Reason::Overrun);
                }
            }
            OnOverrun::Close => {}
        }
    }

    /// Asks the application what becomes of a message, and logs it. If its session is
    /// to end, it ends.
    fn decide(&self, layer: &dyn Layer, key: Key, excess: Excess) -> OnOverrun {
        let parts = &self.parts;
        let hook = parts.options().map(|options| &options.on_overrun.0);
        let decision = match hook.and_then(Option::as_ref).zip(parts.sid(key)) {
            Some((decide, sid)) => {
                let session = parts.sessions.with(key, |entry| entry.session.network());
                let overrun = Overrun {
                    sid,
                    excess,
                    network: session.flatten(),
                    handshake: layer.handshake(key),
                };
                guarded(parts, Job::new(key, "overrun"), || decide(&overrun))
            }
            None => OnOverrun::Close,
        };
        let limit = ("limit", excess.limit.as_str());
        let scope = ("scope", excess.scope.as_str());
        match decision {
            OnOverrun::Close => expel_with(parts, key, Reason::Overrun, &[limit, scope]),
            OnOverrun::Drop | OnOverrun::Delay => {
                let fields = [limit, scope, ("decision", decision.as_str())];
                parts.log(Level::Warn, "rate limited", key, &fields);
            }
        }
        decision
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
