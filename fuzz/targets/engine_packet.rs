//! One frame of Engine.IO.

use dormouse_proto::engine::{ClientPacket, Data, Frame, Prepared, Revision, ServerPacket};

use super::bytes::{Bytes, text};
use super::cost::{Allowed, bounded};
use super::wire::{Received, read_frame, write_frame};

const ALLOWED: Allowed = Allowed {
    at_once: 3,
    in_all: 8,
    times: 0,
};

pub(super) fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let flags = bytes.byte();
    let revision = [Revision::V3, Revision::V4][usize::from(flags & 1)];
    let b64 = flags & 2 != 0 && revision == Revision::V3;
    let content = bytes.rest();
    let frame = match flags & 4 {
        0 => Frame::Text(text(content)),
        _ => Frame::from(content),
    };

    let lent = bounded(frame.len(), ALLOWED, || {
        ClientPacket::decode(revision, frame.borrowed())
    });
    let owned = ClientPacket::decode(revision, frame.clone().into_owned());
    assert_eq!(lent, owned, "who owns the frame does not matter");
    let Ok(packet) = lent else {
        return;
    };
    assert!(content_of(&packet) < frame.len() + usize::from(frame.is_empty()) + 1);
    assert!(!frame.is_empty() || revision == Revision::V4);

    let again = write_frame(revision, b64, &packet);
    assert_eq!(ClientPacket::decode(revision, again), Ok(packet.clone()));
    match packet {
        ClientPacket::Message(data) => check_message(revision, b64, data),
        ClientPacket::Ping(echo) => {
            let frame = ServerPacket::Pong(echo.clone()).encode(revision, b64);
            assert_eq!(
                read_frame(revision, &frame),
                Received::Pong(echo.into_owned())
            );
        }
        ClientPacket::Close
        | ClientPacket::Pong(_)
        | ClientPacket::Upgrade
        | ClientPacket::Noop => {}
    }
}

fn content_of(packet: &ClientPacket<'_>) -> usize {
    match packet {
        ClientPacket::Ping(text) | ClientPacket::Pong(text) => text.len(),
        ClientPacket::Message(data) => data.len(),
        ClientPacket::Close | ClientPacket::Upgrade | ClientPacket::Noop => 0,
    }
}

/// Whichever way a message is sent back, it is the same frame and the same message.
fn check_message(revision: Revision, b64: bool, data: Data<'_>) {
    let received = Received::Message(data.clone().into_owned());
    let frame = Frame::message(revision, b64, data.clone());
    assert_eq!(read_frame(revision, &frame), received);
    assert!(frame.len() <= data.len().div_ceil(3) * 4 + 2, "{frame:?}");
    assert!(
        !b64 || matches!(frame, Frame::Text(_)),
        "this client takes no binary"
    );

    let packet = ServerPacket::Message(data.borrowed());
    assert_eq!(packet.encode(revision, b64), frame);
    let prepared = Prepared::from(data.borrowed());
    assert_eq!(prepared.frame(revision, b64), frame);
    assert_eq!(prepared.data(), data);
    assert_eq!(prepared.len(), data.len());
}
