//! JSONP: polling for browsers that can do no better than `<script>` for
//! answers and `<form>` for requests.
//!
//! Specification: revision 3, "JSONP". Revision 4 no longer has it, but its
//! clients did up to engine.io-client 5.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::engine::{ParseError, json};

/// Which function of the page a JSONP answer calls: the query parameter `j`.
///
/// ```
/// use dormouse_proto::engine::jsonp::JsonpIndex;
///
/// assert_eq!(JsonpIndex::from_query("7"), JsonpIndex::from_query("alert(7)"));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct JsonpIndex(u32);

impl JsonpIndex {
    /// How many digits are read. Clients count their connections from 0; nine
    /// digits are more than any will reach, and fit into 32 bits.
    pub const MAX_DIGITS: usize = 9;

    /// Reads the query parameter `j`.
    ///
    /// Its digits alone count, since the index becomes code on the page, and
    /// of these the first [`MAX_DIGITS`](Self::MAX_DIGITS). Without any digit
    /// it is 0.
    pub fn from_query(j: &str) -> Self {
        let digits = j.chars().filter_map(|character| character.to_digit(10));
        Self(
            digits
                .take(Self::MAX_DIGITS)
                .fold(0, |index, digit| index * 10 + digit),
        )
    }
}

/// The script that hands `payload` to the page.
pub(super) fn script(index: JsonpIndex, payload: &str) -> String {
    // Room for the frame around the payload and for a few escapes.
    let mut script = String::with_capacity(payload.len() + payload.len() / 8 + 32);
    script.push_str("___eio[");
    script.push_str(&index.0.to_string());
    script.push_str("](");
    json::push_string(payload, &mut script);
    script.push_str(");");
    script
}

/// Takes the payload out of the body of a JSONP POST.
///
/// The body is a form (`application/x-www-form-urlencoded`) with one field,
/// `d`. Browsers change line feeds in forms, so the client writes `\n` for a
/// line feed and `\\n` for `\n`; this is undone here.
///
/// ```
/// use dormouse_proto::engine::jsonp::decode_form;
///
/// let payload = decode_form(r"d=14%3A4a+line%5Cnand%20more")?;
/// assert_eq!(payload, "14:4a line\nand more");
/// # Ok::<(), dormouse_proto::engine::ParseError>(())
/// ```
///
/// # Errors
///
/// [`ParseError::BadForm`] if `d` is missing or a `%` begins no escape,
/// [`ParseError::BadUtf8`] if the escapes make no text.
pub fn decode_form(body: &str) -> Result<Cow<'_, str>, ParseError> {
    let value = body
        .split('&')
        .find_map(|field| field.strip_prefix("d="))
        .ok_or(ParseError::BadForm)?;
    let text = decode_value(value)?;
    if text.contains("\\n") {
        return Ok(Cow::Owned(restore_line_feeds(&text)));
    }
    Ok(text)
}

/// Undoes the escapes of a form: `+` is a space, `%XX` a byte.
fn decode_value(value: &str) -> Result<Cow<'_, str>, ParseError> {
    if !value.contains(['+', '%']) {
        return Ok(Cow::Borrowed(value));
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex_digit(rest.next())? << 4 | hex_digit(rest.next())?,
            _ => byte,
        });
    }
    let text = String::from_utf8(bytes).map_err(|_| ParseError::BadUtf8)?;
    Ok(Cow::Owned(text))
}

fn hex_digit(byte: Option<u8>) -> Result<u8, ParseError> {
    let digit = byte.and_then(|byte| char::from(byte).to_digit(16));
    digit.map(|digit| digit as u8).ok_or(ParseError::BadForm)
}

/// Turns `\n` into a line feed, unless another backslash stands before it;
/// then one of the backslashes goes.
fn restore_line_feeds(text: &str) -> String {
    let mut restored = String::with_capacity(text.len());
    let mut backslashes = 0;
    for character in text.chars() {
        if character == '\\' {
            backslashes += 1;
            continue;
        }
        let (kept, character) = match (backslashes, character) {
            (1, 'n') => (0, '\n'),
            (2.., 'n') => (backslashes - 1, 'n'),
            _ => (backslashes, character),
        };
        restored.extend(core::iter::repeat_n('\\', kept));
        restored.push(character);
        backslashes = 0;
    }
    restored.extend(core::iter::repeat_n('\\', backslashes));
    restored
}
