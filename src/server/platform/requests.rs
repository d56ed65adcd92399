//! Requests and responses: clients that let go, calls of other servers, bodies up to a limit.

use core::future::{Pending, pending};
use core::pin::Pin;
use core::task::{Context, Poll};

use futures::future::{AbortHandle, Abortable};
use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Request, RequestInit, Response};

use super::frames::Bytes;
use super::set_number_of;

#[wasm_bindgen]
extern "C" {
    /// A request or a response, with what not all bindings have.
    type ServerMessage;
    #[wasm_bindgen(method, getter)]
    fn signal(this: &ServerMessage) -> Option<AbortSignal>;
    #[wasm_bindgen(method, getter)]
    fn body(this: &ServerMessage) -> Option<Body>;

    #[wasm_bindgen(js_name = fetch)]
    fn fetch_promise(url: &str, init: &RequestInit) -> Promise;

    /// A transform stream that changes nothing.
    type IdentityTransformStream;
    #[wasm_bindgen(constructor)]
    fn new() -> IdentityTransformStream;

    type Body;
    #[wasm_bindgen(method, catch, js_name = pipeThrough)]
    fn pipe_through(this: &Body, transform: &IdentityTransformStream) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = getReader)]
    fn reader(this: &Body) -> Result<Reader, JsValue>;
    type Reader;
    #[wasm_bindgen(method, catch)]
    fn read(this: &Reader) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn cancel(this: &Reader) -> Result<Promise, JsValue>;
    type Chunk;
    #[wasm_bindgen(method, getter)]
    fn value(this: &Chunk) -> Option<Bytes>;
}

/// Calls `listener`, and no earlier one, when the client drops this request. The
/// event's target then has the number `conn`.
pub(crate) fn on_abort(request: &Request, conn: u64, listener: &Function) {
    if let Some(signal) = request.unchecked_ref::<ServerMessage>().signal() {
        set_number_of(&signal, conn);
        // Not one listener more: that of a wasm instance which is gone throws, and
        // with compatibility dates before September 2026 keeps the others from being
        // called.
        signal.set_onabort(Some(listener));
    }
}

/// Completes when the client drops a request.
pub(crate) struct ClientGone {
    signal: Option<AbortSignal>,
    future: Abortable<Pending<()>>,
    _listener: Closure<dyn FnMut()>,
}

impl ClientGone {
    pub(crate) fn of(request: &Request) -> Self {
        let (abort, registration) = AbortHandle::new_pair();
        let listener = Closure::<dyn FnMut()>::new(move || abort.abort());
        let signal = request.unchecked_ref::<ServerMessage>().signal();
        if let Some(signal) = &signal {
            signal.set_onabort(Some(listener.as_ref().unchecked_ref()));
        }
        Self {
            signal,
            future: Abortable::new(pending(), registration),
            _listener: listener,
        }
    }
}

impl Future for ClientGone {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.future).poll(context).map(drop)
    }
}

impl Drop for ClientGone {
    fn drop(&mut self) {
        if let Some(signal) = &self.signal {
            signal.set_onabort(None);
        }
    }
}

/// Listens no longer for the client dropping a request: the listener's instance ends.
pub(crate) fn forget_client(request: &Request) {
    if let Some(signal) = request.unchecked_ref::<ServerMessage>().signal() {
        signal.set_onabort(None);
    }
}

/// Makes a request to another server.
pub(crate) async fn fetch(url: &str, init: &RequestInit) -> Result<Response, JsValue> {
    let response = JsFuture::from(fetch_promise(url, init)).await?;
    Ok(response.unchecked_into())
}

/// Reads the body of a request or a response. Returns `None` if it is longer than `limit`.
pub(crate) async fn read_at_most(
    message: &JsValue,
    limit: usize,
) -> Result<Option<Vec<u8>>, JsValue> {
    let Some(body) = message.unchecked_ref::<ServerMessage>().body() else {
        return Ok(Some(Vec::new()));
    };
    let reader = body.reader()?;
    let mut bytes = Vec::new();
    loop {
        let chunk = JsFuture::from(reader.read()?).await?;
        let chunk: Chunk = chunk.unchecked_into();
        let Some(value) = chunk.value() else {
            return Ok(Some(bytes));
        };
        if bytes.len() as f64 + value.length() > limit as f64 {
            // The rest is not read any more.
            let _ = reader.cancel();
            return Ok(None);
        }
        bytes.extend(value.copy());
    }
}

/// Returns the body of a request as another stream, or `None` if it has none that can be
/// read.
pub(crate) fn body_in_between(request: &Request) -> Option<JsValue> {
    let body = request.unchecked_ref::<ServerMessage>().body()?;
    let stream = IdentityTransformStream::new();
    body.pipe_through(&stream).ok()
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
