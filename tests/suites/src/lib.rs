//! What the test suites of the stock clients expect of a server: that of
//! `engine.io-client` at `/engine.io/`, and that of `socket.io-client` at
//! `/socket.io/`. Each module is the suite's own test server, translated.

mod engine;
mod socket;

use dormouse::App;
use worker::{Context, Env, Request, Response, Result};

fn app() -> App {
    App::new().engine(engine::server()).server(socket::server())
}

dormouse::objects!(app);

#[worker::event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> Result<Response> {
    let response = match &*request.path() {
        engine::PATH => engine::fetch(request, &env).await?,
        socket::PATH => socket::fetch(request, &env).await?,
        _ => None,
    };
    match response {
        Some(response) => Ok(response),
        None => Response::error("Not Found", 404),
    }
}
