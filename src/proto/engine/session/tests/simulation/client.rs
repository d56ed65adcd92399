//! A client that follows the protocol, written against it.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use super::application::Account;
use super::random::Random;
use super::wire::{Down, Up};
use crate::Timestamp;
use crate::engine::test_client::{
    Received, decode_answer, decode_frame, encode_frame, encode_post,
};
use crate::engine::{Answer, ClientPacket, ConnId, Format, Frame, Revision, Settings};

/// A client's use of the transports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    Polling,
    WebSocket,
    /// From polling to WebSocket as the stock clients do it.
    Upgrade,
    /// Before the first poll, `2probe` and `5` in one go.
    HastyUpgrade,
    /// Opens a WebSocket beside polling and says nothing by it.
    SilentProbe,
    /// Probes, and then leaves it at that.
    IdleProbe,
    /// Says something else than `2probe`.
    WrongProbe,
}

impl Plan {
    pub(super) const ALL: [Self; 7] = [
        Self::Polling,
        Self::WebSocket,
        Self::Upgrade,
        Self::HastyUpgrade,
        Self::SilentProbe,
        Self::IdleProbe,
        Self::WrongProbe,
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Polling,
    /// Polling, with no new requests: the upgrade waits for those on their way.
    Pausing,
    WebSocket,
}

pub(super) struct Client {
    pub(super) index: usize,
    pub(super) revision: Revision,
    pub(super) plan: Plan,
    pub(super) b64: bool,
    settings: Settings,
    format: Format,
    transport: Transport,
    start_at: Option<Timestamp>,
    is_open: bool,
    /// The reason that it is over, once it is.
    pub(super) over: Option<String>,
    get: Option<ConnId>,
    post: Option<ConnId>,
    socket: Option<ConnId>,
    outgoing: Vec<ClientPacket<'static>>,
    pub(super) account: Account,
    /// The time at which the next ping is due (revision 3).
    ping_at: Option<Timestamp>,
    /// The time at which it gives the server up.
    patience_until: Option<Timestamp>,
    upgrade_at: Option<Timestamp>,
    next_conn: u64,
    out: Vec<Up>,
}

impl Client {
    pub(super) fn new(
        index: usize,
        settings: Settings,
        start_at: Timestamp,
        random: &mut Random,
    ) -> Self {
        let revision = if random.once_in(2) {
            Revision::V3
        } else {
            Revision::V4
        };
        let plan = Plan::ALL[random.below(Plan::ALL.len() as u64) as usize];
        let format = match random.below(4) {
            0 => Format::Text,
            1 => Format::Jsonp(crate::engine::jsonp::JsonpIndex::from_query("3")),
            _ => Format::Any,
        };
        Self {
            index,
            revision,
            plan,
            b64: revision == Revision::V3 && format != Format::Any,
            settings,
            format,
            transport: if plan == Plan::WebSocket {
                Transport::WebSocket
            } else {
                Transport::Polling
            },
            start_at: Some(start_at),
            is_open: false,
            over: None,
            get: None,
            post: None,
            socket: None,
            outgoing: Vec::new(),
            account: Account::default(),
            ping_at: None,
            patience_until: None,
            upgrade_at: None,
            // Connections of different clients have different numbers.
            next_conn: 1 + 1_000_000 * index as u64,
            out: Vec::new(),
        }
    }

    /// Takes what it puts on the wire.
    pub(super) fn take_out(&mut self) -> Vec<Up> {
        mem::take(&mut self.out)
    }

    fn connect(&mut self) {
        let conn = self.new_conn();
        if self.transport == Transport::WebSocket {
            self.socket = Some(conn);
            self.out.push(Up::Socket(conn));
        } else {
            self.get = Some(conn);
            self.out.push(Up::Get(conn, self.format));
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.is_open && self.over.is_none()
    }

    pub(super) fn send_message(&mut self, random: &mut Random) {
        if !self.is_connected() {
            return;
        }
        let data = self.account.next_message(random);
        self.outgoing.push(ClientPacket::Message(data));
        self.go_on();
    }

    /// Leaves, by a packet or by closing its WebSocket.
    pub(super) fn close(&mut self, random: &mut Random) {
        let between = self.transport == Transport::Pausing
            || self.plan == Plan::HastyUpgrade && self.transport == Transport::Polling;
        if !self.is_connected() || between || self.post.is_some() {
            return;
        }
        match (self.transport, self.socket) {
            (Transport::WebSocket, Some(socket)) if random.once_in(2) => {
                self.out.push(Up::SocketClosed(socket));
            }
            _ => {
                self.outgoing.push(ClientPacket::Close);
                self.go_on();
            }
        }
        self.end("closed by itself");
    }

    /// Takes the network away.
    pub(super) fn cut(&mut self) {
        self.start_at = None;
        self.out.clear();
        self.end("cut off");
    }

    pub(super) fn next_wake(&self) -> Option<Timestamp> {
        if !self.is_connected() {
            return self.start_at;
        }
        [self.ping_at, self.patience_until, self.upgrade_at]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn wake(&mut self, now: Timestamp) {
        if self.start_at.take().is_some() {
            self.connect();
            return;
        }
        if self.patience_until.is_some_and(|until| now >= until) {
            self.end("ping timeout");
            return;
        }
        if self.ping_at.take_if(|at| now >= *at).is_some() {
            self.outgoing.push(ClientPacket::Ping("".into()));
            self.patience_until = Some(now + self.settings.ping_timeout);
        }
        if self.upgrade_at.take_if(|at| now >= *at).is_some() {
            let conn = self.new_conn();
            self.socket = Some(conn);
            self.out.push(Up::Socket(conn));
        }
        self.go_on();
    }

    pub(super) fn handle(&mut self, now: Timestamp, random: &mut Random, down: Down) {
        if self.over.is_some() {
            return;
        }
        match down {
            Down::Answer(conn, answer) => self.handle_answer(now, random, conn, &answer),
            Down::SocketOpened(conn) if self.socket == Some(conn) => self.handle_opened(conn),
            Down::Frame(conn, frame) if self.socket == Some(conn) => {
                let packet = decode_frame(self.revision, &frame);
                if self.transport == Transport::WebSocket {
                    self.handle_packet(now, random, packet);
                } else {
                    assert_eq!(packet, Received::Pong("probe".to_owned()));
                    if self.plan == Plan::Upgrade {
                        self.transport = Transport::Pausing;
                    }
                }
            }
            Down::SocketClosed(conn) if self.socket == Some(conn) => {
                self.socket = None;
                if self.transport == Transport::WebSocket {
                    self.end("transport close");
                } else {
                    // There is no second attempt.
                    self.plan = Plan::Polling;
                    self.transport = Transport::Polling;
                }
            }
            Down::SocketOpened(_) | Down::Frame(..) | Down::SocketClosed(_) => {}
        }
        self.go_on();
    }

    fn handle_answer(
        &mut self,
        now: Timestamp,
        random: &mut Random,
        conn: ConnId,
        answer: &Answer,
    ) {
        match answer {
            Answer::Payload(content_type, body) => {
                assert_eq!(self.get.take(), Some(conn));
                for packet in decode_answer(self.revision, *content_type, body) {
                    self.handle_packet(now, random, packet);
                }
            }
            Answer::Received => assert_eq!(self.post.take(), Some(conn)),
            Answer::TooLarge | Answer::Refused(_) => self.end(&format!("{answer:?}")),
        }
    }

    fn handle_opened(&mut self, socket: ConnId) {
        let say: &[ClientPacket<'static>] = match self.plan {
            Plan::Upgrade | Plan::IdleProbe => &[ClientPacket::Ping("probe".into())],
            Plan::HastyUpgrade => {
                self.transport = Transport::WebSocket;
                &[ClientPacket::Ping("probe".into()), ClientPacket::Upgrade]
            }
            Plan::WrongProbe => &[ClientPacket::Noop],
            Plan::Polling | Plan::WebSocket | Plan::SilentProbe => &[],
        };
        for packet in say {
            let frame = encode_frame(self.revision, self.b64, packet);
            self.out.push(Up::Frame(socket, frame));
        }
    }

    fn handle_packet(&mut self, now: Timestamp, random: &mut Random, packet: Received) {
        match packet {
            Received::Open(opened) => {
                assert_eq!(opened.ping_interval, self.settings.ping_interval);
                self.is_open = true;
                match self.revision {
                    Revision::V3 => self.ping_at = Some(now + self.settings.ping_interval),
                    Revision::V4 => self.patience_until = Some(now + self.settings.patience()),
                }
                self.upgrade_at = match self.plan {
                    Plan::Polling | Plan::WebSocket => None,
                    Plan::HastyUpgrade => {
                        let conn = self.new_conn();
                        self.socket = Some(conn);
                        self.out.push(Up::Socket(conn));
                        None
                    }
                    Plan::Upgrade | Plan::SilentProbe | Plan::IdleProbe | Plan::WrongProbe => {
                        let interval = self.settings.ping_interval.as_millis() as u64;
                        let wait = random.below(interval * 2);
                        Some(now + core::time::Duration::from_millis(wait))
                    }
                };
            }
            Received::Ping => {
                assert_eq!(self.revision, Revision::V4);
                self.patience_until = Some(now + self.settings.patience());
                self.outgoing.push(ClientPacket::Pong("".into()));
            }
            // Hasty clients do not wait for it.
            Received::Pong(text) if text == "probe" => assert_eq!(self.plan, Plan::HastyUpgrade),
            Received::Pong(_) => {
                assert_eq!(self.revision, Revision::V3);
                self.patience_until = None;
                self.ping_at = Some(now + self.settings.ping_interval);
            }
            Received::Message(data) => {
                self.account.handle_message(&data);
            }
            Received::Close => self.end("closed by the server"),
            Received::Noop => {}
        }
    }

    /// Does what its transport now allows.
    fn go_on(&mut self) {
        if self.over.is_some() || !self.is_open {
            return;
        }
        if self.transport == Transport::Pausing && self.get.is_none() && self.post.is_none() {
            self.transport = Transport::WebSocket;
            let socket = self.socket.expect("the socket that was probed");
            let frame = encode_frame(self.revision, self.b64, &ClientPacket::Upgrade);
            self.out.push(Up::Frame(socket, frame));
        }
        match (self.transport, self.socket) {
            (Transport::WebSocket, Some(socket)) => {
                for packet in mem::take(&mut self.outgoing) {
                    let frame: Frame<'static> = encode_frame(self.revision, self.b64, &packet);
                    self.out.push(Up::Frame(socket, frame));
                }
            }
            (Transport::Polling, _) if self.plan != Plan::HastyUpgrade => self.poll(),
            _ => {}
        }
    }

    fn poll(&mut self) {
        if self.get.is_none() {
            let conn = self.new_conn();
            self.get = Some(conn);
            self.out.push(Up::Get(conn, self.format));
        }
        if self.post.is_none() && !self.outgoing.is_empty() {
            let packets = mem::take(&mut self.outgoing);
            // JSONP bodies are taken out of their form before the session.
            let format = if self.b64 { Format::Text } else { Format::Any };
            let body = encode_post(self.revision, format, &packets);
            let conn = self.new_conn();
            self.post = Some(conn);
            self.out.push(Up::Post(conn));
            self.out.push(Up::Body(conn, body));
        }
    }

    fn end(&mut self, why: &str) {
        self.over.get_or_insert_with(|| why.to_owned());
    }

    fn new_conn(&mut self) -> ConnId {
        self.next_conn += 1;
        ConnId(self.next_conn)
    }
}
