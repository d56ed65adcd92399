//! Arguments: JSON text, and the attachments that it names.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::json::unquoted;
use super::lenient::integer;
use super::tokens::{Token, Tokens};

/// The arguments of an event or an acknowledgement: a JSON array, as text, in which
/// `{"_placeholder":true,"num":i}` stands for an attachment. The first item of an
/// event's is its name.
///
/// Specification: protocol 5, "Packet encoding", "Format".
///
/// ```
/// use dormouse_proto::socket::Args;
///
/// let args = Args::new(r#"["photo",{"_placeholder":true,"num":0}]"#, vec![vec![1, 2]]);
/// assert_eq!(args.attachments()[0], [1, 2]);
/// assert_eq!(args.bytes(), 41);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Args<'a> {
    json: Cow<'a, str>,
    #[serde(with = "crate::bytes::each")]
    attachments: Vec<Vec<u8>>,
}

impl<'a> Args<'a> {
    /// Creates arguments of our own. `json` must be an array whose placeholders name
    /// attachments.
    pub fn new(json: impl Into<Cow<'a, str>>, attachments: Vec<Vec<u8>>) -> Self {
        Self {
            json: json.into(),
            attachments,
        }
    }

    /// Returns the array.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Returns the attachments, in the order of their numbers.
    pub fn attachments(&self) -> &[Vec<u8>] {
        &self.attachments
    }

    /// Returns the size of text and attachments, in bytes.
    pub fn bytes(&self) -> usize {
        let attachments = self.attachments.iter().map(Vec::len);
        self.json.len() + attachments.sum::<usize>()
    }

    /// Returns the same arguments, with the text borrowed.
    pub fn borrowed(&self) -> Args<'_> {
        Args {
            json: Cow::Borrowed(&self.json),
            attachments: self.attachments.clone(),
        }
    }

    /// Returns the same arguments, owned. The text is copied if it was borrowed.
    pub fn into_owned(self) -> Args<'static> {
        Args {
            json: Cow::Owned(self.json.into_owned()),
            attachments: self.attachments,
        }
    }

    /// Returns text and attachments.
    pub fn into_parts(self) -> (Cow<'a, str>, Vec<Vec<u8>>) {
        (self.json, self.attachments)
    }

    pub(super) fn set_attachments(&mut self, attachments: Vec<Vec<u8>>) {
        self.attachments = attachments;
    }
}

/// A placeholder in a JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholder {
    /// The object's range in the text.
    pub range: Range<usize>,
    /// The attachment it names; `None` if its `num` is not a number of one.
    pub num: Option<usize>,
}

/// An object that is being read.
#[derive(Default)]
pub(super) struct Object {
    /// It has `"_placeholder": true`.
    is_placeholder: bool,
    num: Option<usize>,
}

impl Object {
    /// Takes in a key. It forgets an earlier equal one, since the later one counts,
    /// whatever its value is.
    pub(super) fn handle_key(&mut self, key: Member) {
        match key {
            Member::Placeholder => self.is_placeholder = false,
            Member::Num => self.num = None,
            Member::Other => {}
        }
    }

    /// Takes in the value behind a key, or the first token of it.
    pub(super) fn handle_value(&mut self, key: Member, token: Token<'_>) {
        match (key, token) {
            (Member::Placeholder, Token::True) => self.is_placeholder = true,
            (Member::Num, Token::Number(number)) => {
                let integer = integer(number);
                self.num = integer.as_deref().unwrap_or(number).parse().ok();
            }
            (Member::Placeholder | Member::Num | Member::Other, _) => {}
        }
    }

    /// Returns the number of its attachment, if it is a placeholder, and if it has one.
    pub(super) fn placeholder(&self) -> Option<Option<usize>> {
        self.is_placeholder.then_some(self.num)
    }
}

/// A member of an object, as far as placeholders are concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Member {
    #[default]
    Other,
    Placeholder,
    Num,
}

impl Member {
    /// Reads a key in its quotes.
    fn of(quoted: &str) -> Self {
        match quoted {
            r#""_placeholder""# => Self::Placeholder,
            r#""num""# => Self::Num,
            _ if !quoted.contains('\\') => Self::Other,
            _ => Self::named(&unquoted(quoted)),
        }
    }

    /// Takes a key as what it stands for.
    pub(super) fn named(key: &str) -> Self {
        match key {
            "_placeholder" => Self::Placeholder,
            "num" => Self::Num,
            _ => Self::Other,
        }
    }
}

/// Returns the placeholders in a JSON text, which must be valid, in the order in
/// which they end.
pub fn placeholders(json: &str) -> Vec<Placeholder> {
    let mut found = Vec::new();
    each_placeholder(json, &mut |placeholder| found.push(placeholder));
    found
}

/// Makes sure that clients take nothing in a JSON text for a placeholder but the
/// objects at these positions, which are in order.
///
/// On the wire, a value that the application sends is not to be told from a
/// placeholder if it looks like one: `{"_placeholder":true,"num":1}`. Clients of every
/// generation would put an attachment in its place, or end their connection if there is
/// none of that number; those of 1.x take every value of `_placeholder` for `true` that
/// JavaScript does. So any member of that name is `false` in what this returns, unless
/// it is `false` or `null` already. It matters only in packets with attachments.
///
/// The text must be valid, and is read once.
///
/// ```
/// use dormouse_proto::socket::disarm;
///
/// let json = r#"["photo",{"_placeholder":true,"num":7},{"_placeholder":true,"num":0}]"#;
/// let safe = r#"["photo",{"_placeholder":false,"num":7},{"_placeholder":true,"num":0}]"#;
/// assert_eq!(disarm(json, &[39]), safe);
/// ```
pub fn disarm<'a>(json: &'a str, placeholders: &[usize]) -> Cow<'a, str> {
    let mut disarmed = String::new();
    let mut copied = 0;
    let mut placeholders = placeholders.iter().copied().peekable();
    let mut tokens = Tokens::new(json);
    let mut key = Member::Other;
    while let Some((start, token)) = tokens.next() {
        let of = core::mem::replace(&mut key, Member::Other);
        // Those within a value that is gone are gone too.
        while placeholders.next_if(|position| *position < start).is_some() {}
        match (of, token) {
            (_, Token::Key(quoted)) => key = Member::of(quoted),
            (_, Token::CloseObject | Token::CloseArray) => {}
            (Member::Placeholder, Token::False | Token::Null) => {}
            (Member::Placeholder, _) => {
                tokens.skip_rest(token);
                // Hardly any text becomes longer.
                disarmed.reserve(json.len().saturating_sub(disarmed.len()));
                disarmed.push_str(json.get(copied..start).unwrap_or_default());
                disarmed.push_str("false");
                copied = tokens.position();
            }
            (Member::Num | Member::Other, _) => {
                if placeholders.peek() == Some(&start) {
                    tokens.skip_rest(token);
                }
            }
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    disarmed.push_str(json.get(copied..).unwrap_or_default());
    Cow::Owned(disarmed)
}

/// Calls `found` with the placeholders, one after the other.
pub(super) fn each_placeholder(json: &str, found: &mut dyn FnMut(Placeholder)) {
    let mut tokens = Tokens::new(json);
    // The innermost object that is open, with its position, and those around it: few
    // texts have more than one.
    let mut innermost: Option<(usize, Object)> = None;
    let mut others = Vec::new();
    let mut key = Member::Other;
    while let Some((start, token)) = tokens.next() {
        let of = core::mem::take(&mut key);
        match token {
            Token::OpenObject => others.extend(innermost.replace((start, Object::default()))),
            Token::CloseObject => {
                if let Some((start, object)) = core::mem::replace(&mut innermost, others.pop())
                    && let Some(num) = object.placeholder()
                {
                    let range = start..tokens.position();
                    found(Placeholder { range, num });
                }
            }
            Token::Key(quoted) => {
                key = Member::of(quoted);
                if let Some((_, object)) = &mut innermost {
                    object.handle_key(key);
                }
            }
            Token::OpenArray | Token::CloseArray => {}
            Token::String(_) | Token::Number(_) | Token::True | Token::False | Token::Null => {
                if let Some((_, object)) = &mut innermost {
                    object.handle_value(of, token);
                }
            }
        }
    }
}
