//! A Socket.IO server: its namespaces and its options.

use core::any::Any;
use core::fmt;
use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::engine::Transport;
use dormouse_proto::socket::{self, Parser, RESERVED_NAMES, Settings};
use serde::de::DeserializeOwned;

use super::args::from_json;
use super::handler::OnAlarm;
use super::namespace::{Namespace, NamespaceHandlers};
use super::pattern::Pattern;
use super::recovery::Recovery;
use super::{AlarmHandlers, States};
use crate::api::endpoint::{self, Admit, Endpoint};
use crate::log::Level;
use crate::options::{
    ConfigError, Cookie, OnOverrun, Options, Origins, Overrun, RateLimit, option_methods,
};
use crate::placement::Placement;
use crate::request::{Handshake, StoredHandshake};

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
    options: Options,
    admit: Option<Admit>,
    pub(super) application: Application,
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
    definitions: Vec<Definition>,
    /// A name or pattern that cannot be served.
    wrong: Option<String>,
}

struct Definition {
    /// As it is written in the application; empty for a predicate.
    name: String,
    matcher: Matcher,
    handlers: Rc<NamespaceHandlers>,
    /// The number that finds a predicate's namespaces again after sleep: the
    /// predicate itself cannot be asked without its client. 0 for all others, which
    /// are found by name.
    tag: u32,
}

enum Matcher {
    Name(String),
    Pattern(Pattern),
    Predicate(Rc<dyn Fn(&JoinRequest<'_>) -> bool>),
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

    fn matches(&self, request: &JoinRequest<'_>) -> bool {
        match self {
            Self::Name(_) => false,
            Self::Pattern(pattern) => pattern.read(request.namespace).is_some(),
            Self::Predicate(predicate) => predicate(request),
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
    /// others.
    pub(crate) fn find(
        &self,
        request: &JoinRequest<'_>,
    ) -> Option<(socket::Definition, Rc<NamespaceHandlers>)> {
        let of_its_own = |it: &Definition| it.matcher.is_name(request.namespace);
        let mut all = self.definitions.iter();
        let found = all.position(of_its_own).or_else(|| {
            let mut all = self.definitions.iter();
            all.position(|definition| definition.matcher.matches(request))
        });
        let index = u16::try_from(found?).ok()?;
        let definition = self.definitions.get(usize::from(index))?;
        let tag = definition.tag;
        let handlers = definition.handlers.clone();
        Some((socket::Definition { index, tag }, handlers))
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
        if !matches!(options.placement, Placement::Shards(1) | Placement::Key(_)) {
            return wrong(
                "placement",
                "rooms do not reach from one object into another yet: use Placement::Shards(1), \
                 or Placement::Key where sockets with different keys have nothing to say to each \
                 other",
            );
        }
        if let Some(recovery) = &self.recovery {
            recovery.check(options)?;
        }
        self.alarms.check(options)
    }
}

/// A client's request for a namespace.
pub struct JoinRequest<'a> {
    namespace: &'a str,
    auth: &'a str,
    handshake: &'a StoredHandshake,
}

impl<'a> JoinRequest<'a> {
    pub(crate) fn new(namespace: &'a str, auth: &'a str, handshake: &'a StoredHandshake) -> Self {
        Self {
            namespace,
            auth,
            handshake,
        }
    }

    /// Returns the namespace's name.
    pub fn namespace(&self) -> &str {
        self.namespace
    }

    /// Returns the client's `auth`, or `None` if it cannot be read as a `T`.
    pub fn auth<T: DeserializeOwned>(&self) -> Option<T> {
        from_json(self.auth).ok()
    }

    /// Returns the request by which the client's session began.
    pub fn handshake(&self) -> Handshake {
        Handshake::from(self.handshake).with_auth(Some(self.auth.to_owned()))
    }
}

impl fmt::Debug for JoinRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinRequest")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
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
                definitions: Vec::new(),
                wrong: None,
            },
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

    /// Defines all namespaces for which a function returns `true`. The function is
    /// called for each client's request, if no namespace has exactly that name.
    ///
    /// ```
    /// use dormouse::{JoinRequest, Server};
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// struct Login {
    ///     tenant: String,
    /// }
    ///
    /// fn is_own_tenant(request: &JoinRequest<'_>) -> bool {
    ///     let login: Option<Login> = request.auth();
    ///     login.is_some_and(|login| request.namespace() == format!("/tenant/{}", login.tenant))
    /// }
    ///
    /// let server = Server::new().namespace_if(is_own_tenant, |namespace| namespace);
    /// # let _ = server;
    /// ```
    pub fn namespace_if(
        self,
        matches: impl Fn(&JoinRequest<'_>) -> bool + 'static,
        define: impl FnOnce(Namespace) -> Namespace,
    ) -> Self {
        self.define("", Matcher::Predicate(Rc::new(matches)), define)
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

    /// Names the headers of a [`Handshake`] that are kept rather than others where not
    /// all of them can be: see there. Default: none.
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
        placement: "one for all. Sockets in different objects cannot reach each other, \
            so only [`Placement::Shards(1)`](Placement::Shards) and [`Placement::Key`] \
            can be served",
        spawn: "crate::Socket::spawn",
    );
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Server> for Endpoint {
    fn from(server: Server) -> Self {
        Self {
            options: server.options.complete(),
            admit: server.admit,
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
