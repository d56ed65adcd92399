//! The request of a handshake, as the application sees it.

use core::fmt;

use dormouse_proto::Timestamp;
use js_sys::{JSON, Reflect};
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast, JsValue};
use worker::worker_sys::IncomingRequestCfProperties;
use worker::{Cf, Headers};

use crate::http::SUBPROTOCOL;
use crate::options::offered;
use crate::platform;
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
///
/// That of a Socket.IO client is kept for as long as its session lasts, through
/// sleep. Of a request with more than [`MAX_KEPT`] bytes of headers, the longest
/// of them are not kept, and [`cf`](Self::cf) is the first to go.
pub struct Handshake {
    url: String,
    headers: Headers,
    cf: Option<Cf>,
    /// The same as a value of JavaScript, or `undefined`.
    cf_value: JsValue,
    time: Timestamp,
}

/// The most bytes that are kept of a handshake's headers.
pub const MAX_KEPT: usize = 6_000;

/// A handshake as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeptHandshake {
    url: String,
    headers: Vec<(String, String)>,
    /// As JSON.
    cf: Option<String>,
    time: Timestamp,
}

impl Handshake {
    pub(crate) fn new(request: &web_sys::Request) -> Self {
        let cf = Reflect::get(request, &"cf".into()).unwrap_or_default();
        Self {
            url: request.url(),
            headers: Headers(request.headers()),
            cf: cf.is_object().then(|| cf_of(&cf)),
            cf_value: cf,
            time: platform::now(),
        }
    }

    /// What is to outlive sleep.
    pub(crate) fn keep(&self) -> KeptHandshake {
        let mut headers: Vec<(String, String)> = self.headers.entries().collect();
        let bytes = |(name, value): &(String, String)| name.len() + value.len();
        let mut room = MAX_KEPT.checked_sub(headers.iter().map(bytes).sum());
        while room.is_none() {
            let longest = headers.iter().map(bytes).max();
            let longest = headers
                .iter()
                .position(|header| Some(bytes(header)) == longest);
            headers.remove(longest.unwrap_or_default());
            room = MAX_KEPT.checked_sub(headers.iter().map(bytes).sum());
        }
        let room = room.unwrap_or_default();
        let cf = Some(&self.cf_value).filter(|cf| cf.is_object());
        let cf = cf.and_then(|cf| JSON::stringify(cf).ok());
        KeptHandshake {
            url: self.url.clone(),
            headers,
            cf: cf.map(String::from).filter(|cf| cf.len() <= room),
            time: self.time,
        }
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
        self.headers.get(name).ok().flatten()
    }

    /// All headers.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The WebSocket sub-protocols that the client offers, in its order. None if it
    /// connects via polling.
    pub fn subprotocols(&self) -> Vec<String> {
        let header = self.header(SUBPROTOCOL).unwrap_or_default();
        offered(&header).map(str::to_owned).collect()
    }

    /// What Cloudflare knows of the request: country, data centre, TLS and
    /// more. `None` in local development without network access.
    pub fn cf(&self) -> Option<&Cf> {
        self.cf.as_ref()
    }

    /// The client's IP address, as Cloudflare tells it in `CF-Connecting-IP`.
    pub fn address(&self) -> Option<String> {
        self.header("cf-connecting-ip")
    }

    /// Whether the client connected by `https:` or `wss:`.
    pub fn is_secure(&self) -> bool {
        self.url.starts_with("https:")
    }

    /// When it was, in milliseconds since 1970.
    pub fn time(&self) -> u64 {
        self.time.as_millis()
    }
}

impl From<&KeptHandshake> for Handshake {
    fn from(kept: &KeptHandshake) -> Self {
        let headers = Headers::new();
        for (name, value) in &kept.headers {
            // It was a header before.
            let _ = headers.append(name, value);
        }
        let cf = kept.cf.as_deref().map(JSON::parse);
        let cf = cf.and_then(Result::ok).unwrap_or_default();
        Self {
            url: kept.url.clone(),
            headers,
            cf: cf.is_object().then(|| cf_of(&cf)),
            cf_value: cf,
            time: kept.time,
        }
    }
}

fn cf_of(value: &JsValue) -> Cf {
    let cf: IncomingRequestCfProperties = value.clone().unchecked_into();
    cf.into()
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}
