//! Servers to copy from, one idea each, all in one Worker. A file needs nothing of the
//! others: copied into a project as `src/lib.rs`, it lacks `dormouse::worker!(server);` at
//! its end, and the `pub(crate)` can go.

mod chat;
mod crowd;
mod limits;
mod messages;
mod notices;
mod presence;
#[path = "../../migration/python-socketio/worker.rs"]
mod python_socketio;
mod scores;
mod sessions;
#[path = "../../migration/socketioxide/worker.rs"]
mod socketioxide;
mod tokens;
mod uploads;

use dormouse::App;
use worker::{Context, Env, Method, Request, Response, Result};

fn app() -> App {
    App::new()
        .server(chat::server().path("/chat/"))
        .server(crowd::server().path("/crowd/"))
        .server(limits::server().path("/limits/"))
        .server(messages::server().path("/messages/"))
        .server(notices::server())
        .server(presence::server().path("/presence/"))
        .server(python_socketio::server())
        .server(scores::server().path("/scores/"))
        .server(sessions::server())
        .server(socketioxide::server())
        .server(tokens::server().path("/tokens/"))
        .server(uploads::server().path("/uploads/"))
        .fetch(routes)
}

async fn routes(request: Request, env: Env, _context: Context) -> Result<Response> {
    match (request.method(), &*request.path()) {
        (Method::Post, "/log-in") => sessions::log_in(request, env).await,
        (Method::Post, "/log-out") => sessions::log_out(request, env).await,
        (Method::Post, path) if path.starts_with("/announce/") => {
            python_socketio::announce(request, env).await
        }
        (Method::Post, path) if path.starts_with("/notify/") => {
            socketioxide::notify(request, env).await
        }
        _ => Response::error("Not Found", 404),
    }
}

dormouse::worker!(app);
