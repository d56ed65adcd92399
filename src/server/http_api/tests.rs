//! The parts that need no platform; `tests/api` has the rest.

use core::time::Duration;

use serde_json::value::RawValue;
use wasm_bindgen_test::wasm_bindgen_test;

use super::HttpApi;
use super::answer::{Answered, Format, Outcome, Refused, Writer};
use super::body::{self, is_deeper_than};
use super::fields::Fields;
use crate::api::app::App;
use crate::api::endpoint::Service as _;
use crate::options::Options;
use crate::port::{Answer, Asked};
use dormouse_proto::cluster::{HubIndex, Missing, NodeId};
use dormouse_proto::socket::Args;

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

#[wasm_bindgen_test(unsupported = test)]
fn options_are_checked_at_their_bounds() {
    let wrong = |api: HttpApi| {
        let error = api.check(&Options::default()).err()?;
        assert_eq!(error.option, "api");
        Some(error.remedy)
    };
    let api = HttpApi::new;
    for right in [
        api(),
        api().secrets("A", "B"),
        api().window(Duration::from_secs(1)),
        api().window(Duration::from_secs(3_600)),
        api().max_body(1),
        api().max_body(32 << 20),
    ] {
        assert_eq!(wrong(right), None);
    }
    for (other, tells) in [
        (api().secrets("A", "A"), "two variables"),
        (api().secrets("", "B"), "two variables"),
        (api().window(Duration::from_millis(999)), "window"),
        (api().window(Duration::from_secs(3_601)), "window"),
        (api().max_body(0), "max_body"),
        (api().max_body((32 << 20) + 1), "max_body"),
    ] {
        assert!(wrong(other).unwrap().contains(tells), "{tells}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn it_is_served_below_its_servers_path_alone() {
    let server = crate::Server::new().namespace("/", |namespace| namespace);
    let app = App::new()
        .server(server.api(HttpApi::new()).path("/a/"))
        .server(crate::Server::new().path("/b/"));
    let served = |path| Some(&*app.service_at(path)?.0.options.path);
    assert_eq!(served("/a/api/v1/emit"), Some("/a/"));
    assert_eq!(served("/a/api/"), Some("/a/"));
    for path in [
        "/a/",
        "/a/api",
        "/a/apis/",
        "/aa/api/",
        "/b/api/v1/emit",
        "/api/v1/emit",
    ] {
        assert_eq!(served(path), None, "{path}");
    }
}

fn own(json: &str, count: usize) -> Result<(String, Vec<Vec<u8>>), String> {
    let mut attachments: Vec<_> = (0..count).map(|num| Some(vec![num as u8])).collect();
    let args = body::arguments(("args".to_owned(), &raw(json)), &mut attachments);
    let args = args.map_err(|refused| refused.message)?;
    Ok((args.json().to_owned(), args.attachments().to_vec()))
}

#[wasm_bindgen_test(unsupported = test)]
fn arguments_take_the_attachments_that_they_name() {
    let place = |num: usize| format!(r#"{{"_placeholder":true,"num":{num}}}"#);
    let [zero, one] = [place(0), place(1)];
    // In the order of their places.
    let taken = own(&format!("[{one},{{\"a\":[ {zero} ]}},1]"), 2).unwrap();
    let text = format!("[{zero},{{\"a\":[ {one} ]}},1]");
    assert_eq!(taken, (text, vec![vec![1], vec![0]]));
    // Where there are none, it is data.
    assert_eq!(
        own(&format!("[{one}]"), 0),
        Ok((format!("[{one}]"), vec![]))
    );
    for wrong in [
        format!("[{zero},{zero}]"),
        format!("[{}]", place(2)),
        r#"[{"_placeholder":true}]"#.to_owned(),
        r#"[{"_placeholder":true,"num":"0"}]"#.to_owned(),
        format!(r#"[{{"_placeholder":true,"num":0,"more":{one}}}]"#),
    ] {
        assert!(own(&wrong, 2).is_err(), "{wrong}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn depth_is_that_of_brackets_outside_of_strings() {
    for (json, depth) in [
        ("1", 0),
        ("[]", 1),
        (r#"[{"a":[1]},[2]]"#, 3),
        (r#"["[[[\"[["]"#, 1),
        (r#"["\\",[]]"#, 2),
    ] {
        assert!(!is_deeper_than(json, depth), "{json}");
        assert!(depth == 0 || is_deeper_than(json, depth - 1), "{json}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn whoever_makes_a_mistake_is_told_where() {
    let json = raw(r#"{"a":{"b":["x",7],"c":1.0,"d":1e3,"e":true,"f":null}}"#);
    let mut fields = Fields::of_body(json.get()).unwrap();
    let (name, inner) = fields.need("a").unwrap();
    let mut inner = Fields::of(name, inner).unwrap();
    let field = |refused: Refused| (refused.status, refused.field.unwrap());
    let wrong = inner.texts("b", 2).map_err(field);
    assert_eq!(wrong, Err((400, "a.b[1]".to_owned())));
    assert_eq!(inner.number("c", 1), Ok(Some(1)));
    assert_eq!(
        inner.number("d", 999).map_err(field),
        Err((400, "a.d".to_owned()))
    );
    assert_eq!(inner.flag("e"), Ok(true));
    assert_eq!(inner.flag("e"), Ok(false));
    assert!(inner.take_some("f").is_none());
    assert_eq!(
        inner.need("g").map(drop).map_err(field),
        Err((400, "a.g".to_owned()))
    );
    assert_eq!(inner.finish(), Ok(()));
    assert_eq!(fields.finish(), Ok(()));
}

#[wasm_bindgen_test(unsupported = test)]
fn answers_have_their_attachments() {
    let asked = |id: &str, json: &'static str, attachments| Asked {
        id: id.to_owned(),
        answer: Answer::Args(Args::new(json, attachments)),
    };
    let outcome = Outcome::Acks(vec![
        asked("a", r#"[{"_placeholder":true,"num":0}]"#, vec![vec![1]]),
        asked("b", r#"[{"_placeholder":true,"num":0}]"#, vec![]),
        asked("c", r#"[{"_placeholder":true,"num":0}]"#, vec![vec![2]]),
        Asked {
            id: "d".to_owned(),
            answer: Answer::Late,
        },
    ]);
    let mut answered = Answered {
        outcome,
        missing: Missing::default(),
    };
    let written = |answered: &Answered, format| {
        let mut writer = Writer::new(format);
        writer.answer(answered);
        writer.finish()
    };
    let json = String::from_utf8(written(&answered, Format::Json)).unwrap();
    assert!(json.contains(r#""args":[{"_placeholder":true,"num":0}],"attachments":["AQ=="]}"#));
    assert!(json.ends_with(r#""late":["d"],"gone":[],"missing":[]}"#));
    // The bytes are where they belong, and what only looks like some is not.
    let packed = written(&answered, Format::MsgPack);
    let bytes = |num| [0xc4, 1, num];
    assert!(
        packed.windows(3).any(|it| it == bytes(1)) && packed.windows(3).any(|it| it == bytes(2))
    );
    let lookalike = b"\xac_placeholder\xc2";
    assert!(packed.windows(lookalike.len()).any(|it| it == lookalike));
    answered.missing = Missing {
        count: 3,
        nodes: vec![NodeId([0xab; 32])],
        hubs: vec![HubIndex(2)],
        is_late: false,
    };
    let json = String::from_utf8(written(&answered, Format::Json)).unwrap();
    let expected = format!(r#""missing":["{}","2 others","hub 2"]}}"#, "ab".repeat(32));
    assert!(json.ends_with(&expected), "{json}");
}
