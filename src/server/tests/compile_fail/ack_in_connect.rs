//~ a handler of kind `OnConnect` cannot take an `Ack`
//~ there is nothing to acknowledge here
use dormouse::{Ack, Namespace};

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on_connect(async |_ack: Ack| ())
}
