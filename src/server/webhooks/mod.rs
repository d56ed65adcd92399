//! Webhooks: handlers that ask a back end, in any language, over HTTP.
//!
//! They are a [`Group`] like one that an application might write, and know no more of the
//! server than its handlers do. A call goes through it in this order:
//!
//! 1. `hooks`: a handler is called.
//! 2. `lane`, with its `slots` and its circuits (`circuit`): may a call be made, and when?
//! 3. `delivery`, with `body` and `signature`: it is made, perhaps again.
//! 4. `answer`: what the back end says, checked.
//! 5. `actions`: it is done.

mod actions;
mod answer;
mod body;
mod circuit;
mod delivery;
mod failure;
mod hooks;
mod lane;
mod signature;
mod slots;

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::rc::Rc;

use self::lane::InFlight;
use crate::api::{Group, Namespace};
use crate::env;

/// The longest time limit: shorter than the time for which a client waits to be let in.
const LONGEST: Duration = Duration::from_secs(25);

/// The maximum number of bytes of all answers that may come to an object at once, of its
/// 128 MB.
const MAX_ANSWERS: usize = 32 << 20;

/// Handlers of a [`Namespace`] that ask a back end, in any language, over HTTP: it decides
/// who connects, handles events, and hears who has gone.
///
/// ```
/// use dormouse::{Server, Webhook};
///
/// fn app() -> Server {
///     Server::new().namespace("/", |namespace| {
///         namespace
///             .group(Webhook::new("https://api.example.com/socket.io"))
///             // An event with a handler of its own is not the back end's.
///             .on("ping", || "pong")
///     })
/// }
///
/// dormouse::worker!(app);
/// # fn main() {}
/// ```
///
/// Each call is a `POST` with a body in JSON, signed as
/// [Standard Webhooks](https://www.standardwebhooks.com) says, and its answer may carry an
/// acknowledgement, new data, and actions: `docs/webhooks.md` has all of it, and says what
/// a slow or broken back end means. A client is told of a failure by its acknowledgement
/// or as its connection is refused: `service unavailable` where another attempt may fare
/// better, and `internal error` otherwise. The log says more.
///
/// While a call is in flight, the object is awake.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Tells it from others. Its clones are the same webhook.
    number: u32,
    url: String,
    hooks: Vec<Hook>,
    /// The events that it handles, if they are not all others.
    events: Option<Vec<String>>,
    /// The names of the variables that hold the secrets.
    secrets: [String; 2],
    time_limit: Duration,
    in_flight: InFlight,
    max_answer: usize,
    retry_events: bool,
}

/// What a back end is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hook {
    /// A client wants to join the namespace, and waits until the back end decides.
    Connect,
    /// A client has sent an event.
    Event,
    /// A client has left the namespace, or was cut off.
    Disconnect,
    /// A client that was cut off has not come back in time: see
    /// [`Recovery`](crate::Recovery).
    Expired,
}

impl Hook {
    /// Returns its name, the `type` of a call.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Event => "event",
            Self::Disconnect => "disconnect",
            Self::Expired => "expired",
        }
    }
}

impl Webhook {
    /// Returns a webhook that calls this address, with the default options. The address
    /// should begin with `https://`: bodies are signed, and not encrypted otherwise.
    pub fn new(url: &str) -> Self {
        static NUMBERS: AtomicU32 = AtomicU32::new(0);
        Self {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            url: url.to_owned(),
            hooks: vec![Hook::Connect, Hook::Event, Hook::Disconnect, Hook::Expired],
            events: None,
            secrets: ["WEBHOOK_SECRET".to_owned(), "WEBHOOK_SECRET_OLD".to_owned()],
            time_limit: Duration::from_secs(10),
            in_flight: InFlight {
                client: 4,
                address: 5,
                object: 32,
            },
            max_answer: 1_000_000,
            retry_events: false,
        }
    }

    /// Sets what the back end is called for. Default: everything. For the rest, the
    /// namespace may have handlers of the application's own.
    pub fn hooks(mut self, hooks: &[Hook]) -> Self {
        self.hooks = hooks.to_vec();
        self
    }

    /// Names the events that the back end handles. Default: all that have no handler of
    /// their own in the namespace.
    pub fn events(mut self, names: &[&str]) -> Self {
        let names = names.iter().map(|name| (*name).to_owned());
        self.events = Some(names.collect());
        self
    }

    /// Names the two variables in the Worker's environment that hold the secrets, each
    /// `whsec_` and 24 to 64 random bytes in base64. Default: `WEBHOOK_SECRET` and
    /// `WEBHOOK_SECRET_OLD`. A call is signed with each that is set, so that one can be
    /// replaced while the back end knows the other. If neither is, the Worker does not
    /// start.
    pub fn secrets(mut self, name: &str, other: &str) -> Self {
        self.secrets = [name.to_owned(), other.to_owned()];
        self
    }

    /// Sets how long a call may take, with all its attempts and the time in which it waits
    /// for others, at most 25 s. Default: 10 s.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Sets how many calls are in flight at once: for one client, for all clients of an
    /// address (of IPv6, of its first half), and for all of an object. Default: 4, 5 and
    /// 32. Further calls wait for their turn, in order, and count as late after the
    /// [`time_limit`](Self::time_limit).
    ///
    /// With 1 for a client, its events reach the back end one after the other;
    /// [`in_order`](crate::Server::in_order) does the same for all handlers of a server.
    ///
    /// The platform lets an object have six requests that wait for the first byte of an
    /// answer. With 6 or more for an address, clients there that make the back end slow
    /// are in the way of all others. Where many honest clients share an address, that may
    /// be the lesser evil.
    pub fn in_flight(mut self, client: usize, address: usize, object: usize) -> Self {
        self.in_flight = InFlight {
            client,
            address,
            object,
        };
        self
    }

    /// Sets the maximum size of an answer, in bytes, at most 8 MiB. Default: 1,000,000. All
    /// that are [in flight](Self::in_flight) for an object may have 32 MiB together.
    pub fn max_answer(mut self, bytes: usize) -> Self {
        self.max_answer = bytes;
        self
    }

    /// Sets whether the call for an event is tried again if the back end may not have got
    /// it: up to twice, with the same id. Default: `false`, for the back end may have
    /// handled it, and only its answer was lost. Turn it on if the back end remembers ids.
    /// All other calls are tried again in any case.
    pub fn retry_events(mut self, retry: bool) -> Self {
        self.retry_events = retry;
        self
    }

    fn hears(&self, hook: Hook) -> bool {
        self.hooks.contains(&hook)
    }

    /// Returns the option that cannot be served, and the remedy.
    fn check(&self) -> Result<(), (&'static str, String)> {
        let wrong = |option, remedy: &str| Err((option, remedy.to_owned()));
        if !is_address(&self.url) {
            let remedy = format!(
                "\"{}\" is not an address; write one such as \"https://api.example.com/hook\"",
                self.url
            );
            return wrong("webhook", &remedy);
        }
        if self.time_limit.is_zero() || self.time_limit > LONGEST {
            return wrong("time_limit", "must be over 0 and at most 25 s");
        }
        let InFlight {
            client,
            address,
            object,
        } = self.in_flight;
        if client == 0 || address < client || object < address {
            return wrong(
                "in_flight",
                "must be over 0 for a client, at least as many for an address, and for an object \
                 at least as many as for an address",
            );
        }
        if self.max_answer == 0 || self.max_answer > 8 << 20 {
            return wrong("max_answer", "must be over 0 and at most 8 MiB");
        }
        if object.saturating_mul(self.max_answer) > MAX_ANSWERS {
            let remedy = format!(
                "{object} answers of {} bytes may be in an object's memory at once, and 32 MiB are \
                 allowed: set fewer calls in flight, or less for an answer",
                self.max_answer
            );
            return wrong("in_flight", &remedy);
        }
        // The environment is there where a Worker starts.
        match env().map(|env| self.keys(&env)) {
            Some(Err(remedy)) => wrong("secrets", &remedy),
            Some(Ok(_)) | None => Ok(()),
        }
    }
}

/// Returns whether this is an address that can be called. The platform takes none with a
/// name and password.
fn is_address(url: &str) -> bool {
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    rest.is_some_and(|rest| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let is_plain = url.bytes().all(|byte| matches!(byte, b'!'..=b'~'));
        !host.is_empty() && !host.contains('@') && is_plain
    })
}

impl Group for Webhook {
    fn register(self: Rc<Self>, namespace: Namespace) -> Namespace {
        match self.check() {
            Ok(()) => hooks::register(self, namespace),
            Err((option, remedy)) => namespace.misconfigured(option, &remedy),
        }
    }
}

#[cfg(test)]
mod tests;
