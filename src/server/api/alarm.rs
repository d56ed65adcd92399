//! Alarms: what an application wants done later, even if everything has slept, crashed
//! or been deployed again in between.

use core::fmt;
use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::Timestamp;

use super::Io;
use super::handler::Kind;
use super::pattern::Pattern;
use super::{HandlerFn, Server};
use crate::api::client::{Client, Clients};
use crate::api::engine::Engine;
use crate::api::handler::{Handler, OnAlarm, OnEngineAlarm};
use crate::options::{ConfigError, Options};
use crate::platform;
use crate::port::{AlarmChange, LocalPort, PortError, Reply, Request};
use crate::sid::Sid;

/// The maximum number of bytes of an alarm's name.
const MAX_NAME: usize = 256;

/// The last moment that JavaScript knows, in milliseconds.
const LAST: u64 = 8_640_000_000_000_000;

/// An alarm that has gone off: see [`Server::on_alarm`](crate::Server::on_alarm).
#[derive(Clone)]
pub struct Alarm {
    name: Rc<str>,
    due: Timestamp,
    /// The placeholders in the name that the handler was registered with.
    params: Params,
    port: Rc<dyn LocalPort>,
}

impl Alarm {
    pub(crate) fn new(
        name: &Rc<str>,
        due: Timestamp,
        params: Params,
        port: Rc<dyn LocalPort>,
    ) -> Self {
        Self {
            name: name.clone(),
            due,
            params,
            port,
        }
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the value of a placeholder in its name: `{id}` in `close-{id}`.
    pub fn param(&self, name: &str) -> Option<&str> {
        let mut all = self.params.iter();
        let found = all.find(|(placeholder, _)| placeholder == name);
        found.map(|(_, value)| &**value)
    }

    /// Returns when it was due, in milliseconds since 1970. Where its handler is called
    /// again, because it was cut off, that is the time of this call.
    pub fn due(&self) -> u64 {
        self.due.as_millis()
    }

    /// Sets it again: that is how an alarm comes periodically.
    ///
    /// # Errors
    ///
    /// [`AlarmError::Platform`] if it cannot be stored.
    pub async fn again(&self, when: impl Into<When>) -> Result<(), AlarmError> {
        let request = Request::Alarm((*self.name).to_owned(), when.into().set(false));
        Ok(self.port.call(request).reply().await.map(drop)?)
    }

    /// Returns the storage of the object that it has gone off in. The platform's alarm,
    /// and tables whose names begin with `dormouse_`, belong to the server.
    pub fn storage(&self) -> worker::durable::Storage {
        self.port.storage()
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alarm")
            .field("name", &self.name)
            .field("due", &self.due)
            .finish_non_exhaustive()
    }
}

/// The time of an alarm: a `Duration` from now, or a [`worker::Date`]. If it is over
/// already, the alarm goes off at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When(Timestamp);

impl When {
    fn set(self, keeps: bool) -> AlarmChange {
        let due = self.0.min(Timestamp::from_millis(LAST));
        AlarmChange::Set { due, keeps }
    }
}

impl From<Duration> for When {
    fn from(after: Duration) -> Self {
        Self(platform::now() + after)
    }
}

impl From<worker::Date> for When {
    fn from(date: worker::Date) -> Self {
        Self(Timestamp::from_millis(date.as_millis()))
    }
}

/// The values of the placeholders in an alarm's name.
type Params = Vec<(String, String)>;

/// The handlers of a server's alarms.
pub(crate) struct AlarmHandlers<K: Kind>(Vec<AlarmHandler<K>>);

struct AlarmHandler<K: Kind> {
    /// As it is written in the application.
    name: String,
    /// `None` if it stands for itself.
    pattern: Option<Pattern>,
    call: HandlerFn<K>,
}

impl<K: Kind> Default for AlarmHandlers<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Kind> AlarmHandlers<K> {
    fn add(&mut self, name: &str, call: HandlerFn<K>) {
        self.0.push(AlarmHandler {
            name: name.to_owned(),
            pattern: Pattern::parse(name).filter(|_| Pattern::is_one(name)),
            call,
        });
    }

    /// Replaces each handler by one around it. `wrap` is told the name or the pattern that it
    /// was registered with.
    pub(super) fn wrap(&mut self, wrap: fn(&str, HandlerFn<K>) -> HandlerFn<K>) {
        for AlarmHandler { name, call, .. } in &mut self.0 {
            *call = wrap(name, call.clone());
        }
    }

    /// Finds the handler of an alarm, and the values of the placeholders in its name. A
    /// name of its own comes before all patterns.
    pub(crate) fn find(&self, name: &str) -> Option<(&HandlerFn<K>, Params)> {
        let mut all = self.0.iter();
        if let Some(own) = all.find(|it| it.pattern.is_none() && it.name == name) {
            return Some((&own.call, Vec::new()));
        }
        self.0.iter().find_map(|handler| {
            let values = handler.pattern.as_ref()?.read(name)?.into_iter();
            let values = values.map(|(place, value)| (place.to_owned(), value.to_owned()));
            Some((&handler.call, values.collect()))
        })
    }

    pub(crate) fn check(&self, options: &Options) -> Result<(), ConfigError> {
        for (index, AlarmHandler { name, pattern, .. }) in self.0.iter().enumerate() {
            let is_twice = self.0.iter().take(index).any(|other| other.name == *name);
            let remedy = if is_twice {
                format!("\"{name}\" has two handlers; make one of them")
            } else if pattern.is_none() && Pattern::is_one(name) {
                format!(
                    "\"{name}\" is not a name; open places are written `{{name}}`, or `{{*name}}` \
                     at the end"
                )
            } else if name.is_empty() || name.len() > MAX_NAME {
                format!("a name has 1 to {MAX_NAME} bytes")
            } else {
                continue;
            };
            return Err(ConfigError {
                endpoint: options.path.clone(),
                option: "on_alarm",
                remedy,
            });
        }
        Ok(())
    }

    /// Makes the request for a change of an alarm.
    fn request(&self, name: &str, change: AlarmChange) -> Result<Request<'static>, AlarmError> {
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(AlarmError::Name);
        }
        let is_set = matches!(change, AlarmChange::Set { .. });
        if is_set && self.find(name).is_none() {
            return Err(AlarmError::NoHandler(name.to_owned()));
        }
        Ok(Request::Alarm(name.to_owned(), change))
    }
}

/// Alarms.
impl Server {
    /// Registers the handler of an alarm, or of all whose names fit a pattern: in
    /// `close-{id}`, the placeholder stands for one or more characters other than `/`;
    /// `{*rest}` at the end stands for any.
    ///
    /// [`Io::set_alarm`] sets the alarm, from a handler or from another route. It
    /// survives sleep, crashes and deploys, and wakes its object when it is due, whether
    /// any client is there or not.
    ///
    /// ```
    /// use core::time::Duration;
    ///
    /// use dormouse::{Alarm, HandlerError, Io, Server};
    ///
    /// const MINUTE: Duration = Duration::from_secs(60);
    ///
    /// async fn close(io: Io, alarm: Alarm) -> Result<(), HandlerError> {
    ///     let room = alarm.param("room").unwrap_or_default();
    ///     io.to(room).emit("closed", ()).await?;
    ///     io.close_room(room).await?;
    ///     Ok(())
    /// }
    ///
    /// // Once a minute, while anybody is there.
    /// async fn tick(io: Io, alarm: Alarm) -> Result<(), HandlerError> {
    ///     let count = io.count().await?;
    ///     io.emit("online", count).await?;
    ///     if count > 0 {
    ///         alarm.again(MINUTE).await?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// let server = Server::new()
    ///     .on_alarm("close-{room}", close)
    ///     .on_alarm("tick", tick)
    ///     .namespace("/", |namespace| {
    ///         namespace
    ///             .on_connect(async |io: Io| io.ensure_alarm("tick", MINUTE).await)
    ///             .on("close in an hour", async |io: Io, (room,): (String,)| {
    ///                 io.set_alarm(&format!("close-{room}"), 60 * MINUTE).await?;
    ///                 Ok::<(), HandlerError>(())
    ///             })
    ///     });
    /// # let _ = server;
    /// ```
    ///
    /// The handler takes the [`Alarm`], an [`Io`] of the root namespace,
    /// [`State`](crate::State) and the Worker's `Env`, and returns `()` or a `Result`. Its
    /// error is logged, and the alarm is over. It is dropped after
    /// [`task_limit`](Self::task_limit), which is logged too, and then the alarm is over
    /// as well.
    ///
    /// **It is called at least once**: a handler that is cut off by a panic, a crash or a
    /// deploy is called again, after another `task_limit`, up to 5 times in all; then the
    /// log says `alarm given up`. The platform may be up to a minute late. An alarm that
    /// has no handler any more, since the application was deployed without one, is
    /// forgotten, and the log says so once: `alarm forgotten`.
    ///
    /// **What it costs**: setting one writes a row; so does the end of its handler,
    /// unless it was set again, and so does a handler that waits for something. The
    /// object has one alarm of the platform's for everything, and setting that is a row
    /// too, where nothing earlier is set. When it goes off, clients are pinged along the
    /// way, so that a frequent alarm takes the place of heartbeats' wakings. So one that
    /// comes each minute writes two rows a minute, $0.09 a month. What clients make
    /// handlers set is bounded by their rate limit, and not by
    /// [`max_rows`](Self::max_rows).
    pub fn on_alarm<S>(mut self, name: &str, handler: impl Handler<OnAlarm, S>) -> Self {
        self.application.alarms.add(name, super::erase(handler));
        self
    }
}

/// Alarms.
impl Engine {
    /// Registers the handler of an alarm, or of all whose names fit a pattern. It works
    /// as [`Server::on_alarm`](crate::Server::on_alarm) does, which says what it
    /// guarantees and costs; here the handler takes [`Clients`] instead of an `Io`.
    /// [`Client::set_alarm`] sets the alarm in the object that holds the client.
    ///
    /// ```
    /// use core::time::Duration;
    ///
    /// use dormouse::engine::{Alarm, Client, Clients, Engine, HandlerError};
    ///
    /// /// Nobody stays longer than an hour.
    /// async fn end(clients: Clients, alarm: Alarm) -> Result<(), HandlerError> {
    ///     // It may have gone.
    ///     let _ = clients.disconnect(alarm.param("sid").unwrap_or_default()).await;
    ///     Ok(())
    /// }
    ///
    /// let server = Engine::new()
    ///     .on_alarm("end-{sid}", end)
    ///     .on_connect(async |client: Client| {
    ///         let name = format!("end-{}", client.sid());
    ///         client.set_alarm(&name, Duration::from_secs(3_600)).await
    ///     });
    /// # let _ = server;
    /// ```
    pub fn on_alarm<S>(mut self, name: &str, handler: impl Handler<OnEngineAlarm, S>) -> Self {
        self.handlers.alarms.add(name, super::erase(handler));
        self
    }
}

/// Alarms, whatever the namespace: see [`Server::on_alarm`](crate::Server::on_alarm).
impl Io {
    /// Sets an alarm, `after` a time or at a date. If one of this name is set, its time
    /// changes. It is safe once this returns.
    ///
    /// In a server of [many objects](crate::Placement::spread) there is one alarm of a name,
    /// whoever sets it, and its handler runs in an object of its own.
    ///
    /// ```no_run
    /// # async fn example(io: dormouse::Io) -> Result<(), dormouse::AlarmError> {
    /// use core::time::Duration;
    ///
    /// io.set_alarm("tick", Duration::from_secs(5)).await?;
    /// io.set_alarm("tick", worker::Date::new(worker::DateInit::Millis(1_800_000_000_000))).await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AlarmError::NoHandler`] if the server has no handler for this name,
    /// [`AlarmError::Name`] if it is empty or has more than 256 bytes,
    /// [`AlarmError::TooMany`] if 1,000 others are set in the object,
    /// [`AlarmError::Placement`] if it is not known which object it is for, and
    /// [`AlarmError::Platform`] if that cannot be reached, or cannot store it.
    pub async fn set_alarm(&self, name: &str, when: impl Into<When>) -> Result<(), AlarmError> {
        self.change_alarm(name, when.into().set(false)).await
    }

    /// Sets an alarm unless one of this name is set, as when the first of many clients
    /// connects. That costs no row where it is.
    ///
    /// # Errors
    ///
    /// Those of [`set_alarm`](Self::set_alarm).
    pub async fn ensure_alarm(&self, name: &str, when: impl Into<When>) -> Result<(), AlarmError> {
        self.change_alarm(name, when.into().set(true)).await
    }

    /// Cancels an alarm. If none of this name is set, it does nothing. A handler that is
    /// running goes on. The object may be woken nevertheless when it would have been due.
    ///
    /// # Errors
    ///
    /// Those of [`set_alarm`](Self::set_alarm), except for `NoHandler` and `TooMany`.
    pub async fn cancel_alarm(&self, name: &str) -> Result<(), AlarmError> {
        self.change_alarm(name, AlarmChange::Cancel).await
    }

    async fn change_alarm(&self, name: &str, change: AlarmChange) -> Result<(), AlarmError> {
        let request = self.application().alarms.request(name, change)?;
        Ok(self.port().call(request).reply().await.map(drop)?)
    }
}

/// Alarms of the object that holds the client: see [`Engine::on_alarm`]. They do not end
/// with it.
impl Client {
    /// Sets an alarm: see [`Io::set_alarm`](crate::Io::set_alarm).
    ///
    /// # Errors
    ///
    /// Those of [`Io::set_alarm`](crate::Io::set_alarm).
    pub async fn set_alarm(&self, name: &str, when: impl Into<When>) -> Result<(), AlarmError> {
        self.change_alarm(name, when.into().set(false)).await
    }

    /// Sets an alarm unless one of this name is set.
    ///
    /// # Errors
    ///
    /// Those of [`set_alarm`](Self::set_alarm).
    pub async fn ensure_alarm(&self, name: &str, when: impl Into<When>) -> Result<(), AlarmError> {
        self.change_alarm(name, when.into().set(true)).await
    }

    /// Cancels an alarm: see [`Io::cancel_alarm`](crate::Io::cancel_alarm).
    ///
    /// # Errors
    ///
    /// Those of [`Io::cancel_alarm`](crate::Io::cancel_alarm).
    pub async fn cancel_alarm(&self, name: &str) -> Result<(), AlarmError> {
        self.change_alarm(name, AlarmChange::Cancel).await
    }

    async fn change_alarm(&self, name: &str, change: AlarmChange) -> Result<(), AlarmError> {
        let Some(handlers) = self.endpoint().engine() else {
            return Err(AlarmError::NoHandler(name.to_owned()));
        };
        let request = handlers.alarms.request(name, change)?;
        Ok(self.port().call(request).reply().await.map(drop)?)
    }
}

/// Alarms of the object that a session id names, whether that session is still there or
/// not: see [`Engine::on_alarm`].
impl Clients {
    /// Sets an alarm: see [`Io::set_alarm`](crate::Io::set_alarm).
    ///
    /// # Errors
    ///
    /// [`AlarmError::Placement`] if the sid was not issued, and those of
    /// [`Io::set_alarm`](crate::Io::set_alarm).
    pub async fn set_alarm(
        &self,
        sid: &str,
        name: &str,
        when: impl Into<When>,
    ) -> Result<(), AlarmError> {
        self.change_alarm(sid, name, when.into().set(false)).await
    }

    /// Cancels an alarm: see [`Io::cancel_alarm`](crate::Io::cancel_alarm).
    ///
    /// # Errors
    ///
    /// [`AlarmError::Placement`] if the sid was not issued, and those of
    /// [`Io::cancel_alarm`](crate::Io::cancel_alarm).
    pub async fn cancel_alarm(&self, sid: &str, name: &str) -> Result<(), AlarmError> {
        self.change_alarm(sid, name, AlarmChange::Cancel).await
    }

    async fn change_alarm(
        &self,
        sid: &str,
        name: &str,
        change: AlarmChange,
    ) -> Result<(), AlarmError> {
        let sid = Sid::parse(sid).ok_or(AlarmError::Placement)?;
        let endpoint = self.endpoint();
        let handlers = endpoint.as_deref().and_then(|endpoint| endpoint.engine());
        let Some(handlers) = handlers else {
            return Err(AlarmError::NoHandler(name.to_owned()));
        };
        let request = handlers.alarms.request(name, change)?;
        let reply: Reply = self.ask(&sid, request).await?;
        drop(reply);
        Ok(())
    }
}

/// An alarm could not be set or cancelled.
#[derive(Debug)]
#[non_exhaustive]
pub enum AlarmError {
    /// The server has no handler for an alarm of this name.
    NoHandler(String),
    /// The name is empty, or has more than 256 bytes.
    Name,
    /// 1,000 others are set in the same object.
    TooMany,
    /// It is not known which object it is for: see [`Io::key`](crate::Io::key).
    Placement,
    /// The object could not be reached, or could not store the alarm.
    Platform(worker::Error),
}

impl fmt::Display for AlarmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHandler(name) => write!(f, "no handler for the alarm `{name}` (on_alarm)"),
            Self::Name => write!(f, "the name of an alarm has 1 to {MAX_NAME} bytes"),
            Self::TooMany => f.write_str("as many alarms are set in the object as allowed"),
            Self::Placement => f.write_str("it is not known which object the alarm is for"),
            Self::Platform(error) => write!(f, "the alarm was not changed: {error}"),
        }
    }
}

impl core::error::Error for AlarmError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Platform(error) => Some(error),
            Self::NoHandler(_) | Self::Name | Self::TooMany | Self::Placement => None,
        }
    }
}

impl From<PortError> for AlarmError {
    fn from(error: PortError) -> Self {
        match error {
            PortError::TooManyAlarms => Self::TooMany,
            PortError::Gone | PortError::Placement => Self::Placement,
            PortError::Platform(error) => Self::Platform(error),
            PortError::TooManyRooms
            | PortError::Repeated
            | PortError::Answer
            | PortError::Lost
            | PortError::Overloaded
            | PortError::Unsent
            | PortError::Unanswered => Self::Platform(error.to_string().into()),
        }
    }
}

impl From<AlarmError> for worker::Error {
    fn from(error: AlarmError) -> Self {
        Self::RustError(error.to_string())
    }
}

#[cfg(test)]
mod tests;
