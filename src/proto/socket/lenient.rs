//! Reading JSON into Rust's types, which take less than clients write.
//!
//! JavaScript's strings can hold half of a surrogate pair, as in an emoji that was cut by
//! `slice`; and clients in languages that tell integers from other numbers may write the
//! integer 7 as `7.0` or `7e0`. Both are read as what is meant, and only where a type has
//! refused them: nothing else costs anything, and what is passed on stays as it came.
//!
//! Numbers are converted as text, digit by digit: none is ever a floating-point number.

use alloc::string::String;

use super::tokens::{Token, Tokens};

/// The maximum number of digits of an integer: as many as the largest `u64` has.
const MAX_DIGITS: usize = 20;

/// Reads a valid JSON text with `read`, and if that fails, once more with everything
/// changed that Rust's types may have refused although other languages take it:
///
/// - each half of a surrogate pair is U+FFFD, in strings and keys, at any depth;
/// - integers are written as such: `7.0` and `7e0` as `7`, `-0` and `-0.0` as `0`. Those
///   of more than 20 digits stay as they are.
///
/// The text is looked through once more at most.
///
/// # Errors
///
/// The last one of `read`.
///
/// ```
/// use dormouse_proto::socket::read_json;
///
/// let read = |json: &str| read_json(json, |json| serde_json::from_str::<(String, u8)>(json));
/// assert_eq!(read(r#"["\ud83e", 7.0]"#).unwrap(), ("\u{fffd}".to_string(), 7));
/// assert!(read(r#"["a", 7.5]"#).is_err());
/// ```
pub fn read_json<T, E>(json: &str, mut read: impl FnMut(&str) -> Result<T, E>) -> Result<T, E> {
    let mut mended = None;
    loop {
        let result = read(mended.as_deref().unwrap_or(json));
        if result.is_ok() || mended.is_some() {
            return result;
        }
        mended = mend(json);
        if mended.is_none() {
            return result;
        }
    }
}

/// Changes what [`read_json`] says. Returns `None` if there is nothing to change.
fn mend(json: &str) -> Option<String> {
    let mut mended = Mended {
        json,
        copied: 0,
        text: String::new(),
    };
    for (start, token) in Tokens::new(json) {
        match token {
            Token::Key(quoted) | Token::String(quoted) => mended.replace_halves(start, quoted),
            Token::Number(number) => {
                if let Some(integer) = integer(number) {
                    mended.replace(start, number.len(), &integer);
                }
            }
            Token::OpenObject
            | Token::OpenArray
            | Token::CloseObject
            | Token::CloseArray
            | Token::True
            | Token::False
            | Token::Null => {}
        }
    }
    mended.finish()
}

/// A text of which some parts have been replaced.
struct Mended<'a> {
    json: &'a str,
    /// How much of it is in the new text already.
    copied: usize,
    text: String,
}

impl Mended<'_> {
    fn replace(&mut self, start: usize, length: usize, with: &str) {
        // Hardly any text becomes longer.
        let left = self.json.len().saturating_sub(self.copied);
        self.text.reserve(left);
        let before = self.json.get(self.copied..start);
        self.text.push_str(before.unwrap_or_default());
        self.text.push_str(with);
        self.copied = start + length;
    }

    /// Replaces halves of surrogate pairs in a string that begins at `start`.
    fn replace_halves(&mut self, start: usize, quoted: &str) {
        let mut at = 0;
        while let Some(rest) = quoted.get(at..)
            && let Some(position) = rest.find('\\')
        {
            let escape = rest.get(position..).unwrap_or_default();
            let next = escape.get(ESCAPE..).unwrap_or_default();
            at += position;
            at += match (half(escape), half(next)) {
                (Some(Half::High), Some(Half::Low)) => 2 * ESCAPE,
                (Some(Half::High | Half::Low), _) => {
                    self.replace(start + at, ESCAPE, r"\ufffd");
                    ESCAPE
                }
                // A backslash, and what it makes something else of.
                (None, _) => 2,
            };
        }
    }

    fn finish(mut self) -> Option<String> {
        if self.copied == 0 {
            return None;
        }
        let rest = self.json.get(self.copied..);
        self.text.push_str(rest.unwrap_or_default());
        Some(self.text)
    }
}

/// The length of an escape such as `\ud83e`.
const ESCAPE: usize = 6;

/// Half of a surrogate pair.
enum Half {
    High,
    Low,
}

/// Returns which half a text begins with, if it is escaped there.
fn half(text: &str) -> Option<Half> {
    let [b'\\', b'u', b'd' | b'D', digit, ..] = text.as_bytes() else {
        return None;
    };
    match digit {
        b'8' | b'9' | b'a' | b'b' | b'A' | b'B' => Some(Half::High),
        b'c'..=b'f' | b'C'..=b'F' => Some(Half::Low),
        _ => None,
    }
}

/// Returns a number as an integer is written, if it is one and is not written so.
pub(super) fn integer(number: &str) -> Option<String> {
    let (sign, absolute) = match number.strip_prefix('-') {
        Some(absolute) => ("-", absolute),
        None => ("", number),
    };
    if absolute.bytes().all(|byte| byte.is_ascii_digit()) && number != "-0" {
        return None;
    }
    let (mantissa, exponent) = absolute.split_once(['e', 'E']).unwrap_or((absolute, "0"));
    let (before, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [before, behind].concat();
    let significant = digits.trim_start_matches('0');
    let leading = digits.len() - significant.len();
    let significant = significant.trim_end_matches('0');
    if significant.is_empty() {
        return Some("0".into());
    }
    // Where the point is among the significant digits, or behind them.
    let exponent: i64 = exponent.parse().ok()?;
    let point = i64::try_from(before.len()).ok()? - i64::try_from(leading).ok()?;
    let point = usize::try_from(point.saturating_add(exponent)).ok()?;
    let zeros = point.checked_sub(significant.len())?;
    (point <= MAX_DIGITS).then(|| [sign, significant, &"0".repeat(zeros)].concat())
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
