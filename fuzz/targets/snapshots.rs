//! Whatever stands in storage: what is read back either is refused, or can live on.

use std::fmt::Debug;

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{self, ConnId, Data, Revision, Session};
use dormouse_proto::socket::recovery::StoredSocket;
use dormouse_proto::socket::{
    Admission, Args, Connection, Decoder, Due, Filter, JoinId, Limits, Parser, Protocol, Settings,
    placeholders,
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
        3 | 4 => check_connection(snapshot, Bytes::new(steps)),
        5 => check_decoder(snapshot, Bytes::new(steps)),
        6 => check_stored_socket(snapshot),
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

fn check_connection(snapshot: &[u8], mut steps: Bytes<'_>) {
    let settings = Settings {
        parser: [Parser::JSON, Parser::MSGPACK][steps.below(2)],
        max_namespaces: 3,
        max_rooms: 2,
        ..Settings::default()
    };
    let restore = |snapshot: &[u8]| Connection::restore(snapshot, settings, |_, _| Some(0));
    let Ok(mut connection) = restore(snapshot) else {
        return;
    };
    let first = connection.sockets().next().map(|it| it.join_id());
    let join = first.unwrap_or(JoinId(0));
    let now = Timestamp::from_millis(0);
    while !steps.is_empty() {
        match steps.below(13) {
            0 => drop(connection.handle_message(now, Data::from(text(steps.piece()).into_owned()))),
            1 => drop(connection.handle_message(now, Data::from(steps.piece().to_vec()))),
            2 => {
                connection.admit(join);
                connection.accept_early(join);
            }
            3 => drop(connection.accept(join)),
            4 => drop(connection.refuse(join, "no", None)),
            5 => drop(connection.disconnect(join)),
            6 => drop(connection.enter(join, &text(steps.piece()))),
            7 => drop(connection.leave(join, &text(steps.piece()))),
            8 => drop(connection.begin("/", Admission::new("id"))),
            9 => connection.handle_timeout(Timestamp::from_millis(u64::MAX)),
            10 => connection.close(),
            11 => connection.handle_closed(engine::Reason::TransportClose),
            _ => drop(connection.poll_storing(Due::Unstored, true)),
        }
        while connection.poll_output().is_some() {}
        // Whoever is undecided is refused, which changes it.
        let again = connection.snapshot();
        connection = restore(&again).expect("a snapshot of its own");
        while connection.poll_output().is_some() {}
        let again = connection.snapshot();
        connection = restore(&again).expect("a snapshot of its own");
        assert!(connection.poll_output().is_none());
        assert_eq!(connection.snapshot(), again);
    }
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

fn check_stored_socket(snapshot: &[u8]) {
    if let Some(socket) = reread::<StoredSocket>(snapshot) {
        let rooms: Vec<String> = socket.rooms.iter().take(1).cloned().collect();
        let filter = Filter {
            rooms: rooms.clone(),
            except: Vec::new(),
        };
        assert!(socket.is_meant_by(&filter));
        let filter = Filter {
            rooms: Vec::new(),
            except: rooms.clone(),
        };
        assert_eq!(socket.is_meant_by(&filter), rooms.is_empty());
    }
    reread::<Filter>(snapshot);
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
