//! The same work as engineioxide and socketioxide do it. Inputs are handed over
//! by their reference counts, as these servers do; counting up is not measured.

use std::hint::black_box;
use std::pin::pin;

use bytes::Bytes;
use engineioxide_core::payload::{decoder, encoder};
use engineioxide_core::{OpenPacket, Packet as Frame, PacketBuf, ProtocolVersion, Str};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::HeaderValue;
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use smallvec::smallvec;
use socketioxide_core::Value;
use socketioxide_core::packet::{Packet, PacketData};
use socketioxide_core::parser::{Parse, ParseConfig, ParseError, ParserState};

use crate::inputs::{Auth, Content, Message};
use crate::ours::Size;

/// More than any payload here has.
const MAX_PAYLOAD: u64 = 1_000_000;

/// A text that is counted already, as what comes from a socket is.
pub fn shared(text: &str) -> Str {
    let text = Str::from(text.to_owned());
    // The first clone is the one that allocates.
    drop(text.clone());
    text
}

/// Bytes of the same kind.
pub fn shared_bytes(bytes: &[u8]) -> Bytes {
    let bytes = Bytes::from(bytes.to_owned());
    drop(bytes.clone());
    bytes
}

pub fn decode_text(protocol: ProtocolVersion, frame: Str) -> usize {
    let packet = Frame::parse(protocol, frame);
    size_of_packet(black_box(&packet).as_ref().expect("it is a packet"))
}

pub fn encode(packet: Frame) -> usize {
    let frame = String::from(packet);
    black_box(&frame).len()
}

pub fn encode_open(packet: &OpenPacket) -> usize {
    encode(Frame::Open(packet.clone()))
}

pub fn decode_body(protocol: ProtocolVersion, kind: &HeaderValue, body: Bytes) -> usize {
    let packets = decoder(Full::new(body), Some(kind), protocol, MAX_PAYLOAD);
    let mut packets = pin!(packets);
    let mut size = 0;
    while let Some(packet) = packets.next().now_or_never().expect("all is there") {
        size += size_of_packet(black_box(&packet).as_ref().expect("it is a packet"));
    }
    size
}

/// The packets that a session would have waiting.
pub fn packets(protocol: ProtocolVersion, messages: &[Content]) -> Vec<PacketBuf> {
    messages
        .iter()
        .map(|message| {
            smallvec![match (message, protocol) {
                (Content::Text(text), _) => Frame::Message(shared(text)),
                (Content::Bytes(bytes), ProtocolVersion::V3) =>
                    Frame::BinaryV3(shared_bytes(bytes)),
                (Content::Bytes(bytes), ProtocolVersion::V4) => Frame::Binary(shared_bytes(bytes)),
            }]
        })
        .collect()
}

pub fn encode_body(
    protocol: ProtocolVersion,
    packets: Vec<PacketBuf>,
    supports_binary: bool,
) -> usize {
    let packets = stream::iter(packets);
    let payload = pin!(encoder(packets, protocol, supports_binary, MAX_PAYLOAD));
    let payload = payload.now_or_never().expect("all is there");
    black_box(&payload.data).len()
}

fn size_of_packet(packet: &Frame) -> usize {
    match packet {
        Frame::Message(text) => text.len(),
        Frame::Binary(bytes) | Frame::BinaryV3(bytes) => bytes.len(),
        Frame::PingUpgrade | Frame::PongUpgrade => "probe".len(),
        _ => 0,
    }
}

/// A message whose parts are counted already.
#[derive(Clone)]
pub struct Shared {
    text: Str,
    attachments: Vec<Bytes>,
}

impl From<&Message> for Shared {
    fn from(message: &Message) -> Self {
        let attachments = message.attachments.iter();
        Self {
            text: shared(&message.text),
            attachments: attachments.map(|bytes| shared_bytes(bytes)).collect(),
        }
    }
}

/// What one client has on the way in.
#[derive(Default)]
pub struct Client<P> {
    parser: P,
    config: ParseConfig,
    state: ParserState,
}

impl<P: Parse> Client<P> {
    fn packet(&self, message: Shared) -> Result<Packet, ParseError> {
        let Self {
            parser,
            config,
            state,
        } = self;
        let mut packet = match message.text.is_empty() {
            true => Err(ParseError::NeedsMoreBinaryData),
            false => parser.decode_str(config, state, message.text),
        };
        for attachment in message.attachments {
            packet = parser.decode_bin(config, state, attachment);
        }
        packet
    }

    /// Decodes a packet. An event's name is what it is routed by: reading it reads
    /// the whole array. Whatever else carries JSON is not looked into here.
    pub fn decode(&self, message: Shared) -> usize {
        let packet = self.packet(message);
        let Packet { inner, ns } = black_box(&packet).as_ref().expect("it is complete");
        let read_event = |value| self.parser.read_event(value).expect("it has a name").len();
        let size = match inner {
            PacketData::Connect(value) => value.as_ref().map_or(0, size_of_value),
            PacketData::Disconnect => 0,
            PacketData::Event(value, ack) | PacketData::BinaryEvent(value, ack) => {
                ack.unwrap_or(0) as usize + read_event(value) + size_of_value(value)
            }
            PacketData::EventAck(value, id) | PacketData::BinaryAck(value, id) => {
                *id as usize + size_of_value(value)
            }
            PacketData::ConnectError(message) => message.len(),
        };
        ns.len() + size
    }

    /// Decodes a packet, finds the handler by the name, and reads the arguments.
    pub fn decode_args<T: for<'de> Deserialize<'de> + Size>(&self, message: Shared) -> usize {
        let packet = self.packet(message);
        let (mut value, named) = match packet.expect("it is complete").inner {
            PacketData::Event(value, _) | PacketData::BinaryEvent(value, _) => (value, true),
            PacketData::EventAck(value, _) | PacketData::BinaryAck(value, _) => (value, false),
            _ => panic!("it has no arguments"),
        };
        if named {
            black_box(self.parser.read_event(&value).expect("it has a name"));
        }
        let values: T = self
            .parser
            .decode_value(&mut value, named)
            .expect("the arguments fit");
        black_box(&values).size()
    }

    /// Decodes a CONNECT packet, and what the client says of itself.
    pub fn decode_auth(&self, message: Shared) -> usize {
        let PacketData::Connect(auth) = self.packet(message).expect("it is complete").inner else {
            panic!("it connects");
        };
        let auth: Auth = self.parser.decode_default(auth.as_ref()).expect("it fits");
        black_box(&auth).token.len()
    }

    /// An event or acknowledgement whose arguments are written already.
    pub fn value(&self, name: Option<&str>, values: &impl Serialize) -> Value {
        let value = self.parser.encode_value(values, name);
        value.expect("they can be written")
    }

    /// Encodes a packet as the frames that go to a WebSocket.
    pub fn encode(&self, packet: Packet) -> usize {
        size_of_frames(self.parser.encode(packet))
    }

    /// Encodes an event from the values that an application emits.
    pub fn encode_args(
        &self,
        namespace: Str,
        ack: Option<u32>,
        name: &str,
        values: &impl Serialize,
    ) -> usize {
        self.encode(event(namespace, ack, self.value(Some(name), values)))
    }

    pub fn encode_connect(&self, namespace: Str, sid: &Connected) -> usize {
        let value = self.parser.encode_default(sid);
        self.encode(Packet::connect(
            namespace,
            Some(value.expect("it can be written")),
        ))
    }
}

impl Size for Bytes {
    fn size(&self) -> usize {
        self.len()
    }
}

/// The answer to a CONNECT packet.
#[derive(Serialize)]
pub struct Connected {
    pub sid: String,
}

pub fn event(namespace: Str, ack: Option<u32>, value: Value) -> Packet {
    let mut packet = Packet::event(namespace, value);
    if let Some(ack) = ack {
        packet.inner.set_ack_id(ack.into());
    }
    packet
}

fn size_of_frames(value: Value) -> usize {
    match value {
        Value::Str(text, attachments) => {
            let attachments = attachments.unwrap_or_default();
            let bytes: usize = black_box(&attachments).iter().map(Bytes::len).sum();
            encode(Frame::Message(text)) + bytes
        }
        Value::Bytes(bytes) => black_box(&bytes).len(),
    }
}

fn size_of_value(value: &Value) -> usize {
    match value {
        Value::Str(text, attachments) => {
            let attachments = attachments.iter().flatten().map(Bytes::len);
            text.len() + attachments.sum::<usize>()
        }
        Value::Bytes(bytes) => bytes.len(),
    }
}
