use core::cell::Cell;
use std::rc::Rc;

use js_sys::Reflect;
use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::in_browser::{js, wait};
use crate::platform::number_of;
use crate::platform::tests::MAX_SAFE;

#[wasm_bindgen_test]
async fn a_client_that_lets_go_is_told_by_its_number() {
    let heard = Rc::new(Cell::new(None));
    let hearing = heard.clone();
    let listener = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
        let target = Reflect::get(&event, &"target".into()).unwrap();
        hearing.set(number_of(&target));
    });
    let controller = js("return new AbortController();", 0);
    let request = js(
        "return new Request('/', { signal: x.signal });",
        &controller,
    );
    // That of an instance which is gone.
    let stale = Function::new_no_args("globalThis.stale = true; throw new Error('gone');");
    on_abort(request.unchecked_ref(), 1, &stale);
    on_abort(
        request.unchecked_ref(),
        MAX_SAFE,
        listener.as_ref().unchecked_ref(),
    );
    assert_eq!(heard.get(), None);
    js("x.abort();", &controller);
    wait(0).await;
    assert_eq!(heard.get(), Some(MAX_SAFE));
    assert!(js("return globalThis.stale;", 0).is_undefined());
}

#[wasm_bindgen_test]
fn a_request_without_a_signal_is_no_error() {
    let listener = Function::new_no_args("throw new Error('nobody calls')");
    for request in ["return {};", "return { signal: null };"] {
        on_abort(js(request, 0).unchecked_ref(), 1, &listener);
    }
}

/// Creates a request whose body comes in chunks of these lengths. It remembers
/// whether the rest of it was declined.
fn streamed(chunks: &[u32]) -> Request {
    let request = js(
        "let declined = false;
         const lengths = x.split(',').filter(Boolean).map(Number);
         const body = new ReadableStream({
             pull(to) {
                 if (lengths.length === 0) to.close();
                 else to.enqueue(new Uint8Array(lengths.shift()).fill(7));
             },
             cancel() { declined = true; },
         }, { highWaterMark: 0 });
         const request = new Request('/', { method: 'POST', body, duplex: 'half' });
         request.declined = () => declined;
         return request;",
        chunks
            .iter()
            .map(u32::to_string)
            .collect::<Vec<_>>()
            .join(","),
    );
    request.unchecked_into()
}

#[wasm_bindgen_test]
async fn a_body_is_read_up_to_its_limit() {
    for (chunks, limit, expect) in [
        (&[][..], 0, Some(0)),
        (&[3, 4], 8, Some(7)),
        (&[3, 4], 7, Some(7)),
        (&[3, 4], 6, None),
        (&[7], 6, None),
        (&[1], 0, None),
        (&[3, 1, 1, 1_000_000], 5, None),
        (&[65_536; 16], 1 << 20, Some(1 << 20)),
    ] {
        let request = streamed(chunks);
        let body = read_at_most(&request, limit).await.unwrap();
        let expect: Option<Vec<u8>> = expect.map(|length| vec![7; length]);
        assert!(body == expect, "{chunks:?} {limit}");
        wait(0).await;
        let declined = js("return x.declined();", &request);
        assert_eq!(declined.as_bool(), Some(expect.is_none()), "{chunks:?}");
    }
}

#[wasm_bindgen_test]
async fn a_request_without_a_body_has_an_empty_one() {
    let request = js("return new Request('/', { method: 'POST' });", 0);
    let body = read_at_most(request.unchecked_ref(), 0).await;
    assert_eq!(body, Ok(Some(Vec::new())));
}

#[wasm_bindgen_test]
async fn a_body_that_breaks_off_is_an_error() {
    let request = js(
        "const body = new ReadableStream({
             start(to) { to.enqueue(new Uint8Array(3)); setTimeout(() => to.error(new Error('gone'))); },
         });
         return new Request('/', { method: 'POST', body, duplex: 'half' });",
        0,
    );
    assert!(read_at_most(request.unchecked_ref(), 9).await.is_err());
}

#[wasm_bindgen_test]
async fn a_body_that_somebody_reads_already_is_an_error() {
    let request = streamed(&[1]);
    js("x.body.getReader();", &request);
    assert!(read_at_most(&request, 9).await.is_err());
}
