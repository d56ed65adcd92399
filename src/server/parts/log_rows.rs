//! The rows of a hub that logs events, in the SQLite of its object. It contains
//! statements and no rules: those are in [`Hub`](dormouse_proto::cluster::Hub).
//!
//! A place is a whole number that JavaScript's numbers are too small for, so it comes and
//! goes as text.

use dormouse_proto::Timestamp;
use dormouse_proto::cluster::{
    Failed, LogEnds, LogHead, LogStore, LogUsage, NewBatch, NodeId, Sender,
};
use js_sys::Array;
use wasm_bindgen::JsValue;

use super::sql::{self, Page, blob, bytes, number, text, time, value};
use crate::platform::ObjectState;

/// The names of the tables.
pub(super) const TABLES: [&str; 4] = [
    "dormouse_log",
    "dormouse_log_senders",
    "dormouse_log_gaps",
    "dormouse_log_notes",
];

const CREATE: [&str; 4] = [
    "CREATE TABLE IF NOT EXISTS dormouse_log (place INTEGER PRIMARY KEY, at INTEGER, \
     settled INTEGER, head BLOB, content BLOB)",
    "CREATE TABLE IF NOT EXISTS dormouse_log_senders \
     (node BLOB, life BLOB, seq INTEGER, until INTEGER, PRIMARY KEY (node, life)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS dormouse_log_gaps (node BLOB PRIMARY KEY) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS dormouse_log_notes (name INTEGER PRIMARY KEY, value)",
];

const NOTE: &str = "SELECT CAST(value AS TEXT) FROM dormouse_log_notes WHERE name = ?";
const PUT_PLACE: &str = "INSERT OR REPLACE INTO dormouse_log_notes VALUES (?, CAST(? AS INTEGER))";
const PUT_TEXT: &str = "INSERT OR IGNORE INTO dormouse_log_notes VALUES (?, ?)";

const LAST: &str = "SELECT CAST(place AS TEXT), at, CAST(settled AS TEXT) FROM dormouse_log \
                    ORDER BY place DESC LIMIT 1";
const APPEND: &str =
    "INSERT INTO dormouse_log VALUES (CAST(? AS INTEGER), ?, CAST(? AS INTEGER), ?, ?)";
const TAKE_BACK: &str = "DELETE FROM dormouse_log WHERE place >= CAST(? AS INTEGER)";
const TRIM: &str = "DELETE FROM dormouse_log WHERE place <= CAST(? AS INTEGER)";
const HEADS: Page = Page {
    sizes: "SELECT LENGTH(head) FROM dormouse_log WHERE place > CAST(? AS INTEGER) \
            ORDER BY place LIMIT ?",
    rows: "SELECT CAST(place AS TEXT), head FROM dormouse_log WHERE place > CAST(? AS INTEGER) \
           ORDER BY place LIMIT ?",
};
const CONTENTS: &str = "SELECT CAST(place AS TEXT), content FROM dormouse_log \
                        WHERE place IN (SELECT value FROM json_each(?)) ORDER BY place";
const USAGE: &str = "SELECT COUNT(*), SUM(LENGTH(head) + LENGTH(content)) FROM dormouse_log";
const SIZES: &str = "SELECT CAST(place AS TEXT), LENGTH(head) + LENGTH(content) FROM dormouse_log \
                     WHERE place > CAST(? AS INTEGER) ORDER BY place LIMIT ?";
const NEWEST_BEFORE: &str = "SELECT CAST(place AS TEXT) FROM dormouse_log WHERE at < ? \
                             ORDER BY place DESC LIMIT 1";

const SEQ: &str = "SELECT seq FROM dormouse_log_senders WHERE node = ? AND life = ?";
const PUT_SEQ: &str = "INSERT OR REPLACE INTO dormouse_log_senders VALUES (?, ?, ?, ?)";
const FORGET_SENDERS: &str = "DELETE FROM dormouse_log_senders WHERE until < ?";

const GAPS: &str = "SELECT node FROM dormouse_log_gaps ORDER BY node";
const OPEN_GAP: &str = "INSERT OR IGNORE INTO dormouse_log_gaps VALUES (?)";
const CLOSE_GAP: &str = "DELETE FROM dormouse_log_gaps WHERE node = ?";

/// The names of the notes.
const PRUNED: u32 = 1;
const SETTLED: u32 = 2;
const NAMESPACE: u32 = 3;

/// The log of a hub, in an object's SQLite.
pub(super) struct LogRows {
    state: ObjectState,
}

impl LogRows {
    /// Creates the tables, and stores of which namespace this is the log.
    pub(super) fn open(state: &ObjectState, namespace: &str) -> Self {
        let rows = Self {
            state: state.clone(),
        };
        for statement in CREATE {
            // Without a table every other statement fails, and that is handled there.
            let _ = rows.run(statement, &[]);
        }
        let _ = rows.run(PUT_TEXT, &[NAMESPACE.into(), namespace.into()]);
        rows
    }

    /// Returns the namespace of the log in an object, if there is one. Makes no table.
    pub(super) fn namespace(state: &ObjectState) -> Option<String> {
        let rows = sql::run(state, NOTE, &[NAMESPACE.into()]).ok()?;
        rows.first().map(|row| text(row, 0))
    }

    fn run(&self, statement: &str, bindings: &[JsValue]) -> Result<Vec<Array>, Failed> {
        Ok(sql::run(&self.state, statement, bindings)?)
    }

    fn write(&self, statement: &str, bindings: &[JsValue]) -> Result<(), Failed> {
        self.run(statement, bindings).map(drop)
    }

    /// Returns a place that was put down by itself; 0 if there is none.
    fn noted(&self, name: u32) -> Result<u64, Failed> {
        let rows = self.run(NOTE, &[name.into()])?;
        Ok(rows.first().map_or(0, |row| read_place(row, 0)))
    }

    fn try_to_append(&self, batch: &NewBatch<'_>) -> Result<(), Failed> {
        for event in batch.events {
            let row = [
                place(event.place),
                time(Some(batch.at)),
                place(batch.settled),
                blob(&event.head),
                blob(&event.content.0),
            ];
            self.write(APPEND, &row)?;
        }
        let [node, life] = name(batch.sender);
        self.write(
            PUT_SEQ,
            &[node, life, value(batch.seq), time(Some(batch.until))],
        )
    }
}

fn place(place: u64) -> JsValue {
    place.to_string().into()
}

fn read_place(row: &Array, column: u32) -> u64 {
    text(row, column).parse().unwrap_or_default()
}

fn name(sender: Sender) -> [JsValue; 2] {
    [blob(&sender.node.0), blob(&sender.life.0.to_be_bytes())]
}

impl LogStore for LogRows {
    fn ends(&self) -> Result<LogEnds, Failed> {
        let (pruned, settled) = (self.noted(PRUNED)?, self.noted(SETTLED)?);
        let rows = self.run(LAST, &[])?;
        let Some(last) = rows.first() else {
            return Ok(LogEnds {
                pruned,
                settled,
                last: pruned,
                last_at: Timestamp::default(),
            });
        };
        Ok(LogEnds {
            pruned,
            settled: settled.max(read_place(last, 2)),
            last: read_place(last, 0),
            last_at: Timestamp::from_millis(number(last, 1).unwrap_or_default()),
        })
    }

    fn append(&mut self, batch: &NewBatch<'_>) -> Result<(), Failed> {
        let appended = self.try_to_append(batch);
        if let Some(first) = batch.events.first().filter(|_| appended.is_err()) {
            // Deleting is possible in a storage that is full.
            let _ = self.write(TAKE_BACK, &[place(first.place)]);
        }
        appended
    }

    fn last_seq(&self, sender: Sender) -> Result<u64, Failed> {
        let rows = self.run(SEQ, &name(sender))?;
        Ok(rows
            .first()
            .and_then(|row| number(row, 0))
            .unwrap_or_default())
    }

    fn forget_senders(&mut self, until: Timestamp) -> Result<(), Failed> {
        self.write(FORGET_SENDERS, &[time(Some(until))])
    }

    fn heads(&self, after: u64, max_bytes: usize) -> Result<Vec<LogHead>, Failed> {
        let rows = HEADS.read(&self.state, &[place(after)], max_bytes)?;
        let head = |row| LogHead {
            place: read_place(row, 0),
            head: bytes(row, 1),
        };
        Ok(rows.iter().map(head).collect())
    }

    fn contents(&self, places: &[u64]) -> Result<Vec<(u64, Vec<u8>)>, Failed> {
        let places: Vec<String> = places.iter().map(u64::to_string).collect();
        let rows = self.run(CONTENTS, &[format!("[{}]", places.join(",")).into()])?;
        let content = |row| (read_place(row, 0), bytes(row, 1));
        Ok(rows.iter().map(content).collect())
    }

    fn usage(&self) -> Result<LogUsage, Failed> {
        let rows = self.run(USAGE, &[])?;
        let number = |column| rows.first().and_then(|row| number(row, column));
        Ok(LogUsage {
            events: number(0).unwrap_or_default(),
            bytes: number(1).unwrap_or_default(),
        })
    }

    fn sizes(&self, after: u64, count: usize) -> Result<Vec<(u64, u64)>, Failed> {
        let rows = self.run(SIZES, &[place(after), value(count as u64)])?;
        let size = |row| (read_place(row, 0), number(row, 1).unwrap_or_default());
        Ok(rows.iter().map(size).collect())
    }

    fn newest_before(&self, at: Timestamp) -> Result<Option<u64>, Failed> {
        let rows = self.run(NEWEST_BEFORE, &[time(Some(at))])?;
        Ok(rows.first().map(|row| read_place(row, 0)))
    }

    fn trim(&mut self, up_to: u64, gaps: &[NodeId]) -> Result<(), Failed> {
        for node in gaps {
            self.write(OPEN_GAP, &[blob(&node.0)])?;
        }
        self.write(PUT_PLACE, &[PRUNED.into(), place(up_to)])?;
        self.write(TRIM, &[place(up_to)])
    }

    fn settle(&mut self, settled: u64) -> Result<(), Failed> {
        self.write(PUT_PLACE, &[SETTLED.into(), place(settled)])
    }

    fn gaps(&self) -> Result<Vec<NodeId>, Failed> {
        let rows = self.run(GAPS, &[])?;
        let node = |row: &Array| bytes(row, 0).try_into().map(NodeId).map_err(|_| Failed);
        rows.iter().map(node).collect()
    }

    fn close_gap(&mut self, node: NodeId) -> Result<(), Failed> {
        self.write(CLOSE_GAP, &[blob(&node.0)])
    }
}
