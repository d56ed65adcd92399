//! What objects do of what is billed, as applications are told.

use std::rc::Rc;

use super::handler::{Call, Handler, HandlerFn, Kind, OnEngineUsage, OnUsage, erase};
use super::{EngineUsageContext, Io, Server, UsageContext};
use crate::api::client::Clients;
use crate::api::engine::Engine;
use crate::api::error::{HandlerError, Rejection};
use crate::platform;
use crate::port::LocalPort;
use crate::usage::Usage;

/// The handler of a server that is told what is counted.
pub(crate) struct Tell<K: Kind, S> {
    pub(super) handler: HandlerFn<K>,
    pub(super) call: TellFn<K, S>,
}

/// Calls a handler with what it is to be told, if there is anything. What that is, is found
/// there, so that it is linked only where there is a handler.
pub(super) type TellFn<K, S> = fn(&HandlerFn<K>, &Rc<dyn LocalPort>, &Rc<S>) -> Option<Told>;

impl<K: Kind, S> Tell<K, S> {
    /// Calls the handler, if there is anything to tell.
    pub(crate) fn call(&self, port: &Rc<dyn LocalPort>, server: &Rc<S>) -> Option<Told> {
        (self.call)(&self.handler, port, server)
    }
}

/// What has become of it.
pub(crate) type Told = Result<Call<Result<(), HandlerError>>, Rejection>;

impl Server {
    /// Registers the handler that is told what the objects do of what is billed, which is
    /// counted from then on. It takes the [`Usage`](crate::Usage) since its last call in the
    /// same object, or since that woke up, and the root namespace as [`Io`](crate::Io); also
    /// [`State`](crate::State) and the Worker's `Env`.
    ///
    /// ```
    /// use dormouse::{Io, Server, Usage};
    ///
    /// let server = Server::new()
    ///     .namespace("/", |namespace| namespace)
    ///     .namespace("/usage", |namespace| namespace)
    ///     // What is sent to a client is not billed.
    ///     .on_usage(async |io: Io, usage: Usage| {
    ///         let listeners = io.of("/usage").all().volatile();
    ///         listeners.emit("usage", (usage, usage.nanodollars())).await
    ///     });
    /// # let _ = server;
    /// ```
    ///
    /// Like any broadcast, this brings all sessions of the object into memory. It is volatile,
    /// because [`Recovery`](crate::Recovery) would store each event in a row.
    ///
    /// It is called after something was counted, when that has been done, but at most once a
    /// second: first of all for what has woken the object. Nothing keeps the object awake
    /// for it. So whoever adds up what it is given knows every wake, but of the rest, what
    /// comes within a second after a call is told with the next one, or not at all if the
    /// object sleeps before. What the handler stores itself is counted as well, where it is
    /// the server that stores it; a row for each wake would nearly double what idle
    /// clients cost.
    ///
    /// It has [`task_limit`](Self::task_limit); its error is logged. If it panics, it is
    /// called again after the next that comes in. In a server of
    /// [many objects](crate::Placement::spread), it is called in each of them, also in those
    /// without sockets.
    pub fn on_usage<S>(mut self, handler: impl Handler<OnUsage, S>) -> Self {
        let tell = Tell {
            handler: erase(handler),
            call: |handler, port, application| {
                let usage = port.meter().take_due(platform::now)?;
                Some(handler(&mut UsageContext::new(port, application, &usage)))
            },
        };
        let application = self.application_mut();
        if application.on_usage.replace(tell).is_some() {
            application.duplicate = Some("on_usage");
        }
        self.usage(true)
    }
}

impl Engine {
    /// Registers the handler that is told what the objects do of what is billed, which is
    /// counted from then on. It takes the [`Usage`] since its last call in the same object, or
    /// since that woke up, and the server's [`Clients`]; also [`State`](crate::State) and the
    /// Worker's `Env`.
    ///
    /// ```
    /// use dormouse::engine::{Engine, Usage};
    ///
    /// let server = Engine::new().on_usage(|usage: Usage| {
    ///     if usage.wakes() > 0 {
    ///         worker::console_log!("woken, {} rows written", usage.rows_written());
    ///     }
    /// });
    /// # let _ = server;
    /// ```
    ///
    /// It is called when something has been counted, at most once a second, and like
    /// [`Server::on_usage`] in all else: that says what may be missing, and when.
    pub fn on_usage<S>(mut self, handler: impl Handler<OnEngineUsage, S>) -> Self {
        let tell = Tell {
            handler: erase(handler),
            call: |handler, port, endpoint| {
                let usage = port.meter().take_due(platform::now)?;
                Some(handler(&mut EngineUsageContext::new(
                    port, endpoint, &usage,
                )))
            },
        };
        self.handlers.set("on_usage", |it| &mut it.on_usage, tell);
        self.usage(true)
    }
}

impl Io {
    /// Returns what the object in which this runs has done of what is billed, since it woke
    /// up. `None` outside of objects, and where it is not counted:
    /// [`Server::usage`](crate::Server::usage).
    ///
    /// ```
    /// use dormouse::{Io, Server};
    ///
    /// // From anywhere in the Worker, each object can be asked:
    /// // `io.server_side_emit_with_ack("usage", ())`.
    /// let server = Server::new()
    ///     .usage(true)
    ///     .namespace("/", |namespace| namespace)
    ///     .on_server_event("usage", |io: Io| io.usage());
    /// # let _ = server;
    /// ```
    pub fn usage(&self) -> Option<Usage> {
        self.local_port()?.meter().usage()
    }
}

impl Clients {
    /// Returns what the object in which this runs has done of what is billed, since it woke
    /// up. `None` outside of objects, and where it is not counted:
    /// [`Engine::usage`](crate::engine::Engine::usage).
    ///
    /// ```
    /// use dormouse::engine::{Client, Engine, SendError};
    ///
    /// let server = Engine::new().usage(true).on_message(async |client: Client| {
    ///     let usage = client.clients().and_then(|clients| clients.usage());
    ///     client.send_json(&usage).await
    /// });
    /// # let _ = server;
    /// ```
    pub fn usage(&self) -> Option<Usage> {
        self.local_port()?.meter().usage()
    }
}
