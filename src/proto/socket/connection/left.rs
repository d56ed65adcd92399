//! Namespaces that the application has disconnected the client from.
//!
//! The client learns of that later, and what it has sent before is still on its way: it
//! has broken no rule, so nothing comes of that, and the session stays. It never answers
//! a DISCONNECT. The only sign that it has heard of one is that it joins again.

use alloc::borrow::ToOwned as _;
use alloc::collections::VecDeque;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::socket::string_bytes;

/// The maximum number of bytes of the names of namespaces that a client was disconnected
/// from, and 32 bytes more for each. Those of the past are forgotten first: nothing is on
/// its way for so long.
pub const MAX_LEFT: usize = 4 << 10;

/// Their names, those left first in front.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Left {
    names: VecDeque<String>,
}

impl Left {
    pub(super) fn held_bytes(&self) -> usize {
        self.names.iter().map(|name| string_bytes(name)).sum()
    }

    pub(super) fn contains(&self, namespace: &str) -> bool {
        self.names.iter().any(|name| name == namespace)
    }

    pub(super) fn insert(&mut self, namespace: &str) {
        if string_bytes(namespace) > MAX_LEFT {
            return;
        }
        self.remove(namespace);
        self.names.push_back(namespace.to_owned());
        while self.held_bytes() > MAX_LEFT {
            self.names.pop_front();
        }
    }

    /// Returns whether it was there.
    pub(super) fn remove(&mut self, namespace: &str) -> bool {
        let before = self.names.len();
        self.names.retain(|name| name != namespace);
        self.names.len() < before
    }
}
