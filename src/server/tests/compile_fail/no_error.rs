//~ this handler cannot fail with `Overslept`
//~ implement `core::error::Error`
use dormouse::Namespace;

pub struct Overslept;

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on_connect(async || Err::<(), _>(Overslept))
}
