//! The set of an object's parts. Each of them knows only what it is given of the
//! others.

use core::cell::{OnceCell, RefCell};
use std::rc::Rc;

use dormouse_proto::rate::Networks;
use worker::Env;

use super::alarms::Alarms;
use super::budget::Budget;
use super::clock::Clock;
use super::repeats::{OBJECT, Repeats};
use super::requests::Requests;
use super::rows::Rows;
use super::sessions::Sessions;
use super::tasks::Tasks;
use super::turn::Turn;
use super::websockets::WebSockets;
use crate::log::{Level, Log, log};
use crate::options::Options;
use crate::platform::ObjectState;
use crate::port::watch::Watched;
use crate::sid::{Key, Sid};

/// The server whose sessions these are, as far as the parts know it.
pub(crate) struct ServerOptions {
    /// Its number among the application's servers.
    pub(crate) number: u8,
    pub(crate) options: Rc<Options>,
}

/// The field for the number of lines that were left out.
const LEFT_OUT: &str = "left_out";

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
    pub(crate) alarms: Alarms,
    pub(crate) tasks: Tasks,
    pub(crate) budget: Budget,
    /// What is left to the networks that clients connect from.
    pub(crate) networks: RefCell<Networks>,
    /// What was logged already.
    pub(crate) repeats: Repeats,
    /// Who watches.
    pub(crate) watched: Watched,
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

    /// Logs an event of a session, or of the object that [`OBJECT`] stands for.
    pub(crate) fn log(&self, level: Level, event: &'static str, key: Key, fields: &[(&str, &str)]) {
        if key == OBJECT {
            return self.log_for_all(level, event, fields);
        }
        if level > self.log_level() {
            return;
        }
        let sid = self.sid(key).map(|sid| sid.to_string()).unwrap_or_default();
        self.log_once(level, event, key, &[&[("sid", &*sid)], fields].concat());
    }

    /// Logs an event of the object, which is not one session's.
    pub(crate) fn log_for_all(&self, level: Level, event: &'static str, fields: &[(&str, &str)]) {
        if level <= self.log_level() {
            self.log_once(level, event, OBJECT, fields);
        }
    }

    /// Logs how many lines of a session were left out, as it is forgotten.
    pub(crate) fn end_log(&self, key: Key) {
        for line in self.repeats.end(key) {
            let sid = self.sid(key).map(|sid| sid.to_string()).unwrap_or_default();
            let count = line.left_out.to_string();
            let fields = [("sid", &*sid), (LEFT_OUT, &*count)];
            self.write(Level::Warn, line.event, &fields);
        }
    }

    fn log_level(&self) -> Level {
        self.options()
            .map_or(Level::Warn, |options| options.log.level)
    }

    fn write(&self, level: Level, event: &str, fields: &[(&str, &str)]) {
        match self.options() {
            Some(options) => log(&options.log, level, event, fields),
            None => log(&Log::default(), level, event, fields),
        }
    }

    /// Logs an event. Of those that are logged by default, a client cannot have more
    /// than one a minute logged of each kind: the others are counted.
    fn log_once(&self, level: Level, event: &'static str, key: Key, fields: &[(&str, &str)]) {
        let mut fields = fields.to_vec();
        let count;
        if level <= Level::Warn {
            let now = self.turn.now();
            match self.repeats.note(now, key, event, &fields) {
                Some(0) => {}
                Some(left_out) => {
                    count = left_out.to_string();
                    fields.push((LEFT_OUT, &count));
                }
                None => return,
            }
        }
        self.write(level, event, &fields);
    }
}
