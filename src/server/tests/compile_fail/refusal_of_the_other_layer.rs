//~ this handler cannot fail with `dormouse::engine::Refusal`
//~ a namespace refuses a client with a `dormouse::Refusal`
use dormouse::Namespace;
use dormouse::engine::Refusal;

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on_connect(async || Err::<(), _>(Refusal::new("no")))
}
