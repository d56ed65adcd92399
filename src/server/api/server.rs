//! A Socket.IO server: its namespaces and its options.

use core::any::Any;
use core::fmt;
use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::engine::Transport;
use dormouse_proto::socket::Parser;

use super::application::Transient;
use super::definition::{Definition, Matcher, tag};
use super::handler::{Handler, OnAdmit, OnJoinRequest, OnNewNamespace};
use super::namespace::Namespace;
use super::recovery::Recovery;
use super::{Application, Io, erase};
use crate::api::endpoint::{self, AdmitFn, Endpoint, Service};
use crate::log::Level;
use crate::options::{Cookie, OnOverrun, Options, Origins, Overrun, RateLimit, option_methods};
use crate::placement::Placement;

/// A Socket.IO server.
///
/// ```
/// use dormouse::{Server, Socket};
///
/// fn app() -> Server {
///     Server::new().namespace("/", |namespace| {
///         namespace.on("message", async |socket: Socket, (text,): (String,)| {
///             socket.broadcast().emit("message", text).await
///         })
///     })
/// }
///
/// dormouse::worker!(app);
/// # fn main() {}
/// ```
pub struct Server {
    pub(super) options: Options,
    pub(super) admit: Option<AdmitFn>,
    pub(super) application: Application,
    service: Option<Rc<dyn Service>>,
    pages: Option<Rc<dyn Service>>,
    /// Has handlers traced, if they are to be.
    pub(super) trace: Option<fn(&mut Server)>,
}

/// Namespaces.
impl Server {
    /// Creates a server with the default options and no namespaces.
    pub fn new() -> Self {
        let options = Options {
            path: "/socket.io/".to_owned(),
            placement: Placement::Shards(1),
            ..Options::default()
        };
        Self {
            options,
            admit: None,
            application: Application::default(),
            service: None,
            pages: None,
            trace: None,
        }
    }

    /// Defines a namespace by its name, or many by a pattern. In `/room-{id}`, the
    /// placeholder stands for one or more characters other than `/`; `{*rest}` at
    /// the end stands for any characters. A client that asks for a namespace that is
    /// not defined is refused with `Invalid namespace`.
    ///
    /// ```
    /// use dormouse::{Server, Socket};
    ///
    /// let server = Server::new()
    ///     .namespace("/", |namespace| {
    ///         namespace.on("ping", || "pong")
    ///     })
    ///     .namespace("/room-{id}", |namespace| {
    ///         namespace.on("which", async |socket: Socket| socket.param("id"))
    ///     });
    /// # let _ = server;
    /// ```
    pub fn namespace(mut self, name: &str, define: impl FnOnce(Namespace) -> Namespace) -> Self {
        match Matcher::parse(name) {
            Ok(matcher) => self.define(name, matcher, define),
            Err(remedy) => {
                self.application.wrong = Some(remedy);
                self
            }
        }
    }

    /// Defines all namespaces for which a handler returns `true`. It is called for each
    /// client's request, if no namespace has exactly that name and no earlier pattern fits.
    /// It may be async, and take the [`JoinRequest`](crate::JoinRequest), the
    /// [`Handshake`](crate::Handshake), [`State`](crate::State) and the Worker's `Env`.
    /// `false` goes on to the next definition; so does an error, which is logged.
    ///
    /// ```
    /// use dormouse::{JoinRequest, Server};
    /// use serde::Deserialize;
    /// use worker::{Env, Result};
    ///
    /// #[derive(Deserialize)]
    /// struct Login {
    ///     tenant: String,
    /// }
    ///
    /// fn is_own_tenant(request: JoinRequest) -> bool {
    ///     let login: Option<Login> = request.auth();
    ///     login.is_some_and(|login| request.namespace() == format!("/tenant/{}", login.tenant))
    /// }
    ///
    /// async fn is_document(request: JoinRequest, env: Env) -> Result<bool> {
    ///     let Some(id) = request.namespace().strip_prefix("/document/") else {
    ///         return Ok(false);
    ///     };
    ///     let documents = env.kv("DOCUMENTS")?;
    ///     Ok(documents.get(id).text().await?.is_some())
    /// }
    ///
    /// let server = Server::new()
    ///     .namespace_if(is_own_tenant, |namespace| namespace)
    ///     .namespace_if(is_document, |namespace| namespace);
    /// # let _ = server;
    /// ```
    ///
    /// While it waits, its client's request is undecided, as it is while a middleware
    /// waits: requests for other namespaces and events in them are handled meanwhile, except
    /// that in protocol 4 all others wait for the root namespace. After 30 s, after a panic,
    /// and if the object is lost, the client is refused with `Internal server error`. If the
    /// client goes, or asks again, what the handler returns does not count.
    pub fn namespace_if<S>(
        self,
        matches: impl Handler<OnJoinRequest, S>,
        define: impl FnOnce(Namespace) -> Namespace,
    ) -> Self {
        self.define("", Matcher::Predicate(erase(matches)), define)
    }

    /// Registers the handler for a new namespace: one that is defined by a pattern or by
    /// [`namespace_if`](Self::namespace_if), and gets its first socket. It takes the
    /// namespace as [`Io`](crate::Io).
    ///
    /// ```
    /// use dormouse::{Io, Server};
    ///
    /// let server = Server::new()
    ///     .namespace("/room-{id}", |namespace| namespace)
    ///     .on_new_namespace(async |io: Io| {
    ///         let lobby = io.of("/");
    ///         lobby.emit("room opened", io.namespace()).await
    ///     });
    /// # let _ = server;
    /// ```
    ///
    /// It is called in the object of the socket, when that has passed the middlewares and
    /// no other socket of the object is in the namespace: once while there are any, through
    /// sleep and panics, and again after the last one has left and another one comes, as
    /// after a deploy, which cuts all of them off. With a
    /// [`Placement::Key`](crate::Placement::Key), each object has its own namespaces.
    ///
    /// The socket's `on_connect` waits for it, within the same 30 s, and that of others who
    /// come meanwhile does not. An error is logged, and the client is let in.
    pub fn on_new_namespace<S>(mut self, handler: impl Handler<OnNewNamespace, S>) -> Self {
        let place = &mut self.application.on_new_namespace;
        if place.replace(erase(handler)).is_some() {
            self.application.duplicate = Some("on_new_namespace");
        }
        self
    }

    fn define(
        mut self,
        name: &str,
        matcher: Matcher,
        define: impl FnOnce(Namespace) -> Namespace,
    ) -> Self {
        let handlers = Rc::new(define(Namespace::default()).handlers);
        let definitions = &mut self.application.definitions;
        let tag = match matcher {
            Matcher::Name(_) | Matcher::Pattern(_) => 0,
            Matcher::Predicate(_) => tag(&handlers, definitions),
        };
        definitions.push(Definition {
            name: name.to_owned(),
            matcher,
            handlers,
            tag,
        });
        self
    }

    /// Provides a value that handlers can take: see [`State`](crate::State).
    pub fn state<T: Any>(mut self, value: T) -> Self {
        self.application.states.insert(value);
        self
    }
}

/// Options, with the defaults that users of other servers know.
impl Server {
    /// Sets how packets are written; clients must use the same parser. Default:
    /// [`Parser::JSON`].
    pub fn parser(mut self, parser: Parser) -> Self {
        self.application.settings.parser = parser;
        self
    }

    /// Sets how long a client may be connected without joining a namespace before
    /// its session is closed. Default: 45 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.application.settings.connect_timeout = timeout;
        self
    }

    /// Sets how long to wait for an acknowledgement, unless a `timeout` says
    /// otherwise. The object stays awake meanwhile. Default: 10 s.
    pub fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.application.ack_timeout = timeout;
        self
    }

    /// Sets whether a client's next event waits until the handler of the previous one has
    /// returned, with the middlewares before it. Default: `false`, handlers run
    /// concurrently. [`on_disconnect`](crate::Namespace::on_disconnect) then comes after
    /// the events that its client sent before; acknowledgements do not wait, so that
    /// handlers can wait for them. A client with more than 1,000 events, or 16 MiB of
    /// them, waiting is disconnected.
    ///
    /// ```
    /// use dormouse::{Server, Socket};
    /// use worker::Result;
    ///
    /// let server = Server::new().in_order(true).namespace("/", |namespace| {
    ///     // Stored in the order in which they were sent, although storing takes time.
    ///     namespace.on("line", async |socket: Socket, (line,): (String,)| -> Result<()> {
    ///         let mut lines: Vec<String> = socket.storage().get("lines").await?.unwrap_or_default();
    ///         lines.push(line);
    ///         socket.storage().put("lines", lines).await
    ///     })
    /// });
    /// # let _ = server;
    /// ```
    pub fn in_order(mut self, in_order: bool) -> Self {
        self.options.in_order = in_order;
        self
    }

    /// Names the headers of a [`Handshake`](crate::Handshake) that are kept rather than
    /// others where not all of them can be: see there. Default: none.
    pub fn keep_headers(mut self, names: &[&str]) -> Self {
        let names = names.iter().map(|name| (*name).to_owned());
        self.application.keep_headers = names.collect();
        self
    }

    /// Sets the maximum number of attachments in one packet. A client that sends
    /// more is disconnected. Default: 10.
    pub fn max_attachments(mut self, count: usize) -> Self {
        self.application.settings.max_attachments = count;
        self
    }

    /// Sets the maximum size of one packet with its attachments, in bytes. Each
    /// attachment comes in a message of its own. A client that sends more is
    /// disconnected. Default: 10,000,000.
    pub fn max_packet(mut self, bytes: usize) -> Self {
        self.application.settings.max_packet = bytes;
        self
    }

    /// Sets how many namespaces one client may be in. Further ones are refused with
    /// `Too many namespaces`. Default: 100.
    pub fn max_namespaces(mut self, count: usize) -> Self {
        self.application.settings.max_namespaces = count;
        self
    }

    /// Sets how many rooms one socket may be in, not counting the room of its own
    /// id. Beyond that, [`Socket::join`](crate::Socket::join) fails. Default: 1,000.
    pub fn max_rooms(mut self, count: usize) -> Self {
        self.application.settings.max_rooms = count;
        self
    }

    /// Turns on connection state recovery: see [`Recovery`]. Default: off, which
    /// costs nothing.
    pub fn recovery(mut self, recovery: Recovery) -> Self {
        self.application.recovery = Some(recovery);
        self
    }

    option_methods!(
        path: "`/socket.io/`",
        placement: "one for all. [`Placement::spread`] makes many objects one server; with \
            [`Placement::Key`], sockets in different objects cannot reach each other; others \
            cannot be served",
        spawn: "crate::Socket::spawn",
        usage: "Io::usage",
    );
}

impl Server {
    pub(super) fn application_mut(&mut self) -> &mut Application {
        &mut self.application
    }

    /// Has nothing of the sockets in a namespace outlive their connections: see
    /// [`Transient`]. It replaces the one before.
    pub(crate) fn transient(mut self, name: &str, resumed: impl Fn(&Io) + 'static) -> Self {
        self.application.transient = Some(Transient {
            name: name.to_owned(),
            resumed: Box::new(resumed),
        });
        self
    }

    /// Sets what is served below its path.
    pub(crate) fn service(mut self, service: Rc<dyn Service>) -> Self {
        self.service = Some(service);
        self
    }

    /// Sets the pages that are served elsewhere.
    pub(crate) fn pages(mut self, pages: Rc<dyn Service>) -> Self {
        self.pages = Some(pages);
        self
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Server> for Endpoint {
    fn from(mut server: Server) -> Self {
        if let Some(trace) = server.trace {
            trace(&mut server);
        }
        if let Placement::Spread(spread) = &mut server.options.placement {
            let application = &server.application;
            spread.logs = application.recovery.is_some();
            let transient = application.transient.as_ref();
            spread.transient = transient.map(|transient| transient.name.as_str().into());
        }
        Self {
            options: server.options.complete(),
            admit: server.admit,
            service: server.service,
            pages: server.pages,
            handlers: endpoint::Handlers::Socket(Rc::new(server.application)),
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
