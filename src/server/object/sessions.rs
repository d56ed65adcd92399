//! The sessions that are in memory, and doing what they ask.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{
    Cause, ConnId, Data, Deadline, Flush, Frame, Output, Reason, Revision, Session, Transport,
};
use futures::future::AbortHandle;
use web_sys::WebSocket;

use super::Shell;
use super::io::Io;
use crate::engine::Message;
use crate::http::{self, Reply};
use crate::log::{Level, log};
use crate::platform::{self, SocketExt};
use crate::sid::{Key, Sid, tag};

/// A session in memory.
pub(super) struct Entry {
    pub(super) session: Session,
    /// The user session, as JSON.
    pub(super) data: Option<Rc<str>>,
    /// What is above Engine.IO.
    pub(super) io: Option<Io>,
    /// Tasks that end with the client.
    pub(super) tasks: Vec<AbortHandle>,
    /// The WebSockets of this session: the one that carries it, one that probes.
    pub(super) sockets: Vec<(ConnId, WebSocket)>,
    /// The application has not yet decided whether it wants this client.
    pub(super) connecting: bool,
    /// Why the session has ended, until the application has been told.
    pub(super) ended: Option<Reason>,
    /// Handlers that have not returned yet.
    pub(super) running: usize,
    /// Messages that wait for the handler before them (`in_order`).
    pub(super) queue: VecDeque<Message>,
    /// Bytes of the messages that wait or are being handled.
    pub(super) load: usize,
    /// What is stored is no longer true.
    pub(super) unsaved: bool,
    /// It is to be settled at the end of the event.
    pub(super) touched: bool,
    /// There is a row for it.
    pub(super) stored: bool,
    /// That row holds what is kept besides the session, as it is now.
    pub(super) parked: bool,
}

impl Entry {
    pub(super) fn new(session: Session) -> Self {
        Self {
            session,
            data: None,
            io: None,
            tasks: Vec::new(),
            sockets: Vec::new(),
            connecting: false,
            ended: None,
            running: 0,
            queue: VecDeque::new(),
            load: 0,
            unsaved: false,
            touched: false,
            stored: false,
            parked: false,
        }
    }

    /// A session whose client the application has not seen yet.
    pub(super) fn connecting(session: Session) -> Self {
        Self {
            connecting: true,
            ..Self::new(session)
        }
    }

    pub(super) fn socket(&self, conn: ConnId) -> Option<&WebSocket> {
        self.sockets
            .iter()
            .find(|(other, _)| *other == conn)
            .map(|(_, socket)| socket)
    }

    /// Whether something is to be saved.
    pub(super) fn take_changed(&mut self) -> bool {
        if let Some(io) = &mut self.io
            && io.client.take_changed()
        {
            self.unsaved = true;
            self.parked = false;
        }
        self.unsaved |= self.session.take_changed();
        self.unsaved
    }

    /// The namespaces that its client is about to join.
    pub(super) fn joining(&self) -> impl Iterator<Item = String> {
        let sockets = self.io.iter().flat_map(|io| io.client.sockets());
        let joining = sockets.filter(|(_, socket)| !socket.is_connected());
        joining.map(|(namespace, _)| namespace.to_owned())
    }

    /// When it has to be looked at again, and why.
    pub(super) fn next_deadline(&self) -> Option<Deadline> {
        let join = self.io.as_ref().and_then(|io| io.client.next_deadline());
        let join = join
            .filter(|_| self.session.transport().is_some())
            .map(|at| Deadline {
                at,
                cause: Cause::Application,
            });
        self.session.next_deadline().into_iter().chain(join).min()
    }

    fn is_done(&self) -> bool {
        self.session.is_over() && self.ended.is_none() && self.running == 0 && self.queue.is_empty()
    }
}

/// Which session each WebSocket in memory belongs to, looked up at every message.
/// The numbers of WebSockets are random, and so each list here is short.
#[derive(Default)]
pub(super) struct Carriers(Vec<Vec<(ConnId, Key)>>);

impl Carriers {
    const LISTS: u64 = 256;

    fn place(conn: ConnId) -> usize {
        (conn.0 % Self::LISTS) as usize
    }

    pub(super) fn get(&self, conn: ConnId) -> Option<Key> {
        let mut list = self.0.get(Self::place(conn))?.iter();
        list.find_map(|(other, key)| (*other == conn).then_some(*key))
    }

    pub(super) fn insert(&mut self, conn: ConnId, key: Key) {
        self.0.resize_with(Self::LISTS as usize, Vec::new);
        if let Some(list) = self.0.get_mut(Self::place(conn)) {
            list.push((conn, key));
        }
    }

    pub(super) fn remove(&mut self, conn: ConnId) {
        if let Some(list) = self.0.get_mut(Self::place(conn)) {
            list.retain(|(other, _)| *other != conn);
        }
    }
}

/// Not inlined: it is done in a hundred places.
#[inline(never)]
fn look_up(entries: &mut BTreeMap<Key, Entry>, key: Key) -> Option<&mut Entry> {
    entries.get_mut(&key)
}

/// Looking at and changing one session.
impl Shell {
    pub(super) fn with<T>(&self, key: Key, change: impl FnOnce(&mut Session) -> T) -> Option<T> {
        self.with_entry(key, |entry| change(&mut entry.session))
    }

    pub(super) fn with_entry<T>(
        &self,
        key: Key,
        change: impl FnOnce(&mut Entry) -> T,
    ) -> Option<T> {
        look_up(&mut self.entries.borrow_mut(), key).map(change)
    }

    pub(super) fn sid(&self, key: Key) -> Option<Sid> {
        Sid::new(&self.id, key)
    }

    pub(super) fn log(&self, level: Level, event: &str, key: Key, fields: &[(&str, &str)]) {
        let limit = self
            .endpoint()
            .map_or(Level::Warn, |endpoint| endpoint.options.log);
        if level > limit {
            return;
        }
        let sid = self.sid(key).map(|sid| sid.to_string()).unwrap_or_default();
        let fields: Vec<_> = [("sid", &*sid)]
            .into_iter()
            .chain(fields.iter().copied())
            .collect();
        log(limit, level, event, &fields);
    }

    /// Sends a message, now or with the rest of what is being done.
    pub(crate) fn send(&self, key: Key, data: Data<'_>) -> bool {
        if !self.find(key) {
            return false;
        }
        let now = self.now();
        if self.with(key, |session| session.is_in_doubt(now)) == Some(true) {
            self.tell_sign_of_life(key);
            self.with(key, |session| session.handle_timeout(now));
        }
        let open = self.with_entry(key, |entry| {
            let open = entry.session.transport().is_some();
            if let Some((conn, frame)) = entry.session.send(now, data)
                && let Some(socket) = entry.socket(conn)
            {
                transmit(socket, &frame);
            }
            open
        });
        self.touch(key);
        open == Some(true)
    }

    /// Ends a session from this side.
    pub(crate) fn close(&self, key: Key) -> bool {
        if !self.find(key) {
            return false;
        }
        let open = self.with(key, |session| {
            let open = session.transport().is_some();
            session.close(self.now(), Flush::All);
            open
        });
        self.touch(key);
        open == Some(true)
    }

    pub(crate) fn close_all(&self) {
        self.restore_all();
        let keys: Vec<Key> = self.entries.borrow().keys().copied().collect();
        for key in keys {
            self.close(key);
        }
    }

    /// Whether this object has that id.
    pub(crate) fn is(&self, object: &str) -> bool {
        self.id == object
    }

    pub(crate) fn session_data(&self, key: Key) -> Option<Rc<str>> {
        if self.find(key) {
            self.with_entry(key, |entry| entry.data.clone()).flatten()
        } else {
            None
        }
    }

    pub(crate) fn set_session_data(&self, key: Key, data: Rc<str>) -> bool {
        let found = self.find(key)
            && self
                .with_entry(key, |entry| {
                    entry.data = Some(data);
                    entry.unsaved = true;
                    entry.parked = false;
                })
                .is_some();
        self.touch(key);
        found
    }

    pub(crate) fn transport(&self, key: Key) -> Option<Transport> {
        if self.find(key) {
            self.with(key, |session| session.transport()).flatten()
        } else {
            None
        }
    }

    /// Tells the session when its client last answered a heartbeat that the
    /// runtime took in for us.
    pub(super) fn tell_sign_of_life(&self, key: Key) {
        self.with_entry(key, |entry| {
            let conn = entry.session.socket()?;
            let at = self.state.auto_response_time(entry.socket(conn)?)?;
            entry.session.handle_sign_of_life(at);
            Some(())
        });
    }
}

/// Doing what a session asks.
impl Shell {
    /// Runs what changes sessions, and settles these once when it is over,
    /// however often they were changed.
    pub(super) fn event<T>(&self, run: impl FnOnce() -> T) -> T {
        self.depth.set(self.depth.get() + 1);
        let result = run();
        self.depth.set(self.depth.get() - 1);
        while self.depth.get() == 0 {
            let Some(key) = self.touched.borrow_mut().pop() else {
                break;
            };
            self.settle(key);
        }
        if self.depth.get() == 0 {
            self.moment.set(None);
        }
        result
    }

    /// The time. It stands still while an event is worked on, and to ask the
    /// platform for it costs as much as to decode a message.
    pub(super) fn now(&self) -> Timestamp {
        if self.depth.get() == 0 {
            return platform::now();
        }
        let now = self.moment.get().unwrap_or_else(platform::now);
        self.moment.set(Some(now));
        now
    }

    /// After a change: sees that the session is settled.
    pub(super) fn touch(&self, key: Key) {
        if self.depth.get() == 0 {
            return self.settle(key);
        }
        if self.with_entry(key, |entry| core::mem::replace(&mut entry.touched, true)) == Some(false)
        {
            self.touched.borrow_mut().push(key);
        }
    }

    /// Does what the session asks, tells the application if it has ended, saves
    /// it, and forgets it when nothing more can come.
    fn settle(&self, key: Key) {
        self.with_entry(key, |entry| entry.touched = false);
        self.drain(key);
        self.conclude(key);
        self.keep_all(key);
        self.save(key);
        self.schedule(key);
        let done = self.with_entry(key, |entry| entry.is_done()) == Some(true);
        if done && let Some(entry) = self.entries.borrow_mut().remove(&key) {
            for (conn, _) in entry.sockets {
                self.carriers.borrow_mut().remove(conn);
            }
        }
    }

    /// Answers, sends and closes, in the order of the session.
    pub(super) fn drain(&self, key: Key) {
        loop {
            let output = self.with_entry(key, |entry| {
                if entry.connecting {
                    None
                } else {
                    entry.session.poll_output()
                }
            });
            match output.flatten() {
                None => return,
                Some(Output::Answer { request, answer }) => {
                    let mut reply = Reply::from(answer);
                    if self.waiting.is_handshake(request) {
                        reply.cookie = self.cookie(key);
                    }
                    self.waiting.answer(request, reply);
                }
                Some(Output::Send { socket, frame }) => {
                    self.with_entry(key, |entry| {
                        entry.socket(socket).map(|socket| transmit(socket, &frame))
                    });
                }
                Some(Output::CloseSocket { socket, code }) => {
                    let gone = self.with_entry(key, |entry| entry.socket(socket).cloned());
                    self.forget_socket(key, socket);
                    if let Some(socket) = gone.flatten() {
                        retire(&socket, code);
                    }
                }
                Some(Output::Upgraded) => self.log(Level::Info, "upgrade", key, &[]),
                Some(Output::Closed(reason)) => {
                    self.log(
                        Level::Info,
                        "disconnect",
                        key,
                        &[("reason", reason.as_str())],
                    );
                    self.with_entry(key, |entry| entry.ended = Some(reason));
                }
            }
        }
    }

    pub(super) fn cookie(&self, key: Key) -> Option<String> {
        let endpoint = self.endpoint()?;
        let cookie = endpoint.options.cookie.as_ref()?;
        let sid = self.sid(key)?;
        Some(format!("{}={sid}; {}", cookie.name, cookie.attributes))
    }

    /// When this session has to be looked at again.
    fn schedule(&self, key: Key) {
        let deadline = self.with_entry(key, |entry| entry.next_deadline());
        self.clock.arm(self, key, deadline.flatten());
    }

    /// Sets the clock for everything in memory.
    pub(super) fn rearm(&self) {
        let entries = self.entries.borrow();
        let deadlines = entries.values().filter_map(Entry::next_deadline);
        let first = deadlines.map(|deadline| deadline.at).min();
        drop(entries);
        self.clock.rearm(self, first);
        if let Some(at) = self.expire_lost() {
            self.clock.arm_at(self, at);
        }
    }

    pub(super) fn sleeps(&self) -> bool {
        self.endpoint()
            .is_none_or(|endpoint| endpoint.options.settings.sleeps())
    }
}

/// WebSockets.
impl Shell {
    /// Makes the WebSocket that `conn` asked for, and hands its other end to the
    /// client.
    pub(super) fn accept(&self, key: Key, conn: ConnId, cookie: Option<String>) {
        let Some((endpoint, request)) = self.waiting.request(conn) else {
            return;
        };
        let Some((client, server)) = platform::socket_pair() else {
            return self
                .with(key, |session| session.handle_socket_gone(conn, true))
                .unwrap_or(());
        };
        let response =
            http::switch_protocols(&endpoint.options, &request, &client, cookie.as_deref());
        if self.with(key, |session| session.has_socket(conn)) != Some(true) {
            if let Some(shell) = self.me.upgrade() {
                self.sockets.reject(&shell, server);
            }
            return self.waiting.resolve(conn, &response);
        }
        server.set_number(conn);
        let revision = self.with(key, |session| session.revision());
        let tags = [tag(key), revision.map_or("", revision_tag).to_owned()];
        if !endpoint.options.settings.sleeps() {
            self.sockets.accept_awake(&server, &tag(key));
        } else if self.sockets.accept(&server, &tags).is_err() {
            self.log(Level::Warn, "full", key, &[]);
            self.with(key, |session| session.handle_socket_gone(conn, true));
            let full = r#"{"message":"No room for another WebSocket"}"#;
            return self.waiting.answer(conn, Reply::new(503, http::JSON, full));
        }
        self.carriers.borrow_mut().insert(conn, key);
        self.with_entry(key, |entry| {
            entry.sockets.push((conn, server.clone()));
            entry.unsaved = true;
        });
        self.attach(key, conn, &server);
        if let Some(revision) = revision
            && endpoint.options.settings.sleeps()
        {
            self.pair(revision);
        }
        self.waiting.resolve(conn, &response);
    }

    /// Has the runtime answer the heartbeats of the revision that has more
    /// WebSockets here, now that one more of this revision is here.
    fn pair(&self, revision: Revision) {
        if self.paired.get() == Some(revision) {
            return;
        }
        let request = self.state.auto_response();
        let known = [Revision::V3, Revision::V4];
        let paired = known
            .into_iter()
            .find(|known| request.as_deref() == Some(known.rote().0));
        let count = |revision| self.state.sockets_tagged(revision_tag(revision)).len();
        let chosen = match paired {
            Some(other) if other != revision && count(other) >= count(revision) => other,
            Some(_) | None => revision,
        };
        if paired != Some(chosen) {
            let (request, response) = chosen.rote();
            self.state.set_auto_response(request, response);
        }
        self.paired.set(Some(chosen));
    }

    /// The session and the connection that a WebSocket stands for.
    pub(super) fn whose(&self, socket: &WebSocket) -> Option<(Key, ConnId)> {
        if let Some(conn) = socket.conn()
            && let Some(key) = self.carriers.borrow().get(conn)
        {
            return Some((key, conn));
        }
        self.restore_socket(socket)
    }

    pub(super) fn forget_socket(&self, key: Key, conn: ConnId) {
        self.carriers.borrow_mut().remove(conn);
        self.with_entry(key, |entry| {
            entry.sockets.retain(|(other, socket)| {
                if *other == conn {
                    self.sockets.forget(socket, &tag(key));
                }
                *other != conn
            });
        });
    }
}

/// The tag of all WebSockets of a revision.
fn revision_tag(revision: Revision) -> &'static str {
    match revision {
        Revision::V3 => "revision 3",
        Revision::V4 => "revision 4",
    }
}

/// Closes a WebSocket that belongs to no session any more: what it may still
/// bring is nobody's.
pub(super) fn retire(socket: &WebSocket, code: u16) {
    // An empty attachment is one that cannot be read.
    let _ = socket.set_attachment(&[]);
    socket.close_quietly(code);
}

fn transmit(socket: &WebSocket, frame: &Frame<'_>) {
    match frame {
        Frame::Text(text) => socket.send_text(text),
        Frame::Binary(bytes) => socket.send_bytes(bytes),
    }
}
