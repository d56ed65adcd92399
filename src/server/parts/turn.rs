//! A turn: everything that happens in one call of the platform's, or between two
//! pauses of a handler.
//!
//! Whatever is done to sessions meanwhile, each of them is finished once, at the
//! end: its outputs are carried out, and it is saved and scheduled.

use core::cell::{Cell, RefCell};
use std::rc::Weak;

use dormouse_proto::Timestamp;

use crate::platform;
use crate::sid::Key;
use crate::table::Table;

/// Finishes what a turn has changed.
pub(crate) trait Finish {
    /// Carries out a session's outputs, saves it, and schedules it.
    fn finish(&self, key: Key);

    /// Does what is to be done after every turn.
    fn end(&self) {}
}

/// The turn that is under way, if there is one.
pub(crate) struct Turn {
    /// The number of nested turns: a handler that runs in a turn may be what another
    /// one has been waiting for.
    depth: Cell<u32>,
    dirty: RefCell<Table<Key, ()>>,
    object: Weak<dyn Finish>,
}

impl Turn {
    pub(crate) fn new(object: Weak<dyn Finish>) -> Self {
        Self {
            depth: Cell::new(0),
            dirty: RefCell::default(),
            object,
        }
    }

    /// Runs `work` as a turn, or as part of the one that is under way.
    pub(crate) fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        if self.depth.get() == 0 {
            platform::hold_time();
        }
        self.depth.set(self.depth.get() + 1);
        let result = work();
        self.leave();
        result
    }

    fn leave(&self) {
        self.depth.set(self.depth.get() - 1);
        while self.depth.get() == 0 {
            let Some(key) = self.dirty.borrow_mut().pop() else {
                break;
            };
            self.finish(key);
        }
        if self.depth.get() == 0 {
            if let Some(object) = self.object.upgrade() {
                object.end();
            }
            platform::release_time();
        }
    }

    fn finish(&self, key: Key) {
        if let Some(object) = self.object.upgrade() {
            object.finish(key);
        }
    }

    /// Returns the time, which stands still during a turn.
    pub(crate) fn now(&self) -> Timestamp {
        platform::now()
    }

    /// Marks a session to be finished at the end of the turn. If none is under way,
    /// it is finished at once.
    pub(crate) fn mark_dirty(&self, key: Key) {
        if self.depth.get() == 0 {
            self.finish(key);
        } else {
            self.dirty.borrow_mut().insert(key, ());
        }
    }

    /// Returns the sessions that this turn has changed so far.
    pub(crate) fn dirty(&self) -> Vec<Key> {
        self.dirty.borrow().keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    /// Notes what is finished, and may change something else meanwhile.
    #[derive(Default)]
    struct Noting {
        finished: RefCell<Vec<u8>>,
        then: RefCell<Vec<(u8, u8)>>,
        turn: RefCell<Weak<Turn>>,
    }

    impl Finish for Noting {
        fn finish(&self, key: Key) {
            self.finished.borrow_mut().push(key[0]);
            let next = self.then.borrow_mut().pop();
            if let (Some((_, other)), Some(turn)) = (
                next.filter(|(after, _)| *after == key[0]),
                self.turn.borrow().upgrade(),
            ) {
                turn.run(|| turn.mark_dirty([other; 12]));
            }
        }
    }

    fn turn() -> (Rc<Turn>, Rc<Noting>) {
        let noting = Rc::new(Noting::default());
        let object: Rc<dyn Finish> = noting.clone();
        let turn = Rc::new(Turn::new(Rc::downgrade(&object)));
        noting.turn.replace(Rc::downgrade(&turn));
        (turn, noting)
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn each_session_is_finished_once_at_the_end() {
        let (turn, noting) = turn();
        turn.run(|| {
            turn.mark_dirty([2; 12]);
            turn.run(|| {
                turn.mark_dirty([1; 12]);
                turn.mark_dirty([2; 12]);
            });
            assert!(noting.finished.borrow().is_empty());
            assert_eq!(turn.dirty(), [[1; 12], [2; 12]]);
        });
        assert_eq!(*noting.finished.borrow(), [2, 1]);
        assert!(turn.dirty().is_empty());
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn without_a_turn_it_is_finished_at_once() {
        let (turn, noting) = turn();
        turn.mark_dirty([3; 12]);
        assert_eq!(*noting.finished.borrow(), [3]);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn what_finishing_changes_is_finished_too() {
        let (turn, noting) = turn();
        noting.then.borrow_mut().push((1, 9));
        turn.run(|| turn.mark_dirty([1; 12]));
        assert_eq!(*noting.finished.borrow(), [1, 9]);
    }
}
