//! What an object has done of what is billed: counted in its memory, if the application
//! asks for it.

use core::cell::{Cell, RefCell};
use core::ops::AddAssign;
use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::Timestamp;
use serde::{Deserialize, Serialize};

/// The reason of an object that has woken up because of a panic.
const PANIC: &str = "panic";

/// How often an application is told what was counted, at most.
const EVERY: Duration = Duration::from_secs(1);

/// The prices of the paid plan in November 2026, in trillionths of a dollar: what a million
/// cost in millionths. docs/cost.md has the same, and where they are from.
mod prices {
    pub(super) const WORKER_REQUEST: u64 = 300_000;
    pub(super) const OBJECT_REQUEST: u64 = 150_000;
    pub(super) const MESSAGE: u64 = OBJECT_REQUEST / 20;
    pub(super) const ROW_WRITTEN: u64 = 1_000_000;
    pub(super) const ROW_READ: u64 = 1_000;
}

use prices::{MESSAGE, OBJECT_REQUEST, ROW_READ, ROW_WRITTEN, WORKER_REQUEST};

/// Defines [`Usage`]: its counts, each with its price.
macro_rules! usage {
    ($($(#[$doc:meta])* $count:ident: $price:expr;)*) => {
        /// What an object has woken up for and done, as far as it is billed for: see
        /// [`Server::on_usage`](crate::Server::on_usage) and
        /// [`Engine::on_usage`](crate::engine::Engine::on_usage).
        ///
        /// It can be added up, kept, and sent: as JSON it is an object with a number for each
        /// of the methods here, in camel case, and `wokenBy` with one for each reason.
        ///
        /// ```
        /// use dormouse::Usage;
        ///
        /// let mut total = Usage::default();
        /// for usage in [Usage::default(), Usage::default()] {
        ///     total += usage;
        /// }
        /// assert_eq!(total.wakes(), 0);
        /// assert_eq!(total.nanodollars(), 0);
        /// ```
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub struct Usage {
            woken_by: WokenBy,
            $($count: u64,)*
        }

        impl Usage {
            $($(#[$doc])*
            pub fn $count(&self) -> u64 {
                self.$count
            })*

            /// Returns what all of this costs on the paid plan beyond what that includes, in
            /// billionths of a dollar, at the prices of November 2026 (`docs/cost.md`). The
            /// time in which an object runs comes on top, of which it cannot know: if it
            /// never stopped, 1,600 of them a second.
            pub fn nanodollars(&self) -> u64 {
                let sum = 0 $(+ u128::from($price) * u128::from(self.$count))*;
                u64::try_from(sum / 1_000).unwrap_or(u64::MAX)
            }

            fn counts(&mut self) -> impl Iterator<Item = &mut u64> {
                let woken_by = self.woken_by.named().map(|(_, count)| count);
                woken_by.into_iter().chain([$(&mut self.$count),*])
            }
        }
    };
}

usage! {
    /// Returns the number of requests of clients: handshakes, upgrades, polls and `POST`s.
    /// Each of them is also one to the Worker.
    requests: WORKER_REQUEST + OBJECT_REQUEST;

    /// Returns the number of calls of other objects and of other parts of the Worker.
    calls: OBJECT_REQUEST;

    /// Returns the number of messages that have come over WebSocket, of which heartbeats that
    /// the platform answers by itself are none.
    messages: MESSAGE;

    /// Returns how often the object's alarm has gone off.
    alarms: OBJECT_REQUEST;

    /// Returns the number of rows that the server has written or deleted, with those of
    /// indices, and the alarms that it has set. What handlers store by themselves, with
    /// [`Socket::storage`](crate::Socket::storage), is not among them.
    rows_written: ROW_WRITTEN;

    /// Returns the number of rows that the server has read.
    rows_read: ROW_READ;
}

impl Usage {
    /// Returns how often an object has woken up, or was made.
    pub fn wakes(&self) -> u64 {
        self.woken_by().map(|(_, count)| count).sum()
    }

    /// Returns how often an object has woken up for each reason: `handshake`, `upgrade`,
    /// `poll` and `post`, a request of a client; `message` and `close`, of a WebSocket;
    /// `call`, of another object or another part of the Worker; `alarm`; `panic`, of a
    /// handler. They are those of the log's `wake`.
    pub fn woken_by(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let mut counts = self.woken_by;
        let counts = counts.named().map(|(name, count)| (name, *count));
        counts.into_iter()
    }

    fn since(mut self, mut before: Self) -> Self {
        for (count, before) in self.counts().zip(before.counts()) {
            *count = count.saturating_sub(*before);
        }
        self
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, mut other: Self) {
        for (count, other) in self.counts().zip(other.counts()) {
            *count = count.saturating_add(*other);
        }
    }
}

/// Defines [`WokenBy`] by its reasons.
macro_rules! woken_by {
    ($($reason:ident)*) => {
        /// How often an object has woken up for each of these reasons.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        struct WokenBy {
            $($reason: u64,)*
        }

        impl WokenBy {
            fn named(&mut self) -> [(&'static str, &mut u64); [$(stringify!($reason)),*].len()] {
                [$((stringify!($reason), &mut self.$reason)),*]
            }
        }
    };
}

woken_by!(handshake upgrade poll post message close call alarm panic);

/// Something that is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Counted {
    /// The object has woken up for this reason.
    Wake(&'static str),
    Request,
    Call,
    Message,
    /// The alarm goes off. Everything until its end is due to it.
    Alarm,
    AlarmEnd,
    Rows {
        written: u64,
        read: u64,
    },
}

/// What counts, where the application asks for it.
pub(crate) trait Count {
    fn count(&self, what: Counted);

    /// Returns what was counted since the object woke up.
    fn usage(&self) -> Usage;

    /// Returns what the application is to be told now: what was counted since it was last
    /// told, unless that is nothing, or was a moment ago.
    fn take_due(&self, now: fn() -> Timestamp) -> Option<Usage>;
}

/// Begins to count.
pub(crate) type Begin = fn() -> Rc<dyn Count>;

/// The counts of an object. All that counts is linked only where an application asks for it.
#[derive(Default)]
pub(crate) struct Meter(RefCell<Option<Rc<dyn Count>>>);

impl Meter {
    /// Returns one that counts, if there is what begins it.
    pub(crate) fn new(begin: Option<Begin>) -> Self {
        Self(RefCell::new(begin.map(|begin| begin())))
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Counts no more: nobody wants to know.
    pub(crate) fn stop(&self) {
        self.0.take();
    }

    #[inline(never)]
    pub(crate) fn count(&self, what: Counted) {
        if let Some(count) = &*self.0.borrow() {
            count.count(what);
        }
    }

    /// See [`Count::usage`].
    pub(crate) fn usage(&self) -> Option<Usage> {
        let count = self.0.borrow();
        count.as_ref().map(|count| count.usage())
    }

    /// See [`Count::take_due`].
    pub(crate) fn take_due(&self, now: fn() -> Timestamp) -> Option<Usage> {
        self.0.borrow().as_ref()?.take_due(now)
    }
}

/// See [`Begin`].
pub(crate) fn begin() -> Rc<dyn Count> {
    Rc::new(Counts::default())
}

#[derive(Default)]
struct Counts {
    counted: RefCell<Usage>,
    /// What of it the application was told, and when.
    told: RefCell<Usage>,
    told_at: Cell<Option<Timestamp>>,
    /// Something has come in since the object woke up. What an instance does that there is
    /// because of a panic is not told before: it may be the handler of this that panics.
    has_begun: Cell<bool>,
    /// An alarm is being handled: it is told as a whole.
    is_alarm: Cell<bool>,
}

impl Count for Counts {
    fn count(&self, what: Counted) {
        let mut usage = self.counted.borrow_mut();
        let mut has_begun = true;
        match what {
            Counted::Wake(reason) => {
                for (name, count) in usage.woken_by.named() {
                    *count += u64::from(name == reason);
                }
                has_begun = reason != PANIC;
            }
            Counted::Request => usage.requests += 1,
            Counted::Call => usage.calls += 1,
            Counted::Message => usage.messages += 1,
            Counted::Alarm => {
                usage.alarms += 1;
                self.is_alarm.set(true);
            }
            Counted::AlarmEnd => self.is_alarm.set(false),
            Counted::Rows { written, read } => {
                usage.rows_written += written;
                usage.rows_read += read;
                has_begun = false;
            }
        }
        self.has_begun.set(self.has_begun.get() || has_begun);
    }

    fn usage(&self) -> Usage {
        *self.counted.borrow()
    }

    fn take_due(&self, now: fn() -> Timestamp) -> Option<Usage> {
        let counted = self.usage();
        let is_time = self.has_begun.get() && !self.is_alarm.get();
        if !is_time || *self.told.borrow() == counted {
            return None;
        }
        let now = now();
        let told_at = self.told_at.get();
        if told_at.is_some_and(|then| now.since(then) < EVERY) {
            return None;
        }
        self.told_at.set(Some(now));
        Some(counted.since(self.told.replace(counted)))
    }
}

#[cfg(test)]
mod tests;
