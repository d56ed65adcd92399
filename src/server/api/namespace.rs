//! The handlers of a namespace.

use core::fmt;
use std::rc::Rc;

use dormouse_proto::socket::Args as Raw;

use super::handler::{
    BeforeEvent, Extract, Handler, HandlerFn, OnConnect, OnDisconnect, OnEvent, OnExpired, Reply,
    RewriteEvent, erase,
};
use super::{Args, Event, Socket};

/// The handlers of a namespace: see [`Server::namespace`](crate::Server::namespace).
///
/// Handlers are functions, async or not, whose argument types say what they want to
/// know: the [`Socket`], the event's arguments as a tuple or as they came
/// ([`Args`](crate::Args)), the [`Ack`](crate::Ack), the event's name,
/// [`Auth`](crate::Auth) and [`Handshake`](crate::Handshake) of a client that
/// connects, the [`Reason`](crate::Reason) of one that goes, the whole namespace
/// ([`Io`](crate::Io)), [`State`](crate::State), the Worker's `Env`, and
/// [extractors](crate::handler::Extract) of the application's own.
///
/// The return value of an event's handler is its acknowledgement, if the client
/// waits for one: a tuple is several values, `()` is none. If the handler returns an
/// error, or the arguments are not what it takes, the client gets `{"error": "…"}`,
/// and the log a line; the socket stays connected.
/// [`HandlerError`](crate::HandlerError) describes what the client is told.
///
/// Handlers run concurrently: while one waits for something, the handler of the same
/// client's next event begins, unless [`in_order`](crate::Server::in_order) is set. A client with more than 1,000 events, or 16 MiB of
/// them, whose handlers have not returned is disconnected.
#[derive(Default)]
#[must_use = "handlers are called where they are given to a server"]
pub struct Namespace {
    pub(crate) handlers: NamespaceHandlers,
}

pub(crate) type EventFn = HandlerFn<OnEvent>;
pub(crate) type DisconnectFn = HandlerFn<OnDisconnect>;

/// What an event meets before its handlers, in order.
pub(crate) enum BeforeFn {
    Check(HandlerFn<BeforeEvent>),
    Rewrite(HandlerFn<RewriteEvent>),
}

/// An observer of events that are sent.
pub(crate) type OutgoingFn = Box<dyn Fn(&Socket, &Raw<'_>)>;

#[derive(Default)]
pub(crate) struct NamespaceHandlers {
    pub(crate) middlewares: Vec<HandlerFn<OnConnect>>,
    pub(crate) on_connect: Option<HandlerFn<OnConnect>>,
    pub(crate) before: Vec<BeforeFn>,
    pub(crate) on_any: Vec<EventFn>,
    pub(crate) on_any_outgoing: Vec<OutgoingFn>,
    /// By name, in order.
    events: Vec<(String, EventFn)>,
    fallback: Option<EventFn>,
    pub(crate) on_disconnecting: Option<DisconnectFn>,
    pub(crate) on_disconnect: Option<DisconnectFn>,
    pub(crate) on_expired: Option<HandlerFn<OnExpired>>,
    /// What was given twice: the method, and of which event.
    pub(crate) duplicate: Option<(&'static str, String)>,
    /// What a group cannot be served with: the option, and the remedy.
    pub(crate) wrong: Option<(&'static str, String)>,
}

impl NamespaceHandlers {
    /// Returns whether events go straight to their own handler.
    pub(crate) fn is_plain(&self) -> bool {
        self.before.is_empty() && self.on_any.is_empty()
    }

    pub(crate) fn handler(&self, event: &str) -> Option<&EventFn> {
        match self.place(event) {
            Ok(place) => self.events.get(place).map(|(_, handler)| handler),
            Err(_) => self.fallback.as_ref(),
        }
    }

    /// Returns whether an event has a handler of its own.
    pub(crate) fn has(&self, event: &str) -> bool {
        self.place(event).is_ok()
    }

    /// Returns the names of all events that have a handler.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.events.iter().map(|(name, _)| &**name)
    }

    fn place(&self, event: &str) -> Result<usize, usize> {
        self.events
            .binary_search_by(|(name, _)| (**name).cmp(event))
    }

    fn insert(&mut self, event: &str, handler: EventFn) {
        match self.place(event) {
            Ok(_) => self.duplicate = Some(("on", event.to_owned())),
            Err(place) => self.events.insert(place, (event.to_owned(), handler)),
        }
    }
}

impl NamespaceHandlers {
    fn set<H>(&mut self, method: &'static str, place: fn(&mut Self) -> &mut Option<H>, handler: H) {
        if place(self).replace(handler).is_some() {
            self.duplicate = Some((method, String::new()));
        }
    }
}

impl Namespace {
    /// Registers the handler for a client that wants to join. The client waits until
    /// the handler returns; what its socket is sent meanwhile arrives right after
    /// the news that it is connected. An error refuses the client: see
    /// [`Refusal`](crate::Refusal). So does a panic, or taking more than 30 s
    /// together with the middlewares.
    ///
    /// A handler that asks its own socket for an acknowledgement, or disconnects it,
    /// lets it in early, since the client could not answer otherwise: the client is
    /// told that it is connected, and sent what its socket was sent before. An error
    /// then disconnects it, as do a panic and the time limit. Events that the client
    /// sends are handled once this handler has let it in, in order. So a client can be
    /// asked to prove who it is; but from then on it gets what the namespace is sent.
    /// Where it must not, decide in a [`middleware`](Self::middleware).
    ///
    /// ```
    /// use dormouse::{Refusal, Server, Socket};
    ///
    /// let server = Server::new().namespace("/", |namespace| {
    ///     namespace.on_connect(async |socket: Socket| {
    ///         let (version,): (u32,) = socket.emit_with_ack("version?", ()).await?;
    ///         match version {
    ///             0..3 => Err(Refusal::new("too old")),
    ///             _ => Ok(()),
    ///         }
    ///     })
    /// });
    /// # let _ = server;
    /// ```
    ///
    /// It is also called for a client that has come back: see
    /// [`Recovered`](crate::Recovered).
    pub fn on_connect<S>(mut self, handler: impl Handler<OnConnect, S>) -> Self {
        self.handlers
            .set("on_connect", |it| &mut it.on_connect, erase(handler));
        self
    }

    /// Registers a check that clients have to pass before
    /// [`on_connect`](Self::on_connect). Checks run in the order in which they are
    /// registered. An error refuses the client, and no other check is asked. Nor is
    /// any if the client has gone meanwhile, or the check disconnects the socket,
    /// which refuses the client too. A client that has come back is not checked again,
    /// unless
    /// [`Recovery::skip_middlewares`](crate::Recovery::skip_middlewares) is `false`.
    ///
    /// ```
    /// use dormouse::{Handshake, Refusal, Server};
    ///
    /// let server = Server::new().namespace("/admin", |namespace| {
    ///     namespace.middleware(|handshake: Handshake| match handshake.header("x-admin") {
    ///         Some(_) => Ok(()),
    ///         None => Err(Refusal::new("not authorized")),
    ///     })
    /// });
    /// # let _ = server;
    /// ```
    pub fn middleware<S>(mut self, check: impl Handler<OnConnect, S>) -> Self {
        self.handlers.middlewares.push(erase(check));
        self
    }

    /// Registers the handler of an event. An earlier handler of the same event is
    /// replaced.
    ///
    /// ```
    /// use dormouse::{Binary, Server, Socket};
    ///
    /// let server = Server::new().namespace("/", |namespace| {
    ///     namespace
    ///         // The value is the acknowledgement.
    ///         .on("sum", |(a, b): (i64, i64)| a + b)
    ///         // Several values, bytes, an argument that may be missing.
    ///         .on("half", async |(bytes, note): (Binary, Option<String>)| {
    ///             let half = bytes.len() / 2;
    ///             (Binary(bytes[..half].to_vec()), note)
    ///         })
    /// });
    /// # let _ = server;
    /// ```
    pub fn on<S>(mut self, event: &str, handler: impl Handler<OnEvent, S>) -> Self {
        self.handlers.insert(event, erase(handler));
        self
    }

    /// Registers the handler of an event whose arguments are defined with it: see
    /// [`Event`].
    pub fn on_event<A, F, R, N>(self, event: Event<A>, handler: F) -> Self
    where
        A: Extract<OnEvent> + 'static,
        F: AsyncFn(Socket, A) -> R + 'static,
        R: Reply<N> + 'static,
        N: 'static,
    {
        self.on(event.name(), handler)
    }

    /// Registers the handler of all events that have none of their own.
    pub fn on_fallback<S>(mut self, handler: impl Handler<OnEvent, S>) -> Self {
        self.handlers
            .set("on_fallback", |it| &mut it.fallback, erase(handler));
        self
    }

    /// Registers a handler that is called for every event, before the event's own.
    /// Its return value is not sent; an error keeps the event from its own handler.
    pub fn on_any<S>(mut self, handler: impl Handler<OnEvent, S>) -> Self {
        self.handlers.on_any.push(erase(handler));
        self
    }

    /// Registers a check that every event has to pass before any handler. An error
    /// keeps the event from them: it is logged, and the client gets `{"error": "…"}`
    /// if it waits for an acknowledgement.
    ///
    /// ```
    /// use dormouse::{EventName, HandlerError, Server, Socket};
    ///
    /// let server = Server::new().namespace("/", |namespace| {
    ///     namespace.event_middleware(|socket: Socket, event: EventName| {
    ///         let is_admin = socket.rooms().iter().any(|room| room == "admins");
    ///         match &*event {
    ///             "shutdown" if !is_admin => Err(HandlerError::new("not allowed")),
    ///             _ => Ok(()),
    ///         }
    ///     })
    /// });
    /// # let _ = server;
    /// ```
    pub fn event_middleware<S>(mut self, check: impl Handler<BeforeEvent, S>) -> Self {
        self.handlers.before.push(BeforeFn::Check(erase(check)));
        self
    }

    /// Registers a function that every event passes through before any handler, and that
    /// may change its name and its arguments, or drop it: see [`Rewrite`](crate::Rewrite). An error keeps
    /// the event from its handlers, as one of [`event_middleware`](Self::event_middleware)
    /// does; both are called in the order in which they are registered.
    ///
    /// ```
    /// use dormouse::{Args, EmitError, EventName, Rewrite, Server};
    ///
    /// let server = Server::new().namespace("/", |namespace| {
    ///     namespace
    ///         .event_rewrite(|event: EventName, args: Args| match &*event {
    ///             // Old clients call it so.
    ///             "msg" => Rewrite::new("message", args).map(Some),
    ///             "typing" => Ok::<_, EmitError>(None),
    ///             other => Rewrite::new(other, args).map(Some),
    ///         })
    ///         .on("message", |(text,): (String,)| text.len())
    /// });
    /// # let _ = server;
    /// ```
    pub fn event_rewrite<S>(mut self, rewrite: impl Handler<RewriteEvent, S>) -> Self {
        self.handlers.before.push(BeforeFn::Rewrite(erase(rewrite)));
        self
    }

    /// Registers a function that is called for every event that a socket of the
    /// namespace is sent, whether to it alone or to many: with the socket, the event's
    /// name, and its arguments. It is called once for each socket, after the event has
    /// been handed to the platform, or waits for a poll or for `on_connect`; not for what
    /// the socket is acknowledged, and not for what a client that comes back has missed.
    ///
    /// It can neither wait nor change anything. If it has an event sent, as with
    /// [`Socket::spawn`], it is called for that event, too.
    ///
    /// ```
    /// use dormouse::{Args, Server, Socket};
    ///
    /// let server = Server::new().namespace("/", |namespace| {
    ///     namespace.on_any_outgoing(|socket: &Socket, event: &str, args: &Args| {
    ///         worker::console_log!("{} is sent {event} with {} arguments", socket.id(), args.len());
    ///     })
    /// });
    /// # let _ = server;
    /// ```
    pub fn on_any_outgoing(mut self, observe: impl Fn(&Socket, &str, &Args) + 'static) -> Self {
        let observe = move |socket: &Socket, args: &Raw<'_>| {
            let args = Args::new(args.clone().into_owned(), true);
            observe(socket, &args.event().unwrap_or_default(), &args);
        };
        self.handlers.on_any_outgoing.push(Box::new(observe));
        self
    }

    /// Registers the handler for a socket that is about to be disconnected, for
    /// whatever [`Reason`](crate::Reason). It is called just before
    /// [`on_disconnect`](Self::on_disconnect), which has [`Socket::rooms`] and
    /// [`Socket::data`] as well.
    pub fn on_disconnecting<S>(mut self, handler: impl Handler<OnDisconnect, S>) -> Self {
        self.handlers.set(
            "on_disconnecting",
            |it| &mut it.on_disconnecting,
            erase(handler),
        );
        self
    }

    /// Registers the handler for a socket that is disconnected. What is sent to it
    /// is lost.
    ///
    /// It is called once for each socket that [`on_connect`](Self::on_connect) has
    /// let in, except for those that the platform cuts off without telling anyone,
    /// as in a deploy.
    pub fn on_disconnect<S>(mut self, handler: impl Handler<OnDisconnect, S>) -> Self {
        self.handlers
            .set("on_disconnect", |it| &mut it.on_disconnect, erase(handler));
        self
    }

    /// Registers the handler for a client that was cut off and has not come back in
    /// time: see [`Recovery`](crate::Recovery) and [`Expired`](crate::Expired). Its
    /// [`on_disconnect`](Self::on_disconnect) was called when it was cut off, unless
    /// the platform told nobody.
    ///
    /// ```
    /// use dormouse::{Expired, Io, Recovery, Server};
    ///
    /// let server = Server::new()
    ///     .recovery(Recovery::default())
    ///     .namespace("/", |namespace| {
    ///         namespace.on_expired(async |expired: Expired, io: Io| {
    ///             let name: Option<String> = expired.data().ok().flatten();
    ///             io.emit("has left for good", name).await
    ///         })
    ///     });
    /// # let _ = server;
    /// ```
    pub fn on_expired<S>(mut self, handler: impl Handler<OnExpired, S>) -> Self {
        self.handlers
            .set("on_expired", |it| &mut it.on_expired, erase(handler));
        self
    }

    /// Keeps the Worker from starting, for a [`Group`] whose settings cannot be served:
    /// the message names the option and the remedy.
    ///
    /// ```
    /// use std::rc::Rc;
    ///
    /// use dormouse::{Group, Namespace};
    ///
    /// struct Dice {
    ///     sides: u32,
    /// }
    ///
    /// impl Group for Dice {
    ///     fn register(self: Rc<Self>, namespace: Namespace) -> Namespace {
    ///         match self.sides {
    ///             0 => namespace.misconfigured("sides", "must be over 0"),
    ///             sides => namespace.on("roll", move || 1 + 7 % sides),
    ///         }
    ///     }
    /// }
    /// ```
    pub fn misconfigured(mut self, option: &'static str, remedy: &str) -> Self {
        self.handlers.wrong = Some((option, remedy.to_owned()));
        self
    }

    /// Registers the handlers of a [`Group`].
    pub fn group(self, group: impl Group) -> Self {
        Rc::new(group).register(self)
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events: Vec<&str> = self.handlers.names().collect();
        f.debug_struct("Namespace")
            .field("events", &events)
            .finish_non_exhaustive()
    }
}

/// Handlers that are methods of one value.
///
/// ```
/// use std::rc::Rc;
///
/// use dormouse::{Group, Namespace, Server, Socket};
///
/// struct Dice {
///     sides: u32,
/// }
///
/// impl Dice {
///     async fn roll(&self, socket: Socket) -> u32 {
///         1 + socket.id().len() as u32 % self.sides
///     }
/// }
///
/// impl Group for Dice {
///     fn register(self: Rc<Self>, namespace: Namespace) -> Namespace {
///         namespace.on("roll", async move |socket: Socket| self.roll(socket).await)
///     }
/// }
///
/// let server = Server::new().namespace("/", |namespace| namespace.group(Dice { sides: 6 }));
/// # let _ = server;
/// ```
pub trait Group: 'static {
    /// Registers the handlers in the namespace.
    fn register(self: Rc<Self>, namespace: Namespace) -> Namespace;
}
