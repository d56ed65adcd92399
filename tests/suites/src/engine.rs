//! `packages/engine.io-client/test/support/hooks.js`, on Dormouse.

use core::time::Duration;
use std::collections::BTreeMap;

use dormouse::engine::{AnswerHeaders, Client, Engine, Handshake, Message, SendError};
use serde_json::{Value, json};
use worker::{Env, Headers, Method, Request, RequestInit, Response, Result};

pub(crate) const PATH: &str = "/engine.io/";

const MAX_PAYLOAD: usize = 100;

/// A message that asks for the headers of the request that it came in.
const SEND_HEADERS: &str = "sendHeaders";

/// The cookies of a handshake.
const COOKIES: [&str; 4] = [
    "1=1; Max-Age=86400",
    "2=2; Path=/; HttpOnly; Secure; SameSite=Strict",
    "3=3; Max-Age=0",
    "4=4; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
];

pub(crate) fn server() -> Engine {
    Engine::new()
        .path(PATH)
        .ping_interval(Duration::from_millis(500))
        .max_payload(MAX_PAYLOAD)
        .origins("*")
        .admit(|handshake: Handshake| match handshake.query("deny") {
            Some(_) => Err(String::new()),
            None => Ok(()),
        })
        .initial_headers(|_request: &Request, headers: &mut AnswerHeaders<'_>| {
            for cookie in COOKIES {
                headers.append("set-cookie", cookie);
            }
        })
        .on_connect(async |client: Client| client.send("hi").await)
        .on_message(answer)
}

async fn answer(client: Client, message: Message) -> core::result::Result<(), SendError> {
    match &message {
        Message::Text(text) if text == "give binary" => client.send(vec![0, 1, 2, 3, 4]).await,
        Message::Text(text) if text == "give utf8" => {
            client.send("пойду спать всем спокойной ночи").await
        }
        Message::Text(text) => match text.strip_prefix(SEND_HEADERS) {
            Some(headers) => client.send(headers).await,
            None => client.send(message).await,
        },
        Message::Binary(_) => client.send(message).await,
    }
}

/// Serves a request, with one addition of the suite's server: in a message that asks for
/// them, the headers of its own request.
pub(crate) async fn fetch(request: Request, env: &Env) -> Result<Option<Response>> {
    let request = with_headers(request).await?;
    dormouse::handle(&request, env).await.transpose()
}

async fn with_headers(mut request: Request) -> Result<Request> {
    let length = request.headers().get("content-length")?;
    let length: Option<usize> = length.and_then(|length| length.parse().ok());
    if request.method() != Method::Post || length.is_none_or(|length| length > MAX_PAYLOAD) {
        return Ok(request);
    }
    // A copy of a `Request` shares its body, so both have to be read.
    let body = request.bytes().await?;
    let asked = format!("4{SEND_HEADERS}");
    let body = if body == asked.as_bytes() {
        format!("{asked}{}", to_json(request.headers())).into_bytes()
    } else {
        body
    };
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_headers(request.headers().clone())
        .with_body(Some(body.into()));
    Request::new_with_init(request.url()?.as_str(), &init)
}

fn to_json(headers: &Headers) -> Value {
    let headers: BTreeMap<_, _> = headers.entries().collect();
    json!(headers)
}
