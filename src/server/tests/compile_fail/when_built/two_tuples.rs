//~ a handler takes the event's arguments once
use dormouse::Namespace;

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on("say", |(_room,): (String,), (_text,): (String,)| ())
}
