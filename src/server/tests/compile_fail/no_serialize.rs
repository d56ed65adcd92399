//~ Said: serde::Serialize` is not satisfied
//~ consider adding `#[derive(serde::Serialize)]`
use dormouse::Namespace;

pub struct Said;

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on("say", || Said)
}
