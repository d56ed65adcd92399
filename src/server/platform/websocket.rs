//! What is done with one WebSocket of this runtime.

use dormouse_proto::engine::ConnId;
use js_sys::{JsString, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::WebSocket;
use worker::worker_sys::WebSocketPair;

use super::{number_of, set_number_of};

#[wasm_bindgen]
extern "C" {
    /// A WebSocket of this runtime.
    type Socket;
    #[wasm_bindgen(method, catch)]
    fn accept(this: &Socket) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = send)]
    fn send_text(this: &Socket, text: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = send)]
    fn send_string(this: &Socket, text: &JsString) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = send)]
    fn send_bytes(this: &Socket, bytes: &Uint8Array) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = serializeAttachment)]
    fn serialize_attachment(this: &Socket, bytes: &Uint8Array) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = deserializeAttachment)]
    fn deserialize_attachment(this: &Socket) -> Result<Option<Vec<u8>>, JsValue>;
}

/// Operations on this runtime's WebSockets.
pub(crate) trait SocketExt {
    /// Returns the number of this WebSocket's connection, while the object is awake.
    fn conn(&self) -> Option<ConnId>;
    fn set_number(&self, conn: ConnId);
    /// Accepts a WebSocket without letting the object sleep.
    fn accept_awake(&self);
    fn send_text(&self, text: &str);
    /// Sends a text that is a value of the runtime's.
    fn send_string(&self, text: &JsString);
    fn send_bytes(&self, bytes: &[u8]);
    /// Sends bytes that are a value of the runtime's, and that nobody changes.
    fn send_array(&self, bytes: &Uint8Array);
    fn close_quietly(&self, code: u16);
    fn set_attachment(&self, bytes: &[u8]) -> Result<(), JsValue>;
    fn attachment(&self) -> Option<Vec<u8>>;
}

// Sending to a socket that has just closed, or closing it again, throws. That is not
// news: the event about it is on its way.
impl SocketExt for WebSocket {
    fn conn(&self) -> Option<ConnId> {
        number_of(self).map(ConnId)
    }

    fn set_number(&self, conn: ConnId) {
        set_number_of(self, conn.0);
    }

    fn accept_awake(&self) {
        // Otherwise bytes come as a `Blob`, which has to be awaited.
        let _ = Reflect::set(self, &"binaryType".into(), &"arraybuffer".into());
        let _ = self.unchecked_ref::<Socket>().accept();
    }

    fn send_text(&self, text: &str) {
        let _ = self.unchecked_ref::<Socket>().send_text(text);
    }

    fn send_string(&self, text: &JsString) {
        let _ = self.unchecked_ref::<Socket>().send_string(text);
    }

    fn send_bytes(&self, bytes: &[u8]) {
        // This is a copy: the runtime reads the bytes when it sends them, which may
        // be after a write to storage, and by then our memory holds something else.
        let bytes = Uint8Array::from(bytes);
        let _ = self.unchecked_ref::<Socket>().send_bytes(&bytes);
    }

    fn send_array(&self, bytes: &Uint8Array) {
        let _ = self.unchecked_ref::<Socket>().send_bytes(bytes);
    }

    fn close_quietly(&self, code: u16) {
        let _ = self.close_with_code(code);
    }

    fn set_attachment(&self, bytes: &[u8]) -> Result<(), JsValue> {
        self.unchecked_ref::<Socket>()
            .serialize_attachment(&Uint8Array::from(bytes))
    }

    fn attachment(&self) -> Option<Vec<u8>> {
        self.unchecked_ref::<Socket>()
            .deserialize_attachment()
            .ok()?
    }
}

/// Creates a WebSocket, and returns its two ends: the client's and ours.
pub(crate) fn socket_pair() -> Option<(WebSocket, WebSocket)> {
    let mut pair = WebSocketPair::new().ok()?;
    Some((pair.client().ok()?, pair.server().ok()?))
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
