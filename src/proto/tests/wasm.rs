//! The core where it runs, on wasm32, held against a browser: a length, a
//! script or a form is what JavaScript takes it for.
//!
//! What does not depend on the target is tested natively, beside the code.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]

use core::time::Duration;

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{
    Answer, Body, Cause, ClientPacket, ConnId, ContentType, Data, Deadline, Flush, Format, Frame,
    Open, Output, ParseError, Revision, ServerPacket, Session, Settings, Transport, decode_payload,
    encode_payload, jsonp,
};
use js_sys::{Function, JsString, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

const BOTH: [Revision; 2] = [Revision::V3, Revision::V4];

/// Text in which a character, a byte and a UTF-16 code unit are not the same,
/// and characters that mean something to JSON, JavaScript, forms or payloads.
const TEXTS: [&str; 14] = [
    "",
    "plain",
    "é",
    "€uro",
    "a😀b",
    "👩‍👩‍👧‍👦",
    "e\u{301}",
    "\u{ffff}\u{10000}\u{10ffff}",
    "\0\u{1}\u{8}\t\u{b}\u{c}\r\u{1f}\u{7f}\u{80}\u{9f}",
    "two\nlines, \\n and \\\\n",
    "\u{2028}\u{2029}\u{feff}",
    r#""quoted" \ </script><!-- "#,
    "a+b%20c&d=e;f#g?h",
    "12:4not a length",
];

/// Returns what the browser makes of `body`, with `argument` as `x`.
fn js(body: &str, argument: &JsValue) -> Result<JsValue, JsValue> {
    Function::new_with_args("x", body).call1(&JsValue::UNDEFINED, argument)
}

fn js_text(body: &str, text: &str) -> String {
    let result = js(body, &text.into()).unwrap();
    result.as_string().unwrap()
}

fn text(frame: &Frame<'_>) -> String {
    match frame {
        Frame::Text(text) => text.clone().into_owned(),
        Frame::Binary(bytes) => panic!("text was expected: {bytes:?}"),
    }
}

fn message(text: &str) -> ServerPacket<'_> {
    ServerPacket::Message(Data::from(text))
}

fn decode(revision: Revision, body: &Body<'_>) -> Result<Vec<ClientPacket<'static>>, ParseError> {
    decode_payload(revision, body)
        .map(|packet| packet.map(ClientPacket::into_owned))
        .collect()
}

#[wasm_bindgen_test]
fn the_target_is_the_one_that_ships() {
    assert_eq!(usize::BITS, 32);
}

#[wasm_bindgen_test]
fn lengths_are_what_javascript_counts() {
    for content in TEXTS {
        let (_, body) = encode_payload(Revision::V3, &[message(content)], Format::Any);
        let length = JsString::from(content).length() + 1;
        assert_eq!(text(&body), format!("{length}:4{content}"));
    }
}

#[wasm_bindgen_test]
fn lengths_that_javascript_counted_are_understood() {
    for content in TEXTS {
        let packet = "const packet = '4' + x; return packet.length + ':' + packet;";
        let body = Body::from(js_text(packet, content).repeat(2));
        let expect = ClientPacket::Message(Data::from(content));
        assert_eq!(
            decode(Revision::V3, &body),
            Ok(vec![expect.clone(), expect])
        );
    }
}

#[wasm_bindgen_test]
fn text_survives_the_way_through_javascript() {
    for revision in BOTH {
        for content in TEXTS {
            let frame = Frame::message(revision, false, Data::from(content));
            let frame = Frame::from(js_text("return x;", &text(&frame)));
            let packet = ClientPacket::decode(revision, frame);
            assert_eq!(packet, Ok(ClientPacket::Message(Data::from(content))));
        }
    }
}

#[wasm_bindgen_test]
fn payloads_round_trip_in_both_revisions() {
    let bytes: Vec<u8> = (0..=255).collect();
    for revision in BOTH {
        let packets: Vec<_> = TEXTS
            .iter()
            .map(|content| Data::from(*content))
            .chain([Data::from(&*bytes), Data::from(&[][..])])
            .collect();
        let sent: Vec<_> = packets.iter().cloned().map(ServerPacket::Message).collect();
        for format in [Format::Any, Format::Text] {
            let (content_type, body) = encode_payload(revision, &sent, format);
            let is_binary = revision == Revision::V3 && format == Format::Any;
            assert_eq!(content_type == ContentType::Binary, is_binary);
            let received: Vec<_> = packets.iter().cloned().map(ClientPacket::Message).collect();
            assert_eq!(decode(revision, &body), Ok(received));
        }
    }
}

#[wasm_bindgen_test]
fn lengths_of_binary_payloads_count_the_bytes_of_a_text_encoder() {
    for content in TEXTS {
        let packets = [
            message(content),
            ServerPacket::Message(Data::from(&[7][..])),
        ];
        let (_, body) = encode_payload(Revision::V3, &packets, Format::Any);
        let Frame::Binary(body) = body else {
            panic!("bytes were expected");
        };
        // As engine.io-parser 2 takes such a payload apart.
        let first = js(
            "let length = '', at = 1;
             while (x[at] !== 255) length += x[at++];
             const packet = x.subarray(at + 1, at + 1 + Number(length));
             return new TextDecoder('utf-8', { ignoreBOM: true, fatal: true }).decode(packet);",
            &Uint8Array::from(&*body),
        );
        assert_eq!(
            first.unwrap().as_string(),
            Some(format!("4{content}")),
            "{content:?}"
        );
    }
}

#[wasm_bindgen_test]
fn base64_is_that_of_the_browser() {
    for length in 0..70_u8 {
        let bytes: Vec<u8> = (0..length).map(|n| n.wrapping_mul(151) ^ 0xfb).collect();
        let encoded = js(
            "return btoa(String.fromCharCode(...x));",
            &Uint8Array::from(&*bytes),
        );
        let encoded = encoded.unwrap().as_string().unwrap();
        let packet = ServerPacket::Message(Data::from(&*bytes));
        let (_, body) = encode_payload(Revision::V4, &[packet], Format::Any);
        assert_eq!(text(&body), format!("b{encoded}"));
        let decoded = decode(Revision::V4, &Body::from(format!("b{encoded}")));
        let expect = ClientPacket::Message(Data::from(&*bytes));
        assert_eq!(decoded, Ok(vec![expect]), "{encoded}");
    }
}

#[wasm_bindgen_test]
fn base64_is_refused_where_the_browser_refuses_it() {
    for encoded in [
        "", "Y", "YQ", "YQ==", "YWI", "YWI=", "YWJj", "YWJjZ", "YR==", "YWJ=", "Y===", "====", "=",
        "YQ==YQ==", "Y=Q=", "YW Jj", "YW\nJj", "YWJj\r\n", "-_-_", "+/+/", "YWJé", "a\0bc", "!",
        "YWJj!",
    ] {
        let expect = js(
            "return Uint8Array.from(atob(x), (c) => c.charCodeAt(0));",
            &encoded.into(),
        );
        let expect = expect.map(|bytes| bytes.unchecked_into::<Uint8Array>().to_vec());
        let expect = match expect {
            // White space other than line breaks is refused here: see `base64`.
            Ok(_) if encoded.contains(' ') => Err(ParseError::BadBase64),
            Ok(bytes) => Ok(vec![ClientPacket::Message(Data::from(bytes))]),
            Err(_) => Err(ParseError::BadBase64),
        };
        let decoded = decode(Revision::V4, &Body::from(format!("b{encoded}")));
        assert_eq!(decoded, expect, "{encoded:?}");
    }
}

/// Runs a JSONP answer as the page does; returns what it is called with.
fn run_script(index: &str, script: &str) -> JsValue {
    let body = format!(
        "let said; const ___eio = {{ {index}: (payload) => (said = payload) }};\n{script}\nreturn said;"
    );
    js(&body, &JsValue::UNDEFINED).unwrap()
}

#[wasm_bindgen_test]
fn scripts_say_to_javascript_what_they_are_to_say() {
    let all: String = (0..0x3000).filter_map(char::from_u32).collect();
    for content in TEXTS.into_iter().chain([&*all]) {
        let format = Format::Jsonp(jsonp::JsonpIndex::from_query("7"));
        for revision in BOTH {
            let (content_type, script) = encode_payload(revision, &[message(content)], format);
            assert_eq!(content_type, ContentType::Script);
            let (_, payload) = encode_payload(revision, &[message(content)], Format::Text);
            let said = run_script("7", &text(&script));
            assert_eq!(said.as_string(), Some(text(&payload)));
        }
    }
}

#[wasm_bindgen_test]
fn no_index_becomes_code() {
    for j in ["];alert(1);//", "0]=alert;x[0", "٣", "\n7", "-1", "1e9"] {
        let format = Format::Jsonp(jsonp::JsonpIndex::from_query(j));
        let (_, script) = encode_payload(Revision::V3, &[ServerPacket::Noop], format);
        let digits: String = j.chars().filter(char::is_ascii_digit).collect();
        let index = if digits.is_empty() { "0" } else { &digits };
        assert_eq!(run_script(index, &text(&script)), JsValue::from_str("1:6"));
    }
}

/// Line feeds as engine.io-client's JSONP transport writes them into its form.
const ESCAPE: &str = r"x = x.replace(/\\n/g, '\\\n').replace(/\n/g, '\\n');";

#[wasm_bindgen_test]
fn forms_are_those_of_the_browser() {
    for content in TEXTS {
        for encode in [
            "return new URLSearchParams({ d: x }).toString();",
            "return 'd=' + encodeURIComponent(x);",
            "return 'd=' + encodeURIComponent(x).replace(/%20/g, '+').toLowerCase();",
        ] {
            // Letters of the content itself are left alone by this alone:
            if encode.contains("toLowerCase") && content.to_lowercase() != content {
                continue;
            }
            let form = js_text(&format!("{ESCAPE} {encode}"), content);
            let payload = jsonp::decode_form(&form);
            assert_eq!(payload.as_deref(), Ok(content), "{form}");
        }
    }
}

#[wasm_bindgen_test]
fn forms_that_the_browser_reads_are_read_alike() {
    for form in [
        "d=4a",
        "d=4a%2Bb+c",
        "x=1&d=%e2%82%ac",
        "d=4a&d=4b",
        "d=a=b",
        "d=",
    ] {
        let expect = js_text("return new URLSearchParams(x).get('d');", form);
        assert_eq!(jsonp::decode_form(form).as_deref(), Ok(&*expect), "{form}");
    }
}

#[wasm_bindgen_test]
fn lengths_that_no_word_holds_are_refused() {
    for length in [
        "999999999",
        "1000000000",
        "2147483648",
        // These are 1 and 2 in 32 bits.
        "4294967297",
        "4294967298",
        "18446744073709551617",
        "99999999999999999999999999999999",
    ] {
        let body = Body::from(format!("{length}:4a"));
        assert_eq!(decode(Revision::V3, &body), Err(ParseError::BadLength));
        let digits = length.bytes().map(|digit| digit - b'0');
        let bytes: Vec<u8> = [0].into_iter().chain(digits).chain([0xff, b'4']).collect();
        let body = Body::from(bytes);
        assert_eq!(decode(Revision::V3, &body), Err(ParseError::BadLength));
    }
}

#[wasm_bindgen_test]
fn a_payload_of_the_largest_size_round_trips() {
    let content = "é😀a".repeat(150_000);
    for revision in BOTH {
        let (_, body) = encode_payload(revision, &[message(&content)], Format::Any);
        let expect = ClientPacket::Message(Data::from(&*content));
        assert_eq!(decode(revision, &body), Ok(vec![expect]));
    }
}

/// Returns the time as the platform tells it, which does not fit into 32 bits.
fn now() -> Timestamp {
    let now = js_sys::Date::now() as u64;
    assert!(now > u64::from(u32::MAX));
    Timestamp::from_millis(now)
}

/// A number for a connection as the server makes them: as large as JavaScript
/// can hold.
const fn conn(number: u64) -> ConnId {
    ConnId((1 << 53) - 1 - number)
}

fn open(revision: Revision) -> Open<'static> {
    Open {
        sid: "sid",
        revision,
        b64: false,
    }
}

fn outputs(session: &mut Session) -> Vec<Output> {
    core::iter::from_fn(|| session.poll_output()).collect()
}

fn payload(request: ConnId, body: &str) -> Output {
    Output::Answer {
        request,
        answer: Answer::Payload(ContentType::Text, Body::from(body).into_owned()),
    }
}

fn frame(socket: ConnId, text: &str) -> Output {
    Output::Send {
        socket,
        frame: Frame::from(text).into_owned(),
    }
}

#[wasm_bindgen_test]
fn javascript_reads_the_handshake() {
    for revision in BOTH {
        let settings = Settings {
            max_payload: usize::MAX,
            ..Settings::default()
        };
        let session = &mut Session::open_websocket(now(), settings, open(revision), conn(1));
        let Some(Output::Send { frame, .. }) = session.poll_output() else {
            panic!("the handshake was expected");
        };
        let handshake = js_text(
            "const { sid, upgrades, pingInterval, pingTimeout, maxPayload, ...rest } =
                 JSON.parse(x.slice(1));
             return [x[0], sid, upgrades.length, pingInterval, pingTimeout, maxPayload,
                 Object.keys(rest).length].join();",
            &text(&frame),
        );
        assert_eq!(handshake, "0,sid,0,25000,20000,4294967295,0");
    }
}

#[wasm_bindgen_test]
fn a_session_moves_from_polling_to_websocket() {
    for revision in BOTH {
        let now = now();
        let settings = Settings::default();
        let session =
            &mut Session::open_polling(now, settings, open(revision), conn(1), Format::Any);
        outputs(session);
        session.handle_poll(now, conn(2), Format::Any);
        assert_eq!(session.handle_upgrade(now, conn(3)), Ok(()));
        assert_eq!(
            session.handle_frame(now, conn(3), Frame::from("2probe")),
            None
        );
        let noop = match revision {
            Revision::V3 => "1:6",
            Revision::V4 => "6",
        };
        assert_eq!(
            outputs(session),
            [frame(conn(3), "3probe"), payload(conn(2), noop)]
        );
        assert_eq!(session.send(now, Data::from("waits")), None);
        assert_eq!(session.handle_frame(now, conn(3), Frame::from("5")), None);
        assert_eq!(
            outputs(session),
            [Output::Upgraded, frame(conn(3), "4waits")]
        );
        assert_eq!(session.transport(), Some(Transport::WebSocket));
        let message = session.handle_frame(now, conn(3), Frame::from("4hello"));
        assert_eq!(message, Some(Data::from("hello")));
        session.close(now, Flush::All);
        assert!(matches!(
            *outputs(session),
            [Output::CloseSocket { code: 1000, .. }, Output::Closed(_)]
        ));
        assert!(session.is_over());
    }
}

#[wasm_bindgen_test]
fn sleep_keeps_numbers_of_more_than_32_bits() {
    for revision in BOTH {
        let now = now();
        let settings = Settings::default();
        let mut session =
            Session::open_polling(now, settings, open(revision), conn(1), Format::Any);
        outputs(&mut session);
        assert_eq!(session.send(now, Data::from("waits")), None);
        session.handle_poll(now + Duration::from_secs(1), conn(2), Format::Any);
        let mut session = {
            outputs(&mut session);
            session.handle_poll(now, conn(3), Format::Any);
            let snapshot = session.snapshot();
            Session::restore(&snapshot, settings, |other| other == conn(3)).unwrap()
        };
        assert_eq!(session.waiting_poll(), Some(conn(3)));
        let due = match revision {
            Revision::V3 => Duration::from_secs(45),
            Revision::V4 => Duration::from_secs(25),
        };
        let deadline = Deadline {
            at: now + due,
            cause: Cause::Heartbeat,
        };
        assert_eq!(session.next_deadline(), Some(deadline));
        assert_eq!(session.send(now, Data::from("a")), None);
        let body = match revision {
            Revision::V3 => "2:4a",
            Revision::V4 => "4a",
        };
        assert_eq!(outputs(&mut session), [payload(conn(3), body)]);
    }
}

#[wasm_bindgen_test]
fn no_damage_to_a_snapshot_makes_it_panic() {
    let now = now();
    let settings = Settings::default();
    let mut polling =
        Session::open_polling(now, settings, open(Revision::V3), conn(1), Format::Any);
    outputs(&mut polling);
    let _ = polling.send(now, Data::from("waits"));
    let websocket = Session::open_websocket(now, settings, open(Revision::V4), conn(1));
    for session in [polling, websocket] {
        let snapshot = session.snapshot();
        // A length that 32 bits do not hold must not be cut to one that they do.
        for at in 0..snapshot.len() {
            for damage in [&[0xff; 4][..], &[0x81, 0x80, 0x80, 0x80, 0x10], &[0x80; 9]] {
                let mut damaged = snapshot.clone();
                damaged.splice(at..=at, damage.iter().copied());
                let _ = Session::restore(&damaged, settings, |_| true);
            }
        }
        for bit in 0..8 * snapshot.len() {
            let mut damaged = snapshot.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let _ = Session::restore(&damaged, settings, |_| true);
        }
    }
}

#[wasm_bindgen_test]
fn settings_at_the_end_of_the_word_do_not_overflow() {
    let now = now();
    let settings = Settings {
        ping_interval: Duration::MAX,
        ping_timeout: Duration::MAX,
        upgrade_timeout: Duration::MAX,
        max_payload: usize::MAX,
        max_buffered: usize::MAX,
        max_unproven: usize::MAX,
        ..Settings::default()
    };
    for revision in BOTH {
        let session = &mut Session::open_websocket(now, settings, open(revision), conn(1));
        outputs(session);
        assert!(session.send(now, Data::from("a")).is_some());
        session.handle_timeout(Timestamp::from_millis(u64::MAX - 1));
        outputs(session);
        assert_eq!(session.transport(), Some(Transport::WebSocket));
    }
}
