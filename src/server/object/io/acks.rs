//! Acknowledgements that the application waits for.

use core::time::Duration;
use std::collections::BTreeMap;
use std::rc::Rc;

use dormouse_proto::socket::{Args, Waiting};
use futures::channel::oneshot;
use futures::future::{Either, select};

use crate::engine::sleep;
use crate::object::Shell;
use crate::sid::Key;

/// Who is told when all answers are here, and in which namespace they must come.
pub(super) type Waiters = BTreeMap<u32, (String, oneshot::Sender<()>)>;

/// Answers that are on their way. Dropping it is giving them up.
pub(super) struct Expected {
    shell: Rc<Shell>,
    pub(super) id: u32,
    complete: oneshot::Receiver<()>,
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.shell.io.waiters.borrow_mut().remove(&self.id);
        self.shell.io.acks.borrow_mut().take(self.id);
    }
}

impl Expected {
    /// Waits until all have answered or gone, or the time is over.
    pub(super) async fn wait(mut self, limit: Duration) -> Waiting<Key> {
        let complete = self.shell.io.acks.borrow().is_complete(self.id);
        if !complete {
            // Who was let go has nobody left to wait for either.
            match select(&mut self.complete, Box::pin(sleep(limit))).await {
                Either::Left(_) | Either::Right(_) => {}
            }
        }
        self.shell.io.acks.borrow_mut().take(self.id)
    }
}

impl Shell {
    /// Waits, from now on, for these sockets of a namespace.
    pub(super) fn expect_acks(
        self: &Rc<Self>,
        namespace: &str,
        from: impl IntoIterator<Item = Key>,
    ) -> Expected {
        let id = self.io.acks.borrow_mut().expect(from);
        let (sender, complete) = oneshot::channel();
        let waiter = (namespace.to_owned(), sender);
        self.io.waiters.borrow_mut().insert(id, waiter);
        Expected {
            shell: self.clone(),
            id,
            complete,
        }
    }

    pub(super) fn handle_ack(&self, key: Key, namespace: &str, id: u64, args: Args<'_>) {
        let asked = u32::try_from(id).ok().filter(|id| {
            let waiters = self.io.waiters.borrow();
            waiters.get(id).is_some_and(|(asked, _)| asked == namespace)
        });
        let Some(asked) = asked else {
            return;
        };
        let mut acks = self.io.acks.borrow_mut();
        if acks.handle_ack(id, key, args.into_owned()) {
            drop(acks);
            self.complete(asked);
        }
    }

    /// A socket is gone, and so are its answers.
    pub(super) fn give_up_acks(&self, key: Key, namespace: &str) {
        if self.io.acks.borrow().is_idle() {
            return;
        }
        let here: Vec<u32> = {
            let waiters = self.io.waiters.borrow();
            let here = waiters.iter().filter(|(_, (asked, _))| asked == namespace);
            here.map(|(id, _)| *id).collect()
        };
        for id in here {
            if self.io.acks.borrow_mut().handle_gone(id, key) {
                self.complete(id);
            }
        }
    }

    fn complete(&self, id: u32) {
        if let Some((_, sender)) = self.io.waiters.borrow_mut().remove(&id) {
            // Whoever waited may have been dropped meanwhile.
            let _ = sender.send(());
        }
    }
}
