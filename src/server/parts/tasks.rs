//! The jobs of sessions and of the whole object: handlers that are called, and tasks
//! that the application has started.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::{Poll, Waker};
use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::engine::ConnId;

use crate::sid::Key;

/// A handler that is called for a session.
#[derive(Clone, Copy)]
pub(crate) struct Job {
    pub(crate) key: Key,
    /// The handshake that depends on it.
    pub(crate) conn: Option<ConnId>,
    /// Its name in the log.
    pub(crate) event: &'static str,
    /// The time that it may take before it is dropped.
    pub(crate) limit: Option<Duration>,
    /// It is dropped too if its session is ended for the memory that it holds.
    pub(crate) is_droppable: bool,
}

impl Job {
    pub(crate) fn new(key: Key, event: &'static str) -> Self {
        Self {
            key,
            conn: None,
            event,
            limit: None,
            is_droppable: false,
        }
    }

    /// A job that handles something a client has sent.
    pub(crate) fn droppable(key: Key, event: &'static str) -> Self {
        Self {
            is_droppable: true,
            ..Self::new(key, event)
        }
    }
}

/// The maximum number of tasks of the whole object.
const MAX_TASKS: usize = 100;

/// As many tasks of the whole object are running as may be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManyTasks;

/// What runs beside everything else.
#[derive(Default)]
pub(crate) struct Tasks {
    /// The names of the tasks of the whole object that are running.
    for_all: RefCell<Vec<Rc<str>>>,
    /// The application's tasks, each of which ends with its session.
    tasks: Group,
    /// Handlers that are waiting for something. They outlive their session, unless it
    /// was ended for the memory that they hold.
    handlers: Group,
}

impl Tasks {
    /// Notes that a task of the whole object begins. Returns `false` if one of that name
    /// is running.
    pub(crate) fn begin_for_all(&self, name: &Rc<str>) -> Result<bool, TooManyTasks> {
        let mut running = self.for_all.borrow_mut();
        if running.contains(name) {
            return Ok(false);
        }
        if running.len() >= MAX_TASKS {
            return Err(TooManyTasks);
        }
        running.push(name.clone());
        Ok(true)
    }

    /// Notes that a task of the whole object has returned.
    pub(crate) fn end_for_all(&self, name: &Rc<str>) {
        self.for_all.borrow_mut().retain(|other| other != name);
    }

    pub(crate) fn add(&self, key: Key, task: Running) {
        self.tasks.add(key, task);
    }

    /// Ends the tasks of a session.
    pub(crate) fn end(&self, key: Key) {
        self.tasks.end(key);
    }

    pub(crate) fn add_handler(&self, key: Key, handler: Running) {
        self.handlers.add(key, handler);
    }

    /// Drops the handlers of a session where they are.
    pub(crate) fn drop_handlers(&self, key: Key) {
        self.handlers.end(key);
    }
}

/// Something that runs, and that can be ended from elsewhere.
#[derive(Clone, Default)]
pub(crate) struct Running(Rc<State>);

#[derive(Default)]
struct State {
    is_over: Cell<bool>,
    /// Whom to wake if it is ended.
    waker: Cell<Option<Waker>>,
}

impl Running {
    /// Notes that it has finished by itself. Nobody is woken.
    pub(crate) fn finish(&self) {
        self.0.is_over.set(true);
        self.0.waker.take();
    }

    fn end(&self) {
        self.0.is_over.set(true);
        if let Some(waker) = self.0.waker.take() {
            waker.wake();
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_over.get()
    }

    /// Completes when it is ended.
    pub(crate) async fn ended(&self) {
        let poll = |context: &mut core::task::Context<'_>| {
            if self.is_over() {
                return Poll::Ready(());
            }
            self.0.waker.set(Some(context.waker().clone()));
            Poll::Pending
        };
        poll_fn(poll).await;
    }
}

/// What runs. What has finished is removed later.
#[derive(Default)]
struct Group {
    running: RefCell<Vec<(Key, Running)>>,
    /// The number at which those that have finished are removed: twice as many as ran
    /// when this was last done, so that adding one costs the same however many run.
    full: Cell<usize>,
}

impl Group {
    fn add(&self, key: Key, handle: Running) {
        let mut running = self.running.borrow_mut();
        if running.len() >= self.full.get() {
            running.retain(|(_, handle)| !handle.is_over());
            self.full.set((2 * running.len()).max(16));
        }
        running.push((key, handle));
    }

    fn end(&self, key: Key) {
        self.running.borrow_mut().retain(|(other, handle)| {
            if *other == key {
                handle.end();
            }
            *other != key
        });
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test(unsupported = test)]
    fn a_name_is_taken_while_its_task_runs() {
        let tasks = Tasks::default();
        let (one, other) = ("one".into(), "other".into());
        assert_eq!(tasks.begin_for_all(&one), Ok(true));
        assert_eq!(tasks.begin_for_all(&one), Ok(false));
        assert_eq!(tasks.begin_for_all(&other), Ok(true));
        tasks.end_for_all(&one);
        assert_eq!(tasks.begin_for_all(&one), Ok(true));
        assert_eq!(tasks.begin_for_all(&other), Ok(false));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn tasks_of_the_whole_object_are_bounded() {
        let tasks = Tasks::default();
        let name = |number: usize| number.to_string().into();
        for number in 0..MAX_TASKS {
            assert_eq!(tasks.begin_for_all(&name(number)), Ok(true));
        }
        assert_eq!(tasks.begin_for_all(&name(MAX_TASKS)), Err(TooManyTasks));
        assert_eq!(tasks.begin_for_all(&name(0)), Ok(false));
        tasks.end_for_all(&name(0));
        assert_eq!(tasks.begin_for_all(&name(MAX_TASKS)), Ok(true));
    }
}
