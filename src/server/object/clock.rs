//! When the object is to be woken: by an alarm, which lets it sleep until then,
//! or by a timer, which does not.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{Cause, Deadline, SLEEP_AFTER};
use wasm_bindgen_futures::spawn_local;

use super::Shell;
use crate::platform::{self, Timer};

#[derive(Default)]
pub(super) struct Clock {
    alarm: Cell<Alarm>,
    timer: RefCell<Option<(Timestamp, Timer)>>,
    saving: RefCell<Option<Timer>>,
}

/// What is known of the object's alarm. It outlives the object's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Alarm {
    #[default]
    Unknown,
    /// Somebody is asking the platform. The earliest moment that is wanted.
    Asking(Timestamp),
    None,
    At(Timestamp),
}

impl Clock {
    pub(super) fn handle_alarm(&self) {
        self.alarm.set(Alarm::None);
    }

    /// Wakes the object at this deadline, or before.
    pub(super) fn arm(&self, shell: &Shell, deadline: Deadline) {
        let sleeps = shell
            .engine()
            .is_some_and(|engine| engine.options.settings.sleeps());
        let soon =
            deadline.cause == Cause::Upgrade && deadline.at.since(platform::now()) <= SLEEP_AFTER;
        if !sleeps || soon {
            self.arm_timer(shell, deadline.at);
        } else {
            self.arm_alarm(shell, deadline.at);
        }
    }

    /// Wakes the object at its next deadline, after all of them were looked at:
    /// where heartbeats are batched, not before another ping interval has passed.
    pub(super) fn rearm(&self, shell: &Shell, first: Deadline) {
        let Some(engine) = shell.engine() else {
            return;
        };
        let settings = engine.options.settings;
        if settings.sleeps() && first.cause != Cause::Upgrade {
            let pulse = platform::now() + settings.ping_interval;
            self.arm_alarm(shell, first.at.max(pulse));
        } else {
            self.arm(shell, first);
        }
    }

    fn arm_timer(&self, shell: &Shell, at: Timestamp) {
        let mut timer = self.timer.borrow_mut();
        if timer.as_ref().is_some_and(|(set, _)| *set <= at) {
            return;
        }
        let me = shell.me.clone();
        let after = at.since(platform::now());
        let callback = move || {
            if let Some(shell) = me.upgrade() {
                shell.clock.handle_timer();
                shell.handle_timeouts();
            }
        };
        *timer = Some((at, Timer::new(after, callback)));
    }

    fn handle_timer(&self) {
        if let Some((_, timer)) = self.timer.take() {
            timer.finish();
        }
    }

    fn arm_alarm(&self, shell: &Shell, at: Timestamp) {
        match self.alarm.get() {
            Alarm::At(set) if set <= at => {}
            Alarm::At(_) | Alarm::None => {
                self.alarm.set(Alarm::At(at));
                shell.state.set_alarm(at);
            }
            Alarm::Asking(wanted) => self.alarm.set(Alarm::Asking(wanted.min(at))),
            Alarm::Unknown => {
                self.alarm.set(Alarm::Asking(at));
                let me = shell.me.clone();
                spawn_local(async move {
                    if let Some(shell) = me.upgrade() {
                        ask(shell).await;
                    }
                });
            }
        }
    }

    /// Saves what is unsaved, a moment from now.
    pub(super) fn save_soon(&self, shell: &Shell, after: Duration) {
        let mut saving = self.saving.borrow_mut();
        if saving.is_some() {
            return;
        }
        let me = shell.me.clone();
        *saving = Some(Timer::new(after, move || {
            if let Some(shell) = me.upgrade() {
                if let Some(timer) = shell.clock.saving.take() {
                    timer.finish();
                }
                shell.save_all();
            }
        }));
    }
}

/// Asks the platform for the alarm, and sets it if what is wanted is earlier.
async fn ask(shell: Rc<Shell>) {
    let set = shell.state.alarm().await;
    let Alarm::Asking(wanted) = shell.clock.alarm.get() else {
        return;
    };
    shell.clock.alarm.set(set.map_or(Alarm::None, Alarm::At));
    shell.clock.arm_alarm(&shell, wanted);
}
