use core::fmt;

use serde::{Deserialize, Serialize};

use super::{Body, ContentType};

/// Names one request or one WebSocket of a session, for as long as it lasts.
///
/// The session's driver chooses the numbers. No two connections of one session may
/// share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConnId(pub u64);

/// An action that a session asks of its driver. Actions have to be taken in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Answer this HTTP request.
    Answer {
        /// The request.
        request: ConnId,
        /// Its answer.
        answer: Answer,
    },
    /// Read the body of this `POST`, which had to wait for the one before it.
    ReadBody {
        /// The request.
        request: ConnId,
    },
    /// Send this frame on this WebSocket.
    Send {
        /// The WebSocket.
        socket: ConnId,
        /// The frame.
        frame: super::Frame<'static>,
    },
    /// Close this WebSocket. Nothing else will be asked of it.
    CloseSocket {
        /// The WebSocket.
        socket: ConnId,
        /// The close code of RFC 6455, section 7.4.
        code: u16,
    },
    /// The session has moved from polling to its WebSocket.
    Upgraded,
    /// The session is over. This comes once; further outputs only say goodbye to the
    /// client.
    Closed(Reason),
}

/// The answer to an HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200: the packets that a `GET` waited for.
    Payload(ContentType, Body<'static>),
    /// 200 `ok`: the packets of a `POST` were taken.
    Received,
    /// 413: the body of a `POST` was larger than the limit. The session stays.
    TooLarge,
    /// An error of the protocol.
    Refused(RequestError),
}

/// A request is refused: the protocol's error codes.
///
/// The answer has the HTTP status [`status`](Self::status) and a JSON body with the
/// code and the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// 0: `transport` is missing, unknown or switched off.
    UnknownTransport,
    /// 1: no session has this `sid`, or it is over.
    UnknownSid,
    /// 2: a handshake must be a `GET`.
    BadHandshakeMethod,
    /// 3: the request does not fit the session or the protocol.
    BadRequest,
    /// 4: the application does not admit this client.
    Forbidden,
    /// 5: `EIO` is missing, or names a revision that is not supported.
    UnsupportedProtocolVersion,
}

impl RequestError {
    /// Returns the protocol's code.
    pub const fn code(self) -> u8 {
        match self {
            Self::UnknownTransport => 0,
            Self::UnknownSid => 1,
            Self::BadHandshakeMethod => 2,
            Self::BadRequest => 3,
            Self::Forbidden => 4,
            Self::UnsupportedProtocolVersion => 5,
        }
    }

    /// Returns the HTTP status of the answer.
    pub const fn status(self) -> u16 {
        match self {
            Self::Forbidden => 403,
            Self::UnknownTransport
            | Self::UnknownSid
            | Self::BadHandshakeMethod
            | Self::BadRequest
            | Self::UnsupportedProtocolVersion => 400,
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownTransport => "Transport unknown",
            Self::UnknownSid => "Session ID unknown",
            Self::BadHandshakeMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::Forbidden => "Forbidden",
            Self::UnsupportedProtocolVersion => "Unsupported protocol version",
        })
    }
}

impl core::error::Error for RequestError {}

/// The reason that a session is over, in the words that users of other servers know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Reason {
    /// The connection broke, or the client broke the rules of the transport.
    TransportError,
    /// The client closed the connection or the session.
    TransportClose,
    /// The application disconnected the client.
    ForcedClose,
    /// The client left a heartbeat unanswered.
    PingTimeout,
    /// The client sent something that is not a packet.
    ParseError,
    /// The client sent more, or faster, than it may.
    Overrun,
    /// The object holds more for its clients than it may, and most of it for this
    /// one.
    MemoryExceeded,
}

impl Reason {
    /// Returns the reason's text, as handlers and the log have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TransportError => "transport error",
            Self::TransportClose => "transport close",
            Self::ForcedClose => "forced close",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::Overrun => "overrun",
            Self::MemoryExceeded => "memory exceeded",
        }
    }

    /// Returns the code that a WebSocket is closed with, by RFC 6455, section 7.4.
    pub(super) const fn close_code(self) -> u16 {
        match self {
            Self::TransportError
            | Self::TransportClose
            | Self::ForcedClose
            | Self::PingTimeout
            | Self::ParseError => 1000,
            // "Policy violation", and "try again later".
            Self::Overrun => 1008,
            Self::MemoryExceeded => 1013,
        }
    }

    /// Returns whether it is the server that ended the session, by a decision of its
    /// own rather than because of what the client did on the transport.
    pub(super) const fn is_ours(self) -> bool {
        match self {
            Self::ForcedClose | Self::Overrun | Self::MemoryExceeded => true,
            Self::TransportError | Self::TransportClose | Self::PingTimeout | Self::ParseError => {
                false
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
