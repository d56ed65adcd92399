//! The application that Dormouse's own tests talk to: an Engine.IO echo that takes
//! commands, and a Socket.IO server, on several paths with different options.

mod admin;
mod commands;
mod deploy;
mod logging;
mod placements;
mod rates;
mod routes;
mod rows;
mod server_events;
mod socket;
mod spread;
mod stale;
mod tasks;
mod usage;

use core::time::Duration;

use dormouse::engine::{
    AnswerHeaders, Client, Cookie, Data, Engine, Handshake, Level, Message, Placement, Reason,
    Refusal, Transport,
};
use dormouse::{App, HandlerError, sleep};
use serde_json::json;
use worker::{Env, Request};

/// The application under test, on `path`.
pub(crate) fn echo(path: &str) -> Engine {
    Engine::new()
        .path(path)
        .log(Level::Info)
        .admit(
            |handshake: Handshake| match handshake.query("admission").as_deref() {
                Some("no") => Err(String::new()),
                Some(_) => Err("not you".to_owned()),
                None => Ok(()),
            },
        )
        .on_connect(connect)
        .on_message(async |client: Client, message: Message| match &message {
            Data::Text(text) if text.starts_with("cmd:alarms ") => {
                tasks::command(&client, text).await
            }
            Data::Text(text) if text.starts_with("cmd:") => commands::run(&client, text).await,
            Data::Text(_) | Data::Binary(_) => Ok(client.send(message).await?),
        })
        .on_disconnect(async |_client: Client, _reason: Reason| {})
}

/// Decides about a client after a while, and tells the tests when it is asked and when it
/// has decided.
async fn admit_later(handshake: Handshake, env: Env) -> Result<(), HandlerError> {
    let name = handshake.query("name");
    let tell = |event: &str| {
        let line = json!({ "event": event, "name": name });
        worker::console_log!("{line}");
    };
    tell("admission asked");
    let delay = handshake
        .query("delay")
        .and_then(|delay| delay.parse().ok());
    sleep(Duration::from_millis(delay.unwrap_or(50))).await;
    tell("admission decided");
    match handshake.query("admission").as_deref() {
        Some("no") => Err(HandlerError::new("")),
        Some("fail") => Ok(env.kv("NOWHERE").map(drop)?),
        Some("panic") => panic!("asked to, on admission"),
        Some("hang") => core::future::pending().await,
        Some(_) => Err(HandlerError::new("not you")),
        None => Ok(()),
    }
}

async fn connect(client: Client, handshake: Handshake) -> Result<(), Refusal> {
    if handshake.query("panic").is_some() {
        panic!("asked to, on connect");
    }
    if handshake.query("hang").is_some() {
        core::future::pending::<()>().await;
    }
    if handshake.query("refuse").is_some() {
        let status = handshake
            .query("status")
            .and_then(|status| status.parse().ok());
        let refusal = Refusal::new("no").data(&json!({ "reason": "no" }));
        return Err(match status {
            Some(status) => refusal.status(status),
            None => refusal,
        });
    }
    if handshake.query("fault").is_some() {
        client.save_session(&"x".repeat(2 << 20))?;
    }
    commands::remember_request(&client, &handshake);
    if handshake.query("greet").is_some() {
        client.send("hello").await.ok();
    }
    Ok(())
}

/// A short heartbeat: its tests need not wait for long, and a busy machine is in time.
fn hasty() -> Engine {
    echo("/engine.io/")
        .ping_interval(Duration::from_millis(400))
        .ping_timeout(Duration::from_millis(600))
        .max_payload(1_000_000)
        .origins("*")
}

/// Adds headers to answers, and some that are not its own.
fn headed() -> Engine {
    echo("/headed/")
        .cookie("io")
        .initial_headers(|request: &Request, headers: &mut AnswerHeaders<'_>| {
            headers.append("Set-Cookie", "a=1; Path=/");
            headers.append("set-cookie", "b=2; Max-Age=0");
            let hat = request.headers().get("x-hat").ok().flatten();
            headers.append("x-initial", &hat.unwrap_or_default());
        })
        .headers(|request: &Request, headers: &mut AnswerHeaders<'_>| {
            headers.append("x-every", request.method().as_ref());
            let asked = request.headers().get("x-add").ok().flatten();
            let asked = asked.as_deref().unwrap_or_default();
            if asked == "panic" {
                panic!("asked to, for headers");
            }
            if let Some((name, value)) = asked.split_once('=') {
                headers.append(name, value);
            }
        })
}

fn second<'a>(offered: &[&'a str]) -> Option<&'a str> {
    offered.get(1).copied()
}

fn strict() -> Engine {
    echo("/strict/")
        .origins(["http://good.example"])
        .credentials(true)
        .cookie(Cookie::default())
        .revision_3(false)
        .upgrade_timeout(Duration::from_millis(500))
        .max_payload(1_000)
}

fn app() -> App {
    let engines = engines();
    socket::servers()
        .into_iter()
        .chain(spread::servers())
        .chain(admin::servers())
        .chain(logging::servers())
        .chain([deploy::server(), rates::server(), usage::server()])
        .chain(placements::servers())
        .fold(engines, App::server)
        .fetch(routes::routes)
}

fn engines() -> App {
    rates::engines(App::new())
        .engine(hasty())
        .engine(echo("/sleepy/"))
        .engine(echo("/awake-engine/").sleep(false))
        .engine(strict())
        .engine(headed().origins("*"))
        .engine(echo("/polling/").transports(&[Transport::Polling]))
        .engine(echo("/websocket/").transports(&[Transport::WebSocket]))
        .engine(echo("/noupgrade/").allow_upgrades(false).jsonp(true))
        .engine(echo("/ordered/").in_order(true))
        .engine(echo("/admitted/").admit(admit_later))
        .engine(echo("/alone/").placement(Placement::PerSession))
        .engine(
            echo("/proxied/")
                .trust_proxy(true)
                .select_subprotocol(second),
        )
        .engine(tasks::engine())
        .engine(usage::engine())
        .engine(logging::engine())
        .engine(echo("/limited-engine/").task_limit(Duration::from_secs(1)))
}

dormouse::worker!(app);
