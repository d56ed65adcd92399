//~ this handler cannot fail with `Late`
//~ implement `core::error::Error`
use dormouse::Namespace;

pub struct Late;

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on_connect(async || Err::<(), _>(Late))
}
