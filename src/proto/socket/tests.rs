//! Socket.IO, tested without a network: tables, properties, every state × every
//! input, and sleep between any two steps.

mod client;
mod codec;
mod hibernation;
mod msgpack;
mod properties;

use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use crate::Timestamp;
use crate::engine::Data;

const LIMITS: Limits = Limits {
    attachments: 3,
    bytes: 1_000,
};

/// What a server's packet is on the wire, without the type of a message in front.
fn wire(encoded: &Encoded) -> Vec<Data<'_>> {
    encoded.messages().map(|it| it.data()).collect()
}

fn open(protocol: Protocol) -> Client {
    let settings = Settings {
        max_namespaces: 3,
        max_rooms: 2,
        ..Settings::default()
    };
    Client::open(Timestamp::from_millis(1_000), settings, protocol)
}

/// Joins a namespace, as the application would let it.
fn join(client: &mut Client, namespace: &str) -> String {
    let id = alloc::format!("id of {namespace}");
    client.begin(namespace, Socket::new(id.clone(), 0));
    client.accept(namespace).unwrap();
    id
}
