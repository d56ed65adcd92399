use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use wasm_bindgen_test::wasm_bindgen_test;

use super::*;

type Taking = Pin<Box<dyn Future<Output = Result<Slot, Full>>>>;

fn slots(calls: usize, bytes: usize) -> Rc<Slots> {
    Slots::new(Limits { calls, bytes })
}

fn take(slots: &Rc<Slots>, bytes: usize) -> Taking {
    let slots = slots.clone();
    Box::pin(async move { slots.take(bytes).await })
}

fn poll(taking: &mut Taking) -> Option<Result<Slot, Full>> {
    match taking
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(taken) => Some(taken),
        Poll::Pending => None,
    }
}

fn now(slots: &Rc<Slots>, bytes: usize) -> Slot {
    poll(&mut take(slots, bytes)).unwrap().unwrap()
}

#[wasm_bindgen_test(unsupported = test)]
fn calls_wait_in_order() {
    let slots = slots(2, usize::MAX);
    let (first, second) = (now(&slots, 0), now(&slots, 0));
    let (mut third, mut fourth) = (take(&slots, 0), take(&slots, 0));
    assert!(poll(&mut third).is_none());
    assert!(poll(&mut fourth).is_none());
    drop(first);
    // A newcomer does not overtake.
    let mut fifth = take(&slots, 0);
    assert!(poll(&mut fifth).is_none());
    assert!(poll(&mut fourth).is_none());
    let third = poll(&mut third).unwrap().unwrap();
    drop(second);
    let fourth = poll(&mut fourth).unwrap().unwrap();
    drop((third, fourth));
    drop(poll(&mut fifth).unwrap().unwrap());
    assert!(slots.is_idle());
}

#[wasm_bindgen_test(unsupported = test)]
fn calls_that_wait_no_more_are_passed_over() {
    let slots = slots(1, usize::MAX);
    let first = now(&slots, 0);
    let (mut second, mut third) = (take(&slots, 0), take(&slots, 0));
    assert!(poll(&mut second).is_none());
    assert!(poll(&mut third).is_none());
    drop(second);
    drop(first);
    // It has the slot, and does not look at it any more.
    drop(third);
    assert!(slots.is_idle());
    drop(now(&slots, 0));
}

#[wasm_bindgen_test(unsupported = test)]
fn bytes_count_as_well() {
    let slots = slots(9, 100);
    let first = now(&slots, 60);
    let second = now(&slots, 40);
    let mut third = take(&slots, 1);
    assert!(poll(&mut third).is_none());
    drop(second);
    let third = poll(&mut third).unwrap().unwrap();
    drop((first, third));
    // A single one may be larger than all of them.
    let large = now(&slots, 101);
    let mut small = take(&slots, 0);
    assert!(poll(&mut small).is_none());
    drop(large);
    assert!(poll(&mut small).is_some());
}

#[wasm_bindgen_test(unsupported = test)]
fn those_that_wait_are_bounded() {
    let slots = slots(1, usize::MAX);
    let first = now(&slots, 0);
    let mut waiting: Vec<_> = (0..MAX_WAITING).map(|_| take(&slots, 0)).collect();
    assert!(waiting.iter_mut().all(|call| poll(call).is_none()));
    assert!(poll(&mut take(&slots, 0)).unwrap().is_err());
    // One that waits no more makes room.
    waiting.pop();
    let mut last = take(&slots, 0);
    assert!(poll(&mut last).is_none());
    drop(first);
    for call in waiting.iter_mut().chain([&mut last]) {
        drop(poll(call).unwrap().unwrap());
    }
    assert!(slots.is_idle());
}
