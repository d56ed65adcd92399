//! What the tests that run in a browser share: what a browser has of the platform,
//! and a fake of the rest.

pub(crate) mod layer;
pub(crate) mod object;
pub(crate) mod platform;
pub(crate) mod time;

use js_sys::{Array, Function, Promise};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::incoming::Incoming;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

/// Runs JavaScript with `x` as its argument.
pub(crate) fn js(body: &str, x: impl Into<JsValue>) -> JsValue {
    let function = Function::new_with_args("x", body);
    let result = function.call1(&JsValue::UNDEFINED, &x.into());
    result.unwrap_or_else(|error| panic!("{body}: {error:?}"))
}

/// Runs JavaScript that may wait, with `x` as its argument.
pub(crate) async fn js_async(body: &str, x: impl Into<JsValue>) -> JsValue {
    let body = format!("return (async () => {{ {body} }})();");
    let promise: Promise = js(&body, x).unchecked_into();
    let result = JsFuture::from(promise).await;
    result.unwrap_or_else(|error| panic!("{body}: {error:?}"))
}

pub(crate) async fn wait(millis: u32) {
    time::resume();
    js_async("await new Promise((done) => setTimeout(done, x));", millis).await;
}

/// Waits until everything that is ready has run. It needs no timer, which a test may
/// have stopped.
pub(crate) async fn settle() {
    let body = "const { port1, port2 } = new MessageChannel();
        await new Promise((done) => { port1.onmessage = done; port2.postMessage(0); });
        port1.close();";
    js_async(body, JsValue::UNDEFINED).await;
}

/// Creates a request with these headers. It is not a browser's `Request`: pages must
/// not set headers such as `origin` and `accept-encoding`.
pub(crate) fn request(method: &str, url: &str, headers: &[(&str, &str)]) -> Incoming {
    let headers: Array = headers
        .iter()
        .map(|(name, value)| Array::of2(&(*name).into(), &(*value).into()))
        .collect();
    let parts = Array::of3(&method.into(), &url.into(), &headers);
    let request = js(
        "const [method, url, headers] = x; return { method, url, headers: new Headers(headers) };",
        parts,
    );
    Incoming::new(request.unchecked_into())
}
