//! Events that are deleted from a hub's log: those that are too old, and the oldest where
//! there are too many.

use alloc::vec::Vec;

use super::{Hub, Rule, is_broken};
use crate::Timestamp;
use crate::cluster::{Failed, Store};

/// The number of sizes that are read at once.
const SIZES: usize = 500;

impl Hub {
    /// Deletes events that are too old, and the oldest where there are too many.
    pub(super) fn trim_log(&mut self, now: Timestamp, store: &mut dyn Store) -> Result<(), Failed> {
        let log = self.log.as_mut().ok_or(Failed)?;
        log.uncounted = 0;
        let settings = log.settings;
        let rows = store.log().ok_or(Failed)?;
        rows.forget_senders(now)?;
        let expired = rows.newest_before(now - settings.max_disconnection)?;
        self.trim_up_to(expired.unwrap_or(0), store)?;
        let rows = store.log().ok_or(Failed)?;
        let mut usage = rows.usage()?;
        let log = self.log.as_ref().ok_or(Failed)?;
        let mut up_to = 0;
        if log.is_over(usage) {
            // A tenth less, so that the next event does not exceed it again.
            let events = settings.max_events - settings.max_events / 10;
            let bytes = settings.max_bytes - settings.max_bytes / 10;
            'all: while usage.events > events || usage.bytes > bytes {
                let sizes = rows.sizes(up_to, SIZES)?;
                if sizes.is_empty() {
                    break;
                }
                for (place, size) in sizes {
                    if usage.events <= events && usage.bytes <= bytes {
                        break 'all;
                    }
                    usage.events = usage.events.saturating_sub(1);
                    usage.bytes = usage.bytes.saturating_sub(size);
                    up_to = place;
                }
            }
        }
        self.trim_up_to(up_to, store)?;
        if let Some(log) = &mut self.log {
            log.usage = Some(usage);
        }
        Ok(())
    }

    fn trim_up_to(&mut self, up_to: u64, store: &mut dyn Store) -> Result<(), Failed> {
        let log = self.log.as_mut().ok_or(Failed)?;
        if up_to > log.pruned {
            let missing = match is_broken(Rule::TellGaps) {
                true => Vec::new(),
                false => self.lanes.missing(up_to),
            };
            store.log().ok_or(Failed)?.trim(up_to, &missing)?;
            log.pruned = up_to;
            self.lanes.trim(up_to);
        }
        Ok(())
    }
}
