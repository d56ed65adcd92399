//! Socket.IO: events, acknowledgements, namespaces and rooms, above Engine.IO.
//!
//! Specification: the `socket.io-protocol` documents for
//! [protocol 5](https://github.com/socketio/socket.io/blob/main/docs/socket.io-protocol/v5-current.md)
//! and
//! [protocol 4](https://github.com/socketio/socket.io/blob/main/docs/socket.io-protocol/v4.md).
