//! Payloads of revision 3: each packet behind its length.
//!
//! Specification: revision 3, "Payload". In text the length counts UTF-16 code
//! units, as JavaScript does: a character outside the BMP counts as two. In
//! binary it counts bytes. Bytes have their type before them, 4 as a byte: the
//! specification's example leaves it out, but its test suite and every client
//! have it.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::Part;
use crate::engine::decimal::{each_digit, push_decimal};
use crate::engine::packet::{push_binary, push_text, text_len};
use crate::engine::{ClientPacket, Data, ParseError, Revision};

/// The maximum number of digits of a length in a payload of revision 3.
///
/// Nine digits reach a gigabyte, more than any body holds, and fit into 32
/// bits, so that no length overflows.
pub const MAX_LENGTH_DIGITS: usize = 9;

/// The end of a length in text.
const COLON: char = ':';
/// The end of a length in binary.
const END_OF_LENGTH: u8 = 0xff;
/// The beginning of a packet of text in binary.
const STRING: u8 = 0;
/// The beginning of a packet of bytes in binary.
const BINARY: u8 = 1;

/// Takes the first packet off `payload`: `<length>:<packet>`.
pub(super) fn decode_text<'a>(payload: &mut &'a str) -> Result<ClientPacket<'a>, ParseError> {
    let (digits, rest) = payload.split_once(COLON).ok_or(ParseError::BadLength)?;
    let len = parse_length(digits.as_bytes(), b'0')?;
    let (packet, rest) = split_at_utf16(rest, len).ok_or(ParseError::BadLength)?;
    *payload = rest;
    ClientPacket::decode_text(Revision::V3, packet)
}

/// Takes the first packet off `payload`: the kind, the digits of the length,
/// 0xff, the packet.
pub(super) fn decode_binary<'a>(payload: &mut &'a [u8]) -> Result<ClientPacket<'a>, ParseError> {
    let (&kind, rest) = payload.split_first().ok_or(ParseError::Empty)?;
    let mut header = rest.splitn(2, |&byte| byte == END_OF_LENGTH);
    let digits = header.next().ok_or(ParseError::BadLength)?;
    let rest = header.next().ok_or(ParseError::BadLength)?;
    let len = parse_length(digits, 0)?;
    let (packet, rest) = rest.split_at_checked(len).ok_or(ParseError::BadLength)?;
    *payload = rest;
    match kind {
        STRING => {
            let text = str::from_utf8(packet).map_err(|_| ParseError::BadUtf8)?;
            ClientPacket::decode_text(Revision::V3, text)
        }
        BINARY => ClientPacket::decode_binary(Revision::V3, Cow::Borrowed(packet)),
        _ => Err(ParseError::UnknownType),
    }
}

/// Parses a decimal number whose digits count from `zero`.
fn parse_length(digits: &[u8], zero: u8) -> Result<usize, ParseError> {
    if digits.is_empty() || digits.len() > MAX_LENGTH_DIGITS {
        return Err(ParseError::BadLength);
    }
    let mut length = 0;
    for digit in digits {
        let value = digit.checked_sub(zero).filter(|value| *value <= 9);
        length = length * 10 + usize::from(value.ok_or(ParseError::BadLength)?);
    }
    Ok(length)
}

/// Splits `text` behind its first `units` UTF-16 code units, unless it is
/// shorter or a surrogate pair lies across.
fn split_at_utf16(text: &str, units: usize) -> Option<(&str, &str)> {
    // A code unit takes at least one byte, so a payload that claims more units than
    // it has bytes is refused before anything is counted.
    let head = text.as_bytes().get(..units)?;
    if head.is_ascii() {
        return text.split_at_checked(units);
    }
    let mut chars = text.chars();
    let mut left = units;
    while left > 0 {
        left = left.checked_sub(chars.next()?.len_utf16())?;
    }
    text.split_at_checked(text.len() - chars.as_str().len())
}

pub(super) fn encode_text(packets: &[Part<'_>]) -> String {
    let len = packets
        .iter()
        .map(|(_, data)| MAX_LENGTH_DIGITS + COLON.len_utf8() + text_len(Revision::V3, data))
        .sum();
    let mut payload = String::with_capacity(len);
    for (kind, data) in packets {
        push_decimal(utf16_len(data) as u64, &mut payload);
        payload.push(COLON);
        push_text(Revision::V3, *kind, data, &mut payload);
    }
    payload
}

pub(super) fn encode_binary(packets: &[Part<'_>]) -> Vec<u8> {
    let len = packets
        .iter()
        .map(|(_, data)| 1 + MAX_LENGTH_DIGITS + 1 + 1 + data.len())
        .sum();
    let mut payload = Vec::with_capacity(len);
    for (kind, data) in packets {
        payload.push(if data.is_binary() { BINARY } else { STRING });
        each_digit(1 + data.len() as u64, &mut |digit| payload.push(digit));
        payload.push(END_OF_LENGTH);
        match data {
            Data::Text(text) => {
                payload.push(kind.to_char() as u8);
                payload.extend_from_slice(text.as_bytes());
            }
            Data::Binary(bytes) => push_binary(*kind, bytes, &mut payload),
        }
    }
    payload
}

/// Returns the length of a packet as text, in UTF-16 code units.
fn utf16_len(data: &Data<'_>) -> usize {
    match data {
        Data::Text(text) => 1 + text.chars().map(char::len_utf16).sum::<usize>(),
        Data::Binary(_) => text_len(Revision::V3, data),
    }
}
