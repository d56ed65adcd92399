//! The jobs of sessions: handlers that are called, and tasks that the application
//! has started.

use core::cell::{Cell, RefCell};
use core::time::Duration;

use dormouse_proto::engine::ConnId;
use futures::future::AbortHandle;

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

/// What runs beside everything else for sessions.
#[derive(Default)]
pub(crate) struct Tasks {
    /// The application's tasks, each of which ends with its session.
    tasks: Group,
    /// Handlers that are waiting for something. They outlive their session, unless it
    /// was ended for the memory that they hold.
    handlers: Group,
}

impl Tasks {
    pub(crate) fn add(&self, key: Key, task: AbortHandle) {
        self.tasks.add(key, task);
    }

    /// Ends the tasks of a session.
    pub(crate) fn end(&self, key: Key) {
        self.tasks.end(key);
    }

    pub(crate) fn add_handler(&self, key: Key, handler: AbortHandle) {
        self.handlers.add(key, handler);
    }

    /// Drops the handlers of a session where they are.
    pub(crate) fn drop_handlers(&self, key: Key) {
        self.handlers.end(key);
    }
}

/// Handles of what runs. One that has finished is aborted, and removed later.
#[derive(Default)]
struct Group {
    running: RefCell<Vec<(Key, AbortHandle)>>,
    /// The number at which those that have finished are removed: twice as many as ran
    /// when this was last done, so that adding one costs the same however many run.
    full: Cell<usize>,
}

impl Group {
    fn add(&self, key: Key, handle: AbortHandle) {
        let mut running = self.running.borrow_mut();
        if running.len() >= self.full.get() {
            running.retain(|(_, handle)| !handle.is_aborted());
            self.full.set((2 * running.len()).max(16));
        }
        running.push((key, handle));
    }

    fn end(&self, key: Key) {
        self.running.borrow_mut().retain(|(other, handle)| {
            if *other == key {
                handle.abort();
            }
            *other != key
        });
    }
}
