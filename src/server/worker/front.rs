//! The front: the stateless Worker that every request meets first.
//!
//! It refuses what can be refused without waking an object, and passes the rest to
//! the object that holds the session. It never waits for that object: the runtime
//! joins the two, so that nothing of ours has to live as long as a held poll does.
//! Only a handshake that another object may have to take is waited for
//! (`parts/placing.rs`).

use core::cell::OnceCell;
use core::future::poll_fn;
use std::rc::Rc;

use dormouse_proto::engine::{RequestError, Revision, Transport};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{Request, Response};
use worker::Env;
use worker::worker_sys::{self, DurableObject, DurableObjectNamespace};

use crate::api::app::{App, app};
use crate::api::endpoint::{Endpoint, ServiceRequest};
use crate::compatibility;
use crate::http::{self, Reply, origins};
use crate::incoming::Incoming;
use crate::log::{self, Level};
use crate::parts::{full, running_in_front};
use crate::placement::Seeking;
use crate::platform;
use crate::port::locate;
use crate::query::{self, Query};
use crate::request::Handshake;
use crate::sid::Sid;
use crate::worker::admission;

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
    let running = running_in_front(&env, "fetch");
    let passed = AsRef::<JsValue>::as_ref(&context);
    if let Routed::Server(response) = route(
        &app,
        &Incoming::new(Clone::clone(&request)),
        &env,
        passed,
        pass_on,
    ) {
        return response;
    }
    drop(running);
    let Some(fetch) = &app.fetch else {
        return plain("Not Found", 404).into();
    };
    let mut answer = fetch(request.into(), env.clone(), worker::Context::new(context));
    let response = async move {
        let answer = poll_fn(|context| {
            let _running = running_in_front(&env, "fetch");
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
    let context = &JsValue::UNDEFINED;
    let routed = route(
        &app(),
        &Incoming::new(Clone::clone(request.inner())),
        env,
        context,
        pass_half_on,
    );
    let Routed::Server(response) = routed else {
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
    request: &Incoming,
    env: &Env,
    context: &JsValue,
    pass_on: fn(&DurableObject, &Request) -> JsValue,
) -> Routed {
    let (path, query) = query::split(request.url());
    let Some(endpoint) = app.endpoint_at(path) else {
        return match app.service_at(path) {
            Some((endpoint, service)) => Routed::Server(service.serve(ServiceRequest {
                endpoint: endpoint.clone(),
                binding: app.binding.clone(),
                request: request.clone(),
                env: env.clone(),
                context: context.clone(),
            })),
            None => Routed::Application,
        };
    };
    let options = &endpoint.options;
    compatibility::check(&options.log);
    if request.method() == "OPTIONS" && http::is_cross_origin(options) {
        return Routed::Server(http::preflight(options, request).into());
    }
    Routed::Server(match check(endpoint, request, query) {
        Ok(Checked::Session(sid)) => {
            match objects(app, env).map(|objects| locate::by_id(&objects, &sid.object())) {
                Ok(Some(object)) => pass_on(&object, request.raw()),
                Ok(None) => refuse(endpoint, request, RequestError::UnknownSid).into(),
                Err(message) => misconfigured(&message),
            }
        }
        Ok(Checked::Handshake(revision)) => {
            let opening = Opening {
                app: app.clone(),
                endpoint: endpoint.clone(),
                request: request.clone(),
                handshake: OnceCell::new(),
                env: env.clone(),
                revision,
            };
            admission::ask(opening)
        }
        Err(refusal) => refuse(endpoint, request, refusal).into(),
    })
}

/// A request that nothing speaks against so far.
enum Checked {
    Session(Sid),
    /// A handshake, and its revision if that is served.
    Handshake(Result<Revision, RequestError>),
}

/// Checks a request in the same order as the reference server, so that clients see
/// the same error first.
fn check(endpoint: &Endpoint, request: &Incoming, query: &str) -> Result<Checked, RequestError> {
    let options = &endpoint.options;
    let query = Query::parse(query);
    let transport = match query.transport.as_deref() {
        Some("polling") => Transport::Polling,
        Some("websocket") => Transport::WebSocket,
        Some(_) | None => return Err(RequestError::UnknownTransport),
    };
    if !options.takes(transport) {
        return Err(RequestError::UnknownTransport);
    }
    origins::check(options, request, query.j.is_some())?;
    let upgrades = http::is_upgrade(request);
    let method = request.method();
    if let Some(sid) = query.session() {
        let sid = Sid::parse(sid).ok_or(RequestError::UnknownSid)?;
        let fits = match transport {
            Transport::Polling => !upgrades && (method == "GET" || method == "POST"),
            Transport::WebSocket => upgrades,
        };
        return if fits {
            Ok(Checked::Session(sid))
        } else {
            Err(RequestError::BadRequest)
        };
    }
    if method != "GET" {
        return Err(RequestError::BadHandshakeMethod);
    }
    if (transport == Transport::WebSocket) != upgrades {
        return Err(RequestError::BadRequest);
    }
    // The application is asked before anything is said of the revision.
    Ok(Checked::Handshake(match query.revision().flatten() {
        Some(Revision::V3) if !options.revision_3 => Err(RequestError::UnsupportedProtocolVersion),
        Some(revision) => Ok(revision),
        None => Err(RequestError::UnsupportedProtocolVersion),
    }))
}

/// A handshake that is about to be passed on to an object, if the application admits it.
pub(super) struct Opening {
    app: Rc<App>,
    pub(super) endpoint: Rc<Endpoint>,
    pub(super) request: Incoming,
    handshake: OnceCell<Handshake>,
    pub(super) env: Env,
    revision: Result<Revision, RequestError>,
}

impl Opening {
    /// Returns its request as the application sees it, which most never ask for.
    pub(super) fn handshake(&self) -> &Handshake {
        let options = &self.endpoint.options;
        self.handshake
            .get_or_init(|| origins::handshake(options, &self.request))
    }

    /// Passes it on to an object: a response, or the promise of one.
    pub(super) fn pass_on(&self) -> JsValue {
        let revision = match self.revision {
            Ok(revision) => revision,
            Err(refusal) => return refuse(&self.endpoint, &self.request, refusal).into(),
        };
        let objects = match objects(&self.app, &self.env) {
            Ok(objects) => objects,
            Err(message) => return misconfigured(&message),
        };
        let options = &self.endpoint.options;
        if let Some(many) = options.placement.many() {
            return (many.place)(Seeking {
                spread: many,
                path: &options.path,
                handshake: self.handshake(),
                objects,
                request: self.request.raw(),
                cut_off: http::respond(options, &self.request, full()),
            });
        }
        match place(&self.endpoint, &objects, revision, || self.handshake()) {
            Some(object) => pass_on(&object, self.request.raw()),
            None => misconfigured("the platform made no object"),
        }
    }

    /// Refuses it with the application's message.
    pub(super) fn deny(&self, message: String) -> Response {
        let forbidden = RequestError::Forbidden;
        respond_with(&self.endpoint, &self.request, forbidden, Some(message))
    }
}

fn refuse(endpoint: &Endpoint, request: &Incoming, refusal: RequestError) -> Response {
    respond_with(endpoint, request, refusal, None)
}

fn respond_with(
    endpoint: &Endpoint,
    request: &Incoming,
    refusal: RequestError,
    message: Option<String>,
) -> Response {
    if endpoint.options.log.level >= Level::Debug {
        let fields = [("message", &*refusal.to_string()), ("url", request.url())];
        log::log(&endpoint.options.log, Level::Debug, "refused", &fields);
    }
    let reply = Reply::refusal(refusal, message);
    http::respond(&endpoint.options, request, reply)
}

/// Returns the Durable Objects of an application.
fn objects(app: &App, env: &Env) -> Result<DurableObjectNamespace, String> {
    locate::objects(&app.binding, env)
}

/// Returns the object for a new session.
fn place<'a>(
    endpoint: &Endpoint,
    objects: &DurableObjectNamespace,
    revision: Revision,
    handshake: impl FnOnce() -> &'a Handshake,
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
