//! A server whose namespaces are in another order after a deploy, or not there any more:
//! which of them there are, and in which order, `globalThis.DORMOUSE_TEST_ORDER` says.

use core::time::Duration;

use dormouse::{JoinRequest, Level, Namespace, Recovery, Server, Socket};
use serde_json::Value;
use worker::js_sys::{self, Reflect};

/// One letter for each definition.
const USUAL: &str = "abcxy";

pub(crate) fn server() -> Server {
    let server = Server::new()
        .path("/deploy/")
        .log(Level::Info)
        .recovery(Recovery::default().max_disconnection(Duration::from_secs(300)));
    order().chars().fold(server, define)
}

fn order() -> String {
    let order = Reflect::get(&js_sys::global(), &"DORMOUSE_TEST_ORDER".into());
    let order = order.ok().and_then(|order| order.as_string());
    order.unwrap_or_else(|| USUAL.to_owned())
}

fn define(server: Server, which: char) -> Server {
    match which {
        'a' | 'b' => server.namespace(&format!("/{which}"), move |it| told(it, which)),
        'c' => server.namespace("/c-{id}", move |it| told(it, which)),
        _ => {
            let prefix = format!("/{which}/");
            let is_meant = move |request: JoinRequest| request.namespace().starts_with(&prefix);
            // By its events, such a definition is found again.
            server.namespace_if(is_meant, move |it| {
                told(it, which).on(&format!("only {which}"), || ())
            })
        }
    }
}

/// Says which definition's handlers these are.
fn told(namespace: Namespace, which: char) -> Namespace {
    namespace
        .on("which", move |socket: Socket| {
            (which.to_string(), socket.namespace().to_owned())
        })
        .on("auth", |socket: Socket| socket.auth::<Value>())
        .on("emit", async |socket: Socket| {
            socket.emit("event", ()).await
        })
}
