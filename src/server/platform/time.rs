//! The platform's time, and its timers.

use core::cell::{Cell, RefCell};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::Timestamp;
use wasm_bindgen::prelude::*;

use crate::table::Table;

#[wasm_bindgen]
extern "C" {
    /// Calls back with this number.
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Closure<dyn FnMut(f64)>, millis: f64, number: f64) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(id: &JsValue);
}

thread_local! {
    /// The time of the turn that is under way, once that has been asked for.
    static TIME: Cell<Option<Option<Timestamp>>> = const { Cell::new(None) };
}

/// Returns the platform's time, which stands still between two events. It is asked for
/// once in a turn, because that costs as much as decoding a message.
pub(crate) fn now() -> Timestamp {
    let held = TIME.get();
    held.flatten().unwrap_or_else(|| {
        let now = Timestamp::from_millis(js_sys::Date::now() as u64);
        TIME.set(held.map(|_| Some(now)));
        now
    })
}

/// Has time stand still.
pub(crate) fn hold_time() {
    TIME.set(Some(None));
}

/// Has it go on.
pub(crate) fn release_time() {
    TIME.set(None);
}

/// Waits for this long, from when it is first asked.
///
/// `worker::Delay` takes what `setTimeout` returns for a number. With `nodejs_compat` it is
/// an object, and builds with the checks of wasm-bindgen panic.
pub(crate) fn sleep(duration: Duration) -> impl Future<Output = ()> + Unpin {
    Sleep {
        duration,
        timer: None,
        alarm: Rc::default(),
    }
}

struct Sleep {
    duration: Duration,
    timer: Option<Timer>,
    alarm: Rc<SleepAlarm>,
}

#[derive(Default)]
struct SleepAlarm {
    is_over: Cell<bool>,
    sleeper: Cell<Option<Waker>>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.alarm.is_over.get() {
            return Poll::Ready(());
        }
        self.alarm.sleeper.set(Some(context.waker().clone()));
        let (duration, alarm) = (self.duration, self.alarm.clone());
        self.timer.get_or_insert_with(|| {
            Timer::new(duration, move || {
                alarm.is_over.set(true);
                if let Some(sleeper) = alarm.sleeper.take() {
                    sleeper.wake();
                }
            })
        });
        Poll::Pending
    }
}

/// A timer that calls back once, unless it is dropped before.
pub(crate) struct Timer {
    id: JsValue,
    number: u64,
}

/// The callbacks of timers, by number.
#[derive(Default)]
struct Callbacks {
    last: u64,
    waiting: Table<u64, Box<dyn FnOnce()>>,
}

thread_local! {
    static CALLBACKS: RefCell<Callbacks> = RefCell::default();
    /// What the platform calls for every timer: to make one for each would cost more
    /// than the timer itself.
    static RING: Closure<dyn FnMut(f64)> = Closure::new(ring);
}

impl Timer {
    pub(crate) fn new(after: Duration, callback: impl FnOnce() + 'static) -> Self {
        let number = CALLBACKS.with_borrow_mut(|callbacks| {
            callbacks.last += 1;
            let callback = Box::new(callback);
            callbacks.waiting.insert(callbacks.last, callback);
            callbacks.last
        });
        let set = |ring: &_| set_timeout(ring, after.as_millis() as f64, number as f64);
        Self {
            id: RING.with(set),
            number,
        }
    }
}

/// Calls back for a timer that has gone off, which may be dropped meanwhile.
fn ring(number: f64) {
    if let Some(callback) = take_callback(number as u64) {
        callback();
    }
}

fn take_callback(number: u64) -> Option<Box<dyn FnOnce()>> {
    let callback = CALLBACKS.with_borrow_mut(|callbacks| callbacks.waiting.remove(number));
    callback.map(|callback| *callback)
}

impl Drop for Timer {
    fn drop(&mut self) {
        if take_callback(self.number).is_some() {
            clear_timeout(&self.id);
        }
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
