//! What has come of events whose senders will ask for it.

use core::cell::RefCell;
use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::Timestamp;
use futures::channel::oneshot;

use crate::platform;
use crate::port::{self, Called, PortError};

/// The time for which a result is kept: its sender asks as soon as all objects have taken
/// the event, and again if the answer is lost.
const KEPT: Duration = Duration::from_secs(60);

/// What has come of events, by their tokens.
#[derive(Clone, Default)]
pub(super) struct Answers(Rc<RefCell<Vec<Kept>>>);

struct Kept {
    token: String,
    since: Timestamp,
    result: Result<Vec<u8>, Waiters>,
}

/// Those who wait for a result.
type Waiters = Vec<oneshot::Sender<Vec<u8>>>;

/// An encoded reply, or the promise of one.
pub(super) enum Awaited {
    Now(Vec<u8>),
    Later(oneshot::Receiver<Vec<u8>>),
}

impl Answers {
    /// Keeps what comes of an event.
    pub(super) fn keep(&self, token: String, called: Called, now: Timestamp) {
        let mut all = self.0.borrow_mut();
        all.retain(|kept| kept.result.is_err() || kept.since + KEPT > now);
        let (result, rest) = match called {
            Called::Done(reply) => (Ok(port::encode_reply(reply)), None),
            Called::Later(reply) => (Err(Waiters::new()), Some((token.clone(), reply))),
        };
        all.push(Kept {
            token,
            since: now,
            result,
        });
        let Some((token, reply)) = rest else {
            return;
        };
        let answers = self.clone();
        platform::spawn(Box::pin(async move {
            let reply = port::encode_reply(reply.await);
            answers.settle(&token, reply);
        }));
    }

    fn settle(&self, token: &str, reply: Vec<u8>) {
        let mut all = self.0.borrow_mut();
        let Some(kept) = all.iter_mut().find(|kept| kept.token == token) else {
            return;
        };
        kept.since = platform::now();
        let before = core::mem::replace(&mut kept.result, Ok(reply.clone()));
        for waiter in before.err().into_iter().flatten() {
            // Whoever it was may not wait any more.
            let _ = waiter.send(reply.clone());
        }
    }

    /// Returns what has come of an event.
    pub(super) fn get(&self, token: &str) -> Awaited {
        let mut all = self.0.borrow_mut();
        let found = all.iter_mut().find(|kept| kept.token == token);
        match found.map(|kept| &mut kept.result) {
            Some(Ok(reply)) => Awaited::Now(reply.clone()),
            Some(Err(waiters)) => {
                let (sender, receiver) = oneshot::channel();
                waiters.push(sender);
                Awaited::Later(receiver)
            }
            None => Awaited::lost(),
        }
    }
}

impl Awaited {
    /// Nobody knows: the memory of the object has been lost meanwhile.
    pub(super) fn lost() -> Self {
        Self::Now(port::encode_reply(Err(PortError::Lost)))
    }

    /// Returns the reply, after waiting for it if necessary.
    pub(super) async fn answer(self) -> Vec<u8> {
        match self {
            Self::Now(reply) => reply,
            Self::Later(reply) => reply
                .await
                .unwrap_or_else(|_| port::encode_reply(Err(PortError::Lost))),
        }
    }
}

impl From<Called> for Awaited {
    fn from(called: Called) -> Self {
        match called {
            Called::Done(reply) => Self::Now(port::encode_reply(reply)),
            Called::Later(reply) => {
                let (sender, receiver) = oneshot::channel();
                platform::spawn(Box::pin(async move {
                    // Whoever asked may not wait any more.
                    let _ = sender.send(port::encode_reply(reply.await));
                }));
                Self::Later(receiver)
            }
        }
    }
}
