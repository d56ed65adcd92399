//! The session: one client, from its handshake to its end, over polling,
//! WebSocket, and the move from the one to the other.
//!
//! It contains no networking code and no clock. Whatever arrives is passed to a
//! `handle_*` method along with the time; [`poll_output`](Session::poll_output)
//! returns what is to be done until nothing is left.

mod heartbeat;
mod outputs;
mod polling;
mod snapshot;
mod websocket;

#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;

use serde::{Deserialize, Serialize};

use self::heartbeat::Heartbeat;
use self::outputs::Outputs;
use self::polling::{Buffered, Poll, Polling};
use self::websocket::{CLOSE_NORMAL, Probe, WebSocket};
use super::outcome::{Answer, ConnId, Output, Reason, RequestError};
use super::settings::{FAREWELL, MAX_PACKETS, Settings};
use super::{ClientPacket, Data, Frame, Prepared, ServerPacket};
use super::{Format, Handshake, Revision, encode_payload};
use crate::Timestamp;
use crate::rate::Network;

pub use self::heartbeat::{Cause, Deadline};
pub use self::polling::BodyError;

/// One client's session, of either revision of the protocol.
///
/// Specification: revision 4, "Transports" and "Protocol".
///
/// ```
/// use dormouse_proto::Timestamp;
/// use dormouse_proto::engine::{
///     Answer, ConnId, Data, Format, Open, Output, Revision, Session, Settings,
/// };
///
/// let now = Timestamp::from_millis(1_000);
/// let open = Open { sid: "sid", revision: Revision::V4, b64: false };
///
/// // The first GET is answered with the handshake …
/// let mut session =
///     Session::open_polling(now, Settings::default(), open, ConnId(1), Format::default());
/// let Some(Output::Answer { request: ConnId(1), answer: Answer::Payload(..) }) =
///     session.poll_output()
/// else {
///     panic!("the handshake answers the first request");
/// };
///
/// // … and the next one waits until there is something to say.
/// session.handle_poll(now, ConnId(2), Format::default());
/// assert_eq!(session.poll_output(), None);
/// session.send(now, Data::from("hello"));
/// assert!(matches!(session.poll_output(), Some(Output::Answer { request: ConnId(2), .. })));
/// ```
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    revision: Revision,
    /// The client said at its handshake that it does not accept binary (revision 3).
    b64: bool,
    state: SessionState,
    /// The `POST`s that have no answer yet, in order. The body of the first is being
    /// read.
    posts: VecDeque<ConnId>,
    /// A `GET` that the upgrade has overtaken, and when to refuse it.
    overtaken: Option<(ConnId, Timestamp)>,
    heartbeat: Heartbeat,
    /// The number of packets to be [told](Self::take_others) that were not messages.
    others: usize,
    /// Where its client connects from, if that is to be remembered.
    network: Option<Network>,
    outputs: Outputs,
    /// Something that must survive sleep differs from the last snapshot.
    changed: bool,
}

/// The state of a session.
///
/// ```text
///   handshake via GET          handshake over WebSocket
///         │                              │
///         ▼        WebSocket             │
///      Polling ──────────────▶ Probing   │
///         │    ◀──────────────    │ 5    │
///         │     it failed         ▼      ▼
///         │                     WebSocket
///         │ close()               │
///         ▼                       ▼
///      Closing ── GET or 5 ───▶ Closed
/// ```
#[derive(Debug, Serialize, Deserialize)]
enum SessionState {
    /// Packets travel with `GET` and `POST`.
    Polling(Polling),
    /// They still do, while a WebSocket proves that it can take over.
    Probing(Polling, Probe),
    /// Packets travel over WebSocket.
    WebSocket(WebSocket),
    /// The server has closed the session; the next `GET` will be told, if it comes
    /// in time, or else the WebSocket that was to take over.
    Closing {
        outbox: polling::Outbox,
        until: Timestamp,
        /// A client in the middle of an upgrade may have stopped polling.
        probe: Option<Probe>,
    },
    /// Over. If a client closed by `POST`, its `GET` may still arrive after it; that
    /// one is answered in kind.
    Closed { farewell: Option<Timestamp> },
}

impl SessionState {
    const OVER: Self = Self::Closed { farewell: None };
}

/// The parameters of a handshake.
#[derive(Clone, Copy, Debug)]
pub struct Open<'a> {
    /// The session's id. It must be unguessable.
    pub sid: &'a str,
    /// The protocol the client asked for.
    pub revision: Revision,
    /// The client does not accept binary (revision 3, query `b64`).
    pub b64: bool,
}

/// The transport that carries a session's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// HTTP long-polling.
    Polling,
    /// WebSocket.
    WebSocket,
}

impl Transport {
    /// Returns the transport's name in the query and in `upgrades`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
        }
    }
}

/// The amount of what waits for the client that is sent when the application closes
/// its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// Everything that was sent before.
    All,
    /// Nothing.
    Nothing,
}

/// Opening sessions, and their properties.
impl Session {
    /// Opens a session that begins with the `GET` request `request`.
    pub fn open_polling(
        now: Timestamp,
        settings: Settings,
        open: Open<'_>,
        request: ConnId,
        format: Format,
    ) -> Self {
        let mut session = Self::open(
            now,
            settings,
            open,
            SessionState::Polling(Polling::default()),
        );
        let handshake = session.handshake(open.sid, settings.allow_upgrades);
        session.answer_packets(request, format, &[ServerPacket::Open(handshake)]);
        session
    }

    /// Opens a session that begins with the WebSocket `socket`.
    pub fn open_websocket(
        now: Timestamp,
        settings: Settings,
        open: Open<'_>,
        socket: ConnId,
    ) -> Self {
        let mut session = Self::open(
            now,
            settings,
            open,
            SessionState::WebSocket(WebSocket::new(socket)),
        );
        let handshake = session.handshake(open.sid, false);
        let frame = ServerPacket::Open(handshake)
            .encode(open.revision, open.b64)
            .into_owned();
        session.outputs.push_back(Output::Send { socket, frame });
        session
    }

    fn open(now: Timestamp, settings: Settings, open: Open<'_>, state: SessionState) -> Self {
        Self {
            settings,
            revision: open.revision,
            b64: open.b64,
            state,
            posts: VecDeque::new(),
            overtaken: None,
            heartbeat: Heartbeat::new(now),
            others: 0,
            network: None,
            outputs: Outputs::default(),
            changed: true,
        }
    }

    fn handshake<'a>(&self, sid: &'a str, upgrades: bool) -> Handshake<'a> {
        Handshake {
            sid,
            upgrades,
            ping_interval: self.settings.ping_interval,
            ping_timeout: self.settings.ping_timeout,
            max_payload: self.settings.max_payload as u64,
        }
    }

    /// Returns the revision that the client speaks.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Returns the network that the client connects from, if the session was told.
    pub fn network(&self) -> Option<Network> {
        self.network
    }

    /// Returns how many packets have come since this was last called that are neither
    /// messages nor answers to pings: those that nobody has asked for, and the
    /// application does not hear of.
    pub fn take_others(&mut self) -> usize {
        core::mem::take(&mut self.others)
    }

    /// Remembers the network that the client connects from.
    pub fn set_network(&mut self, network: Network) {
        self.network = Some(network);
        self.changed = true;
    }

    /// Returns the transport that carries packets, or `None` once the session is
    /// over or closing.
    pub fn transport(&self) -> Option<Transport> {
        match &self.state {
            SessionState::Polling(_) | SessionState::Probing(..) => Some(Transport::Polling),
            SessionState::WebSocket(_) => Some(Transport::WebSocket),
            SessionState::Closing { .. } | SessionState::Closed { .. } => None,
        }
    }

    /// Returns the WebSocket that carries the session's packets.
    pub fn socket(&self) -> Option<ConnId> {
        match &self.state {
            SessionState::WebSocket(socket) => Some(socket.conn),
            SessionState::Polling(_)
            | SessionState::Probing(..)
            | SessionState::Closing { .. }
            | SessionState::Closed { .. } => None,
        }
    }

    /// Returns whether a WebSocket belongs to the session: the one that carries it,
    /// or one that is to take over.
    pub fn has_socket(&self, socket: ConnId) -> bool {
        let own = self.socket().or(self.probe().map(|probe| probe.conn));
        own == Some(socket)
    }

    /// Returns the `GET` that waits for packets, if there is one.
    pub fn waiting_poll(&self) -> Option<ConnId> {
        match &self.state {
            SessionState::Polling(polling) | SessionState::Probing(polling, _) => {
                match polling.poll {
                    Poll::Waiting(request, _) => Some(request),
                    Poll::Idle => None,
                }
            }
            SessionState::WebSocket(_)
            | SessionState::Closing { .. }
            | SessionState::Closed { .. } => None,
        }
    }

    /// Returns the number of bytes that it holds for its client: packets that wait for
    /// a `GET`, and outputs that have not been taken yet.
    pub fn held_bytes(&self) -> usize {
        let waiting = match &self.state {
            SessionState::Polling(Polling { outbox, .. })
            | SessionState::Probing(Polling { outbox, .. }, _)
            | SessionState::Closing { outbox, .. } => outbox.bytes(),
            SessionState::WebSocket(_) | SessionState::Closed { .. } => 0,
        };
        waiting.saturating_add(self.outputs.bytes())
    }

    /// Returns whether anything that must survive sleep has changed since
    /// [`take_changed`](Self::take_changed) was last called.
    pub fn is_changed(&self) -> bool {
        let outbox_changed = match &self.state {
            SessionState::Polling(polling) | SessionState::Probing(polling, _) => {
                polling.outbox.is_changed()
            }
            SessionState::WebSocket(_)
            | SessionState::Closing { .. }
            | SessionState::Closed { .. } => false,
        };
        self.changed || outbox_changed
    }

    /// Returns whether requests of the session wait: a `GET` for packets, or `POST`s for
    /// their answers.
    pub fn has_requests(&self) -> bool {
        self.waiting_poll().is_some() || self.overtaken.is_some() || !self.posts.is_empty()
    }

    /// Returns whether the session is over and has no more outputs, so that it can
    /// be forgotten.
    pub fn is_over(&self) -> bool {
        matches!(self.state, SessionState::Closed { farewell: None }) && self.outputs.is_empty()
    }

    /// Returns whether anything that must survive sleep has changed since this was
    /// last called; if so, it is time for a [`snapshot`](Self::snapshot).
    ///
    /// Call it after the outputs have been taken: a message that a waiting `GET`
    /// takes along does not have to be saved. Neither do the requests themselves,
    /// because an object stays awake while one is on its way.
    pub fn take_changed(&mut self) -> bool {
        let outbox_changed = match &mut self.state {
            SessionState::Polling(polling) | SessionState::Probing(polling, _) => {
                polling.outbox.take_changed()
            }
            SessionState::WebSocket(_)
            | SessionState::Closing { .. }
            | SessionState::Closed { .. } => false,
        };
        core::mem::take(&mut self.changed) || outbox_changed
    }
}

/// Actions of the application.
impl Session {
    /// Sends a message.
    ///
    /// If it can go at once, the frame is returned with the WebSocket that is to
    /// send it. Otherwise it waits among the outputs, or for the client's next
    /// `GET`. If the session is over, it is lost.
    #[must_use = "the frame is to be sent"]
    pub fn send<'a>(&mut self, now: Timestamp, data: Data<'a>) -> Option<(ConnId, Frame<'a>)> {
        match self.socket() {
            Some(socket) => {
                let frame = Frame::message(self.revision, self.b64, data);
                self.hand_over(now, socket, frame)
            }
            None => {
                self.transmit(Buffered::Message(data.into_owned()));
                None
            }
        }
    }

    /// Sends a message that is already encoded, as [`send`](Self::send) does.
    #[must_use = "the frame is to be sent"]
    pub fn send_prepared<'a>(
        &mut self,
        now: Timestamp,
        message: &'a Prepared,
    ) -> Option<(ConnId, Frame<'a>)> {
        match self.socket() {
            Some(socket) => {
                let frame = message.frame(self.revision, self.b64);
                self.hand_over(now, socket, frame)
            }
            None => {
                self.transmit(Buffered::Message(message.data().into_owned()));
                None
            }
        }
    }

    /// Returns the frame itself if it can go at once; otherwise adds it to the
    /// outputs.
    fn hand_over<'a>(
        &mut self,
        now: Timestamp,
        socket: ConnId,
        frame: Frame<'a>,
    ) -> Option<(ConnId, Frame<'a>)> {
        let at_once = self.outputs.is_empty();
        if !self.account(now, frame.len()) {
            return None;
        }
        if at_once && self.outputs.is_empty() {
            return Some((socket, frame));
        }
        let frame = frame.into_owned();
        self.outputs.push_back(Output::Send { socket, frame });
        None
    }

    /// Returns whether a message would go at once: the session's WebSocket takes it,
    /// or a `GET` is waiting.
    pub fn is_ready(&self) -> bool {
        match &self.state {
            SessionState::WebSocket(_) => self.outputs.is_empty() && !self.is_strained(),
            SessionState::Polling(polling) | SessionState::Probing(polling, _) => {
                matches!(polling.poll, Poll::Waiting(..)) && polling.outbox.len() == 0
            }
            SessionState::Closing { .. } | SessionState::Closed { .. } => false,
        }
    }

    /// Ends the session from the server's side.
    ///
    /// A WebSocket is closed without a packet. A polling client is told by its
    /// waiting `GET`, or by the next one within [`FAREWELL`]. In the middle of an
    /// upgrade, it may be told by its WebSocket instead.
    pub fn close(&mut self, now: Timestamp, flush: Flush) {
        if flush == Flush::Nothing {
            self.discard();
        } else {
            self.answer_crowded_poll();
        }
        self.close_for(now, Reason::ForcedClose);
    }

    /// Ends the session because its client costs too much: what waits for it is
    /// dropped. Otherwise this is [`close`](Self::close), for a reason of its own,
    /// which a WebSocket is told as its close code.
    pub fn expel(&mut self, now: Timestamp, reason: Reason) {
        self.discard();
        self.close_for(now, reason);
    }

    /// Drops the packets that wait for a `GET`.
    fn discard(&mut self) {
        if let SessionState::Polling(polling) | SessionState::Probing(polling, _) = &mut self.state
        {
            polling.outbox.take();
        }
    }

    fn close_for(&mut self, now: Timestamp, reason: Reason) {
        let (outbox, probe) = match core::mem::replace(&mut self.state, SessionState::OVER) {
            SessionState::Polling(polling) if polling.is_idle() => (polling.outbox, None),
            SessionState::Probing(polling, probe) if polling.is_idle() => {
                (polling.outbox, Some(probe))
            }
            // The client can be told at once, or has been told already.
            told @ (SessionState::Polling(_)
            | SessionState::Probing(..)
            | SessionState::WebSocket(_)
            | SessionState::Closing { .. }
            | SessionState::Closed { .. }) => {
                self.state = told;
                return self.end_with_code(reason, ServerPacket::Close, reason.close_code());
            }
        };
        self.state = SessionState::Closing {
            outbox,
            until: now + FAREWELL,
            probe,
        };
        self.report_closed(reason);
    }
}

/// Outputs.
impl Session {
    /// Returns the next thing to do, or `None` if everything is done for now.
    pub fn poll_output(&mut self) -> Option<Output> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        let revision = self.revision;
        let (polling, drain) = match &mut self.state {
            SessionState::Polling(polling) => (polling, false),
            SessionState::Probing(polling, probe) => (polling, probe.drains()),
            SessionState::WebSocket(_)
            | SessionState::Closing { .. }
            | SessionState::Closed { .. } => return None,
        };
        let Poll::Waiting(request, format) = &polling.poll else {
            return None;
        };
        let (request, format) = (*request, *format);
        self.changed |= polling.outbox.is_saved();
        let mut packets = polling.outbox.take_some(MAX_PACKETS);
        if packets.is_empty() {
            if !drain {
                return None;
            }
            // A client that is about to upgrade first waits for its poll to finish.
            packets.push(ServerPacket::Noop);
        }
        polling.poll = Poll::Idle;
        let format = self.format(format);
        let (content_type, body) = encode_payload(revision, &packets, format);
        Some(Output::Answer {
            request,
            answer: Answer::Payload(content_type, body),
        })
    }

    /// Sends a packet over the transport that carries them now.
    fn transmit(&mut self, packet: Buffered) {
        match &mut self.state {
            SessionState::Polling(polling) | SessionState::Probing(polling, _) => {
                polling.outbox.push(packet);
                if polling.outbox.bytes() > self.settings.max_buffered {
                    polling.outbox.take();
                    self.end(Reason::TransportError, ServerPacket::Close);
                }
            }
            SessionState::WebSocket(socket) => {
                let socket = socket.conn;
                let frame = packet.into_packet().encode(self.revision, self.b64);
                self.outputs.push_back(Output::Send { socket, frame });
            }
            SessionState::Closing { .. } | SessionState::Closed { .. } => {}
        }
    }

    /// Answers a waiting `GET` if its payload has no room left for the news that the
    /// session is closed; the next `GET` will be told.
    fn answer_crowded_poll(&mut self) {
        if let SessionState::Polling(polling) | SessionState::Probing(polling, _) = &mut self.state
            && let Poll::Waiting(request, format) = polling.poll
            && polling.outbox.len() >= MAX_PACKETS
        {
            polling.poll = Poll::Idle;
            let packets = polling.outbox.take_some(MAX_PACKETS);
            self.answer_packets(request, format, &packets);
        }
    }

    fn answer(&mut self, request: ConnId, answer: Answer) {
        self.outputs.push_back(Output::Answer { request, answer });
    }

    fn answer_packets(&mut self, request: ConnId, format: Format, packets: &[ServerPacket<'_>]) {
        let format = self.format(format);
        let (content_type, body) = encode_payload(self.revision, packets, format);
        self.answer(request, Answer::Payload(content_type, body));
    }

    /// Returns the format of an answer. Only the handshake said whether the client
    /// accepts binary.
    fn format(&self, asked: Format) -> Format {
        match asked {
            Format::Jsonp(_) => asked,
            Format::Any | Format::Bytes | Format::Text if self.b64 => Format::Text,
            Format::Bytes => Format::Bytes,
            Format::Any | Format::Text => Format::Any,
        }
    }

    fn refuse(&mut self, request: ConnId, refusal: RequestError) {
        self.answer(request, Answer::Refused(refusal));
    }

    /// Ends the session and answers every connection: a waiting `GET` gets what was
    /// buffered and then `last`.
    fn end(&mut self, reason: Reason, last: ServerPacket<'static>) {
        self.end_with_code(reason, last, CLOSE_NORMAL);
    }

    /// Ends the session as [`end`](Self::end) does, but closes a WebSocket with this
    /// code.
    fn end_with_code(&mut self, reason: Reason, last: ServerPacket<'static>, code: u16) {
        match core::mem::replace(&mut self.state, SessionState::OVER) {
            SessionState::Polling(polling) => self.end_polling(polling, last),
            SessionState::Probing(polling, probe) => {
                self.end_polling(polling, last);
                self.close_socket(probe.conn, CLOSE_NORMAL);
            }
            SessionState::WebSocket(socket) => self.close_socket(socket.conn, code),
            over @ (SessionState::Closing { .. } | SessionState::Closed { .. }) => {
                self.state = over;
                return;
            }
        }
        self.report_closed(reason);
    }

    /// Answers the remaining requests, and reports that the session is over.
    fn report_closed(&mut self, reason: Reason) {
        if let Some((request, _)) = self.overtaken.take() {
            self.refuse(request, RequestError::BadRequest);
        }
        if reason.is_ours() {
            self.dismiss_posts();
        } else {
            for post in core::mem::take(&mut self.posts) {
                self.refuse(post, RequestError::BadRequest);
            }
        }
        self.changed = true;
        self.outputs.push_back(Output::Closed(reason));
    }

    /// Answers the `POST`s that were still on their way when the session was closed
    /// from this side. An error would reach the client ahead of the news and be taken
    /// for the reason.
    fn dismiss_posts(&mut self) {
        for post in core::mem::take(&mut self.posts) {
            self.answer(post, Answer::Received);
        }
    }

    /// Forgets a closed session, since nobody has to be told any more.
    fn forget(&mut self) {
        if let Some(socket) = self.probe().map(|probe| probe.conn) {
            self.close_socket(socket, CLOSE_NORMAL);
        }
        self.state = SessionState::OVER;
        self.changed = true;
        self.dismiss_posts();
    }

    fn end_polling(&mut self, mut polling: Polling, last: ServerPacket<'static>) {
        if let Poll::Waiting(request, format) = polling.poll {
            let mut packets = polling.outbox.take_some(MAX_PACKETS - 1);
            packets.push(last);
            self.answer_packets(request, format, &packets);
        }
    }

    fn close_socket(&mut self, socket: ConnId, code: u16) {
        self.outputs.push_back(Output::CloseSocket { socket, code });
    }
}

/// Packets of the client, over either transport.
impl Session {
    /// Takes in one packet. Returns the message, if it is one, for the application.
    fn handle_packet<'a>(
        &mut self,
        now: Timestamp,
        packet: ClientPacket<'a>,
    ) -> Result<Option<Data<'a>>, Violation> {
        let is_message = matches!(packet, ClientPacket::Message(_));
        let is_pong = matches!(packet, ClientPacket::Pong(_)) && self.heartbeat.is_pending();
        if !is_message && !is_pong {
            self.others += 1;
        }
        if self.transport().is_none() {
            return Ok(None);
        }
        if self.revision == Revision::V3 {
            self.prove(now);
        }
        match (packet, self.revision) {
            (ClientPacket::Message(data), _) => return Ok(Some(data)),
            (ClientPacket::Ping(data), Revision::V3) => {
                self.changed = true;
                // Its text is the client's, as long as it likes.
                if self.socket().is_none() || self.account(now, 1 + data.len()) {
                    self.transmit(Buffered::Pong(data.into_owned()));
                }
            }
            (ClientPacket::Pong(_), Revision::V4) => self.prove(now),
            // The revisions differ in the heartbeat's direction.
            (ClientPacket::Ping(_), Revision::V4) | (ClientPacket::Pong(_), Revision::V3) => {
                return Err(Violation(Reason::TransportError));
            }
            (ClientPacket::Close, _) => self.handle_client_close(now),
            // Late echoes of an upgrade mean nothing.
            (ClientPacket::Upgrade | ClientPacket::Noop, _) => {}
        }
        Ok(None)
    }

    fn handle_client_close(&mut self, now: Timestamp) {
        let unanswered = match &self.state {
            SessionState::Polling(polling) | SessionState::Probing(polling, _) => {
                matches!(polling.poll, Poll::Idle)
            }
            SessionState::WebSocket(_)
            | SessionState::Closing { .. }
            | SessionState::Closed { .. } => false,
        };
        self.end(Reason::TransportClose, ServerPacket::Noop);
        if unanswered {
            self.state = SessionState::Closed {
                farewell: Some(now + FAREWELL),
            };
        }
    }
}

/// The client broke a rule, and the session ends for this reason.
#[derive(Clone, Copy, Debug)]
struct Violation(Reason);
