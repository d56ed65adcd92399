//! Servers that tell what they do of what is billed: each client of `/usage`, and the log.

use dormouse::engine::{Client, Engine, Message};
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
            told(&usage);
            io.of("/usage").emit("usage", usage).await
        })
        .on_server_event("usage", |io: Io| io.usage())
}

/// The same of Engine.IO: whoever asks for it is told, and others have an echo.
pub(crate) fn engine() -> Engine {
    Engine::new()
        .path("/counted-engine/")
        .on_message(async |client: Client, message: Message| {
            if message != Message::from("since") {
                return client.send(message).await;
            }
            let usage = client.clients().and_then(|clients| clients.usage());
            client.send_json(&usage).await
        })
        .on_usage(|usage: Usage| told(&usage))
}

fn told(usage: &Usage) {
    tell(json!({ "event": "usage", "usage": usage, "price": usage.nanodollars() }));
}
