//! Bindings for what the platform offers and `worker` does not bind, or not cheaply.

mod frames;
mod modules;
mod object_state;
mod requests;
mod spawned;
pub(crate) mod subtle;
mod time;
mod websocket;

use futures::future::LocalBoxFuture;
use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::prelude::*;

pub(crate) use self::frames::{bytes_of, frame_of};
pub(crate) use self::modules::{bindings, builtin, durable_object, exports};
pub(crate) use self::object_state::ObjectState;
pub(crate) use self::requests::{
    ClientGone, body_in_between, fetch, forget_client, on_abort, read_at_most,
};
pub(crate) use self::spawned::{settle, spawn};
pub(crate) use self::time::{Timer, hold_time, now, release_time, sleep};
pub(crate) use self::websocket::{SocketExt, socket_pair};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn fill_random(bytes: &mut [u8]);

    /// `Promise.withResolvers()`.
    pub(crate) type Deferred;
    #[wasm_bindgen(js_namespace = Promise, js_name = withResolvers)]
    pub(crate) fn defer() -> Deferred;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn promise(this: &Deferred) -> Promise;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn resolve(this: &Deferred) -> Function;

    /// A thing of the platform's that we have given a number: a property, which is
    /// there as long as the object is awake.
    type Numbered;
    #[wasm_bindgen(method, getter, catch, js_name = dormouse)]
    fn number(this: &Numbered) -> Result<f64, JsValue>;
    #[wasm_bindgen(method, setter, catch, js_name = dormouse)]
    fn set_number(this: &Numbered, number: f64) -> Result<(), JsValue>;
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill_random(&mut bytes);
    bytes
}

/// Returns a promise of a future's result.
pub(crate) fn promise(future: LocalBoxFuture<'static, Result<JsValue, JsValue>>) -> JsValue {
    wasm_bindgen_futures::future_to_promise(future).into()
}

/// Throws an error while the Worker starts, so that the runtime shows its message.
///
/// What wasm-bindgen throws is a `WebAssembly.Exception` with the error in it. Its glue
/// takes the error out again, but not at the start, where the runtime would show
/// `#<Exception>`. So exceptions, of which there is no other, are given the error's text.
pub(crate) fn throw_at_start(message: &str) -> ! {
    let property = |of: &JsValue, name: &str| Reflect::get(of, &name.into()).unwrap_or_default();
    let error = property(&js_sys::Error::new(""), "toString");
    let exception = property(&property(&js_sys::global(), "WebAssembly"), "Exception");
    let prototype = property(&exception, "prototype");
    for (name, value) in [
        ("toString", error),
        ("name", "Error".into()),
        ("message", message.into()),
    ] {
        // Where there are no such exceptions, the error is thrown as it is.
        let _ = Reflect::set(&prototype, &name.into(), &value);
    }
    wasm_bindgen::throw_str(message)
}

/// Returns the number that we gave a thing of the platform's. Without one, the
/// property is NaN.
pub(crate) fn number_of(thing: &JsValue) -> Option<u64> {
    let number = thing.unchecked_ref::<Numbered>().number().ok()?;
    (number >= 0.0).then_some(number as u64)
}

pub(crate) fn set_number_of(thing: &JsValue, number: u64) {
    // A plain property: it can always be set.
    let _ = thing.unchecked_ref::<Numbered>().set_number(number as f64);
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
