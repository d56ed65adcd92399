//! Invariants that must hold whatever happens.

use alloc::collections::BTreeSet;

use super::super::SessionState;
use super::super::polling::{Poll, Polling};
use crate::Timestamp;
use crate::engine::{ConnId, MAX_POSTS, Output, Session, Settings};

/// Watches a session and whatever it says, and panics at what must not be.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Requests without an answer.
    unanswered: BTreeSet<ConnId>,
    /// WebSockets that were not closed, by either side.
    open: BTreeSet<ConnId>,
    upgraded: bool,
    over: bool,
}

impl Watch {
    pub(super) fn handle_request(&mut self, request: ConnId) {
        assert!(self.unanswered.insert(request), "{request:?} is used twice");
    }

    pub(super) fn handle_socket(&mut self, socket: ConnId) {
        assert!(self.open.insert(socket), "{socket:?} is used twice");
    }

    /// Requests without an answer, and open sockets.
    pub(super) fn connections(&self) -> (BTreeSet<ConnId>, BTreeSet<ConnId>) {
        (self.unanswered.clone(), self.open.clone())
    }

    /// The client's side closed this socket. It may be closed in return.
    pub(super) fn handle_socket_gone(&mut self, socket: ConnId) {
        self.open.remove(&socket);
    }

    /// The object was evicted, and these connections are left.
    pub(super) fn handle_eviction(&mut self, is_there: impl Fn(ConnId) -> bool) {
        self.unanswered.retain(|request| is_there(*request));
        self.open.retain(|socket| is_there(*socket));
    }

    pub(super) fn handle_output(&mut self, output: &Output) {
        match output {
            Output::Answer { request, .. } => {
                let waited = self.unanswered.remove(request);
                assert!(waited, "{output:?} answers nobody");
            }
            Output::ReadBody { request } => {
                assert!(self.unanswered.contains(request), "{output:?} is of nobody");
            }
            Output::Send { socket, .. } => {
                assert!(self.open.contains(socket), "{output:?} goes nowhere");
            }
            Output::CloseSocket { socket, .. } => {
                self.open.remove(socket);
            }
            Output::Upgraded => {
                assert!(!self.upgraded && !self.over, "there is one upgrade");
                self.upgraded = true;
            }
            Output::Closed(_) => {
                assert!(!self.over, "a session ends once");
                self.over = true;
            }
        }
    }

    /// To be called whenever all outputs have been taken.
    pub(super) fn check(&self, session: &Session, settings: Settings) {
        let mut unanswered: BTreeSet<_> = session.posts.iter().copied().collect();
        assert!(session.posts.len() <= MAX_POSTS);
        let mut open = BTreeSet::new();
        let polling = |polling: &Polling| {
            assert!(polling.outbox.bytes() <= settings.max_buffered);
            match polling.poll {
                Poll::Idle => None,
                Poll::Waiting(request, _) => {
                    assert_eq!(polling.outbox.bytes(), 0, "messages wait for no reason");
                    Some(request)
                }
            }
        };
        match &session.state {
            SessionState::Polling(state) => unanswered.extend(polling(state)),
            SessionState::Probing(state, probe) => {
                unanswered.extend(polling(state));
                open.insert(probe.conn);
            }
            SessionState::WebSocket(socket) => {
                assert!(socket.unproven <= settings.max_unproven);
                open.insert(socket.conn);
            }
            SessionState::Closing { outbox, probe, .. } => {
                assert!(outbox.bytes() <= settings.max_buffered);
                open.extend(probe.as_ref().map(|probe| probe.conn));
            }
            SessionState::Closed { .. } => {
                assert!(session.posts.is_empty(), "its POST has no answer")
            }
        }
        assert_eq!(self.unanswered, unanswered, "each request gets an answer");
        assert_eq!(self.open, open, "each socket is closed");
        assert_eq!(self.over, session.transport().is_none());
        if session.is_over() {
            assert_eq!(session.next_deadline(), None);
        }
    }
}

/// Calling `handle_timeout` at a deadline moves the deadline, or ends it: an
/// object that does nothing else sleeps in between.
pub(super) fn check_deadline(session: &mut Session, now: Timestamp) -> Timestamp {
    let Some(deadline) = session.next_deadline() else {
        return now;
    };
    let now = now.max(deadline.at);
    session.handle_timeout(now);
    while session.poll_output().is_some() {}
    let next = session.next_deadline();
    assert!(
        next.is_none_or(|next| next.at > now),
        "{deadline:?} was due at {now:?}, and {next:?} is due again"
    );
    now
}
