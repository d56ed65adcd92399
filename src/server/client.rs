//! One client, as handlers see it; and any client, from anywhere in the Worker.

use core::fmt;
use core::future::Future;
use std::rc::Rc;

use dormouse_proto::engine::{Data, Transport};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;
use worker::Env;
use worker::worker_sys::DurableObject;

use crate::app::app;
use crate::endpoint::Endpoint;
use crate::front;
use crate::object::{Command, Shell};
use crate::sid::Sid;

/// The most bytes of JSON that a user session may take.
///
/// Up to some 15 kB, that of a client on a WebSocket sleeps at no cost. Beyond
/// that it is in the object's storage, and a row is written whenever the session
/// changes, which it does at each heartbeat of revision 4 too. A polling client's
/// is written together with the rest of its session.
pub const MAX_SESSION: usize = 1 << 20;

/// A client that is, or was, connected.
///
/// Cheap to clone, and of use in this object only: elsewhere in the Worker,
/// keep the [`sid`](Self::sid) and reach the client through [`Clients`].
///
/// Nothing that it does waits for the client. What is sent has been handed to
/// the platform, or waits for the client's next poll; that it has arrived is
/// nowhere told.
#[derive(Clone)]
pub struct Client {
    shell: Rc<Shell>,
    sid: Sid,
}

impl Client {
    pub(crate) fn new(shell: &Rc<Shell>, sid: Sid) -> Self {
        Self {
            shell: shell.clone(),
            sid,
        }
    }

    /// The client's session id.
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
        found(self.shell.send(self.sid.key(), data.into()))
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

    /// Disconnects the client. What was sent before still arrives. The reason
    /// that [`on_disconnect`](crate::engine::Engine::on_disconnect) is told is "forced close".
    pub async fn disconnect(&self) {
        self.shell.close(self.sid.key());
    }

    /// The transport in use now; `None` once the client has gone.
    pub fn transport(&self) -> Option<Transport> {
        self.shell.transport(self.sid.key())
    }

    /// The user session: what the application keeps of this client. It survives
    /// sleep and is gone when the client is. `None` if nothing was saved.
    ///
    /// # Errors
    ///
    /// What was saved is no `T`.
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
        let data = self.shell.session_data(self.sid.key());
        data.map(|json| serde_json::from_str(&json).map_err(SessionError::Json))
            .transpose()
    }

    /// Replaces the user session.
    ///
    /// # Errors
    ///
    /// The value cannot be written as JSON, or its JSON has more than
    /// [`MAX_SESSION`] bytes, or the client has gone.
    pub fn save_session(&self, value: &impl Serialize) -> Result<(), SessionError> {
        let json = serde_json::to_string(value).map_err(SessionError::Json)?;
        if json.len() > MAX_SESSION {
            return Err(SessionError::TooLarge);
        }
        if self.shell.set_session_data(self.sid.key(), json.into()) {
            Ok(())
        } else {
            Err(SessionError::Unknown)
        }
    }

    /// Changes the user session in place, beginning with `T::default()` where
    /// nothing was saved.
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

    /// Runs a task beside the handlers, until it is done, the client is gone, or
    /// [`task_limit`](crate::engine::Engine::task_limit) has passed. The object stays awake
    /// that long.
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
        self.shell.spawn(self.sid.key(), task);
    }

    /// The Worker's bindings.
    pub fn env(&self) -> &Env {
        &self.shell.env
    }

    /// The storage of the object that holds this client. Tables whose names
    /// begin with `dormouse_` are the server's own, and so is the alarm.
    pub fn storage(&self) -> worker::durable::Storage {
        self.shell.storage()
    }

    /// All clients of this server, in this object and elsewhere. There is no
    /// reason for `None` in a handler.
    pub fn clients(&self) -> Option<Clients> {
        Some(Clients {
            endpoint: self.shell.endpoint()?.clone(),
            env: self.shell.env.clone(),
            shell: Some(self.shell.clone()),
        })
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
/// Whatever is asked of a client in another object is a request to that object,
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
    endpoint: Rc<Endpoint>,
    env: Env,
    /// The object this is used in, where it is used in one.
    shell: Option<Rc<Shell>>,
}

impl Clients {
    /// The clients of the server on `path`; `None` if there is no such Engine.IO server.
    pub fn new(env: &Env, path: &str) -> Option<Self> {
        let endpoint = app().endpoint_at(path)?.clone();
        endpoint.engine()?;
        Some(Self {
            endpoint,
            env: env.clone(),
            shell: None,
        })
    }

    /// Sends a message to a client.
    ///
    /// # Errors
    ///
    /// [`SendError::Unknown`] if there is no such client (any more),
    /// [`SendError::Platform`] if its object could not be reached.
    pub async fn send(&self, sid: &str, data: impl Into<Data<'_>>) -> Result<(), SendError> {
        let sid = Sid::parse(sid).ok_or(SendError::Unknown)?;
        let data = data.into();
        match self.here(&sid) {
            Some(shell) => found(shell.send(sid.key(), data)),
            None => self.ask(&sid, Command::Send(&sid, &data)).await.map(|_| ()),
        }
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
        match self.here(&sid) {
            Some(shell) => found(shell.close(sid.key())),
            None => self.ask(&sid, Command::Close(&sid)).await.map(|_| ()),
        }
    }

    /// The transport that a client uses now.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send).
    pub async fn transport(&self, sid: &str) -> Result<Transport, SendError> {
        let sid = Sid::parse(sid).ok_or(SendError::Unknown)?;
        if let Some(shell) = self.here(&sid) {
            return shell.transport(sid.key()).ok_or(SendError::Unknown);
        }
        let name = self.ask(&sid, Command::Transport(&sid)).await?;
        let transports = [Transport::Polling, Transport::WebSocket];
        let transport = transports
            .into_iter()
            .find(|transport| transport.as_str() == name);
        transport.ok_or(SendError::Unknown)
    }

    /// Disconnects every client of this server. It wakes every object that the
    /// placement can choose, those without clients too.
    ///
    /// # Errors
    ///
    /// [`SendError::Placement`] if the objects cannot be counted up: only those
    /// of [`Placement::Shards`](crate::engine::Placement::Shards) can.
    /// [`SendError::Platform`] if one could not be reached.
    pub async fn disconnect_all(&self) -> Result<(), SendError> {
        let options = &self.endpoint.options;
        let names = options
            .placement
            .names(&options.path)
            .ok_or(SendError::Placement)?;
        let objects = front::object(&app(), &self.env)
            .map_err(|message| SendError::Platform(message.into()))?;
        let mut asked = Vec::with_capacity(names.len());
        for name in &names {
            let id = objects.id_from_name(name).map_err(platform_error)?;
            if let Some(shell) = self
                .shell
                .as_ref()
                .filter(|shell| id.to_string().is_ok_and(|id| shell.is(&id)))
            {
                shell.close_all();
            } else {
                let object = objects.get(&id).map_err(platform_error)?;
                let path = &options.path;
                asked.push(async move { Command::CloseAll.ask_and_wait(&object, path).await });
            }
        }
        for answer in futures::future::join_all(asked).await {
            answer.map_err(platform_error)?;
        }
        Ok(())
    }

    /// The object that this runs in, if it holds the session.
    fn here(&self, sid: &Sid) -> Option<&Rc<Shell>> {
        self.shell.as_ref().filter(|shell| shell.is(&sid.object()))
    }

    async fn ask(&self, sid: &Sid, command: Command<'_>) -> Result<String, SendError> {
        let objects = front::object(&app(), &self.env)
            .map_err(|message| SendError::Platform(message.into()))?;
        let object: DurableObject = front::find(&objects, sid).ok_or(SendError::Unknown)?;
        let answer = command
            .ask_and_wait(&object, &self.endpoint.options.path)
            .await;
        answer.map_err(platform_error)?.ok_or(SendError::Unknown)
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients")
            .field("path", &self.endpoint.options.path)
            .finish_non_exhaustive()
    }
}

/// Why something could not be sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum SendError {
    /// There is no such client, or it has gone.
    Unknown,
    /// The value cannot be written as JSON.
    Json(serde_json::Error),
    /// The placement does not let the objects be counted up.
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

impl core::error::Error for SendError {}

/// What is wrong with a user session.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionError {
    /// It cannot be written as JSON, or read as the type that was asked for.
    Json(serde_json::Error),
    /// Its JSON has more than [`MAX_SESSION`] bytes.
    TooLarge,
    /// The client has gone.
    Unknown,
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "user session: {error}"),
            Self::TooLarge => write!(f, "user session: more than {MAX_SESSION} bytes of json"),
            Self::Unknown => f.write_str("user session: no such client"),
        }
    }
}

impl core::error::Error for SessionError {}

fn found(found: bool) -> Result<(), SendError> {
    if found {
        Ok(())
    } else {
        Err(SendError::Unknown)
    }
}

fn to_json(value: &impl Serialize) -> Result<String, SendError> {
    serde_json::to_string(value).map_err(SendError::Json)
}

fn platform_error(error: JsValue) -> SendError {
    SendError::Platform(error.into())
}
