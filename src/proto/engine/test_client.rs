//! The other end of the wire, for tests: what a client writes and reads.
//!
//! Written against the specification and apart from the code under test, and
//! as plainly as can be: it copies everything and panics at whatever a server
//! must not send.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;

use super::{
    Body, ClientPacket, ContentType, Data, Format, Frame, Handshake, Revision, ServerPacket,
};

/// A packet from the server, as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Open(Opened),
    Close,
    Ping,
    Pong(String),
    Message(Data<'static>),
    Noop,
}

/// A [`Handshake`] as a client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) sid: String,
    pub(crate) upgrades: bool,
    pub(crate) ping_interval: Duration,
    pub(crate) ping_timeout: Duration,
    pub(crate) max_payload: u64,
}

impl From<&ServerPacket<'_>> for Received {
    fn from(packet: &ServerPacket<'_>) -> Self {
        match packet {
            ServerPacket::Open(handshake) => Self::Open(Opened::from(handshake)),
            ServerPacket::Close => Self::Close,
            ServerPacket::Ping => Self::Ping,
            ServerPacket::Pong(text) => Self::Pong(text.to_string()),
            ServerPacket::Message(data) => Self::Message(data.clone().into_owned()),
            ServerPacket::Noop => Self::Noop,
        }
    }
}

impl From<&Handshake<'_>> for Opened {
    fn from(handshake: &Handshake<'_>) -> Self {
        Self {
            sid: handshake.sid.to_owned(),
            upgrades: handshake.upgrades,
            ping_interval: handshake.ping_interval,
            ping_timeout: handshake.ping_timeout,
            max_payload: handshake.max_payload,
        }
    }
}

/// Encodes a packet as a WebSocket frame.
pub(crate) fn encode_frame(
    revision: Revision,
    b64: bool,
    packet: &ClientPacket<'_>,
) -> Frame<'static> {
    if let ClientPacket::Message(Data::Binary(bytes)) = packet
        && !b64
    {
        return match revision {
            Revision::V4 => Frame::from(bytes.to_vec()),
            Revision::V3 => Frame::from([&[4], &**bytes].concat()),
        };
    }
    Frame::from(encode_text(revision, packet))
}

/// Encodes packets as the body of a POST.
pub(crate) fn encode_post(
    revision: Revision,
    format: Format,
    packets: &[ClientPacket<'_>],
) -> Body<'static> {
    match (revision, format) {
        (Revision::V3, Format::Any) if packets.iter().any(is_binary) => {
            Body::from(encode_v3_binary(packets))
        }
        (Revision::V3, Format::Bytes) => Body::from(encode_v3_binary(packets)),
        (_, Format::Any | Format::Bytes | Format::Text) => {
            Body::from(encode_text_payload(revision, packets))
        }
        (_, Format::Jsonp(_)) => Body::from(encode_form(&encode_text_payload(revision, packets))),
    }
}

/// Encodes a payload of revision 3 in binary, which some clients always do.
pub(crate) fn encode_v3_binary(packets: &[ClientPacket<'_>]) -> Vec<u8> {
    let mut payload = Vec::new();
    for packet in packets {
        let (kind, packet) = match encode_frame(Revision::V3, false, packet) {
            Frame::Text(text) => (0, text.into_owned().into_bytes()),
            Frame::Binary(bytes) => (1, bytes.into_owned()),
        };
        payload.push(kind);
        payload.extend(packet.len().to_string().bytes().map(|digit| digit - b'0'));
        payload.push(0xff);
        payload.extend(packet);
    }
    payload
}

fn is_binary(packet: &ClientPacket<'_>) -> bool {
    matches!(packet, ClientPacket::Message(Data::Binary(_)))
}

fn encode_text_payload(revision: Revision, packets: &[ClientPacket<'_>]) -> String {
    let packets = packets.iter().map(|packet| encode_text(revision, packet));
    match revision {
        Revision::V4 => packets.collect::<Vec<_>>().join("\u{1e}"),
        Revision::V3 => packets
            .map(|packet| format!("{}:{packet}", packet.encode_utf16().count()))
            .collect(),
    }
}

fn encode_text(revision: Revision, packet: &ClientPacket<'_>) -> String {
    match packet {
        ClientPacket::Close => "1".to_owned(),
        ClientPacket::Ping(text) => format!("2{text}"),
        ClientPacket::Pong(text) => format!("3{text}"),
        ClientPacket::Message(Data::Text(text)) => format!("4{text}"),
        ClientPacket::Message(Data::Binary(bytes)) => match revision {
            Revision::V4 => format!("b{}", STANDARD.encode(bytes)),
            Revision::V3 => format!("b4{}", STANDARD.encode(bytes)),
        },
        ClientPacket::Upgrade => "5".to_owned(),
        ClientPacket::Noop => "6".to_owned(),
    }
}

/// Writes a payload as the form that a JSONP client posts.
pub(crate) fn encode_form(payload: &str) -> String {
    let value = payload.replace("\\n", "\\\\n").replace('\n', "\\n");
    let mut form = "d=".to_owned();
    for byte in value.bytes() {
        match byte {
            b' ' => form.push('+'),
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'*' | b'-' | b'.' | b'_' => {
                form.push(char::from(byte));
            }
            _ => form.push_str(&format!("%{byte:02X}")),
        }
    }
    form
}

/// Decodes a WebSocket frame.
pub(crate) fn decode_frame(revision: Revision, frame: &Frame<'_>) -> Received {
    match (frame, revision) {
        (Frame::Text(text), _) => decode_text(revision, text),
        (Frame::Binary(bytes), Revision::V4) => message(bytes.to_vec()),
        (Frame::Binary(bytes), Revision::V3) => decode_v3_bytes(bytes),
    }
}

/// Decodes the answer to a poll.
pub(crate) fn decode_answer(
    revision: Revision,
    content_type: ContentType,
    body: &Body<'_>,
) -> Vec<Received> {
    match (content_type, body) {
        (ContentType::Text, Body::Text(text)) => decode_text_payload(revision, text),
        (ContentType::Script, Body::Text(script)) => {
            decode_text_payload(revision, &decode_script(script))
        }
        (ContentType::Binary, Body::Binary(bytes)) => {
            assert_eq!(revision, Revision::V3, "revision 4 has no binary payload");
            decode_v3_binary(bytes)
        }
        _ => panic!("{content_type:?} does not describe {body:?}"),
    }
}

fn decode_text_payload(revision: Revision, payload: &str) -> Vec<Received> {
    if revision == Revision::V4 {
        return payload
            .split('\u{1e}')
            .map(|packet| decode_text(revision, packet))
            .collect();
    }
    let mut packets = Vec::new();
    let mut rest: Vec<u16> = payload.encode_utf16().collect();
    while !rest.is_empty() {
        let colon = rest.iter().position(|&unit| unit == u16::from(b':'));
        let packet = rest.split_off(colon.expect("a length") + 1);
        let length = String::from_utf16(&rest).unwrap();
        let length: usize = length.trim_end_matches(':').parse().expect("a length");
        let packet_text = String::from_utf16(&packet[..length]).expect("whole characters");
        packets.push(decode_text(revision, &packet_text));
        rest = packet[length..].to_vec();
    }
    packets
}

fn decode_v3_binary(mut payload: &[u8]) -> Vec<Received> {
    let mut packets = Vec::new();
    while let [kind, rest @ ..] = payload {
        let end = rest.iter().position(|&byte| byte == 0xff).expect("an end");
        let length = rest[..end]
            .iter()
            .fold(0, |length, &digit| length * 10 + usize::from(digit));
        let (packet, rest) = rest[end + 1..].split_at(length);
        packets.push(match kind {
            0 => decode_text(Revision::V3, str::from_utf8(packet).expect("text")),
            1 => decode_v3_bytes(packet),
            _ => panic!("unknown kind {kind}"),
        });
        payload = rest;
    }
    packets
}

fn decode_v3_bytes(packet: &[u8]) -> Received {
    assert_eq!(packet[0], 4, "only a message can be binary");
    message(packet[1..].to_vec())
}

fn decode_text(revision: Revision, packet: &str) -> Received {
    let (kind, rest) = packet.split_at(1);
    match (kind, revision) {
        ("0", _) => Received::Open(decode_handshake(rest)),
        ("1", _) => Received::Close,
        ("2", _) => Received::Ping,
        ("3", _) => Received::Pong(rest.to_owned()),
        ("4", _) => Received::Message(Data::from(rest.to_owned())),
        ("6", _) => Received::Noop,
        ("b", Revision::V4) => message(STANDARD.decode(rest).expect("base64")),
        ("b", Revision::V3) => {
            let encoded = rest.strip_prefix('4').expect("only a message is binary");
            message(STANDARD.decode(encoded).expect("base64"))
        }
        _ => panic!("no server sends {packet:?}"),
    }
}

fn message(bytes: Vec<u8>) -> Received {
    Received::Message(Data::from(bytes))
}

/// Reads the handshake, which has exactly these keys in exactly this order.
fn decode_handshake(json: &str) -> Opened {
    let rest = json.strip_prefix("{\"sid\":").expect("sid");
    let (sid, rest) = decode_string(rest);
    let rest = rest.strip_prefix(",\"upgrades\":[").expect("upgrades");
    let (upgrades, rest) = rest.split_once("],\"pingInterval\":").unwrap();
    let (ping_interval, rest) = rest.split_once(",\"pingTimeout\":").unwrap();
    let (ping_timeout, rest) = rest.split_once(",\"maxPayload\":").unwrap();
    let max_payload = rest.strip_suffix('}').unwrap();
    Opened {
        sid,
        upgrades: match upgrades {
            "\"websocket\"" => true,
            "" => false,
            _ => panic!("unknown upgrades {upgrades}"),
        },
        ping_interval: Duration::from_millis(ping_interval.parse().unwrap()),
        ping_timeout: Duration::from_millis(ping_timeout.parse().unwrap()),
        max_payload: max_payload.parse().unwrap(),
    }
}

/// Runs a JSONP script: the payload that it hands to the page.
fn decode_script(script: &str) -> String {
    let rest = script.strip_prefix("___eio[").expect("a call");
    let (index, rest) = rest.split_once("](").expect("an index");
    assert!(index.parse::<u32>().is_ok(), "{index} is no index");
    assert!(!rest.contains(['\n', '\r', '\u{2028}', '\u{2029}']));
    let (payload, rest) = decode_string(rest);
    assert_eq!(rest, ");");
    payload
}

/// Reads a JSON string off the front of `json`.
fn decode_string(json: &str) -> (String, &str) {
    let mut chars = json.strip_prefix('"').expect("a string").chars();
    let mut text = String::new();
    loop {
        match chars.next().expect("the end of a string") {
            '"' => return (text, chars.as_str()),
            '\\' => text.push(match chars.next().expect("an escape") {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    let (digits, rest) = chars.as_str().split_at(4);
                    chars = rest.chars();
                    char::from_u32(u32::from_str_radix(digits, 16).unwrap()).unwrap()
                }
                plain @ ('"' | '\\' | '/') => plain,
                unknown => panic!("unknown escape {unknown}"),
            }),
            character => {
                assert!(character >= ' ', "{character:?} must be escaped");
                text.push(character);
            }
        }
    }
}
