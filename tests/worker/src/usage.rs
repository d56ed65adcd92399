//! A server that tells what it does of what is billed: each client of `/usage`, and the log.

use dormouse::{Io, Server, Usage};
use serde_json::json;
use worker::js_sys::{Reflect, global};

use crate::socket::{self, tell};

/// The property of the global object that makes the handler panic.
const PANICS: &str = "usagePanics";

pub(crate) fn server() -> Server {
    socket::server("/counted/")
        .namespace("/usage", |namespace| {
            namespace
                .on("since", |io: Io| io.usage())
                // For all instances.
                .on("panics", |panics: (bool,)| {
                    Reflect::set(&global(), &PANICS.into(), &panics.0.into()).is_ok()
                })
        })
        .on_usage(async |io: Io, usage: Usage| {
            if Reflect::get(&global(), &PANICS.into()).is_ok_and(|it| it.is_truthy()) {
                panic!("asked to, for usage");
            }
            tell(json!({ "event": "usage", "usage": usage, "price": usage.nanodollars() }));
            io.of("/usage").emit("usage", usage).await
        })
        .on_server_event("usage", |io: Io| io.usage())
}
