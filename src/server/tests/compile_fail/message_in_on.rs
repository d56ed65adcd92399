//~ a handler of kind `OnEvent` cannot take a `Message`
//~ the handler of an event takes its arguments as a tuple, or as `Args`
use dormouse::Namespace;
use dormouse::engine::Message;

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on("say", async |_message: Message| ())
}
