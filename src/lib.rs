//! The playground: an Engine.IO echo, for the pages in `www/`.

use dormouse::engine::{Client, Engine, Level, Message};

/// Whatever a client says, it hears again.
fn echo() -> Engine {
    Engine::new()
        .log(Level::Info)
        .on_message(async |client: Client, message: Message| client.send(message).await)
}

dormouse::worker!(echo);
