//! The rows of a hub: those that are safe, and those that are not yet.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;

use super::log_table::LogTable;
use crate::cluster::{DEFAULT_HUBS, Failed, HubLife, LogStore, NodeId, Stamp, Store};

/// What is in the storage of a hub.
#[derive(Clone, Debug, Default)]
pub(in crate::cluster::tests) struct Rows {
    pub(super) lives: u64,
    /// The number of hubs when the last life began.
    pub(in crate::cluster::tests) hubs: Option<u16>,
    pub(super) eras: BTreeMap<NodeId, u64>,
    pub(super) interest: BTreeMap<String, BTreeMap<NodeId, Stamp>>,
    pub(in crate::cluster::tests) log: Option<LogTable>,
    /// Somebody has looked.
    pub(super) touched: Cell<bool>,
    pub(super) written: bool,
    /// So many calls from now, one fails.
    pub(in crate::cluster::tests) fails_in: Cell<Option<u32>>,
}

impl Rows {
    pub(super) fn touch(&self) -> Result<(), Failed> {
        self.touched.set(true);
        match self.fails_in.get() {
            Some(0) => {
                self.fails_in.set(None);
                Err(Failed)
            }
            count => {
                self.fails_in.set(count.map(|count| count - 1));
                Ok(())
            }
        }
    }
}

impl Store for Rows {
    fn begin_life(&mut self) -> Result<HubLife, Failed> {
        self.written = true;
        self.lives += 1;
        Ok(HubLife(self.lives))
    }

    fn keep_rooms(&mut self, hubs: u16, is_kept: &dyn Fn(&str) -> bool) -> Result<(), Failed> {
        if self.hubs.unwrap_or(DEFAULT_HUBS) != hubs {
            self.written = true;
            self.hubs = Some(hubs);
            self.interest.retain(|room, _| is_kept(room));
        }
        Ok(())
    }

    fn era(&self, node: NodeId) -> Result<u64, Failed> {
        self.touch()?;
        Ok(self.eras.get(&node).copied().unwrap_or(0))
    }

    fn put_era(&mut self, node: NodeId, era: u64) -> Result<(), Failed> {
        self.touch()?;
        self.written = true;
        self.eras.insert(node, era);
        Ok(())
    }

    fn nodes(&self, room: &str) -> Result<Vec<NodeId>, Failed> {
        self.touch()?;
        let nodes = self.interest.get(room).into_iter().flatten();
        Ok(nodes.map(|(node, _)| *node).collect())
    }

    fn has(&self, room: &str, node: NodeId) -> Result<bool, Failed> {
        Ok(self.nodes(room)?.contains(&node))
    }

    fn only_node(&self, room: &str) -> Result<Option<NodeId>, Failed> {
        match self.nodes(room)?[..] {
            [only] => Ok(Some(only)),
            _ => Ok(None),
        }
    }

    fn put(&mut self, room: &str, node: NodeId, stamp: Stamp) -> Result<(), Failed> {
        self.touch()?;
        self.written = true;
        let rows = self.interest.entry(room.into()).or_default();
        let row = rows.entry(node).or_insert(stamp);
        *row = stamp.max(*row);
        Ok(())
    }

    fn delete_below(&mut self, room: &str, node: NodeId, stamp: Stamp) -> Result<(), Failed> {
        self.touch()?;
        self.written = true;
        if let Some(rows) = self.interest.get_mut(room) {
            rows.retain(|other, row| *other != node || *row >= stamp);
        }
        Ok(())
    }

    fn log(&mut self) -> Option<&mut dyn LogStore> {
        self.log.is_some().then_some(self)
    }
}
