//! Calling the back end: when, how often, and for how long.

use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::Base64;
use dormouse_proto::Timestamp;
use futures::future::{Either, select};
use js_sys::Reflect;
use wasm_bindgen::JsValue;
use web_sys::{AbortController, Headers, RequestInit, RequestRedirect, Response};
use worker::Env;

use super::answer::{Answer, Refused};
use super::body::Body;
use super::circuit::Admission;
use super::failure::Failure;
use super::lane::{Caller, Lane, Lanes};
use super::signature::{Content, SigningKey};
use super::{Hook, Webhook};
use crate::api::error::Rejection;
use crate::api::handler::{Context, Extract, Kind};
use crate::log::Level;
use crate::platform;
use crate::port::LocalPort;

/// The times before a call is tried again.
const RETRY_AFTER: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];

const USER_AGENT: &str = concat!("Dormouse/", env!("CARGO_PKG_VERSION"), " (webhooks)");

/// The object that a handler runs in.
pub(super) struct Here(Rc<dyn LocalPort>);

impl<K: Kind> Extract<K> for Here {
    fn extract(context: &mut Context<'_, K>) -> Result<Self, Rejection> {
        let port = context.port().cloned();
        // Webhooks register no handler that could run elsewhere.
        port.map(Self)
            .ok_or_else(|| Rejection::internal("there is no object here"))
    }
}

/// A call that is to be made.
pub(super) struct Call<'a> {
    pub(super) hook: Hook,
    pub(super) namespace: &'a str,
    /// The client that it is made for, if it is there.
    pub(super) caller: Option<Caller>,
    /// About as many bytes as its body has.
    pub(super) bytes: usize,
    /// Writes the rest of the body, once the call may be made.
    pub(super) write: &'a dyn Fn(&mut Body),
}

/// The decision of a back end.
pub(super) enum Decision {
    /// It has done what it was asked.
    Done(Answer),
    /// It refuses that, with this status.
    Refused(u16, Refused),
}

impl Here {
    /// Calls the back end. A failure has been logged.
    pub(super) async fn call(
        &self,
        webhook: &Webhook,
        call: Call<'_>,
    ) -> Result<Decision, Failure> {
        let lanes: Rc<Lanes> = self.0.memory().of();
        let lane = lanes.of(webhook.number, webhook.in_flight);
        let called = self.make(webhook, &lane, &call).await;
        match &called {
            Ok(Decision::Refused(status, Refused { message: None, .. })) => {
                let message = format!("refused with status {status}, and without a message");
                self.log(Level::Error, "webhook failed", call.hook, &message);
            }
            Ok(_) | Err(Failure::Open) => {}
            Err(failure) => self.log_failure(call.hook, failure),
        }
        called
    }

    /// Logs a failure of a call, or what became of its answer.
    pub(super) fn log_failure(&self, hook: Hook, failure: &Failure) {
        let (level, event) = match failure.is_outage() {
            true => (Level::Warn, "webhook unavailable"),
            false => (Level::Error, "webhook failed"),
        };
        self.log(level, event, hook, &failure.to_string());
    }

    fn log(&self, level: Level, event: &'static str, hook: Hook, message: &str) {
        let fields = [("type", hook.as_str()), ("message", message)];
        self.0.log(level, event, &fields);
    }

    /// Makes a call, unless the circuit is open. Its time includes that of waiting for
    /// others.
    async fn make(
        &self,
        webhook: &Webhook,
        lane: &Lane,
        call: &Call<'_>,
    ) -> Result<Decision, Failure> {
        let began = platform::now();
        let late = || Failure::Late(webhook.time_limit.as_millis());
        let address = call.caller.and_then(|caller| caller.address);
        if lane.circuits.borrow().are_open(address, began) {
            return Err(Failure::Open);
        }
        let entering = Box::pin(lane.enter(call.caller, call.bytes));
        let entered = within(webhook.time_limit, entering).await;
        let _pass = entered.ok_or_else(late)?.map_err(|_| Failure::Busy)?;
        let now = platform::now();
        let admission = lane.circuits.borrow_mut().admit(address, now);
        let admission = admission.ok_or(Failure::Open)?;

        let waited = Duration::from_millis(now.as_millis().saturating_sub(began.as_millis()));
        let left = webhook.time_limit.saturating_sub(waited);
        if left.is_zero() {
            return Err(late());
        }
        let attempts = Box::pin(self.attempts(webhook, call, now));
        let called = within(left, attempts).await.unwrap_or_else(|| Err(late()));
        self.note(lane, &admission, call.hook, &called);
        called
    }

    /// Notes in the circuit whether the back end is there.
    fn note<T>(&self, lane: &Lane, admission: &Admission, hook: Hook, called: &Result<T, Failure>) {
        let is_outage = called.as_ref().is_err_and(Failure::is_outage);
        let lines = match is_outage {
            true => lane.circuits.borrow_mut().fail(platform::now(), admission),
            false => lane.circuits.borrow_mut().succeed(admission),
        };
        // The application may take the lines, and nothing is borrowed while its code runs.
        for message in lines {
            self.log(Level::Warn, "webhook circuit", hook, &message);
        }
    }

    async fn attempts(
        &self,
        webhook: &Webhook,
        call: &Call<'_>,
        now: Timestamp,
    ) -> Result<Decision, Failure> {
        let keys = webhook.keys(self.0.env()).map_err(Failure::Unsigned)?;
        let id = new_id();
        let time = now.as_millis();
        let mut body = Body::new(call.hook, &id, time, call.namespace, call.bytes);
        (call.write)(&mut body);
        let attempt = Attempt {
            webhook,
            keys,
            id,
            body: body.finish(),
        };
        let mut waits = RETRY_AFTER.iter();
        loop {
            let failure = match attempt.make().await {
                Ok((200..=299, body)) => return Answer::read(call.hook, body).map(Decision::Done),
                Ok((status, body)) => return Ok(Decision::Refused(status, Refused::read(&body))),
                Err(failure) => failure,
            };
            let may_retry = failure.is_temporary() && webhook.is_safe_again(call.hook);
            match waits.next().filter(|_| may_retry) {
                Some(wait) => platform::sleep(*wait).await,
                None => return Err(failure),
            }
        }
    }
}

/// One attempt, or several that are alike.
struct Attempt<'a> {
    webhook: &'a Webhook,
    keys: Vec<SigningKey>,
    id: String,
    body: String,
}

impl Attempt<'_> {
    /// Returns status and body of an answer that says yes or no.
    async fn make(&self) -> Result<(u16, Vec<u8>), Failure> {
        let (abort, init) = self
            .request()
            .await
            .map_err(|error| Failure::Unsigned(text_of(&error)))?;
        let unreachable = |error: JsValue| Failure::Unreachable(text_of(&error));
        let response = platform::fetch(&self.webhook.url, &init).await;
        let response = response.map_err(unreachable)?;
        match response.status() {
            200..=299 | 400..=499 => {}
            300..=399 => {
                let location = response.headers().get("location").ok().flatten();
                return Err(Failure::Redirect(location.unwrap_or_default()));
            }
            status => return Err(Failure::Status(status)),
        }
        let body = read(&response, self.webhook.max_answer).await?;
        drop(abort);
        Ok((response.status(), body))
    }

    /// Returns the request, and what ends it when it is dropped.
    async fn request(&self) -> Result<(AbortOnDrop, RequestInit), JsValue> {
        let seconds = (platform::now().as_millis() / 1_000).to_string();
        let content = Content::new(&self.id, &seconds, &self.body);
        let headers = Headers::new()?;
        headers.set("content-type", "application/json")?;
        headers.set("user-agent", USER_AGENT)?;
        headers.set("webhook-id", &self.id)?;
        headers.set("webhook-timestamp", &seconds)?;
        headers.set("webhook-signature", &content.sign(&self.keys).await?)?;
        let abort = AbortOnDrop(AbortController::new()?);
        let init = RequestInit::new();
        init.set_method("POST");
        init.set_headers(&headers);
        init.set_body(&content.body());
        init.set_redirect(RequestRedirect::Manual);
        init.set_signal(Some(&abort.0.signal()));
        Ok((abort, init))
    }
}

async fn read(response: &Response, limit: usize) -> Result<Vec<u8>, Failure> {
    // Of one that says itself that it is too large, nothing is read.
    let announced = response.headers().get("content-length").ok().flatten();
    let announced = announced.and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(Failure::TooLarge(limit));
    }
    match platform::read_at_most(response, limit).await {
        Ok(Some(body)) => Ok(body),
        Ok(None) => Err(Failure::TooLarge(limit)),
        Err(error) => Err(Failure::Unreachable(text_of(&error))),
    }
}

/// Ends a request of which nobody waits for the rest: the object would stay awake for it.
struct AbortOnDrop(AbortController);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Webhook {
    /// Returns the keys that calls are signed with, or what is wrong with the secrets.
    pub(super) fn keys(&self, env: &Env) -> Result<Vec<SigningKey>, String> {
        let secret_of = |name: &String| {
            let value = Reflect::get(env, &name.as_str().into()).ok()?.as_string();
            value.filter(|secret| !secret.is_empty())
        };
        let secrets = self
            .secrets
            .iter()
            .filter_map(|name| Some((name, secret_of(name)?)));
        let keys: Result<Vec<_>, _> = secrets
            .map(|(name, secret)| {
                SigningKey::parse(&secret).map_err(|remedy| format!("{name} {remedy}"))
            })
            .collect();
        let keys = keys?;
        if keys.is_empty() {
            let [name, other] = &self.secrets;
            return Err(format!(
                "neither {name} nor {other} is set: `npx wrangler secret put {name}`"
            ));
        }
        Ok(keys)
    }

    /// Returns whether a call may reach the back end twice, with the same id.
    fn is_safe_again(&self, hook: Hook) -> bool {
        match hook {
            Hook::Connect | Hook::Disconnect | Hook::Expired => true,
            Hook::Event => self.retry_events,
        }
    }
}

/// Returns the id of a call, which no other has.
fn new_id() -> String {
    format!("msg_{}", Base64::UrlSafe.encode(platform::random::<16>()))
}

/// Returns what a future results in, or `None` if it takes longer.
async fn within<T>(
    limit: Duration,
    future: core::pin::Pin<Box<impl Future<Output = T>>>,
) -> Option<T> {
    match select(future, platform::sleep(limit)).await {
        Either::Left((result, _)) => Some(result),
        Either::Right(_) => None,
    }
}

/// Returns the text of an error in JavaScript.
fn text_of(error: &JsValue) -> String {
    let message = Reflect::get(error, &"message".into()).ok();
    let message = message.and_then(|message| message.as_string());
    message.unwrap_or_else(|| format!("{error:?}"))
}
