//! The object's own port: requests of its handlers, and of other parts of the
//! Worker, for its sessions and sockets.

use futures::future::LocalBoxFuture;
use wasm_bindgen::JsValue;
use web_sys::Request;
use worker::Env;

use super::{Inner, endpoint_at};
use crate::parts::spawn;
use crate::port::wire;
use crate::port::{self, Called, LocalPort, Port, PortError};
use crate::sid::{Key, Sid};

impl Port for Inner {
    fn call(&self, request: port::Request<'_>) -> Called {
        match self.layer() {
            Some(layer) => self.parts.turn.run(|| layer.call(request)),
            None => PortError::Gone.into(),
        }
    }

    fn env(&self) -> &Env {
        &self.parts.env
    }
}

impl LocalPort for Inner {
    fn holds(&self, sid: &Sid) -> bool {
        self.parts.id == sid.object()
    }

    fn storage(&self) -> worker::durable::Storage {
        self.parts.state.storage()
    }

    fn spawn(&self, session: Key, task: LocalBoxFuture<'static, ()>) {
        spawn(&self.parts, session, task);
    }
}

/// Requests from elsewhere.
impl Inner {
    /// Wakes this instance, so that it takes up what the previous one left when it
    /// panicked.
    pub(super) fn handle_wake(&self, path: &str) -> JsValue {
        if let Some(endpoint) = endpoint_at(path) {
            self.wake(&endpoint.options);
        }
        wire::done()
    }

    /// Handles a request of another part of the Worker.
    pub(super) fn handle_call(&self, path: &str, request: &Request) -> JsValue {
        let Some((endpoint, inner)) = endpoint_at(path).zip(self.me.upgrade()) else {
            return wire::unknown();
        };
        self.wake(&endpoint.options);
        wire::answer(request, move |request| {
            // A session in here knows better than the caller which server it belongs
            // to.
            if let Some(session) = request.session() {
                inner.parts.sessions.find(session);
            }
            inner.adopt(Some(&endpoint));
            match inner.serves(&endpoint.options) {
                true => inner.call(request),
                false => PortError::Gone.into(),
            }
        })
    }
}
