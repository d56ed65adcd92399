//! The places of sessions while the object sleeps: the attachment of their WebSocket
//! or, for those that poll, the object's SQLite.

use std::rc::Rc;

use dormouse_proto::engine::{ConnId, Session};
use dormouse_proto::{bytes, versioned};
use serde::{Deserialize, Serialize};
use web_sys::WebSocket;

use crate::layer::Layer;
use crate::parts::{
    ATTACHMENT, Attachment, Carried, HandedOver, Held, Parts, Phase, Purpose, Row, SessionEntry,
    Stored, attachment, retire, weigh,
};
use crate::platform::SocketExt as _;
use crate::sid::Key;

/// The layout of rows. Another number is another layout.
const VERSION: u8 = 3;

/// A session in the object's storage.
#[derive(Serialize)]
struct StoredRow {
    /// The path of the server it belongs to.
    path: String,
    /// `None` if only the layer's content is here.
    #[serde(with = "bytes::option")]
    session: Option<Vec<u8>>,
    #[serde(with = "bytes")]
    content: Vec<u8>,
}

/// The same, read where its bytes are: a row may have a megabyte.
#[derive(Deserialize)]
struct ReadRow<'a> {
    path: &'a str,
    session: Option<&'a [u8]>,
    content: &'a [u8],
}

impl<'a> ReadRow<'a> {
    /// Reads a row. Returns `None` for one of another version, or damaged.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        versioned::decode(VERSION, bytes).ok()
    }
}

/// The pieces that are found of a session that is not in memory.
#[derive(Default)]
struct Asleep {
    server: Option<u8>,
    /// The attachment of the WebSocket that carries the session.
    carrier: Option<Vec<u8>>,
    sockets: Vec<(ConnId, WebSocket)>,
    has_row: bool,
}

impl Asleep {
    fn add_socket(&mut self, socket: WebSocket) {
        if let Some(bytes) = socket.attachment() {
            self.add(socket, bytes);
        }
    }

    fn add(&mut self, socket: WebSocket, bytes: Vec<u8>) {
        let Some(attachment) = Attachment::read(&bytes) else {
            return;
        };
        self.server = Some(attachment.server);
        self.sockets.push((ConnId(attachment.conn), socket));
        if let Some(carried) = attachment.carried {
            self.has_row |= matches!(carried.content, Held::Row);
            self.carrier = Some(bytes);
        }
    }
}

/// Keeps sessions outside memory, and restores them.
pub(super) struct Persistence<'a> {
    pub(super) parts: &'a Parts,
    pub(super) layer: &'a dyn Layer,
}

/// Saving.
impl Persistence<'_> {
    /// Saves a session that has changed: at once if it fits into its WebSocket's
    /// attachment, which costs nothing, otherwise soon.
    pub(super) fn save(&self, key: Key) {
        self.note_changes(key);
        let due = self.parts.sessions.with(key, |entry| {
            if entry.phase == Phase::Opening || !entry.stored.is_outdated {
                return None;
            }
            let carrier = entry.session.socket();
            let socket = carrier.and_then(|conn| Some((conn, entry.socket(conn)?.clone())));
            Some((socket, entry.session.is_over()))
        });
        match due.flatten() {
            Some((Some((conn, socket)), _)) if self.attach_session(key, conn, &socket) => {}
            Some((None, true)) => {
                let outdated = |entry: &mut SessionEntry| entry.stored.is_outdated = false;
                self.parts.sessions.with(key, outdated);
                self.drop_row(key);
            }
            Some((None, false)) => {
                // If the object were cut off, it would take up an outdated row: with
                // messages that its client has already received, and without later
                // ones.
                self.drop_row(key);
                self.parts.save_soon(key);
            }
            Some((Some(_), _)) => self.parts.save_soon(key),
            None => {}
        }
    }

    /// Takes in what has changed since a session was last saved.
    fn note_changes(&self, key: Key) {
        let content_changed = self.layer.take_changed(key);
        self.parts.sessions.with(key, |entry| {
            if content_changed {
                entry.stored.is_outdated = true;
                if entry.stored.row == Row::Content {
                    entry.stored.row = Row::Session;
                }
            }
            entry.stored.is_outdated |= entry.session.take_changed();
        });
    }

    /// Saves sessions in rows: polling ones whose poll is not being held, since a
    /// held poll keeps the object awake, and those that are too large for an
    /// attachment. One that has used up its budget of rows waits for it.
    pub(super) fn save_all(&self) {
        for key in self.layer.save_all() {
            let socket = |entry: &mut SessionEntry| entry.session.socket();
            match self.parts.sessions.with(key, socket).flatten() {
                Some(_) => self.save(key),
                None => self.note_changes(key),
            }
        }
        let mut outdated = Vec::new();
        self.parts.sessions.try_for_each(|key, entry| {
            if entry.stored.is_outdated
                && entry.phase != Phase::Opening
                && entry.session.waiting_poll().is_none()
            {
                outdated.push(key);
            }
        });
        for key in outdated {
            if !self.parts.may_write(key, Purpose::Change) {
                self.parts.save_soon(key);
                continue;
            }
            let content = self.layer.content(key);
            let session = self.parts.sessions.with(key, |entry| {
                let on_socket = entry.session.socket().is_some();
                entry.stored = Stored {
                    is_outdated: on_socket,
                    row: if on_socket {
                        Row::Content
                    } else {
                        Row::Session
                    },
                };
                (!on_socket).then(|| entry.session.snapshot())
            });
            if let Some(session) = session {
                let on_socket = session.is_none();
                self.put_row(key, session, content);
                if on_socket {
                    self.save(key);
                }
            }
        }
    }

    /// Writes a session into the attachment of its WebSocket. Returns `false` if it
    /// is too large, so that its content has to go into a row first.
    fn attach_session(&self, key: Key, conn: ConnId, socket: &WebSocket) -> bool {
        let saving = self.parts.sessions.with(key, |entry| {
            let is_in_row = entry.stored.row == Row::Content;
            (entry.session.snapshot(), is_in_row)
        });
        let Some((session, is_in_row)) = saving else {
            return true;
        };
        let content = (!is_in_row).then(|| self.layer.content(key));
        let carried = Carried {
            session: &session,
            content: content.as_deref().map_or(Held::Row, Held::Here),
        };
        let bytes = attachment(self.parts, key, conn, Some(carried));
        if bytes.len() > ATTACHMENT {
            return false;
        }
        if socket.set_attachment(&bytes).is_ok() {
            let saved = |entry: &mut SessionEntry| entry.stored.is_outdated = false;
            self.parts.sessions.with(key, saved);
        }
        if !is_in_row {
            self.drop_row(key);
        }
        true
    }

    fn put_row(&self, key: Key, session: Option<Vec<u8>>, content: Vec<u8>) {
        let path = self.parts.options().map(|options| options.path.clone());
        let row = StoredRow {
            path: path.unwrap_or_default(),
            session,
            content,
        };
        let bytes = versioned::encode(VERSION, &row);
        for _ in 0..self.parts.rows.put(key, &bytes) {
            self.parts.charge_row(key);
        }
    }

    fn drop_row(&self, key: Key) {
        let take = |entry: &mut SessionEntry| core::mem::take(&mut entry.stored.row);
        let row = self.parts.sessions.with(key, take);
        if row.is_some_and(|row| row != Row::None) {
            self.parts.rows.delete(key);
            self.parts.charge_row(key);
        }
    }
}

/// A session that was found asleep.
pub(super) struct Found {
    asleep: Asleep,
    /// The bytes of its row, if they are needed.
    row: Option<Vec<u8>>,
}

impl Found {
    /// Returns the session and its content: those that a WebSocket carries, or those
    /// in the row.
    fn pieces(&self) -> Option<(&[u8], Option<&[u8]>)> {
        let row = self.row.as_deref().and_then(ReadRow::read);
        let carrier = self.asleep.carrier.as_deref().and_then(Attachment::read);
        let carried = carrier.and_then(|attachment| attachment.carried);
        let session = carried.map(|carried| carried.session);
        let content = carried.and_then(|carried| match carried.content {
            Held::Here(content) => Some(content),
            Held::Row => None,
        });
        let in_row = row.as_ref().and_then(|row| row.session);
        let content = content.or_else(|| row.as_ref().map(|row| row.content));
        Some((session.or(in_row)?, content))
    }
}

/// Restoring.
impl Persistence<'_> {
    /// Restores a session. If that is impossible, deletes what is left of it and
    /// returns `false`.
    pub(super) fn revive(&self, key: Key, found: Found) -> bool {
        let revived = found.pieces().and_then(|(session, content)| {
            let session = self.restore_session(session, &found.asleep.sockets)?;
            self.layer.restore(key, content).then_some(session)
        });
        let Asleep {
            sockets, has_row, ..
        } = found.asleep;
        let Some(session) = revived else {
            abandon(self.parts, key, has_row, &sockets);
            return false;
        };
        let mut entry = SessionEntry::new(session, Phase::Open);
        entry.stored.row = match (has_row, entry.session.socket()) {
            (false, _) => Row::None,
            (true, None) => Row::Session,
            (true, Some(_)) => Row::Content,
        };
        self.entry(key, entry, sockets);
        weigh(self.parts, key, Some(self.layer.weigh(key)));
        true
    }

    /// Takes over a session that the previous instance has left.
    pub(super) fn inherit(&self, handed_over: &HandedOver) {
        let key = handed_over.key;
        let sockets = sockets_of(self.parts, key);
        let content = Some(&*handed_over.content);
        let session = self
            .restore_session(&handed_over.session, &sockets)
            .filter(|_| self.layer.restore(key, content));
        if let Some(session) = session {
            let phase = handed_over.ended.map_or(Phase::Open, Phase::Ended);
            let mut entry = SessionEntry::new(session, phase);
            entry.stored = Stored {
                is_outdated: true,
                row: Row::Session,
            };
            self.entry(key, entry, sockets);
            self.parts.turn.mark_dirty(key);
        }
    }

    fn entry(&self, key: Key, mut entry: SessionEntry, sockets: Vec<(ConnId, WebSocket)>) {
        entry.sockets = sockets;
        self.parts.sessions.insert(key, entry);
    }

    /// Restores a session from its snapshot, with those connections that are still
    /// there.
    fn restore_session(&self, bytes: &[u8], sockets: &[(ConnId, WebSocket)]) -> Option<Session> {
        let settings = self.parts.options()?.session_settings();
        let is_there = |conn| {
            self.parts.requests.contains(conn) || sockets.iter().any(|(other, _)| *other == conn)
        };
        Session::restore(bytes, settings, is_there).ok()
    }
}

/// Closes and deletes what is left of a session that cannot be restored.
fn abandon(parts: &Parts, key: Key, has_row: bool, sockets: &[(ConnId, WebSocket)]) {
    for (_, socket) in sockets {
        retire(socket, 1011);
    }
    if has_row {
        parts.rows.delete(key);
    }
}

/// The application's server that a sleeping session belongs to.
pub(super) enum Server {
    Number(u8),
    Path(String),
}

/// Looks for a session outside memory: on its WebSockets and, if these do not have
/// all of it, in its row. `adopt` is told which server it belongs to.
pub(super) fn find(parts: &Parts, key: Key, adopt: impl Fn(Server)) -> Option<Found> {
    let mut asleep = Asleep::default();
    for socket in parts.websockets.of_session(key) {
        asleep.add_socket(socket);
    }
    complete(parts, key, asleep, adopt)
}

fn complete(parts: &Parts, key: Key, mut asleep: Asleep, adopt: impl Fn(Server)) -> Option<Found> {
    if let Some(number) = asleep.server {
        adopt(Server::Number(number));
    }
    let needs_row = asleep.carrier.is_none() || asleep.has_row;
    let row = needs_row.then(|| parts.rows.get(key)).flatten();
    // One that cannot be read goes with its session.
    asleep.has_row |= row.is_some();
    if let Some(row) = row.as_deref().and_then(ReadRow::read) {
        adopt(Server::Path(row.path.to_owned()));
    }
    let found = Found { asleep, row };
    if found.pieces().is_none() {
        abandon(parts, key, found.asleep.has_row, &found.asleep.sockets);
        return None;
    }
    Some(found)
}

/// Looks for every session of the object, and calls `found` with each that is not in
/// memory.
pub(super) fn find_all(
    parts: &Rc<Parts>,
    adopt: impl Fn(Server),
    mut found: impl FnMut(Key, Found),
) {
    let mut look = |key: Key, asleep: Option<Asleep>| {
        if parts.sessions.contains(key) {
            return;
        }
        let session = match asleep {
            Some(asleep) => complete(parts, key, asleep, &adopt),
            None => find(parts, key, &adopt),
        };
        if let Some(session) = session {
            found(key, session);
        }
    };
    for socket in parts.websockets.all() {
        let Some(bytes) = socket.attachment() else {
            continue;
        };
        let Some(attachment) = Attachment::read(&bytes) else {
            continue;
        };
        let key = attachment.key;
        if attachment.carried.is_none() {
            look(key, None);
        } else if !parts.sessions.contains(key) {
            // A session that a WebSocket carries has no other WebSocket.
            let mut asleep = Asleep::default();
            asleep.add(socket, bytes);
            look(key, Some(asleep));
        }
    }
    for key in parts.rows.keys() {
        look(key, None);
    }
    // Nobody is asleep any more.
    parts.websockets.remember(Vec::new());
}

/// Calls `look` with the content of each session that is asleep and that its WebSocket
/// carries. Returns `false` if there are sessions of which that is not enough.
pub(super) fn survey(
    parts: &Parts,
    adopt: impl Fn(Server),
    mut look: impl FnMut(Key, &[u8]) -> bool,
) -> bool {
    let mut is_all = true;
    let mut asleep = Vec::new();
    for socket in parts.websockets.all() {
        let Some(bytes) = socket.attachment() else {
            continue;
        };
        let Some(attachment) = Attachment::read(&bytes) else {
            continue;
        };
        let key = attachment.key;
        if parts.sessions.contains(key) {
            continue;
        }
        adopt(Server::Number(attachment.server));
        match attachment.carried.map(|carried| carried.content) {
            Some(Held::Here(content)) if look(key, content) => asleep.push((key, socket)),
            Some(_) | None => is_all = false,
        }
    }
    parts.websockets.remember(asleep);
    is_all
}

/// Returns the WebSockets of a session.
fn sockets_of(parts: &Parts, key: Key) -> Vec<(ConnId, WebSocket)> {
    let mut asleep = Asleep::default();
    for socket in parts.websockets.of_session(key) {
        asleep.add_socket(socket);
    }
    asleep.sockets
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
