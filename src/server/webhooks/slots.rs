//! Calls that are in flight, and those that wait until others are over: in order, and no
//! more of either than is allowed.

use core::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use futures::channel::oneshot;

/// The maximum number of calls that wait. Further ones fail at once.
const MAX_WAITING: usize = 1_000;

/// Places for calls.
pub(super) struct Slots {
    limits: Limits,
    taken: Cell<usize>,
    /// The bytes of the calls that have taken them.
    bytes: Cell<usize>,
    waiting: RefCell<VecDeque<Waiting>>,
}

/// How much is in flight at most. A single call may be larger.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) calls: usize,
    pub(super) bytes: usize,
}

struct Waiting {
    bytes: usize,
    /// Takes the slot. Its other end is dropped with a call that waits no more.
    call: oneshot::Sender<Slot>,
}

/// A place that a call has taken, until this is dropped.
pub(super) struct Slot {
    slots: Rc<Slots>,
    bytes: usize,
}

/// As many calls wait as may.
#[derive(Debug)]
pub(super) struct Full;

impl Slots {
    pub(super) fn new(limits: Limits) -> Rc<Self> {
        Rc::new(Self {
            limits,
            taken: Cell::new(0),
            bytes: Cell::new(0),
            waiting: RefCell::default(),
        })
    }

    /// Takes a slot for a call of this size, after those that have waited for longer.
    pub(super) async fn take(self: &Rc<Self>, bytes: usize) -> Result<Slot, Full> {
        let is_first = self.waiting.borrow().is_empty();
        if is_first && self.fits(bytes) {
            return Ok(self.slot(bytes));
        }
        let (call, slot) = oneshot::channel();
        {
            let mut waiting = self.waiting.borrow_mut();
            if waiting.len() >= MAX_WAITING {
                // Some may wait no more.
                waiting.retain(|other| !other.call.is_canceled());
            }
            if waiting.len() >= MAX_WAITING {
                return Err(Full);
            }
            waiting.push_back(Waiting { bytes, call });
        }
        slot.await.map_err(|_| Full)
    }

    /// Returns whether nothing is in flight, and nothing waits.
    pub(super) fn is_idle(&self) -> bool {
        self.taken.get() == 0
    }

    fn fits(&self, bytes: usize) -> bool {
        let has_room = self.bytes.get().saturating_add(bytes) <= self.limits.bytes;
        self.taken.get() < self.limits.calls && (has_room || self.taken.get() == 0)
    }

    fn slot(self: &Rc<Self>, bytes: usize) -> Slot {
        self.taken.set(self.taken.get() + 1);
        self.bytes.set(self.bytes.get() + bytes);
        Slot {
            slots: self.clone(),
            bytes,
        }
    }

    /// Gives free slots to those that wait, in order.
    fn hand_out(self: &Rc<Self>) {
        loop {
            let next = {
                let mut waiting = self.waiting.borrow_mut();
                match waiting.front() {
                    Some(first) if first.call.is_canceled() => {
                        waiting.pop_front();
                        continue;
                    }
                    Some(first) if self.fits(first.bytes) => waiting.pop_front(),
                    Some(_) | None => None,
                }
            };
            let Some(Waiting { bytes, call }) = next else {
                return;
            };
            // One that nobody takes is dropped, and handed out again.
            let _ = call.send(self.slot(bytes));
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let slots = &self.slots;
        slots.taken.set(slots.taken.get().saturating_sub(1));
        slots
            .bytes
            .set(slots.bytes.get().saturating_sub(self.bytes));
        slots.hand_out();
    }
}

#[cfg(test)]
mod tests;
