//! Handlers: functions of the application, async or not, whose argument types say
//! what they want to know.
//!
//! An argument is an [extractor](Extract). Which ones a handler can take depends on
//! its [kind](Kind):
//!
//! | | takes |
//! |---|---|
//! | every handler of a namespace | [`Io`](crate::Io), [`State`](crate::State), the Worker's `Env` |
//! | all of them except `on_expired` | [`Socket`](crate::Socket) |
//! | `on`, `on_fallback`, `on_any`, `event_middleware`, `event_rewrite` | the event's arguments as one tuple, or as [`Args`](crate::Args); [`EventName`](crate::EventName) |
//! | `on`, `on_fallback` | [`Ack`](crate::Ack) |
//! | `on_connect`, `middleware` | [`Auth`](crate::Auth), [`Recovered`](crate::Recovered), [`Handshake`](crate::Handshake) |
//! | `on_disconnecting`, `on_disconnect` | [`Reason`](crate::Reason) |
//! | `on_expired` | [`Expired`](crate::Expired) |
//! | `on_server_event` | [`Io`](crate::Io) of the namespace, the event's arguments, [`EventName`](crate::EventName), [`State`](crate::State), the Worker's `Env` |
//! | `on_alarm` | [`Alarm`](crate::Alarm), and the root namespace as [`Io`](crate::Io) |
//! | `on_usage` | [`Usage`](crate::Usage), and the root namespace as [`Io`](crate::Io) |
//! | `namespace_if` | [`JoinRequest`](crate::JoinRequest), [`Handshake`](crate::Handshake), [`State`](crate::State), the Worker's `Env` |
//! | `on_new_namespace` | [`Io`](crate::Io) of the namespace, [`State`](crate::State), the Worker's `Env` |
//! | `admit`, of both | [`Handshake`](crate::Handshake), [`State`](crate::State), the Worker's `Env` |
//! | every handler of Engine.IO | [`Client`](crate::engine::Client), [`State`](crate::State), the Worker's `Env` |
//! | `on_connect` | [`Handshake`](crate::Handshake) |
//! | `on_message` | [`Message`](crate::engine::Message) |
//! | `on_disconnect` | [`engine::Reason`](crate::engine::Reason) |
//! | `on_alarm` | [`Alarm`](crate::engine::Alarm), and [`Clients`](crate::engine::Clients) instead of a `Client` |
//! | `on_usage` | [`Usage`](crate::engine::Usage), and [`Clients`](crate::engine::Clients) instead of a `Client` |
//!
//! [`Reply`] describes what the handlers of events can return, and [`Verdict`] what
//! all others can, but for `event_rewrite`: see [`Rewrite`](crate::Rewrite), and
//! `namespace_if`, which returns a `bool` or a `Result` of it. There are three types of errors, the same everywhere: a `Refusal`
//! does not let a client in, a [`HandlerError`] fails what a handler was to do, and
//! a [`Rejection`] is an extractor's.
//!
//! [`Function`], [`Signature`] and the types that they mention are how the compiler
//! works this out. Applications never name them.

mod kind;
mod outcome;

use core::marker::PhantomData;
use std::rc::Rc;

use futures::future::LocalBoxFuture;

pub use self::kind::{
    BeforeEvent, Kind, OfAck, OfAlarm, OfClient, OfClients, OfClose, OfConnect, OfDisconnect,
    OfEvent, OfExpired, OfHandshake, OfJoinRequest, OfMessage, OfNamespace, OfSocket, OfUsage,
    OnAdmit, OnAlarm, OnClose, OnConnect, OnDisconnect, OnEngineAlarm, OnEngineUsage, OnEvent,
    OnExpired, OnJoinRequest, OnMessage, OnNewNamespace, OnOpen, OnServerEvent, OnUsage,
    RewriteEvent,
};
pub use self::outcome::{FailsWith, Internal, Outcome, Reply, Verdict, mark};
pub use super::context::Context;
pub use super::extract::{ByValue, Extract};
pub use crate::api::error::{HandlerError, Rejection};

/// A handler that has been called.
pub enum Call<T> {
    /// It has returned.
    Done(T),
    /// It is waiting for something.
    Later(LocalBoxFuture<'static, T>),
}

/// A function that can be a handler of kind `K`: see the [module](self). The
/// compiler infers `S`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    label = "this is not a function of at most eight arguments",
    note = "a handler is a function or a closure, async or not, whose arguments' types are written \
            out: `async |socket: Socket, (text,): (String,)| {{ … }}`",
    note = "an event's arguments count as one: they are taken as one tuple"
)]
pub trait Handler<K: Kind, S>: 'static {
    /// Takes the function's arguments from the context, and calls it.
    #[doc(hidden)]
    fn call(this: &Rc<Self>, context: &mut Context<'_, K>) -> Result<Call<K::Outcome>, Rejection>;
}

// There is only this implementation, so the compiler looks further, and says what is
// wrong with an argument or the return value.
impl<K: Kind, S, F> Handler<K, S> for F
where
    F: Function<S>,
    S: Signature<K>,
{
    fn call(this: &Rc<Self>, context: &mut Context<'_, K>) -> Result<Call<K::Outcome>, Rejection> {
        let () = S::TAKES_ONE_PAYLOAD;
        let arguments = S::extract(context)?;
        Ok(F::call(this, arguments, S::outcome))
    }
}

pub(crate) type HandlerFn<K> =
    Rc<dyn Fn(&mut Context<'_, K>) -> Result<Call<<K as Kind>::Outcome>, Rejection>>;

/// Erases a handler's type.
pub(crate) fn erase<K: Kind, S, H: Handler<K, S>>(handler: H) -> HandlerFn<K> {
    let handler = Rc::new(handler);
    Rc::new(move |context| H::call(&handler, context))
}

/// A function, async or not, of up to eight arguments. `S` is its [signature](Of).
///
/// A function that returns a boxed future is wrapped:
/// `async |socket: Socket| boxed(socket).await`.
pub trait Function<S: Described>: 'static {
    /// Calls the function, and applies `finish` to what it returns.
    #[doc(hidden)]
    fn call<T: 'static>(
        this: &Rc<Self>,
        arguments: S::Arguments,
        finish: impl FnOnce(S::Returned) -> T + 'static,
    ) -> Call<T>;
}

/// The signature of a function: whether it is async, its arguments, its return type,
/// and what that means.
#[derive(Debug)]
pub struct Of<Mode, Arguments, Returned, Meaning>(
    PhantomData<(Mode, Arguments, Returned, Meaning)>,
);

/// The mode of async functions.
#[derive(Debug)]
pub enum Async {}

/// The mode of functions that are not async.
#[derive(Debug)]
pub enum Plain {}

/// The types of a signature.
pub trait Described {
    #[doc(hidden)]
    type Arguments;
    #[doc(hidden)]
    type Returned;
}

impl<Mode, Arguments, Returned, Meaning> Described for Of<Mode, Arguments, Returned, Meaning> {
    type Arguments = Arguments;
    type Returned = Returned;
}

/// A signature that handlers of kind `K` can have: each argument can be taken, and
/// the return type means something.
pub trait Signature<K: Kind>: Described + 'static {
    #[doc(hidden)]
    const TAKES_ONE_PAYLOAD: ();
    #[doc(hidden)]
    fn extract(context: &mut Context<'_, K>) -> Result<Self::Arguments, Rejection>;
    #[doc(hidden)]
    fn outcome(returned: Self::Returned) -> K::Outcome;
}

macro_rules! handler {
    ($($argument:ident)*) => {
        #[allow(non_snake_case)]
        impl<F, Returned, Meaning, $($argument),*>
            Function<Of<Async, ($($argument,)*), Returned, Meaning>> for F
        where
            F: AsyncFn($($argument),*) -> Returned + 'static,
            $($argument: 'static,)*
        {
            fn call<T: 'static>(
                this: &Rc<Self>,
                ($($argument,)*): ($($argument,)*),
                finish: impl FnOnce(Returned) -> T + 'static,
            ) -> Call<T> {
                let this = this.clone();
                Call::Later(Box::pin(async move { finish(this($($argument),*).await) }))
            }
        }

        // The future of an async function is never `Unpin`, and the return value of
        // any other function is: so a function has one signature.
        #[allow(non_snake_case)]
        impl<F, Returned, Meaning, $($argument),*>
            Function<Of<Plain, ($($argument,)*), Returned, Meaning>> for F
        where
            F: Fn($($argument),*) -> Returned + 'static,
            Returned: Unpin,
        {
            fn call<T: 'static>(
                this: &Rc<Self>,
                ($($argument,)*): ($($argument,)*),
                finish: impl FnOnce(Returned) -> T + 'static,
            ) -> Call<T> {
                Call::Done(finish(this($($argument),*)))
            }
        }

        impl<K, Mode, Returned, Meaning, $($argument),*> Signature<K>
            for Of<Mode, ($($argument,)*), Returned, Meaning>
        where
            Self: 'static,
            K: Kind,
            K::Outcome: Outcome<Returned, Meaning>,
            $($argument: Extract<K>,)*
        {
            const TAKES_ONE_PAYLOAD: () = assert!(
                0 $(+ $argument::PAYLOADS)* < 2,
                "a handler takes the event's arguments once: as one tuple, such as \
                 `(room, text): (String, String)`, or as `Args`"
            );

            fn extract(_context: &mut Context<'_, K>) -> Result<Self::Arguments, Rejection> {
                Ok(($($argument::extract(_context)?,)*))
            }

            fn outcome(returned: Returned) -> K::Outcome {
                Outcome::of(returned)
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
handler!(A B C D E G);
handler!(A B C D E G H);
handler!(A B C D E G H I);

#[cfg(test)]
mod tests;
