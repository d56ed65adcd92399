//! Rate limits, and what becomes of what exceeds them.

use core::fmt;
use std::rc::Rc;

use dormouse_proto::rate::{Excess, Limit, Network, Rate, Rates, Scope};

use crate::options::Options;
use crate::request::{Handshake, StoredHandshake};
use crate::sid::Sid;

/// How much may come from a client, or from all clients of one address: in each
/// second in the long run, and at once.
///
/// The default is that of [`rate_limit`](crate::Server::rate_limit), which no honest
/// client should notice:
///
/// | | per second | at once |
/// |---|--:|--:|
/// | packets | 2,000 | 20,000 |
/// | bytes | 16 MiB | 64 MiB |
/// | joins | 20 | 200 |
///
/// Each object counts for itself, and what it has counted is forgotten when it
/// sleeps, 10 s after anything has happened in it.
///
/// ```
/// use dormouse::{RateLimit, Server};
///
/// let server = Server::new()
///     .rate_limit(RateLimit::default().packets(50, 200))
///     .address_rate_limit(RateLimit::none().packets(500, 2_000).handshakes(5, 50));
/// # let _ = server;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit(pub(crate) Rates);

impl Default for RateLimit {
    fn default() -> Self {
        Self::none()
            .packets(2_000, 20_000)
            .bytes(16 << 20, 64 << 20)
            .joins(20, 200)
    }
}

impl RateLimit {
    /// Limits nothing.
    pub const fn none() -> Self {
        Self(Rates::UNLIMITED)
    }

    /// Limits packets of Engine.IO: messages, of which a Socket.IO packet with
    /// attachments is several, heartbeats, and all others.
    pub fn packets(self, per_second: u32, burst: u32) -> Self {
        self.with(Limit::Packets, per_second, burst)
    }

    /// Limits bytes. `burst` must be at least
    /// [`max_payload`](crate::Server::max_payload).
    pub fn bytes(self, per_second: u32, burst: u32) -> Self {
        self.with(Limit::Bytes, per_second, burst)
    }

    /// Limits requests to join a namespace of Socket.IO, whether they are granted or
    /// refused.
    pub fn joins(self, per_second: u32, burst: u32) -> Self {
        self.with(Limit::Joins, per_second, burst)
    }

    /// Limits new sessions. Only an
    /// [`address_rate_limit`](crate::Server::address_rate_limit) can have this. Past
    /// it, a handshake gets 429 with `Retry-After`.
    pub fn handshakes(self, per_second: u32, burst: u32) -> Self {
        self.with(Limit::Handshakes, per_second, burst)
    }

    fn with(self, limit: Limit, per_second: u32, burst: u32) -> Self {
        Self(self.0.with(limit, Rate { per_second, burst }))
    }

    /// Says what is wrong, if anything is.
    fn check(&self, options: &Options) -> Result<(), String> {
        for (limit, Rate { per_second, burst }) in self.0.iter() {
            if per_second == 0 || burst == 0 {
                return Err(format!(
                    "`{limit}` must be over 0, per second and at once; \
                     leave out what is not to be limited"
                ));
            }
            if limit == Limit::Bytes && (burst as usize) < options.settings.max_payload {
                return Err(
                    "`bytes` must allow at least max_payload at once, or a single message is \
                     too much"
                        .to_owned(),
                );
            }
        }
        Ok(())
    }
}

/// Checks the limits of a server. An error is the option's name and the remedy.
pub(super) fn check(options: &Options) -> Result<(), (&'static str, String)> {
    let limit = &options.rate_limit;
    if limit.0.get(Limit::Handshakes).is_some() {
        return Err((
            "rate_limit",
            "a client has one handshake; limit `handshakes` in address_rate_limit".to_owned(),
        ));
    }
    limit
        .check(options)
        .map_err(|remedy| ("rate_limit", remedy))?;
    let limit = &options.address_rate_limit;
    limit
        .check(options)
        .map_err(|remedy| ("address_rate_limit", remedy))
}

/// A message of a client that exceeds a rate limit.
pub struct Overrun {
    pub(crate) sid: Sid,
    pub(crate) excess: Excess,
    pub(crate) network: Option<Network>,
    pub(crate) handshake: Option<Rc<StoredHandshake>>,
}

impl Overrun {
    /// Returns what there is too much of.
    pub fn limit(&self) -> Limit {
        self.excess.limit
    }

    /// Returns whose limit it is: that of
    /// [`rate_limit`](crate::Server::rate_limit), or of
    /// [`address_rate_limit`](crate::Server::address_rate_limit).
    pub fn scope(&self) -> Scope {
        self.excess.scope
    }

    /// Returns the id of the client's session.
    pub fn sid(&self) -> Sid {
        self.sid
    }

    /// Returns the address that the client connects from; of IPv6 its network, such as
    /// `2001:db8:1:2::/64`. `None` if the platform did not say.
    pub fn address(&self) -> Option<String> {
        self.network.map(|network| network.to_string())
    }

    /// Returns the request by which the session began. `None` in Engine.IO, which does
    /// not keep it.
    pub fn handshake(&self) -> Option<Handshake> {
        self.handshake.as_deref().map(Handshake::from)
    }
}

impl fmt::Debug for Overrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overrun")
            .field("limit", &self.limit())
            .field("scope", &self.scope())
            .finish_non_exhaustive()
    }
}

/// What becomes of a message that exceeds a rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnOverrun {
    /// It is ignored. An event is lost with its attachments, and is not acknowledged;
    /// so is an acknowledgement. A request to join a namespace is refused with
    /// `Too many requests`, and leaving one is not prevented, so that client and
    /// server agree on where the client is.
    Drop,
    /// It waits until it may come, and everything behind it too, in order. At most
    /// 1,000 messages and 16 MiB wait, beyond which the session ends. Meanwhile the
    /// object stays awake. What waits when the session ends is dropped.
    Delay,
    /// The session ends, with the reason `overrun`.
    Close,
}

impl OnOverrun {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Delay => "delay",
            Self::Close => "close",
        }
    }
}

/// Decides about a message that exceeds a limit.
pub(crate) type Decide = Rc<dyn Fn(&Overrun) -> OnOverrun>;

/// The application's decision, if it takes one.
#[derive(Clone, Default)]
pub(crate) struct Decision(pub(crate) Option<Decide>);

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "decided" } else { "close" })
    }
}
