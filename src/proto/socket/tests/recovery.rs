//! Connection state recovery above rows in memory: a table for each rule, and
//! whatever happens beside a list of everything that was sent.

mod bounds;
mod damage;
mod model;
mod rows;
mod rules;

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use self::rows::Rows;
use super::*;
use crate::Timestamp;
use crate::socket::recovery::{
    EventHead, Expired, Failed, Holder, NewEvent, NewSocket, NotStored, Number, Recovery,
    RecoveryRequest, Settings, SocketRow, Store, StoredSocket, Usage,
};

/// The time at which everything begins.
const BEGIN: Timestamp = Timestamp::from_millis(1_000_000);

/// The time that a client may be away.
const AWAY: Duration = Duration::from_millis(1_000);

const MILLI: Duration = Duration::from_millis(1);

/// Rows that are added before they are counted.
const COUNT_EVERY: u64 = 100;

fn settings() -> Settings {
    Settings {
        max_disconnection: AWAY,
        max_missed: 10_000,
        ..Settings::default()
    }
}

fn args(text: &str) -> Args<'static> {
    Args::new(alloc::format!("[\"e\",\"{text}\"]"), Vec::new())
}

fn to(room: &str) -> Filter {
    Filter {
        rooms: vec![room.into()],
        except: Vec::new(),
    }
}

/// One server whose clients are in the root namespace, each in the room of its own
/// id. Its time goes on by a millisecond with each event.
struct Rig {
    recovery: Recovery,
    rows: Rows,
    settings: Settings,
    now: Timestamp,
}

impl Rig {
    fn new(settings: Settings) -> Self {
        Self {
            recovery: Recovery::new(settings),
            rows: Rows::default(),
            settings,
            now: BEGIN,
        }
    }

    /// Replaces the instance by another one.
    fn reload(&mut self) {
        self.recovery = Recovery::new(self.settings);
    }

    /// Connects a client, and saves its socket.
    fn connect(&mut self, name: &str) -> StoredSocket {
        let mut socket = Socket::new(JoinId(0), "/", name.into(), Definition::default());
        socket.pid = Some(alloc::format!("pid of {name}"));
        let since = self.recovery.offset(&mut self.rows, self.now);
        let socket = StoredSocket::of(b"session", "/", &socket, since).unwrap();
        assert_eq!(self.save(&socket), [""; 0]);
        socket
    }

    /// Saves a socket. Returns the ids of the sockets that gave way.
    fn save(&mut self, socket: &StoredSocket) -> Vec<String> {
        let evicted = self.recovery.save(&mut self.rows, self.now, socket);
        evicted.into_iter().map(|it| it.id).collect()
    }

    fn lose(&mut self, socket: &StoredSocket) {
        let lost = socket.clone().lost_at(self.now);
        assert_eq!(self.save(&lost), [""; 0]);
    }

    fn log(&mut self, filter: &Filter, text: &str) -> Result<Offset, NotStored> {
        self.log_in("/", filter, &args(text))
    }

    fn log_in(
        &mut self,
        namespace: &str,
        filter: &Filter,
        args: &Args<'_>,
    ) -> Result<Offset, NotStored> {
        self.now = self.now + MILLI;
        self.recovery
            .log(&mut self.rows, self.now, namespace, filter, args)
    }

    /// Returns what a client gets that comes back: the texts it has missed.
    fn come_back(&mut self, socket: &StoredSocket, offset: Option<Offset>) -> Option<Vec<String>> {
        let request = RecoveryRequest {
            pid: socket.pid.clone(),
            offset,
        };
        let found =
            self.recovery
                .find(&mut self.rows, self.now, &socket.namespace, &request.pid)?;
        assert_eq!((&found.id, &found.rooms), (&socket.id, &socket.rooms));
        let missed = self
            .recovery
            .missed(&mut self.rows, self.now, &found, &request)?;
        assert!(missed.is_sorted_by(|one, other| one.0 < other.0));
        let text = |args: Args<'_>| args.json()[6..args.json().len() - 2].into();
        Some(missed.into_iter().map(|(_, args)| text(args)).collect())
    }

    /// Returns what is stored of a client's socket.
    fn stored(&mut self, name: &str) -> StoredSocket {
        let request = RecoveryRequest {
            pid: alloc::format!("pid of {name}"),
            offset: None,
        };
        let found = self
            .recovery
            .find(&mut self.rows, self.now, "/", &request.pid);
        found.unwrap()
    }

    /// Deletes what has expired; no session holds any socket but `held`.
    fn expire(&mut self, held: &[&str]) -> (Vec<String>, Option<Timestamp>) {
        let is_held = &mut |holder: &Holder| {
            let name = holder.pid.strip_prefix("pid of ");
            name.is_some_and(|name| held.contains(&name))
        };
        let Expired { sockets, next } = self.recovery.expire(&mut self.rows, self.now, is_held);
        (sockets.into_iter().map(|it| it.id).collect(), next)
    }
}

fn texts<const N: usize>(texts: [&str; N]) -> Option<Vec<String>> {
    Some(texts.map(Into::into).into())
}
