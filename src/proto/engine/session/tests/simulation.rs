//! Clients, a network and an application that live through some minutes.
//!
//! Everything follows from one seed, and time jumps from one thing to the next.
//! [`client`] is written against the protocol and complains about whatever a
//! server must not send; [`object`] holds the sessions as the server does;
//! [`application`] counts the messages on both sides; [`wire`] delays and
//! reorders what goes between them. A seed that fails is named: run it alone
//! with `SEED=7 cargo test … simulation`, or many with `SEEDS=100000`.

mod application;
mod client;
mod object;
mod random;
mod wire;

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use self::client::Client;
use self::object::Object;
pub(super) use self::object::Sleep;
use self::random::Random;
use self::wire::{Network, Travelling};
use super::rig::{AWAKE, SLEEPY};
use crate::Timestamp;
use crate::engine::{Reason, Revision, Settings};

/// One seed's world.
struct World {
    now: Timestamp,
    random: Random,
    network: Network,
    object: Object,
    clients: Vec<Client>,
    /// Those that were cut off, evicted or closed by someone.
    harmed: Vec<bool>,
    evicts: bool,
}

/// The report of a world.
pub(super) struct Report {
    /// All that the sessions said, and when.
    pub(super) trace: Vec<String>,
    pub(super) sessions: usize,
    pub(super) messages: u64,
    pub(super) last_words: u64,
}

/// Lives through the world of this seed, and panics at what must not be.
pub(super) fn simulate(seed: u64, sleep: Sleep, evicts: bool) -> Report {
    let mut random = Random::new(seed);
    let is_awake = sleep != Sleep::WhenIdle && random.once_in(2);
    let settings = Settings {
        upgrade_timeout: Duration::from_millis(if is_awake { 500 } else { 10_000 }),
        max_buffered: 100_000,
        max_unproven: 300,
        ..if is_awake { AWAKE } else { SLEEPY }
    };
    let settings = Settings {
        ping_timeout: settings.ping_timeout * if random.once_in(4) { 3 } else { 1 },
        ..settings
    };
    // A ping, its answer, and every step of an upgrade may have to wait for other
    // requests, and still have to be in time.
    let shortest_timeout = settings.ping_timeout.min(settings.upgrade_timeout);
    let longest_delay = shortest_timeout.as_millis() as u64 / 10;
    let pair = match random.below(3) {
        _ if is_awake => None,
        0 => None,
        1 => Some(Revision::V3),
        _ => Some(Revision::V4),
    };
    let start = Timestamp::from_millis(1_000_000);
    let clients: Vec<_> = (0..1 + random.below(6) as usize)
        .map(|index| {
            let wait = random.below(2 * settings.ping_interval.as_millis() as u64);
            let start_at = start + Duration::from_millis(wait);
            Client::new(index, settings, start_at, &mut random)
        })
        .collect();
    let mut world = World {
        now: start,
        random,
        network: Network::new(longest_delay),
        object: Object::new(settings, sleep, pair),
        harmed: clients.iter().map(|_| false).collect(),
        clients,
        evicts,
    };
    let interval = settings.ping_interval;
    world.run(start + interval * 8, Some(interval / 4));
    world.run(start + interval * 10 + settings.patience(), None);
    world.check_messages();
    world.leave(settings);
    Report {
        trace: world.object.trace,
        sessions: world.clients.len(),
        messages: world.object.accounts.values().map(|a| a.received).sum(),
        last_words: world.object.last_words,
    }
}

impl World {
    /// Runs until `end`. Every so often, on average, somebody does something.
    fn run(&mut self, end: Timestamp, pause: Option<Duration>) {
        let pause = pause.map(|pause| 2 * pause.as_millis() as u64);
        let mut action = pause.map(|_| self.now);
        loop {
            let arrival = self.network.next_arrival();
            let alarm = self.object.next_deadline();
            let wake = self.clients.iter().filter_map(Client::next_wake).min();
            let times = [arrival, alarm, wake, action];
            let Some(next) = times.into_iter().flatten().min().filter(|at| *at < end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            let is_next = |time: Option<Timestamp>| time.is_some_and(|time| time <= self.now);
            if is_next(arrival) {
                self.arrive();
            } else if is_next(alarm) {
                self.object.handle_alarm(self.now, &mut self.random);
                let again = self.object.next_deadline();
                assert!(again.is_none_or(|again| again > self.now), "no progress");
            } else if is_next(wake) {
                for client in &mut self.clients {
                    if client.next_wake().is_some_and(|wake| wake <= self.now) {
                        client.wake(self.now);
                    }
                }
            } else if let Some(pause) = pause {
                self.act();
                let wait = Duration::from_millis(1 + self.random.below(pause));
                action = Some(self.now + wait);
            }
            self.dispatch();
        }
    }

    /// Puts on the wire what everyone has said.
    fn dispatch(&mut self) {
        let (now, random) = (self.now, &mut self.random);
        for client in &mut self.clients {
            for up in client.take_out() {
                let what = Travelling::Up(client.index, up);
                self.network.send(now, random, what);
            }
        }
        for (client, down) in self.object.take_down() {
            let what = Travelling::Down(client, down);
            self.network.send(now, random, what);
        }
    }

    fn arrive(&mut self) {
        let (now, random) = (self.now, &mut self.random);
        match self.network.arrive() {
            Some(Travelling::Up(client, up)) => {
                if let Some(client) = self.clients.get(client) {
                    self.object.handle(now, random, client, up);
                }
            }
            Some(Travelling::Down(client, down)) => {
                if let Some(client) = self.clients.get_mut(client) {
                    client.handle(now, random, down);
                }
            }
            Some(Travelling::Lost(client)) => self.object.handle_lost(now, random, client),
            None => {}
        }
    }

    /// Lets somebody do something.
    fn act(&mut self) {
        let index = self.random.below(self.clients.len() as u64) as usize;
        let (now, random) = (self.now, &mut self.random);
        let (Some(client), Some(harmed)) =
            (self.clients.get_mut(index), self.harmed.get_mut(index))
        else {
            return;
        };
        if !client.is_connected() {
            return;
        }
        match random.below(40) {
            0 => {
                *harmed = true;
                self.object.close(now, random, index);
            }
            1 => {
                client.close(random);
                *harmed |= !client.is_connected();
            }
            2 => {
                *harmed = true;
                client.cut();
                self.network.cut(index);
                if random.once_in(2) {
                    self.network.send(now, random, Travelling::Lost(index));
                }
            }
            3 if self.evicts => {
                self.harmed.iter_mut().for_each(|harmed| *harmed = true);
                self.object.evict(now);
            }
            4..=15 => self.object.push(now, random, index),
            _ => {
                for _ in 0..=random.below(4) {
                    client.send_message(random);
                }
            }
        }
    }

    /// Checks that after a while of quiet everything that was sent has arrived, once
    /// and in order.
    fn check_messages(&self) {
        for (client, harmed) in self.clients.iter().zip(&self.harmed) {
            let account = self.object.accounts.get(&client.index);
            let Some(account) = account else { continue };
            let about = alloc::format!(
                "client {} {:?} {:?}: {:?}, {account:?}",
                client.index,
                client.revision,
                client.plan,
                client.over
            );
            if !harmed && !account.dismissed {
                assert_eq!(client.over, None, "{about}");
                assert_eq!(account.closed, None, "{about}");
                assert_eq!(account.received, client.account.sent, "{about}");
                assert_eq!(account.sent, client.account.received, "{about}");
            }
            let closed = client.over.as_deref();
            if account.closed == Some(Reason::ForcedClose)
                && account.dismissed
                && !self.evicts
                && matches!(closed, Some("closed by the server" | "transport close"))
            {
                assert_eq!(
                    account.sent, client.account.received,
                    "a last word: {about}"
                );
            }
            if closed == Some("closed by itself") && account.closed == Some(Reason::TransportClose)
            {
                assert_eq!(
                    account.received, client.account.sent,
                    "a last word: {about}"
                );
            }
        }
    }

    /// Checks that nothing is left of clients that have gone without a word.
    fn leave(&mut self, settings: Settings) {
        for index in 0..self.clients.len() {
            self.network.cut(index);
        }
        for client in &mut self.clients {
            client.cut();
        }
        self.run(self.now + Duration::from_secs(3_600), None);
        // Nothing wakes an object for the silence of a revision 3 client.
        if settings.sleeps() {
            self.object.handle_alarm(self.now, &mut self.random);
        }
        assert!(self.object.sessions.is_empty(), "sessions leak");
    }
}

/// Runs many seeds, as many as `SEEDS` says, or the one that `SEED` names.
pub(super) fn for_each_seed(seeds: u64, check: impl Fn(u64)) {
    let variable = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let seeds = match variable("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..variable("SEEDS").unwrap_or(seeds),
    };
    for seed in seeds {
        let check = core::panic::AssertUnwindSafe(|| check(seed));
        if let Err(panic) = std::panic::catch_unwind(check) {
            std::eprintln!("it fails again with SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn clients_of_all_kinds_live_and_leave() {
    for_each_seed(500, |seed| {
        let report = simulate(seed, Sleep::Never, false);
        assert!(!report.trace.is_empty());
    });
}

#[test]
fn a_simulation_is_worth_its_time() {
    let reports: Vec<_> = (0..40)
        .map(|seed| simulate(seed, Sleep::Never, false))
        .collect();
    assert!(reports.iter().map(|report| report.sessions).sum::<usize>() > 100);
    assert!(reports.iter().map(|report| report.messages).sum::<u64>() > 1_000);
    assert!(reports.iter().map(|report| report.last_words).sum::<u64>() > 0);
    for what in [
        "upgraded",
        "> 4",
        "200 6",
        "200 1",
        "|1",
        "400",
        "ping timeout",
        "closed 1000",
    ] {
        let mut lines = reports.iter().flat_map(|report| &report.trace);
        assert!(lines.any(|line| line.contains(what)), "never: {what}");
    }
}
