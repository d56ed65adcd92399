//! Ready-made loggers, for [`Server::logger`](crate::Server::logger).
//!
//! A server's log goes to the console, until it has a logger. It can have several, and
//! each of them is given every line:
//!
//! ```
//! use dormouse::{Level, Server, loggers};
//!
//! let server = Server::new()
//!     .log(Level::Info)
//!     .logger(loggers::console)
//!     .logger(loggers::diagnostics_channel)
//!     .logger(loggers::analytics("ANALYTICS"));
//! # let _ = server;
//! ```
//!
//! None of them can fail the application. What one of them lacks, as a binding, the log
//! says once for each instance of the Worker, as `misconfigured` on the console. One that
//! is not used adds nothing to the Worker.

use core::cell::{Cell, OnceCell};

use dormouse_proto::Timestamp;
use js_sys::{JSON, Reflect};
use wasm_bindgen::prelude::*;

use crate::log::{self, LogRecord};
use crate::platform;
use crate::sid::Sid;

/// The name of the channel of [`diagnostics_channel`]: `dormouse:log`.
pub const CHANNEL: &str = "dormouse:log";

/// The maximum number of data points of [`analytics`] in one call of the platform's, which
/// drops further ones. It counts them for each invocation, of which a call is a part.
const MAX_POINTS: u32 = 250;

/// The maximum number of bytes of each text in a data point. The platform takes 16 KB
/// together.
const MAX_BLOB: usize = 1_024;

/// The maximum number of bytes of an index, which the platform sets.
const MAX_INDEX: usize = 96;

#[wasm_bindgen]
extern "C" {
    /// The module `node:diagnostics_channel`.
    type DiagnosticsChannel;
    #[wasm_bindgen(method, catch)]
    fn channel(this: &DiagnosticsChannel, name: &str) -> Result<Channel, JsValue>;

    #[derive(Clone)]
    type Channel;
    #[wasm_bindgen(method, catch)]
    fn publish(this: &Channel, message: &JsValue) -> Result<(), JsValue>;

    /// A dataset of Analytics Engine.
    type Dataset;
    #[wasm_bindgen(method, catch, js_name = writeDataPoint)]
    fn write_data_point(this: &Dataset, point: &JsValue) -> Result<(), JsValue>;
}

/// Writes lines to the console, as a server without loggers does: for one that has others
/// besides.
pub fn console(record: &LogRecord) {
    log::print(record.level(), &record.to_string());
}

/// Publishes lines on the channel `dormouse:log` ([`CHANNEL`]) of
/// `node:diagnostics_channel`, from which [Tail Workers] are given them.
///
/// A message is an object with the `level` (`error`, `warn`, `info`, `debug`), the `event`,
/// the `server` (its path) and the fields of the line, all of them text:
///
/// ```js
/// export default {
///   tail(traces) {
///     for (const { diagnosticsChannelEvents } of traces) {
///       for (const { channel, message } of diagnosticsChannelEvents) {
///         if (channel === 'dormouse:log') console.log(message.event, message.reason);
///       }
///     }
///   },
/// };
/// ```
///
/// Node's modules have to be there, as they are with a `compatibility_date` from
/// 2026-08-04 on, or from 2024-09-23 on with `nodejs_compat` among the
/// `compatibility_flags`. Where they are not, the console is given the lines, with one that
/// says so, `misconfigured`. A subscriber in the same Worker that throws is ignored.
///
/// [Tail Workers]: https://developers.cloudflare.com/workers/observability/logs/tail-workers/
pub fn diagnostics_channel(record: &LogRecord) {
    thread_local! {
        static CHANNEL_OF_LOG: OnceCell<Option<Channel>> = const { OnceCell::new() };
    }
    let Some(channel) = CHANNEL_OF_LOG.with(|known| known.get_or_init(open_channel).clone()) else {
        return console(record);
    };
    // Text that was written as JSON can be read.
    if let Ok(message) = JSON::parse(&record.with_server()) {
        // Only what subscribers of the application's throw.
        let _ = channel.publish(&message);
    }
}

fn open_channel() -> Option<Channel> {
    let module = platform::builtin("node:diagnostics_channel");
    let module = module.map(JsCast::unchecked_into::<DiagnosticsChannel>);
    let channel = module.and_then(|module| module.channel(CHANNEL).ok());
    if channel.is_none() {
        log::misconfigured(
            "loggers::diagnostics_channel needs Node's modules: set `compatibility_date` in \
             wrangler.toml to 2026-08-04 or later, or to 2024-09-23 or later and add \
             `nodejs_compat` to `compatibility_flags`; until then, the console is given the log",
        );
    }
    channel
}

/// Returns a logger that writes a data point for each line into the dataset of
/// [Analytics Engine] that is bound to the Worker by this name.
///
/// With [`Level::Info`](crate::Level::Info), one query counts what has woken which object,
/// or how many clients have come and gone:
///
/// ```sql
/// SELECT index1 AS object, blob4 AS reason, SUM(_sample_interval * double1) AS wakes
/// FROM dormouse
/// WHERE blob1 = 'wake' AND timestamp > NOW() - INTERVAL '1' DAY
/// GROUP BY object, reason
/// ```
///
/// | field | what it is |
/// |---|---|
/// | `index1` | the id of the object, or where no object is involved, the path of the server |
/// | `blob1`, `blob2`, `blob3` | the event; the level (`error`, `warn`, `info`, `debug`); the path of the server |
/// | `blob4`, `blob5`, `blob6` | the fields `reason`, `namespace` and `handler`, or nothing |
/// | `double1` | how many lines it stands for: 1, and those that were [left out](crate::Level) before |
///
/// No ids of sessions or sockets, no messages and nothing else that clients choose is in
/// it, but for the names of namespaces. A text has up to 1,024 bytes, and the rest of it is
/// left out.
///
/// The platform takes 250 data points in an invocation of the Worker; from one call, this
/// writes no more. Where the binding is missing, nothing is written, and the log says so,
/// `misconfigured`.
///
/// ```toml
/// # wrangler.toml
/// [[analytics_engine_datasets]]
/// binding = "ANALYTICS"
/// dataset = "dormouse"
/// ```
///
/// [Analytics Engine]: https://developers.cloudflare.com/analytics/analytics-engine/
pub fn analytics(binding: &str) -> impl Fn(&LogRecord) + 'static {
    let binding = binding.to_owned();
    let dataset = OnceCell::new();
    let points = Points::default();
    move |record: &LogRecord| {
        let found: &Option<Dataset> = dataset.get_or_init(|| find(&binding));
        if let Some(dataset) = found
            && points.take(platform::now())
            && let Ok(point) = JSON::parse(&data_point(record))
        {
            // Whatever the platform finds wrong with it is not the application's fault.
            let _ = dataset.write_data_point(&point);
        }
    }
}

/// The data points of one call of the platform's, during which the time stands still.
#[derive(Default)]
struct Points(Cell<(Option<Timestamp>, u32)>);

impl Points {
    /// Returns whether there may be another one.
    fn take(&self, now: Timestamp) -> bool {
        let count = match self.0.get() {
            (Some(then), count) if then == now => count,
            (_, _) => 0,
        };
        let is_one = count < MAX_POINTS;
        self.0.set((Some(now), count + u32::from(is_one)));
        is_one
    }
}

fn find(binding: &str) -> Option<Dataset> {
    let found = platform::bindings().and_then(|all| Reflect::get(&all, &binding.into()).ok());
    let found = found.filter(JsValue::is_object);
    if found.is_none() {
        log::misconfigured(&format!(
            "loggers::analytics found no binding {binding}: add [[analytics_engine_datasets]] with \
             `binding = \"{binding}\"` and a `dataset` to wrangler.toml"
        ));
    }
    found.map(JsCast::unchecked_into)
}

/// Returns a line as a data point, in JSON.
fn data_point(record: &LogRecord) -> String {
    let field = |name| record.field(name).unwrap_or_default();
    let object = Sid::parse(field("sid")).map(|sid| sid.object());
    let index = object.as_deref().or(record.field("object"));
    let index = cut(index.unwrap_or(record.server()), MAX_INDEX);
    let blobs = [
        record.event(),
        record.level().as_str(),
        record.server(),
        field("reason"),
        field("namespace"),
        field("handler"),
    ];
    let blobs = blobs.map(|blob| cut(blob, MAX_BLOB));
    let left_out: u64 = field("left_out").parse().unwrap_or_default();
    let write = |value: &[&str]| serde_json::to_string(value).unwrap_or_default();
    format!(
        "{{\"indexes\":{},\"blobs\":{},\"doubles\":[{}]}}",
        write(&[index]),
        write(&blobs),
        1 + left_out
    )
}

fn cut(text: &str, bytes: usize) -> &str {
    let end = text.floor_char_boundary(bytes);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;
    use crate::log::Level;

    fn point(event: &str, fields: &[(&str, &str)]) -> serde_json::Value {
        let record = LogRecord::new(Level::Info, &"/a/".into(), event, fields);
        serde_json::from_str(&data_point(&record)).unwrap()
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_data_point_has_what_can_be_counted() {
        let object = "0f".repeat(32);
        let sid = Sid::new(&object, [7; 12]).unwrap().to_string();
        let left = point(
            "leave",
            &[
                ("sid", &sid),
                ("namespace", "/"),
                ("reason", "ping timeout"),
                ("socket", "secret"),
            ],
        );
        let expect = serde_json::json!({
            "indexes": [object],
            "blobs": ["leave", "info", "/a/", "ping timeout", "/", ""],
            "doubles": [1],
        });
        assert_eq!(left, expect);
        let woken = point("wake", &[("reason", "alarm"), ("object", &object)]);
        assert_eq!(woken["indexes"], serde_json::json!([object]));
        let refused = point("overrun", &[("message", "their words"), ("left_out", "41")]);
        assert_eq!(refused["indexes"], serde_json::json!(["/a/"]));
        assert_eq!(refused["doubles"], serde_json::json!([42]));
        assert!(!refused.to_string().contains("their words"));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn data_points_of_one_call_are_bounded() {
        let points = Points::default();
        let at = Timestamp::from_millis;
        for _ in 0..MAX_POINTS {
            assert!(points.take(at(7)));
        }
        assert!(!points.take(at(7)) && !points.take(at(7)));
        assert!(points.take(at(8)));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn its_texts_are_cut_at_their_maximum() {
        for (length, expect) in [
            (MAX_BLOB - 1, MAX_BLOB - 1),
            (MAX_BLOB, MAX_BLOB),
            (MAX_BLOB + 1, MAX_BLOB),
        ] {
            let blobs = point("join", &[("namespace", &*"n".repeat(length))])["blobs"].clone();
            assert_eq!(blobs[4].as_str().unwrap().len(), expect);
        }
        // Not within a character.
        let blobs = point(
            "join",
            &[("namespace", &*format!("n{}", "é".repeat(MAX_BLOB)))],
        )["blobs"]
            .clone();
        assert_eq!(blobs[4].as_str().unwrap().len(), MAX_BLOB - 1);
        for length in [MAX_INDEX, MAX_INDEX + 1] {
            let index = point("wake", &[("object", &*"o".repeat(length))])["indexes"].clone();
            assert_eq!(index[0].as_str().unwrap().len(), MAX_INDEX);
        }
    }
}
