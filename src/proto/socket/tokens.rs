//! The tokens of a JSON text that has been validated, one after the other.
//!
//! Nothing is built and nothing is recursive, and each byte is looked at once: how
//! long and how deep a text is is up to its sender. A text that is not JSON gives
//! other tokens, and no error.

use super::json::{Nesting, number_end, string_end};

/// A token, other than commas and colons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// `{`
    OpenObject,
    /// `[`
    OpenArray,
    /// `}`
    CloseObject,
    /// `]`
    CloseArray,
    /// The name of a member, in its quotes.
    Key(&'a str),
    /// A string in its quotes.
    String(&'a str),
    Number(&'a str),
    True,
    False,
    Null,
}

/// The tokens of a text, each with its position.
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
    open: Nesting,
    /// The next string is a key.
    expects_key: bool,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            open: Nesting::default(),
            expects_key: false,
        }
    }

    /// Returns where the last token has ended.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Passes over the rest of a value that begins with this token.
    pub(super) fn skip_rest(&mut self, first: Token<'_>) {
        if !matches!(first, Token::OpenObject | Token::OpenArray) {
            return;
        }
        let around = self.open.depth().saturating_sub(1);
        while self.open.depth() > around && self.next().is_some() {}
    }

    fn scalar(&mut self, end: Option<usize>) -> &'a str {
        let start = self.at;
        self.at = end.unwrap_or(self.text.len());
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn literal(&mut self, token: Token<'a>, length: usize) -> Token<'a> {
        self.at = self.text.len().min(self.at + length);
        token
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = (usize, Token<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        loop {
            let start = self.at;
            let token = match bytes.get(start)? {
                byte @ (b'{' | b'[') => {
                    let is_object = *byte == b'{';
                    self.open.push(is_object);
                    self.expects_key = is_object;
                    self.at += 1;
                    match is_object {
                        true => Token::OpenObject,
                        false => Token::OpenArray,
                    }
                }
                b'}' | b']' => {
                    let was_object = self.open.innermost();
                    if was_object.is_some() {
                        self.open.pop();
                    }
                    self.expects_key = false;
                    self.at += 1;
                    match was_object {
                        Some(true) => Token::CloseObject,
                        Some(false) | None => Token::CloseArray,
                    }
                }
                b',' => {
                    self.expects_key = self.open.innermost() == Some(true);
                    self.at += 1;
                    continue;
                }
                b'"' => {
                    let is_key = core::mem::take(&mut self.expects_key);
                    let quoted = self.scalar(string_end(bytes, start));
                    match is_key {
                        true => Token::Key(quoted),
                        false => Token::String(quoted),
                    }
                }
                b'-' | b'0'..=b'9' => {
                    let end = number_end(bytes, start).unwrap_or(start + 1);
                    Token::Number(self.scalar(Some(end)))
                }
                b't' => self.literal(Token::True, "true".len()),
                b'f' => self.literal(Token::False, "false".len()),
                b'n' => self.literal(Token::Null, "null".len()),
                _ => {
                    self.at += 1;
                    continue;
                }
            };
            count_step();
            return Some((start, token));
        }
    }
}

/// Counts the tokens that are looked at, for tests: see [`steps`].
#[cfg(not(test))]
fn count_step() {}

#[cfg(test)]
std::thread_local! {
    static STEPS: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
}

#[cfg(test)]
fn count_step() {
    STEPS.set(STEPS.get() + 1);
}

/// Returns how many tokens are looked at while something is done.
#[cfg(all(test, not(target_arch = "wasm32")))]
pub(super) fn steps<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = STEPS.get();
    let result = run();
    (result, STEPS.get() - before)
}
