//! Packets: what a client sends is decoded, what a server sends is encoded.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::json::outline;
use super::{Args, ParseError, Parser};
use crate::engine::{MESSAGE, Prepared, Revision};

/// The generations of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// Clients 1.x and 2.x, over Engine.IO revision 3.
    V4,
    /// Clients 3.x and 4.x, over Engine.IO revision 4.
    V5,
}

impl From<Revision> for Protocol {
    fn from(revision: Revision) -> Self {
        match revision {
            Revision::V3 => Self::V4,
            Revision::V4 => Self::V5,
        }
    }
}

/// Event names that the libraries use for themselves.
pub const RESERVED_NAMES: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

/// The most digits of an acknowledgement's number: JavaScript counts no further
/// than 2^53.
const MAX_ID_DIGITS: usize = 15;

/// The most digits of a number of attachments.
const MAX_COUNT_DIGITS: usize = 6;

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientPacket<'a> {
    /// 0: it wants to join a namespace.
    Connect {
        /// Which one.
        namespace: Cow<'a, str>,
        /// What follows the `?` in it (protocol 4).
        query: Option<Cow<'a, str>>,
        /// What it says of itself: a JSON object (protocol 5).
        auth: Option<Cow<'a, str>>,
    },
    /// 1: it leaves a namespace.
    Disconnect {
        /// Which one.
        namespace: Cow<'a, str>,
    },
    /// 2 and 5: an event.
    Event {
        /// The namespace it is for.
        namespace: Cow<'a, str>,
        /// The number under which an acknowledgement is waited for.
        ack: Option<u64>,
        /// The event's name.
        name: Cow<'a, str>,
        /// Its arguments, the name first.
        args: Args<'a>,
    },
    /// 3 and 6: an acknowledgement.
    Ack {
        /// The namespace it is for.
        namespace: Cow<'a, str>,
        /// The number that the event was sent with.
        id: u64,
        /// The values.
        args: Args<'a>,
    },
}

impl ClientPacket<'_> {
    /// The namespace it is for.
    pub fn namespace(&self) -> &str {
        match self {
            Self::Connect { namespace, .. }
            | Self::Disconnect { namespace }
            | Self::Event { namespace, .. }
            | Self::Ack { namespace, .. } => namespace,
        }
    }

    /// The same packet, owned.
    pub fn into_owned(self) -> ClientPacket<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Connect {
                namespace,
                query,
                auth,
            } => ClientPacket::Connect {
                namespace: owned(namespace),
                query: query.map(owned),
                auth: auth.map(owned),
            },
            Self::Disconnect { namespace } => ClientPacket::Disconnect {
                namespace: owned(namespace),
            },
            Self::Event {
                namespace,
                ack,
                name,
                args,
            } => ClientPacket::Event {
                namespace: owned(namespace),
                ack,
                name: owned(name),
                args: args.into_owned(),
            },
            Self::Ack {
                namespace,
                id,
                args,
            } => ClientPacket::Ack {
                namespace: owned(namespace),
                id,
                args: args.into_owned(),
            },
        }
    }

    /// The attachments of a packet that has come as text before them.
    pub(super) fn set_attachments(&mut self, attachments: Vec<Vec<u8>>) {
        match self {
            Self::Event { args, .. } | Self::Ack { args, .. } => args.set_attachments(attachments),
            Self::Connect { .. } | Self::Disconnect { .. } => {}
        }
    }
}

/// A packet as its text has it: one with attachments is not complete yet.
pub(super) struct Header<'a> {
    pub(super) packet: ClientPacket<'a>,
    /// How many attachments are to follow.
    pub(super) attachments: usize,
}

/// `<type>[<n>-][/namespace,][id][json]`
pub(super) fn decode_text<'a>(
    protocol: Protocol,
    text: &'a str,
    max_attachments: usize,
) -> Result<Header<'a>, ParseError> {
    let mut chars = text.chars();
    let kind = chars.next().ok_or(ParseError::UnknownType)?;
    let rest = chars.as_str();
    let (attachments, rest) = match kind {
        '0'..='3' => (0, rest),
        '5' | '6' => read_count(rest, max_attachments)?,
        '4' => return Err(ParseError::NotForServers),
        _ => return Err(ParseError::UnknownType),
    };
    let (namespace, rest) = read_namespace(rest);
    let (id, payload) = read_id(rest)?;
    let packet = match kind {
        '0' => {
            let (namespace, query) = split_query(protocol, namespace);
            decode_connect(namespace, query, Some(payload).filter(|it| !it.is_empty()))?
        }
        '1' if payload.is_empty() => ClientPacket::Disconnect { namespace },
        '1' => return Err(ParseError::Payload),
        '2' | '5' => {
            let (namespace, _) = split_query(protocol, namespace);
            decode_event(namespace, id, Cow::Borrowed(payload))?
        }
        _ => {
            let (namespace, _) = split_query(protocol, namespace);
            decode_ack(namespace, id, Cow::Borrowed(payload))?
        }
    };
    Ok(Header {
        packet,
        attachments,
    })
}

fn read_count(text: &str, max: usize) -> Result<(usize, &str), ParseError> {
    let (digits, rest) = text.split_once('-').ok_or(ParseError::AttachmentCount)?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    if digits.is_empty() || digits.len() > MAX_COUNT_DIGITS || !is_number {
        return Err(ParseError::AttachmentCount);
    }
    let count = digits.parse().map_err(|_| ParseError::AttachmentCount)?;
    if count > max {
        return Err(ParseError::TooManyAttachments);
    }
    Ok((count, rest))
}

/// The comma may be missing where nothing follows.
fn read_namespace(text: &str) -> (Cow<'_, str>, &str) {
    if !text.starts_with('/') {
        return (Cow::Borrowed("/"), text);
    }
    let (namespace, rest) = text.split_once(',').unwrap_or((text, ""));
    (Cow::Borrowed(namespace), rest)
}

/// Protocol 4: `/admin?token=1`.
fn split_query(
    protocol: Protocol,
    namespace: Cow<'_, str>,
) -> (Cow<'_, str>, Option<Cow<'_, str>>) {
    match (protocol, &namespace) {
        (Protocol::V4, Cow::Borrowed(text)) => match text.split_once('?') {
            Some((name, query)) => (Cow::Borrowed(name), Some(Cow::Borrowed(query))),
            None => (namespace, None),
        },
        (Protocol::V4, Cow::Owned(text)) => match text.split_once('?') {
            Some((name, query)) => (
                Cow::Owned(name.to_string()),
                Some(Cow::Owned(query.to_string())),
            ),
            None => (namespace, None),
        },
        (Protocol::V5, _) => (namespace, None),
    }
}

fn read_id(text: &str) -> Result<(Option<u64>, &str), ParseError> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end).ok_or(ParseError::AckId)?;
    if digits.is_empty() {
        return Ok((None, rest));
    }
    if digits.len() > MAX_ID_DIGITS {
        return Err(ParseError::AckId);
    }
    let id = digits.parse().map_err(|_| ParseError::AckId)?;
    Ok((Some(id), rest))
}

pub(super) fn decode_connect<'a>(
    namespace: Cow<'a, str>,
    query: Option<Cow<'a, str>>,
    payload: Option<&'a str>,
) -> Result<ClientPacket<'a>, ParseError> {
    if let Some(payload) = payload {
        expect_start(payload, b'{')?;
    }
    Ok(ClientPacket::Connect {
        namespace,
        query,
        auth: payload.map(Cow::Borrowed),
    })
}

pub(super) fn decode_event<'a>(
    namespace: Cow<'a, str>,
    ack: Option<u64>,
    json: Cow<'a, str>,
) -> Result<ClientPacket<'a>, ParseError> {
    let name = match &json {
        Cow::Borrowed(json) => read_name(json)?,
        Cow::Owned(json) => Cow::Owned(read_name(json)?.into_owned()),
    };
    if RESERVED_NAMES.contains(&&*name) {
        return Err(ParseError::ReservedName);
    }
    Ok(ClientPacket::Event {
        namespace,
        ack,
        name,
        args: Args::new(json, Vec::new()),
    })
}

pub(super) fn decode_ack<'a>(
    namespace: Cow<'a, str>,
    id: Option<u64>,
    json: Cow<'a, str>,
) -> Result<ClientPacket<'a>, ParseError> {
    expect_start(&json, b'[')?;
    let id = id.ok_or(ParseError::AckId)?;
    Ok(ClientPacket::Ack {
        namespace,
        id,
        args: Args::new(json, Vec::new()),
    })
}

/// Reads through a JSON text, which has to begin with this.
fn expect_start(json: &str, start: u8) -> Result<(), ParseError> {
    match outline(json) {
        Some(outline) if outline.start == start => Ok(()),
        Some(_) => Err(ParseError::Payload),
        None => Err(ParseError::Json),
    }
}

/// The first item of an array, while the whole array is read through.
fn read_name(json: &str) -> Result<Cow<'_, str>, ParseError> {
    let outline = outline(json).ok_or(ParseError::Json)?;
    name_of(outline.first.ok_or(ParseError::Payload)?)
}

/// A string, or a number as it is written.
fn name_of(json: &str) -> Result<Cow<'_, str>, ParseError> {
    let unescaped = json
        .strip_prefix('"')
        .and_then(|json| json.strip_suffix('"'))
        .filter(|json| !json.contains('\\'));
    match (unescaped, json.chars().next()) {
        (Some(name), _) => Ok(Cow::Borrowed(name)),
        (None, Some('"')) => serde_json::from_str(json)
            .map(Cow::Owned)
            .map_err(|_| ParseError::Json),
        (None, Some('-' | '0'..='9')) => Ok(Cow::Borrowed(json)),
        (None, _) => Err(ParseError::Payload),
    }
}

/// What a server sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerPacket<'a> {
    /// 0: the client has joined.
    Connect {
        /// The namespace.
        namespace: &'a str,
        /// The socket's id. Not sent in protocol 4.
        sid: &'a str,
        /// What the client can come back with. Not sent in protocol 4.
        pid: Option<&'a str>,
    },
    /// 1: the client is sent out of a namespace.
    Disconnect {
        /// Which one.
        namespace: &'a str,
    },
    /// 2 and 5: an event.
    Event {
        /// The namespace it is from.
        namespace: &'a str,
        /// The number under which an acknowledgement is waited for.
        ack: Option<u32>,
        /// Its arguments, the name first.
        args: &'a Args<'a>,
        /// One more, last, argument: the event's place among all.
        offset: Option<&'a str>,
    },
    /// 3 and 6: an acknowledgement.
    Ack {
        /// The namespace it is from.
        namespace: &'a str,
        /// The number that the event was sent with.
        id: u64,
        /// The values.
        args: &'a Args<'a>,
    },
    /// 4: the client may not join.
    ConnectError {
        /// The namespace.
        namespace: &'a str,
        /// Why.
        message: &'a str,
        /// More on that, as JSON.
        data: Option<&'a str>,
    },
}

/// A packet as it is sent: messages of Engine.IO, the first of them alone or with
/// the attachments behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// In this order.
    pub messages: Vec<Prepared>,
}

impl ServerPacket<'_> {
    /// Encodes it, once for all who are to have it.
    pub fn encode(&self, protocol: Protocol, parser: Parser) -> Encoded {
        parser.encode(self, protocol)
    }

    pub(super) fn encode_text(&self, protocol: Protocol) -> Encoded {
        match self {
            Self::Connect { namespace, .. } => {
                let payload = self.payload(protocol).unwrap_or_default();
                text('0', &[], namespace, None, &payload, None)
            }
            Self::Disconnect { namespace } => text('1', &[], namespace, None, "", None),
            Self::Event {
                namespace,
                ack,
                args,
                offset,
            } => {
                let kind = if args.attachments().is_empty() {
                    '2'
                } else {
                    '5'
                };
                let id = ack.map(u64::from);
                text(
                    kind,
                    args.attachments(),
                    namespace,
                    id,
                    args.json(),
                    *offset,
                )
            }
            Self::Ack {
                namespace,
                id,
                args,
            } => {
                let kind = if args.attachments().is_empty() {
                    '3'
                } else {
                    '6'
                };
                text(
                    kind,
                    args.attachments(),
                    namespace,
                    Some(*id),
                    args.json(),
                    None,
                )
            }
            Self::ConnectError { namespace, .. } => {
                let payload = self.payload(protocol).unwrap_or_default();
                text('4', &[], namespace, None, &payload, None)
            }
        }
    }

    /// The JSON of a packet that has no arguments.
    pub(super) fn payload(&self, protocol: Protocol) -> Option<String> {
        match (self, protocol) {
            (Self::Connect { sid, pid, .. }, Protocol::V5) => Some(match pid {
                Some(pid) => format!(r#"{{"sid":{},"pid":{}}}"#, quoted(sid), quoted(pid)),
                None => format!(r#"{{"sid":{}}}"#, quoted(sid)),
            }),
            (Self::ConnectError { message, data, .. }, Protocol::V5) => Some(match data {
                Some(data) => format!(r#"{{"message":{},"data":{data}}}"#, quoted(message)),
                None => format!(r#"{{"message":{}}}"#, quoted(message)),
            }),
            // Clients of protocol 4 know one value: the data, or else the message.
            (Self::ConnectError { message, data, .. }, Protocol::V4) => {
                Some(data.map_or_else(|| quoted(message), |data| data.to_string()))
            }
            (
                Self::Connect { .. }
                | Self::Disconnect { .. }
                | Self::Event { .. }
                | Self::Ack { .. },
                _,
            ) => None,
        }
    }
}

/// Writes a packet into one buffer; a last argument is put in before the end of
/// its array.
fn text(
    kind: char,
    attachments: &[Vec<u8>],
    namespace: &str,
    id: Option<u64>,
    json: &str,
    last: Option<&str>,
) -> Encoded {
    let mut frame = String::with_capacity(
        json.len() + namespace.len() + last.map_or(0, |last| last.len() + 3) + 24,
    );
    frame.push(MESSAGE);
    frame.push(kind);
    if !attachments.is_empty() {
        frame.push_str(&attachments.len().to_string());
        frame.push('-');
    }
    if namespace != "/" {
        frame.push_str(namespace);
        frame.push(',');
    }
    if let Some(id) = id {
        frame.push_str(&id.to_string());
    }
    match (last, json.strip_suffix(']')) {
        (Some(last), Some(open)) => {
            frame.push_str(open);
            frame.push(',');
            frame.push_str(&quoted(last));
            frame.push(']');
        }
        (Some(_), None) | (None, _) => frame.push_str(json),
    }
    let mut messages = Vec::with_capacity(1 + attachments.len());
    messages.push(Prepared::Text(frame));
    messages.extend(attachments.iter().cloned().map(Prepared::Binary));
    Encoded { messages }
}

pub(super) fn quoted(text: &str) -> String {
    // A string can always be written as JSON.
    serde_json::to_string(text).unwrap_or_default()
}
