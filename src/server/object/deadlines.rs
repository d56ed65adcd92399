//! The times at which sessions have to be checked, and checking them.

use dormouse_proto::engine::{Cause, Deadline, SLEEP_AFTER};

use super::Inner;
use crate::layer::Layer;
use crate::parts::{Alarmed, Clock, tell_sign_of_life};
use crate::sid::Key;

impl Inner {
    /// Returns when a session has to be checked again, and why: the session's own
    /// deadline, and that of the layer above. The clock treats them differently, so
    /// the later one is not hidden by the other.
    pub(super) fn deadlines(&self, key: Key) -> [Option<Deadline>; 2] {
        let above = self.layer().and_then(|layer| layer.next_deadline(key));
        let deadlines = self.parts.sessions.with(key, |entry| {
            let above = above.filter(|_| entry.session.transport().is_some());
            let above = above.map(|at| Deadline {
                at,
                cause: Cause::Application,
            });
            // What waits would be lost in sleep, and an alarm may be late.
            let release = entry.intake.next_release().map(|at| Deadline {
                at: at.min(self.parts.turn.now() + SLEEP_AFTER / 2),
                cause: Cause::Application,
            });
            let above = above.into_iter().chain(release).min();
            [entry.session.next_deadline(), above]
        });
        deadlines.unwrap_or_default()
    }

    /// Checks every session in memory: those that have timed out end, and those that
    /// are due are pinged. The alarm is not set until [`Inner::rearm`].
    pub(super) fn check_all(&self) {
        self.parts.clock.hold();
        for key in self.parts.sessions.keys() {
            self.handle_timeout(key);
        }
    }

    /// Sets the clock for everything in memory.
    pub(super) fn rearm(&self) {
        let clock = &self.parts.clock;
        let keys = self.parts.sessions.keys().into_iter();
        let deadlines = keys.flat_map(|key| self.deadlines(key)).flatten();
        // What has a timer of its own does not need the alarm.
        let first = deadlines.filter(|deadline| !clock.is_soon(deadline)).min();
        clock.rearm(first.map(|deadline| deadline.at), self.parts.alarms.next());
        if let Some(at) = self.layer().and_then(Layer::handle_alarm) {
            self.parts.clock.arm_at(at);
        }
    }
}

impl Alarmed for Inner {
    fn handle_timeouts(&self) {
        self.check_all();
        self.rearm();
    }

    fn handle_timeout(&self, key: Key) {
        self.parts.turn.run(|| {
            tell_sign_of_life(&self.parts, key);
            let now = self.parts.turn.now();
            self.parts
                .sessions
                .with(key, |entry| entry.session.handle_timeout(now));
            if let Some(layer) = self.layer() {
                layer.handle_timeout(key);
            }
            self.release(key);
            self.parts.turn.mark_dirty(key);
        });
    }

    fn save_all(&self) {
        if let Some(persistence) = self.persistence() {
            persistence.save_all();
        }
    }

    fn clock(&self) -> &Clock {
        &self.parts.clock
    }
}
