//! A layer on the fake of the platform, and clients that have joined namespaces.

use dormouse_proto::engine::Data;
use dormouse_proto::socket::{Admission, JoinId};
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::WebSocket;

use super::*;
use crate::api::{Server, Socket};
use crate::in_browser::object::{FakeObject, key, object};
use crate::in_browser::platform::done;
use crate::in_browser::{js, request};
use crate::log::Log;
use crate::options::Options;
use crate::parts::Phase;
use crate::platform::now;
use crate::port::Spot;
use crate::request::StoredHandshake;
use crate::table::LOOK_UPS;

pub(super) struct Rig {
    pub(super) object: Rc<FakeObject>,
    pub(super) cx: Rc<Context>,
}

/// A handshake as it is stored.
pub(super) fn handshake() -> StoredHandshake {
    let url = "https://example.com/socket.io/?EIO=4&room=1";
    let request = request("GET", url, &[("user-agent", "test")]);
    origins::handshake(&Options::default(), &request).hold(&[])
}

/// An object with the layer of a server that has the namespaces `/` and `/chat`.
pub(super) fn made() -> Rig {
    let server = Server::new()
        .namespace("/", |namespace| namespace)
        .namespace("/chat", |namespace| namespace);
    made_of(server)
}

/// An object with the layer of this server.
fn made_of(server: Server) -> Rig {
    let endpoint = Rc::new(Endpoint::from(server));
    let object = object(Options {
        log: Log::off(),
        ..Options::default()
    });
    let port: Rc<dyn LocalPort> = object.clone();
    let application = endpoint.socket().unwrap();
    let sockets = Sockets::new(application, &endpoint, &object.parts, Rc::downgrade(&port));
    let cx = sockets.0.clone();
    assert!(object.layer.set(Rc::new(sockets)).is_ok());
    Rig { object, cx }
}

impl Rig {
    /// Adds a client on a WebSocket, who has joined nothing yet.
    pub(super) fn add(&self, number: u8, protocol: Protocol) -> WebSocket {
        let socket = self.object.add_on_socket(number, Phase::Open);
        let settings = self.cx.application.settings;
        let mut connection = Connection::open(now(), settings, protocol);
        while connection.poll_output().is_some() {}
        let client = ClientEntry::open(connection, handshake(), &[]).0;
        self.cx.clients.insert(key(number), client);
        socket
    }

    /// Has a client ask for a namespace; the id of its socket there is given.
    pub(super) fn begin(&self, number: u8, namespace: &str, id: &str) -> Spot {
        let begin =
            |client: &mut ClientEntry| client.connection.begin(namespace, Admission::new(id));
        let join = self.cx.clients.with(key(number), begin).unwrap();
        Spot::new(key(number), join)
    }

    /// The same, and lets it in.
    pub(super) fn join(&self, number: u8, namespace: &str, id: &str) -> Spot {
        let spot = self.begin(number, namespace, id);
        self.with(spot, |client, join| assert!(client.connection.accept(join)));
        spot
    }

    /// Does something with a client, and then what its connection asks.
    pub(super) fn with<T>(
        &self,
        spot: Spot,
        change: impl FnOnce(&mut ClientEntry, JoinId) -> T,
    ) -> T {
        let change = |client: &mut ClientEntry| change(client, spot.join);
        let result = self.cx.clients.with(spot.session, change).unwrap();
        self.cx.run_outputs(spot.session);
        result
    }
}

/// What a client was sent since it was connected.
pub(super) fn sent(socket: &WebSocket) -> String {
    let done = done(socket);
    js("x.done.length = 0;", socket);
    done
}

/// Counts the look-ups in tables that a client's message takes.
fn look_ups(rig: &Rig, spot: Spot, text: &str) -> usize {
    let before = LOOK_UPS.get();
    let turn = &rig.object.parts.turn;
    turn.run(|| events::handle_message(&rig.cx, spot.session, Data::from(text)));
    LOOK_UPS.get() - before
}

/// A number that falls is put down here; one that rises has a reason.
#[wasm_bindgen_test]
fn what_messages_look_for() {
    let rig = made_of(Server::new().namespace("/", |namespace| {
        namespace
            .on("echo", async |socket: Socket, (text,): (String,)| {
                socket.emit("echo", text).await
            })
            .on("ack", |(text,): (String,)| text)
            .on("nothing", |(_,): (String,)| {})
    }));
    let socket = rig.add(1, Protocol::V5);
    let spot = rig.join(1, "/", "id");
    let all = [
        r#"2["nothing","x"]"#,
        r#"27["ack","x"]"#,
        r#"2["echo","x"]"#,
    ];
    assert_eq!(all.map(|text| look_ups(&rig, spot, text)), [5, 7, 11]);
    assert!(sent(&socket).ends_with(r#"42["echo","x"]"#));
}
