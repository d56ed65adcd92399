//! Messages that are encoded once for any number of sessions.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Data, Frame, Revision};

/// A message with its encoding, for a broadcast to many sessions.
///
/// Text is kept as the frame that it is on every WebSocket, whatever the revision.
/// Bytes are kept as in revision 4; the other forms are created when they are asked
/// for.
///
/// ```
/// use dormouse_proto::engine::{Data, Frame, Prepared, Revision};
///
/// let message = Prepared::from(Data::from("hello"));
/// assert_eq!(message.frame(Revision::V4, false), Frame::from("4hello"));
/// assert_eq!(message.frame(Revision::V3, false), Frame::from("4hello"));
/// assert_eq!(message.data(), Data::from("hello"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// A text, with the packet type of a message in front.
    Text(String),
    /// Bytes, without a packet type.
    Binary(Vec<u8>),
}

/// The packet type of a message, as text.
pub const MESSAGE: char = '4';

impl Prepared {
    /// Returns the frame that carries the message.
    pub fn frame(&self, revision: Revision, b64: bool) -> Frame<'_> {
        match self {
            Self::Text(frame) => Frame::from(&**frame),
            Self::Binary(bytes) => Frame::message(revision, b64, Data::from(&**bytes)),
        }
    }

    /// Returns the message itself.
    pub fn data(&self) -> Data<'_> {
        match self {
            Self::Text(frame) => Data::from(frame.strip_prefix(MESSAGE).unwrap_or_default()),
            Self::Binary(bytes) => Data::from(&**bytes),
        }
    }

    /// Returns the length of the content in bytes.
    pub fn len(&self) -> usize {
        self.data().len()
    }

    /// Returns whether the content is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Data<'_>> for Prepared {
    fn from(data: Data<'_>) -> Self {
        match data {
            Data::Text(text) => {
                let mut frame = String::with_capacity(1 + text.len());
                frame.push(MESSAGE);
                frame.push_str(&text);
                Self::Text(frame)
            }
            Data::Binary(bytes) => Self::Binary(Cow::into_owned(bytes)),
        }
    }
}
