//! A packet of which only some parts have come: when it is kept through sleep, and
//! when it has taken too long.
//!
//! Most packets are complete a moment later, so their parts are not saved one by one:
//! each time, all that came before would be written again.

use core::cell::Cell;
use core::time::Duration;

use super::{Connection, Violation};
use crate::Timestamp;
use crate::socket::ParseError;

/// The time after the last part of a packet at which it is saved, as far as it has
/// come. It is well below the time before an object sleeps
/// ([`SLEEP_AFTER`](crate::engine::SLEEP_AFTER)).
pub const KEEP_AFTER: Duration = Duration::from_secs(5);

/// The time that a packet may go without another part. It is longer than an unanswered
/// heartbeat may take by default, so that a client on a slow line is judged by that.
pub const MAX_STALL: Duration = Duration::from_secs(60);

/// The progress of a packet that is not complete.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The time of its last part.
    pub(super) last: Timestamp,
    /// The number of its parts that are in the last snapshot, or that the driver has
    /// been told to save. Taking a snapshot changes nothing else of a connection.
    pub(super) kept: Cell<Option<usize>>,
}

impl Connection {
    /// Notes that a message has been decoded.
    pub(super) fn note_progress(&mut self, now: Timestamp) {
        if self.decoder.is_pending() {
            self.progress.last = now;
        } else {
            // What was kept of it must not be there after the next sleep.
            self.changed |= self.progress.kept.take().is_some();
        }
    }

    /// Checks that a packet whose attachments are still to come is for a namespace that
    /// the client is in, or may believe that it is.
    pub(super) fn check_announced(&self) -> Result<(), Violation> {
        match self.decoder.announced(self.protocol) {
            Some(namespace) => self.connected_in(namespace).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Returns whether parts have come that are in no snapshot.
    pub(super) fn has_unkept_parts(&self) -> bool {
        self.decoder.parts() != self.progress.kept.get()
    }

    /// Returns when to save the parts that have come.
    pub(super) fn keep_by(&self) -> Option<Timestamp> {
        let is_due = self.is_open() && self.decoder.is_pending() && self.has_unkept_parts();
        is_due.then(|| self.progress.last + KEEP_AFTER)
    }

    /// Checks the time for a packet that is not complete.
    pub(super) fn check_progress(&mut self, now: Timestamp) {
        if !self.is_open() || !self.decoder.is_pending() {
            return;
        }
        if now >= self.progress.last + MAX_STALL {
            self.end_for(Violation::Parse(ParseError::Incomplete));
        } else if self.keep_by().is_some_and(|at| now >= at) {
            self.changed = true;
            self.progress.kept.set(self.decoder.parts());
        }
    }
}
