//! Events from other objects of the server.

use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::socket::Args;
use futures::channel::oneshot;
use futures::future::{Either, select};

use super::context::Context;
use crate::api::error::{Failure, Rejection};
use crate::api::{Call, Io, Replied, ServerEventContext};
use crate::log::Level;
use crate::parts::{self, Job, OBJECT};
use crate::platform::sleep;
use crate::port::{Answer, Asked, Called, PortError, Reply};

/// An event from another object.
pub(super) struct ServerEvent {
    pub(super) name: String,
    pub(super) args: Args<'static>,
    /// The number of milliseconds to wait for the answer, if anybody does.
    pub(super) timeout: Option<u64>,
    /// The object that has sent it, if it was one.
    pub(super) from: Option<String>,
}

/// Calls the handler of an event, unless it is this object's own.
pub(super) fn handle(cx: &Rc<Context>, namespace: &str, event: ServerEvent) -> Called {
    let is_own = event.from.as_deref() == Some(&*cx.parts.id);
    let handler = cx.application.server_event(&event.name);
    let (Some(handler), Some(port), false) = (handler, cx.port.upgrade(), is_own) else {
        return nothing(event.timeout).into();
    };
    let io = Io::local(port, cx.application.clone(), &namespace.into());
    let job = Job {
        limit: cx.parts.options().map(|options| options.task_limit),
        ..Job::new(OBJECT, "server event")
    };
    let ServerEvent { name, args, .. } = event;
    let handler = handler.clone();
    let (end, answered) = oneshot::channel();
    let called = Box::pin({
        let name = name.clone();
        async move {
            let mut context = ServerEventContext::new(&io, &name, args.borrowed());
            match handler(&mut context)? {
                Call::Done(replied) => Ok(replied),
                Call::Later(future) => Ok(future.await),
            }
        }
    });
    let me = cx.clone();
    // The call that has brought the event has to return even if the handler panics, or it
    // would be brought again.
    parts::run_later(&cx.parts, job, called, move |outcome| {
        // Nobody may wait for it.
        let _ = end.send(finish(&me, &name, outcome));
    });
    let Some(timeout) = event.timeout else {
        return Reply::Done.into();
    };
    let id = cx.parts.id.clone();
    Called::Later(Box::pin(async move {
        let limit = sleep(Duration::from_millis(timeout));
        match select(answered, limit).await {
            Either::Left((Ok(answer), _)) => Ok(reply(id, answer)),
            Either::Left((Err(_), _)) => Err(PortError::Lost),
            Either::Right(_) => Ok(reply(id, None)),
        }
    }))
}

/// The answer of an object that does nothing with an event.
fn nothing(timeout: Option<u64>) -> Reply {
    match timeout {
        Some(_) => Reply::Acks(Vec::new()),
        None => Reply::Done,
    }
}

fn reply(id: String, answer: Option<Args<'static>>) -> Reply {
    let answer = answer.map_or(Answer::Late, Answer::Args);
    Reply::Acks(vec![Asked { id, answer }])
}

/// Logs a failure, and returns the answer: there is none if the handler was dropped.
fn finish(
    cx: &Context,
    name: &str,
    outcome: Option<Result<Replied, Rejection>>,
) -> Option<Args<'static>> {
    match outcome {
        Some(Ok(replied)) => {
            if let Some(error) = &replied.failed {
                log(cx, name, &error.failure);
            }
            Some(replied.args)
        }
        Some(Err(rejection)) => {
            log(cx, name, &rejection.failure);
            Some(rejection.failure.to_ack())
        }
        None => {
            let fields = [("server_event", name), ("option", "task_limit")];
            cx.parts.log_for_all(Level::Warn, "task dropped", &fields);
            None
        }
    }
}

fn log(cx: &Context, name: &str, failure: &Failure) {
    let message = failure.to_log();
    let fields = [("server_event", name), ("message", &*message)];
    cx.parts
        .log_for_all(Level::Error, "handler failed", &fields);
}
