//~ a handler of kind `OnDisconnect` cannot take an `Expired`
use dormouse::{Expired, Namespace};

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on_disconnect(async |_expired: Expired| ())
}
