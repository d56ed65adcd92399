//! The one way to the sessions and sockets of a server.
//!
//! A handler in the same object, or a route somewhere else in the Worker, makes a
//! [`Request`] and gives it to a [`Port`], which answers with a [`Reply`]. An object
//! carries requests out itself; the port of another part of the Worker finds the
//! object and sends them there, in the one encoding that both have.
//!
//! A request names its target by ids and numbers alone. So nothing outside the
//! object holds what dies with its memory, and a request for a socket that has gone
//! reaches nobody, even if its client has joined the namespace again.

mod encoding;
pub(crate) mod locate;
pub(crate) mod remote;
mod reply;
mod request;
pub(crate) mod watch;
pub(crate) mod wire;

use core::any::Any;
use core::cell::RefCell;
use std::rc::Rc;

use futures::future::LocalBoxFuture;
use worker::Env;

pub(crate) use self::encoding::{decode_reply, decode_request, encode_reply, encode_request};
pub(crate) use self::reply::{Answer, Asked, Called, PortError, Remote, Reply, nobody};
pub(crate) use self::request::{
    Address, AlarmChange, ClusterCall, Look, Operation, Page, Request, Selection, Spot, Target,
    Update,
};
use self::watch::Watched;
use crate::log::Level;
use crate::sid::Key;
use crate::usage::Meter;

/// Carries out requests.
pub(crate) trait Port {
    /// Carries out a request. It is done when this returns, unless its answer has to
    /// be awaited.
    fn call(&self, request: Request<'_>) -> Called;

    /// Returns the Worker's bindings.
    fn env(&self) -> &Env;
}

/// The port of the object that this code runs in.
pub(crate) trait LocalPort: Port {
    /// Returns the object's id in hexadecimal.
    fn id(&self) -> &str;

    /// Returns the object's storage.
    fn storage(&self) -> worker::durable::Storage;

    /// Runs a task beside the handlers, for as long as a session lasts.
    fn spawn(&self, session: Key, task: LocalBoxFuture<'static, ()>);

    /// Runs a task beside the handlers until it returns, unless one of this name is
    /// running: then returns `false`. Its error is logged. Returns `None` if too many are
    /// running.
    fn spawn_for_all(
        &self,
        name: &str,
        task: LocalBoxFuture<'static, Result<(), String>>,
    ) -> Option<bool>;

    /// Returns what is kept for the handlers of this object.
    fn memory(&self) -> &Memory;

    /// Returns the object as it is watched.
    fn watched(&self) -> &Watched;

    /// Returns what is counted of it.
    fn meter(&self) -> &Meter;

    /// Returns whether others are one server together with this object.
    fn is_one_of_many(&self) -> bool;

    /// Logs an event of the object, which is not one session's.
    fn log(&self, level: Level, event: &'static str, fields: &[(&str, &str)]);
}

/// Values that handlers share within one object, at most one of each type. They are gone
/// when the object sleeps or is replaced, with whatever waited for them.
#[derive(Default)]
pub(crate) struct Memory(RefCell<Vec<Rc<dyn Any>>>);

impl Memory {
    /// Returns the value of a type, which is created when it is first asked for.
    pub(crate) fn of<T: Any + Default>(&self) -> Rc<T> {
        let mut values = self.0.borrow_mut();
        let found = values.iter().find_map(|it| it.clone().downcast().ok());
        found.unwrap_or_else(|| {
            let value = Rc::new(T::default());
            values.push(value.clone());
            value
        })
    }
}
