//! The rows of a hub, in the SQLite of its object. It contains statements and no rules:
//! those are in [`Hub`](dormouse_proto::cluster::Hub).
//!
//! When the columns change, the tables get new names: neither a deploy nor going back to
//! the deploy before finds a table that it misreads.

use dormouse_proto::cluster::{Failed, HubLife, LogStore, NodeId, Stamp, Store};
use js_sys::Array;
use wasm_bindgen::JsValue;

use super::hub_count_rows::{self, Whose};
use super::log_rows::LogRows;
use super::sql::{self, blob, bytes, number, text, value};
use crate::platform::ObjectState;

/// The names of the tables.
pub(super) const TABLES: [&str; 3] = ["dormouse_interest", "dormouse_eras", "dormouse_lives"];

const CREATE: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS dormouse_interest \
     (room TEXT, node BLOB, era INTEGER, count INTEGER, PRIMARY KEY (room, node)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS dormouse_eras (node BLOB PRIMARY KEY, era INTEGER) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS dormouse_lives (name INTEGER PRIMARY KEY, life INTEGER)",
];

const BEGIN_LIFE: &str = "INSERT INTO dormouse_lives VALUES (1, 1) \
                          ON CONFLICT DO UPDATE SET life = life + 1 RETURNING life";

/// The rooms of which there are rows, from the first on, and from one on.
const ROOMS: [&str; 2] = [
    "SELECT DISTINCT room FROM dormouse_interest ORDER BY room LIMIT ?",
    "SELECT DISTINCT room FROM dormouse_interest WHERE room > ? ORDER BY room LIMIT ?",
];
const DELETE_ROOM: &str = "DELETE FROM dormouse_interest WHERE room = ?";

/// The number of rooms that are read at once.
const PAGE: u64 = 1_000;

const ERA: &str = "SELECT era FROM dormouse_eras WHERE node = ?";
const PUT_ERA: &str = "INSERT OR REPLACE INTO dormouse_eras VALUES (?, ?)";

const NODES: &str = "SELECT node FROM dormouse_interest WHERE room = ? ORDER BY node";
const HAS: &str = "SELECT 1 FROM dormouse_interest WHERE room = ? AND node = ?";
const FIRST_TWO: &str = "SELECT node FROM dormouse_interest WHERE room = ? LIMIT 2";
const PUT: &str = "INSERT INTO dormouse_interest VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE \
                   SET era = excluded.era, count = excluded.count \
                   WHERE (excluded.era, excluded.count) > (era, count)";
const DELETE_BELOW: &str = "DELETE FROM dormouse_interest \
                            WHERE room = ? AND node = ? AND (era, count) < (?, ?)";

/// The rows of a hub, in an object's SQLite.
pub(crate) struct HubRows {
    state: ObjectState,
    log: Option<LogRows>,
}

impl HubRows {
    /// Creates the tables.
    pub(crate) fn open(state: &ObjectState) -> Self {
        for statement in CREATE {
            // Without a table every other statement fails, and that is handled there.
            let _ = state.sql(statement, &[]);
        }
        Self {
            state: state.clone(),
            log: None,
        }
    }

    /// Creates the tables of a hub that logs the events of this namespace, too.
    pub(crate) fn logging(state: &ObjectState, namespace: &str) -> Self {
        Self {
            log: Some(LogRows::open(state, namespace)),
            ..Self::open(state)
        }
    }

    /// Returns the namespace whose events are logged in an object, if there is one.
    pub(crate) fn logged(state: &ObjectState) -> Option<String> {
        LogRows::namespace(state)
    }

    fn run(&self, statement: &str, bindings: &[JsValue]) -> Result<Vec<Array>, Failed> {
        Ok(sql::run(&self.state, statement, bindings)?)
    }

    fn nodes_of(&self, statement: &str, room: &str) -> Result<Vec<NodeId>, Failed> {
        let rows = self.run(statement, &[room.into()])?;
        let node = |row: &Array| bytes(row, 0).try_into().map(NodeId).map_err(|_| Failed);
        rows.iter().map(node).collect()
    }
}

impl Store for HubRows {
    fn begin_life(&mut self) -> Result<HubLife, Failed> {
        let rows = self.run(BEGIN_LIFE, &[])?;
        let life = rows.first().and_then(|row| number(row, 0)).ok_or(Failed)?;
        Ok(HubLife(life))
    }

    fn keep_rooms(&mut self, hubs: u16, is_kept: &dyn Fn(&str) -> bool) -> Result<(), Failed> {
        if hub_count_rows::read(&self.state, Whose::Hub) == Some(hubs) {
            return Ok(());
        }
        let [first, next] = ROOMS;
        let mut rooms = self.run(first, &[value(PAGE)])?;
        while let Some(last) = rooms.last().map(|row| text(row, 0)) {
            for room in rooms.iter().map(|row| text(row, 0)) {
                if !is_kept(&room) {
                    self.run(DELETE_ROOM, &[room.into()])?;
                }
            }
            rooms = self.run(next, &[last.into(), value(PAGE)])?;
        }
        hub_count_rows::put(&self.state, Whose::Hub, Some(hubs))
    }

    fn era(&self, node: NodeId) -> Result<u64, Failed> {
        let rows = self.run(ERA, &[blob(&node.0)])?;
        Ok(rows
            .first()
            .and_then(|row| number(row, 0))
            .unwrap_or_default())
    }

    fn put_era(&mut self, node: NodeId, era: u64) -> Result<(), Failed> {
        self.run(PUT_ERA, &[blob(&node.0), value(era)]).map(drop)
    }

    fn nodes(&self, room: &str) -> Result<Vec<NodeId>, Failed> {
        self.nodes_of(NODES, room)
    }

    fn has(&self, room: &str, node: NodeId) -> Result<bool, Failed> {
        let rows = self.run(HAS, &[room.into(), blob(&node.0)])?;
        Ok(!rows.is_empty())
    }

    fn only_node(&self, room: &str) -> Result<Option<NodeId>, Failed> {
        let nodes = self.nodes_of(FIRST_TWO, room)?;
        Ok(match nodes[..] {
            [only] => Some(only),
            _ => None,
        })
    }

    fn put(&mut self, room: &str, node: NodeId, stamp: Stamp) -> Result<(), Failed> {
        let Stamp { era, count } = stamp;
        let bindings = [room.into(), blob(&node.0), value(era), value(count)];
        self.run(PUT, &bindings).map(drop)
    }

    fn delete_below(&mut self, room: &str, node: NodeId, stamp: Stamp) -> Result<(), Failed> {
        let Stamp { era, count } = stamp;
        let bindings = [room.into(), blob(&node.0), value(era), value(count)];
        self.run(DELETE_BELOW, &bindings).map(drop)
    }

    fn log(&mut self) -> Option<&mut dyn LogStore> {
        let log = self.log.as_mut()?;
        Some(log)
    }
}
