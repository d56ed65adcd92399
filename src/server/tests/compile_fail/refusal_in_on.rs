//~ the handler of an event cannot return `Result<(), dormouse::Refusal>`
//~ `E` has to be `HandlerError`
use dormouse::{Namespace, Refusal};

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on("enter", || Err::<(), _>(Refusal::new("no")))
}
