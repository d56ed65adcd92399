//~ a handler of kind `OnClose` cannot take a `dormouse::Reason`
//~ `Engine::on_disconnect` takes a `dormouse::engine::Reason`
use dormouse::Reason;
use dormouse::engine::{Client, Engine};

pub fn server() -> Engine {
    Engine::new().on_disconnect(async |_client: Client, _reason: Reason| ())
}
