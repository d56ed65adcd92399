//~ a handler of kind `OnEvent` cannot take a `User`
//~ an application's own type is an extractor if it implements `dormouse::handler::Extract`
use dormouse::Namespace;

pub struct User;

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on("say", async |_user: User| ())
}
