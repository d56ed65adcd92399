//~ a handler of kind `OnMessage` cannot take `Clients`
//~ `Client::clients`
use dormouse::engine::{Clients, Engine};

pub fn server() -> Engine {
    Engine::new().on_message(async |_clients: Clients| ())
}
