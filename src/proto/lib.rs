//! The protocols that Dormouse speaks, as plain data and state machines.
//!
//! This crate contains no networking code, no clock, no randomness and no
//! `async`: bytes and [`Timestamp`]s come in as arguments, packets and answers
//! come out as values. It builds for `wasm32v1-none`.
//!
//! - [`engine`]: Engine.IO revisions 3 and 4 — packets, payloads, the session.
#![no_std]
#![cfg_attr(
    test,
    allow(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)
)]

extern crate alloc;

#[cfg(test)]
extern crate std;

pub mod engine;
pub mod socket;
mod time;

pub use time::Timestamp;
