//! Whatever stands in storage: what is read back either is refused, or can live on.

use std::fmt::Debug;

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{ConnId, Data, Revision, Session};
use dormouse_proto::socket::{
    Args, Client, Decoder, Filter, Kept, Limits, Parser, Protocol, Settings, Socket, placeholders,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::bytes::{Bytes, text};
use super::engine_session::{Conns, apply, outputs, read_settings, read_step};
use super::trace;

pub(super) fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let kind = bytes.byte();
    let steps = bytes.piece();
    let snapshot = bytes.rest();
    match kind % 8 {
        0..=2 => check_session(snapshot, Bytes::new(steps)),
        3 | 4 => check_client(snapshot, Bytes::new(steps)),
        5 => check_decoder(snapshot, Bytes::new(steps)),
        6 => check_kept(snapshot),
        _ => check_args(snapshot),
    }
}

fn check_session(snapshot: &[u8], mut steps: Bytes<'_>) {
    let settings = read_settings(&mut steps);
    let there = steps.byte();
    let is_there = |conn: ConnId| there >> (conn.0 % 8) & 1 == 1;
    let Ok(mut session) = Session::restore(snapshot, settings, is_there) else {
        return;
    };
    let mut now = super::engine_session::BEGIN;
    outputs(&mut session);
    while !steps.is_empty() {
        let conns = Conns {
            revision: session.revision(),
            b64: false,
            next: ConnId(u64::from(steps.byte())),
            get: session.waiting_poll(),
            post: Some(ConnId(u64::from(steps.byte()))),
            socket: session.socket(),
        };
        let step = read_step(&mut steps, &mut now, &conns);
        trace(&(now, &step));
        apply(&mut session, &step, now);
        let again = session.snapshot();
        session = Session::restore(&again, settings, |_| true).expect("a snapshot of its own");
        assert_eq!(session.snapshot(), again);
        if let Some(deadline) = session.next_deadline() {
            session.handle_timeout(deadline.at);
            outputs(&mut session);
        }
    }
    let revision = session.revision();
    assert!(matches!(revision, Revision::V3 | Revision::V4));
}

fn check_client(snapshot: &[u8], mut steps: Bytes<'_>) {
    let settings = Settings {
        parser: [Parser::JSON, Parser::MSGPACK][steps.below(2)],
        max_namespaces: 3,
        max_rooms: 2,
        ..Settings::default()
    };
    let Ok(mut client) = Client::restore(snapshot, settings) else {
        return;
    };
    let first = client
        .sockets()
        .next()
        .map(|(namespace, _)| namespace.to_owned());
    let namespace = first.unwrap_or_else(|| "/".to_owned());
    while !steps.is_empty() {
        match steps.below(10) {
            0 => drop(client.handle_message(Data::from(text(steps.piece()).into_owned()))),
            1 => drop(client.handle_message(Data::from(steps.piece().to_vec()))),
            2 => drop(client.next_request()),
            3 => drop(client.accept(&namespace)),
            4 => drop(client.refuse(&namespace, "no", None)),
            5 => drop(client.disconnect(&namespace)),
            6 => drop(client.join(&namespace, &text(steps.piece()))),
            7 => client.leave(&namespace, &text(steps.piece())),
            8 => client.begin(&namespace, Socket::new("id".to_owned(), 0)),
            _ => drop(client.handle_timeout(Timestamp::from_millis(u64::MAX))),
        }
        let again = client.snapshot();
        client = Client::restore(&again, settings).expect("a snapshot of its own");
        assert_eq!(client.snapshot(), again);
    }
    client.close().for_each(drop);
}

fn check_decoder(snapshot: &[u8], mut steps: Bytes<'_>) {
    let Some(mut decoder) = reread::<Decoder>(snapshot) else {
        return;
    };
    let limits = Limits {
        attachments: 3,
        bytes: 100,
    };
    while !steps.is_empty() {
        let data = match steps.flag() {
            true => Data::from(steps.piece().to_vec()),
            false => Data::from(text(steps.piece()).into_owned()),
        };
        drop(decoder.decode(Protocol::V5, Parser::JSON, limits, data));
    }
}

fn check_kept(snapshot: &[u8]) {
    if let Some(kept) = reread::<Kept>(snapshot) {
        let rooms: Vec<String> = kept.rooms.iter().take(1).cloned().collect();
        let filter = Filter {
            rooms: rooms.clone(),
            except: Vec::new(),
        };
        assert!(kept.missed(&filter));
        let filter = Filter {
            rooms: Vec::new(),
            except: rooms.clone(),
        };
        assert_eq!(kept.missed(&filter), rooms.is_empty());
    }
    reread::<Filter>(snapshot);
    reread::<Socket>(snapshot);
}

/// The text of arguments may be anything: it was looked through before, but that
/// was somewhere else.
fn check_args(snapshot: &[u8]) {
    reread::<Data<'static>>(snapshot);
    if let Some(args) = reread::<Args<'static>>(snapshot) {
        for placeholder in placeholders(args.json()) {
            assert!(args.json().get(placeholder.range).is_some());
        }
    }
}

/// Reads a value; it must be the same when it was written and read once more.
fn reread<T: Serialize + DeserializeOwned + Debug>(bytes: &[u8]) -> Option<T> {
    let value: T = postcard::from_bytes(bytes).ok()?;
    let written = postcard::to_allocvec(&value).expect("a value");
    let again: T = postcard::from_bytes(&written).expect("the same value");
    assert_eq!(format!("{value:?}"), format!("{again:?}"));
    Some(value)
}
