//~ this handler cannot return `()`
//~ `namespace_if` returns `bool`, or a `Result` of it
use dormouse::{JoinRequest, Server};

pub fn server() -> Server {
    Server::new().namespace_if(async |request: JoinRequest| drop(request), |it| it)
}
