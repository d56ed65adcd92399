//! Packets of Engine.IO, one to a frame.

use core::time::Duration;

use criterion::Criterion;
use dormouse_codec_benches::inputs::{Inputs, event};
use dormouse_codec_benches::{ours, peer};
use dormouse_proto::engine::{Handshake, Revision, ServerPacket};
use engineioxide_core::{OpenPacket, Packet, ProtocolVersion};

use super::pair;

pub fn benches(criterion: &mut Criterion) {
    let inputs = Inputs::load();
    let bytes = inputs.attachment();
    for (revision, protocol, label) in [
        (Revision::V4, ProtocolVersion::V4, "v4"),
        (Revision::V3, ProtocolVersion::V3, "v3"),
    ] {
        let text = event("2", "message", &[inputs.greeting.clone().into()]);
        texts(
            criterion,
            &format!("engine {label} text"),
            revision,
            protocol,
            &text,
        );
        let large = event("2", "message", &[inputs.ascii().into()]);
        texts(
            criterion,
            &format!("engine {label} text 10 KB"),
            revision,
            protocol,
            &large,
        );
        base64(
            criterion,
            &format!("engine {label} base64"),
            revision,
            protocol,
            &bytes,
        );
        let large = bytes.repeat(16);
        base64(
            criterion,
            &format!("engine {label} base64 1 KB"),
            revision,
            protocol,
            &large,
        );
        let probe = peer::shared("2probe");
        pair(
            criterion,
            &format!("engine {label} probe: decode"),
            || ours::decode_text(revision, "2probe"),
            || probe.clone(),
            |frame| peer::decode_text(protocol, frame),
        );
    }
    handshake(criterion);
}

fn texts(
    criterion: &mut Criterion,
    name: &str,
    revision: Revision,
    protocol: ProtocolVersion,
    text: &str,
) {
    let frame = format!("4{text}");
    let shared = peer::shared(&frame);
    pair(
        criterion,
        &format!("{name}: decode"),
        || ours::decode_text(revision, &frame),
        || shared.clone(),
        |frame| peer::decode_text(protocol, frame),
    );
    let shared = peer::shared(text);
    pair(
        criterion,
        &format!("{name}: encode"),
        || ours::encode_text(revision, text),
        || Packet::Message(shared.clone()),
        peer::encode,
    );
}

fn base64(
    criterion: &mut Criterion,
    name: &str,
    revision: Revision,
    protocol: ProtocolVersion,
    bytes: &[u8],
) {
    let shared = peer::shared_bytes(bytes);
    let packet = || match revision {
        Revision::V3 => Packet::BinaryV3(shared.clone()),
        Revision::V4 => Packet::Binary(shared.clone()),
    };
    let frame = String::from(packet());
    let shared_frame = peer::shared(&frame);
    pair(
        criterion,
        &format!("{name}: decode"),
        || ours::decode_text(revision, &frame),
        || shared_frame.clone(),
        |frame| peer::decode_text(protocol, frame),
    );
    pair(
        criterion,
        &format!("{name}: encode"),
        || ours::encode_base64(revision, bytes),
        packet,
        peer::encode,
    );
}

fn handshake(criterion: &mut Criterion) {
    let open = OpenPacket::default();
    let sid = open.sid.to_string();
    let handshake = Handshake {
        sid: &sid,
        upgrades: true,
        ping_interval: Duration::from_secs(25),
        ping_timeout: Duration::from_secs(20),
        max_payload: open.max_payload,
    };
    pair(
        criterion,
        "engine open: encode",
        || ours::encode(Revision::V4, ServerPacket::Open(handshake)),
        || open.clone(),
        |open| peer::encode(Packet::Open(open)),
    );
}
