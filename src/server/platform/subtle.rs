//! What the platform computes of cryptography (Web Crypto's `crypto.subtle`): a crate for
//! it would weigh more than its bindings.

use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = ["crypto", "subtle"], js_name = importKey, catch)]
    fn import_key(
        format: &str,
        key: &Uint8Array,
        algorithm: &JsValue,
        extractable: bool,
        usages: &Array,
    ) -> Result<Promise, JsValue>;
    #[wasm_bindgen(js_namespace = ["crypto", "subtle"], js_name = sign, catch)]
    fn sign(algorithm: &str, key: &JsValue, data: &Uint8Array) -> Result<Promise, JsValue>;
    #[wasm_bindgen(js_namespace = ["crypto", "subtle"], js_name = verify, catch)]
    fn verify(
        algorithm: &str,
        key: &JsValue,
        signature: &Uint8Array,
        data: &Uint8Array,
    ) -> Result<Promise, JsValue>;
    #[wasm_bindgen(js_namespace = ["crypto", "subtle"], js_name = digest, catch)]
    fn digest(algorithm: &str, data: &Uint8Array) -> Result<Promise, JsValue>;
}

/// Returns the HMAC-SHA256 of data.
pub(crate) async fn hmac(key: &[u8], data: &Uint8Array) -> Result<Vec<u8>, JsValue> {
    let key = hmac_key(key, "sign").await?;
    let signature = JsFuture::from(sign("HMAC", &key, data)?).await?;
    Ok(Uint8Array::new(&signature).to_vec())
}

/// Returns whether this is the HMAC-SHA256 of data, in a time that says nothing about it.
pub(crate) async fn is_hmac(
    signature: &[u8],
    key: &[u8],
    data: &Uint8Array,
) -> Result<bool, JsValue> {
    let key = hmac_key(key, "verify").await?;
    let is_right = verify("HMAC", &key, &Uint8Array::from(signature), data)?;
    Ok(JsFuture::from(is_right).await?.is_truthy())
}

/// Returns the SHA-256 of data.
pub(crate) async fn sha256(data: &[u8]) -> Result<Vec<u8>, JsValue> {
    let digest = JsFuture::from(digest("SHA-256", &Uint8Array::from(data))?).await?;
    Ok(Uint8Array::new(&digest).to_vec())
}

async fn hmac_key(key: &[u8], usage: &str) -> Result<JsValue, JsValue> {
    let algorithm = Object::new();
    Reflect::set(&algorithm, &"name".into(), &"HMAC".into())?;
    Reflect::set(&algorithm, &"hash".into(), &"SHA-256".into())?;
    let usages = Array::of1(&usage.into());
    let key = import_key("raw", &Uint8Array::from(key), &algorithm, false, &usages)?;
    JsFuture::from(key).await
}
