//! Circuits: while a back end is down, it is spared, and clients are told at once.
//!
//! A client may be able to bring a failure about, and so may all clients of its address.
//! So the calls for each address have a circuit, and the one for all opens only when calls
//! for several addresses have failed.

use core::time::Duration;

use dormouse_proto::Timestamp;
use dormouse_proto::rate::Network;

use crate::table::Table;

/// The address that a client connects from, if it is known.
pub(super) type Address = Option<Network>;

/// The number of calls in a row that must have failed before the circuit of an address
/// opens; and the number of addresses for that of all.
const FAILURES: u32 = 5;

/// The time for which a circuit is open at first. Each trial that fails doubles it.
const FIRST: Duration = Duration::from_secs(5);

/// The longest time for which it is open.
const LONGEST: Duration = Duration::from_secs(60);

/// The maximum number of addresses whose failures are remembered. Past it, all are
/// forgotten.
const MAX_ADDRESSES: usize = 1_000;

/// The circuits of a lane.
#[derive(Default)]
pub(super) struct Circuits {
    all: Circuit,
    /// The addresses for which calls have failed since the last success.
    failing: Vec<Address>,
    /// Those of addresses for which the last call has failed.
    each: Table<Address, Circuit>,
}

impl Circuits {
    /// Returns whether calls for an address are refused now.
    pub(super) fn are_open(&self, address: Address, now: Timestamp) -> bool {
        let own = self.each.get(address);
        self.all.is_open(now) || own.is_some_and(|own| own.is_open(now))
    }

    /// Lets a call through, or returns `None`.
    pub(super) fn admit(&mut self, address: Address, now: Timestamp) -> Option<Admission> {
        if self.are_open(address, now) {
            return None;
        }
        let own = self.each.get_mut(address);
        Some(Admission {
            address,
            all: self.all.admit(now)?,
            own: own.map_or(Some(Admitted::AnyCall), |own| own.admit(now))?,
        })
    }

    /// Notes that the back end has answered. Returns lines for the log, if that closes a
    /// circuit.
    pub(super) fn succeed(&mut self, pass: &Admission) -> Vec<String> {
        self.failing.clear();
        if self.all.succeed() {
            // It is there again, for everybody.
            self.each = Table::default();
            return vec!["closed".to_owned()];
        }
        let own = self.each.remove(pass.address);
        match own.is_some_and(|mut own| own.succeed()) {
            true => vec![format!("closed for {}", named(pass.address))],
            false => Vec::new(),
        }
    }

    /// Notes that the back end did not answer a call. Returns lines for the log, if that
    /// opens a circuit or keeps it open.
    pub(super) fn fail(&mut self, now: Timestamp, pass: &Admission) -> Vec<String> {
        let Admission { address, all, own } = *pass;
        let mut lines = Vec::new();
        let is_new = !self.failing.contains(&address);
        if is_new {
            self.failing.push(address);
        }
        if (is_new || all == Admitted::Trial)
            && let Some(period) = self.all.fail(now, all)
        {
            lines.push(format!("open for {} s", period.as_secs()));
        }
        if !self.each.contains(address) {
            if self.each.keys().count() >= MAX_ADDRESSES {
                self.each = Table::default();
            }
            self.each.insert(address, Circuit::default());
        }
        let circuit = self.each.get_mut(address);
        if let Some(period) = circuit.and_then(|circuit| circuit.fail(now, own)) {
            let address = named(address);
            lines.push(format!("open for {} s for {address}", period.as_secs()));
        }
        lines
    }
}

fn named(address: Address) -> String {
    address.map_or("unknown addresses".to_owned(), |it| it.to_string())
}

/// A call that was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Admission {
    address: Address,
    all: Admitted,
    own: Admitted,
}

/// Counts failures. Closed, it lets all calls through. Open, it lets one through in each
/// period, and the first that succeeds closes it.
#[derive(Debug, Default)]
struct Circuit {
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
    fn is_open(&self, now: Timestamp) -> bool {
        self.open.as_ref().is_some_and(|open| now < open.until)
    }

    /// Lets a call through, or returns `None`. An open circuit lets no second one through
    /// within the same period, whatever becomes of the first.
    fn admit(&mut self, now: Timestamp) -> Option<Admitted> {
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
    fn succeed(&mut self) -> bool {
        self.failures = 0;
        self.open.take().is_some()
    }

    /// Notes that the back end did not answer a call. Returns for how long the circuit is
    /// open now, if this opens it or keeps it open.
    fn fail(&mut self, now: Timestamp, admitted: Admitted) -> Option<Duration> {
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

/// How a circuit has let a call through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admitted {
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

    fn address(last: u8) -> Address {
        Network::parse(&format!("192.0.2.{last}"))
    }

    fn fail(circuits: &mut Circuits, last: u8) -> Vec<String> {
        let pass = circuits.admit(address(last), at(0)).unwrap();
        circuits.fail(at(0), &pass)
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn failures_for_one_address_are_its_own() {
        let mut circuits = Circuits::default();
        for _ in 1..FAILURES {
            assert!(fail(&mut circuits, 1).is_empty());
        }
        assert_eq!(fail(&mut circuits, 1), ["open for 5 s for 192.0.2.1"]);
        assert!(circuits.are_open(address(1), at(4)));
        assert!(circuits.admit(address(1), at(4)).is_none());
        let other = circuits.admit(address(2), at(4)).unwrap();
        assert!(circuits.succeed(&other).is_empty());
        // Nor do they end with the success of another's.
        assert!(circuits.are_open(address(1), at(4)));
        let trial = circuits.admit(address(1), at(5)).unwrap();
        assert_eq!(
            circuits.fail(at(5), &trial),
            ["open for 10 s for 192.0.2.1"]
        );
        let trial = circuits.admit(address(1), at(15)).unwrap();
        assert_eq!(circuits.succeed(&trial), ["closed for 192.0.2.1"]);
        assert!(fail(&mut circuits, 1).is_empty());
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn failures_for_five_addresses_are_everybodys() {
        let mut circuits = Circuits::default();
        for last in [1, 2, 3, 4, 4, 3] {
            assert!(fail(&mut circuits, last).is_empty());
        }
        let other = circuits.admit(address(9), at(0)).unwrap();
        assert!(circuits.succeed(&other).is_empty());
        for last in [1, 2, 3, 4] {
            assert!(fail(&mut circuits, last).is_empty());
        }
        assert_eq!(fail(&mut circuits, 5), ["open for 5 s"]);
        assert!(circuits.are_open(address(9), at(4)));
        let trial = circuits.admit(address(9), at(5)).unwrap();
        assert!(circuits.admit(address(8), at(5)).is_none());
        assert_eq!(circuits.succeed(&trial), ["closed"]);
        assert!(circuits.admit(address(1), at(5)).is_some());
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn addresses_are_bounded() {
        let mut circuits = Circuits::default();
        for number in 0..=MAX_ADDRESSES {
            let address = Network::parse(&format!("2001:db8:0:{number:x}::"));
            let pass = circuits.admit(address, at(0)).unwrap();
            circuits.fail(at(0), &pass);
            assert!(circuits.each.keys().count() <= MAX_ADDRESSES);
            let other = circuits.admit(None, at(0)).unwrap();
            circuits.succeed(&other);
        }
        assert_eq!(circuits.each.keys().count(), 1);
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
