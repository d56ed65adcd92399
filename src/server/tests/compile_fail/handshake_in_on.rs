//~ a handler of kind `OnEvent` cannot take a `Handshake`
//~ later it is `Socket::handshake`
use dormouse::{Handshake, Namespace};

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on("who", |handshake: Handshake| handshake.url().to_owned())
}
