//~ a handler of kind `OnMessage` is not called for a `Socket`
//~ Engine.IO's handlers take a `dormouse::engine::Client`
use dormouse::Socket;
use dormouse::engine::{Engine, Message};

pub fn server() -> Engine {
    Engine::new().on_message(async |_socket: Socket, _message: Message| ())
}
