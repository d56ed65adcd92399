//~ a handler of kind `OnEvent` cannot take a `String`
//~ `(text,): (String,)` with a comma behind the only one
use dormouse::Namespace;

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on("say", |(text): (String)| text)
}
