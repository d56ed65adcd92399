//! The object's SQLite: sessions that poll, and what is too large for an
//! attachment.

use core::cell::Cell;

use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use crate::platform::ObjectState;
use crate::sid::{Key, key_from_tag, tag};

/// The most bytes of a session in one row. A row may have 2 MB, of which the
/// user session may take [half](crate::engine::MAX_SESSION).
const PART: usize = 900_000;

/// What is stored of one session.
pub(super) struct Stored {
    /// The path of the server it belongs to.
    pub(super) path: String,
    /// Its snapshot; none where only the user session is here.
    pub(super) session: Option<Vec<u8>>,
    /// The user session, as JSON.
    pub(super) data: Option<String>,
}

pub(super) struct Rows {
    state: ObjectState,
    /// Whether the table is known to be there.
    has_table: Cell<bool>,
}

impl Rows {
    pub(super) fn new(state: &ObjectState) -> Self {
        Self {
            state: state.clone(),
            has_table: Cell::new(false),
        }
    }

    /// Stores a session, in as many rows as it takes: mostly one.
    pub(super) fn put(&self, key: Key, stored: &Stored) {
        if !self.has_table.replace(true) {
            self.run(
                "CREATE TABLE IF NOT EXISTS dormouse_sessions \
                 (key TEXT, part INTEGER, path TEXT, session BLOB, data TEXT, \
                 PRIMARY KEY (key, part)) WITHOUT ROWID",
                &[],
            );
        }
        let mut parts = stored.session.as_deref().unwrap_or_default().chunks(PART);
        let blob = |part: Option<&[u8]>| match part {
            Some(part) => Uint8Array::from(part).buffer().into(),
            None => JsValue::NULL,
        };
        let key = JsValue::from(tag(key));
        let data = stored
            .data
            .as_deref()
            .map_or(JsValue::NULL, JsValue::from_str);
        let first = [
            key.clone(),
            0.into(),
            stored.path.as_str().into(),
            blob(parts.next()),
            data,
        ];
        let statement = "INSERT OR REPLACE INTO dormouse_sessions VALUES (?, ?, ?, ?, ?)";
        self.run(statement, &first);
        let mut count = 1;
        for part in parts {
            let path = stored.path.as_str().into();
            self.run(
                statement,
                &[
                    key.clone(),
                    count.into(),
                    path,
                    blob(Some(part)),
                    JsValue::NULL,
                ],
            );
            count += 1;
        }
        self.run(
            "DELETE FROM dormouse_sessions WHERE key = ? AND part >= ?",
            &[key, count.into()],
        );
    }

    pub(super) fn get(&self, key: Key) -> Option<Stored> {
        let rows = self.run(
            "SELECT path, session, data FROM dormouse_sessions WHERE key = ? ORDER BY part",
            &[tag(key).into()],
        )?;
        let mut stored: Option<Stored> = None;
        for row in rows {
            let row: Array = row.unchecked_into();
            let stored = stored.get_or_insert_with(|| Stored {
                path: row.get(0).as_string().unwrap_or_default(),
                session: None,
                data: row.get(2).as_string(),
            });
            if !row.get(1).is_null() {
                let part = Uint8Array::new(&row.get(1)).to_vec();
                stored.session.get_or_insert_default().extend(part);
            }
        }
        stored
    }

    pub(super) fn delete(&self, key: Key) {
        self.run(
            "DELETE FROM dormouse_sessions WHERE key = ?",
            &[tag(key).into()],
        );
    }

    /// The sessions of which anything is stored.
    pub(super) fn keys(&self) -> Vec<Key> {
        let rows = self.run("SELECT key FROM dormouse_sessions WHERE part = 0", &[]);
        let keys = rows.unwrap_or_default().into_iter();
        keys.filter_map(|row| key_from_tag(&row.unchecked_into::<Array>().get(0).as_string()?))
            .collect()
    }

    fn run(&self, statement: &str, bindings: &[JsValue]) -> Option<Array> {
        // Reading a table that was never made fails, and finds nothing. Writing
        // fails with the object's whole storage, which the platform reports.
        self.state.sql(statement, bindings).ok()
    }
}
