//! A chat of rooms with a history. Messages are rows in the SQLite of the object; whoever
//! enters a room gets the last ones, and asks for older ones page by page. A client that
//! comes back after a lost connection is still in its rooms and gets what it has missed.

use dormouse::{Auth, HandlerError, Namespace, Recovery, Refusal, Server, Socket};
use serde::{Deserialize, Serialize};
use worker::{Date, SqlStorage};

/// The messages of a page, and those that are kept of all rooms together: rooms cost
/// nothing to make, so there is no end of them.
const PAGE: u32 = 50;
const KEPT: u32 = 10_000;

const LONGEST_NAME: usize = 40;
const LONGEST_TEXT: usize = 2_000;

#[derive(Deserialize)]
struct Login {
    name: String,
}

#[derive(Deserialize, Serialize)]
struct Message {
    id: u32,
    room: String,
    name: String,
    text: String,
    /// Milliseconds since 1970.
    at: f64,
}

pub(crate) fn server() -> Server {
    Server::new()
        .recovery(Recovery::default())
        .max_rooms(20)
        .namespace("/", |namespace: Namespace| {
            namespace
                .on_connect(|socket: Socket, Auth(login): Auth<Login>| {
                    let name = checked("name", &login.name, LONGEST_NAME).map_err(Refusal::new)?;
                    Ok::<(), Refusal>(socket.set_data(&name)?)
                })
                .on("enter", enter)
                .on("older", older)
                .on("say", say)
        })
}

/// Enters a room. Its last messages are the acknowledgement, the oldest first.
async fn enter(socket: Socket, (room,): (String,)) -> Result<Vec<Message>, HandlerError> {
    let room = checked("room", &room, LONGEST_NAME).map_err(HandlerError::new)?;
    socket.join(&room).await?;
    Ok(page(&socket, &room, u32::MAX)?)
}

/// Returns the page before a message.
fn older(socket: Socket, (room, id): (String, u32)) -> Result<Vec<Message>, HandlerError> {
    entered(&socket, &room)?;
    Ok(page(&socket, &room, id)?)
}

/// Tells everybody else in the room. The message is the acknowledgement, with its id.
async fn say(socket: Socket, (room, text): (String, String)) -> Result<Message, HandlerError> {
    entered(&socket, &room)?;
    let text = checked("text", &text, LONGEST_TEXT).map_err(HandlerError::new)?;
    let name: String = socket.data()?.unwrap_or_default();
    let message = add(&socket, &room, &name, &text)?;
    socket.to(&room).emit("said", &message).await?;
    Ok(message)
}

fn entered(socket: &Socket, room: &String) -> Result<(), HandlerError> {
    if socket.rooms().contains(room) {
        Ok(())
    } else {
        Err(HandlerError::new("enter the room first"))
    }
}

/// Stores a message, and deletes the oldest one if there are too many.
fn add(socket: &Socket, room: &str, name: &str, text: &str) -> worker::Result<Message> {
    let messages = messages(socket)?;
    let insert = "INSERT INTO messages (room, name, text, at) VALUES (?, ?, ?, ?) RETURNING *";
    let at = Date::now().as_millis() as f64;
    let values = vec![room.into(), name.into(), text.into(), at.into()];
    let message: Message = messages.exec(insert, values)?.one()?;
    let oldest = f64::from(message.id.saturating_sub(KEPT));
    messages.exec("DELETE FROM messages WHERE id <= ?", vec![oldest.into()])?;
    Ok(message)
}

/// Returns the last messages of a room before this one, the oldest first.
fn page(socket: &Socket, room: &str, before: u32) -> worker::Result<Vec<Message>> {
    let select = "SELECT * FROM messages WHERE room = ? AND id < ? ORDER BY id DESC LIMIT ?";
    let values = vec![
        room.into(),
        f64::from(before).into(),
        f64::from(PAGE).into(),
    ];
    let mut page: Vec<Message> = messages(socket)?.exec(select, values)?.to_array()?;
    page.reverse();
    Ok(page)
}

fn messages(socket: &Socket) -> worker::Result<SqlStorage> {
    let sql = socket.storage().sql();
    let columns = "id INTEGER PRIMARY KEY, room TEXT, name TEXT, text TEXT, at REAL";
    sql.exec(
        &format!("CREATE TABLE IF NOT EXISTS messages ({columns})"),
        None,
    )?;
    sql.exec(
        "CREATE INDEX IF NOT EXISTS messages_of_room ON messages (room, id)",
        None,
    )?;
    Ok(sql)
}

/// Returns the text without white space around it, or what is wrong with it.
fn checked(what: &str, text: &str, longest: usize) -> Result<String, String> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(format!("{what} is empty")),
        length if length > longest => Err(format!("{what} has more than {longest} characters")),
        _ => Ok(text.to_owned()),
    }
}
