//! Token buckets: what may still come.

use core::fmt;
use core::time::Duration;

use crate::Timestamp;

/// The thing that is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// Packets of Engine.IO, of every kind.
    Packets,
    /// Bytes in them.
    Bytes,
    /// Requests to join a namespace.
    Joins,
    /// New sessions.
    Handshakes,
}

impl Limit {
    const COUNT: usize = 4;

    /// In the order of the arrays below.
    const ALL: [Self; Self::COUNT] = [Self::Packets, Self::Bytes, Self::Joins, Self::Handshakes];

    /// Returns its name, as the log has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Packets => "packets",
            Self::Bytes => "bytes",
            Self::Joins => "joins",
            Self::Handshakes => "handshakes",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The amount that may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// In each second, in the long run.
    pub per_second: u32,
    /// At once, after a time in which nothing came.
    pub burst: u32,
}

/// The rates of everything that is limited; `None` is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates([Option<Rate>; Limit::COUNT]);

impl Rates {
    /// Nothing is limited.
    pub const UNLIMITED: Self = Self([None; Limit::COUNT]);

    /// Returns the rate of a limit.
    pub fn get(&self, limit: Limit) -> Option<Rate> {
        let mut all = Limit::ALL.iter().zip(self.0);
        all.find_map(|(other, rate)| rate.filter(|_| *other == limit))
    }

    /// Returns the same with another rate.
    #[must_use]
    pub fn with(mut self, limit: Limit, rate: Rate) -> Self {
        for (other, place) in Limit::ALL.iter().zip(&mut self.0) {
            if *other == limit {
                *place = Some(rate);
            }
        }
        self
    }

    /// Returns those that are limited.
    pub fn iter(&self) -> impl Iterator<Item = (Limit, Rate)> {
        let all = Limit::ALL.into_iter().zip(self.0);
        all.filter_map(|(limit, rate)| Some((limit, rate?)))
    }

    /// Returns whether nothing is limited.
    pub fn is_unlimited(&self) -> bool {
        self.iter().next().is_none()
    }
}

/// The amount that something takes out of each bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost([u32; Limit::COUNT]);

impl Cost {
    /// Packets with this many bytes together.
    pub fn packets(count: usize, bytes: usize) -> Self {
        Self([clamp(count), clamp(bytes), 0, 0])
    }

    /// The same, with a request to join a namespace.
    pub fn join(bytes: usize) -> Self {
        Self([1, clamp(bytes), 1, 0])
    }

    /// A new session.
    pub fn handshake() -> Self {
        Self([0, 0, 0, 1])
    }
}

fn clamp(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Levels are in thousandths, so that each millisecond adds a whole number.
const UNIT: i64 = 1_000;

/// What is left of [`Rates`].
///
/// A bucket is full at first, and fills up by its rate. It can be in debt: what was
/// [spent](Self::spend) without being [afforded](Self::afford) first has to be made
/// up for.
#[derive(Clone, Debug)]
pub struct Buckets {
    levels: [i64; Limit::COUNT],
    /// The time up to which they have been filled.
    at: Timestamp,
}

impl Default for Buckets {
    fn default() -> Self {
        Self {
            levels: [i64::MAX; Limit::COUNT],
            at: Timestamp::default(),
        }
    }
}

impl Buckets {
    /// Returns whether there is enough for `cost`, or else for what there is not and
    /// how long that takes. More than a bucket can hold is afforded by a full one.
    ///
    /// # Errors
    ///
    /// The first limit that is exceeded, and the time until none is.
    pub fn afford(
        &mut self,
        now: Timestamp,
        rates: &Rates,
        cost: Cost,
    ) -> Result<(), (Limit, Duration)> {
        self.fill(now, rates);
        let mut exceeded = None;
        let all = Limit::ALL.into_iter().zip(rates.0).zip(cost.0);
        for (((limit, rate), cost), level) in all.zip(self.levels) {
            let Some(rate) = rate.filter(|_| cost > 0) else {
                continue;
            };
            let missing = i64::from(cost.min(rate.burst)) * UNIT - level;
            if missing > 0 {
                let (first, longest) = exceeded.unwrap_or((limit, Duration::ZERO));
                exceeded = Some((first, longest.max(time_for(missing, rate))));
            }
        }
        exceeded.map_or(Ok(()), Err)
    }

    /// Takes out `cost`, into debt if it must be.
    pub fn spend(&mut self, now: Timestamp, rates: &Rates, cost: Cost) {
        self.fill(now, rates);
        for (level, cost) in self.levels.iter_mut().zip(cost.0) {
            *level = level.saturating_sub(i64::from(cost) * UNIT);
        }
    }

    /// Returns whether all buckets are full, so that they need not be remembered.
    pub fn are_full(&mut self, now: Timestamp, rates: &Rates) -> bool {
        self.fill(now, rates);
        let mut all = self.levels.iter().zip(rates.0);
        all.all(|(level, rate)| rate.is_none_or(|rate| *level >= capacity(rate)))
    }

    /// Adds what the time since the last call has brought. A clock that goes back adds
    /// nothing, and what it adds when it goes on is no more than a bucket holds.
    fn fill(&mut self, now: Timestamp, rates: &Rates) {
        let passed = now.as_millis().saturating_sub(self.at.as_millis());
        self.at = now;
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        for (level, rate) in self.levels.iter_mut().zip(rates.0) {
            // What is not limited stays full.
            *level = rate.map_or(i64::MAX, |rate| {
                let brought = passed.saturating_mul(i64::from(rate.per_second));
                level.saturating_add(brought).min(capacity(rate))
            });
        }
    }
}

fn capacity(rate: Rate) -> i64 {
    i64::from(rate.burst) * UNIT
}

/// Returns how long a rate takes to bring so many thousandths, and at least a
/// millisecond.
fn time_for(missing: i64, rate: Rate) -> Duration {
    let missing = u64::try_from(missing).unwrap_or(0);
    Duration::from_millis(missing.div_ceil(u64::from(rate.per_second.max(1))).max(1))
}
