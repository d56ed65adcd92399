//! Which requests have been carried out: a row for each, until it could not be made again
//! anyway.

use wasm_bindgen::JsValue;

use crate::platform::{self, ObjectState};

/// Returns what a request is known by. `until` is the last second in which it could be
/// made again; of a batch, each operation has a number.
pub(super) fn token(until: u64, signature: &str, number: usize) -> String {
    format!("{until}.{signature}.{number}")
}

/// Notes a request. Returns `false` if it is known, or if it cannot be noted.
pub(super) fn note(state: &ObjectState, token: &str) -> bool {
    let Some((until, rest)) = token.split_once('.') else {
        return false;
    };
    let Ok(until) = until.parse::<u32>() else {
        return false;
    };
    let now = platform::now().as_millis() / 1_000;
    let run = |statement: &str, bindings: &[JsValue]| state.sql(statement, bindings);
    let noted = run(
        "CREATE TABLE IF NOT EXISTS dormouse_once \
         (until INTEGER, token TEXT, PRIMARY KEY (until, token)) WITHOUT ROWID",
        &[],
    )
    .and_then(|_| {
        run(
            "DELETE FROM dormouse_once WHERE until < ?",
            &[JsValue::from_f64(now as f64)],
        )
    })
    .and_then(|_| {
        run(
            "INSERT OR IGNORE INTO dormouse_once VALUES (?, ?) RETURNING 1",
            &[JsValue::from(until), JsValue::from_str(rest)],
        )
    });
    noted.is_ok_and(|rows| rows.length() > 0)
}
