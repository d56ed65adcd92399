//! Properties of every packet, and of any bytes.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::jsonp::{JsonpIndex, decode_form};
use super::*;
use crate::engine::Handshake;
use crate::engine::test_client::{self, Received};

fn revision() -> impl Strategy<Value = Revision> {
    prop_oneof![Just(Revision::V3), Just(Revision::V4)]
}

fn format() -> impl Strategy<Value = Format> {
    prop_oneof![
        Just(Format::Any),
        Just(Format::Text),
        Just(Format::Bytes),
        "[0-9]{1,9}".prop_map(|j| Format::Jsonp(JsonpIndex::from_query(&j))),
    ]
}

/// Generates text, rich in what the encodings treat specially. U+001E is left out: a
/// payload of revision 4 cannot carry it.
fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        any::<char>(),
        prop::char::range('\0', '\u{7f}'),
        prop::sample::select(&['😀', '€', '\\', 'n', '\n', '"', ':', '\u{2028}'][..]),
    ];
    vec(
        character.prop_filter("separator", |c| *c != '\u{1e}'),
        0..12,
    )
    .prop_map(String::from_iter)
}

fn data() -> impl Strategy<Value = Data<'static>> {
    prop_oneof![
        text().prop_map(Data::from),
        vec(any::<u8>(), 0..12).prop_map(Data::from),
    ]
}

fn client_packet() -> impl Strategy<Value = ClientPacket<'static>> {
    prop_oneof![
        Just(ClientPacket::Close),
        text().prop_map(|text| ClientPacket::Ping(text.into())),
        text().prop_map(|text| ClientPacket::Pong(text.into())),
        data().prop_map(ClientPacket::Message),
        Just(ClientPacket::Upgrade),
        Just(ClientPacket::Noop),
    ]
}

prop_compose! {
    fn handshake()(
        sid in prop::sample::select(&["lv_VI97HAXpY6yYWAAAC", "", "\"\\\n€😀"][..]),
        upgrades: bool,
        ping_interval: u32,
        ping_timeout: u32,
        max_payload: u64,
    ) -> Handshake<'static> {
        Handshake {
            sid,
            upgrades,
            ping_interval: Duration::from_millis(ping_interval.into()),
            ping_timeout: Duration::from_millis(ping_timeout.into()),
            max_payload,
        }
    }
}

fn server_packet() -> impl Strategy<Value = ServerPacket<'static>> {
    prop_oneof![
        handshake().prop_map(ServerPacket::Open),
        Just(ServerPacket::Close),
        Just(ServerPacket::Ping),
        text().prop_map(|text| ServerPacket::Pong(text.into())),
        data().prop_map(ServerPacket::Message),
        Just(ServerPacket::Noop),
    ]
}

/// Generates text from the pieces that packets, payloads and forms consist of.
fn wire_text() -> impl Strategy<Value = String> {
    let pieces = &[
        "0",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "9",
        ":",
        "b",
        "b4",
        "AQID",
        "BA==",
        "\u{1e}",
        "1:2",
        "3:4😀",
        "2:4😀",
        "d=",
        "&",
        "%",
        "%F0",
        "%41",
        "+",
        "\\",
        "n",
        "€",
        "\n",
        "999999999",
        "\u{feff}",
    ][..];
    vec(prop::sample::select(pieces), 0..16).prop_map(String::from_iter)
}

/// Generates bytes from the pieces that binary payloads consist of.
fn wire_bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        prop::sample::select(&[0, 1, 2, 3, 4, 255, b'2', b'4', b'b'][..]),
        any::<u8>(),
    ];
    vec(byte, 0..32)
}

fn decode(revision: Revision, body: &Body<'_>) -> Vec<Result<ClientPacket<'static>, ParseError>> {
    decode_payload(revision, body)
        .map(|packet| packet.map(ClientPacket::into_owned))
        .collect()
}

/// Decodes a body of which nothing is known; all that can be said is that an
/// error comes last.
fn decode_anything(body: &Body<'_>) {
    for revision in [Revision::V3, Revision::V4] {
        let packets = decode(revision, body);
        let errors = packets.iter().filter(|packet| packet.is_err()).count();
        let last_is_error = packets.last().is_some_and(Result::is_err);
        assert_eq!(errors, usize::from(last_is_error));
        assert!(packets.len() <= body.len() + 1);
        let _ = ClientPacket::decode(revision, body.borrowed());
        let _ = ClientPacket::decode(revision, body.clone());
    }
}

proptest! {
    #[test]
    fn frames_from_clients_decode_to_their_packets(
        revision in revision(),
        b64: bool,
        packet in client_packet(),
    ) {
        let frame = test_client::encode_frame(revision, b64, &packet);
        prop_assert_eq!(ClientPacket::decode(revision, frame), Ok(packet));
    }

    #[test]
    fn frames_to_clients_read_as_their_packets(
        revision in revision(),
        b64: bool,
        packet in server_packet(),
    ) {
        let expect = Received::from(&packet);
        let frame = packet.encode(revision, b64);
        prop_assert_eq!(test_client::decode_frame(revision, &frame), expect);
    }

    #[test]
    fn payloads_from_clients_decode_to_their_packets(
        revision in revision(),
        format in format(),
        packets in vec(client_packet(), 1..6),
    ) {
        let mut body = test_client::encode_post(revision, format, &packets);
        if let (Format::Jsonp(_), Body::Text(form)) = (format, &body) {
            let payload = decode_form(form).unwrap().into_owned();
            // A form cannot tell a backslash before a line feed from `\\n`.
            prop_assume!(!packets.iter().any(has_backslash_line_feed));
            body = Body::from(payload);
        }
        let expect: Vec<_> = packets.into_iter().map(Ok).collect();
        prop_assert_eq!(decode(revision, &body), expect);
    }

    #[test]
    fn a_binary_payload_of_text_alone_is_understood(packets in vec(client_packet(), 1..6)) {
        let body = Body::from(test_client::encode_v3_binary(&packets));
        let expect: Vec<_> = packets.into_iter().map(Ok).collect();
        prop_assert_eq!(decode(Revision::V3, &body), expect);
    }

    #[test]
    fn payloads_to_clients_read_as_their_packets(
        revision in revision(),
        format in format(),
        packets in vec(server_packet(), 1..6),
    ) {
        let (content_type, body) = encode_payload(revision, &packets, format);
        let received = test_client::decode_answer(revision, content_type, &body);
        let expect: Vec<_> = packets.iter().map(Received::from).collect();
        prop_assert_eq!(received, expect);
    }

    #[test]
    fn a_truncated_payload_yields_no_packet_that_was_not_sent(
        revision in revision(),
        format in prop_oneof![Just(Format::Any), Just(Format::Text)],
        packets in vec(client_packet(), 1..4),
    ) {
        let body = test_client::encode_post(revision, format, &packets);
        for end in 0..body.len() {
            let cut = match &body {
                Body::Text(text) => match text.get(..end) {
                    Some(cut) => Body::from(cut),
                    None => continue,
                },
                Body::Binary(bytes) => Body::from(&bytes[..end]),
            };
            decode_anything(&cut);
            let decoded = decode(revision, &cut);
            // In revision 4 nothing tells that the last packet was cut short.
            let whole = match revision {
                Revision::V3 => decoded.iter().filter(|packet| packet.is_ok()).count(),
                Revision::V4 => decoded.len() - 1,
            };
            for (decoded, sent) in decoded[..whole].iter().zip(&packets) {
                prop_assert_eq!(decoded.as_ref(), Ok(sent));
            }
        }
    }

    #[test]
    fn no_text_makes_decoding_panic(text in prop_oneof![wire_text(), text(), any::<String>()]) {
        decode_anything(&Body::from(&*text));
        let _ = decode_form(&text);
        let _ = Revision::from_query(&text);
        let _ = JsonpIndex::from_query(&text);
    }

    #[test]
    fn no_bytes_make_decoding_panic(bytes in prop_oneof![wire_bytes(), any::<Vec<u8>>()]) {
        decode_anything(&Body::from(bytes));
    }
}

fn has_backslash_line_feed(packet: &ClientPacket<'_>) -> bool {
    match packet {
        ClientPacket::Ping(text) | ClientPacket::Pong(text) => text.contains("\\\n"),
        ClientPacket::Message(Data::Text(text)) => text.contains("\\\n"),
        ClientPacket::Message(Data::Binary(_))
        | ClientPacket::Close
        | ClientPacket::Upgrade
        | ClientPacket::Noop => false,
    }
}
