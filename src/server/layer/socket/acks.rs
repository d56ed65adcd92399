//! Acknowledgements that the application waits for.

use core::cell::RefCell;
use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::socket::{Args, AwaitedAcks, Waiting};
use futures::channel::oneshot;
use futures::future::{Either, select};

use crate::platform::{self, sleep};
use crate::port::Spot;

/// The acknowledgements that are awaited, and whom to tell when the last has come.
#[derive(Clone)]
pub(super) struct PendingAcks(Rc<RefCell<AwaitedAcks<Spot, oneshot::Sender<()>>>>);

impl Default for PendingAcks {
    fn default() -> Self {
        let first = u32::from_le_bytes(platform::random());
        Self(Rc::new(RefCell::new(AwaitedAcks::begin_at(first))))
    }
}

impl PendingAcks {
    /// Takes in a socket's acknowledgement of an event.
    pub(super) fn handle_ack(&self, spot: Spot, id: u64, args: Args<'_>) {
        let args = args.into_owned();
        let complete = self.0.borrow_mut().handle_ack(id, spot, args);
        tell(complete);
    }

    /// Gives up on the answers of a socket that has gone.
    pub(super) fn handle_gone(&self, spot: Spot) {
        let complete = self.0.borrow_mut().handle_gone(spot);
        tell(complete);
    }
}

fn tell(complete: impl IntoIterator<Item = oneshot::Sender<()>>) {
    for sender in complete {
        // The receiver may have been dropped meanwhile.
        let _ = sender.send(());
    }
}

/// Answers that are awaited. Dropping this gives them up.
pub(super) struct Expected {
    acks: PendingAcks,
    pub(super) id: u32,
    complete: oneshot::Receiver<()>,
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.acks.0.borrow_mut().take(self.id);
    }
}

impl Expected {
    /// Begins to wait for these sockets.
    pub(super) fn from(acks: &PendingAcks, sockets: &[Spot]) -> Self {
        let (sender, complete) = oneshot::channel();
        let sockets = sockets.iter().copied();
        let id = acks.0.borrow_mut().expect(sockets, sender);
        let acks = acks.clone();
        Self { acks, id, complete }
    }

    /// Waits until all sockets have answered or gone, or the time is up.
    pub(super) async fn wait(mut self, limit: Duration) -> Waiting<Spot> {
        let complete = self.acks.0.borrow().is_complete(self.id);
        if !complete {
            // A sender that was dropped has nobody left to wait for, either.
            match select(&mut self.complete, Box::pin(sleep(limit))).await {
                Either::Left(_) | Either::Right(_) => {}
            }
        }
        self.acks.0.borrow_mut().take(self.id)
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
