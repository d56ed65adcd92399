//! Who is here, over several devices. The first device makes a user present, and the last
//! one that goes makes them absent. Who loses the connection has some seconds to come back
//! before anybody hears of it.

use core::time::Duration;
use std::collections::BTreeSet;

use dormouse::{
    Auth, EmitError, Expired, HandlerError, Io, Namespace, Reason, Recovered, Recovery, Refusal,
    Server, Socket,
};
use serde::Deserialize;

/// How long somebody may be away without being missed: a reload, a tunnel, another network.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Login {
    name: String,
}

pub(crate) fn server() -> Server {
    Server::new()
        .recovery(Recovery::default().max_disconnection(GRACE))
        .namespace("/", |namespace: Namespace| {
            namespace
                .on_connect(enter)
                .on("log out", log_out)
                .on_disconnect(cut_off)
                .on_expired(expired)
        })
}

/// The room of a user's devices.
fn room(name: &str) -> String {
    format!("user {name}")
}

/// Tells the others of a user's first device, and the device who is here.
async fn enter(
    socket: Socket,
    io: Io,
    Auth(Login { name }): Auth<Login>,
    Recovered(recovered): Recovered,
) -> Result<(), Refusal> {
    // Check who it is: see `tokens.rs`.
    let is_first = io.to(room(&name)).count().await? == 0;
    if !recovered {
        socket.join(room(&name)).await?;
        socket.set_data(&name)?;
    }
    if is_first {
        // Also when they come back: somebody may have come meanwhile who does not know them.
        socket.broadcast().emit("here", &name).await?;
    }
    // A set, as each device is a socket.
    let sockets = io.fetch_sockets().await?;
    let names = sockets.iter().map(|socket| socket.data::<String>());
    let names: BTreeSet<String> = names
        .filter_map(Result::transpose)
        .collect::<Result<_, _>>()?;
    socket.emit("everybody", [names]).await?;
    Ok(())
}

/// Logs a user out on all devices at once.
async fn log_out(socket: Socket, io: Io) -> Result<(), HandlerError> {
    if let Some(name) = socket.data::<String>()? {
        io.to(room(&name)).disconnect().await?;
    }
    Ok(())
}

/// A device has left for good, or may come back: then it is waited for.
async fn cut_off(socket: Socket, io: Io, reason: Reason) -> Result<(), HandlerError> {
    match socket.data::<String>()? {
        Some(name) if !reason.is_recoverable() => Ok(leave(&io, &name).await?),
        _ => Ok(()),
    }
}

/// A device has not come back. It may have been cut off by a crash or a deploy, of which
/// `cut_off` does not hear.
async fn expired(io: Io, expired: Expired) -> Result<(), HandlerError> {
    match expired.data::<String>()? {
        Some(name) => Ok(leave(&io, &name).await?),
        None => Ok(()),
    }
}

/// Whoever is here is asked for, and not counted up and down: no count survives a crash.
async fn leave(io: &Io, name: &str) -> Result<(), EmitError> {
    match io.to(room(name)).count().await? {
        0 => io.emit("gone", name).await,
        _ => Ok(()),
    }
}
