//~ expected a closure that implements the `Fn` trait, but this closure only implements `FnMut`
use dormouse::Namespace;

pub fn handlers(namespace: Namespace) -> Namespace {
    let mut count = 0;
    namespace.on("count", move || {
        count += 1;
        count
    })
}
