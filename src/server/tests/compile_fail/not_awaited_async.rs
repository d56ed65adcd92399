//~ the trait bound `impl Future<Output = u8>: serde::Serialize` is not satisfied
use dormouse::Namespace;

async fn later() -> u8 {
    1
}

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on("say", async || later())
}
