//! Sockets that are disconnected, and telling the application so.

use std::rc::Rc;

use dormouse_proto::engine;
use dormouse_proto::socket::{self, Reason};

use crate::io::{Call, DisconnectContext, DisconnectFn, Socket};
use crate::log::Level;
use crate::object::Shell;
use crate::sid::Key;

impl Shell {
    /// The session has ended, and with it all its sockets.
    pub(in crate::object) fn lose_all(&self, key: Key, reason: engine::Reason) {
        let ended = self.with_io(key, |io| {
            let reason = io.ended.get_or_insert(reason.into());
            (*reason, io.client.close().collect::<Vec<_>>())
        });
        let Some((reason, sockets)) = ended else {
            return;
        };
        // As one event: the session must not be forgotten when the handlers of its
        // first socket have returned.
        self.event(|| {
            for (namespace, socket) in sockets {
                if socket.is_connected() {
                    self.lose(key, &namespace, socket, reason);
                } else {
                    // The application is still thinking about it.
                    self.with_io(key, |io| io.gone.push((namespace.into(), socket)));
                }
            }
        });
    }

    /// A socket that was connected is no longer.
    pub(super) fn lose(&self, key: Key, namespace: &str, socket: socket::Socket, reason: Reason) {
        let rooms = socket.rooms.clone();
        self.index_socket(key, namespace, &rooms, false);
        self.give_up_acks(key, namespace);
        self.keep_or_forget(key, namespace, &socket, reason);
        self.with_io(key, |io| io.forget_beside(namespace));
        self.tell_of_loss(key, namespace, socket, reason);
    }

    /// Tells the application that a socket has gone, of which it knew.
    pub(super) fn tell_of_loss(
        &self,
        key: Key,
        namespace: &str,
        socket: socket::Socket,
        reason: Reason,
    ) {
        let fields = [
            ("namespace", namespace),
            ("socket", &*socket.id),
            ("reason", reason.as_str()),
        ];
        self.log(Level::Info, "leave", key, &fields);
        let handlers = self.handlers(socket.definition);
        let Some((handlers, shell)) = handlers.zip(self.me.upgrade()) else {
            return;
        };
        let steps = [&handlers.on_disconnecting, &handlers.on_disconnect];
        let steps: Vec<DisconnectFn> = steps.into_iter().flatten().cloned().collect();
        if steps.is_empty() {
            return;
        }
        let namespace: Rc<str> = namespace.into();
        let handle = Socket::new(shell, key, namespace.clone(), &socket.id);
        self.with_io(key, |io| io.gone.push((namespace.clone(), socket)));
        let told = async move {
            let mut failures = Vec::new();
            for step in steps {
                let outcome = match step(&mut DisconnectContext::new(&handle, reason)) {
                    Ok(Call::Done(outcome)) => outcome.map_err(|error| error.0),
                    Ok(Call::Later(future)) => future.await.map_err(|error| error.0),
                    Err(rejection) => Err(rejection.to_string()),
                };
                failures.extend(outcome.err());
            }
            failures
        };
        self.run(
            key,
            "disconnect",
            0,
            Box::pin(told),
            move |shell, failures| {
                for message in failures {
                    shell.log_failure(key, "disconnect", &message);
                }
                shell.forget_gone(key, &namespace);
            },
        );
    }

    /// The application knows of it.
    pub(super) fn forget_gone(&self, key: Key, namespace: &str) {
        self.with_io(key, |io| {
            let is_it = |(other, _): &(Rc<str>, _)| **other == *namespace;
            if let Some(place) = io.gone.iter().position(is_it) {
                io.gone.remove(place);
            }
        });
    }

    /// The application disconnects a socket; with `close` its whole session.
    pub(crate) fn disconnect_socket(&self, key: Key, namespace: &str, close: bool) -> bool {
        if !self.is_there(key, namespace) {
            return false;
        }
        self.event(|| {
            if close {
                let others: Vec<String> = self
                    .with_io(key, |io| {
                        let sockets = io.client.sockets();
                        sockets.map(|(other, _)| other.to_owned()).collect()
                    })
                    .unwrap_or_default();
                for other in others {
                    self.send_away(key, &other);
                }
                self.end_io(key, Reason::ForcedServerClose);
            } else {
                self.send_away(key, namespace);
            }
        });
        true
    }

    fn is_there(&self, key: Key, namespace: &str) -> bool {
        let there = self.find_io(key, |io| io.client.socket(namespace).is_some());
        there == Some(true)
    }

    fn send_away(&self, key: Key, namespace: &str) {
        let connected = self.is_socket_connected(key, namespace);
        if !connected {
            return self.break_off(key, namespace);
        }
        let sent_away = self.with_io(key, |io| io.client.disconnect(namespace));
        if let Some((socket, encoded)) = sent_away.flatten() {
            self.transmit_all(key, &encoded.into(), self.now());
            self.lose(key, namespace, socket, Reason::ServerNamespaceDisconnect);
        }
    }
}
