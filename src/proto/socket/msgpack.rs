//! Packets as msgpack, for clients with `socket.io-msgpack-parser`.
//!
//! A packet is one binary message: a map of `type`, `data`, `nsp` and `id`. Its
//! arguments are converted into the same form as everywhere else: JSON text, and
//! attachments for bytes. What JSON cannot express becomes what JavaScript would
//! make of it: `undefined` and infinities are `null`, dates are text.

mod reader;
mod writer;

use alloc::borrow::Cow;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use self::reader::Reader;
use self::writer::Writer;
use super::decoder::{Decoder, Limits};
use super::json::first_scalar;
use super::packet::{
    Encoded, decode_connect, name_of, named_event, numbered_ack, parse_id, split_query,
};
use super::{ClientPacket, ParseError, Protocol, ServerPacket};
use crate::engine::{Data, Prepared};

type Read<T> = Result<T, ParseError>;

/// Decodes a message for [`Parser::MSGPACK`](super::Parser::MSGPACK).
pub(super) fn decode_message<'a>(
    _decoder: &mut Decoder,
    protocol: Protocol,
    limits: Limits,
    data: Data<'a>,
) -> Read<Option<ClientPacket<'a>>> {
    match data {
        Data::Binary(bytes) => decode(protocol, &bytes, limits),
        Data::Text(_) => Err(ParseError::MsgPack),
    }
}

/// Reads one value in msgpack as JSON, with a placeholder for each of its bytes. Anything
/// that JSON cannot express becomes what JavaScript would make of it: `undefined` and
/// infinities are `null`, dates are text.
///
/// ```
/// use dormouse_proto::socket::json_from_msgpack;
///
/// // {"a": <1, 2>}
/// let (json, attachments) = json_from_msgpack(&[0x81, 0xa1, 0x61, 0xc4, 2, 1, 2], 10).unwrap();
/// assert_eq!(json, r#"{"a":{"_placeholder":true,"num":0}}"#);
/// assert_eq!(attachments, [[1, 2]]);
/// ```
///
/// # Errors
///
/// [`ParseError::MsgPack`] if it is not msgpack, or is nested deeper than 100 levels;
/// [`ParseError::TooManyAttachments`]; [`ParseError::Placeholder`] if there are bytes,
/// and something else that looks like a placeholder.
pub fn json_from_msgpack(bytes: &[u8], max_attachments: usize) -> Read<(String, Vec<Vec<u8>>)> {
    let limits = Limits {
        attachments: max_attachments,
        bytes: bytes.len(),
    };
    let mut reader = Reader::new(bytes, limits);
    let json = reader.json(bytes.len())?;
    if !reader.bytes.is_empty() {
        return Err(ParseError::MsgPack);
    }
    if reader.has_lookalike && !reader.attachments.is_empty() {
        return Err(ParseError::Placeholder);
    }
    Ok((json, reader.attachments))
}

/// Writes a valid JSON text as msgpack, with bytes in the places of attachments. What is
/// nested deeper than 1,000 levels is `null`.
///
/// ```
/// use dormouse_proto::socket::msgpack_from_json;
///
/// assert_eq!(msgpack_from_json(r#"{"a":1}"#, &[]), [0x81, 0xa1, 0x61, 1]);
/// ```
pub fn msgpack_from_json(json: &str, attachments: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(json.len());
    writer.json(json, attachments, None);
    writer.into_bytes()
}

pub(super) fn encode_message(packet: &ServerPacket<'_>, protocol: Protocol) -> Encoded {
    Encoded::alone(Prepared::Binary(encode(packet, protocol)))
}

/// Returns whether a message is a CONNECT, for [`Parser::MSGPACK`](super::Parser::MSGPACK).
///
/// Clients write the type first, so that no other packet is read twice.
pub(super) fn is_connect(protocol: Protocol, limits: Limits, data: &Data<'_>) -> bool {
    let bytes = match data {
        Data::Binary(bytes) => &**bytes,
        Data::Text(_) => return false,
    };
    match bytes {
        [0x80..=0x8f, 0xa4, b't', b'y', b'p', b'e', 1..=0x7f, ..] => false,
        _ => matches!(
            decode(protocol, bytes, limits),
            Ok(Some(ClientPacket::Connect { .. }))
        ),
    }
}

/// Reads a packet. Returns `None` if there is nothing to hear: see [`Decoder::decode`].
fn decode(protocol: Protocol, bytes: &[u8], limits: Limits) -> Read<Option<ClientPacket<'static>>> {
    let mut reader = Reader::new(bytes, limits);
    let fields = reader.map_length()?;
    let (mut kind, mut namespace, mut id, mut data) = (None, None, None, None);
    for _ in 0..fields {
        match reader.string()? {
            // Whether it is a CONNECT must not depend on which of them is looked at.
            "type" if kind.is_some() => return Err(ParseError::MsgPack),
            "type" => kind = Some(reader.kind()?),
            "nsp" => namespace = Some(reader.string()?),
            "id" => id = Some(reader.json(0)?).filter(|id| id != "null"),
            // Hardly any JSON takes more. Only once, as others could be in there.
            "data" if data.is_none() => data = Some(reader.json(reader.bytes.len())?),
            "data" => data = Some(reader.json(0)?),
            _ => drop(reader.json(0)?),
        }
    }
    if !reader.bytes.is_empty() {
        return Err(ParseError::MsgPack);
    }
    let namespace: &str = namespace.ok_or(ParseError::Payload)?;
    let (namespace, query) = split_query(protocol, namespace);
    let namespace = Cow::Owned(namespace.to_string());
    let id = match id {
        Some(id) if !is_integer(&id) => return Err(ParseError::AckId),
        id => id.as_deref().and_then(parse_id),
    };
    let attachments = reader.attachments;
    if reader.has_lookalike && !attachments.is_empty() {
        // The two could not be told apart.
        return Err(ParseError::Placeholder);
    }
    // What has been read is valid JSON, and is not looked through again.
    let list = |data: Option<String>| {
        let list = data.filter(|data| data.starts_with('['));
        list.ok_or(ParseError::Payload)
    };
    let mut packet = match kind.flatten() {
        Some(0) => {
            let data = data.filter(|data| data != "null");
            let query = query.map(|query| Cow::Owned(query.to_string()));
            Some(decode_connect(namespace, query, data.as_deref())?.into_owned())
        }
        Some(1) if data.as_ref().is_none_or(|data| data == "null") => {
            Some(ClientPacket::Disconnect { namespace })
        }
        Some(1) => return Err(ParseError::Payload),
        Some(2) => {
            let json = list(data)?;
            let name = first_scalar(&json).and_then(|name| name_of(name).ok());
            let name = name.map(|name| Cow::Owned(name.into_owned()));
            // Other servers do not look at the name.
            name.and_then(|name| named_event(namespace, id, name, Cow::Owned(json)).ok())
        }
        Some(3) => numbered_ack(namespace, id, Cow::Owned(list(data)?)),
        Some(4) => return Err(ParseError::NotForServers),
        Some(_) | None => return Err(ParseError::UnknownType),
    };
    if let Some(packet) = &mut packet {
        packet.set_attachments(attachments);
    }
    Ok(packet)
}

/// Returns whether a value is an integer, as it was written for JSON.
fn is_integer(json: &str) -> bool {
    let digits = json.strip_prefix('-').unwrap_or(json);
    digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Writes a packet.
fn encode(packet: &ServerPacket<'_>, protocol: Protocol) -> Vec<u8> {
    let (kind, namespace, id, json, offset) = match packet {
        ServerPacket::Connect { namespace, .. } => (0, *namespace, None, None, None),
        ServerPacket::Disconnect { namespace } => (1, *namespace, None, None, None),
        ServerPacket::Event {
            namespace,
            ack,
            args,
            offset,
        } => (2, *namespace, *ack, Some(*args), *offset),
        ServerPacket::Ack {
            namespace,
            id,
            args,
        } => (3, *namespace, Some(*id), Some(*args), None),
        ServerPacket::ConnectError { namespace, .. } => (4, *namespace, None, None, None),
    };
    let payload = packet.payload(protocol);
    let has_data = json.is_some() || payload.is_some();
    let text = json.map_or(0, |args| args.bytes()) + payload.as_ref().map_or(0, String::len);
    let mut writer = Writer::with_capacity(text + namespace.len() + 48);
    writer.map(2 + usize::from(has_data) + usize::from(id.is_some()));
    writer.string("type");
    writer.unsigned(kind);
    if has_data {
        writer.string("data");
        match json {
            Some(args) => writer.json(args.json(), args.attachments(), offset),
            None => writer.json(payload.as_deref().unwrap_or("null"), &[], None),
        }
    }
    writer.string("nsp");
    writer.string(namespace);
    if let Some(id) = id {
        writer.string("id");
        writer.unsigned(id);
    }
    writer.into_bytes()
}
