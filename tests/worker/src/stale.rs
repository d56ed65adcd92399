//! Handles that outlive their sockets. They are kept here by name, and used when the
//! client has left the namespace, or has joined it again.

use core::cell::RefCell;
use std::collections::BTreeMap;

use dormouse::{Ack, Args, DataError, EmitError, HandlerError, Namespace, Socket};
use futures::channel::oneshot;
use serde_json::{Value, json};

/// What a handler has taken, and holds on to.
#[derive(Clone)]
struct Kept {
    socket: Socket,
    ack: Ack,
}

thread_local! {
    static KEPT: RefCell<BTreeMap<String, Kept>> = const { RefCell::new(BTreeMap::new()) };
    /// Handlers that wait until they are released.
    static WAITING: RefCell<BTreeMap<String, oneshot::Sender<()>>> =
        const { RefCell::new(BTreeMap::new()) };
}

pub(crate) fn stale(namespace: Namespace) -> Namespace {
    namespace
        .on("keep", |socket: Socket, ack: Ack, (name,): (String,)| {
            KEPT.with_borrow_mut(|kept| kept.insert(name, Kept { socket, ack }));
        })
        .on("use", async |(name, what): (String, String)| {
            let kept = KEPT.with_borrow(|kept| kept.get(&name).cloned());
            match kept {
                Some(kept) => act(kept, &what).await,
                None => Err(HandlerError::new("nothing is kept by this name")),
            }
        })
        .on("drop", |(name,): (String,)| {
            KEPT.with_borrow_mut(|kept| kept.remove(&name)).is_some()
        })
        .on("wait", async |(name, value): (String, Value)| {
            let (sender, released) = oneshot::channel();
            WAITING.with_borrow_mut(|waiting| waiting.insert(name, sender));
            released.await.ok();
            value
        })
        .on("release", |(name,): (String,)| {
            let sender = WAITING.with_borrow_mut(|waiting| waiting.remove(&name));
            sender.is_some_and(|sender| sender.send(()).is_ok())
        })
}

async fn act(Kept { socket, ack }: Kept, what: &str) -> Result<Value, HandlerError> {
    Ok(match what {
        "look" => {
            let data: Option<Value> = socket.data()?;
            json!([socket.is_connected(), socket.rooms(), data])
        }
        "emit" => outcome(socket.emit("stale", ()).await),
        "emit_volatile" => outcome(socket.emit_volatile("stale", ()).await),
        "emit_with_ack" => {
            let answered = socket.emit_with_ack::<Args>("stale", ()).await;
            outcome(answered.map(drop))
        }
        "join" => outcome(socket.join("stale").await),
        "join no room" => outcome(socket.join([""; 0]).await),
        "leave" => outcome(socket.leave("new").await),
        "leave no room" => outcome(socket.leave([""; 0]).await),
        "set_data" => match socket.set_data(&"stale") {
            Ok(()) => "ok".into(),
            Err(DataError::Unknown) => "gone".into(),
            Err(error) => error.to_string().into(),
        },
        "edit_data" => match socket.edit_data(|data: &mut Value| *data = "stale".into()) {
            Ok(()) => "ok".into(),
            Err(DataError::Unknown) => "gone".into(),
            Err(error) => error.to_string().into(),
        },
        "disconnect" => {
            socket.disconnect().await;
            "ok".into()
        }
        "close" => {
            socket.close().await;
            "ok".into()
        }
        "acknowledge" => outcome(ack.send("stale").await),
        "broadcast" => outcome(socket.broadcast().emit("from the old one", ()).await),
        "to" => outcome(socket.to("new").emit("from the old one", ()).await),
        _ => return Err(HandlerError::new("unknown")),
    })
}

fn outcome(result: Result<(), EmitError>) -> Value {
    match result {
        Ok(()) => "ok".into(),
        Err(EmitError::Gone) => "gone".into(),
        Err(error) => error.to_string().into(),
    }
}
