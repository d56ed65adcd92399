//! The request of a handshake, as the application sees it.

use core::cmp::Reverse;
use core::fmt;

use dormouse_proto::{Timestamp, sort};
use js_sys::{Array, Date, JSON, Reflect};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use wasm_bindgen::{JsCast, JsValue};
use worker::worker_sys::IncomingRequestCfProperties;
use worker::{Cf, Headers};

use crate::incoming::Incoming;
use crate::platform;
use crate::query;

/// RFC 6455, section 11.3.4.
pub(crate) const SUBPROTOCOL: &str = "sec-websocket-protocol";

/// Returns the sub-protocols in a `Sec-WebSocket-Protocol` header, in its order.
pub(crate) fn offered(header: &str) -> impl Iterator<Item = &str> {
    header
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

/// The HTTP request by which a client connects: a `GET` via polling, or a WebSocket
/// upgrade.
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
/// The handshake of a Socket.IO client is kept for as long as its session lasts,
/// through sleep. The application sees all of it until the client has joined a
/// namespace, or its object has slept. If the headers have more than [`MAX_KEPT`]
/// bytes, not all are kept after that: [`cf`](Self::cf) is the first to go, and then
/// the longest headers, `Cookie` and `Authorization` after the others. Those named in
/// [`Server::keep_headers`](crate::Server::keep_headers) go last. Likewise a URL of more
/// than [`MAX_KEPT_URL`] bytes loses its longest parameters. What has to be known later
/// can be kept as data of the socket.
///
/// It can be serialized, with the names that npm's socket.io has for what is in its
/// handshake: `headers`, `time`, `issued`, `address`, `secure`, `xdomain`, `url`, `query`
/// and, of a socket, `auth`. A parameter that is there several times is an array. Mind that
/// cookies and tokens are among all this.
///
/// ```no_run
/// # fn example(socket: dormouse::Socket) -> Result<(), Box<dyn std::error::Error>> {
/// if let Some(handshake) = socket.handshake() {
///     let seconds = handshake.issued() / 1000;
///     let all = serde_json::to_value(&handshake)?;
///     assert_eq!(all["issued"], handshake.issued());
/// #   let _ = seconds;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Handshake {
    url: String,
    headers: Headers,
    cf: Option<Cf>,
    /// The same as a JavaScript value, or `undefined`.
    cf_value: JsValue,
    issued: Timestamp,
    from: Source,
    /// The `auth` of a socket, as JSON.
    auth: Option<String>,
}

/// Where a request comes from, as far as anybody is believed who says so.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Source {
    /// The client's address.
    pub(crate) address: Option<String>,
    /// It came over TLS.
    pub(crate) is_secure: bool,
}

/// The maximum number of bytes that are kept of a handshake's headers.
pub const MAX_KEPT: usize = 6_000;

/// The maximum number of bytes that are kept of a handshake's URL, as long as its
/// origin and path are shorter. There is room for a token.
pub const MAX_KEPT_URL: usize = 4_000;

/// The most bytes of headers that are held until the client has joined a namespace:
/// as many as other servers take in a request at most.
const MAX_HELD: usize = 16_384;

/// Headers that say who the client is.
const CREDENTIALS: [&str; 2] = ["authorization", "cookie"];

/// A handshake as it is stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct StoredHandshake {
    url: String,
    headers: Vec<(String, String)>,
    /// As JSON.
    cf: Option<String>,
    issued: Timestamp,
    from: Source,
}

impl Handshake {
    pub(crate) fn new(request: &Incoming, from: Source) -> Self {
        let cf = Reflect::get(request.raw(), &"cf".into()).unwrap_or_default();
        Self {
            url: request.url().to_owned(),
            headers: Headers(request.headers().clone()),
            cf: cf.is_object().then(|| cf_of(&cf)),
            cf_value: cf,
            issued: platform::now(),
            from,
            auth: None,
        }
    }

    /// Returns what the application sees while it decides, for as long as the object is
    /// awake.
    pub(crate) fn hold(&self, preferred: &[String]) -> StoredHandshake {
        let cf = Some(&self.cf_value).filter(|cf| cf.is_object());
        let mut held = StoredHandshake {
            url: self.url.clone(),
            headers: entries(&self.headers),
            cf: cf.and_then(|cf| JSON::stringify(cf).ok()).map(String::from),
            issued: self.issued,
            from: self.from.clone(),
        };
        held.trim(MAX_HELD, preferred);
        held
    }

    /// Returns the whole URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the URL's path.
    pub fn path(&self) -> &str {
        query::split(&self.url).0
    }

    /// Returns the decoded value of a parameter in the URL's query; the last one if
    /// there are several.
    pub fn query(&self, name: &str) -> Option<String> {
        query::parameter(query::split(&self.url).1, name)
    }

    /// Returns all parameters of the URL's query, decoded and in order.
    pub fn queries(&self) -> Vec<(String, String)> {
        query::parameters(query::split(&self.url).1).collect()
    }

    /// Returns the value of a header. Case does not matter.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).ok().flatten()
    }

    /// Returns all headers.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Returns the WebSocket sub-protocols that the client offers, in its order; none if
    /// it connects via polling.
    pub fn subprotocols(&self) -> Vec<String> {
        let header = self.header(SUBPROTOCOL).unwrap_or_default();
        offered(&header).map(str::to_owned).collect()
    }

    /// Returns what Cloudflare knows of the request: country, data centre, TLS and
    /// more. `None` in local development without network access.
    pub fn cf(&self) -> Option<&Cf> {
        self.cf.as_ref()
    }

    /// Returns the client's IP address: that in Cloudflare's header `CF-Connecting-IP`, or
    /// where [`trust_proxy`](crate::Server::trust_proxy) is set, the one in
    /// `X-Forwarded-For` that the proxy has added. `None` if there is neither.
    pub fn address(&self) -> Option<String> {
        self.from.address.clone()
    }

    /// Returns whether the client connected over `https:` or `wss:`; with
    /// [`trust_proxy`](crate::Server::trust_proxy), whether the proxy says so in
    /// `X-Forwarded-Proto`.
    pub fn is_secure(&self) -> bool {
        self.from.is_secure
    }

    /// Returns the time of the request, when the session was opened, in milliseconds since
    /// 1970.
    pub fn issued(&self) -> u64 {
        self.issued.as_millis()
    }

    /// Returns the same time as JavaScript writes it, such as
    /// `Thu Nov 26 2026 23:13:42 GMT+0000 (Coordinated Universal Time)`.
    pub fn time(&self) -> String {
        let millis = JsValue::from_f64(self.issued.as_millis() as f64);
        Date::new(&millis).to_string().into()
    }

    /// Leaves out the headers that say who the client is, for others to see the rest.
    pub(crate) fn without_credentials(self) -> Self {
        for name in CREDENTIALS {
            // It fails for names that are none.
            let _ = self.headers.delete(name);
        }
        self
    }

    /// Adds the `auth` of one of the client's sockets.
    pub(crate) fn with_auth(self, auth: Option<String>) -> Self {
        Self { auth, ..self }
    }

    /// Returns the `auth` of the socket, as JSON.
    pub(crate) fn auth_json(&self) -> Option<&str> {
        self.auth.as_deref()
    }
}

impl Serialize for Handshake {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let headers = entries(&self.headers);
        let auth = self.auth.as_deref();
        let auth: Option<&RawValue> = auth.and_then(|auth| serde_json::from_str(auth).ok());
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("headers", &Pairs(headers))?;
        map.serialize_entry("time", &self.time())?;
        map.serialize_entry("issued", &self.issued())?;
        map.serialize_entry("address", &self.from.address)?;
        map.serialize_entry("secure", &self.is_secure())?;
        map.serialize_entry("xdomain", &self.header("origin").is_some())?;
        map.serialize_entry("url", &self.url)?;
        map.serialize_entry("query", &Pairs(self.queries()))?;
        if let Some(auth) = auth {
            map.serialize_entry("auth", auth)?;
        }
        map.end()
    }
}

/// Names and values, of which those with the same name are an array.
struct Pairs(Vec<(String, String)>);

impl Serialize for Pairs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The values of a name stay as they came.
        let pairs = self.0.iter().enumerate();
        let mut pairs: Vec<_> = pairs.map(|(at, (name, value))| (name, at, value)).collect();
        sort(&mut pairs);
        let mut map = serializer.serialize_map(None)?;
        for same in pairs.chunk_by(|(one, ..), (other, ..)| one == other) {
            match same {
                [(name, _, value)] => map.serialize_entry(name, value)?,
                several => {
                    let name = several.first().map_or("", |(name, ..)| name);
                    let values: Vec<_> = several.iter().map(|(.., value)| value).collect();
                    map.serialize_entry(name, &values)?;
                }
            }
        }
        map.end()
    }
}

/// The names of what is not kept of a handshake.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) headers: Vec<String>,
    pub(crate) parameters: Vec<String>,
}

impl StoredHandshake {
    /// Whether not all of it is to outlive sleep.
    pub(crate) fn is_too_large(&self) -> bool {
        self.len() + self.cf.as_ref().map_or(0, String::len) > MAX_KEPT
            || self.url.len() > MAX_KEPT_URL
    }

    /// Leaves what is to outlive sleep.
    pub(crate) fn reduce(&mut self, preferred: &[String]) -> Dropped {
        Dropped {
            headers: self.trim(MAX_KEPT, preferred),
            parameters: query::shorten(&mut self.url, MAX_KEPT_URL),
        }
    }

    /// Returns how large it is, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let more = [&self.cf, &self.from.address];
        let more: usize = more.into_iter().flatten().map(String::len).sum();
        self.url.len() + self.len() + more
    }

    /// The bytes of the headers.
    fn len(&self) -> usize {
        self.headers.iter().map(header_len).sum()
    }

    fn trim(&mut self, limit: usize, preferred: &[String]) -> Vec<String> {
        let mut dropped = Vec::new();
        let mut len = self.len();
        while len > limit {
            let worth = |(name, value): &(String, String)| {
                let is_preferred = preferred.iter().any(|it| it.eq_ignore_ascii_case(name));
                let is_credential = CREDENTIALS.contains(&&**name);
                let length = name.len() + value.len();
                (is_preferred, is_credential, Reverse(length))
            };
            let headers = self.headers.iter().enumerate();
            let Some((least, _)) = headers.min_by_key(|(_, header)| worth(header)) else {
                break;
            };
            let header = self.headers.remove(least);
            len -= header_len(&header);
            dropped.push(header.0);
        }
        self.cf.take_if(|cf| len + cf.len() > limit);
        dropped
    }
}

/// Returns the names and values of headers, in as few calls to JavaScript for many as for one.
fn entries(headers: &Headers) -> Vec<(String, String)> {
    // Each entry is an array, whose text is that of its elements with a comma in between.
    // There is none in a name, and no end of a line in a value.
    let lines = String::from(Array::from(&headers.0).join("\n"));
    let pairs = lines.split('\n').filter_map(|line| line.split_once(','));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn header_len((name, value): &(String, String)) -> usize {
    name.len() + value.len()
}

impl From<&StoredHandshake> for Handshake {
    fn from(stored: &StoredHandshake) -> Self {
        let headers = Headers::new();
        for (name, value) in &stored.headers {
            // It cannot fail: this was a header before.
            let _ = headers.append(name, value);
        }
        let cf = stored.cf.as_deref().map(JSON::parse);
        let cf = cf.and_then(Result::ok).unwrap_or_default();
        Self {
            url: stored.url.clone(),
            headers,
            cf: cf.is_object().then(|| cf_of(&cf)),
            cf_value: cf,
            issued: stored.issued,
            from: stored.from.clone(),
            auth: None,
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

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn stored(headers: &[(&str, usize)], cf: usize) -> StoredHandshake {
        let headers = headers.iter().map(|(name, len)| {
            let value = "x".repeat(len - name.len());
            ((*name).to_owned(), value)
        });
        StoredHandshake {
            url: "/".to_owned(),
            headers: headers.collect(),
            cf: Some("x".repeat(cf)),
            issued: Timestamp::from_millis(0),
            from: Source::default(),
        }
    }

    fn check(headers: &[(&str, usize)], preferred: &[&str], dropped: &[&str]) {
        let preferred: Vec<String> = preferred.iter().map(|it| (*it).to_owned()).collect();
        let mut stored = stored(headers, 0);
        let is_too_large = stored.is_too_large();
        assert_eq!(stored.reduce(&preferred).headers, dropped, "{headers:?}");
        assert_eq!(is_too_large, !dropped.is_empty());
        assert_eq!(stored.headers.len(), headers.len() - dropped.len());
        assert!(stored.len() <= MAX_KEPT && !stored.is_too_large());
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn headers_that_say_who_a_client_is_are_kept_rather_than_others() {
        let long = ("cookie", 4_000);
        check(&[long, ("a", 999), ("b", 1_000)], &[], &[]);
        check(&[long, ("a", 1_000), ("b", 1_000)], &[], &[]);
        check(&[long, ("a", 1_000), ("b", 1_001)], &[], &["b"]);
        check(&[long, ("a", 3_000), ("b", 3_000)], &[], &["a", "b"]);
        check(
            &[("authorization", 5_900), ("a", 60), ("b", 60)],
            &[],
            &["a"],
        );
        // They go too where nothing else is left.
        check(
            &[long, ("authorization", 4_001), ("a", 9)],
            &[],
            &["a", "authorization"],
        );
        check(&[("cookie", 20_000), ("a", 9)], &[], &["a", "cookie"]);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn the_application_may_prefer_other_headers() {
        let headers = [("cookie", 5_000), ("x-token", 900), ("user-agent", 200)];
        check(&headers, &[], &["x-token"]);
        check(&headers, &["X-Token"], &["user-agent"]);
        check(
            &[("cookie", 5_000), ("x-token", 7_000)],
            &["x-token"],
            &["cookie", "x-token"],
        );
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn what_cloudflare_knows_is_the_first_to_go() {
        for (cf, stays) in [(1_999, true), (2_000, true), (2_001, false)] {
            let mut stored = stored(&[("cookie", 4_000)], cf);
            assert_eq!(stored.is_too_large(), !stays);
            assert_eq!(stored.reduce(&[]), Dropped::default());
            assert_eq!(stored.cf.is_some(), stays, "{cf}");
        }
    }

    #[cfg(target_arch = "wasm32")]
    #[wasm_bindgen_test]
    fn headers_are_kept_as_they_came() {
        let headers = [
            ("accept", "text/html, */*;q=0.8"),
            ("x-empty", ""),
            ("x-latin", "é,\u{85}ÿ"),
            ("x-tab", "a\tb"),
            ("x-twice", "1"),
            ("x-twice", "2"),
        ];
        let request = crate::in_browser::request("GET", "https://a.org/", &headers);
        let held = Handshake::new(&request, Source::default()).hold(&[]);
        let expect = [&headers[..4], &[("x-twice", "1, 2")]].concat();
        let expect = expect
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        assert_eq!(held.headers, expect.collect::<Vec<_>>());
        assert_eq!(
            Handshake::from(&held).header("x-latin").as_deref(),
            Some("é,\u{85}ÿ")
        );
    }

    #[cfg(target_arch = "wasm32")]
    #[wasm_bindgen_test]
    fn it_is_serialized_with_the_names_of_others() {
        let url = "https://a.org/x?b=1&a=%C3%A9&b=&c&b=3";
        let headers = [("x-hat", "red"), ("origin", "https://b.org")];
        let request = crate::in_browser::request("GET", url, &headers);
        let source = Source {
            address: Some("192.0.2.1".to_owned()),
            is_secure: true,
        };
        let mut stored = Handshake::new(&request, source).hold(&[]);
        stored.issued = Timestamp::from_millis(1_795_734_822_123);
        let json = |auth: Option<&str>| {
            let handshake = Handshake::from(&stored).with_auth(auth.map(str::to_owned));
            assert_eq!(handshake.issued(), 1_795_734_822_123);
            let mut json = serde_json::to_value(&handshake).unwrap();
            let time = json["time"].take();
            assert!(time.as_str().unwrap().contains(" Nov 26 2026 "), "{time}");
            json.to_string()
        };
        let headers = r#""headers":{"origin":"https://b.org","x-hat":"red"}"#;
        let rest = format!(
            r#""issued":1795734822123,"query":{{"a":"é","b":["1","","3"],"c":""}},"secure":true,"time":null,"url":"{url}","xdomain":true}}"#
        );
        assert_eq!(
            json(None),
            format!(r#"{{"address":"192.0.2.1",{headers},{rest}"#)
        );
        assert_eq!(
            json(Some("[1]")),
            format!(r#"{{"address":"192.0.2.1","auth":[1],{headers},{rest}"#)
        );
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn urls_are_bounded() {
        for (length, stays) in [
            (MAX_KEPT_URL - 1, true),
            (MAX_KEPT_URL, true),
            (MAX_KEPT_URL + 1, false),
        ] {
            let mut stored = stored(&[], 0);
            stored.url = "/?EIO=4&long=".to_owned();
            stored.url += &"x".repeat(length - stored.url.len());
            assert_eq!(stored.is_too_large(), !stays);
            let dropped = stored.reduce(&[]).parameters;
            assert_eq!(dropped.is_empty(), stays, "{length}");
            assert_eq!(stored.url == "/?EIO=4", !stays, "{length}");
            assert!(!stored.is_too_large());
        }
    }
}
