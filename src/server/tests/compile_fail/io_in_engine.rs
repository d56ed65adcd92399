//~ a handler of kind `OnMessage` cannot take an `Io`
//~ `Client::clients`
use dormouse::Io;
use dormouse::engine::Engine;

pub fn server() -> Engine {
    Engine::new().on_message(async |_io: Io| ())
}
