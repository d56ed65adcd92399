//! Packets: those of clients are decoded, those of servers are encoded.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::iter;

use serde::{Deserialize, Serialize};

use super::json::{first_scalar, outline, unquoted};
use super::lenient::integer;
use super::{Args, ParseError, Parser};
use crate::engine::{MESSAGE, Prepared, Revision, push_decimal, push_string};

/// The version of the protocol that a client speaks.
///
/// Specification: protocol 5, "Difference between v5 and v4".
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

/// Event names that the libraries reserve for themselves.
pub const RESERVED_NAMES: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

/// The largest number of an acknowledgement, 2^53: JavaScript counts no further.
const MAX_ID: u64 = 1 << 53;

/// The maximum number of digits of a number of attachments.
const MAX_COUNT_DIGITS: usize = 6;

/// The payload of an acknowledgement that has none.
const NO_VALUES: &str = "[]";

/// A packet that a client sends.
///
/// Specification: protocol 5, "Exchange protocol" and "Packet encoding".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientPacket<'a> {
    /// `0`: it wants to join a namespace.
    Connect {
        /// The namespace's name.
        namespace: Cow<'a, str>,
        /// The query that follows `?` in the namespace (protocol 4).
        query: Option<Cow<'a, str>>,
        /// The client's `auth`: a JSON object (protocol 5).
        auth: Option<Cow<'a, str>>,
    },
    /// `1`: it leaves a namespace.
    Disconnect {
        /// The namespace's name.
        namespace: Cow<'a, str>,
    },
    /// `2` and `5`: an event.
    Event {
        /// The namespace it is for.
        namespace: Cow<'a, str>,
        /// The number of the acknowledgement that the client waits for.
        ack: Option<u64>,
        /// The event's name.
        name: Cow<'a, str>,
        /// Its arguments, the name first.
        args: Args<'a>,
    },
    /// `3` and `6`: an acknowledgement.
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
    /// Returns the namespace it is for.
    pub fn namespace(&self) -> &str {
        match self {
            Self::Connect { namespace, .. }
            | Self::Disconnect { namespace }
            | Self::Event { namespace, .. }
            | Self::Ack { namespace, .. } => namespace,
        }
    }

    /// Returns the same packet, owned.
    pub fn into_owned(self) -> ClientPacket<'static> {
        match self {
            Self::Connect {
                namespace,
                query,
                auth,
            } => ClientPacket::Connect {
                namespace: own_namespace(namespace),
                query: query.map(owned),
                auth: auth.map(owned),
            },
            Self::Disconnect { namespace } => ClientPacket::Disconnect {
                namespace: own_namespace(namespace),
            },
            Self::Event {
                namespace,
                ack,
                name,
                args,
            } => ClientPacket::Event {
                namespace: own_namespace(namespace),
                ack,
                name: owned(name),
                args: args.into_owned(),
            },
            Self::Ack {
                namespace,
                id,
                args,
            } => ClientPacket::Ack {
                namespace: own_namespace(namespace),
                id,
                args: args.into_owned(),
            },
        }
    }

    /// Sets the attachments of a packet whose text has come before them.
    pub(super) fn set_attachments(&mut self, attachments: Vec<Vec<u8>>) {
        match self {
            Self::Event { args, .. } | Self::Ack { args, .. } => args.set_attachments(attachments),
            Self::Connect { .. } | Self::Disconnect { .. } => {}
        }
    }
}

/// The head of a packet's text, before the JSON, and the JSON.
pub(super) struct Head<'a> {
    kind: char,
    /// The number of attachments that follow.
    pub(super) attachments: usize,
    namespace: &'a str,
    id: Option<u64>,
    json: &'a str,
}

/// Splits a packet's text: `<type>[<n>-][/namespace,][id][json]`.
pub(super) fn read_head(text: &str, max_attachments: usize) -> Result<Head<'_>, ParseError> {
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
    let (id, json) = read_id(rest);
    Ok(Head {
        kind,
        attachments,
        namespace,
        id,
        json,
    })
}

impl<'a> Head<'a> {
    /// Validates the JSON, and returns the packet. Returns `None` if there is nothing
    /// to hear: see [`Decoder::decode`](super::Decoder::decode).
    pub(super) fn into_packet(
        self,
        protocol: Protocol,
    ) -> Result<Option<ClientPacket<'a>>, ParseError> {
        let Self {
            kind,
            namespace,
            id,
            json,
            ..
        } = self;
        let (namespace, query) = split_query(protocol, namespace);
        let namespace = Cow::Borrowed(namespace);
        let payload = Some(json).filter(|json| !json.is_empty());
        match (kind, payload) {
            ('0', _) => decode_connect(namespace, query.map(Cow::Borrowed), payload).map(Some),
            ('1', None) => Ok(Some(ClientPacket::Disconnect { namespace })),
            ('1', Some(_)) => Err(ParseError::Payload),
            ('2' | '5', None) => Ok(None),
            ('2' | '5', Some(json)) => decode_event(namespace, id, Cow::Borrowed(json)).map(Some),
            (_, json) => decode_ack(namespace, id, Cow::Borrowed(json.unwrap_or(NO_VALUES))),
        }
    }
}

/// Returns the namespace in the text of a packet with attachments.
pub(super) fn namespace_of(protocol: Protocol, text: &str) -> Option<&str> {
    let head = read_head(text, usize::MAX).ok()?;
    Some(split_query(protocol, head.namespace).0)
}

/// Decodes a packet whose attachments have all come. Its text has been
/// [validated](Head::into_packet) before them. Returns `None` if there is nothing to
/// hear.
pub(super) fn decode_complete(
    protocol: Protocol,
    mut text: String,
    attachments: Vec<Vec<u8>>,
) -> Result<Option<ClientPacket<'static>>, ParseError> {
    let head = read_head(&text, attachments.len())?;
    let (namespace, _) = split_query(protocol, head.namespace);
    let (kind, id, namespace) = (head.kind, head.id, own_namespace(namespace.into()));
    let name = match (kind, head.json) {
        ('5', "") => return Ok(None),
        ('5', json) => {
            let name = first_scalar(json).ok_or(ParseError::Payload)?;
            Some(name_of(name)?.into_owned())
        }
        _ => None,
    };
    let json = match head.json {
        "" => Cow::Borrowed(NO_VALUES),
        json => {
            text.drain(..text.len() - json.len());
            Cow::Owned(text)
        }
    };
    let args = Args::new(json, attachments);
    Ok(match name {
        Some(name) => Some(ClientPacket::Event {
            namespace,
            ack: id,
            name: Cow::Owned(name),
            args,
        }),
        None => id.map(|id| ClientPacket::Ack {
            namespace,
            id,
            args,
        }),
    })
}

fn owned(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

/// Returns the namespace, owned. Most sockets are in the root, whose name is not
/// copied.
fn own_namespace(namespace: Cow<'_, str>) -> Cow<'static, str> {
    match &*namespace {
        "/" => Cow::Borrowed("/"),
        _ => owned(namespace),
    }
}

fn read_count(text: &str, max: usize) -> Result<(usize, &str), ParseError> {
    let (digits, rest) = text.split_once('-').ok_or(ParseError::AttachmentCount)?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    if digits.is_empty() || digits.len() > MAX_COUNT_DIGITS || !is_number {
        return Err(ParseError::AttachmentCount);
    }
    match digits.parse().map_err(|_| ParseError::AttachmentCount)? {
        0 => Err(ParseError::AttachmentCount),
        count if count > max => Err(ParseError::TooManyAttachments),
        count => Ok((count, rest)),
    }
}

/// Splits off the namespace. Its comma may be missing if nothing follows.
fn read_namespace(text: &str) -> (&str, &str) {
    if !text.starts_with('/') {
        return ("/", text);
    }
    // Few names are so long that looking at several bytes together takes less.
    let comma = text.bytes().position(|byte| byte == b',');
    let split = comma.and_then(|comma| text.split_at_checked(comma));
    match split {
        Some((namespace, rest)) => (namespace, rest.strip_prefix(',').unwrap_or_default()),
        None => (text, ""),
    }
}

/// Splits off the query of a namespace in protocol 4: `/admin?token=1`.
pub(super) fn split_query(protocol: Protocol, namespace: &str) -> (&str, Option<&str>) {
    match protocol {
        Protocol::V4 => match namespace.split_once('?') {
            Some((name, query)) => (name, Some(query)),
            None => (namespace, None),
        },
        Protocol::V5 => (namespace, None),
    }
}

/// Splits off the number of an acknowledgement. One that nobody could have sent, or
/// that cannot be answered, is none.
fn read_id(text: &str) -> (Option<u64>, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    (parse_id(digits), rest)
}

/// Parses the number of an acknowledgement, which is an integer.
pub(super) fn parse_id(digits: &str) -> Option<u64> {
    digits.parse().ok().filter(|id| *id <= MAX_ID)
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
    named_event(namespace, ack, name, json)
}

/// Returns an event whose JSON is valid.
pub(super) fn named_event<'a>(
    namespace: Cow<'a, str>,
    ack: Option<u64>,
    name: Cow<'a, str>,
    json: Cow<'a, str>,
) -> Result<ClientPacket<'a>, ParseError> {
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

fn decode_ack<'a>(
    namespace: Cow<'a, str>,
    id: Option<u64>,
    json: Cow<'a, str>,
) -> Result<Option<ClientPacket<'a>>, ParseError> {
    expect_start(&json, b'[')?;
    Ok(numbered_ack(namespace, id, json))
}

/// Returns an acknowledgement whose JSON is valid, if it has a number.
pub(super) fn numbered_ack<'a>(
    namespace: Cow<'a, str>,
    id: Option<u64>,
    json: Cow<'a, str>,
) -> Option<ClientPacket<'a>> {
    id.map(|id| ClientPacket::Ack {
        namespace,
        id,
        args: Args::new(json, Vec::new()),
    })
}

/// Validates a JSON text, which has to begin with `start`.
fn expect_start(json: &str, start: u8) -> Result<(), ParseError> {
    match outline(json) {
        Some(outline) if outline.start == start => Ok(()),
        Some(_) => Err(ParseError::Payload),
        None => Err(ParseError::Json),
    }
}

/// Validates an array, and returns its first item: the event's name.
fn read_name(json: &str) -> Result<Cow<'_, str>, ParseError> {
    let outline = outline(json).ok_or(ParseError::Json)?;
    name_of(outline.first.ok_or(ParseError::Payload)?)
}

/// Returns an event's name: a string, or a number as it is written, integers as such.
pub(super) fn name_of(json: &str) -> Result<Cow<'_, str>, ParseError> {
    match json.chars().next() {
        Some('"') => Ok(unquoted(json)),
        Some('-' | '0'..='9') => Ok(integer(json).map_or(Cow::Borrowed(json), Cow::Owned)),
        _ => Err(ParseError::Payload),
    }
}

/// A packet that a server sends.
///
/// Specification: protocol 5, "Exchange protocol" and "Packet encoding".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerPacket<'a> {
    /// `0`: the client has joined.
    Connect {
        /// The namespace.
        namespace: &'a str,
        /// The socket's id. Not sent in protocol 4.
        sid: &'a str,
        /// The secret that the client can come back with. Not sent in protocol 4.
        pid: Option<&'a str>,
    },
    /// `1`: the client is disconnected from a namespace.
    Disconnect {
        /// The namespace's name.
        namespace: &'a str,
    },
    /// `2` and `5`: an event.
    Event {
        /// The namespace it is from.
        namespace: &'a str,
        /// The number of the acknowledgement that the server waits for.
        ack: Option<u64>,
        /// Its arguments, the name first.
        args: &'a Args<'a>,
        /// The event's offset, which is sent as one more argument, the last.
        offset: Option<&'a str>,
    },
    /// `3` and `6`: an acknowledgement.
    Ack {
        /// The namespace it is from.
        namespace: &'a str,
        /// The number that the event was sent with.
        id: u64,
        /// The values.
        args: &'a Args<'a>,
    },
    /// `4`: the client may not join.
    ConnectError {
        /// The namespace.
        namespace: &'a str,
        /// The reason.
        message: &'a str,
        /// Additional data, as JSON.
        data: Option<&'a str>,
    },
}

/// A packet as it is sent: one Engine.IO message, and one more for each attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    first: Prepared,
    attachments: Vec<Prepared>,
}

impl Encoded {
    /// Creates a packet that takes one message.
    pub(super) fn alone(message: Prepared) -> Self {
        Self {
            first: message,
            attachments: Vec::new(),
        }
    }

    /// Returns the messages, in this order.
    pub fn messages(&self) -> impl Iterator<Item = &Prepared> {
        iter::once(&self.first).chain(&self.attachments)
    }

    /// Returns the first message, and those that follow it.
    pub fn into_parts(self) -> (Prepared, Vec<Prepared>) {
        (self.first, self.attachments)
    }
}

impl ServerPacket<'_> {
    /// Encodes the packet, once for all sockets of this protocol.
    pub fn encode(&self, protocol: Protocol, parser: Parser) -> Encoded {
        (parser.encode)(self, protocol)
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
                text(
                    kind,
                    args.attachments(),
                    namespace,
                    *ack,
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

    /// Returns the JSON of a packet that does not have arguments.
    pub(super) fn payload(&self, protocol: Protocol) -> Option<String> {
        match (self, protocol) {
            (Self::Connect { sid, pid, .. }, Protocol::V5) => {
                let mut json = String::with_capacity(sid.len() + pid.map_or(0, str::len) + 24);
                json.push_str("{\"sid\":");
                push_string(sid, &mut json);
                if let Some(pid) = pid {
                    json.push_str(",\"pid\":");
                    push_string(pid, &mut json);
                }
                json.push('}');
                Some(json)
            }
            (Self::ConnectError { message, data, .. }, Protocol::V5) => {
                let mut json = String::from("{\"message\":");
                push_string(message, &mut json);
                if let Some(data) = data {
                    json.push_str(",\"data\":");
                    json.push_str(data);
                }
                json.push('}');
                Some(json)
            }
            // Clients of protocol 4 get one value: the data, or else the message.
            (Self::ConnectError { message, data, .. }, Protocol::V4) => {
                Some(data.map_or_else(|| quoted(message), String::from))
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

/// Writes a packet into one buffer. A last argument is inserted before the end of
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
        push_decimal(attachments.len() as u64, &mut frame);
        frame.push('-');
    }
    if namespace != "/" {
        frame.push_str(namespace);
        frame.push(',');
    }
    if let Some(id) = id {
        push_decimal(id, &mut frame);
    }
    // A client's own arguments may have white space behind them.
    match last.and_then(|last| Some((last, json.trim_end().strip_suffix(']')?))) {
        Some((last, open)) => {
            frame.push_str(open);
            frame.push(',');
            push_string(last, &mut frame);
            frame.push(']');
        }
        None => frame.push_str(json),
    }
    Encoded {
        first: Prepared::Text(frame),
        attachments: attachments.iter().cloned().map(Prepared::Binary).collect(),
    }
}

fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    push_string(text, &mut json);
    json
}
