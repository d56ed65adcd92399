//~ a handler of kind `OnEvent` cannot take `Auth` or `Recovered`
//~ no client is connecting here
use dormouse::{Auth, Namespace};

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on("say", async |Auth(_name): Auth<String>| ())
}
