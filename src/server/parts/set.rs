//! The set of an object's parts. Each of them knows only what it is given of the
//! others.

use core::cell::OnceCell;
use std::rc::Rc;

use worker::Env;

use super::budget::Budget;
use super::clock::Clock;
use super::requests::Requests;
use super::rows::Rows;
use super::sessions::Sessions;
use super::tasks::Tasks;
use super::turn::Turn;
use super::websockets::WebSockets;
use crate::log::{Level, log};
use crate::options::Options;
use crate::platform::ObjectState;
use crate::sid::{Key, Sid};

/// The server whose sessions these are, as far as the parts know it.
pub(crate) struct ServerOptions {
    /// Its number among the application's servers.
    pub(crate) number: u8,
    pub(crate) options: Rc<Options>,
}

/// The parts of an object, which a layer builds on.
pub(crate) struct Parts {
    /// The object's id in hexadecimal.
    pub(crate) id: String,
    pub(crate) env: Env,
    pub(crate) state: ObjectState,
    /// The server whose sessions these are, once that is known.
    pub(crate) server: OnceCell<ServerOptions>,
    pub(crate) turn: Turn,
    pub(crate) sessions: Sessions,
    pub(crate) websockets: WebSockets,
    pub(crate) requests: Requests,
    pub(crate) clock: Clock,
    pub(crate) rows: Rows,
    pub(crate) tasks: Tasks,
    pub(crate) budget: Budget,
}

impl Parts {
    pub(crate) fn options(&self) -> Option<&Rc<Options>> {
        self.server.get().map(|server| &server.options)
    }

    pub(crate) fn sid(&self, key: Key) -> Option<Sid> {
        Sid::new(&self.id, key)
    }

    /// Returns whether the object can sleep between two heartbeats.
    pub(crate) fn sleeps(&self) -> bool {
        self.options()
            .is_none_or(|options| options.settings.sleeps())
    }

    /// Logs an event of a session.
    pub(crate) fn log(&self, level: Level, event: &str, key: Key, fields: &[(&str, &str)]) {
        let limit = self.options().map_or(Level::Warn, |options| options.log);
        if level > limit {
            return;
        }
        let sid = self.sid(key).map(|sid| sid.to_string()).unwrap_or_default();
        let fields: Vec<_> = [("sid", &*sid)]
            .into_iter()
            .chain(fields.iter().copied())
            .collect();
        log(limit, level, event, &fields);
    }

    /// Logs an event of the object, which is not one session's.
    pub(crate) fn log_for_all(&self, level: Level, event: &str, fields: &[(&str, &str)]) {
        let limit = self.options().map_or(Level::Warn, |options| options.log);
        log(limit, level, event, fields);
    }
}
