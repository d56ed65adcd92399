use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::*;
use crate::socket::tokens::steps;

fn read<T: DeserializeOwned>(json: &str) -> Result<T, serde_json::Error> {
    read_json(json, |json| serde_json::from_str(json))
}

#[test]
fn halves_of_surrogate_pairs() {
    for (json, expect) in [
        (r#""a\ud83e""#, Some(r#""a\ufffd""#)),
        (r#""\udd94b""#, Some(r#""\ufffdb""#)),
        (r#""\uD83E""#, Some(r#""\ufffd""#)),
        (r#""\ud83e\udd94""#, None),
        (r#""\uDBFF\uDFFF\uD800\uDC00""#, None),
        (r#""\udd94\ud83e""#, Some(r#""\ufffd\ufffd""#)),
        (
            r#""\ud83e\ud83e\udd94\udd94""#,
            Some(r#""\ufffd\ud83e\udd94\ufffd""#),
        ),
        (r#""\ud83e\n\udd94""#, Some(r#""\ufffd\n\ufffd""#)),
        (r#""\ud83e\u0061""#, Some(r#""\ufffd\u0061""#)),
        (r#""\ud83e🦔""#, Some(r#""\ufffd🦔""#)),
        (r#""\ud7ff\ue000\uffff""#, None),
        (r#""\\ud83e""#, None),
        (r#""\\\ud83e""#, Some(r#""\\\ufffd""#)),
        (r#""\"\ud83e""#, Some(r#""\"\ufffd""#)),
        (
            r#"{"\ud83e":{"b\udd94":["\ud83e"]},"c":"\ud83e\udd94"}"#,
            Some(r#"{"\ufffd":{"b\ufffd":["\ufffd"]},"c":"\ud83e\udd94"}"#),
        ),
    ] {
        assert_eq!(mend(json).as_deref(), expect, "{json}");
        let mended: serde_json::Value = read(json).unwrap();
        let expect: serde_json::Value = read(expect.unwrap_or(json)).unwrap();
        assert_eq!(mended, expect);
    }
}

#[test]
fn numbers_that_are_integers() {
    for (number, expect) in [
        ("7.0", Some("7")),
        ("7e0", Some("7")),
        ("7.000E+00", Some("7")),
        ("-7.0", Some("-7")),
        ("-0", Some("0")),
        ("-0.0", Some("0")),
        ("0.0", Some("0")),
        ("0e999999999999999999999999", Some("0")),
        ("1e3", Some("1000")),
        ("1.25e2", Some("125")),
        ("1.25e3", Some("1250")),
        ("1250e-1", Some("125")),
        ("100e-2", Some("1")),
        ("0.007e3", Some("7")),
        ("10.0", Some("10")),
        ("18446744073709551615.0", Some("18446744073709551615")),
        ("1e19", Some("10000000000000000000")),
        ("7", None),
        ("-7", None),
        ("0", None),
        ("7.5", None),
        ("1.25e1", None),
        ("1250e-2", None),
        ("1e-1", None),
        ("5e-324", None),
        ("1e20", None),
        ("1e308", None),
        ("1e99999999999999999999", None),
        ("1e-99999999999999999999", None),
        ("1e9223372036854775807", None),
        ("1e-9223372036854775808", None),
    ] {
        assert_eq!(integer(number).as_deref(), expect, "{number}");
        let list = format!("[{number} ,{number}]");
        let mended = expect.map(|expect| format!("[{expect} ,{expect}]"));
        assert_eq!(mend(&list), mended, "{number}");
    }
}

#[test]
fn types_of_every_shape() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Id {
        Number(u32),
        Name(String),
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Shape {
        id: Id,
        at: (i64, Option<u8>),
        names: BTreeMap<String, f64>,
        #[serde(flatten)]
        rest: BTreeMap<String, i8>,
    }
    let json = r#"{"id":"\ud83e","at":[-1e3,2.0],"names":{"\udd94":1.5,"b":2.0},"\ud800":-0.0}"#;
    let shape: Shape = read(json).unwrap();
    let expect = Shape {
        id: Id::Name("\u{fffd}".into()),
        at: (-1_000, Some(2)),
        names: [("\u{fffd}".into(), 1.5), ("b".into(), 2.0)].into(),
        rest: [("\u{fffd}".into(), 0)].into(),
    };
    assert_eq!(shape, expect);
    assert_eq!(read::<Id>("7.0").unwrap(), Id::Number(7));
    assert_eq!(read::<u8>("255.0").unwrap(), 255);
    for wrong in ["256.0", "7.5", "-1.0", "\"7.0\"", "1e3", "true"] {
        assert!(read::<u8>(wrong).is_err(), "{wrong}");
    }
    // What takes it as it is gets it as it is.
    assert_eq!(read::<f64>("7.0").unwrap(), 7.0);
    let raw = r#"["a\ud83e",7.0]"#;
    assert_eq!(read::<alloc::boxed::Box<RawValue>>(raw).unwrap().get(), raw);
}

/// Nothing is read a third time, and each token is looked at once, whatever is around it.
#[test]
fn a_text_is_looked_through_once() {
    for depth in [1, 100, 10_000] {
        let wrong = r#"{"\ud83e":[7.0,"\ud83e\ud83e"]},"#.repeat(5_000);
        let json = format!("{}{wrong}0{}", "[".repeat(depth), "]".repeat(depth));
        let mut readings = Vec::new();
        let (result, steps) = steps(|| {
            read_json(&json, |json| {
                readings.push(json.len());
                Err::<(), ()>(())
            })
        });
        assert_eq!(result, Err(()));
        // Each is one token shorter, by the two characters of `.0`.
        assert_eq!(readings, [json.len(), json.len() - 2 * 5_000]);
        assert_eq!(steps, 7 * 5_000 + 1 + 2 * depth, "{depth}");
    }
    let plain = format!("[{}0]", "\"a\",".repeat(5_000));
    let mut readings = 0;
    let refused = read_json(&plain, |_| {
        readings += 1;
        Err::<(), ()>(())
    });
    assert_eq!((refused, readings), (Err(()), 1));
    // A long number is no worse than others.
    let long = format!("1{}.{}e-5", "0".repeat(100_000), "0".repeat(100_000));
    assert_eq!(integer(&long), None);
    let long = format!("0.{}1e100001", "0".repeat(100_000));
    assert_eq!(integer(&long).as_deref(), Some("1"));
}
