//! Alarms of the application's that go off: calling their handlers.

use std::rc::Rc;

use dormouse_proto::Timestamp;

use crate::api::Call;
use crate::api::error::{HandlerError, Rejection};
use crate::log::Level;
use crate::parts::{self, Job, OBJECT, Parts, guarded};

/// An alarm that is due.
pub(crate) struct Ringing {
    pub(crate) name: Rc<str>,
    pub(crate) due: Timestamp,
    /// Called when its handler has returned or was dropped.
    pub(crate) finish: Box<dyn FnOnce()>,
}

/// Calls the handler of an alarm. It is dropped after the server's `task_limit`.
pub(super) fn ring(
    parts: &Rc<Parts>,
    ringing: Ringing,
    call: impl FnOnce() -> Result<Call<Result<(), HandlerError>>, Rejection>,
) {
    let job = Job {
        limit: parts.options().map(|options| options.task_limit),
        ..Job::new(OBJECT, "alarm")
    };
    let Ringing { name, finish, .. } = ringing;
    let outcome = match guarded(parts, job, call) {
        Ok(Call::Done(outcome)) => outcome,
        Ok(Call::Later(future)) => {
            let me = parts.clone();
            return parts::run(parts, job, future, move |outcome| {
                log_outcome(&me, &name, outcome);
                finish();
            });
        }
        Err(rejection) => Err(rejection.into()),
    };
    log_outcome(parts, &name, Some(outcome));
    finish();
}

fn log_outcome(parts: &Parts, name: &str, outcome: Option<Result<(), HandlerError>>) {
    match outcome {
        Some(Ok(())) => {}
        // There is no client whom it could be meant for.
        Some(Err(error)) => {
            let message = error.failure.to_log();
            let fields = [("handler", "alarm"), ("alarm", name), ("message", &message)];
            parts.log_for_all(Level::Error, "handler failed", &fields);
        }
        None => {
            let fields = [("alarm", name), ("option", "task_limit")];
            parts.log_for_all(Level::Warn, "task dropped", &fields);
        }
    }
}
