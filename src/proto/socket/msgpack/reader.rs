//! Reading msgpack, as JSON with attachments: one pass over the bytes.

use alloc::string::String;
use alloc::vec::Vec;

use super::Read;
use crate::engine::push_decimal;
use crate::socket::json::push_quoted;
use crate::socket::{Limits, ParseError};

/// The maximum depth of a value: reading it is recursive.
const MAX_DEPTH: usize = 100;

pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    limits: Limits,
    pub(super) attachments: Vec<Vec<u8>>,
    /// An object of the client's own looks like a placeholder.
    pub(super) has_lookalike: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], limits: Limits) -> Self {
        Self {
            bytes,
            limits,
            attachments: Vec::new(),
            has_lookalike: false,
        }
    }

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

    pub(super) fn map_length(&mut self) -> Read<usize> {
        match self.byte()? {
            byte @ 0x80..=0x8f => Ok(usize::from(byte & 0x0f)),
            0xde => self.length(2),
            0xdf => self.length(4),
            _ => Err(ParseError::MsgPack),
        }
    }

    pub(super) fn string(&mut self) -> Read<&'a str> {
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

    fn text(&mut self, length: usize) -> Read<&'a str> {
        core::str::from_utf8(self.take(length)?).map_err(|_| ParseError::MsgPack)
    }

    /// Reads a packet's type. Returns `None` if it is not the number of one.
    pub(super) fn kind(&mut self) -> Read<Option<u8>> {
        if let Some((kind @ 0..=0x7f, rest)) = self.bytes.split_first() {
            self.bytes = rest;
            return Ok(Some(*kind));
        }
        Ok(self.json(0)?.parse().ok())
    }

    /// Reads one value, as JSON of about so many bytes.
    pub(super) fn json(&mut self, capacity: usize) -> Read<String> {
        let mut json = String::with_capacity(capacity);
        self.value(&mut json, 0)?;
        // It may be kept for long, and be much less.
        json.shrink_to(2 * json.len());
        Ok(json)
    }

    fn value(&mut self, json: &mut String, depth: usize) -> Read<()> {
        if depth > MAX_DEPTH {
            return Err(ParseError::MsgPack);
        }
        let byte = self.byte()?;
        match byte {
            0x00..=0x7f => push_decimal(byte.into(), json),
            0xe0..=0xff => push(json, i8::from_be_bytes([byte]).into()),
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
                push_quoted(self.text(length)?, json);
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
            0xcc => push_decimal(self.byte()?.into(), json),
            0xcd => push_decimal(u16::from_be_bytes(self.array()?).into(), json),
            0xce => push_decimal(u32::from_be_bytes(self.array()?).into(), json),
            0xcf => push_decimal(u64::from_be_bytes(self.array()?), json),
            0xd0 => push(json, i8::from_be_bytes(self.array()?).into()),
            0xd1 => push(json, i16::from_be_bytes(self.array()?).into()),
            0xd2 => push(json, i32::from_be_bytes(self.array()?).into()),
            0xd3 => push(json, i64::from_be_bytes(self.array()?)),
            0xc1 => return Err(ParseError::MsgPack),
        }
        Ok(())
    }

    fn number(&mut self, json: &mut String, read: impl FnOnce(&mut Self) -> Read<f64>) -> Read<()> {
        let number = read(self)?;
        push_float(json, number);
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
            self.key(json, depth + 1)?;
            json.push(':');
            self.value(json, depth + 1)?;
        }
        json.push('}');
        Ok(())
    }

    /// Reads a key. One that is not a text is one as in JavaScript: `1` is `"1"`.
    fn key(&mut self, json: &mut String, depth: usize) -> Read<()> {
        if let Some(0xa0..=0xbf | 0xd9..=0xdb) = self.bytes.first() {
            let key = self.string()?;
            self.has_lookalike |= key == "_placeholder";
            push_quoted(key, json);
            return Ok(());
        }
        let start = json.len() + 1;
        json.push('"');
        self.value(json, depth)?;
        let is_scalar = |key: &str| !key.starts_with(['"', '[', '{']);
        if !json.get(start..).is_some_and(is_scalar) {
            return Err(ParseError::MsgPack);
        }
        json.push('"');
        Ok(())
    }

    fn attachment(&mut self, json: &mut String, length: usize) -> Read<()> {
        let bytes = self.take(length)?.to_vec();
        if self.attachments.len() >= self.limits.attachments {
            return Err(ParseError::TooManyAttachments);
        }
        let num = self.attachments.len();
        self.attachments.push(bytes);
        json.push_str(r#"{"_placeholder":true,"num":"#);
        push_decimal(num as u64, json);
        json.push('}');
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

/// Appends an integer.
fn push(json: &mut String, number: i64) {
    if number < 0 {
        json.push('-');
    }
    push_decimal(number.unsigned_abs(), json);
}

/// Appends a number as JavaScript writes it: whole ones without a point.
fn push_float(json: &mut String, number: f64) {
    let whole = number as i64;
    if whole as f64 == number && whole.unsigned_abs() < 1 << 53 {
        return push(json, whole);
    }
    let text = serde_json::to_string(&number);
    json.push_str(text.as_deref().unwrap_or("null"));
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
