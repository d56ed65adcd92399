//! Packets: the units of both revisions, one in each WebSocket frame.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Data, Frame, Handshake, ParseError, base64};
use crate::base64::{Base64, padded_len};

/// The revision of the protocol that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Revision {
    /// Revision 3: engine.io-client 1 to 3, socket.io-client 1 and 2.
    V3,
    /// Revision 4: engine.io-client 4 to 6, socket.io-client 3 and 4.
    V4,
}

impl Revision {
    /// Returns the text that the runtime can answer by itself on a WebSocket,
    /// without the session, and the answer. So a heartbeat does not have to wake
    /// anybody.
    ///
    /// In revision 3 these are the client's ping and our pong. In revision 4 these
    /// are the client's pong and a noop, which means nothing; the session has to be
    /// [told](super::Session::handle_sign_of_life) of it before it is judged.
    pub const fn auto_response(self) -> (&'static str, &'static str) {
        match self {
            Self::V3 => ("2", "3"),
            Self::V4 => ("3", "6"),
        }
    }

    /// Returns the revision that the query parameter `EIO` names, if we speak it.
    ///
    /// Socket.IO 1.0 clients send `2` and frame their packets as in revision 3.
    ///
    /// ```
    /// use dormouse_proto::engine::Revision;
    ///
    /// assert_eq!(Revision::from_query("4"), Some(Revision::V4));
    /// assert_eq!(Revision::from_query("2"), Some(Revision::V3));
    /// assert_eq!(Revision::from_query("5"), None);
    /// ```
    pub fn from_query(eio: &str) -> Option<Self> {
        match eio {
            "4" => Some(Self::V4),
            "3" | "2" => Some(Self::V3),
            _ => None,
        }
    }
}

/// A packet that a client sends.
///
/// Specification: revision 4, "Protocol" and "Packet encoding".
///
/// ```
/// use dormouse_proto::engine::{ClientPacket, Data, Frame, ParseError, Revision};
///
/// let packet = ClientPacket::decode(Revision::V4, Frame::from("4hello"));
/// assert_eq!(packet, Ok(ClientPacket::Message(Data::from("hello"))));
///
/// let packet = ClientPacket::decode(Revision::V4, Frame::from("hello"));
/// assert_eq!(packet, Err(ParseError::UnknownType));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientPacket<'a> {
    /// `1`: the client leaves.
    Close,
    /// `2`: the heartbeat of revision 3, and in both revisions the probe of a
    /// WebSocket that wants to take over. A [`ServerPacket::Pong`] with the
    /// same text answers it.
    Ping(Cow<'a, str>),
    /// `3`: the heartbeat of revision 4.
    Pong(Cow<'a, str>),
    /// `4`: a message.
    Message(Data<'a>),
    /// `5`: the WebSocket that was probed takes over.
    Upgrade,
    /// `6`: nothing.
    Noop,
}

impl<'a> ClientPacket<'a> {
    /// Decodes one WebSocket frame.
    ///
    /// Borrowed content stays borrowed; only base64 is copied. An owned text frame
    /// is copied as well, so lend it where that matters. Text behind `1`, `5` or `6`
    /// is ignored, as in the reference server.
    ///
    /// # Errors
    ///
    /// The frame is not a packet: any [`ParseError`] that is not about payloads.
    pub fn decode(revision: Revision, frame: Frame<'a>) -> Result<Self, ParseError> {
        match frame {
            Frame::Text(Cow::Borrowed(text)) => Self::decode_text(revision, text),
            Frame::Text(Cow::Owned(text)) => {
                ClientPacket::decode_text(revision, &text).map(ClientPacket::into_owned)
            }
            Frame::Binary(bytes) => Self::decode_binary(revision, bytes),
        }
    }

    /// Decodes a text frame, or a packet in the text of a payload.
    pub(super) fn decode_text(revision: Revision, text: &'a str) -> Result<Self, ParseError> {
        let (first, rest) = split_first_char(text)?;
        if first == 'b' {
            return Self::decode_base64(revision, rest);
        }
        match PacketType::from_char(first)? {
            PacketType::Open => Err(ParseError::WrongDirection),
            PacketType::Close => Ok(Self::Close),
            PacketType::Ping => Ok(Self::Ping(Cow::Borrowed(rest))),
            PacketType::Pong => Ok(Self::Pong(Cow::Borrowed(rest))),
            PacketType::Message => Ok(Self::Message(Data::from(rest))),
            PacketType::Upgrade => Ok(Self::Upgrade),
            PacketType::Noop => Ok(Self::Noop),
        }
    }

    /// Decodes what follows `b`: base64, behind a type digit in revision 3.
    fn decode_base64(revision: Revision, text: &str) -> Result<Self, ParseError> {
        let encoded = match revision {
            Revision::V4 => text,
            Revision::V3 => {
                let (digit, encoded) = split_first_char(text)?;
                PacketType::from_char(digit)?.expect_message()?;
                encoded
            }
        };
        Ok(Self::Message(Data::from(base64::decode(encoded)?)))
    }

    /// Decodes a binary frame, or binary data in a payload of revision 3: in
    /// revision 4 it is the message itself, in revision 3 a type byte stands
    /// before the message.
    pub(super) fn decode_binary(
        revision: Revision,
        bytes: Cow<'a, [u8]>,
    ) -> Result<Self, ParseError> {
        let message = match revision {
            Revision::V4 => bytes,
            Revision::V3 => {
                let code = bytes.first().ok_or(ParseError::Empty)?;
                PacketType::from_code(*code)?.expect_message()?;
                without_first(bytes)
            }
        };
        Ok(Self::Message(Data::Binary(message)))
    }

    /// Returns the same packet, owned. Its content is copied if it was borrowed.
    pub fn into_owned(self) -> ClientPacket<'static> {
        match self {
            Self::Close => ClientPacket::Close,
            Self::Ping(text) => ClientPacket::Ping(Cow::Owned(text.into_owned())),
            Self::Pong(text) => ClientPacket::Pong(Cow::Owned(text.into_owned())),
            Self::Message(data) => ClientPacket::Message(data.into_owned()),
            Self::Upgrade => ClientPacket::Upgrade,
            Self::Noop => ClientPacket::Noop,
        }
    }
}

/// A packet that a server sends.
///
/// Specification: revision 4, "Protocol" and "Packet encoding".
///
/// ```
/// use dormouse_proto::engine::{Data, Frame, Revision, ServerPacket};
///
/// let packet = ServerPacket::Message(Data::from(vec![1, 2, 3]));
/// let frame = packet.clone().encode(Revision::V4, false);
/// assert_eq!(frame, Frame::from(vec![1, 2, 3]));
/// let frame = packet.clone().encode(Revision::V3, false);
/// assert_eq!(frame, Frame::from(vec![4, 1, 2, 3]));
/// let frame = packet.encode(Revision::V3, true);
/// assert_eq!(frame, Frame::from("b4AQID"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerPacket<'a> {
    /// `0`: the session begins.
    Open(Handshake<'a>),
    /// `1`: the session ends.
    Close,
    /// `2`: the heartbeat of revision 4.
    Ping,
    /// `3`: the answer to a [`ClientPacket::Ping`], with the same text.
    Pong(Cow<'a, str>),
    /// `4`: a message.
    Message(Data<'a>),
    /// `6`: nothing, but it ends a poll.
    Noop,
}

impl<'a> ServerPacket<'a> {
    /// Encodes the packet as one WebSocket frame.
    ///
    /// `b64` says that the client does not accept binary data: it said so with the
    /// query parameter `b64` when its transport was created. A binary message is
    /// then sent as base64 in a text frame.
    ///
    /// A binary message of revision 4 is its own frame and is not copied; everything
    /// else is written into one new buffer.
    pub fn encode(self, revision: Revision, b64: bool) -> Frame<'a> {
        if let Self::Open(handshake) = &self {
            let mut frame = String::with_capacity(handshake.capacity());
            frame.push(PacketType::Open.to_char());
            handshake.push_json(&mut frame);
            return Frame::from(frame);
        }
        let (kind, data) = self.into_parts();
        encode_frame(revision, b64, kind, data)
    }

    /// Returns the packet's type and content, which is all that the encodings need.
    fn into_parts(self) -> (PacketType, Data<'a>) {
        match self {
            Self::Open(handshake) => (PacketType::Open, Data::from(handshake.to_json())),
            Self::Close => (PacketType::Close, Data::from("")),
            Self::Ping => (PacketType::Ping, Data::from("")),
            Self::Pong(text) => (PacketType::Pong, Data::Text(text)),
            Self::Message(data) => (PacketType::Message, data),
            Self::Noop => (PacketType::Noop, Data::from("")),
        }
    }

    /// Returns the same as [`into_parts`](Self::into_parts), borrowed.
    pub(super) fn parts(&self) -> (PacketType, Data<'_>) {
        match self {
            Self::Pong(text) => (PacketType::Pong, Data::from(&**text)),
            Self::Message(data) => (PacketType::Message, data.borrowed()),
            Self::Open(handshake) => ServerPacket::Open(*handshake).into_parts(),
            Self::Close => ServerPacket::Close.into_parts(),
            Self::Ping => ServerPacket::Ping.into_parts(),
            Self::Noop => ServerPacket::Noop.into_parts(),
        }
    }
}

impl<'a> Frame<'a> {
    /// Encodes a message: [`ServerPacket::encode`] without the packet.
    ///
    /// ```
    /// use dormouse_proto::engine::{Data, Frame, Revision};
    ///
    /// let frame = Frame::message(Revision::V4, false, Data::from("hello"));
    /// assert_eq!(frame, Frame::from("4hello"));
    /// ```
    pub fn message(revision: Revision, b64: bool, data: Data<'a>) -> Self {
        encode_frame(revision, b64, PacketType::Message, data)
    }
}

fn encode_frame(revision: Revision, b64: bool, kind: PacketType, data: Data<'_>) -> Frame<'_> {
    match data {
        Data::Binary(bytes) if !b64 => match revision {
            Revision::V4 => Frame::Binary(bytes),
            Revision::V3 => {
                let mut frame = Vec::with_capacity(1 + bytes.len());
                push_binary(kind, &bytes, &mut frame);
                Frame::from(frame)
            }
        },
        Data::Text(_) | Data::Binary(_) => {
            let mut frame = String::with_capacity(text_len(revision, &data));
            push_text(revision, kind, &data, &mut frame);
            Frame::from(frame)
        }
    }
}

/// Appends a packet as text.
pub(super) fn push_text(revision: Revision, kind: PacketType, data: &Data<'_>, out: &mut String) {
    match data {
        Data::Text(text) => {
            out.push(kind.to_char());
            out.push_str(text);
        }
        Data::Binary(bytes) => {
            out.push('b');
            if revision == Revision::V3 {
                out.push(kind.to_char());
            }
            Base64::Standard.push(bytes, out);
        }
    }
}

/// Returns the number of bytes that [`push_text`] appends.
pub(super) fn text_len(revision: Revision, data: &Data<'_>) -> usize {
    match data {
        Data::Text(text) => 1 + text.len(),
        Data::Binary(bytes) => {
            let prefix = if revision == Revision::V3 { 2 } else { 1 };
            prefix + padded_len(bytes.len())
        }
    }
}

/// Appends a packet in the binary form of revision 3: the type byte, the bytes.
pub(super) fn push_binary(kind: PacketType, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(kind as u8);
    out.extend_from_slice(bytes);
}

/// The type of a packet; its value is the code on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum PacketType {
    Open = 0,
    Close = 1,
    Ping = 2,
    Pong = 3,
    Message = 4,
    Upgrade = 5,
    Noop = 6,
}

impl PacketType {
    fn from_code(code: u8) -> Result<Self, ParseError> {
        Ok(match code {
            0 => Self::Open,
            1 => Self::Close,
            2 => Self::Ping,
            3 => Self::Pong,
            4 => Self::Message,
            5 => Self::Upgrade,
            6 => Self::Noop,
            _ => return Err(ParseError::UnknownType),
        })
    }

    fn from_char(character: char) -> Result<Self, ParseError> {
        let digit = character.to_digit(10).ok_or(ParseError::UnknownType)?;
        Self::from_code(digit as u8)
    }

    pub(super) fn to_char(self) -> char {
        char::from(b'0' + self as u8)
    }

    /// Returns an error unless the packet is a message: nothing else can be binary.
    fn expect_message(self) -> Result<(), ParseError> {
        match self {
            Self::Message => Ok(()),
            Self::Open | Self::Close | Self::Ping | Self::Pong | Self::Upgrade | Self::Noop => {
                Err(ParseError::UnexpectedBinary)
            }
        }
    }
}

fn split_first_char(text: &str) -> Result<(char, &str), ParseError> {
    let mut chars = text.chars();
    let first = chars.next().ok_or(ParseError::Empty)?;
    Ok((first, chars.as_str()))
}

fn without_first(bytes: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    match bytes {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(1..).unwrap_or_default()),
        Cow::Owned(mut bytes) => {
            bytes.drain(..bytes.len().min(1));
            Cow::Owned(bytes)
        }
    }
}

#[cfg(test)]
mod tests;
