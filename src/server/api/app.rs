//! The whole application: its servers, and the Worker's other routes.

use core::cell::OnceCell;
use core::fmt;
use std::rc::Rc;

use futures::future::LocalBoxFuture;
use worker::{Context, Env, Request, Response};

use crate::api::Server;
use crate::api::endpoint::{Endpoint, Handlers, Service};
use crate::api::engine::Engine;
use crate::options::ConfigError;

/// An application: one or more servers, each on its own path, and a handler for all
/// other requests.
///
/// ```
/// use dormouse::App;
/// use dormouse::engine::{Client, Engine, Message};
/// use worker::{Context, Env, Request, Response, Result};
///
/// fn app() -> App {
///     App::new()
///         .engine(Engine::new().on_message(async |client: Client, message: Message| {
///             client.send(message).await
///         }))
///         .fetch(async |_request: Request, _env: Env, _ctx: Context| Response::ok("hello"))
/// }
/// # let _ = app();
/// ```
pub struct App {
    pub(crate) endpoints: Vec<Rc<Endpoint>>,
    pub(crate) fetch: Option<Fetch>,
    pub(crate) binding: String,
}

type Fetch = Rc<dyn Fn(Request, Env, Context) -> LocalBoxFuture<'static, worker::Result<Response>>>;

impl App {
    /// Creates an application without any servers.
    pub fn new() -> Self {
        Self {
            endpoints: Vec::new(),
            fetch: None,
            binding: "DORMOUSE".to_owned(),
        }
    }

    /// Adds an Engine.IO server.
    pub fn engine(self, engine: Engine) -> Self {
        self.endpoint(engine.into())
    }

    /// Adds a Socket.IO server.
    pub fn server(self, server: Server) -> Self {
        self.endpoint(server.into())
    }

    fn endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoints.push(Rc::new(endpoint));
        self
    }

    /// Registers the handler of requests that are neither for a server nor for a
    /// static file. Without it they get 404. [`Io`](crate::Io) and
    /// [`Clients`](crate::engine::Clients) reach the servers' clients from there.
    pub fn fetch<F>(mut self, fetch: F) -> Self
    where
        F: AsyncFn(Request, Env, Context) -> worker::Result<Response> + 'static,
    {
        let fetch = Rc::new(fetch);
        self.fetch = Some(Rc::new(move |request, env, context| {
            let fetch = fetch.clone();
            Box::pin(async move { fetch(request, env, context).await })
        }));
        self
    }

    /// Sets the name of the Durable Object binding in `wrangler.toml`. Default:
    /// `DORMOUSE`. Without such a binding the class itself is used, if it is declared
    /// there as `[exports.Dormouse]`.
    pub fn binding(mut self, name: &str) -> Self {
        self.binding = name.to_owned();
        self
    }

    /// Checks for options that cannot be served, as a Worker does when it starts: for an
    /// application that wants to say it in words of its own.
    ///
    /// ```
    /// use dormouse::{App, Server};
    ///
    /// let server = Server::new().max_rows(0).namespace("/", |namespace| namespace);
    /// let error = App::from(server).check().unwrap_err();
    /// assert_eq!(error.option(), "max_rows");
    /// assert!(error.remedy().starts_with("must be at least 2"));
    /// ```
    ///
    /// # Errors
    ///
    /// The first such option, and the remedy.
    pub fn check(&self) -> Result<(), ConfigError> {
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            let path = &endpoint.options.path;
            endpoint.options.check()?;
            match &endpoint.handlers {
                Handlers::Engine(handlers) => handlers.check(&endpoint.options)?,
                Handlers::Socket(application) => application.check(&endpoint.options)?,
            }
            for service in endpoint.services() {
                service.check(&endpoint.options)?;
            }
            if self
                .endpoints
                .iter()
                .take(index)
                .any(|other| other.options.path == *path)
            {
                return Err(ConfigError {
                    endpoint: path.clone(),
                    option: "path",
                    remedy: "two servers share it; give each its own".to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Returns what is served on a path that is not that of a server, and whose it is.
    pub(crate) fn service_at(&self, path: &str) -> Option<(&Rc<Endpoint>, &Rc<dyn Service>)> {
        self.endpoints.iter().find_map(|endpoint| {
            let mut all = endpoint.services();
            let service = all.find(|it| it.serves(&endpoint.options.path, path))?;
            Some((endpoint, service))
        })
    }

    /// Returns the server on a path.
    pub(crate) fn endpoint_at(&self, path: &str) -> Option<&Rc<Endpoint>> {
        let path = path.strip_suffix('/').unwrap_or(path);
        self.endpoints
            .iter()
            .find(|endpoint| endpoint.options.path.strip_suffix('/') == Some(path))
    }
}

impl Default for App {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Engine> for App {
    fn from(engine: Engine) -> Self {
        Self::new().engine(engine)
    }
}

impl From<Server> for App {
    fn from(server: Server) -> Self {
        Self::new().server(server)
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}

thread_local! {
    static APP: OnceCell<Rc<App>> = const { OnceCell::new() };
}

/// A description of an application, as the function returns it that is given to
/// [`worker!`](macro@crate::worker): an [`App`], a [`Server`] or an [`Engine`], or a
/// `Result` of one of them, whose error keeps the Worker from starting.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an application",
    note = "the function returns an `App`, a `Server` or an `Engine`, or a `Result` of one of \
            them whose error implements `Display`"
)]
pub trait Description {
    /// Returns the application, or why there is none.
    #[doc(hidden)]
    fn into_app(self) -> Result<App, String>;
}

impl Description for App {
    fn into_app(self) -> Result<App, String> {
        Ok(self)
    }
}

impl Description for Engine {
    fn into_app(self) -> Result<App, String> {
        Ok(self.into())
    }
}

impl Description for Server {
    fn into_app(self) -> Result<App, String> {
        Ok(self.into())
    }
}

impl<T: Description, E: fmt::Display> Description for Result<T, E> {
    fn into_app(self) -> Result<App, String> {
        match self {
            Ok(described) => described.into_app(),
            Err(error) => Err(format!("dormouse: {error}")),
        }
    }
}

/// Installs the application of a Worker that has started without one, as with
/// `dormouse::worker!();`: before its first request, and once for each wasm instance.
/// Whatever comes before that finds no server.
///
/// It is for bindings to other languages, in which the application is described by code
/// that the wasm instance is started by. A panic replaces the instance, so the next one
/// has to be given the application again. What is installed stays: to install another is
/// not an error, and does nothing.
///
/// ```
/// use dormouse::{App, Server};
///
/// // Such a function would be exported to whoever knows the rest.
/// fn describe(path: &str) -> Result<(), String> {
///     let server = Server::new().path(path);
///     dormouse::install(App::from(server.namespace("/", |namespace| namespace)))
/// }
/// # describe("/chat/").unwrap();
/// ```
///
/// # Errors
///
/// Its description failed, or an option cannot be served: the error names it and the
/// remedy.
pub fn install(described: impl Description) -> Result<(), String> {
    let app = described.into_app()?;
    app.check().map_err(|error| error.to_string())?;
    APP.with(|cell| {
        // The start function runs once for each instance.
        let _ = cell.set(Rc::new(app));
    });
    Ok(())
}

/// Returns the application, once it is installed.
pub(crate) fn app() -> Rc<App> {
    APP.with(|cell| cell.get().cloned()).unwrap_or_default()
}
