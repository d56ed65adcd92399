//~ a handler takes its arguments by value, and not a `&
//~ leave the `&` out
use dormouse::Handshake;
use dormouse::engine::Engine;

pub fn server() -> Engine {
    Engine::new().admit(|handshake: &'static Handshake| {
        match handshake.header("authorization") {
            Some(_) => Ok(()),
            None => Err("no token".to_owned()),
        }
    })
}
