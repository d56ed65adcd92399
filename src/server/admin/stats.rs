//! Numbers as the UI reads them.

use core::cell::RefCell;
use core::time::Duration;

use dormouse_proto::{Map, Timestamp};
use serde::{Deserialize, Serialize};

use super::{MAX_COUNTS, MAX_NAMESPACES, sockets};
use crate::api::Io;
use crate::port::watch::Counted;

/// What is told of an object.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stats {
    pub(super) server_id: String,
    /// The UI has a column for it.
    hostname: String,
    pid: u32,
    /// In seconds.
    uptime: f64,
    clients_count: usize,
    polling_clients_count: usize,
    pub(super) aggregated_events: Vec<Aggregated>,
    namespaces: Vec<InNamespace>,
}

/// How often something has happened in a second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Aggregated {
    timestamp: u64,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sub_type: Option<String>,
    count: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct InNamespace {
    name: String,
    sockets_count: usize,
}

impl Stats {
    /// Returns what there is to tell of this object.
    pub(super) fn of(io: &Io, counts: &Counts, now: Timestamp) -> Self {
        let census = sockets::census(io);
        let port = io.local_port();
        let since = port.map_or(now, |port| port.watched().since());
        let namespaces = census.namespaces.into_iter().take(MAX_NAMESPACES);
        Self {
            server_id: port.map_or_else(String::new, |port| port.id().to_owned()),
            hostname: "durable object".to_owned(),
            pid: 0,
            uptime: seconds(now.since(since)),
            clients_count: census.clients,
            polling_clients_count: census.polling,
            aggregated_events: counts.take(),
            namespaces: namespaces
                .map(|(name, sockets_count)| InNamespace {
                    name,
                    sockets_count,
                })
                .collect(),
        }
    }
}

fn seconds(duration: Duration) -> f64 {
    duration.as_millis() as f64 / 1_000.0
}

/// What was counted since it was last told.
#[derive(Default)]
pub(super) struct Counts(RefCell<Map<CountedIn, usize>>);

/// A second, in milliseconds since 1970, and what happened in it.
type CountedIn = (u64, &'static str, Option<&'static str>);

impl Counts {
    pub(super) fn add(&self, now: Timestamp, what: Counted) {
        match what {
            Counted::Opened => self.add_to(now, "rawConnection", None, 1),
            Counted::Closed(reason) => {
                self.add_to(now, "rawDisconnection", Some(reason.as_str()), 1);
            }
            Counted::In(bytes) => {
                self.add_to(now, "packetsIn", None, 1);
                self.add_to(now, "bytesIn", None, bytes);
            }
            Counted::Out(bytes) => {
                self.add_to(now, "packetsOut", None, 1);
                self.add_to(now, "bytesOut", None, bytes);
            }
        }
    }

    fn add_to(
        &self,
        now: Timestamp,
        kind: &'static str,
        sub_type: Option<&'static str>,
        count: usize,
    ) {
        let second = now.as_millis() / 1_000 * 1_000;
        let mut counts = self.0.borrow_mut();
        let sum = counts.entry((second, kind, sub_type)).or_default();
        *sum = sum.saturating_add(count);
        // Nobody may ask for a while.
        if counts.len() > MAX_COUNTS {
            counts.pop_first();
        }
    }

    pub(super) fn take(&self) -> Vec<Aggregated> {
        let counts = self.0.take().into_iter();
        let events = counts.map(|((timestamp, kind, sub_type), count)| Aggregated {
            timestamp,
            kind: kind.to_owned(),
            sub_type: sub_type.map(str::to_owned),
            count,
        });
        events.collect()
    }
}

#[cfg(test)]
mod tests {
    use dormouse_proto::engine::Reason;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test(unsupported = test)]
    fn counts_are_summed_up_by_second_and_told_once() {
        let counts = Counts::default();
        let at = Timestamp::from_millis;
        counts.add(at(7_000), Counted::In(10));
        counts.add(at(7_999), Counted::In(5));
        counts.add(at(8_000), Counted::Closed(Reason::TransportClose));
        let told = serde_json::to_value(counts.take()).unwrap();
        let expect = serde_json::json!([
            { "timestamp": 7_000, "type": "bytesIn", "count": 15 },
            { "timestamp": 7_000, "type": "packetsIn", "count": 2 },
            { "timestamp": 8_000, "type": "rawDisconnection", "subType": "transport close", "count": 1 },
        ]);
        assert_eq!(told, expect);
        assert_eq!(counts.take(), []);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn counts_that_nobody_asks_for_are_bounded() {
        let counts = Counts::default();
        for second in 0..=MAX_COUNTS as u64 {
            counts.add(Timestamp::from_millis(second * 1_000), Counted::Opened);
        }
        let told = counts.take();
        assert_eq!(told.len(), MAX_COUNTS);
        assert_eq!(told[0].timestamp, 1_000, "the oldest has gone");
    }
}
