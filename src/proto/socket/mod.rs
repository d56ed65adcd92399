//! Socket.IO: events, acknowledgements, namespaces and rooms, above Engine.IO.
//!
//! A [`Client`] is what one Engine.IO session has above it: a [`Socket`] in each
//! namespace that it has joined. Its messages are [`ClientPacket`]s, of which one
//! with attachments takes several; what it is sent are [`ServerPacket`]s.
//! [`Rooms`], [`Acks`] and [`Kept`] are the plain data behind broadcasts,
//! acknowledgements and connection state recovery.
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
mod client;
mod decoder;
mod error;
mod json;
mod msgpack;
mod packet;
mod parser;
mod reason;
mod recovery;
mod rooms;
mod settings;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;

pub use acks::{Acks, LAST_ACK, Waiting};
pub use args::{Args, Placeholder, placeholders};
pub use client::{
    Auth, Client, ConnectRequest, INVALID_NAMESPACE, Incoming, ROOT, Socket, TOO_MANY_NAMESPACES,
    Violation,
};
pub use decoder::{Decoder, Limits};
pub use error::ParseError;
pub use packet::{ClientPacket, Encoded, Protocol, RESERVED_NAMES, ServerPacket};
pub use parser::Parser;
pub use reason::Reason;
pub use recovery::{Kept, Offset};
pub use rooms::{Filter, Rooms};
pub use settings::Settings;
