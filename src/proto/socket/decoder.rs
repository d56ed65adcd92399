//! From messages to packets: a packet with attachments takes several messages.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::args::each_placeholder;
use super::connection::socket::ITEM_COST;
use super::packet::{decode_complete, namespace_of, read_head};
use super::{ClientPacket, ParseError, Parser, Protocol};
use crate::engine::Data;

/// The limits of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The maximum number of attachments.
    pub attachments: usize,
    /// The maximum number of bytes, including attachments.
    pub bytes: usize,
}

/// Reads one client's messages, and remembers a packet whose attachments are
/// still to come.
///
/// Specification: protocol 5, "Packet encoding", "Format".
///
/// ```
/// use dormouse_proto::engine::Data;
/// use dormouse_proto::socket::{ClientPacket, Decoder, Limits, Parser, Protocol};
///
/// let mut decoder = Decoder::default();
/// let limits = Limits { attachments: 10, bytes: 1000 };
/// let mut decode = |data| decoder.decode(Protocol::V5, Parser::JSON, limits, data);
///
/// let text = r#"51-["photo",{"_placeholder":true,"num":0}]"#;
/// assert_eq!(decode(Data::from(text)), Ok(None));
/// let Ok(Some(ClientPacket::Event { name, args, .. })) = decode(Data::from(vec![1, 2, 3])) else {
///     panic!("this was the last attachment");
/// };
/// assert_eq!((&*name, &*args.attachments()[0]), ("photo", &[1, 2, 3][..]));
/// ```
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Decoder {
    pending: Option<Pending>,
}

/// A packet, and those of its attachments that have come.
#[derive(Debug, Serialize, Deserialize)]
struct Pending {
    /// It has been validated already, and is decoded when all attachments are there.
    text: String,
    #[serde(with = "crate::bytes::each")]
    attachments: Vec<Vec<u8>>,
    expected: usize,
    bytes: usize,
}

impl Decoder {
    /// Returns whether attachments are still to come.
    pub fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Returns how many parts have come of a packet whose attachments are still to come:
    /// its text, and attachments.
    pub(super) fn parts(&self) -> Option<usize> {
        let pending = self.pending.as_ref();
        pending.map(|pending| 1 + pending.attachments.len())
    }

    /// Returns the namespace of a packet of which only the text has come.
    pub(super) fn announced(&self, protocol: Protocol) -> Option<&str> {
        let pending = self.pending.as_ref();
        let text = pending.filter(|pending| pending.attachments.is_empty());
        namespace_of(protocol, &text?.text)
    }

    /// Returns the bytes of a packet whose attachments are still to come.
    pub(super) fn held_bytes(&self) -> usize {
        self.pending.as_ref().map_or(0, |pending| {
            pending.bytes + ITEM_COST * (1 + pending.attachments.len())
        })
    }

    /// Takes in a message. Returns `None` if attachments are still to come, or if there
    /// is nothing to hear: an event without a name or an acknowledgement without a
    /// number, which end nothing but themselves.
    ///
    /// # Errors
    ///
    /// It is not a packet, or not the part of one that has to come now. No more
    /// messages of this client may be decoded.
    pub fn decode<'a>(
        &mut self,
        protocol: Protocol,
        parser: Parser,
        limits: Limits,
        data: Data<'a>,
    ) -> Result<Option<ClientPacket<'a>>, ParseError> {
        if data.len() > limits.bytes {
            return Err(ParseError::TooLarge);
        }
        (parser.decode)(self, protocol, limits, data)
    }

    fn handle_text<'a>(
        &mut self,
        protocol: Protocol,
        limits: Limits,
        text: Cow<'a, str>,
    ) -> Result<Option<ClientPacket<'a>>, ParseError> {
        if self.pending.take().is_some() {
            return Err(ParseError::UnexpectedText);
        }
        match text {
            // Borrowed text stays borrowed.
            Cow::Borrowed(text) => self.handle_lent(protocol, limits, text),
            Cow::Owned(text) => {
                let packet = self.handle_lent(protocol, limits, &text)?;
                Ok(packet.map(ClientPacket::into_owned))
            }
        }
    }

    fn handle_lent<'a>(
        &mut self,
        protocol: Protocol,
        limits: Limits,
        text: &'a str,
    ) -> Result<Option<ClientPacket<'a>>, ParseError> {
        let head = read_head(text, limits.attachments)?;
        let expected = head.attachments;
        let packet = head.into_packet(protocol)?;
        if expected == 0 {
            return Ok(packet);
        }
        self.pending = Some(Pending {
            text: String::from(text),
            // The number is within the limit, but nothing has come yet.
            attachments: Vec::with_capacity(expected.min(4)),
            expected,
            bytes: text.len(),
        });
        Ok(None)
    }

    fn handle_attachment(
        &mut self,
        protocol: Protocol,
        limits: Limits,
        bytes: Vec<u8>,
    ) -> Result<Option<ClientPacket<'static>>, ParseError> {
        let mut pending = self.pending.take().ok_or(ParseError::UnexpectedBinary)?;
        pending.bytes = pending.bytes.saturating_add(bytes.len());
        if pending.bytes > limits.bytes {
            return Err(ParseError::TooLarge);
        }
        pending.attachments.push(bytes);
        if pending.attachments.len() < pending.expected {
            self.pending = Some(pending);
            return Ok(None);
        }
        let packet = decode_complete(protocol, pending.text, pending.attachments)?;
        if let Some(packet) = &packet {
            check_placeholders(packet)?;
        }
        Ok(packet)
    }
}

/// Decodes a message for [`Parser::JSON`].
pub(super) fn decode_json<'a>(
    decoder: &mut Decoder,
    protocol: Protocol,
    limits: Limits,
    data: Data<'a>,
) -> Result<Option<ClientPacket<'a>>, ParseError> {
    match data {
        Data::Text(text) => decoder.handle_text(protocol, limits, text),
        Data::Binary(bytes) => decoder.handle_attachment(protocol, limits, bytes.into_owned()),
    }
}

/// Returns whether a message is a CONNECT, for [`Parser::JSON`]: its first character
/// tells.
pub(super) fn is_connect_json(_protocol: Protocol, _limits: Limits, data: &Data<'_>) -> bool {
    match data {
        Data::Text(text) => text.starts_with('0'),
        Data::Binary(_) => false,
    }
}

fn args_of<'p, 'a>(packet: &'p ClientPacket<'a>) -> Option<&'p super::Args<'a>> {
    match packet {
        ClientPacket::Event { args, .. } | ClientPacket::Ack { args, .. } => Some(args),
        ClientPacket::Connect { .. } | ClientPacket::Disconnect { .. } => None,
    }
}

/// Checks that every placeholder names an attachment. Attachments that are named
/// twice, or not at all, do not matter.
pub(super) fn check_placeholders(packet: &ClientPacket<'_>) -> Result<(), ParseError> {
    let Some(args) = args_of(packet) else {
        return Ok(());
    };
    let count = args.attachments().len();
    let mut all_fit = true;
    each_placeholder(args.json(), &mut |placeholder| {
        all_fit &= placeholder.num.is_some_and(|num| num < count);
    });
    match all_fit {
        true => Ok(()),
        false => Err(ParseError::Placeholder),
    }
}
