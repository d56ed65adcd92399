//~ this handler cannot return `bool`
//~ refuse it with `Err(Refusal::new("…"))`
use dormouse::{Namespace, Socket};

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on_connect(async |_socket: Socket| false)
}
