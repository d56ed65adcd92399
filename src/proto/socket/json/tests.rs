use alloc::format;
use alloc::string::String;

use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;

/// Returns whether serde_json accepts a text.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn check(text: &str) {
    assert_eq!(outline(text).is_some(), is_json(text), "{text:?}");
}

#[test]
fn json_is_what_the_grammar_says() {
    for value in [
        "null",
        "true",
        "false",
        "nul",
        "nullx",
        "tru",
        "fals",
        "\"\"",
        "\"a\"",
        "\"",
        "\"a",
        "a",
        "0",
        "-0",
        "00",
        "01",
        "-",
        "+1",
        "1.",
        ".1",
        "1.5",
        "1.5.5",
        "1e5",
        "1E+5",
        "1e-5",
        "1e",
        "1e+",
        "-1.25e10",
        "1a",
        "[]",
        "[",
        "]",
        "[1]",
        "[1,]",
        "[,]",
        "[,1]",
        "[1 2]",
        "{}",
        "{",
        "}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1}",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{1:1}",
        "{]",
        "[}",
        "{\"a\":1]",
        "[1}",
        "[\"a\":1]",
        "[[],{}]",
        "[[[]]",
        "{\"a\":{\"b\":[{}]}}",
        "\"\\n\\t\\r\\b\\f\\/\\\\\\\"\"",
        "\"\\x\"",
        "\"\\u00e9\"",
        "\"\\u00g9\"",
        "\"\\u00\"",
        "\"\\ud800\"",
        "\"\n\"",
        "\"\u{1f}\"",
        "\"\u{7f}\"",
        "\"é🦔\"",
        "\u{feff}1",
        "\u{a0}1",
    ] {
        for text in [
            String::from(value),
            format!(" \t{value}\r\n "),
            format!("[{value}]"),
            format!("[ {value} , {value} ]"),
            format!("{{\"a\" : {value} , \"b\":{value}}}"),
            format!("{value}{value}"),
            format!("{value},"),
        ] {
            check(&text);
        }
    }
    check("");
    check(" ");
}

#[test]
fn strings_end_where_they_should_at_any_length() {
    for len in 0..3 * BLOCK {
        let plain = "x".repeat(len);
        for tail in [
            "", "\"", "\\\"", "\\\"\"", "\u{1}\"", "é\"", "é", "\u{7f}\"", "\u{80}\"",
        ] {
            check(&format!("\"{plain}{tail}"));
            check(&format!("\"{plain}{tail}{plain}\""));
        }
    }
}

#[test]
fn the_first_item_stands_alone() {
    for (text, expect) in [
        ("[]", None),
        ("{\"a\":[1]}", None),
        ("1", None),
        ("[1]", Some("1")),
        (" [ \"a\" , 2 ]", Some("\"a\"")),
        ("[[1,[2]] ,3]", Some("[1,[2]]")),
        ("[{\"a\":[1]}]", Some("{\"a\":[1]}")),
        ("[[]]", Some("[]")),
    ] {
        assert_eq!(outline(text).map(|it| it.first), Some(expect), "{text}");
        let is_scalar = |first: &&str| !first.starts_with(['[', '{']);
        if text.trim().starts_with('[') {
            assert_eq!(first_scalar(text), expect.filter(is_scalar), "{text}");
        }
    }
}

#[test]
fn nesting_knows_no_bound() {
    for depth in [1, 63, 64, 65, 127, 128, 129, 100_000] {
        let mut text = String::new();
        for level in 0..depth {
            text.push_str(if level % 3 == 0 { "[" } else { "{\"a\":" });
        }
        text.push('1');
        for level in (0..depth).rev() {
            text.push(if level % 3 == 0 { ']' } else { '}' });
        }
        assert!(outline(&text).is_some(), "{depth}");
        text.pop();
        assert!(outline(&text).is_none(), "{depth}");
    }
}

proptest! {
    #[test]
    fn strings_are_written_as_by_serde_json(text in "([a-zé]{0,70}|\\PC|[\\x00-\\x7f]{0,3}){0,4}") {
        let mut json = String::new();
        push_quoted(&text, &mut json);
        prop_assert_eq!(json, serde_json::to_string(&text).unwrap());
    }

    #[test]
    fn any_text_is_judged_as_serde_json_does(text in "[\\[\\]{}\",:\\\\ \\ntruefalsn0-9.eE+u-]{0,24}") {
        prop_assert_eq!(outline(&text).is_some(), is_json(&text));
    }

    #[test]
    fn any_string_is_json(text in ".{0,200}", cut in 0usize..220) {
        let json = serde_json::to_string(&text).unwrap();
        prop_assert!(outline(&json).is_some());
        if let Some(head) = json.get(..cut) {
            prop_assert_eq!(outline(head).is_some(), is_json(head));
        }
    }
}
