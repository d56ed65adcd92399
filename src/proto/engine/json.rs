//! The one piece of JSON that Engine.IO itself writes: a string.

use alloc::string::String;

/// Appends `text` as a JSON string literal that is also a JavaScript one:
/// escaped as `JSON.stringify` does, and U+2028 and U+2029 too, which older
/// JavaScript takes for line ends.
pub(crate) fn push_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\u{1f}' | '\u{2028}' | '\u{2029}' => push_escape(character, out),
            _ => out.push(character),
        }
    }
    out.push('"');
}

/// Appends `\u` and the four hexadecimal digits of a character within the BMP.
fn push_escape(character: char, out: &mut String) {
    out.push_str("\\u");
    for shift in [12, 8, 4, 0] {
        let digit = (u32::from(character) >> shift) & 0xf;
        out.extend(char::from_digit(digit, 16));
    }
}
