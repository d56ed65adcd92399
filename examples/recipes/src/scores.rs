//! A table of scores in D1, which all see change. What has to outlast the object, or is
//! asked for elsewhere as well, belongs into a database.

use dormouse::{HandlerError, Io, Namespace, Refusal, Server, Socket};
use serde::{Deserialize, Serialize};
use worker::Env;

/// The best, of whom clients are told.
const BEST: u32 = 10;

#[derive(Deserialize, Serialize)]
struct Score {
    player: String,
    points: u32,
}

pub(crate) fn server() -> Server {
    Server::new().namespace("/", |namespace: Namespace| {
        namespace
            .on_connect(async |socket: Socket, env: Env| {
                socket.emit("best", [best(&env).await?]).await?;
                Ok::<(), Refusal>(())
            })
            .on("score", score)
    })
}

/// Keeps a player's best. While D1 answers, other events are handled; so it is D1 that
/// compares, and not code between two of its answers.
async fn score(io: Io, env: Env, (player, points): (String, u32)) -> Result<(), HandlerError> {
    if player.is_empty() || player.len() > 40 {
        return Err(HandlerError::new("a name has 1 to 40 bytes"));
    }
    let insert = "INSERT INTO scores (player, points) VALUES (?1, ?2) ON CONFLICT (player) \
                  DO UPDATE SET points = ?2 WHERE points < ?2 RETURNING *";
    let values = [player.into(), points.into()];
    let statement = env.d1("SCORES")?.prepare(insert).bind(&values)?;
    let changed: Option<Score> = statement.first(None).await?;
    if changed.is_some() {
        io.emit("best", [best(&env).await?]).await?;
    }
    Ok(())
}

async fn best(env: &Env) -> worker::Result<Vec<Score>> {
    let select = "SELECT player, points FROM scores ORDER BY points DESC, player LIMIT ?";
    let statement = env.d1("SCORES")?.prepare(select).bind(&[BEST.into()])?;
    statement.all().await?.results()
}
