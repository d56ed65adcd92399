//! Doing what a back end has answered.

use super::answer::{Action, Target, What};
use crate::api::{Broadcast, EmitError, Io, Socket};

/// Returns what is wrong with actions that name a namespace which the server does not have.
pub(super) fn check(actions: &[Action], io: &Io) -> Result<(), String> {
    for (index, Action { target, .. }) in actions.iter().enumerate() {
        if let Target::Others {
            namespace: Some(name),
            ..
        } = target
            && !io.may_have(name)
        {
            return Err(format!(
                "actions[{index}]: the namespace `{name}` is not defined"
            ));
        }
    }
    Ok(())
}

/// Carries out actions, in order. `socket` is the one that the call was about, unless it
/// has gone. The first action that fails ends it.
pub(super) async fn carry_out(
    actions: Vec<Action>,
    io: &Io,
    socket: Option<&Socket>,
) -> Result<(), EmitError> {
    for Action { target, what } in actions {
        match (target, socket) {
            (Target::Itself, Some(socket)) => unless_gone(to_itself(what, socket).await)?,
            // Nobody is meant: answers to calls about sockets that have gone have none.
            (Target::Itself, None) => {}
            (
                Target::Others {
                    namespace,
                    rooms,
                    except,
                    local,
                },
                _,
            ) => {
                let io = namespace.map_or_else(|| io.clone(), |name| io.of(&name));
                let mut sockets = io.to(rooms).except(except);
                if local {
                    sockets = sockets.local();
                }
                to_others(what, sockets).await?;
            }
        }
    }
    Ok(())
}

/// A socket may leave while the back end is asked about it.
pub(super) fn unless_gone(outcome: Result<(), EmitError>) -> Result<(), EmitError> {
    match outcome {
        Err(EmitError::Gone) => Ok(()),
        other => other,
    }
}

async fn to_itself(what: What, socket: &Socket) -> Result<(), EmitError> {
    match what {
        What::Emit {
            event,
            args,
            volatile: false,
        } => socket.emit(&event, args).await,
        What::Emit { event, args, .. } => socket.emit_volatile(&event, args).await,
        What::Join(rooms) => socket.join(rooms).await,
        What::Leave(rooms) => socket.leave(rooms).await,
        What::Disconnect { close } => {
            match close {
                true => socket.close().await,
                false => socket.disconnect().await,
            }
            Ok(())
        }
    }
}

async fn to_others(what: What, sockets: Broadcast) -> Result<(), EmitError> {
    match what {
        What::Emit {
            event,
            args,
            volatile,
        } => {
            let sockets = match volatile {
                true => sockets.volatile(),
                false => sockets,
            };
            sockets.emit(&event, args).await
        }
        What::Join(rooms) => sockets.join(rooms).await,
        What::Leave(rooms) => sockets.leave(rooms).await,
        What::Disconnect { close: true } => sockets.close().await,
        What::Disconnect { close: false } => sockets.disconnect().await,
    }
}
