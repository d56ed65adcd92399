//~ a handler of kind `OnConnect` cannot take a `JoinRequest`
//~ `JoinRequest` is for `Server::namespace_if`
use dormouse::{JoinRequest, Namespace};

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on_connect(async |request: JoinRequest| drop(request))
}
