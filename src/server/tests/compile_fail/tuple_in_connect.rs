//~ a handler of kind `OnConnect` is not called for an event
//~ `on_connect` takes what the client says of itself as `Auth`
use dormouse::Namespace;

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on_connect(async |(_token,): (String,)| ())
}
