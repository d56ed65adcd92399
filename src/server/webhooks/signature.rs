//! Signatures as Standard Webhooks defines them: HMAC-SHA256 over id, time and body, in
//! base64, one for each secret.

use dormouse_proto::Base64;
use js_sys::Uint8Array;
use wasm_bindgen::JsValue;

use crate::platform::subtle;

/// The beginning of a secret.
const PREFIX: &str = "whsec_";

/// The length of a key, in bytes.
const KEY_LENGTH: core::ops::RangeInclusive<usize> = 24..=64;

/// The key in a secret.
#[derive(Debug)]
pub(super) struct SigningKey(Vec<u8>);

impl SigningKey {
    /// Reads a secret, or says what is wrong with it, without saying what it is.
    pub(super) fn parse(secret: &str) -> Result<Self, &'static str> {
        let key = secret
            .trim()
            .strip_prefix(PREFIX)
            .and_then(|key| Base64::Standard.decode(key));
        let fits = key.filter(|key| KEY_LENGTH.contains(&key.len()));
        fits.map(Self).ok_or(
            "must be `whsec_` and 24 to 64 random bytes in base64: \
             echo \"whsec_$(openssl rand -base64 32)\"",
        )
    }
}

/// What is signed.
pub(super) struct Content {
    bytes: Uint8Array,
    /// Where the body begins.
    body: u32,
}

impl Content {
    pub(super) fn new(id: &str, seconds: &str, body: &str) -> Self {
        let before = format!("{id}.{seconds}.");
        let start = before.len() as u32;
        let bytes = Uint8Array::new_with_length(start + body.len() as u32);
        bytes.subarray(0, start).copy_from(before.as_bytes());
        bytes
            .subarray(start, bytes.length())
            .copy_from(body.as_bytes());
        Self { bytes, body: start }
    }

    /// Returns the body, as bytes of the runtime's.
    pub(super) fn body(&self) -> Uint8Array {
        self.bytes.subarray(self.body, self.bytes.length())
    }

    /// Returns the value of the header `webhook-signature`.
    pub(super) async fn sign(&self, keys: &[SigningKey]) -> Result<String, JsValue> {
        let mut header = String::new();
        for SigningKey(key) in keys {
            let signature = subtle::hmac(key, &self.bytes).await?;
            if !header.is_empty() {
                header.push(' ');
            }
            header.push_str("v1,");
            Base64::Standard.push(&signature, &mut header);
        }
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    /// The example of the specification.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[wasm_bindgen_test(unsupported = test)]
    fn secrets_are_those_of_standard_webhooks() {
        assert_eq!(SigningKey::parse(SECRET).unwrap().0.len(), 24);
        assert!(SigningKey::parse(&format!("{SECRET}\n")).is_ok());
        let of_length = |length| format!("whsec_{}", Base64::Standard.encode(vec![7; length]));
        for (length, is_right) in [(23, false), (24, true), (64, true), (65, false)] {
            assert_eq!(SigningKey::parse(&of_length(length)).is_ok(), is_right);
        }
        for wrong in [
            "",
            "whsec_",
            "secret",
            "whsec_????",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ] {
            assert!(SigningKey::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[cfg(target_arch = "wasm32")]
    #[wasm_bindgen_test]
    async fn signatures_are_those_of_the_specification() {
        let body = r#"{"test": 2432232314}"#;
        let content = Content::new("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body);
        assert_eq!(content.body().to_vec(), body.as_bytes());
        let expect = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let key = || SigningKey::parse(SECRET).unwrap();
        assert_eq!(content.sign(&[key()]).await.unwrap(), expect);
        let both = content.sign(&[key(), key()]).await.unwrap();
        assert_eq!(both, format!("{expect} {expect}"));
    }
}
