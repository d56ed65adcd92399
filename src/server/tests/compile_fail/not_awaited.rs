//~ cannot return value referencing function parameter `socket`
use dormouse::{Namespace, Socket};

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on("say", |socket: Socket| socket.emit("said", 1))
}
