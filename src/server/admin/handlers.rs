//! The handlers of the namespace.

use std::rc::Rc;

use serde::Serialize;
use serde_json::value::RawValue;
use worker::Env;

use super::login::{self, Known, Login};
use super::{Admin, commands, sockets, watch};
use crate::api::error::Refusal;
use crate::api::{Auth, Io, Namespace, Socket};
use crate::log::Level;

/// The message that the UI knows: it asks for the password again.
const REFUSED: &str = "invalid credentials";

/// The features of the UI, by the names that it knows.
const COMMANDS: [&str; 7] = [
    "EMIT",
    "JOIN",
    "LEAVE",
    "DISCONNECT",
    "MJOIN",
    "MLEAVE",
    "MDISCONNECT",
];

/// What the UI is told that it can do.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    supported_features: Vec<&'static str>,
}

/// Registers the handlers.
pub(super) fn register(admin: &Rc<Admin>, namespace: Namespace) -> Namespace {
    let (checking, welcoming) = (admin.clone(), admin.clone());
    let namespace = namespace
        .middleware(
            async move |socket: Socket, auth: Auth<Box<RawValue>>, env: Env| {
                check(&checking, &socket, &auth.0, &env).await
            },
        )
        .on_connect(async move |socket: Socket| welcome(&welcoming, &socket).await)
        .on_disconnect(|io: Io| watch::look(&io));
    commands::register(admin, namespace)
}

/// Decides who may enter. In a middleware: whoever is not known gets nothing.
async fn check(admin: &Admin, socket: &Socket, auth: &RawValue, env: &Env) -> Result<(), Refusal> {
    let passwords = login::passwords(env, &admin.secrets);
    if passwords.is_empty() {
        log_missing(admin, &socket.io());
        return Err(Refusal::new(REFUSED));
    }
    match login::check(admin, &Login::of(auth), &passwords).await {
        // It is sent once the client is connected.
        Some(Known::Password { session }) => Ok(socket.emit("session", session).await?),
        Some(Known::Session) => Ok(()),
        None => Err(Refusal::new(REFUSED)),
    }
}

fn log_missing(admin: &Admin, io: &Io) {
    let [name, _] = &admin.secrets;
    let message = format!(
        "nobody can log in: {name} is not set, or has less than 12 characters; set it with \
         `openssl rand -hex 16 | npx wrangler secret put {name}`"
    );
    if let Some(port) = io.local_port() {
        let fields = [("option", "admin"), ("message", &*message)];
        port.log(Level::Error, "misconfigured", &fields);
    }
}

/// Tells somebody who has been let in what there is.
async fn welcome(admin: &Rc<Admin>, socket: &Socket) -> Result<(), Refusal> {
    let commands: &[&str] = if admin.read_only { &[] } else { &COMMANDS };
    let all: &[&str] = if admin.development {
        &["ALL_EVENTS"]
    } else {
        &[]
    };
    let config = Config {
        supported_features: [commands, &["AGGREGATED_EVENTS"], all].concat(),
    };
    socket.emit("config", config).await?;
    let io = socket.io();
    watch::begin(&io, admin)?;
    if admin.development {
        let list = sockets::list(&io).await;
        socket.emit("all_sockets", (list,)).await?;
    }
    Ok(())
}
