//! Private messages, which wait for whoever is away. Each is a row in the object's SQLite
//! until one of its receiver's devices says that it has been seen. All devices of both
//! users get it, and a device that connects gets what has not been seen.

use dormouse::{Auth, HandlerError, Namespace, Refusal, Server, Socket};
use serde::{Deserialize, Serialize};
use worker::{Date, SqlStorage};

/// The messages that may wait for a user.
const MOST: u32 = 500;
const LONGEST: usize = 2_000;

#[derive(Deserialize)]
struct Login {
    name: String,
}

#[derive(Deserialize, Serialize)]
struct Message {
    /// Ids only grow. A device may get a message twice, and knows it by this.
    id: u32,
    sender: String,
    receiver: String,
    text: String,
    /// Milliseconds since 1970.
    at: f64,
}

pub(crate) fn server() -> Server {
    Server::new().namespace("/", |namespace: Namespace| {
        namespace
            .on_connect(enter)
            .on("send", send)
            .on("seen", seen)
    })
}

/// The room of a user's devices.
fn room(name: &str) -> String {
    format!("user {name}")
}

async fn enter(socket: Socket, Auth(Login { name }): Auth<Login>) -> Result<(), Refusal> {
    // Check who it is: see `tokens.rs`.
    socket.join(room(&name)).await?;
    socket.set_data(&name)?;
    socket.emit("unseen", [unseen(&socket, &name)?]).await?;
    Ok(())
}

/// Sends a message, which is the acknowledgement: it is safe then.
async fn send(socket: Socket, (receiver, text): (String, String)) -> Result<Message, HandlerError> {
    let sender = name(&socket)?;
    if text.is_empty() || text.len() > LONGEST {
        return Err(HandlerError::new(format_args!(
            "a text has 1 to {LONGEST} bytes"
        )));
    }
    // Check that there is such a user, and that they want to hear from the sender.
    let message = add(&socket, &sender, &receiver, &text)?
        .ok_or_else(|| HandlerError::new("too much waits for them already"))?;
    let devices = [room(&sender), room(&receiver)];
    socket.to(devices).emit("message", &message).await?;
    Ok(message)
}

/// One device has shown all messages up to this one. The others need not.
async fn seen(socket: Socket, (id,): (u32,)) -> Result<(), HandlerError> {
    let name = name(&socket)?;
    let delete = "DELETE FROM messages WHERE receiver = ? AND id <= ?";
    messages(&socket)?.exec(delete, vec![(&*name).into(), f64::from(id).into()])?;
    socket.to(room(&name)).emit("seen", id).await?;
    Ok(())
}

fn name(socket: &Socket) -> Result<String, HandlerError> {
    socket
        .data()?
        .ok_or_else(|| HandlerError::new("connect again"))
}

/// Stores a message, unless there are too many for this receiver.
fn add(
    socket: &Socket,
    sender: &str,
    receiver: &str,
    text: &str,
) -> worker::Result<Option<Message>> {
    let insert = "INSERT INTO messages (sender, receiver, text, at) SELECT ?1, ?2, ?3, ?4 \
                  WHERE (SELECT count(*) FROM messages WHERE receiver = ?2) < ?5 RETURNING *";
    let at = Date::now().as_millis() as f64;
    let most = f64::from(MOST);
    let values = vec![
        sender.into(),
        receiver.into(),
        text.into(),
        at.into(),
        most.into(),
    ];
    let added: Vec<Message> = messages(socket)?.exec(insert, values)?.to_array()?;
    Ok(added.into_iter().next())
}

fn unseen(socket: &Socket, receiver: &str) -> worker::Result<Vec<Message>> {
    let select = "SELECT * FROM messages WHERE receiver = ? ORDER BY id";
    messages(socket)?
        .exec(select, vec![receiver.into()])?
        .to_array()
}

fn messages(socket: &Socket) -> worker::Result<SqlStorage> {
    let sql = socket.storage().sql();
    // `AUTOINCREMENT`: otherwise the last one's id would be used again when it is deleted.
    let columns = "id INTEGER PRIMARY KEY AUTOINCREMENT, \
                   sender TEXT, receiver TEXT, text TEXT, at REAL";
    sql.exec(
        &format!("CREATE TABLE IF NOT EXISTS messages ({columns})"),
        None,
    )?;
    sql.exec(
        "CREATE INDEX IF NOT EXISTS inboxes ON messages (receiver, id)",
        None,
    )?;
    Ok(sql)
}
