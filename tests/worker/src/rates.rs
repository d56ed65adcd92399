//! Servers with rate limits that a test can reach: almost nothing is added while it
//! runs.

use core::time::Duration;

use dormouse::engine::Engine;
use dormouse::{App, Level, OnOverrun, Overrun, Placement, RateLimit, Server, Socket};

use crate::echo;

/// What one client may do at once: 5 packets, 2,000 bytes, 3 joins.
fn tight() -> RateLimit {
    RateLimit::none().packets(1, 5).bytes(1, 2_000).joins(1, 3)
}

fn engine(path: &str) -> Engine {
    echo(path).max_payload(1_000).rate_limit(tight())
}

/// Engine.IO, with a path for each decision.
pub(crate) fn engines(app: App) -> App {
    let steady = RateLimit::none().packets(50, 5);
    app.engine(engine("/rate/"))
        .engine(engine("/rate-close/").on_overrun(|_| OnOverrun::Close))
        .engine(engine("/rate-drop/").on_overrun(|_| OnOverrun::Drop))
        .engine(
            engine("/rate-delay/")
                .on_overrun(|_| OnOverrun::Delay)
                .rate_limit(steady),
        )
        .engine(
            echo("/rate-stuck/")
                .rate_limit(RateLimit::none().packets(1, 5))
                .on_overrun(|_| OnOverrun::Delay),
        )
        .engine(
            echo("/rate-address/")
                .placement(Placement::Shards(1))
                .address_rate_limit(RateLimit::none().packets(1, 5).handshakes(1, 3)),
        )
}

/// Socket.IO, where the client says in its handshake what becomes of what it sends
/// too much.
pub(crate) fn server() -> Server {
    Server::new()
        .path("/rate-io/")
        .log(Level::Warn)
        .max_payload(1_000)
        .ping_interval(Duration::from_secs(60))
        .rate_limit(tight())
        .on_overrun(decide)
        .namespace("/", |namespace| {
            namespace
                .on_connect(async |socket: Socket| socket.emit("hello", ()).await)
                .on("echo", async |socket: Socket, (text,): (String,)| {
                    socket.emit("echo", text).await
                })
                .on("count", |args: dormouse::Args| args.attachments().len())
        })
        .namespace("/n{number}", |namespace| namespace)
}

fn decide(overrun: &Overrun) -> OnOverrun {
    let handshake = overrun.handshake();
    let wish = handshake.and_then(|handshake| handshake.query("overrun"));
    worker::console_log!(
        "{}",
        serde_json::json!({
            "event": "asked",
            "sid": overrun.sid().to_string(),
            "limit": overrun.limit().as_str(),
            "scope": overrun.scope().as_str(),
            "address": overrun.address(),
        })
    );
    match wish.as_deref() {
        Some("drop") => OnOverrun::Drop,
        Some("delay") => OnOverrun::Delay,
        Some("panic") => panic!("asked to, on overrun"),
        Some(_) | None => OnOverrun::Close,
    }
}
