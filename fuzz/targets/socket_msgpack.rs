//! Socket.IO packets as msgpack.

use dormouse_proto::engine::{Data, Prepared};
use dormouse_proto::socket::{
    Args, ClientPacket, Decoder, Limits, ParseError, Parser, Protocol, RESERVED_NAMES,
    ServerPacket, placeholders,
};

use super::bytes::{Bytes, text};
use super::cost::{Allowed, bounded};
use super::json::{self, Json};

const LIMITS: Limits = Limits {
    attachments: 10,
    bytes: 1 << 20,
};

/// What is nested more deeply than this is not read.
const DEEPEST: usize = 100;

/// Of msgpack, for each byte of it.
const READ: Allowed = Allowed {
    at_once: 40,
    in_all: 80,
    times: 1,
};

/// Of what is written as msgpack, for each byte of its text and attachments.
const WRITTEN: Allowed = Allowed {
    at_once: 90,
    in_all: 160,
    times: 1,
};

pub(super) fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let flags = bytes.byte();
    let protocol = [Protocol::V4, Protocol::V5][usize::from(flags & 1)];
    match flags & 2 {
        0 => check_bytes(protocol, bytes.rest()),
        _ => check_json(protocol, &text(bytes.rest())),
    }
}

fn decode(protocol: Protocol, bytes: &[u8]) -> Result<Option<ClientPacket<'static>>, ParseError> {
    let mut decoder = Decoder::default();
    let data = Data::from(bytes.to_vec());
    let packet = bounded(bytes.len(), READ, || {
        decoder.decode(protocol, Parser::MSGPACK, LIMITS, data)
    });
    assert!(!decoder.is_pending(), "one message is one packet");
    packet
}

/// What is read is valid, in bounds, and the same once it was written and read
/// again.
fn check_bytes(protocol: Protocol, bytes: &[u8]) {
    let Ok(Some(packet)) = decode(protocol, bytes) else {
        return;
    };
    let namespace = packet.namespace();
    match &packet {
        ClientPacket::Event {
            ack, name, args, ..
        } => {
            assert!(!RESERVED_NAMES.contains(&&**name));
            check_args(bytes, args);
            let event = ServerPacket::Event {
                namespace,
                ack: *ack,
                args,
                offset: None,
            };
            let ClientPacket::Event {
                name: n,
                args: a,
                ack: k,
                ..
            } = again(protocol, &event)
            else {
                panic!("an event is an event");
            };
            assert_eq!((n, k), (name.clone(), *ack));
            assert_eq!(a, *args);
        }
        ClientPacket::Ack { id, args, .. } => {
            check_args(bytes, args);
            let answer = ServerPacket::Ack {
                namespace,
                id: *id,
                args,
            };
            assert_eq!(again(protocol, &answer), packet);
        }
        ClientPacket::Connect { auth, .. } => {
            let json = auth.as_deref().unwrap_or("{}");
            assert!(matches!(json::parse(json), Some(Json::Map(_))), "{json:?}");
        }
        ClientPacket::Disconnect { .. } => {
            let goodbye = ServerPacket::Disconnect { namespace };
            assert_eq!(again(protocol, &goodbye), packet);
        }
    }
}

/// The bytes that a packet consists of.
fn size(packet: &ServerPacket<'_>) -> usize {
    match packet {
        ServerPacket::Event { args, .. } | ServerPacket::Ack { args, .. } => args.bytes(),
        ServerPacket::Connect { .. }
        | ServerPacket::Disconnect { .. }
        | ServerPacket::ConnectError { .. } => 0,
    }
}

fn again(protocol: Protocol, packet: &ServerPacket<'_>) -> ClientPacket<'static> {
    let encoded = bounded(size(packet), WRITTEN, || {
        packet.encode(protocol, Parser::MSGPACK)
    });
    let [Prepared::Binary(bytes)] = *encoded.messages().collect::<Vec<_>>() else {
        panic!("{encoded:?} is not one binary message");
    };
    let packet = decode(protocol, bytes).expect("what a server sends is a packet");
    packet.expect("and is heard")
}

fn check_args(bytes: &[u8], args: &Args<'_>) {
    let json = args.json();
    assert!(json.len() <= bytes.len() * 6 + LIMITS.attachments * 40);
    assert!(args.attachments().len() <= LIMITS.attachments);
    let tree = json::parse(json).expect("valid JSON");
    assert!(matches!(tree, Json::List(_)), "{json:?} is no array");
    if !args.attachments().is_empty() {
        let nums = placeholders(json);
        let fits = |num: Option<usize>| num.is_some_and(|num| num < args.attachments().len());
        assert!(nums.iter().all(|it| fits(it.num)), "{json:?}");
    }
}

/// What a server says arrives as the same values.
fn check_json(protocol: Protocol, text: &str) {
    let Some(tree @ Json::List(_)) = json::parse(text) else {
        return;
    };
    if tree.depth() > DEEPEST {
        return;
    }
    let args = Args::new(text, Vec::new());
    let answer = ServerPacket::Ack {
        namespace: "/",
        id: 7,
        args: &args,
    };
    let ClientPacket::Ack { args, .. } = again(protocol, &answer) else {
        panic!("an acknowledgement is one");
    };
    let arrived = json::parse(args.json()).expect("valid JSON");
    assert!(is_same(&arrived, &tree), "{text:?} {arrived:?}");
}

/// JavaScript has one type of number; and neither end reads every digit of a long one.
fn is_same(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Whole(_) | Json::Other(_), Json::Whole(_) | Json::Other(_)) => {
            let (one, other) = (one.number(), other.number());
            (one - other).abs() <= one.abs() * 1e-14 || (one - other).abs() < f64::MIN_POSITIVE
        }
        (Json::List(one), Json::List(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| is_same(one, other))
        }
        (Json::Map(one), Json::Map(other)) => {
            let same = |((a, one), (b, other)): (&(String, Json), &(String, Json))| {
                a == b && is_same(one, other)
            };
            one.len() == other.len() && one.iter().zip(other).all(same)
        }
        (one, other) => one == other,
    }
}
