//~ this handler cannot return `bool`
//~ where `E` is `HandlerError`
use dormouse::{EventName, Namespace};

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.event_middleware(|event: EventName| &*event != "secret")
}
