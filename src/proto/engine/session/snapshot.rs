//! Snapshots of sessions, which they sleep by.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{ConnId, Heartbeat, Outputs, Poll, Revision, Session, SessionState};
use crate::Timestamp;
use crate::engine::settings::Settings;
use crate::rate::Network;
use crate::versioned::{self, SnapshotError};

/// The version of the layout below. A snapshot of another version is not read.
const VERSION: u8 = 3;

/// Everything that must survive sleep, borrowed from the session.
#[derive(Serialize)]
struct Saving<'a> {
    revision: Revision,
    b64: bool,
    state: &'a SessionState,
    posts: &'a VecDeque<ConnId>,
    overtaken: Option<(ConnId, Timestamp)>,
    heartbeat: Heartbeat,
    network: Option<Network>,
}

/// The same, read back.
#[derive(Deserialize)]
struct Saved {
    revision: Revision,
    b64: bool,
    state: SessionState,
    posts: VecDeque<ConnId>,
    overtaken: Option<(ConnId, Timestamp)>,
    heartbeat: Heartbeat,
    network: Option<Network>,
}

/// Falling asleep and waking up.
impl Session {
    /// Returns everything that must survive sleep, as bytes.
    ///
    /// Outputs are not part of it: they have to be taken first.
    pub fn snapshot(&self) -> Vec<u8> {
        let saving = Saving {
            revision: self.revision,
            b64: self.b64,
            state: &self.state,
            posts: &self.posts,
            overtaken: self.overtaken,
            heartbeat: self.heartbeat,
            network: self.network,
        };
        versioned::encode(VERSION, &saving)
    }

    /// Restores the session of a [`snapshot`](Self::snapshot).
    ///
    /// `is_there` says which connections have survived the sleep. What the others
    /// were waiting for is forgotten. Without its WebSocket a session is over, and
    /// says so among its outputs.
    ///
    /// # Errors
    ///
    /// The bytes are not a snapshot, or one of another version.
    pub fn restore(
        snapshot: &[u8],
        settings: Settings,
        is_there: impl Fn(ConnId) -> bool,
    ) -> Result<Self, SnapshotError> {
        let saved: Saved = versioned::decode(VERSION, snapshot)?;
        let mut session = Self {
            settings,
            revision: saved.revision,
            b64: saved.b64,
            state: saved.state,
            posts: saved.posts,
            overtaken: saved.overtaken.filter(|(request, _)| is_there(*request)),
            heartbeat: saved.heartbeat,
            others: 0,
            network: saved.network,
            outputs: Outputs::default(),
            changed: false,
        };
        // What was just read is saved.
        session.take_changed();
        session.forget_connections(is_there);
        Ok(session)
    }

    fn forget_connections(&mut self, is_there: impl Fn(ConnId) -> bool) {
        let first = self.posts.front().copied();
        self.posts.retain(|post| is_there(*post));
        if self.posts.front().copied() != first {
            self.read_next_post();
        }
        if let SessionState::Polling(polling) | SessionState::Probing(polling, _) = &mut self.state
            && let Poll::Waiting(request, _) = polling.poll
            && !is_there(request)
        {
            polling.poll = Poll::Idle;
        }
        let socket = self.socket().or(self.probe().map(|probe| probe.conn));
        if let Some(socket) = socket
            && !is_there(socket)
        {
            self.handle_socket_gone(socket, true);
        }
    }
}
