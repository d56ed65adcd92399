//! The rows of connection state recovery, in the object's SQLite. It contains
//! statements and no rules: those are in
//! [`Recovery`](dormouse_proto::socket::recovery::Recovery).
//!
//! The platform sends nothing until earlier writes are safe. So a client never knows
//! of an event that is not stored.
//!
//! Rows carry a version of their own. When the columns change, the tables get new
//! names and the ones before are dropped: neither a deploy nor going back to the
//! deploy before finds a table that it misreads. `dormouse_numbers` has always been a
//! name and a value; a number that changes its meaning gets a new name.

use dormouse_proto::Timestamp;
use dormouse_proto::socket::Offset;
use dormouse_proto::socket::recovery::{
    EventHead, Failed, Holder, NewEvent, NewSocket, Number, SocketRow, Store, Usage,
};
use js_sys::Array;
use wasm_bindgen::{JsCast as _, JsValue};

use super::sql::{self, Page, Refused, blob, bytes, number, text, time, value};
use crate::platform::ObjectState;

const TABLES: [&str; 7] = [
    // The rows of these had no version, and named namespaces by numbers.
    "DROP TABLE IF EXISTS dormouse_events",
    "DROP TABLE IF EXISTS dormouse_sockets",
    // An event of these had to fit into a row, and was read to learn whom it was for.
    "DROP TABLE IF EXISTS dormouse_recovery_events",
    "DROP TABLE IF EXISTS dormouse_recovery_sockets",
    // The columns that are searched come before the bytes, of which there may be
    // many.
    "CREATE TABLE IF NOT EXISTS dormouse_logged_events \
     (offset INTEGER PRIMARY KEY, namespace TEXT, head BLOB, content BLOB)",
    "CREATE TABLE IF NOT EXISTS dormouse_kept_sockets \
     (pid TEXT PRIMARY KEY, namespace TEXT, lost INTEGER, session BLOB, bytes BLOB) \
     WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS dormouse_numbers (name INTEGER PRIMARY KEY, value INTEGER)",
];

const NUMBER: &str = "SELECT value FROM dormouse_numbers WHERE name = ?";
const PUT_NUMBER: &str = "INSERT OR REPLACE INTO dormouse_numbers VALUES (?, ?)";
const KEEP_NUMBER: &str = "INSERT OR IGNORE INTO dormouse_numbers VALUES (?, ?)";
const DELETE_NUMBER: &str = "DELETE FROM dormouse_numbers WHERE name = ?";

const APPEND_EVENT: &str = "INSERT INTO dormouse_logged_events VALUES (?, ?, ?, ?)";
const EVENT_HEADS: Page = Page {
    sizes: "SELECT LENGTH(head) FROM dormouse_logged_events \
            WHERE namespace = ? AND offset > ? ORDER BY offset LIMIT ?",
    rows: "SELECT offset, head FROM dormouse_logged_events \
           WHERE namespace = ? AND offset > ? ORDER BY offset LIMIT ?",
};
const EVENT_CONTENTS: &str = "SELECT offset, content FROM dormouse_logged_events \
                              WHERE offset IN (SELECT value FROM json_each(?)) \
                              ORDER BY offset";
const EVENT_SIZES: &str = "SELECT offset, LENGTH(head) + LENGTH(content) \
                           FROM dormouse_logged_events WHERE offset > ? ORDER BY offset LIMIT ?";
const NEWEST_EVENT: &str = "SELECT MAX(offset) FROM dormouse_logged_events";
const NEWEST_EVENT_BEFORE: &str = "SELECT MAX(offset) FROM dormouse_logged_events WHERE offset < ?";
const EVENT_USAGE: &str =
    "SELECT COUNT(*), SUM(LENGTH(head) + LENGTH(content)) FROM dormouse_logged_events";
const DELETE_EVENTS: &str = "DELETE FROM dormouse_logged_events WHERE offset <= ?";

const PUT_SOCKET: &str = "INSERT OR REPLACE INTO dormouse_kept_sockets VALUES (?, ?, ?, ?, ?)";
const SOCKET: &str = "SELECT pid, namespace, lost, session, bytes FROM dormouse_kept_sockets \
                      WHERE pid = ? AND namespace = ?";
const LOSE_SOCKET: &str = "UPDATE dormouse_kept_sockets SET lost = ? WHERE pid = ?";
const DELETE_SOCKET: &str = "DELETE FROM dormouse_kept_sockets WHERE pid = ?";
const DELETE_SOCKETS: &str = "DELETE FROM dormouse_kept_sockets";
const DELETE_SOCKETS_OF: &str = "DELETE FROM dormouse_kept_sockets WHERE namespace = ?";
const LOST_SOCKETS: Page = Page {
    sizes: "SELECT LENGTH(bytes) FROM dormouse_kept_sockets \
            WHERE lost < ? ORDER BY lost, pid LIMIT ?",
    rows: "SELECT pid, namespace, lost, session, bytes FROM dormouse_kept_sockets \
           WHERE lost < ? ORDER BY lost, pid LIMIT ?",
};
const DELETE_LOST_SOCKETS: &str = "DELETE FROM dormouse_kept_sockets WHERE lost < ?";
const HAS_CONNECTED_SOCKETS: &str =
    "SELECT 1 FROM dormouse_kept_sockets WHERE lost IS NULL LIMIT 1";
const CONNECTED_SOCKETS: &str = "SELECT pid, namespace, session FROM dormouse_kept_sockets \
                                 WHERE lost IS NULL AND pid > ? ORDER BY pid LIMIT ?";
const EARLIEST_LOSS: &str = "SELECT MIN(lost) FROM dormouse_kept_sockets";
const SOCKET_USAGE: &str = "SELECT COUNT(*), SUM(LENGTH(bytes)) FROM dormouse_kept_sockets";

/// The path of the server that all this is of: text, in a column that takes it.
const SERVER: u32 = 3;

/// Returns the stored name of a number. The names 1 and 2 belonged to the tables
/// that are dropped.
const fn name(number: Number) -> u32 {
    match number {
        Number::Pruned => 4,
        Number::Intact => 5,
        Number::Searched => 6,
    }
}

impl From<Refused> for Failed {
    fn from(Refused: Refused) -> Self {
        Self
    }
}

/// The rows of recovery, in an object's SQLite.
pub(crate) struct RecoveryRows {
    state: ObjectState,
}

impl RecoveryRows {
    /// Creates the tables, and stores the path of the server whose sockets are in
    /// them.
    pub(crate) fn open(state: &ObjectState, server: &str) -> Self {
        let rows = Self {
            state: state.clone(),
        };
        for statement in TABLES {
            // Without a table every other statement fails, and that is handled
            // there.
            let _ = rows.run(statement, &[]);
        }
        let _ = rows.run(KEEP_NUMBER, &[SERVER.into(), server.into()]);
        rows
    }

    /// Returns the path of the server whose sockets are stored, where no session is
    /// left to tell. Makes no table.
    pub(crate) fn server(state: &ObjectState) -> Option<String> {
        let rows = state.sql(NUMBER, &[SERVER.into()]).ok()?;
        let row: Array = rows.iter().next()?.unchecked_into();
        row.get(0).as_string()
    }

    fn run(&self, statement: &str, bindings: &[JsValue]) -> Result<Vec<Array>, Failed> {
        Ok(sql::run(&self.state, statement, bindings)?)
    }

    fn write(&self, statement: &str, bindings: &[JsValue]) -> Result<(), Failed> {
        self.run(statement, bindings).map(drop)
    }

    /// Returns the number in the first row, unless there is none or it is null.
    fn number_of(&self, statement: &str, bindings: &[JsValue]) -> Result<Option<u64>, Failed> {
        let rows = self.run(statement, bindings)?;
        Ok(rows.first().and_then(|row| number(row, 0)))
    }

    fn usage(&self, statement: &str) -> Result<Usage, Failed> {
        let rows = self.run(statement, &[])?;
        let number = |column| rows.first().and_then(|row| number(row, column));
        Ok(Usage {
            count: number(0).unwrap_or_default(),
            bytes: number(1).unwrap_or_default(),
        })
    }
}

fn socket(row: &Array) -> SocketRow {
    SocketRow {
        pid: text(row, 0),
        namespace: text(row, 1),
        lost: number(row, 2).map(Timestamp::from_millis),
        session: bytes(row, 3),
        bytes: bytes(row, 4),
    }
}

impl Store for RecoveryRows {
    fn number(&self, number: Number) -> Result<Option<u64>, Failed> {
        self.number_of(NUMBER, &[name(number).into()])
    }

    fn put_number(&mut self, number: Number, to: u64) -> Result<(), Failed> {
        self.write(PUT_NUMBER, &[name(number).into(), value(to)])
    }

    fn delete_number(&mut self, number: Number) -> Result<(), Failed> {
        self.write(DELETE_NUMBER, &[name(number).into()])
    }

    fn append_event(&mut self, offset: Offset, row: NewEvent<'_>) -> Result<(), Failed> {
        let row = [
            value(offset.0),
            row.namespace.into(),
            blob(row.head),
            blob(row.content),
        ];
        self.write(APPEND_EVENT, &row)
    }

    fn event_heads(
        &self,
        namespace: &str,
        after: Offset,
        max_bytes: usize,
    ) -> Result<Vec<EventHead>, Failed> {
        let bindings = [namespace.into(), value(after.0)];
        let rows = EVENT_HEADS.read(&self.state, &bindings, max_bytes)?;
        let head = |row| EventHead {
            offset: Offset(number(row, 0).unwrap_or_default()),
            head: bytes(row, 1),
        };
        Ok(rows.iter().map(head).collect())
    }

    fn event_contents(&self, offsets: &[Offset]) -> Result<Vec<(Offset, Vec<u8>)>, Failed> {
        let offsets: Vec<String> = offsets.iter().map(ToString::to_string).collect();
        let offsets = format!("[{}]", offsets.join(","));
        let rows = self.run(EVENT_CONTENTS, &[offsets.into()])?;
        let content = |row| (Offset(number(row, 0).unwrap_or_default()), bytes(row, 1));
        Ok(rows.iter().map(content).collect())
    }

    fn event_sizes(&self, after: Offset, count: usize) -> Result<Vec<(Offset, u64)>, Failed> {
        let rows = self.run(EVENT_SIZES, &[value(after.0), value(count as u64)])?;
        let number = |row, column| number(row, column).unwrap_or_default();
        let sizes = rows
            .iter()
            .map(|row| (Offset(number(row, 0)), number(row, 1)));
        Ok(sizes.collect())
    }

    fn newest_event(&self) -> Result<Option<Offset>, Failed> {
        Ok(self.number_of(NEWEST_EVENT, &[])?.map(Offset))
    }

    fn newest_event_before(&self, offset: Offset) -> Result<Option<Offset>, Failed> {
        let newest = self.number_of(NEWEST_EVENT_BEFORE, &[value(offset.0)])?;
        Ok(newest.map(Offset))
    }

    fn event_usage(&self) -> Result<Usage, Failed> {
        self.usage(EVENT_USAGE)
    }

    fn delete_events(&mut self, up_to: Offset) -> Result<(), Failed> {
        self.write(DELETE_EVENTS, &[value(up_to.0)])
    }

    fn put_socket(&mut self, socket: NewSocket<'_>) -> Result<(), Failed> {
        let row = [
            socket.pid.into(),
            socket.namespace.into(),
            time(socket.lost),
            blob(socket.session),
            blob(socket.bytes),
        ];
        self.write(PUT_SOCKET, &row)
    }

    fn socket(&self, pid: &str, namespace: &str) -> Result<Option<SocketRow>, Failed> {
        let rows = self.run(SOCKET, &[pid.into(), namespace.into()])?;
        Ok(rows.first().map(socket))
    }

    fn lose_socket(&mut self, pid: &str, at: Timestamp) -> Result<(), Failed> {
        self.write(LOSE_SOCKET, &[time(Some(at)), pid.into()])
    }

    fn delete_socket(&mut self, pid: &str) -> Result<(), Failed> {
        self.write(DELETE_SOCKET, &[pid.into()])
    }

    fn delete_sockets(&mut self) -> Result<(), Failed> {
        self.write(DELETE_SOCKETS, &[])
    }

    fn delete_sockets_of(&mut self, namespace: &str) -> Result<(), Failed> {
        self.write(DELETE_SOCKETS_OF, &[namespace.into()])
    }

    fn lost_sockets(&self, before: Timestamp, max_bytes: usize) -> Result<Vec<SocketRow>, Failed> {
        let rows = LOST_SOCKETS.read(&self.state, &[time(Some(before))], max_bytes)?;
        Ok(rows.iter().map(socket).collect())
    }

    fn delete_lost_sockets(&mut self, before: Timestamp) -> Result<(), Failed> {
        self.write(DELETE_LOST_SOCKETS, &[time(Some(before))])
    }

    fn has_connected_sockets(&self) -> Result<bool, Failed> {
        Ok(!self.run(HAS_CONNECTED_SOCKETS, &[])?.is_empty())
    }

    fn connected_sockets(&self, after: &str, count: usize) -> Result<Vec<Holder>, Failed> {
        let rows = self.run(CONNECTED_SOCKETS, &[after.into(), value(count as u64)])?;
        let holder = |row| Holder {
            pid: text(row, 0),
            namespace: text(row, 1),
            session: bytes(row, 2),
        };
        Ok(rows.iter().map(holder).collect())
    }

    fn earliest_loss(&self) -> Result<Option<Timestamp>, Failed> {
        let earliest = self.number_of(EARLIEST_LOSS, &[])?;
        Ok(earliest.map(Timestamp::from_millis))
    }

    fn socket_usage(&self) -> Result<Usage, Failed> {
        self.usage(SOCKET_USAGE)
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
