//~ a handler of kind `OnEvent` cannot take a `dormouse::Reason`
//~ no socket is disconnected here
use dormouse::{Namespace, Reason};

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on("say", async |_reason: Reason| ())
}
