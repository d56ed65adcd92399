//! What one object keeps of a webhook: who is in flight, and whether the back end is
//! there. It is the object's own, so that nobody waits for another object's calls, and
//! is gone with those that waited.

use core::cell::RefCell;
use std::rc::Rc;

use super::circuit::Circuit;
use super::slots::{Full, Limits, Slot, Slots};
use crate::sid::Key;
use crate::table::Table;

/// The maximum number of bytes in flight. They are in memory twice, here and in the
/// runtime.
const MAX_BYTES: usize = 8 << 20;

/// The lanes of an object, by the webhook's number.
#[derive(Default)]
pub(super) struct Lanes(RefCell<Table<u32, Rc<Lane>>>);

impl Lanes {
    /// Returns the lane of a webhook, which takes this many calls of each client, and
    /// altogether.
    pub(super) fn of(&self, webhook: u32, (client, object): (usize, usize)) -> Rc<Lane> {
        let mut lanes = self.0.borrow_mut();
        if let Some(lane) = lanes.get(webhook) {
            return lane.clone();
        }
        let lane = Rc::new(Lane::new(client, object));
        lanes.insert(webhook, lane.clone());
        lane
    }
}

/// The calls of one webhook from one object.
pub(super) struct Lane {
    object: Rc<Slots>,
    per_client: Limits,
    /// Those with calls that are in flight or wait.
    clients: RefCell<Table<Key, Rc<Slots>>>,
    pub(super) circuit: RefCell<Circuit>,
}

impl Lane {
    fn new(client: usize, object: usize) -> Self {
        Self {
            object: Slots::new(Limits {
                calls: object,
                bytes: MAX_BYTES,
            }),
            per_client: Limits {
                calls: client,
                bytes: usize::MAX,
            },
            clients: RefCell::default(),
            circuit: RefCell::default(),
        }
    }

    /// Waits until a call of this size may be made: first for its client's others, so that
    /// none of them is in the way of another client, and then for everybody's.
    pub(super) async fn enter(
        self: &Rc<Self>,
        client: Option<Key>,
        bytes: usize,
    ) -> Result<Pass, Full> {
        let mut pass = Pass {
            lane: self.clone(),
            client: None,
            object: None,
        };
        if let Some(key) = client {
            let slots = self.slots_of(key);
            pass.client = Some((key, None));
            pass.client = Some((key, Some(slots.take(0).await?)));
        }
        pass.object = Some(self.object.take(bytes).await?);
        Ok(pass)
    }

    fn slots_of(&self, key: Key) -> Rc<Slots> {
        let mut clients = self.clients.borrow_mut();
        if let Some(slots) = clients.get(key) {
            return slots.clone();
        }
        let slots = Slots::new(self.per_client);
        clients.insert(key, slots.clone());
        slots
    }

    fn forget_idle(&self, key: Key) {
        let mut clients = self.clients.borrow_mut();
        if clients.get(key).is_some_and(|slots| slots.is_idle()) {
            clients.remove(key);
        }
    }
}

/// Lets a call be made, until this is dropped.
pub(super) struct Pass {
    lane: Rc<Lane>,
    client: Option<(Key, Option<Slot>)>,
    object: Option<Slot>,
}

impl Drop for Pass {
    fn drop(&mut self) {
        drop(self.object.take());
        if let Some((key, slot)) = self.client.take() {
            drop(slot);
            self.lane.forget_idle(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use core::pin::pin;
    use core::task::{Context, Poll, Waker};

    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn poll<T>(future: core::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn enter(lane: &Rc<Lane>, client: u8) -> Option<Pass> {
        match poll(pin!(lane.enter(Some([client; 12]), 0))) {
            Poll::Ready(pass) => Some(pass.unwrap()),
            Poll::Pending => None,
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn one_client_is_not_in_the_way_of_others() {
        let lane = Lanes::default().of(1, (2, 3));
        let first = (enter(&lane, 1).unwrap(), enter(&lane, 1).unwrap());
        assert!(enter(&lane, 1).is_none());
        let second = enter(&lane, 2).unwrap();
        assert!(enter(&lane, 2).is_none());
        drop(first);
        assert!(enter(&lane, 2).is_some());
        drop(second);
        assert!(lane.object.is_idle());
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn clients_without_calls_are_forgotten() {
        let lane = Lanes::default().of(1, (1, 1));
        let pass = enter(&lane, 1);
        // Both give up waiting: one for itself, and one for the other.
        assert!(enter(&lane, 1).is_none());
        assert!(enter(&lane, 2).is_none());
        assert!(!lane.clients.borrow().contains([2; 12]));
        assert!(lane.clients.borrow().contains([1; 12]));
        drop(pass);
        assert!(!lane.clients.borrow().contains([1; 12]));
        assert!(lane.object.is_idle());
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn each_webhook_has_its_lane() {
        let lanes = Lanes::default();
        let _pass = enter(&lanes.of(1, (1, 1)), 1).unwrap();
        assert!(enter(&lanes.of(1, (1, 1)), 1).is_none());
        assert!(enter(&lanes.of(2, (1, 1)), 1).is_some());
    }
}
