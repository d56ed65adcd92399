//! The circuit: while a back end is down, it is spared, and clients are told at once.

use core::time::Duration;

use dormouse_proto::Timestamp;

/// The number of calls in a row that must have failed before the circuit opens.
const FAILURES: u32 = 5;

/// The time for which it is open at first. Each trial that fails doubles it.
const FIRST: Duration = Duration::from_secs(5);

/// The longest time for which it is open.
const LONGEST: Duration = Duration::from_secs(60);

/// Counts failures. Closed, it lets all calls through. Open, it lets one through in each
/// period, and the first that succeeds closes it.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    /// Calls in a row that have failed.
    failures: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    /// When the next call is let through.
    until: Timestamp,
    period: Duration,
}

impl Circuit {
    /// Returns whether calls are refused now.
    pub(super) fn is_open(&self, now: Timestamp) -> bool {
        self.open.as_ref().is_some_and(|open| now < open.until)
    }

    /// Lets a call through, or returns `None`. An open circuit lets no second one through
    /// within the same period, whatever becomes of the first.
    pub(super) fn admit(&mut self, now: Timestamp) -> Option<Admitted> {
        if self.is_open(now) {
            return None;
        }
        Some(match &mut self.open {
            Some(open) => {
                open.until = now + open.period;
                Admitted::Trial
            }
            None => Admitted::AnyCall,
        })
    }

    /// Notes that the back end has answered. Returns whether this closes the circuit.
    pub(super) fn succeed(&mut self) -> bool {
        self.failures = 0;
        self.open.take().is_some()
    }

    /// Notes that the back end did not answer a call. Returns for how long the circuit is
    /// open now, if this opens it or keeps it open.
    pub(super) fn fail(&mut self, now: Timestamp, admitted: Admitted) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        let period = match (&self.open, admitted) {
            (Some(open), Admitted::Trial) => LONGEST.min(open.period * 2),
            // It was on its way when the circuit opened.
            (Some(_), Admitted::AnyCall) => return None,
            (None, _) if self.failures < FAILURES => return None,
            (None, _) => FIRST,
        };
        let until = now + period;
        self.open = Some(Open { until, period });
        Some(period)
    }
}

/// A call that was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    /// By a closed circuit.
    AnyCall,
    /// By an open one, to find out whether the back end is there again.
    Trial,
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn seconds(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    fn opened() -> Circuit {
        let mut circuit = Circuit::default();
        for _ in 1..FAILURES {
            assert_eq!(circuit.admit(at(0)), Some(Admitted::AnyCall));
            assert_eq!(circuit.fail(at(0), Admitted::AnyCall), None);
        }
        assert_eq!(circuit.fail(at(0), Admitted::AnyCall), seconds(5));
        circuit
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn failures_in_a_row_open_it() {
        let mut circuit = Circuit::default();
        for _ in 0..3 {
            for _ in 1..FAILURES {
                assert_eq!(circuit.fail(at(0), Admitted::AnyCall), None);
            }
            // One success between them is enough.
            assert!(!circuit.succeed());
        }
        assert!(!circuit.is_open(at(0)));
        assert!(opened().is_open(at(0)));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn an_open_one_lets_one_call_through_in_each_period() {
        let mut circuit = opened();
        assert_eq!(circuit.admit(at(4)), None);
        assert_eq!(circuit.admit(at(5)), Some(Admitted::Trial));
        assert_eq!(circuit.admit(at(5)), None);
        // Nothing came of the trial, as if its handler had been dropped.
        assert_eq!(circuit.admit(at(10)), Some(Admitted::Trial));
        for (now, expect) in [(11, 10), (21, 20), (41, 40), (81, 60), (141, 60)] {
            assert_eq!(circuit.fail(at(now), Admitted::Trial), seconds(expect));
            assert_eq!(circuit.admit(at(now + expect - 1)), None);
            assert_eq!(circuit.admit(at(now + expect)), Some(Admitted::Trial));
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn what_was_on_its_way_does_not_keep_it_open() {
        let mut circuit = opened();
        assert_eq!(circuit.fail(at(4), Admitted::AnyCall), None);
        assert_eq!(circuit.admit(at(5)), Some(Admitted::Trial));
        assert!(circuit.succeed());
        assert_eq!(circuit.admit(at(5)), Some(Admitted::AnyCall));
        assert_eq!(circuit.fail(at(5), Admitted::AnyCall), None);
    }
}
