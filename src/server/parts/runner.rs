//! Running the application's handlers.
//!
//! A handler is polled at once, and most return without waiting, so that nothing is
//! queued anywhere. Each part of a handler that runs without waiting is a turn.
//! Meanwhile no borrow of the object's state is held, so that the handler may do
//! anything with any session.

use core::future::{pending, poll_fn};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Wake;

use futures::future::{Either, LocalBoxFuture, select};
use futures::task::AtomicWaker;

use super::handover;
use super::repeats::OBJECT;
use super::set::Parts;
use super::tasks::{Job, Running, TooManyTasks};
use crate::log::Level;
use crate::platform::{self, sleep};
use crate::sid::Key;

/// The maximum number of one client's messages whose handlers have not returned or
/// not begun. A client that exceeds it is closed: each message holds memory.
const MAX_MESSAGES: usize = 1_000;

/// The maximum size of these messages together, in bytes.
const MAX_LOAD: usize = 16 << 20;

/// The time that a client waits for the application to admit it, before it is
/// refused: few clients wait longer, and each waiting request keeps the object
/// awake.
pub(crate) const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// The work of one client's handlers.
#[derive(Default)]
pub(crate) struct Work {
    /// Handlers that have not returned yet.
    running: usize,
    /// Messages that have been taken on and not put down.
    messages: usize,
    /// Their bytes.
    load: usize,
}

impl Work {
    /// Returns whether there is room for a message of this size.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.messages == 0 || (self.messages < MAX_MESSAGES && self.load + bytes <= MAX_LOAD)
    }

    /// Takes on a message of this size. Returns `false` if there is no room for it.
    pub(crate) fn take_on(&mut self, bytes: usize) -> bool {
        let has_room = self.has_room(bytes);
        if has_room {
            self.messages += 1;
            self.load += bytes;
        }
        has_room
    }

    /// Puts down a message that has been handled.
    pub(crate) fn put_down(&mut self, bytes: usize) {
        self.messages = self.messages.saturating_sub(1);
        self.load = self.load.saturating_sub(bytes);
    }

    /// Returns the number of bytes of all messages that have not been put down.
    pub(crate) fn held_bytes(&self) -> usize {
        self.load
    }

    /// Notes that a handler begins.
    pub(crate) fn begin(&mut self) {
        self.running += 1;
    }

    /// Notes that a handler has returned.
    pub(crate) fn end(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running > 0
    }
}

/// Calls code of the application that returns at once.
pub(crate) fn guarded<T>(parts: &Rc<Parts>, job: Job, call: impl FnOnce() -> T) -> T {
    let _running = handover::running(parts, job);
    call()
}

/// Runs a handler as far as it goes without waiting; the rest of it runs beside
/// everything else. In the end, `finish` is given the result: `None` if the handler
/// was dropped, because it took longer than its limit, or its session was ended for the
/// memory that it holds.
pub(crate) fn run<T: 'static>(
    parts: &Rc<Parts>,
    job: Job,
    mut handler: LocalBoxFuture<'static, T>,
    finish: impl FnOnce(Option<T>) + 'static,
) {
    let relay = Arc::new(Relay::default());
    let waker = Waker::from(relay.clone());
    let mut context = Context::from_waker(&waker);
    if let Poll::Ready(result) = step(parts, job, || handler.as_mut().poll(&mut context)) {
        return finish(Some(result));
    }
    if job.is_droppable && parts.sessions.is_written_off(job.key) {
        return finish(None);
    }
    let stop = stop(parts, job);
    // From here on the type of the result is erased: the code for each type would
    // weigh more.
    let rest: LocalBoxFuture<'static, ()> = Box::pin(async move {
        match select(handler, stop).await {
            Either::Left((result, _)) => finish(Some(result)),
            Either::Right(_) => finish(None),
        }
    });
    go_on(parts.clone(), job, relay, rest);
}

/// Returns a future that completes when a handler is to be dropped: after its limit, or
/// with its session.
fn stop(parts: &Parts, job: Job) -> LocalBoxFuture<'static, ()> {
    let limit: LocalBoxFuture<'static, ()> = match job.limit {
        Some(limit) => Box::pin(sleep(limit)),
        None => Box::pin(pending()),
    };
    if !job.is_droppable {
        return limit;
    }
    let running = Running::default();
    parts.tasks.add_handler(job.key, running.clone());
    let finished = Finished(running);
    Box::pin(async move {
        select(limit, Box::pin(finished.0.ended())).await;
    })
}

/// Marks a handler as finished when its future is dropped.
struct Finished(Running);

impl Drop for Finished {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// Does the same for a handler that must not run within the request's own call,
/// because that call must return even if the handler panics: see [`handover`].
pub(crate) fn run_later<T: 'static>(
    parts: &Rc<Parts>,
    job: Job,
    handler: LocalBoxFuture<'static, T>,
    finish: impl FnOnce(Option<T>) + 'static,
) {
    let parts = parts.clone();
    platform::spawn(Box::pin(async move { run(&parts, job, handler, finish) }));
}

/// Runs the rest of a handler beside everything else.
fn go_on(parts: Rc<Parts>, job: Job, relay: Arc<Relay>, mut rest: LocalBoxFuture<'static, ()>) {
    let waker = Waker::from(relay.clone());
    platform::spawn(Box::pin(poll_fn(move |context| {
        relay.task.register(context.waker());
        let mut context = Context::from_waker(&waker);
        step(&parts, job, || rest.as_mut().poll(&mut context))
    })));
}

/// Runs one step of a handler as a turn, and notes whose it is, so that a panic can
/// be reported.
fn step<T>(parts: &Rc<Parts>, job: Job, poll: impl FnOnce() -> Poll<T>) -> Poll<T> {
    parts.turn.run(|| {
        let _running = handover::running(parts, job);
        poll()
    })
}

/// Runs a task of the application until its session ends, or the limit has passed.
pub(crate) fn spawn(parts: &Rc<Parts>, key: Key, mut task: LocalBoxFuture<'static, ()>) {
    let Some(options) = parts.options().filter(|_| parts.sessions.contains(key)) else {
        return;
    };
    if let Some(tracing) = options.tracing {
        task = (tracing.task)(task);
    }
    let limit = options.task_limit;
    let running = Running::default();
    parts.tasks.add(key, running.clone());
    let job = Job::new(key, "task");
    let (parts, steps) = (parts.clone(), parts.clone());
    let traced = poll_fn(move |context| step(&steps, job, || task.as_mut().poll(context)));
    platform::spawn(Box::pin(async move {
        let limited = select(traced, Box::pin(sleep(limit)));
        let ended = Box::pin(running.ended());
        if let Either::Left((Either::Right(_), _)) = select(limited, ended).await {
            let fields = [("option", "task_limit")];
            parts.log(Level::Warn, "task dropped", key, &fields);
        }
        running.finish();
    }));
}

/// Runs a task of the whole object until it returns, unless one of that name is running:
/// then returns `false`.
pub(crate) fn spawn_for_all(
    parts: &Rc<Parts>,
    name: &str,
    mut task: LocalBoxFuture<'static, Result<(), String>>,
) -> Result<bool, TooManyTasks> {
    let name: Rc<str> = name.into();
    if !parts.tasks.begin_for_all(&name)? {
        return Ok(false);
    }
    if let Some(tracing) = parts.options().and_then(|options| options.tracing) {
        task = (tracing.named_task)(&name, task);
    }
    let job = Job::new(OBJECT, "task");
    let (parts, steps) = (parts.clone(), parts.clone());
    platform::spawn(Box::pin(async move {
        let poll = |context: &mut Context<'_>| step(&steps, job, || task.as_mut().poll(context));
        let outcome = poll_fn(poll).await;
        parts.tasks.end_for_all(&name);
        if let Err(message) = outcome {
            let fields = [("task", &*name), ("message", &*message)];
            parts.log_for_all(Level::Error, "task failed", &fields);
        }
    }));
    Ok(true)
}

/// Wakes whichever task polls a handler. A handler is polled once before it has a
/// task, and some futures keep the first waker that they are given.
#[derive(Default)]
struct Relay {
    task: AtomicWaker,
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.task.wake();
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
