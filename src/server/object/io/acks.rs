//! Acknowledgements that the application waits for.

use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::socket::{self, Args, Waiting};
use futures::channel::oneshot;
use futures::future::{Either, select};

use crate::engine::sleep;
use crate::object::Shell;
use crate::sid::Key;

/// What is waited for, and who is told when all answers are here.
pub(super) type Acks = socket::Acks<Key, oneshot::Sender<()>>;

/// Answers that are on their way. Dropping it is giving them up.
pub(super) struct Expected {
    shell: Rc<Shell>,
    pub(super) id: u32,
    complete: oneshot::Receiver<()>,
}

impl Drop for Expected {
    fn drop(&mut self) {
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
        let (sender, complete) = oneshot::channel();
        let id = self.io.acks.borrow_mut().expect(namespace, from, sender);
        Expected {
            shell: self.clone(),
            id,
            complete,
        }
    }

    pub(super) fn handle_ack(&self, key: Key, namespace: &str, id: u64, args: Args<'_>) {
        let args = args.into_owned();
        let complete = self
            .io
            .acks
            .borrow_mut()
            .handle_ack(id, namespace, key, args);
        tell(complete);
    }

    /// A socket is gone, and so are its answers.
    pub(super) fn give_up_acks(&self, key: Key, namespace: &str) {
        let complete = self.io.acks.borrow_mut().handle_gone(namespace, key);
        tell(complete);
    }
}

fn tell(complete: impl IntoIterator<Item = oneshot::Sender<()>>) {
    for sender in complete {
        // Whoever waited may have been dropped meanwhile.
        let _ = sender.send(());
    }
}
