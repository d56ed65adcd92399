use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::jsonp::JsonpIndex;
use super::*;
use crate::engine::Handshake;

type Decoded<'a> = Result<ClientPacket<'a>, ParseError>;

fn check_decode(revision: Revision, body: Body<'_>, expect: &[Decoded<'_>]) {
    let decoded: Vec<Decoded<'_>> = decode_payload(revision, &body).collect();
    assert_eq!(decoded, expect, "{revision:?} {body:?}");
}

fn check_v3(body: &str, expect: &[Decoded<'_>]) {
    check_decode(Revision::V3, Body::from(body), expect);
}

fn check_v3_binary(body: &[u8], expect: &[Decoded<'_>]) {
    check_decode(Revision::V3, Body::from(body), expect);
}

fn check_v4(body: &str, expect: &[Decoded<'_>]) {
    check_decode(Revision::V4, Body::from(body), expect);
}

fn text(content: &str) -> Decoded<'_> {
    Ok(ClientPacket::Message(Data::from(content)))
}

fn binary(content: &[u8]) -> Decoded<'_> {
    Ok(ClientPacket::Message(Data::from(content)))
}

fn ping<'a>() -> Decoded<'a> {
    Ok(ClientPacket::Ping("".into()))
}

#[test]
fn v4_packets_are_separated() {
    check_v4("4hello", &[text("hello")]);
    check_v4("4hello\u{1e}4world", &[text("hello"), text("world")]);
    check_v4(
        "4hello\u{1e}bAQIDBA==",
        &[text("hello"), binary(&[1, 2, 3, 4])],
    );
    check_v4(
        "4€\u{1e}2\u{1e}1",
        &[text("€"), ping(), Ok(ClientPacket::Close)],
    );
}

#[test]
fn v4_stops_at_the_first_bad_packet() {
    check_v4("", &[Err(ParseError::Empty)]);
    check_v4("abc", &[Err(ParseError::UnknownType)]);
    check_v4("\u{1e}", &[Err(ParseError::Empty)]);
    check_v4("4a\u{1e}", &[text("a"), Err(ParseError::Empty)]);
    check_v4("4a\u{1e}\u{1e}4b", &[text("a"), Err(ParseError::Empty)]);
    check_v4(
        "4a\u{1e}x\u{1e}4b",
        &[text("a"), Err(ParseError::UnknownType)],
    );
    check_v4(
        "4a\u{1e}0{}\u{1e}4b",
        &[text("a"), Err(ParseError::WrongDirection)],
    );
    check_v4("b!\u{1e}4b", &[Err(ParseError::BadBase64)]);
}

#[test]
fn v4_has_no_binary_payload() {
    for body in [&[][..], b"4hello", &[1, 2, 3]] {
        let expect = [Err(ParseError::UnexpectedBinary)];
        check_decode(Revision::V4, Body::from(body), &expect);
    }
}

#[test]
fn v3_packets_follow_their_lengths() {
    check_v3("6:4hello", &[text("hello")]);
    check_v3("6:4hello6:4world", &[text("hello"), text("world")]);
    check_v3("6:4hello2:4€", &[text("hello"), text("€")]);
    check_v3("2:4€10:b4AQIDBA==", &[text("€"), binary(&[1, 2, 3, 4])]);
    check_v3("1:21:1", &[ping(), Ok(ClientPacket::Close)]);
    check_v3("5:4a:b:1:2", &[text("a:b:"), ping()]);
    check_v3("000000006:4hello", &[text("hello")]);
    check_v3("1:4", &[text("")]);
}

#[test]
fn v3_lengths_count_utf16_code_units() {
    check_v3("3:4😀1:2", &[text("😀"), ping()]);
    check_v3("6:4a😀é\u{fffd}", &[text("a😀é\u{fffd}")]);
    // One unit short: the length ends between the two halves of a pair.
    check_v3("2:4😀", &[Err(ParseError::BadLength)]);
    check_v3("4:4😀", &[Err(ParseError::BadLength)]);
    // Counted in bytes, which is not what the specification says.
    check_v3("5:4😀1:2", &[text("😀1:"), Err(ParseError::BadLength)]);
}

#[test]
fn v3_stops_at_the_first_bad_packet() {
    let bad_length = [Err(ParseError::BadLength)];
    for body in [
        "abc",
        ":",
        ":4a",
        "4a",
        "a:4a",
        "-1:4",
        "+2:4a",
        " 2:4a",
        "1e0:4",
        "0x2:4a",
        "2.0:4a",
        "3:4a",
        "2",
        "٢:4a",
        "2😀:4a",
        "4294967298:4a",
        "18446744073709551618:4a",
    ] {
        check_v3(body, &bad_length);
    }
    check_v3("", &[Err(ParseError::Empty)]);
    check_v3("0:", &[Err(ParseError::Empty)]);
    check_v3("2:4a0:1:2", &[text("a"), Err(ParseError::Empty)]);
    check_v3("2:4a2:9a1:2", &[text("a"), Err(ParseError::UnknownType)]);
    check_v3("2:4ax", &[text("a"), Err(ParseError::BadLength)]);
    check_v3("2:4a3:4a", &[text("a"), Err(ParseError::BadLength)]);
    check_v3("2:0{1:2", &[Err(ParseError::WrongDirection)]);
    check_v3("2:b21:2", &[Err(ParseError::UnexpectedBinary)]);
    check_v3("9:bAQIDBA==", &[Err(ParseError::UnknownType)]);
    check_v3("3:b4!", &[Err(ParseError::BadBase64)]);
}

#[test]
fn v3_lengths_have_a_bounded_number_of_digits() {
    let body = |digits: usize| format!("{:0>digits$}:4a", 2);
    for digits in [MAX_LENGTH_DIGITS - 1, MAX_LENGTH_DIGITS] {
        check_v3(&body(digits), &[text("a")]);
    }
    check_v3(&body(MAX_LENGTH_DIGITS + 1), &[Err(ParseError::BadLength)]);

    let body = |digits: usize| [&[0], &*vec![0; digits - 1], &[2, 255], b"4a"].concat();
    for digits in [MAX_LENGTH_DIGITS - 1, MAX_LENGTH_DIGITS] {
        check_v3_binary(&body(digits), &[text("a")]);
    }
    let too_long = body(MAX_LENGTH_DIGITS + 1);
    check_v3_binary(&too_long, &[Err(ParseError::BadLength)]);
}

#[test]
fn v3_binary_packets_follow_their_kind_and_length() {
    check_v3_binary(
        &[0, 4, 255, 0x34, 0xe2, 0x82, 0xac, 1, 5, 255, 4, 1, 2, 3, 4],
        &[text("€"), binary(&[1, 2, 3, 4])],
    );
    check_v3_binary(
        b"\0\x01\x02\xff4hello world\0\x01\xff2",
        &[text("hello world"), ping()],
    );
    check_v3_binary(b"\0\x05\xffb4AQI", &[binary(&[1, 2])]);
    check_v3_binary(&[1, 1, 255, 4], &[binary(&[])]);
}

#[test]
fn v3_binary_stops_at_the_first_bad_packet() {
    let bad_length = [Err(ParseError::BadLength)];
    for body in [
        &[0][..],
        &[0, 1],
        &[0, 255],
        &[0, 255, b'2'],
        &[0, b'1', 255, b'2'],
        &[0, 10, 255, b'2'],
        &[0, 2, 255, b'2'],
        &[1, 2, 255, 4],
        &[0, 1, 254, b'2'],
    ] {
        check_v3_binary(body, &bad_length);
    }
    check_v3_binary(b"\0\x0a\xff4123456789", &bad_length);
    check_v3_binary(&[], &[Err(ParseError::Empty)]);
    check_v3_binary(&[0, 0, 255], &[Err(ParseError::Empty)]);
    check_v3_binary(&[1, 0, 255], &[Err(ParseError::Empty)]);
    check_v3_binary(&[2, 1, 255, b'2'], &[Err(ParseError::UnknownType)]);
    check_v3_binary(&[255, 1, 255, b'2'], &[Err(ParseError::UnknownType)]);
    check_v3_binary(&[0, 1, 255, b'9'], &[Err(ParseError::UnknownType)]);
    check_v3_binary(&[0, 1, 255, b'0'], &[Err(ParseError::WrongDirection)]);
    check_v3_binary(&[1, 1, 255, 2], &[Err(ParseError::UnexpectedBinary)]);
    check_v3_binary(&[0, 2, 255, b'4', 0xe9], &[Err(ParseError::BadUtf8)]);
    // Half of a surrogate pair, as some JavaScript encodes it.
    check_v3_binary(
        &[0, 4, 255, b'4', 0xed, 0xa0, 0x80],
        &[Err(ParseError::BadUtf8)],
    );
    check_v3_binary(&[0, 1, 255, b'2', 7], &[ping(), Err(ParseError::BadLength)]);
}

#[test]
fn payloads_are_decoded_without_a_copy() {
    for (revision, body) in [
        (Revision::V4, Body::from("4hello")),
        (Revision::V3, Body::from("6:4hello")),
        (Revision::V3, Body::from(&b"\0\x06\xff4hello"[..])),
    ] {
        assert!(matches!(
            decode_payload(revision, &body).next(),
            Some(Ok(ClientPacket::Message(Data::Text(Cow::Borrowed(
                "hello"
            )))))
        ));
    }
}

fn check_encode(
    revision: Revision,
    format: Format,
    packets: &[ServerPacket<'_>],
    content_type: ContentType,
    body: Body<'_>,
) {
    let encoded = encode_payload(revision, packets, format);
    assert_eq!(encoded, (content_type, body), "{revision:?} {format:?}");
}

fn message<'a>(data: impl Into<Data<'a>>) -> ServerPacket<'a> {
    ServerPacket::Message(data.into())
}

#[test]
fn text_is_answered_with_text() {
    let packets = [message("hello"), message("€😀"), ServerPacket::Noop];
    let check = |revision, format, body| {
        check_encode(
            revision,
            format,
            &packets,
            ContentType::Text,
            Body::from(body),
        );
    };
    for format in [Format::Any, Format::Text] {
        check(Revision::V3, format, "6:4hello4:4€😀1:6");
    }
    for format in [Format::Any, Format::Bytes, Format::Text] {
        check(Revision::V4, format, "4hello\u{1e}4€😀\u{1e}6");
    }
}

#[test]
fn text_is_answered_with_bytes_where_a_library_asks() {
    let packets = [message("h"), message("€😀"), ServerPacket::Noop];
    let bytes = [
        &[0, 2, 255][..],
        b"4h",
        &[0, 8, 255],
        "4€😀".as_bytes(),
        &[0, 1, 255],
        b"6",
    ]
    .concat();
    check_encode(
        Revision::V3,
        Format::Bytes,
        &packets,
        ContentType::Binary,
        Body::from(bytes),
    );
}

#[test]
fn binary_is_answered_as_the_client_takes_it() {
    let packets = [message("€"), message(vec![1, 2, 3, 4]), ServerPacket::Ping];
    let check = |revision, format, content_type, body| {
        check_encode(revision, format, &packets, content_type, body);
    };
    let bytes = [
        0, 4, 255, 0x34, 0xe2, 0x82, 0xac, 1, 5, 255, 4, 1, 2, 3, 4, 0, 1, 255, 0x32,
    ];
    let index = JsonpIndex::from_query("4");
    for format in [Format::Any, Format::Bytes] {
        let body = Body::from(&bytes[..]);
        check(Revision::V3, format, ContentType::Binary, body);
    }
    check(
        Revision::V3,
        Format::Text,
        ContentType::Text,
        Body::from("2:4€10:b4AQIDBA==1:2"),
    );
    check(
        Revision::V3,
        Format::Jsonp(index),
        ContentType::Script,
        Body::from("___eio[4](\"2:4€10:b4AQIDBA==1:2\");"),
    );
    for format in [Format::Any, Format::Bytes, Format::Text] {
        let body = Body::from("4€\u{1e}bAQIDBA==\u{1e}2");
        check(Revision::V4, format, ContentType::Text, body);
    }
    check(
        Revision::V4,
        Format::Jsonp(index),
        ContentType::Script,
        Body::from("___eio[4](\"4€\\u001ebAQIDBA==\\u001e2\");"),
    );
}

#[test]
fn v3_binary_lengths_are_digits_as_bytes() {
    let packets = [message(vec![7; 120]), message("x".repeat(9))];
    let expect = [
        &[1, 1, 2, 1, 255, 4],
        &[7; 120][..],
        &[0, 1, 0, 255],
        b"4xxxxxxxxx",
    ]
    .concat();
    check_encode(
        Revision::V3,
        Format::Any,
        &packets,
        ContentType::Binary,
        Body::from(expect),
    );
}

#[test]
fn the_handshake_stands_alone_in_its_payload() {
    let open = ServerPacket::Open(Handshake {
        sid: "lv_VI97HAXpY6yYWAAAC",
        upgrades: true,
        ping_interval: Duration::from_millis(300),
        ping_timeout: Duration::from_millis(200),
        max_payload: 1_000_000,
    });
    let json = "{\"sid\":\"lv_VI97HAXpY6yYWAAAC\",\"upgrades\":[\"websocket\"],\
                \"pingInterval\":300,\"pingTimeout\":200,\"maxPayload\":1000000}";
    let check = |revision, body: String| {
        let packets = [open.clone()];
        check_encode(
            revision,
            Format::Any,
            &packets,
            ContentType::Text,
            Body::from(body),
        );
    };
    check(Revision::V4, format!("0{json}"));
    check(Revision::V3, format!("{}:0{json}", json.len() + 1));
}

#[test]
fn formats_survive_a_snapshot() {
    for format in [
        Format::Any,
        Format::Text,
        Format::Bytes,
        Format::Jsonp(JsonpIndex::from_query("999999999")),
    ] {
        let kept = postcard::to_allocvec(&format).unwrap();
        assert_eq!(postcard::from_bytes(&kept), Ok(format));
    }
}

#[test]
fn content_types_are_what_clients_expect() {
    assert_eq!(ContentType::Text.as_str(), "text/plain; charset=UTF-8");
    assert_eq!(ContentType::Binary.as_str(), "application/octet-stream");
}
