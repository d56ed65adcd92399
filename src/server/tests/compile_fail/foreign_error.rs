//~ the handler of an event cannot return `Result<u8, ParseIntError>`
//~ any other error becomes a `HandlerError` by `?`
use dormouse::Namespace;

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on("number", async |(text,): (String,)| text.parse::<u8>())
}
