//! The end of a turn, for each session that it has changed.

use super::Inner;
use crate::api::app::app;
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
            self.parts.end_log(key);
            // Of a session that was not in memory, nobody knows whether it is over.
            if is_over == Some(true) {
                self.give_back();
            }
        }
    }

    fn end(&self) {
        if self.parts.state.meter().is_on()
            && let Some(layer) = self.layer()
        {
            layer.tell_of_usage();
        }
    }
}

impl Inner {
    /// Deletes what is stored in an object that nobody will ever come to again: its
    /// only session is over.
    ///
    /// Where others may come, the database stays. It costs as much in a month as two
    /// or three rows, and what is deleted has to be written again.
    pub(super) fn give_back(&self) {
        let parts = &self.parts;
        let options = parts.options();
        let is_for_once = options.is_some_and(|options| options.placement.is_for_once());
        if is_for_once && parts.sessions.is_empty() && parts.alarms.is_empty() {
            self.give_back_storage();
        }
    }

    fn give_back_storage(&self) {
        if self.parts.rows.give_back() {
            self.parts.clock.forget_alarm();
            self.parts.alarms.forget_all();
        }
    }

    /// The same where the alarm has found nothing, not even whose sessions there were:
    /// those of WebSockets that a deploy has closed. Where no server has objects for
    /// one session each, this is one for which others will come.
    pub(super) fn give_back_unknown(&self) {
        let app = app();
        let mut servers = app.endpoints.iter();
        let may_be_for_once = servers.any(|it| it.options.placement.is_for_once());
        if may_be_for_once && self.layer().is_none() {
            self.give_back_storage();
        }
    }

    /// Tells the application that a session has ended, if it has, and everything
    /// before has been handled.
    fn notify_closed(&self, key: Key) {
        let Some(layer) = self.layer() else {
            return;
        };
        let ended = self.parts.sessions.with(key, |entry| match entry.phase {
            Phase::Ended(reason) => {
                entry.intake.shut();
                Some(reason)
            }
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
