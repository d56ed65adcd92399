//! The log of a hub, as tables.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::rows::Rows;
use crate::Timestamp;
use crate::cluster::{
    Failed, LogEnds, LogHead, LogStore, LogUsage, NewBatch, NewLogged, NodeId, Sender,
};

/// What is in the tables of a log.
#[derive(Clone, Debug, Default)]
pub(in crate::cluster::tests) struct LogTable {
    pub(in crate::cluster::tests) events: BTreeMap<u64, (Timestamp, NewLogged)>,
    pub(in crate::cluster::tests) senders: BTreeMap<Sender, (u64, Timestamp)>,
    pub(in crate::cluster::tests) gaps: BTreeSet<NodeId>,
    pub(in crate::cluster::tests) pruned: u64,
    pub(in crate::cluster::tests) settled: u64,
    last: u64,
    last_at: Timestamp,
}

impl LogTable {
    pub(super) fn size(event: &NewLogged) -> u64 {
        (event.head.len() + event.content.0.len()) as u64
    }
}

impl Rows {
    fn table(&self) -> Result<&LogTable, Failed> {
        self.touch()?;
        self.log.as_ref().ok_or(Failed)
    }

    fn table_mut(&mut self) -> Result<&mut LogTable, Failed> {
        self.touch()?;
        self.written = true;
        self.log.as_mut().ok_or(Failed)
    }
}

impl LogStore for Rows {
    fn ends(&self) -> Result<LogEnds, Failed> {
        let table = self.table()?;
        Ok(LogEnds {
            pruned: table.pruned,
            settled: table.settled,
            last: table.last,
            last_at: table.last_at,
        })
    }

    fn append(&mut self, batch: &NewBatch<'_>) -> Result<(), Failed> {
        let table = self.table_mut()?;
        for event in batch.events {
            assert!(table.last < event.place, "places rise");
            table.last = event.place;
            table.last_at = batch.at;
            table.events.insert(event.place, (batch.at, event.clone()));
        }
        table.settled = table.settled.max(batch.settled);
        table.senders.insert(batch.sender, (batch.seq, batch.until));
        Ok(())
    }

    fn last_seq(&self, sender: Sender) -> Result<u64, Failed> {
        let known = self.table()?.senders.get(&sender);
        Ok(known.map_or(0, |(seq, _)| *seq))
    }

    fn forget_senders(&mut self, until: Timestamp) -> Result<(), Failed> {
        let senders = &mut self.table_mut()?.senders;
        senders.retain(|_, (_, at)| *at >= until);
        Ok(())
    }

    fn heads(&self, after: u64, max_bytes: usize) -> Result<Vec<LogHead>, Failed> {
        let (mut bytes, mut page) = (0, Vec::new());
        for (place, (_, event)) in self.table()?.events.range(after + 1..) {
            bytes += event.head.len();
            if bytes > max_bytes.min(200) && !page.is_empty() {
                break;
            }
            page.push(LogHead {
                place: *place,
                head: event.head.clone(),
            });
        }
        Ok(page)
    }

    fn contents(&self, places: &[u64]) -> Result<Vec<(u64, Vec<u8>)>, Failed> {
        let events = &self.table()?.events;
        let found = places
            .iter()
            .filter_map(|place| events.get_key_value(place));
        Ok(found
            .map(|(place, (_, event))| (*place, event.content.0.to_vec()))
            .collect())
    }

    fn usage(&self) -> Result<LogUsage, Failed> {
        let events = &self.table()?.events;
        Ok(LogUsage {
            events: events.len() as u64,
            bytes: events
                .values()
                .map(|(_, event)| LogTable::size(event))
                .sum(),
        })
    }

    fn sizes(&self, after: u64, count: usize) -> Result<Vec<(u64, u64)>, Failed> {
        let events = self.table()?.events.range(after + 1..).take(count);
        let size =
            |(place, (_, event)): (&u64, &(Timestamp, NewLogged))| (*place, LogTable::size(event));
        Ok(events.map(size).collect())
    }

    fn newest_before(&self, at: Timestamp) -> Result<Option<u64>, Failed> {
        let mut events = self.table()?.events.iter().rev();
        Ok(events
            .find(|(_, (stored, _))| *stored < at)
            .map(|(place, _)| *place))
    }

    fn trim(&mut self, up_to: u64, gaps: &[NodeId]) -> Result<(), Failed> {
        let table = self.table_mut()?;
        table.events.retain(|place, _| *place > up_to);
        table.pruned = up_to;
        table.gaps.extend(gaps);
        Ok(())
    }

    fn settle(&mut self, place: u64) -> Result<(), Failed> {
        self.table_mut()?.settled = place;
        Ok(())
    }

    fn gaps(&self) -> Result<Vec<NodeId>, Failed> {
        Ok(self.table()?.gaps.iter().copied().collect())
    }

    fn close_gap(&mut self, node: NodeId) -> Result<(), Failed> {
        self.table_mut()?.gaps.remove(&node);
        Ok(())
    }
}
