//! The rows that one client may make its object write.
//!
//! A row costs a thousand times what reading one does, and some of what a client does
//! costs one: joining a namespace, changing rooms, polling without an open poll. So
//! its rows are paid out of a budget, which refills evenly. When it is used up,
//! changes wait and are written together; none is dropped.

use core::time::Duration;

use dormouse_proto::Timestamp;

use super::Parts;
use crate::platform;
use crate::sid::Key;

/// The time in which an unused budget is full again.
const REFILL: Duration = Duration::from_secs(60);

/// The time that what is stored of a client may be missing after a change. A client
/// that polls steadily needs no row, and one that is gone by then needs none either:
/// if the object were lost, it connects again.
pub(crate) const SAVE_AFTER: Duration = Duration::from_millis(500);

/// What a row is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A change. Others will follow, so half of the budget is not for these.
    Change,
    /// The end: what is not stored now never will be.
    End,
}

/// The rows that a client has used up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RowBudget {
    /// The time at which the budget will be full again, in microseconds.
    full_at: u64,
}

impl RowBudget {
    /// Returns when a row may be written, in microseconds.
    fn allows_at(self, max_rows: u32, purpose: Purpose) -> u64 {
        let reach = match purpose {
            Purpose::Change => micros(REFILL) / 2,
            Purpose::End => micros(REFILL),
        };
        (self.full_at + price(max_rows)).saturating_sub(reach)
    }

    fn allows(self, max_rows: u32, purpose: Purpose, now: Timestamp) -> bool {
        self.allows_at(max_rows, purpose) <= now.as_millis() * 1_000
    }

    /// Takes one row out of the budget, whether or not it allows it: some have to be
    /// deleted.
    fn charge(&mut self, max_rows: u32, now: Timestamp) {
        self.full_at = self.full_at.max(now.as_millis() * 1_000) + price(max_rows);
    }
}

/// Returns the time in which a budget gains one row, in microseconds.
fn price(max_rows: u32) -> u64 {
    micros(REFILL) / u64::from(max_rows.max(1))
}

fn micros(duration: Duration) -> u64 {
    duration.as_micros() as u64
}

impl Parts {
    fn max_rows(&self) -> u32 {
        self.options().map_or(u32::MAX, |options| options.max_rows)
    }

    fn row_budget(&self, key: Key) -> RowBudget {
        let budget = self.sessions.with(key, |entry| entry.row_budget);
        budget.unwrap_or_default()
    }

    /// Returns whether a session may write a row now.
    pub(crate) fn may_write(&self, key: Key, purpose: Purpose) -> bool {
        let budget = self.row_budget(key);
        budget.allows(self.max_rows(), purpose, platform::now())
    }

    /// Returns how long a session has to wait until it may write a row.
    pub(crate) fn wait_to_write(&self, key: Key, purpose: Purpose) -> Duration {
        let budget = self.row_budget(key);
        let at = budget.allows_at(self.max_rows(), purpose);
        let at = Timestamp::from_millis(at.div_ceil(1_000));
        at.since(platform::now())
    }

    /// Has a session saved when it may write a row, but not at once: what follows soon
    /// shares the row.
    pub(crate) fn save_soon(&self, key: Key) {
        let wait = self.wait_to_write(key, Purpose::Change);
        self.clock.save_soon(wait.max(SAVE_AFTER));
    }

    /// Takes a row that is written, or deleted, out of a session's budget.
    pub(crate) fn charge_row(&self, key: Key) {
        let max_rows = self.max_rows();
        self.sessions.with(key, |entry| {
            entry.row_budget.charge(max_rows, platform::now());
        });
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    const BEGIN: Timestamp = Timestamp::from_millis(1_000_000);

    /// Writes rows for as long as it is allowed.
    fn use_up(budget: &mut RowBudget, max_rows: u32, purpose: Purpose, now: Timestamp) -> u32 {
        let mut count = 0;
        while budget.allows(max_rows, purpose, now) {
            budget.charge(max_rows, now);
            count += 1;
        }
        count
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn half_of_it_is_for_the_end() {
        for max_rows in [2, 3, 60, 61, 1_000, 60_000, 1_000_000] {
            let mut budget = RowBudget::default();
            let changes = use_up(&mut budget, max_rows, Purpose::Change, BEGIN);
            assert_eq!(changes, max_rows / 2, "{max_rows}");
            let end = use_up(&mut budget, max_rows, Purpose::End, BEGIN);
            assert_eq!(changes + end, max_rows);
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn it_refills_evenly() {
        let mut budget = RowBudget::default();
        use_up(&mut budget, 60, Purpose::Change, BEGIN);
        let mut now = BEGIN;
        for _ in 0..10 {
            assert!(!budget.allows(60, Purpose::Change, now + SECOND / 2));
            now = now + SECOND;
            assert_eq!(use_up(&mut budget, 60, Purpose::Change, now), 1);
        }
        now = now + 5 * SECOND;
        assert_eq!(use_up(&mut budget, 60, Purpose::Change, now), 5);
        now = now + 1_000 * SECOND;
        assert_eq!(use_up(&mut budget, 60, Purpose::Change, now), 30);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn what_must_be_deleted_is_owed() {
        let mut budget = RowBudget::default();
        for _ in 0..100 {
            budget.charge(60, BEGIN);
        }
        assert!(!budget.allows(60, Purpose::End, BEGIN + 40 * SECOND));
        assert!(budget.allows(60, Purpose::End, BEGIN + 41 * SECOND));
        assert!(!budget.allows(60, Purpose::Change, BEGIN + 70 * SECOND));
        assert!(budget.allows(60, Purpose::Change, BEGIN + 71 * SECOND));
    }
}
