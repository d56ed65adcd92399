//! Both ends of requests between the parts of the Worker.
//!
//! They are remote procedure calls: methods of the object's class that only code with
//! a binding to it can call. No request of a client can become one.

use core::cell::{Cell, RefCell};
use core::pin::{Pin, pin};
use core::time::Duration;
use std::rc::Rc;

use futures::future::{Either, LocalBoxFuture, select};
use js_sys::{Function, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use worker::worker_sys::DurableObject;

use crate::platform::{self, sleep};
use crate::port::{self, Called, PortError, Reply, Request};
use crate::table::Table;

#[wasm_bindgen]
extern "C" {
    /// An object as another part of the Worker sees it: the methods of
    /// [`objects!`](macro@crate::objects).
    type Stub;
    #[wasm_bindgen(method, catch, js_name = dormouseCall)]
    fn call(this: &Stub, path: &str, request: &Uint8Array) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch, js_name = dormouseWake)]
    fn wake(this: &Stub, path: &str) -> Result<Promise, JsValue>;
}

/// Wakes an object, for the server on `path`. Nobody waits for the answer.
pub(crate) fn wake(object: &DurableObject, path: &str) {
    // If the object cannot be called, its next event will do.
    let _ = object.unchecked_ref::<Stub>().wake(path);
}

/// Sends a request to an object, for the server on `path`, and waits for its answer within
/// the request's limit. With `once`, it is known by this text and carried out once only.
pub(crate) fn ask(
    object: DurableObject,
    path: &str,
    request: &Request<'_>,
    once: Option<&str>,
) -> Called {
    let (path, limit) = (path.to_owned(), request.limit());
    let request = match port::encode_request(request, once) {
        Ok(request) => request,
        Err(error) => return error.into(),
    };
    Called::Later(Box::pin(async move {
        let answer = pin!(exchange(&object, &path, &request));
        let answer = within(limit, answer).await.ok_or(PortError::Unanswered)?;
        let answer = answer.map_err(|error| PortError::Platform(error.into()))?;
        let bytes = answer.dyn_into::<Uint8Array>();
        let bytes = bytes.map_err(|_| PortError::Answer)?;
        port::decode_reply(&bytes.to_vec())
    }))
}

/// The longest timer that is kept while somebody waits.
const SLICE: Duration = Duration::from_secs(5);

/// Waits for this long at most.
///
/// If a panic ends the instance meanwhile, the runtime answers the request that this is
/// for, but not before all its timers are over. So it has none that is long.
async fn within<T>(limit: Duration, mut answer: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    let mut left = limit;
    while !left.is_zero() {
        let slice = left.min(SLICE);
        match select(answer.as_mut(), sleep(slice)).await {
            Either::Left((answer, _)) => return Some(answer),
            Either::Right(_) => left -= slice,
        }
    }
    None
}

/// Why a [call](carry) was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// The object was moved, or crashed, or the network failed.
    Broken,
    /// The object has too much to do already.
    Overloaded,
}

/// Carries a request to an object as it is, and its answer back, for those who repeat it
/// themselves.
pub(crate) async fn carry(
    object: DurableObject,
    path: &str,
    request: &[u8],
) -> Result<Reply, Unanswered> {
    let answer = exchange(&object, path, request).await;
    let answer = answer.map_err(|error| {
        // https://developers.cloudflare.com/durable-objects/best-practices/error-handling/
        let overloaded = Reflect::get(&error, &"overloaded".into()).unwrap_or_default();
        match overloaded.is_truthy() {
            true => Unanswered::Overloaded,
            false => Unanswered::Broken,
        }
    })?;
    let bytes = answer.dyn_into::<Uint8Array>();
    let bytes = bytes.map_err(|_| Unanswered::Broken)?;
    port::decode_reply(&bytes.to_vec()).map_err(|_| Unanswered::Broken)
}

async fn exchange(object: &DurableObject, path: &str, request: &[u8]) -> Result<JsValue, JsValue> {
    let stub: &Stub = object.unchecked_ref();
    JsFuture::from(stub.call(path, &Uint8Array::from(request))?).await
}

/// Requests from elsewhere that wait for their answers.
#[derive(Default)]
pub(crate) struct Calls {
    /// By their numbers, what keeps the promises that were given out.
    open: RefCell<Table<u32, Function>>,
    last: Cell<u32>,
}

impl Calls {
    /// Answers a request with the result of `call`: the bytes of the reply, or a promise
    /// of them; `undefined` where the request cannot be read. `call` is
    /// also given what a request is known by that is carried out once only.
    ///
    /// What can be done at once is, so that a panic is the caller's error.
    pub(crate) fn answer(
        self: &Rc<Self>,
        request: &Uint8Array,
        call: impl FnOnce(Option<String>, port::Request<'static>) -> Called,
    ) -> JsValue {
        let Some((once, request)) = port::decode_request(&request.to_vec()) else {
            return JsValue::UNDEFINED;
        };
        match call(once, request) {
            Called::Done(reply) => encode(reply),
            Called::Later(reply) => self.hold(reply),
        }
    }

    fn hold(self: &Rc<Self>, reply: LocalBoxFuture<'static, Result<Reply, PortError>>) -> JsValue {
        let deferred = platform::defer();
        let number = self.last.get().wrapping_add(1);
        self.last.set(number);
        self.open.borrow_mut().insert(number, deferred.resolve());
        let calls = self.clone();
        platform::spawn(Box::pin(async move {
            let reply = reply.await;
            let resolve = calls.open.borrow_mut().remove(number);
            if let Some(resolve) = resolve {
                keep(&resolve, reply);
            }
        }));
        deferred.promise().into()
    }

    /// Tells those who wait that there will be no answer: a panic has ended what it was
    /// to come from.
    pub(crate) fn fail_all(&self) {
        if let Ok(mut open) = self.open.try_borrow_mut() {
            for (_, resolve) in core::mem::take(&mut *open).iter() {
                keep(resolve, Err(PortError::Lost));
            }
        }
    }
}

fn keep(resolve: &Function, reply: Result<Reply, PortError>) {
    // Resolving a promise never throws.
    let _ = resolve.call1(&JsValue::UNDEFINED, &encode(reply));
}

fn encode(reply: Result<Reply, PortError>) -> JsValue {
    Uint8Array::from(&*port::encode_reply(reply)).into()
}

/// Makes a class of ours one whose methods can be called from elsewhere in the Worker:
/// one that extends the platform's `DurableObject`. `instance` is any instance of it.
///
/// What the bindings add for JavaScript's sake alone is taken away, so that nobody can
/// free an object that is in use.
pub(crate) fn extend_durable_object(instance: &JsValue) {
    let base = platform::durable_object();
    let Ok(prototype) = Object::get_prototype_of(instance).dyn_into::<Object>() else {
        return;
    };
    let property = |of: &JsValue, name: &str| Reflect::get(of, &name.into()).unwrap_or_default();
    let class: Object = property(&prototype, "constructor").unchecked_into();
    let base_prototype: Object = property(&base, "prototype").unchecked_into();
    Object::set_prototype_of(&prototype, &base_prototype);
    Object::set_prototype_of(&class, base.unchecked_ref());
    for name in ["free", "__destroy_into_raw"] {
        let _ = Reflect::delete_property(&prototype, &name.into());
    }
}
