//! Payloads: any number of packets in the body of one polling request or
//! answer.
//!
//! | | revision 4 | revision 3 |
//! |---|---|---|
//! | text | `4hello` U+001E `2` | `6:4hello1:2` |
//! | bytes in text | `bAQIDBA==` | `10:b4AQIDBA==` |
//! | bytes | never | `01 05 ff 04 01 02 03 04` |

pub mod jsonp;
mod v3;
mod v4;

use alloc::vec::Vec;
use core::iter::FusedIterator;

use serde::{Deserialize, Serialize};

use self::jsonp::JsonpIndex;
pub use self::v3::MAX_LENGTH_DIGITS;
use super::packet::PacketType;
use super::{Body, ClientPacket, Data, Frame, ParseError, Revision, ServerPacket};

/// Decodes the body of a POST, packet by packet.
///
/// The first bad packet ends the iteration; those before it have been returned. An
/// empty body is one [`ParseError::Empty`]. A packet takes at least two bytes, so
/// the payload limit also bounds the number of packets, none of which is buffered
/// here.
///
/// A JSONP body is a form, which [`jsonp::decode_form`] has to decode first.
///
/// ```
/// use dormouse_proto::engine::{Body, ClientPacket, Data, ParseError, Revision, decode_payload};
///
/// let body = Body::from("6:4hello2:9?1:1");
/// let mut packets = decode_payload(Revision::V3, &body);
/// assert_eq!(packets.next(), Some(Ok(ClientPacket::Message(Data::from("hello")))));
/// assert_eq!(packets.next(), Some(Err(ParseError::UnknownType)));
/// assert_eq!(packets.next(), None);
/// ```
pub fn decode_payload<'a>(revision: Revision, body: &'a Body<'_>) -> Packets<'a> {
    let rest = match (revision, body) {
        (Revision::V3, body) if body.is_empty() => Rest::Bad(ParseError::Empty),
        (Revision::V3, Frame::Text(text)) => Rest::V3Text(text),
        (Revision::V3, Frame::Binary(bytes)) => Rest::V3Binary(bytes),
        (Revision::V4, Frame::Text(text)) => Rest::V4(v4::split(text)),
        (Revision::V4, Frame::Binary(_)) => Rest::Bad(ParseError::UnexpectedBinary),
    };
    Packets { rest }
}

/// The packets of a payload, from [`decode_payload`].
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    rest: Rest<'a>,
}

/// The part of a payload that is not decoded yet.
#[derive(Clone, Debug)]
enum Rest<'a> {
    V3Text(&'a str),
    V3Binary(&'a [u8]),
    V4(v4::Split<'a>),
    Bad(ParseError),
    Done,
}

impl<'a> Packets<'a> {
    fn decode_next(&mut self) -> Option<Result<ClientPacket<'a>, ParseError>> {
        match &mut self.rest {
            Rest::V3Text("") | Rest::V3Binary([]) | Rest::Done => None,
            Rest::V3Text(rest) => Some(v3::decode_text(rest)),
            Rest::V3Binary(rest) => Some(v3::decode_binary(rest)),
            Rest::V4(split) => Some(ClientPacket::decode_text(Revision::V4, split.next()?)),
            Rest::Bad(error) => Some(Err(*error)),
        }
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<ClientPacket<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.decode_next();
        if !matches!(item, Some(Ok(_))) {
            self.rest = Rest::Done;
        }
        item
    }
}

impl FusedIterator for Packets<'_> {}

/// The format in which a client accepts the answers to its polls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Format {
    /// Text, or bytes if there are binary messages to send in revision 3.
    #[default]
    Any,
    /// Text alone: the client sent `b64`.
    Text,
    /// A script that calls a function of the page with the text: the client
    /// sent `j`.
    Jsonp(JsonpIndex),
    /// Bytes in revision 3, whatever there is to send: the client's library sent `t`.
    ///
    /// In a browser, engine.io-client 1.5.0 reads nothing but bytes, and versions up
    /// to 1.8 decode no text that is not ASCII. All libraries of revision 3 that send
    /// a timestamp read bytes, or send `b64` as well. A request without one, as the
    /// tests of the specification send, expects text.
    Bytes,
}

/// The type of an answer's body, for the header `content-type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContentType {
    /// A payload as text.
    Text,
    /// A payload as bytes: revision 3 alone.
    Binary,
    /// A JSONP script. A browser that was told not to guess types runs nothing
    /// else.
    Script,
}

impl ContentType {
    /// Returns the value of the header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=UTF-8",
            Self::Binary => "application/octet-stream",
            Self::Script => "text/javascript; charset=UTF-8",
        }
    }
}

/// Encodes the answer to a poll.
///
/// Revision 3 answers with bytes if the format is [`Format::Bytes`], or if it is
/// [`Format::Any`] and a packet is binary, and with text otherwise; revision 4 always
/// answers with text.
///
/// A payload contains at least one packet. There are no empty payloads, and clients
/// treat an empty body as an error.
///
/// ```
/// use dormouse_proto::engine::{
///     Body, ContentType, Data, Format, Revision, ServerPacket, encode_payload,
/// };
///
/// let packets = [ServerPacket::Message(Data::from("€")), ServerPacket::Ping];
/// assert_eq!(
///     encode_payload(Revision::V4, &packets, Format::Any),
///     (ContentType::Text, Body::from("4€\u{1e}2")),
/// );
/// assert_eq!(
///     encode_payload(Revision::V3, &packets, Format::Any),
///     (ContentType::Text, Body::from("2:4€1:2")),
/// );
/// ```
pub fn encode_payload(
    revision: Revision,
    packets: &[ServerPacket<'_>],
    format: Format,
) -> (ContentType, Body<'static>) {
    let packets: Vec<Part<'_>> = packets.iter().map(ServerPacket::parts).collect();
    let text = |packets| match revision {
        Revision::V3 => v3::encode_text(packets),
        Revision::V4 => v4::encode(packets),
    };
    let is_binary = match (revision, format) {
        (Revision::V3, Format::Any) => packets.iter().any(|(_, data)| data.is_binary()),
        (Revision::V3, Format::Bytes) => true,
        (Revision::V3, Format::Text | Format::Jsonp(_)) | (Revision::V4, _) => false,
    };
    match format {
        Format::Any | Format::Bytes if is_binary => {
            (ContentType::Binary, v3::encode_binary(&packets).into())
        }
        Format::Any | Format::Bytes | Format::Text => (ContentType::Text, text(&packets).into()),
        Format::Jsonp(index) => (
            ContentType::Script,
            jsonp::script(index, &text(&packets)).into(),
        ),
    }
}

/// A packet as the encodings see it.
type Part<'a> = (PacketType, Data<'a>);

#[cfg(all(test, not(target_arch = "wasm32")))]
mod properties;
#[cfg(test)]
mod tests;
