//! Engine.IO and Socket.IO, the protocols that Dormouse speaks, as plain data and
//! state machines.
//!
//! This crate contains no networking code, no clock, no randomness and no `async`:
//! bytes and [`Timestamp`]s come in as arguments, and packets and answers come out
//! as values. It builds for `wasm32v1-none`.
//!
//! - [`engine`]: Engine.IO, revisions 3 and 4. Packets, payloads, and the
//!   [`Session`](engine::Session): one client, over HTTP long-polling or WebSocket.
//! - [`socket`]: Socket.IO, protocols 4 and 5. Packets with attachments,
//!   namespaces, rooms, acknowledgements, and the
//!   [`Connection`](socket::Connection): one client's sockets above its session.
//! - [`cluster`]: many objects that are one server: hubs, which order the events of rooms,
//!   and nodes, which have the sockets.
//! - [`rate`]: how much of what a client sends is taken in, and when.
//!
//! The wasm is to be small: [`Map`], [`Set`], [`sort`], [`sort_by_key`] and [`Base64`] are
//! what the standard library and others do faster, in several times as many bytes.
//!
//! Both protocols are driven in the same way: `handle_*` takes in what has happened, and
//! `poll_output` returns what is to be done until nothing is left. A session knows
//! nothing of Socket.IO, and a connection knows nothing of transports: their driver
//! passes the messages on.
#![no_std]
#![cfg_attr(
    test,
    allow(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)
)]

extern crate alloc;

#[cfg(test)]
extern crate std;

mod base64;
pub mod bytes;
pub mod cluster;
pub mod engine;
mod map;
pub mod rate;
pub mod socket;
mod sort;
mod time;
pub mod versioned;

pub use base64::Base64;
pub use map::{Map, Set};
pub use sort::{sort, sort_by_key};
pub use time::{Timestamp, millis};

#[cfg(doctest)]
#[doc = include_str!("README.md")]
struct Readme;
