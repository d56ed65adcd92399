//! Statements to an object's SQLite, and the values in its rows.

use dormouse_proto::{Timestamp, cluster};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue};

use crate::platform::ObjectState;

/// The storage has refused a statement: it is full, or has no such table.
pub(super) struct Refused;

impl From<Refused> for cluster::Failed {
    fn from(Refused: Refused) -> Self {
        Self
    }
}

/// Executes a statement, and returns the rows that it finds.
pub(super) fn run(
    state: &ObjectState,
    statement: &str,
    bindings: &[JsValue],
) -> Result<Vec<Array>, Refused> {
    let rows = state.sql(statement, bindings).map_err(|_| Refused)?;
    Ok(rows.iter().map(JsValue::unchecked_into).collect())
}

pub(super) fn value(number: u64) -> JsValue {
    JsValue::from_f64(number as f64)
}

pub(super) fn blob(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).buffer().into()
}

pub(super) fn time(time: Option<Timestamp>) -> JsValue {
    time.map_or(JsValue::NULL, |time| value(time.as_millis()))
}

pub(super) fn number(row: &Array, column: u32) -> Option<u64> {
    row.get(column).as_f64().map(|number| number as u64)
}

pub(super) fn text(row: &Array, column: u32) -> String {
    row.get(column).as_string().unwrap_or_default()
}

pub(super) fn bytes(row: &Array, column: u32) -> Vec<u8> {
    Uint8Array::new(&row.get(column)).to_vec()
}

/// The statements that read rows up to a number of bytes: first their sizes, which
/// SQLite knows without reading the contents. The last binding of both is the number
/// of rows.
pub(super) struct Page {
    pub(super) sizes: &'static str,
    pub(super) rows: &'static str,
}

/// The maximum number of rows in a page, however small they are.
const PAGE: usize = 1_000;

impl Page {
    /// Reads the rows that have at most this many bytes together, but at least one if
    /// there is any.
    pub(super) fn read(
        &self,
        state: &ObjectState,
        bindings: &[JsValue],
        max_bytes: usize,
    ) -> Result<Vec<Array>, Refused> {
        let limited = |count: usize| {
            let mut bindings = bindings.to_vec();
            bindings.push(value(count as u64));
            bindings
        };
        let sizes = run(state, self.sizes, &limited(PAGE))?;
        let mut left = max_bytes as u64;
        let fitting = sizes.iter().take_while(|row| {
            let size = number(row, 0).unwrap_or_default();
            let fits = size <= left;
            left = left.saturating_sub(size);
            fits
        });
        let count = fitting.count();
        if sizes.is_empty() {
            return Ok(Vec::new());
        }
        run(state, self.rows, &limited(count.max(1)))
    }
}
