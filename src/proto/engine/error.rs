use core::error::Error;
use core::fmt;

/// Bytes from a client are not a valid Engine.IO packet.
///
/// Whatever the reason, the session ends with "parse error", and a `POST` that
/// carried the bytes is answered with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParseError {
    /// There is nothing where a packet should be: an empty frame or body, a packet
    /// of length zero, two separators in a row.
    Empty,
    /// The first character or byte is not a packet type.
    UnknownType,
    /// A packet that only a server sends: `0`, open.
    WrongDirection,
    /// Bytes where only text is allowed: a binary packet that is not a message, or a
    /// binary payload in revision 4.
    UnexpectedBinary,
    /// A length of revision 3 that is missing, is not a number, has more than
    /// [`MAX_LENGTH_DIGITS`](super::MAX_LENGTH_DIGITS) digits, reaches beyond the
    /// payload, or ends within a character.
    BadLength,
    /// Text after `b` that is not base64.
    BadBase64,
    /// Text that is not UTF-8.
    BadUtf8,
    /// A JSONP form without the field `d`, or with a `%` that is not followed by two
    /// hexadecimal digits.
    BadForm,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty packet",
            Self::UnknownType => "unknown packet type",
            Self::WrongDirection => "packet that only a server sends",
            Self::UnexpectedBinary => "binary data where only text is allowed",
            Self::BadLength => "bad packet length",
            Self::BadBase64 => "bad base64",
            Self::BadUtf8 => "text is not utf-8",
            Self::BadForm => "malformed form",
        })
    }
}

impl Error for ParseError {}
