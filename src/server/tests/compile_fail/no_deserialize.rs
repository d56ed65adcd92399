//~ Say: serde::Deserialize<'de>` is not satisfied
//~ consider adding `#[derive(serde::Deserialize)]`
use dormouse::Namespace;

pub struct Say;

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on("say", async |(_say,): (Say,)| ())
}
