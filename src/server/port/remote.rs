//! The port for code outside the objects: it finds the object that a request is for,
//! and sends the request there.

use std::rc::Rc;

use dormouse_proto::socket::Connection;
use worker::Env;
use worker::worker_sys::DurableObject;

use super::{Called, Port, PortError, Reply, Request, Target, locate, wire};
use crate::options::Options;
use crate::placement::DYNAMIC;
use crate::port;
use crate::sid::Sid;

/// A server's objects, from anywhere in the Worker.
#[derive(Clone)]
pub(crate) struct RemotePort {
    options: Rc<Options>,
    /// The name of the Durable Object binding.
    binding: Rc<str>,
    env: Env,
    /// The key by which the sockets are placed, if they are.
    key: Option<String>,
    /// What a request is known by that is carried out once only.
    once: Option<String>,
}

/// What an object is wanted for.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    Sockets(&'a Target),
    /// The application's alarm of this name.
    Alarm(&'a str),
}

/// The object that a request is for.
enum ObjectName {
    Name(String),
    /// In hexadecimal.
    Id(String),
}

impl RemotePort {
    pub(crate) fn new(options: Rc<Options>, binding: &str, env: &Env) -> Self {
        Self {
            options,
            binding: binding.into(),
            env: env.clone(),
            key: None,
            once: None,
        }
    }

    /// Returns the same port for a single request, which is known by this text and
    /// carried out once only.
    pub(crate) fn once(&self, once: String) -> Self {
        Self {
            once: Some(once),
            ..self.clone()
        }
    }

    /// Checks whether the object that holds the sockets is known.
    pub(crate) fn check(&self, target: &Target) -> Result<(), PortError> {
        self.object_of(Wanted::Sockets(target)).map(drop)
    }

    /// Returns the same port for the sockets that are placed by this key.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self {
            key: Some(key.to_owned()),
            ..self.clone()
        }
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// Returns the object that holds the sockets or the alarm, as far as the placement and
    /// their names tell.
    fn object_of(&self, wanted: Wanted<'_>) -> Result<ObjectName, PortError> {
        let (placement, path) = (&self.options.placement, &self.options.path);
        if let Some(name) = placement.name_of(path, self.key.as_deref()) {
            return Ok(ObjectName::Name(name));
        }
        let many = placement.many().ok_or(PortError::Placement);
        let target = match wanted {
            Wanted::Sockets(target) => target,
            Wanted::Alarm(name) => return Ok(ObjectName::Name(many?.object_of_alarm(path, name))),
        };
        let (namespace, rooms) = match target {
            Target::Sockets(selection) => (&*selection.namespace, &*selection.filter.rooms),
            Target::Children(_) => (DYNAMIC, &[][..]),
            Target::Socket(_) => return Err(PortError::Placement),
        };
        // A socket id says where its socket is.
        if let [id] = rooms
            && let Some(sid) = Sid::parse(Connection::sid_in(id))
        {
            return Ok(ObjectName::Id(sid.object()));
        }
        // Of many objects that are one server, the hub of the rooms does it.
        let many = many?;
        if target.is_here() {
            return Err(PortError::Placement);
        }
        Ok(ObjectName::Name(many.leading_hub(path, namespace, rooms)))
    }

    /// Sends a request for a session to the object that holds it.
    pub(crate) async fn call_for(
        &self,
        sid: &Sid,
        request: &Request<'_>,
    ) -> Result<Reply, PortError> {
        self.send(&ObjectName::Id(sid.object()), request).await
    }

    /// Sends a request to the object of this name.
    pub(crate) async fn call_named(
        &self,
        name: &str,
        request: &Request<'_>,
    ) -> Result<Reply, PortError> {
        let name = ObjectName::Name(name.to_owned());
        self.send(&name, request).await
    }

    async fn send(&self, name: &ObjectName, request: &Request<'_>) -> Result<Reply, PortError> {
        match self.find(name)? {
            Some(object) => {
                let called = wire::ask(object, &self.options.path, request, None);
                called.reply().await
            }
            // The platform has not issued this id, so no session or socket is there.
            None => port::nobody(request),
        }
    }

    fn find(&self, name: &ObjectName) -> Result<Option<DurableObject>, PortError> {
        let objects = locate::objects(&self.binding, &self.env)
            .map_err(|message| PortError::Platform(message.into()))?;
        match name {
            ObjectName::Name(name) => locate::by_name(&objects, Some(name))
                .map(Some)
                .map_err(|error| PortError::Platform(error.into())),
            ObjectName::Id(id) => Ok(locate::by_id(&objects, id)),
        }
    }
}

impl Port for RemotePort {
    fn call(&self, request: Request<'_>) -> Called {
        let wanted = match &request {
            Request::Operate(target, _) => Wanted::Sockets(target),
            Request::Alarm(name, _) => Wanted::Alarm(name),
            // All others are for a session, and use `call_for`.
            Request::Send(..)
            | Request::Close(_)
            | Request::CloseAll
            | Request::Transport(_)
            | Request::UserSession(_)
            | Request::SetUserSession(..)
            | Request::Cluster(_)
            | Request::Look(..)
            | Request::SetData(..)
            | Request::Acknowledge(..)
            | Request::Census => return PortError::Placement.into(),
        };
        let once = self.once.as_deref();
        match self.object_of(wanted).and_then(|name| self.find(&name)) {
            Ok(Some(object)) => wire::ask(object, &self.options.path, &request, once),
            Ok(None) => port::nobody(&request).into(),
            Err(error) => error.into(),
        }
    }

    fn env(&self) -> &Env {
        &self.env
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
