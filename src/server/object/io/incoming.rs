//! What clients say: events and acknowledgements.

use std::borrow::Cow;
use std::rc::Rc;

use dormouse_proto::engine::{Data, Flush};
use dormouse_proto::socket::{Args, Incoming, Reason, ServerPacket, Violation};

use crate::io::{Ack, Call, EventContext, EventFn, Handlers, Rejection, Replied, Socket};
use crate::log::Level;
use crate::object::Shell;
use crate::object::handlers::Turn;
use crate::sid::Key;

/// An event on its way to the application.
struct Event<'a> {
    key: Key,
    namespace: Cow<'a, str>,
    ack: Option<u64>,
    name: Cow<'a, str>,
    args: Args<'a>,
    /// Of the message that brought it.
    bytes: usize,
}

impl Shell {
    /// A session of a Socket.IO client brought a message.
    pub(in crate::object) fn handle_io_message(&self, key: Key, data: Data<'_>) {
        let bytes = data.len();
        let handled = self.with_io(key, |io| {
            // What came in one payload with the message that ended the session.
            let is_open = io.ended.is_none();
            is_open.then(|| io.client.handle_message(data))
        });
        match handled.flatten() {
            Some(Ok(Some(incoming))) => self.handle_incoming(key, incoming, bytes),
            Some(Ok(None)) | None => {}
            Some(Err(violation)) => self.handle_violation(key, violation),
        }
    }

    fn handle_incoming(&self, key: Key, incoming: Incoming<'_>, bytes: usize) {
        match incoming {
            Incoming::Connect(request) => self.handle_connect_request(key, request),
            Incoming::Event {
                namespace,
                ack,
                name,
                args,
            } => self.handle_event(Event {
                key,
                namespace,
                ack,
                name,
                args,
                bytes,
            }),
            Incoming::Ack {
                namespace,
                id,
                args,
            } => self.handle_ack(key, &namespace, id, args),
            Incoming::Disconnect { namespace, socket } => {
                self.lose(key, &namespace, socket, Reason::ClientNamespaceDisconnect);
            }
            Incoming::Reply(encoded) => {
                self.send_packet(key, encoded);
            }
        }
    }

    /// The client broke a rule, or had its time to join a namespace.
    pub(super) fn handle_violation(&self, key: Key, violation: Violation) {
        let message = violation.to_string();
        self.log(Level::Info, "violation", key, &[("message", &message)]);
        self.end_io(key, violation.reason());
    }

    /// Closes a client's session, and says why its sockets are disconnected.
    pub(super) fn end_io(&self, key: Key, reason: Reason) {
        self.with_io(key, |io| io.ended = Some(reason));
        self.with(key, |session| session.close(self.now(), Flush::All));
        self.touch(key);
    }
}

/// Events.
impl Shell {
    fn handle_event(&self, event: Event<'_>) {
        let Some((handlers, shell)) = self
            .handlers_of(event.key, &event.namespace)
            .zip(self.me.upgrade())
        else {
            return;
        };
        match self.with_entry(event.key, |entry| entry.turn(event.bytes, false)) {
            Some(Turn::Now) => {}
            Some(Turn::Later | Turn::Never) => return self.overrun(event.key),
            None => return,
        }
        let Some(socket) = shell.socket(event.key, &event.namespace) else {
            return;
        };
        if handlers.is_plain() {
            self.run_handler(&handlers, socket, event);
        } else {
            self.run_all(handlers, socket, event);
        }
    }

    /// The way of most events: straight to their one handler.
    fn run_handler(&self, handlers: &Handlers, socket: Socket, event: Event<'_>) {
        let (key, bytes) = (event.key, event.bytes);
        let Some(handler) = handlers.handler(&event.name) else {
            return self.handle_return(key, bytes);
        };
        let name = event.name.clone();
        let ack = event.ack.map(|id| Ack::new(&socket, id));
        let mut context = EventContext::new(&socket, event.name, event.args, ack);
        let called = self.guarded(key, "event", || handler(&mut context));
        let reply = Reply {
            socket: socket.clone(),
            ack: context.into_ack(),
            name: name.into_owned(),
        };
        match called {
            Ok(Call::Done(replied)) => {
                reply.send(self, replied);
                self.handle_return(key, bytes);
            }
            Ok(Call::Later(future)) => {
                self.run(key, "event", bytes, future, move |shell, replied| {
                    reply.send(shell, replied);
                })
            }
            Err(rejection) => {
                reply.reject(self, &rejection);
                self.handle_return(key, bytes);
            }
        }
    }

    /// Where something else looks at the event before its handler does.
    fn run_all(&self, handlers: Rc<Handlers>, socket: Socket, event: Event<'_>) {
        let (key, bytes) = (event.key, event.bytes);
        let name = event.name.into_owned();
        let args = event.args.into_owned();
        let ack = event.ack.map(|id| Ack::new(&socket, id));
        let reply = Reply {
            socket: socket.clone(),
            ack: ack.clone(),
            name: name.clone(),
        };
        let all = async move {
            let context = |ack| EventContext::new(&socket, Cow::from(&*name), args.borrowed(), ack);
            for middleware in &handlers.event_middlewares {
                let checked = match middleware(&mut context(None)) {
                    Ok(Call::Done(checked)) => checked,
                    Ok(Call::Later(future)) => future.await,
                    Err(rejection) => return Err(rejection),
                };
                checked.map_err(Rejection::from)?;
            }
            for observer in &handlers.on_any {
                let replied = call(observer, &mut context(None)).await?;
                if let Some(message) = replied.failed {
                    return Err(Rejection::new(message));
                }
            }
            let Some(handler) = handlers.handler(&name) else {
                return Ok((Replied::default(), None));
            };
            let mut context = context(ack);
            let replied = call(handler, &mut context);
            let ack = context.into_ack();
            Ok((replied.await?, ack))
        };
        self.run(
            key,
            "event",
            bytes,
            Box::pin(all),
            move |shell, outcome| match outcome {
                Ok((replied, ack)) => Reply { ack, ..reply }.send(shell, replied),
                Err(rejection) => reply.reject(shell, &rejection),
            },
        );
    }

    /// Sends what a handler, or the application later on, acknowledges an event
    /// with.
    pub(crate) fn acknowledge(&self, key: Key, namespace: &str, id: u64, args: &Args<'_>) -> bool {
        let encoded = self.find_io(key, |io| {
            let socket = io.client.socket(namespace)?;
            let packet = ServerPacket::Ack {
                namespace,
                id,
                args,
            };
            let protocol = io.client.protocol();
            socket
                .is_connected()
                .then(|| packet.encode(protocol, io.client.parser()))
        });
        // Whoever is told that something is done may rely on it: what is kept for
        // recovery is written before that goes out, and not after.
        self.keep_touched();
        encoded
            .flatten()
            .is_some_and(|encoded| self.send_packet(key, encoded))
    }
}

/// Calls a handler; the future no longer borrows from the context.
fn call(
    handler: &EventFn,
    context: &mut EventContext<'_>,
) -> impl Future<Output = Result<Replied, Rejection>> + use<> {
    let called = handler(context);
    async move {
        match called? {
            Call::Done(replied) => Ok(replied),
            Call::Later(future) => Ok(future.await),
        }
    }
}

/// What is to become of a handler's return value.
struct Reply {
    socket: Socket,
    /// None if nobody waits for it, or the handler answers by itself.
    ack: Option<Ack>,
    name: String,
}

impl Reply {
    fn send(self, shell: &Shell, replied: Replied) {
        if let Some(message) = &replied.failed {
            self.log(shell, Level::Error, "handler failed", message);
        }
        if let Some(ack) = self.ack {
            ack.send_encoded(&replied.args);
        }
    }

    /// The event is lost: what it was to be handled with it does not have, or the
    /// application keeps it away.
    fn reject(self, shell: &Shell, rejection: &Rejection) {
        let message = rejection.to_string();
        self.log(shell, Level::Warn, "event rejected", &message);
        if let Some(ack) = self.ack {
            ack.send_encoded(&Replied::error(&message).args);
        }
    }

    fn log(&self, shell: &Shell, level: Level, what: &str, message: &str) {
        let fields = [
            ("namespace", self.socket.namespace()),
            ("socket", self.socket.id()),
            ("handler", &*self.name),
            ("message", message),
        ];
        shell.log(level, what, self.socket.key(), &fields);
    }
}
