//! The bindings, as far as a browser has what they bind. What it has not is an
//! object of the same shape.

use js_sys::Object;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::WebSocket;

use super::*;
use crate::in_browser::js;

/// The largest number that JavaScript tells from its neighbours.
pub(super) const MAX_SAFE: u64 = (1 << 53) - 1;

#[wasm_bindgen_test]
fn randomness_fills_what_it_is_to_fill() {
    assert!(random::<0>().is_empty());
    let (one, other) = (random::<32>(), random::<32>());
    assert_ne!(one, other);
    assert!(one.iter().any(|byte| *byte != one[0]));
}

#[wasm_bindgen_test]
fn things_keep_their_numbers() {
    for number in [0, 1, u64::from(u32::MAX) + 1, MAX_SAFE] {
        let thing = Object::new();
        assert_eq!(number_of(&thing), None);
        set_number_of(&thing, number);
        assert_eq!(number_of(&thing), Some(number));
        set_number_of(&thing, 7);
        assert_eq!(number_of(&thing), Some(7));
    }
}

#[wasm_bindgen_test]
fn what_can_have_no_number_has_none() {
    for nothing in [JsValue::UNDEFINED, JsValue::NULL, JsValue::from(1)] {
        set_number_of(&nothing, 1);
        assert_eq!(number_of(&nothing), None);
    }
    assert_eq!(number_of(&js("return { dormouse: 'one' };", 0)), None);
}

#[wasm_bindgen_test]
async fn a_deferred_promise_is_resolved_from_outside() {
    let deferred = defer();
    let resolve = deferred.resolve();
    resolve.call1(&JsValue::UNDEFINED, &"done".into()).unwrap();
    let value = JsFuture::from(deferred.promise()).await.unwrap();
    assert_eq!(value.as_string().as_deref(), Some("done"));
}

/// Creates a WebSocket of the shape that ours have. It records what is done with it.
pub(super) fn socket() -> WebSocket {
    let socket = js(
        "const done = [];
         let attachment = null;
         return {
             done,
             send(data) { done.push(typeof data === 'string' ? data : [...data].join()); },
             close(code) { done.push('close ' + code); },
             serializeAttachment(value) {
                 if (value.length > 16384) throw new Error('too large');
                 attachment = structuredClone(value);
             },
             deserializeAttachment: () => structuredClone(attachment),
         };",
        0,
    );
    socket.unchecked_into()
}
