//! What is fuzzed: one function for each target. It takes whatever bytes there
//! are and panics where something is wrong.
//!
//! They know neither the fuzzer nor the test that replays its corpus
//! (`src/proto/tests/corpus.rs`); both take in this module. What a client writes
//! and reads, and what is to come of it, is written here from the specifications
//! and not with the code under test.

use std::fmt::Debug;
use std::sync::OnceLock;

mod bytes;
mod cost;
mod engine_packet;
mod engine_payload;
mod engine_session;
mod json;
pub mod long;
mod snapshots;
mod socket_client;
mod socket_decoder;
mod socket_msgpack;
mod socket_packet;
mod wire;

/// A target: its name, which is also that of its corpus, and what it runs.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const ALL: [Target; 8] = [
    ("engine_packet", engine_packet::run),
    ("engine_payload", engine_payload::run),
    ("engine_session", engine_session::run),
    ("snapshots", snapshots::run),
    ("socket_client", socket_client::run),
    ("socket_decoder", socket_decoder::run),
    ("socket_msgpack", socket_msgpack::run),
    ("socket_packet", socket_packet::run),
];

/// Says what is done, where one input alone is run to be understood.
fn trace(step: &dyn Debug) {
    static IS_ON: OnceLock<bool> = OnceLock::new();
    if *IS_ON.get_or_init(|| std::env::var_os("DORMOUSE_FUZZ_TRACE").is_some()) {
        eprintln!("{step:?}");
    }
}
