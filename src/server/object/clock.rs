//! When the object is to be woken: by an alarm, which lets it sleep until then,
//! or by a timer, which does not.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{Cause, Deadline, SLEEP_AFTER};

use super::Shell;
use crate::platform::{self, Timer};
use crate::sid::Key;

#[derive(Default)]
pub(super) struct Clock {
    alarm: Cell<Alarm>,
    /// All sessions are being looked at, and [`Clock::rearm`] will have the word.
    held: Cell<bool>,
    /// For objects that never sleep: the first deadline of all.
    timer: RefCell<Option<(Timestamp, Timer)>>,
    /// Deadlines that an alarm would be too coarse for, in objects that sleep.
    soon: RefCell<Vec<(Key, Timestamp)>>,
    /// For the first of them.
    soon_timer: RefCell<Option<(Timestamp, Timer)>>,
    saving: RefCell<Option<Timer>>,
}

/// What is known of the object's alarm. It outlives the object's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Alarm {
    #[default]
    Unknown,
    /// Somebody is asking the platform.
    Asking(Wanted),
    None,
    At(Timestamp),
}

/// The alarm that is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wanted {
    /// When it is to go off, if it has to be set.
    at: Timestamp,
    /// One that is set already will do, if it goes off by then.
    latest: Timestamp,
}

impl Wanted {
    fn exactly(at: Timestamp) -> Self {
        Self { at, latest: at }
    }

    /// Heartbeats wait for the pulse that is to come anyway. Otherwise a session
    /// that is out of step, because it polls or was pinged for itself, would have
    /// a row written, and have everybody looked at by its own time.
    fn for_session(shell: &Shell, deadline: Deadline) -> Self {
        let Deadline { at, cause } = deadline;
        let endpoint = shell.endpoint();
        let latest = match cause {
            Cause::Heartbeat => endpoint.map_or(at, |endpoint| {
                at.max(platform::now() + endpoint.options.settings.ping_interval)
            }),
            Cause::Upgrade | Cause::Farewell | Cause::Application => at,
        };
        Self { at, latest }
    }

    fn and(self, other: Self) -> Self {
        Self {
            at: self.at.min(other.at),
            latest: self.latest.min(other.latest),
        }
    }
}

impl Clock {
    pub(super) fn handle_alarm(&self) {
        self.alarm.set(Alarm::None);
    }

    /// Lets no single session set the alarm until [`Clock::rearm`].
    pub(super) fn hold(&self) {
        self.held.set(true);
    }

    /// Sees that a session is looked at again at its deadline, or before.
    pub(super) fn arm(&self, shell: &Shell, key: Key, deadline: Option<Deadline>) {
        if !shell.sleeps() {
            if let Some(deadline) = deadline {
                arm_timer(shell, Which::All, deadline.at);
            }
            return;
        }
        let soon = deadline.filter(|deadline| {
            let is_short = match deadline.cause {
                Cause::Upgrade | Cause::Application => true,
                Cause::Heartbeat | Cause::Farewell => false,
            };
            is_short && deadline.at.since(platform::now()) <= SLEEP_AFTER
        });
        match (soon, deadline) {
            (Some(soon), _) => {
                self.forget_soon(key);
                self.soon.borrow_mut().push((key, soon.at));
            }
            (None, Some(deadline)) => {
                self.forget_soon(key);
                if !self.held.get() {
                    self.arm_alarm(shell, Wanted::for_session(shell, deadline));
                }
            }
            (None, None) => {
                self.forget_soon(key);
            }
        }
        self.arm_soon(shell);
    }

    fn forget_soon(&self, key: Key) {
        self.soon.borrow_mut().retain(|(other, _)| *other != key);
    }

    /// Keeps a timer for as long as it is needed, and no longer: it keeps the
    /// object awake.
    fn arm_soon(&self, shell: &Shell) {
        match self.soon.borrow().iter().map(|(_, at)| *at).min() {
            Some(first) => arm_timer(shell, Which::Due, first),
            None => drop(self.soon_timer.take()),
        }
    }

    /// Wakes the object at its next deadline, after all of them were looked at:
    /// where heartbeats are batched, not before another ping interval has passed.
    pub(super) fn rearm(&self, shell: &Shell, first: Option<Timestamp>) {
        self.held.set(false);
        let Some((endpoint, first)) = shell.endpoint().zip(first) else {
            return;
        };
        if shell.sleeps() {
            let pulse = platform::now() + endpoint.options.settings.ping_interval;
            self.arm_alarm(shell, Wanted::exactly(first.max(pulse)));
        } else {
            arm_timer(shell, Which::All, first);
        }
    }

    /// Wakes the object at a moment that has to do with no session in particular.
    pub(super) fn arm_at(&self, shell: &Shell, at: Timestamp) {
        if shell.sleeps() {
            self.arm_alarm(shell, Wanted::exactly(at));
        } else {
            arm_timer(shell, Which::All, at);
        }
    }

    /// The sessions whose deadlines have come that an alarm is too coarse for.
    fn due(&self) -> Vec<Key> {
        let now = platform::now();
        let soon = self.soon.borrow();
        let due = soon.iter().filter(|(_, at)| *at <= now);
        due.map(|(key, _)| *key).collect()
    }

    fn arm_alarm(&self, shell: &Shell, wanted: Wanted) {
        match self.alarm.get() {
            Alarm::At(set) if set <= wanted.latest => {}
            Alarm::At(_) | Alarm::None => {
                self.alarm.set(Alarm::At(wanted.at));
                shell.state.set_alarm(wanted.at);
            }
            Alarm::Asking(others) => self.alarm.set(Alarm::Asking(others.and(wanted))),
            Alarm::Unknown => {
                self.alarm.set(Alarm::Asking(wanted));
                let me = shell.me.clone();
                platform::spawn(Box::pin(async move {
                    if let Some(shell) = me.upgrade() {
                        ask(shell).await;
                    }
                }));
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

/// Which sessions a timer is for.
#[derive(Clone, Copy)]
enum Which {
    All,
    Due,
}

impl Clock {
    fn timer_for(&self, which: Which) -> &RefCell<Option<(Timestamp, Timer)>> {
        match which {
            Which::All => &self.timer,
            Which::Due => &self.soon_timer,
        }
    }
}

/// Sets a timer, unless it is set for an earlier moment already.
fn arm_timer(shell: &Shell, which: Which, at: Timestamp) {
    let mut timer = shell.clock.timer_for(which).borrow_mut();
    if timer.as_ref().is_some_and(|(set, _)| *set <= at) {
        return;
    }
    let me = shell.me.clone();
    let callback = move || {
        let Some(shell) = me.upgrade() else {
            return;
        };
        if let Some((_, timer)) = shell.clock.timer_for(which).take() {
            timer.finish();
        }
        match which {
            Which::All => shell.handle_timeouts(),
            Which::Due => {
                let due = shell.clock.due();
                due.into_iter().for_each(|key| shell.handle_timeout(key));
                // A timer may go off a little early.
                shell.clock.arm_soon(&shell);
            }
        }
    };
    *timer = Some((at, Timer::new(at.since(platform::now()), callback)));
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
