use core::fmt::Debug;
use std::collections::BTreeMap;

use serde::ser::{Error as _, SerializeMap as _};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use wasm_bindgen_test::wasm_bindgen_test;

use super::super::handler::Reply;
use super::super::{Arguments, Binary};
use super::*;

const FIRST: &str = r#"{"_placeholder":true,"num":0}"#;
const SECOND: &str = r#"{"_placeholder":true,"num":1}"#;

fn check(value: impl Arguments + Debug, expect: &str) {
    let sent = value.encode(None).unwrap();
    assert_eq!(sent.json(), format!("[{expect}]"), "{value:?}");
    let comma = if expect.is_empty() { "" } else { "," };
    let sent = value.encode(Some("é\"")).unwrap();
    assert_eq!(
        sent.json(),
        format!(r#"["é\""{comma}{expect}]"#),
        "{value:?}"
    );
}

#[derive(Debug, Serialize)]
struct Unit;

#[derive(Debug, Serialize)]
struct Newtype((i32, i32));

#[derive(Debug, Serialize)]
struct Point(i32, i32);

#[derive(Debug, Serialize)]
struct Named {
    x: i32,
}

#[derive(Debug, Serialize)]
enum Choice {
    Nothing,
    One(i32),
    Two(i32, i32),
    Named { x: i32 },
}

#[derive(Debug, Serialize)]
enum Verdict {
    Ok(i32),
    Err(i32),
}

#[wasm_bindgen_test(unsupported = test)]
fn a_tuple_or_an_array_is_several_arguments() {
    check((1, "2", [3]), r#"1,"2",[3]"#);
    check([1, 2], "1,2");
    check(("a",), r#""a""#);
    let borrowed = &(1, 2);
    check(borrowed, "1,2");
    check(Box::new((1, 2)), "1,2");
    check(((1, 2),), "[1,2]");
    check(((), ()), "null,null");
    check((Vec::<i32>::new(),), "[]");
    check(([0; 0],), "[]");
    // Brackets at the ends are only taken off once.
    check(([1], [2]), "[1],[2]");
}

#[wasm_bindgen_test(unsupported = test)]
fn nothing_is_no_argument() {
    check((), "");
    check([0; 0], "");
    let borrowed = &[0; 0];
    check(borrowed, "");
}

/// Something that serde reports in the same way as `()`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Perhaps {
    Nothing,
    Something(i32),
}

#[wasm_bindgen_test(unsupported = test)]
fn a_null_is_an_argument() {
    check(Value::Null, "null");
    check(&Value::Null, "null");
    check(Perhaps::Nothing, "null");
    check(Perhaps::Something(1), "1");
    check((Value::Null,), "null");
    replies(Value::Null, "null");
    replies(Ok::<_, HandlerError>(Value::Null), "null");
    replies(Ok::<_, &str>(Value::Null), "null");
    replies(Ok::<_, &str>(()), "");
}

#[wasm_bindgen_test(unsupported = test)]
fn reserved_names_are_not_sent() {
    for name in RESERVED_NAMES {
        let args = super::super::Args::new(Raw::new(r#"["message",1]"#, Vec::new()), true);
        for sent in [1.encode(Some(name)), args.encode(Some(name))] {
            let error = sent.unwrap_err();
            assert!(matches!(&error, EmitError::ReservedName(reserved) if reserved == name));
            assert_eq!(
                error.to_string(),
                format!("`{name}` is a reserved event name")
            );
        }
        // An argument may be called so.
        check(name, &format!("\"{name}\""));
    }
    assert!(1.encode(Some("connection")).is_ok());
}

#[wasm_bindgen_test(unsupported = test)]
fn everything_else_is_one_argument() {
    check(1, "1");
    check(-1.5, "-1.5");
    check(f64::NAN, "null");
    check(u64::MAX, "18446744073709551615");
    check(true, "true");
    check('"', r#""\"""#);
    check("a\u{2028}😀\u{1}", "\"a\u{2028}😀\\u0001\"");
    check("a".to_owned(), r#""a""#);
    check(None::<(i32, i32)>, "null");
    check(Some((1, 2)), "[1,2]");
    check(vec![1, 2], "[1,2]");
    check(&[1, 2][..], "[1,2]");
    check(BTreeMap::from([(1, "a")]), r#"{"1":"a"}"#);
    check(Unit, "null");
    check(Newtype((1, 2)), "[1,2]");
    check(Point(1, 2), "[1,2]");
    check(Named { x: 1 }, r#"{"x":1}"#);
    check(Choice::Nothing, r#""Nothing""#);
    check(Choice::One(1), r#"{"One":1}"#);
    check(Choice::Two(1, 2), r#"{"Two":[1,2]}"#);
    check(Choice::Named { x: 1 }, r#"{"Named":{"x":1}}"#);
    check(json!([1, {"a": null}]), r#"[1,{"a":null}]"#);
    check(RawValue::from_string("[1, 2]".into()).unwrap(), "[1, 2]");
    // Only what a handler returns is taken apart.
    check(Ok::<i32, i32>(1), r#"{"Ok":1}"#);
    check(Err::<i32, i32>(1), r#"{"Err":1}"#);
}

#[wasm_bindgen_test(unsupported = test)]
fn bytes_are_attachments_wherever_they_stand() {
    #[derive(Debug, Serialize)]
    struct Photo {
        title: &'static str,
        pixels: Option<Binary>,
    }

    let photo = Photo {
        title: "a",
        pixels: Some(Binary(vec![1, 2])),
    };
    let sent = (vec![photo], BTreeMap::from([("b", Binary::default())]))
        .encode(Some("photos"))
        .unwrap();
    assert_eq!(
        sent.json(),
        format!(r#"["photos",[{{"title":"a","pixels":{FIRST}}}],{{"b":{SECOND}}}]"#)
    );
    assert_eq!(sent.attachments(), [vec![1, 2], vec![]]);

    let sent = Binary(vec![3]).encode(None).unwrap();
    assert_eq!(sent.json(), format!("[{FIRST}]"));
    assert_eq!(sent.attachments(), [[3]]);

    // Numbers stay numbers: only who asks for it sends binary.
    check(vec![1_u8, 2], "[1,2]");
}

/// A map whose only key is shown with `Display`.
struct Displayed<'a>(&'a str);

impl Serialize for Displayed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(&format_args!("{}", self.0), &1)?;
        map.end()
    }
}

/// Values that clients would take for the placeholders of attachments.
#[wasm_bindgen_test(unsupported = test)]
fn what_only_looks_like_a_placeholder_is_sent_as_something_else() {
    const DISARMED: &str = r#"{"_placeholder":false,"num":0}"#;
    let raw = |json: &str| RawValue::from_string(json.into()).unwrap();
    let bytes = || Binary(vec![1]);
    // The bytes are where they are, whatever is before them.
    let lookalike = || json!({"_placeholder": true, "num": 0});
    let sent = |value: &dyn Fn() -> Result<Raw<'static>, EmitError>| {
        let sent = value().unwrap();
        assert_eq!(sent.attachments().len(), 1);
        sent.json().to_owned()
    };
    let json = sent(&|| (lookalike(), bytes(), [lookalike()]).encode(Some("e")));
    assert_eq!(json, format!(r#"["e",{DISARMED},{FIRST},[{DISARMED}]]"#));
    let json = sent(&|| (raw(r#"{"\u005fplaceholder" : 1}"#), bytes()).encode(None));
    assert_eq!(
        json,
        format!(r#"[{{"\u005fplaceholder" : false}},{FIRST}]"#)
    );
    // It is not possible to send bytes under that name.
    let both = BTreeMap::from([("_placeholder", bytes()), ("a", bytes())]);
    let json = both.encode(None).unwrap().json().to_owned();
    assert_eq!(json, format!(r#"[{{"_placeholder":false,"a":{SECOND}}}]"#));
    // Wherever the name comes from.
    #[derive(Serialize)]
    struct Member {
        #[serde(rename = "_placeholder")]
        one: i32,
    }
    #[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
    enum Variant {
        #[serde(rename = "_placeholder")]
        Unit,
        #[serde(rename = "_placeholder")]
        Newtype(i32),
        #[serde(rename = "_placeholder")]
        Tuple(i32, i32),
        #[serde(rename = "_placeholder")]
        Struct { one: i32 },
    }
    let name = format_args!("_placeholder").to_string();
    for json in [
        sent(&|| (Member { one: 1 }, bytes()).encode(None)),
        sent(&|| (Variant::Newtype(1), bytes()).encode(None)),
        sent(&|| (Variant::Tuple(1, 1), bytes()).encode(None)),
        sent(&|| (Variant::Struct { one: 1 }, bytes()).encode(None)),
        sent(&|| (BTreeMap::from([(Variant::Unit, 1)]), bytes()).encode(None)),
        sent(&|| (BTreeMap::from([(Some(&name), 1)]), bytes()).encode(None)),
        sent(&|| (Displayed(&name), bytes()).encode(None)),
    ] {
        assert_eq!(json, format!(r#"[{{"_placeholder":false}},{FIRST}]"#));
    }
    // In acknowledgements, too, where the text has been moved.
    for replied in [
        Ok::<_, HandlerError>((lookalike(), bytes())).into_replied(),
        Ok::<_, String>((lookalike(), bytes())).into_replied(),
        (lookalike(), bytes()).into_replied(),
    ] {
        assert_eq!(replied.args.json(), format!("[{DISARMED},{FIRST}]"));
    }
    let replied = Ok::<_, HandlerError>(vec![bytes()]).into_replied();
    assert_eq!(replied.args.json(), format!("[[{FIRST}]]"));
    let replied = Err::<(), _>((lookalike(), bytes())).into_replied();
    assert_eq!(
        replied.args.json(),
        format!(r#"[{{"error":[{DISARMED},{FIRST}]}}]"#)
    );
    // Without attachments it is data.
    check(lookalike(), FIRST);
    replies(lookalike(), FIRST);
}

#[wasm_bindgen_test(unsupported = test)]
fn what_came_can_be_read_again() {
    let value = ("a".to_owned(), vec![Binary(vec![1]), Binary(vec![2, 3])]);
    let sent = value.encode(Some("event")).unwrap();
    assert_eq!(super::super::FromArgs::from_args(&sent, true), Ok(value));
}

/// Fails half-way.
#[derive(Debug)]
struct Broken;

impl Serialize for Broken {
    fn serialize<S: Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("broken"))
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn what_cannot_be_json_is_an_error() {
    let error = |sent: Result<Raw<'static>, EmitError>| {
        let Err(EmitError::Json(error)) = sent else {
            panic!("{sent:?}");
        };
        error.to_string()
    };
    assert_eq!(error(Broken.encode(None)), "broken");
    assert_eq!(error((1, Broken).encode(Some("a"))), "broken");
    assert_eq!(
        error(BTreeMap::from([(vec![1], 1)]).encode(None)),
        "key must be a string"
    );
    let keys = BTreeMap::from([(Binary(vec![1]), 1)]);
    assert_eq!(error(keys.encode(None)), "key must be a string");
}

/// Checks that a value becomes the same JSON as serde_json makes of it, or the same error.
fn check_json<T: Serialize>(value: T) {
    let mut json = Json::default();
    let written = value.serialize(&mut json).map(|()| json.text);
    let expect = serde_json::to_string(&value);
    assert_eq!(
        written.map_err(|error| error.to_string()),
        expect.map_err(|error| error.to_string())
    );
}

/// A map with one entry.
#[derive(Debug)]
struct Entry<K>(K);

impl<K: Serialize> Serialize for Entry<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(&self.0, &[(), ()])?;
        map.end()
    }
}

/// Checks it as a value, within others, and as a key.
fn check_anywhere<T: Serialize>(value: T) {
    check_json(&value);
    check_json((&value, [&value, &value], Some(&value)));
    check_json(Entry(&value));
    check_json(Entry(Some(&value)));
}

#[derive(Serialize)]
struct Strange<T> {
    #[serde(rename = "a \"key\"\n")]
    renamed: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    nothing: Option<T>,
    #[serde(flatten)]
    others: BTreeMap<u8, T>,
}

#[derive(Serialize)]
struct Wrapped<T>(T);

#[derive(Serialize)]
#[serde(tag = "kind", content = "of \"it\"")]
enum Tagged {
    #[serde(rename = "\\")]
    Nothing,
    One(i32),
}

#[wasm_bindgen_test(unsupported = test)]
fn the_json_is_what_serde_json_writes() {
    check_anywhere(());
    check_anywhere([true, false]);
    check_anywhere(true);
    check_anywhere(i8::MIN);
    check_anywhere(i16::MIN);
    check_anywhere(i32::MIN);
    check_anywhere(i64::MIN);
    check_anywhere(i128::MIN);
    check_anywhere(u8::MAX);
    check_anywhere(u16::MAX);
    check_anywhere(u32::MAX);
    check_anywhere(u64::MAX);
    check_anywhere(u128::MAX);
    for number in [
        0.0,
        -0.0,
        1.0,
        0.1,
        -1.5e300,
        1e21,
        5e-324,
        f64::MAX,
        f64::NAN,
    ] {
        check_anywhere(number);
        check_anywhere(number as f32);
        check_anywhere(1.0 / number);
    }
    check_anywhere("");
    for character in ('\0'..='\u{100}').chain(['\u{2028}', '\u{ffff}', '😀']) {
        check_anywhere(character);
        // Wherever it is among those that are looked at together.
        for before in [0, 1, 7, 8, 31, 32, 100] {
            let text = ["é", &"a".repeat(before), &character.to_string(), "b\"c"].concat();
            check_anywhere(&text);
            check_anywhere(format_args!("{text}{before}"));
        }
    }
    check_anywhere(None::<i32>);
    check_anywhere(Vec::<i32>::new());
    check_anywhere(BTreeMap::<i32, i32>::new());
    check_anywhere(BTreeMap::from([("a", [1]), ("b\"", [2])]));
    check_anywhere(Unit);
    check_anywhere(Newtype((1, 2)));
    check_anywhere(Wrapped("a"));
    check_anywhere(Wrapped(Choice::Nothing));
    check_anywhere(Point(1, 2));
    check_anywhere(Named { x: 1 });
    check_anywhere(Choice::Nothing);
    check_anywhere(Choice::One(1));
    check_anywhere(Choice::Two(1, 2));
    check_anywhere(Choice::Named { x: 1 });
    check_anywhere([Tagged::Nothing, Tagged::One(1)]);
    check_anywhere(Perhaps::Nothing);
    check_anywhere(Strange {
        renamed: RawValue::from_string(r#"{"a" : [1.0, "\ud800"]}"#.to_owned()).unwrap(),
        nothing: None,
        others: BTreeMap::from([(7, RawValue::from_string("7e0".to_owned()).unwrap())]),
    });
    check_anywhere(json!({"a": [1, -1, 1.5, null, true, {"b": []}, "\u{7f}\u{1f}"], "": {}}));
    check_anywhere(Broken);
    check_anywhere([Broken]);
}

fn replies<N>(value: impl Reply<N> + Debug, expect: &str) {
    let shown = format!("{value:?}");
    let replied = value.into_replied();
    assert_eq!(replied.args.json(), format!("[{expect}]"), "{shown}");
    assert!(replied.failed.is_none(), "{shown}");
}

/// Checks an error of the application's own, which the client gets.
fn fails<E: Serialize + Debug>(error: E, expect: &str, log: &str) {
    let shown = format!("{error:?}");
    let replied = Err::<i32, E>(error).into_replied();
    assert_eq!(
        replied.args.json(),
        format!(r#"[{{"error":{expect}}}]"#),
        "{shown}"
    );
    let failed = replied.failed.unwrap();
    assert!(!failed.is_internal(), "{shown}");
    assert_eq!(failed.failure.to_log(), log, "{shown}");
}

/// Checks an error that the client is not told about.
fn is_internal<N>(value: impl Reply<N>, log: &str) {
    let replied = value.into_replied();
    assert_eq!(replied.args.json(), r#"[{"error":"internal error"}]"#);
    assert!(replied.args.attachments().is_empty());
    let failed = replied.failed.unwrap();
    assert!(failed.is_internal());
    assert_eq!(failed.failure.to_log(), log);
}

#[wasm_bindgen_test(unsupported = test)]
fn what_a_handler_returns_is_acknowledged() {
    replies((), "");
    replies(1, "1");
    replies((1, "a"), r#"1,"a""#);
    replies(None::<i32>, "null");
    replies(Ok::<(), HandlerError>(()), "");
    replies(Ok::<_, HandlerError>(1), "1");
    replies(Ok::<_, HandlerError>((1, [2])), "1,[2]");
    replies(Ok::<_, HandlerError>([1, 2]), "1,2");
    replies(Ok::<_, HandlerError>([0; 0]), "");
    replies(Ok::<_, HandlerError>(vec![1, 2]), "[1,2]");
    replies(Ok::<_, HandlerError>(Some((1, 2))), "[1,2]");
    replies(Ok::<_, HandlerError>(Named { x: 1 }), r#"{"x":1}"#);
    replies(Ok::<_, EmitError>((1, [2])), "1,[2]");
    replies(Ok::<_, String>((1, [2])), "1,[2]");
    replies(Choice::One(1), r#"{"One":1}"#);
    // An application's own type is no `Result`, whatever it calls its variants.
    replies(Verdict::Ok(1), r#"{"Ok":1}"#);
    replies(Verdict::Err(1), r#"{"Err":1}"#);
    // Only the outer one is the handler's.
    replies(Ok::<_, HandlerError>(Ok::<i32, i32>(1)), r#"{"Ok":1}"#);
    replies(Ok::<_, HandlerError>(Err::<i32, i32>(1)), r#"{"Err":1}"#);
    replies(Ok::<_, String>(Err::<i32, i32>(1)), r#"{"Err":1}"#);
    replies((Err::<i32, i32>(1),), r#"{"Err":1}"#);
    replies(Some(Err::<i32, i32>(1)), r#"{"Err":1}"#);
}

#[wasm_bindgen_test(unsupported = test)]
fn what_is_acknowledged_may_have_attachments() {
    for replied in [
        Ok::<_, HandlerError>((1, Binary(vec![2]))).into_replied(),
        Ok::<_, String>((1, Binary(vec![2]))).into_replied(),
    ] {
        assert_eq!(replied.args.json(), format!("[1,{FIRST}]"));
        assert_eq!(replied.args.attachments(), [[2]]);
    }
    let replied = Err::<(), _>(Binary(vec![3])).into_replied();
    assert_eq!(replied.args.json(), format!(r#"[{{"error":{FIRST}}}]"#));
    assert_eq!(replied.args.attachments(), [[3]]);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_error_of_the_applications_own_is_acknowledged_as_an_object() {
    fails("no", r#""no""#, "no");
    fails("say \"é\"", r#""say \"é\"""#, "say \"é\"");
    fails(7, "7", "7");
    fails((), "null", "null");
    fails((1, 2), "[1,2]", "[1,2]");
    fails(Named { x: 1 }, r#"{"x":1}"#, r#"{"x":1}"#);
    fails(Choice::Nothing, r#""Nothing""#, "Nothing");
    fails(Err::<i32, i32>(1), r#"{"Err":1}"#, r#"{"Err":1}"#);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_handler_error_is_acknowledged_with_what_it_says_on_purpose() {
    let json = |error: HandlerError| {
        let replied = Err::<i32, _>(error).into_replied();
        assert!(!replied.failed.unwrap().is_internal());
        replied.args.json().to_owned()
    };
    assert_eq!(
        json(HandlerError::new("say \"é\"")),
        r#"[{"error":"say \"é\""}]"#
    );
    assert_eq!(
        json(HandlerError::new("no").data(&[1])),
        r#"[{"error":"no","data":[1]}]"#
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn an_error_of_ours_is_not_told() {
    is_internal(Err::<(), _>(EmitError::Gone), "the socket is disconnected");
    let error = "x".parse::<i32>().unwrap_err();
    is_internal(
        Err::<(), _>(HandlerError::from(error)),
        "invalid digit found in string",
    );
    let error: Result<i32, _> = serde_json::from_str("[");
    let log = error.as_ref().unwrap_err().to_string();
    is_internal(error, &log);
}

#[wasm_bindgen_test(unsupported = test)]
fn what_cannot_be_acknowledged_is_an_internal_error() {
    is_internal(Broken, "broken");
    is_internal((Binary(vec![1]), Broken), "broken");
    is_internal(Ok::<_, HandlerError>(Broken), "broken");
    is_internal(Ok::<_, String>(Broken), "broken");
    is_internal(Err::<(), _>(Broken), "broken");
}
