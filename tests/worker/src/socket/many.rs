//! Events for many sockets, and what is done to all of them.

use core::time::Duration;

use dormouse::{
    Ack, Acked, Args, Broadcast, EmitError, HandlerError, Io, Missing, Namespace, RemoteSocket,
    Socket,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// The rooms of sockets, and how many are in each.
pub(crate) async fn room_sizes(target: &Broadcast) -> Result<Vec<(String, usize)>, EmitError> {
    let rooms = target.rooms().await?.into_iter();
    Ok(rooms.map(|room| (room.name, room.sockets)).collect())
}

/// The broadcast operators that an event is sent with.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Operators {
    from: Option<String>,
    to: Vec<String>,
    r#in: Vec<String>,
    except: Vec<String>,
    broadcast: bool,
    local: bool,
    volatile: bool,
    timeout: Option<u64>,
    ack: bool,
}

impl Operators {
    fn broadcast(&self, socket: &Socket) -> Broadcast {
        let mut target = match self.from.as_deref() {
            Some("server") => socket.io().all(),
            Some(_) | None => socket.broadcast(),
        };
        target = target.to(&*self.to).in_(&*self.r#in).except(&*self.except);
        if self.local {
            target = target.local();
        }
        if self.volatile {
            target = target.volatile();
        }
        if let Some(timeout) = self.timeout {
            target = target.timeout(Duration::from_millis(timeout));
        }
        target
    }
}

pub(super) fn many(namespace: Namespace) -> Namespace {
    namespace
        .on("cast", cast)
        .on("cast-children", async |socket: Socket, args: Args| {
            let (operators, event): (Operators, String) = args.parse()?;
            let parent = socket.io().parent("/dynamic-{id}");
            let target = parent.to(&*operators.to).except(&*operators.except);
            target.emit(&event, args.skip(2)).await?;
            Ok::<_, HandlerError>("ok")
        })
        .on("cast-to", async |socket: Socket, (pattern,): (String,)| {
            socket
                .io()
                .parent(&pattern)
                .emit("to-pattern", pattern)
                .await?;
            Ok::<_, EmitError>("ok")
        })
        .on("count", async |socket: Socket, args: Args| {
            let (operators, event): (Operators, String) = args.parse()?;
            let target = operators.broadcast(&socket);
            let acks = target.emit_with_ack::<(i64,)>(&event, args.skip(2)).await?;
            let mut all: Vec<Value> = acks.into_iter().map(tell_acked).collect();
            all.sort_by_key(Value::to_string);
            Ok::<_, HandlerError>((all,))
        })
        .on("direct", async |socket: Socket, args: Args| {
            let (id, event): (String, String) = args.parse()?;
            let target = socket.io().to(id);
            target.emit(&event, args.skip(2)).await.map_err(told)?;
            Ok::<_, HandlerError>("ok")
        })
        .on(
            "fetch",
            async |socket: Socket, (operators,): (Operators,)| {
                let fetched = operators.broadcast(&socket).fetch_sockets().await;
                let sockets = fetched.map_err(told)?;
                complete(sockets.missing())?;
                Ok::<_, HandlerError>(list(&sockets))
            },
        )
        .on(
            "how-many",
            async |socket: Socket, (operators,): (Operators,)| {
                operators.broadcast(&socket).count().await.map_err(told)
            },
        )
        .on(
            "room-sizes",
            async |socket: Socket, (operators,): (Operators,)| {
                room_sizes(&operators.broadcast(&socket)).await
            },
        )
        .on(
            "make-join",
            async |socket: Socket, (operators, room): (Operators, String)| {
                let target = operators.broadcast(&socket);
                target.join(room).await.map_err(told)?;
                Ok::<_, HandlerError>("ok")
            },
        )
        .on(
            "make-leave",
            async |socket: Socket, (operators, room): (Operators, String)| {
                let target = operators.broadcast(&socket);
                target.leave(room).await.map_err(told)?;
                Ok::<_, HandlerError>("ok")
            },
        )
        .on(
            "make-disconnect",
            async |socket: Socket, ack: Ack, (operators, close): (Operators, Option<bool>)| {
                let target = operators.broadcast(&socket);
                if close == Some(true) {
                    target.close().await.map_err(told)?;
                } else {
                    target.disconnect().await.map_err(told)?;
                }
                Ok::<_, HandlerError>(ack.send("ok").await?)
            },
        )
        .on(
            "within",
            async |socket: Socket, io: Io, (room,): (String,)| {
                socket.within(&room).emit("within", "socket").await?;
                io.within(&room).emit("within", "io").await?;
                io.all().within(&room).emit("within", "broadcast").await?;
                Ok::<_, EmitError>("ok")
            },
        )
        .on(
            "close-room",
            async |socket: Socket, io: Io, (room,): (String,)| {
                let _ = socket;
                io.close_room(&room).await?;
                Ok::<_, EmitError>("ok")
            },
        )
}

/// Tells the client what other objects have not done.
pub(super) fn told(error: EmitError) -> HandlerError {
    let is_of_others = matches!(
        error,
        EmitError::Partial(_) | EmitError::Unsent | EmitError::Unanswered | EmitError::Overloaded
    );
    match is_of_others {
        true => HandlerError::new(error.to_string()),
        false => error.into(),
    }
}

/// Fails unless all objects have answered.
fn complete(missing: Missing) -> Result<(), HandlerError> {
    match missing.is_none() {
        true => Ok(()),
        false => Err(told(EmitError::Partial(missing))),
    }
}

async fn cast(socket: Socket, ack: Ack, args: Args) -> Result<(), HandlerError> {
    let (operators, event): (Operators, String) = args.parse()?;
    let values = args.skip(2);
    let target = operators.broadcast(&socket);
    if !operators.ack {
        target.emit(&event, values).await.map_err(told)?;
        ack.send("ok").await?;
        return Ok(());
    }
    let asked = target.emit_with_ack::<(Value,)>(&event, values).await;
    let acks = asked.map_err(told)?;
    complete(acks.missing())?;
    let outcome = if acks.late() > 0 { "timeout" } else { "ok" };
    let answers = acks.into_values().into_iter();
    let mut answers: Vec<Value> = answers.map(|(value,)| value).collect();
    answers.sort_by_key(Value::to_string);
    ack.send((outcome, answers)).await?;
    Ok(())
}

fn tell_acked(Acked { id, result, .. }: Acked<(i64,)>) -> Value {
    match result {
        Ok((number,)) => json!([id, number]),
        Err(error) => json!([id, error.to_string()]),
    }
}

/// Returns the id, the rooms and the data of fetched sockets, in order.
pub(crate) fn list(sockets: &[RemoteSocket]) -> Vec<Value> {
    let mut list: Vec<Value> = sockets
        .iter()
        .map(|socket| {
            let rooms: Vec<_> = socket
                .rooms()
                .iter()
                .filter(|room| *room != socket.id())
                .collect();
            json!([socket.id(), rooms, socket.data::<Value>().ok().flatten()])
        })
        .collect();
    list.sort_by_key(Value::to_string);
    list
}
