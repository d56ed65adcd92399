//! The log of events: their offsets, and what of them is still stored.
//!
//! ```text
//!            pruned                       last
//!   ───────────┼────────────────────────────┼──────────▶ offsets
//!     may be   │  all stored                │  not given
//!     gone     │                            │  out yet
//! ```
//!
//! A client whose position is between the two can be sent what it has missed. When
//! an event cannot be stored there is a *gap*: once the storage accepts writes
//! again, both move past every offset that was issued, and until then nobody comes
//! back.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::time::Duration;

use super::rows::LoggedEvent;
use super::store::Tally;
use super::{Failed, Number, Offset, PAGE, Settings, Store, StoredSocket, Usage};
use crate::Timestamp;
use crate::socket::{Args, Filter};

/// An offset is at least the time at which it is issued, in these parts of a
/// millisecond. So none is issued twice, even if everything that was stored is gone.
const PARTS: u64 = 1_000;

/// The number of events' sizes that are read at once.
const SIZES: usize = 500;

/// The stored events, as far as this instance knows them.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// The other fields have been read from the store.
    is_read: bool,
    /// The highest offset that was issued. The store knows of it.
    last: u64,
    /// Events up to this one may be gone.
    pruned: u64,
    /// An event could not be stored, and the storage does not know of that yet.
    gap: bool,
    tally: Tally,
    /// Events that have come since the old ones were deleted.
    since_prune: u32,
}

impl Log {
    pub(super) fn last(&self) -> Offset {
        Offset(self.last)
    }

    /// Returns an offset that was never issued.
    fn next(&self, now: Timestamp) -> Result<Offset, Failed> {
        let next = self.last.checked_add(1).ok_or(Failed)?;
        Ok(Offset(next.max(now.as_millis().saturating_mul(PARTS))))
    }

    fn read(&mut self, store: &dyn Store) -> Result<(), Failed> {
        if self.is_read {
            return Ok(());
        }
        let newest = store.newest_event()?.unwrap_or_default();
        self.pruned = store.number(Number::Pruned)?.unwrap_or_default();
        self.last = newest.0.max(self.pruned);
        // A store that is new has a gap: others may have come before it.
        self.gap |= store.number(Number::Intact)?.is_none();
        self.is_read = true;
        Ok(())
    }

    /// Makes sure that the store tells of any event that is missing in it.
    pub(super) fn mend(&mut self, store: &mut dyn Store, now: Timestamp) -> Result<(), Failed> {
        self.read(store)?;
        if self.gap {
            // Past everything that was issued, because some client may be there.
            let pruned = self.next(now)?.0;
            store.put_number(Number::Pruned, pruned)?;
            (self.last, self.pruned) = (pruned, pruned);
            store.put_number(Number::Intact, 1)?;
            self.gap = false;
        }
        Ok(())
    }

    /// Records that an event is missing: from now on no client before the next one
    /// can come back.
    pub(super) fn open_gap(&mut self, store: &mut dyn Store) {
        self.gap = true;
        if store.delete_number(Number::Intact).is_ok() && self.is_read {
            // Nobody will be sent what is stored, and the storage may be full. The
            // newest event stays, because the store knows the last offset from it.
            let useless = Offset(self.last.saturating_sub(1));
            let _ = store.delete_events(useless);
            self.tally = Tally::default();
        }
    }

    /// Stores an event, and returns its offset.
    pub(super) fn append(
        &mut self,
        store: &mut dyn Store,
        settings: &Settings,
        now: Timestamp,
        (namespace, filter, args): (&str, &Filter, &Args<'_>),
    ) -> Result<Offset, Failed> {
        self.mend(store, now)?;
        let Some(bytes) = encode(settings, namespace, filter, args) else {
            return Ok(self.last());
        };
        let offset = self.next(now)?;
        store.append_event(offset, namespace, &bytes)?;
        self.last = offset.0;
        let one = Usage {
            count: 1,
            bytes: bytes.len() as u64,
        };
        self.tally.add(one);
        self.since_prune += 1;
        let is_due = self.tally.is_due(Usage::default(), settings.events());
        if is_due || self.since_prune >= super::store::COUNT_EVERY {
            // The event is stored, even if this fails.
            let _ = self.prune(store, settings, now);
        }
        Ok(offset)
    }

    /// Deletes events that are too old, and the oldest where there are too many.
    fn prune(
        &mut self,
        store: &mut dyn Store,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<(), Failed> {
        self.since_prune = 0;
        self.expire(store, settings, now)?;
        let mut usage = match self.tally.known() {
            Some(usage) => usage,
            None => store.event_usage()?,
        };
        let limit = settings.events();
        if !usage.is_within(limit) {
            let goal = usage.reduced_to(limit);
            let mut up_to = Offset::default();
            while !usage.is_within(goal) {
                let sizes = store.event_sizes(up_to, SIZES)?;
                if sizes.is_empty() {
                    break;
                }
                for (offset, bytes) in sizes {
                    if usage.is_within(goal) {
                        break;
                    }
                    usage = usage.minus(Usage { count: 1, bytes });
                    up_to = up_to.max(offset);
                }
            }
            self.delete(store, up_to)?;
        }
        self.tally.set(usage);
        Ok(())
    }

    /// Deletes events that are too old. Offsets grow with the clock, so no other
    /// event has to be read.
    pub(super) fn expire(
        &mut self,
        store: &mut dyn Store,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<(), Failed> {
        self.read(store)?;
        let oldest = now - settings.max_disconnection;
        let oldest = Offset(oldest.as_millis().saturating_mul(PARTS));
        match store.newest_event_before(oldest)? {
            Some(expired) => self.delete(store, expired),
            None => Ok(()),
        }
    }

    /// Returns when all events that are stored will be too old.
    pub(super) fn expires(
        &self,
        store: &dyn Store,
        settings: &Settings,
    ) -> Result<Option<Timestamp>, Failed> {
        let logged = |newest: Offset| Timestamp::from_millis(newest.0 / PARTS);
        let newest = store.newest_event()?;
        Ok(newest.map(|newest| settings.expiry(logged(newest))))
    }

    fn delete(&mut self, store: &mut dyn Store, up_to: Offset) -> Result<(), Failed> {
        if up_to.0 > self.pruned {
            // This comes first, or a crash between the two would leave an unrecorded
            // hole.
            store.put_number(Number::Pruned, up_to.0)?;
            self.pruned = up_to.0;
        }
        self.tally = Tally::default();
        store.delete_events(up_to)
    }

    /// Reads what a socket has missed after an offset. Returns `None` if some of it
    /// may be gone, it is too much, or the offset was never issued.
    pub(super) fn missed(
        &mut self,
        store: &mut dyn Store,
        settings: &Settings,
        now: Timestamp,
        socket: &StoredSocket,
        offset: Offset,
    ) -> Result<Option<Vec<(Offset, Args<'static>)>>, Failed> {
        self.mend(store, now)?;
        self.expire(store, settings, now)?;
        if offset.0 < self.pruned || offset.0 > self.last {
            return Ok(None);
        }
        let (mut missed, mut bytes, mut after) = (Vec::new(), 0, offset);
        loop {
            let page = store.events(&socket.namespace, after, PAGE)?;
            if page.is_empty() {
                return Ok(Some(missed));
            }
            for row in page {
                if row.offset <= after {
                    return Err(Failed);
                }
                after = row.offset;
                let Some(event) = LoggedEvent::decode(&row.bytes) else {
                    // Nobody knows whom it was for.
                    self.delete(store, row.offset)?;
                    return Ok(None);
                };
                if !socket.is_meant_by(&event.filter) {
                    continue;
                }
                let Some(args) = event.args.map(Cow::into_owned) else {
                    return Ok(None);
                };
                bytes += args.bytes();
                if bytes > settings.max_missed {
                    return Ok(None);
                }
                missed.push((row.offset, args));
            }
        }
    }
}

/// Encodes the row of an event. One that is too large is logged without what makes
/// it so: its arguments, or even its filter, and then it counts as sent to everybody
/// in the namespace. Returns `None` if nobody there can come back, because no row
/// has room for the namespace's name.
fn encode(
    settings: &Settings,
    namespace: &str,
    filter: &Filter,
    args: &Args<'_>,
) -> Option<Vec<u8>> {
    let fits = |bytes: usize| namespace.len().saturating_add(bytes) <= settings.max_row;
    let event = |filter, args| LoggedEvent { filter, args };
    // The size is checked before a copy is made.
    if args.bytes() <= settings.max_missed && fits(args.bytes()) {
        let bytes = event(Cow::Borrowed(filter), Some(Cow::Borrowed(args))).encode();
        if fits(bytes.len()) {
            return Some(bytes);
        }
    }
    let bytes = event(Cow::Borrowed(filter), None).encode();
    if fits(bytes.len()) {
        return Some(bytes);
    }
    let bytes = event(Cow::Owned(Filter::default()), None).encode();
    fits(bytes.len()).then_some(bytes)
}

impl Settings {
    fn events(&self) -> Usage {
        Usage {
            count: self.max_events,
            bytes: self.max_bytes,
        }
    }

    /// Returns when something that was stored at `at` has expired: an alarm set for
    /// then finds it.
    pub(super) fn expiry(&self, at: Timestamp) -> Timestamp {
        // At the exact age limit it is still valid, and a moment later it is not.
        at + self.max_disconnection + Duration::from_millis(1)
    }
}
