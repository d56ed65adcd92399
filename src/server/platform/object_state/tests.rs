use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::in_browser::js;
use crate::platform::tests::socket;

/// Creates an object's state of the shape that the platform's has.
fn state(members: &str) -> ObjectState {
    let state = js(&format!("return {{ {members} }};"), 0);
    ObjectState::new(state.unchecked_ref(), Meter::default())
}

#[wasm_bindgen_test]
fn the_state_keeps_what_it_is_given() {
    let state = state("");
    assert!(state.own("dormouse").is_undefined());
    state.set_own("dormouse", &"will".into());
    assert_eq!(state.own("dormouse"), JsValue::from("will"));
    // As the next instance finds it.
    assert_eq!(state.clone().own("dormouse"), JsValue::from("will"));
}

#[wasm_bindgen_test]
fn the_last_automatic_answer_is_a_moment_or_none() {
    let socket = socket();
    for (time, expect) in [
        ("null", None),
        ("undefined", None),
        ("new Date(1800000000123)", Some(1_800_000_000_123)),
    ] {
        let state = state(&format!("getWebSocketAutoResponseTimestamp: () => {time}"));
        let time = state.auto_response_time(&socket);
        assert_eq!(time, expect.map(Timestamp::from_millis));
    }
}

#[wasm_bindgen_test]
async fn the_alarm_is_a_moment_or_none() {
    let state = state(
        "storage: {
             at: null,
             async getAlarm() { return this.at; },
             async setAlarm(at) { this.at = at; },
         }",
    );
    assert_eq!(state.alarm().await, None);
    let at = Timestamp::from_millis(1_800_000_000_123);
    state.set_alarm(at);
    assert_eq!(state.alarm().await, Some(at));
}

#[wasm_bindgen_test]
fn statements_have_their_bindings() {
    let state = state(
        "storage: { sql: { exec(statement, ...bindings) {
             if (statement === 'wrong') throw new Error('syntax');
             return { raw: () => ({ toArray: () => [[statement, ...bindings]] }) };
         } } }",
    );
    let rows = state.sql("right", &["a".into(), JsValue::NULL]).unwrap();
    let row = js("return JSON.stringify(x);", rows).as_string();
    assert_eq!(row.as_deref(), Some(r#"[["right","a",null]]"#));
    assert!(state.sql("wrong", &[]).is_err());
}

#[wasm_bindgen_test]
fn sockets_are_taken_over_with_their_tag() {
    let state = state(
        "acceptWebSocket(socket, tags) {
             if (this.full) throw new Error('32768');
             (this.sockets ??= []).push([socket, tags]);
         },
         getWebSockets(tag) {
             const all = (this.sockets ?? []).filter(([, tags]) => !tag || tags.includes(tag));
             return all.map(([socket]) => socket);
         }",
    );
    assert!(state.sockets().is_empty());
    let tags = |tag: &str| [tag.to_owned(), "both".to_owned()];
    state.accept(&socket(), &tags("one")).unwrap();
    state.accept(&socket(), &tags("other")).unwrap();
    assert_eq!(state.sockets().len(), 2);
    assert_eq!(state.sockets_tagged("one").len(), 1);
    assert_eq!(state.sockets_tagged("both").len(), 2);
    assert_eq!(state.sockets_tagged("none").len(), 0);
    state.set_own("full", &true.into());
    assert!(state.accept(&socket(), &tags("one")).is_err());
}
