//! Rooms of people with names. `server.rs` is the same on socketioxide.

use core::time::Duration;

use dormouse::{Auth, HandlerError, Io, Namespace, Reason, Refusal, Server, Socket};
use serde::Deserialize;
use worker::{Env, Request, Response, SqlStorage};

/// The path of the server, by which the route below reaches it.
const PATH: &str = "/talk/";

/// The messages of a room that are kept.
const KEPT: u32 = 20;

#[derive(Deserialize)]
struct Login {
    name: String,
}

pub(crate) fn server() -> Server {
    Server::new()
        .path(PATH)
        .namespace("/", |namespace: Namespace| {
            namespace
                .on_connect(connect)
                .on("join", join)
                .on("say", say)
                .on("last", last)
                .on("whisper", whisper)
                .on("ask", ask)
                .on_disconnect(left)
        })
}

/// The socket's extension has become its data, which outlasts sleep.
async fn connect(socket: Socket, Auth(Login { name }): Auth<Login>) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(Refusal::new("who are you?"));
    }
    socket.set_data(&name)?;
    socket.join(format!("user {name}")).await?;
    Ok(())
}

/// Enters a room. Who is there is the acknowledgement.
async fn join(socket: Socket, io: Io, (room,): (String,)) -> Result<Vec<String>, HandlerError> {
    socket.join(&room).await?;
    socket.to(&room).emit("joined", name(&socket)?).await?;
    let sockets = io.within(&room).fetch_sockets().await?;
    let names = sockets.iter().map(|socket| socket.data::<String>());
    let mut names: Vec<_> = names
        .filter_map(Result::transpose)
        .collect::<Result<_, _>>()?;
    names.sort_unstable();
    Ok(names)
}

async fn say(socket: Socket, (room, text): (String, String)) -> Result<(), HandlerError> {
    if !socket.rooms().contains(&room) {
        return Err(HandlerError::new("join the room first"));
    }
    let name = name(&socket)?;
    let said = said(&socket)?;
    let insert = "INSERT INTO said (room, name, text) VALUES (?, ?, ?)";
    let values = vec![(&*room).into(), (&*name).into(), (&*text).into()];
    said.exec(insert, values)?;
    let forget = "DELETE FROM said WHERE room = ?1 AND id NOT IN \
                  (SELECT id FROM said WHERE room = ?1 ORDER BY id DESC LIMIT ?2)";
    said.exec(forget, vec![(&*room).into(), f64::from(KEPT).into()])?;
    socket.to(&room).emit("said", (name, text)).await?;
    Ok(())
}

/// Acknowledges with the last texts of a room. They were in the state of the process, and are
/// rows now: a variable does not outlast sleep.
fn last(socket: Socket, (room,): (String,)) -> Result<Vec<(String, String)>, HandlerError> {
    #[derive(Deserialize)]
    struct Said {
        name: String,
        text: String,
    }
    let select = "SELECT name, text FROM said WHERE room = ? ORDER BY id";
    let texts: Vec<Said> = said(&socket)?.exec(select, vec![room.into()])?.to_array()?;
    Ok(texts.into_iter().map(|it| (it.name, it.text)).collect())
}

/// To all devices of one person.
async fn whisper(socket: Socket, io: Io, (to, text): (String, String)) -> Result<(), HandlerError> {
    let devices = io.to(format!("user {to}"));
    devices.emit("whispered", (name(&socket)?, text)).await?;
    Ok(())
}

/// Asks everybody in a room. What they answer within a second is the acknowledgement.
async fn ask(io: Io, (room, question): (String, String)) -> Result<Vec<String>, HandlerError> {
    let everybody = io.to(room).timeout(Duration::from_secs(1));
    let answers = everybody
        .emit_with_ack::<(String,)>("asked", question)
        .await?;
    let mut answers: Vec<_> = answers.into_values().into_iter().map(|(it,)| it).collect();
    answers.sort_unstable();
    Ok(answers)
}

async fn left(socket: Socket, _reason: Reason) -> Result<(), HandlerError> {
    for room in socket.rooms() {
        socket.to(room).emit("left", name(&socket)?).await?;
    }
    Ok(())
}

/// `POST /notify/<room>` tells everybody in it.
pub(crate) async fn notify(mut request: Request, env: Env) -> worker::Result<Response> {
    let path = request.path();
    let room = path.strip_prefix("/notify/").unwrap_or_default();
    let io = Io::new(&env, PATH).ok_or("there is no such server")?;
    let text = request.text().await?;
    io.to(room).emit("announced", text).await?;
    Response::empty()
}

fn name(socket: &Socket) -> Result<String, HandlerError> {
    socket
        .data()?
        .ok_or_else(|| HandlerError::new("connect again"))
}

fn said(socket: &Socket) -> worker::Result<SqlStorage> {
    let sql = socket.storage().sql();
    let columns = "id INTEGER PRIMARY KEY, room TEXT, name TEXT, text TEXT";
    sql.exec(
        &format!("CREATE TABLE IF NOT EXISTS said ({columns})"),
        None,
    )?;
    Ok(sql)
}
