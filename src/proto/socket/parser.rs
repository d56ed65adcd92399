//! The formats of packets.

use core::fmt;

use super::decoder::{Decoder, Limits, decode_json, is_connect_json};
use super::packet::Encoded;
use super::{ClientPacket, ParseError, Protocol, ServerPacket, msgpack};
use crate::engine::Data;

/// The format of packets, on which clients and server must agree.
///
/// An application links only the format that it uses.
#[derive(Clone, Copy)]
pub struct Parser {
    name: &'static str,
    pub(super) decode: Decode,
    pub(super) encode: fn(&ServerPacket<'_>, Protocol) -> Encoded,
    /// Returns whether a message that is a whole packet is a CONNECT, if it is valid.
    pub(super) is_connect: fn(Protocol, Limits, &Data<'_>) -> bool,
}

type Decode = for<'a> fn(
    &mut Decoder,
    Protocol,
    Limits,
    Data<'a>,
) -> Result<Option<ClientPacket<'a>>, ParseError>;

impl Parser {
    /// Text with JSON in it, and attachments behind it: the default of clients.
    pub const JSON: Self = Self {
        name: "json",
        decode: decode_json,
        encode: |packet, protocol| packet.encode_text(protocol),
        is_connect: is_connect_json,
    };

    /// Msgpack, for clients with `socket.io-msgpack-parser`.
    pub const MSGPACK: Self = Self {
        name: "msgpack",
        decode: msgpack::decode_message,
        encode: msgpack::encode_message,
        is_connect: msgpack::is_connect,
    };
}

impl Default for Parser {
    fn default() -> Self {
        Self::JSON
    }
}

impl fmt::Debug for Parser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Parser").field(&self.name).finish()
    }
}

impl PartialEq for Parser {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Parser {}
