//! The session id, which says which object holds the session.

use core::fmt;

use dormouse_proto::Base64;

/// Bytes of a Durable Object's id.
const OBJECT: usize = 32;
/// Random bytes behind it: 96 bits, so that knowing the object is not enough.
const KEY: usize = 12;
/// Characters of a sid: 44 bytes in base64url without padding.
const LENGTH: usize = 59;

/// The key of a session within its object.
pub(crate) type Key = [u8; KEY];

/// A session id: the id of the object that holds the session, then 96 random
/// bits, in base64url.
///
/// So every request finds its object without a lookup and without sticky sessions.
/// The platform recognizes the object ids that it has issued, and refuses all others
/// without waking anything.
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
    /// Creates the sid of the session `key` in the object whose id is, in
    /// hexadecimal, `object`.
    pub(crate) fn new(object: &str, key: Key) -> Option<Self> {
        let mut id = [0; OBJECT];
        let digits = object.as_bytes();
        if digits.len() != 2 * OBJECT {
            return None;
        }
        for (byte, pair) in id.iter_mut().zip(digits.chunks(2)) {
            for digit in pair {
                let digit = char::from(*digit).to_digit(16)?;
                *byte = *byte << 4 | digit as u8;
            }
        }
        Some(Self { object: id, key })
    }

    /// Parses a sid from a client. Returns `None` if it cannot be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != LENGTH {
            return None;
        }
        let bytes = Base64::UrlSafe.decode(text)?;
        let (object, key) = bytes.split_first_chunk()?;
        Some(Self {
            object: *object,
            key: key.try_into().ok()?,
        })
    }

    /// Returns the object's id in hexadecimal, as the platform writes it.
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

    /// Returns a sid of this object, for what needs no session.
    pub(crate) fn of_object(object: [u8; OBJECT]) -> Self {
        Self {
            object,
            key: [0; KEY],
        }
    }

    /// Returns the object's id.
    pub(crate) fn object_bytes(&self) -> [u8; OBJECT] {
        self.object
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
        f.write_str(&Base64::UrlSafe.encode(bytes))
    }
}

/// Returns the tag that finds a session's WebSockets in its object.
pub(crate) fn tag(key: Key) -> String {
    Base64::UrlSafe.encode(key)
}

/// Returns the key of the session that a tag stands for.
pub(crate) fn key_from_tag(tag: &str) -> Option<Key> {
    Base64::UrlSafe.decode(tag)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    const HEX: &str = "00ff10a5f00f7e81bd5aa1b2c3d4e5f60123456789abcdeffedcba9876543210";
    const MY_KEY: Key = [0, 255, 1, 254, 128, 127, 63, 62, 251, 240, 15, 170];

    #[wasm_bindgen_test(unsupported = test)]
    fn a_sid_says_where_its_session_is() {
        for (hex, key) in [
            (HEX, MY_KEY),
            (&*"0".repeat(64), [0; KEY]),
            (&*"f".repeat(64), [255; KEY]),
        ] {
            let sid = Sid::new(hex, key).unwrap();
            let text = sid.to_string();
            assert_eq!(text.len(), LENGTH);
            // RFC 4648, section 5: these need no escape in a query or a cookie.
            let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            assert!(text.bytes().all(is_safe), "{text}");
            let parsed = Sid::parse(&text).unwrap();
            assert_eq!(parsed, sid);
            assert_eq!(parsed.object(), hex);
            assert_eq!(parsed.key(), key);
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn an_object_is_named_by_64_hexadecimal_digits() {
        for length in (0..130).filter(|length| *length != 64) {
            assert_eq!(Sid::new(&"0".repeat(length), MY_KEY), None, "{length}");
        }
        for wrong in ["g", "+", "-", " ", "\0", "/", ":", "@", "`"] {
            for at in 0..64 {
                let mut hex = HEX.to_owned();
                hex.replace_range(at..=at, wrong);
                assert_eq!(Sid::new(&hex, MY_KEY), None, "{hex}");
            }
        }
        assert_eq!(Sid::new(&"é".repeat(32), MY_KEY), None);
        let upper = Sid::new(&HEX.to_uppercase(), MY_KEY).unwrap();
        assert_eq!(upper.object(), HEX, "as the platform writes it");
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn text_of_another_length_is_no_sid() {
        let text = "A".repeat(200);
        for length in (0..200).filter(|length| *length != LENGTH) {
            assert_eq!(Sid::parse(&text[..length]), None, "{length}");
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn text_of_other_characters_is_no_sid() {
        let text = Sid::new(HEX, MY_KEY).unwrap().to_string();
        let wrong = (0..=127_u8).map(char::from).filter(|character| {
            !character.is_ascii_alphanumeric() && !matches!(character, '-' | '_')
        });
        for character in wrong {
            for at in [0, 1, 30, LENGTH - 2, LENGTH - 1] {
                let mut text = text.clone();
                text.replace_range(at..=at, &character.to_string());
                assert_eq!(Sid::parse(&text), None, "{text:?}");
            }
        }
        // As many bytes, fewer characters.
        for text in [format!("é{}", &text[2..]), format!("{}😀", &text[4..])] {
            assert_eq!(text.len(), LENGTH);
            assert_eq!(Sid::parse(&text), None);
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_session_has_one_sid_and_no_other() {
        // The last character has two bits that no byte needs; they must not make
        // four sids of one.
        let text = Sid::new(HEX, MY_KEY).unwrap().to_string();
        let alphabet = ('A'..='Z')
            .chain('a'..='z')
            .chain('0'..='9')
            .chain(['-', '_']);
        let sids: Vec<_> = alphabet
            .filter_map(|last| Sid::parse(&format!("{}{last}", &text[..LENGTH - 1])))
            .collect();
        assert_eq!(sids.len(), 16);
        for (at, sid) in sids.iter().enumerate() {
            assert!(!sids[..at].contains(sid));
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn tags_stand_for_sessions() {
        for key in [MY_KEY, [0; KEY], [255; KEY]] {
            let tag = tag(key);
            // The platform's limit is 256 characters.
            assert_eq!(tag.len(), 16);
            assert_eq!(key_from_tag(&tag), Some(key));
        }
        for wrong in [
            "",
            "AAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAA=",
            "ä",
        ] {
            assert_eq!(key_from_tag(wrong), None, "{wrong}");
        }
    }
}
