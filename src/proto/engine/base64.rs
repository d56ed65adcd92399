//! Base64 as Engine.IO clients write it: the standard alphabet (RFC 4648,
//! section 4).
//!
//! What we write is padded. What we read is as lenient as stock clients need:
//! padding may be missing, bits that no byte needs may be set, and line breaks are
//! skipped, because the Java client breaks its lines after 76 characters. The
//! reference server skips *any* character outside the alphabet; here those are
//! errors, because a message with a hole in it is worse than none.

use alloc::vec::Vec;

use super::ParseError;
use crate::Base64;

pub(super) fn decode(text: &str) -> Result<Vec<u8>, ParseError> {
    // Few clients break lines, so breaks are looked for only if decoding failed.
    let decoded = Base64::Standard.decode_leniently(text).or_else(|| {
        let unbroken = text.replace(['\r', '\n'], "");
        Base64::Standard.decode_leniently(&unbroken)
    });
    decoded.ok_or(ParseError::BadBase64)
}
