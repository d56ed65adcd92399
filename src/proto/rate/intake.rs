//! The messages of one session: which are taken in now, and which wait.

use alloc::collections::VecDeque;
use core::fmt;
use core::time::Duration;

use super::{Buckets, Cost, Limit, Rates};
use crate::Timestamp;
use crate::engine::Data;

/// The maximum number of messages of one session that wait because of a limit.
pub const MAX_HELD_MESSAGES: usize = 1_000;

/// The maximum size of these messages together, in bytes.
pub const MAX_HELD_BYTES: usize = 16 << 20;

/// The owner of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// One client: a session.
    Client,
    /// All clients that connect from one address.
    Address,
}

impl Scope {
    /// Returns its name, as the log has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Address => "address",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A limit that a message exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excess {
    /// What there is too much of.
    pub limit: Limit,
    /// Whose limit it is.
    pub scope: Scope,
    /// The time until the message would not exceed any.
    pub wait: Duration,
}

/// The class of a message, as the layer above the session knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A packet of its own.
    Whole,
    /// A packet that asks to join a namespace.
    Join,
    /// The rest of a packet whose head was taken in. It is paid for, but shares the
    /// fate of the head.
    Part,
    /// The rest of a packet whose head was dropped. It costs nothing, as its head
    /// did.
    Dropped,
}

impl Class {
    fn cost(self, bytes: usize) -> Cost {
        match self {
            Self::Whole | Self::Part => Cost::packets(1, bytes),
            Self::Join => Cost::join(bytes),
            Self::Dropped => Cost::default(),
        }
    }
}

/// The limits that a session shares with others, and what is left of them.
#[derive(Debug)]
pub struct Shared<'a> {
    /// The limits.
    pub rates: &'a Rates,
    /// What is left.
    pub buckets: &'a mut Buckets,
}

/// The outcome for a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken<'a> {
    /// It is the application's.
    Now(Data<'a>),
    /// It waits behind others.
    Waits,
    /// It exceeds a limit, and it has to be decided what becomes of it.
    Exceeds(Data<'a>, Excess),
    /// It would have to wait, but too much does already: the session is to be ended.
    Full,
    /// The session has been ended, and this came behind.
    Ignored,
}

/// The messages of one session.
///
/// A session that sleeps forgets it. That gives nobody more than a full bucket after
/// the time that an object takes to fall asleep, and while anything waits, the
/// object must not: see [`next_release`](Self::next_release).
///
/// ```
/// use dormouse_proto::Timestamp;
/// use dormouse_proto::engine::Data;
/// use dormouse_proto::rate::{Intake, Limit, Rate, Rates, Taken, Class};
///
/// let now = Timestamp::from_millis(0);
/// let rates = Rates::UNLIMITED.with(Limit::Packets, Rate { per_second: 10, burst: 1 });
/// let mut intake = Intake::default();
/// let mut take = |text| intake.take(now, Data::from(text), Class::Whole, &rates, None);
/// assert_eq!(take("first"), Taken::Now(Data::from("first")));
/// let Taken::Exceeds(message, excess) = take("second") else {
///     panic!("one message is allowed at once");
/// };
///
/// // The application wants it to wait.
/// assert!(intake.hold(now, message.into_owned(), excess));
/// let later = intake.next_release().unwrap();
/// assert_eq!(later, Timestamp::from_millis(100));
/// let released = intake.release(later, Class::Whole, &rates, None);
/// assert_eq!(released, Some(Data::from("second")));
/// ```
#[derive(Debug, Default)]
pub struct Intake {
    own: Buckets,
    /// Messages that wait, in order.
    held: VecDeque<Data<'static>>,
    held_bytes: usize,
    /// When the first of them may be taken in.
    due: Timestamp,
    is_shut: bool,
}

impl Intake {
    /// Takes in a message, if nothing waits and the limits allow it. Behind one that
    /// waits, everything waits.
    pub fn take<'a>(
        &mut self,
        now: Timestamp,
        data: Data<'a>,
        class: Class,
        rates: &Rates,
        shared: Option<Shared<'_>>,
    ) -> Taken<'a> {
        if self.is_shut {
            return Taken::Ignored;
        }
        if !self.held.is_empty() {
            return match self.push(data.into_owned()) {
                true => Taken::Waits,
                false => Taken::Full,
            };
        }
        match self.pay(now, class, data.len(), rates, shared) {
            Ok(()) => Taken::Now(data),
            Err(excess) => Taken::Exceeds(data, excess),
        }
    }

    /// Takes in packets without a message, which the session has handled itself.
    ///
    /// # Errors
    ///
    /// They exceed a limit.
    pub fn charge(
        &mut self,
        now: Timestamp,
        cost: Cost,
        rates: &Rates,
        shared: Option<Shared<'_>>,
    ) -> Result<(), Excess> {
        self.afford(now, cost, rates, shared)
    }

    /// Lets a message wait that has exceeded a limit. Returns `false` if too much
    /// waits already: more than [`MAX_HELD_MESSAGES`] or [`MAX_HELD_BYTES`].
    #[must_use = "says whether there was room"]
    pub fn hold(&mut self, now: Timestamp, data: Data<'static>, excess: Excess) -> bool {
        if self.held.is_empty() {
            self.due = now + excess.wait;
        }
        !self.is_shut && self.push(data)
    }

    fn push(&mut self, data: Data<'static>) -> bool {
        let bytes = self.held_bytes.saturating_add(data.len());
        if self.held.len() >= MAX_HELD_MESSAGES || bytes > MAX_HELD_BYTES {
            return false;
        }
        self.held_bytes = bytes;
        self.held.push_back(data);
        true
    }

    /// Returns the message that has waited longest. Its class may have changed
    /// meanwhile.
    pub fn first_held(&self) -> Option<&Data<'static>> {
        self.held.front()
    }

    /// Returns all that wait, in order.
    pub fn held(&self) -> impl Iterator<Item = &Data<'static>> {
        self.held.iter()
    }

    /// Returns the size of what waits, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Returns when to call [`release`](Self::release), if anything waits.
    pub fn next_release(&self) -> Option<Timestamp> {
        self.held.front().map(|_| self.due)
    }

    /// Takes in the message that has waited longest, if the limits allow it by now.
    /// To be called until it returns `None`.
    pub fn release(
        &mut self,
        now: Timestamp,
        class: Class,
        rates: &Rates,
        shared: Option<Shared<'_>>,
    ) -> Option<Data<'static>> {
        let bytes = self.held.front()?.len();
        if let Err(excess) = self.pay(now, class, bytes, rates, shared) {
            self.due = now + excess.wait;
            return None;
        }
        self.held_bytes = self.held_bytes.saturating_sub(bytes);
        self.held.pop_front()
    }

    /// Ends the intake, as its session has ended. What waits is dropped, and whatever
    /// comes behind is [ignored](Taken::Ignored).
    pub fn shut(&mut self) {
        self.is_shut = true;
        self.held = VecDeque::new();
        self.held_bytes = 0;
    }

    fn pay(
        &mut self,
        now: Timestamp,
        class: Class,
        bytes: usize,
        rates: &Rates,
        shared: Option<Shared<'_>>,
    ) -> Result<(), Excess> {
        let cost = class.cost(bytes);
        match class {
            Class::Whole | Class::Join => self.afford(now, cost, rates, shared),
            Class::Part | Class::Dropped => {
                self.own.spend(now, rates, cost);
                if let Some(shared) = shared {
                    shared.buckets.spend(now, shared.rates, cost);
                }
                Ok(())
            }
        }
    }

    /// Pays from all buckets, or from none.
    fn afford(
        &mut self,
        now: Timestamp,
        cost: Cost,
        rates: &Rates,
        shared: Option<Shared<'_>>,
    ) -> Result<(), Excess> {
        let own = self.own.afford(now, rates, cost);
        let Some(Shared {
            rates: all,
            buckets,
        }) = shared
        else {
            own.map_err(|exceeded| excess(Scope::Client, exceeded, Duration::ZERO))?;
            self.own.spend(now, rates, cost);
            return Ok(());
        };
        match (own, buckets.afford(now, all, cost)) {
            (Ok(()), Ok(())) => {
                self.own.spend(now, rates, cost);
                buckets.spend(now, all, cost);
                Ok(())
            }
            (Err(exceeded), Ok(())) => Err(excess(Scope::Client, exceeded, Duration::ZERO)),
            (Err(exceeded), Err((_, wait))) => Err(excess(Scope::Client, exceeded, wait)),
            (Ok(()), Err(exceeded)) => Err(excess(Scope::Address, exceeded, Duration::ZERO)),
        }
    }
}

fn excess(scope: Scope, (limit, wait): (Limit, Duration), at_least: Duration) -> Excess {
    Excess {
        limit,
        scope,
        wait: wait.max(at_least),
    }
}
