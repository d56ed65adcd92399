//! The session id: it says which object holds the session.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Bytes of a Durable Object's id.
const OBJECT: usize = 32;
/// Random bytes behind it: 96 bits, so that knowing the object is of no use.
const KEY: usize = 12;
/// Characters of a sid: 44 bytes in base64url without padding.
const LENGTH: usize = 59;

/// A session within its object.
pub(crate) type Key = [u8; KEY];

/// A session id: the id of the object that holds the session, then 96 random
/// bits, in base64url.
///
/// So every request finds its object without a lookup and without sticky
/// sessions. The platform recognizes the object ids it has given out, and
/// refuses any other without waking anything.
///
/// Whoever knows a sid can speak for its client: treat it like a password.
///
/// ```
/// use dormouse::engine::Sid;
///
/// assert_eq!(Sid::parse("no sid of ours"), None);
/// let text = "A".repeat(59);
/// assert_eq!(Sid::parse(&text).map(|sid| sid.to_string()), Some(text));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sid {
    object: [u8; OBJECT],
    key: Key,
}

impl Sid {
    /// The session `key` of the object whose id is, in hexadecimal, `object`.
    pub(crate) fn new(object: &str, key: Key) -> Option<Self> {
        let mut id = [0; OBJECT];
        let digits = object.as_bytes();
        if digits.len() != 2 * OBJECT {
            return None;
        }
        for (byte, pair) in id.iter_mut().zip(digits.chunks(2)) {
            let pair = core::str::from_utf8(pair).ok()?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Self { object: id, key })
    }

    /// Reads what a client sent; `None` if we cannot have given it out.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != LENGTH {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (object, key) = bytes.split_first_chunk()?;
        Some(Self {
            object: *object,
            key: key.try_into().ok()?,
        })
    }

    /// The object's id in hexadecimal, as the platform writes it.
    pub(crate) fn object(&self) -> String {
        self.object
            .iter()
            .fold(String::with_capacity(2 * OBJECT), |mut hex, byte| {
                for nibble in [byte >> 4, byte & 15] {
                    hex.push(char::from_digit(nibble.into(), 16).unwrap_or('0'));
                }
                hex
            })
    }

    pub(crate) fn key(&self) -> Key {
        self.key
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; OBJECT + KEY];
        for (to, from) in bytes.iter_mut().zip(self.object.iter().chain(&self.key)) {
            *to = *from;
        }
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// The tag that finds a session's WebSockets in its object.
pub(crate) fn tag(key: Key) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

/// The session that a tag stands for.
pub(crate) fn key_from_tag(tag: &str) -> Option<Key> {
    URL_SAFE_NO_PAD.decode(tag).ok()?.try_into().ok()
}
