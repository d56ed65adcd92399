//! What the other half is answered: values, errors, and promises of them.

use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::task::Wake;

use dormouse::{Args, DataError, EmitError};
use futures::future::poll_fn;
use futures::task::AtomicWaker;
use js_sys::{Array, Error, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::future_to_promise;

/// Carries out as much of an operation as can be done without waiting: the order of
/// operations is that of the calls. Returns its result, or a promise of it.
pub(crate) fn settle(
    operation: impl Future<Output = Result<JsValue, JsValue>> + 'static,
) -> Result<JsValue, JsValue> {
    let mut operation = Box::pin(operation);
    let relay = Arc::new(Relay::default());
    let waker = Waker::from(relay.clone());
    if let Poll::Ready(result) = operation.as_mut().poll(&mut Context::from_waker(&waker)) {
        return result;
    }
    // Some futures keep the first waker that they are given.
    let rest = poll_fn(move |context| {
        relay.task.register(context.waker());
        operation.as_mut().poll(&mut Context::from_waker(&waker))
    });
    Ok(future_to_promise(rest).into())
}

#[derive(Default)]
struct Relay {
    task: AtomicWaker,
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.task.wake();
    }
}

/// Returns an error in the words of socket.io, where it has words for it.
pub(crate) fn emit_error(error: EmitError) -> JsValue {
    let message = if matches!(error, EmitError::Timeout) {
        "operation has timed out".to_owned()
    } else if matches!(error, EmitError::Gone) {
        "socket has been disconnected".to_owned()
    } else {
        error.to_string()
    };
    Error::new(&message).into()
}

/// Returns an error about a socket's data.
pub(crate) fn data_error(error: &DataError) -> JsValue {
    Error::new(&format!("socket.data: {error}")).into()
}

/// Returns arguments with their attachments: JSON, or an array of both.
pub(crate) fn arguments(args: &Args) -> JsValue {
    match attachments(args) {
        None => args.to_json().into(),
        Some(attachments) => Array::of2(&args.to_json().into(), &attachments).into(),
    }
}

/// Returns the attachments of arguments, if there are any.
pub(crate) fn attachments(args: &Args) -> Option<Array> {
    let attachments = args.attachments();
    let copies = || attachments.iter().map(|bytes| Uint8Array::from(&**bytes));
    (!attachments.is_empty()).then(|| copies().collect())
}

/// Reads arguments that the other half has written.
pub(crate) fn read(json: String, attachments: Option<&Array>) -> Result<Args, JsValue> {
    let bytes = |value: JsValue| Uint8Array::new(&value).to_vec();
    let attachments = attachments.map(|all| all.iter().map(bytes).collect());
    let args = Args::from_json(json, attachments.unwrap_or_default());
    args.map_err(|error| emit_error(EmitError::Json(error)))
}
