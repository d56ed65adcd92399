//! The request of a handshake, as the application sees it.

use core::fmt;

use worker::Cf;

use crate::query;

/// The HTTP request by which a client connects: a `GET` by polling, or a
/// WebSocket upgrade.
///
/// ```no_run
/// # fn example(handshake: dormouse::engine::Handshake) {
/// let room = handshake.query("room"); // ?EIO=4&transport=polling&room=…
/// let agent = handshake.header("user-agent");
/// let country = handshake.cf().and_then(|cf| cf.country());
/// # let _ = (room, agent, country);
/// # }
/// ```
pub struct Handshake {
    request: worker::Request,
    url: String,
}

impl Handshake {
    pub(crate) fn new(request: &web_sys::Request) -> Self {
        Self {
            url: request.url(),
            request: worker::Request::from(Clone::clone(request)),
        }
    }

    /// The method; always `GET`.
    pub fn method(&self) -> String {
        self.request.method().to_string()
    }

    /// The whole URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL's path.
    pub fn path(&self) -> &str {
        query::split(&self.url).0
    }

    /// The parameter of this name in the URL's query, decoded; the last if there
    /// are several.
    pub fn query(&self, name: &str) -> Option<String> {
        query::parameter(query::split(&self.url).1, name)
    }

    /// All parameters of the URL's query, decoded and in order.
    pub fn queries(&self) -> Vec<(String, String)> {
        query::parameters(query::split(&self.url).1).collect()
    }

    /// The header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<String> {
        self.request.headers().get(name).ok().flatten()
    }

    /// All headers.
    pub fn headers(&self) -> &worker::Headers {
        self.request.headers()
    }

    /// What Cloudflare knows of the request: country, data centre, TLS and
    /// more. `None` in local development without network access.
    pub fn cf(&self) -> Option<&Cf> {
        self.request.cf()
    }

    /// The client's IP address, as Cloudflare tells it in `CF-Connecting-IP`.
    pub fn address(&self) -> Option<String> {
        self.header("cf-connecting-ip")
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}
