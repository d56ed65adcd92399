//! The jobs of sessions: handlers that are called, and tasks that the application
//! has started.

use core::cell::RefCell;
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
}

impl Job {
    pub(crate) fn new(key: Key, event: &'static str) -> Self {
        Self {
            key,
            conn: None,
            event,
            limit: None,
        }
    }
}

/// The application's tasks, each of which ends with its session.
#[derive(Default)]
pub(crate) struct Tasks(RefCell<Vec<(Key, AbortHandle)>>);

impl Tasks {
    pub(crate) fn add(&self, key: Key, task: AbortHandle) {
        let mut tasks = self.0.borrow_mut();
        tasks.retain(|(_, task)| !task.is_aborted());
        tasks.push((key, task));
    }

    /// Ends the tasks of a session.
    pub(crate) fn end(&self, key: Key) {
        self.0.borrow_mut().retain(|(other, task)| {
            if *other == key {
                task.abort();
            }
            *other != key
        });
    }
}
