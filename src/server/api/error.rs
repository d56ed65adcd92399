//! The errors of handlers: each is for the client, or for the log alone.

use core::error::Error;
use core::fmt;

use serde::Serialize;

/// The message that a client is told if an error is not meant for clients.
const INTERNAL: &str = "internal error";

/// The content that all errors of this module have in common. It is small because
/// every handler's return value contains it.
#[derive(Debug)]
pub struct Failure(Box<Told>);

#[derive(Debug)]
struct Told {
    message: String,
    /// As JSON.
    data: Option<String>,
    /// The error behind an internal one: it is logged, and the client is not told
    /// about it.
    cause: Option<Box<dyn Error>>,
}

impl Failure {
    pub(crate) fn new(message: &dyn fmt::Display) -> Self {
        Self(Box::new(Told {
            message: message.to_string(),
            data: None,
            cause: None,
        }))
    }

    pub(crate) fn internal(cause: Box<dyn Error>) -> Self {
        Self(Box::new(Told {
            message: INTERNAL.to_owned(),
            data: None,
            cause: Some(cause),
        }))
    }

    pub(crate) fn with_data(mut self, data: &impl Serialize) -> Self {
        if self.0.cause.is_some() {
            return self;
        }
        match serde_json::to_string(data) {
            Ok(data) => {
                self.0.data = Some(data);
                self
            }
            Err(error) => Self::internal(Box::new(error)),
        }
    }

    /// Returns the message that the client is told.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the additional data that the client is told, as JSON.
    pub(crate) fn data(&self) -> Option<&str> {
        self.0.data.as_deref()
    }

    pub(crate) fn cause(&self) -> Option<&(dyn Error + 'static)> {
        self.0.cause.as_deref()
    }

    /// Returns the text for the log: of an internal error, its own and its sources'.
    pub(crate) fn to_log(&self) -> String {
        let Some(cause) = self.cause() else {
            return self.0.message.clone();
        };
        let mut text = cause.to_string();
        let mut next = cause.source();
        while let Some(source) = next {
            let source_text = source.to_string();
            // The texts of many errors contain that of their source.
            if !text.ends_with(&source_text) {
                text.push_str(": ");
                text.push_str(&source_text);
            }
            next = source.source();
        }
        text
    }
}

/// Implements what all errors of handlers have in common.
macro_rules! failure {
    ($error:ident) => {
        impl $error {
            /// Creates an error that is logged: the client is told `internal error`.
            /// `?` does the same with any error.
            pub fn internal(error: impl Into<Box<dyn core::error::Error>>) -> Self {
                $crate::api::error::Failure::internal(error.into()).into()
            }

            /// Returns whether the client is told `internal error` and nothing else.
            pub fn is_internal(&self) -> bool {
                self.failure.cause().is_some()
            }

            /// Returns the message that the client is told.
            pub fn message(&self) -> &str {
                self.failure.message()
            }

            /// Returns the error behind an internal one.
            pub fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
                self.failure.cause()
            }
        }

        impl core::fmt::Display for $error {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.failure.message())
            }
        }

        impl<E: core::error::Error + 'static> From<E> for $error {
            fn from(error: E) -> Self {
                $crate::api::error::Failure::internal(Box::new(error)).into()
            }
        }
    };
}

pub(crate) use failure;

/// A handler failed.
///
/// There are two kinds. An error created by [`new`](Self::new) is for the client: if
/// it waits for an acknowledgement, it gets `{"error": "…"}`. Any other error
/// becomes a `HandlerError` by `?`; that one is for the log, with its sources, and
/// the client gets `{"error": "internal error"}`.
///
/// ```
/// use dormouse::{HandlerError, Server, Socket};
///
/// async fn rename(socket: Socket, (name,): (String,)) -> Result<(), HandlerError> {
///     if name.is_empty() {
///         // The client reads this.
///         return Err(HandlerError::new("a name has at least one letter"));
///     }
///     // Of what goes wrong here it reads nothing.
///     socket.set_data(&name)?;
///     socket.broadcast().emit("renamed", name).await?;
///     Ok(())
/// }
///
/// let server = Server::new().namespace("/", |namespace| namespace.on("rename", rename));
/// # let _ = server;
/// ```
///
/// It does not implement [`Error`], because any `Error` can become one.
#[derive(Debug)]
pub struct HandlerError {
    pub(crate) failure: Failure,
}

failure!(HandlerError);

impl HandlerError {
    /// Creates an error with a message for the client.
    pub fn new(message: impl fmt::Display) -> Self {
        Failure::new(&message).into()
    }

    /// Adds a value, which the client gets as `data` beside the message. A value
    /// that cannot be written as JSON makes the error an internal one.
    pub fn data(self, data: &impl Serialize) -> Self {
        self.failure.with_data(data).into()
    }
}

impl From<Failure> for HandlerError {
    fn from(failure: Failure) -> Self {
        Self { failure }
    }
}

impl From<Rejection> for HandlerError {
    fn from(rejection: Rejection) -> Self {
        rejection.failure.into()
    }
}

/// An extractor did not find what it needs, so the handler is not called.
///
/// A rejection created by [`new`](Self::new) is for the client: a client that
/// connects is refused with it, and an event is acknowledged with it. Any other
/// error becomes a `Rejection` by `?`; that one is for the log, and the client is
/// told `internal error`.
///
/// It does not implement [`Error`], because any `Error` can become one.
#[derive(Debug)]
pub struct Rejection {
    pub(crate) failure: Failure,
}

failure!(Rejection);

impl Rejection {
    /// Creates a rejection with a message for the client.
    pub fn new(message: impl fmt::Display) -> Self {
        Failure::new(&message).into()
    }
}

impl From<Failure> for Rejection {
    fn from(failure: Failure) -> Self {
        Self { failure }
    }
}

impl From<HandlerError> for Rejection {
    fn from(error: HandlerError) -> Self {
        error.failure.into()
    }
}

/// The application does not let a client into a namespace.
///
/// As with [`HandlerError`], a refusal created by [`new`](Self::new) is for the
/// client, and an error that became one by `?` is for the log: then the client is
/// told `internal error`.
///
/// ```
/// use dormouse::{Auth, Refusal, Server, Socket};
///
/// async fn welcome(socket: Socket, Auth(name): Auth<String>) -> Result<(), Refusal> {
///     if name.is_empty() {
///         return Err(Refusal::new("who are you?").data(&["name"]));
///     }
///     socket.set_data(&name)?;
///     socket.join("lobby").await?;
///     Ok(())
/// }
///
/// let server = Server::new().namespace("/", |namespace| namespace.on_connect(welcome));
/// # let _ = server;
/// ```
///
/// It does not implement [`Error`], because any `Error` can become one.
#[derive(Debug)]
pub struct Refusal {
    pub(crate) failure: Failure,
}

failure!(Refusal);

impl Refusal {
    /// Creates a refusal with a message: the `message` of the client's error.
    pub fn new(message: impl fmt::Display) -> Self {
        Failure::new(&message).into()
    }

    /// Adds a value: the `data` of the client's error. Clients of protocol 4 are
    /// told it instead of the message. A value that cannot be written as JSON makes
    /// the refusal an internal error.
    pub fn data(self, data: &impl Serialize) -> Self {
        self.failure.with_data(data).into()
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self { failure }
    }
}

impl From<HandlerError> for Refusal {
    fn from(error: HandlerError) -> Self {
        error.failure.into()
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        rejection.failure.into()
    }
}

#[cfg(test)]
mod tests;
