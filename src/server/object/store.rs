//! Where sessions are while the object sleeps: those on a WebSocket in its
//! attachment, those that poll in the object's SQLite.

use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::engine::{ConnId, Session};
use serde::{Deserialize, Serialize};
use web_sys::WebSocket;

use super::Shell;
use super::io::{Io, SavedIo};
use super::sessions::{Entry, retire};
use crate::app::app;
use crate::platform::SocketExt as _;
use crate::sid::{Key, tag};

/// How long a polling session may be ahead of what is stored of it. A client
/// that polls steadily needs no row: were its object lost, so would be its poll,
/// and it connects anew.
const SAVE_AFTER: Duration = Duration::from_millis(500);

/// The most bytes that an attachment may have (16,384 by the platform, a few of
/// which are its own).
const ATTACHMENT: usize = 16_000;

/// The layout of attachments and rows. Another number is another layout.
const VERSION: u8 = 2;

/// What a WebSocket carries through sleep.
#[derive(Serialize, Deserialize)]
struct Attachment {
    version: u8,
    /// Which of the application's servers it belongs to.
    endpoint: u8,
    key: Key,
    conn: u64,
    /// None if another WebSocket carries the session.
    carried: Option<Carried>,
}

/// A session in an attachment.
#[derive(Serialize, Deserialize)]
struct Carried {
    session: Vec<u8>,
    content: Held,
}

/// Where the rest of a session is: [`Content`], as bytes.
#[derive(Serialize, Deserialize)]
enum Held {
    Here(Vec<u8>),
    /// In a row, for it is too large to be here.
    Row,
}

/// A session in the object's storage.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u8,
    /// The path of the server it belongs to.
    path: String,
    /// None where only the rest of it is here.
    session: Option<Vec<u8>>,
    content: Vec<u8>,
}

/// What is kept of a session besides itself.
#[derive(Serialize)]
struct Content<'a> {
    /// The user session, as JSON.
    data: Option<&'a str>,
    /// What is above Engine.IO.
    io: Option<SavedIo>,
}

/// The same, read back.
#[derive(Default, Deserialize)]
struct ReadContent {
    data: Option<String>,
    io: Option<SavedIo>,
}

impl Entry {
    /// What is to be kept of it besides the session.
    pub(super) fn content(&self) -> Vec<u8> {
        let content = Content {
            data: self.data.as_deref(),
            io: self.io.as_ref().map(Io::save),
        };
        postcard::to_allocvec(&content).unwrap_or_default()
    }
}

/// What can be found of a session that is not in memory.
#[derive(Default)]
struct Asleep {
    endpoint: Option<u8>,
    session: Option<Vec<u8>>,
    content: Option<Vec<u8>>,
    sockets: Vec<(ConnId, WebSocket)>,
    has_row: bool,
}

impl Asleep {
    fn add_socket(&mut self, socket: WebSocket) {
        if let Some(attachment) = read_attachment(&socket) {
            self.add(socket, attachment);
        }
    }

    fn add(&mut self, socket: WebSocket, attachment: Attachment) {
        self.endpoint = Some(attachment.endpoint);
        if let Some(carried) = attachment.carried {
            self.session = Some(carried.session);
            match carried.content {
                Held::Here(content) => self.content = Some(content),
                Held::Row => self.has_row = true,
            }
        }
        self.sockets.push((ConnId(attachment.conn), socket));
    }

    fn add_stored(&mut self, stored: Stored) {
        self.has_row = true;
        self.session = self.session.take().or(stored.session);
        self.content = self.content.take().or(Some(stored.content));
    }
}

/// Saving.
impl Shell {
    /// Sees that a session that has changed is saved: at once if it can be
    /// attached to its WebSocket, which costs nothing, else soon.
    pub(super) fn save(&self, key: Key) {
        let due = self.with_entry(key, |entry| {
            if entry.connecting || !entry.take_changed() {
                return None;
            }
            let carrier = entry.session.socket();
            let is_carrier = |(conn, _): &&(ConnId, WebSocket)| Some(*conn) == carrier;
            let socket = entry.sockets.iter().find(is_carrier).cloned();
            Some((socket, entry.session.is_over()))
        });
        match due.flatten() {
            Some((Some((conn, socket)), _)) if self.attach_session(key, conn, &socket) => {}
            Some((None, true)) => {
                self.with_entry(key, |entry| entry.unsaved = false);
                self.drop_row(key);
            }
            Some((None, false)) => {
                // An object that broke off would take it up as it was: with
                // messages that its client has had, and without later ones.
                self.drop_row(key);
                self.clock.save_soon(self, SAVE_AFTER);
            }
            Some((Some(_), _)) => self.clock.save_soon(self, SAVE_AFTER),
            None => {}
        }
    }

    /// Saves in rows what polls and is not being polled for, since a held poll
    /// keeps the object awake and there is nothing to fear yet; and what was too
    /// large for an attachment.
    pub(super) fn save_all(&self) {
        let unsaved: Vec<Key> = self
            .entries
            .borrow()
            .iter()
            .filter(|(_, entry)| entry.unsaved && !entry.connecting)
            .filter(|(_, entry)| entry.session.waiting_poll().is_none())
            .map(|(key, _)| *key)
            .collect();
        for key in unsaved {
            let saving = self.with_entry(key, |entry| {
                let on_socket = entry.session.socket().is_some();
                entry.unsaved = false;
                entry.stored = true;
                entry.parked = on_socket;
                let session = (!on_socket).then(|| entry.session.snapshot());
                (session, entry.content())
            });
            if let Some((session, content)) = saving {
                let on_socket = session.is_none();
                self.put_row(key, session, content);
                if on_socket {
                    self.with_entry(key, |entry| entry.unsaved = true);
                    self.save(key);
                }
            }
        }
    }

    /// Writes on the WebSocket that carries a session what it is to remember.
    /// `false` if it is too much, and is to be put into a row first.
    fn attach_session(&self, key: Key, conn: ConnId, socket: &WebSocket) -> bool {
        let saving = self.with_entry(key, |entry| {
            let content = if entry.parked {
                Held::Row
            } else {
                Held::Here(entry.content())
            };
            (entry.session.snapshot(), content)
        });
        let Some((session, content)) = saving else {
            return true;
        };
        let here = matches!(content, Held::Here(_));
        let carried = Carried { session, content };
        let bytes = self.attachment(key, conn, Some(carried));
        if bytes.len() > ATTACHMENT {
            return false;
        }
        if socket.set_attachment(&bytes).is_ok() {
            self.with_entry(key, |entry| entry.unsaved = false);
        }
        if here {
            self.drop_row(key);
        }
        true
    }

    /// Writes on a WebSocket whose it is.
    pub(super) fn attach(&self, key: Key, conn: ConnId, socket: &WebSocket) {
        // Without it the WebSocket would be closed when it wakes us.
        let _ = socket.set_attachment(&self.attachment(key, conn, None));
    }

    fn attachment(&self, key: Key, conn: ConnId, carried: Option<Carried>) -> Vec<u8> {
        let attachment = Attachment {
            version: VERSION,
            endpoint: self.endpoint_index(),
            key,
            conn: conn.0,
            carried,
        };
        postcard::to_allocvec(&attachment).unwrap_or_default()
    }

    fn endpoint_index(&self) -> u8 {
        let Some(endpoint) = self.endpoint() else {
            return 0;
        };
        let index = app()
            .endpoints
            .iter()
            .position(|other| Rc::ptr_eq(other, endpoint));
        index
            .and_then(|index| u8::try_from(index).ok())
            .unwrap_or(0)
    }

    fn put_row(&self, key: Key, session: Option<Vec<u8>>, content: Vec<u8>) {
        let path = self.endpoint().map(|it| it.options.path.clone());
        let stored = Stored {
            version: VERSION,
            path: path.unwrap_or_default(),
            session,
            content,
        };
        let bytes = postcard::to_allocvec(&stored).unwrap_or_default();
        self.rows.put(key, &bytes);
    }

    fn drop_row(&self, key: Key) {
        let stored = self.with_entry(key, |entry| {
            entry.parked = false;
            core::mem::take(&mut entry.stored)
        });
        if stored == Some(true) {
            self.rows.delete(key);
        }
    }
}

/// Restoring.
impl Shell {
    /// Whether there is such a session, in memory or asleep.
    pub(super) fn find(&self, key: Key) -> bool {
        if self.entries.borrow().contains_key(&key) {
            return true;
        }
        self.restore(key)
    }

    /// Restores the session of a WebSocket that woke us.
    pub(super) fn restore_socket(&self, socket: &WebSocket) -> Option<(Key, ConnId)> {
        let Some(attachment) = read_attachment(socket) else {
            // Not ours, or written by another version: its client starts anew.
            retire(socket, 1011);
            return None;
        };
        let endpoint = app()
            .endpoints
            .get(usize::from(attachment.endpoint))
            .cloned();
        self.adopt(endpoint.as_ref());
        if let Some(endpoint) = endpoint {
            self.wake(&endpoint);
        }
        let (key, conn) = (attachment.key, ConnId(attachment.conn));
        if self.find(key) && self.carriers.borrow().get(conn).is_some() {
            return Some((key, conn));
        }
        retire(socket, 1011);
        None
    }

    /// Brings every session of the object into memory.
    pub(super) fn restore_all(&self) {
        for socket in self.sockets.all() {
            let Some(attachment) = read_attachment(&socket) else {
                continue;
            };
            let key = attachment.key;
            if attachment.carried.is_none() {
                self.find(key);
            } else if !self.entries.borrow().contains_key(&key) {
                // A session that a WebSocket carries has no other.
                let mut asleep = Asleep::default();
                asleep.add(socket, attachment);
                self.restore_from(key, asleep);
            }
        }
        for key in self.rows.keys() {
            self.find(key);
        }
    }

    /// Puts a session together from its WebSockets and, where these do not tell
    /// everything, from its row.
    fn restore(&self, key: Key) -> bool {
        let mut asleep = Asleep::default();
        for socket in self.sockets.tagged(&tag(key)) {
            asleep.add_socket(socket);
        }
        self.restore_from(key, asleep)
    }

    fn restore_from(&self, key: Key, mut asleep: Asleep) -> bool {
        if let Some(endpoint) = asleep.endpoint {
            self.adopt(app().endpoints.get(usize::from(endpoint)));
        }
        if (asleep.session.is_none() || asleep.has_row)
            && let Some(stored) = self.stored(key)
        {
            self.adopt(app().endpoint_at(&stored.path));
            asleep.add_stored(stored);
        }
        let entry = asleep
            .session
            .and_then(|session| self.revive(&session, &asleep.sockets))
            .and_then(|session| self.complete(session, asleep.content.as_deref()));
        let Some(mut entry) = entry else {
            self.abandon(key, asleep.has_row, &asleep.sockets);
            return false;
        };
        entry.stored = asleep.has_row;
        entry.parked = asleep.has_row && entry.session.socket().is_some();
        let joining: Vec<String> = entry.joining().collect();
        self.admit_entry(key, entry, asleep.sockets);
        for namespace in joining {
            // The handler that was to decide it went with the object's memory.
            self.break_off(key, &namespace);
        }
        true
    }

    /// A session that was brought back, with what was kept besides it. `None` if
    /// what it cannot do without is missing, or of another version.
    pub(super) fn complete(&self, session: Session, content: Option<&[u8]>) -> Option<Entry> {
        let content = content.and_then(|content| postcard::from_bytes(content).ok());
        let content: ReadContent = content.unwrap_or_default();
        let mut entry = Entry::new(session);
        entry.data = content.data.map(Rc::from);
        if let Some(application) = self.application() {
            entry.io = Some(Io::restore(application, content.io?)?);
        }
        Some(entry)
    }

    fn stored(&self, key: Key) -> Option<Stored> {
        let stored: Stored = postcard::from_bytes(&self.rows.get(key)?).ok()?;
        (stored.version == VERSION).then_some(stored)
    }

    /// Takes a session into memory together with its WebSockets.
    pub(super) fn admit_entry(&self, key: Key, mut entry: Entry, conns: Vec<(ConnId, WebSocket)>) {
        for (conn, socket) in &conns {
            socket.set_number(*conn);
            self.carriers.borrow_mut().insert(*conn, key);
        }
        entry.sockets = conns;
        self.entries.borrow_mut().insert(key, entry);
    }

    /// A session from its snapshot, with those connections that are still there.
    pub(super) fn revive(&self, snapshot: &[u8], conns: &[(ConnId, WebSocket)]) -> Option<Session> {
        let settings = self.endpoint()?.options.session_settings();
        let is_there =
            |conn| self.waiting.contains(conn) || conns.iter().any(|(other, _)| *other == conn);
        Session::restore(snapshot, settings, is_there).ok()
    }

    /// What is left of a session that cannot be restored.
    fn abandon(&self, key: Key, stored: bool, conns: &[(ConnId, WebSocket)]) {
        for (_, socket) in conns {
            retire(socket, 1011);
        }
        if stored {
            self.rows.delete(key);
        }
    }

    /// The WebSockets of a session.
    pub(super) fn sockets_of(&self, key: Key) -> Vec<(ConnId, WebSocket)> {
        let mut asleep = Asleep::default();
        for socket in self.sockets.tagged(&tag(key)) {
            asleep.add_socket(socket);
        }
        asleep.sockets
    }

    pub(super) fn adopt(&self, endpoint: Option<&Rc<crate::endpoint::Endpoint>>) {
        if let Some(endpoint) = endpoint {
            let _ = self.endpoint.set(endpoint.clone());
        }
    }
}

fn read_attachment(socket: &WebSocket) -> Option<Attachment> {
    let attachment: Attachment = postcard::from_bytes(&socket.attachment()?).ok()?;
    (attachment.version == VERSION).then_some(attachment)
}
