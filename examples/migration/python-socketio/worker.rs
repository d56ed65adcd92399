//! Rooms of people with names. `server.py` is the same on python-socketio.

use core::time::Duration;

use dormouse::{Alarm, Auth, HandlerError, Io, Namespace, Reason, Refusal, Server, Socket};
use serde::Deserialize;
use worker::{Env, Request, Response, SqlStorage};

#[derive(Deserialize)]
struct Login {
    name: String,
}

pub(crate) fn server() -> Server {
    Server::new()
        .on_alarm("reminder {id}", reminder)
        .namespace("/", |namespace: Namespace| {
            namespace
                .on_connect(connect)
                .on("join", join)
                .on("say", say)
                .on("whisper", whisper)
                .on("ask", ask)
                .on("remind", remind)
                .on_disconnect(disconnect)
        })
}

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
    let room = format!("room {room}");
    socket.join(&room).await?;
    socket.to(&room).emit("joined", name(&socket)?).await?;
    let sockets = io.to(&room).fetch_sockets().await?;
    let names = sockets.iter().map(|socket| socket.data::<String>());
    let mut names: Vec<_> = names
        .filter_map(Result::transpose)
        .collect::<Result<_, _>>()?;
    names.sort_unstable();
    Ok(names)
}

async fn say(socket: Socket, (room, text): (String, String)) -> Result<(), HandlerError> {
    let room = format!("room {room}");
    if !socket.rooms().contains(&room) {
        return Err(HandlerError::new("join the room first"));
    }
    socket
        .to(&room)
        .emit("said", (name(&socket)?, text))
        .await?;
    Ok(())
}

/// To all devices of one person.
async fn whisper(socket: Socket, io: Io, (to, text): (String, String)) -> Result<(), HandlerError> {
    let from = name(&socket)?;
    io.to(format!("user {to}"))
        .emit("whispered", (from, text))
        .await?;
    Ok(())
}

/// Asks everybody in a room. What they answer within a second is the acknowledgement.
async fn ask(io: Io, (room, question): (String, String)) -> Result<Vec<String>, HandlerError> {
    let everybody = io
        .to(format!("room {room}"))
        .timeout(Duration::from_secs(1));
    let answers = everybody
        .emit_with_ack::<(String,)>("asked", question)
        .await?;
    let mut answers: Vec<_> = answers.into_values().into_iter().map(|(it,)| it).collect();
    answers.sort_unstable();
    Ok(answers)
}

/// What is to happen later is an alarm, and its text a row: no task outlasts sleep.
async fn remind(
    socket: Socket,
    io: Io,
    (seconds, text): (u64, String),
) -> Result<(), HandlerError> {
    #[derive(Deserialize)]
    struct Added {
        id: u32,
    }
    let sql = reminders(socket.storage().sql())?;
    let insert = "INSERT INTO reminders (name, text) VALUES (?, ?) RETURNING id";
    let added: Added = sql
        .exec(insert, vec![name(&socket)?.into(), text.into()])?
        .one()?;
    let alarm = format!("reminder {}", added.id);
    io.set_alarm(&alarm, Duration::from_secs(seconds)).await?;
    Ok(())
}

async fn reminder(io: Io, alarm: Alarm) -> Result<(), HandlerError> {
    #[derive(Deserialize)]
    struct Reminder {
        name: String,
        text: String,
    }
    let sql = reminders(alarm.storage().sql())?;
    let delete = "DELETE FROM reminders WHERE id = ? RETURNING name, text";
    let id = alarm.param("id").unwrap_or_default();
    let due: Vec<Reminder> = sql.exec(delete, vec![id.into()])?.to_array()?;
    for Reminder { name, text } in due {
        io.to(format!("user {name}")).emit("reminder", text).await?;
    }
    Ok(())
}

async fn disconnect(socket: Socket, _reason: Reason) -> Result<(), HandlerError> {
    for room in socket
        .rooms()
        .iter()
        .filter(|room| room.starts_with("room "))
    {
        socket.to(room).emit("left", name(&socket)?).await?;
    }
    Ok(())
}

/// `POST /announce/<room>` tells everybody in it.
pub(crate) async fn announce(mut request: Request, env: Env) -> worker::Result<Response> {
    let path = request.path();
    let room = path.strip_prefix("/announce/").unwrap_or_default();
    let io = Io::new(&env, "/socket.io/").ok_or("there is no such server")?;
    let text = request.text().await?;
    io.to(format!("room {room}"))
        .emit("announced", text)
        .await?;
    Response::empty()
}

fn name(socket: &Socket) -> Result<String, HandlerError> {
    socket
        .data()?
        .ok_or_else(|| HandlerError::new("connect again"))
}

fn reminders(sql: SqlStorage) -> worker::Result<SqlStorage> {
    let columns = "id INTEGER PRIMARY KEY, name TEXT, text TEXT";
    sql.exec(
        &format!("CREATE TABLE IF NOT EXISTS reminders ({columns})"),
        None,
    )?;
    Ok(sql)
}
