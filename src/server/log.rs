//! The server's own log: one line of JSON for each event, on the console, or a record
//! for the application's own logger.

pub(crate) mod loggers;

use core::fmt;
use std::rc::Rc;

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn console_error(line: &str);
    #[wasm_bindgen(js_namespace = console, js_name = warn)]
    fn console_warn(line: &str);
    #[wasm_bindgen(js_namespace = console, js_name = log)]
    fn console_log(line: &str);
}

/// The level of detail of the server's log.
///
/// Each event is one line of JSON on the console, so that Workers Logs can be
/// queried by its fields:
/// `{"level":"info","event":"disconnect","sid":"…", "reason":"transport close"}`.
///
/// Of the lines at `Error` and `Warn`, a client cannot bring about more than one a
/// minute of each kind. The next one, or one at the end of its session, says by
/// `left_out` how many were not logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Level {
    /// Nothing, except for a Worker that cannot start, or is deployed without what it
    /// needs: `misconfigured`.
    Off,
    /// Errors of the application: `handler panicked`, `handler failed`, `task failed`,
    /// `alarm given up`, `logger panicked`, `webhook failed` (a back end's answer cannot
    /// be used), `api failed` (the HTTP API could not reach an object).
    Error,
    /// Also limits of the server that were exceeded: `overrun` (a client sends
    /// faster than its handlers work, or than a rate limit allows), `rate limited` (the
    /// same, where that is not its end), `memory exceeded` (a session ended because the
    /// object held too much), `task dropped`, `alarm forgotten` (it has no handler any
    /// more), `connect handler dropped`, `webhook unavailable` (a back end does not
    /// answer), `webhook circuit` (so it is spared, for a while), `full` (an
    /// object takes no more WebSockets, or nobody new for a while); and once for each instance,
    /// `origin refused` (for each origin), `headers dropped` and `query dropped` (what
    /// is not kept of a handshake), and `compressed` (the runtime compresses WebSocket
    /// messages). The default.
    Warn,
    /// Also who comes and goes, and why: `connect`, `upgrade`, `disconnect`, `join`
    /// and `leave` (a namespace), `refuse` (by the application), `violation` (of the
    /// protocol); and events that a handler, or a check before it, has rejected on
    /// purpose: `event rejected`, `handler failed`.
    Info,
    /// Also requests that are refused before any object is woken: `refused`.
    Debug,
}

impl Level {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// The log of a server: how much of it there is, and who is given it.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) level: Level,
    /// The path of the server.
    pub(crate) server: Rc<str>,
    /// The application's own, instead of the console.
    pub(crate) logger: Option<Logger>,
}

pub(crate) type Logger = Rc<dyn Fn(&LogRecord)>;

impl Default for Log {
    fn default() -> Self {
        Self {
            level: Level::Warn,
            server: "".into(),
            logger: None,
        }
    }
}

impl Log {
    /// Adds a logger of the application's. Each of them is given every line.
    pub(crate) fn add(&mut self, logger: Logger) {
        self.logger = Some(match self.logger.take() {
            Some(first) => Rc::new(move |record: &LogRecord| {
                first(record);
                logger(record);
            }),
            None => logger,
        });
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
impl Log {
    pub(crate) fn off() -> Self {
        Self {
            level: Level::Off,
            ..Self::default()
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Log").field(&self.level).finish()
    }
}

/// A line of a server's log, as a [logger](crate::Server::logger) is given it.
///
/// Its `Display` is the line of JSON that the console is given without a logger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    level: Level,
    server: Rc<str>,
    event: String,
    fields: Vec<(String, String)>,
}

impl LogRecord {
    pub(crate) fn new(
        level: Level,
        server: &Rc<str>,
        event: &str,
        fields: &[(&str, &str)],
    ) -> Self {
        let fields = fields.iter();
        let fields = fields.map(|(name, value)| ((*name).to_owned(), shortened(value).to_owned()));
        Self {
            level,
            server: server.clone(),
            event: event.to_owned(),
            fields: fields.collect(),
        }
    }

    /// Returns its level: never [`Level::Off`].
    pub fn level(&self) -> Level {
        self.level
    }

    /// Returns the path of the server that it is about.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Returns what has happened, such as `disconnect`: see [`Level`].
    pub fn event(&self) -> &str {
        &self.event
    }

    /// Returns a field, such as `sid`. None has more than 4,096 characters.
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields().find(|(other, _)| *other == name);
        found.map(|(_, value)| value)
    }

    /// Returns the names of all fields, and what is in them.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let fields = self.fields.iter();
        fields.map(|(name, value)| (&**name, &**value))
    }

    /// Returns the line of JSON with the server's path in it.
    pub(crate) fn with_server(&self) -> String {
        let fields = [("server", self.server())].into_iter().chain(self.fields());
        line(self.level, &self.event, fields)
    }
}

impl fmt::Display for LogRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&line(self.level, &self.event, self.fields()))
    }
}

/// The maximum number of characters of a field: some are chosen by clients, and the
/// platform drops lines that are too long.
const MAX_FIELD: usize = 4_096;

fn shortened(value: &str) -> &str {
    let end = value.char_indices().nth(MAX_FIELD);
    // Always within the text.
    end.map_or(value, |(end, _)| value.get(..end).unwrap_or_default())
}

/// Logs a mistake in the deployment of the Worker, whatever the level, on the console.
pub(crate) fn misconfigured(message: &str) {
    let fields = [("message", message)];
    log(&Log::default(), Level::Error, "misconfigured", &fields);
}

/// Logs `event` unless its level is beyond that of the log.
pub(crate) fn log(log: &Log, level: Level, event: &str, fields: &[(&str, &str)]) {
    if level > log.level {
        return;
    }
    if let Some(logger) = &log.logger
        && loggers::take(logger, || LogRecord::new(level, &log.server, event, fields))
    {
        return;
    }
    print(level, &line(level, event, fields.iter().copied()));
}

fn line<'a>(
    level: Level,
    event: &'a str,
    fields: impl Iterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut line = format!("{{\"level\":\"{}\"", level.as_str());
    for (name, value) in [("event", event)].into_iter().chain(fields) {
        line.push_str(",\"");
        line.push_str(name);
        line.push_str("\":");
        line.push_str(&serde_json::to_string(shortened(value)).unwrap_or_default());
    }
    line.push('}');
    line
}

pub(crate) fn print(level: Level, line: &str) {
    match level {
        Level::Error => console_error(line),
        Level::Warn => console_warn(line),
        Level::Off | Level::Info | Level::Debug => console_log(line),
    }
}

#[cfg(test)]
mod tests;
