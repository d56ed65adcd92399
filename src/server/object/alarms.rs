//! The application's alarms: setting them, and what happens when they are due.

use dormouse_proto::Timestamp;

use super::Inner;
use crate::layer::Ringing;
use crate::log::Level;
use crate::parts::{Due, NotSet};
use crate::platform;
use crate::port::{AlarmChange, Called, PortError, Reply};

impl Inner {
    /// Sets or cancels an alarm. The answer waits until the platform's alarm is set, too.
    pub(super) fn change_alarm(&self, name: &str, change: AlarmChange) -> Called {
        let (alarms, clock) = (&self.parts.alarms, &self.parts.clock);
        let Some(options) = self.parts.options() else {
            return PortError::Gone.into();
        };
        let changed = match change {
            AlarmChange::Set { due, keeps } => alarms.set(&options.path, name, due, keeps),
            AlarmChange::Cancel => alarms.cancel(name),
        };
        match changed {
            Ok(()) => {}
            Err(NotSet::TooMany) => return PortError::TooManyAlarms.into(),
            Err(NotSet::Storage) => {
                let error = "the object's storage cannot be written".into();
                return PortError::Platform(error).into();
            }
        }
        self.arm_alarms();
        if clock.is_settled() {
            return Reply::Done.into();
        }
        let state = self.parts.state.clone();
        Called::Later(Box::pin(async move {
            // The clock has asked the same before, and is answered first.
            let _ = state.alarm().await;
            Ok(Reply::Done)
        }))
    }

    fn arm_alarms(&self) {
        if let Some(next) = self.parts.alarms.next() {
            self.parts.clock.arm_for_application(next);
        }
    }

    /// Calls the handlers of the alarms that are due. Whatever is set meanwhile is armed
    /// afterwards.
    pub(super) fn ring(&self) {
        let now = platform::now();
        self.parts.alarms.extend_claims(now, self.again());
        for alarm in self.parts.alarms.due(now) {
            if alarm.is_given_up {
                self.forget_alarm(&alarm.name, Level::Error, "alarm given up", GIVEN_UP);
                continue;
            }
            if !self.parts.alarms.begin(&alarm) {
                continue;
            }
            if self.parts.turn.run(|| self.call_handler(&alarm)) {
                // If it has not returned, it may be lost while it waits.
                self.parts.alarms.claim_running(self.again());
            } else {
                self.forget_alarm(&alarm.name, Level::Warn, "alarm forgotten", FORGOTTEN);
            }
        }
    }

    /// Calls the handler of an alarm. Returns `false` if there is none.
    fn call_handler(&self, alarm: &Due) -> bool {
        let Some(layer) = self.layer() else {
            return false;
        };
        let (me, finished) = (self.me.clone(), alarm.name.clone());
        layer.ring(Ringing {
            name: alarm.name.clone(),
            due: alarm.at,
            finish: Box::new(move || {
                if let Some(me) = me.upgrade() {
                    me.parts.alarms.finish(&finished, me.again());
                    me.arm_alarms();
                    me.give_back();
                }
            }),
        })
    }

    /// Returns when the handler of an alarm is called again, if it does not get to its
    /// end.
    pub(super) fn again(&self) -> Timestamp {
        let limit = self.parts.options().map(|options| options.task_limit);
        platform::now() + limit.unwrap_or_default()
    }

    fn forget_alarm(&self, name: &str, level: Level, event: &'static str, message: &str) {
        // If it cannot be deleted, that is said once more.
        let _ = self.parts.alarms.cancel(name);
        let fields = [("alarm", name), ("message", message)];
        self.parts.log_for_all(level, event, &fields);
    }
}

const GIVEN_UP: &str =
    "its handler was cut off whenever it was called, by a panic, a crash or a deploy";

const FORGOTTEN: &str = "the server has no handler for it: register one with `on_alarm`, or cancel \
                         it before the handler goes";
