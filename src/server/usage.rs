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

/// What an object has woken up for and done, as far as it is billed for: see
/// [`Server::on_usage`](crate::Server::on_usage).
///
/// It can be added up, kept, and sent: as JSON it is an object with a number for each of
/// the methods here, in camel case, and `wokenBy` with one for each reason.
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
    requests: u64,
    calls: u64,
    messages: u64,
    alarms: u64,
    rows_written: u64,
    rows_read: u64,
}

/// How often an object has woken up for each of these reasons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct WokenBy {
    handshake: u64,
    upgrade: u64,
    poll: u64,
    post: u64,
    message: u64,
    close: u64,
    call: u64,
    alarm: u64,
    panic: u64,
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

    /// Returns the number of requests of clients: handshakes, upgrades, polls and `POST`s.
    /// Each of them is also one to the Worker.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Returns the number of calls of other objects and of other parts of the Worker.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Returns the number of messages that have come over WebSocket, of which heartbeats that
    /// the platform answers by itself are none.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Returns how often the object's alarm has gone off.
    pub fn alarms(&self) -> u64 {
        self.alarms
    }

    /// Returns the number of rows that the server has written or deleted, with those of
    /// indices, and the alarms that it has set. What handlers store by themselves, with
    /// [`Socket::storage`](crate::Socket::storage), is not among them.
    pub fn rows_written(&self) -> u64 {
        self.rows_written
    }

    /// Returns the number of rows that the server has read.
    pub fn rows_read(&self) -> u64 {
        self.rows_read
    }

    /// Returns what all of this costs on the paid plan beyond what that includes, in
    /// billionths of a dollar, at the prices of November 2026 (`docs/cost.md`). The time in
    /// which an object runs comes on top, of which it cannot know: if it never stopped,
    /// 1,600 of them a second.
    pub fn nanodollars(&self) -> u64 {
        // A request to the object is $0.15 a million, and one to the Worker $0.30. Twenty
        // messages are a request to the object.
        let twice = [
            (900, self.requests),
            (300, self.calls),
            (300, self.alarms),
            (15, self.messages),
            (2_000, self.rows_written),
            (2, self.rows_read),
        ];
        let twice = twice.map(|(price, count)| price * u128::from(count));
        let sum = twice.iter().sum::<u128>() / 2;
        u64::try_from(sum).unwrap_or(u64::MAX)
    }

    fn since(mut self, mut before: Self) -> Self {
        for (count, before) in self.counts().into_iter().zip(before.counts()) {
            *count = count.saturating_sub(*before);
        }
        self
    }

    fn counts(&mut self) -> [&mut u64; 15] {
        let [a, b, c, d, e, f, g, h, i] = self.woken_by.named().map(|(_, count)| count);
        let Self {
            requests,
            calls,
            messages,
            alarms,
            rows_written,
            rows_read,
            ..
        } = self;
        [
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h,
            i,
            requests,
            calls,
            messages,
            alarms,
            rows_written,
            rows_read,
        ]
    }
}

impl WokenBy {
    fn named(&mut self) -> [(&'static str, &mut u64); 9] {
        [
            ("handshake", &mut self.handshake),
            ("upgrade", &mut self.upgrade),
            ("poll", &mut self.poll),
            ("post", &mut self.post),
            ("message", &mut self.message),
            ("close", &mut self.close),
            ("call", &mut self.call),
            ("alarm", &mut self.alarm),
            (PANIC, &mut self.panic),
        ]
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, mut other: Self) {
        for (count, other) in self.counts().into_iter().zip(other.counts()) {
            *count = count.saturating_add(*other);
        }
    }
}

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
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    const ALL: [Counted; 9] = [
        Counted::Wake("alarm"),
        Counted::Request,
        Counted::Call,
        Counted::Message,
        Counted::Message,
        Counted::Alarm,
        Counted::Rows {
            written: 2,
            read: 5,
        },
        Counted::AlarmEnd,
        Counted::Wake("message"),
    ];

    fn meter() -> Meter {
        let meter = Meter::new(Some(begin));
        ALL.into_iter().for_each(|what| meter.count(what));
        meter
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn what_is_counted_is_told_with_its_price() {
        let usage = meter().usage().unwrap();
        let woken = usage.woken_by().filter(|(_, count)| *count > 0);
        assert!(woken.eq([("message", 1), ("alarm", 1)]));
        assert_eq!(usage.wakes(), 2);
        assert_eq!(
            (usage.requests(), usage.calls(), usage.messages()),
            (1, 1, 2)
        );
        assert_eq!(
            (usage.alarms(), usage.rows_written(), usage.rows_read()),
            (1, 2, 5)
        );
        assert_eq!(usage.nanodollars(), 450 + 2 * 150 + 15 + 2_000 + 5);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn usage_can_be_kept_and_added_up() {
        let usage = meter().usage().unwrap();
        let json = serde_json::to_string(&usage).unwrap();
        let expect = r#"{"wokenBy":{"handshake":0,"upgrade":0,"poll":0,"post":0,"message":1,"close":0,"call":0,"alarm":1,"panic":0},"requests":1,"calls":1,"messages":2,"alarms":1,"rowsWritten":2,"rowsRead":5}"#;
        assert_eq!(json, expect);
        assert_eq!(serde_json::from_str::<Usage>(&json).unwrap(), usage);
        // Of an earlier version that has counted less.
        assert_eq!(
            serde_json::from_str::<Usage>("{}").unwrap(),
            Usage::default()
        );
        let mut sum = usage;
        sum += usage;
        assert_eq!(sum.rows_read(), 10);
        assert_eq!(sum.since(usage), usage);
    }

    fn at<const MILLIS: u64>() -> Timestamp {
        Timestamp::from_millis(MILLIS)
    }

    fn never() -> Timestamp {
        unreachable!("the time is not asked for if there is nothing to tell")
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn the_application_is_told_at_most_once_a_second() {
        let meter = meter();
        assert_eq!(meter.take_due(at::<10>), meter.usage());
        assert_eq!(meter.take_due(never), None);
        meter.count(Counted::Message);
        assert_eq!(meter.take_due(at::<1_009>), None);
        meter.count(Counted::Message);
        let told = meter.take_due(at::<1_010>).unwrap();
        assert_eq!((told.messages(), told.wakes()), (2, 0));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn an_alarm_is_told_as_a_whole() {
        let meter = Meter::new(Some(begin));
        meter.count(Counted::Alarm);
        assert_eq!(meter.take_due(never), None);
        meter.count(Counted::Rows {
            written: 1,
            read: 0,
        });
        meter.count(Counted::AlarmEnd);
        let told = meter.take_due(at::<10>).unwrap();
        assert_eq!((told.alarms(), told.rows_written()), (1, 1));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn nobody_is_told_of_a_panic_before_something_comes_in() {
        let meter = Meter::new(Some(begin));
        meter.count(Counted::Rows {
            written: 0,
            read: 1,
        });
        meter.count(Counted::Wake("panic"));
        assert_eq!(meter.take_due(never), None);
        meter.count(Counted::Message);
        let told = meter.take_due(at::<10>).unwrap();
        assert_eq!((told.wakes(), told.messages()), (1, 1));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn nothing_is_counted_unless_it_is_on() {
        let meter = Meter::new(None);
        ALL.into_iter().for_each(|what| meter.count(what));
        assert_eq!((meter.is_on(), meter.usage()), (false, None));
        let meter = Meter::new(Some(begin));
        meter.stop();
        ALL.into_iter().for_each(|what| meter.count(what));
        assert_eq!((meter.is_on(), meter.take_due(never)), (false, None));
    }
}
