//! The options of a server, and their check.

mod answers;
mod methods;
mod rate_limit;
mod subprotocol;

use core::fmt;
use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::engine::{Settings, Transport};

use crate::log::Log;
use crate::origin::Origin;
use crate::placement::Placement;
use crate::tracing::Tracing;
use crate::usage;

pub use self::answers::AnswerHeaders;
pub(crate) use self::answers::{Added, Additions};
pub(crate) use self::methods::option_methods;
pub(crate) use self::rate_limit::Decision;
pub use self::rate_limit::{OnOverrun, Overrun, RateLimit};
pub(crate) use self::subprotocol::Subprotocol;

/// The pages that may connect from a browser.
///
/// Browsers send the page's origin in the header `Origin`; most other clients send
/// none and are not affected. Scheme, host and port are compared, and `ws:` counts as
/// `http:`. Other pages get 400, via polling and over WebSocket alike, and a line in
/// the log: browsers do not restrict WebSockets by themselves.
///
/// ```
/// use dormouse::engine::{Engine, Origins};
///
/// let server = Engine::new().origins(["https://example.com", "https://example.org"]);
/// # let _ = server;
/// assert_eq!(Origins::from("*"), Origins::Any);
/// assert_eq!(Origins::from([]), Origins::Unchecked);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origins {
    /// Pages of the Worker's own scheme and host. The default.
    Same,
    /// Every page (`*`).
    Any,
    /// Pages of these origins, such as `https://example.com`, or `file://`.
    These(Vec<String>),
    /// Every page, without any CORS headers: the application, or something in front
    /// of it, takes care of CORS.
    Unchecked,
}

impl From<&str> for Origins {
    /// Returns [`Any`](Self::Any) for `"*"`; anything else is one origin.
    fn from(origin: &str) -> Self {
        match origin {
            "*" => Self::Any,
            origin => Self::These(vec![origin.to_owned()]),
        }
    }
}

impl<const N: usize> From<[&str; N]> for Origins {
    /// Returns the origins of a list; the empty list is
    /// [`Unchecked`](Self::Unchecked).
    fn from(origins: [&str; N]) -> Self {
        match N {
            0 => Self::Unchecked,
            _ => Self::These(origins.map(str::to_owned).into()),
        }
    }
}

impl From<String> for Origins {
    /// Converts as from a `&str`.
    fn from(origin: String) -> Self {
        Self::from(&*origin)
    }
}

impl From<Vec<String>> for Origins {
    /// Converts a list of origins, as from an array; `"*"` alone is [`Any`](Self::Any).
    fn from(origins: Vec<String>) -> Self {
        match &*origins {
            [] => Self::Unchecked,
            [origin] => Self::from(&**origin),
            [_, _, ..] => Self::These(origins),
        }
    }
}

impl From<&[String]> for Origins {
    /// Converts as from a `Vec<String>`.
    fn from(origins: &[String]) -> Self {
        origins.to_vec().into()
    }
}

/// The cookie that a handshake sets, for load balancers that want one. Its value is
/// the sid. Dormouse itself does not read cookies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Its name. Default: `io`.
    pub name: String,
    /// Its attributes. Default: `Path=/; HttpOnly; SameSite=Lax`. Over `https:` there
    /// is `Secure` as well.
    pub attributes: String,
}

impl Default for Cookie {
    fn default() -> Self {
        Self {
            name: "io".to_owned(),
            attributes: "Path=/; HttpOnly; SameSite=Lax".to_owned(),
        }
    }
}

impl From<&str> for Cookie {
    /// Returns a cookie of this name with the default attributes.
    fn from(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }
}

/// The options, as the methods of [`Engine`](crate::engine::Engine) set them.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) path: String,
    pub(crate) settings: Settings,
    pub(crate) transports: Vec<Transport>,
    pub(crate) revision_3: bool,
    pub(crate) origins: Origins,
    pub(crate) credentials: bool,
    /// JSONP is served to a browser that does not say whose page loads it.
    pub(crate) jsonp: bool,
    /// What a proxy says of the client's request is believed.
    pub(crate) trust_proxy: bool,
    pub(crate) subprotocol: Subprotocol,
    pub(crate) cookie: Option<Cookie>,
    pub(crate) additions: Additions,
    /// Bodies of at least this many bytes are compressed.
    pub(crate) compression: Option<usize>,
    pub(crate) in_order: bool,
    pub(crate) task_limit: Duration,
    /// The maximum number of bytes that an object holds for all of its clients, if it
    /// is not the default.
    pub(crate) max_memory: Option<usize>,
    /// The rows that a client may make its object write in a minute.
    pub(crate) max_rows: u32,
    pub(crate) placement: Placement,
    pub(crate) rate_limit: RateLimit,
    pub(crate) address_rate_limit: RateLimit,
    pub(crate) on_overrun: Decision,
    pub(crate) log: Log,
    /// What is billed is counted.
    pub(crate) usage: Option<usage::Begin>,
    /// Spans, if they are asked for.
    pub(crate) tracing: Option<&'static Tracing>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            path: "/engine.io/".to_owned(),
            settings: Settings::default(),
            transports: vec![Transport::Polling, Transport::WebSocket],
            revision_3: true,
            origins: Origins::Same,
            credentials: false,
            jsonp: false,
            trust_proxy: false,
            subprotocol: Subprotocol::default(),
            cookie: None,
            additions: Additions::default(),
            compression: Some(1024),
            in_order: false,
            task_limit: Duration::from_secs(60),
            max_memory: None,
            max_rows: 60,
            placement: Placement::default(),
            rate_limit: RateLimit::default(),
            address_rate_limit: RateLimit::none(),
            on_overrun: Decision::default(),
            log: Log::default(),
            usage: None,
            tracing: None,
        }
    }
}

/// The longest ping interval: idle connections through the platform's proxies
/// are cut after 100 s.
const LONGEST_PING_INTERVAL: Duration = Duration::from_secs(90);

/// The largest payload: the platform passes no WebSocket message over 32 MiB on.
const LARGEST_PAYLOAD: usize = 32 << 20;

/// The budget of memory, unless the application sets another.
const MEMORY: usize = 32 << 20;

/// The largest budget of memory: an isolate has 128 MB, and needs some for itself.
const LARGEST_MEMORY: usize = 100 << 20;

/// An option cannot be served: the error names it, the reason and the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    pub(crate) endpoint: String,
    pub(crate) option: &'static str,
    pub(crate) remedy: String,
}

impl ConfigError {
    /// Returns the name of the option: that of the method which sets it.
    pub fn option(&self) -> &'static str {
        self.option
    }

    /// Returns what is wrong with it, and what is allowed.
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "dormouse: {}: option `{}`: {}",
            self.endpoint, self.option, self.remedy
        )
    }
}

impl core::error::Error for ConfigError {}

impl Options {
    /// Checks for options that cannot be served, or not together.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let Settings {
            ping_interval,
            ping_timeout,
            upgrade_timeout,
            max_payload,
            ..
        } = self.settings;
        let wrong = |option, remedy: &str| {
            Err(ConfigError {
                endpoint: self.path.clone(),
                option,
                remedy: remedy.to_owned(),
            })
        };
        if !self.path.starts_with('/') || self.path.len() < 2 || !self.path.bytes().all(is_path) {
            return wrong(
                "path",
                "must start with `/` and hold letters, digits and -._~/ only, \
                 such as \"/engine.io/\"",
            );
        }
        if ping_interval.is_zero() || ping_interval > LONGEST_PING_INTERVAL {
            return wrong(
                "ping_interval",
                "must be over 0 and at most 90 s, for idle connections are cut after 100 s",
            );
        }
        if ping_timeout.is_zero() {
            return wrong("ping_timeout", "must be over 0; the usual value is 20 s");
        }
        if upgrade_timeout.is_zero() {
            return wrong("upgrade_timeout", "must be over 0; the usual value is 10 s");
        }
        if max_payload == 0 || max_payload > LARGEST_PAYLOAD {
            return wrong(
                "max_payload",
                "must be over 0 and at most 32 MiB, which is the platform's own limit",
            );
        }
        if self.settings.max_buffered < max_payload {
            return wrong(
                "max_buffered",
                "must be at least max_payload, or a single message is too much",
            );
        }
        if self.settings.max_unproven < 2 * max_payload {
            return wrong("max_unproven", "must be at least twice max_payload");
        }
        if self.max_memory() < 2 * max_payload {
            return wrong(
                "max_memory",
                "must be at least twice max_payload, or a single message is too much",
            );
        }
        if self.max_memory() > LARGEST_MEMORY {
            return wrong(
                "max_memory",
                "must be at most 100 MiB, for the platform gives an isolate 128 MB",
            );
        }
        if self.max_rows < 2 {
            return wrong(
                "max_rows",
                "must be at least 2: one to write, and one for the end",
            );
        }
        if self.transports.is_empty() {
            return wrong(
                "transports",
                "name Transport::Polling, Transport::WebSocket or both",
            );
        }
        if self.credentials && self.origins == Origins::Unchecked {
            return wrong(
                "credentials",
                "has no effect while origins are unchecked; drop one of them",
            );
        }
        if let Origins::These(origins) = &self.origins
            && let Some(origin) = origins.iter().find(|origin| !is_origin(origin))
        {
            let remedy = format!(
                "\"{origin}\" is not an origin; write scheme and host, such as \"https://example.com\""
            );
            return wrong("origins", &remedy);
        }
        if let Some(cookie) = &self.cookie {
            if cookie.name.is_empty() || !cookie.name.bytes().all(is_token) {
                return wrong(
                    "cookie",
                    "its name may hold letters, digits and !#$%&'*+-.^_`|~ only",
                );
            }
            if !cookie
                .attributes
                .bytes()
                .all(|byte| matches!(byte, b' '..=b'~'))
            {
                return wrong("cookie", "its attributes may hold printable ASCII only");
            }
        }
        if let Err((option, remedy)) = rate_limit::check(self) {
            return wrong(option, &remedy);
        }
        if let Err(remedy) = self.placement.check() {
            return wrong("placement", &remedy);
        }
        Ok(())
    }

    /// Completes them, once nothing is set any more.
    pub(crate) fn complete(mut self) -> Rc<Self> {
        self.log.server = (*self.path).into();
        Rc::new(self)
    }

    /// Returns how many bytes an object may hold for all of its clients.
    pub(crate) fn max_memory(&self) -> usize {
        let least = 2 * self.settings.max_payload;
        self.max_memory.unwrap_or(MEMORY.max(least))
    }

    /// Whether anybody asks where a client connects from.
    pub(crate) fn needs_networks(&self) -> bool {
        !self.address_rate_limit.0.is_unlimited() || self.on_overrun.0.is_some()
    }

    /// Whether some pages may connect and others may not.
    pub(crate) fn checks_origins(&self) -> bool {
        match self.origins {
            Origins::Same | Origins::These(_) => true,
            Origins::Any | Origins::Unchecked => false,
        }
    }

    /// Whether the application has a say in answers.
    pub(crate) fn asks_for_answers(&self) -> bool {
        !self.additions.is_empty() || self.subprotocol.is_asked()
    }

    pub(crate) fn takes(&self, transport: Transport) -> bool {
        self.transports.contains(&transport)
    }

    /// Returns the session's settings, adjusted to the transports.
    pub(crate) fn session_settings(&self) -> Settings {
        let mut settings = self.settings;
        settings.allow_upgrades &= self.takes(Transport::WebSocket);
        settings
    }
}

fn is_origin(origin: &str) -> bool {
    let is_bare = origin
        .split_once("://")
        .is_some_and(|(_, host)| !host.contains(['/', '?', '#']));
    is_bare && Origin::parse(origin).is_some_and(|origin| origin.is_complete())
}

/// Returns whether a byte can be in a URL as it is, and in the path of a request
/// between objects.
fn is_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte)
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
