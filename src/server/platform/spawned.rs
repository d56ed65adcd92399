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

use crate::table::Table;

#[wasm_bindgen]
extern "C" {
    // What it throws is an event of its own, by which the instance is known to have ended.
    // What a promise's callback throws is not.
    #[wasm_bindgen(js_name = queueMicrotask)]
    fn queue_microtask(run: &Closure<dyn FnMut()>);
}

#[derive(Default)]
struct Spawned {
    last: u64,
    futures: Table<u64, LocalBoxFuture<'static, ()>>,
    /// The numbers of those that are to be polled.
    ready: Vec<u64>,
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
        spawned.last += 1;
        spawned.futures.insert(spawned.last, future);
        spawned.last
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

fn wake(number: u64) {
    let is_due = SPAWNED.with_borrow_mut(|spawned| {
        if !spawned.ready.contains(&number) {
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

fn poll(number: u64) {
    // One that has completed may still be woken.
    let future = SPAWNED.with_borrow_mut(|spawned| spawned.futures.remove(number));
    let Some(mut future) = future.map(|future| *future) else {
        return;
    };
    let waker = Waker::from(Arc::new(Number(number)));
    let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
    if polled.is_pending() {
        SPAWNED.with_borrow_mut(|spawned| spawned.futures.insert(number, future));
    }
}

/// Wakes the future of this number.
struct Number(u64);

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

    type Slot = Rc<RefCell<Option<Waker>>>;

    /// A future that counts how often it is polled, until it has been `times` times, and
    /// leaves its waker.
    fn counting(times: u32) -> (LocalBoxFuture<'static, ()>, Rc<Cell<u32>>, Slot) {
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

    #[wasm_bindgen_test]
    async fn a_future_runs_in_a_microtask() {
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
    async fn one_that_is_always_ready_lets_others_run() {
        let is_over = Rc::new(Cell::new(false));
        let over = is_over.clone();
        let count = Rc::new(Cell::new(0));
        let counter = count.clone();
        settle(|| {
            spawn(Box::pin(poll_fn(move |context| {
                counter.set(counter.get() + 1);
                context.waker().wake_by_ref();
                if over.get() {
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
