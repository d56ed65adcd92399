//~ `await` is only allowed inside `async` functions and blocks
use dormouse::{Namespace, Socket};

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on("say", |socket: Socket| {
        socket.emit("said", 1).await.ok();
    })
}
