//~ a handler of kind `OnEvent` is not called for a `Client` of Engine.IO
//~ the handlers of a namespace take a `Socket`
use dormouse::Namespace;
use dormouse::engine::Client;

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on("say", async |_client: Client| ())
}
