//~ this handler cannot return `bool`
//~ `event_rewrite` returns `Option<Rewrite>`
use dormouse::{EventName, Namespace};

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.event_rewrite(|event: EventName| &*event != "secret")
}
