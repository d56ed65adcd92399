//! JSONP: polling for browsers that can only use `<script>` for answers and `<form>`
//! for requests.
//!
//! Specification: revision 3, "JSONP". Revision 4 no longer has it, but its
//! clients did up to engine.io-client 5.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::engine::{ParseError, json};

/// The number of the page's function that a JSONP answer calls: the query parameter
/// `j`.
///
/// ```
/// use dormouse_proto::engine::jsonp::JsonpIndex;
///
/// assert_eq!(JsonpIndex::from_query("7"), JsonpIndex::from_query("alert(7)"));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct JsonpIndex(u32);

impl JsonpIndex {
    /// The maximum number of digits that are read. Clients count their connections
    /// from 0; nine digits are more than any will reach, and fit into 32 bits.
    pub const MAX_DIGITS: usize = 9;

    /// Reads the query parameter `j`.
    ///
    /// Only its digits count, because the index becomes code on the page, and of
    /// these the first [`MAX_DIGITS`](Self::MAX_DIGITS). Without any digits it is 0.
    pub fn from_query(j: &str) -> Self {
        let digits = j.chars().filter_map(|character| character.to_digit(10));
        Self(
            digits
                .take(Self::MAX_DIGITS)
                .fold(0, |index, digit| index * 10 + digit),
        )
    }
}

/// Returns the script that passes `payload` to the page.
pub(super) fn script(index: JsonpIndex, payload: &str) -> String {
    // This has room for the frame around the payload and a few escapes.
    let mut script = String::with_capacity(payload.len() + payload.len() / 8 + 32);
    script.push_str("___eio[");
    script.push_str(&index.0.to_string());
    script.push_str("](");
    json::push_string(payload, &mut script);
    script.push_str(");");
    script
}

/// Decodes the payload in the body of a JSONP `POST`.
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
/// [`ParseError::BadForm`] if `d` is missing or a `%` does not begin an escape,
/// [`ParseError::BadUtf8`] if the escapes are not valid text.
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

/// Decodes the escapes of a form: `+` is a space, `%XX` is a byte.
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

/// Turns `\n` into a line feed, unless there is another backslash before it; then
/// one of the backslashes is removed.
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

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn answers_are_scripts() {
        for (payload, expect) in [
            ("hello", "___eio[0](\"hello\");"),
            ("\"\\/</script>", "___eio[0](\"\\\"\\\\/</script>\");"),
            ("\u{8}\t\n\u{c}\r", "___eio[0](\"\\b\\t\\n\\f\\r\");"),
            ("\0\u{1f}\u{7f}", "___eio[0](\"\\u0000\\u001f\u{7f}\");"),
            ("\u{2028}\u{2029}", "___eio[0](\"\\u2028\\u2029\");"),
            ("é€😀", "___eio[0](\"é€😀\");"),
        ] {
            assert_eq!(script(JsonpIndex(0), payload), expect);
        }
    }

    #[test]
    fn the_index_consists_of_digits() {
        for (j, expect) in [
            ("0", 0),
            ("42", 42),
            ("", 0),
            ("];alert(1)//", 1),
            ("x4y2", 42),
            ("٤", 0),
            ("12345678", 12345678),
            ("123456789", 123456789),
            ("1234567890", 123456789),
            ("999999999", 999999999),
        ] {
            assert_eq!(JsonpIndex::from_query(j), JsonpIndex(expect), "{j:?}");
        }
    }

    fn check_form(body: &str, expect: Result<&str, ParseError>) {
        let decoded = decode_form(body);
        assert_eq!(
            decoded.as_deref().map_err(|error| *error),
            expect,
            "{body:?}"
        );
    }

    #[test]
    fn requests_are_forms() {
        check_form("d=6:4hello", Ok("6:4hello"));
        check_form("d=6%3A4hello", Ok("6:4hello"));
        check_form("d=4a+b%2B%20c", Ok("4a b+ c"));
        check_form("d=4%E2%82%AC%f0%9F%98%80€", Ok("4€😀€"));
        check_form("d=", Ok(""));
        check_form("d=4a=b", Ok("4a=b"));
        check_form("t=1&d=4a&x=y", Ok("4a"));
        check_form("d=4a&d=4b", Ok("4a"));
        assert!(matches!(decode_form("d=4a"), Ok(Cow::Borrowed("4a"))));
    }

    #[test]
    fn bad_forms_are_refused() {
        for body in [
            "", "4hello", "=4", "data=4", "x&y", "D=4", "d", "d=%", "d=%4", "d=%zz", "d=4%",
            "d=%+1", "d=%€",
        ] {
            check_form(body, Err(ParseError::BadForm));
        }
        for body in ["d=%ff", "d=4%E2%82", "d=%ED%A0%80", "d=%C0%80"] {
            check_form(body, Err(ParseError::BadUtf8));
        }
    }

    #[test]
    fn requests_get_their_line_feeds_back() {
        for (sent, expect) in [
            (r"4a\nb", "4a\nb"),
            (r"4a\\nb", r"4a\nb"),
            (r"4a\\\nb", r"4a\\nb"),
            (r"\n\n", "\n\n"),
            (r"\\n\n", "\\n\n"),
            (r"4\", r"4\"),
            (r"4\n\", "4\n\\"),
            (r"4\t\\t", r"4\t\\t"),
            (r"\\\\n", r"\\\n"),
            (r"n\n", "n\n"),
            ("4\r\n", "4\r\n"),
        ] {
            check_form(&format!("d={sent}"), Ok(expect));
            check_form(&format!("d={}", sent.replace('\\', "%5C")), Ok(expect));
        }
    }
}
