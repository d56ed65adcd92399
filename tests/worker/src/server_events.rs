//! Events between the objects of a server, on every Socket.IO server of the tests.

use core::time::Duration;

use dormouse::{
    AckError, Args, EmitError, EventName, HandlerError, Io, Namespace, Server, Socket, sleep,
};
use serde_json::{Value, json};

use crate::routes::Items;
use crate::socket::tell;

/// The handlers of these events.
pub(crate) fn server_events(server: Server) -> Server {
    server
        .on_server_event("sum", |(a, b): (i64, i64)| a + b)
        .on_server_event("echo", async |args: Args| args)
        .on_server_event("tell", |io: Io, name: EventName, (value,): (Value,)| {
            let line = json!({
                "event": "server event", "name": &*name, "namespace": io.namespace(), "value": value,
            });
            tell(line);
        })
        .on_server_event("to all here", async |io: Io, (value,): (Value,)| {
            io.all().local().emit("told here", value).await
        })
        .on_server_event("fail", || Err::<(), _>(HandlerError::new("asked to")))
        .on_server_event("late", async || {
            sleep(Duration::from_secs(30)).await;
        })
        .on_server_event("panic", || -> () { panic!("asked to, in a server event") })
}

/// The events of clients that send them.
pub(crate) fn asking(namespace: Namespace) -> Namespace {
    namespace
        .on(
            "server-emit",
            async |io: Io, (name, value): (String, Value)| match io
                .server_side_emit(&name, value)
                .await
            {
                Ok(()) => "ok".to_owned(),
                Err(error) => error.to_string(),
            },
        )
        .on(
            "server-ask",
            async |io: Io, (name, args): (String, Vec<Value>)| {
                let acks = io.server_side_emit_with_ack::<(Value,)>(&name, Items(args));
                let acks = acks.await?;
                let mut answers: Vec<_> = acks
                    .iter()
                    .map(|acked| match &acked.result {
                        Ok((value,)) => json!([acked.id, value]),
                        Err(AckError::Late) => json!([acked.id, "late"]),
                        Err(error) => json!([acked.id, error.to_string()]),
                    })
                    .collect();
                answers.sort_by_key(Value::to_string);
                Ok::<_, EmitError>((answers, acks.missing().objects))
            },
        )
        .on("object", |socket: Socket| {
            // Every id begins with that of its object.
            socket.id().chars().take(42).collect::<String>()
        })
}
