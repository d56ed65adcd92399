//! A layer on the fake of the platform, and clients that have joined namespaces.

use dormouse_proto::socket::{Admission, JoinId};
use web_sys::WebSocket;

use super::*;
use crate::api::Server;
use crate::in_browser::object::{FakeObject, key, object};
use crate::in_browser::request;
use crate::log::Log;
use crate::options::Options;
use crate::parts::Phase;
use crate::platform::now;
use crate::port::Spot;
use crate::request::StoredHandshake;

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
    let endpoint = Rc::new(Endpoint::from(server));
    let object = object(Options {
        log: Log::off(),
        ..Options::default()
    });
    let port: Rc<dyn LocalPort> = object.clone();
    let application = endpoint.socket().unwrap();
    let Sockets(cx) = Sockets::new(application, &endpoint, &object.parts, Rc::downgrade(&port));
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
