//! The playground: a chat on Socket.IO, and an echo on Engine.IO, for the pages in
//! `www/`.

mod history;

use dormouse::engine::{Client, Engine, Message};
use dormouse::{
    App, DataError, EmitError, HandlerError, Io, Level, Namespace, Reason, Recovered, Recovery,
    Server, Socket,
};
use serde::{Deserialize, Serialize};

use history::History;

fn app() -> App {
    App::new().server(chat()).engine(echo())
}

/// Echoes whatever a client sends.
fn echo() -> Engine {
    Engine::new()
        .log(Level::Info)
        .on_message(async |client: Client, message: Message| client.send(message).await)
}

/// Serves a chat of rooms, with names, presence, typing notices and a history.
fn chat() -> Server {
    Server::new()
        .log(Level::Info)
        .recovery(Recovery::default())
        .namespace("/", |namespace: Namespace| {
            namespace
                .on_connect(welcome)
                .on("enter", enter)
                .on("leave", leave)
                .on("message", message)
                .on("typing", typing)
                .on("rename", rename)
                .on_disconnect(async |socket: Socket, _reason: Reason| show_all(&socket).await)
        })
}

#[derive(Deserialize)]
struct Enter {
    name: String,
    room: String,
}

#[derive(Deserialize)]
struct Leave {
    room: String,
}

#[derive(Deserialize)]
struct Say {
    room: String,
    text: String,
}

#[derive(Deserialize, Serialize)]
struct Typing {
    room: String,
    #[serde(default)]
    name: String,
    typing: bool,
}

#[derive(Deserialize)]
struct Rename {
    name: String,
}

#[derive(Serialize)]
struct Person {
    id: String,
    name: String,
}

#[derive(Serialize)]
struct Presence<'a> {
    room: &'a str,
    people: Vec<Person>,
}

#[derive(Serialize)]
struct Entered {
    history: Vec<history::Message>,
    people: Vec<Person>,
}

/// An acknowledgement without a value.
#[derive(Serialize)]
struct Done {}

/// Shows the others a client that has come back in time: it is in its rooms again.
async fn welcome(socket: Socket, Recovered(recovered): Recovered) -> Result<(), EmitError> {
    if recovered {
        show_all(&socket).await?;
    }
    Ok(())
}

async fn enter(socket: Socket, (enter,): (Enter,)) -> Result<Entered, HandlerError> {
    let name = checked("name", &enter.name, 30)?;
    let room = checked("room", &enter.room, 40)?;
    socket.set_data(&name)?;
    socket.join(&room).await?;
    show(&socket, &room).await?;
    Ok(Entered {
        history: History::of(&socket).last(&room)?,
        people: people(&socket.io(), &room).await?,
    })
}

async fn leave(socket: Socket, (leave,): (Leave,)) -> Result<Done, EmitError> {
    socket.leave(&leave.room).await?;
    show(&socket, &leave.room).await?;
    Ok(Done {})
}

async fn message(socket: Socket, (say,): (Say,)) -> Result<history::Message, HandlerError> {
    let room = entered(&socket, say.room)?;
    let text = checked("text", &say.text, 2_000)?;
    let message = History::of(&socket).add(room, name(&socket)?, text)?;
    socket.to(&message.room).emit("message", &message).await?;
    Ok(message)
}

async fn typing(socket: Socket, (typing,): (Typing,)) -> Result<(), HandlerError> {
    let room = entered(&socket, typing.room)?;
    let notice = Typing {
        name: name(&socket)?,
        typing: typing.typing,
        room: room.clone(),
    };
    socket.to(room).volatile().emit("typing", notice).await?;
    Ok(())
}

async fn rename(socket: Socket, (rename,): (Rename,)) -> Result<Done, HandlerError> {
    socket.set_data(&checked("name", &rename.name, 30)?)?;
    show_all(&socket).await?;
    Ok(Done {})
}

/// Tells the others in a room who is there now.
async fn show(socket: &Socket, room: &str) -> Result<(), EmitError> {
    let people = people(&socket.io(), room).await?;
    socket
        .to(room)
        .emit("presence", Presence { room, people })
        .await
}

async fn show_all(socket: &Socket) -> Result<(), EmitError> {
    for room in socket.rooms().iter().filter(|room| *room != socket.id()) {
        show(socket, room).await?;
    }
    Ok(())
}

async fn people(io: &Io, room: &str) -> Result<Vec<Person>, EmitError> {
    let sockets = io.to(room).fetch_sockets().await?;
    let people = sockets.iter().map(|socket| Person {
        id: socket.id().to_owned(),
        name: socket.data().ok().flatten().unwrap_or_default(),
    });
    Ok(people.collect())
}

fn name(socket: &Socket) -> Result<String, DataError> {
    Ok(socket.data()?.unwrap_or_default())
}

fn entered(socket: &Socket, room: String) -> Result<String, HandlerError> {
    if socket.rooms().contains(&room) {
        Ok(room)
    } else {
        Err(HandlerError::new("enter the room first"))
    }
}

/// Returns the text without white space around it, if it is neither empty nor too
/// long.
fn checked(what: &str, text: &str, most: usize) -> Result<String, HandlerError> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(HandlerError::new(format_args!("{what} is empty"))),
        length if length > most => Err(HandlerError::new(format_args!(
            "{what} has more than {most} characters"
        ))),
        _ => Ok(text.to_owned()),
    }
}

dormouse::worker!(app);
