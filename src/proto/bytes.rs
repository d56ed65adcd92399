//! Bytes in snapshots and rows, written and read at once: serde by itself writes a
//! `Vec<u8>` number by number, and the content of messages has millions of them. What
//! is written is the same.
//!
//! ```
//! use dormouse_proto::{bytes, versioned};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct Row {
//!     #[serde(with = "bytes")]
//!     content: Vec<u8>,
//!     #[serde(with = "bytes::each")]
//!     attachments: Vec<Vec<u8>>,
//! }
//!
//! let row = Row { content: vec![1, 2], attachments: vec![vec![3]] };
//! let written = versioned::encode(1, &row);
//! assert_eq!(written, versioned::encode(1, &(vec![1_u8, 2], vec![vec![3_u8]])));
//! assert_eq!(versioned::decode(1, &written), Ok(row));
//! ```

use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

/// Writes bytes, as `#[serde(with = "bytes")]` does.
///
/// # Errors
///
/// The serializer fails.
pub fn serialize<S: Serializer>(bytes: &impl AsRef<[u8]>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_bytes(bytes.as_ref())
}

/// Reads bytes, as `#[serde(with = "bytes")]` does.
///
/// # Errors
///
/// Something else is there.
pub fn deserialize<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: From<Vec<u8>>,
{
    from.deserialize_byte_buf(BytesVisitor).map(T::from)
}

struct BytesVisitor;

impl Visitor<'_> for BytesVisitor {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.into())
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }
}

/// Bytes by themselves: an item of a list.
struct Written<'a>(&'a [u8]);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(self.0)
    }
}

/// The same, read back.
struct Read(Vec<u8>);

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        deserialize(from).map(Self)
    }
}

/// The same for a `Vec<Vec<u8>>`: `#[serde(with = "bytes::each")]`.
pub mod each {
    use super::{Deserialize, Deserializer, Read, Serializer, Vec, Written};

    /// Writes a list of bytes.
    ///
    /// # Errors
    ///
    /// The serializer fails.
    pub fn serialize<S: Serializer>(all: &[Vec<u8>], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(all.iter().map(|bytes| Written(bytes)))
    }

    /// Reads a list of bytes.
    ///
    /// # Errors
    ///
    /// Something else is there.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Vec<u8>>, D::Error> {
        let all = Vec::<Read>::deserialize(from)?;
        Ok(all.into_iter().map(|Read(bytes)| bytes).collect())
    }
}

/// The same for an `Option<Vec<u8>>`: `#[serde(with = "bytes::option")]`.
pub mod option {
    use super::{Deserialize, Deserializer, Read, Serialize as _, Serializer, Vec, Written};

    /// Writes bytes that may be missing.
    ///
    /// # Errors
    ///
    /// The serializer fails.
    pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
        bytes.as_deref().map(Written).serialize(to)
    }

    /// Reads bytes that may be missing.
    ///
    /// # Errors
    ///
    /// Something else is there.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
        let bytes = Option::<Read>::deserialize(from)?;
        Ok(bytes.map(|Read(bytes)| bytes))
    }
}

#[cfg(test)]
mod tests;
