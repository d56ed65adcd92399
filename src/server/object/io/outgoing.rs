//! What is sent: encoded once, for any number of sockets.

use core::cell::OnceCell;
use std::rc::Rc;

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{Frame, Prepared};
use dormouse_proto::socket::{Args, Encoded, Offset, Parser, Protocol, ServerPacket};
use js_sys::{JsString, Uint8Array};
use wasm_bindgen::JsCast as _;
use wasm_bindgen::JsValue;
use web_sys::WebSocket;

use crate::object::Shell;
use crate::platform::{self, SocketExt as _};
use crate::sid::Key;

/// The most bytes held for a socket that does not know yet that it is connected.
/// One past it is refused: its handler sends without end.
const MAX_HELD: usize = 4 << 20;

/// A packet as it is sent to many: in the runtime's own strings, so that each of
/// its messages crosses over once.
pub(super) struct Outgoing {
    parts: Vec<Part>,
}

struct Part {
    message: Prepared,
    /// The text of a text, the bytes of bytes.
    value: OnceCell<JsValue>,
}

impl From<Encoded> for Outgoing {
    fn from(encoded: Encoded) -> Self {
        let parts = encoded.messages.into_iter().map(|message| Part {
            message,
            value: OnceCell::new(),
        });
        Self {
            parts: parts.collect(),
        }
    }
}

impl Outgoing {
    fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.message.len()).sum()
    }
}

impl Part {
    /// Sends it as this frame, which was made of it.
    fn send(&self, socket: &WebSocket, frame: &Frame<'_>) {
        match (frame, &self.message) {
            (Frame::Text(text), Prepared::Text(_)) => {
                let value = self.value.get_or_init(|| JsString::from(&**text).into());
                socket.send_text(value.unchecked_ref());
            }
            (Frame::Binary(bytes), Prepared::Binary(content)) if bytes.len() == content.len() => {
                let value = self.value.get_or_init(|| Uint8Array::from(&**bytes).into());
                socket.send_array(value.unchecked_ref());
            }
            (Frame::Text(text), Prepared::Binary(_)) => socket.send_text(&JsString::from(&**text)),
            (Frame::Binary(bytes), _) => socket.send_bytes(bytes),
        }
    }
}

/// An event that goes to sockets of both protocols: encoded for each of them, if
/// there is one of it.
pub(super) struct Letter<'a> {
    parser: Parser,
    namespace: &'a str,
    ack: Option<u32>,
    args: &'a Args<'a>,
    offset: Option<Offset>,
    /// For clients that know of offsets, and for those that do not.
    encoded: [OnceCell<Rc<Outgoing>>; 2],
}

impl<'a> Letter<'a> {
    pub(super) fn new(
        parser: Parser,
        namespace: &'a str,
        ack: Option<u32>,
        args: &'a Args<'a>,
        offset: Option<Offset>,
    ) -> Self {
        Self {
            parser,
            namespace,
            ack,
            args,
            offset,
            encoded: [OnceCell::new(), OnceCell::new()],
        }
    }

    pub(super) fn encoded(&self, protocol: Protocol) -> &Rc<Outgoing> {
        // Without an offset, an event is the same in both protocols.
        let [with, without] = &self.encoded;
        let offset = self.offset.filter(|_| protocol == Protocol::V5);
        let cell = if self.offset.is_some() && offset.is_none() {
            without
        } else {
            with
        };
        cell.get_or_init(|| {
            let offset = offset.map(|offset| offset.to_string());
            let packet = ServerPacket::Event {
                namespace: self.namespace,
                ack: self.ack,
                args: self.args,
                offset: offset.as_deref(),
            };
            Rc::new(packet.encode(protocol, self.parser).into())
        })
    }
}

/// Sending.
impl Shell {
    /// Sends a packet to a session's client. `false` if it has gone.
    pub(super) fn send_packet(&self, key: Key, encoded: Encoded) -> bool {
        self.transmit_all(key, &encoded.into(), platform::now())
    }

    /// Sends an event to one socket of those in memory, or keeps it until its
    /// client knows of the socket.
    pub(super) fn post(
        &self,
        key: Key,
        letter: &Letter<'_>,
        volatile: bool,
        now: Timestamp,
    ) -> bool {
        let socket = self.with_io(key, |io| {
            let socket = io.client.socket(letter.namespace)?;
            Some((io.client.protocol(), socket.is_connected()))
        });
        let Some((protocol, connected)) = socket.flatten() else {
            return false;
        };
        let outgoing = letter.encoded(protocol);
        if !connected {
            return self.hold(key, letter.namespace, outgoing);
        }
        if volatile && self.with(key, |session| session.is_ready()) != Some(true) {
            return true;
        }
        self.transmit_all(key, outgoing, now)
    }

    fn hold(&self, key: Key, namespace: &str, outgoing: &Rc<Outgoing>) -> bool {
        let held = self.with_io(key, |io| {
            io.with_beside(namespace, |beside| {
                let bytes: usize = beside.held.iter().map(|outgoing| outgoing.bytes()).sum();
                let has_room = bytes + outgoing.bytes() <= MAX_HELD;
                if has_room {
                    beside.held.push(outgoing.clone());
                }
                has_room
            })
        });
        held == Some(true)
    }

    pub(super) fn transmit_all(&self, key: Key, outgoing: &Outgoing, now: Timestamp) -> bool {
        if self.with(key, |session| session.is_in_doubt(now)) == Some(true) {
            self.tell_sign_of_life(key);
            self.with(key, |session| session.handle_timeout(now));
            self.touch(key);
        }
        let mut settled = true;
        let open = self.with_entry(key, |entry| {
            for part in &outgoing.parts {
                match entry.session.send_prepared(now, &part.message) {
                    Some((conn, frame)) => {
                        if let Some(socket) = entry.socket(conn) {
                            part.send(socket, &frame);
                        }
                    }
                    None => settled = false,
                }
            }
            entry.session.transport().is_some()
        });
        if !settled {
            self.touch(key);
        }
        open == Some(true)
    }
}
