//~ `()` is not a handler
use dormouse::{Namespace, Socket};

fn answer(_socket: Socket) {}

pub fn handlers(namespace: Namespace, socket: Socket) -> Namespace {
    namespace.on("say", answer(socket))
}
