//! Bytes that outlive the code that wrote them, behind the number of their layout.
//!
//! What is written before a deploy may be read after it. A reader that has another
//! number does not guess: to it, the bytes are [of another
//! version](SnapshotError::Version).
//!
//! ```
//! use dormouse_proto::versioned::{SnapshotError, decode, encode};
//!
//! let bytes = encode(1, &("lobby", 7));
//! assert_eq!(decode(1, &bytes), Ok(("lobby", 7)));
//! assert_eq!(decode::<(&str, i32)>(2, &bytes), Err(SnapshotError::Version));
//! assert_eq!(decode::<(&str, i32)>(1, &[]), Err(SnapshotError::Malformed));
//! ```

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

/// Why bytes could not be read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotError {
    /// They were written in another layout.
    Version,
    /// They are damaged.
    Malformed,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "snapshot of another version",
            Self::Malformed => "damaged snapshot",
        })
    }
}

impl core::error::Error for SnapshotError {}

/// Writes a value in a layout of this number.
pub fn encode<T: Serialize>(version: u8, value: &T) -> Vec<u8> {
    let bytes = postcard::to_allocvec(&(version, value));
    // The buffer grows, so all that can fail is a type that postcard cannot write: one
    // that is flattened, for example. A test of any kind finds it.
    debug_assert!(bytes.is_ok(), "a type that postcard cannot write");
    bytes.unwrap_or_default()
}

/// Reads back what was written in a layout of this number.
///
/// # Errors
///
/// The bytes are in another layout, or are none of ours.
pub fn decode<'a, T: Deserialize<'a>>(version: u8, bytes: &'a [u8]) -> Result<T, SnapshotError> {
    let (value, rest) = take(version, bytes)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(SnapshotError::Malformed)
    }
}

/// Reads the beginning of what was written in a layout of this number, and nothing of
/// what comes after it.
///
/// ```
/// use dormouse_proto::versioned::{decode_start, encode};
///
/// assert_eq!(decode_start(1, &encode(1, &("lobby", 7))), Ok("lobby"));
/// ```
///
/// # Errors
///
/// The bytes are in another layout, or are none of ours.
pub fn decode_start<'a, T: Deserialize<'a>>(
    version: u8,
    bytes: &'a [u8],
) -> Result<T, SnapshotError> {
    take(version, bytes).map(|(value, _)| value)
}

fn take<'a, T: Deserialize<'a>>(
    version: u8,
    bytes: &'a [u8],
) -> Result<(T, &'a [u8]), SnapshotError> {
    let (&first, rest) = bytes.split_first().ok_or(SnapshotError::Malformed)?;
    if first != version {
        return Err(SnapshotError::Version);
    }
    postcard::take_from_bytes(rest).map_err(|_| SnapshotError::Malformed)
}
