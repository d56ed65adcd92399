//~ is not a handler
//~ this is not a function of at most eight arguments
//~ an event's arguments count as one: they are taken as one tuple
use dormouse::{Ack, Args, EventName, Io, Namespace, Socket};

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on(
        "say",
        |_: Socket, _: Ack, _: Args, _: EventName, _: Io, _: Socket, _: Io, _: Socket, _: Io| (),
    )
}
