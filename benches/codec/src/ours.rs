//! The work as Dormouse does it. Inputs are lent, as the server lends them.

use std::hint::black_box;

use dormouse::{Arguments, Binary, FromArgs};
use dormouse_proto::engine::{
    Body, ClientPacket, Data, Format, Frame, Prepared, Revision, ServerPacket, decode_payload,
    encode_payload,
};
use dormouse_proto::socket::{
    self, Args, ClientPacket as Packet, Decoder, Encoded, Limits, ParseError, Parser, Protocol,
};

use crate::inputs::{Auth, Content, Message, User};

/// As much as a peer allows by default.
const LIMITS: Limits = Limits {
    attachments: 10_000,
    bytes: 10_000_000,
};

pub fn decode_text(revision: Revision, frame: &str) -> usize {
    let packet = ClientPacket::decode(revision, Frame::from(frame));
    size_of_packet(black_box(&packet).as_ref().expect("it is a packet"))
}

pub fn encode_text(revision: Revision, text: &str) -> usize {
    let packet = ServerPacket::Message(Data::from(text));
    black_box(&packet.encode(revision, false)).len()
}

pub fn encode_base64(revision: Revision, bytes: &[u8]) -> usize {
    let packet = ServerPacket::Message(Data::from(bytes));
    black_box(&packet.encode(revision, true)).len()
}

pub fn encode(revision: Revision, packet: ServerPacket<'_>) -> usize {
    black_box(&packet.encode(revision, false)).len()
}

pub fn decode_body(revision: Revision, body: &Body<'_>) -> usize {
    decode_payload(revision, body)
        .map(|packet| size_of_packet(black_box(&packet).as_ref().expect("it is a packet")))
        .sum()
}

/// The packets that a session would have waiting.
pub fn packets(messages: &[Content]) -> Vec<ServerPacket<'_>> {
    messages
        .iter()
        .map(|message| {
            ServerPacket::Message(match message {
                Content::Text(text) => Data::from(&**text),
                Content::Bytes(bytes) => Data::from(&**bytes),
            })
        })
        .collect()
}

pub fn encode_body(revision: Revision, packets: &[ServerPacket<'_>], format: Format) -> usize {
    black_box(&encode_payload(revision, packets, format).1).len()
}

fn size_of_packet(packet: &ClientPacket<'_>) -> usize {
    match packet {
        ClientPacket::Message(data) => data.len(),
        ClientPacket::Ping(text) | ClientPacket::Pong(text) => text.len(),
        ClientPacket::Close | ClientPacket::Upgrade | ClientPacket::Noop => 0,
    }
}

/// What one client has above it on the way in.
pub struct Client {
    decoder: Decoder,
    parser: Parser,
}

impl Client {
    pub fn new(parser: Parser) -> Self {
        Self {
            decoder: Decoder::default(),
            parser,
        }
    }

    fn take<'a>(&mut self, data: Data<'a>) -> Result<Option<Packet<'a>>, ParseError> {
        self.decoder.decode(Protocol::V5, self.parser, LIMITS, data)
    }

    fn packet<'a>(&mut self, message: &'a Message) -> Result<Option<Packet<'a>>, ParseError> {
        let Some((last, first)) = message.attachments.split_last() else {
            return self.take(Data::from(&*message.text));
        };
        if !message.text.is_empty() {
            self.take(Data::from(&*message.text))?;
        }
        for attachment in first {
            self.take(Data::from(&**attachment))?;
        }
        self.take(Data::from(&**last))
    }

    /// Decodes a packet, up to the event's name: the rest is valid JSON.
    pub fn decode(&mut self, message: &Message) -> usize {
        let packet = self.packet(message);
        match black_box(&packet).as_ref().expect("it is a packet") {
            None => panic!("it is complete"),
            Some(packet) => size(packet),
        }
    }

    /// Decodes a packet, and its arguments into the types of a handler.
    pub fn decode_args<T: FromArgs + Size>(&mut self, message: &Message) -> usize {
        let (args, named) = match self.packet(message) {
            Ok(Some(Packet::Event { args, .. })) => (args, true),
            Ok(Some(Packet::Ack { args, .. })) => (args, false),
            packet => panic!("it has no arguments: {packet:?}"),
        };
        let values = T::from_args(&args, named).expect("the arguments fit");
        black_box(&values).size()
    }

    /// Decodes a CONNECT packet, and what the client says of itself.
    pub fn decode_auth(&mut self, message: &Message) -> usize {
        let Ok(Some(Packet::Connect {
            auth: Some(auth), ..
        })) = self.packet(message)
        else {
            panic!("it connects");
        };
        let auth: Auth = serde_json::from_str(&auth).expect("it fits");
        black_box(&auth).token.len()
    }
}

/// What there is to see of a packet.
fn size(packet: &Packet<'_>) -> usize {
    match packet {
        Packet::Connect {
            namespace, auth, ..
        } => namespace.len() + auth.as_ref().map_or(0, |auth| auth.len()),
        Packet::Disconnect { namespace } => namespace.len(),
        Packet::Event {
            namespace,
            ack,
            name,
            args,
        } => namespace.len() + ack.unwrap_or(0) as usize + name.len() + args.bytes(),
        Packet::Ack {
            namespace,
            id,
            args,
        } => namespace.len() + *id as usize + args.bytes(),
    }
}

/// What is sent, as its arguments are written already.
pub struct Outgoing<'a> {
    pub namespace: &'a str,
    pub ack: Option<u32>,
    pub args: Args<'a>,
}

impl<'a> Outgoing<'a> {
    pub fn new(namespace: &'a str, ack: Option<u32>, args: Args<'a>) -> Self {
        Self {
            namespace,
            ack,
            args,
        }
    }

    pub fn encode_event(&self, parser: Parser) -> usize {
        size_of_frames(&event(self.namespace, self.ack, &self.args, parser))
    }

    pub fn encode_ack(&self, parser: Parser) -> usize {
        let packet = socket::ServerPacket::Ack {
            namespace: self.namespace,
            id: self.ack.unwrap_or(0).into(),
            args: &self.args,
        };
        size_of_frames(&packet.encode(Protocol::V5, parser))
    }
}

fn event(namespace: &str, ack: Option<u32>, args: &Args<'_>, parser: Parser) -> Encoded {
    let packet = socket::ServerPacket::Event {
        namespace,
        ack: ack.map(u64::from),
        args,
        offset: None,
    };
    packet.encode(Protocol::V5, parser)
}

/// Encodes an event from the values that an application emits.
pub fn encode_args(
    namespace: &str,
    ack: Option<u32>,
    name: &str,
    values: &impl Arguments,
    parser: Parser,
) -> usize {
    let args = values.encode(Some(name)).expect("they can be written");
    size_of_frames(&event(namespace, ack, &args, parser))
}

pub fn encode_connect(namespace: &str, sid: &str, parser: Parser) -> usize {
    let packet = socket::ServerPacket::Connect {
        namespace,
        sid,
        pid: None,
    };
    size_of_frames(&packet.encode(Protocol::V5, parser))
}

/// The frames that go to a WebSocket.
fn size_of_frames(encoded: &Encoded) -> usize {
    let size = |message: &Prepared| message.frame(Revision::V4, false).len();
    black_box(encoded).messages().map(size).sum()
}

/// How much has been read into an application's types.
pub trait Size {
    fn size(&self) -> usize;
}

impl Size for String {
    fn size(&self) -> usize {
        self.len()
    }
}

impl Size for Binary {
    fn size(&self) -> usize {
        self.len()
    }
}

impl Size for User {
    fn size(&self) -> usize {
        let tags = self.tags.iter().map(String::len);
        self.id as usize + self.name.len() + tags.sum::<usize>() + usize::from(self.online)
    }
}

impl<T: Size> Size for Vec<T> {
    fn size(&self) -> usize {
        self.iter().map(T::size).sum()
    }
}

impl<T: Size> Size for (T,) {
    fn size(&self) -> usize {
        self.0.size()
    }
}

impl<T: Size, U: Size> Size for (T, U) {
    fn size(&self) -> usize {
        self.0.size() + self.1.size()
    }
}

impl<T: Size, U: Size, V: Size, W: Size> Size for (T, U, V, W) {
    fn size(&self) -> usize {
        self.0.size() + self.1.size() + self.2.size() + self.3.size()
    }
}
