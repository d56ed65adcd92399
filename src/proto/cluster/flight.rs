//! One call at a time, which is repeated until it is answered.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Timestamp, millis};

/// The number of a call that goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// The number of a call that has come in and waits for its answer. The driver chooses
/// it, and uses no number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Why a call was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// It may be repeated soon: the callee was moved, or crashed, or the network failed.
    Broken,
    /// The callee has too much to do already.
    Overloaded,
}

/// The first pause before a call is repeated. Each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The number of times that a pause is doubled: the longest is 1.6 s.
const MAX_DOUBLINGS: u32 = 5;

/// A way on which at most one call is under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Flight {
    state: State,
    /// How often it was repeated.
    failures: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    /// No answer has come.
    Out(CallId),
    /// It has failed, and is repeated then.
    Pausing(Timestamp),
}

impl Flight {
    /// Returns whether there is neither a call under way nor one to be repeated.
    pub(super) fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// Returns whether this call is under way.
    pub(super) fn is_out(&self, id: CallId) -> bool {
        self.state == State::Out(id)
    }

    /// A call has left, for the first time or again.
    pub(super) fn start(&mut self, id: CallId) {
        self.state = State::Out(id);
    }

    /// The call was answered, but not as it should be: it is to be repeated, or
    /// [has failed](Self::fail).
    pub(super) fn land(&mut self) {
        self.state = State::Idle;
    }

    /// The call was answered, or is given up. Returns its number if it is still out.
    pub(super) fn finish(&mut self) -> Option<CallId> {
        let out = match self.state {
            State::Out(id) => Some(id),
            State::Idle | State::Pausing(_) => None,
        };
        *self = Self::default();
        out
    }

    /// The call has failed. It is repeated after a pause of between a half and three
    /// halves of the usual one, as `random` says, so that many callers do not come
    /// together.
    pub(super) fn fail(&mut self, failure: Failure, now: Timestamp, random: u32) {
        let doublings = match failure {
            Failure::Broken => self.failures.min(MAX_DOUBLINGS),
            Failure::Overloaded => MAX_DOUBLINGS,
        };
        self.failures = self.failures.saturating_add(1);
        let pause = FIRST_PAUSE * (1 << doublings);
        let scatter = (u64::from(random) * millis(pause)) >> 32;
        self.state = State::Pausing(now + pause / 2 + Duration::from_millis(scatter));
    }

    /// Returns whether the call is to be repeated now.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.next_deadline().is_some_and(|at| at <= now)
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        match self.state {
            State::Pausing(until) => Some(until),
            State::Idle | State::Out(_) => None,
        }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_until_the_longest() {
        let mut flight = Flight::default();
        let now = Timestamp::from_millis(0);
        for (random, expected) in [
            (0, 25),
            (u32::MAX, 149),
            (1 << 31, 200),
            (1 << 31, 400),
            (1 << 31, 800),
            (1 << 31, 1_600),
            (1 << 31, 1_600),
        ] {
            flight.start(CallId(1));
            assert_eq!(flight.next_deadline(), None);
            flight.fail(Failure::Broken, now, random);
            let at = Timestamp::from_millis(expected);
            assert_eq!(flight.next_deadline(), Some(at));
            assert!(flight.is_due(at) && !flight.is_due(at - Duration::from_millis(1)));
        }
        flight.finish();
        flight.fail(Failure::Overloaded, now, 1 << 31);
        assert_eq!(flight.next_deadline(), Some(Timestamp::from_millis(1_600)));
    }
}
