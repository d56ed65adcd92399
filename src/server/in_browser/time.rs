//! A clock that tests set, and timers that go off when it is.

use core::time::Duration;

use dormouse_proto::Timestamp;
use js_sys::Array;
use wasm_bindgen::JsValue;

use super::js;
use crate::platform;

/// Stops the clock of the page and its timers, until it is dropped.
pub(crate) struct Time(JsValue);

impl Time {
    pub(crate) fn stop() -> Self {
        resume();
        let body = "const { setTimeout, clearTimeout, Date } = globalThis;
            const real = { setTimeout, clearTimeout, now: Date.now };
            const time = { now: Math.floor(Date.now()), timers: new Map(), last: 0 };
            globalThis.setTimeout = (callback, millis = 0, ...args) => {
                const call = () => callback(...args);
                time.timers.set(++time.last, { call, at: time.now + millis });
                return time.last;
            };
            globalThis.clearTimeout = (id) => { time.timers.delete(id); };
            Date.now = () => time.now;
            time.go = (end) => {
                for (;;) {
                    const due = [...time.timers].filter(([, { at }]) => at <= end);
                    if (due.length === 0) break;
                    const [id, { call, at }] = due.sort(([, a], [, b]) => a.at - b.at)[0];
                    time.timers.delete(id);
                    time.now = Math.max(time.now, at);
                    call();
                }
                time.now = end;
            };
            time.resume = () => {
                Object.assign(globalThis, { setTimeout: real.setTimeout, clearTimeout: real.clearTimeout });
                Date.now = real.now;
                delete globalThis.stoppedTime;
            };
            return globalThis.stoppedTime = time;";
        Self(js(body, JsValue::UNDEFINED))
    }

    /// Lets time pass: timers that are due go off, each at its moment.
    pub(crate) fn advance(&self, by: Duration) {
        let end = (platform::now() + by).as_millis();
        js("x[0].go(x[1]);", Array::of2(&self.0, &(end as f64).into()));
    }

    /// How long it is until each timer goes off, the first one first.
    pub(crate) fn timers(&self) -> Vec<Duration> {
        let body = "return [...x.timers.values()].map(({ at }) => at).sort((a, b) => a - b);";
        let moments: Array = js(body, &self.0).into();
        let moments = moments.iter().filter_map(|at| at.as_f64());
        let now = platform::now();
        let left = moments.map(|at| Timestamp::from_millis(at as u64).since(now));
        left.collect()
    }
}

impl Drop for Time {
    fn drop(&mut self) {
        resume();
    }
}

/// Lets the clock of the page go on, which a test that has failed may have stopped.
pub(crate) fn resume() {
    js("globalThis.stoppedTime?.resume();", JsValue::UNDEFINED);
}
