//! The playground: a chat on Socket.IO, with what it costs, and an echo on Engine.IO, for the
//! pages in `www/`.

mod history;
mod usage;

use dormouse::engine::{Client, Engine, Message};
use dormouse::{
    App, Expired, HandlerError, Io, Level, Namespace, RateLimit, Reason, Recovered, Recovery,
    Refusal, Server, Socket,
};
use serde::{Deserialize, Serialize};
use worker::js_sys::Math;

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

/// The rooms that somebody can be in at once, and the people in a room: what one of
/// them does costs no more than they allow.
const MOST_ROOMS: usize = 10;
const MOST_PEOPLE: usize = 100;

/// Serves a chat of rooms, with names, presence, typing notices and a history.
fn chat() -> Server {
    Server::new()
        .log(Level::Info)
        .recovery(Recovery::default())
        .max_rooms(MOST_ROOMS)
        // More than anybody types; entering and leaving all the time is not free.
        .rate_limit(RateLimit::default().packets(10, 200).joins(1, 10))
        .namespace("/", |namespace: Namespace| {
            namespace
                .on_connect(welcome)
                .on("enter", enter)
                .on("leave", leave)
                .on("message", message)
                .on("typing", typing)
                .on("rename", rename)
                .on_disconnect(async |socket: Socket, _reason: Reason| {
                    tell(&socket, "gone", None, &person(&socket)?).await
                })
                .on_expired(gone_for_good)
        })
        .namespace(usage::NAMESPACE, usage::define)
        .on_usage(usage::tell)
}

/// Somebody, as the others know them. They are kept as their socket's data.
#[derive(Deserialize, Serialize)]
struct Person {
    /// At random. The socket's own id is not for others: with protocol 4 it lets them
    /// take over its session.
    id: u64,
    name: String,
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

/// What a client is told that has entered a room.
#[derive(Serialize)]
struct Entered {
    /// The client's own id.
    you: u64,
    history: Vec<history::Message>,
    people: Vec<Person>,
}

/// What the others are told of somebody: in one room, or in all that they share.
#[derive(Serialize)]
struct News<'a> {
    room: Option<&'a str>,
    person: &'a Person,
}

/// An acknowledgement without a value.
#[derive(Serialize)]
struct Done {}

/// Gives a new client an id, and shows the others one that has come back in time: it
/// is in its rooms again.
async fn welcome(socket: Socket, Recovered(recovered): Recovered) -> Result<(), Refusal> {
    if !recovered {
        let id = (Math::random() * 2_f64.powi(53)) as u64;
        let name = String::new();
        return Ok(socket.set_data(&Person { id, name })?);
    }
    let person = person(&socket)?;
    for room in &rooms(&socket) {
        tell(&socket, "entered", Some(room), &person).await?;
    }
    Ok(())
}

async fn enter(socket: Socket, (enter,): (Enter,)) -> Result<Entered, HandlerError> {
    let room = &checked("room", &enter.room, 40)?;
    let person = be_called(&socket, &enter.name).await?;
    let you = person.id;
    let mut people = people(&socket.io(), room).await?;
    let rooms = rooms(&socket);
    if !rooms.contains(room) {
        if rooms.len() >= MOST_ROOMS {
            return Err(HandlerError::new("leave another room first"));
        }
        if people.len() >= MOST_PEOPLE {
            return Err(HandlerError::new("the room is full"));
        }
        socket.join(room).await?;
        tell(&socket, "entered", Some(room), &person).await?;
        people.push(person);
    }
    let history = History::of(&socket).last(room)?;
    Ok(Entered {
        you,
        history,
        people,
    })
}

async fn leave(socket: Socket, (leave,): (Leave,)) -> Result<Done, HandlerError> {
    let room = &leave.room;
    if rooms(&socket).contains(room) {
        socket.leave(room).await?;
        tell(&socket, "left", Some(room), &person(&socket)?).await?;
    }
    Ok(Done {})
}

async fn message(socket: Socket, (say,): (Say,)) -> Result<history::Message, HandlerError> {
    let room = entered(&socket, say.room)?;
    let text = checked("text", &say.text, 2_000)?;
    let message = History::of(&socket).add(room, person(&socket)?.name, text)?;
    socket.to(&message.room).emit("message", &message).await?;
    Ok(message)
}

/// Tells the others that somebody is typing. What is volatile is not stored for those
/// who are away.
async fn typing(socket: Socket, (typing,): (Typing,)) -> Result<(), HandlerError> {
    let room = entered(&socket, typing.room)?;
    let notice = Typing {
        name: person(&socket)?.name,
        typing: typing.typing,
        room: room.clone(),
    };
    socket.to(room).volatile().emit("typing", notice).await?;
    Ok(())
}

async fn rename(socket: Socket, (rename,): (Rename,)) -> Result<Done, HandlerError> {
    be_called(&socket, &rename.name).await?;
    Ok(Done {})
}

/// Gives somebody a name, and tells the others if it is another.
async fn be_called(socket: &Socket, name: &str) -> Result<Person, HandlerError> {
    let name = checked("name", name, 30)?;
    let mut person = person(socket)?;
    if person.name != name {
        person.name = name;
        socket.set_data(&person)?;
        tell(socket, "renamed", None, &person).await?;
    }
    Ok(person)
}

/// Tells the others that somebody has not come back, who may have been cut off
/// without a word.
async fn gone_for_good(io: Io, expired: Expired) -> Result<(), HandlerError> {
    let others = expired.rooms().filter(|room| *room != expired.id());
    let others: Vec<&str> = others.collect();
    if let Some(person) = &expired.data()?
        && !others.is_empty()
    {
        let news = News { room: None, person };
        io.to(others).emit("gone", news).await?;
    }
    Ok(())
}

/// Tells the others in a room, or in all of a socket's rooms. It is one event either
/// way, which is stored once, and nobody gets it twice.
async fn tell(
    socket: &Socket,
    event: &str,
    room: Option<&str>,
    person: &Person,
) -> Result<(), HandlerError> {
    let rooms = room.map_or_else(|| rooms(socket), |room| vec![room.to_owned()]);
    // To no rooms would be to everybody.
    if !rooms.is_empty() {
        socket.to(rooms).emit(event, News { room, person }).await?;
    }
    Ok(())
}

/// Returns the rooms that a socket has entered. It is in that of its own id as well.
fn rooms(socket: &Socket) -> Vec<String> {
    let mut rooms = socket.rooms();
    rooms.retain(|room| room != socket.id());
    rooms
}

async fn people(io: &Io, room: &str) -> Result<Vec<Person>, HandlerError> {
    let sockets = io.to(room).fetch_sockets().await?;
    let people = sockets.iter().map(|socket| socket.data());
    Ok(people
        .filter_map(Result::transpose)
        .collect::<Result<_, _>>()?)
}

fn person(socket: &Socket) -> Result<Person, HandlerError> {
    let person = socket.data()?;
    person.ok_or_else(|| HandlerError::new("connect again"))
}

fn entered(socket: &Socket, room: String) -> Result<String, HandlerError> {
    if rooms(socket).contains(&room) {
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
