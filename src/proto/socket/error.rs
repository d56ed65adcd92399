use core::fmt;

/// A message is not a valid Socket.IO packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// The first character is not a packet type, or is missing.
    UnknownType,
    /// A packet that only a server may send.
    NotForServers,
    /// The number of attachments is missing, zero, too long, or not followed by `-`.
    AttachmentCount,
    /// More attachments than a packet may have.
    TooManyAttachments,
    /// The packet and its attachments have more bytes than a packet may have.
    TooLarge,
    /// The number of an acknowledgement is not an integer (msgpack).
    AckId,
    /// The payload is not JSON.
    Json,
    /// The payload does not fit the packet's type.
    Payload,
    /// The event's name is one that the libraries reserve for themselves.
    ReservedName,
    /// A placeholder names an attachment that does not exist.
    Placeholder,
    /// Bytes where no attachment is expected.
    UnexpectedBinary,
    /// Text where attachments are still missing.
    UnexpectedText,
    /// The attachments of a packet did not come in time.
    Incomplete,
    /// The bytes are not msgpack.
    MsgPack,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownType => "unknown packet type",
            Self::NotForServers => "packet that only a server sends",
            Self::AttachmentCount => "bad number of attachments",
            Self::TooManyAttachments => "too many attachments",
            Self::TooLarge => "packet too large",
            Self::AckId => "bad acknowledgement id",
            Self::Json => "payload is not json",
            Self::Payload => "payload does not fit the packet type",
            Self::ReservedName => "reserved event name",
            Self::Placeholder => "placeholder without attachment",
            Self::UnexpectedBinary => "attachment that no packet announced",
            Self::UnexpectedText => "packet before the last attachment",
            Self::Incomplete => "attachments did not come in time",
            Self::MsgPack => "not msgpack",
        })
    }
}

impl core::error::Error for ParseError {}
