//! Validation of JSON, which also finds a text's first item.
//!
//! Nothing is built and nothing is recursive, because how deep a text is nested is
//! up to its sender. Strings are scanned many bytes at a time, since large messages
//! consist mostly of strings.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::lenient::read_json;

/// The outline of a valid JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outline<'a> {
    /// The first character: `{` for an object, `[` for an array.
    pub(super) start: u8,
    /// The first item of an array that is not empty.
    pub(super) first: Option<&'a str>,
}

/// Validates a text. Returns `None` if it is not JSON.
///
/// An escaped lone surrogate is accepted: Rust's strings cannot contain it, but
/// JavaScript's can.
pub(super) fn outline(text: &str) -> Option<Outline<'_>> {
    let bytes = text.as_bytes();
    let mut at = skip_space(bytes, 0);
    let start = *bytes.get(at)?;
    let mut open = Nesting::default();
    let (mut first_start, mut first_end) = (None, None);
    loop {
        // A value begins here.
        match bytes.get(at)? {
            b'[' => {
                at = skip_space(bytes, at + 1);
                if bytes.get(at) != Some(&b']') {
                    open.push(false);
                    first_start = first_start.or(Some(at));
                    continue;
                }
                at += 1;
            }
            b'{' => {
                at = skip_space(bytes, at + 1);
                if bytes.get(at) != Some(&b'}') {
                    open.push(true);
                    at = key_end(bytes, at)?;
                    continue;
                }
                at += 1;
            }
            _ => at = scalar_end(bytes, at)?,
        }
        // A value has ended, and with it perhaps others around it.
        while let Some(is_object) = open.innermost() {
            if open.depth == 1 {
                first_end = first_end.or(Some(at));
            }
            at = skip_space(bytes, at);
            match (bytes.get(at)?, is_object) {
                (b',', false) => {
                    at = skip_space(bytes, at + 1);
                    break;
                }
                (b',', true) => {
                    at = key_end(bytes, skip_space(bytes, at + 1))?;
                    break;
                }
                (b']', false) | (b'}', true) => {
                    at += 1;
                    open.pop();
                }
                _ => return None,
            }
        }
        if open.depth == 0 {
            let is_over = skip_space(bytes, at) == bytes.len();
            let first = first_start
                .zip(first_end)
                .filter(|_| start == b'[')
                .and_then(|(start, end)| text.get(start..end));
            return is_over.then_some(Outline { start, first });
        }
    }
}

/// Returns the first item of an array that has been validated before, if it is
/// neither an array nor an object.
pub(super) fn first_scalar(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let open = skip_space(bytes, 0);
    let start = skip_space(bytes, open + 1);
    text.get(start..scalar_end(bytes, start)?)
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// Returns where the value behind a key begins.
fn key_end(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let colon = skip_space(bytes, string_end(bytes, at)?);
    (bytes.get(colon) == Some(&b':')).then(|| skip_space(bytes, colon + 1))
}

/// Returns the end of a value that is neither an array nor an object.
fn scalar_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    match rest.first()? {
        b'"' => string_end(bytes, at),
        b'-' | b'0'..=b'9' => number_end(bytes, at),
        b't' => (rest.first_chunk() == Some(b"true")).then_some(at + 4),
        b'n' => (rest.first_chunk() == Some(b"null")).then_some(at + 4),
        b'f' => (rest.first_chunk() == Some(b"false")).then_some(at + 5),
        _ => None,
    }
}

/// Returns the end of the number that begins at `start`.
pub(super) fn number_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + usize::from(bytes.get(start) == Some(&b'-'));
    at = match bytes.get(at)? {
        b'0' => at + 1,
        _ => digits_end(bytes, at)?,
    };
    if bytes.get(at) == Some(&b'.') {
        at = digits_end(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let is_signed = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        at = digits_end(bytes, at + 1 + usize::from(is_signed))?;
    }
    Some(at)
}

/// Returns the end of digits, of which there must be at least one.
fn digits_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    (at > start).then_some(at)
}

/// Returns the end of the string whose quote is at `start`, behind its last quote.
pub(super) fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += plain_len(bytes.get(at..)?);
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at = escape_end(bytes, at + 1)?,
            _ => return None,
        }
    }
}

fn escape_end(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 1),
        b'u' => {
            let digits = bytes.get(at + 1..at + 5)?;
            digits.iter().all(u8::is_ascii_hexdigit).then_some(at + 5)
        }
        _ => None,
    }
}

/// Returns how many bytes stand for themselves in a string: those before a quote, a
/// backslash or a control character.
fn plain_len(bytes: &[u8]) -> usize {
    let mut plain = 0;
    loop {
        // Most strings are short, and end in one of the first words. In long ones it
        // is faster to check several words together.
        for _ in 0..BLOCK / WORD {
            let rest = bytes.get(plain..).unwrap_or_default();
            let Some(word) = rest.first_chunk() else {
                return plain + plain_len_of_short(rest);
            };
            let found = special_bytes(word);
            if found != 0 {
                return plain + found.trailing_zeros() as usize / 8;
            }
            plain += WORD;
        }
        let (blocks, _) = bytes.get(plain..).unwrap_or_default().as_chunks();
        plain += BLOCK * blocks.iter().take_while(|block| are_plain(block)).count();
    }
}

/// Does the same for fewer bytes than a word has.
fn plain_len_of_short(bytes: &[u8]) -> usize {
    let (Some([a, b, c, d]), Some([e, f, g, h])) = (bytes.first_chunk(), bytes.last_chunk()) else {
        return bytes.iter().take_while(|byte| is_plain(**byte)).count();
    };
    // Some of them twice, in which case they are found where they are first.
    match special_bytes(&[*a, *b, *c, *d, *e, *f, *g, *h]) {
        0 => bytes.len(),
        found => match found.trailing_zeros() as usize / 8 {
            at @ 0..4 => at,
            at => at + bytes.len() - WORD,
        },
    }
}

fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

/// Appends a string as JSON.
pub(super) fn push_quoted(text: &str, json: &mut String) {
    json.push('"');
    push_escaped(text, json);
    json.push('"');
}

/// Appends what is between the quotes of a string in JSON: the same as serde_json writes.
///
/// ```
/// use dormouse_proto::socket::push_escaped;
///
/// let mut json = String::from("a");
/// push_escaped("é\n\"", &mut json);
/// assert_eq!(json, r#"aé\n\""#);
/// ```
pub fn push_escaped(text: &str, json: &mut String) {
    match plain_len(text.as_bytes()) {
        plain if plain == text.len() => json.push_str(text),
        plain => push_with_escapes(text, plain, json),
    }
}

/// Does the same for a text of which so many bytes stand for themselves.
fn push_with_escapes(text: &str, mut plain: usize, json: &mut String) {
    let mut rest = text;
    while let Some((before, other)) = rest.split_at_checked(plain) {
        json.push_str(before);
        let mut others = other.chars();
        match others.next() {
            None => return,
            Some('"') => json.push_str("\\\""),
            Some('\\') => json.push_str("\\\\"),
            Some('\u{8}') => json.push_str("\\b"),
            Some('\u{c}') => json.push_str("\\f"),
            Some('\n') => json.push_str("\\n"),
            Some('\r') => json.push_str("\\r"),
            Some('\t') => json.push_str("\\t"),
            // Writing to a string never fails.
            Some(control) => drop(write!(json, "\\u{:04x}", u32::from(control))),
        }
        rest = others.as_str();
        plain = plain_len(rest.as_bytes());
    }
}

/// Returns what a string in its quotes stands for, with U+FFFD for half of a surrogate
/// pair.
pub(super) fn unquoted(quoted: &str) -> Cow<'_, str> {
    let inside = quoted.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    match inside.filter(|text| !text.contains('\\')) {
        Some(plain) => Cow::Borrowed(plain),
        None => {
            let text = read_json(quoted, |quoted| serde_json::from_str::<String>(quoted));
            Cow::Owned(text.unwrap_or_default())
        }
    }
}

/// The number of bytes in a word.
const WORD: usize = 8;
/// The number of bytes in several words.
const BLOCK: usize = 4 * WORD;

fn are_plain(block: &[u8; BLOCK]) -> bool {
    let (words, _) = block.as_chunks::<WORD>();
    words
        .iter()
        .map(special_bytes)
        .fold(0, |all, found| all | found)
        == 0
}

/// Finds the quotes, backslashes and control characters in a word: the highest bit
/// of each such byte is set. A carry may also set that of bytes behind the first,
/// and of no others.
fn special_bytes(word: &[u8; WORD]) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGHEST: u64 = ONES << 7;
    let word = u64::from_le_bytes(*word);
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let found = (quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash)
        | (word.wrapping_sub(ONES * 0x20) & !word);
    found & HIGHEST
}

/// The brackets that are open around a value, one bit each: arrays are 0 and objects
/// 1.
#[derive(Default)]
pub(super) struct Nesting {
    depth: usize,
    /// The innermost ones, the last of them lowest.
    bits: u64,
    /// Those around them, 64 in each.
    outer: Vec<u64>,
}

impl Nesting {
    const BITS: usize = u64::BITS as usize;

    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    pub(super) fn push(&mut self, is_object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(Self::BITS) {
            self.outer.push(self.bits);
        }
        self.bits = self.bits << 1 | u64::from(is_object);
        self.depth += 1;
    }

    pub(super) fn pop(&mut self) {
        self.depth -= 1;
        self.bits >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(Self::BITS) {
            self.bits = self.outer.pop().unwrap_or_default();
        }
    }

    /// Returns whether the innermost is an object, or `None` if nothing is open.
    pub(super) fn innermost(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.bits & 1 == 1)
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
