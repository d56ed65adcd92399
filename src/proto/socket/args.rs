//! Arguments: JSON text, and the attachments that it names.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::json::{number_end, string_end};

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
struct Object {
    start: usize,
    /// It has `"_placeholder": true`.
    is_placeholder: bool,
    num: Option<usize>,
}

impl Object {
    /// Forgets an earlier equal key: the later one counts, whatever its value is.
    fn forget(&mut self, key: Key) {
        match key {
            Key::None => {}
            Key::Placeholder => self.is_placeholder = false,
            Key::Num => self.num = None,
        }
    }
}

/// The meaning of the next token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    None,
    Placeholder,
    Num,
}

/// Returns the placeholders in a JSON text, which must be valid, in the order in
/// which they end. It does not recurse, because how deep a text is nested is up to
/// its sender.
pub fn placeholders(json: &str) -> Vec<Placeholder> {
    let mut found = Vec::new();
    each_placeholder(json, &mut |placeholder| found.push(placeholder));
    found
}

/// Calls `found` with the placeholders, one after the other.
pub(super) fn each_placeholder(json: &str, found: &mut dyn FnMut(Placeholder)) {
    // For each open bracket, whether it is an object. Millions of brackets fit into
    // a packet, so one takes no more room here than there.
    let mut open: Vec<bool> = Vec::new();
    let mut objects: Vec<Object> = Vec::new();
    let mut key = Key::None;
    let mut expects_key = false;
    let bytes = json.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' => {
                open.push(true);
                objects.push(Object {
                    start: at,
                    is_placeholder: false,
                    num: None,
                });
                (key, expects_key) = (Key::None, true);
            }
            b'[' => {
                open.push(false);
                (key, expects_key) = (Key::None, false);
            }
            b'}' | b']' => {
                if open.pop() == Some(true)
                    && let Some(object) = objects.pop()
                    && object.is_placeholder
                {
                    found(Placeholder {
                        range: object.start..at + 1,
                        num: object.num,
                    });
                }
                (key, expects_key) = (Key::None, false);
            }
            b',' => (key, expects_key) = (Key::None, open.last() == Some(&true)),
            b'"' => {
                let end = string_end(bytes, at).unwrap_or(bytes.len());
                if expects_key {
                    key = json.get(at..end).map_or(Key::None, read_key);
                    expects_key = false;
                    if let Some(object) = objects.last_mut() {
                        object.forget(key);
                    }
                }
                at = end;
                continue;
            }
            b't' | b'f' | b'n' => {
                if let (Key::Placeholder, Some(object)) = (key, objects.last_mut()) {
                    object.is_placeholder = *byte == b't';
                }
                key = Key::None;
            }
            b'-' | b'0'..=b'9' => {
                let end = number_end(bytes, at).unwrap_or(at + 1);
                if let (Key::Num, Some(object)) = (key, objects.last_mut()) {
                    object.num = json.get(at..end).and_then(|number| number.parse().ok());
                }
                key = Key::None;
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
}

fn read_key(quoted: &str) -> Key {
    let name: Cow<'_, str> = if quoted.contains('\\') {
        Cow::Owned(serde_json::from_str::<String>(quoted).unwrap_or_default())
    } else {
        Cow::Borrowed(quoted.trim_matches('"'))
    };
    match &*name {
        "_placeholder" => Key::Placeholder,
        "num" => Key::Num,
        _ => Key::None,
    }
}
