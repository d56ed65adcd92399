use wasm_bindgen_test::wasm_bindgen_test;

use super::*;

fn record(fields: &[(&str, &str)]) -> LogRecord {
    LogRecord::new(Level::Info, &"/socket.io/".into(), "disconnect", fields)
}

#[wasm_bindgen_test(unsupported = test)]
fn a_record_is_shown_as_the_line_it_stands_for() {
    let fields = [("sid", "a"), ("reason", "\"é\"\n")];
    let expect = r#"{"level":"info","event":"disconnect","sid":"a","reason":"\"é\"\n"}"#;
    assert_eq!(record(&fields).to_string(), expect);
    let fields = fields.into_iter();
    assert_eq!(line(Level::Info, "disconnect", fields), expect);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_record_can_say_whose_it_is() {
    let expect = r#"{"level":"info","event":"disconnect","server":"/socket.io/","sid":"a"}"#;
    assert_eq!(record(&[("sid", "a")]).with_server(), expect);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_record_has_what_was_logged() {
    let fields = [("sid", "a"), ("reason", "b")];
    let record = record(&fields);
    assert_eq!(record.level(), Level::Info);
    assert_eq!(record.server(), "/socket.io/");
    assert_eq!(record.event(), "disconnect");
    assert_eq!(record.field("reason"), Some("b"));
    assert_eq!(record.field("event"), None);
    assert!(record.fields().eq(fields));
}

#[wasm_bindgen_test(unsupported = test)]
fn fields_are_cut_at_their_maximum() {
    for (count, expect) in [
        (MAX_FIELD - 1, MAX_FIELD - 1),
        (MAX_FIELD, MAX_FIELD),
        (MAX_FIELD + 1, MAX_FIELD),
    ] {
        let long = "é".repeat(count);
        let record = record(&[("message", &long)]);
        let kept = record.field("message").unwrap_or_default();
        assert_eq!(kept.chars().count(), expect);
    }
}

#[cfg(target_arch = "wasm32")]
mod in_browser {
    use core::cell::RefCell;

    use super::*;
    use crate::in_browser::settle;

    fn logging(given: &Rc<RefCell<Vec<String>>>) -> Log {
        let mut log = Log {
            level: Level::Warn,
            server: "/a/".into(),
            logger: None,
        };
        log.add(noting(given, ""));
        log
    }

    fn noting(given: &Rc<RefCell<Vec<String>>>, who: &'static str) -> Logger {
        let given = given.clone();
        Rc::new(move |record| {
            let line = format!("{who}{} {}", record.server(), record.event());
            given.borrow_mut().push(line);
        })
    }

    #[wasm_bindgen_test]
    async fn a_logger_is_called_when_the_call_is_over() {
        let given = Rc::default();
        let own = logging(&given);
        // Whoever logs may hold what the logger needs.
        let held = given.borrow_mut();
        log(&own, Level::Warn, "one", &[]);
        log(&own, Level::Info, "beyond its level", &[]);
        log(&own, Level::Error, "two", &[]);
        drop(held);
        assert!(given.borrow().is_empty());
        settle().await;
        assert_eq!(*given.borrow(), ["/a/ one", "/a/ two"]);
        log(&own, Level::Warn, "three", &[]);
        settle().await;
        assert_eq!(given.borrow().len(), 3);
    }

    #[wasm_bindgen_test]
    async fn what_waits_for_a_logger_is_bounded() {
        let given = Rc::default();
        let own = logging(&given);
        for _ in 0..1_001 {
            log(&own, Level::Warn, "one of many", &[]);
        }
        settle().await;
        assert_eq!(given.borrow().len(), 1_000);
    }

    #[wasm_bindgen_test]
    async fn all_loggers_are_given_every_line_in_order() {
        let given = Rc::default();
        let mut own = logging(&given);
        own.add(noting(&given, "second: "));
        own.add(noting(&given, "third: "));
        log(&own, Level::Warn, "one", &[]);
        log(&own, Level::Warn, "two", &[]);
        settle().await;
        let expect = ["/a/ one", "second: /a/ one", "third: /a/ one"];
        assert_eq!(given.borrow()[..3], expect);
        assert_eq!(
            given.borrow()[3..],
            expect.map(|it| it.replace("one", "two"))
        );
    }
}
