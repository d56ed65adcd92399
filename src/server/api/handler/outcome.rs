//! The return types of handlers, and their meaning.

use core::error::Error;

use serde::Serialize;

use super::super::encode::Replied;
use super::super::{AlarmError, Args, ArgsError, EmitError, Rewrite, SpawnError};
use super::HandlerError;
use crate::api::client::{SendError, SessionError};
use crate::api::error::Failure;

/// The outcome of handlers that return an `R`. The compiler infers `N`.
#[diagnostic::on_unimplemented(
    message = "this handler cannot return `{R}`",
    label = "its return type is `{R}`",
    note = "`event_rewrite` returns `Option<Rewrite>`, or a `Result` of it: `None` drops the event",
    note = "`namespace_if` returns `bool`, or a `Result` of it"
)]
pub trait Outcome<R, N>: Sized {
    #[doc(hidden)]
    fn of(returned: R) -> Self;
}

impl<R: Reply<N>, N> Outcome<R, N> for Replied {
    fn of(returned: R) -> Self {
        returned.into_replied()
    }
}

impl<R: Verdict<E, N>, N, E> Outcome<R, N> for Result<(), E> {
    fn of(returned: R) -> Self {
        returned.into_result()
    }
}

impl Outcome<Option<Rewrite>, mark::Value> for Result<Option<Rewrite>, HandlerError> {
    fn of(returned: Option<Rewrite>) -> Self {
        Ok(returned)
    }
}

impl<F: FailsWith<HandlerError>> Outcome<Result<Option<Rewrite>, F>, mark::Fallible>
    for Result<Option<Rewrite>, HandlerError>
{
    fn of(returned: Result<Option<Rewrite>, F>) -> Self {
        returned.map_err(FailsWith::into_error)
    }
}

impl Outcome<bool, mark::Value> for Result<bool, HandlerError> {
    fn of(returned: bool) -> Self {
        Ok(returned)
    }
}

impl<F: FailsWith<HandlerError>> Outcome<Result<bool, F>, mark::Fallible>
    for Result<bool, HandlerError>
{
    fn of(returned: Result<bool, F>) -> Self {
        returned.map_err(FailsWith::into_error)
    }
}

/// Markers for the kinds of return types.
pub mod mark {
    /// Anything that serde can write.
    #[derive(Debug)]
    pub enum Value {}

    /// A `Result` whose error is not for clients, or is one of this crate's.
    #[derive(Debug)]
    pub enum Fallible {}

    /// A `Result` whose error is a string, or boxed.
    #[derive(Debug)]
    pub enum Text {}

    /// A `Result` of [`Args`](crate::Args) whose error is for clients.
    #[derive(Debug)]
    pub enum Raw {}
}

/// The return type of an event's handler: its acknowledgement.
///
/// It is anything that implements [`Serialize`], or [`Args`] as they came, or a `Result`
/// of either. As with events, a tuple or an array is several values, and so are `Args`:
///
/// ```
/// use dormouse::{Args, Server};
///
/// let server = Server::new().namespace("/", |namespace| {
///     namespace
///         // emit("divide", 7, 2, (quotient, remainder) => …)
///         .on("divide", |(a, b): (u32, u32)| (a / b, a % b))
///         // Whatever it is sent, attachments included.
///         .on("echo", |args: Args| args)
/// });
/// # let _ = server;
/// ```
///
/// The error can be
///
/// - a [`HandlerError`];
/// - an error of this crate, of `worker` or of `serde_json`, or a `Box<dyn Error>`:
///   it is logged, and the client gets `{"error": "internal error"}`;
/// - a type of the application's own that implements `Serialize`, which the client
///   gets as `{"error": …}`.
///
/// Any other error becomes a `HandlerError` by `?`.
#[diagnostic::on_unimplemented(
    message = "the handler of an event cannot return `{Self}`",
    label = "its return type is `{Self}`",
    note = "in a `Result<T, E>`, `T` has to implement `serde::Serialize`, and `E` has to be \
            `HandlerError`, an error of `dormouse`, or a type that implements `serde::Serialize`",
    note = "any other error becomes a `HandlerError` by `?`: return `Result<T, HandlerError>`"
)]
pub trait Reply<N> {
    #[doc(hidden)]
    fn into_replied(self) -> Replied;
}

impl<T: Serialize> Reply<mark::Value> for T {
    fn into_replied(self) -> Replied {
        Replied::with(&self)
    }
}

impl<T: Serialize, E: Internal> Reply<mark::Fallible> for Result<T, E> {
    fn into_replied(self) -> Replied {
        match self {
            Ok(value) => Replied::value(&value),
            Err(error) => Replied::error(error.into_error()),
        }
    }
}

impl Reply<mark::Value> for Args {
    fn into_replied(self) -> Replied {
        Replied::raw(self)
    }
}

impl<E: Internal> Reply<mark::Fallible> for Result<Args, E> {
    fn into_replied(self) -> Replied {
        match self {
            Ok(args) => Replied::raw(args),
            Err(error) => Replied::error(error.into_error()),
        }
    }
}

impl<E: Serialize> Reply<mark::Raw> for Result<Args, E> {
    fn into_replied(self) -> Replied {
        match self {
            Ok(args) => Replied::raw(args),
            Err(error) => Replied::with(&Err::<(), E>(error)),
        }
    }
}

/// Errors that an event's handler can return as they are. None of them implements
/// `Serialize`, so that each `Result` is a reply in only one way.
pub trait Internal {
    #[doc(hidden)]
    fn into_error(self) -> HandlerError;
}

macro_rules! internal {
    ($($error:ty)*) => {
        $(impl Internal for $error {
            fn into_error(self) -> HandlerError {
                self.into()
            }
        })*
    };
}

internal!(
    HandlerError EmitError ArgsError AlarmError SpawnError SessionError SendError worker::Error
    serde_json::Error
);

impl Internal for Box<dyn Error> {
    fn into_error(self) -> HandlerError {
        Failure::internal(self).into()
    }
}

impl Internal for Box<dyn Error + Send + Sync> {
    fn into_error(self) -> HandlerError {
        Failure::internal(self).into()
    }
}

/// The return type of every other handler: `()`, or a `Result` of it.
///
/// `E` is a [`Refusal`](crate::Refusal), or the
/// [`engine::Refusal`](crate::engine::Refusal) of Engine.IO, where a client
/// connects, and a [`HandlerError`] elsewhere. The error of the `Result` can be that
/// type, any [`Error`], boxed or not, or a string, which is for the client.
#[diagnostic::on_unimplemented(
    message = "this handler cannot return `{Self}`",
    label = "its return type is `{Self}`",
    note = "it returns `()` or `Result<(), E>`, where `E` is `{E}`, any type that implements \
            `core::error::Error`, or a text",
    note = "`on_connect` and `middleware` let a client in with `Ok(())`, and refuse it with \
            `Err(Refusal::new(\"…\"))`"
)]
pub trait Verdict<E, N> {
    #[doc(hidden)]
    fn into_result(self) -> Result<(), E>;
}

impl<E> Verdict<E, mark::Value> for () {
    fn into_result(self) -> Result<(), E> {
        Ok(())
    }
}

impl<E, F: FailsWith<E>> Verdict<E, mark::Fallible> for Result<(), F> {
    fn into_result(self) -> Result<(), E> {
        self.map_err(FailsWith::into_error)
    }
}

/// An error that can become an `E`.
#[diagnostic::on_unimplemented(
    message = "this handler cannot fail with `{Self}`",
    label = "its error is `{Self}`",
    note = "the error has to be `{E}`, implement `core::error::Error`, or be a text",
    note = "a namespace refuses a client with a `dormouse::Refusal`, and Engine.IO with a \
            `dormouse::engine::Refusal`"
)]
pub trait FailsWith<E> {
    #[doc(hidden)]
    fn into_error(self) -> E;
}

#[diagnostic::do_not_recommend]
impl<E, F: Into<E>> FailsWith<E> for F {
    fn into_error(self) -> E {
        self.into()
    }
}

macro_rules! verdict {
    ($($error:ty: |$name:ident| $failure:expr;)*) => {
        $(impl<E: From<Failure>> Verdict<E, mark::Text> for Result<(), $error> {
            fn into_result(self) -> Result<(), E> {
                self.map_err(|$name| $failure.into())
            }
        })*
    };
}

verdict! {
    &'static str: |message| Failure::new(&message);
    String: |message| Failure::new(&message);
    Box<dyn Error>: |error| Failure::internal(error);
    Box<dyn Error + Send + Sync>: |error| Failure::internal(error);
}
