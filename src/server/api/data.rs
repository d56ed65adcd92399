//! What the application keeps of a socket or of a client, as JSON; and that of any
//! socket, from anywhere in the Worker.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Io;
use super::args::from_json;
use crate::api::client::{MAX_SESSION, SessionError};
use crate::port::{Operation, PortError, Reply, Update};
use crate::request::Handshake;

/// How often somebody else may be faster, before an edit fails.
const MOST_ATTEMPTS: usize = 16;

/// Reads what is kept.
pub(super) fn read<T: DeserializeOwned>(json: Option<&str>) -> Result<Option<T>, SessionError> {
    json.map(|json| from_json(json).map_err(SessionError::Json))
        .transpose()
}

/// Writes what is to be kept.
pub(super) fn write(value: &impl Serialize) -> Result<String, SessionError> {
    let json = serde_json::to_string(value).map_err(SessionError::Json)?;
    if json.len() > MAX_SESSION {
        return Err(SessionError::TooLarge);
    }
    Ok(json)
}

impl Handshake {
    /// Returns the `auth` of the socket whose handshake this is: see
    /// [`Socket::auth`](crate::Socket::auth). `None` in Engine.IO, and before there is a
    /// socket.
    ///
    /// # Errors
    ///
    /// It cannot be read as a `T`.
    pub fn auth<T: DeserializeOwned>(&self) -> Result<Option<T>, SessionError> {
        read(self.auth_json())
    }
}

/// Changes what is kept elsewhere. It is replaced only as it was read, so that nobody
/// else's change is lost; `first` is the answer to the question what it is.
pub(super) async fn edit<T, R>(
    first: Reply,
    replace: impl AsyncFn(Update<'static>) -> Result<Reply, PortError>,
    mut edit: impl FnMut(&mut T) -> R,
) -> Result<R, SessionError>
where
    T: DeserializeOwned + Serialize + Default,
{
    let mut reply = first;
    for _ in 0..MOST_ATTEMPTS {
        let Reply::Json(kept) = reply else {
            return Err(PortError::Answer.into());
        };
        let mut value = read(kept.as_deref())?.unwrap_or_default();
        let result = edit(&mut value);
        let update = Update {
            json: write(&value)?.into(),
            expected: Some(kept),
        };
        reply = replace(update).await?;
        if matches!(reply, Reply::Done) {
            return Ok(result);
        }
    }
    Err(SessionError::Contended)
}

/// The data of any socket, by its id.
///
/// ```no_run
/// use dormouse::Io;
/// use worker::{Env, Request, Response, Result};
///
/// /// Another route of the Worker: `POST /rename?socket=…`
/// async fn rename(id: &str, name: String, env: Env) -> Result<Response> {
///     let io = Io::new(&env, "/socket.io/").ok_or("no such server")?;
///     let old: Option<String> = io.data(id).await.map_err(|error| error.to_string())?;
///     io.set_data(id, &name).await.map_err(|error| error.to_string())?;
///     Response::ok(old.unwrap_or_default())
/// }
/// ```
impl Io {
    /// Returns the data that the application has attached to a socket of this namespace,
    /// by [its id](crate::Socket::id); `None` if nothing was set. In a handler,
    /// [`Socket::data`](crate::Socket::data) is that of its own socket.
    ///
    /// # Errors
    ///
    /// [`DataError::Unknown`](SessionError::Unknown) if there is no such socket, or it
    /// has gone; [`Json`](SessionError::Json) if its data cannot be read as a `T`;
    /// [`Placement`](SessionError::Placement) or [`Platform`](SessionError::Platform) if
    /// its object is not known or could not be reached.
    pub async fn data<T: DeserializeOwned>(&self, id: &str) -> Result<Option<T>, SessionError> {
        let Reply::Json(json) = self.ask(id, Operation::Data).await? else {
            return Err(PortError::Answer.into());
        };
        read(json.as_deref())
    }

    /// Attaches data to a socket of this namespace, in place of any other.
    ///
    /// # Errors
    ///
    /// [`DataError::TooLarge`](SessionError::TooLarge) if its JSON has more than
    /// [`MAX_SESSION`] bytes, and those of [`data`](Self::data).
    pub async fn set_data(&self, id: &str, value: &impl Serialize) -> Result<(), SessionError> {
        let update = Operation::SetData(Update::new(write(value)?));
        Ok(self.ask(id, update).await.map(drop)?)
    }

    /// Changes the data of a socket of this namespace, starting from `T::default()` if
    /// nothing was set. If it is changed by somebody else meanwhile, `edit` is called
    /// again with what it is then, so that neither change is lost.
    ///
    /// ```no_run
    /// # async fn example(io: dormouse::Io, id: &str) -> Result<(), dormouse::DataError> {
    /// let points = io.edit_data(id, |points: &mut u32| {
    ///     *points += 1;
    ///     *points
    /// });
    /// println!("{}", points.await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`DataError::Contended`](SessionError::Contended) if somebody else has been
    /// faster 16 times, and those of [`set_data`](Self::set_data).
    pub async fn edit_data<T, R>(
        &self,
        id: &str,
        edit: impl FnMut(&mut T) -> R,
    ) -> Result<R, SessionError>
    where
        T: DeserializeOwned + Serialize + Default,
    {
        let first = self.ask(id, Operation::Data).await?;
        let replace = async |update| self.ask(id, Operation::SetData(update)).await;
        self::edit(first, replace, edit).await
    }

    async fn ask(&self, id: &str, operation: Operation) -> Result<Reply, PortError> {
        self.to(id).request(operation).await
    }
}

#[cfg(test)]
mod tests;
