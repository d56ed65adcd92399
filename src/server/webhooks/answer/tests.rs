use wasm_bindgen_test::wasm_bindgen_test;

use super::*;

fn read(hook: Hook, body: &str) -> Result<Answer, Failure> {
    Answer::read(hook, body.as_bytes().to_vec())
}

fn check_wrong(hook: Hook, body: &str, expect: &str) {
    match read(hook, body) {
        Err(Failure::Malformed(message)) => {
            assert!(message.contains(expect), "{body}: {message}");
        }
        other => panic!("{body}: {other:?}"),
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_empty_answer_asks_for_nothing() {
    for body in ["", " \n", "{}", r#"{"ack":null,"data":null}"#] {
        let answer = read(Hook::Event, body).unwrap();
        assert!(answer.ack.is_none() && answer.data.is_none(), "{body}");
        assert!(answer.rooms.is_empty() && answer.actions.is_empty());
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_acknowledgement_is_one_value_or_an_array_of_several() {
    for (ack, expect) in [
        (r#""ok""#, &[r#""ok""#][..]),
        ("7.0", &["7.0"]),
        ("[]", &[]),
        (r#"[1,"b"]"#, &["1", r#""b""#]),
        ("[[1,2]]", &["[1,2]"]),
        (r#"{"a":1}"#, &[r#"{"a":1}"#]),
    ] {
        let answer = read(Hook::Event, &format!(r#"{{"ack":{ack}}}"#)).unwrap();
        assert_eq!(answer.ack.unwrap().json(), expect, "{ack}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn bytes_are_attachments_in_base64() {
    let ack = r#"{"ack":[{"_placeholder":true,"num":0}],"attachments":["AQI="]}"#;
    let answer = read(Hook::Event, ack).unwrap();
    assert_eq!(answer.ack.unwrap().attachments(), [[1, 2]]);
    let emit = r#"{"actions":[{"emit":{"event":"a","args":[{"_placeholder":true,"num":1},
        {"_placeholder":true,"num":0}],"attachments":["AQ==","Ag=="]}}]}"#;
    let answer = read(
        Hook::Disconnect,
        &emit.replace(r#""event":"a""#, r#""event":"a","rooms":[]"#),
    );
    let What::Emit { args, .. } = &answer.unwrap().actions[0].what else {
        panic!("it is another action");
    };
    assert_eq!(args.attachments(), [[1], [2]]);
    // Without attachments, nothing is a placeholder.
    assert!(read(Hook::Event, r#"{"ack":[{"_placeholder":true,"num":0}]}"#).is_ok());
    let wrong = "not each of them is named";
    for (ack, attachments) in [
        ("[]", r#"["AQ=="]"#),
        (r#"[{"_placeholder":true,"num":1}]"#, r#"["AQ=="]"#),
        (r#"[{"_placeholder":true}]"#, r#"["AQ=="]"#),
        (
            r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#,
            r#"["AQ=="]"#,
        ),
        (r#"[{"_placeholder":true,"num":0}]"#, r#"["AQ==","AQ=="]"#),
    ] {
        let body = format!(r#"{{"ack":{ack},"attachments":{attachments}}}"#);
        check_wrong(Hook::Event, &body, wrong);
    }
    check_wrong(
        Hook::Event,
        r#"{"ack":[{"_placeholder":true,"num":0}],"attachments":["?"]}"#,
        "not base64",
    );
    check_wrong(Hook::Event, r#"{"attachments":["AQ=="]}"#, "no ack");
}

#[wasm_bindgen_test(unsupported = test)]
fn actions_are_for_the_socket_itself_unless_others_are_named() {
    let target = |action: &str| {
        let body = format!(r#"{{"actions":[{action}]}}"#);
        let mut answer = read(Hook::Event, &body).unwrap();
        answer.actions.remove(0).target
    };
    for action in [
        r#"{"emit":{"event":"a"}}"#,
        r#"{"join":{"join":["a"]}}"#,
        r#"{"leave":{"leave":["a"]}}"#,
        r#"{"disconnect":{}}"#,
        r#"{"disconnect":{"close":true}}"#,
    ] {
        assert_eq!(target(action), Target::Itself, "{action}");
    }
    let others = |namespace: Option<&str>, rooms: &[&str], except: &[&str]| {
        let names = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect();
        Target::Others {
            namespace: namespace.map(str::to_owned),
            rooms: names(rooms),
            except: names(except),
            local: false,
        }
    };
    for (named, expect) in [
        (r#""namespace":"/""#, others(Some("/"), &[], &[])),
        (r#""rooms":["a","b"]"#, others(None, &["a", "b"], &[])),
        (r#""except":["a"]"#, others(None, &[], &["a"])),
        (r#""rooms":[]"#, others(None, &[], &[])),
    ] {
        assert_eq!(target(&format!(r#"{{"disconnect":{{{named}}}}}"#)), expect);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn answers_that_are_not_right() {
    for (body, expect) in [
        ("nonsense", "expected"),
        ("[]", "expected"),
        ("7", "invalid type"),
        (r#"{"ack":1"#, "EOF"),
        (
            r#"{"acknowledgement":1}"#,
            "unknown field `acknowledgement`",
        ),
        (r#"{"ack":1,"ack":2}"#, "duplicate field"),
        (r#"{"rooms":"a"}"#, "expected"),
        (r#"{"actions":{}}"#, "expected"),
        (r#"{"actions":[{"kick":{}}]}"#, "unknown variant `kick`"),
        (r#"{"actions":["emit"]}"#, ""),
        (r#"{"actions":[{"emit":{}}]}"#, "missing field `event`"),
        (
            r#"{"actions":[{"emit":{"event":"a"}},{"emit":{"event":"connect"}}]}"#,
            "actions[1].emit.event: `connect` is reserved",
        ),
        (
            r#"{"actions":[{"emit":{"event":"a","args":"b"}}]}"#,
            "actions[0].emit.args",
        ),
        (
            r#"{"actions":[{"emit":{"event":"a","ack":true}}]}"#,
            "unknown field `ack`",
        ),
        (
            r#"{"actions":[{"join":{"rooms":["a"]}}]}"#,
            "missing field `join`",
        ),
    ] {
        check_wrong(Hook::Event, body, expect);
    }
    assert!(Answer::read(Hook::Event, vec![0xff]).is_err());
}

#[wasm_bindgen_test(unsupported = test)]
fn not_every_call_has_every_answer() {
    for (hook, body, expect) in [
        (Hook::Connect, r#"{"ack":1}"#, "to `connect`"),
        (Hook::Disconnect, r#"{"ack":1}"#, "to `disconnect`"),
        (Hook::Disconnect, r#"{"data":1}"#, "to `disconnect`"),
        (Hook::Expired, r#"{"rooms":["a"]}"#, "to `expired`"),
        (
            Hook::Disconnect,
            r#"{"actions":[{"emit":{"event":"a"}}]}"#,
            "the socket has gone",
        ),
    ] {
        check_wrong(hook, body, expect);
    }
    assert!(read(Hook::Connect, r#"{"data":{"name":"ada"},"rooms":["a"]}"#).is_ok());
    let left = r#"{"actions":[{"emit":{"event":"left","namespace":"/"}}]}"#;
    assert!(read(Hook::Disconnect, left).is_ok());
}

#[wasm_bindgen_test(unsupported = test)]
fn lists_are_bounded() {
    let rooms = |count: usize| format!(r#"{{"rooms":[{}]}}"#, vec![r#""a""#; count].join(","));
    assert!(read(Hook::Event, &rooms(MAX_ROOMS)).is_ok());
    check_wrong(Hook::Event, &rooms(MAX_ROOMS + 1), "more than 1000 rooms");
    let action = r#"{"disconnect":{}}"#;
    let actions = |count: usize| format!(r#"{{"actions":[{}]}}"#, vec![action; count].join(","));
    assert!(read(Hook::Event, &actions(MAX_ACTIONS)).is_ok());
    check_wrong(
        Hook::Event,
        &actions(MAX_ACTIONS + 1),
        "more than 100 actions",
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn refusals_say_what_can_be_read() {
    for (body, message, data) in [
        (
            r#"{"message":"no","data":{"a":1}}"#,
            Some("no"),
            Some(r#"{"a":1}"#),
        ),
        (r#"{"message":"no","more":1}"#, Some("no"), None),
        ("<html>", None, None),
        ("", None, None),
    ] {
        let refused = Refused::read(body.as_bytes());
        assert_eq!(refused.message.as_deref(), message);
        assert_eq!(refused.data.as_deref().map(RawValue::get), data);
    }
}
