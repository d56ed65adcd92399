//! Clients of Engine.IO alone: one client, as handlers see it, and any client, from
//! anywhere in the Worker.

use core::fmt;
use core::future::Future;
use std::rc::Rc;

use dormouse_proto::engine::{Data, Transport};
use serde::Serialize;
use serde::de::DeserializeOwned;
use worker::Env;

use crate::api::Place;
use crate::api::app::app;
use crate::api::data;
use crate::api::endpoint::Endpoint;
use crate::http::origins;
use crate::incoming::Incoming;
use crate::port::remote::RemotePort;
use crate::port::{LocalPort, PortError, Reply, Request, Update};
use crate::request::Handshake;
use crate::sid::Sid;

/// The maximum size of a user session, in bytes of JSON.
///
/// The user session of a client on a WebSocket costs nothing up to some 15 kB.
/// Beyond that it is in the object's storage, and a row is written whenever it
/// changes. That of a polling client is written together with the rest of its
/// session.
pub const MAX_SESSION: usize = 1 << 20;

/// A client that is, or was, connected.
///
/// It is cheap to clone, and valid in this object only: elsewhere in the Worker,
/// keep the [`sid`](Self::sid) and reach the client through [`Clients`].
///
/// None of its methods wait for the client. What is sent has been handed to the
/// platform, or waits for the client's next poll; nothing tells whether it has
/// arrived.
#[derive(Clone)]
pub struct Client {
    port: Rc<dyn LocalPort>,
    endpoint: Rc<Endpoint>,
    sid: Sid,
}

impl Client {
    pub(crate) fn new(port: Rc<dyn LocalPort>, endpoint: &Rc<Endpoint>, sid: Sid) -> Self {
        Self {
            port,
            endpoint: endpoint.clone(),
            sid,
        }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) fn port(&self) -> &dyn LocalPort {
        &*self.port
    }

    pub(crate) fn place(&self) -> Place<'_> {
        Place {
            env: self.port.env(),
            port: Some(&self.port),
            states: self.endpoint.states(),
        }
    }

    /// Returns the request of its handshake.
    pub(crate) fn handshake(&self, request: &Incoming) -> Handshake {
        origins::handshake(&self.endpoint.options, request)
    }

    /// Makes a request that this object carries out at once.
    fn call(&self, request: Request<'_>) -> Result<Reply, PortError> {
        self.port.call(request).now()
    }

    /// Returns the client's session id.
    pub fn sid(&self) -> Sid {
        self.sid
    }

    /// Sends a message: a `&str`, `String`, `&[u8]`, `Vec<u8>` or a message that
    /// came in.
    ///
    /// ```no_run
    /// # async fn example(client: dormouse::engine::Client) -> Result<(), dormouse::engine::SendError> {
    /// client.send("text").await?;
    /// client.send(vec![1, 2, 3]).await?;
    /// client.send_json(&("a value", 42)).await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError::Unknown`] if the client has gone.
    pub async fn send(&self, data: impl Into<Data<'_>>) -> Result<(), SendError> {
        self.call(Request::Send(self.sid.key(), data.into()))?;
        Ok(())
    }

    /// Sends a value as JSON.
    ///
    /// # Errors
    ///
    /// [`SendError::Json`] if it cannot be written as JSON, and those of
    /// [`send`](Self::send).
    pub async fn send_json(&self, value: &impl Serialize) -> Result<(), SendError> {
        self.send(to_json(value)?).await
    }

    /// Disconnects the client. What was sent before still arrives. The reason given
    /// to [`on_disconnect`](crate::engine::Engine::on_disconnect) is "forced close".
    pub async fn disconnect(&self) {
        // A client that has gone is disconnected already.
        let _ = self.call(Request::Close(self.sid.key()));
    }

    /// Returns the transport in use now, or `None` once the client has gone.
    pub fn transport(&self) -> Option<Transport> {
        let reply = self.call(Request::Transport(self.sid.key()));
        let Ok(Reply::Transport(transport)) = reply else {
            return None;
        };
        Some(transport)
    }

    /// Returns the user session: data that the application keeps of this client. It
    /// survives sleep and is gone when the client is. `None` if nothing was saved.
    ///
    /// # Errors
    ///
    /// The user session cannot be read as a `T`.
    ///
    /// ```no_run
    /// # async fn example(client: dormouse::engine::Client) -> Result<(), dormouse::engine::SessionError> {
    /// client.save_session(&"ada")?;
    /// let name: Option<String> = client.session()?;
    /// assert_eq!(name.as_deref(), Some("ada"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn session<T: DeserializeOwned>(&self) -> Result<Option<T>, SessionError> {
        let reply = self.call(Request::UserSession(self.sid.key()));
        let Ok(Reply::Json(data)) = reply else {
            return Ok(None);
        };
        data::read(data.as_deref())
    }

    /// Replaces the user session.
    ///
    /// # Errors
    ///
    /// The value cannot be written as JSON, or its JSON has more than
    /// [`MAX_SESSION`] bytes, or the client has gone.
    pub fn save_session(&self, value: &impl Serialize) -> Result<(), SessionError> {
        let update = Update::new(data::write(value)?);
        self.call(Request::SetUserSession(self.sid.key(), update))
            .map_err(|_| SessionError::Unknown)?;
        Ok(())
    }

    /// Changes the user session in place, starting from `T::default()` if nothing
    /// was saved.
    ///
    /// # Errors
    ///
    /// Those of [`session`](Self::session) and
    /// [`save_session`](Self::save_session).
    ///
    /// ```no_run
    /// # fn example(client: dormouse::engine::Client) -> Result<(), dormouse::engine::SessionError> {
    /// let visits = client.edit_session(|visits: &mut u32| {
    ///     *visits += 1;
    ///     *visits
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn edit_session<T, R>(&self, edit: impl FnOnce(&mut T) -> R) -> Result<R, SessionError>
    where
        T: DeserializeOwned + Serialize + Default,
    {
        let mut value = self.session()?.unwrap_or_default();
        let result = edit(&mut value);
        self.save_session(&value)?;
        Ok(result)
    }

    /// Runs a task beside the handlers, until it is done, the client has gone, or
    /// [`task_limit`](crate::engine::Engine::task_limit) has passed. The object
    /// stays awake that long.
    ///
    /// ```no_run
    /// # fn example(client: dormouse::engine::Client) {
    /// use core::time::Duration;
    ///
    /// let later = client.clone();
    /// client.spawn(async move {
    ///     dormouse::engine::sleep(Duration::from_secs(5)).await;
    ///     later.send("five seconds have passed").await.ok();
    /// });
    /// # }
    /// ```
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.port.spawn(self.sid.key(), Box::pin(task));
    }

    /// Returns the Worker's bindings.
    pub fn env(&self) -> &Env {
        self.port.env()
    }

    /// Returns the storage of the object that holds this client. The alarm, and
    /// tables whose names begin with `dormouse_`, belong to the server.
    pub fn storage(&self) -> worker::durable::Storage {
        self.port.storage()
    }

    /// Returns the clients of this server, in this object and elsewhere. It is never
    /// `None` in a handler.
    pub fn clients(&self) -> Option<Clients> {
        Some(Clients::local(&self.port, &self.endpoint))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("sid", &self.sid)
            .finish_non_exhaustive()
    }
}

/// The clients of one server, wherever their objects are.
///
/// Whatever is done with a client in another object is a request to that object,
/// which wakes it and is billed as one.
///
/// ```no_run
/// use dormouse::engine::Clients;
/// use worker::{Env, Request, Response, Result};
///
/// /// Another route of the Worker: `POST /notify?sid=…`
/// async fn notify(sid: &str, env: Env) -> Result<Response> {
///     let clients = Clients::new(&env, "/engine.io/").ok_or("no such server")?;
///     match clients.send(sid, "you have mail").await {
///         Ok(()) => Response::ok("sent"),
///         Err(error) => Response::error(error.to_string(), 404),
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Clients {
    remote: RemotePort,
    /// The object in which this is used, if it is used in one.
    local: Option<Rc<dyn LocalPort>>,
}

impl Clients {
    /// Returns the clients of the server on `path`, or `None` if there is no such
    /// Engine.IO server.
    pub fn new(env: &Env, path: &str) -> Option<Self> {
        let app = app();
        let endpoint = app.endpoint_at(path)?;
        endpoint.engine()?;
        Some(Self {
            remote: RemotePort::new(endpoint.options.clone(), &app.binding, env),
            local: None,
        })
    }

    pub(super) fn local(port: &Rc<dyn LocalPort>, endpoint: &Endpoint) -> Self {
        Self {
            remote: RemotePort::new(endpoint.options.clone(), &app().binding, port.env()),
            local: Some(port.clone()),
        }
    }

    /// Returns the port, if this code runs in an object.
    pub(super) fn local_port(&self) -> Option<&dyn LocalPort> {
        self.local.as_deref()
    }

    pub(super) fn endpoint(&self) -> Option<Rc<Endpoint>> {
        app().endpoint_at(&self.remote.options().path).cloned()
    }

    /// Sends a message to a client.
    ///
    /// # Errors
    ///
    /// [`SendError::Unknown`] if there is no such client, or it has gone;
    /// [`SendError::Platform`] if its object could not be reached.
    pub async fn send(&self, sid: &str, data: impl Into<Data<'_>>) -> Result<(), SendError> {
        let sid = Sid::parse(sid).ok_or(SendError::Unknown)?;
        self.ask(&sid, Request::Send(sid.key(), data.into()))
            .await?;
        Ok(())
    }

    /// Sends a value as JSON.
    ///
    /// # Errors
    ///
    /// [`SendError::Json`] if it cannot be written as JSON, and those of
    /// [`send`](Self::send).
    pub async fn send_json(&self, sid: &str, value: &impl Serialize) -> Result<(), SendError> {
        self.send(sid, to_json(value)?).await
    }

    /// Disconnects a client.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send).
    pub async fn disconnect(&self, sid: &str) -> Result<(), SendError> {
        let sid = Sid::parse(sid).ok_or(SendError::Unknown)?;
        self.ask(&sid, Request::Close(sid.key())).await?;
        Ok(())
    }

    /// Returns the transport that a client uses now.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send).
    pub async fn transport(&self, sid: &str) -> Result<Transport, SendError> {
        let sid = Sid::parse(sid).ok_or(SendError::Unknown)?;
        let reply = self.ask(&sid, Request::Transport(sid.key())).await?;
        let Reply::Transport(transport) = reply else {
            return Err(PortError::Answer.into());
        };
        Ok(transport)
    }

    /// Returns the user session of a client; `None` if nothing was saved.
    ///
    /// # Errors
    ///
    /// [`SessionError::Unknown`] if there is no such client, or it has gone;
    /// [`SessionError::Json`] if its user session cannot be read as a `T`;
    /// [`SessionError::Platform`] if its object could not be reached.
    pub async fn session<T: DeserializeOwned>(&self, sid: &str) -> Result<Option<T>, SessionError> {
        let sid = Sid::parse(sid).ok_or(SessionError::Unknown)?;
        let request = Request::UserSession(sid.key());
        let Reply::Json(json) = self.ask(&sid, request).await? else {
            return Err(PortError::Answer.into());
        };
        data::read(json.as_deref())
    }

    /// Replaces the user session of a client.
    ///
    /// # Errors
    ///
    /// [`SessionError::TooLarge`] beyond [`MAX_SESSION`] bytes of JSON, and those of
    /// [`session`](Self::session).
    pub async fn save_session(
        &self,
        sid: &str,
        value: &impl Serialize,
    ) -> Result<(), SessionError> {
        let sid = Sid::parse(sid).ok_or(SessionError::Unknown)?;
        let update = Update::new(data::write(value)?);
        let request = Request::SetUserSession(sid.key(), update);
        Ok(self.ask(&sid, request).await.map(drop)?)
    }

    /// Changes the user session of a client, starting from `T::default()` if nothing was
    /// saved. If it is changed by somebody else meanwhile, `edit` is called again with
    /// what it is then, so that neither change is lost.
    ///
    /// ```no_run
    /// # async fn example(clients: dormouse::engine::Clients, sid: &str) -> Result<(), dormouse::engine::SessionError> {
    /// let credit = clients.edit_session(sid, |credit: &mut u32| {
    ///     *credit += 10;
    ///     *credit
    /// });
    /// println!("{}", credit.await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SessionError::Contended`] if somebody else has been faster 16 times, and those
    /// of [`save_session`](Self::save_session).
    pub async fn edit_session<T, R>(
        &self,
        sid: &str,
        edit: impl FnMut(&mut T) -> R,
    ) -> Result<R, SessionError>
    where
        T: DeserializeOwned + Serialize + Default,
    {
        let sid = Sid::parse(sid).ok_or(SessionError::Unknown)?;
        let first = self.ask(&sid, Request::UserSession(sid.key())).await?;
        let replace = async |update| {
            let request = Request::SetUserSession(sid.key(), update);
            self.ask(&sid, request).await
        };
        data::edit(first, replace, edit).await
    }

    /// Makes a request for a session: here, if this object holds it.
    pub(super) async fn ask(&self, sid: &Sid, request: Request<'_>) -> Result<Reply, PortError> {
        let local = self
            .local
            .as_ref()
            .filter(|local| local.id() == sid.object());
        match local {
            Some(local) => local.call(request).reply().await,
            None => self.remote.call_for(sid, &request).await,
        }
    }

    /// Disconnects every client of this server. This wakes every object that the
    /// placement can choose, including those without clients.
    ///
    /// # Errors
    ///
    /// [`SendError::Placement`] if the objects cannot be listed: only those of
    /// [`Placement::Shards`](crate::engine::Placement::Shards) can.
    /// [`SendError::Platform`] if one could not be reached.
    pub async fn disconnect_all(&self) -> Result<(), SendError> {
        let options = self.remote.options();
        let names = options
            .placement
            .names(&options.path)
            .ok_or(SendError::Placement)?;
        // This object answers a request like any other.
        let asked = names
            .iter()
            .map(|name| self.remote.call_named(name, &Request::CloseAll));
        for reply in futures::future::join_all(asked).await {
            reply?;
        }
        Ok(())
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients")
            .field("path", &self.remote.options().path)
            .finish_non_exhaustive()
    }
}

/// An operation on a client failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum SendError {
    /// There is no such client, or it has gone.
    Unknown,
    /// The value cannot be written as JSON.
    Json(serde_json::Error),
    /// The placement does not let all objects be listed.
    Placement,
    /// The object that holds the session could not be reached.
    Platform(worker::Error),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("no such client"),
            Self::Json(error) => write!(f, "cannot be written as json: {error}"),
            Self::Placement => f.write_str("only Placement::Shards lets all objects be reached"),
            Self::Platform(error) => write!(f, "the client's object could not be reached: {error}"),
        }
    }
}

impl core::error::Error for SendError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            Self::Platform(error) => Some(error),
            Self::Unknown | Self::Placement => None,
        }
    }
}

/// A user session, or a socket's data, could not be read or replaced.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionError {
    /// It cannot be written as JSON, or read as the type that was asked for.
    Json(serde_json::Error),
    /// Its JSON has more than [`MAX_SESSION`] bytes.
    TooLarge,
    /// There is no such client or socket, or it has gone.
    Unknown,
    /// Whenever it was to be edited, somebody else had changed it.
    Contended,
    /// It is not known which object holds it: see [`Placement`](crate::Placement).
    Placement,
    /// The object that holds it could not be reached.
    Platform(worker::Error),
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "user session: {error}"),
            Self::TooLarge => write!(f, "user session: more than {MAX_SESSION} bytes of json"),
            Self::Unknown => f.write_str("user session: no such client"),
            Self::Contended => f.write_str("user session: changed by others again and again"),
            Self::Placement => f.write_str("user session: it is not known which object it is in"),
            Self::Platform(error) => {
                write!(f, "user session: its object could not be reached: {error}")
            }
        }
    }
}

impl core::error::Error for SessionError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            Self::Platform(error) => Some(error),
            Self::TooLarge | Self::Unknown | Self::Contended | Self::Placement => None,
        }
    }
}

impl From<PortError> for SessionError {
    fn from(error: PortError) -> Self {
        match error {
            PortError::Gone => Self::Unknown,
            PortError::Placement => Self::Placement,
            PortError::Platform(error) => Self::Platform(error),
            PortError::TooManyRooms
            | PortError::TooManyAlarms
            | PortError::Repeated
            | PortError::Answer
            | PortError::Lost
            | PortError::Overloaded
            | PortError::Unsent
            | PortError::Unanswered => Self::Platform(error.to_string().into()),
        }
    }
}

fn to_json(value: &impl Serialize) -> Result<String, SendError> {
    serde_json::to_string(value).map_err(SendError::Json)
}

impl From<PortError> for SendError {
    fn from(error: PortError) -> Self {
        match error {
            PortError::Gone => Self::Unknown,
            PortError::Placement => Self::Placement,
            PortError::Platform(error) => Self::Platform(error),
            PortError::TooManyRooms
            | PortError::TooManyAlarms
            | PortError::Repeated
            | PortError::Answer
            | PortError::Lost
            | PortError::Overloaded
            | PortError::Unsent
            | PortError::Unanswered => Self::Platform(error.to_string().into()),
        }
    }
}
