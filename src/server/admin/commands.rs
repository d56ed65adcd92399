//! What those who watch may do: send events, disconnect sockets, have them join and leave
//! rooms.

use std::rc::Rc;

use serde::Deserialize;

use super::Admin;
use crate::api::error::HandlerError;
use crate::api::{Args, Broadcast, EmitError, Io, Namespace};

/// The names of rooms: one, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    Several(Vec<String>),
}

impl Names {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name],
            Self::Several(names) => names,
        }
    }
}

/// Registers the handlers of all commands.
pub(super) fn register(admin: &Rc<Admin>, namespace: Namespace) -> Namespace {
    if admin.read_only {
        let refuse = || Err::<(), _>(HandlerError::new("this is for reading alone"));
        let names = ["emit", "join", "leave", "_disconnect"];
        return names
            .into_iter()
            .fold(namespace, |namespace, name| namespace.on(name, refuse));
    }
    namespace
        .on("emit", emit)
        .on(
            "join",
            async |io: Io, args: (String, Names, Option<Names>)| {
                let (namespace, rooms, filter) = args;
                let sockets = addressed(&io, &namespace, filter)?;
                told(sockets.join(rooms.into_vec()).await)
            },
        )
        .on(
            "leave",
            async |io: Io, args: (String, Names, Option<Names>)| {
                let (namespace, rooms, filter) = args;
                let sockets = addressed(&io, &namespace, filter)?;
                told(sockets.leave(rooms.into_vec()).await)
            },
        )
        .on("_disconnect", disconnect)
}

async fn emit(io: Io, args: Args) -> Result<(), HandlerError> {
    let parsed = args.parse::<(String, Option<Names>, String)>();
    let (namespace, filter, event) = parsed.map_err(HandlerError::new)?;
    let sockets = addressed(&io, &namespace, filter)?;
    told(sockets.emit(&event, args.skip(3)).await)
}

async fn disconnect(
    io: Io,
    (namespace, close, filter): (String, Option<bool>, Option<Names>),
) -> Result<(), HandlerError> {
    let sockets = addressed(&io, &namespace, filter)?;
    told(match close {
        Some(true) => sockets.close().await,
        Some(false) | None => sockets.disconnect().await,
    })
}

/// Has whoever gave a command read what has not been done.
fn told(done: Result<(), EmitError>) -> Result<(), HandlerError> {
    done.map_err(HandlerError::new)
}

/// Returns the sockets that a command is for: all of a namespace, or those in rooms, which
/// are also called by the ids of sockets.
fn addressed(io: &Io, namespace: &str, filter: Option<Names>) -> Result<Broadcast, HandlerError> {
    if !io.may_have(namespace) {
        return Err(HandlerError::new(format!(
            "there is no namespace {namespace}"
        )));
    }
    let io = io.of(namespace);
    let rooms = filter.map(Names::into_vec).unwrap_or_default();
    // As the reference server has it, no name is no filter.
    match &*rooms {
        [name] if name.is_empty() => Ok(io.all()),
        _ => Ok(io.to(rooms)),
    }
}
