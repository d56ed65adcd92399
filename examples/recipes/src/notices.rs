//! What does not come from a client: a cron trigger tells everybody, and a queue tells those
//! who have subscribed to a topic. Both reach sockets that sleep.

use dormouse::{HandlerError, Io, Namespace, Server, Socket};
use serde::{Deserialize, Serialize};
use worker::{
    Context, Env, MessageBatch, MessageExt, ScheduleContext, ScheduledEvent, console_error,
};

/// The path of the server, by which the handlers below reach it.
pub(crate) const PATH: &str = "/notices/";

/// A message of the queue. Whoever has a binding to it can send one, a back end by the
/// platform's API too.
#[derive(Deserialize, Serialize)]
struct Notice {
    topic: String,
    text: String,
}

pub(crate) fn server() -> Server {
    Server::new()
        .path(PATH)
        .namespace("/", |namespace: Namespace| {
            namespace
                .on("subscribe", async |socket: Socket, (topic,): (String,)| {
                    socket.join(topic).await
                })
                .on("publish", publish)
        })
}

/// Sends a notice through the queue, which has it once this is acknowledged. Check who may.
async fn publish(env: Env, (notice,): (Notice,)) -> Result<(), HandlerError> {
    Ok(env.queue("NOTICES")?.send(notice).await?)
}

/// Tells those who have subscribed. A notice that could not be told comes again.
#[worker::event(queue)]
async fn queue(batch: MessageBatch<Notice>, env: Env, _context: Context) -> worker::Result<()> {
    // An error that is returned here is a panic, which takes other handlers along.
    for message in batch.iter() {
        match message {
            Ok(message) => match tell(&env, message.body()).await {
                Ok(()) => message.ack(),
                Err(error) => {
                    console_error!("a notice comes again: {error}");
                    message.retry();
                }
            },
            // It would not be one the next time either.
            Err(error) => console_error!("this is not a notice: {error}"),
        }
    }
    Ok(())
}

async fn tell(env: &Env, notice: &Notice) -> worker::Result<()> {
    let io = io(env)?;
    Ok(io.to(&notice.topic).emit("notice", &notice.text).await?)
}

/// Tells everybody the time, and how many they are.
#[worker::event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    let told = async {
        let io = io(&env)?;
        let count = io.count().await?;
        io.emit("time", (event.schedule(), count)).await?;
        Ok::<(), worker::Error>(())
    };
    if let Err(error) = told.await {
        console_error!("nobody was told the time: {error}");
    }
}

fn io(env: &Env) -> worker::Result<Io> {
    Io::new(env, PATH).ok_or_else(|| "there is no server for notices".into())
}
