//! Asking the application whether a client may try to connect: its `admit`.
//!
//! One that waits for something waits here, in the stateless Worker. No object knows of
//! it, so there is nothing to hand over: whatever happens, its client is answered once.

use core::cell::RefCell;
use core::future::poll_fn;
use std::rc::Rc;

use dormouse_proto::engine::ConnId;
use futures::future::{Either, LocalBoxFuture, select};
use wasm_bindgen::JsValue;
use web_sys::Response;
use worker::Env;

use super::front::Opening;
use crate::api::error::HandlerError;
use crate::api::{AdmitContext, Call};
use crate::log::{self, Level};
use crate::parts::{self, CONNECT_LIMIT, HandsOver, running_in_front};
use crate::platform::{self, ClientGone, Deferred};

type Verdict = Result<(), HandlerError>;

/// Asks the application about a handshake, and passes it on or refuses it: a response, or
/// the promise of one.
pub(super) fn ask(opening: Opening) -> JsValue {
    let Some(admit) = &opening.endpoint.admit else {
        return opening.pass_on();
    };
    let called = {
        let _running = running_in_front(&opening.env, "admit");
        let states = opening.endpoint.states();
        admit(&mut AdmitContext::new(
            opening.handshake(),
            &opening.env,
            states,
        ))
    };
    match called {
        Ok(Call::Done(verdict)) => settle(&opening, verdict),
        Ok(Call::Later(future)) => wait(opening, future),
        Err(rejection) => settle(&opening, Err(rejection.into())),
    }
}

fn settle(opening: &Opening, verdict: Verdict) -> JsValue {
    match verdict {
        Ok(()) => opening.pass_on(),
        Err(error) => {
            if error.is_internal() {
                log_failure(
                    opening,
                    Level::Error,
                    "handler failed",
                    &error.failure.to_log(),
                );
            }
            opening.deny(error.message().to_owned()).into()
        }
    }
}

fn log_failure(opening: &Opening, level: Level, event: &str, message: &str) {
    let fields = [("handler", "admit"), ("message", message)];
    log::log(&opening.endpoint.options.log, level, event, &fields);
}

/// Answers when the application has decided, or the limit has passed, or the client has
/// gone.
fn wait(opening: Opening, mut future: LocalBoxFuture<'static, Verdict>) -> JsValue {
    let deferred = platform::defer();
    let promise = deferred.promise();
    let refusal = opening.deny(String::new());
    let waiting = Rc::new(Waiting {
        opening,
        answer: RefCell::new(Some(deferred)),
        refusal,
    });
    let handover: Rc<dyn HandsOver> = waiting.clone();
    parts::register(Rc::downgrade(&handover));
    let gone = ClientGone::of(waiting.opening.request.raw());
    let asked = waiting.clone();
    let asked = poll_fn(move |context| {
        let _running = running_in_front(&asked.opening.env, "admit");
        future.as_mut().poll(context)
    });
    platform::spawn(Box::pin(async move {
        let stop = select(platform::sleep(CONNECT_LIMIT), gone);
        waiting.answer(match select(asked, stop).await {
            Either::Left((verdict, _)) => settle(&waiting.opening, verdict),
            Either::Right((Either::Left(_), _)) => {
                let limit = "it took longer than 30 s";
                log_failure(&waiting.opening, Level::Warn, "admit dropped", limit);
                waiting.refusal()
            }
            // Nobody reads it.
            Either::Right((Either::Right(_), _)) => waiting.refusal(),
        });
    }));
    promise.into()
}

/// A handshake whose client waits for the application to decide.
struct Waiting {
    opening: Opening,
    /// The promise of its answer, until that is given.
    answer: RefCell<Option<Deferred>>,
    /// What it is told if nobody decides. The runtime takes no response that was made
    /// while it served another request.
    refusal: Response,
}

impl Waiting {
    fn refusal(&self) -> JsValue {
        Clone::clone(&self.refusal).into()
    }

    fn answer(&self, response: JsValue) {
        let deferred = self.answer.try_borrow_mut().ok();
        if let Some(deferred) = deferred.and_then(|mut answer| answer.take()) {
            // Resolving a promise does not throw.
            let _ = deferred.resolve().call1(&JsValue::UNDEFINED, &response);
        }
    }
}

impl HandsOver for Waiting {
    /// The instance ends, and whatever the handler has waited for comes to nothing.
    fn hand_over(&self, _refused: Option<ConnId>) {
        platform::forget_client(self.opening.request.raw());
        self.answer(self.refusal());
    }

    fn make_next(&self, _env: &Env) {}
}
