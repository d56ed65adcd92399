//! The application's own loggers, which are called when nothing else is going on.
//!
//! A line may be logged in the middle of something, and a logger is code of others: so
//! its records wait until the platform's call is over. Then a panic in it ends the
//! wasm instance, as any other does, but nothing is lost by that. A logger that has
//! panicked is not called again, since the next line would end the next instance:
//! what it would be given goes to the console, for as long as the isolate lives.

use core::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;

use js_sys::Reflect;
use wasm_bindgen::JsValue;

use super::{Level, LogRecord, Logger, print};

/// The maximum number of records that wait. Further ones go to the console.
const MAX_RECORDS: usize = 1_000;

/// The property of the global object that says that a logger has panicked. It outlives
/// the wasm instance.
const PANICKED: &str = "dormouseLoggerPanicked";

thread_local! {
    static WAITING: RefCell<VecDeque<(Logger, LogRecord)>> = const { RefCell::new(VecDeque::new()) };
    /// A logger is running.
    static IS_RUNNING: Cell<bool> = const { Cell::new(false) };
    /// A panic is ending this instance.
    static IS_ENDING: Cell<bool> = const { Cell::new(false) };
    /// Whether one has panicked in an instance before this one.
    static HAS_PANICKED: OnceCell<bool> = const { OnceCell::new() };
}

/// Keeps a record for a logger. Returns `false` if it is for the console instead.
pub(super) fn take(logger: &Logger, record: impl FnOnce() -> LogRecord) -> bool {
    if has_panicked() {
        return false;
    }
    let waiting = WAITING.with_borrow_mut(|waiting| {
        let has_room = waiting.len() < MAX_RECORDS;
        if has_room {
            waiting.push_back((logger.clone(), record()));
        }
        has_room.then_some(waiting.len())
    });
    if waiting == Some(1) && !IS_ENDING.get() {
        wasm_bindgen_futures::spawn_local(async { run() });
    }
    waiting.is_some()
}

/// Gives the loggers what waits for them.
fn run() {
    // What a logger logs itself comes later, or this might never end.
    let count = WAITING.with_borrow(VecDeque::len);
    for _ in 0..count {
        let next = WAITING.with_borrow(|waiting| waiting.front().cloned());
        if let Some((logger, record)) = next {
            IS_RUNNING.set(true);
            logger(&record);
            IS_RUNNING.set(false);
        }
        // Not before: if it panics, the console is given it.
        WAITING.with_borrow_mut(VecDeque::pop_front);
    }
    if !WAITING.with_borrow(VecDeque::is_empty) {
        wasm_bindgen_futures::spawn_local(async { run() });
    }
}

/// Takes in that a panic is ending this instance: what is logged from now on waits for
/// [`end`].
pub(crate) fn begin_end() {
    IS_ENDING.set(true);
}

/// Does the last that is done in an instance that a panic ends: gives the loggers what
/// waits for them, or the console, if it was one of them that has panicked.
pub(crate) fn end() {
    let is_loggers = IS_RUNNING.get();
    if is_loggers {
        print(
            Level::Error,
            "{\"level\":\"error\",\"event\":\"logger panicked\",\"message\":\"from here on, the \
             console is given what is logged\"}",
        );
    }
    let waiting =
        WAITING.try_with(|waiting| waiting.try_borrow_mut().map(|mut it| it.split_off(0)));
    let waiting = waiting.ok().and_then(Result::ok).unwrap_or_default();
    if waiting.is_empty() {
        return;
    }
    // A second panic here ends the instance at once, and would tell nobody.
    set_panicked(true);
    for (logger, record) in waiting {
        match is_loggers {
            true => print(record.level, &record.to_string()),
            false => logger(&record),
        }
    }
    set_panicked(is_loggers);
}

fn has_panicked() -> bool {
    let read = || Reflect::get(&js_sys::global(), &PANICKED.into());
    HAS_PANICKED.with(|known| *known.get_or_init(|| read().is_ok_and(|it| it.is_truthy())))
}

fn set_panicked(has: bool) {
    // A plain property: it can always be set.
    let _ = Reflect::set(&js_sys::global(), &PANICKED.into(), &JsValue::from(has));
}
