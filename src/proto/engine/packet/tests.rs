use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::*;

const BOTH: [Revision; 2] = [Revision::V3, Revision::V4];

fn check_decode(
    revision: Revision,
    frame: Frame<'_>,
    expect: Result<ClientPacket<'_>, ParseError>,
) {
    let decoded = ClientPacket::decode(revision, frame.borrowed());
    assert_eq!(decoded, expect, "{revision:?} {frame:?}");
    let decoded = ClientPacket::decode(revision, frame.clone().into_owned());
    assert_eq!(decoded, expect, "{revision:?} {frame:?}, owned");
}

fn check_encode(revision: Revision, b64: bool, packet: ServerPacket<'_>, expect: Frame<'_>) {
    let encoded = packet.clone().encode(revision, b64);
    assert_eq!(encoded, expect, "{revision:?} {packet:?}");
}

fn text(content: &str) -> ClientPacket<'_> {
    ClientPacket::Message(Data::from(content))
}

fn binary(content: &[u8]) -> ClientPacket<'_> {
    ClientPacket::Message(Data::from(content))
}

#[test]
fn text_frames_decode_alike_in_both_revisions() {
    let ping = |data: &'static str| ClientPacket::Ping(data.into());
    let pong = |data: &'static str| ClientPacket::Pong(data.into());
    for revision in BOTH {
        let check = |frame, expect| check_decode(revision, Frame::from(frame), expect);
        check("1", Ok(ClientPacket::Close));
        check("2", Ok(ping("")));
        check("2probe", Ok(ping("probe")));
        check("3", Ok(pong("")));
        check("3probe", Ok(pong("probe")));
        check("4", Ok(text("")));
        check("4hello", Ok(text("hello")));
        check("4€", Ok(text("€")));
        check("4😀\u{0}\u{1e}", Ok(text("😀\u{0}\u{1e}")));
        check("5", Ok(ClientPacket::Upgrade));
        check("6", Ok(ClientPacket::Noop));
    }
}

#[test]
fn text_behind_a_packet_that_has_none_is_ignored() {
    for revision in BOTH {
        check_decode(revision, Frame::from("1abc"), Ok(ClientPacket::Close));
        check_decode(revision, Frame::from("5abc"), Ok(ClientPacket::Upgrade));
        check_decode(revision, Frame::from("6abc"), Ok(ClientPacket::Noop));
    }
}

#[test]
fn bad_text_frames_are_refused_in_both_revisions() {
    for revision in BOTH {
        let check = |frame, error| check_decode(revision, Frame::from(frame), Err(error));
        check("", ParseError::Empty);
        check("0", ParseError::WrongDirection);
        check("0{\"sid\":\"abc\"}", ParseError::WrongDirection);
        for unknown in [
            "7",
            "9",
            "abc",
            "hello",
            " 4",
            "\u{4}",
            "-1",
            "é1234",
            "😀",
            "٤",
            "\u{feff}4",
            "B",
        ] {
            check(unknown, ParseError::UnknownType);
        }
    }
}

#[test]
fn base64_frames_have_a_type_digit_in_revision_3_alone() {
    let check = check_decode;
    check(
        Revision::V4,
        Frame::from("bAQIDBA=="),
        Ok(binary(&[1, 2, 3, 4])),
    );
    check(Revision::V4, Frame::from("b"), Ok(binary(&[])));
    check(
        Revision::V3,
        Frame::from("b4AQIDBA=="),
        Ok(binary(&[1, 2, 3, 4])),
    );
    check(Revision::V3, Frame::from("b4"), Ok(binary(&[])));
    check(Revision::V3, Frame::from("b"), Err(ParseError::Empty));
    check(
        Revision::V3,
        Frame::from("bAQIDBA=="),
        Err(ParseError::UnknownType),
    );
    check(
        Revision::V3,
        Frame::from("b7AQID"),
        Err(ParseError::UnknownType),
    );
    for kind in ["b0", "b1", "b2", "b3", "b5", "b6"] {
        check(
            Revision::V3,
            Frame::from(kind),
            Err(ParseError::UnexpectedBinary),
        );
    }
}

#[test]
fn base64_is_as_lenient_as_stock_clients_need() {
    let check = |encoded, expect| check_decode(Revision::V4, Frame::from(encoded), expect);
    check("bAQIDBA", Ok(binary(&[1, 2, 3, 4])));
    check("bAQIDBB==", Ok(binary(&[1, 2, 3, 4])));
    check("bAQID\nBA==\n", Ok(binary(&[1, 2, 3, 4])));
    check("bAQID\r\nBA==\r\n", Ok(binary(&[1, 2, 3, 4])));
    check("b\n", Ok(binary(&[])));
    check("b+/+/", Ok(binary(&[0xfb, 0xff, 0xbf])));
    for bad in [
        "bA",
        "bA===",
        "b=",
        "b====",
        "bAQ=B",
        "bAQ==BA==",
        "bAQ ID",
        "b-_-_",
        "bAQI😀",
        "bé",
        "b\u{0}",
    ] {
        check(bad, Err(ParseError::BadBase64));
    }
}

#[test]
fn binary_frames_have_a_type_byte_in_revision_3_alone() {
    let check = |revision, frame: &[u8], expect| check_decode(revision, Frame::from(frame), expect);
    check(Revision::V4, &[], Ok(binary(&[])));
    check(Revision::V4, &[1, 2, 3, 4], Ok(binary(&[1, 2, 3, 4])));
    check(Revision::V3, &[4], Ok(binary(&[])));
    check(Revision::V3, &[4, 1, 2, 3, 4], Ok(binary(&[1, 2, 3, 4])));
    check(Revision::V3, &[], Err(ParseError::Empty));
    for code in [0, 1, 2, 3, 5, 6] {
        check(Revision::V3, &[code, 1], Err(ParseError::UnexpectedBinary));
    }
    for code in [7, b'4', 0x84, 0xff] {
        check(Revision::V3, &[code, 1], Err(ParseError::UnknownType));
    }
}

#[test]
fn packets_without_binary_encode_alike_in_both_revisions() {
    let handshake = Handshake {
        sid: "lv_VI97HAXpY6yYWAAAC",
        upgrades: false,
        ping_interval: Duration::from_secs(25),
        ping_timeout: Duration::from_millis(5000),
        max_payload: 1_000_000,
    };
    for (revision, b64) in [
        (Revision::V3, false),
        (Revision::V3, true),
        (Revision::V4, false),
        (Revision::V4, true),
    ] {
        let check = |packet, expect| check_encode(revision, b64, packet, Frame::from(expect));
        check(ServerPacket::Close, "1");
        check(ServerPacket::Ping, "2");
        check(ServerPacket::Pong("".into()), "3");
        check(ServerPacket::Pong("probe".into()), "3probe");
        check(ServerPacket::Message(Data::from("")), "4");
        check(ServerPacket::Message(Data::from("hello")), "4hello");
        check(ServerPacket::Message(Data::from("€😀")), "4€😀");
        check(ServerPacket::Noop, "6");
        check(
            ServerPacket::Open(handshake),
            "0{\"sid\":\"lv_VI97HAXpY6yYWAAAC\",\"upgrades\":[],\
             \"pingInterval\":25000,\"pingTimeout\":5000,\"maxPayload\":1000000}",
        );
    }
}

#[test]
fn a_binary_message_goes_as_the_client_takes_it() {
    let packet = || ServerPacket::Message(Data::from(vec![1, 2, 3, 4]));
    let check = check_encode;
    check(Revision::V4, false, packet(), Frame::from(vec![1, 2, 3, 4]));
    check(Revision::V4, true, packet(), Frame::from("bAQIDBA=="));
    check(
        Revision::V3,
        false,
        packet(),
        Frame::from(vec![4, 1, 2, 3, 4]),
    );
    check(Revision::V3, true, packet(), Frame::from("b4AQIDBA=="));
}

#[test]
fn a_message_is_decoded_without_a_copy() {
    for revision in BOTH {
        let decoded = ClientPacket::decode(revision, Frame::from("4hello"));
        assert!(matches!(
            decoded,
            Ok(ClientPacket::Message(Data::Text(Cow::Borrowed("hello"))))
        ));
        let decoded = ClientPacket::decode(revision, Frame::from(&[4, 1][..]));
        assert!(matches!(
            decoded,
            Ok(ClientPacket::Message(Data::Binary(Cow::Borrowed(_))))
        ));
    }
}

#[test]
fn a_message_is_encoded_into_one_buffer_of_its_size() {
    for (data, b64) in [
        (Data::from("hello"), false),
        (Data::from(vec![7; 100]), true),
        (Data::from(vec![7; 101]), false),
    ] {
        for revision in BOTH {
            let (capacity, len) = match Frame::message(revision, b64, data.clone()) {
                Frame::Text(text) => sizes(text.into_owned().into_bytes()),
                Frame::Binary(bytes) => sizes(bytes.into_owned()),
            };
            assert_eq!(capacity, len);
        }
    }
    let lent = Data::from(&[1, 2][..]);
    assert!(matches!(
        Frame::message(Revision::V4, false, lent),
        Frame::Binary(Cow::Borrowed([1, 2]))
    ));
}

fn sizes(buffer: Vec<u8>) -> (usize, usize) {
    (buffer.capacity(), buffer.len())
}

#[test]
fn revisions_are_what_the_query_says() {
    for (eio, expect) in [
        ("4", Some(Revision::V4)),
        ("3", Some(Revision::V3)),
        ("2", Some(Revision::V3)),
        ("", None),
        ("1", None),
        ("5", None),
        ("04", None),
        ("4 ", None),
        ("abc", None),
    ] {
        assert_eq!(Revision::from_query(eio), expect, "{eio:?}");
    }
}

#[test]
fn a_snapshot_keeps_messages_and_gives_them_back_owned() {
    for data in [
        Data::from(""),
        Data::from("€😀"),
        Data::from(Vec::new()),
        Data::from(vec![0, 255]),
    ] {
        let kept = postcard::to_allocvec(&(Revision::V3, &data)).unwrap();
        let restored: (Revision, Data<'static>) = postcard::from_bytes(&kept).unwrap();
        assert_eq!(restored, (Revision::V3, data));
    }
}

#[test]
fn errors_speak_lower_case() {
    use alloc::string::ToString;
    let errors = [
        ParseError::Empty,
        ParseError::UnknownType,
        ParseError::WrongDirection,
        ParseError::UnexpectedBinary,
        ParseError::BadLength,
        ParseError::BadBase64,
        ParseError::BadUtf8,
        ParseError::BadForm,
    ];
    let words: Vec<String> = errors.iter().map(ToString::to_string).collect();
    for (index, word) in words.iter().enumerate() {
        assert_eq!(*word, word.to_lowercase());
        assert!(!words[..index].contains(word), "{word} twice");
    }
}
