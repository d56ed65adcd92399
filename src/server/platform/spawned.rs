//! Futures that run beside everything else.
//!
//! As `wasm_bindgen_futures` does, it has a microtask poll them. A microtask costs the
//! runtime as much as half a message, so what an event wakes is polled at the event's end
//! instead, where that is possible ([`settle`]).

use core::cell::RefCell;
use core::task::{Context, Waker};
use std::sync::Arc;
use std::task::Wake;

use futures::future::LocalBoxFuture;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    // What it throws is an event of its own, by which the instance is known to have ended.
    // What a promise's callback throws is not.
    #[wasm_bindgen(js_name = queueMicrotask)]
    fn queue_microtask(run: &Closure<dyn FnMut()>);
}

/// A place for a future, which another one gets when it has completed. So a waker may
/// wake whoever has come after its own, which does no harm.
#[derive(Default)]
struct Slot {
    /// Not here while it is polled.
    future: Option<LocalBoxFuture<'static, ()>>,
    /// It is among those that are to be polled.
    is_ready: bool,
}

#[derive(Default)]
struct Spawned {
    slots: Vec<Slot>,
    /// The numbers of the slots that have no future.
    free: Vec<usize>,
    /// The numbers of those that are to be polled.
    ready: Vec<usize>,
    /// Somebody is about to poll them.
    is_due: bool,
}

thread_local! {
    static SPAWNED: RefCell<Spawned> = RefCell::default();
    static RUN: Closure<dyn FnMut()> = Closure::new(run);
}

/// Runs a future beside everything else. It is boxed because the code around each
/// type of future would weigh more than the future.
pub(crate) fn spawn(future: LocalBoxFuture<'static, ()>) {
    let number = SPAWNED.with_borrow_mut(|spawned| {
        let number = spawned.free.pop().unwrap_or_else(|| {
            spawned.slots.push(Slot::default());
            spawned.slots.len() - 1
        });
        if let Some(slot) = spawned.slots.get_mut(number) {
            slot.future = Some(future);
        }
        number
    });
    wake(number);
}

/// Does `work`, and polls at once what it has woken or spawned. If that panics, so does
/// the caller.
pub(crate) fn settle(work: impl FnOnce()) {
    let is_due = SPAWNED.with_borrow_mut(|spawned| core::mem::replace(&mut spawned.is_due, true));
    work();
    if !is_due {
        run();
    }
}

fn wake(number: usize) {
    let is_due = SPAWNED.with_borrow_mut(|spawned| {
        let slot = spawned.slots.get_mut(number);
        if slot.is_some_and(|slot| !core::mem::replace(&mut slot.is_ready, true)) {
            spawned.ready.push(number);
        }
        core::mem::replace(&mut spawned.is_due, true)
    });
    if !is_due {
        RUN.with(queue_microtask);
    }
}

/// Polls those that are ready. What becomes ready meanwhile has to wait, so that a future
/// that always is does not keep everything else waiting.
fn run() {
    let ready = SPAWNED.with_borrow_mut(|spawned| core::mem::take(&mut spawned.ready));
    ready.into_iter().for_each(poll);
    let is_due = SPAWNED.with_borrow_mut(|spawned| {
        spawned.is_due = !spawned.ready.is_empty();
        spawned.is_due
    });
    if is_due {
        RUN.with(queue_microtask);
    }
}

fn poll(number: usize) {
    let future = SPAWNED.with_borrow_mut(|spawned| {
        let slot = spawned.slots.get_mut(number)?;
        slot.is_ready = false;
        slot.future.take()
    });
    // One that has completed may still be woken.
    let Some(mut future) = future else { return };
    let waker = Waker::from(Arc::new(Number(number)));
    let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
    if polled.is_ready() {
        // Whatever it holds may wake others as it goes.
        drop(future);
        SPAWNED.with_borrow_mut(|spawned| spawned.free.push(number));
        return;
    }
    SPAWNED.with_borrow_mut(|spawned| {
        if let Some(slot) = spawned.slots.get_mut(number) {
            slot.future = Some(future);
        }
    });
}

/// Wakes the future in the slot of this number.
struct Number(usize);

impl Wake for Number {
    fn wake(self: Arc<Self>) {
        wake(self.0);
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests {
    use core::cell::Cell;
    use core::future::poll_fn;
    use core::task::Poll;
    use std::rc::Rc;

    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;
    use crate::in_browser::wait;

    type Left = Rc<RefCell<Option<Waker>>>;

    /// A future that counts how often it is polled, until it has been `times` times, and
    /// leaves its waker.
    fn counting(times: u32) -> (LocalBoxFuture<'static, ()>, Rc<Cell<u32>>, Left) {
        let (count, waker) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(None)));
        let (counter, slot) = (count.clone(), waker.clone());
        let future = poll_fn(move |context| {
            counter.set(counter.get() + 1);
            slot.replace(Some(context.waker().clone()));
            if counter.get() < times {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        });
        (Box::pin(future), count, waker)
    }

    fn wake_it(waker: &RefCell<Option<Waker>>) {
        waker.borrow().as_ref().unwrap().wake_by_ref();
    }

    /// Waits until what other tests have left is no longer due: an event would not poll
    /// anything before that.
    async fn after_others() {
        wait(1).await;
    }

    #[wasm_bindgen_test]
    async fn a_future_runs_in_a_microtask() {
        after_others().await;
        let (future, count, waker) = counting(2);
        spawn(future);
        assert_eq!(count.get(), 0, "not at once");
        wait(1).await;
        assert_eq!(count.get(), 1);
        wake_it(&waker);
        wake_it(&waker);
        wait(1).await;
        assert_eq!(count.get(), 2, "once, however often it is woken");
        wake_it(&waker);
        wait(1).await;
        assert_eq!(count.get(), 2, "it has completed");
    }

    #[wasm_bindgen_test]
    async fn what_an_event_wakes_runs_at_its_end() {
        after_others().await;
        let (future, count, waker) = counting(3);
        settle(|| {
            spawn(future);
            settle(|| {});
            assert_eq!(count.get(), 0, "at the end");
        });
        assert_eq!(count.get(), 1);
        settle(|| wake_it(&waker));
        assert_eq!(count.get(), 2);
        wake_it(&waker);
        assert_eq!(count.get(), 2, "outside of an event");
        wait(1).await;
        assert_eq!(count.get(), 3);
    }

    #[wasm_bindgen_test]
    async fn a_future_that_completes_wakes_others_and_makes_room() {
        after_others().await;
        struct Waking(Left);
        impl Drop for Waking {
            fn drop(&mut self) {
                wake_it(&self.0);
            }
        }
        let (future, count, waker) = counting(3);
        let dropped = Waking(waker.clone());
        settle(|| spawn(future));
        settle(|| {
            spawn(Box::pin(async move {
                let _dropped = dropped;
            }));
        });
        wait(1).await;
        assert_eq!(count.get(), 2, "as what the other one held was dropped");
        settle(|| wake_it(&waker));
        let (next, count_of_next, waker_of_next) = counting(2);
        settle(|| {
            wake_it(&waker);
            spawn(next);
        });
        assert_eq!(count.get(), 3, "it has completed");
        assert_eq!(count_of_next.get(), 1);
        settle(|| wake_it(&waker_of_next));
        assert_eq!(count_of_next.get(), 2);
    }

    #[wasm_bindgen_test]
    async fn one_that_is_always_ready_lets_others_run() {
        after_others().await;
        let is_over = Rc::new(Cell::new(false));
        let over = is_over.clone();
        let count = Rc::new(Cell::new(0));
        let counter = count.clone();
        settle(|| {
            spawn(Box::pin(poll_fn(move |context| {
                counter.set(counter.get() + 1);
                context.waker().wake_by_ref();
                // If the test fails, it must not keep the browser from the others.
                if over.get() || counter.get() == 100 {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })));
        });
        assert_eq!(count.get(), 1);
        is_over.set(true);
        wait(1).await;
        assert_eq!(count.get(), 2);
    }
}
