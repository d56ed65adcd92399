//! Clients that join namespaces.

use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::socket::{self, Auth, Client, ConnectRequest, INVALID_NAMESPACE};

use serde::Serializer as _;

use super::outgoing::Outgoing;
use super::recovery::Recovered;
use crate::io::{Call, ConnectContext, Handlers, JoinRequest, Refusal, Socket};
use crate::log::Level;
use crate::object::Shell;
use crate::query;
use crate::request::KeptHandshake;
use crate::sid::Key;

/// How long a client waits for the application to decide whether it may join.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// What a client is told whose handler has panicked or taken too long.
const BROKEN_OFF: &str = "Internal server error";

/// A client that is about to join a namespace.
struct Joining {
    socket: Socket,
    handlers: Rc<Handlers>,
    handshake: Rc<KeptHandshake>,
    /// What it says of itself, as JSON.
    auth: String,
    recovered: Option<Recovered>,
    skip_middlewares: bool,
}

impl Shell {
    /// Takes up the requests to join that did not come by a packet, or had to
    /// wait.
    pub(in crate::object) fn join_waiting(&self, key: Key) {
        while let Some(request) = self.with_io(key, |io| io.client.next_request()).flatten() {
            self.handle_connect_request(key, request);
        }
    }

    pub(super) fn handle_connect_request(&self, key: Key, request: ConnectRequest<'_>) {
        let namespace = &*request.namespace;
        let auth = auth_as_json(&request.auth);
        let (Some(shell), Some(application)) = (self.me.upgrade(), self.application()) else {
            return;
        };
        let Some((handshake, protocol)) =
            self.with_io(key, |io| (io.handshake.clone(), io.client.protocol()))
        else {
            return;
        };
        let wanted = JoinRequest::new(namespace, &auth, &handshake);
        let Some((definition, handlers)) = application.find(&wanted) else {
            return self.refuse_to_join(key, namespace, &Refusal::new(INVALID_NAMESPACE));
        };
        let recovered = self.recover(key, namespace, &auth);
        let id = match (&recovered, self.sid(key)) {
            (Some(recovered), _) => Some(recovered.kept.id.clone()),
            (None, Some(sid)) => Client::socket_id(protocol, &sid.to_string(), namespace),
            (None, None) => None,
        };
        let id = id.unwrap_or_else(|| self.new_socket_id());
        let pid = self.new_pid(protocol, recovered.as_ref());
        self.with_io(key, |io| {
            let mut socket = socket::Socket::new(id.clone(), definition);
            socket.pid = pid;
            if let Some(Recovered { kept, .. }) = &recovered {
                socket.rooms = kept.rooms.clone();
                socket.data = kept.data.clone();
                io.with_beside(namespace, |beside| beside.since = Some(kept.since));
            }
            io.client.begin(namespace, socket);
        });
        let skip = application
            .recovery
            .as_ref()
            .is_some_and(|it| it.skip_middlewares);
        self.run_joining(Joining {
            socket: Socket::new(shell, key, namespace.into(), &id),
            handlers,
            handshake,
            auth,
            skip_middlewares: skip && recovered.is_some(),
            recovered,
        });
    }

    /// Asks the application.
    fn run_joining(&self, joining: Joining) {
        let key = joining.socket.key();
        let namespace: Rc<str> = joining.socket.namespace().into();
        let asked = async move {
            let decision = joining.ask().await;
            (decision, joining.recovered)
        };
        let finish = {
            let namespace = namespace.clone();
            move |shell: &Shell, decided: Option<(Result<(), Refusal>, Option<Recovered>)>| {
                match decided {
                    Some((Ok(()), recovered)) => shell.let_in(key, &namespace, recovered),
                    Some((Err(refusal), _)) => shell.refuse_to_join(key, &namespace, &refusal),
                    None => {
                        let fields = [("namespace", &*namespace)];
                        shell.log(Level::Warn, "connect handler dropped", key, &fields);
                        shell.break_off(key, &namespace);
                    }
                }
            }
        };
        self.run_within(CONNECT_LIMIT, key, "connect", Box::pin(asked), finish);
    }

    /// The application wants this client in this namespace.
    fn let_in(&self, key: Key, namespace: &str, recovered: Option<Recovered>) {
        let accepted = self
            .with_io(key, |io| io.client.accept(namespace))
            .flatten();
        let Some(accepted) = accepted else {
            return self.lose_after_all(key, namespace);
        };
        let was_recovered = recovered.is_some();
        // Recovery: what was missed comes before the client knows that it is
        // connected.
        if let Some(recovered) = recovered {
            self.send_missed(key, namespace, recovered);
        }
        self.send_packet(key, accepted);
        let held = self.with_io(key, |io| {
            io.with_beside(namespace, |beside| core::mem::take(&mut beside.held))
        });
        let now = self.now();
        for outgoing in held.unwrap_or_default() {
            let outgoing: &Outgoing = &outgoing;
            self.transmit_all(key, outgoing, now);
        }
        self.keep(key, namespace);
        let id = self.find_socket(key, namespace, |socket| socket.id.clone());
        let fields = [
            ("namespace", namespace),
            ("socket", id.as_deref().unwrap_or_default()),
            ("recovered", if was_recovered { "true" } else { "false" }),
        ];
        self.log(Level::Info, "join", key, &fields);
        self.join_waiting(key);
    }

    /// The client has gone while the application was thinking about it, and was
    /// let in: so the application hears that it has gone.
    fn lose_after_all(&self, key: Key, namespace: &str) {
        let gone = self.with_io(key, |io| {
            let is_it = |(other, _): &(Rc<str>, _)| **other == *namespace;
            let place = io.gone.iter().position(is_it)?;
            Some((io.gone.remove(place).1, io.ended?))
        });
        if let Some((socket, reason)) = gone.flatten() {
            let rooms = socket.rooms.clone();
            self.index_socket(key, namespace, &rooms, false);
            self.tell_of_loss(key, namespace, socket, reason);
        }
    }

    fn refuse_to_join(&self, key: Key, namespace: &str, refusal: &Refusal) {
        let rooms = self.rooms_of(key, namespace).unwrap_or_default();
        self.index_socket(key, namespace, &rooms, false);
        let refused = self.with_io(key, |io| {
            io.forget_beside(namespace);
            io.client
                .refuse(namespace, &refusal.message, refusal.data.as_deref())
        });
        self.forget_gone(key, namespace);
        let fields = [("namespace", namespace), ("message", &*refusal.message)];
        self.log(Level::Info, "refuse", key, &fields);
        if let Some(refused) = refused {
            self.send_packet(key, refused);
        }
        self.join_waiting(key);
        self.touch(key);
    }

    /// What was about to be decided is not.
    pub(in crate::object) fn break_off(&self, key: Key, namespace: &str) {
        self.refuse_to_join(key, namespace, &Refusal::new(BROKEN_OFF));
    }
}

impl Joining {
    async fn ask(&self) -> Result<(), Refusal> {
        let shell = self.socket.shell();
        let (key, namespace) = (self.socket.key(), self.socket.namespace());
        let recovered = self.recovered.is_some();
        let context = || ConnectContext::new(&self.socket, &self.auth, &self.handshake, recovered);
        if !self.skip_middlewares {
            for middleware in &self.handlers.middlewares {
                match middleware(&mut context())? {
                    Call::Done(checked) => checked?,
                    Call::Later(future) => future.await?,
                }
            }
        }
        shell.make_present(key, namespace);
        let Some(on_connect) = &self.handlers.on_connect else {
            return Ok(());
        };
        match on_connect(&mut context())? {
            Call::Done(connected) => connected,
            Call::Later(future) => future.await,
        }
    }
}

/// What a client says of itself, whichever way it says it: an object.
fn auth_as_json(auth: &Auth<'_>) -> String {
    match auth {
        Auth::None => "{}".to_owned(),
        Auth::Json(json) => json.clone().into_owned(),
        Auth::Query(query) => {
            let mut json = Vec::new();
            let mut serializer = serde_json::Serializer::new(&mut json);
            // Strings can always be written.
            let _ = serializer.collect_map(query::parameters(query));
            String::from_utf8(json).unwrap_or_default()
        }
    }
}
