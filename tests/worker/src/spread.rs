//! Servers of many objects, and what can be asked of them besides. How many hubs the last
//! of them has, `globalThis.DORMOUSE_TEST_HUBS` says.

use core::time::Duration;

use dormouse::{
    Acked, Args, ArgsError, Binary, EmitError, EventName, HandlerError, Namespace, Parser,
    Placement, Recovery, Rewrite, Server, Socket, Spread,
};
use serde::Serialize;
use serde_json::value::RawValue;
use worker::js_sys::{self, Reflect};

use crate::socket::server;

/// As many as may be: hardly two clients are in the same one.
const SCATTERED: u32 = 10_000;

/// A room in this many objects of the first servers has them pass its events on.
const RELAY_FROM: u32 = 4;

/// The servers, each on its path.
pub(crate) fn servers() -> [Server; 5] {
    let spread = |path: &str, placement: Spread| {
        let server = server(path).placement(placement);
        server.ack_timeout(Duration::from_secs(2))
    };
    let relayed = Placement::spread(8).relay_from(RELAY_FROM);
    [
        spread("/spread/", relayed.clone()).recovery(Recovery::default()),
        spread("/spread-plain/", relayed),
        spread("/spread-msgpack/", Placement::spread(8)).parser(Parser::MSGPACK),
        spread("/scattered/", Placement::spread(SCATTERED)),
        // Whoever enters many rooms slowly has a row written for each, and its session often.
        spread("/spread-hubs/", hubs(Placement::spread(8))).max_rows(1_000),
    ]
}

fn hubs(placement: Spread) -> Spread {
    let hubs = Reflect::get(&js_sys::global(), &"DORMOUSE_TEST_HUBS".into());
    match hubs.ok().and_then(|hubs| hubs.as_f64()) {
        Some(hubs) => placement.hubs(hubs as u32),
        None => placement,
    }
}

/// The events that every namespace has besides. Two have names that others have, too, and
/// other arguments: they are the same events elsewhere, under other names.
pub(crate) fn rooms(namespace: Namespace) -> Namespace {
    namespace
        .event_rewrite(|event: EventName, args: Args| {
            let first = args.parse::<(Option<String>,)>();
            let has_room = matches!(first, Ok((Some(_),)));
            let name = match &*event {
                "who" if has_room => "who-is-in",
                "ask" if has_room => "ask-room",
                other => other,
            };
            Rewrite::new(name, args).map(Some)
        })
        .on("where", |socket: Socket| socket.object().to_owned())
        .on("say", async |socket: Socket, args: Args| {
            let (room,): (String,) = args.parse()?;
            let said = args.skip(1).before(&socket.id())?;
            let sent = socket.io().to(room).emit("said", said).await;
            sent.map(|()| "ok").map_err(told)
        })
        .on("tell", async |socket: Socket, args: Args| {
            let (id,): (String,) = args.parse()?;
            let sent = socket.io().to(id).emit("told", args.skip(1)).await;
            sent.map(|()| "ok").map_err(told)
        })
        .on("who-is-in", async |socket: Socket, (room,): (String,)| {
            let sockets = socket.io().to(room).fetch_sockets().await.map_err(told)?;
            let mut ids: Vec<_> = sockets.iter().map(|it| it.id().to_owned()).collect();
            ids.sort_unstable();
            match sockets.missing() {
                missing if missing.is_none() => Ok(ids),
                missing => Err(HandlerError::new(missing)),
            }
        })
        .on("ask-room", ask)
        .on("kick", async |socket: Socket, (room,): (String,)| {
            let done = socket.io().to(room).disconnect().await;
            done.map(|()| "ok").map_err(told)
        })
}

/// Has the client read what has not been done.
fn told(error: EmitError) -> HandlerError {
    HandlerError::new(error)
}

/// A value of an acknowledgement, as it came. Bytes are bytes if they are all of it.
#[derive(Serialize)]
#[serde(untagged)]
enum Answered {
    Bytes(Binary),
    Json(Box<RawValue>),
}

/// What the sockets in a room answer: who and what, how many did not in time or have gone,
/// and how many objects have not told.
async fn ask(socket: Socket, args: Args) -> Result<impl Serialize, HandlerError> {
    let (room, _, millis): (String, Box<RawValue>, u64) = args.parse()?;
    let target = socket.io().to(room).timeout(Duration::from_millis(millis));
    let acks = target
        .emit_with_ack::<Args>("asked", value(&args, 1)?)
        .await?;
    let (late, gone, missing) = (acks.late(), acks.gone(), acks.missing().objects);
    let mut answers = Vec::new();
    for Acked { id, result, .. } in acks {
        let Ok(args) = result else {
            continue;
        };
        let id = Answered::Json(serde_json::value::to_raw_value(&id)?);
        let values = (0..args.len()).map(|index| value(&args, index));
        let values = core::iter::once(Ok(id)).chain(values);
        answers.push(values.collect::<Result<Vec<_>, _>>()?);
    }
    Ok(Answers {
        answers,
        late,
        gone,
        missing,
    })
}

#[derive(Serialize)]
struct Answers {
    answers: Vec<Vec<Answered>>,
    late: usize,
    gone: usize,
    missing: usize,
}

fn value(args: &Args, index: usize) -> Result<Answered, ArgsError> {
    let args = args.skip(index);
    match args.parse() {
        Ok((bytes,)) => Ok(Answered::Bytes(bytes)),
        Err(_) => args.parse().map(|(json,)| Answered::Json(json)),
    }
}
