//! The application that the benchmarks talk to. `benches/servers` has the same
//! one for each peer, with handlers that do the same work: arguments are read into
//! values, and written out of values.

use core::time::Duration;

use dormouse::engine::{Client, Engine, Message};
use dormouse::{App, Binary, EmitError, Namespace, Placement, RateLimit, Server, Socket};

/// The servers that have many objects: how many, and from how many on they pass events on to
/// one another.
const OBJECTS: [(&str, u32, u32); 4] = [
    ("/spread-1/", 1, 64),
    ("/spread-10/", 10, 64),
    ("/spread-100/", 100, 64),
    ("/spread-100-flat/", 100, 101),
];

fn app() -> App {
    let crowds = ["/socket.io/", "/few/", "/many/", "/most/"];
    let servers = crowds.into_iter().map(server);
    let spread = OBJECTS.map(|(path, objects, relay_from)| {
        server(path)
            .placement(Placement::spread(objects).relay_from(relay_from))
            // One client joins as fast as it can.
            .max_rows(u32::MAX)
    });
    // For those that are measured while they are pinged.
    let pulse = server("/pulse/")
        .ping_interval(Duration::from_secs(14))
        .ping_timeout(Duration::from_secs(10));
    let awake = server("/awake/").sleep(false);
    let servers = servers.chain(spread).chain([pulse, awake]);
    servers.fold(App::new().engine(echo()), App::server)
}

fn echo() -> Engine {
    Engine::new()
        .rate_limit(RateLimit::none())
        .on_message(async |client: Client, message: Message| client.send(message).await)
}

fn server(path: &str) -> Server {
    // Heartbeats are rare, so that none falls into a round.
    Server::new()
        .path(path)
        .ping_interval(Duration::from_secs(85))
        .ping_timeout(Duration::from_secs(60))
        // One client sends as fast as it can.
        .rate_limit(RateLimit::none())
        .namespace("/", handlers)
}

fn handlers(namespace: Namespace) -> Namespace {
    namespace
        .on("echo", async |socket: Socket, (text,): (String,)| {
            socket.emit("echo", text).await
        })
        .on("bytes", async |socket: Socket, (bytes,): (Binary,)| {
            socket.emit("bytes", bytes).await
        })
        .on("ack", |(text,): (String,)| text)
        .on("ask", async |socket: Socket, (text,): (String,)| {
            let (answer,): (String,) = socket.emit_with_ack("question", text).await?;
            Ok::<_, EmitError>(answer)
        })
        .on("join", async |socket: Socket, (room,): (String,)| {
            socket.join(&room).await
        })
        .on("leave", async |socket: Socket, (room,): (String,)| {
            socket.leave(&room).await
        })
        .on(
            "cast",
            async |socket: Socket, (room, text): (String, String)| {
                socket.io().to(room).emit("cast", text).await?;
                Ok::<_, EmitError>(())
            },
        )
        .on(
            "whisper",
            async |socket: Socket, (room, text): (String, String)| {
                let all_but = socket.io().to(room).except("deaf");
                all_but.emit("cast", text).await?;
                Ok::<_, EmitError>(())
            },
        )
}

dormouse::worker!(app);
