use core::future::poll_fn;

use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::in_browser::{js, wait};

#[wasm_bindgen_test]
fn the_time_is_that_of_the_platform() {
    let before = js_sys::Date::now() as u64;
    let now = now().as_millis();
    assert!(now >= before && now - before < 1_000);
    assert!(now > u64::from(u32::MAX));
}

#[wasm_bindgen_test]
async fn a_timer_calls_back_once() {
    let calls = Rc::new(Cell::new(0));
    let counter = calls.clone();
    let _timer = Timer::new(Duration::from_millis(5), move || {
        counter.set(counter.get() + 1)
    });
    assert_eq!(calls.get(), 0, "not at once");
    wait(50).await;
    assert_eq!(calls.get(), 1);
}

#[wasm_bindgen_test]
async fn a_timer_that_is_dropped_calls_nobody() {
    let calls = Rc::new(Cell::new(0));
    let counter = calls.clone();
    drop(Timer::new(Duration::from_millis(5), move || {
        counter.set(counter.get() + 1)
    }));
    wait(50).await;
    assert_eq!(calls.get(), 0);
}

/// Lets timers be objects, as they are on the platform, and tells how many are pending.
fn object_timers() -> JsValue {
    let body = "const { setTimeout, clearTimeout } = globalThis;
        const timers = { pending: 0, restore: () => Object.assign(globalThis, { setTimeout, clearTimeout }) };
        globalThis.setTimeout = (callback, millis, ...args) => {
            timers.pending += 1;
            const id = setTimeout(() => { timers.pending -= 1; callback(...args); }, millis);
            return { [Symbol.toPrimitive]: () => id };
        };
        globalThis.clearTimeout = (timer) => {
            if (typeof timer !== 'object') throw new TypeError('not a timer');
            timers.pending -= 1;
            clearTimeout(Number(timer));
        };
        return timers;";
    js(body, JsValue::UNDEFINED)
}

#[wasm_bindgen_test]
async fn sleep_ends_or_is_given_up_where_timers_are_objects() {
    let timers = object_timers();
    let pending = || js("return x.pending;", timers.clone()).as_f64();
    sleep(Duration::from_millis(5)).await;
    let mut given_up = sleep(Duration::from_secs(60));
    let ask = |context: &mut Context<'_>| Poll::Ready(Pin::new(&mut given_up).poll(context));
    assert!(poll_fn(ask).await.is_pending());
    let before = pending();
    drop(given_up);
    let after = pending();
    js("x.restore();", timers.clone());
    assert_eq!(
        before.zip(after).map(|(before, after)| before - after),
        Some(1.0)
    );
}

#[wasm_bindgen_test]
async fn a_timer_may_be_let_go_from_within_its_callback() {
    let slot: Rc<Cell<Option<Timer>>> = Rc::default();
    let calls = Rc::new(Cell::new(0));
    let (own, counter) = (slot.clone(), calls.clone());
    slot.set(Some(Timer::new(Duration::from_millis(5), move || {
        drop(own.take());
        // What the callback holds is still there.
        counter.set(counter.get() + 1);
        own.set(None);
    })));
    wait(50).await;
    assert_eq!(calls.get(), 1);
    assert!(slot.take().is_none());
}
