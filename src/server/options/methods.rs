//! The options that both kinds of servers have.

/// Defines their builder methods, for a type with the fields `options: Options` and
/// `admit: Option<AdmitFn>`. Its arguments are what the documentation says of defaults.
macro_rules! option_methods {
    (
        path: $path:literal,
        placement: $placement:literal,
        spawn: $spawn:literal,
        usage: $usage:literal $(,)?
    ) => {
        #[doc = "Sets the path that clients connect to: exactly this path, with or without"]
        #[doc = concat!("the last slash. Default: ", $path, ".")]
        pub fn path(mut self, path: &str) -> Self {
            self.options.path = format!("{}/", path.trim_end_matches('/'));
            self
        }

        /// Registers a check that decides, in the stateless Worker and before any object
        /// is woken, whether a client may try to connect. It may be async, and take the
        /// [`Handshake`](crate::Handshake), [`State`](crate::State) and the Worker's `Env`.
        ///
        /// An error refuses the client with 403 and the protocol's code 4. The error's text
        /// is the message, or `Forbidden` if it is empty; any other error than a text or a
        /// [`HandlerError`](crate::HandlerError) is logged, and the message is
        /// `internal error`.
        ///
        /// ```
        /// use dormouse::{Handshake, HandlerError};
        /// use dormouse::engine::Engine;
        /// use worker::Env;
        ///
        /// async fn has_paid(handshake: Handshake, env: Env) -> Result<(), HandlerError> {
        ///     let token = handshake.header("authorization");
        ///     let token = token.ok_or_else(|| HandlerError::new("no token"))?;
        ///     match env.kv("TOKENS")?.get(&token).text().await? {
        ///         Some(_) => Ok(()),
        ///         None => Err(HandlerError::new("unknown token")),
        ///     }
        /// }
        ///
        /// let server = Engine::new().admit(has_paid);
        /// # let _ = server;
        /// ```
        ///
        /// While it waits, its client waits for the answer to its request, and nothing of
        /// the client is in any object. It has 30 s; then, and if it panics, the client is
        /// refused with `Forbidden`. If the client drops its request, the check is dropped.
        /// A client that is admitted can still be answered with 503, if its object is full
        /// by then.
        pub fn admit<S>(mut self, admit: impl Handler<OnAdmit, S>) -> Self {
            self.admit = Some(erase(admit));
            self
        }

        #[doc = concat!("Sets which Durable Object a client is put into. Default: ", $placement, ".")]
        pub fn placement(mut self, placement: impl Into<Placement>) -> Self {
            self.options.placement = placement.into();
            self
        }

        #[doc = concat!("Sets how long a task started with [`", $spawn, "`] may take before it is")]
        /// dropped, with a line in the log; the same holds for the handler of an
        /// [alarm](Self::on_alarm). Default: 60 s. A task keeps its object awake, which
        /// costs money: this bounds what a forgotten one can cost.
        pub fn task_limit(mut self, limit: Duration) -> Self {
            self.options.task_limit = limit;
            self
        }

        /// Sets how many rows a client may make its object write in a minute by what it
        /// does itself: polling without an open `GET`, more user data than 15 kB, and
        /// with connection state recovery, joining namespaces and whatever changes the
        /// rooms and data of its sockets. Default: 60, which costs at most $0.0036 an
        /// hour for each client. Up to as many again are written at once after a time
        /// in which none were; half of these are kept for the client's end.
        ///
        /// Beyond that, changes wait and are written together. If the object is lost
        /// meanwhile, such a client starts over.
        ///
        /// In a server of [many objects](crate::Placement::spread), entering a room that
        /// nobody else of the same object is in is one of them, too, and another one is
        /// written when the last has left it. Beyond the maximum, a client waits with
        /// entering such a room, and after 30 s it fails.
        pub fn max_rows(mut self, rows: u32) -> Self {
            self.options.max_rows = rows;
            self
        }

        /// Sets the time between two heartbeats, at most 90 s. Default: 25 s. Below
        /// 10 s the objects never sleep, which costs money. From 10 s on, the
        /// heartbeats of an object's sessions are batched, so a client may be pinged
        /// earlier than due.
        pub fn ping_interval(mut self, interval: Duration) -> Self {
            self.options.settings.ping_interval = interval;
            self
        }

        /// Sets whether objects sleep while nothing happens. Default: `true`.
        ///
        /// The runtime takes less time for each message of a client whose WebSocket
        /// keeps its object awake: a fifth to a third less, in a local runtime. So
        /// `false` is for clients that hardly ever pause, as in games. An object is then
        /// billed for as long as it has a client, idle or not: $4.15 a month.
        pub fn sleep(mut self, sleep: bool) -> Self {
            self.options.settings.may_sleep = sleep;
            self
        }

        /// Sets how long a heartbeat may stay unanswered. Default: 20 s.
        pub fn ping_timeout(mut self, timeout: Duration) -> Self {
            self.options.settings.ping_timeout = timeout;
            self
        }

        /// Sets the maximum size of a message from a client, and of the body of a
        /// `POST`, in bytes, at most 32 MiB. Default: 1,000,000. A larger body gets
        /// 413; a larger WebSocket message closes the session with code 1009. The
        /// handshake tells clients, and newer ones split what they send via polling
        /// accordingly.
        pub fn max_payload(mut self, bytes: usize) -> Self {
            self.options.settings.max_payload = bytes;
            self
        }

        /// Sets how many bytes are kept for a polling client that does not fetch
        /// them, at least [`max_payload`](Self::max_payload). Each packet counts 32
        /// bytes more than it has. Default: 4 MiB. Beyond that the session is
        /// closed.
        pub fn max_buffered(mut self, bytes: usize) -> Self {
            self.options.settings.max_buffered = bytes;
            self
        }

        /// Sets how many bytes are sent over WebSocket to a client that has not shown
        /// that it reads them, at least twice [`max_payload`](Self::max_payload).
        /// Default: 16 MiB. Beyond that the session is closed, because the platform
        /// queues without limit for a client that reads nothing.
        ///
        /// A client of revision 4 shows it by its answer to a ping, for which it is
        /// asked in time. Nothing that clients of revision 3 say shows it: they ping by
        /// themselves, whether they read or not. So they may be sent this much in each
        /// [`ping_interval`](Self::ping_interval), by default 16 MiB in 25 s or 5 Mbit/s
        /// in the long run. What is queued for one that never reads grows for as long as
        /// it is sent something, at no more than that rate; where such clients are not
        /// needed, turn [`revision_3`](Self::revision_3) off.
        pub fn max_unproven(mut self, bytes: usize) -> Self {
            self.options.settings.max_unproven = bytes;
            self
        }

        /// Sets how many bytes an object holds in memory for all of its clients
        /// together: packets that wait for a `GET`, messages whose handlers have not
        /// returned, packets that are not complete, what the application has attached
        /// to clients, and the `auth` that is kept of them. At least twice [`max_payload`](Self::max_payload), and at most
        /// 100 MiB. Default: 32 MiB, or twice `max_payload` if that is more: the 128 MB
        /// that the platform gives may have to do for several objects, and what is held
        /// takes up more memory than it has bytes.
        ///
        /// Beyond that, the session that holds most is closed with the reason
        /// `memory exceeded`, its handlers that wait are dropped, and the log says so.
        /// In the last eighth, new clients get 503 with `Retry-After`; if there is
        /// still no room after that time, some is made.
        pub fn max_memory(mut self, bytes: usize) -> Self {
            self.options.max_memory = Some(bytes);
            self
        }

        /// Sets the transports that clients may use. Default: both.
        pub fn transports(mut self, transports: &[Transport]) -> Self {
            self.options.transports = transports.to_vec();
            self
        }

        /// Sets whether a polling session may upgrade to WebSocket. Default: `true`.
        pub fn allow_upgrades(mut self, allow: bool) -> Self {
            self.options.settings.allow_upgrades = allow;
            self
        }

        /// Sets how long an upgrade may take before polling goes on. Default: 10 s.
        pub fn upgrade_timeout(mut self, timeout: Duration) -> Self {
            self.options.settings.upgrade_timeout = timeout;
            self
        }

        /// Sets the size in bytes from which the answer to a poll is compressed
        /// (gzip or deflate), if the client accepts that; `None` turns it off.
        /// Default: 1024.
        pub fn compression(mut self, threshold: impl Into<Option<usize>>) -> Self {
            self.options.compression = threshold.into();
            self
        }

        /// Selects one of the WebSocket sub-protocols that a client offers (the
        /// `protocols` of browsers, `Sec-WebSocket-Protocol` on the wire). Default: the
        /// first. Without one of those that it offers, a browser does not connect.
        ///
        /// ```
        /// use dormouse::Server;
        ///
        /// let server = Server::new()
        ///     .select_subprotocol(|offered| offered.iter().copied().find(|name| *name == "chat"));
        /// # let _ = server;
        /// ```
        pub fn select_subprotocol(
            mut self,
            select: impl for<'a> Fn(&[&'a str]) -> Option<&'a str> + 'static,
        ) -> Self {
            self.options.subprotocol = crate::options::Subprotocol::new(select);
            self
        }

        /// Sets a cookie at the handshake. Default: none.
        pub fn cookie(mut self, cookie: impl Into<Cookie>) -> Self {
            self.options.cookie = Some(cookie.into());
            self
        }

        /// Adds headers to the answer that opens a session: 200 via polling, 101 over
        /// WebSocket. [`headers`](Self::headers) adds some to every answer. What the
        /// function may add, [`AnswerHeaders::append`](crate::AnswerHeaders::append) says.
        /// If it is set several times, all of the functions are called.
        ///
        /// It is called in the object, and cannot wait for anything. If it panics, the
        /// client is refused.
        ///
        /// ```
        /// use dormouse::{AnswerHeaders, Server};
        /// use worker::Request;
        ///
        /// let server = Server::new()
        ///     .initial_headers(|request: &Request, headers: &mut AnswerHeaders<'_>| {
        ///         headers.append("set-cookie", "visited=1; Path=/; HttpOnly");
        ///         if let Ok(Some(language)) = request.headers().get("accept-language") {
        ///             headers.append("set-cookie", &format!("language={}", &language));
        ///         }
        ///     })
        ///     .headers(|_request: &Request, headers: &mut AnswerHeaders<'_>| {
        ///         headers.append("strict-transport-security", "max-age=31536000");
        ///     });
        /// # let _ = server;
        /// ```
        pub fn initial_headers(
            mut self,
            add: impl Fn(&worker::Request, &mut crate::AnswerHeaders<'_>) + 'static,
        ) -> Self {
            self.options.additions.add_initial(Rc::new(add));
            self
        }

        /// Adds headers to every answer of the server: to handshakes, polls, `POST`s and
        /// upgrades, to preflight requests, and to whatever is refused. See
        /// [`initial_headers`](Self::initial_headers).
        pub fn headers(
            mut self,
            add: impl Fn(&worker::Request, &mut crate::AnswerHeaders<'_>) + 'static,
        ) -> Self {
            self.options.additions.add_usual(Rc::new(add));
            self
        }

        /// Sets which pages may connect: `"*"`, one origin, or a list of them, owned or
        /// not; an empty list turns the check off. Default: pages of the same origin.
        pub fn origins(mut self, origins: impl Into<Origins>) -> Self {
            self.options.origins = origins.into();
            self
        }

        /// Sets whether JSONP is served to browsers that tell neither by `Origin` nor by
        /// `Sec-Fetch-Site` whose page loads it, as old ones do. Default: `false`, since
        /// pages of any origin could connect otherwise. It changes nothing where
        /// [`origins`](Self::origins) admits all of them.
        pub fn jsonp(mut self, serve: bool) -> Self {
            self.options.jsonp = serve;
            self
        }

        /// Sets whether to trust a proxy in front of the Worker that says, by
        /// `X-Forwarded-Proto` and `X-Forwarded-Host`, how its clients reach it: these
        /// are the server's own origin then.
        ///
        /// `X-Forwarded-For` tells the address of each client to
        /// [`Handshake::address`](crate::Handshake::address) and
        /// [`address_rate_limit`](Self::address_rate_limit): it is the last one there,
        /// which the proxy has added, or the one before if the last is the proxy's own,
        /// which Cloudflare adds. If it is not an address, that in `CF-Connecting-IP`
        /// counts. Put one proxy in front, or have the others tell it the client's
        /// address.
        ///
        /// Default: `false`. Clients can send these headers too, so turn it on only where
        /// no request bypasses the proxy.
        pub fn trust_proxy(mut self, trust: bool) -> Self {
            self.options.trust_proxy = trust;
            self
        }

        /// Sets whether pages of other origins may send cookies. Default: `false`.
        pub fn credentials(mut self, allow: bool) -> Self {
            self.options.credentials = allow;
            self
        }

        /// Sets whether clients of revision 3 are served (engine.io-client up to 3,
        /// socket.io-client up to 2). Default: `true`.
        pub fn revision_3(mut self, serve: bool) -> Self {
            self.options.revision_3 = serve;
            self
        }

        /// Sets how much each client may send. Default: that of [`RateLimit`], which no
        /// honest client should notice; [`RateLimit::none`] limits nothing. What is
        /// beyond it ends the session, unless [`on_overrun`](Self::on_overrun) decides
        /// otherwise.
        pub fn rate_limit(mut self, limit: RateLimit) -> Self {
            self.options.rate_limit = limit;
            self
        }

        /// Sets how much all clients of one address may send together, as far as they
        /// share an object, and how many sessions they may begin. Default: no limit. It
        /// is the address from Cloudflare's header `CF-Connecting-IP`, or where
        /// [`trust_proxy`](Self::trust_proxy) is set, the one that the proxy tells.
        /// Addresses of IPv6 count as one if their first 64 bits are the same. Many people may share an address of IPv4, so be generous.
        pub fn address_rate_limit(mut self, limit: RateLimit) -> Self {
            self.options.address_rate_limit = limit;
            self
        }

        /// Registers a function that decides about each message beyond a rate limit.
        /// Default: [`OnOverrun::Close`]. Packets that are not messages, such as
        /// heartbeats, are handled in any case, unless it says `Close`.
        ///
        /// ```
        /// use dormouse::{Limit, OnOverrun, Overrun, RateLimit, Server};
        ///
        /// let server = Server::new()
        ///     .rate_limit(RateLimit::default().packets(50, 200).joins(1, 10))
        ///     .on_overrun(|overrun: &Overrun| match overrun.limit() {
        ///         // Whoever sends too many events is served more slowly.
        ///         Limit::Packets => OnOverrun::Delay,
        ///         _ => OnOverrun::Close,
        ///     });
        /// # let _ = server;
        /// ```
        pub fn on_overrun(
            mut self,
            decide: impl Fn(&Overrun) -> OnOverrun + 'static,
        ) -> Self {
            self.options.on_overrun = crate::options::Decision(Some(Rc::new(decide)));
            self
        }

        /// Sets whether the objects count what is billed, for
        #[doc = concat!("[`", $usage, "`](crate::", $usage, ").")]
        /// Default: `false`, unless there is an [`on_usage`](Self::on_usage). It costs a look at
        /// the numbers of rows after each statement to SQLite, and nothing that is billed.
        pub fn usage(mut self, usage: bool) -> Self {
            self.options.usage = usage.then_some(crate::usage::begin as _);
            self
        }

        /// Sets how much is logged. Default: [`Level::Warn`].
        pub fn log(mut self, level: Level) -> Self {
            self.options.log.level = level;
            self
        }

        /// Registers a function that is given the lines of the log instead of the
        /// console, up to the same [`level`](Self::log). Default: none. If it is set
        /// several times, all of the functions are given every line, in this order; the
        /// module [`loggers`](crate::loggers) has some, the console's among them.
        ///
        /// ```
        /// use dormouse::{Level, LogRecord, Server};
        ///
        /// let server = Server::new().log(Level::Info).logger(|record: &LogRecord| {
        ///     if record.level() <= Level::Warn || record.event() == "disconnect" {
        ///         worker::console_log!("{}: {record}", record.server());
        ///     }
        /// });
        /// # let _ = server;
        /// ```
        ///
        /// It is called when the platform's call is over, so that it never keeps a client
        /// waiting, and in order. It cannot wait for anything. It runs in the stateless
        /// Worker as well as in the objects, each of which has its own copy of what it
        /// captures. Up to 1,000 records wait for it; those beyond go to the console.
        ///
        /// If it panics, no session is lost, and it is not called again for as long as
        /// the isolate lives: the console is given the lines, with one more that says so,
        /// `logger panicked`. Mistakes in the deployment (`misconfigured`), and panics in
        /// [`App::fetch`](crate::App::fetch), which is no server's, go to the console in
        /// any case.
        pub fn logger(mut self, logger: impl Fn(&crate::LogRecord) + 'static) -> Self {
            self.options.log.add(Rc::new(logger));
            self
        }
    };
}

pub(crate) use option_methods;
