//~ closure may outlive the current function, but it borrows `greeting`
//~ to force the closure to take ownership of `greeting`
use dormouse::Namespace;

pub fn handlers(namespace: Namespace) -> Namespace {
    let greeting = String::new();
    namespace.on("greet", || greeting.len())
}
