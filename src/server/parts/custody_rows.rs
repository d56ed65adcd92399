//! The rows of sockets that have come from other objects or gone there, and of what is
//! sent to one socket alone, in the object's SQLite. It contains statements and no rules.
//!
//! The sockets themselves are among [`RecoveryRows`](super::RecoveryRows): a secret of
//! theirs begins with the id of its socket. When the columns change, the tables get new
//! names.

use dormouse_proto::Timestamp;
use dormouse_proto::cluster::{Failed, HubIndex, HubLife, Mark, OwnEvent, Payload};
use js_sys::Array;
use wasm_bindgen::JsValue;

use super::sql::{self, blob, bytes, number, text, time, value};
use crate::platform::ObjectState;

const CREATE: [&str; 4] = [
    "CREATE TABLE IF NOT EXISTS dormouse_custody (pid TEXT PRIMARY KEY, namespace TEXT, id TEXT, \
     heard INTEGER, unconfirmed BLOB) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS dormouse_own_events (id TEXT, own INTEGER, namespace TEXT, \
     before INTEGER, place INTEGER, content BLOB, PRIMARY KEY (id, own)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS dormouse_tombstones (pid TEXT PRIMARY KEY, at INTEGER, \
     bytes BLOB) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS dormouse_marks (namespace TEXT PRIMARY KEY, life INTEGER, \
     place INTEGER, own INTEGER, at INTEGER) WITHOUT ROWID",
];

const PUT: &str = "INSERT OR REPLACE INTO dormouse_custody VALUES (?, ?, ?, \
                   CAST(? AS INTEGER), ?)";
const ALL: &str = "SELECT pid, id, CAST(heard AS TEXT) FROM dormouse_custody WHERE namespace = ?";
const UNCONFIRMED: &str = "SELECT unconfirmed FROM dormouse_custody WHERE pid = ?";
const DELETE: &str = "DELETE FROM dormouse_custody WHERE pid = ?";
const DELETE_UNUSED: &str = "DELETE FROM dormouse_custody \
                             WHERE pid NOT IN (SELECT pid FROM dormouse_kept_sockets)";

const APPEND_OWN: &str = "INSERT OR REPLACE INTO dormouse_own_events \
                          SELECT ?1, ?2, ?3, COALESCE(MAX(own), 0), CAST(?4 AS INTEGER), ?5 \
                          FROM dormouse_own_events WHERE id = ?1 AND own < ?2";
const OWN: &str = "SELECT own, before, CAST(place AS TEXT), content FROM dormouse_own_events \
                   WHERE id = ? AND own > ? ORDER BY own";
const LAST_OWN: &str = "SELECT MAX(own) FROM dormouse_own_events WHERE id = ?";
const OWN_USAGE: &str = "SELECT COUNT(*), SUM(LENGTH(content)) FROM dormouse_own_events";
const OLDEST_OWN: &str = "SELECT own, LENGTH(content) FROM dormouse_own_events \
                          WHERE content IS NOT NULL ORDER BY own LIMIT ?";
/// The last event of each socket stays, so that the next one can name it.
const DELETE_OWN: &str = "DELETE FROM dormouse_own_events AS event WHERE own <= ? AND own < \
                          (SELECT MAX(own) FROM dormouse_own_events WHERE id = event.id)";
const EMPTY_OWN: &str =
    "UPDATE dormouse_own_events SET content = NULL WHERE own <= ? AND content IS NOT NULL";
/// Ids of sockets that are not stored. `~` comes after whatever is in a secret.
const STRAYS: &str = "SELECT id, namespace, MAX(own) FROM dormouse_own_events AS event \
                      WHERE NOT EXISTS (SELECT 1 FROM dormouse_kept_sockets \
                      WHERE pid > event.id AND pid < event.id || '~') GROUP BY id";
const DELETE_OWN_OF: &str = "DELETE FROM dormouse_own_events WHERE id = ?";
const HAS_OLD_OWN: &str = "SELECT MIN(own) FROM dormouse_own_events AS event WHERE own < \
                           (SELECT MAX(own) FROM dormouse_own_events WHERE id = event.id)";

const PUT_TOMBSTONE: &str = "INSERT OR REPLACE INTO dormouse_tombstones VALUES (?, ?, ?)";
const TOMBSTONE: &str = "SELECT bytes FROM dormouse_tombstones WHERE pid = ?";
const DELETE_TOMBSTONE: &str = "DELETE FROM dormouse_tombstones WHERE pid = ?";
const DELETE_OLD_TOMBSTONES: &str = "DELETE FROM dormouse_tombstones WHERE at < ?";
const DELETE_SURPLUS_TOMBSTONES: &str = "DELETE FROM dormouse_tombstones WHERE pid IN \
                                         (SELECT pid FROM dormouse_tombstones \
                                         ORDER BY at DESC LIMIT -1 OFFSET ?)";
const OLDEST_TOMBSTONE: &str = "SELECT MIN(at) FROM dormouse_tombstones";

const PUT_MARK: &str =
    "INSERT OR REPLACE INTO dormouse_marks VALUES (?, ?, CAST(? AS INTEGER), ?, ?)";
const NOTED_OWN: &str = "SELECT MAX(own) FROM dormouse_marks";
const DELETE_OLD_MARKS: &str = "DELETE FROM dormouse_marks WHERE at < ?";
const OLDEST_MARK: &str = "SELECT MIN(at) FROM dormouse_marks";
const MARK: &str = "SELECT life, CAST(place AS TEXT) FROM dormouse_marks WHERE namespace = ?";

/// A socket that has come from another object, or has come back to this one.
pub(crate) struct Moved {
    pub(crate) pid: String,
    pub(crate) id: String,
    /// The place up to which its client has the events of the hub.
    pub(crate) heard: u64,
}

/// The rows of sockets that move between objects.
pub(crate) struct CustodyRows {
    state: ObjectState,
}

impl CustodyRows {
    /// Creates the tables.
    pub(crate) fn open(state: &ObjectState) -> Self {
        let rows = Self {
            state: state.clone(),
        };
        for statement in CREATE {
            // Without a table every other statement fails, and that is handled there.
            let _ = rows.run(statement, &[]);
        }
        rows
    }

    /// Returns whether the tables are there.
    pub(crate) fn exist(state: &ObjectState) -> bool {
        sql::run(state, OLDEST_TOMBSTONE, &[]).is_ok()
    }

    fn run(&self, statement: &str, bindings: &[JsValue]) -> Result<Vec<Array>, Failed> {
        Ok(sql::run(&self.state, statement, bindings)?)
    }

    fn write(&self, statement: &str, bindings: &[JsValue]) -> Result<(), Failed> {
        self.run(statement, bindings).map(drop)
    }

    fn number(&self, statement: &str, bindings: &[JsValue]) -> Result<u64, Failed> {
        let rows = self.run(statement, bindings)?;
        Ok(rows
            .first()
            .and_then(|row| number(row, 0))
            .unwrap_or_default())
    }

    fn time(&self, statement: &str) -> Result<Option<Timestamp>, Failed> {
        let rows = self.run(statement, &[])?;
        let found = rows.first().and_then(|row| number(row, 0));
        Ok(found.map(Timestamp::from_millis))
    }

    fn bytes_of(&self, statement: &str, key: &str) -> Result<Option<Vec<u8>>, Failed> {
        let rows = self.run(statement, &[key.into()])?;
        let row = rows.first().filter(|row| !row.get(0).is_null());
        Ok(row.map(|row| bytes(row, 0)))
    }
}

/// Sockets that move.
impl CustodyRows {
    /// Puts or replaces a socket, which is unconfirmed if there are bytes.
    pub(crate) fn put(
        &self,
        namespace: &str,
        moved: &Moved,
        unconfirmed: Option<&[u8]>,
    ) -> Result<(), Failed> {
        let row = [
            (&*moved.pid).into(),
            namespace.into(),
            (&*moved.id).into(),
            moved.heard.to_string().into(),
            unconfirmed.map_or(JsValue::NULL, blob),
        ];
        self.write(PUT, &row)
    }

    /// Returns the sockets of a namespace.
    pub(crate) fn all(&self, namespace: &str) -> Result<Vec<Moved>, Failed> {
        let rows = self.run(ALL, &[namespace.into()])?;
        let moved = |row| Moved {
            pid: text(row, 0),
            id: text(row, 1),
            heard: text(row, 2).parse().unwrap_or_default(),
        };
        Ok(rows.iter().map(moved).collect())
    }

    /// Returns the bytes of a socket that is unconfirmed.
    pub(crate) fn unconfirmed(&self, pid: &str) -> Result<Option<Vec<u8>>, Failed> {
        self.bytes_of(UNCONFIRMED, pid)
    }

    pub(crate) fn delete(&self, pid: &str) -> Result<(), Failed> {
        self.write(DELETE, &[pid.into()])
    }

    /// Deletes those whose sockets are not stored any more.
    pub(crate) fn delete_unused(&self) -> Result<(), Failed> {
        self.write(DELETE_UNUSED, &[])
    }
}

/// Events for one socket alone.
impl CustodyRows {
    /// Appends an event. If its content is too large for a row, it is left out.
    pub(crate) fn append_own(
        &self,
        namespace: &str,
        id: &str,
        event: &OwnEvent,
        max_row: usize,
    ) -> Result<(), Failed> {
        let content = Some(&*event.payload.0).filter(|content| content.len() <= max_row);
        let row = [
            id.into(),
            value(event.own),
            namespace.into(),
            event.place.to_string().into(),
            content.map_or(JsValue::NULL, blob),
        ];
        self.write(APPEND_OWN, &row)
    }

    /// Returns the events for a socket after a number. `None` if some of them are gone.
    pub(crate) fn own(&self, id: &str, after: u64) -> Result<Option<Vec<OwnEvent>>, Failed> {
        let rows = self.run(OWN, &[id.into(), value(after)])?;
        let before = rows.first().and_then(|row| number(row, 1));
        let is_whole = rows.iter().all(|row| !row.get(3).is_null());
        if !is_whole || before.unwrap_or_default() > after {
            return Ok(None);
        }
        let event = |row| OwnEvent {
            own: number(row, 0).unwrap_or_default(),
            place: text(row, 2).parse().unwrap_or_default(),
            payload: Payload(bytes(row, 3).into()),
        };
        Ok(Some(rows.iter().map(event).collect()))
    }

    /// Returns the number of the last event for a socket; 0 if there is none.
    pub(crate) fn last_own_of(&self, id: &str) -> Result<u64, Failed> {
        self.number(LAST_OWN, &[id.into()])
    }

    /// Counts the events, and the bytes of their contents.
    pub(crate) fn own_usage(&self) -> Result<(u64, u64), Failed> {
        let rows = self.run(OWN_USAGE, &[])?;
        let number = |column| rows.first().and_then(|row| number(row, column));
        Ok((number(0).unwrap_or_default(), number(1).unwrap_or_default()))
    }

    /// Returns number and size of the oldest events.
    pub(crate) fn oldest_own(&self, count: usize) -> Result<Vec<(u64, u64)>, Failed> {
        let rows = self.run(OLDEST_OWN, &[value(count as u64)])?;
        let number = |row, column| number(row, column).unwrap_or_default();
        Ok(rows
            .iter()
            .map(|row| (number(row, 0), number(row, 1)))
            .collect())
    }

    /// Deletes the events up to a number, other than the last of each socket.
    pub(crate) fn delete_own(&self, up_to: u64) -> Result<(), Failed> {
        self.write(DELETE_OWN, &[value(up_to)])
    }

    /// Deletes the contents of the events up to a number.
    pub(crate) fn empty_own(&self, up_to: u64) -> Result<(), Failed> {
        self.write(EMPTY_OWN, &[value(up_to)])
    }

    /// Returns the ids, namespaces and last events of sockets that are not stored.
    pub(crate) fn strays(&self) -> Result<Vec<(String, String, u64)>, Failed> {
        let rows = self.run(STRAYS, &[])?;
        let stray = |row| {
            (
                text(row, 0),
                text(row, 1),
                number(row, 2).unwrap_or_default(),
            )
        };
        Ok(rows.iter().map(stray).collect())
    }

    /// Deletes all events for a socket.
    pub(crate) fn delete_own_of(&self, id: &str) -> Result<(), Failed> {
        self.write(DELETE_OWN_OF, &[id.into()])
    }

    /// Returns the first event that is not the last of its socket.
    pub(crate) fn first_old_own(&self) -> Result<Option<u64>, Failed> {
        let rows = self.run(HAS_OLD_OWN, &[])?;
        Ok(rows.first().and_then(|row| number(row, 0)))
    }
}

/// Tombstones of sockets that are other objects' now.
impl CustodyRows {
    pub(crate) fn put_tombstone(&self, pid: &str, at: Timestamp, it: &[u8]) -> Result<(), Failed> {
        self.write(PUT_TOMBSTONE, &[pid.into(), time(Some(at)), blob(it)])
    }

    pub(crate) fn tombstone(&self, pid: &str) -> Result<Option<Vec<u8>>, Failed> {
        self.bytes_of(TOMBSTONE, pid)
    }

    pub(crate) fn delete_tombstone(&self, pid: &str) -> Result<(), Failed> {
        self.write(DELETE_TOMBSTONE, &[pid.into()])
    }

    /// Deletes those from before a time, and the oldest where there are more than `max`.
    pub(crate) fn trim_tombstones(&self, before: Timestamp, max: usize) -> Result<(), Failed> {
        self.write(DELETE_OLD_TOMBSTONES, &[time(Some(before))])?;
        self.write(DELETE_SURPLUS_TOMBSTONES, &[value(max as u64)])
    }

    /// Returns the time of the oldest one.
    pub(crate) fn oldest_tombstone(&self) -> Result<Option<Timestamp>, Failed> {
        self.time(OLDEST_TOMBSTONE)
    }
}

/// The last events of hubs that were carried out.
impl CustodyRows {
    pub(crate) fn put_mark(
        &self,
        namespace: &str,
        mark: Mark,
        own: u64,
        at: Timestamp,
    ) -> Result<(), Failed> {
        let row = [
            namespace.into(),
            value(mark.life.0),
            mark.place.to_string().into(),
            value(own),
            time(Some(at)),
        ];
        self.write(PUT_MARK, &row)
    }

    /// Returns the highest number of an event for a single socket that was put down along
    /// with them.
    pub(crate) fn last_noted_own(&self) -> Result<u64, Failed> {
        self.number(NOTED_OWN, &[])
    }

    /// Deletes those from before a time.
    pub(crate) fn delete_marks(&self, before: Timestamp) -> Result<(), Failed> {
        self.write(DELETE_OLD_MARKS, &[time(Some(before))])
    }

    /// Returns the time of the oldest one.
    pub(crate) fn oldest_mark(&self) -> Result<Option<Timestamp>, Failed> {
        self.time(OLDEST_MARK)
    }

    /// Returns that of a namespace, which has one hub.
    pub(crate) fn mark(&self, namespace: &str) -> Result<Option<Mark>, Failed> {
        let rows = self.run(MARK, &[namespace.into()])?;
        Ok(rows.first().map(|row| Mark {
            hub: HubIndex(0),
            life: HubLife(number(row, 0).unwrap_or_default()),
            place: text(row, 1).parse().unwrap_or_default(),
        }))
    }
}
