//! HTTP responses: everything besides their bodies.

mod lines;
pub(crate) mod origins;

use core::time::Duration;

use dormouse_proto::engine::{Answer, Body, RequestError};
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{Response, ResponseInit, WebSocket};

use self::lines::Lines;
use crate::incoming::Incoming;
use crate::options::{Added, Options, Origins};
use crate::request::SUBPROTOCOL;

#[wasm_bindgen]
extern "C" {
    /// A transform stream that compresses.
    type CompressionStream;
    #[wasm_bindgen(constructor)]
    fn new(format: &str) -> CompressionStream;

    type Stream;
    #[wasm_bindgen(method, js_name = pipeThrough)]
    fn pipe_through(this: &Stream, transform: &CompressionStream) -> JsValue;

    /// The constructor that takes a stream for a body.
    #[wasm_bindgen(js_name = Response)]
    type StreamedResponse;
    #[wasm_bindgen(constructor, js_class = "Response")]
    fn streamed(body: &JsValue, init: &ResponseInit) -> StreamedResponse;
}

pub(crate) const JSON: &str = "application/json";

/// A response before it is one of the platform's.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: Body<'static>,
    /// The value of a `Set-Cookie` header.
    pub(crate) cookie: Option<String>,
    /// How long the client is to wait before it tries again: a `Retry-After` header.
    pub(crate) retry_after: Option<Duration>,
    /// What the application adds to it.
    pub(crate) added: Added,
}

impl Reply {
    pub(crate) fn new(
        status: u16,
        content_type: &'static str,
        body: impl Into<Body<'static>>,
    ) -> Self {
        Self {
            status,
            content_type,
            body: body.into(),
            cookie: None,
            retry_after: None,
            added: Added::Usual,
        }
    }

    /// Returns the answer to a client that connects too often: RFC 6585, section 4.
    pub(crate) fn too_many(wait: Duration) -> Self {
        let body = r#"{"message":"Too many requests"}"#;
        Self {
            retry_after: Some(wait),
            ..Self::new(429, JSON, body)
        }
    }

    /// Returns an error of the protocol: its code, and its message or the
    /// application's.
    pub(crate) fn refusal(refusal: RequestError, message: Option<String>) -> Self {
        let message = message.filter(|message| !message.is_empty());
        let message = message.unwrap_or_else(|| refusal.to_string());
        let message = serde_json::to_string(&message).unwrap_or_default();
        let body = format!("{{\"code\":{},\"message\":{message}}}", refusal.code());
        Self::new(refusal.status(), JSON, body)
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Payload(content_type, body) => Self::new(200, content_type.as_str(), body),
            Answer::Received => Self::new(200, "text/html", "ok"),
            // npm's server says nothing either.
            Answer::TooLarge => Self::new(413, "text/html", ""),
            Answer::Refused(refusal) => Self::refusal(refusal, None),
        }
    }
}

pub(crate) fn is_upgrade(request: &Incoming) -> bool {
    request
        .header("upgrade")
        .is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

/// Returns the answer to a request that is not for a server.
pub(crate) fn not_found() -> Response {
    let init = ResponseInit::new();
    init.set_status(404);
    Response::new_with_opt_str_and_init(None, &init).unwrap_or_else(|_| Response::error())
}

/// Creates the platform's response to `request`.
pub(crate) fn respond(options: &Options, request: &Incoming, reply: Reply) -> Response {
    let mut headers = cross_origin(options, request);
    headers.set("content-type", reply.content_type);
    headers.set("cache-control", "no-store");
    // What a client sent must not become a script where it is sent back.
    headers.set("x-content-type-options", "nosniff");
    if let Some(cookie) = &reply.cookie {
        headers.set_cookie(options, request, cookie);
    }
    if let Some(wait) = reply.retry_after {
        // Whole seconds, and not too few.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.set("retry-after", &seconds.to_string());
    }
    headers.add(options, request, reply.added);
    let encoding = options
        .compression
        .filter(|threshold| reply.body.len() >= *threshold)
        .and_then(|_| accepted_encoding(&client_encodings(request)?));
    match encoding {
        Some(encoding) => {
            let response = make(&reply.body, &headers.new_init(reply.status));
            compress(&response, encoding, reply.status, headers)
        }
        None => make(&reply.body, &headers.init(reply.status)),
    }
}

fn make(body: &Body<'_>, init: &ResponseInit) -> Response {
    let response = match body {
        Body::Text(text) => Response::new_with_opt_str_and_init(Some(text), init),
        Body::Binary(bytes) => {
            let bytes: JsValue = Uint8Array::from(&**bytes).into();
            Ok(StreamedResponse::streamed(&bytes, init).unchecked_into())
        }
    };
    // It throws for an invalid status or header; ours are valid.
    response.unwrap_or_else(|_| Response::error())
}

/// Returns the response that hands one end of a WebSocket pair to the client.
pub(crate) fn switch_protocols(
    options: &Options,
    request: &Incoming,
    client: &WebSocket,
    cookie: Option<&str>,
    added: Added,
) -> Response {
    let mut headers = cross_origin(options, request);
    if let Some(cookie) = cookie {
        headers.set_cookie(options, request, cookie);
    }
    // A client that has offered some takes no connection without one of them.
    let offered = request.header(SUBPROTOCOL).unwrap_or_default();
    if let Some(subprotocol) = options.subprotocol.select(&offered) {
        headers.set(SUBPROTOCOL, subprotocol);
    }
    headers.add(options, request, added);
    let init = headers.new_init(101);
    // A plain property of a plain object.
    let _ = Reflect::set(&init, &"webSocket".into(), client);
    Response::new_with_opt_str_and_init(None, &init).unwrap_or_else(|_| Response::error())
}

fn compress(response: &Response, encoding: &str, status: u16, mut headers: Lines) -> Response {
    let Ok(body) = Reflect::get(response, &"body".into()) else {
        return Clone::clone(response);
    };
    let body = body
        .unchecked_ref::<Stream>()
        .pipe_through(&CompressionStream::new(encoding));
    headers.set("content-encoding", encoding);
    let init = headers.new_init(status);
    // The body is compressed already; the runtime must not do it again.
    let _ = Reflect::set(&init, &"encodeBody".into(), &"manual".into());
    StreamedResponse::streamed(&body, &init).unchecked_into()
}

/// Returns what the client itself says that it takes.
///
/// Cloudflare and the development proxy of wrangler write encodings of their own
/// into the header, and decode them for no client that did not ask. Of what they
/// replaced they keep a note, which is empty where there was nothing.
fn client_encodings(request: &Incoming) -> Option<String> {
    let property = |of: &JsValue, name: &str| Reflect::get(of, &name.into()).ok();
    property(request.raw(), "cf")
        .and_then(|cf| property(&cf, "clientAcceptEncoding")?.as_string())
        .or_else(|| request.header("accept-encoding"))
}

/// Returns the encoding to use among those that the client accepts (RFC 9110,
/// section 12.5.3). What it says of `*` applies to those that it does not name.
fn accepted_encoding(accepted: &str) -> Option<&'static str> {
    let weight = |name: &str| {
        accepted.split(',').find_map(|part| {
            let (coding, weight) = part.split_once(';').unwrap_or((part, ""));
            coding
                .trim()
                .eq_ignore_ascii_case(name)
                .then_some(weight.trim())
        })
    };
    ["gzip", "deflate"].into_iter().find(|name| {
        weight(name)
            .or_else(|| weight("*"))
            .is_some_and(|weight| !is_zero(weight))
    })
}

/// Returns whether a weight is `q=0`, `q=0.0` and so on: not acceptable.
fn is_zero(weight: &str) -> bool {
    weight
        .strip_prefix(['q', 'Q'])
        .and_then(|rest| rest.strip_prefix('='))
        // Not parsed: code that reads floating-point numbers weighs 13 kB.
        .is_some_and(|q| q.starts_with('0') && q.bytes().all(|byte| matches!(byte, b'0' | b'.')))
}

/// Returns the headers that CORS requires, on errors too.
fn cross_origin(options: &Options, request: &Incoming) -> Lines {
    let mut headers = Lines::default();
    if !is_cross_origin(options) {
        return headers;
    }
    let origin = request.header("origin");
    let by_name = options.credentials || options.origins != Origins::Any;
    if by_name {
        headers.set("vary", "Origin");
    }
    if let Some(origin) = origin.filter(|origin| origins::is_admitted(options, origin, "")) {
        let admitted = if by_name { &origin } else { "*" };
        headers.set("access-control-allow-origin", admitted);
        if options.credentials {
            headers.set("access-control-allow-credentials", "true");
        }
    }
    headers
}

/// Returns whether the server speaks CORS at all.
pub(crate) fn is_cross_origin(options: &Options) -> bool {
    match options.origins {
        Origins::Any | Origins::These(_) => true,
        Origins::Same | Origins::Unchecked => false,
    }
}

/// Returns the answer to a browser's preflight request.
pub(crate) fn preflight(options: &Options, request: &Incoming) -> Response {
    let mut headers = cross_origin(options, request);
    headers.set("access-control-allow-methods", "GET,POST,OPTIONS");
    if let Some(names) = request.header("access-control-request-headers") {
        headers.set("access-control-allow-headers", &names);
    }
    headers.add(options, request, Added::Usual);
    let init = headers.init(204);
    Response::new_with_opt_str_and_init(None, &init).unwrap_or_else(|_| Response::error())
}

#[cfg(test)]
mod tests;
