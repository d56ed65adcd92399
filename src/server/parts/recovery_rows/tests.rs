//! The statements that are run, and the use of their results.

use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::in_browser::js;
use crate::usage::Meter;

/// Creates an object whose SQL answers with `rows`, JavaScript that may look at
/// `statement` and `bindings`.
fn state(rows: &str) -> ObjectState {
    let state = js(
        &format!(
            "const asked = [];
             const exec = (statement, ...bindings) => {{
                 asked.push([statement, ...bindings]);
                 const rows = (() => {{ {rows} }})();
                 return {{ raw: () => ({{ toArray: () => rows }}) }};
             }};
             return {{ asked, storage: {{ sql: {{ exec }} }} }};"
        ),
        0,
    );
    ObjectState::new(state.unchecked_ref(), Meter::default())
}

fn rows(answer: &str) -> RecoveryRows {
    RecoveryRows {
        state: state(answer),
    }
}

/// A table of three events of 100 bytes each.
const EVENTS_OF_100: &str = "const limit = bindings.at(-1);
    const all = [1, 2, 3].map((offset) => [offset, new ArrayBuffer(100)]);
    const sizes = all.map(([, bytes]) => [bytes.byteLength]);
    return (statement.includes('LENGTH') ? sizes : all).slice(0, limit);";

#[wasm_bindgen_test]
fn a_page_has_as_many_rows_as_fit() {
    for (max_bytes, count) in [
        (0, 1),
        (99, 1),
        (100, 1),
        (199, 1),
        (200, 2),
        (201, 2),
        (299, 2),
        (300, 3),
        (usize::MAX, 3),
    ] {
        let page = rows(EVENTS_OF_100).event_heads("/", Offset(0), max_bytes);
        let offsets: Vec<u64> = page.unwrap().iter().map(|row| row.offset.0).collect();
        assert!(offsets.iter().copied().eq(1..=count), "{max_bytes}");
    }
}

#[wasm_bindgen_test]
fn an_empty_table_has_an_empty_page() {
    let rows = rows("return [];");
    assert_eq!(rows.event_heads("/", Offset(0), 100), Ok(vec![]));
    assert_eq!(rows.event_contents(&[Offset(1), Offset(2)]), Ok(vec![]));
    assert_eq!(rows.connected_sockets("", 100), Ok(vec![]));
    assert_eq!(rows.socket("pid", "/"), Ok(None));
    assert_eq!(rows.number(Number::Intact), Ok(None));
    assert_eq!(rows.has_connected_sockets(), Ok(false));
}

#[wasm_bindgen_test]
fn null_is_no_number() {
    let rows = rows("return [[null, null]];");
    assert_eq!(rows.newest_event(), Ok(None));
    assert_eq!(rows.earliest_loss(), Ok(None));
    assert_eq!(rows.event_usage(), Ok(Usage::default()));
}

#[wasm_bindgen_test]
fn a_socket_is_lost_or_not() {
    for (column, lost) in [("null", None), ("5", Some(Timestamp::from_millis(5)))] {
        let rows = rows(&format!(
            "const bytes = (...bytes) => new Uint8Array(bytes).buffer;
             return [['pid', '/', {column}, bytes(3), bytes(1, 2)]];"
        ));
        let expect = SocketRow {
            pid: "pid".into(),
            namespace: "/".into(),
            lost,
            session: vec![3],
            bytes: vec![1, 2],
        };
        assert_eq!(rows.socket("pid", "/"), Ok(Some(expect)));
    }
}

#[wasm_bindgen_test]
fn a_statement_that_throws_has_failed() {
    let mut rows = rows("throw new Error('database or disk is full');");
    let event = NewEvent::default();
    assert_eq!(rows.append_event(Offset(1), event), Err(Failed));
    assert_eq!(rows.newest_event(), Err(Failed));
    assert_eq!(rows.event_heads("/", Offset(0), 100), Err(Failed));
    assert_eq!(RecoveryRows::server(&rows.state), None);
}

#[wasm_bindgen_test]
fn the_server_is_found_where_it_was_kept() {
    assert_eq!(RecoveryRows::server(&state("return [];")), None);
    let known = state("return [['/socket.io/']];");
    assert_eq!(RecoveryRows::server(&known).as_deref(), Some("/socket.io/"));
}

#[wasm_bindgen_test]
fn tables_of_before_are_dropped() {
    let rows = RecoveryRows::open(&state("return [];"), "/socket.io/");
    let asked = js("return JSON.stringify(x);", rows.state.own("asked"));
    let asked = asked.as_string().unwrap();
    for table in [
        "dormouse_events",
        "dormouse_sockets",
        "dormouse_recovery_events",
        "dormouse_recovery_sockets",
    ] {
        assert!(asked.contains(&format!("[\"DROP TABLE IF EXISTS {table}\"]")));
    }
    assert!(!asked.contains("DROP TABLE IF EXISTS dormouse_numbers"));
    assert!(asked.contains(",3,\"/socket.io/\"]"));
}
