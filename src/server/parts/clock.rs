//! The object's clock: an alarm, which lets it sleep until then, or a timer, which
//! does not.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::rc::{Rc, Weak};

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{Cause, Deadline, SLEEP_AFTER, Settings};

use crate::platform::{self, ObjectState, Timer};
use crate::sid::Key;

/// Does what the clock is set for.
pub(crate) trait Alarmed {
    /// Checks all sessions.
    fn handle_timeouts(&self);

    /// Checks one session.
    fn handle_timeout(&self, key: Key);

    /// Saves what is not saved yet.
    fn save_all(&self);

    /// Returns the clock itself.
    fn clock(&self) -> &Clock;
}

pub(crate) struct Clock {
    state: ObjectState,
    object: Weak<dyn Alarmed>,
    /// The settings of the server whose sessions these are.
    settings: Cell<Settings>,
    alarm: Cell<Alarm>,
    /// All sessions are being checked, and [`Clock::rearm`] will set the alarm.
    held: Cell<bool>,
    /// In objects that never sleep, the timer for the first deadline of all.
    timer: RefCell<Option<(Timestamp, Timer)>>,
    /// In objects that sleep, deadlines for which an alarm would be too coarse.
    soon: RefCell<Vec<(Key, Timestamp)>>,
    /// The timer for the first of them.
    soon_timer: RefCell<Option<(Timestamp, Timer)>>,
    saving: RefCell<Option<(Timestamp, Timer)>>,
}

/// The object's alarm, as far as it is known. It outlives the object's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Alarm {
    #[default]
    Unknown,
    /// The platform is being asked.
    Asking(Wanted),
    None,
    At(Timestamp),
}

/// The alarm that is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wanted {
    /// The time to set it to, if it has to be set.
    at: Timestamp,
    /// An alarm that is set already will do, if it is not later than this.
    latest: Timestamp,
}

impl Wanted {
    fn exactly(at: Timestamp) -> Self {
        Self { at, latest: at }
    }

    /// Returns the alarm for a session's deadline. Heartbeats wait for the pulse
    /// that comes anyway. Otherwise a session that is out of step, because it polls
    /// or was pinged by itself, would have a row written, and all sessions checked
    /// at its own time.
    fn for_session(ping_interval: Duration, deadline: Deadline) -> Self {
        let Deadline { at, cause } = deadline;
        let latest = match cause {
            Cause::Heartbeat => at.max(platform::now() + ping_interval),
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
    pub(crate) fn new(state: &ObjectState, object: Weak<dyn Alarmed>) -> Self {
        Self {
            state: state.clone(),
            object,
            settings: Cell::new(Settings::default()),
            alarm: Cell::default(),
            held: Cell::new(false),
            timer: RefCell::default(),
            soon: RefCell::default(),
            soon_timer: RefCell::default(),
            saving: RefCell::default(),
        }
    }

    /// Sets the settings of the server, once it is known whose sessions these are.
    pub(crate) fn set_settings(&self, settings: Settings) {
        self.settings.set(settings);
    }

    fn sleeps(&self) -> bool {
        self.settings.get().sleeps()
    }

    pub(crate) fn handle_alarm(&self) {
        self.alarm.set(Alarm::None);
    }

    /// Takes in that the alarm was deleted.
    pub(crate) fn forget_alarm(&self) {
        self.alarm.set(Alarm::None);
    }

    /// Keeps single sessions from setting the alarm until [`Clock::rearm`].
    pub(crate) fn hold(&self) {
        self.held.set(true);
    }

    /// Makes sure that a session is checked at each of its deadlines, or before.
    pub(crate) fn arm(&self, key: Key, deadlines: [Option<Deadline>; 2]) {
        let deadlines = || deadlines.into_iter().flatten();
        if !self.sleeps() {
            if let Some(first) = deadlines().min() {
                self.arm_timer(Which::All, first.at);
            }
            return;
        }
        self.forget_soon(key);
        let soon = deadlines().filter(|it| self.is_soon(it)).min();
        if let Some(soon) = soon {
            self.soon.borrow_mut().push((key, soon.at));
        }
        let later = deadlines().filter(|it| !self.is_soon(it)).min();
        // Once the timer has gone off, the session is armed again.
        let later = later.filter(|later| soon.is_none_or(|soon| later.at < soon.at));
        if let Some(later) = later.filter(|_| !self.held.get()) {
            let interval = self.settings.get().ping_interval;
            self.arm_alarm(Wanted::for_session(interval, later));
        }
        self.arm_soon();
    }

    /// Returns whether a deadline has a timer, because an alarm would be too coarse.
    pub(crate) fn is_soon(&self, deadline: &Deadline) -> bool {
        let is_short = match deadline.cause {
            Cause::Upgrade | Cause::Application => true,
            Cause::Heartbeat | Cause::Farewell => false,
        };
        is_short && self.sleeps() && deadline.at.since(platform::now()) <= SLEEP_AFTER
    }

    fn forget_soon(&self, key: Key) {
        self.soon.borrow_mut().retain(|(other, _)| *other != key);
    }

    /// Keeps a timer only for as long as it is needed, since it keeps the object
    /// awake.
    fn arm_soon(&self) {
        match self.soon.borrow().iter().map(|(_, at)| *at).min() {
            Some(first) => self.arm_timer(Which::Due, first),
            None => drop(self.soon_timer.take()),
        }
    }

    /// Sets the alarm for what comes next after all sessions have been checked: the
    /// `first` deadline of a session, though where heartbeats are batched, not before
    /// another ping interval has passed; or the next alarm of the `application`.
    pub(crate) fn rearm(&self, first: Option<Timestamp>, application: Option<Timestamp>) {
        self.held.set(false);
        let pulse = match first {
            Some(first) if self.sleeps() => {
                let pulse = platform::now() + self.settings.get().ping_interval;
                Some(first.max(pulse))
            }
            Some(first) => {
                self.arm_timer(Which::All, first);
                None
            }
            None => None,
        };
        // One after the other might be two rows.
        if let Some(next) = pulse.into_iter().chain(application).min() {
            self.arm_alarm(Wanted::exactly(next));
        }
    }

    /// Sets the alarm for one of the application's, in an object that never sleeps, too:
    /// a timer would be lost with the instance.
    pub(crate) fn arm_for_application(&self, at: Timestamp) {
        if !self.held.get() {
            self.arm_alarm(Wanted::exactly(at));
        }
    }

    /// Returns whether the alarm is set for whatever it was to be set for, rather than
    /// about to be.
    pub(crate) fn is_settled(&self) -> bool {
        match self.alarm.get() {
            Alarm::None | Alarm::At(_) => true,
            Alarm::Unknown | Alarm::Asking(_) => false,
        }
    }

    /// Sets the alarm for a time that does not belong to any session.
    pub(crate) fn arm_at(&self, at: Timestamp) {
        if self.sleeps() {
            self.arm_alarm(Wanted::exactly(at));
        } else {
            self.arm_timer(Which::All, at);
        }
    }

    /// Returns the sessions whose short deadlines have come.
    fn due(&self) -> Vec<Key> {
        let now = platform::now();
        let soon = self.soon.borrow();
        let due = soon.iter().filter(|(_, at)| *at <= now);
        due.map(|(key, _)| *key).collect()
    }

    fn arm_alarm(&self, wanted: Wanted) {
        match self.alarm.get() {
            Alarm::At(set) if set <= wanted.latest => {}
            Alarm::At(_) | Alarm::None => {
                self.alarm.set(Alarm::At(wanted.at));
                self.state.set_alarm(wanted.at);
            }
            Alarm::Asking(others) => self.alarm.set(Alarm::Asking(others.and(wanted))),
            Alarm::Unknown => {
                self.alarm.set(Alarm::Asking(wanted));
                let (state, object) = (self.state.clone(), self.object.clone());
                platform::spawn(Box::pin(async move {
                    let set = state.alarm().await;
                    if let Some(object) = object.upgrade() {
                        object.clock().handle_answer(set);
                    }
                }));
            }
        }
    }

    /// Takes in the platform's answer about the alarm, and sets it if an earlier one
    /// is wanted.
    fn handle_answer(&self, set: Option<Timestamp>) {
        let Alarm::Asking(wanted) = self.alarm.get() else {
            return;
        };
        self.alarm.set(set.map_or(Alarm::None, Alarm::At));
        self.arm_alarm(wanted);
    }

    /// Saves what is not saved yet, this much later or earlier.
    pub(crate) fn save_soon(&self, after: Duration) {
        let at = platform::now() + after;
        let mut saving = self.saving.borrow_mut();
        if saving.as_ref().is_some_and(|(set, _)| *set <= at) {
            return;
        }
        let object = self.object.clone();
        let save = move || {
            if let Some(object) = object.upgrade() {
                object.clock().saving.take();
                object.save_all();
            }
        };
        *saving = Some((at, Timer::new(after, save)));
    }
}

/// The sessions that a timer is for.
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

    /// Sets a timer, unless it is set for an earlier moment already.
    fn arm_timer(&self, which: Which, at: Timestamp) {
        let mut timer = self.timer_for(which).borrow_mut();
        if timer.as_ref().is_some_and(|(set, _)| *set <= at) {
            return;
        }
        let object = self.object.clone();
        let callback = move || {
            if let Some(object) = object.upgrade() {
                handle_timer(&object, which);
            }
        };
        *timer = Some((at, Timer::new(at.since(platform::now()), callback)));
    }
}

fn handle_timer(object: &Rc<dyn Alarmed>, which: Which) {
    object.clock().timer_for(which).take();
    match which {
        Which::All => object.handle_timeouts(),
        Which::Due => {
            let due = object.clock().due();
            due.into_iter().for_each(|key| object.handle_timeout(key));
            // A timer may go off a little early.
            object.clock().arm_soon();
        }
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
