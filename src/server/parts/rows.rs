//! The object's SQLite: polling sessions, and what is too large for an attachment.

use core::cell::Cell;

use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use super::{hub_rows, log_rows};
use crate::platform::ObjectState;
use crate::sid::{Key, key_from_tag, tag};

/// The maximum number of bytes of a session in one row. A row may have 2 MB.
const PART: usize = 1_900_000;

/// The platform's own table, which the alarm is in.
const ALARMS: &str = "_cf_METADATA";

pub(crate) struct Rows {
    state: ObjectState,
    /// The table is known to exist.
    has_table: Cell<bool>,
}

impl Rows {
    pub(crate) fn new(state: &ObjectState) -> Self {
        Self {
            state: state.clone(),
            has_table: Cell::new(false),
        }
    }

    /// Stores a session, in as many rows as it takes: usually one. Returns their
    /// number.
    pub(crate) fn put(&self, key: Key, bytes: &[u8]) -> u32 {
        if !self.has_table.replace(true) {
            self.run(
                "CREATE TABLE IF NOT EXISTS dormouse_saved \
                 (key TEXT, part INTEGER, bytes BLOB, PRIMARY KEY (key, part)) WITHOUT ROWID",
                &[],
            );
        }
        let key = JsValue::from(tag(key));
        let mut count = 0;
        for part in bytes.chunks(PART) {
            let part = Uint8Array::from(part).buffer();
            self.run(
                "INSERT OR REPLACE INTO dormouse_saved VALUES (?, ?, ?)",
                &[key.clone(), count.into(), part.into()],
            );
            count += 1;
        }
        self.run(
            "DELETE FROM dormouse_saved WHERE key = ? AND part >= ?",
            &[key, count.into()],
        );
        count
    }

    pub(crate) fn get(&self, key: Key) -> Option<Vec<u8>> {
        let rows = self.run(
            "SELECT bytes FROM dormouse_saved WHERE key = ? ORDER BY part",
            &[tag(key).into()],
        )?;
        let parts: Vec<Uint8Array> = rows
            .iter()
            .map(|row| Uint8Array::new(&row.unchecked_into::<Array>().get(0)))
            .collect();
        let length: u32 = parts.iter().map(Uint8Array::length).sum();
        let mut bytes = vec![0; length as usize];
        let mut rest = &mut *bytes;
        for part in parts {
            let (here, after) = rest.split_at_mut_checked(part.length() as usize)?;
            part.copy_to(here);
            rest = after;
        }
        (!bytes.is_empty()).then_some(bytes)
    }

    pub(crate) fn delete(&self, key: Key) {
        self.run(
            "DELETE FROM dormouse_saved WHERE key = ?",
            &[tag(key).into()],
        );
    }

    /// Returns the sessions of which anything is stored.
    pub(crate) fn keys(&self) -> Vec<Key> {
        let rows = self.run("SELECT key FROM dormouse_saved WHERE part = 0", &[]);
        let keys = rows.unwrap_or_default().into_iter();
        keys.filter_map(|row| key_from_tag(&row.unchecked_into::<Array>().get(0).as_string()?))
            .collect()
    }

    /// Deletes the whole storage, alarm included, and with it the database, which is
    /// billed even if it is empty. What the application has stored stays, and what a hub
    /// knows, and then so does the database. Returns whether anything was deleted.
    pub(crate) fn give_back(&self) -> bool {
        let tables = self.run("SELECT name FROM sqlite_master WHERE type = 'table'", &[]);
        let names = tables.unwrap_or_default().into_iter();
        let mut names = names.filter_map(|row| row.unchecked_into::<Array>().get(0).as_string());
        // Where nothing was ever written there is no database.
        let Some(first) = names.next() else {
            return false;
        };
        let hubs = [&hub_rows::TABLES[..], &log_rows::TABLES].concat();
        let is_hubs = |name: &String| hubs.contains(&&**name);
        let is_ours =
            |name: &String| name == ALARMS || name.starts_with("dormouse_") && !is_hubs(name);
        let all = is_ours(&first) && names.all(|name| is_ours(&name));
        if all {
            self.has_table.set(false);
            self.state.delete_all();
        }
        all
    }

    fn run(&self, statement: &str, bindings: &[JsValue]) -> Option<Array> {
        // Reading a table that was never created fails, and finds nothing. Writing
        // fails only with the object's whole storage, which the platform reports.
        self.state.sql(statement, bindings).ok()
    }
}
