//! The front: the stateless Worker that every request meets first.
//!
//! It refuses what can be refused without waking an object, and passes the rest to
//! the object that holds the session. It never waits for the object: the runtime
//! joins the two, so that nothing of ours has to live as long as a held poll does.

use core::future::poll_fn;
use std::rc::Rc;

use dormouse_proto::engine::{RequestError, Revision, Transport};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{Request, Response};
use worker::Env;
use worker::worker_sys::{self, DurableObject, DurableObjectNamespace};

use crate::api::app::{App, app};
use crate::api::endpoint::Endpoint;
use crate::compatibility;
use crate::http::{self, Reply, origins};
use crate::log::{self, Level};
use crate::parts::running_fetch;
use crate::platform;
use crate::port::locate;
use crate::query::{self, Query};
use crate::request::Handshake;
use crate::sid::Sid;

/// The destination of a request.
enum Routed {
    /// To a server: a response, or the promise of one.
    Server(JsValue),
    /// To the application: it is not for a server.
    Application,
}

/// Handles a request to the Worker: its `fetch`.
pub(crate) fn fetch(request: Request, env: Env, context: worker_sys::Context) -> JsValue {
    let app = app();
    let running = running_fetch(&env);
    if let Routed::Server(response) = route(&app, &request, &env, pass_on) {
        return response;
    }
    drop(running);
    let Some(fetch) = &app.fetch else {
        return plain("Not Found", 404).into();
    };
    let mut answer = fetch(request.into(), env.clone(), worker::Context::new(context));
    let response = async move {
        let answer = poll_fn(|context| {
            let _running = running_fetch(&env);
            answer.as_mut().poll(context)
        });
        match answer.await {
            Ok(response) => Ok(Response::from(response).into()),
            Err(error) => Err(JsValue::from(error)),
        }
    };
    platform::promise(Box::pin(response))
}

/// Serves a request from within the application's own `fetch`.
///
/// Returns `None` if it is not for one of the servers. Prefer to give the
/// application's routes to [`App::fetch`](crate::App::fetch): a poll that is held
/// there outlives a panic elsewhere in the Worker, and one that is awaited here does
/// not.
///
/// The response is as any other: headers can be appended to it. The request may have
/// been copied before; a copy can be read in full, whether the server has read the body
/// or not.
///
/// # Errors
///
/// The platform could not reach the object that holds the session.
pub async fn handle(
    request: &worker::Request,
    env: &Env,
) -> Option<worker::Result<worker::Response>> {
    let Routed::Server(response) = route(&app(), request.inner(), env, pass_half_on) else {
        return None;
    };
    let response = js_sys::Promise::resolve(&response);
    let response = wasm_bindgen_futures::JsFuture::from(response).await;
    let response = response.and_then(|response| changeable(response.unchecked_ref()));
    Some(response.map(Into::into).map_err(Into::into))
}

/// Returns the same response with headers that can be changed: those of one that was
/// fetched cannot. The WebSocket of an upgrade goes with it.
fn changeable(response: &Response) -> Result<Response, JsValue> {
    let body = response.body();
    Response::new_with_opt_readable_stream_and_init(body.as_ref(), response.unchecked_ref())
}

fn route(
    app: &Rc<App>,
    request: &Request,
    env: &Env,
    pass_on: fn(&DurableObject, &Request) -> JsValue,
) -> Routed {
    let url = request.url();
    let (path, query) = query::split(&url);
    let Some(endpoint) = app.endpoint_at(path) else {
        return Routed::Application;
    };
    let options = &endpoint.options;
    compatibility::check(&options.log);
    if request.method() == "OPTIONS" && http::is_cross_origin(options) {
        return Routed::Server(http::preflight(options, request).into());
    }
    Routed::Server(match admit(endpoint, request, &url, query) {
        Ok(Admitted::Session(sid)) => {
            match objects(app, env).map(|objects| locate::by_id(&objects, &sid.object())) {
                Ok(Some(object)) => pass_on(&object, request),
                Ok(None) => refuse(endpoint, request, &RequestError::UnknownSid.into()).into(),
                Err(message) => misconfigured(&message),
            }
        }
        Ok(Admitted::Handshake(revision, handshake)) => match objects(app, env) {
            Ok(objects) => match place(endpoint, &objects, revision, &handshake) {
                Some(object) => pass_on(&object, request),
                None => misconfigured("the platform made no object"),
            },
            Err(message) => misconfigured(&message),
        },
        Err(refused) => refuse(endpoint, request, &refused).into(),
    })
}

/// A request that is passed on to an object.
enum Admitted {
    Session(Sid),
    Handshake(Revision, Handshake),
}

/// A request that is refused, and the application's message if it was its decision.
struct Denied(RequestError, Option<String>);

impl From<RequestError> for Denied {
    fn from(refusal: RequestError) -> Self {
        Self(refusal, None)
    }
}

/// Checks a request in the same order as the reference server, so that clients see
/// the same error first.
fn admit(
    endpoint: &Endpoint,
    request: &Request,
    url: &str,
    query: &str,
) -> Result<Admitted, Denied> {
    let options = &endpoint.options;
    let query = Query::parse(query);
    let transport = match query.transport.as_deref() {
        Some("polling") => Transport::Polling,
        Some("websocket") => Transport::WebSocket,
        Some(_) | None => return Err(RequestError::UnknownTransport.into()),
    };
    if !options.takes(transport) {
        return Err(RequestError::UnknownTransport.into());
    }
    origins::check(options, request, url, query.j.is_some())?;
    let upgrades = http::is_upgrade(request);
    let method = request.method();
    if let Some(sid) = query.session() {
        let sid = Sid::parse(sid).ok_or(RequestError::UnknownSid)?;
        let fits = match transport {
            Transport::Polling => !upgrades && (method == "GET" || method == "POST"),
            Transport::WebSocket => upgrades,
        };
        return if fits {
            Ok(Admitted::Session(sid))
        } else {
            Err(RequestError::BadRequest.into())
        };
    }
    if method != "GET" {
        return Err(RequestError::BadHandshakeMethod.into());
    }
    if (transport == Transport::WebSocket) != upgrades {
        return Err(RequestError::BadRequest.into());
    }
    let handshake = origins::handshake(options, request);
    if let Some(admit) = &endpoint.admit {
        admit(&handshake).map_err(|message| Denied(RequestError::Forbidden, Some(message)))?;
    }
    match query.revision().flatten() {
        Some(Revision::V3) if !options.revision_3 => {
            Err(RequestError::UnsupportedProtocolVersion.into())
        }
        Some(revision) => Ok(Admitted::Handshake(revision, handshake)),
        None => Err(RequestError::UnsupportedProtocolVersion.into()),
    }
}

fn refuse(endpoint: &Endpoint, request: &Request, denied: &Denied) -> Response {
    let Denied(refusal, message) = denied;
    if endpoint.options.log.level >= Level::Debug {
        let fields = [("message", &*refusal.to_string()), ("url", &*request.url())];
        log::log(&endpoint.options.log, Level::Debug, "refused", &fields);
    }
    http::respond(
        &endpoint.options,
        request,
        Reply::refusal(*refusal, message.clone()),
    )
}

/// Returns the Durable Objects of an application.
fn objects(app: &App, env: &Env) -> Result<DurableObjectNamespace, String> {
    locate::objects(&app.binding, env)
}

/// Returns the object for a new session.
fn place(
    endpoint: &Endpoint,
    objects: &DurableObjectNamespace,
    revision: Revision,
    handshake: &Handshake,
) -> Option<DurableObject> {
    let options = &endpoint.options;
    // In Socket.IO, clients of both revisions talk to each other.
    let revision = endpoint.engine().map(|_| revision);
    let name = options.placement.choose(&options.path, revision, handshake);
    locate::by_name(objects, name.as_deref()).ok()
}

fn pass_on(object: &DurableObject, request: &Request) -> JsValue {
    match object.fetch_with_request(request) {
        Ok(response) => response.into(),
        Err(error) => js_sys::Promise::reject(&error).into(),
    }
}

/// Passes on a request of which the application may have a copy, which shares the body.
///
/// The runtime hands one half of the body to the object, and where that answers without
/// reading all of it, never lets the application read the other half to its end. With a
/// stream in between, it does.
fn pass_half_on(object: &DurableObject, request: &Request) -> JsValue {
    let half = platform::body_in_between(request).and_then(|body| {
        let init = web_sys::RequestInit::new();
        init.set_body(&body);
        Request::new_with_request_and_init(request, &init).ok()
    });
    pass_on(object, half.as_ref().unwrap_or(request))
}

/// Logs and answers a mistake in the deployment of the Worker.
fn misconfigured(message: &str) -> JsValue {
    log::misconfigured(message);
    plain(message, 500).into()
}

fn plain(text: &str, status: u16) -> Response {
    let init = web_sys::ResponseInit::new();
    init.set_status(status);
    Response::new_with_opt_str_and_init(Some(text), &init).unwrap_or_else(|_| Response::error())
}
