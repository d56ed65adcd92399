//! The log of a hub: an event is a row before it is acknowledged, and is passed on until
//! it has arrived, also after the hub has lost its memory.
//!
//! ```text
//!          pruned              settled                    last
//!   ─────────┼────────────────────┼─────────────────────────┼──────────▶ places
//!    deleted │ all nodes have it  │ some may not            │ not given
//!            │                    │ have it yet             │ out yet
//! ```

use alloc::vec::Vec;
use core::time::Duration;

use super::lanes::Queued;
use super::replay::row;
use super::{Hub, Rule, is_broken};
use crate::cluster::{
    ANSWER_GRACE, Answer, CLOCK_MARGIN, EMIT_LIMIT, Event, Failed, LogSettings, LogUsage, Missing,
    NewBatch, NewLogged, NodeId, Publish, Published, Shared, Store, Ticket,
};
use crate::{Map, Timestamp};

/// The time after which a hub that has crashed is woken to pass on what it has logged.
const RESUME_AFTER: Duration = Duration::from_secs(15);

/// The time after the last event has arrived everywhere in which another may come, with
/// whose row that is put down. Otherwise it costs a row of its own.
const SETTLE_AFTER: Duration = Duration::from_secs(1);

/// The pause after which a storage that has failed is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The number of batches after which events are counted that are not counted at each.
const COUNT_EVERY: u32 = 100;

/// What a hub remembers of its log.
#[derive(Debug)]
pub(super) struct Logging {
    pub(super) settings: LogSettings,
    /// The last event, and when it was stored.
    last: u64,
    last_at: Timestamp,
    pub(super) pruned: u64,
    /// As it is put down.
    pub(super) settled: u64,
    /// Events in memory that are on their way, and to how many nodes.
    pub(super) open: Map<u64, usize>,
    /// When to look for what an earlier life has left, if that is still to be done.
    resumes_at: Option<Timestamp>,
    settles_at: Option<Timestamp>,
    alarm: Option<Timestamp>,
    pub(super) usage: Option<LogUsage>,
    /// Batches that came since events were counted.
    pub(super) uncounted: u32,
}

impl Logging {
    /// Returns the log of a new life of its hub.
    pub(super) fn open(settings: LogSettings, store: &mut dyn Store) -> Result<Self, Failed> {
        let ends = store.log().ok_or(Failed)?.ends()?;
        Ok(Self {
            settings,
            last: ends.last,
            last_at: ends.last_at,
            pruned: ends.pruned,
            settled: ends.settled,
            open: Map::new(),
            resumes_at: Some(Timestamp::default()),
            settles_at: None,
            alarm: None,
            usage: None,
            uncounted: 0,
        })
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        [self.resumes_at, self.settles_at]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn alarm(&self) -> Option<Timestamp> {
        self.alarm
    }

    fn expiry(&self, at: Timestamp) -> Timestamp {
        // At the exact limit it is still valid, and a moment later it is not.
        at + self.settings.max_disconnection + Duration::from_millis(1)
    }

    /// An event in memory has arrived at a node, or will be read again for it.
    fn close(&mut self, place: u64) {
        if let Some(count) = self.open.get_mut(&place) {
            *count -= 1;
            if *count == 0 {
                self.open.remove(&place);
            }
        }
    }

    pub(super) fn is_over(&self, usage: LogUsage) -> bool {
        usage.events > self.settings.max_events || usage.bytes > self.settings.max_bytes
    }
}

impl Hub {
    /// Logs events, and sends them on their way. The answer need not wait for them to
    /// arrive.
    pub(super) fn publish_logged(
        &mut self,
        ticket: Ticket,
        publish: &Publish,
        now: Timestamp,
        store: &mut dyn Store,
    ) {
        let published = self.log_batch(publish, now, store);
        let answer = published.map_or(Answer::Unavailable, Answer::Published);
        self.calls.answer(ticket, answer);
        let is_due = self.log.as_ref().is_some_and(|log| {
            let is_over = log.usage.is_some_and(|usage| log.is_over(usage));
            is_over || log.uncounted >= COUNT_EVERY
        });
        if is_due {
            // The events are stored, even if this fails.
            let _ = self.trim_log(now, store);
        }
    }

    fn log_batch(
        &mut self,
        publish: &Publish,
        now: Timestamp,
        store: &mut dyn Store,
    ) -> Result<Published, Failed> {
        let known = store.log().ok_or(Failed)?.last_seq(publish.sender)?;
        let is_new = |operation: &&Shared| operation.seq > known || is_broken(Rule::LogOnce);
        let new: Vec<Shared> = publish.operations.iter().filter(is_new).cloned().collect();
        let mut published = Published::default();
        if publish.deadline < now {
            let late = Missing {
                is_late: true,
                ..Missing::default()
            };
            published.partial = new.iter().map(|op| (op.seq, late.clone())).collect();
        } else if !new.is_empty() {
            self.append(publish, new, now, store)?;
        }
        published.place = self.publishing.place;
        Ok(published)
    }

    /// Stores events that are not stored, and sends them on their way.
    fn append(
        &mut self,
        publish: &Publish,
        new: Vec<Shared>,
        now: Timestamp,
        store: &mut dyn Store,
    ) -> Result<(), Failed> {
        let (settled, log) = self.settled().zip(self.log.as_ref()).ok_or(Failed)?;
        let (sender, first) = (publish.sender, self.publishing.place + 1);
        let rows = (first..).zip(&new);
        let rows = rows.map(|(place, operation)| row(sender, operation, place, &log.settings));
        let rows: Vec<NewLogged> = rows.collect();
        let size = |row: &NewLogged| row.head.len() + row.content.0.len();
        let usage = LogUsage {
            events: rows.len() as u64,
            bytes: rows.iter().map(size).sum::<usize>() as u64,
        };
        // Rows are read before the events have places: what fails is repeated.
        let nodes = new.iter().map(|op| self.nodes(op, &Map::new(), store));
        let nodes = nodes.collect::<Result<Vec<_>, Failed>>()?;
        let batch = NewBatch {
            at: now,
            sender,
            seq: new.last().map_or(0, |last| last.seq),
            until: publish.deadline.max(now) + ANSWER_GRACE + CLOCK_MARGIN,
            settled,
            events: &rows,
        };
        if !is_broken(Rule::LogFirst) {
            store.log().ok_or(Failed)?.append(&batch)?;
        }
        self.note_logged(settled, usage, now);
        for ((place, operation), nodes) in (first..).zip(new).zip(nodes) {
            let event = Event {
                place,
                sender,
                deadline: now + EMIT_LIMIT,
                operation,
            };
            self.pass_on(&event, nodes);
        }
        Ok(())
    }

    fn note_logged(&mut self, settled: u64, added: LogUsage, now: Timestamp) {
        self.publishing.place += added.events;
        if let Some(log) = &mut self.log {
            log.last = self.publishing.place;
            log.last_at = now;
            log.settled = settled;
            log.uncounted += 1;
            log.usage = log.usage.map(|usage| LogUsage {
                events: usage.events + added.events,
                bytes: usage.bytes + added.bytes,
            });
        }
    }

    fn pass_on(&mut self, event: &Event, nodes: impl IntoIterator<Item = NodeId>) {
        for node in nodes {
            let queued = Queued {
                publish: None,
                event: event.clone(),
            };
            if self.lanes.push_logged(node, queued)
                && let Some(log) = &mut self.log
            {
                *log.open.entry(event.place).or_default() += 1;
            }
        }
    }

    /// A logged event has arrived at a node, or is to be read again for it.
    pub(super) fn end_logged(&mut self, node: NodeId, place: u64, has_arrived: bool) {
        let Some(log) = &mut self.log else {
            return;
        };
        log.close(place);
        if has_arrived || is_broken(Rule::SendUntilTaken) {
            return;
        }
        self.lanes.fall_behind(node, place);
        if place <= log.pruned && !is_broken(Rule::TellGaps) {
            self.lanes.open_gap(node);
        }
    }

    /// Returns the place up to which all nodes have what was logged.
    fn settled(&self) -> Option<u64> {
        let log = self.log.as_ref()?;
        if log.resumes_at.is_some() {
            return Some(log.settled);
        }
        let open = log.open.keys().next().copied();
        let behind = self.lanes.first_behind();
        let first = open.into_iter().chain(behind).min();
        Some(first.map_or(log.last, |first| first - 1).max(log.settled))
    }

    /// Returns whether it is not known yet what has to be sent before anything else.
    pub(super) fn is_resuming(&self) -> bool {
        self.log
            .as_ref()
            .is_some_and(|log| log.resumes_at.is_some())
    }

    /// Looks for events that an earlier life has not passed on.
    pub(super) fn resume(&mut self, now: Timestamp, store: &mut dyn Store) {
        let Some(log) = &mut self.log else {
            return;
        };
        if log.resumes_at.is_some_and(|at| at <= now) {
            let resumed = match is_broken(Rule::SendAfterCrash) {
                true => Ok(()),
                false => self.try_to_resume(store),
            };
            if let Some(log) = &mut self.log {
                log.resumes_at = resumed.is_err().then(|| now + RETRY_AFTER);
            }
        }
    }

    /// Does what is due in the log.
    pub(super) fn look_at_log(&mut self, now: Timestamp, store: &mut dyn Store) {
        self.resume(now, store);
        let settled = self.settled();
        let Some((log, settled)) = self.log.as_mut().zip(settled) else {
            return;
        };
        if log.settles_at.take_if(|at| *at <= now).is_some()
            && settled > log.settled
            && let Some(rows) = store.log()
            && rows.settle(settled).is_ok()
        {
            log.settled = settled;
        }
        if log.alarm.take_if(|at| *at <= now).is_some() {
            // What fails is tried again with the next alarm.
            let _ = self.trim_log(now, store);
        }
    }

    /// Notes when the log has to be looked at again, by a timer or by an alarm.
    pub(super) fn time_log(&mut self, now: Timestamp) {
        let settled = self.settled();
        let Some((log, settled)) = self.log.as_mut().zip(settled) else {
            return;
        };
        let is_resumed = log.resumes_at.is_none();
        if !is_resumed || settled < log.last {
            log.settles_at = None;
        } else if log.settled < settled && log.settled < log.last {
            log.settles_at.get_or_insert(now + SETTLE_AFTER);
        }
        if log.alarm.is_none() && log.last > log.pruned {
            let is_settled = is_resumed && log.settled >= log.last;
            log.alarm = Some(match is_settled {
                true => log.expiry(log.last_at).max(now + RETRY_AFTER),
                false => now + RESUME_AFTER,
            });
        }
    }
}
