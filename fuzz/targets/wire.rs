//! Engine.IO as a client writes and reads it: as plainly as can be, with copies
//! of everything, and a panic at whatever no server may send.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dormouse_proto::engine::{Body, ClientPacket, ContentType, Data, Frame, Revision};

/// A packet from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Received {
    Open,
    Close,
    Ping,
    Pong(String),
    Message(Data<'static>),
    Noop,
}

/// A packet as a WebSocket frame.
pub(super) fn write_frame(
    revision: Revision,
    b64: bool,
    packet: &ClientPacket<'_>,
) -> Frame<'static> {
    match packet {
        ClientPacket::Message(Data::Binary(bytes)) if !b64 => match revision {
            Revision::V4 => Frame::from(bytes.to_vec()),
            Revision::V3 => Frame::from([&[4], &**bytes].concat()),
        },
        _ => Frame::from(write_text(revision, packet)),
    }
}

/// A packet as text.
pub(super) fn write_text(revision: Revision, packet: &ClientPacket<'_>) -> String {
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

/// Packets as a payload of text.
pub(super) fn write_payload(revision: Revision, packets: &[ClientPacket<'_>]) -> String {
    let packets = packets.iter().map(|packet| write_text(revision, packet));
    match revision {
        Revision::V4 => packets.collect::<Vec<_>>().join("\u{1e}"),
        Revision::V3 => packets
            .map(|packet| format!("{}:{packet}", packet.encode_utf16().count()))
            .collect(),
    }
}

/// Packets as a payload of bytes (revision 3).
pub(super) fn write_binary_payload(packets: &[ClientPacket<'_>]) -> Vec<u8> {
    let mut payload = Vec::new();
    for packet in packets {
        let (kind, packet) = match write_frame(Revision::V3, false, packet) {
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

/// A payload as the form that a JSONP client posts.
pub(super) fn write_form(payload: &str) -> String {
    let value = payload.replace("\\n", "\\\\n").replace('\n', "\\n");
    let mut form = "d=".to_owned();
    for byte in value.bytes() {
        match byte {
            b' ' => form.push('+'),
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => form.push(char::from(byte)),
            _ => form.push_str(&format!("%{byte:02X}")),
        }
    }
    form
}

pub(super) fn read_frame(revision: Revision, frame: &Frame<'_>) -> Received {
    match (frame, revision) {
        (Frame::Text(text), _) => read_text(revision, text),
        (Frame::Binary(bytes), Revision::V4) => message(bytes.to_vec()),
        (Frame::Binary(bytes), Revision::V3) => read_typed_bytes(bytes),
    }
}

/// Reads the answer to a `GET`.
pub(super) fn read_answer(revision: Revision, kind: ContentType, body: &Body<'_>) -> Vec<Received> {
    match (kind, body) {
        (ContentType::Text, Body::Text(text)) => read_payload(revision, text),
        (ContentType::Script, Body::Text(script)) => read_payload(revision, &read_script(script)),
        (ContentType::Binary, Body::Binary(bytes)) => {
            assert_eq!(revision, Revision::V3, "revision 4 has no binary payload");
            read_binary_payload(bytes)
        }
        _ => panic!("{kind:?} does not describe {body:?}"),
    }
}

fn read_payload(revision: Revision, payload: &str) -> Vec<Received> {
    if revision == Revision::V4 {
        let packets = payload.split('\u{1e}');
        return packets.map(|packet| read_text(revision, packet)).collect();
    }
    let units: Vec<u16> = payload.encode_utf16().collect();
    let mut packets = Vec::new();
    let mut at = 0;
    while at < units.len() {
        let mut length = 0;
        while units[at] != u16::from(b':') {
            length = length * 10 + usize::from(units[at] - u16::from(b'0'));
            at += 1;
        }
        let packet = &units[at + 1..at + 1 + length];
        let packet = String::from_utf16(packet).expect("whole characters");
        packets.push(read_text(revision, &packet));
        at += 1 + length;
    }
    packets
}

fn read_binary_payload(mut payload: &[u8]) -> Vec<Received> {
    let mut packets = Vec::new();
    while let [kind, rest @ ..] = payload {
        let end = rest.iter().position(|&byte| byte == 0xff).expect("an end");
        let digits = rest[..end].iter().map(|&digit| usize::from(digit));
        let length = digits.fold(0, |length, digit| length * 10 + digit);
        let (packet, rest) = rest[end + 1..].split_at(length);
        packets.push(match kind {
            0 => read_text(Revision::V3, std::str::from_utf8(packet).expect("text")),
            1 => read_typed_bytes(packet),
            _ => panic!("unknown kind {kind}"),
        });
        payload = rest;
    }
    packets
}

/// Runs a JSONP script: what it hands to the page.
pub(super) fn read_script(script: &str) -> String {
    let rest = script.strip_prefix("___eio[").expect("a call");
    let (index, rest) = rest.split_once("](").expect("an index");
    assert!(
        index.bytes().all(|byte| byte.is_ascii_digit()),
        "{index} is no index"
    );
    assert!(
        !rest.contains(['\n', '\r', '\u{2028}', '\u{2029}']),
        "not on one line"
    );
    let literal = rest.strip_suffix(");").expect("the end of the call");
    serde_json::from_str(literal).expect("a string")
}

fn read_typed_bytes(packet: &[u8]) -> Received {
    assert_eq!(packet[0], 4, "only a message can be binary");
    message(packet[1..].to_vec())
}

fn read_text(revision: Revision, packet: &str) -> Received {
    let (kind, rest) = packet.split_at(1);
    match (kind, revision) {
        ("0", _) => Received::Open,
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
