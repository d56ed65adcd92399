//! The number of hubs that an object goes by, in its SQLite. Without a row, it is
//! [`DEFAULT_HUBS`]: where nobody has another number, nothing is written.

use dormouse_proto::cluster::{DEFAULT_HUBS, Failed};
use wasm_bindgen::JsValue;

use super::sql::{self, number, value};
use crate::platform::ObjectState;

const CREATE: &str =
    "CREATE TABLE IF NOT EXISTS dormouse_hub_counts (name INTEGER PRIMARY KEY, hubs INTEGER)";
const READ: &str = "SELECT hubs FROM dormouse_hub_counts WHERE name = ?";
const PUT: &str = "INSERT OR REPLACE INTO dormouse_hub_counts VALUES (?, ?)";

/// What the number is about.
#[derive(Clone, Copy)]
pub(crate) enum Whose {
    /// The object is a hub: which rooms are its own.
    Hub = 1,
    /// The object has sockets: which hubs know their rooms.
    Sockets = 2,
}

/// Returns the number. `None` if nobody knows it.
pub(crate) fn read(state: &ObjectState, whose: Whose) -> Option<u16> {
    // Without a table there is no row.
    let rows = sql::run(state, READ, &[value(whose as u64)]).unwrap_or_default();
    let Some(row) = rows.first() else {
        return Some(DEFAULT_HUBS);
    };
    number(row, 0).and_then(|hubs| u16::try_from(hubs).ok())
}

/// Puts or replaces the number, or notes that nobody knows it.
pub(crate) fn put(state: &ObjectState, whose: Whose, hubs: Option<u16>) -> Result<(), Failed> {
    sql::run(state, CREATE, &[])?;
    let hubs = hubs.map_or(JsValue::NULL, |hubs| value(u64::from(hubs)));
    sql::run(state, PUT, &[value(whose as u64), hubs])?;
    Ok(())
}
