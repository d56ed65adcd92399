//! The Socket.IO application under test: `tests/harness/reference/socket-servers.mjs` is
//! the same on the reference server, and says what each event does.

mod events;
mod joining;
mod many;

use core::time::Duration;
use std::collections::BTreeMap;

use dormouse::{
    Args, Auth, EventName, Expired, HandlerError, Handshake, HttpApi, Io, Level, Namespace, Parser,
    Placement, Reason, Recovery, Rewrite, Server, Socket, sleep,
};
use serde_json::{Value, json};

use self::events::{acks, data, messages, rooms};
use self::joining::{
    Login, connecting, greet, greeting, guard, guard_as_told, is_found_later, is_own_tenant, slow,
};
use self::many::many;
pub(crate) use self::many::{list, room_sizes};
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
