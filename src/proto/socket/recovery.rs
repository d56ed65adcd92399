//! Connection state recovery: a client that was cut off and comes back in time gets
//! its socket back, and the events it has missed.
//!
//! It contains no storage and no clock. [`Recovery`] has the rules, and keeps its
//! rows in a [`Store`], which may fail at any time. Everything that a `Recovery`
//! remembers can be read from there again, so an instance may end between any two
//! calls.
//!
//! An event is logged before it is sent, and a client that comes back names the
//! [`Offset`] of the last one it received. It either gets exactly what it has
//! missed, in order, or starts over: as soon as an event that it may have missed
//! could not be stored, or is not stored any more, no client at an earlier position
//! can come back. That holds across the end of an instance as long as a storage that
//! accepts nothing else can still delete; if it cannot do even that, it holds for
//! the instance.
//!
//! Documentation:
//! [Connection state recovery](https://socket.io/docs/v4/connection-state-recovery).

mod log;
mod offset;
mod rows;
mod sockets;
mod store;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde::Deserialize;

use self::log::Log;
use self::sockets::Sockets;
use super::{Args, Filter, read_json};
use crate::Timestamp;

pub use self::offset::Offset;
pub use self::rows::StoredSocket;
pub use self::store::{
    EventHead, Failed, Holder, NewEvent, NewSocket, Number, SocketRow, Store, Usage,
};

/// The number of bytes of rows that are read at once.
const PAGE: usize = 256 << 10;

/// The bounds of what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The time that a client may be away. Events are kept for as long. Default: 2
    /// minutes.
    pub max_disconnection: Duration,
    /// The maximum number of events. Past it the oldest go. It may be exceeded by a
    /// hundred, since an instance does not count at once. An event counts as often as
    /// it takes rows. Default: 10,000.
    pub max_events: u64,
    /// The maximum size of all events. Past it the oldest go. Default: 64 MiB.
    pub max_bytes: u64,
    /// The maximum number of sockets, connected ones among them. Past it those go
    /// that were lost first, and where none is lost, no more are stored. It may be
    /// exceeded by a hundred. Default: 100,000.
    pub max_sockets: u64,
    /// The maximum size of all sockets. Default: 64 MiB.
    pub max_socket_bytes: u64,
    /// The maximum size of what a client can have missed, as it is sent all of that
    /// at once. Of a single event that is larger, only whom it was for is stored, and
    /// these start over. Default: 2 MiB.
    pub max_missed: usize,
    /// The maximum size of a row with all its columns. An event that is larger takes
    /// several; a socket that is larger is not stored. Default: 1,900,000 bytes.
    pub max_row: usize,
    /// The application wants to be told of [expired](Expired::sockets) sockets.
    /// Otherwise they are deleted without being read. Default: `true`.
    pub tells_of_expired: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_disconnection: Duration::from_secs(120),
            max_events: 10_000,
            max_bytes: 64 << 20,
            max_sockets: 100_000,
            max_socket_bytes: 64 << 20,
            max_missed: 2 << 20,
            max_row: 1_900_000,
            tells_of_expired: true,
        }
    }
}

/// A client's request for the socket it had before it was cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryRequest {
    /// The secret of the socket.
    pub pid: String,
    /// The last event it received; `None` if it received none.
    pub offset: Option<Offset>,
}

impl RecoveryRequest {
    /// Parses the `auth` of a CONNECT packet, which is JSON. Returns `None` if the
    /// client does not ask for recovery, or sends something that it did not get from
    /// us.
    ///
    /// ```
    /// use dormouse_proto::socket::Offset;
    /// use dormouse_proto::socket::recovery::RecoveryRequest;
    ///
    /// let request = RecoveryRequest::from_auth(r#"{"pid":"secret","offset":"258","token":1}"#).unwrap();
    /// assert_eq!((&*request.pid, request.offset), ("secret", Some(Offset(258))));
    /// assert_eq!(RecoveryRequest::from_auth(r#"{"pid":"secret","offset":"x"}"#), None);
    /// assert_eq!(RecoveryRequest::from_auth(r#"{"token":1}"#), None);
    /// ```
    pub fn from_auth(auth: &str) -> Option<Self> {
        let (pid, offset) = read_auth(auth)?;
        let offset = match &offset {
            Some(offset) => Some(Offset::parse(offset)?),
            None => None,
        };
        Some(Self { pid, offset })
    }
}

/// Reads the secret and the offset in the `auth` of a CONNECT packet, which is JSON: the
/// request for a socket, whatever offsets look like.
///
/// ```
/// use dormouse_proto::socket::recovery::read_auth;
///
/// let auth = r#"{"pid":"secret","offset":"258.3"}"#;
/// assert_eq!(read_auth(auth), Some(("secret".into(), Some("258.3".into()))));
/// ```
pub fn read_auth(auth: &str) -> Option<(String, Option<String>)> {
    #[derive(Deserialize)]
    struct Auth {
        pid: String,
        offset: Option<String>,
    }
    let auth: Auth = read_json(auth, |auth| serde_json::from_str(auth)).ok()?;
    Some((auth.pid, auth.offset))
}

/// An event could not be stored. Clients that may have missed it start over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotStored {
    /// The offset to send it with all the same: a client takes the last argument of an
    /// event for its offset if that is a text.
    pub offset: Offset,
}

impl fmt::Display for NotStored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event could not be stored")
    }
}

impl core::error::Error for NotStored {}

/// The outcome of [`Recovery::expire`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// The sockets whose clients can no longer come back, if the application is to be
    /// told of them.
    pub sockets: Vec<StoredSocket>,
    /// The time to call it again at, if nothing is stored before. It may have passed:
    /// then there is more to delete at once.
    pub next: Option<Timestamp>,
}

/// The rules of connection state recovery, and what an instance knows of the rows in
/// its store.
///
/// All calls of one `Recovery` are about the same [`Store`], and nobody else writes
/// there.
#[derive(Debug, Default)]
pub struct Recovery {
    settings: Settings,
    log: Log,
    sockets: Sockets,
}

/// Events.
impl Recovery {
    /// Returns a `Recovery` that reads what it has to know from its store when it is
    /// first used.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            ..Self::default()
        }
    }

    /// Returns the newest offset: that of a client that connects now, and of a
    /// volatile event, which is not logged.
    pub fn offset(&mut self, store: &mut dyn Store, now: Timestamp) -> Offset {
        // If that fails, this is an offset at which no client can come back.
        let _ = self.log.mend(store, now);
        self.log.last()
    }

    /// Stores an event before it is sent, and returns its offset.
    ///
    /// An event that is larger than what a client can be sent at once takes recovery
    /// away from those it was for, and from nobody else.
    ///
    /// # Errors
    ///
    /// The event could not be stored: no client that may have missed it can come
    /// back.
    pub fn log(
        &mut self,
        store: &mut dyn Store,
        now: Timestamp,
        namespace: &str,
        filter: &Filter,
        args: &Args<'_>,
    ) -> Result<Offset, NotStored> {
        let event = (namespace, filter, args);
        let appended = self.log.append(store, &self.settings, now, event);
        appended.map_err(|Failed| {
            let offset = self.log.last();
            self.log.open_gap(store);
            NotStored { offset }
        })
    }

    /// Returns when something that is stored now will have expired. An alarm must be
    /// set for then, because perhaps nothing else will wake the object to delete it.
    pub fn expiry(&self, now: Timestamp) -> Timestamp {
        self.settings.expiry(now)
    }
}

/// Sockets.
impl Recovery {
    /// Stores a socket that has connected, changed, or been
    /// [lost](StoredSocket::lost_at). If that fails, its client starts over.
    ///
    /// Returns sockets that gave way to it, whose clients can no longer come back.
    #[must_use = "the application may want to know of sockets that gave way"]
    pub fn save(
        &mut self,
        store: &mut dyn Store,
        now: Timestamp,
        socket: &StoredSocket,
    ) -> Vec<StoredSocket> {
        let mut evicted = Vec::new();
        let saved = self.log.mend(store, now).and_then(|()| {
            self.sockets
                .put(store, &self.settings, socket, &mut evicted)
        });
        if saved.is_err() {
            // Its stored form is outdated.
            self.sockets.delete(store, &socket.pid);
        }
        evicted
    }

    /// Deletes a socket whose client must not come back.
    pub fn forget(&mut self, store: &mut dyn Store, pid: &str) {
        self.sockets.delete(store, pid);
    }

    /// Deletes all sockets of a namespace: their clients start over.
    pub fn forget_namespace(&mut self, store: &mut dyn Store, namespace: &str) {
        self.sockets.delete_all_of(store, namespace);
    }

    /// Finds the socket that a client wants back.
    ///
    /// One that is not [lost](StoredSocket::lost) is still held by a session, or was
    /// until it was cut off without a word. Its client would not be here if that
    /// session were alive: the caller ends it, and asks again.
    pub fn find(
        &mut self,
        store: &mut dyn Store,
        now: Timestamp,
        namespace: &str,
        pid: &str,
    ) -> Option<StoredSocket> {
        let found = self.sockets.find(store, pid, namespace);
        let socket = found.ok().flatten()?;
        let until = socket.lost.unwrap_or(now) + self.settings.max_disconnection;
        (now <= until).then_some(socket)
    }

    /// Returns the events that a socket's client has missed, in order.
    ///
    /// Whether an event was for the socket depends on the rooms it was in when it was
    /// last saved, as in other servers, and not on those at the time of the event.
    ///
    /// `None` if it starts over: some of the events are not stored, they are too
    /// large together, or its offset was never given out.
    pub fn missed(
        &mut self,
        store: &mut dyn Store,
        now: Timestamp,
        socket: &StoredSocket,
        request: &RecoveryRequest,
    ) -> Option<Vec<(Offset, Args<'static>)>> {
        let offset = request.offset.unwrap_or(socket.since);
        let missed = self.log.missed(store, &self.settings, now, socket, offset);
        missed.ok().flatten()
    }

    /// Deletes what has expired: events and sockets. Also marks sockets
    /// as lost that were cut off without a word, which are those that no session has
    /// any more according to `is_held`.
    ///
    /// Calling it early or late is harmless.
    pub fn expire(
        &mut self,
        store: &mut dyn Store,
        now: Timestamp,
        is_held: &mut dyn FnMut(&Holder) -> bool,
    ) -> Expired {
        let mut sockets = Vec::new();
        let next = self.try_expire(store, now, is_held, &mut sockets);
        // A storage that fails is tried again later.
        let next = next.unwrap_or_else(|Failed| Some(self.expiry(now)));
        Expired { sockets, next }
    }

    fn try_expire(
        &mut self,
        store: &mut dyn Store,
        now: Timestamp,
        is_held: &mut dyn FnMut(&Holder) -> bool,
        expired: &mut Vec<StoredSocket>,
    ) -> Result<Option<Timestamp>, Failed> {
        let (settings, sockets) = (&self.settings, &mut self.sockets);
        sockets.clean(store)?;
        let search = sockets.search(store, settings, now, is_held)?;
        let sockets = sockets.expire(store, settings, now, expired)?;
        self.log.expire(store, settings, now)?;
        let log = self.log.expires(store, settings)?;
        Ok([search, sockets, log].into_iter().flatten().min())
    }
}
