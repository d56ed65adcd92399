//! The body of a polling request: payloads of both revisions, as text, as bytes
//! and as the form of a JSONP client.

use dormouse_proto::engine::jsonp::{JsonpIndex, decode_form};
use dormouse_proto::engine::{
    Body, ClientPacket, ContentType, Data, Format, ParseError, Revision, ServerPacket,
    decode_payload, encode_payload,
};

use super::bytes::{Bytes, text};
use super::cost::{Allowed, bounded};
use super::wire::{
    Received, read_answer, read_script, write_binary_payload, write_form, write_payload,
};

const ALLOWED: Allowed = Allowed {
    at_once: 3,
    in_all: 8,
    times: 1,
};

pub(super) fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let flags = bytes.byte();
    let revision = [Revision::V3, Revision::V4][usize::from(flags & 1)];
    let content = bytes.rest();
    match flags >> 1 & 3 {
        0 => check(revision, &Body::Text(text(content))),
        1 => check(revision, &Body::from(content)),
        _ => check_form(revision, &text(content)),
    }
}

fn check(revision: Revision, body: &Body<'_>) {
    bounded(body.len(), ALLOWED, || {
        decode_payload(revision, body).for_each(drop)
    });
    let decoded: Vec<_> = decode_payload(revision, body).collect();
    assert!(!decoded.is_empty(), "an empty body is an error");
    assert!(decoded.len() <= body.len() + 1);
    let good: Vec<_> = decoded.iter().filter_map(|it| it.clone().ok()).collect();
    assert!(
        good.len() + 1 >= decoded.len(),
        "the first error is the last"
    );
    if decoded.iter().any(Result::is_err) {
        assert!(
            decoded.last().is_some_and(Result::is_err),
            "nothing follows an error"
        );
    }
    if let Body::Text(text) = body {
        assert_eq!(decoded, reference(revision, text), "{text:?}");
    }
    let contents = good.iter().map(content_of).sum::<usize>();
    assert!(contents <= body.len(), "nothing is made up");
    if good.is_empty() {
        return;
    }
    let text = Body::from(write_payload(revision, &good));
    let again: Result<Vec<_>, _> = decode_payload(revision, &text).collect();
    assert_eq!(again.as_ref(), Ok(&good));
    if revision == Revision::V3 {
        let bytes = Body::from(write_binary_payload(&good));
        let again: Result<Vec<_>, _> = decode_payload(revision, &bytes).collect();
        assert_eq!(again.as_ref(), Ok(&good));
    }
    check_answers(revision, &good, contents);
}

fn content_of(packet: &ClientPacket<'_>) -> usize {
    match packet {
        ClientPacket::Ping(text) | ClientPacket::Pong(text) => text.len(),
        ClientPacket::Message(data) => data.len(),
        ClientPacket::Close | ClientPacket::Upgrade | ClientPacket::Noop => 0,
    }
}

/// The packets of a text payload, the slow and plain way.
fn reference(revision: Revision, payload: &str) -> Vec<Result<ClientPacket<'static>, ParseError>> {
    let mut decoded = Vec::new();
    let mut units: &[u16] = &payload.encode_utf16().collect::<Vec<_>>();
    let mut parts = payload.split('\u{1e}');
    loop {
        let packet = match revision {
            Revision::V4 => match parts.next() {
                Some(part) => Ok(part.to_owned()),
                None => return decoded,
            },
            Revision::V3 if units.is_empty() && !decoded.is_empty() => return decoded,
            Revision::V3 if units.is_empty() => Err(ParseError::Empty),
            Revision::V3 => take_counted(&mut units).ok_or(ParseError::BadLength),
        };
        let packet = packet.and_then(|packet| {
            ClientPacket::decode(revision, packet.into()).map(ClientPacket::into_owned)
        });
        let is_bad = packet.is_err();
        decoded.push(packet);
        if is_bad {
            return decoded;
        }
    }
}

/// `<length>:<packet>`, in UTF-16 code units.
fn take_counted(units: &mut &[u16]) -> Option<String> {
    let colon = units.iter().position(|unit| *unit == u16::from(b':'))?;
    let digits = String::from_utf16(&units[..colon]).ok()?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    if digits.is_empty() || digits.len() > 9 || !is_number {
        return None;
    }
    let (_, rest) = units.split_at(colon + 1);
    let (packet, rest) = rest.split_at_checked(digits.parse().ok()?)?;
    let packet = String::from_utf16(packet).ok()?;
    *units = rest;
    Some(packet)
}

/// The same contents, as a server would send them, arrive in every format.
fn check_answers(revision: Revision, packets: &[ClientPacket<'_>], contents: usize) {
    let mut sent = Vec::new();
    let mut received = Vec::new();
    for packet in packets {
        let (packet, as_received) = match packet {
            ClientPacket::Close => (ServerPacket::Close, Received::Close),
            ClientPacket::Ping(text) | ClientPacket::Pong(text) => (
                ServerPacket::Pong(text.clone()),
                Received::Pong(text.to_string()),
            ),
            ClientPacket::Message(data) => (
                ServerPacket::Message(data.clone()),
                Received::Message(data.clone().into_owned()),
            ),
            ClientPacket::Upgrade => (ServerPacket::Ping, Received::Ping),
            ClientPacket::Noop => (ServerPacket::Noop, Received::Noop),
        };
        sent.push(packet);
        received.push(as_received);
    }
    for format in [
        Format::Any,
        Format::Text,
        Format::Bytes,
        Format::Jsonp(JsonpIndex::from_query("7")),
    ] {
        let (kind, body) = encode_payload(revision, &sent, format);
        assert_eq!(read_answer(revision, kind, &body), received, "{format:?}");
        assert_eq!(
            kind == ContentType::Script,
            matches!(format, Format::Jsonp(_))
        );
        // A control character takes six in a script; a length and a type ten more.
        assert!(
            body.len() <= contents * 6 + sent.len() * 16 + 64,
            "{format:?}"
        );
    }
}

fn check_form(revision: Revision, form: &str) {
    let index = JsonpIndex::from_query(form);
    let data = [ServerPacket::Message(Data::from(form))];
    let (_, script) = encode_payload(revision, &data, Format::Jsonp(index));
    let (_, plain) = encode_payload(revision, &data, Format::Text);
    let (Body::Text(script), Body::Text(plain)) = (script, plain) else {
        panic!("both are text");
    };
    assert_eq!(read_script(&script), plain);

    let encoded = write_form(form);
    // What stands behind two backslashes is ambiguous: the client itself does not escape them.
    if !form.contains("\\\\") && !form.contains("\\\n") {
        assert_eq!(decode_form(&encoded).as_deref(), Ok(form));
    }
    let Ok(payload) = bounded(form.len(), ALLOWED, || decode_form(form)) else {
        return;
    };
    assert!(payload.len() <= form.len());
    check(revision, &Body::Text(payload));
}
