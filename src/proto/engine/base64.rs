//! Base64 as Engine.IO clients write it: the standard alphabet (RFC 4648,
//! section 4).
//!
//! What we write is padded. What we read is as lenient as stock clients need:
//! padding may be missing, bits that no byte needs may be set, and line breaks are
//! skipped, because the Java client breaks its lines after 76 characters. The
//! reference server skips *any* character outside the alphabet; here those are
//! errors, because a message with a hole in it is worse than none.

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::ParseError;

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

pub(super) fn encode(bytes: &[u8], out: &mut String) {
    ENGINE.encode_string(bytes, out);
}

/// Returns the number of characters in the encoding of `len` bytes.
pub(super) const fn encoded_len(len: usize) -> usize {
    len.div_ceil(3) * 4
}

pub(super) fn decode(text: &str) -> Result<Vec<u8>, ParseError> {
    // Few clients break lines, so breaks are looked for only if decoding failed.
    ENGINE.decode(text.as_bytes()).or_else(|_| {
        let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let unbroken: Vec<u8> = text.bytes().filter(|byte| !is_break(byte)).collect();
        ENGINE.decode(&*unbroken).map_err(|_| ParseError::BadBase64)
    })
}
