//! Handlers that have been called, and their errors.

use std::rc::{Rc, Weak};

use crate::api::Call;
use crate::api::error::{Failure, HandlerError, Rejection};
use crate::api::usage::Told;
use crate::log::Level;
use crate::parts::{Job, OBJECT, Parts, guarded, run};
use crate::port::LocalPort;

/// Lets a handler continue that has been called, logs its error, and calls `finish`.
pub(super) fn finish(
    parts: &Rc<Parts>,
    job: Job,
    called: Result<Call<Result<(), HandlerError>>, Rejection>,
    finish: impl FnOnce() + 'static,
) {
    let outcome = match called {
        Ok(Call::Done(outcome)) => outcome,
        Ok(Call::Later(future)) => {
            let me = parts.clone();
            return run(parts, job, future, move |outcome| {
                if let Some(Err(error)) = outcome {
                    log_failure(&me, job, &error.failure);
                }
                finish();
            });
        }
        Err(rejection) => Err(rejection.into()),
    };
    if let Err(error) = outcome {
        log_failure(parts, job, &error.failure);
    }
    finish();
}

/// Calls the handler of what is counted, if it is to be told anything. It is dropped after the
/// server's `task_limit`.
#[inline(never)]
pub(super) fn tell_of_usage(
    parts: &Rc<Parts>,
    port: &Weak<dyn LocalPort>,
    tell: &dyn Fn(&Rc<dyn LocalPort>) -> Option<Told>,
) {
    let job = Job {
        limit: parts.options().map(|options| options.task_limit),
        ..Job::new(OBJECT, "usage")
    };
    let told = |port| guarded(parts, job, || tell(&port));
    if let Some(called) = port.upgrade().and_then(told) {
        finish(parts, job, called, || {});
    }
}

/// Logs a handler's error. One that is meant for the client is not a fault of the
/// application.
pub(super) fn log_failure(parts: &Parts, job: Job, failure: &Failure) {
    let level = match failure.cause() {
        Some(_) => Level::Error,
        None => Level::Info,
    };
    let fields = [("handler", job.event), ("message", &*failure.to_log())];
    parts.log(level, "handler failed", job.key, &fields);
}
