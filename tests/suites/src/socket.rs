//! `packages/socket.io-client/test/support/server.ts`, on Dormouse.

use core::time::Duration;
use std::collections::BTreeMap;

use dormouse::{
    Ack, Args, Auth, Binary, EmitError, HandlerError, Handshake, Namespace, Recovery, Refusal,
    Server, Socket,
};
use serde::Deserialize;
use serde_json::{Value, json};
use worker::{Env, Request, Response, Result, js_sys};

pub(crate) const PATH: &str = "/socket.io/";

pub(crate) fn server() -> Server {
    Server::new()
        .path(PATH)
        .ping_interval(Duration::from_secs(2))
        .recovery(Recovery::default())
        .origins("*")
        .namespace("/", |namespace| {
            let namespace =
                namespace.middleware(|handshake: Handshake| match handshake.query("fail") {
                    Some(_) => Err(Refusal::new("Auth failed (main namespace)")),
                    None => Ok(()),
                });
            binary(dates(messages(get_id(namespace))))
        })
        .namespace("/foo", get_id)
        .namespace("/timeout_socket", |namespace| namespace)
        .namespace("/valid", |namespace| namespace)
        .namespace("/asd", |namespace| namespace)
        .namespace("/abc", |namespace| {
            namespace.on_connect(
                async |socket: Socket, handshake: Handshake, Auth(auth): Auth<Value>| {
                    socket.emit("handshake", described(&handshake, &auth)).await
                },
            )
        })
        .namespace("/no", |namespace| {
            namespace.middleware(|| Err::<(), _>(Refusal::new("Auth failed (custom namespace)")))
        })
}

/// Serves a request; a handshake after a moment, because the suite tests what the client
/// does meanwhile.
pub(crate) async fn fetch(request: Request, env: &Env) -> Result<Option<Response>> {
    let url = request.url()?;
    if !url.query_pairs().any(|(name, _)| name == "sid") {
        dormouse::sleep(Duration::from_millis(10)).await;
    }
    dormouse::handle(&request, env).await.transpose()
}

fn described(handshake: &Handshake, auth: &Value) -> Value {
    let query: BTreeMap<_, _> = handshake.queries().into_iter().collect();
    json!({ "query": query, "auth": auth })
}

fn get_id(namespace: Namespace) -> Namespace {
    namespace.on("getId", |socket: Socket| socket.id().to_owned())
}

fn messages(namespace: Namespace) -> Namespace {
    namespace
        .on("hi", async |socket: Socket| socket.emit("hi", ()).await)
        .on("echo", async |ack: Ack, args: Args| ack.send(args).await)
        .on("ack", async |socket: Socket| {
            let (a, b): (i64, Tested) = socket.emit_with_ack("ack", ()).await?;
            if a == 5 && b.test {
                socket.emit("got it", ()).await?;
            }
            Ok::<_, EmitError>(())
        })
        .on("getUtf8", async |socket: Socket| {
            for text in [
                "てすと",
                "Я Б Г Д Ж Й",
                "Ä ä Ü ü ß",
                "utf8 — string",
                "utf8 — string",
            ] {
                socket.emit("takeUtf8", text).await?;
            }
            Ok::<_, EmitError>(())
        })
        .on("false", async |socket: Socket| {
            socket.emit("false", false).await
        })
        .on("getHandshake", |socket: Socket| {
            let handshake = socket.handshake();
            handshake.map(|handshake| described(&handshake, &Value::Null))
        })
}

#[derive(Deserialize)]
struct Tested {
    test: bool,
}

fn dates(namespace: Namespace) -> Namespace {
    namespace
        .on("getAckDate", now)
        .on("getDate", async |socket: Socket| {
            socket.emit("takeDate", now()).await
        })
        .on("getDateObj", async |socket: Socket| {
            socket.emit("takeDateObj", json!({ "date": now() })).await
        })
}

/// As JavaScript writes it.
fn now() -> String {
    js_sys::Date::new_0().to_iso_string().into()
}

/// Bytes beside text.
#[derive(Deserialize)]
struct Mixed {
    hello: String,
    #[serde(rename = "message")]
    _message: Binary,
    goodbye: String,
}

impl Mixed {
    fn check(&self) -> core::result::Result<(), HandlerError> {
        match (&*self.hello, &*self.goodbye) {
            ("lol", "gotcha") => Ok(()),
            _ => Err(HandlerError::new("these are other words")),
        }
    }
}

/// A handler that takes `Binary` is not called with anything else.
fn binary(namespace: Namespace) -> Namespace {
    let bytes = || Binary(b"asdfasdf".to_vec());
    namespace
        .on("doge", async move |socket: Socket| {
            socket.emit("doge", bytes()).await
        })
        .on("getbin", async move |socket: Socket| {
            socket.emit("takebin", bytes()).await
        })
        .on("buffa", async |socket: Socket, (_,): (Binary,)| {
            socket.emit("buffack", ()).await
        })
        .on("blob", async |socket: Socket, (_,): (Binary,)| {
            socket.emit("back", ()).await
        })
        .on("jsonbuff", async |socket: Socket, (mixed,): (Mixed,)| {
            mixed.check()?;
            Ok::<_, HandlerError>(socket.emit("jsonbuff-ack", ()).await?)
        })
        .on("jsonblob", async |socket: Socket, (mixed,): (Mixed,)| {
            mixed.check()?;
            Ok::<_, HandlerError>(socket.emit("jsonblob-ack", ()).await?)
        })
        .on("abuff1", |socket: Socket, (_,): (Binary,)| {
            after(&socket, 0)
        })
        .on("abuff2", async |socket: Socket| {
            after(&socket, 1)?;
            Ok::<_, HandlerError>(socket.emit("abuff2-ack", ()).await?)
        })
        .on("blob1", |socket: Socket, (_,): (Binary,)| after(&socket, 0))
        .on("blob2", |socket: Socket, (_,): (Second,)| after(&socket, 1))
        .on("blob3", async |socket: Socket, (_,): (Binary,)| {
            after(&socket, 2)?;
            Ok::<_, HandlerError>(socket.emit("blob3-ack", ()).await?)
        })
}

#[derive(Deserialize)]
enum Second {
    #[serde(rename = "second")]
    It,
}

/// Counts an event that must come after so many others.
fn after(socket: &Socket, others: u32) -> core::result::Result<(), HandlerError> {
    let seen: u32 = socket.data()?.unwrap_or_default();
    if seen != others {
        return Err(HandlerError::new(format!("the event after {seen} others")));
    }
    Ok(socket.set_data(&(seen + 1))?)
}
