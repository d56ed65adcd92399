//! Both ends of requests between the parts of the Worker.
//!
//! They are sent with `fetch`, on paths that no client's request can have: the front
//! passes on only what is on the path of a server, and no server's path begins with
//! `/!`.

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Request, RequestInit, Response, ResponseInit};
use worker::worker_sys::DurableObject;

use crate::platform;
use crate::port::{self, Called, PortError, Reply};

/// The beginning of the path of a request. The path of the server follows.
pub(crate) const CALL: &str = "/!call";

/// The beginning of the path of a request that only wakes an object.
pub(crate) const WAKE: &str = "/!wake";

/// Wakes an object, for the server on `path`. Nobody waits for the answer, which has
/// no body: the object could not sleep while one is unread.
pub(crate) fn wake(object: &DurableObject, path: &str) {
    // If the object cannot be called, its next event will do.
    let _ = fetch(object, &format!("http://dormouse{WAKE}{path}"), &[]);
}

/// Sends a request to an object, for the server on `path`, and waits for its answer.
pub(crate) async fn ask(
    object: DurableObject,
    path: &str,
    request: &[u8],
) -> Result<Reply, PortError> {
    let bytes = exchange(&object, path, request).await;
    let bytes = bytes.map_err(|error| PortError::Platform(error.into()))?;
    port::decode_reply(&bytes)
}

async fn exchange(object: &DurableObject, path: &str, request: &[u8]) -> Result<Vec<u8>, JsValue> {
    let url = format!("http://dormouse{CALL}{path}");
    let response = JsFuture::from(fetch(object, &url, request)?).await?;
    let response: Response = response.unchecked_into();
    if response.status() != 200 {
        let status = response.status();
        return Err(JsValue::from_str(&format!("the object answered {status}")));
    }
    let bytes = JsFuture::from(response.array_buffer()?).await?;
    Ok(Uint8Array::new(&bytes).to_vec())
}

fn fetch(object: &DurableObject, url: &str, body: &[u8]) -> Result<Promise, JsValue> {
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_body(&Uint8Array::from(body));
    object.fetch_with_request(&Request::new_with_str_and_init(url, &init)?)
}

/// Answers a request from elsewhere with the result of `call`.
pub(crate) fn answer(
    request: &Request,
    call: impl FnOnce(port::Request<'static>) -> Called + 'static,
) -> JsValue {
    let Ok(body) = request.array_buffer() else {
        return unknown();
    };
    let answering = async move {
        let body = Uint8Array::new(&JsFuture::from(body).await?).to_vec();
        let Some(request) = port::decode_request(&body) else {
            return Ok(unknown());
        };
        let reply = call(request).reply().await;
        let bytes = Uint8Array::from(&*port::encode_reply(reply));
        let response = Response::new_with_opt_buffer_source(Some(&bytes));
        Ok(response.map_or_else(|_| unknown(), Into::into))
    };
    platform::promise(Box::pin(answering))
}

/// Returns the answer to a request that cannot be read or is not for a server.
pub(crate) fn unknown() -> JsValue {
    without_body(404)
}

/// Returns the answer to a request that has no result.
pub(crate) fn done() -> JsValue {
    without_body(200)
}

fn without_body(status: u16) -> JsValue {
    let init = ResponseInit::new();
    init.set_status(status);
    let response = Response::new_with_opt_str_and_init(None, &init);
    response.unwrap_or_else(|_| Response::error()).into()
}
