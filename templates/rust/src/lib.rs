//! A chat: whoever gives a name is in, joins rooms, and talks there.

use dormouse::{Auth, Reason, Refusal, Server, Socket};
use serde::Deserialize;

/// What a client sends as `auth`.
#[derive(Deserialize)]
struct Login {
    name: String,
}

fn app() -> Server {
    Server::new().namespace("/", |namespace| {
        namespace
            .on_connect(enter)
            .on("join", async |socket: Socket, (room,): (String,)| socket.join(room).await)
            .on("say", async |socket: Socket, (room, text): (String, String)| {
                socket.to(&room).emit("said", (name(&socket), room, text)).await
            })
            // What a handler returns is the acknowledgement.
            .on("sum", |(a, b): (i64, i64)| a + b)
            .on_disconnect(async |socket: Socket, reason: Reason| {
                socket.broadcast().emit("left", (name(&socket), reason.as_str())).await
            })
    })
}

async fn enter(socket: Socket, Auth(login): Auth<Login>) -> Result<(), Refusal> {
    if login.name.is_empty() {
        return Err(Refusal::new("who are you?"));
    }
    socket.set_data(&login.name)?;
    socket.broadcast().emit("entered", login.name).await?;
    Ok(())
}

/// The name that a client has given. It survives sleep, as memory does not.
fn name(socket: &Socket) -> Option<String> {
    socket.data().ok().flatten()
}

dormouse::worker!(app);
