//! A Socket.IO server for Cloudflare Workers that sleeps between messages.
//!
//! Dormouse serves stock clients of every generation, in Rust compiled to
//! WebAssembly. Each session lives in a Durable Object. Its WebSocket hibernates, so
//! a client that says nothing costs next to nothing; clients that cannot keep a
//! WebSocket use HTTP long-polling. The session id names the object, so there are no
//! sticky sessions and there is nothing to share.
//!
//! ```
//! use dormouse::{Server, Socket};
//!
//! fn app() -> Server {
//!     Server::new().namespace("/", |namespace| {
//!         namespace.on("message", async |socket: Socket, (room, text): (String, String)| {
//!             socket.to(&room).emit("message", text).await
//!         })
//!     })
//! }
//!
//! dormouse::worker!(app);
//! # fn main() {}
//! ```
//!
//! # Contents
//!
//! - [Handlers](#handlers): what they take and return
//! - [Sockets and rooms](#sockets-and-rooms): whom an event reaches
//! - [Who may connect](#who-may-connect)
//! - [Errors](#errors)
//! - [What survives](#what-survives)
//! - [Later, and again](#later-and-again)
//! - [The rest of the Worker](#the-rest-of-the-worker)
//! - [Options](#options)
//!
//! # Handlers
//!
//! [`Server`] has the namespaces and the options. A [`Namespace`] has the handlers:
//! functions, async or not, whose argument types say what they want to know. The
//! event's arguments come as a tuple of your own types, with [`Binary`] for bytes;
//! the handler's return value is the acknowledgement.
//!
//! ```
//! use dormouse::{Binary, EmitError, Namespace, Server, Socket};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Deserialize, Serialize)]
//! struct Photo {
//!     title: String,
//!     pixels: Binary,
//! }
//!
//! fn photos(namespace: Namespace) -> Namespace {
//!     namespace.on("photo", share)
//! }
//!
//! /// How many have it now.
//! async fn share(socket: Socket, (album, photo): (String, Photo)) -> Result<usize, EmitError> {
//!     socket.join(&album).await?;
//!     socket.to(&album).emit("photo", photo).await?;
//!     Ok(socket.io().to(&album).fetch_sockets().await?.len())
//! }
//!
//! let server = Server::new().namespace("/photos", photos);
//! # let _ = server;
//! ```
//!
//! The module [`handler`] lists what handlers can take and return; an application can
//! write [extractors](handler::Extract) of its own for what many of them need.
//!
//! # Sockets and rooms
//!
//! A [`Socket`] is one client in one namespace: it is sent events, joins rooms, and
//! keeps data. [`Io`] is the namespace with all of its sockets, also in other routes of the
//! Worker, in queues and in cron triggers ([`Io::new`]).
//!
//! | from a [`Socket`] | from [`Io`] | |
//! |---|---|---|
//! | [`emit`](Socket::emit) | [`emit`](Io::emit) | to this client; to all |
//! | [`to`](Socket::to), [`within`](Socket::within) | [`to`](Io::to), [`within`](Io::within) | to the others in rooms; to all in them |
//! | [`except`](Socket::except) | [`except`](Io::except) | but not to these |
//! | [`broadcast`](Socket::broadcast) | [`all`](Io::all) | to all others; to all |
//! | [`local`](Socket::local) | [`local`](Broadcast::local) | in the same object only |
//! | [`emit_volatile`](Socket::emit_volatile) | [`volatile`](Broadcast::volatile) | what may get lost |
//! | [`emit_with_ack`](Socket::emit_with_ack) | [`emit_with_ack`](Broadcast::emit_with_ack) | what is answered |
//! | [`timeout`](Socket::timeout) | [`timeout`](Broadcast::timeout) | how long to wait for that |
//! | [`join`](Socket::join), [`leave`](Socket::leave) | [`join`](Broadcast::join), [`leave`](Broadcast::leave) | rooms |
//! | [`rooms`](Socket::rooms) | [`rooms`](Io::rooms), [`count`](Io::count), [`fetch_sockets`](Io::fetch_sockets) | who is where |
//! | [`disconnect`](Socket::disconnect), [`close`](Socket::close) | [`disconnect`](Broadcast::disconnect), [`close`](Broadcast::close) | the end |
//!
//! # Who may connect
//!
//! [`Auth`] has a client's credentials, and a [`Refusal`] keeps the client out;
//! [`Namespace::middleware`] and [`Namespace::event_middleware`] run checks before
//! every handler. [`Server::admit`] sees a request before any object does, and
//! [`Server::origins`] says which pages may connect.
//!
//! # Errors
//!
//! Any error becomes a [`HandlerError`] by `?`: it is logged, and clients are told nothing
//! but `internal error`. One that is made with a message is for the client.
//!
//! # What survives
//!
//! Messages, [data](Socket::data) and rooms survive the object's sleep; what is in memory,
//! such as [`State`], statics and running tasks, does not. [`Recovery`] keeps what clients
//! miss while they are away.
//!
//! # Later, and again
//!
//! [`Server::on_alarm`] and [`Io::set_alarm`] are for what happens later, [`Socket::spawn`]
//! and [`Io::spawn`] for tasks.
//!
//! # The rest of the Worker
//!
//! [`App`] puts several servers and the application's own routes into one Worker;
//! [`worker!`] and [`objects!`] export it. [`HttpApi`] lets programs elsewhere send, a
//! [`Webhook`] asks a back end elsewhere, with [`Admin`] the stock admin UI shows who is
//! there, and [`engine`] is the layer beneath, for
//! applications that need messages and nothing else. The guide `docs/getting-started.md`
//! shows the `wrangler.toml` that all this needs.
//!
//! # Options
//!
//! Options are methods of [`Server`]. [`RateLimit`] and [`OnOverrun`] say how much clients
//! may send, [`Placement`] in which object they are, [`Parser`] how packets are written,
//! [`Level`] and [`LogRecord`] what is logged, and [`loggers`] where to.
#![cfg_attr(
    test,
    allow(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)
)]

mod admin;
mod api;
mod compatibility;
mod http;
mod http_api;
#[cfg(all(test, target_arch = "wasm32"))]
mod in_browser;
mod incoming;
mod layer;
mod log;
pub mod loggers;
mod object;
mod options;
mod origin;
mod parts;
mod placement;
mod platform;
mod port;
mod query;
mod request;
mod sid;
mod table;
mod tracing;
mod usage;
mod webhooks;
mod worker;

pub use admin::Admin;
pub use api::app::{App, Description, install};
pub use api::client::SessionError as DataError;
pub use api::engine::sleep;
pub use api::error::{HandlerError, Refusal, Rejection};
pub use api::{
    Ack, AckError, Acked, Acks, Alarm, AlarmError, Args, ArgsError, Arguments, Auth, Binary,
    Broadcast, EmitError, Event, EventName, Expired, FromArgs, Gathered, Group, Io, JoinRequest,
    Missing, Namespace, ParentNamespace, Recovered, Recovery, RemoteSocket, Rewrite, Room,
    RoomNames, Server, Socket, SpawnError, State, Timed, WeakIo, WeakSocket, When,
};
pub use api::{engine, handler};
pub use dormouse_proto::engine::Transport;
pub use dormouse_proto::rate::{Limit, Scope};
pub use dormouse_proto::socket::{MAX_AUTH, Parser, Reason};
pub use http_api::HttpApi;
pub use log::{Level, LogRecord};
pub use options::{AnswerHeaders, ConfigError, Cookie, OnOverrun, Origins, Overrun, RateLimit};
pub use placement::{Placement, Spread};
pub use request::{Handshake, MAX_KEPT, MAX_KEPT_URL};
pub use usage::Usage;
pub use webhooks::{Hook, Webhook};
pub use worker::front::handle;

/// Returns the Worker's bindings where no `Env` is at hand, as in the function that
/// describes the application. While the Worker starts, variables and secrets can be read,
/// and nothing else can be done with it. `None` outside a Worker, as in tests.
///
/// ```
/// use dormouse::Server;
///
/// fn app() -> Result<Server, String> {
///     let origin = dormouse::env().and_then(|env| env.var("ORIGIN").ok());
///     let origin = origin.ok_or("ORIGIN is not set: add it to [vars] in wrangler.toml")?;
///     Ok(Server::new().origins(origin.to_string()).namespace("/", |namespace| namespace))
/// }
///
/// dormouse::worker!(app);
/// # fn main() {}
/// ```
pub fn env() -> Option<::worker::Env> {
    use wasm_bindgen::JsCast;

    platform::bindings().map(JsCast::unchecked_into)
}

/// The examples of the READMEs and the other documents, which `cargo test` runs.
#[cfg(doctest)]
#[doc = include_str!("README.md")]
#[doc = include_str!("../../README.md")]
#[doc = include_str!("../../docs/getting-started.md")]
#[doc = include_str!("../../docs/concepts.md")]
#[doc = include_str!("../../docs/handlers.md")]
#[doc = include_str!("../../docs/rooms.md")]
#[doc = include_str!("../../docs/acks.md")]
#[doc = include_str!("../../docs/authentication.md")]
#[doc = include_str!("../../docs/users.md")]
#[doc = include_str!("../../docs/recovery.md")]
#[doc = include_str!("../../docs/alarms.md")]
#[doc = include_str!("../../docs/rate-limits.md")]
#[doc = include_str!("../../docs/testing.md")]
#[doc = include_str!("../../docs/observability.md")]
#[doc = include_str!("../../docs/admin-ui.md")]
#[doc = include_str!("../../docs/deploying.md")]
#[doc = include_str!("../../docs/engine.io.md")]
#[doc = include_str!("../../docs/webhooks.md")]
#[doc = include_str!("../../docs/http-api.md")]
#[doc = include_str!("../../docs/migration.md")]
#[doc = include_str!("../../docs/scaling.md")]
struct Documents;

/// Items that the macros need. They are not part of the public interface.
#[doc(hidden)]
pub mod private {
    pub use ::worker;
    pub use ::worker::worker_sys;
    pub use js_sys;
    pub use wasm_bindgen;
    pub use web_sys;

    pub use crate::object::Object;
    use crate::port::wire;

    /// Handles a request to the Worker: its `fetch`.
    pub fn fetch(
        request: web_sys::Request,
        env: worker::Env,
        context: worker_sys::Context,
    ) -> wasm_bindgen::JsValue {
        crate::worker::front::fetch(request, env, context)
    }

    /// Prepares the class of the objects, of which `instance` is any instance.
    pub fn start(instance: &wasm_bindgen::JsValue) {
        wire::extend_durable_object(instance);
    }

    /// Installs the application, or keeps the Worker from starting.
    pub fn install(app: impl crate::Description) {
        if let Err(message) = crate::install(app) {
            crate::log::misconfigured(&message);
            // Whoever deploys sees what is thrown, and not the log.
            crate::platform::throw_at_start(&message);
        }
    }
}

/// Makes a Worker out of an application: exports its `fetch`, and the Durable Object
/// class `Dormouse`.
///
/// Takes the path of a function without arguments that returns an [`App`], a
/// [`Server`] or an [`Engine`](engine::Engine), or a `Result` of one of them. The function
/// is called whenever an instance of the Worker starts, so it should only describe the
/// application; [`env`](env()) has the Worker's variables and secrets there. Its error, or an
/// option that cannot be served, keeps the Worker from starting, with a message that
/// names the option and the remedy. Use the macro once, at the root of the crate.
///
/// Without a function, as in `dormouse::worker!();`, the Worker starts without an
/// application, and [`install`] gives it one before its first request.
#[macro_export]
macro_rules! worker {
    ($($app:path)?) => {
        $crate::objects!($($app)?);

        const _: () = {
            use $crate::private::wasm_bindgen::{self, prelude::*};

            #[wasm_bindgen(wasm_bindgen = $crate::private::wasm_bindgen)]
            pub fn fetch(
                request: $crate::private::web_sys::Request,
                env: $crate::private::worker::Env,
                context: $crate::private::worker_sys::Context,
            ) -> JsValue {
                $crate::private::fetch(request, env, context)
            }
        };
    };
}

/// Exports the Durable Object class `Dormouse` of an application whose Worker has a
/// `fetch` of its own, which serves the clients by calling [`handle`].
///
/// ```
/// use dormouse::engine::{Client, Engine, Message};
/// use worker::{Context, Env, Request, Response, Result};
///
/// fn app() -> Engine {
///     Engine::new().on_message(async |client: Client, message: Message| {
///         client.send(message).await
///     })
/// }
///
/// dormouse::objects!(app);
///
/// #[worker::event(fetch)]
/// async fn fetch(request: Request, env: Env, _context: Context) -> Result<Response> {
///     match dormouse::handle(&request, &env).await {
///         Some(response) => response,
///         None => Response::ok("hello"),
///     }
/// }
/// # fn main() {}
/// ```
///
/// Without a function, the application is that of [`install`].
#[macro_export]
macro_rules! objects {
    ($($app:path)?) => {
        const _: () = {
            use $crate::private::wasm_bindgen::{self, prelude::*};
            use $crate::private::web_sys::{Request, WebSocket};

            #[wasm_bindgen(start, wasm_bindgen = $crate::private::wasm_bindgen)]
            pub fn start() {
                let outline = Dormouse($crate::private::Object::outline());
                $crate::private::start(&outline.into());
                $($crate::private::install($app());)?
            }

            #[wasm_bindgen(wasm_bindgen = $crate::private::wasm_bindgen)]
            pub struct Dormouse($crate::private::Object);

            // Synchronous throughout: a panic in an asynchronous method would
            // leave its caller waiting for ever.
            #[wasm_bindgen(wasm_bindgen = $crate::private::wasm_bindgen)]
            impl Dormouse {
                #[wasm_bindgen(constructor)]
                pub fn new(
                    state: $crate::private::worker_sys::DurableObjectState,
                    env: $crate::private::worker::Env,
                ) -> Dormouse {
                    Dormouse($crate::private::Object::new(&state, env))
                }

                pub fn fetch(&self, request: Request) -> JsValue {
                    self.0.fetch(&request)
                }

                #[wasm_bindgen(js_name = dormouseCall)]
                pub fn call(&self, path: JsValue, request: JsValue) -> JsValue {
                    self.0.call(&path, request)
                }

                #[wasm_bindgen(js_name = dormouseWake)]
                pub fn wake(&self, path: JsValue) {
                    self.0.wake(&path);
                }

                #[wasm_bindgen(js_name = webSocketMessage)]
                pub fn web_socket_message(&self, socket: WebSocket, message: JsValue) {
                    self.0.web_socket_message(&socket, &message);
                }

                #[wasm_bindgen(js_name = webSocketClose)]
                pub fn web_socket_close(&self, socket: WebSocket, code: u16) {
                    self.0.web_socket_close(&socket, code);
                }

                #[wasm_bindgen(js_name = webSocketError)]
                pub fn web_socket_error(&self, socket: WebSocket) {
                    self.0.web_socket_error(&socket);
                }

                pub fn alarm(&self) {
                    self.0.alarm();
                }
            }
        };
    };
}
