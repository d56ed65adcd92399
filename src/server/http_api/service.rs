//! A request to the API, from its first byte to the last of its answer.

use core::cell::Cell;
use core::time::Duration;

use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use web_sys::{Headers, Response, ResponseInit};

use super::answer::{Format, Refused, Writer};
use super::authorisation::{self, Signature, unauthorized};
use super::body::{Body, malformed};
use super::operation::{Checks, Kind};
use super::{HttpApi, emitters, once, running};
use crate::api::endpoint::{Service, ServiceRequest};
use crate::incoming::Incoming;
use crate::log::{self, Level};
use crate::options::{ConfigError, Options};
use crate::platform::{self, ObjectState};
use crate::port::remote::RemotePort;
use crate::query;

/// What is below the server's path.
const BELOW: &str = "api/";

/// The largest body: as large as the platform's largest message to clients.
const LARGEST_BODY: usize = 32 << 20;

/// The longest window of signatures.
const LONGEST_WINDOW: Duration = Duration::from_secs(3_600);

/// What is at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Operation(Kind),
    Batch,
    /// What emitters of other servers publish.
    Publish,
}

impl Route {
    fn at(path: &str) -> Option<Self> {
        match path.strip_prefix(BELOW)?.strip_prefix("v1/")? {
            "batch" => Some(Self::Batch),
            "publish" => Some(Self::Publish),
            name => Kind::named(name).map(Self::Operation),
        }
    }
}

impl Service for HttpApi {
    fn check(&self, options: &Options) -> Result<(), ConfigError> {
        let wrong = |remedy: &str| {
            Err(ConfigError {
                endpoint: options.path.clone(),
                option: "api",
                remedy: remedy.to_owned(),
            })
        };
        let [name, other] = &self.secrets;
        if name.is_empty() || other.is_empty() || name == other {
            return wrong("secrets takes the names of two variables");
        }
        if self.window < Duration::from_secs(1) || self.window > LONGEST_WINDOW {
            return wrong("window must be at least 1 s and at most an hour");
        }
        if self.max_body == 0 || self.max_body > LARGEST_BODY {
            return wrong("max_body must be over 0 and at most 32 MiB");
        }
        Ok(())
    }

    fn serves(&self, server: &str, path: &str) -> bool {
        let below = path.strip_prefix(server);
        below.is_some_and(|rest| rest.starts_with(BELOW))
    }

    fn serve(&self, asked: ServiceRequest) -> JsValue {
        let api = self.clone();
        platform::promise(Box::pin(async move {
            let response = match api.handle(&asked).await {
                Ok((format, body)) => respond(200, format, &body),
                Err(refused) => {
                    let log = &asked.endpoint.options.log;
                    let fields = [("message", &*refused.message), ("url", asked.request.url())];
                    log::log(log, Level::Debug, "refused", &fields);
                    let body = refused.to_json();
                    respond(refused.status, Format::Json, body.as_bytes())
                }
            };
            Ok(response.into())
        }))
    }

    fn is_first(&self, state: &ObjectState, once: &str) -> bool {
        once::note(state, once)
    }
}

impl HttpApi {
    async fn handle(&self, asked: &ServiceRequest) -> Result<(Format, Vec<u8>), Refused> {
        let signature = self.admit(asked).await?;
        let request = &asked.request;
        let options = &asked.endpoint.options;
        let url = request.url();
        let (path, query) = query::split(url);
        let route = path.strip_prefix(&*options.path).and_then(Route::at);
        let Some(route) = route else {
            return Err(Refused::new(404, "not_found", "nothing is at this path"));
        };
        if request.method() != "POST" {
            let message = "every operation is a POST";
            return Err(Refused::new(405, "method_not_allowed", message));
        }
        let format = match route {
            Route::Operation(_) | Route::Batch => format_of(request)?,
            Route::Publish => Format::Json,
        };
        let body = self.read(request).await?;
        if let Some(signature) = &signature
            && !signature.covers(&body).await
        {
            return Err(unauthorized("the body is not the one that was signed"));
        }
        let Some(application) = asked.endpoint.socket() else {
            return Err(Refused::new(404, "not_found", "nothing is at this path"));
        };
        let checks = Checks {
            application: application.clone(),
            options: options.clone(),
            port: RemotePort::new(options.clone(), &asked.binding, &asked.env),
        };
        let token = |number| {
            let signature = signature.as_ref()?;
            let until = signature.time + self.window.as_secs();
            Some(once::token(until, &signature.text, number))
        };
        let mut writer = Writer::new(format);
        match route {
            Route::Operation(kind) => {
                let operation = checks.operation(kind, Body::read(format, body)?)?;
                writer.answer(&running::run(&checks.port, operation, token(0)).await?);
            }
            Route::Publish => {
                let channel = query::parameter(query, "channel");
                let key = query::parameter(query, "key");
                let operation = emitters::read(&checks, channel.as_deref(), key, body)?;
                writer.answer(&running::run(&checks.port, operation, token(0)).await?);
            }
            Route::Batch => {
                let operations = checks.batch(Body::read(format, body)?)?;
                let mut results = Vec::with_capacity(operations.len());
                for (number, operation) in operations.into_iter().enumerate() {
                    let result = running::run(&checks.port, operation, token(number)).await;
                    match result {
                        // It is as a whole that a request was made before.
                        Err(repeated) if number == 0 && repeated.status == 409 => {
                            return Err(repeated);
                        }
                        Ok(_) | Err(_) => results.push(result),
                    }
                }
                writer.results(&results);
            }
        }
        Ok((format, writer.finish()))
    }

    /// Finds out whether whoever makes a request may, before its body is read. Returns the
    /// signature that says so, if one does: it may be for another body.
    async fn admit(&self, asked: &ServiceRequest) -> Result<Option<Signature>, Refused> {
        if authorisation::is_bound(&asked.context) {
            return Ok(None);
        }
        let secrets = authorisation::secrets(&asked.env, &self.secrets);
        if secrets.is_empty() {
            self.tell_of_no_secret(&asked.endpoint.options);
            return Err(unauthorized("the secret is not right"));
        }
        if !self.signed && authorisation::has_secret(&asked.request, &secrets) {
            return Ok(None);
        }
        let Some(signature) = Signature::of(&asked.request) else {
            return Err(unauthorized(match self.signed {
                true => "the signature is missing, or cannot be read",
                false => "the secret is not right",
            }));
        };
        if !signature.is_of(&asked.request, &secrets).await {
            return Err(unauthorized("the signature is not right"));
        }
        let now = platform::now().as_millis() / 1_000;
        if signature.time.abs_diff(now) > self.window.as_secs() {
            let message =
                format!("the time of the signature is too far from that of the server, {now}");
            return Err(unauthorized(message));
        }
        Ok(Some(signature))
    }

    async fn read(&self, request: &Incoming) -> Result<Vec<u8>, Refused> {
        match platform::read_at_most(request.raw(), self.max_body).await {
            Ok(Some(body)) => Ok(body),
            Ok(None) => {
                let message = format!("the body has more than {} bytes", self.max_body);
                Err(Refused::new(413, "too_large", message))
            }
            Err(_) => Err(malformed("the body ends too early")),
        }
    }

    /// Logs once that nobody can use the API from outside.
    fn tell_of_no_secret(&self, options: &Options) {
        thread_local! {
            static IS_TOLD: Cell<bool> = const { Cell::new(false) };
        }
        if !IS_TOLD.replace(true) {
            let [name, _] = &self.secrets;
            log::misconfigured(&format!(
                "dormouse: {}: option `api`: no secret is set, so that all requests from outside \
                 are refused; set one with `wrangler secret put {name}`",
                options.path
            ));
        }
    }
}

/// Returns the form of a request's body.
fn format_of(request: &Incoming) -> Result<Format, Refused> {
    let header = request.header("content-type").unwrap_or_default();
    let kind = header.split(';').next().unwrap_or_default().trim();
    let is = |names: &[&str]| names.iter().any(|name| kind.eq_ignore_ascii_case(name));
    if is(&["", "application/json"]) {
        Ok(Format::Json)
    } else if is(&[
        "application/msgpack",
        "application/x-msgpack",
        "application/vnd.msgpack",
    ]) {
        Ok(Format::MsgPack)
    } else {
        let message = "the content type must be application/json or application/msgpack";
        Err(Refused::new(415, "unsupported_media_type", message))
    }
}

/// Creates the platform's response. It has none of the headers of CORS: the API is not for
/// browsers, which could not keep a secret.
fn respond(status: u16, format: Format, body: &[u8]) -> Response {
    let init = ResponseInit::new();
    init.set_status(status);
    if let Ok(headers) = Headers::new() {
        let set = |name: &str, value: &str| {
            // These are valid.
            let _ = headers.set(name, value);
        };
        set("content-type", format.content_type());
        set("cache-control", "no-store");
        set("x-content-type-options", "nosniff");
        match status {
            401 => set("www-authenticate", "Bearer"),
            405 => set("allow", "POST"),
            503 => set("retry-after", "1"),
            _ => {}
        }
        init.set_headers(&headers);
    }
    let body = Uint8Array::from(body);
    Response::new_with_opt_buffer_source_and_init(Some(&body), &init)
        .unwrap_or_else(|_| Response::error())
}
