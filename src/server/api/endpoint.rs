//! A server on a path: its options, and the application behind it.

use core::fmt;
use std::rc::Rc;

use crate::api;
use crate::api::HandlerFn;
use crate::api::engine;
use crate::api::handler::OnAdmit;
use crate::options::Options;

/// One server of an [`App`](crate::App), of Engine.IO or of Socket.IO.
pub(crate) struct Endpoint {
    pub(crate) options: Rc<Options>,
    pub(crate) admit: Option<AdmitFn>,
    pub(crate) application: Application,
}

/// Decides whether a client may try to connect.
pub(crate) type AdmitFn = HandlerFn<OnAdmit>;

/// The application behind a server's sessions.
pub(crate) enum Application {
    /// Engine.IO alone: messages.
    Engine(Rc<engine::EngineHandlers>),
    /// Socket.IO: events, in namespaces.
    Socket(Rc<api::Application>),
}

impl Endpoint {
    /// Returns the Engine.IO application, if it is one.
    pub(crate) fn engine(&self) -> Option<&Rc<engine::EngineHandlers>> {
        match &self.application {
            Application::Engine(handlers) => Some(handlers),
            Application::Socket(_) => None,
        }
    }

    /// Returns the Socket.IO application, if it is one.
    pub(crate) fn socket(&self) -> Option<&Rc<api::Application>> {
        match &self.application {
            Application::Engine(_) => None,
            Application::Socket(application) => Some(application),
        }
    }

    /// Returns the values that its handlers can take as [`State`](crate::State).
    pub(crate) fn states(&self) -> &api::States {
        match &self.application {
            Application::Engine(handlers) => &handlers.states,
            Application::Socket(application) => &application.states,
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
