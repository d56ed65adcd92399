//! Tasks of the whole object, beside its handlers.

use core::fmt;

use super::Io;
use crate::api::client::Clients;
use crate::api::error::HandlerError;
use crate::api::handler::Verdict;
use crate::port::LocalPort;

impl Io {
    /// Starts a task that runs beside the handlers until it returns, whoever comes or
    /// goes, unless one of this name is running in the object. Returns whether it was
    /// started.
    ///
    /// ```
    /// use core::time::Duration;
    ///
    /// use dormouse::{HandlerError, Io, Server};
    ///
    /// async fn count_up(io: Io) -> Result<(), HandlerError> {
    ///     let mut number = 0;
    ///     // While anybody is there: the object could not sleep otherwise.
    ///     while io.count().await? > 0 {
    ///         dormouse::sleep(Duration::from_secs(1)).await;
    ///         number += 1;
    ///         io.emit("number", number).await?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// let server = Server::new().namespace("/", |namespace| {
    ///     namespace.on("count", |io: Io| io.spawn("count up", count_up))
    /// });
    /// # let _ = server;
    /// ```
    ///
    /// It gets this `Io`, and returns `()` or a `Result`. Its error is logged as
    /// `task failed`, and nobody else notices it. A panic ends it, and all other tasks
    /// and handlers in the same instance that are waiting for something; clients stay.
    ///
    /// **It keeps its object awake** as long as it waits for a time or for something
    /// elsewhere, and [`task_limit`](crate::Server::task_limit) does not end it. An object
    /// that is always awake costs $4.15 a month. **It does not survive** a crash, a deploy
    /// or a panic, nor sleep, if it waits for what does not keep the object awake. What
    /// has to happen is for an [alarm](crate::Server::on_alarm), and what has to happen
    /// only now and then is cheaper with one.
    ///
    /// # Errors
    ///
    /// [`SpawnError::TooMany`] if 100 others are running in the object, and
    /// [`SpawnError::Elsewhere`] outside of an object, as in another route: use the
    /// `wait_until` of the route's `Context` there.
    pub fn spawn<R, N>(
        &self,
        name: &str,
        task: impl AsyncFnOnce(Self) -> R + 'static,
    ) -> Result<bool, SpawnError>
    where
        R: Verdict<HandlerError, N> + 'static,
    {
        let io = self.clone();
        spawn(self.local_port(), name, async move || task(io).await)
    }
}

impl Clients {
    /// Starts a task that runs beside the handlers: see
    /// [`Io::spawn`](crate::Io::spawn). It gets these clients.
    ///
    /// # Errors
    ///
    /// Those of [`Io::spawn`](crate::Io::spawn).
    pub fn spawn<R, N>(
        &self,
        name: &str,
        task: impl AsyncFnOnce(Self) -> R + 'static,
    ) -> Result<bool, SpawnError>
    where
        R: Verdict<HandlerError, N> + 'static,
    {
        let clients = self.clone();
        spawn(self.local_port(), name, async move || task(clients).await)
    }
}

fn spawn<R, N>(
    port: Option<&dyn LocalPort>,
    name: &str,
    task: impl AsyncFnOnce() -> R + 'static,
) -> Result<bool, SpawnError>
where
    R: Verdict<HandlerError, N> + 'static,
{
    let port = port.ok_or(SpawnError::Elsewhere)?;
    let task = async move {
        let result = task().await.into_result();
        result.map_err(|error| error.failure.to_log())
    };
    let started = port.spawn_for_all(name, Box::pin(task));
    started.ok_or(SpawnError::TooMany)
}

/// A task could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpawnError {
    /// 100 others are running in the same object.
    TooMany,
    /// This is not an object, which a task could run in.
    Elsewhere,
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMany => "as many tasks are running in the object as allowed",
            Self::Elsewhere => "tasks run in objects; use `wait_until` of the route's context here",
        })
    }
}

impl core::error::Error for SpawnError {}
