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

use super::rows::{self, Content, Head};
use super::store::Tally;
use super::{
    EventHead, Failed, NewEvent, Number, Offset, PAGE, Settings, Store, StoredSocket, Usage,
};
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
        // The size is checked before a copy is made.
        let content = (args.bytes() <= settings.max_missed).then(|| rows::encode_args(args));
        let content = content.as_deref().map(|bytes| (bytes, args.bytes()));
        let Some(Layout { head, first, rest }) = lay_out(settings, namespace, filter, content)
        else {
            return Ok(self.last());
        };
        let offset = self.next(now)?;
        let row = NewEvent {
            namespace,
            head: &head,
            content: first,
        };
        self.append_row(store, offset, row)?;
        for content in rest.chunks(settings.max_row) {
            let next = Offset(self.last.checked_add(1).ok_or(Failed)?);
            let row = NewEvent {
                content,
                ..NewEvent::default()
            };
            self.append_row(store, next, row)?;
        }
        let is_due = self.tally.is_due(Usage::default(), settings.events());
        if is_due || self.since_prune >= super::store::COUNT_EVERY {
            // The event is stored, even if this fails.
            let _ = self.prune(store, settings, now);
        }
        Ok(offset)
    }

    fn append_row(
        &mut self,
        store: &mut dyn Store,
        offset: Offset,
        row: NewEvent<'_>,
    ) -> Result<(), Failed> {
        store.append_event(offset, row)?;
        self.last = offset.0;
        self.tally.add(Usage {
            count: 1,
            bytes: (row.head.len() + row.content.len()) as u64,
        });
        self.since_prune += 1;
        Ok(())
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
        let Some(wanted) = self.wanted(store, settings, socket, offset)? else {
            return Ok(None);
        };
        let mut missed = Vec::with_capacity(wanted.len());
        for batch in batches(&wanted) {
            for (offset, args) in read(store, batch)? {
                let Some(args) = args else {
                    self.delete(store, offset)?;
                    return Ok(None);
                };
                missed.push((offset, args));
            }
        }
        Ok(Some(missed))
    }

    /// Finds what a socket has missed, without reading it. Returns `None` if it is too
    /// much.
    fn wanted(
        &mut self,
        store: &mut dyn Store,
        settings: &Settings,
        socket: &StoredSocket,
        mut after: Offset,
    ) -> Result<Option<Vec<Wanted>>, Failed> {
        let (mut wanted, mut bytes) = (Vec::new(), 0_u64);
        loop {
            let page = store.event_heads(&socket.namespace, after, PAGE)?;
            if page.is_empty() {
                return Ok(Some(wanted));
            }
            for EventHead { offset, head } in page {
                if offset <= after {
                    return Err(Failed);
                }
                after = offset;
                let Some(head) = Head::decode(&head) else {
                    // Nobody knows whom it was for.
                    self.delete(store, offset)?;
                    return Ok(None);
                };
                if !socket.is_meant_by(&head.filter) {
                    continue;
                }
                let Some(content) = head.content else {
                    return Ok(None);
                };
                bytes = bytes.saturating_add(content.bytes);
                if bytes > settings.max_missed as u64 {
                    return Ok(None);
                }
                wanted.push(Wanted { offset, content });
            }
        }
    }
}

/// An event that a client has missed, and that is still to be read.
#[derive(Clone, Copy)]
struct Wanted {
    offset: Offset,
    content: Content,
}

impl Wanted {
    fn offsets(self) -> impl Iterator<Item = Offset> {
        let Offset(first) = self.offset;
        (first..first.saturating_add(self.content.rows.into())).map(Offset)
    }
}

/// Splits events into batches that are read at once, each of a page or a single
/// event.
fn batches(wanted: &[Wanted]) -> impl Iterator<Item = &[Wanted]> {
    let mut bytes = 0_u64;
    wanted.chunk_by(move |one, next| {
        bytes = bytes.saturating_add(one.content.bytes);
        let fits = bytes.saturating_add(next.content.bytes) <= PAGE as u64;
        if !fits {
            bytes = 0;
        }
        fits
    })
}

/// Reads a batch of events. Those of which something is missing or damaged have no
/// arguments.
fn read(
    store: &dyn Store,
    batch: &[Wanted],
) -> Result<Vec<(Offset, Option<Args<'static>>)>, Failed> {
    let offsets: Vec<Offset> = batch.iter().copied().flat_map(Wanted::offsets).collect();
    let mut rows = store.event_contents(&offsets)?.into_iter().peekable();
    let events = batch.iter().map(|wanted| {
        let mut content = Vec::new();
        for offset in wanted.offsets() {
            let row = rows.next_if(|(found, _)| *found == offset);
            let row = row.map(|(_, bytes)| bytes).unwrap_or_default();
            match content.is_empty() {
                true => content = row,
                false => content.extend(row),
            }
        }
        (wanted.offset, rows::decode_args(&content))
    });
    Ok(events.collect())
}

/// The rows of an event.
struct Layout<'a> {
    head: Vec<u8>,
    /// The arguments, if they fit behind the head.
    first: &'a [u8],
    /// Otherwise they are in rows of their own.
    rest: &'a [u8],
}

/// Lays out the rows of an event. One whose filter is larger than a row, or that takes
/// more rows than can be counted, does without, and then counts as sent to everybody in
/// the namespace, who start over. Returns
/// `None` if nobody there can come back, because no row has room for the namespace's
/// name.
fn lay_out<'a>(
    settings: &Settings,
    namespace: &str,
    filter: &Filter,
    content: Option<(&'a [u8], usize)>,
) -> Option<Layout<'a>> {
    let fits = |bytes: usize| namespace.len().saturating_add(bytes) <= settings.max_row;
    let bytes = content.map_or(&[][..], |(bytes, _)| bytes);
    let head = |rows| {
        let content = content.map(|(_, bytes)| Content {
            bytes: bytes as u64,
            rows,
        });
        let filter = Cow::Borrowed(filter);
        Head { filter, content }.encode()
    };
    let alone = head(1);
    if fits(alone.len().saturating_add(bytes.len())) {
        return Some(Layout {
            head: alone,
            first: bytes,
            rest: &[],
        });
    }
    if let Ok(rows) = u8::try_from(1 + bytes.chunks(settings.max_row).len()) {
        let head = head(rows);
        if fits(head.len()) {
            return Some(Layout {
                head,
                first: &[],
                rest: bytes,
            });
        }
    }
    let everybody = Head {
        filter: Cow::Owned(Filter::default()),
        content: None,
    };
    let head = everybody.encode();
    fits(head.len()).then_some(Layout {
        head,
        first: &[],
        rest: &[],
    })
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
