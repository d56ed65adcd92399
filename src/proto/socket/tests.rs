//! Socket.IO, tested without a network: tables, properties, every state × every
//! input, and sleep between any two steps.

mod codec;
mod connection;
mod disconnects;
mod held;
mod hibernation;
mod incomplete;
mod msgpack;
mod placeholders;
mod properties;
mod recovery;
mod rig;
mod simulation;
mod sockets;
mod storing;
mod table;
mod watch;

use alloc::vec::Vec;

use super::*;
use crate::engine::Data;

const LIMITS: Limits = Limits {
    attachments: 3,
    bytes: 1_000,
};

/// Returns a server's packet as on the wire, without the type of a message in front.
fn wire(encoded: &Encoded) -> Vec<Data<'_>> {
    encoded.messages().map(|it| it.data()).collect()
}
