//! Rooms of people with names, on socketioxide and axum. `worker.rs` is the same on Dormouse.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::{Router, extract::Path, routing::post};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::json;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, Extension, SocketRef, State};
use socketioxide::handler::ConnectHandler;
use tokio::net::TcpListener;

/// The messages of a room that are kept.
const KEPT: usize = 20;

#[derive(Deserialize)]
struct Login {
    name: String,
}

#[derive(Clone)]
struct Name(String);

/// The last texts of each room, and who said them.
type Said = Arc<Mutex<HashMap<String, VecDeque<(String, String)>>>>;

#[tokio::main]
async fn main() {
    let (layer, io) = SocketIo::builder()
        .req_path("/talk")
        .with_state(Said::default())
        .build_layer();
    io.ns("/", (async || {}).with(enter));

    // `POST /notify/<room>` tells everybody in it.
    let notify = async move |Path(room): Path<String>, text: String| {
        io.to(room).emit("announced", &text).await.ok();
    };
    let app = Router::new()
        .route("/notify/{room}", post(notify))
        .layer(layer);
    let port = std::env::var("PORT").map_or(3000, |port| port.parse().expect("a port"));
    let listener = TcpListener::bind(("127.0.0.1", port))
        .await
        .expect("a free port");
    println!("http://{}", listener.local_addr().expect("an address"));
    axum::serve(listener, app).await.expect("a server");
}

/// What is done here is done before the client is told that it is connected: an event that
/// comes before it has a handler is lost.
async fn enter(socket: SocketRef, Data(login): Data<Login>) -> Result<(), &'static str> {
    if login.name.is_empty() {
        return Err("who are you?");
    }
    socket.join(format!("user {}", login.name));
    socket.extensions.insert(Name(login.name));
    socket.on("join", join);
    socket.on("say", say);
    socket.on("last", last);
    socket.on("whisper", whisper);
    socket.on("ask", ask);
    socket.on_disconnect(left);
    Ok(())
}

/// Enters a room. Who is there is the acknowledgement.
async fn join(
    io: SocketIo,
    socket: SocketRef,
    Extension(Name(name)): Extension<Name>,
    Data(room): Data<String>,
    ack: AckSender,
) {
    socket.join(room.clone());
    socket.to(room.clone()).emit("joined", &name).await.ok();
    let sockets = io.within(room).sockets();
    let names = sockets.iter().filter_map(|it| it.extensions.get());
    let mut names: Vec<String> = names.map(|Name(name)| name).collect();
    names.sort_unstable();
    ack.send(&[names]).ok();
}

async fn say(
    socket: SocketRef,
    State(said): State<Said>,
    Extension(Name(name)): Extension<Name>,
    Data((room, text)): Data<(String, String)>,
    ack: AckSender,
) {
    if !socket.rooms().contains(&room.clone().into()) {
        ack.send(&json!({ "error": "join the room first" })).ok();
        return;
    }
    {
        let mut said = said.lock().expect("nobody panics with it");
        let texts = said.entry(room.clone()).or_default();
        texts.push_back((name.clone(), text.clone()));
        if texts.len() > KEPT {
            texts.pop_front();
        }
    }
    socket.to(room).emit("said", &(name, text)).await.ok();
    ack.send(&()).ok();
}

/// Acknowledges with the last texts of a room.
async fn last(State(said): State<Said>, Data(room): Data<String>, ack: AckSender) {
    let texts = said
        .lock()
        .expect("nobody panics with it")
        .get(&room)
        .cloned();
    ack.send(&[texts.unwrap_or_default()]).ok();
}

/// To all devices of one person.
async fn whisper(
    io: SocketIo,
    Extension(Name(from)): Extension<Name>,
    Data((to, text)): Data<(String, String)>,
) {
    let devices = io.to(format!("user {to}"));
    devices.emit("whispered", &(from, text)).await.ok();
}

/// Asks everybody in a room. What they answer within a second is the acknowledgement.
async fn ask(io: SocketIo, Data((room, question)): Data<(String, String)>, ack: AckSender) {
    let everybody = io.to(room).timeout(Duration::from_secs(1));
    let Ok(answers) = everybody
        .emit_with_ack::<_, String>("asked", &question)
        .await
    else {
        return;
    };
    let answers = answers.filter_map(async |(_, answer)| answer.ok());
    let mut answers: Vec<String> = answers.collect().await;
    answers.sort_unstable();
    ack.send(&[answers]).ok();
}

async fn left(socket: SocketRef, Extension(Name(name)): Extension<Name>) {
    socket.to(socket.rooms()).emit("left", &name).await.ok();
}
