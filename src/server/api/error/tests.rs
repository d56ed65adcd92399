use core::num::ParseIntError;
use std::collections::BTreeMap;

use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::DataError;

/// An error with a source that it does not write itself.
#[derive(Debug)]
struct Outer(ParseIntError);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the config is wrong")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// The same, but it does.
#[derive(Debug)]
struct Chatty(ParseIntError);

impl fmt::Display for Chatty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the config is wrong: {}", self.0)
    }
}

impl Error for Chatty {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn parse_error() -> ParseIntError {
    "x".parse::<i32>().unwrap_err()
}

#[wasm_bindgen_test(unsupported = test)]
fn what_comes_by_question_mark_is_not_for_clients() {
    fn connect() -> Result<(), Refusal> {
        Err(parse_error())?
    }
    fn handle() -> Result<(), HandlerError> {
        Err(parse_error())?
    }
    fn extract() -> Result<(), Rejection> {
        Err(DataError::TooLarge)?
    }
    let refusal = connect().unwrap_err();
    assert!(refusal.is_internal());
    assert_eq!(refusal.message(), "internal error");
    assert_eq!(refusal.to_string(), "internal error");
    assert_eq!(refusal.failure.data(), None);
    assert_eq!(
        refusal.source().unwrap().to_string(),
        "invalid digit found in string"
    );
    assert_eq!(refusal.failure.to_log(), "invalid digit found in string");
    let error = handle().unwrap_err();
    assert_eq!(error.message(), "internal error");
    assert_eq!(error.failure.to_log(), "invalid digit found in string");
    let rejection = extract().unwrap_err();
    assert_eq!(rejection.message(), "internal error");
    assert!(rejection.failure.to_log().contains("more than"));
}

#[wasm_bindgen_test(unsupported = test)]
fn what_is_said_on_purpose_is_for_clients() {
    let refusal = Refusal::new("no \"luck\"").data(&["a"]);
    assert!(!refusal.is_internal());
    assert_eq!(refusal.message(), "no \"luck\"");
    assert_eq!(refusal.failure.data(), Some(r#"["a"]"#));
    assert!(refusal.source().is_none());
    assert_eq!(refusal.failure.to_log(), "no \"luck\"");
    let error = HandlerError::new(7).data(&None::<()>);
    assert_eq!((error.message(), error.failure.data()), ("7", Some("null")));
    assert_eq!(Rejection::new("no").message(), "no");
}

#[wasm_bindgen_test(unsupported = test)]
fn the_log_has_the_sources_once() {
    let expect = "the config is wrong: invalid digit found in string";
    for error in [
        HandlerError::from(Outer(parse_error())),
        HandlerError::from(Chatty(parse_error())),
    ] {
        assert_eq!(error.failure.to_log(), expect);
    }
    assert_eq!(HandlerError::internal("text").failure.to_log(), "text");
    let boxed: Box<dyn Error> = Box::new(Outer(parse_error()));
    assert_eq!(Refusal::internal(boxed).failure.to_log(), expect);
}

#[wasm_bindgen_test(unsupported = test)]
fn data_that_cannot_be_json_is_an_internal_error() {
    let keys = BTreeMap::from([(vec![1], 2)]);
    let refusal = Refusal::new("no").data(&keys);
    assert_eq!(refusal.message(), "internal error");
    assert_eq!(refusal.failure.to_log(), "key must be a string");
    let error = HandlerError::new("no").data(&keys);
    assert_eq!(error.message(), "internal error");
    // An internal error stays one, without anything for the client.
    let error = error.data(&1);
    assert!(error.is_internal());
    assert_eq!(error.failure.data(), None);
}

#[wasm_bindgen_test(unsupported = test)]
fn errors_turn_into_each_other_and_stay_what_they_are() {
    let on_purpose = || HandlerError::new("no").data(&1);
    let internal = || HandlerError::from(parse_error());
    for (told, error) in [("no", on_purpose()), ("internal error", internal())] {
        assert_eq!(Rejection::from(error).message(), told);
    }
    for (told, error) in [("no", on_purpose()), ("internal error", internal())] {
        let refusal = Refusal::from(error);
        assert_eq!(refusal.message(), told);
        assert_eq!(refusal.failure.data().is_some(), told == "no");
    }
    let refusal = Refusal::from(Rejection::new("late"));
    assert_eq!(refusal.message(), "late");
    let error = HandlerError::from(Rejection::from(parse_error()));
    assert!(error.is_internal());
}
