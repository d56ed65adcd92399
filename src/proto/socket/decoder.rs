//! From messages to packets: a packet with attachments takes several.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::args::each_placeholder;
use super::packet::{decode_complete, read_head};
use super::{ClientPacket, ParseError, Parser, Protocol};
use crate::engine::Data;

/// What is allowed of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most attachments.
    pub attachments: usize,
    /// The most bytes, attachments included.
    pub bytes: usize,
}

/// Reads one client's messages, and remembers a packet whose attachments are
/// still to come.
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

/// A packet and what has come of its attachments.
#[derive(Debug, Serialize, Deserialize)]
struct Pending {
    /// Read through already. It is decoded when all is there.
    text: String,
    attachments: Vec<Vec<u8>>,
    expected: usize,
    bytes: usize,
}

impl Decoder {
    /// Whether attachments are still to come.
    pub fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Takes in a message. `None` if attachments are still to come.
    ///
    /// # Errors
    ///
    /// It is no packet, or not the part of one that has to come now. The client
    /// is not to be listened to any more.
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
        parser.decode(self, protocol, limits, data)
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
            // What is borrowed stays borrowed.
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
        let packet = head.into_packet(protocol);
        if expected == 0 {
            return packet.map(Some);
        }
        packet?;
        self.pending = Some(Pending {
            text: String::from(text),
            // The number is not more than is allowed, but nothing has come yet.
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
        check_placeholders(&packet)?;
        Ok(Some(packet))
    }
}

/// The way of [`Parser::JSON`].
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

fn args_of<'p, 'a>(packet: &'p ClientPacket<'a>) -> Option<&'p super::Args<'a>> {
    match packet {
        ClientPacket::Event { args, .. } | ClientPacket::Ack { args, .. } => Some(args),
        ClientPacket::Connect { .. } | ClientPacket::Disconnect { .. } => None,
    }
}

/// Every placeholder must name an attachment. That one is named twice, or not at
/// all, is nobody's business.
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
