//! The server's own log: one line of JSON for each event, through the console.

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

/// How much the server tells of what it does.
///
/// Each event is one line of JSON on the console, so that Workers Logs can be
/// asked for its fields: `{"level":"info","event":"disconnect","sid":"…",
/// "reason":"transport close"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Level {
    /// Nothing, but for a Worker that is deployed without what it needs:
    /// `misconfigured`.
    Off,
    /// What the application did wrong: `handler panicked`, `handler failed`.
    Error,
    /// Also what went past a limit of the server: `overrun` (a client that sends
    /// faster than its handlers work), `task dropped`, `full` (an object that
    /// takes no more WebSockets); once for each instance, `origin refused` (for each
    /// origin) and `headers dropped` (those that cannot be kept). The default.
    Warn,
    /// Also who comes and goes, and why: `connect`, `refuse` (by the
    /// application), `upgrade`, `disconnect`; and `event rejected`, an event whose
    /// handler, or a check before it, said no.
    Info,
    /// Also requests that are refused before any object is asked: `refused`.
    Debug,
}

impl Level {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// Tells of a mistake of whoever deployed the Worker, whatever the level.
pub(crate) fn misconfigured(message: &str) {
    let fields = [("message", message)];
    log(Level::Error, Level::Error, "misconfigured", &fields);
}

/// Tells of `event` if `limit` lets it.
pub(crate) fn log(limit: Level, level: Level, event: &str, fields: &[(&str, &str)]) {
    if level > limit {
        return;
    }
    let mut line = format!("{{\"level\":\"{}\"", level.as_str());
    for (name, value) in [("event", event)].iter().chain(fields) {
        line.push_str(",\"");
        line.push_str(name);
        line.push_str("\":");
        line.push_str(&serde_json::to_string(value).unwrap_or_default());
    }
    line.push('}');
    match level {
        Level::Error => console_error(&line),
        Level::Warn => console_warn(&line),
        Level::Off | Level::Info | Level::Debug => console_log(&line),
    }
}
