//~ type annotations needed
use dormouse::Namespace;

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on("say", async |_socket| ())
}
