use core::fmt;

use serde::{Deserialize, Serialize};

/// The position of an event among all that were sent. A client remembers that of the
/// last event it received.
///
/// ```
/// use dormouse_proto::socket::Offset;
///
/// let offset = Offset(258);
/// assert_eq!(offset.to_string(), "258");
/// assert_eq!(Offset::parse("258"), Some(offset));
/// assert_eq!(Offset::parse("+258"), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Offset(pub u64);

impl Offset {
    /// Parses an offset from a client. Returns `None` if it is not written as we
    /// write them.
    pub fn parse(text: &str) -> Option<Self> {
        let is_canonical = text.bytes().all(|byte| byte.is_ascii_digit())
            && (text == "0" || !text.starts_with('0'));
        let number = text.parse().ok().filter(|_| is_canonical)?;
        Some(Self(number))
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
