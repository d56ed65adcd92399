//! Answers of another kind than what was asked: they are errors, and never nothing.

use core::task::{Context, Poll, Waker};
use std::rc::Rc;

use dormouse_proto::engine::Transport;
use dormouse_proto::socket::JoinId;
use futures::future::LocalBoxFuture;
use wasm_bindgen_test::wasm_bindgen_test;
use worker::Env;

use crate::api::client::SessionError;
use crate::api::endpoint::Endpoint;
use crate::api::{EmitError, Io, Server, Socket};
use crate::log::Level;
use crate::port::watch::Watched;
use crate::port::{Address, Called, LocalPort, Memory, Port, Reply, Request, Spot};
use crate::sid::Key;

/// A port that answers everything with the same.
struct Always(fn() -> Reply);

impl Port for Always {
    fn call(&self, _request: Request<'_>) -> Called {
        (self.0)().into()
    }

    fn env(&self) -> &Env {
        unreachable!("nobody asks for a binding")
    }
}

impl LocalPort for Always {
    fn id(&self) -> &str {
        "the object"
    }

    fn storage(&self) -> worker::durable::Storage {
        unreachable!("nobody asks for the storage")
    }

    fn spawn(&self, _session: Key, _task: LocalBoxFuture<'static, ()>) {}

    fn spawn_for_all(
        &self,
        _name: &str,
        _task: LocalBoxFuture<'static, Result<(), String>>,
    ) -> Option<bool> {
        Some(true)
    }

    fn memory(&self) -> &Memory {
        unreachable!("nobody keeps anything")
    }

    fn watched(&self) -> &Watched {
        unreachable!("nobody watches")
    }

    fn meter(&self) -> &crate::usage::Meter {
        unreachable!("nothing is counted")
    }

    fn is_one_of_many(&self) -> bool {
        false
    }

    fn log(&self, _level: Level, _event: &'static str, _fields: &[(&str, &str)]) {}
}

/// What comes of a future that has nothing to wait for.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = Box::pin(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

fn handles(reply: fn() -> Reply) -> (Io, Socket) {
    let endpoint = Endpoint::from(Server::new().namespace("/", |namespace| namespace));
    let application = endpoint.socket().unwrap().clone();
    let port: Rc<dyn LocalPort> = Rc::new(Always(reply));
    let address = Rc::new(Address {
        spot: Spot::new([1; 12], JoinId(1)),
        namespace: "/".into(),
        id: "id".into(),
    });
    let io = Io::local(port.clone(), application.clone(), &address.namespace);
    (io, Socket::new(port, application, address))
}

fn is_error<T>(outcome: &Result<T, EmitError>) -> bool {
    matches!(outcome, Err(EmitError::Platform(_)))
}

#[wasm_bindgen_test(unsupported = test)]
fn sockets_are_fetched_from_an_answer_that_has_them() {
    let replies: [fn() -> Reply; 4] = [
        || Reply::Done,
        || Reply::Transport(Transport::Polling),
        || Reply::Acks(Vec::new()),
        || Reply::Rooms(Vec::new()),
    ];
    for reply in replies {
        let (io, _) = handles(reply);
        assert!(is_error(&now(io.fetch_sockets())), "{:?}", reply());
        assert!(is_error(&now(io.to("a").fetch_sockets())), "{:?}", reply());
    }
    let (io, _) = handles(|| Reply::Sockets(Vec::new()));
    assert!(now(io.fetch_sockets()).unwrap().is_empty());
}

#[wasm_bindgen_test(unsupported = test)]
fn numbers_rooms_and_data_come_in_answers_that_have_them() {
    let (io, socket) = handles(|| Reply::Done);
    assert!(is_error(&now(io.count())));
    assert!(is_error(&now(io.rooms())));
    let data = now(io.data::<u8>("id"));
    assert!(matches!(data, Err(SessionError::Platform(_))));
    assert_eq!(socket.transport(), None);
    let (io, _) = handles(|| Reply::Count(3));
    assert_eq!(now(io.to("a").count()).unwrap(), 3);
    let (io, _) = handles(|| Reply::RoomSizes(vec![("a".to_owned(), 2)]));
    let rooms = now(io.rooms()).unwrap();
    let rooms: Vec<_> = rooms
        .iter()
        .map(|room| (&*room.name, room.sockets))
        .collect();
    assert_eq!(rooms, [("a", 2)]);
    let (io, _) = handles(|| Reply::Json(Some("7".to_owned())));
    assert_eq!(now(io.data::<u8>("id")).unwrap(), Some(7));
    let (_, socket) = handles(|| Reply::Transport(Transport::WebSocket));
    assert_eq!(socket.transport(), Some(Transport::WebSocket));
}

#[wasm_bindgen_test(unsupported = test)]
fn acknowledgements_come_in_an_answer_that_has_them() {
    let replies: [fn() -> Reply; 3] = [
        || Reply::Done,
        || Reply::Transport(Transport::Polling),
        || Reply::Sockets(Vec::new()),
    ];
    for reply in replies {
        let (io, socket) = handles(reply);
        let many = now(io.all().emit_with_ack::<(u8,)>("e", ()));
        assert!(is_error(&many), "{:?}", reply());
        let one = now(socket.emit_with_ack::<(u8,)>("e", ()));
        assert!(is_error(&one), "{:?}", reply());
    }
    let (io, socket) = handles(|| Reply::Acks(Vec::new()));
    let many = now(io.all().emit_with_ack::<(u8,)>("e", ()));
    assert!(many.unwrap().is_empty());
    let one = now(socket.emit_with_ack::<(u8,)>("e", ()));
    assert!(matches!(one, Err(EmitError::Gone)));
}
