//! What is left to each network.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Buckets, Cost, Network, Rates, Shared};
use crate::Timestamp;

/// The maximum number of networks that are remembered. If all of them have used up
/// something, the one that has been quiet for longest is forgotten.
pub const MAX_NETWORKS: usize = 4_096;

/// The number of networks up to which nobody looks for those that can be forgotten.
const FEW: usize = 64;

/// The buckets of the networks that sessions of one object come from.
///
/// A network whose buckets are full is forgotten sooner or later, since a new one has
/// full buckets too.
#[derive(Debug)]
pub struct Networks {
    /// In the order of their addresses.
    entries: Vec<Entry>,
    /// The number of entries at which those that can be forgotten are looked for.
    sweep_at: usize,
}

#[derive(Debug)]
struct Entry {
    network: Network,
    buckets: Buckets,
    used: Timestamp,
}

impl Default for Networks {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            sweep_at: FEW,
        }
    }
}

impl Networks {
    /// Returns the limits of a network, and what is left to it.
    pub fn share<'a>(
        &'a mut self,
        now: Timestamp,
        rates: &'a Rates,
        network: Network,
    ) -> Option<Shared<'a>> {
        let buckets = &mut self.entry(now, rates, network)?.buckets;
        Some(Shared { rates, buckets })
    }

    /// Counts a new session.
    ///
    /// # Errors
    ///
    /// There are too many: the time until there may be another.
    pub fn handle_handshake(
        &mut self,
        now: Timestamp,
        rates: &Rates,
        network: Network,
    ) -> Result<(), Duration> {
        let Some(Shared { buckets, .. }) = self.share(now, rates, network) else {
            return Ok(());
        };
        buckets
            .afford(now, rates, Cost::handshake())
            .map_err(|(_, wait)| wait)?;
        buckets.spend(now, rates, Cost::handshake());
        Ok(())
    }

    /// Returns how many networks are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the entry of a network, which is remembered from now on.
    fn entry(&mut self, now: Timestamp, rates: &Rates, network: Network) -> Option<&mut Entry> {
        let is_before = |entry: &Entry| entry.network < network;
        let mut index = self.entries.partition_point(is_before);
        let found = self.entries.get(index).map(|entry| entry.network);
        if found != Some(network) {
            self.make_room(now, rates);
            index = self.entries.partition_point(is_before);
            let entry = Entry {
                network,
                buckets: Buckets::default(),
                used: now,
            };
            self.entries.insert(index, entry);
        }
        let entry = self.entries.get_mut(index)?;
        entry.used = now;
        Some(entry)
    }

    fn make_room(&mut self, now: Timestamp, rates: &Rates) {
        if self.entries.len() < self.sweep_at {
            return;
        }
        self.entries
            .retain_mut(|entry| !entry.buckets.are_full(now, rates));
        // Not again before as many have come, so that each pays for one look at it.
        let next = self.entries.len().saturating_mul(2);
        self.sweep_at = next.clamp(FEW, MAX_NETWORKS);
        if self.entries.len() >= MAX_NETWORKS {
            let all = self.entries.iter().enumerate();
            let quiet = all.min_by_key(|(_, entry)| entry.used);
            if let Some((index, _)) = quiet {
                self.entries.remove(index);
            }
        }
    }
}
