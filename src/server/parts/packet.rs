//! A packet on its way to WebSockets. Each of its messages is converted to a value
//! of the runtime's once, whatever the number of WebSockets.

use core::cell::OnceCell;
use std::rc::Rc;

use dormouse_proto::engine::{Frame, Prepared};
use dormouse_proto::socket::Encoded;
use js_sys::{JsString, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::WebSocket;

use crate::platform::SocketExt as _;

/// A packet as it is sent.
pub(crate) struct Packet {
    encoded: Rc<Encoded>,
    /// In a packet for many: its messages as values of the runtime's.
    values: Vec<OnceCell<JsValue>>,
}

impl Packet {
    /// Creates a packet for this number of sockets.
    pub(crate) fn new(encoded: Rc<Encoded>, count: usize) -> Self {
        let values = match count {
            0 | 1 => Vec::new(),
            _ => encoded.messages().map(|_| OnceCell::new()).collect(),
        };
        Self { encoded, values }
    }

    pub(crate) fn encoded(&self) -> &Rc<Encoded> {
        &self.encoded
    }

    /// Returns the size of all its messages, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.encoded.messages().map(Prepared::len).sum()
    }

    /// Returns its messages, each with the place for its value.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (&Prepared, Option<&OnceCell<JsValue>>)> {
        let messages = self.encoded.messages().enumerate();
        messages.map(|(index, message)| (message, self.values.get(index)))
    }
}

/// Sends a message as this frame, which was made from it.
pub(crate) fn send(
    socket: &WebSocket,
    frame: &Frame<'_>,
    message: &Prepared,
    value: Option<&OnceCell<JsValue>>,
) {
    match (frame, message, value) {
        (Frame::Text(text), Prepared::Text(_), Some(value)) => {
            let value = value.get_or_init(|| JsString::from(&**text).into());
            socket.send_string(value.unchecked_ref());
        }
        (Frame::Binary(bytes), Prepared::Binary(content), Some(value))
            if bytes.len() == content.len() =>
        {
            let value = value.get_or_init(|| Uint8Array::from(&**bytes).into());
            socket.send_array(value.unchecked_ref());
        }
        (Frame::Text(text), ..) => socket.send_text(text),
        (Frame::Binary(bytes), ..) => socket.send_bytes(bytes),
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
