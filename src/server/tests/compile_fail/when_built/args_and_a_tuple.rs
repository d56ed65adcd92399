//~ a handler takes the event's arguments once
use dormouse::{Args, Namespace};

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on("say", async |_args: Args, (_text,): (String,)| ())
}
