//! What an object has of sockets whose clients may come back, to it or to another one.
//!
//! The sockets themselves are stored as in a server of one object. Beside them there is
//! which ones have come from other objects, what was sent to each of them alone, and who
//! has those that were given away.

use core::cell::{Cell, OnceCell, RefCell};
use core::time::Duration;

use dormouse_proto::cluster::{
    self, Failed, Mark, OwnEvent, Payload, Position, Unconfirmed, next_own, own_at,
};
use dormouse_proto::socket::Args;
use dormouse_proto::{Timestamp, sort_by_key, versioned};

use super::super::context::Context;
use super::comebacks::Comebacks;
use super::objects::Objects;
use crate::parts::{CustodyRows, Moved};
use crate::platform::{self, ObjectState};

/// The layout of what is stored and sent here. Another number is another layout.
pub(super) const VERSION: u8 = 1;

/// The number of events for single sockets after which they are counted.
const COUNT_EVERY: u32 = 100;

/// The number of events whose sizes are read at once.
const SIZES: usize = 500;

/// The sockets of an object that move, or may.
pub(super) struct Custody {
    state: ObjectState,
    /// Opened when they are first needed.
    rows: OnceCell<CustodyRows>,
    /// There were some when they were first asked for.
    are_there: OnceCell<bool>,
    /// The last number that an event for a single socket was given. All that come later
    /// have a higher one, whichever socket they are for.
    own: Cell<Option<u64>>,
    /// The last of them that could not be stored. Whoever may have missed it starts over.
    unstored: Cell<u64>,
    /// Events that have come since they were counted.
    uncounted: Cell<u32>,
    known: RefCell<Vec<Known>>,
    /// Clients that wait for their sockets.
    pub(super) comebacks: Comebacks,
}

/// What is in memory of the sockets of a namespace.
struct Known {
    namespace: Box<str>,
    /// Those that have come from other objects, or have come back: in the order of ids.
    moved: Vec<Moved>,
    /// The last event of the hub that any of their clients has.
    furthest: u64,
}

impl Known {
    fn new(namespace: &str, mut moved: Vec<Moved>) -> Self {
        sort_by_key(&mut moved, |it| it.id.clone());
        let heard = moved.iter().map(|moved| moved.heard);
        Self {
            namespace: namespace.into(),
            furthest: heard.max().unwrap_or_default(),
            moved,
        }
    }

    fn position(&self, id: &str) -> Result<usize, usize> {
        self.moved.binary_search_by(|moved| (*moved.id).cmp(id))
    }

    fn put(&mut self, moved: Moved) {
        self.furthest = self.furthest.max(moved.heard);
        match self.position(&moved.id) {
            Ok(position) => {
                if let Some(place) = self.moved.get_mut(position) {
                    *place = moved;
                }
            }
            Err(position) => self.moved.insert(position, moved),
        }
    }
}

impl Custody {
    pub(super) fn new(state: &ObjectState) -> Self {
        Self {
            state: state.clone(),
            rows: OnceCell::new(),
            are_there: OnceCell::new(),
            own: Cell::new(None),
            unstored: Cell::new(0),
            uncounted: Cell::new(0),
            known: RefCell::default(),
            comebacks: Comebacks::default(),
        }
    }

    pub(super) fn rows(&self) -> &CustodyRows {
        self.rows.get_or_init(|| CustodyRows::open(&self.state))
    }

    /// Returns the rows if there are any. Makes no table.
    pub(super) fn existing_rows(&self) -> Option<&CustodyRows> {
        // Nobody else makes them.
        let exist = || CustodyRows::exist(&self.state);
        if self.rows.get().is_none() && !*self.are_there.get_or_init(exist) {
            return None;
        }
        Some(self.rows())
    }

    pub(super) fn mark(&self, namespace: &str) -> Option<Mark> {
        self.existing_rows()?.mark(namespace).ok().flatten()
    }

    pub(super) fn put_mark(&self, cx: &Context, namespace: &str, mark: Mark) {
        let Some(settings) = cx.recovery.settings() else {
            return;
        };
        let now = platform::now();
        // What is not written may come again after a crash.
        let _ = self.rows().put_mark(namespace, mark, self.last_own(), now);
        cx.parts
            .clock
            .arm_at(now + keep_for(settings.max_disconnection));
    }
}

/// Sockets that move.
impl Custody {
    /// Calls `work` with what is known of the sockets of a namespace.
    fn with_known<T>(&self, namespace: &str, work: impl FnOnce(&mut Known) -> T) -> T {
        let mut all = self.known.borrow_mut();
        if let Some(known) = all.iter_mut().find(|known| *known.namespace == *namespace) {
            return work(known);
        }
        let rows = self.existing_rows();
        let moved = rows.and_then(|rows| rows.all(namespace).ok());
        let mut known = Known::new(namespace, moved.unwrap_or_default());
        let done = work(&mut known);
        all.push(known);
        done
    }

    /// Returns whether this is the id of a socket that has begun elsewhere, and is stored
    /// here.
    pub(super) fn has_moved_here(&self, objects: &Objects, namespace: &str, id: &str) -> bool {
        let is_known = self.with_known(namespace, |known| known.position(id).is_ok());
        is_known && !objects.is_home_of(id)
    }

    /// Returns the place up to which the client of a socket has the events of the hub, if
    /// not all of them have come here since it has come back.
    pub(super) fn heard(&self, namespace: &str, id: &str, mark: u64) -> Option<u64> {
        self.with_known(namespace, |known| {
            let found = known.moved.get(known.position(id).ok()?)?;
            Some(found.heard).filter(|heard| *heard > mark)
        })
    }

    /// Returns the ids of sockets whose clients have the events of the hub up to this place.
    pub(super) fn ahead(&self, namespace: &str, place: u64) -> Vec<String> {
        self.with_known(namespace, |known| {
            if known.furthest < place {
                return Vec::new();
            }
            let ahead = known.moved.iter().filter(|moved| moved.heard >= place);
            ahead.map(|moved| moved.id.clone()).collect()
        })
    }

    /// Returns whether any client has events that have not come here yet.
    pub(super) fn is_ahead(&self, namespace: &str, mark: u64) -> bool {
        self.with_known(namespace, |known| known.furthest > mark)
    }

    /// Puts or replaces a socket.
    pub(super) fn put(
        &self,
        namespace: &str,
        moved: Moved,
        unconfirmed: Option<&Unconfirmed>,
    ) -> Result<(), Failed> {
        let unconfirmed = unconfirmed.map(|it| versioned::encode(VERSION, it));
        self.rows().put(namespace, &moved, unconfirmed.as_deref())?;
        self.with_known(namespace, |known| known.put(moved));
        Ok(())
    }

    /// Forgets a socket. Returns whether it was there.
    pub(super) fn forget(&self, namespace: &str, id: &str) -> bool {
        let taken = self.with_known(namespace, |known| {
            let position = known.position(id).ok()?;
            Some(known.moved.remove(position))
        });
        if let Some(moved) = &taken {
            // A row that stays is deleted when the object is next cleaned.
            let _ = self.rows().delete(&moved.pid);
        }
        taken.is_some()
    }

    /// Forgets the sockets that are not stored any more. Returns their namespaces and ids.
    fn forget_unused(&self) -> Result<Vec<(String, String)>, Failed> {
        let Some(rows) = self.existing_rows() else {
            return Ok(Vec::new());
        };
        rows.delete_unused()?;
        let mut gone = Vec::new();
        for Known {
            namespace, moved, ..
        } in self.known.take()
        {
            for Moved { id, .. } in moved {
                if self.with_known(&namespace, |left| left.position(&id).is_err()) {
                    gone.push((namespace.to_string(), id));
                }
            }
        }
        Ok(gone)
    }

    /// Returns whose a socket is that is stored here, if it is not known to be ours.
    pub(super) fn unconfirmed(&self, pid: &str) -> Result<Option<Unconfirmed>, Failed> {
        let Some(rows) = self.existing_rows() else {
            return Ok(None);
        };
        let bytes = rows.unconfirmed(pid)?;
        Ok(bytes.and_then(|bytes| versioned::decode(VERSION, &bytes).ok()))
    }
}

/// Cleaning.
impl Custody {
    /// Deletes what nobody needs any more. Returns the namespaces and ids of sockets that
    /// are not stored any more, and when to call this again.
    pub(super) fn expire(&self, objects: &Objects, keep: Duration) -> Result<Expired, Failed> {
        let now = platform::now();
        let Some(rows) = self.existing_rows() else {
            return Ok(Expired::default());
        };
        let gone = self.forget_unused()?;
        rows.trim_tombstones(now - cluster::TOMBSTONE_LIMIT, cluster::MAX_TOMBSTONES)?;
        let keep = keep_for(keep);
        rows.delete_marks(now - keep)?;
        let last = next_own(0, now - keep);
        rows.delete_own(last)?;
        let mut strays = Vec::new();
        for (id, namespace, own) in rows.strays()? {
            if objects.is_in_use(&namespace, &id) {
                continue;
            }
            match own <= last {
                true => rows.delete_own_of(&id)?,
                false => strays.push(own),
            }
        }
        let tombstone = rows.oldest_tombstone()?;
        let tombstone = tombstone.map(|at| at + cluster::TOMBSTONE_LIMIT);
        let own = rows.first_old_own()?.into_iter().chain(strays).min();
        let own = own.map(|own| own_at(own) + keep);
        let mark = rows.oldest_mark()?.map(|at| at + keep);
        let next = [tombstone, own, mark].into_iter().flatten().min();
        // At the exact limit it is still needed, and a moment later it is not.
        let next = next.map(|at| at + Duration::from_millis(1));
        Ok(Expired { gone, next })
    }
}

/// Returns how long things are kept that a hub or another object may ask for again.
fn keep_for(max_disconnection: Duration) -> Duration {
    max_disconnection.max(cluster::RETURN_LIMIT * 2)
}

/// What has come of cleaning.
#[derive(Default)]
pub(super) struct Expired {
    /// The namespaces and ids of sockets that are not stored any more.
    pub(super) gone: Vec<(String, String)>,
    pub(super) next: Option<Timestamp>,
}

/// Events for single sockets.
impl Custody {
    /// Returns the position of a client that has all events for it alone.
    pub(super) fn position(&self, place: u64) -> Position {
        Position {
            place,
            own: self.last_own(),
        }
    }

    fn last_own(&self) -> u64 {
        self.own.get().unwrap_or_else(|| {
            // The numbers are times, so those of an earlier instance are lower, unless its
            // clock was ahead.
            let now = next_own(0, platform::now() + Duration::from_millis(1));
            let rows = self.existing_rows();
            let before = rows.and_then(|rows| rows.last_noted_own().ok());
            let own = now.max(before.unwrap_or_default());
            self.own.set(Some(own));
            own
        })
    }

    /// Logs an event for a socket alone, which comes behind this place. Returns its number.
    pub(super) fn log(
        &self,
        cx: &Context,
        namespace: &str,
        (id, place): (&str, u64),
        args: &Args<'_>,
    ) -> u64 {
        let before = self.rows().last_own_of(id).unwrap_or_default();
        let own = next_own(self.last_own().max(before), platform::now());
        let event = OwnEvent {
            own,
            place,
            payload: Payload(versioned::encode(VERSION, args).into()),
        };
        self.keep(cx, namespace, id, &event);
        own
    }

    /// Logs an event as it is.
    pub(super) fn keep(&self, cx: &Context, namespace: &str, id: &str, event: &OwnEvent) {
        self.own.set(Some(self.last_own().max(event.own)));
        let Some(settings) = cx.recovery.settings() else {
            return;
        };
        let rows = self.rows();
        if rows
            .append_own(namespace, id, event, settings.max_row)
            .is_err()
        {
            self.unstored.set(self.unstored.get().max(event.own));
        }
        self.uncounted.set(self.uncounted.get() + 1);
        if self.uncounted.get() >= COUNT_EVERY {
            self.uncounted.set(0);
            let _ = self.trim(settings.max_events, settings.max_bytes);
        }
        let now = platform::now();
        let expiry = now + keep_for(settings.max_disconnection);
        cx.parts.clock.arm_at(expiry);
    }

    /// Returns the events for a socket alone after a number. `None` if some of them are
    /// gone.
    pub(super) fn own(&self, id: &str, after: u64) -> Result<Option<Vec<OwnEvent>>, Failed> {
        if after < self.unstored.get() {
            return Ok(None);
        }
        match self.existing_rows() {
            Some(rows) => rows.own(id, after),
            None => Ok(Some(Vec::new())),
        }
    }

    /// Deletes the oldest events where there are too many.
    fn trim(&self, max_events: u64, max_bytes: u64) -> Result<(), Failed> {
        let (mut events, mut bytes) = self.rows().own_usage()?;
        while events > max_events || bytes > max_bytes {
            let oldest = self.rows().oldest_own(SIZES)?;
            let Some((last, _)) = oldest.last().copied() else {
                break;
            };
            events = events.saturating_sub(oldest.len() as u64);
            bytes = bytes.saturating_sub(oldest.iter().map(|(_, size)| size).sum());
            self.rows().delete_own(last)?;
            self.rows().empty_own(last)?;
        }
        Ok(())
    }
}

/// Reads the arguments of an event for a socket alone.
pub(super) fn args_of(event: &OwnEvent) -> Option<Args<'static>> {
    versioned::decode(VERSION, &event.payload.0).ok()
}
