use wasm_bindgen_test::wasm_bindgen_test;

use super::*;

fn handlers(names: &[&str]) -> AlarmHandlers<OnAlarm> {
    let mut handlers = AlarmHandlers::default();
    for name in names {
        handlers.add(name, crate::api::erase(|| ()));
    }
    handlers
}

const SET: AlarmChange = AlarmChange::Set {
    due: Timestamp::from_millis(1),
    keeps: false,
};

#[wasm_bindgen_test(unsupported = test)]
fn a_name_of_its_own_comes_before_patterns() {
    let handlers = handlers(&["close-{id}", "close-all", "{*rest}", "tick"]);
    let found = |name| {
        let (call, params) = handlers.find(name).unwrap();
        let mut all = handlers.0.iter();
        let place = all.position(|it| Rc::ptr_eq(&it.call, call)).unwrap();
        let values: Vec<String> = params.into_iter().map(|(_, value)| value).collect();
        (place, values.join(","))
    };
    assert_eq!(found("close-7"), (0, "7".to_owned()));
    assert_eq!(found("close-all"), (1, String::new()));
    assert_eq!(found("close-a/b"), (2, "close-a/b".to_owned()));
    assert_eq!(found("tick"), (3, String::new()));
}

#[wasm_bindgen_test(unsupported = test)]
fn what_cannot_be_set_is_an_error() {
    let handlers = handlers(&["{*any}"]);
    let longest = "é".repeat(MAX_NAME / 2);
    assert!(
        matches!(handlers.request(&longest, SET), Ok(Request::Alarm(name, SET)) if name == longest)
    );
    for name in ["", &(longest + "x")] {
        for change in [SET, AlarmChange::Cancel] {
            let error = handlers.request(name, change).unwrap_err();
            assert!(matches!(error, AlarmError::Name), "{name}");
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn one_without_a_handler_can_be_cancelled_only() {
    let handlers = handlers(&["tick"]);
    let error = handlers.request("tock", SET).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no handler for the alarm `tock` (on_alarm)"
    );
    assert!(handlers.request("tick", SET).is_ok());
    assert!(handlers.request("tock", AlarmChange::Cancel).is_ok());
}

#[wasm_bindgen_test(unsupported = test)]
fn mistakes_are_told_at_the_start() {
    let long = "x".repeat(MAX_NAME + 1);
    for (names, expect) in [
        (&["tick", "close-{id}", "{*rest}"][..], None),
        (&["tick", "tock", "tick"], Some("two handlers")),
        (&["close-{id}", "close-{id}"], Some("two handlers")),
        (&["close-{id"], Some("not a name")),
        (&["{*rest}-end"], Some("not a name")),
        (&[""], Some("1 to 256 bytes")),
        (&[&long], Some("1 to 256 bytes")),
    ] {
        let error = handlers(names).check(&Options::default()).err();
        let remedy = error.map(|error| (error.option, error.remedy));
        match expect {
            None => assert_eq!(remedy, None),
            Some(expect) => {
                let (option, remedy) = remedy.unwrap();
                assert_eq!(option, "on_alarm");
                assert!(remedy.contains(expect), "{remedy}");
            }
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn no_time_is_beyond_javascripts() {
    let far = When(Timestamp::from_millis(u64::MAX)).set(true);
    let due = Timestamp::from_millis(LAST);
    assert_eq!(far, AlarmChange::Set { due, keeps: true });
}
