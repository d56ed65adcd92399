//! The server's own log: one line of JSON for each event, on the console.

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
    /// Errors of the application: `handler panicked`, `handler failed`.
    Error,
    /// Also limits of the server that were exceeded: `overrun` (a client sends
    /// faster than its handlers work, or than a rate limit allows), `rate limited` (the
    /// same, where that is not its end), `memory exceeded` (a session ended because the
    /// object held too much), `task dropped`, `connect handler dropped`, `full` (an
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

/// The maximum number of characters of a field: some are chosen by clients, and the
/// platform drops lines that are too long.
const MAX_FIELD: usize = 4_096;

/// Logs a mistake in the deployment of the Worker, whatever the level.
pub(crate) fn misconfigured(message: &str) {
    let fields = [("message", message)];
    log(Level::Error, Level::Error, "misconfigured", &fields);
}

/// Logs `event` unless its level is beyond `limit`.
pub(crate) fn log(limit: Level, level: Level, event: &str, fields: &[(&str, &str)]) {
    if level > limit {
        return;
    }
    let mut line = format!("{{\"level\":\"{}\"", level.as_str());
    for (name, value) in [("event", event)].iter().chain(fields) {
        line.push_str(",\"");
        line.push_str(name);
        line.push_str("\":");
        let value = value
            .char_indices()
            .nth(MAX_FIELD)
            .map_or(*value, |(end, _)| {
                // Always within the text.
                value.get(..end).unwrap_or_default()
            });
        line.push_str(&serde_json::to_string(value).unwrap_or_default());
    }
    line.push('}');
    match level {
        Level::Error => console_error(&line),
        Level::Warn => console_warn(&line),
        Level::Off | Level::Info | Level::Debug => console_log(&line),
    }
}
