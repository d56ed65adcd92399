//! Engine.IO: packets, payloads and the session they belong to.
//!
//! A client and a server exchange *packets*. On WebSocket each packet is a [`Frame`]
//! of its own; via polling, any number of them share the [`Body`] of a request or an
//! answer, which is then called a *payload*. Two revisions of the protocol are in
//! use and differ in all of this: [`Revision`].
//!
//! What a client sends is decoded into [`ClientPacket`]s, by
//! [`ClientPacket::decode`] and [`decode_payload`]; what a server sends is encoded
//! from [`ServerPacket`]s, by [`ServerPacket::encode`] and [`encode_payload`]. There
//! is no way back: this crate cannot be a client.
//!
//! No bytes can make decoding panic, and what is decoded borrows from them:
//! only base64 and JSONP are copied.
//!
//! Specification: the `engine.io-protocol` documents for
//! [revision 4](https://github.com/socketio/socket.io/blob/main/docs/engine.io-protocol/v4-current.md)
//! and
//! [revision 3](https://github.com/socketio/socket.io/blob/main/docs/engine.io-protocol/v3.md).

mod base64;
mod data;
mod decimal;
mod error;
mod handshake;
mod json;
mod outcome;
mod packet;
mod payload;
mod prepared;
mod session;
mod settings;
#[cfg(test)]
mod test_client;

pub use data::{Body, Data, Frame};
pub(crate) use decimal::push_decimal;
pub use error::ParseError;
pub use handshake::Handshake;
pub(crate) use json::push_string;
pub use outcome::{Answer, ConnId, Output, Reason, RequestError};
pub use packet::{ClientPacket, Revision, ServerPacket};
pub use payload::{
    ContentType, Format, MAX_LENGTH_DIGITS, Packets, decode_payload, encode_payload, jsonp,
};
pub use prepared::{MESSAGE, Prepared};
pub use session::{BodyError, Cause, Deadline, Flush, Open, Session, Transport};
pub use settings::{
    FAREWELL, LATE_POLL, MAX_PACKETS, MAX_PAYLOAD_PACKETS, MAX_POSTS, SLEEP_AFTER, Settings,
};
