//! A crowd that is too large for one object: a live stream, with reactions and the number
//! of those who watch. The clients are in many objects, which are one server all the same.

use core::time::Duration;

use dormouse::{Alarm, EmitError, HandlerError, Io, Namespace, Placement, Reason, Server, Socket};
use worker::console_warn;

/// Of so many objects; each takes some thousand clients.
const OBJECTS: u32 = 8;

/// How often viewers are told how many they are, at most: not whenever one comes or goes.
const OFTEN: Duration = Duration::from_secs(1);

/// The streams that there are. Names of a client's own would be rooms and alarms without
/// end.
const STREAMS: &[&str] = &["main stage", "tent"];

pub(crate) fn server() -> Server {
    Server::new()
        .placement(Placement::spread(OBJECTS))
        .on_alarm("viewers of {stream}", tell_viewers)
        .namespace("/", |namespace: Namespace| {
            namespace
                .on("watch", watch)
                .on("react", react)
                .on_disconnect(async |socket: Socket, io: Io, _reason: Reason| {
                    match socket.data::<String>()? {
                        Some(stream) => changed(&io, &stream).await,
                        None => Ok(()),
                    }
                })
        })
}

/// Watches one stream instead of another.
async fn watch(socket: Socket, io: Io, (stream,): (String,)) -> Result<(), HandlerError> {
    if !STREAMS.contains(&&*stream) {
        return Err(HandlerError::new("there is no such stream"));
    }
    if let Some(before) = socket.data::<String>()? {
        socket.leave(&before).await?;
        changed(&io, &before).await?;
    }
    socket.set_data(&stream)?;
    socket.join(&stream).await?;
    changed(&io, &stream).await
}

/// Shows a reaction to everybody who watches the same, wherever they are.
async fn react(socket: Socket, (reaction,): (char,)) -> Result<(), HandlerError> {
    let stream: Option<String> = socket.data()?;
    let stream = stream.ok_or_else(|| HandlerError::new("watch something first"))?;
    match socket.to(stream).emit("reaction", reaction).await {
        // The others have got it, and a reaction is not worth another attempt.
        Err(EmitError::Partial(missing)) => console_warn!("a reaction was not seen: {missing}"),
        other => other?,
    }
    Ok(())
}

/// Sets an alarm unless it is set: however many come and go, the viewers are told once.
async fn changed(io: &Io, stream: &str) -> Result<(), HandlerError> {
    let alarm = format!("viewers of {stream}");
    Ok(io.ensure_alarm(&alarm, OFTEN).await?)
}

async fn tell_viewers(io: Io, alarm: Alarm) -> Result<(), HandlerError> {
    let viewers = io.to(alarm.param("stream").unwrap_or_default());
    let count = match viewers.count().await {
        // Some objects are busy: they are asked again.
        Err(EmitError::Partial(_)) => return Ok(alarm.again(OFTEN).await?),
        count => count?,
    };
    Ok(viewers.emit("viewers", count).await?)
}
