//! The Socket.IO application under test: `tests/harness/reference/socket-servers.mjs` is
//! the same on the reference server, and says what each event does.

use core::time::Duration;
use std::collections::BTreeMap;

use dormouse::{
    Ack, Acked, Args, Auth, Binary, Broadcast, DataError, EmitError, EventName, Expired,
    HandlerError, Handshake, HttpApi, Io, JoinRequest, Level, Missing, Namespace, Parser,
    Placement, Reason, Recovered, Recovery, Refusal, RemoteSocket, Rewrite, Server, Socket, sleep,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::commands;
use crate::rows::rows;
use crate::server_events::{asking, server_events};
use crate::spread;
use crate::stale::stale;
use crate::tasks::{alarms, tasks};

/// The servers, each on its path.
pub(crate) fn servers() -> [Server; 10] {
    let short = Recovery::default().max_disconnection(Duration::from_secs(1));
    [
        server("/socket.io/")
            .ping_interval(Duration::from_millis(400))
            .ping_timeout(Duration::from_millis(600))
            .connect_timeout(Duration::from_secs(1))
            .origins("*"),
        server("/io/").max_namespaces(20).max_rooms(50),
        server("/recovery/").recovery(Recovery::default()),
        server("/recovery-short/").recovery(short),
        server("/msgpack/").parser(Parser::MSGPACK),
        server("/small/")
            .max_memory(1_000_000)
            .max_payload(200_000)
            .max_packet(900_000),
        server("/in-order/").in_order(true),
        server("/awake/").sleep(false),
        server("/limited/").task_limit(Duration::from_secs(1)),
        server("/keyed/").placement(Placement::key(|handshake| {
            handshake.query("key").unwrap_or_default()
        })),
    ]
}

pub(crate) fn server(path: &str) -> Server {
    let recovers = path.starts_with("/recovery");
    let signed = path == "/in-order/";
    let is_spread = path.starts_with("/spread") || path == "/scattered/";
    server_events(alarms(Server::new()))
        .path(path)
        .api(HttpApi::new().signed(signed))
        .log(Level::Info)
        .namespace("/", move |namespace| {
            let namespace = greeting(common(namespace), recovers);
            if is_spread {
                spread::rooms(namespace)
            } else {
                namespace
            }
        })
        .namespace("/custom", move |namespace| {
            greeting(common(namespace), recovers)
        })
        .namespace("/chat", move |namespace| connecting(common(namespace)))
        .namespace("/plain", |namespace| connecting(plain(namespace)))
        .namespace("/refuse", move |namespace| {
            connecting(common(namespace)).middleware(guard)
        })
        .namespace("/guarded", move |namespace| {
            connecting(common(namespace))
                .middleware(guard_as_told)
                .middleware(|Auth(login): Auth<Login>| {
                    tell(json!({ "event": "guarded", "name": login.name }));
                })
        })
        .namespace("/greeting", move |namespace| {
            common(namespace).on_connect(greet)
        })
        .namespace("/observed", move |namespace| {
            observed(connecting(common(namespace)))
        })
        .namespace("/few", |namespace| namespace.on("known", || "known"))
        .namespace("/few-checked", |namespace| {
            let namespace = namespace.on("known", || "known");
            namespace.event_middleware(|| Ok::<_, HandlerError>(()))
        })
        .namespace("/few-heard", |namespace| {
            let namespace = namespace.on("known", || "known");
            namespace.on_any(|| ())
        })
        .namespace("/slow", move |namespace| slow(common(namespace)))
        .namespace("/slow-{id}", move |namespace| slow(common(namespace)))
        .namespace("/headers", move |namespace| {
            common(namespace).on_connect(async |socket: Socket, handshake: Handshake| {
                let headers: BTreeMap<_, _> = handshake.headers().entries().collect();
                let query: BTreeMap<_, _> = handshake.queries().into_iter().collect();
                socket.emit("headers", (headers, query)).await
            })
        })
        .namespace("/dynamic-{id}", move |namespace| {
            connecting(common(namespace))
        })
        .namespace_if(is_own_tenant, move |namespace| {
            connecting(common(namespace))
        })
        .namespace_if(is_found_later, move |namespace| {
            connecting(common(namespace))
        })
        .on_new_namespace(async |io: Io| {
            tell(json!({ "event": "new namespace", "namespace": io.namespace() }));
            if io.namespace().ends_with("-fails") {
                return Err(HandlerError::new("not today"));
            }
            if io.namespace().ends_with("-waits") {
                sleep(Duration::from_millis(50)).await;
            }
            tell(json!({ "event": "namespace opened", "namespace": io.namespace() }));
            Ok(())
        })
}

/// Changes some events, and keeps the names of those that a socket is sent.
fn observed(namespace: Namespace) -> Namespace {
    namespace
        .event_rewrite(async |event: EventName, args: Args| match &*event {
            "old-name" => Ok(Some(Rewrite::new(
                "message-with-ack",
                args.behind(&"new")?,
            )?)),
            "to-blocked" => Ok(Some(Rewrite::new("blocked", ())?)),
            "dropped" => Ok(None),
            "not-so" => Err(HandlerError::new("not so")),
            _ => Ok(Some(Rewrite::new(&event, args)?)),
        })
        .event_rewrite(|event: EventName, args: Args| match &*event {
            "to-blocked" | "blocked" => Rewrite::new("typed", ("passed", 1)).map(Some),
            _ => Rewrite::new(&event, args).map(Some),
        })
        .on_any_outgoing(|socket: &Socket, event: &str, args: &Args| {
            let line = format!("{event} {}", args.json().join(","));
            // It may have gone.
            let _ = socket.edit_data(|sent: &mut Option<Vec<String>>| {
                sent.get_or_insert_default().push(line);
            });
        })
}

/// Decides after a while.
fn slow(namespace: Namespace) -> Namespace {
    namespace.on_connect(
        async |socket: Socket, auth: Auth<Login>, recovered: Recovered| {
            sleep(Duration::from_millis(auth.0.delay.unwrap_or(100))).await;
            connect(&socket, &auth.0, recovered).await
        },
    )
}

/// What clients may say of themselves.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Login {
    name: Option<String>,
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
async fn is_found_later(request: JoinRequest) -> Result<bool, HandlerError> {
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

fn is_own_tenant(request: JoinRequest) -> bool {
    let login: Option<Login> = request.auth();
    let tenant = login.and_then(|login| login.tenant);
    tenant.is_some_and(|tenant| request.namespace() == format!("/tenant/{tenant}"))
}

fn guard(Auth(login): Auth<Login>) -> Result<(), Refusal> {
    if login.token.as_deref() == Some("good") {
        return Ok(());
    }
    let refusal = Refusal::new("not authorized");
    Err(match login.data {
        Some(_) => refusal.data(&json!({ "content": "Please retry later" })),
        None => refusal,
    })
}

async fn guard_as_told(socket: Socket, Auth(login): Auth<Login>) -> Result<(), Refusal> {
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

async fn greet(
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

fn greeting(namespace: Namespace, recovers: bool) -> Namespace {
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

fn connecting(namespace: Namespace) -> Namespace {
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

/// A line for the tests to read.
pub(crate) fn tell(line: Value) {
    worker::console_log!("{line}");
}

/// What every namespace has but `/plain`.
fn common(namespace: Namespace) -> Namespace {
    plain(
        asking(namespace).event_middleware(|event: EventName| match &*event {
            "blocked" => Err(HandlerError::new("blocked")),
            _ => Ok(()),
        }),
    )
}

fn plain(namespace: Namespace) -> Namespace {
    let namespace = namespace
        .on_disconnecting(|socket: Socket, reason: Reason| {
            tell(json!({
                "event": "disconnecting",
                "socket": socket.id(),
                "rooms": rooms(&socket),
                "reason": reason.as_str(),
            }));
        })
        .on_disconnect(|socket: Socket, reason: Reason| {
            tell(json!({
                "event": "disconnected",
                "socket": socket.id(),
                "reason": reason.as_str(),
            }));
        })
        .on_expired(|expired: Expired| {
            tell(json!({
                "event": "expired",
                "socket": expired.id(),
                "namespace": expired.namespace(),
                "rooms": expired.rooms().collect::<Vec<_>>(),
                "data": expired.data::<Value>().ok().flatten(),
            }));
        })
        .on_fallback(async |socket: Socket, event: EventName, args: Args| {
            socket.emit("any", args.behind(&event.0)?).await?;
            Ok::<(), HandlerError>(())
        });
    stale(rows(tasks(many(data(acks(messages(namespace)))))))
}

fn messages(namespace: Namespace) -> Namespace {
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

fn acks(namespace: Namespace) -> Namespace {
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

fn data(namespace: Namespace) -> Namespace {
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

/// The rooms of sockets, and how many are in each.
pub(crate) async fn room_sizes(target: &Broadcast) -> Result<Vec<(String, usize)>, EmitError> {
    let rooms = target.rooms().await?.into_iter();
    Ok(rooms.map(|room| (room.name, room.sockets)).collect())
}

/// The socket's rooms, but for its own.
fn rooms(socket: &Socket) -> Vec<String> {
    let rooms = socket.rooms().into_iter();
    rooms.filter(|room| room != socket.id()).collect()
}

/// How an event is sent to many.
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

fn many(namespace: Namespace) -> Namespace {
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
fn told(error: EmitError) -> HandlerError {
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

/// What is told of sockets that were fetched.
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
