//! The events of one socket: messages, acknowledgements, rooms and data.

use core::time::Duration;

use dormouse::{
    Ack, Args, Binary, DataError, EmitError, HandlerError, Io, Namespace, Socket, sleep,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::many::told;
use crate::commands;

pub(super) fn messages(namespace: Namespace) -> Namespace {
    namespace
        .on("message", async |socket: Socket, _ack: Ack, args: Args| {
            socket.emit("message-back", args).await
        })
        .on("burst", async |socket: Socket, (count,): (usize,)| {
            for index in 0..count {
                socket.emit("n", index).await?;
            }
            Ok::<(), EmitError>(())
        })
        .on("big", async |socket: Socket, (bytes,): (usize,)| {
            socket.emit("big", "x".repeat(bytes)).await
        })
        .on("big-binary", async |socket: Socket, (bytes,): (usize,)| {
            socket.emit("big-binary", Binary(vec![0x2a; bytes])).await
        })
        .on(
            "beside-bytes",
            async |socket: Socket, (value,): (Value,)| {
                let bytes = dormouse::Binary(vec![1, 2, 3]);
                socket.emit("beside-bytes", (&value, &bytes)).await?;
                Ok::<_, HandlerError>((value, bytes))
            },
        )
        .on("later", async |socket: Socket, args: Args| {
            let (millis,): (u64,) = args.parse()?;
            let later = socket.clone();
            socket.spawn(async move {
                sleep(Duration::from_millis(millis)).await;
                later.emit("later", args.skip(1)).await.ok();
            });
            Ok::<(), HandlerError>(())
        })
        .on(
            "leave-me",
            async |socket: Socket, (close,): (Option<bool>,)| {
                if close == Some(true) {
                    socket.close().await;
                } else {
                    socket.disconnect().await;
                }
            },
        )
        .on("who", |socket: Socket| {
            (socket.id().to_owned(), socket.namespace().to_owned())
        })
        .on("handshake", |socket: Socket| socket.handshake())
        .on("auth", |socket: Socket| socket.auth::<Value>())
        .on("auths", async |socket: Socket| {
            let sockets = socket.io().fetch_sockets().await?;
            let auths = sockets
                .iter()
                .map(|it| (it.id(), it.handshake().auth().ok().flatten()));
            let auths: Vec<(&str, Option<Value>)> = auths.collect();
            Ok::<_, EmitError>(json!(auths))
        })
}

pub(super) fn acks(namespace: Namespace) -> Namespace {
    namespace
        .on("message-with-ack", |args: Args| args)
        .on("ack-and-fail", async |ack: Ack, args: Args| {
            ack.clone().send(&args).await?;
            ack.send("again").await?;
            Err::<(), _>(HandlerError::internal("asked to"))
        })
        .on("emit-with-ack", async |socket: Socket, args: Args| {
            let answer: Args = socket.emit_with_ack("emit-with-ack", args).await?;
            socket.emit("emit-with-ack", answer).await
        })
        .on("ask", async |socket: Socket, ack: Ack, args: Args| {
            let (millis,): (u64,) = args.parse()?;
            let limit = Duration::from_millis(millis);
            let answer: Result<Args, _> = socket
                .timeout(limit)
                .emit_with_ack("question", args.skip(1))
                .await;
            match answer {
                Ok(values) => ack.send(values.behind(&"answer")?).await?,
                Err(EmitError::Timeout) => ack.send("timeout").await?,
                Err(_) => ack.send("gone").await?,
            }
            Ok::<(), HandlerError>(())
        })
        .on("echo-nothing", || ())
        .on("with-bytes", |(value,): (Value,)| {
            (value, Binary(vec![1, 2, 3]))
        })
        .on("asked-again", async |socket: Socket, args: Args| {
            let answer: Result<Args, EmitError> = socket.emit_with_ack("question", args).await;
            answer
        })
        .on("typed", |(text, number): (String, i64)| {
            format!("{text}:{number}")
        })
        .on("decline", |(text, data): (String, Option<Value>)| {
            let error = HandlerError::new(text);
            Err::<(), _>(match data {
                Some(data) => error.data(&data),
                None => error,
            })
        })
        .on("fail", |(text,): (String,)| {
            Err::<(), _>(HandlerError::internal(text))
        })
        .on("emit", async |socket: Socket, (event,): (String,)| {
            socket.emit(&event, "hello").await
        })
        .on("panic", || -> () { panic!("asked to") })
        .on("hang", async || core::future::pending::<()>().await)
        .on("block", |(rounds,): (u32,)| commands::block(rounds))
        .on("slow", async |(millis, value): (u64, Value)| {
            sleep(Duration::from_millis(millis)).await;
            value
        })
}

pub(super) fn data(namespace: Namespace) -> Namespace {
    namespace
        .on("join", async |socket: Socket, (names,): (OneOrMany,)| {
            socket.join(names.names()).await.map_err(told)?;
            Ok::<_, HandlerError>(rooms(&socket))
        })
        .on("leave", async |socket: Socket, (room,): (String,)| {
            socket.leave(room).await.map_err(told)?;
            Ok::<_, HandlerError>(rooms(&socket))
        })
        .on("rooms", |socket: Socket| rooms(&socket))
        .on("set-data", |socket: Socket, (value,): (Value,)| {
            socket.set_data(&value)?;
            Ok::<_, DataError>("ok")
        })
        .on("get-data", |socket: Socket| socket.data::<Value>())
        .on("transport", |socket: Socket| {
            socket.transport().map(|transport| transport.as_str())
        })
        .on("data-of", async |io: Io, (id,): (String,)| {
            io.data::<Value>(&id).await
        })
        .on(
            "set-data-of",
            async |io: Io, (id, value): (String, Value)| io.set_data(&id, &value).await,
        )
        .on("count-for", async |io: Io, (id, by): (String, u32)| {
            io.edit_data(&id, |count: &mut u32| {
                *count += by;
                *count
            })
            .await
        })
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn names(self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name],
            Self::Many(names) => names,
        }
    }
}

/// The socket's rooms, but for its own.
pub(super) fn rooms(socket: &Socket) -> Vec<String> {
    let rooms = socket.rooms().into_iter();
    rooms.filter(|room| room != socket.id()).collect()
}
