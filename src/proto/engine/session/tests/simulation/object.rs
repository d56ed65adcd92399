//! The object that holds the sessions, and the application on it: it answers
//! each message, sends when it is told to, and counts.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use super::super::rig::describe;
use super::super::watch::Watch;
use super::application::Account;
use super::client::Client;
use super::random::Random;
use super::wire::{Down, Up};
use crate::Timestamp;
use crate::engine::session::SessionState;
use crate::engine::{
    Answer, BodyError, ConnId, Data, Flush, Frame, Open, Output, RequestError, Revision,
    SLEEP_AFTER, Session, Settings,
};

/// The occasions on which the object sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Sleep {
    Never,
    /// After every step, whatever is on its way.
    Always,
    /// When nothing has happened for a while, on what was saved when the
    /// session said that it had changed: as on the real platform.
    WhenIdle,
}

/// A session and its application.
pub(super) struct Held {
    session: Session,
    watch: Watch,
    saved: Vec<u8>,
    /// The last heartbeat that was answered without the object.
    signs: BTreeMap<ConnId, Timestamp>,
}

pub(super) struct Object {
    settings: Settings,
    sleep: Sleep,
    /// The revision whose heartbeats are answered without waking the object.
    pair: Option<Revision>,
    pub(super) sessions: BTreeMap<usize, Held>,
    pub(super) accounts: BTreeMap<usize, Account>,
    last_event: Timestamp,
    down: Vec<(usize, Down)>,
    pub(super) trace: Vec<String>,
    /// Frames that were sent on a WebSocket after the end of its session.
    pub(super) last_words: u64,
}

impl Object {
    pub(super) fn new(settings: Settings, sleep: Sleep, pair: Option<Revision>) -> Self {
        Self {
            settings,
            sleep,
            pair,
            sessions: BTreeMap::new(),
            accounts: BTreeMap::new(),
            last_event: Timestamp::default(),
            down: Vec::new(),
            trace: Vec::new(),
            last_words: 0,
        }
    }

    pub(super) fn take_down(&mut self) -> Vec<(usize, Down)> {
        mem::take(&mut self.down)
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let deadlines = self.sessions.values();
        deadlines
            .filter_map(|held| held.session.next_deadline())
            .map(|deadline| deadline.at)
            .min()
    }

    pub(super) fn handle_alarm(&mut self, now: Timestamp, random: &mut Random) {
        self.sleep_until(now);
        for client in self.sessions.keys().copied().collect::<Vec<_>>() {
            if let Some(held) = self.sessions.get_mut(&client) {
                held.tell_sign_of_life();
            }
            self.with(now, client, random, |session| session.handle_timeout(now));
        }
    }

    pub(super) fn handle(&mut self, now: Timestamp, random: &mut Random, from: &Client, up: Up) {
        let client = from.index;
        if self.is_answered_asleep(now, client, &up) {
            return;
        }
        self.sleep_until(now);
        if !self.accounts.contains_key(&client) {
            return self.open(now, random, from, &up);
        }
        let Some(held) = self.sessions.get_mut(&client) else {
            return self.refuse(client, &up);
        };
        match up {
            Up::Get(conn, format) => {
                held.watch.handle_request(conn);
                self.with(now, client, random, |session| {
                    session.handle_poll(now, conn, format);
                });
            }
            Up::Post(conn) => {
                held.watch.handle_request(conn);
                self.with(now, client, random, |session| {
                    let _ = session.handle_post(now, conn);
                });
            }
            Up::Body(conn, body) => self.with_messages(now, client, random, |session| {
                let messages = session.handle_body(now, conn, Ok(&body));
                messages.into_iter().map(Data::into_owned).collect()
            }),
            Up::Socket(conn) => {
                match held.session.handle_upgrade(now, conn) {
                    Ok(()) => {
                        held.watch.handle_socket(conn);
                        self.down.push((client, Down::SocketOpened(conn)));
                    }
                    Err(_) => self.down.push((client, Down::SocketClosed(conn))),
                }
                self.settle(now, client);
            }
            Up::Frame(conn, frame) => {
                self.with_messages(now, client, random, |session| {
                    let message = session.handle_frame(now, conn, frame);
                    message.into_iter().map(Data::into_owned).collect()
                });
                // The moment at which its client may look the other way.
                if self.is_moving(client) && random.once_in(8) {
                    self.close(now, random, client);
                }
            }
            Up::SocketClosed(conn) => {
                held.watch.handle_socket_gone(conn);
                self.with(now, client, random, |session| {
                    session.handle_socket_gone(conn, false);
                });
            }
        }
    }

    /// Takes in that a client is unreachable.
    pub(super) fn handle_lost(&mut self, now: Timestamp, random: &mut Random, client: usize) {
        self.sleep_until(now);
        let Some(held) = self.sessions.get_mut(&client) else {
            return;
        };
        let (requests, sockets) = held.watch.connections();
        for socket in &sockets {
            held.watch.handle_socket_gone(*socket);
        }
        let tells_polls = random.once_in(2);
        self.with(now, client, random, |session| {
            for conn in sockets {
                session.handle_socket_gone(conn, true);
            }
            for conn in requests {
                let _ = session.handle_body(now, conn, Err(BodyError::Gone));
                if tells_polls {
                    session.handle_poll_gone(conn);
                }
            }
        });
    }

    /// Sends a message of the application that nobody asked for.
    pub(super) fn push(&mut self, now: Timestamp, random: &mut Random, client: usize) {
        self.sleep_until(now);
        self.send(now, client, random);
        self.settle(now, client);
    }

    /// Sends a last message of the application, and closes the session.
    pub(super) fn close(&mut self, now: Timestamp, random: &mut Random, client: usize) {
        self.sleep_until(now);
        self.send(now, client, random);
        let Some(held) = self.sessions.get_mut(&client) else {
            return;
        };
        let open = held.session.transport().is_some();
        self.accounts.entry(client).or_default().dismissed |= open;
        self.with(now, client, random, |session| {
            session.close(now, Flush::All)
        });
    }

    /// Returns whether this client has had its `3probe` and may have stopped
    /// polling.
    fn is_moving(&self, client: usize) -> bool {
        let held = self.sessions.get(&client);
        held.is_some_and(|held| match &held.session.state {
            SessionState::Probing(_, probe) => probe.answered,
            SessionState::Polling(_)
            | SessionState::WebSocket(_)
            | SessionState::Closing { .. }
            | SessionState::Closed { .. } => false,
        })
    }

    /// Takes the object's memory and all its connections away.
    pub(super) fn evict(&mut self, now: Timestamp) {
        for client in self.sessions.keys().copied().collect::<Vec<_>>() {
            let Some(held) = self.sessions.get_mut(&client) else {
                continue;
            };
            let (requests, sockets) = held.watch.connections();
            held.watch.handle_eviction(|_| false);
            let restored = Session::restore(&held.saved, self.settings, |_| false);
            held.session = restored.expect("a snapshot");
            for conn in requests {
                let answer = Answer::Refused(RequestError::BadRequest);
                self.down.push((client, Down::Answer(conn, answer)));
            }
            for conn in sockets {
                self.down.push((client, Down::SocketClosed(conn)));
            }
            self.settle(now, client);
        }
    }

    fn open(&mut self, now: Timestamp, random: &mut Random, from: &Client, up: &Up) {
        let open = Open {
            sid: "sid",
            revision: from.revision,
            b64: from.b64,
        };
        let mut watch = Watch::default();
        let client = from.index;
        let session = match up {
            Up::Get(conn, format) => {
                watch.handle_request(*conn);
                Session::open_polling(now, self.settings, open, *conn, *format)
            }
            Up::Socket(conn) => {
                watch.handle_socket(*conn);
                self.down.push((client, Down::SocketOpened(*conn)));
                Session::open_websocket(now, self.settings, open, *conn)
            }
            Up::Post(_) | Up::Body(..) | Up::Frame(..) | Up::SocketClosed(_) => {
                panic!("{up:?} opens no session")
            }
        };
        let held = Held {
            session,
            watch,
            saved: Vec::new(),
            signs: BTreeMap::new(),
        };
        self.sessions.insert(client, held);
        self.accounts.insert(client, Account::default());
        // Some applications greet.
        if random.once_in(2) {
            self.send(now, client, random);
        }
        self.settle(now, client);
    }

    /// Answers a request whose session is forgotten.
    fn refuse(&mut self, client: usize, up: &Up) {
        let down = match up {
            Up::Get(conn, _) | Up::Post(conn) => {
                Down::Answer(*conn, Answer::Refused(RequestError::UnknownSid))
            }
            Up::Socket(conn) => Down::SocketClosed(*conn),
            Up::Body(..) | Up::Frame(..) | Up::SocketClosed(_) => return,
        };
        self.down.push((client, down));
    }

    /// Does what the runtime does by itself.
    fn is_answered_asleep(&mut self, now: Timestamp, client: usize, up: &Up) -> bool {
        let (Up::Frame(conn, Frame::Text(text)), Some(held)) = (up, self.sessions.get_mut(&client))
        else {
            return false;
        };
        let answer = match self.pair {
            Some(Revision::V3) if text == "2" => "3",
            Some(Revision::V4) if text == "3" => "6",
            Some(_) | None => return false,
        };
        let (_, sockets) = held.watch.connections();
        if sockets.contains(conn) {
            held.signs.insert(*conn, now);
            self.down
                .push((client, Down::Frame(*conn, Frame::from(answer))));
        }
        true
    }

    fn with(
        &mut self,
        now: Timestamp,
        client: usize,
        random: &mut Random,
        act: impl FnOnce(&mut Session),
    ) {
        self.with_messages(now, client, random, |session| {
            act(session);
            Vec::new()
        });
    }

    /// Tells a session something, and the application what comes of it.
    fn with_messages(
        &mut self,
        now: Timestamp,
        client: usize,
        random: &mut Random,
        act: impl FnOnce(&mut Session) -> Vec<Data<'static>>,
    ) {
        let Some(held) = self.sessions.get_mut(&client) else {
            return;
        };
        for message in act(&mut held.session) {
            let account = self.accounts.entry(client).or_default();
            account.handle_message(&message);
            self.send(now, client, random);
        }
        self.settle(now, client);
    }

    /// The application sends its next message.
    fn send(&mut self, now: Timestamp, client: usize, random: &mut Random) {
        let Some(held) = self.sessions.get_mut(&client) else {
            return;
        };
        if held.session.transport().is_none() {
            return;
        }
        let account = self.accounts.entry(client).or_default();
        let data = account.next_message(random);
        if held.session.is_in_doubt(now) {
            held.tell_sign_of_life();
        }
        if let Some((socket, frame)) = held.session.send(now, data) {
            self.put_out(now, client, Output::Send { socket, frame });
        }
    }

    /// Takes all outputs, saves what changed, and falls asleep.
    fn settle(&mut self, now: Timestamp, client: usize) {
        self.last_event = now;
        while let Some(held) = self.sessions.get_mut(&client)
            && let Some(output) = held.session.poll_output()
        {
            self.put_out(now, client, output);
        }
        let Some(held) = self.sessions.get_mut(&client) else {
            return;
        };
        held.watch.check(&held.session, self.settings);
        if held.session.take_changed() {
            held.saved = held.session.snapshot();
        }
        if held.session.is_over() {
            self.sessions.remove(&client);
        } else if self.sleep == Sleep::Always {
            let (requests, sockets) = held.watch.connections();
            let is_there = |conn| requests.contains(&conn) || sockets.contains(&conn);
            let snapshot = held.session.snapshot();
            let restored = Session::restore(&snapshot, self.settings, is_there);
            held.session = restored.expect("a snapshot");
            assert_eq!(held.session.snapshot(), snapshot);
            assert!(!held.session.take_changed());
        }
    }

    fn put_out(&mut self, now: Timestamp, client: usize, output: Output) {
        let Some(held) = self.sessions.get_mut(&client) else {
            return;
        };
        held.watch.handle_output(&output);
        let account = self.accounts.entry(client).or_default();
        if account.closed.is_some() && matches!(output, Output::Send { .. }) {
            self.last_words += 1;
        }
        let said = describe(held.session.revision(), &output);
        self.trace
            .push(format!("{} client {client}: {said}", now.as_millis()));
        self.down.push((
            client,
            match output {
                Output::Answer { request, answer } => Down::Answer(request, answer),
                Output::Send { socket, frame } => Down::Frame(socket, frame),
                Output::CloseSocket { socket, .. } => Down::SocketClosed(socket),
                Output::ReadBody { .. } | Output::Upgraded => return,
                Output::Closed(reason) => {
                    self.accounts.entry(client).or_default().closed = Some(reason);
                    return;
                }
            },
        ));
    }

    /// Before anything happens: had the object fallen asleep?
    fn sleep_until(&mut self, now: Timestamp) {
        let idle = now.since(self.last_event) >= SLEEP_AFTER
            && self
                .sessions
                .values()
                .all(|held| held.watch.connections().0.is_empty());
        self.last_event = now;
        if self.sleep == Sleep::WhenIdle && idle {
            for held in self.sessions.values_mut() {
                let (_, sockets) = held.watch.connections();
                let is_there = |conn| sockets.contains(&conn);
                let restored = Session::restore(&held.saved, self.settings, is_there);
                held.session = restored.expect("a snapshot");
                held.watch.check(&held.session, self.settings);
            }
        }
    }
}

impl Held {
    fn tell_sign_of_life(&mut self) {
        if let Some(socket) = self.session.socket()
            && let Some(at) = self.signs.get(&socket)
        {
            self.session.handle_sign_of_life(*at);
        }
    }
}
