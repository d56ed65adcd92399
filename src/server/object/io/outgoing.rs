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
use crate::object::sessions::Entry;
use crate::platform::SocketExt as _;
use crate::sid::Key;

/// The most bytes held for a socket that does not know yet that it is connected.
/// One past it is refused: its handler sends without end.
const MAX_HELD: usize = 4 << 20;

/// A packet as it is sent.
pub(super) struct Outgoing {
    parts: Vec<Part>,
    /// To many, and therefore in the runtime's own strings: each of its messages
    /// crosses over once.
    shared: bool,
}

struct Part {
    message: Prepared,
    /// The text of a text, the bytes of bytes.
    value: OnceCell<JsValue>,
}

impl From<Encoded> for Outgoing {
    fn from(encoded: Encoded) -> Self {
        let (first, attachments) = encoded.into_parts();
        let mut parts = Vec::with_capacity(1 + attachments.len());
        parts.push(Part::from(first));
        parts.extend(attachments.into_iter().map(Part::from));
        Self {
            parts,
            shared: false,
        }
    }
}

impl From<Prepared> for Part {
    fn from(message: Prepared) -> Self {
        Self {
            message,
            value: OnceCell::new(),
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
    fn send(&self, socket: &WebSocket, frame: &Frame<'_>, shared: bool) {
        match (frame, &self.message) {
            (Frame::Text(text), Prepared::Text(_)) if shared => {
                let value = self.value.get_or_init(|| JsString::from(&**text).into());
                socket.send_string(value.unchecked_ref());
            }
            (Frame::Binary(bytes), Prepared::Binary(content))
                if shared && bytes.len() == content.len() =>
            {
                let value = self.value.get_or_init(|| Uint8Array::from(&**bytes).into());
                socket.send_array(value.unchecked_ref());
            }
            (Frame::Text(text), _) => socket.send_text(text),
            (Frame::Binary(bytes), _) => socket.send_bytes(bytes),
        }
    }
}

impl Entry {
    /// Sends a packet: whether the session is still open, and whether it has
    /// nothing more to say.
    fn transmit(&mut self, outgoing: &Outgoing, now: Timestamp) -> (bool, bool) {
        let mut settled = true;
        for part in &outgoing.parts {
            match self.session.send_prepared(now, &part.message) {
                Some((conn, frame)) => {
                    if let Some(socket) = self.socket(conn) {
                        part.send(socket, &frame, outgoing.shared);
                    }
                }
                None => settled = false,
            }
        }
        (self.session.transport().is_some(), settled)
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
    shared: bool,
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
            shared: false,
            encoded: [OnceCell::new(), OnceCell::new()],
        }
    }

    /// The same for so many sockets.
    pub(super) fn for_many(self, count: usize) -> Self {
        Self {
            shared: count > 1,
            ..self
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
            let encoded = packet.encode(protocol, self.parser);
            Rc::new(Outgoing {
                shared: self.shared,
                ..encoded.into()
            })
        })
    }
}

/// What becomes of an event for one socket.
enum Posted<'a> {
    /// The client does not know of the socket yet.
    Hold(&'a Rc<Outgoing>),
    /// The client may be gone.
    Doubt(&'a Rc<Outgoing>),
    /// It is sent: whether the session is still open, and has nothing more to say.
    Done(bool, bool),
}

/// Sending.
impl Shell {
    /// Sends a packet to a session's client. `false` if it has gone.
    pub(super) fn send_packet(&self, key: Key, encoded: Encoded) -> bool {
        self.transmit_all(key, &encoded.into(), self.now())
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
        let posted = self.with_entry(key, |entry| {
            let client = &entry.io.as_ref()?.client;
            let socket = client.socket(letter.namespace)?;
            let outgoing = letter.encoded(client.protocol());
            Some(if !socket.is_connected() {
                Posted::Hold(outgoing)
            } else if volatile && !entry.session.is_ready() {
                Posted::Done(true, true)
            } else if entry.session.is_in_doubt(now) {
                Posted::Doubt(outgoing)
            } else {
                let (open, settled) = entry.transmit(outgoing, now);
                Posted::Done(open, settled)
            })
        });
        match posted.flatten() {
            None => false,
            Some(Posted::Hold(outgoing)) => self.hold(key, letter.namespace, outgoing),
            Some(Posted::Doubt(outgoing)) => self.transmit_all(key, outgoing, now),
            Some(Posted::Done(open, settled)) => {
                if !settled {
                    self.touch(key);
                }
                open
            }
        }
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

    /// Sends a packet to a session, whatever it is that it says.
    pub(super) fn transmit_all(&self, key: Key, outgoing: &Outgoing, now: Timestamp) -> bool {
        if self.with(key, |session| session.is_in_doubt(now)) == Some(true) {
            self.resolve_doubt(key, now);
        }
        let sent = self.with_entry(key, |entry| entry.transmit(outgoing, now));
        let (open, settled) = sent.unwrap_or((false, true));
        if !settled {
            self.touch(key);
        }
        open
    }

    /// Finds out whether a client is still there of which nothing was heard.
    fn resolve_doubt(&self, key: Key, now: Timestamp) {
        self.tell_sign_of_life(key);
        self.with(key, |session| session.handle_timeout(now));
        self.touch(key);
    }
}
