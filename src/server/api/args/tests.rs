use core::fmt::Debug;
use std::collections::BTreeMap;

use serde_json::{Value, json};
use wasm_bindgen_test::wasm_bindgen_test;

use super::*;

/// Arguments that came in, behind the name of an event.
fn event(items: &str, attachments: &[&[u8]]) -> Raw<'static> {
    let name = if items.is_empty() { "" } else { "," };
    let attachments = attachments.iter().map(|bytes| bytes.to_vec()).collect();
    Raw::new(format!(r#"["event"{name}{items}]"#), attachments)
}

fn read<T: FromArgs>(items: &str) -> Result<T, String> {
    read_with(items, &[])
}

fn read_with<T: FromArgs>(items: &str, attachments: &[&[u8]]) -> Result<T, String> {
    T::from_args(&event(items, attachments), true).map_err(|error| error.to_string())
}

fn check<T: FromArgs + Debug + PartialEq>(items: &str, expect: T) {
    assert_eq!(read::<T>(items), Ok(expect), "{items}");
}

fn wrong<T: FromArgs + Debug + PartialEq>(items: &str, expect: &str) {
    assert_eq!(read::<T>(items), Err(expect.to_owned()), "{items}");
}

fn placeholder(num: usize) -> String {
    format!(r#"{{"_placeholder":true,"num":{num}}}"#)
}

#[wasm_bindgen_test(unsupported = test)]
fn arguments_become_a_tuple() {
    check("", ());
    check("1,2", ());
    check(r#""a""#, ("a".to_owned(),));
    check(r#""é\n\ud83d\ude00", -7"#, ("é\n😀".to_owned(), -7));
    check("[1,[2]]", (json!([1, [2]]),));
    check(
        r#"1,"2",null,true,[5],{"6":6},7.5,"8""#,
        (
            1,
            "2".to_owned(),
            (),
            true,
            [5],
            BTreeMap::from([("6".to_owned(), 6)]),
            7.5,
            '8',
        ),
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn what_has_no_name_is_read_from_the_first_item_on() {
    let raw = Raw::new(r#"["a",1]"#, Vec::new());
    assert_eq!(
        FromArgs::from_args(&raw, false),
        Ok(("a".to_owned(), Some(1)))
    );
    assert_eq!(FromArgs::from_args(&raw, true), Ok((1,)));
}

#[wasm_bindgen_test(unsupported = test)]
fn there_may_be_more_arguments_but_not_less() {
    check(r#"1,"surplus",[{}]"#, (1,));
    check("1", (1, None::<i32>));
    check("1,null", (1, None::<i32>));
    check("", (None::<String>, None::<Vec<i32>>));
    wrong::<(i32, i32)>("1", "argument 2: missing");
    wrong::<(i32,)>("", "argument 1: missing");
    wrong::<(Vec<i32>,)>("", "argument 1: missing");
}

#[wasm_bindgen_test(unsupported = test)]
fn an_error_tells_which_argument_is_wrong() {
    wrong::<(i32,)>(
        r#""one""#,
        r#"argument 1: invalid type: string "one", expected i32"#,
    );
    wrong::<(i32, u8)>(
        "1,256",
        "argument 2: invalid value: integer `256`, expected u8",
    );
    wrong::<(Option<i32>,)>("[]", "argument 1: invalid type: sequence, expected i32");
    // What the client has written is not cut off with the place in the text.
    wrong::<(i32, i32)>(
        r#"1," at line ""#,
        r#"argument 2: invalid type: string " at line ", expected i32"#,
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn half_of_a_surrogate_pair_is_a_replacement_character() {
    let half = || "a\u{fffd}".to_owned();
    check(r#""a\ud83e""#, (half(),));
    check(r#"1,[{"a\udd94":"\ud83e\udd94"}]"#, {
        (1, [BTreeMap::from([(half(), "🦔".to_owned())])])
    });
    check(r#""a\ud83e""#, (json!(half()),));
    wrong::<(String, i32)>(
        r#""a\ud83e","a\ud83e""#,
        "argument 2: invalid type: string \"a\u{fffd}\", expected i32",
    );
    // What is not read stays as it came.
    let items = r#""a\ud83e",[7.0]"#;
    let args = Args::new(event(items, &[]), true);
    assert_eq!(args.json(), [r#""a\ud83e""#, "[7.0]"]);
    let (raw, _): (Box<RawValue>, [f64; 1]) = args.parse().unwrap();
    assert_eq!(raw.get(), r#""a\ud83e""#);
    let bytes = read_with::<(String, Binary)>(&format!(r#""\ud83e",{}"#, placeholder(0)), &[&[7]]);
    assert_eq!(bytes, Ok(("\u{fffd}".to_owned(), Binary(vec![7]))));
}

#[wasm_bindgen_test(unsupported = test)]
fn integers_may_be_written_as_other_numbers() {
    check("7.0,7e0,-0.0,1e3", (7, 7_u8, 0, 1_000_u64));
    check("[1.0,2],{\"a\":-3e0}", {
        ([1_u8, 2], BTreeMap::from([("a".to_owned(), -3)]))
    });
    check("7.0", (Some(7),));
    check("7.0,7.0", (7, 7.0));
    check("7.0", (json!(7.0),));
    check(r#""7.0""#, ("7.0".to_owned(),));
    wrong::<(i32,)>(
        "7.5",
        "argument 1: invalid type: floating point `7.5`, expected i32",
    );
    wrong::<(u8, u8)>(
        "7.0,256.0",
        "argument 2: invalid value: integer `256`, expected u8",
    );
    wrong::<(u8, u8)>("7.0", "argument 2: missing");
    let named = r#"{"_placeholder":true,"num":0.0}"#;
    assert_eq!(
        read_with::<(Binary,)>(named, &[&[7]]),
        Ok((Binary(vec![7]),))
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn an_attachment_is_found_wherever_it_stands() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        // Asks for the attachment too, and then is the wrong one.
        #[allow(dead_code)]
        Pair(Binary, i64),
        Bytes(Binary),
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Photo {
        title: String,
        #[serde(flatten)]
        rest: BTreeMap<String, Either>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "type", rename_all = "lowercase")]
    enum Message {
        File { body: Option<Binary> },
    }

    type Found = (Vec<Either>, Photo, Message);
    let (first, second) = (placeholder(0), placeholder(1));
    let items = format!(
        r#"[{second},3],{{"title":"a","x":{first},"y":4}},{{"type":"file","body":{second}}}"#
    );
    assert_eq!(
        read_with::<Found>(&items, &[&[1, 2], &[]]),
        Ok((
            vec![Either::Bytes(Binary::default()), Either::Number(3)],
            Photo {
                title: "a".to_owned(),
                rest: BTreeMap::from([
                    ("x".to_owned(), Either::Bytes(Binary(vec![1, 2]))),
                    ("y".to_owned(), Either::Number(4)),
                ]),
            },
            Message::File {
                body: Some(Binary::default())
            },
        ))
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn what_is_no_attachment_is_an_error() {
    let bytes: &[&[u8]] = &[&[1, 2]];
    for (items, expect) in [
        ("{}", "invalid type: map, expected bytes"),
        (r#"{"num":0}"#, "invalid type: map, expected bytes"),
        (
            r#"{"_placeholder":false,"num":0}"#,
            "invalid type: map, expected bytes",
        ),
        (
            r#"{"_placeholder":true}"#,
            "invalid type: map, expected bytes",
        ),
        (&placeholder(1), "invalid type: map, expected bytes"),
        (
            r#""AQI=""#,
            r#"invalid type: string "AQI=", expected bytes"#,
        ),
        ("[1,256]", "invalid value: integer `256`, expected u8"),
        ("null", "invalid type: null, expected bytes"),
    ] {
        assert_eq!(
            read_with::<(Binary,)>(items, bytes),
            Err(format!("argument 1: {expect}")),
            "{items}"
        );
    }
    // A packet without attachments may hold such an object; it is just that.
    let object = placeholder(0);
    wrong::<(Binary,)>(&object, "argument 1: invalid type: map, expected bytes");
    check(&object, (json!({"_placeholder": true, "num": 0}),));
}

#[wasm_bindgen_test(unsupported = test)]
fn outside_of_events_bytes_are_numbers() {
    let json = serde_json::to_string(&Binary(vec![0, 255])).unwrap();
    assert_eq!(json, "[0,255]");
    assert_eq!(
        serde_json::from_str::<Binary>(&json).unwrap(),
        Binary(vec![0, 255])
    );
    // No attachment stays behind where none is being read.
    read_with::<(Binary,)>(&placeholder(0), &[&[1]]).unwrap();
    read_with::<(i32,)>(&placeholder(0), &[&[1]]).unwrap_err();
    serde_json::from_str::<Binary>(&placeholder(0)).unwrap_err();
}

/// Reads an event of its own while another one is being read.
#[derive(Debug, PartialEq)]
struct Nested(Binary, Result<(Binary,), String>);

impl<'de> Deserialize<'de> for Nested {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let inner = read_with(&placeholder(0), &[&[9]]);
        let without = read(&placeholder(0));
        assert_eq!(inner, Ok((Binary(vec![9]),)));
        Ok(Self(Binary::deserialize(deserializer)?, without))
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn each_reading_has_its_own_attachments() {
    let expect = Err("argument 1: invalid type: map, expected bytes".to_owned());
    assert_eq!(
        read_with(&placeholder(0), &[&[1]]),
        Ok((Nested(Binary(vec![1]), expect),))
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn an_attachment_may_be_named_again_but_not_without_end() {
    // Each time is a copy, and a placeholder is short.
    let read = |items: &str, attachments: &[&[u8]]| {
        read_with::<(Vec<Binary>,)>(items, attachments).map(|(read,)| read.len())
    };
    let times = |count| format!("[{}]", vec![placeholder(0); count].join(","));
    let quarter = vec![7; MAX_REPEATED / 4];
    let less = quarter.get(1..).unwrap();
    let error = Err("arguments: attachments are named too often".to_owned());
    assert_eq!(read(&times(4), &[&quarter]), Ok(4));
    assert_eq!(read(&times(5), &[&quarter]), Ok(5));
    assert_eq!(read(&times(6), &[&quarter]), error);
    assert_eq!(read(&times(5), &[less]), Ok(5));
    assert_eq!(read(&times(30_000), &[&quarter]), error);
    // However the key is written, and wherever it stands.
    let escaped = times(6).replace("_place", r"\u005fplace");
    assert_eq!(read(&escaped, &[&quarter]), error);
    assert_eq!(read(&format!("[],{}", times(6)), &[&quarter]), error);
    // What has no bytes may be named for ever, and what has many once.
    assert_eq!(read(&times(30_000), &[&[]]), Ok(30_000));
    let both = format!("[{},{}]", placeholder(1), placeholder(0));
    let large = vec![7; 2 * MAX_REPEATED];
    assert_eq!(read(&both, &[&large, &large]), Ok(2));
}

#[wasm_bindgen_test(unsupported = test)]
fn deep_nesting_is_an_error_or_is_not_looked_at() {
    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    let error = "argument 1: recursion limit exceeded";
    wrong::<(Value,)>(&deep, error);
    wrong::<(Binary,)>(
        &format!(r#"{{"x":{deep}}}"#),
        "argument 1: invalid type: map, expected bytes",
    );
    // Neither what nobody reads nor what is sent on.
    check(&format!("1,{deep}"), (1,));
    let args = Args::new(event(&deep, &[]), true);
    assert_eq!(args.json(), [&*deep]);
    let again = args.encode(Some("again")).unwrap();
    assert_eq!(again.json(), format!(r#"["again",{deep}]"#));
}

#[wasm_bindgen_test(unsupported = test)]
fn arguments_are_sent_on_as_they_came() {
    // Numbers, escapes and a lone surrogate are not written anew.
    let items = format!(
        r#"1.0,1e3,12345678901234567890123,"\u00e9\ud800",{},{{"b":1,"a":2}}"#,
        placeholder(0)
    );
    let args = Args::new(event(&items, &[&[1, 2]]), true);
    assert_eq!((args.len(), args.is_empty()), (6, false));
    assert_eq!(args.attachments(), [[1, 2]]);
    for sent in [
        args.encode(Some("\"next\"")),
        <&Args as Arguments>::encode(&&args, Some("\"next\"")),
    ] {
        let sent = sent.unwrap();
        assert_eq!(sent.json(), format!(r#"["\"next\"",{items}]"#));
        assert_eq!(sent.attachments(), [[1, 2]]);
    }
    assert_eq!(args.encode(None).unwrap().json(), format!("[{items}]"));
    let none = Args::new(event("", &[]), true);
    assert_eq!((none.len(), none.is_empty()), (0, true));
    assert_eq!(none.encode(Some("a")).unwrap().json(), r#"["a"]"#);
    assert_eq!(none.encode(None).unwrap().json(), "[]");
}

#[wasm_bindgen_test(unsupported = test)]
fn the_first_arguments_can_be_left_out_and_others_put_around() {
    let items = format!(r#""room",{},3"#, placeholder(0));
    let args = Args::new(event(&items, &[&[1, 2]]), true);
    let rest = args.skip(1);
    assert_eq!(rest.json(), [&*placeholder(0), "3"]);
    assert_eq!(rest.parse(), Ok((Binary(vec![1, 2]), 3)));
    assert_eq!(args.skip(3).json(), Vec::<&str>::new());
    assert_eq!(args.skip(4).json(), Vec::<&str>::new());
    let behind = rest.behind(&"a \"name\"").unwrap();
    assert_eq!(behind.json(), [r#""a \"name\"""#, &placeholder(0), "3"]);
    assert_eq!(behind.attachments(), [[1, 2]]);
    let before = rest.before(&"a \"name\"").unwrap();
    assert_eq!(before.json(), [&placeholder(0), "3", r#""a \"name\"""#]);
    assert_eq!(before.attachments(), [[1, 2]]);
}

/// Older clients take more for a placeholder than others do, and a value of the
/// application's own has no attachments.
#[wasm_bindgen_test(unsupported = test)]
fn what_only_looks_like_a_placeholder_is_not_sent_on() {
    let disarmed = r#"{"_placeholder":false,"num":0}"#;
    let lookalike = r#"{"_placeholder":"true","num":0}"#;
    let items = format!("{},{lookalike}", placeholder(0));
    let args = Args::new(event(&items, &[&[1, 2]]), true);
    let sent = |args: &Args| args.encode(Some("e")).unwrap().json().to_owned();
    assert_eq!(
        sent(&args),
        format!(r#"["e",{},{disarmed}]"#, placeholder(0))
    );
    assert_eq!(sent(&args.skip(1)), format!(r#"["e",{disarmed}]"#));
    let mine = json!({"_placeholder": true, "num": 0});
    let behind = args.behind(&mine).unwrap();
    assert_eq!(
        sent(&behind),
        format!(r#"["e",{disarmed},{},{disarmed}]"#, placeholder(0))
    );
    let before = args.before(&mine).unwrap();
    assert_eq!(
        sent(&before),
        format!(r#"["e",{},{disarmed},{disarmed}]"#, placeholder(0))
    );
    // Without attachments it is data.
    let args = Args::new(event(&items, &[]), true);
    assert_eq!(sent(&args), format!(r#"["e",{items}]"#));
    let behind = args.behind(&mine).unwrap();
    assert_eq!(
        sent(&behind),
        format!(r#"["e",{},{items}]"#, placeholder(0))
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn an_array_goes_behind_a_name_as_it_is() {
    for (json, expected) in [
        ("[]", r#"["a"]"#),
        (" [ ] ", r#"["a" ]"#),
        (r#"[1, "]"]"#, r#"["a",1, "]"]"#),
        ("[[],{}]\n", r#"["a",[],{}]"#),
    ] {
        let args = Args::from_json(json.to_owned(), Vec::new()).unwrap();
        assert_eq!(args.encode(Some("a")).unwrap().json(), expected);
    }
    assert!(Args::from_json("[1".to_owned(), Vec::new()).is_err());
    assert!(Args::from_json("1".to_owned(), Vec::new()).is_err());
}
