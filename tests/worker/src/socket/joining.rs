//! Who is let in, and what happens to them then.

use core::time::Duration;

use dormouse::{Auth, HandlerError, JoinRequest, Namespace, Recovered, Refusal, Socket, sleep};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::many::list;
use super::tell;

/// Decides after a while.
pub(super) fn slow(namespace: Namespace) -> Namespace {
    namespace.on_connect(
        async |socket: Socket, auth: Auth<Login>, recovered: Recovered| {
            sleep(Duration::from_millis(auth.0.delay.unwrap_or(100))).await;
            connect(&socket, &auth.0, recovered).await
        },
    )
}

/// The auth payload of a CONNECT.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Login {
    pub(super) name: Option<String>,
    rooms: Vec<String>,
    token: Option<String>,
    data: Option<Value>,
    tenant: Option<String>,
    announce: Option<String>,
    delay: Option<u64>,
    guard: String,
    greet: String,
    fault: Option<String>,
}

/// Finds out after a while whether there is such a namespace.
pub(super) async fn is_found_later(request: JoinRequest) -> Result<bool, HandlerError> {
    let Some(name) = request.namespace().strip_prefix("/later/") else {
        return Ok(false);
    };
    let login: Login = request.auth().unwrap_or_default();
    tell(json!({ "event": "asked", "name": name }));
    sleep(Duration::from_millis(login.delay.unwrap_or(50))).await;
    match &*login.guard {
        "refuse" => Ok(false),
        "fail" => Err(HandlerError::internal("out of order")),
        "panic" => panic!("asked to, on a request for a namespace"),
        "hang" => core::future::pending().await,
        _ => Ok(true),
    }
}

pub(super) fn is_own_tenant(request: JoinRequest) -> bool {
    let login: Option<Login> = request.auth();
    let tenant = login.and_then(|login| login.tenant);
    tenant.is_some_and(|tenant| request.namespace() == format!("/tenant/{tenant}"))
}

pub(super) fn guard(Auth(login): Auth<Login>) -> Result<(), Refusal> {
    if login.token.as_deref() == Some("good") {
        return Ok(());
    }
    let refusal = Refusal::new("not authorized");
    Err(match login.data {
        Some(_) => refusal.data(&json!({ "content": "Please retry later" })),
        None => refusal,
    })
}

pub(super) async fn guard_as_told(socket: Socket, Auth(login): Auth<Login>) -> Result<(), Refusal> {
    if let Some(delay) = login.delay {
        sleep(Duration::from_millis(delay)).await;
    }
    match &*login.guard {
        "close" => socket.close().await,
        what if what.starts_with("disconnect") => socket.disconnect().await,
        _ => {}
    }
    match login.guard.ends_with("refuse") {
        true => Err(Refusal::new("not today")),
        false => Ok(()),
    }
}

pub(super) async fn greet(
    socket: Socket,
    Auth(login): Auth<Login>,
    recovered: Recovered,
) -> Result<(), Refusal> {
    connect(&socket, &login, recovered).await?;
    match &*login.greet {
        "disconnect" => {
            socket.emit("bye", 1).await?;
            socket.disconnect().await;
        }
        "close" => {
            socket.emit("bye", 1).await?;
            socket.close().await;
        }
        "ask" => {
            let (answer,): (Value,) = socket.emit_with_ack("question", 1).await?;
            socket.emit("answered", answer).await?;
        }
        "ask all" => {
            let me = socket.io().to(socket.id());
            let acks = me.emit_with_ack::<(Value,)>("question", 1).await?;
            let answers: Vec<Value> = acks
                .into_values()
                .into_iter()
                .map(|(value,)| value)
                .collect();
            socket.emit("answered", (answers,)).await?;
        }
        "ask and refuse" => {
            let (answer,): (Value,) = socket.emit_with_ack("question", 1).await?;
            if answer != "yes" {
                return Err(Refusal::new("not the password"));
            }
        }
        _ => {}
    }
    Ok(())
}

pub(super) fn greeting(namespace: Namespace, recovers: bool) -> Namespace {
    namespace.on_connect(
        async move |socket: Socket, Auth(auth): Auth<Box<RawValue>>, recovered: Recovered| {
            let login = serde_json::from_str(auth.get()).unwrap_or_default();
            connect(&socket, &login, recovered).await?;
            if recovers {
                let welcome = json!({ "recovered": recovered.0 });
                socket.emit("welcome", welcome).await?;
            } else {
                socket.emit("auth", auth).await?;
            }
            Ok::<(), Refusal>(())
        },
    )
}

pub(super) fn connecting(namespace: Namespace) -> Namespace {
    namespace.on_connect(
        async |socket: Socket, Auth(login): Auth<Login>, recovered: Recovered| {
            connect(&socket, &login, recovered).await
        },
    )
}

async fn connect(socket: &Socket, login: &Login, recovered: Recovered) -> Result<(), Refusal> {
    match login.fault.as_deref() {
        Some("data") => socket.set_data(&"x".repeat(2 << 20))?,
        Some("rooms") => {
            socket
                .join((0..2_000).map(|n| n.to_string()).collect::<Vec<_>>())
                .await?
        }
        Some(message) => return Err(HandlerError::new(message).into()),
        None => {}
    }
    if !recovered.0 {
        socket.set_data(&json!({ "name": login.name }))?;
        socket.join(&*login.rooms).await?;
    }
    tell(json!({
        "event": "connected",
        "socket": socket.id(),
        "namespace": socket.namespace(),
        "recovered": recovered.0,
        "name": login.name,
    }));
    if let Some(room) = &login.announce {
        let room = socket.io().to(&**room);
        let there = room.clone().fetch_sockets().await?;
        room.emit("arrived", (list(&there),)).await?;
    }
    Ok(())
}
