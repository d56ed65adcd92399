//! Handlers: functions of the application, async or not, that say by their
//! arguments what they want to know.

use core::fmt;
use std::rc::Rc;

use futures::future::LocalBoxFuture;
use serde::Serialize;

use super::args::ArgsError;
use super::{Failed, Refusal};

pub use super::context::{ConnectContext, DisconnectContext, EventContext, ExpireContext};
pub use super::encode::Replied;
pub use crate::engine::HandlerError;

/// What a handler is for: it sets what the handler can take and return.
pub trait Kind: 'static {
    /// What is known when the handler is called.
    type Context<'a>;
    /// What is made of its return value.
    type Outcome: 'static;
}

/// [`Namespace::on`](super::Namespace::on) and its like.
#[derive(Debug)]
pub enum OnEvent {}

/// [`Namespace::on_connect`](super::Namespace::on_connect) and middlewares.
#[derive(Debug)]
pub enum OnConnect {}

/// [`Namespace::on_disconnect`](super::Namespace::on_disconnect) and
/// [`on_disconnecting`](super::Namespace::on_disconnecting).
#[derive(Debug)]
pub enum OnDisconnect {}

/// [`Namespace::event_middleware`](super::Namespace::event_middleware).
#[derive(Debug)]
pub enum BeforeEvent {}

/// [`Namespace::on_expired`](super::Namespace::on_expired).
#[derive(Debug)]
pub enum OnExpired {}

impl Kind for OnExpired {
    type Context<'a> = ExpireContext;
    type Outcome = Result<(), HandlerError>;
}

impl Kind for OnEvent {
    type Context<'a> = EventContext<'a>;
    type Outcome = Replied;
}

impl Kind for OnConnect {
    type Context<'a> = ConnectContext<'a>;
    type Outcome = Result<(), Refusal>;
}

impl Kind for OnDisconnect {
    type Context<'a> = DisconnectContext<'a>;
    type Outcome = Result<(), HandlerError>;
}

impl Kind for BeforeEvent {
    type Context<'a> = EventContext<'a>;
    type Outcome = Result<(), Failed>;
}

/// What a handler may return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is nothing that a handler may return",
    note = "an event's handler returns anything that serde can write, or a `Result` of that; \
            the others return nothing, or a `Result` of nothing"
)]
pub trait Return<K: Kind> {
    /// What is made of it.
    #[doc(hidden)]
    fn into_outcome(self) -> K::Outcome;
}

impl<T: Serialize> Return<OnEvent> for T {
    fn into_outcome(self) -> Replied {
        Replied::with(&self)
    }
}

impl Return<OnConnect> for () {
    fn into_outcome(self) -> Result<(), Refusal> {
        Ok(())
    }
}

impl<E: Into<Refusal>> Return<OnConnect> for Result<(), E> {
    fn into_outcome(self) -> Result<(), Refusal> {
        self.map_err(Into::into)
    }
}

impl Return<OnDisconnect> for () {
    fn into_outcome(self) -> Result<(), HandlerError> {
        Ok(())
    }
}

impl<E: fmt::Display> Return<OnDisconnect> for Result<(), E> {
    fn into_outcome(self) -> Result<(), HandlerError> {
        self.map_err(|error| HandlerError(error.to_string()))
    }
}

impl Return<OnExpired> for () {
    fn into_outcome(self) -> Result<(), HandlerError> {
        Ok(())
    }
}

impl<E: fmt::Display> Return<OnExpired> for Result<(), E> {
    fn into_outcome(self) -> Result<(), HandlerError> {
        self.map_err(|error| HandlerError(error.to_string()))
    }
}

impl Return<BeforeEvent> for () {
    fn into_outcome(self) -> Result<(), Failed> {
        Ok(())
    }
}

impl<E: fmt::Display> Return<BeforeEvent> for Result<(), E> {
    fn into_outcome(self) -> Result<(), Failed> {
        self.map_err(Failed::new)
    }
}

/// Something that a handler can take.
#[diagnostic::on_unimplemented(
    message = "a handler of this kind cannot take a `{Self}`",
    note = "an event's arguments are taken as one tuple, such as `(room, text): (String, String)`"
)]
pub trait Extract<K: Kind>: Sized {
    /// Takes it from what is known.
    #[doc(hidden)]
    fn extract(context: &mut K::Context<'_>) -> Result<Self, Rejection>;
}

/// Why a handler was not called: something that it wants to know is not there, or
/// is something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection(String);

impl Rejection {
    /// A rejection in these words.
    pub fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ArgsError> for Rejection {
    fn from(error: ArgsError) -> Self {
        Self::new(error)
    }
}

impl From<Failed> for Rejection {
    fn from(failed: Failed) -> Self {
        Self::new(failed)
    }
}

/// A handler that was called.
pub enum Call<T> {
    /// It has returned.
    Done(T),
    /// It goes on.
    Later(LocalBoxFuture<'static, T>),
}

/// A function that can be a handler: async or not, of up to eight arguments. `M`
/// is found by the compiler.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no handler here",
    label = "not a handler",
    note = "a handler is a function, async or not, whose arguments' types are written out, such as \
            `async |socket: Socket, (text,): (String,)| {{ … }}`"
)]
pub trait Handler<K: Kind, M>: 'static {
    /// Takes what it wants to know, and calls it.
    #[doc(hidden)]
    fn call(this: &Rc<Self>, context: &mut K::Context<'_>) -> Result<Call<K::Outcome>, Rejection>;
}

/// The mark of async functions.
#[derive(Debug)]
pub enum Async {}

/// The mark of functions that are not.
#[derive(Debug)]
pub enum Plain {}

macro_rules! handler {
    ($($argument:ident)*) => {
        #[allow(non_snake_case, unused_variables)]
        impl<K, Function, Returned, $($argument),*> Handler<K, (Async, Returned, $($argument,)*)> for Function
        where
            K: Kind,
            Function: AsyncFn($($argument),*) -> Returned + 'static,
            Returned: Return<K>,
            $($argument: Extract<K> + 'static,)*
        {
            fn call(
                this: &Rc<Self>,
                context: &mut K::Context<'_>,
            ) -> Result<Call<K::Outcome>, Rejection> {
                $(let $argument = $argument::extract(context)?;)*
                let this = this.clone();
                Ok(Call::Later(Box::pin(async move {
                    this($($argument),*).await.into_outcome()
                })))
            }
        }

        #[allow(non_snake_case, unused_variables)]
        impl<K, Function, Returned, $($argument),*> Handler<K, (Plain, Returned, $($argument,)*)> for Function
        where
            K: Kind,
            Function: Fn($($argument),*) -> Returned + 'static,
            Returned: Return<K>,
            $($argument: Extract<K>,)*
        {
            fn call(
                this: &Rc<Self>,
                context: &mut K::Context<'_>,
            ) -> Result<Call<K::Outcome>, Rejection> {
                $(let $argument = $argument::extract(context)?;)*
                Ok(Call::Done(this($($argument),*).into_outcome()))
            }
        }
    };
}

handler!();
handler!(A);
handler!(A B);
handler!(A B C);
handler!(A B C D);
handler!(A B C D E);
handler!(A B C D E F);
handler!(A B C D E F G);
handler!(A B C D E F G H);

#[cfg(test)]
mod tests;
