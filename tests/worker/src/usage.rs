//! A server that tells what it does of what is billed: each client of `/usage`, and the log.

use dormouse::{Io, Server, Usage};
use serde_json::json;

use crate::socket::{self, tell};

pub(crate) fn server() -> Server {
    socket::server("/counted/")
        .namespace("/usage", |namespace| {
            namespace.on("since", |io: Io| io.usage())
        })
        .on_usage(async |io: Io, usage: Usage| {
            tell(json!({ "event": "usage", "usage": usage, "price": usage.nanodollars() }));
            io.of("/usage").emit("usage", usage).await
        })
        .on_server_event("usage", |io: Io| io.usage())
}
