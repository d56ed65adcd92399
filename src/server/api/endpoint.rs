//! A server on a path: its options, and the application behind it.

use core::fmt;
use std::rc::Rc;

use crate::api;
use crate::api::engine;
use crate::options::Options;
use crate::request::Handshake;

/// One server of an [`App`](crate::App), whatever it speaks.
pub(crate) struct Endpoint {
    pub(crate) options: Rc<Options>,
    pub(crate) admit: Option<Admit>,
    pub(crate) application: Application,
}

/// Decides whether a client may try to connect.
pub(crate) type Admit = Rc<dyn Fn(&Handshake) -> Result<(), String>>;

/// What a server's sessions carry, and who deals with it.
pub(crate) enum Application {
    /// Engine.IO alone: messages.
    Engine(Rc<engine::Handlers>),
    /// Socket.IO: events, in namespaces.
    Socket(Rc<api::Application>),
}

impl Endpoint {
    /// The Engine.IO application.
    pub(crate) fn engine(&self) -> Option<&Rc<engine::Handlers>> {
        match &self.application {
            Application::Engine(handlers) => Some(handlers),
            Application::Socket(_) => None,
        }
    }

    /// The Socket.IO application.
    pub(crate) fn socket(&self) -> Option<&Rc<api::Application>> {
        match &self.application {
            Application::Engine(_) => None,
            Application::Socket(application) => Some(application),
        }
    }

    /// The values that its handlers may take.
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
