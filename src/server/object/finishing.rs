//! The end of a turn, for each session that it has changed.

use super::Inner;
use crate::parts::{Finish, Phase, run_outputs, weigh};
use crate::sid::Key;

/// The end of a turn.
impl Finish for Inner {
    fn finish(&self, key: Key) {
        let Some((layer, persistence)) = self.layer().zip(self.persistence()) else {
            return;
        };
        run_outputs(&self.parts, key);
        self.notify_closed(key);
        layer.finish(key);
        weigh(&self.parts, key, Some(layer.weigh(key)));
        persistence.save(key);
        self.parts.clock.arm(key, self.deadlines(key));
        let is_over = self.parts.sessions.with(key, |entry| entry.is_over());
        if is_over != Some(false) && !layer.is_busy(key) {
            self.parts.sessions.remove(key);
            layer.forget(key);
        }
    }
}

impl Inner {
    /// Tells the application that a session has ended, if it has, and everything
    /// before has been handled.
    fn notify_closed(&self, key: Key) {
        let Some(layer) = self.layer() else {
            return;
        };
        let ended = self.parts.sessions.with(key, |entry| match entry.phase {
            Phase::Ended(reason) => Some(reason),
            Phase::Opening | Phase::Open | Phase::Told => None,
        });
        let Some(reason) = ended.flatten().filter(|_| layer.is_ready_to_close(key)) else {
            return;
        };
        self.parts
            .sessions
            .with(key, |entry| entry.phase = Phase::Told);
        self.parts.tasks.end(key);
        // As one turn: the session must not be forgotten when its first handler
        // has returned.
        self.parts.turn.run(|| layer.handle_closed(key, reason));
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
