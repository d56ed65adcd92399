//! Packets as msgpack, for clients with `socket.io-msgpack-parser`.
//!
//! A packet is one binary message: a map of `type`, `data`, `nsp` and `id`. Its
//! arguments are converted into the same form as everywhere else: JSON text, and
//! attachments for bytes. What JSON cannot express becomes what JavaScript would
//! make of it: `undefined` and infinities are `null`, dates are text.

use alloc::borrow::Cow;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::decoder::{Decoder, Limits};
use super::packet::{Encoded, decode_ack, decode_connect, decode_event};
use super::{ClientPacket, ParseError, Protocol, ServerPacket};
use crate::engine::{Data, Prepared};

/// The maximum depth of a value: reading it is recursive.
const MAX_DEPTH: usize = 100;

type Read<T> = Result<T, ParseError>;

/// Decodes a message for [`Parser::MSGPACK`](super::Parser::MSGPACK).
pub(super) fn decode_message<'a>(
    _decoder: &mut Decoder,
    protocol: Protocol,
    limits: Limits,
    data: Data<'a>,
) -> Read<Option<ClientPacket<'a>>> {
    match data {
        Data::Binary(bytes) => decode(protocol, &bytes, limits).map(Some),
        Data::Text(_) => Err(ParseError::MsgPack),
    }
}

pub(super) fn encode_message(packet: &ServerPacket<'_>, protocol: Protocol) -> Encoded {
    Encoded::alone(Prepared::Binary(encode(packet, protocol)))
}

/// Reads a packet.
fn decode(protocol: Protocol, bytes: &[u8], limits: Limits) -> Read<ClientPacket<'static>> {
    let mut reader = Reader {
        bytes,
        limits,
        attachments: Vec::new(),
        has_lookalike: false,
    };
    let fields = reader.map_length()?;
    let (mut kind, mut namespace, mut id, mut data) = (None, None, None, None);
    for _ in 0..fields {
        match &*reader.string()? {
            "type" => kind = Some(reader.json()?),
            "nsp" => namespace = Some(reader.string()?),
            "id" => id = Some(reader.json()?).filter(|id| id != "null"),
            "data" => data = Some(reader.json()?),
            _ => drop(reader.json()?),
        }
    }
    if !reader.bytes.is_empty() {
        return Err(ParseError::MsgPack);
    }
    let namespace = Cow::Owned(namespace.ok_or(ParseError::Payload)?);
    let id = id
        .map(|id| id.parse::<u64>().map_err(|_| ParseError::AckId))
        .transpose()?;
    let attachments = reader.attachments;
    if reader.has_lookalike && !attachments.is_empty() {
        // The two could not be told apart.
        return Err(ParseError::Placeholder);
    }
    let mut packet = match kind.as_deref() {
        Some("0") => {
            let data = data.filter(|data| data != "null");
            decode_connect(namespace, None, data.as_deref())?.into_owned()
        }
        Some("1") if data.as_ref().is_none_or(|data| data == "null") => {
            ClientPacket::Disconnect { namespace }
        }
        Some("1") => return Err(ParseError::Payload),
        Some("2") => {
            let json = Cow::Owned(data.ok_or(ParseError::Payload)?);
            decode_event(namespace, id, json)?
        }
        Some("3") => {
            let json = Cow::Owned(data.ok_or(ParseError::Payload)?);
            decode_ack(namespace, id, json)?
        }
        Some("4") => return Err(ParseError::NotForServers),
        Some(_) | None => return Err(ParseError::UnknownType),
    };
    if let (
        Protocol::V4,
        ClientPacket::Connect {
            namespace, query, ..
        },
    ) = (protocol, &mut packet)
        && let Some((name, rest)) = namespace.clone().split_once('?')
    {
        *query = Some(Cow::Owned(rest.to_string()));
        *namespace = Cow::Owned(name.to_string());
    }
    packet.set_attachments(attachments);
    Ok(packet)
}

struct Reader<'a> {
    bytes: &'a [u8],
    limits: Limits,
    attachments: Vec<Vec<u8>>,
    /// An object of the client's own looks like a placeholder.
    has_lookalike: bool,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(count)
            .ok_or(ParseError::MsgPack)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| ParseError::MsgPack)
    }

    fn byte(&mut self) -> Read<u8> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    /// Reads a big-endian number of this many bytes.
    fn length(&mut self, bytes: usize) -> Read<usize> {
        let digits = self.take(bytes)?;
        let number = digits
            .iter()
            .fold(0, |number: u64, digit| number << 8 | u64::from(*digit));
        usize::try_from(number).map_err(|_| ParseError::MsgPack)
    }

    fn map_length(&mut self) -> Read<usize> {
        match self.byte()? {
            byte @ 0x80..=0x8f => Ok(usize::from(byte & 0x0f)),
            0xde => self.length(2),
            0xdf => self.length(4),
            _ => Err(ParseError::MsgPack),
        }
    }

    fn string(&mut self) -> Read<String> {
        let byte = self.byte()?;
        let length = self.string_length(byte)?;
        self.text(length)
    }

    fn string_length(&mut self, byte: u8) -> Read<usize> {
        match byte {
            0xa0..=0xbf => Ok(usize::from(byte & 0x1f)),
            0xd9 => self.length(1),
            0xda => self.length(2),
            0xdb => self.length(4),
            _ => Err(ParseError::MsgPack),
        }
    }

    fn text(&mut self, length: usize) -> Read<String> {
        let bytes = self.take(length)?.to_vec();
        String::from_utf8(bytes).map_err(|_| ParseError::MsgPack)
    }

    /// Reads one value, as JSON.
    fn json(&mut self) -> Read<String> {
        let mut json = String::new();
        self.value(&mut json, 0)?;
        Ok(json)
    }

    fn value(&mut self, json: &mut String, depth: usize) -> Read<()> {
        if depth > MAX_DEPTH {
            return Err(ParseError::MsgPack);
        }
        let byte = self.byte()?;
        match byte {
            0x00..=0x7f => json.push_str(&byte.to_string()),
            0xe0..=0xff => json.push_str(&i8::from_be_bytes([byte]).to_string()),
            0x80..=0x8f => return self.map(json, usize::from(byte & 0x0f), depth),
            0xde | 0xdf => {
                let length = self.length(if byte == 0xde { 2 } else { 4 })?;
                return self.map(json, length, depth);
            }
            0x90..=0x9f => return self.list(json, usize::from(byte & 0x0f), depth),
            0xdc | 0xdd => {
                let length = self.length(if byte == 0xdc { 2 } else { 4 })?;
                return self.list(json, length, depth);
            }
            0xa0..=0xbf | 0xd9..=0xdb => {
                let length = self.string_length(byte)?;
                json.push_str(&quoted(&self.text(length)?));
            }
            0xc0 => json.push_str("null"),
            0xc2 => json.push_str("false"),
            0xc3 => json.push_str("true"),
            0xc4..=0xc6 => {
                let length = self.length(1 << (byte - 0xc4))?;
                self.attachment(json, length)?;
            }
            0xc7..=0xc9 => {
                let length = self.length(1 << (byte - 0xc7))?;
                self.extension(json, length)?;
            }
            0xd4..=0xd8 => self.extension(json, 1 << (byte - 0xd4))?,
            0xca => self.number(json, |reader| {
                Ok(f64::from(f32::from_be_bytes(reader.array()?)))
            })?,
            0xcb => self.number(json, |reader| Ok(f64::from_be_bytes(reader.array()?)))?,
            0xcc => json.push_str(&self.byte()?.to_string()),
            0xcd => json.push_str(&u16::from_be_bytes(self.array()?).to_string()),
            0xce => json.push_str(&u32::from_be_bytes(self.array()?).to_string()),
            0xcf => json.push_str(&u64::from_be_bytes(self.array()?).to_string()),
            0xd0 => json.push_str(&i8::from_be_bytes(self.array()?).to_string()),
            0xd1 => json.push_str(&i16::from_be_bytes(self.array()?).to_string()),
            0xd2 => json.push_str(&i32::from_be_bytes(self.array()?).to_string()),
            0xd3 => json.push_str(&i64::from_be_bytes(self.array()?).to_string()),
            0xc1 => return Err(ParseError::MsgPack),
        }
        Ok(())
    }

    fn number(&mut self, json: &mut String, read: impl FnOnce(&mut Self) -> Read<f64>) -> Read<()> {
        let number = read(self)?;
        json.push_str(&as_javascript(number));
        Ok(())
    }

    fn list(&mut self, json: &mut String, length: usize, depth: usize) -> Read<()> {
        json.push('[');
        for index in 0..length {
            if index > 0 {
                json.push(',');
            }
            self.value(json, depth + 1)?;
        }
        json.push(']');
        Ok(())
    }

    fn map(&mut self, json: &mut String, length: usize, depth: usize) -> Read<()> {
        json.push('{');
        for index in 0..length {
            if index > 0 {
                json.push(',');
            }
            let key = self.string()?;
            self.has_lookalike |= key == "_placeholder";
            json.push_str(&quoted(&key));
            json.push(':');
            self.value(json, depth + 1)?;
        }
        json.push('}');
        Ok(())
    }

    fn attachment(&mut self, json: &mut String, length: usize) -> Read<()> {
        let bytes = self.take(length)?.to_vec();
        if self.attachments.len() >= self.limits.attachments {
            return Err(ParseError::TooManyAttachments);
        }
        let num = self.attachments.len();
        self.attachments.push(bytes);
        // Writing to a string never fails.
        let _ = write!(json, r#"{{"_placeholder":true,"num":{num}}}"#);
        Ok(())
    }

    /// Reads an extension: the JavaScript library's `undefined`, bytes and dates.
    fn extension(&mut self, json: &mut String, length: usize) -> Read<()> {
        let kind = i8::from_be_bytes(self.array()?);
        match (kind, length) {
            // An ArrayBuffer.
            (0, length) if length > 1 && length != 8 => self.attachment(json, length),
            (0, 8) => {
                let millis = i64::from(i32::from_be_bytes(self.array()?)) << 32
                    | i64::from(u32::from_be_bytes(self.array()?));
                json.push_str(&iso_date(millis));
                Ok(())
            }
            (_, length) => {
                self.take(length)?;
                json.push_str("null");
                Ok(())
            }
        }
    }
}

/// Returns a string as JSON. It can always be written.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// Returns a number as JavaScript writes it: whole ones without a point.
fn as_javascript(number: f64) -> String {
    let whole = number as i64;
    if whole as f64 == number && whole.unsigned_abs() < 1 << 53 {
        return whole.to_string();
    }
    serde_json::to_string(&number).unwrap_or_else(|_| "null".into())
}

/// Returns a date, in milliseconds since 1970, as `Date.prototype.toJSON` writes it.
fn iso_date(millis: i64) -> String {
    let days = millis.div_euclid(86_400_000);
    let rest = millis.rem_euclid(86_400_000);
    // Howard Hinnant's civil-from-days.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 {
        month_shifted + 3
    } else {
        month_shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, milli) = (rest / 1_000 % 60, rest % 1_000);
    alloc::format!(
        "\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z\""
    )
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
        } => (2, *namespace, ack.map(u64::from), Some(*args), *offset),
        ServerPacket::Ack {
            namespace,
            id,
            args,
        } => (3, *namespace, Some(*id), Some(*args), None),
        ServerPacket::ConnectError { namespace, .. } => (4, *namespace, None, None, None),
    };
    let payload = packet.payload(protocol);
    let has_data = json.is_some() || payload.is_some();
    let mut writer = Writer {
        bytes: Vec::new(),
        attachments: json.map_or(&[], |args| args.attachments()),
    };
    let fields = 2 + u8::from(has_data) + u8::from(id.is_some());
    writer.bytes.push(0x80 | fields);
    writer.string("type");
    writer.bytes.push(kind);
    if has_data {
        writer.string("data");
        let json = json.map_or(payload.as_deref(), |args| Some(args.json()));
        writer.json(json.unwrap_or("null"), offset);
    }
    writer.string("nsp");
    writer.string(namespace);
    if let Some(id) = id {
        writer.string("id");
        writer.unsigned(id);
    }
    writer.bytes
}

struct Writer<'a> {
    bytes: Vec<u8>,
    attachments: &'a [Vec<u8>],
}

impl Writer<'_> {
    /// Writes a JSON value. `last` is one more item if it is an array.
    fn json(&mut self, json: &str, last: Option<&str>) {
        let start = self.bytes.len();
        if self.value(json, last, 0).is_err() {
            // It is nested deeper than we would read.
            self.bytes.truncate(start);
            self.bytes.push(0xc0);
        }
    }

    fn value(&mut self, json: &str, last: Option<&str>, depth: usize) -> Result<(), TooDeep> {
        if depth > MAX_DEPTH {
            return Err(TooDeep);
        }
        match json.trim_start().chars().next() {
            Some('[') => self.list(json, last, depth)?,
            Some('{') => self.map(json, depth)?,
            Some('"') => {
                let text: String = serde_json::from_str(json).unwrap_or_default();
                self.string(&text);
            }
            Some('t') => self.bytes.push(0xc3),
            Some('f') => self.bytes.push(0xc2),
            Some('-' | '0'..='9') => self.number(json),
            Some(_) | None => self.bytes.push(0xc0),
        }
        Ok(())
    }

    fn list(&mut self, json: &str, last: Option<&str>, depth: usize) -> Result<(), TooDeep> {
        let items: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
        let count = items.len() + usize::from(last.is_some());
        self.length(count, Some((0x90, 15)), [None, Some(0xdc), Some(0xdd)]);
        for item in items {
            self.value(item.get(), None, depth + 1)?;
        }
        if let Some(last) = last {
            self.string(last);
        }
        Ok(())
    }

    fn map(&mut self, json: &str, depth: usize) -> Result<(), TooDeep> {
        let Entries(entries) = serde_json::from_str(json).unwrap_or_default();
        let find = |name| entries.iter().find(|(key, _)| key == name);
        let is_placeholder = find("_placeholder").is_some_and(|(_, value)| value.get() == "true");
        let num = find("num").and_then(|(_, num)| num.get().parse::<usize>().ok());
        if let Some(bytes) = num
            .filter(|_| is_placeholder)
            .and_then(|num| self.attachments.get(num))
        {
            self.binary(bytes);
            return Ok(());
        }
        self.length(
            entries.len(),
            Some((0x80, 15)),
            [None, Some(0xde), Some(0xdf)],
        );
        for (key, value) in &entries {
            self.string(key);
            self.value(value.get(), None, depth + 1)?;
        }
        Ok(())
    }

    fn number(&mut self, json: &str) {
        if let Ok(number) = json.parse() {
            self.unsigned(number);
        } else if let Ok(number) = json.parse() {
            self.signed(number);
        } else {
            let number: f64 = json.parse().unwrap_or_default();
            self.bytes.push(0xcb);
            self.bytes.extend(number.to_be_bytes());
        }
    }

    fn unsigned(&mut self, number: u64) {
        if let Ok(number) = u8::try_from(number) {
            if number >= 0x80 {
                self.bytes.push(0xcc);
            }
            self.bytes.push(number);
        } else if let Ok(number) = u16::try_from(number) {
            self.bytes.push(0xcd);
            self.bytes.extend(number.to_be_bytes());
        } else if let Ok(number) = u32::try_from(number) {
            self.bytes.push(0xce);
            self.bytes.extend(number.to_be_bytes());
        } else {
            self.bytes.push(0xcf);
            self.bytes.extend(number.to_be_bytes());
        }
    }

    fn signed(&mut self, number: i64) {
        if let Ok(number) = u64::try_from(number) {
            self.unsigned(number);
        } else if let Ok(number @ -32..) = i8::try_from(number) {
            self.bytes.extend(number.to_be_bytes());
        } else if let Ok(number) = i8::try_from(number) {
            self.bytes.push(0xd0);
            self.bytes.extend(number.to_be_bytes());
        } else if let Ok(number) = i16::try_from(number) {
            self.bytes.push(0xd1);
            self.bytes.extend(number.to_be_bytes());
        } else if let Ok(number) = i32::try_from(number) {
            self.bytes.push(0xd2);
            self.bytes.extend(number.to_be_bytes());
        } else {
            self.bytes.push(0xd3);
            self.bytes.extend(number.to_be_bytes());
        }
    }

    fn string(&mut self, text: &str) {
        self.length(
            text.len(),
            Some((0xa0, 31)),
            [Some(0xd9), Some(0xda), Some(0xdb)],
        );
        self.bytes.extend(text.as_bytes());
    }

    fn binary(&mut self, bytes: &[u8]) {
        self.length(bytes.len(), None, [Some(0xc4), Some(0xc5), Some(0xc6)]);
        self.bytes.extend(bytes);
    }

    /// Writes a length behind the shortest prefix that has room for it.
    fn length(&mut self, length: usize, short: Option<(u8, usize)>, prefixes: [Option<u8>; 3]) {
        let [one, two, four] = prefixes;
        match (short, one, two) {
            (Some((prefix, most)), _, _) if length <= most => {
                self.bytes.push(prefix | length as u8);
            }
            (_, Some(prefix), _) if length <= 0xff => {
                self.bytes.extend([prefix, length as u8]);
            }
            (_, _, Some(prefix)) if length <= 0xffff => {
                self.bytes.push(prefix);
                self.bytes.extend((length as u16).to_be_bytes());
            }
            _ => {
                self.bytes.push(four.unwrap_or_default());
                self.bytes.extend((length as u32).to_be_bytes());
            }
        }
    }
}

/// A value that is nested deeper than [`MAX_DEPTH`].
struct TooDeep;

/// The entries of an object, in their order.
#[derive(Default)]
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor).map(Entries)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            all.push(entry);
        }
        Ok(all)
    }
}
