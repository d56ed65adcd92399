//! Placeholders, and what only looks like one.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;

use proptest::prelude::*;

use super::*;
use crate::socket::tokens::steps;

/// Each `@` is the placeholder of the next attachment. Returns the text, and where they
/// are.
fn mark(text: &str) -> (String, Vec<usize>) {
    let (mut json, mut starts) = (String::new(), Vec::new());
    for (index, piece) in text.split('@').enumerate() {
        if index > 0 {
            starts.push(json.len());
            json += &format!(r#"{{"_placeholder":true,"num":{}}}"#, index - 1);
        }
        json += piece;
    }
    (json, starts)
}

fn check(text: &str, expect: &str) {
    let (json, starts) = mark(text);
    let (expect, _) = mark(expect);
    let disarmed = disarm(&json, &starts);
    assert_eq!(disarmed, expect, "{text}");
    assert_eq!(
        matches!(disarmed, Cow::Borrowed(_)),
        json == expect,
        "{text}"
    );
    let again = placeholders(&disarmed);
    let mut starts: Vec<usize> = again.iter().map(|it| it.range.start).collect();
    starts.sort_unstable();
    assert_eq!(disarm(&disarmed, &starts), expect, "once is enough");
}

#[test]
fn what_looks_like_a_placeholder_is_disarmed() {
    let same = |text| check(text, text);
    same("[]");
    same(r#"["a",@,{"b":[@]},1]"#);
    same(r#"[{"_placeholder":false,"num":0},@]"#);
    same(r#"[{"_placeholder":null},@]"#);
    same(r#"["_placeholder",true,{"a":"_placeholder"},{"placeholder":true},@]"#);
    for value in ["true", "1", "0", "-1.5e3", "\"true\"", "\"\"", "{}", "[]"] {
        check(
            &format!(r#"[{{"_placeholder":{value},"num":0}},@]"#),
            r#"[{"_placeholder":false,"num":0},@]"#,
        );
    }
    for (text, expect) in [
        (
            r#"[@,{"num":1,"_placeholder":true},@]"#,
            r#"[@,{"num":1,"_placeholder":false},@]"#,
        ),
        (
            r#"[{"_placeholder" : true }]"#,
            r#"[{"_placeholder" : false }]"#,
        ),
        (
            r#"[{"\u005fplaceholder":true},@]"#,
            r#"[{"\u005fplaceholder":false},@]"#,
        ),
        (
            r#"[{"_pl\u0061ceholder":true}]"#,
            r#"[{"_pl\u0061ceholder":false}]"#,
        ),
        (
            r#"{"a":[[{"b":{"_placeholder":true}}]],"_placeholder":true}"#,
            r#"{"a":[[{"b":{"_placeholder":false}}]],"_placeholder":false}"#,
        ),
        (
            r#"[{"_placeholder":false,"_placeholder":true,"_placeholder":null}]"#,
            r#"[{"_placeholder":false,"_placeholder":false,"_placeholder":null}]"#,
        ),
        (
            r#"[{"_placeholder":{"a":[{"_placeholder":true}],"b":1},"c":{"_placeholder":true}},@]"#,
            r#"[{"_placeholder":false,"c":{"_placeholder":false}},@]"#,
        ),
        (
            r#"[{"_placeholder":[[]],"num":"}"}]"#,
            r#"[{"_placeholder":false,"num":"}"}]"#,
        ),
    ] {
        check(text, expect);
    }
    // It is not possible to send bytes under that name.
    let (json, starts) = mark(r#"[@,{"_placeholder":@},@]"#);
    let expect =
        r#"[{"_placeholder":true,"num":0},{"_placeholder":false},{"_placeholder":true,"num":2}]"#;
    assert_eq!(disarm(&json, &starts), expect);
}

/// What stock clients do with a packet that has attachments: those of 1.x, and others.
fn taken(json: &serde_json::Value, truthy: bool, found: &mut Vec<serde_json::Value>) {
    use serde_json::Value;
    let is_true = |value: &Value| match value {
        Value::Bool(value) => *value,
        Value::Null => false,
        Value::Number(number) => truthy && number.as_f64() != Some(0.0),
        Value::String(text) => truthy && !text.is_empty(),
        Value::Array(_) | Value::Object(_) => truthy,
    };
    match json {
        Value::Object(map) if map.get("_placeholder").is_some_and(is_true) => {
            found.push(json.clone());
        }
        Value::Object(map) => map.values().for_each(|it| taken(it, truthy, found)),
        Value::Array(all) => all.iter().for_each(|it| taken(it, truthy, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Texts with many members of that name, and placeholders.
fn text() -> impl Strategy<Value = String> {
    let scalar = prop::sample::select(&["true", "false", "null", "1", "\"x\"", "@", "@"][..]);
    let key = prop::sample::select(&["_placeholder", "num", "\\u005fplaceholder", "a"][..]);
    scalar
        .prop_map(String::from)
        .prop_recursive(4, 30, 4, move |inner| {
            let member = (key.clone(), inner.clone());
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(|all| format!("[{}]", all.join(","))),
                prop::collection::vec(member, 0..4).prop_map(|all| {
                    let all: Vec<String> =
                        all.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
                    format!("{{{}}}", all.join(", "))
                }),
            ]
        })
}

proptest! {
    #[test]
    fn no_client_takes_anything_else_for_a_placeholder(text in text()) {
        let (json, starts) = mark(&text);
        let disarmed = disarm(&json, &starts);
        let tree: serde_json::Value = serde_json::from_str(&disarmed).unwrap();
        for truthy in [false, true] {
            let mut found = Vec::new();
            taken(&tree, truthy, &mut found);
            // Those that are left are ours, in order, each at most once. (The parser of
            // this test sorts members and drops earlier equal ones.)
            let mut nums: Vec<u64> = found.iter().map(|it| it["num"].as_u64().unwrap()).collect();
            nums.sort_unstable();
            nums.dedup();
            prop_assert_eq!(nums.len(), found.len(), "{}", disarmed);
            prop_assert!(nums.iter().all(|num| (*num as usize) < starts.len()));
        }
        let of = placeholders(&disarmed);
        prop_assert!(of.iter().all(|it| it.num.is_some_and(|num| num < starts.len())));
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), starts in prop::collection::vec(0..20_usize, 0..3)) {
        let _ = disarm(&text, &starts);
        for found in placeholders(&text) {
            prop_assert!(text.get(found.range).is_some());
        }
    }
}

/// Each token is looked at once, whatever is in the text.
#[test]
fn it_takes_no_more_steps_than_there_are_bytes() {
    let many = |piece: &str| format!("[{}]", [piece; 10_000].join(","));
    for text in [
        many("{\"_placeholder\":true}"),
        many("{\"_placeholder\":[[[]]]}"),
        format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!(
            "{}1{}",
            "{\"_placeholder\":".repeat(10_000),
            "}".repeat(10_000)
        ),
        many(&format!("\"{}\"", "x".repeat(100))),
    ] {
        let (_, taken) = steps(|| disarm(&text, &[]));
        assert!(taken <= text.len(), "{taken} for {}", text.len());
        let (_, taken) = steps(|| placeholders(&text));
        assert!(taken <= text.len(), "{taken} for {}", text.len());
    }
}
