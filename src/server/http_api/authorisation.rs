//! Who may use the API: another Worker through a service binding, and whoever has one of
//! two secrets.
//!
//! What a service binding was given as `props` reaches the Worker beside the request, in
//! its context, and is written in the configuration of the Worker that has the binding:
//! no request from outside can bring any.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::JsValue;
use worker::Env;

use super::answer::Refused;
use crate::incoming::Incoming;
use crate::platform::subtle;
use crate::query;

/// The header of a signature.
const SIGNATURE: &str = "x-dormouse-signature";

/// The value of the property `dormouse` of a service binding's `props`.
const PROPS: &str = "api";

/// Returns the refusal of whoever is not known.
pub(super) fn unauthorized(message: impl Into<String>) -> Refused {
    Refused::new(401, "unauthorized", message)
}

/// Returns whether a request comes through a service binding whose `props` say
/// `dormouse = "api"`.
pub(super) fn is_bound(context: &JsValue) -> bool {
    let property = |of: &JsValue, name: &str| Reflect::get(of, &name.into()).ok();
    let value = property(context, "props").and_then(|props| property(&props, "dormouse"));
    value.and_then(|value| value.as_string()).as_deref() == Some(PROPS)
}

/// Returns the secrets that are set.
pub(super) fn secrets(env: &Env, names: &[String; 2]) -> Vec<String> {
    let all = names.iter().filter_map(|name| {
        let value = Reflect::get(env, &name.as_str().into()).ok()?.as_string();
        value.filter(|secret| !secret.is_empty())
    });
    all.collect()
}

/// Returns whether a request has one of the secrets as its bearer token.
pub(super) fn has_secret(request: &Incoming, secrets: &[String]) -> bool {
    let header = request.header("authorization").unwrap_or_default();
    let token = match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => return false,
    };
    // All of them are compared, whichever it is.
    let all = secrets.iter().map(|secret| is_same(token, secret));
    all.fold(false, |any, is_same| any | is_same)
}

/// Compares a text with a secret, in a time that says nothing about the secret.
fn is_same(text: &str, secret: &str) -> bool {
    let secret = secret.as_bytes();
    let mut difference = usize::from(text.len() != secret.len());
    for (byte, other) in text.bytes().zip(secret.iter().cycle()) {
        difference = core::hint::black_box(difference | usize::from(byte ^ other));
    }
    difference == 0
}

/// A signature that is not checked yet:
/// `t=<seconds>,b=<SHA-256 of the body>,v1=<signature>`, the latter two in hexadecimal.
///
/// It is one of the body's digest and not of the body itself, so that nothing is read for
/// those who cannot sign.
pub(super) struct Signature {
    /// In seconds since 1970.
    pub(super) time: u64,
    /// In lower case.
    pub(super) text: String,
    bytes: [u8; 32],
    /// Of the body, in lower case.
    digest: String,
}

impl Signature {
    /// Returns the signature of a request, if it has one that can be read.
    pub(super) fn of(request: &Incoming) -> Option<Self> {
        Self::parse(&request.header(SIGNATURE)?)
    }

    fn parse(header: &str) -> Option<Self> {
        let (mut time, mut digest, mut text) = (None, None, None);
        for part in header.split(',') {
            match part.trim().split_once('=')? {
                ("t", seconds) => time = seconds.parse::<u32>().ok(),
                ("b", body) => digest = Some(body.to_ascii_lowercase()),
                ("v1", signature) => text = Some(signature.to_ascii_lowercase()),
                // Another version may say more.
                _ => {}
            }
        }
        let text = text?;
        let (digits, rest) = text.as_bytes().as_chunks::<2>();
        let mut bytes = [0; 32];
        if digits.len() != bytes.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(digits) {
            let digit = |digit: u8| char::from(digit).to_digit(16);
            *byte = u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?;
        }
        Some(Self {
            time: u64::from(time?),
            text,
            bytes,
            digest: digest?,
        })
    }

    /// Returns whether it is that of a request, by one of the secrets, whatever its body
    /// is.
    pub(super) async fn is_of(&self, request: &Incoming, secrets: &[String]) -> bool {
        let method = request.method();
        let target = target(request.url());
        let data = format!("{}\n{method}\n{target}\n{}", self.time, self.digest);
        let data = Uint8Array::from(data.as_bytes());
        for secret in secrets {
            if let Ok(true) = subtle::is_hmac(&self.bytes, secret.as_bytes(), &data).await {
                return true;
            }
        }
        false
    }

    /// Returns whether it is for this body.
    pub(super) async fn covers(&self, body: &[u8]) -> bool {
        let Ok(digest) = subtle::sha256(body).await else {
            return false;
        };
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        hex == self.digest
    }
}

/// Returns a URL's path and query.
fn target(url: &str) -> String {
    match query::split(url) {
        (path, "") => path.to_owned(),
        (path, query) => format!("{path}?{query}"),
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test(unsupported = test)]
    fn a_secret_is_the_whole_of_it() {
        assert!(is_same("secret", "secret"));
        for other in [
            "",
            "s",
            "secre",
            "secret ",
            "secretsecret",
            "Secret",
            "secreT",
        ] {
            assert!(!is_same(other, "secret"), "{other}");
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_signature_has_a_time_and_32_bytes() {
        let digits = "0123456789abcdefABCDEF0123456789".repeat(2);
        let read = Signature::parse(&format!("t=7, b=AB,v1={digits},v2=more")).unwrap();
        assert_eq!((read.time, read.bytes[0], read.bytes[31]), (7, 0x01, 0x89));
        assert_eq!(
            (read.digest, read.text),
            ("ab".to_owned(), digits.to_lowercase())
        );
        for other in [
            String::new(),
            "t=7,b=ab".to_owned(),
            format!("b=ab,v1={digits}"),
            format!("t=7,v1={digits}"),
            format!("t=7 b=ab v1={digits}"),
            format!("t=-7,b=ab,v1={digits}"),
            format!("t=99999999999,b=ab,v1={digits}"),
            format!("t=7,b=ab,v1={digits}0"),
            format!("t=7,b=ab,v1={digits}00"),
            format!("t=7,b=ab,v1={}", "é".repeat(32)),
        ] {
            assert!(Signature::parse(&other).is_none(), "{other}");
        }
    }
}
