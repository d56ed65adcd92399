//! Events from one object of a server to the others.

use core::time::Duration;

use dormouse_proto::millis;

use super::broadcast::split;
use super::handler::{Handler, HandlerFn, OnServerEvent, erase};
use super::{Acked, Acks, Application, Arguments, Broadcast, EmitError, FromArgs, Io, Server};
use crate::port::{Operation, PortError, Reply};

/// The handlers of events from other objects, by name.
#[derive(Default)]
pub(crate) struct ServerEvents(Vec<(String, HandlerFn<OnServerEvent>)>);

impl ServerEvents {
    pub(crate) fn find(&self, name: &str) -> Option<&HandlerFn<OnServerEvent>> {
        let found = self.0.iter().find(|(other, _)| other == name);
        found.map(|(_, handler)| handler)
    }
}

impl ServerEvents {
    /// Replaces each handler by one around it.
    pub(super) fn wrap(
        &mut self,
        wrap: fn(&str, HandlerFn<OnServerEvent>) -> HandlerFn<OnServerEvent>,
    ) {
        for (name, handler) in &mut self.0 {
            *handler = wrap(name, handler.clone());
        }
    }
}

impl Server {
    /// Registers the handler of an event that another object of the server, or another part
    /// of the Worker, has sent with [`Io::server_side_emit`].
    ///
    /// It takes the namespace that the event was sent in as an [`Io`], the event's arguments
    /// as a tuple or as [`Args`](crate::Args), the [`EventName`](crate::EventName),
    /// [`State`](crate::State) and the Worker's `Env`. What it returns is its answer, as with
    /// the events of clients. It has [`task_limit`](Self::task_limit); its error is logged.
    ///
    /// ```
    /// use dormouse::{EmitError, Placement, Server, Socket, State};
    /// use std::cell::RefCell;
    ///
    /// /// What each object keeps in its memory.
    /// #[derive(Default)]
    /// struct Prices {
    ///     known: RefCell<Vec<u32>>,
    /// }
    ///
    /// let server = Server::new()
    ///     .placement(Placement::spread(8))
    ///     .state(Prices::default())
    ///     .namespace("/", |namespace| {
    ///         namespace.on("new prices", async |socket: Socket| {
    ///             socket.io().server_side_emit("forget prices", ()).await
    ///         })
    ///     })
    ///     .on_server_event("forget prices", |prices: State<Prices>| {
    ///         prices.known.borrow_mut().clear();
    ///     });
    /// # let _ = server;
    /// ```
    pub fn on_server_event<S>(
        mut self,
        name: &str,
        handler: impl Handler<OnServerEvent, S>,
    ) -> Self {
        let events = &mut self.application_mut().server_events;
        if events.find(name).is_some() {
            self.application_mut().duplicate = Some("on_server_event");
            return self;
        }
        events.0.push((name.to_owned(), erase(handler)));
        self
    }
}

/// Events to the other objects of the server: see
/// [`Server::on_server_event`](crate::Server::on_server_event).
///
/// Not every object hears of one, but each that has sockets in this namespace, in a server of
/// [many objects](crate::Placement::spread) all others than the one that sends it. Where one
/// object holds all sockets, there is none, unless the event comes from another part of the
/// Worker.
impl Io {
    /// Sends an event to the other objects.
    ///
    /// # Errors
    ///
    /// [`EmitError::NoHandler`] if the server has no handler for this name, and those of
    /// [`Broadcast::emit`].
    pub async fn server_side_emit(
        &self,
        name: &str,
        args: impl Arguments,
    ) -> Result<(), EmitError> {
        self.all().send_to_objects(name, args, None).await.map(drop)
    }

    /// Sends an event to the other objects, and waits for their answers, for at most
    /// [`ack_timeout`](crate::Server::ack_timeout). Each [`Acked`] has the id of its object.
    ///
    /// ```no_run
    /// # async fn example(io: dormouse::Io) -> Result<(), dormouse::EmitError> {
    /// let loads = io.server_side_emit_with_ack::<(u32,)>("load?", ()).await?;
    /// let sum: u32 = loads.into_values().into_iter().map(|(load,)| load).sum();
    /// # let _ = sum;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`server_side_emit`](Self::server_side_emit).
    pub async fn server_side_emit_with_ack<T: FromArgs>(
        &self,
        name: &str,
        args: impl Arguments,
    ) -> Result<Acks<T>, EmitError> {
        let limit = self.application().ack_timeout;
        let answered = self.all().send_to_objects(name, args, Some(limit)).await?;
        let (Reply::Acks(asked), missing) = split(answered) else {
            return Err(PortError::Answer.into());
        };
        let acks: Acks<T> = asked.into_iter().map(Acked::from).collect();
        Ok(acks.without(missing))
    }
}

impl Broadcast {
    async fn send_to_objects(
        &self,
        name: &str,
        args: impl Arguments,
        limit: Option<Duration>,
    ) -> Result<Reply, EmitError> {
        let io = self.io();
        if io.application().server_events.find(name).is_none() {
            return Err(EmitError::NoHandler(name.to_owned()));
        }
        let timeout = limit.map(millis);
        let operation = Operation::ServerEvent {
            name: name.to_owned(),
            args: args.encode(Some(name))?,
            timeout,
            from: io.local_port().map(|port| port.id().to_owned()),
        };
        match timeout {
            Some(_) => Ok(self.request(operation).await?),
            None => self.carry_out(operation).await.map(|()| Reply::Done),
        }
    }
}

impl Application {
    /// Returns whether there is an event from other objects.
    pub(crate) fn server_event(&self, name: &str) -> Option<&HandlerFn<OnServerEvent>> {
        self.server_events.find(name)
    }
}
