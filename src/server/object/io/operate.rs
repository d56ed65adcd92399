//! What may be asked of many sockets at once, and the one place where it is done.
//!
//! Whoever asks, a handler in this object or another part of the Worker, asks by
//! an [`Operation`] on a [`Target`]. Where sockets of one server are spread over
//! several objects, this is the seam to spread it at.

use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::socket::{Args, Filter};
use serde::{Deserialize, Serialize};

use super::outgoing::Letter;
use crate::object::Shell;
use crate::sid::Key;

/// Whom an operation is for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) namespace: String,
    pub(crate) filter: Filter,
    pub(crate) flags: Flags,
}

/// How an event is sent.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Flags {
    /// It may be lost.
    pub(crate) volatile: bool,
    /// To sockets in this object only.
    pub(crate) local: bool,
}

/// What is to be done.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Operation {
    Emit(Args<'static>),
    /// Within so many milliseconds.
    EmitWithAck(Args<'static>, u64),
    Fetch,
    Join(Vec<String>),
    Leave(Vec<String>),
    Disconnect {
        close: bool,
    },
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// So many sockets were meant.
    Done(usize),
    Sockets(Vec<Remote>),
    Acks {
        answers: Vec<Args<'static>>,
        /// Who has not answered in time.
        late: usize,
        /// Who was disconnected before it answered.
        gone: usize,
    },
}

/// What is told of a socket to whoever fetches it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Remote {
    pub(crate) id: String,
    pub(crate) rooms: Vec<String>,
    pub(crate) data: Option<String>,
    pub(crate) handshake: crate::request::KeptHandshake,
}

impl Shell {
    /// Does what is asked, and answers when it is done.
    pub(crate) async fn operate(self: &Rc<Self>, target: &Target, operation: Operation) -> Answer {
        match operation {
            Operation::Emit(args) => Answer::Done(self.emit(target, &args)),
            Operation::EmitWithAck(args, limit) => {
                self.emit_with_ack(target, &args, Duration::from_millis(limit))
                    .await
            }
            Operation::Fetch => {
                let namespace = &target.namespace;
                let sockets = self.select(target).into_iter();
                Answer::Sockets(
                    sockets
                        .filter_map(|key| self.remote(key, namespace))
                        .collect(),
                )
            }
            Operation::Join(rooms) => {
                self.for_each(target, |key| self.join(key, &target.namespace, &rooms))
            }
            Operation::Leave(rooms) => {
                self.for_each(target, |key| self.leave(key, &target.namespace, &rooms))
            }
            Operation::Disconnect { close } => self.for_each(target, |key| {
                self.disconnect_socket(key, &target.namespace, close)
            }),
        }
    }

    /// The sockets that are meant.
    fn select(&self, target: &Target) -> Vec<Key> {
        self.with_rooms(|rooms| rooms.select(&target.namespace, &target.filter))
    }

    fn for_each(&self, target: &Target, change: impl Fn(Key) -> bool) -> Answer {
        let sockets = self.select(target);
        self.event(|| {
            for key in &sockets {
                change(*key);
            }
        });
        Answer::Done(sockets.len())
    }

    fn emit(&self, target: &Target, args: &Args<'_>) -> usize {
        let parser = self.parser();
        let offset = self.note(target, args);
        let sockets = self.select(target);
        let letter = Letter::new(parser, &target.namespace, None, args, offset);
        let letter = letter.for_many(sockets.len());
        self.post_all(&sockets, &letter, target.flags.volatile);
        sockets.len()
    }

    /// Sends an event to one socket that is at hand, which needs no index of rooms.
    pub(crate) fn emit_to(&self, key: Key, namespace: &str, id: &str, args: &Args<'_>) -> bool {
        if self.find_io(key, |_| ()).is_none() {
            return false;
        }
        let offset = self.note_for(namespace, id, args);
        let letter = Letter::new(self.parser(), namespace, None, args, offset);
        self.post(key, &letter, false, self.now())
    }

    /// The same, and waits for its acknowledgement.
    pub(crate) async fn emit_to_with_ack(
        self: &Rc<Self>,
        key: Key,
        namespace: &str,
        args: &Args<'_>,
        limit: Duration,
    ) -> Answer {
        let known = self.find_io(key, |io| io.client.socket(namespace).is_some());
        let sockets = if known == Some(true) {
            vec![key]
        } else {
            Vec::new()
        };
        self.wait_for(namespace, &sockets, args, limit).await
    }

    async fn emit_with_ack(
        self: &Rc<Self>,
        target: &Target,
        args: &Args<'_>,
        limit: Duration,
    ) -> Answer {
        let sockets = self.select(target);
        self.wait_for(&target.namespace, &sockets, args, limit)
            .await
    }

    async fn wait_for(
        self: &Rc<Self>,
        namespace: &str,
        sockets: &[Key],
        args: &Args<'_>,
        limit: Duration,
    ) -> Answer {
        let expected = self.expect_acks(namespace, sockets.iter().copied());
        let letter = Letter::new(self.parser(), namespace, Some(expected.id), args, None);
        let letter = letter.for_many(sockets.len());
        self.post_all(sockets, &letter, false);
        let waiting = expected.wait(limit).await;
        Answer::Acks {
            answers: waiting.answers.into_iter().map(|(_, args)| args).collect(),
            late: waiting.missing.len(),
            gone: waiting.gone,
        }
    }

    fn post_all(&self, sockets: &[Key], letter: &Letter<'_>, volatile: bool) {
        let now = self.now();
        self.event(|| {
            for key in sockets {
                self.post(*key, letter, volatile, now);
            }
        });
    }

    fn remote(&self, key: Key, namespace: &str) -> Option<Remote> {
        self.find_io(key, |io| {
            let socket = io.present_in(namespace)?;
            Some(Remote {
                id: socket.id.clone(),
                rooms: socket.rooms.clone(),
                data: socket.data.clone(),
                handshake: (*io.handshake).clone(),
            })
        })
        .flatten()
    }

    pub(super) fn parser(&self) -> dormouse_proto::socket::Parser {
        self.application()
            .map_or_else(Default::default, |application| application.settings.parser)
    }
}
