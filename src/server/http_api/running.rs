//! Doing what was asked.

use dormouse_proto::cluster::Missing;

use super::answer::{Answered, Outcome, Refused};
use super::operation::{Operation, What};
use crate::log::{self, Level};
use crate::port::remote::RemotePort;
use crate::port::{Page, Port as _, PortError, Remote, Reply, Request, Target};

/// Carries out an operation. With `once`, it is refused if one that is known by the same
/// was carried out before.
pub(super) async fn run(
    port: &RemotePort,
    operation: Operation,
    once: Option<String>,
) -> Result<Answered, Refused> {
    let Operation {
        key,
        selection,
        what,
    } = operation;
    let mut port = port.clone();
    if let Some(key) = key {
        port = port.with_key(&key);
    }
    if let Some(once) = once {
        port = port.once(once);
    }
    let page = match &what {
        What::Sockets(page) | What::Rooms(page) => Some(page.clone()),
        What::Emit { .. }
        | What::Ask(..)
        | What::Join(_)
        | What::Leave(_)
        | What::Disconnect { .. }
        | What::Count => None,
    };
    let request = Request::Operate(Target::Sockets(selection), what.into_operation());
    let failed = |error: &PortError| {
        let fields = [("message", &*error.to_string())];
        log::log(&port.options().log, Level::Error, "api failed", &fields);
        let message = "the object that holds the sockets could not be reached";
        Err(Refused::new(503, "unavailable", message))
    };
    let (reply, missing) = match port.call(request).reply().await {
        Ok(Reply::Partial(reply, missing)) => (Ok(*reply), missing),
        reply => (reply, Missing::default()),
    };
    let outcome = match reply {
        Ok(Reply::Done) => Ok(Outcome::Done),
        Ok(Reply::Acks(acks)) => Ok(Outcome::Acks(acks)),
        Ok(Reply::Count(count)) => Ok(Outcome::Count(count)),
        Ok(Reply::Sockets(sockets)) => {
            let next = next(page.as_ref(), &sockets, Remote::bytes, |it| &it.id);
            Ok(Outcome::Sockets(sockets, next))
        }
        Ok(Reply::RoomSizes(rooms)) => {
            let next = next(page.as_ref(), &rooms, |(name, _)| name.len(), |it| &it.0);
            Ok(Outcome::Rooms(rooms, next))
        }
        Ok(
            Reply::Transport(_)
            | Reply::Cluster(_)
            | Reply::Partial(..)
            | Reply::Json(_)
            | Reply::Flag(_)
            | Reply::Rooms(_)
            | Reply::Handshake(..)
            | Reply::Census(_),
        ) => failed(&PortError::Answer),
        Err(PortError::Repeated) => Err(Refused::new(
            409,
            "repeated",
            "this signed request has been carried out already",
        )),
        Err(error) => failed(&error),
    };
    outcome.map(|outcome| Answered { outcome, missing })
}

/// Returns the name after which the next page begins, if there may be one.
fn next<T>(
    page: Option<&Page>,
    items: &[T],
    bytes: impl Fn(&T) -> usize,
    name: impl Fn(&T) -> &String,
) -> Option<String> {
    let sum = items.iter().map(bytes).sum();
    let last = items.last()?;
    page?.is_full(items.len(), sum).then(|| name(last).clone())
}
