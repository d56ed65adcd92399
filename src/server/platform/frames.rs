//! From the platform's texts and bytes to ours, at little cost.

use dormouse_proto::engine::Frame;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// A message from a WebSocket: text has a `length`, and an `ArrayBuffer` does
    /// not.
    type Message;
    #[wasm_bindgen(method, getter)]
    fn length(this: &Message) -> f64;

    type TextEncoder;
    #[wasm_bindgen(constructor)]
    fn new() -> TextEncoder;
    #[wasm_bindgen(method, js_name = encodeInto)]
    fn encode_into(this: &TextEncoder, text: &JsValue, bytes: &mut [u8]) -> Encoded;
    type Encoded;
    #[wasm_bindgen(method, getter)]
    fn read(this: &Encoded) -> usize;

    /// Bytes of the platform's, which are copied in one call. With those of `js_sys`,
    /// it takes five.
    #[wasm_bindgen(js_name = Uint8Array)]
    pub(super) type Bytes;
    #[wasm_bindgen(constructor, js_class = Uint8Array)]
    fn new(buffer: &JsValue) -> Bytes;
    #[wasm_bindgen(method, getter)]
    pub(super) fn length(this: &Bytes) -> f64;
    #[wasm_bindgen(method, js_name = valueOf)]
    pub(super) fn copy(this: &Bytes) -> Vec<u8>;
}

/// From this length on, text is read by the platform and not by the bindings, which
/// read it character by character.
const LONG: f64 = 256.0;

/// Returns what a WebSocket has brought, or `None` if it is longer than `limit`. The
/// length is known before anything is copied: linear memory never shrinks.
///
/// Text that is not ASCII has more bytes than the platform counts characters, at most
/// three times as many, so `limit` still has to be compared with the result.
pub(crate) fn frame_of(message: &JsValue, limit: usize) -> Option<Frame<'static>> {
    let limit = limit as f64;
    let length = message.unchecked_ref::<Message>().length();
    if length > limit {
        return None;
    }
    if let Some(text) = text_of(message, length) {
        return Some(Frame::from(text));
    }
    let bytes = Bytes::new(message);
    let fits = bytes.length() <= limit;
    fits.then(|| Frame::from(bytes.copy()))
}

/// Returns what is in an `ArrayBuffer`.
pub(crate) fn bytes_of(buffer: &JsValue) -> Vec<u8> {
    Bytes::new(buffer).copy()
}

/// Returns a message's text, if it is text of this length.
fn text_of(message: &JsValue, length: f64) -> Option<String> {
    thread_local! {
        static ENCODER: TextEncoder = TextEncoder::new();
    }
    if length >= LONG {
        // ASCII is as long in UTF-8 as in JavaScript, and most long texts are ASCII.
        let mut bytes = vec![0; length as usize];
        let encoded = ENCODER.with(|encoder| encoder.encode_into(message, &mut bytes));
        if encoded.read() == bytes.len()
            && let Ok(text) = String::from_utf8(bytes)
        {
            return Some(text);
        }
    }
    message.as_string()
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
