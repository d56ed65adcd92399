//! A server on a path: its options, and its handlers.

use core::fmt;
use std::rc::Rc;

use wasm_bindgen::JsValue;
use worker::Env;

use crate::api;
use crate::api::HandlerFn;
use crate::api::engine;
use crate::api::handler::OnAdmit;
use crate::incoming::Incoming;
use crate::options::{ConfigError, Options};
use crate::platform::ObjectState;

/// One server of an [`App`](crate::App), of Engine.IO or of Socket.IO.
pub(crate) struct Endpoint {
    pub(crate) options: Rc<Options>,
    pub(crate) admit: Option<AdmitFn>,
    pub(crate) handlers: Handlers,
    /// What is served below its path.
    pub(crate) service: Option<Rc<dyn Service>>,
    /// Pages that are served elsewhere.
    pub(crate) pages: Option<Rc<dyn Service>>,
}

/// What a server serves beside its clients.
///
/// It is known by this trait alone, so that what an application does not use is not
/// linked.
pub(crate) trait Service {
    /// Checks for options that cannot be served.
    fn check(&self, options: &Options) -> Result<(), ConfigError>;

    /// Returns whether it serves a path, as that of a server on this one.
    fn serves(&self, server: &str, path: &str) -> bool;

    /// Serves a request: returns a response, or the promise of one.
    fn serve(&self, asked: ServiceRequest) -> JsValue;

    /// Decides, in an object, whether a request that is known by `once` may be carried out:
    /// not for the second time.
    fn is_first(&self, state: &ObjectState, once: &str) -> bool;
}

/// A request for a [`Service`].
pub(crate) struct ServiceRequest {
    pub(crate) endpoint: Rc<Endpoint>,
    /// The name of the Durable Object binding.
    pub(crate) binding: String,
    pub(crate) request: Incoming,
    pub(crate) env: Env,
    /// The Worker's context, or `undefined` where the application has a `fetch` of its
    /// own.
    pub(crate) context: JsValue,
}

/// Decides whether a client may try to connect.
pub(crate) type AdmitFn = HandlerFn<OnAdmit>;

/// The handlers of a server, of either protocol.
pub(crate) enum Handlers {
    /// Engine.IO alone: messages.
    Engine(Rc<engine::EngineHandlers>),
    /// Socket.IO: events, in namespaces.
    Socket(Rc<api::Application>),
}

impl Endpoint {
    /// Returns what it serves beside its clients.
    pub(crate) fn services(&self) -> impl Iterator<Item = &Rc<dyn Service>> {
        [&self.service, &self.pages].into_iter().flatten()
    }

    /// Returns the handlers of Engine.IO, if it is that.
    pub(crate) fn engine(&self) -> Option<&Rc<engine::EngineHandlers>> {
        match &self.handlers {
            Handlers::Engine(handlers) => Some(handlers),
            Handlers::Socket(_) => None,
        }
    }

    /// Returns the application, if it is of Socket.IO.
    pub(crate) fn socket(&self) -> Option<&Rc<api::Application>> {
        match &self.handlers {
            Handlers::Engine(_) => None,
            Handlers::Socket(application) => Some(application),
        }
    }

    /// Returns the values that its handlers can take as [`State`](crate::State).
    pub(crate) fn states(&self) -> &api::States {
        match &self.handlers {
            Handlers::Engine(handlers) => &handlers.states,
            Handlers::Socket(application) => &application.states,
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
