//~ a handler of kind `OnEvent` cannot take a `String`
//~ `(text,): (String,)` with a comma behind the only one
use dormouse::{Namespace, Socket};

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on("say", async |socket: Socket, text: String| {
        socket.broadcast().emit("said", text).await
    })
}
