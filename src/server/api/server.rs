//! A Socket.IO server: its namespaces and its options.

use core::any::Any;
use core::fmt;
use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::engine::Transport;
use dormouse_proto::socket::{self, Parser, RESERVED_NAMES, Settings};
use worker::Env;

use super::handler::{Handler, OnAdmit, OnAlarm, OnJoinRequest, OnNewNamespace, OnUsage};
use super::join_request::{self, JoinRequest};
use super::namespace::{Namespace, NamespaceHandlers};
use super::pattern::Pattern;
use super::recovery::Recovery;
use super::server_event::ServerEvents;
use super::usage::Tell;
use super::{AlarmHandlers, HandlerFn, Io, States, erase};
use crate::api::endpoint::{self, AdmitFn, Endpoint, Service};
use crate::api::error::Failure;
use crate::log::Level;
use crate::options::{
    ConfigError, Cookie, OnOverrun, Options, Origins, Overrun, RateLimit, option_methods,
};
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

/// The namespaces of a server, and the settings of all of them.
pub(crate) struct Application {
    pub(crate) settings: Settings,
    pub(crate) ack_timeout: Duration,
    /// The headers that are kept rather than others.
    pub(crate) keep_headers: Vec<String>,
    pub(crate) recovery: Option<Recovery>,
    pub(crate) states: States,
    pub(crate) alarms: AlarmHandlers<OnAlarm>,
    pub(super) server_events: ServerEvents,
    pub(crate) transient: Option<Transient>,
    pub(super) definitions: Vec<Definition>,
    pub(crate) on_new_namespace: Option<HandlerFn<OnNewNamespace>>,
    pub(crate) on_usage: Option<Tell<OnUsage, Application>>,
    /// A name or pattern that cannot be served.
    wrong: Option<String>,
    /// The method of a handler that was given twice.
    pub(super) duplicate: Option<&'static str>,
}

/// A namespace of whose sockets nothing outlives their connections: what they are sent and
/// what they have said of themselves are not kept.
pub(crate) struct Transient {
    pub(crate) name: String,
    /// Called where such a socket is in memory again, after sleep or a panic.
    pub(crate) resumed: Box<dyn Fn(&Io)>,
}

/// The definition of a namespace.
pub(crate) struct Found {
    pub(crate) definition: socket::Definition,
    pub(crate) handlers: Rc<NamespaceHandlers>,
}

/// The outcome of looking for the definition of a namespace by its name alone.
pub(crate) enum LookUp {
    Found(Found),
    /// There is none.
    Nothing,
    /// The application has to be asked: [`Application::ask`].
    Ask,
}

pub(super) struct Definition {
    /// As it is written in the application; empty for a predicate.
    pub(super) name: String,
    pub(super) matcher: Matcher,
    pub(super) handlers: Rc<NamespaceHandlers>,
    /// The number that finds a predicate's namespaces again after sleep: the
    /// predicate itself cannot be asked without its client. 0 for all others, which
    /// are found by name.
    tag: u32,
}

pub(super) enum Matcher {
    Name(String),
    Pattern(Pattern),
    Predicate(HandlerFn<OnJoinRequest>),
}

impl Matcher {
    /// Reads a name or a pattern, or says what is wrong with it.
    fn parse(name: &str) -> Result<Self, String> {
        if name.contains([',', '?']) {
            return Err(format!(
                "\"{name}\" cannot be joined: in what clients send, a name ends at `,` and at `?`"
            ));
        }
        let matcher = if Pattern::is_one(name) {
            Pattern::parse(name).map(Self::Pattern)
        } else {
            Some(Self::Name(name.to_owned()))
        };
        matcher.filter(|_| name.starts_with('/')).ok_or_else(|| {
            format!(
                "\"{name}\" is not a name; it must start with `/`, and open places are written \
                 `{{name}}`, or `{{*name}}` at the end"
            )
        })
    }

    fn is_name(&self, namespace: &str) -> bool {
        match self {
            Self::Name(name) => name == namespace,
            Self::Pattern(_) | Self::Predicate(_) => false,
        }
    }

    fn fits(&self, namespace: &str) -> bool {
        match self {
            Self::Pattern(pattern) => pattern.read(namespace).is_some(),
            Self::Name(_) | Self::Predicate(_) => false,
        }
    }

    fn is_predicate(&self) -> bool {
        match self {
            Self::Name(_) | Self::Pattern(_) => false,
            Self::Predicate(_) => true,
        }
    }
}

/// Returns a number for a predicate's definition that is the same in another build,
/// unless its events have other names: a socket does not get the handlers of another
/// namespace then. Of predicates with the same events, the order must stay.
fn tag(handlers: &NamespaceHandlers, before: &[Definition]) -> u32 {
    // FNV-1a: short, and good enough for a handful of them.
    let mut hash = 0x811c_9dc5_u32;
    for name in handlers.names() {
        for byte in name.bytes().chain([0]) {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
    // If several have the same names, their order decides.
    while hash == 0 || before.iter().any(|other| other.tag == hash) {
        hash = hash.wrapping_add(1);
    }
    hash
}

impl Application {
    pub(crate) fn handlers(&self, definition: u16) -> Option<Rc<NamespaceHandlers>> {
        let definition = self.definitions.get(usize::from(definition))?;
        Some(definition.handlers.clone())
    }

    /// Returns whether any namespace observes what its sockets are sent.
    pub(crate) fn observes_outgoing(&self) -> bool {
        let mut all = self.definitions.iter();
        all.any(|definition| !definition.handlers.on_any_outgoing.is_empty())
    }

    /// Returns whether any namespace wants to know of sockets that have expired.
    pub(crate) fn tells_of_expired(&self) -> bool {
        let mut all = self.definitions.iter();
        all.any(|definition| definition.handlers.on_expired.is_some())
    }

    /// Returns whether this is the transient namespace.
    pub(crate) fn is_transient(&self, namespace: &str) -> bool {
        let transient = self.transient.as_ref();
        transient.is_some_and(|transient| transient.name == namespace)
    }

    /// Returns the namespaces that are defined by their own names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.definitions.iter().filter_map(|it| match &it.matcher {
            Matcher::Name(name) => Some(&**name),
            Matcher::Pattern(_) | Matcher::Predicate(_) => None,
        })
    }

    /// Returns the value of a placeholder in a namespace's name.
    pub(crate) fn param(&self, namespace: &str, name: &str) -> Option<String> {
        let definition = self.definitions.get(usize::from(self.named(namespace)?))?;
        match &definition.matcher {
            Matcher::Pattern(pattern) => {
                let places = pattern.read(namespace)?;
                let found = places.into_iter().find(|(place, _)| *place == name);
                found.map(|(_, value)| value.to_owned())
            }
            Matcher::Name(_) | Matcher::Predicate(_) => None,
        }
    }

    /// Finds the definition of a namespace: one of its own name comes before all
    /// others, and those in their order.
    pub(crate) fn look_up(&self, namespace: &str) -> LookUp {
        let mut all = self.definitions.iter();
        let own = all.position(|definition| definition.matcher.is_name(namespace));
        let mut all = self.definitions.iter();
        let may_be = |it: &Definition| it.matcher.is_predicate() || it.matcher.fits(namespace);
        match own.or_else(|| all.position(may_be)) {
            Some(index) => match self.found(index) {
                Some((_, true)) => LookUp::Ask,
                Some((found, false)) => LookUp::Found(found),
                None => LookUp::Nothing,
            },
            None => LookUp::Nothing,
        }
    }

    /// Finds the definition of a namespace that has none of its own name, asking the
    /// predicates one after the other. `failed` is told of those that fail, which counts
    /// as a no.
    pub(crate) async fn ask(
        &self,
        request: &JoinRequest,
        env: &Env,
        failed: impl Fn(&Failure),
    ) -> Option<Found> {
        for (index, Definition { matcher, .. }) in self.definitions.iter().enumerate() {
            let is_it = match matcher {
                Matcher::Name(_) | Matcher::Pattern(_) => matcher.fits(request.namespace()),
                Matcher::Predicate(predicate) => {
                    let called = join_request::call(predicate, request, env, &self.states);
                    let answer = called.await;
                    answer.unwrap_or_else(|error| {
                        failed(&error.failure);
                        false
                    })
                }
            };
            if is_it {
                return self.found(index).map(|(found, _)| found);
            }
        }
        None
    }

    /// Returns a definition, and whether it is a predicate's.
    fn found(&self, index: usize) -> Option<(Found, bool)> {
        let definition = self.definitions.get(index)?;
        let found = Found {
            definition: socket::Definition {
                index: u16::try_from(index).ok()?,
                tag: definition.tag,
            },
            handlers: definition.handlers.clone(),
        };
        Some((found, definition.matcher.is_predicate()))
    }

    /// Returns the name or the pattern of a definition, unless it is a predicate's.
    pub(crate) fn template(&self, definition: u16) -> Option<&str> {
        let definition = self.definitions.get(usize::from(definition))?;
        Some(&*definition.name).filter(|name| !name.is_empty())
    }

    /// Returns whether a definition is one of many namespaces.
    pub(crate) fn is_dynamic(&self, definition: u16) -> bool {
        let definition = self.definitions.get(usize::from(definition));
        definition.is_some_and(|it| !matches!(it.matcher, Matcher::Name(_)))
    }

    /// Returns whether any definition is one of many namespaces.
    pub(crate) fn has_dynamic(&self) -> bool {
        let mut all = self.definitions.iter();
        all.any(|it| !matches!(it.matcher, Matcher::Name(_)))
    }

    /// Returns whether a namespace is defined by its own name.
    pub(crate) fn is_named(&self, namespace: &str) -> bool {
        let mut all = self.definitions.iter();
        all.any(|definition| definition.matcher.is_name(namespace))
    }

    /// Finds the definition of a socket's namespace again, perhaps in another build
    /// of the application.
    pub(crate) fn define(&self, namespace: &str, tag: u32) -> Option<u16> {
        if tag == 0 {
            return self.named(namespace);
        }
        let mut all = self.definitions.iter();
        let index = all.position(|definition| definition.tag == tag)?;
        u16::try_from(index).ok()
    }

    /// Returns whether a namespace of this name may be defined. Nobody knows it of those
    /// that a predicate decides about.
    pub(crate) fn may_have(&self, namespace: &str) -> bool {
        let mut all = self.definitions.iter();
        all.any(|definition| match &definition.matcher {
            Matcher::Name(name) => name == namespace,
            Matcher::Pattern(pattern) => pattern.read(namespace).is_some(),
            Matcher::Predicate(_) => true,
        })
    }

    /// Returns the name or the pattern that a namespace is defined by, unless a predicate has
    /// decided about it.
    pub(super) fn template_of(&self, namespace: &str) -> Option<&str> {
        self.template(self.named(namespace)?)
    }

    /// Finds the definition of a namespace by its own name or by a pattern.
    fn named(&self, namespace: &str) -> Option<u16> {
        let mut all = self.definitions.iter();
        let named = all.position(|definition| definition.matcher.is_name(namespace));
        let found = named.or_else(|| {
            let mut all = self.definitions.iter();
            all.position(|definition| definition.matcher.fits(namespace))
        });
        u16::try_from(found?).ok()
    }

    pub(crate) fn check(&self, options: &Options) -> Result<(), ConfigError> {
        let wrong = |option, remedy: &str| {
            Err(ConfigError {
                endpoint: options.path.clone(),
                option,
                remedy: remedy.to_owned(),
            })
        };
        if let Some(remedy) = &self.wrong {
            return wrong("namespace", remedy);
        }
        if let Some(method) = self.duplicate {
            return wrong(method, "it has two handlers; make one of them");
        }
        if self.definitions.is_empty() {
            return wrong("namespace", "define at least one, such as \"/\"");
        }
        for (index, Definition { name, handlers, .. }) in self.definitions.iter().enumerate() {
            let mut before = self.definitions.iter().take(index);
            if !name.is_empty() && before.any(|other| other.name == *name) {
                let remedy = format!("\"{name}\" is defined twice; put all its handlers into one");
                return wrong("namespace", &remedy);
            }
            if let Some((method, event)) = &handlers.duplicate {
                let what = if event.is_empty() { "it" } else { event };
                let remedy = format!("in \"{name}\", {what} has two handlers; make one of them");
                return wrong(method, &remedy);
            }
            if let Some((option, remedy)) = &handlers.wrong {
                return wrong(option, remedy);
            }
        }
        let names = self.definitions.iter().flat_map(|it| it.handlers.names());
        if let Some(name) = names.into_iter().find(|name| RESERVED_NAMES.contains(name)) {
            let remedy = format!(
                "`{name}` is not an event that clients send; use on_connect or on_disconnect"
            );
            return wrong("on", &remedy);
        }
        if self.settings.connect_timeout.is_zero() {
            return wrong("connect_timeout", "must be over 0; the usual value is 45 s");
        }
        if self.settings.max_packet > options.max_memory() {
            return wrong(
                "max_packet",
                "must be at most max_memory, or a single packet is too much",
            );
        }
        if self.settings.max_namespaces == 0 {
            return wrong("max_namespaces", "must be over 0");
        }
        let is_one = matches!(
            options.placement,
            Placement::Shards(1) | Placement::Key(_) | Placement::Spread(_)
        );
        if !is_one {
            return wrong(
                "placement",
                "rooms do not reach from one shard into another: use Placement::spread for many \
                 objects, Placement::Shards(1) for one, or Placement::Key where sockets with \
                 different keys have nothing to say to each other",
            );
        }
        if let Some(recovery) = &self.recovery {
            recovery.check(options)?;
            let hubs = options.placement.many().and_then(|spread| spread.hubs);
            if hubs.is_some_and(|hubs| hubs != 1) {
                return wrong(
                    "hubs",
                    "with recovery, each namespace has one hub, which logs its events; leave \
                     hubs out, or recovery",
                );
            }
        }
        self.alarms.check(options)
    }
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
            application: Application {
                settings: Settings::default(),
                ack_timeout: Duration::from_secs(10),
                keep_headers: Vec::new(),
                recovery: None,
                states: States::default(),
                alarms: AlarmHandlers::default(),
                server_events: ServerEvents::default(),
                transient: None,
                definitions: Vec::new(),
                on_new_namespace: None,
                on_usage: None,
                wrong: None,
                duplicate: None,
            },
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
    /// It may be async, and take the [`JoinRequest`], the [`Handshake`](crate::Handshake),
    /// [`State`](crate::State) and the Worker's `Env`. `false` goes on to the next
    /// definition; so does an error, which is logged.
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
            application: endpoint::Application::Socket(Rc::new(server.application)),
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

#[cfg(test)]
mod tests;
