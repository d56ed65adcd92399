//! One Socket.IO packet as text, and what follows it.

use dormouse_proto::engine::Data;
use dormouse_proto::socket::{
    Args, ClientPacket, Decoder, Limits, Offset, ParseError, Parser, Protocol, RESERVED_NAMES,
    ServerPacket, disarm, placeholders, read_json,
};

use super::bytes::{Bytes, text};
use super::cost::{Allowed, bounded};
use super::json::{self, Json};

const LIMITS: Limits = Limits {
    attachments: 10,
    bytes: 1 << 20,
};

/// For a text.
const ALLOWED: Allowed = Allowed {
    at_once: 4,
    in_all: 8,
    times: 0,
};
/// For arguments without what looks like a placeholder. A key with escapes is copied.
const DISARMED: Allowed = Allowed {
    at_once: 4,
    in_all: 8,
    times: 1,
};
/// For arguments that a type refuses.
const MENDED: Allowed = Allowed {
    at_once: 12,
    in_all: 30,
    times: 2,
};
/// For the last attachment behind it.
const COMPLETED: Allowed = Allowed {
    at_once: 24,
    in_all: 60,
    times: 1,
};

pub(super) fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let protocol = [Protocol::V4, Protocol::V5][bytes.below(2)];
    let text = text(bytes.rest());
    if let Some(offset) = Offset::parse(&text) {
        assert_eq!(offset.to_string(), text);
    }

    let lent = bounded(text.len(), ALLOWED, || decode(protocol, Data::from(&*text)));
    let owned = decode(protocol, Data::from(text.to_string()));
    assert_eq!(lent, owned, "who owns the text does not matter");
    let parts = split(&text);
    let Ok(packet) = lent else {
        return check_refused(&text, parts);
    };
    let parts = parts.expect("a packet has these parts");
    assert!(!"4".contains(parts.kind), "only a server sends it");
    if parts.attachments == 0 && is_mute(&parts) {
        assert_eq!(packet, None, "there is nothing to hear");
    } else if parts.attachments == 0 {
        let packet = packet.expect("complete");
        check_packet(protocol, &parts, &packet);
        check_again(protocol, &parts, &packet);
    } else {
        assert_eq!(packet, None, "attachments are still to come");
        check_attachments(protocol, &text, &parts);
    }
}

fn decode(protocol: Protocol, data: Data<'_>) -> Result<Option<ClientPacket<'_>>, ParseError> {
    Decoder::default().decode(protocol, Parser::JSON, LIMITS, data)
}

/// `<type>[<n>-][/namespace,][id][json]`
#[derive(Debug)]
struct Parts<'a> {
    kind: char,
    attachments: usize,
    namespace: &'a str,
    id: Option<u64>,
    payload: &'a str,
}

fn split(text: &str) -> Option<Parts<'_>> {
    let kind = text
        .chars()
        .next()
        .filter(|kind| ('0'..='6').contains(kind))?;
    let mut rest = &text[1..];
    let mut attachments = 0;
    if "56".contains(kind) {
        let end = rest.find('-')?;
        attachments = number(&rest[..end], 6).filter(|count| *count > 0)? as usize;
        rest = &rest[end + 1..];
    }
    let mut namespace = "/";
    if rest.starts_with('/') {
        let end = rest.find(',').unwrap_or(rest.len());
        namespace = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or("");
    }
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let id = number(&rest[..digits], usize::MAX).filter(|id| *id <= 1 << 53);
    Some(Parts {
        kind,
        attachments: Some(attachments).filter(|count| *count <= LIMITS.attachments)?,
        namespace,
        id,
        payload: &rest[digits..],
    })
}

fn number(digits: &str, most: usize) -> Option<u64> {
    let fits = digits.len() <= most && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| fits)
}

/// An event without a name, or an acknowledgement without a number: it ends nothing but
/// itself.
fn is_mute(parts: &Parts<'_>) -> bool {
    match parts.kind {
        '2' | '5' => parts.payload.is_empty(),
        '3' | '6' => parts.id.is_none(),
        _ => false,
    }
}

/// What was refused must be wrong in one way or other.
fn check_refused(text: &str, parts: Option<Parts<'_>>) {
    let Some(parts) = parts else {
        return;
    };
    let payload = json::parse(parts.payload);
    let is_right = match (parts.kind, payload) {
        ('0', payload) => parts.payload.is_empty() || matches!(payload, Some(Json::Map(_))),
        ('1', _) => parts.payload.is_empty(),
        ('2' | '5', Some(Json::List(items))) => match items.first() {
            Some(Json::Text(name)) => !RESERVED_NAMES.contains(&&**name),
            Some(Json::Whole(_) | Json::Other(_)) => true,
            _ => false,
        },
        ('2' | '3' | '5' | '6', _) if parts.payload.is_empty() => true,
        ('3' | '6', Some(Json::List(_))) => true,
        _ => false,
    };
    assert!(!is_right, "{text:?} is a packet");
}

/// What was accepted is what its text says.
fn check_packet(protocol: Protocol, parts: &Parts<'_>, packet: &ClientPacket<'_>) {
    let (name, query) = match (protocol, parts.namespace.split_once('?')) {
        (Protocol::V4, Some((name, query))) => (name, Some(query)),
        (Protocol::V4, None) | (Protocol::V5, _) => (parts.namespace, None),
    };
    assert_eq!(packet.namespace(), name);
    match packet {
        ClientPacket::Connect {
            query: found, auth, ..
        } => {
            assert_eq!((parts.kind, found.as_deref()), ('0', query));
            assert_eq!(auth.as_deref().unwrap_or_default(), parts.payload);
            let payload = json::parse(parts.payload);
            let fits = auth.is_none() || matches!(payload, Some(Json::Map(_)));
            assert!(fits || json::is_odd(parts.payload));
        }
        ClientPacket::Disconnect { .. } => assert_eq!((parts.kind, parts.payload), ('1', "")),
        ClientPacket::Event {
            ack, name, args, ..
        } => {
            assert!("25".contains(parts.kind) && *ack == parts.id);
            assert!(!RESERVED_NAMES.contains(&&**name));
            check_args(parts.payload, args, Some(name));
        }
        ClientPacket::Ack { id, args, .. } => {
            assert!("36".contains(parts.kind) && Some(*id) == parts.id);
            match parts.payload {
                "" => assert_eq!(args.json(), "[]"),
                payload => check_args(payload, args, None),
            }
        }
    }
}

/// Beside attachments, no client takes anything but a placeholder for one.
fn check_disarmed(json: &str) {
    let starts = |json: &str| {
        let mut starts: Vec<_> = placeholders(json).iter().map(|it| it.range.start).collect();
        starts.sort_unstable();
        starts
    };
    let before = starts(json);
    let safe = bounded(json.len(), DISARMED, || disarm(json, &before));
    let after = starts(&safe);
    assert_eq!(disarm(&safe, &after), safe, "once is enough");
    let tree = json::parse(&safe).expect("valid JSON");
    let taken = taken(&tree);
    assert!(
        taken <= after.len() && after.len() <= before.len(),
        "{json:?}"
    );
}

/// How many objects a client of 1.x takes for placeholders: those of later clients are
/// among them.
fn taken(tree: &Json) -> usize {
    match tree {
        Json::List(items) => items.iter().map(taken).sum(),
        Json::Map(entries) => {
            let last = entries.iter().rev().find(|(key, _)| key == "_placeholder");
            match last {
                Some((_, Json::Bool(true))) => 1,
                Some((_, Json::Bool(false) | Json::Null)) | None => {
                    entries.iter().map(|(_, value)| taken(value)).sum()
                }
                Some((_, value)) => panic!("{value:?} may be true"),
            }
        }
        Json::Null | Json::Bool(_) | Json::Whole(_) | Json::Other(_) | Json::Text(_) => 0,
    }
}

/// A type that refuses a text sees the same values once more, in other words, and none
/// that only JavaScript knows.
fn check_lenient(json: &str) {
    let mut mended = None;
    let read = |text: &str| {
        if text != json {
            mended = Some(text.to_owned());
        }
        Err::<(), ()>(())
    };
    bounded(json.len(), MENDED, || read_json(json, read)).expect_err("it is refused");
    let text = mended.as_deref().unwrap_or(json);
    let mut readings = 0;
    let counted = read_json(text, |_| {
        readings += 1;
        Err::<(), ()>(())
    });
    assert_eq!((counted, readings), (Err(()), 1), "once is enough");
    match (json::parse(json), json::parse(text)) {
        (Some(before), Some(after)) => assert!(before.is_same(&after), "{json:?}"),
        (Some(_), None) => panic!("{json:?} was valid"),
        (None, Some(_)) => {}
        (None, None) => {
            let error = serde_json::from_str::<Json>(text)
                .expect_err("it is odd")
                .to_string();
            assert!(
                !error.contains("surrogate") && !error.contains("hex escape"),
                "{json:?}"
            );
        }
    }
}

fn check_args(payload: &str, args: &Args<'_>, name: Option<&str>) {
    assert_eq!(args.json(), payload);
    check_lenient(payload);
    let Some(tree) = json::parse(payload) else {
        assert!(json::is_odd(payload), "{payload:?} is no JSON");
        return;
    };
    let Json::List(items) = &tree else {
        panic!("{payload:?} is no array");
    };
    check_disarmed(payload);
    match (name, items.first()) {
        (None, _) => {}
        (Some(name), Some(Json::Text(text))) => assert_eq!(name, text),
        (Some(name), Some(Json::Whole(_) | Json::Other(_))) => {
            let number = json::parse(name).expect("a number");
            assert!(
                items.first().is_some_and(|first| number.is_same(first)),
                "{name:?}"
            );
        }
        (Some(name), first) => panic!("{first:?} is called {name:?}"),
    }
    let found = placeholders(payload);
    for placeholder in &found {
        let object = &payload[placeholder.range.clone()];
        assert!(
            matches!(json::parse(object), Some(Json::Map(_))),
            "{object:?}"
        );
    }
    let exact = |num: Option<usize>| num.filter(|num| (*num as u64) < json::EXACT);
    let found = found.into_iter().map(|it| exact(it.num));
    assert!(
        found.eq(tree.placeholders().into_iter().map(exact)),
        "{payload:?}"
    );
}

/// A packet is the same after it was written again, by a client or by a server.
fn check_again(protocol: Protocol, parts: &Parts<'_>, packet: &ClientPacket<'_>) {
    let namespace = packet.namespace();
    let prefix = match parts.namespace {
        "/" => String::new(),
        namespace => format!("{namespace},"),
    };
    let id = parts.id.map(|id| id.to_string()).unwrap_or_default();
    let text = format!("{}{prefix}{id}{}", parts.kind, parts.payload);
    assert_eq!(
        decode(protocol, Data::from(&*text)),
        Ok(Some(packet.clone()))
    );

    match packet {
        ClientPacket::Event { ack, args, .. } => {
            let event = |offset| ServerPacket::Event {
                namespace,
                ack: *ack,
                args,
                offset,
            };
            let sent = resend(protocol, &event(None));
            assert_eq!(sent, *packet);
            check_offset(args, &resend(protocol, &event(Some("12"))));
        }
        ClientPacket::Ack { id, args, .. } => {
            let answer = ServerPacket::Ack {
                namespace,
                id: *id,
                args,
            };
            assert_eq!(resend(protocol, &answer), *packet);
        }
        ClientPacket::Connect { .. } | ClientPacket::Disconnect { .. } => {}
    }
}

/// What a server sends, as a server would take it in.
fn resend(protocol: Protocol, packet: &ServerPacket<'_>) -> ClientPacket<'static> {
    let encoded = packet.encode(protocol, Parser::JSON);
    let mut decoder = Decoder::default();
    let mut packet = None;
    for message in encoded.messages() {
        assert_eq!(packet, None, "nothing follows a packet");
        let message = message.data().into_owned();
        packet = decoder
            .decode(protocol, Parser::JSON, LIMITS, message)
            .expect("what a server sends is a packet");
    }
    packet.expect("a whole packet")
}

/// The offset is one more argument.
fn check_offset(args: &Args<'_>, packet: &ClientPacket<'_>) {
    let ClientPacket::Event { args: with, .. } = packet else {
        panic!("{packet:?} is no event");
    };
    if let (Some(Json::List(mut items)), Some(with)) =
        (json::parse(args.json()), json::parse(with.json()))
    {
        items.push(Json::Text("12".to_owned()));
        assert_eq!(with, Json::List(items));
    }
}

/// The attachments follow, and the packet is there with the last of them.
fn check_attachments(protocol: Protocol, text: &str, parts: &Parts<'_>) {
    let mut decoder = Decoder::default();
    let mut decode = |data| decoder.decode(protocol, Parser::JSON, LIMITS, data);
    assert_eq!(decode(Data::from(text)), Ok(None));
    let attachments: Vec<Vec<u8>> = (0..parts.attachments).map(|n| vec![n as u8; n]).collect();
    for bytes in attachments.iter().skip(1) {
        assert_eq!(decode(Data::from(bytes.clone())), Ok(None));
    }
    let last = Data::from(attachments[0].clone());
    let last = bounded(text.len(), COMPLETED, || decode(last));
    let nums = placeholders(parts.payload);
    let fits = nums
        .iter()
        .all(|it| it.num.is_some_and(|num| num < parts.attachments));
    if is_mute(parts) {
        assert_eq!(last, Ok(None), "there is nothing to hear");
        return;
    }
    let Ok(Some(packet)) = last else {
        assert!(!fits && last == Err(ParseError::Placeholder), "{last:?}");
        return;
    };
    assert!(fits, "a placeholder without attachment");
    check_packet(protocol, parts, &packet);
    let args = match &packet {
        ClientPacket::Event { args, .. } | ClientPacket::Ack { args, .. } => args,
        ClientPacket::Connect { .. } | ClientPacket::Disconnect { .. } => panic!("{packet:?}"),
    };
    let in_order = attachments.iter().skip(1).chain(attachments.first());
    assert!(args.attachments().iter().eq(in_order));
    if let ClientPacket::Ack {
        namespace,
        id,
        args,
    } = &packet
    {
        let answer = ServerPacket::Ack {
            namespace,
            id: *id,
            args,
        };
        assert_eq!(resend(protocol, &answer), packet);
    }
}
