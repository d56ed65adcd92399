//! Socket.IO: events, acknowledgements, namespaces and rooms, above Engine.IO.
//!
//! A [`Connection`] is what one Engine.IO session has above it: a [`Socket`] in each
//! namespace that its client has joined. The client sends [`ClientPacket`]s, which
//! take several messages if they have attachments, and is sent [`ServerPacket`]s.
//! [`Rooms`] and [`AwaitedAcks`] are the plain data behind broadcasts and
//! acknowledgements, and [`recovery`] has the rules by which a client comes back.
//!
//! Two protocols are in use and share most of their packets: [`Protocol`].
//! Arguments stay text until the application reads them: [`Args`].
//!
//! Specification: the `socket.io-protocol` documents for
//! [protocol 5](https://github.com/socketio/socket.io/blob/main/docs/socket.io-protocol/v5-current.md)
//! and
//! [protocol 4](https://github.com/socketio/socket.io/blob/main/docs/socket.io-protocol/v4.md).

mod acks;
mod args;
mod connection;
mod decoder;
mod error;
mod json;
mod lenient;
mod msgpack;
mod packet;
mod parser;
mod reason;
pub mod recovery;
mod rooms;
mod settings;
mod sorted;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
mod tokens;

pub use acks::{AwaitedAcks, LAST_ACK, Waiting};
pub use args::{Args, Placeholder, disarm, placeholders};
pub use connection::{
    Admission, Auth, ConnectRequest, Connection, Definition, Due, INTERNAL_ERROR,
    INVALID_NAMESPACE, Incoming, JoinError, JoinId, KEEP_AFTER, MAX_AUTH, MAX_HELD, MAX_LEFT,
    MAX_ROOM_NAMES, MAX_STALL, MAX_WAITING, Output, REJECTED, REQUESTS_TOO_LARGE, ROOT,
    RecoveredSocket, Route, SleepingSocket, Socket, Storing, TOO_MANY_NAMESPACES,
    TOO_MANY_REQUESTS, Violation,
};
pub use decoder::{Decoder, Limits};
pub use error::ParseError;
pub use json::push_escaped;
pub use lenient::read_json;
pub use msgpack::{json_from_msgpack, msgpack_from_json};
pub use packet::{ClientPacket, Encoded, Protocol, RESERVED_NAMES, ServerPacket};
pub use parser::Parser;
pub use reason::Reason;
pub use recovery::Offset;
pub use rooms::{Filter, Gathering, Rooms};
pub use settings::Settings;
