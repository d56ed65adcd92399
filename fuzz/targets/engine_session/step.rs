//! What can happen to a session, read from the fuzzer's bytes.

use std::time::Duration;

use dormouse_proto::Timestamp;
use dormouse_proto::engine::jsonp::JsonpIndex;
use dormouse_proto::engine::{
    Body, BodyError, ClientPacket, ConnId, Data, Flush, Format, Frame, Output, Prepared,
    RequestError, Revision, Session, Settings,
};

use crate::targets::bytes::{Bytes, text};
use crate::targets::wire::{write_binary_payload, write_frame, write_payload};

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Poll(ConnId, Format),
    PollGone(ConnId),
    Post(ConnId),
    Body(ConnId, Body<'static>),
    BodyTooLarge(ConnId),
    BodyMalformed(ConnId),
    BodyGone(ConnId),
    Upgrade(ConnId),
    Frame(ConnId, Frame<'static>),
    SocketGone(ConnId, bool),
    Send(Data<'static>),
    SendPrepared(Data<'static>),
    Close(Flush),
    Timeout,
    /// The heartbeat was answered without us, so long ago.
    SignOfLife(u64),
    /// The object loses its memory and all requests.
    Evict,
    /// Only time has passed, or the clock was set back.
    Wait,
}

/// What came of a step.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Effects {
    /// The application's messages.
    pub(crate) messages: Vec<Data<'static>>,
    /// A frame that can go at once.
    pub(crate) frame: Option<(ConnId, Frame<'static>)>,
    /// Whether a body is to be read.
    pub(crate) reads: bool,
    pub(crate) refused: Option<RequestError>,
    pub(crate) outputs: Vec<Output>,
}

/// The connections that there are, to pick from.
pub(crate) struct Conns {
    pub(crate) revision: Revision,
    pub(crate) b64: bool,
    pub(crate) next: ConnId,
    pub(crate) get: Option<ConnId>,
    pub(crate) post: Option<ConnId>,
    pub(crate) socket: Option<ConnId>,
}

pub(crate) fn read_settings(bytes: &mut Bytes<'_>) -> Settings {
    let flags = bytes.byte();
    let millis = Duration::from_millis;
    let (ping_interval, ping_timeout) = match flags & 3 {
        0 => (millis(25_000), millis(20_000)),
        1 => (millis(10_000), millis(30_000)),
        2 => (millis(500), millis(200)),
        _ => (millis(300), millis(1_000)),
    };
    let max_buffered = [80, 1_000][usize::from(flags >> 2 & 1)];
    Settings {
        ping_interval,
        ping_timeout,
        may_sleep: true,
        upgrade_timeout: [millis(10_000), millis(50)][usize::from(flags >> 3 & 1)],
        allow_upgrades: flags >> 4 & 1 == 0,
        max_payload: [1_000_000, 30][usize::from(flags >> 5 & 1)],
        max_buffered,
        max_unproven: max_buffered * 2,
    }
}

/// The next step. Time passes with it.
pub(crate) fn read_step(bytes: &mut Bytes<'_>, now: &mut u64, conns: &Conns) -> Step {
    let choice = bytes.byte();
    pass_time(usize::from(choice >> 5), bytes, now);
    let get = conns.get.unwrap_or(conns.next);
    let post = conns.post.unwrap_or(conns.next);
    let socket = conns.socket.unwrap_or(conns.next);
    match choice & 31 {
        0 | 1 => Step::Poll(conns.next, Format::Any),
        2 => Step::Poll(conns.next, Format::Jsonp(JsonpIndex::from_query("1"))),
        3 => Step::PollGone(get),
        4 | 5 => Step::Post(conns.next),
        6 | 7 => Step::Body(post, read_body(bytes, conns)),
        8 => Step::Body(post, Body::Text(text(bytes.piece()).into_owned().into())),
        9 => Step::Body(post, Body::from(bytes.piece().to_vec())),
        10 => Step::BodyTooLarge(post),
        11 => Step::BodyMalformed(post),
        12 => Step::BodyGone(post),
        13 | 14 => Step::Upgrade(conns.next),
        15 | 16 => Step::Frame(
            socket,
            write_frame(conns.revision, conns.b64, &read_packet(bytes)),
        ),
        17 => Step::Frame(socket, Frame::from("2probe")),
        18 => Step::Frame(socket, Frame::from("5")),
        19 => Step::Frame(socket, Frame::Text(text(bytes.piece()).into_owned().into())),
        20 => Step::Frame(conns.next, Frame::from("2probe")),
        21 => Step::SocketGone(socket, bytes.flag()),
        22..=24 => Step::Send(read_data(bytes)),
        25 => Step::SendPrepared(read_data(bytes)),
        26 => Step::Close([Flush::All, Flush::Nothing][bytes.below(2)]),
        27 | 28 => Step::Timeout,
        29 => Step::SignOfLife([0, 1, 100, 20_000][bytes.below(4)]),
        30 => Step::Evict,
        _ => Step::Wait,
    }
}

/// By little or by much, and sometimes backwards.
fn pass_time(choice: usize, bytes: &mut Bytes<'_>, now: &mut u64) {
    let unit = [0, 0, 0, 1, 10, 100, 1_000, 0][choice];
    *now += unit * u64::from(if unit > 0 { bytes.byte() } else { 0 });
    if choice == 7 {
        *now -= u64::from(bytes.byte()) * 10;
    }
}

fn read_data(bytes: &mut Bytes<'_>) -> Data<'static> {
    match bytes.byte() {
        // Many bytes need not be read one by one.
        length @ 0..=127 => Data::from("x".repeat(usize::from(length))),
        length @ 128..=191 => Data::from(vec![length; usize::from(length & 63)]),
        // No payload of revision 4 has a means to carry the separator.
        192..=223 => Data::from(text(bytes.piece()).replace('\u{1e}', "")),
        224..=255 => Data::from(bytes.piece().to_vec()),
    }
}

fn read_packet(bytes: &mut Bytes<'_>) -> ClientPacket<'static> {
    match bytes.below(8) {
        0 => ClientPacket::Close,
        1 => ClientPacket::Ping("".into()),
        2 => ClientPacket::Ping(text(bytes.piece()).replace('\u{1e}', "").into()),
        3 => ClientPacket::Pong("".into()),
        4 => ClientPacket::Upgrade,
        5 => ClientPacket::Noop,
        _ => ClientPacket::Message(read_data(bytes)),
    }
}

fn read_body(bytes: &mut Bytes<'_>, conns: &Conns) -> Body<'static> {
    let flags = bytes.byte();
    let packets: Vec<_> = (0..=flags & 3).map(|_| read_packet(bytes)).collect();
    match (conns.revision, flags & 4) {
        (Revision::V3, 4) => Body::from(write_binary_payload(&packets)),
        (revision, _) => Body::from(write_payload(revision, &packets)),
    }
}

fn no_body(session: &mut Session, request: ConnId, now: Timestamp, error: BodyError) {
    let messages = session.handle_body(now, request, Err(error));
    assert!(messages.is_empty(), "messages of no body");
}

/// Takes a step, and all that comes of it.
pub(crate) fn apply(session: &mut Session, step: &Step, now: u64) -> Effects {
    let mut effects = Effects::default();
    let now = Timestamp::from_millis(now);
    match step {
        Step::Poll(request, format) => session.handle_poll(now, *request, *format),
        Step::PollGone(request) => session.handle_poll_gone(*request),
        Step::Post(request) => effects.reads = session.handle_post(now, *request),
        Step::Body(request, body) => {
            let messages = session.handle_body(now, *request, Ok(body));
            effects.messages = messages.into_iter().map(Data::into_owned).collect();
        }
        Step::BodyTooLarge(request) => no_body(session, *request, now, BodyError::TooLarge),
        Step::BodyMalformed(request) => no_body(session, *request, now, BodyError::Malformed),
        Step::BodyGone(request) => no_body(session, *request, now, BodyError::Gone),
        Step::Upgrade(socket) => effects.refused = session.handle_upgrade(now, *socket).err(),
        Step::Frame(socket, frame) => {
            let message = session.handle_frame(now, *socket, frame.borrowed());
            effects.messages = message.into_iter().map(Data::into_owned).collect();
        }
        Step::SocketGone(socket, broken) => session.handle_socket_gone(*socket, *broken),
        Step::Send(data) => {
            let frame = session.send(now, data.borrowed());
            effects.frame = frame.map(|(socket, frame)| (socket, frame.into_owned()));
        }
        Step::SendPrepared(data) => {
            let message = Prepared::from(data.borrowed());
            let frame = session.send_prepared(now, &message);
            effects.frame = frame.map(|(socket, frame)| (socket, frame.into_owned()));
        }
        Step::Close(flush) => session.close(now, *flush),
        Step::Timeout => session.handle_timeout(now),
        Step::SignOfLife(ago) => {
            session.handle_sign_of_life(now - Duration::from_millis(*ago));
        }
        Step::Evict | Step::Wait => {}
    }
    effects.outputs = outputs(session);
    effects
}

pub(crate) fn outputs(session: &mut Session) -> Vec<Output> {
    std::iter::from_fn(|| session.poll_output()).collect()
}
