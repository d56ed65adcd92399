use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::in_browser::js;
use crate::usage::Meter;

/// An object whose SQL is a table of alarms, and which counts what is read and written,
/// unless it `fails`.
fn state() -> ObjectState {
    let state = js(
        "const state = { rows: new Map(), written: 0, read: 0, fails: false };
         const exec = (statement, ...bindings) => {
             const [word] = statement.split(' ');
             if (word !== 'SELECT' && state.fails) throw new Error('full');
             let rows = [];
             if (word === 'SELECT') {
                 state.read += 1;
                 rows = [...state.rows.values()];
             }
             if (word === 'INSERT') state.rows.set(bindings[0], bindings);
             if (word === 'DELETE') state.rows.delete(bindings[0]);
             if (word === 'INSERT' || word === 'DELETE') state.written += 1;
             return { raw: () => ({ toArray: () => rows }) };
         };
         state.storage = { sql: { exec } };
         return state;",
        0,
    );
    ObjectState::new(state.unchecked_ref(), Meter::default())
}

fn number(state: &ObjectState, name: &str) -> u32 {
    state.own(name).as_f64().unwrap_or_default() as u32
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn set(alarms: &Alarms, name: &str, due: u64) {
    assert_eq!(alarms.set("/io/", name, at(due), false), Ok(()));
}

/// Begins the handlers of those that are due: their names, in order.
fn begin(alarms: &Alarms, now: u64) -> String {
    let due = alarms.due(at(now)).into_iter();
    let begun = due.filter(|due| alarms.begin(due));
    let names: Vec<String> = begun.map(|due| (*due.name).to_owned()).collect();
    names.join(" ")
}

#[wasm_bindgen_test]
fn those_that_are_due_come_in_order_and_are_over_when_they_have_returned() {
    let state = state();
    let alarms = Alarms::new(&state);
    for (name, due) in [("c", 3), ("a", 1), ("b", 2), ("d", 4)] {
        set(&alarms, name, due);
    }
    assert_eq!(alarms.next(), Some(at(1)));
    assert_eq!(begin(&alarms, 0), "");
    assert_eq!(begin(&alarms, 3), "a b c");
    assert_eq!(begin(&alarms, 3), "");
    assert_eq!(alarms.next(), Some(at(4)));
    for name in ["a", "b", "c"] {
        alarms.finish(name, at(90));
    }
    assert_eq!(number(&state, "written"), 4 + 3);
    let next = Alarms::new(&state);
    assert_eq!(next.server().as_deref(), Some("/io/"));
    assert_eq!(begin(&next, 9), "d");
}

#[wasm_bindgen_test]
fn one_that_is_set_while_its_handler_runs_is_not_over() {
    let alarms = Alarms::new(&state());
    set(&alarms, "a", 1);
    assert_eq!(begin(&alarms, 1), "a");
    set(&alarms, "a", 1);
    // One handler at a time.
    assert_eq!((&*begin(&alarms, 9), alarms.next()), ("", None));
    alarms.finish("a", at(90));
    assert_eq!(alarms.next(), Some(at(1)));
    assert_eq!(begin(&alarms, 9), "a");
    assert_eq!(alarms.cancel("a"), Ok(()));
    set(&alarms, "a", 5);
    alarms.finish("a", at(90));
    assert_eq!(alarms.next(), Some(at(5)));
}

#[wasm_bindgen_test]
fn one_that_another_handler_changes_is_not_called() {
    let alarms = Alarms::new(&state());
    for name in ["a", "b", "c"] {
        set(&alarms, name, 1);
    }
    let due = alarms.due(at(1));
    assert_eq!(alarms.cancel("b"), Ok(()));
    set(&alarms, "c", 7);
    let begun: Vec<bool> = due.iter().map(|due| alarms.begin(due)).collect();
    assert_eq!(begun, [true, false, false]);
    assert_eq!(alarms.next(), Some(at(7)));
}

#[wasm_bindgen_test]
fn what_is_cut_off_is_called_five_times() {
    let state = state();
    for attempt in 0..MAX_ATTEMPTS {
        // The next instance.
        let alarms = Alarms::new(&state);
        if attempt == 0 {
            set(&alarms, "a", 1);
        }
        assert!(!alarms.due(at(100))[0].is_given_up, "{attempt}");
        assert_eq!(begin(&alarms, 100), "a", "{attempt}");
        alarms.claim_running(at(50));
        // Once, however often it waits.
        alarms.claim_running(at(60));
        assert_eq!(alarms.next(), Some(at(50)));
    }
    assert_eq!(number(&state, "written"), 1 + MAX_ATTEMPTS);
    let alarms = Alarms::new(&state);
    assert!(alarms.due(at(100))[0].is_given_up);
    // Whoever sets it anew begins from the start.
    set(&alarms, "a", 1);
    assert!(!alarms.due(at(100))[0].is_given_up);
}

#[wasm_bindgen_test]
fn their_number_is_bounded() {
    let state = state();
    let alarms = Alarms::new(&state);
    for number in 0..MAX_ALARMS {
        set(&alarms, &number.to_string(), 1);
    }
    let one_more = |name| alarms.set("/io/", name, at(2), false);
    assert_eq!(one_more("one more"), Err(NotSet::TooMany));
    assert_eq!(one_more("0"), Ok(()));
    assert_eq!(alarms.cancel("1"), Ok(()));
    assert_eq!(one_more("one more"), Ok(()));
    assert_eq!(number(&state, "read"), 1);
}

#[wasm_bindgen_test]
fn nothing_is_written_that_is_so_already() {
    let state = state();
    let alarms = Alarms::new(&state);
    set(&alarms, "a", 1);
    set(&alarms, "a", 1);
    assert_eq!(alarms.set("/io/", "a", at(2), true), Ok(()));
    assert_eq!(alarms.cancel("b"), Ok(()));
    assert_eq!((alarms.next(), number(&state, "written")), (Some(at(1)), 1));
}

#[wasm_bindgen_test]
fn what_cannot_be_stored_is_not_set() {
    let state = state();
    let alarms = Alarms::new(&state);
    state.set_own("fails", &JsValue::TRUE);
    let set = |due| alarms.set("/io/", "a", at(due), false);
    assert_eq!((set(1), alarms.next()), (Err(NotSet::Storage), None));
    state.set_own("fails", &JsValue::FALSE);
    assert_eq!(set(1), Ok(()));
    state.set_own("fails", &JsValue::TRUE);
    assert_eq!((set(2), alarms.next()), (Err(NotSet::Storage), Some(at(1))));
    assert_eq!(alarms.cancel("a"), Err(NotSet::Storage));
    // It is over when that is written.
    assert_eq!(begin(&alarms, 1), "a");
    alarms.finish("a", at(90));
    assert_eq!(alarms.next(), Some(at(90)));
}

#[wasm_bindgen_test]
fn one_whose_handler_still_runs_when_it_is_to_be_called_again_waits_once_more() {
    let state = state();
    let alarms = Alarms::new(&state);
    set(&alarms, "a", 1);
    assert_eq!(begin(&alarms, 1), "a");
    alarms.claim_running(at(60));
    alarms.extend_claims(at(59), at(119));
    assert_eq!(alarms.next(), Some(at(60)));
    alarms.extend_claims(at(60), at(120));
    // Not in the past: the object would be woken for it at once, again and again.
    assert_eq!((&*begin(&alarms, 60), alarms.next()), ("", Some(at(120))));
    assert_eq!(begin(&Alarms::new(&state), 120), "a");
}
