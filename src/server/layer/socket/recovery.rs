//! Connection state recovery: the core's rules, with their rows in the object's
//! SQLite, since nothing else survives a crash or a deploy.
//!
//! An event is written before it is sent, and the platform sends nothing until
//! earlier writes are safe. So a client never knows of an event that is not stored.

use core::cell::RefCell;

use dormouse_proto::socket::recovery::{self, Store};

use crate::api::Application;
use crate::api::endpoint::Endpoint;
use crate::parts::RecoveryRows;
use crate::platform::ObjectState;
use crate::sid::Key;
use crate::table::Table;

/// Recovery of this object's sockets, if the server has it turned on.
pub(super) struct Recovery {
    state: ObjectState,
    /// The server's path.
    path: String,
    settings: Option<recovery::Settings>,
    skips_middlewares: bool,
    /// The sessions with sockets that are not stored yet.
    pub(super) unstored: RefCell<Table<Key, ()>>,
    /// Those of them that have entered rooms in earlier turns, since other objects had to
    /// know first. Nobody has been told that they have.
    pub(super) entered: RefCell<Table<Key, ()>>,
    /// Opened when it is first needed.
    opened: RefCell<Option<(recovery::Recovery, RecoveryRows)>>,
}

impl Recovery {
    pub(super) fn new(application: &Application, endpoint: &Endpoint, state: &ObjectState) -> Self {
        let options = &endpoint.options;
        let recovery = application.recovery.as_ref();
        // A client cannot be sent more than this at once.
        let max_missed = options
            .settings
            .max_buffered
            .min(options.settings.max_unproven)
            / 2;
        Self {
            state: state.clone(),
            path: options.path.clone(),
            settings: recovery.map(|recovery| recovery::Settings {
                tells_of_expired: application.tells_of_expired(),
                ..recovery.settings(max_missed)
            }),
            skips_middlewares: recovery.is_some_and(|recovery| recovery.skip_middlewares),
            unstored: RefCell::default(),
            entered: RefCell::default(),
            opened: RefCell::default(),
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.settings.is_some()
    }

    pub(super) fn settings(&self) -> Option<recovery::Settings> {
        self.settings
    }

    /// Returns whether a client that has come back skips the middlewares.
    pub(super) fn skips_middlewares(&self) -> bool {
        self.skips_middlewares
    }

    /// Writes down which server the object belongs to, so that an alarm finds it.
    pub(super) fn open(&self) {
        self.with(|_, _| ());
    }

    /// Calls `work` with the rules and their rows. Returns `None` if recovery is
    /// off.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&mut recovery::Recovery, &mut dyn Store) -> T,
    ) -> Option<T> {
        let settings = self.settings?;
        let mut opened = self.opened.borrow_mut();
        let (rules, rows) = opened.get_or_insert_with(|| {
            let rows = RecoveryRows::open(&self.state, &self.path);
            (recovery::Recovery::new(settings), rows)
        });
        Some(work(rules, rows))
    }
}
