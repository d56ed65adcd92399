use alloc::string::ToString as _;
use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::Timestamp;
use crate::engine::Data;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + millis)
}

fn rate(per_second: u32, burst: u32) -> Rate {
    Rate { per_second, burst }
}

fn packets(per_second: u32, burst: u32) -> Rates {
    Rates::UNLIMITED.with(Limit::Packets, rate(per_second, burst))
}

const ONE: fn() -> Cost = || Cost::packets(1, 0);

/// Takes out one packet, if there is one. Returns how long to wait for it otherwise.
fn one(buckets: &mut Buckets, now: Timestamp, rates: &Rates) -> Result<(), u64> {
    let afforded = buckets.afford(now, rates, ONE());
    afforded.map_err(|(_, wait)| wait.as_millis() as u64)?;
    buckets.spend(now, rates, ONE());
    Ok(())
}

#[test]
fn a_burst_comes_at_once_and_the_rest_by_its_rate() {
    let rates = packets(10, 3);
    let mut buckets = Buckets::default();
    // Time, and what it brings: nothing to wait for, or so many milliseconds.
    for (time, expect) in [
        (0, Ok(())),
        (0, Ok(())),
        (0, Ok(())),
        (0, Err(100)),
        (1, Err(99)),
        (99, Err(1)),
        (100, Ok(())),
        (100, Err(100)),
        (299, Ok(())),
        (299, Err(1)),
        (300, Ok(())),
        // No more than the burst is ever kept.
        (1_000_000, Ok(())),
        (1_000_000, Ok(())),
        (1_000_000, Ok(())),
        (1_000_000, Err(100)),
    ] {
        assert_eq!(one(&mut buckets, at(time), &rates), expect, "at {time} ms");
    }
}

#[test]
fn fractions_are_kept() {
    // One in 333⅓ ms.
    let rates = packets(3, 1);
    let mut buckets = Buckets::default();
    let taken = (0..=9_000).filter(|time| one(&mut buckets, at(*time), &rates).is_ok());
    let taken: Vec<_> = taken.collect();
    assert_eq!(taken.get(..4).unwrap(), [0, 334, 668, 1_002]);
    // A bucket of one loses what comes while it is full, but not more than that.
    assert_eq!(taken.len(), 27);
}

#[test]
fn a_clock_that_goes_back_neither_gives_nor_takes() {
    let rates = packets(10, 2);
    let mut buckets = Buckets::default();
    for (time, expect) in [
        (500, Ok(())),
        (500, Ok(())),
        (400, Err(100)),
        (0, Err(100)),
        (99, Err(1)),
        (100, Ok(())),
        (500, Ok(())),
        (500, Ok(())),
        (500, Err(100)),
    ] {
        assert_eq!(one(&mut buckets, at(time), &rates), expect, "at {time} ms");
    }
    // Nor does one that jumps as far as there are numbers.
    let mut buckets = Buckets::default();
    let end = Timestamp::from_millis(u64::MAX);
    for now in [Timestamp::default(), end, Timestamp::default(), end] {
        buckets.spend(now, &rates, Cost::packets(usize::MAX, usize::MAX));
        assert!(buckets.afford(now, &rates, ONE()).is_err());
    }
}

#[test]
fn what_is_not_limited_costs_nothing() {
    let rates = Rates::UNLIMITED;
    assert!(rates.is_unlimited());
    let mut buckets = Buckets::default();
    for _ in 0..3 {
        buckets.spend(at(0), &rates, Cost::packets(usize::MAX, usize::MAX));
    }
    assert!(buckets.are_full(at(0), &rates));
    let cost = Cost::packets(usize::MAX, usize::MAX);
    assert_eq!(buckets.afford(at(0), &rates, cost), Ok(()));
}

#[test]
fn each_limit_counts_what_is_its_own() {
    let all = [
        (Limit::Packets, "packets"),
        (Limit::Bytes, "bytes"),
        (Limit::Joins, "joins"),
        (Limit::Handshakes, "handshakes"),
    ];
    for (limit, name) in all {
        let rates = Rates::UNLIMITED.with(limit, rate(1, 7));
        assert_eq!(limit.to_string(), name);
        assert_eq!(rates.get(limit), Some(rate(1, 7)));
        assert_eq!(rates.iter().collect::<Vec<_>>(), [(limit, rate(1, 7))]);
        for (cost, amount) in [
            (Cost::packets(2, 3), [2, 3, 0, 0]),
            (Cost::join(3), [1, 3, 1, 0]),
            (Cost::handshake(), [0, 0, 0, 1]),
        ] {
            let mut all = all.iter().zip(amount);
            let amount = all.find(|((other, _), _)| *other == limit).unwrap().1;
            let mut buckets = Buckets::default();
            let mut left = 7;
            // Without an end, if it costs nothing.
            for _ in 0..20 {
                let afforded = buckets.afford(at(0), &rates, cost);
                assert_eq!(afforded.is_ok(), left >= amount, "{limit} {cost:?}");
                if let Err((exceeded, _)) = afforded {
                    assert_eq!(exceeded, limit);
                    break;
                }
                buckets.spend(at(0), &rates, cost);
                left -= amount;
            }
        }
    }
}

#[test]
fn the_longest_wait_is_told_with_the_first_limit() {
    let rates = packets(10, 1).with(Limit::Bytes, rate(1, 100));
    let mut buckets = Buckets::default();
    buckets.spend(at(0), &rates, Cost::packets(1, 100));
    let exceeded = buckets.afford(at(0), &rates, Cost::packets(1, 5));
    assert_eq!(exceeded, Err((Limit::Packets, Duration::from_secs(5))));
}

#[test]
fn more_than_a_bucket_holds_needs_a_full_one() {
    let rates = Rates::UNLIMITED.with(Limit::Bytes, rate(10, 100));
    let large = Cost::packets(1, 250);
    let mut buckets = Buckets::default();
    assert_eq!(buckets.afford(at(0), &rates, large), Ok(()));
    buckets.spend(at(0), &rates, large);
    // 150 bytes of debt, and then 100.
    let exceeded = Err((Limit::Bytes, Duration::from_secs(25)));
    assert_eq!(buckets.afford(at(0), &rates, large), exceeded);
    assert!(buckets.afford(at(24_999), &rates, large).is_err());
    assert_eq!(buckets.afford(at(25_000), &rates, large), Ok(()));
}

/// An intake with a clock.
struct Rig {
    intake: Intake,
    now: Timestamp,
    rates: Rates,
    others: Networks,
    shared: Rates,
}

const NETWORK: Network = Network::V4(1);

impl Rig {
    fn new(rates: Rates, shared: Rates) -> Self {
        Self {
            intake: Intake::default(),
            now: at(0),
            rates,
            others: Networks::default(),
            shared,
        }
    }

    fn take<'a>(&mut self, text: &'a str, class: Class) -> Taken<'a> {
        let shared = self.others.share(self.now, &self.shared, NETWORK);
        let data = Data::from(text);
        self.intake.take(self.now, data, class, &self.rates, shared)
    }

    /// Takes a message that exceeds a limit.
    fn exceed(&mut self, text: &str) -> Excess {
        let taken = self.take(text, Class::Whole);
        let Taken::Exceeds(_, excess) = taken else {
            panic!("{taken:?}");
        };
        excess
    }

    fn hold(&mut self, text: &str) {
        let excess = self.exceed(text);
        let data = Data::from(text).into_owned();
        assert!(self.intake.hold(self.now, data, excess));
    }

    /// Lets everything through that may come by now.
    fn release(&mut self, class: Class) -> Vec<Data<'static>> {
        let mut released = Vec::new();
        loop {
            let shared = self.others.share(self.now, &self.shared, NETWORK);
            let next = self.intake.release(self.now, class, &self.rates, shared);
            match next {
                Some(data) => released.push(data),
                None => return released,
            }
        }
    }
}

fn now(text: &str) -> Taken<'_> {
    Taken::Now(Data::from(text))
}

#[test]
fn what_waits_comes_in_order_when_its_time_has_come() {
    let mut rig = Rig::new(packets(10, 1), Rates::UNLIMITED);
    assert_eq!(rig.take("a", Class::Whole), now("a"));
    assert_eq!(rig.intake.next_release(), None);
    rig.hold("b");
    assert_eq!(rig.intake.next_release(), Some(at(100)));
    // Even what would be let in: it would come before what waits.
    rig.now = at(100);
    assert_eq!(rig.take("c", Class::Whole), Taken::Waits);
    assert_eq!(rig.take("d", Class::Part), Taken::Waits);
    assert_eq!(rig.intake.held_bytes(), 3);
    assert!(rig.intake.held().eq(&["b", "c", "d"].map(Data::from)));
    assert_eq!(rig.release(Class::Whole), [Data::from("b")]);
    assert_eq!(rig.intake.next_release(), Some(at(200)));
    // Early is harmless.
    rig.now = at(199);
    assert_eq!(rig.release(Class::Whole), []);
    assert_eq!(rig.intake.next_release(), Some(at(200)));
    rig.now = at(400);
    assert_eq!(rig.intake.first_held(), Some(&Data::from("c")));
    assert_eq!(rig.release(Class::Whole), [Data::from("c")]);
    rig.now = at(500);
    assert_eq!(rig.release(Class::Whole), [Data::from("d")]);
    assert_eq!(rig.intake.held_bytes(), 0);
    assert_eq!(rig.intake.next_release(), None);
    rig.now = at(600);
    assert_eq!(rig.take("e", Class::Whole), now("e"));
}

#[test]
fn an_attachment_is_paid_for_and_shares_the_fate_of_its_packet() {
    let mut rig = Rig::new(packets(10, 2), packets(10, 100));
    assert_eq!(rig.take("head", Class::Whole), now("head"));
    for part in ["1", "2", "3"] {
        assert_eq!(rig.take(part, Class::Part), now(part));
    }
    // Two packets of debt, and the next one.
    assert_eq!(rig.exceed("next").wait, Duration::from_millis(300));
    rig.hold("next");
    rig.now = at(300);
    assert_eq!(rig.release(Class::Whole), [Data::from("next")]);
}

#[test]
fn attachments_of_what_is_dropped_cost_nothing() {
    let mut rig = Rig::new(packets(10, 1), packets(10, 1));
    assert_eq!(rig.take("a", Class::Whole), now("a"));
    rig.exceed("head");
    for _ in 0..10 {
        assert_eq!(rig.take("part", Class::Dropped), now("part"));
    }
    rig.now = at(100);
    assert_eq!(rig.take("b", Class::Whole), now("b"));
}

#[test]
fn joins_are_counted_by_themselves() {
    let rates = Rates::UNLIMITED.with(Limit::Joins, rate(1, 1));
    let mut rig = Rig::new(rates, Rates::UNLIMITED);
    assert_eq!(rig.take("0", Class::Join), now("0"));
    for _ in 0..100 {
        assert_eq!(rig.take("2", Class::Whole), now("2"));
    }
    let Taken::Exceeds(_, excess) = rig.take("0", Class::Join) else {
        panic!("there is one join in a second");
    };
    assert_eq!((excess.limit, excess.scope), (Limit::Joins, Scope::Client));
}

#[test]
fn a_client_is_told_apart_from_its_address() {
    for (own, shared, scope, wait) in [
        (packets(10, 1), Rates::UNLIMITED, Scope::Client, 100),
        (Rates::UNLIMITED, packets(10, 1), Scope::Address, 100),
        (packets(10, 1), packets(5, 1), Scope::Client, 200),
        (packets(5, 1), packets(10, 1), Scope::Client, 200),
    ] {
        let mut rig = Rig::new(own, shared);
        assert_eq!(rig.take("a", Class::Whole), now("a"));
        let excess = rig.exceed("b");
        assert_eq!((excess.limit, excess.scope), (Limit::Packets, scope));
        assert_eq!(excess.wait, Duration::from_millis(wait));
        // What is refused costs neither of them anything.
        for _ in 0..9 {
            rig.exceed("b");
        }
        rig.now = at(wait);
        assert_eq!(rig.take("b", Class::Whole), now("b"));
    }
}

#[test]
fn packets_without_a_message_are_paid_for_too() {
    let mut rig = Rig::new(packets(10, 3), Rates::UNLIMITED);
    let charge = |rig: &mut Rig, count| {
        let cost = Cost::packets(count, 0);
        rig.intake.charge(rig.now, cost, &rig.rates, None)
    };
    assert_eq!(charge(&mut rig, 2), Ok(()));
    assert!(charge(&mut rig, 2).is_err());
    assert_eq!(charge(&mut rig, 1), Ok(()));
    rig.exceed("a");
}

#[test]
fn what_waits_is_bounded() {
    let full = |rig: &mut Rig, text: &str| {
        let excess = Excess {
            limit: Limit::Packets,
            scope: Scope::Client,
            wait: Duration::ZERO,
        };
        assert_eq!(rig.take(text, Class::Whole), Taken::Full);
        let data = Data::from(text).into_owned();
        assert!(!rig.intake.hold(rig.now, data, excess));
    };
    let waits = |rig: &mut Rig, text: &str| {
        assert_eq!(rig.take(text, Class::Whole), Taken::Waits);
    };
    let mut rig = Rig::new(packets(1, 1), Rates::UNLIMITED);
    assert_eq!(rig.take("", Class::Whole), now(""));
    rig.hold("");
    for _ in 2..MAX_HELD_MESSAGES {
        waits(&mut rig, "");
    }
    waits(&mut rig, "");
    full(&mut rig, "");

    let mut rig = Rig::new(packets(1, 1), Rates::UNLIMITED);
    assert_eq!(rig.take("", Class::Whole), now(""));
    rig.hold("");
    let text = "x".repeat(MAX_HELD_BYTES - 1);
    waits(&mut rig, &text);
    full(&mut rig, "xx");
    waits(&mut rig, "x");
    full(&mut rig, "x");
    waits(&mut rig, "");
}

#[test]
fn an_intake_that_is_shut_takes_and_keeps_nothing() {
    let mut rig = Rig::new(packets(1, 1), Rates::UNLIMITED);
    assert_eq!(rig.take("a", Class::Whole), now("a"));
    let excess = rig.exceed("b");
    rig.hold("b");
    rig.intake.shut();
    rig.now = at(10_000);
    assert_eq!(rig.release(Class::Whole), []);
    assert_eq!(
        (rig.intake.next_release(), rig.intake.held_bytes()),
        (None, 0)
    );
    assert_eq!(rig.take("c", Class::Whole), Taken::Ignored);
    let data = Data::from("c").into_owned();
    assert!(!rig.intake.hold(rig.now, data, excess));
}

#[test]
fn networks_have_a_name() {
    for (address, name) in [
        ("192.0.2.1", Some("192.0.2.1")),
        (" 192.0.2.1 ", Some("192.0.2.1")),
        ("::ffff:192.0.2.1", Some("192.0.2.1")),
        ("2001:db8::1", Some("2001:db8::/64")),
        ("2001:db8:0:1:2:3:4:5", Some("2001:db8:0:1::/64")),
        ("::1", Some("::/64")),
        ("", None),
        ("unknown", None),
        ("192.0.2.1:80", None),
        ("192.0.2", None),
        ("é", None),
    ] {
        let network = Network::parse(address).map(|network| network.to_string());
        assert_eq!(network.as_deref(), name, "{address:?}");
    }
}

#[test]
fn each_network_has_its_own_buckets() {
    let rates = Rates::UNLIMITED.with(Limit::Handshakes, rate(1, 2));
    let mut networks = Networks::default();
    assert!(networks.is_empty());
    let mut come = |time, network| networks.handle_handshake(at(time), &rates, network);
    let [one, other] = [Network::V4(7), Network::V6(7)];
    assert_eq!(come(0, one), Ok(()));
    assert_eq!(come(0, one), Ok(()));
    assert_eq!(come(250, one), Err(Duration::from_millis(750)));
    assert_eq!(come(250, other), Ok(()));
    assert_eq!(come(1_000, one), Ok(()));
    assert_eq!(come(1_000, one), Err(Duration::from_secs(1)));
    assert_eq!(networks.len(), 2);
}

#[test]
fn networks_are_forgotten_when_they_have_been_quiet() {
    let rates = Rates::UNLIMITED.with(Limit::Handshakes, rate(1, 2));
    let mut networks = Networks::default();
    // Each of them is quiet again after a second.
    let mut most = 0;
    for index in 0..20_000_u32 {
        let now = at(u64::from(index) * 10);
        assert_eq!(
            networks.handle_handshake(now, &rates, Network::V4(index)),
            Ok(())
        );
        most = most.max(networks.len());
    }
    assert!((100..=300).contains(&most), "{most}");
}

#[test]
fn networks_are_bounded_and_the_quietest_goes() {
    let rates = Rates::UNLIMITED.with(Limit::Handshakes, rate(1, 1));
    let mut networks = Networks::default();
    let first = Network::V6(1);
    let blocked = Network::V6(2);
    let wait = |networks: &mut Networks, network| {
        networks.handle_handshake(at(0), &rates, network).is_err()
    };
    assert!(!wait(&mut networks, first));
    assert!(!wait(&mut networks, blocked));
    let many = u32::try_from(MAX_NETWORKS).unwrap() + 300;
    for index in 0..many {
        let now = at(u64::from(1 + index % 2));
        let _ = networks.handle_handshake(now, &rates, Network::V4(index));
        // Whoever comes again and again is not forgotten.
        let _ = networks.handle_handshake(at(2), &rates, blocked);
        assert!(networks.len() <= MAX_NETWORKS);
    }
    assert_eq!(networks.len(), MAX_NETWORKS);
    assert!(wait(&mut networks, blocked));
    assert!(!wait(&mut networks, first));
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// In any stretch of time, no more comes than the burst and what the rate
        /// brings meanwhile; and whoever waits as long as it is told gets in.
        #[test]
        fn no_more_comes_than_the_rate_allows(
            per_second in 1..5_000_u32,
            burst in 1..100_u32,
            steps in prop::collection::vec((0..400_u64, 0..20_usize), 1..60),
        ) {
            let rates = packets(per_second, burst);
            let mut buckets = Buckets::default();
            let (mut time, mut taken) = (0, Vec::new());
            for (passed, wanted) in steps {
                time += passed;
                for _ in 0..wanted {
                    match one(&mut buckets, at(time), &rates) {
                        Ok(()) => taken.push(time),
                        Err(wait) => {
                            prop_assert!(wait > 0);
                            let mut patient = buckets.clone();
                            prop_assert!(one(&mut patient.clone(), at(time + wait - 1), &rates).is_err());
                            prop_assert!(one(&mut patient, at(time + wait), &rates).is_ok());
                            break;
                        }
                    }
                }
            }
            for (index, from) in taken.iter().enumerate() {
                for (count, to) in taken.iter().skip(index).enumerate() {
                    let brought = (to - from) * u64::from(per_second) / 1_000;
                    prop_assert!(count as u64 <= u64::from(burst) + brought);
                }
            }
        }

        /// Whatever the clock and the rates: nothing overflows, and waiting ends.
        #[test]
        fn nothing_overflows(
            per_second: u32,
            burst: u32,
            steps in prop::collection::vec((any::<u64>(), any::<usize>()), 1..20),
        ) {
            let rates = packets(per_second, burst).with(Limit::Bytes, rate(burst, per_second));
            let mut buckets = Buckets::default();
            for (time, cost) in steps {
                let now = Timestamp::from_millis(time);
                let cost = Cost::packets(cost, cost);
                let _ = buckets.afford(now, &rates, cost);
                buckets.spend(now, &rates, cost);
                let _ = buckets.are_full(now, &rates);
            }
        }

        /// Messages come in the order in which they were sent, and none is lost.
        #[test]
        fn order_is_kept(
            per_second in 1..1_000_u32,
            burst in 1..10_u32,
            steps in prop::collection::vec((0..200_u64, 0..8_usize), 1..40),
        ) {
            let mut rig = Rig::new(packets(per_second, burst), packets(per_second * 2, burst));
            let (mut sent, mut came) = (0_u32, Vec::new());
            let number = |data: &Data<'_>| match data {
                Data::Text(text) => text.parse::<u32>().unwrap(),
                Data::Binary(_) => unreachable!(),
            };
            for (passed, count) in steps {
                rig.now = rig.now + Duration::from_millis(passed);
                came.extend(rig.release(Class::Whole).iter().map(number));
                for _ in 0..count {
                    let text = sent.to_string();
                    sent += 1;
                    match rig.take(&text, Class::Whole) {
                        Taken::Now(data) => came.push(number(&data)),
                        Taken::Waits => {}
                        Taken::Exceeds(data, excess) => {
                            let now = rig.now;
                            prop_assert!(rig.intake.hold(now, data.into_owned(), excess));
                        }
                        taken @ (Taken::Full | Taken::Ignored) => panic!("{taken:?}"),
                    }
                }
            }
            while let Some(due) = rig.intake.next_release() {
                prop_assert!(due > rig.now);
                rig.now = due;
                came.extend(rig.release(Class::Whole).iter().map(number));
            }
            prop_assert!(came.into_iter().eq(0..sent));
        }
    }
}
