//! What a Worker has to be deployed with, and what to do where it was not.

use core::cell::Cell;

use js_sys::{Error, Reflect};
use wasm_bindgen::{JsCast, JsValue};

use crate::log::{self, Level, Log};

thread_local! {
    static CHECKED: Cell<bool> = const { Cell::new(false) };
    static WITHOUT_SQL: Cell<bool> = const { Cell::new(false) };
}

/// Logs, once for each instance, that a flag is missing.
///
/// At the first request and not at the start, whose log the platform drops.
pub(crate) fn check(log: &Log) {
    if CHECKED.replace(true) {
        return;
    }
    // Somebody may want it, and then it is not an error.
    if flag("web_socket_compression") == Some(true) {
        let message = "the runtime compresses WebSocket messages, so that 31 KiB from a client \
                       can become 31 MiB in memory; to switch that off, add \
                       `no_web_socket_compression` to `compatibility_flags` in wrangler.toml";
        log::log(log, Level::Warn, "compressed", &[("message", message)]);
    }
    if flag("enable_request_signal") == Some(false) {
        log::misconfigured(
            "add `enable_request_signal` to `compatibility_flags` in wrangler.toml, or set \
             `compatibility_date` to 2026-11-17 or later; without it, the session of a client \
             that drops its poll lasts until its heartbeat is missed",
        );
    }
}

/// Logs, once for each instance, that the object's class has no SQLite, if that is
/// why a statement failed.
pub(crate) fn check_sql(error: &JsValue) {
    let message = error.dyn_ref::<Error>().map(Error::message);
    let is_why = message.is_some_and(|message| message.includes("SQL is not enabled", 0));
    if is_why && !WITHOUT_SQL.replace(true) {
        log::misconfigured(
            "name the class Dormouse in `new_sqlite_classes` of its migration in wrangler.toml, not \
             in `new_classes`; without SQLite, polling sessions do not survive sleep and nothing is \
             recovered. A class that is deployed already has to be deleted first \
             (`deleted_classes`)",
        );
    }
}

/// Returns whether this flag is set; `None` where the runtime does not tell.
fn flag(name: &str) -> Option<bool> {
    let property = |of: &JsValue, name: &str| Reflect::get(of, &name.into()).ok();
    let flags = property(
        &property(&js_sys::global(), "Cloudflare")?,
        "compatibilityFlags",
    )?;
    property(&flags, name)?.as_bool()
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;
    use crate::in_browser::js;

    #[wasm_bindgen_test]
    fn a_flag_is_set_or_not_or_unknown() {
        let flags = "{ one: true, two: false }";
        let set = "globalThis.Cloudflare = { compatibilityFlags: eval(`(${x})`) };";
        assert_eq!(flag("one"), None);
        js(set, flags);
        assert_eq!(flag("one"), Some(true));
        assert_eq!(flag("two"), Some(false));
        assert_eq!(flag("three"), None);
        js("delete globalThis[x];", "Cloudflare");
        assert_eq!(flag("one"), None);
    }
}
