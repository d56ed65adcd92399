//! Base64 (RFC 4648), written to weigh little.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// One of the two alphabets of base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base64 {
    /// That of section 4, padded.
    Standard,
    /// That of section 5, which is safe in URLs, without padding.
    UrlSafe,
}

impl Base64 {
    /// Encodes bytes.
    ///
    /// ```
    /// use dormouse_proto::Base64;
    ///
    /// assert_eq!(Base64::Standard.encode([0xfb, 0xff]), "+/8=");
    /// assert_eq!(Base64::UrlSafe.encode([0xfb, 0xff]), "-_8");
    /// ```
    pub fn encode(self, bytes: impl AsRef<[u8]>) -> String {
        let mut out = String::new();
        self.push(bytes.as_ref(), &mut out);
        out
    }

    /// Appends the encoding of bytes to a text.
    pub fn push(self, bytes: &[u8], out: &mut String) {
        out.reserve(padded_len(bytes.len()));
        for chunk in bytes.chunks(BYTES) {
            let mut digits = [0; DIGITS];
            let (words, _) = digits.as_chunks_mut();
            let (groups, rest) = chunk.as_chunks();
            for (word, group) in words.iter_mut().zip(groups) {
                *word = values_of(*group);
            }
            if let Some(word) = words.get_mut(groups.len()) {
                let mut group = [0; 6];
                for (to, from) in group.iter_mut().zip(rest) {
                    *to = *from;
                }
                *word = values_of(group);
            }
            // All of them, so that many can be looked at together.
            for digit in &mut digits {
                *digit = self.digit(*digit);
            }
            let text = digits.get(..(4 * chunk.len()).div_ceil(3));
            let text = text.and_then(|digits| core::str::from_utf8(digits).ok());
            out.push_str(text.unwrap_or_default());
        }
        if self == Self::Standard {
            (0..2 - (bytes.len() + 2) % 3).for_each(|_| out.push('='));
        }
    }

    fn digit(self, value: u8) -> u8 {
        match (value, self) {
            (0..26, _) => value + b'A',
            (26..52, _) => value - 26 + b'a',
            (52..62, _) => value - 52 + b'0',
            (62, Self::Standard) => b'+',
            (62, Self::UrlSafe) => b'-',
            (_, Self::Standard) => b'/',
            (_, Self::UrlSafe) => b'_',
        }
    }

    /// Decodes a text that is exactly what [`encode`](Self::encode) makes of some bytes.
    /// Returns `None` if it is anything else.
    ///
    /// ```
    /// use dormouse_proto::Base64;
    ///
    /// assert_eq!(Base64::Standard.decode("+/8="), Some(vec![0xfb, 0xff]));
    /// assert_eq!(Base64::Standard.decode("+/8"), None);
    /// assert_eq!(Base64::Standard.decode("+/9="), None);
    /// ```
    pub fn decode(self, text: &str) -> Option<Vec<u8>> {
        let bytes = self.decode_leniently(text)?;
        (self.encode(&bytes) == text).then_some(bytes)
    }

    /// Decodes a text. Some or all of its padding may be missing, and bits may be set that no
    /// byte needs. Returns `None` for anything that is not of the alphabet.
    ///
    /// ```
    /// use dormouse_proto::Base64;
    ///
    /// assert_eq!(Base64::Standard.decode_leniently("+/9"), Some(vec![0xfb, 0xff]));
    /// assert_eq!(Base64::Standard.decode_leniently("-_8="), None);
    /// ```
    pub fn decode_leniently(self, text: &str) -> Option<Vec<u8>> {
        let digits = text.trim_end_matches('=').as_bytes();
        if text.len() > digits.len().next_multiple_of(4) {
            return None;
        }
        let (groups, rest) = digits.as_chunks::<4>();
        if rest.len() == 1 {
            // A single digit is not even one byte.
            return None;
        }
        let mut last = [b'A'; 4];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        let mut bytes = vec![0; 3 * digits.len().div_ceil(4)];
        let (threes, _) = bytes.as_chunks_mut();
        let mut seen = 0;
        for (three, group) in threes.iter_mut().zip(groups) {
            *three = bytes_of(group, &mut seen);
        }
        if let Some(three) = threes.get_mut(groups.len()) {
            *three = bytes_of(&last, &mut seen);
        }
        bytes.truncate(3 * groups.len() + rest.len().saturating_sub(1));
        let others = match self {
            Self::Standard => URL_SAFE,
            Self::UrlSafe => STANDARD,
        };
        (seen & others == 0).then_some(bytes)
    }
}

/// Returns the values of the digits of 6 bytes: six bits of them in each.
fn values_of([a, b, c, d, e, f]: [u8; 6]) -> [u8; 8] {
    let bits = u64::from_be_bytes([0, a, b, c, 0, d, e, f]);
    let bits = (bits & 0x00ff_f000_00ff_f000) << 4 | bits & 0x0000_0fff_0000_0fff;
    let bits = (bits & 0x0fc0_0fc0_0fc0_0fc0) << 2 | bits & 0x003f_003f_003f_003f;
    bits.to_be_bytes()
}

/// Returns the bytes of 4 digits, and adds to `seen` which alphabets they are not of.
fn bytes_of(digits: &[u8; 4], seen: &mut u8) -> [u8; 3] {
    let mut bits = 0;
    for digit in digits {
        let value = VALUES.get(usize::from(*digit)).copied();
        let value = value.unwrap_or_default();
        *seen |= value;
        bits = bits << 6 | u32::from(value & 63);
    }
    let [_, bytes @ ..] = bits.to_be_bytes();
    bytes
}

/// The number of bytes that are encoded together: a multiple of 6.
const BYTES: usize = 48;
/// The number of their digits.
const DIGITS: usize = padded_len(BYTES);

/// Returns the length of the encoding of `len` bytes with its padding.
pub(crate) const fn padded_len(len: usize) -> usize {
    len.div_ceil(3) * 4
}

/// Set in the values of digits that only one of the alphabets has. What is in neither has
/// both set.
const STANDARD: u8 = 64;
const URL_SAFE: u8 = 128;

/// The values of all bytes as digits.
const VALUES: [u8; 256] = {
    let mut values = [0; 256];
    let mut rest: &mut [u8] = &mut values;
    let mut byte = 0_u8;
    while let Some((value, others)) = rest.split_first_mut() {
        *value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62 | STANDARD,
            b'/' => 63 | STANDARD,
            b'-' => 62 | URL_SAFE,
            b'_' => 63 | URL_SAFE,
            _ => STANDARD | URL_SAFE,
        };
        rest = others;
        byte = byte.wrapping_add(1);
    }
    values
};

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use ::base64::Engine as _;
    use ::base64::alphabet;
    use ::base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use ::base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    use proptest::prelude::*;

    use super::{Base64, padded_len};

    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );

    proptest! {
        #[test]
        fn bytes_are_encoded_as_by_others(bytes: Vec<u8>) {
            let standard = Base64::Standard.encode(&bytes);
            prop_assert_eq!(standard.len(), padded_len(bytes.len()));
            prop_assert_eq!(&standard, &STANDARD.encode(&bytes));
            prop_assert_eq!(Base64::Standard.decode(&standard), Some(bytes.clone()));
            let url_safe = Base64::UrlSafe.encode(&bytes);
            prop_assert_eq!(&url_safe, &URL_SAFE_NO_PAD.encode(&bytes));
            prop_assert_eq!(Base64::UrlSafe.decode(&url_safe), Some(bytes));
        }

        #[test]
        fn texts_are_decoded_as_by_others(text in "[A-Za-z0-9+/_=-]{0,12}|[Aw]{0,9}={0,4}|.{0,9}") {
            let text: String = text;
            prop_assert_eq!(Base64::Standard.decode(&text), STANDARD.decode(&text).ok());
            prop_assert_eq!(Base64::UrlSafe.decode(&text), URL_SAFE_NO_PAD.decode(&text).ok());
            prop_assert_eq!(Base64::Standard.decode_leniently(&text), LENIENT.decode(&text).ok());
        }
    }
}
