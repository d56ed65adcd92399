//! Text or bytes: the content of messages, and frames on the wire.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// The content of a message: what one application says to the other.
///
/// Decoding borrows it from the frame that brought it, and encoding may lend it on,
/// so that no message is copied without need. It serializes as its content; what is
/// deserialized owns its content.
///
/// ```
/// use dormouse_proto::engine::Data;
///
/// let data = Data::from("hello");
/// assert_eq!(data, Data::Text("hello".into()));
/// assert_eq!(data.len(), 5);
///
/// let kept: Data<'static> = data.into_owned();
/// assert_eq!(kept, Data::from(String::from("hello")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Data<'a> {
    /// A string.
    Text(Cow<'a, str>),
    /// Bytes.
    Binary(#[serde(with = "crate::bytes")] Cow<'a, [u8]>),
}

impl Data<'_> {
    /// Returns the length of the content in bytes, of text as UTF-8.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Returns whether the content is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether the content is binary.
    pub fn is_binary(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Binary(_) => true,
        }
    }

    /// Returns the same content, borrowed, so that it can be encoded more than once.
    pub fn borrowed(&self) -> Data<'_> {
        match self {
            Self::Text(text) => Data::Text(Cow::Borrowed(text)),
            Self::Binary(bytes) => Data::Binary(Cow::Borrowed(bytes)),
        }
    }

    /// Returns the same content, owned. It is copied if it was borrowed.
    pub fn into_owned(self) -> Data<'static> {
        match self {
            Self::Text(text) => Data::Text(Cow::Owned(text.into_owned())),
            Self::Binary(bytes) => Data::Binary(Cow::Owned(bytes.into_owned())),
        }
    }
}

/// Text or bytes as they travel: one WebSocket frame, in either direction.
///
/// A frame is an encoded packet, and [`Data`] is the content of a message. They look
/// alike and are kept apart so that neither is mistaken for the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Frame<'a> {
    /// A text frame.
    Text(Cow<'a, str>),
    /// A binary frame.
    Binary(Cow<'a, [u8]>),
}

/// The whole body of a polling request or answer: a payload, which is any
/// number of packets, as text or as bytes.
pub type Body<'a> = Frame<'a>;

impl Frame<'_> {
    /// Returns the length on the wire in bytes, of text as UTF-8.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Returns whether the frame is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the same frame, borrowed, so that it can be sent more than once.
    pub fn borrowed(&self) -> Frame<'_> {
        match self {
            Self::Text(text) => Frame::Text(Cow::Borrowed(text)),
            Self::Binary(bytes) => Frame::Binary(Cow::Borrowed(bytes)),
        }
    }

    /// Returns the same frame, owned. It is copied if it was borrowed.
    pub fn into_owned(self) -> Frame<'static> {
        match self {
            Self::Text(text) => Frame::Text(Cow::Owned(text.into_owned())),
            Self::Binary(bytes) => Frame::Binary(Cow::Owned(bytes.into_owned())),
        }
    }
}

macro_rules! from_text_or_bytes {
    ($type:ident) => {
        impl<'a> From<&'a str> for $type<'a> {
            fn from(text: &'a str) -> Self {
                Self::Text(Cow::Borrowed(text))
            }
        }

        impl From<String> for $type<'_> {
            fn from(text: String) -> Self {
                Self::Text(Cow::Owned(text))
            }
        }

        impl<'a> From<Cow<'a, str>> for $type<'a> {
            fn from(text: Cow<'a, str>) -> Self {
                Self::Text(text)
            }
        }

        impl<'a> From<&'a [u8]> for $type<'a> {
            fn from(bytes: &'a [u8]) -> Self {
                Self::Binary(Cow::Borrowed(bytes))
            }
        }

        impl From<Vec<u8>> for $type<'_> {
            fn from(bytes: Vec<u8>) -> Self {
                Self::Binary(Cow::Owned(bytes))
            }
        }
    };
}

from_text_or_bytes!(Data);
from_text_or_bytes!(Frame);
