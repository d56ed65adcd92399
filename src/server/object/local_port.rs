//! The object's own port: requests of its handlers, and of other parts of the
//! Worker, for its sessions and sockets.

use std::rc::Rc;

use futures::future::LocalBoxFuture;
use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use worker::Env;
use worker::worker_sys::DurableObject;

use super::{Inner, WokenBy};
use crate::api::app::app;
use crate::api::endpoint::Endpoint;
use crate::log::Level;
use crate::parts::{spawn, spawn_for_all};
use crate::port::watch::Watched;
use crate::port::{self, Called, LocalPort, Memory, Port, PortError, locate, wire};
use crate::sid::Key;
use crate::usage::{Counted, Meter};

impl Port for Inner {
    fn call(&self, request: port::Request<'_>) -> Called {
        if let port::Request::Alarm(name, change) = &request {
            return match self.elsewhere(name) {
                Some(object) => self.ask(object, &request),
                None => self.change_alarm(name, *change),
            };
        }
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
    fn id(&self) -> &str {
        &self.parts.id
    }

    fn storage(&self) -> worker::durable::Storage {
        self.parts.state.storage()
    }

    fn spawn(&self, session: Key, task: LocalBoxFuture<'static, ()>) {
        spawn(&self.parts, session, task);
    }

    fn spawn_for_all(
        &self,
        name: &str,
        task: LocalBoxFuture<'static, Result<(), String>>,
    ) -> Option<bool> {
        spawn_for_all(&self.parts, name, task).ok()
    }

    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn watched(&self) -> &Watched {
        &self.parts.watched
    }

    fn meter(&self) -> &Meter {
        self.parts.state.meter()
    }

    fn is_one_of_many(&self) -> bool {
        let options = self.parts.options();
        options.is_some_and(|options| options.placement.many().is_some())
    }

    fn log(&self, level: Level, event: &'static str, fields: &[(&str, &str)]) {
        self.parts.log_for_all(level, event, fields);
    }
}

/// Alarms of many objects that are one server.
impl Inner {
    /// Returns the object that has the alarm of this name, if that is another one.
    fn elsewhere(&self, alarm: &str) -> Option<DurableObject> {
        let options = self.parts.options()?;
        let spread = options.placement.many()?;
        let objects = locate::objects(&app().binding, &self.parts.env).ok()?;
        let name = spread.object_of_alarm(&options.path, alarm);
        let is_here = locate::id_of(&objects, &name)? == self.parts.id;
        (!is_here).then(|| locate::by_name(&objects, Some(&name)).ok())?
    }

    fn ask(&self, object: DurableObject, request: &port::Request<'_>) -> Called {
        let options = self.parts.options();
        let path = options.map_or_else(String::new, |options| options.path.clone());
        wire::ask(object, &path, request, None)
    }
}

/// Requests from elsewhere.
impl Inner {
    /// Handles a request of another part of the Worker.
    pub(super) fn handle_call(&self, endpoint: &Rc<Endpoint>, request: &Uint8Array) -> JsValue {
        self.wake(&endpoint.options, WokenBy::Call);
        self.count(Counted::Call);
        self.calls.answer(request, |once, request| {
            if let Some(once) = once
                && let Some(service) = &endpoint.service
                && !service.is_first(&self.parts.state, &once)
            {
                return PortError::Repeated.into();
            }
            self.find_owner(request.session());
            // Nobody may ever have been here.
            let is_alarm = matches!(request, port::Request::Alarm(..));
            if is_alarm || endpoint.options.placement.many().is_some() {
                self.adopt(Some(endpoint));
            }
            match self.serves(&endpoint.options) {
                true => self.call(request),
                // Its id was asked for, and is one of another server's or of nobody's.
                false => port::nobody(&request).into(),
            }
        })
    }

    /// Finds out which server the sessions in here belong to, awake or asleep. They know
    /// it better than the caller.
    fn find_owner(&self, session: Option<Key>) {
        if let Some(session) = session {
            self.parts.sessions.find(session);
        } else if self.layer().is_none() {
            self.parts.sessions.restore_all();
            // All may have gone, and only what is kept for later is here.
            self.adopt_stored();
        }
    }
}
