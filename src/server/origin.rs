//! Origins, and whether two of them are one.

/// Scheme, host and port (RFC 6454, section 4): what two origins are compared by.
///
/// Not every client writes them as browsers do. Some send the URL of the WebSocket,
/// with its path and its query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    pub(crate) scheme: &'a str,
    host: &'a str,
    /// `None` for the one that the scheme has by itself.
    port: Option<&'a str>,
}

impl<'a> Origin<'a> {
    /// Reads the origin that `text` is, or begins with.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let scheme = match scheme {
            "ws" => "http",
            "wss" => "https",
            scheme => scheme,
        };
        // The colons of an IPv6 address are in brackets.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            Some(_) | None => (authority, None),
        };
        let default = if scheme.eq_ignore_ascii_case("https") {
            Some("443")
        } else if scheme.eq_ignore_ascii_case("http") {
            Some("80")
        } else {
            None
        };
        Some(Self {
            scheme,
            host,
            port: port.filter(|_| port != default),
        })
    }

    /// Whether this is an origin that pages can have.
    pub(crate) fn is_complete(&self) -> bool {
        let has_host = !self.host.is_empty() && !self.host.contains(['*', ' ']);
        !self.scheme.is_empty() && (has_host || self.scheme == "file" && self.host.is_empty())
    }
}

impl PartialEq for Origin<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.host.eq_ignore_ascii_case(other.host)
            && self.port == other.port
    }
}
