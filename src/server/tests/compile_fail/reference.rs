//~ a handler takes its arguments by value, and not a `&Socket`
//~ leave the `&` out
use dormouse::{Namespace, Socket};

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on("leave", |_socket: &Socket| ())
}
