//! Where sessions are while the object sleeps: those on a WebSocket in its
//! attachment, those that poll in the object's SQLite.

use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::engine::{ConnId, Session};
use serde::{Deserialize, Serialize};
use web_sys::WebSocket;

use super::Shell;
use super::rows::Stored;
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

/// The layout of attachments. Another number is another layout.
const VERSION: u8 = 1;

/// What a WebSocket carries through sleep.
#[derive(Serialize, Deserialize)]
struct Attachment {
    version: u8,
    /// Which of the application's servers it belongs to.
    endpoint: u8,
    key: Key,
    conn: u64,
    /// The session, if this is the WebSocket that carries it.
    session: Option<Vec<u8>>,
    data: Held,
}

/// Where the user session is.
#[derive(Serialize, Deserialize)]
enum Held {
    None,
    Here(String),
    /// In a row, for it is too large to be here.
    Row,
}

/// What can be found of a session that is not in memory.
#[derive(Default)]
struct Asleep {
    endpoint: Option<u8>,
    session: Option<Vec<u8>>,
    data: Option<String>,
    sockets: Vec<(ConnId, WebSocket)>,
    has_row: bool,
}

impl Asleep {
    fn add_socket(&mut self, socket: WebSocket) {
        let Some(attachment) = read_attachment(&socket) else {
            return;
        };
        self.endpoint = Some(attachment.endpoint);
        if attachment.session.is_some() {
            self.session = attachment.session;
            match attachment.data {
                Held::None => {}
                Held::Here(data) => self.data = Some(data),
                Held::Row => self.has_row = true,
            }
        }
        self.sockets.push((ConnId(attachment.conn), socket));
    }

    fn add_stored(&mut self, stored: Stored) {
        self.has_row = true;
        self.session = self.session.take().or(stored.session);
        self.data = self.data.take().or(stored.data);
    }
}

/// Saving.
impl Shell {
    /// Sees that a session that has changed is saved: at once if it can be
    /// attached to its WebSocket, which costs nothing, else soon.
    pub(super) fn save(&self, key: Key) {
        let Some((socket, over)) = self
            .with_entry(key, |entry| {
                if entry.connecting || !(entry.session.take_changed() | entry.unsaved) {
                    return None;
                }
                entry.unsaved = true;
                let carrier = entry.session.socket();
                let socket = entry
                    .sockets
                    .iter()
                    .find(|(conn, _)| Some(*conn) == carrier)
                    .cloned();
                Some((socket, entry.session.is_over()))
            })
            .flatten()
        else {
            return;
        };
        match socket {
            Some((conn, socket)) => {
                let session = self.with(key, |session| session.snapshot());
                self.attach(key, conn, &socket, session);
            }
            None if over => {
                self.with_entry(key, |entry| entry.unsaved = false);
                self.drop_row(key);
            }
            None => self.clock.save_soon(self, SAVE_AFTER),
        }
    }

    /// Saves what polls and is not being polled for. A held poll keeps the
    /// object awake, so there is nothing to fear yet.
    pub(super) fn save_all(&self) {
        let rows: Vec<(Key, Vec<u8>, Option<Rc<str>>)> = self
            .entries
            .borrow_mut()
            .iter_mut()
            .filter(|(_, entry)| {
                entry.unsaved && !entry.connecting && entry.session.waiting_poll().is_none()
            })
            .filter(|(_, entry)| entry.session.socket().is_none())
            .map(|(key, entry)| {
                entry.unsaved = false;
                entry.stored = true;
                entry.parked = false;
                (*key, entry.session.snapshot(), entry.data.clone())
            })
            .collect();
        for (key, session, data) in rows {
            self.put_row(key, Some(session), data.as_deref());
        }
    }

    /// Writes what a WebSocket is to remember.
    pub(super) fn attach(
        &self,
        key: Key,
        conn: ConnId,
        socket: &WebSocket,
        session: Option<Vec<u8>>,
    ) {
        let carries = session.is_some();
        let data = self.with_entry(key, |entry| entry.data.clone()).flatten();
        let mut attachment = Attachment {
            version: VERSION,
            endpoint: self.endpoint_index(),
            key,
            conn: conn.0,
            session,
            data: match &data {
                Some(data) if carries => Held::Here(data.to_string()),
                Some(_) | None => Held::None,
            },
        };
        let mut bytes = postcard::to_allocvec(&attachment).unwrap_or_default();
        if bytes.len() > ATTACHMENT && carries {
            attachment.data = Held::Row;
            bytes = postcard::to_allocvec(&attachment).unwrap_or_default();
            if self.with_entry(key, |entry| entry.parked) == Some(false) {
                self.put_row(key, None, data.as_deref());
            }
            self.with_entry(key, |entry| {
                entry.stored = true;
                entry.parked = true;
            });
        } else if carries {
            self.drop_row(key);
        }
        if socket.set_attachment(&bytes).is_ok() && carries {
            self.with_entry(key, |entry| entry.unsaved = false);
        }
    }

    fn endpoint_index(&self) -> u8 {
        let Some(endpoint) = self.endpoint() else {
            return 0;
        };
        let index = app()
            .endpoints
            .iter()
            .position(|other| Rc::ptr_eq(other, &endpoint));
        index
            .and_then(|index| u8::try_from(index).ok())
            .unwrap_or(0)
    }

    fn put_row(&self, key: Key, session: Option<Vec<u8>>, data: Option<&str>) {
        let path = self
            .endpoint()
            .map(|endpoint| endpoint.options.path.clone());
        let data = data.map(str::to_owned);
        let path = path.unwrap_or_default();
        self.rows.put(
            key,
            &Stored {
                path,
                session,
                data,
            },
        );
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
        if self.find(key) && self.carried.borrow().contains_key(&conn) {
            return Some((key, conn));
        }
        retire(socket, 1011);
        None
    }

    /// Brings every session of the object into memory.
    pub(super) fn restore_all(&self) {
        for socket in self.sockets.all() {
            if let Some(attachment) = read_attachment(&socket) {
                self.find(attachment.key);
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
        if let Some(endpoint) = asleep.endpoint {
            self.adopt(app().endpoints.get(usize::from(endpoint)));
        }
        if (asleep.session.is_none() || asleep.has_row)
            && let Some(stored) = self.rows.get(key)
        {
            self.adopt(app().endpoint_at(&stored.path));
            asleep.add_stored(stored);
        }
        let Some(session) = asleep
            .session
            .and_then(|session| self.revive(&session, &asleep.sockets))
        else {
            self.abandon(key, asleep.has_row, &asleep.sockets);
            return false;
        };
        let mut entry = Entry::new(session);
        entry.data = asleep.data.map(Rc::from);
        entry.stored = asleep.has_row;
        entry.parked = asleep.has_row && entry.session.socket().is_some();
        self.admit_entry(key, entry, asleep.sockets);
        true
    }

    /// Takes a session into memory together with its WebSockets.
    pub(super) fn admit_entry(&self, key: Key, mut entry: Entry, conns: Vec<(ConnId, WebSocket)>) {
        for (conn, socket) in &conns {
            socket.set_number(*conn);
            self.carried.borrow_mut().insert(*conn, key);
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
