//~ type annotations needed
use std::pin::Pin;

use dormouse::{Namespace, Socket};

fn boxed(_socket: Socket) -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async {})
}

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on("say", boxed)
}
