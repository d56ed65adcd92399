//~ this handler cannot return `bool`
//~ where `E` is `dormouse::Refusal`
use dormouse::{Handshake, Namespace};

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.middleware(|handshake: Handshake| handshake.is_secure())
}
