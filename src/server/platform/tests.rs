//! The bindings, as far as a browser has what they bind. What it has not is an
//! object of the same shape.

use core::cell::Cell;
use core::future::poll_fn;
use std::rc::Rc;

use js_sys::Object;
use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::in_browser::{js, wait};
use crate::usage::Meter;

/// The largest number that JavaScript tells from its neighbours.
const MAX_SAFE: u64 = (1 << 53) - 1;

#[wasm_bindgen_test]
fn the_time_is_that_of_the_platform() {
    let before = js_sys::Date::now() as u64;
    let now = now().as_millis();
    assert!(now >= before && now - before < 1_000);
    assert!(now > u64::from(u32::MAX));
}

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

#[wasm_bindgen_test]
async fn a_timer_calls_back_once() {
    let calls = Rc::new(Cell::new(0));
    let counter = calls.clone();
    let _timer = Timer::new(Duration::from_millis(5), move || {
        counter.set(counter.get() + 1)
    });
    assert_eq!(calls.get(), 0, "not at once");
    wait(50).await;
    assert_eq!(calls.get(), 1);
}

#[wasm_bindgen_test]
async fn a_timer_that_is_dropped_calls_nobody() {
    let calls = Rc::new(Cell::new(0));
    let counter = calls.clone();
    drop(Timer::new(Duration::from_millis(5), move || {
        counter.set(counter.get() + 1)
    }));
    wait(50).await;
    assert_eq!(calls.get(), 0);
}

/// Lets timers be objects, as they are on the platform, and tells how many are pending.
fn object_timers() -> JsValue {
    let body = "const { setTimeout, clearTimeout } = globalThis;
        const timers = { pending: 0, restore: () => Object.assign(globalThis, { setTimeout, clearTimeout }) };
        globalThis.setTimeout = (callback, millis, ...args) => {
            timers.pending += 1;
            const id = setTimeout(() => { timers.pending -= 1; callback(...args); }, millis);
            return { [Symbol.toPrimitive]: () => id };
        };
        globalThis.clearTimeout = (timer) => {
            if (typeof timer !== 'object') throw new TypeError('not a timer');
            timers.pending -= 1;
            clearTimeout(Number(timer));
        };
        return timers;";
    js(body, JsValue::UNDEFINED)
}

#[wasm_bindgen_test]
async fn sleep_ends_or_is_given_up_where_timers_are_objects() {
    let timers = object_timers();
    let pending = || js("return x.pending;", timers.clone()).as_f64();
    sleep(Duration::from_millis(5)).await;
    let mut given_up = sleep(Duration::from_secs(60));
    let ask = |context: &mut Context<'_>| Poll::Ready(Pin::new(&mut given_up).poll(context));
    assert!(poll_fn(ask).await.is_pending());
    let before = pending();
    drop(given_up);
    let after = pending();
    js("x.restore();", timers.clone());
    assert_eq!(
        before.zip(after).map(|(before, after)| before - after),
        Some(1.0)
    );
}

#[wasm_bindgen_test]
async fn a_timer_may_be_let_go_from_within_its_callback() {
    let slot: Rc<Cell<Option<Timer>>> = Rc::default();
    let calls = Rc::new(Cell::new(0));
    let (own, counter) = (slot.clone(), calls.clone());
    slot.set(Some(Timer::new(Duration::from_millis(5), move || {
        drop(own.take());
        // What the callback holds is still there.
        counter.set(counter.get() + 1);
        own.set(None);
    })));
    wait(50).await;
    assert_eq!(calls.get(), 1);
    assert!(slot.take().is_none());
}

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

/// Creates a WebSocket of the shape that ours have. It records what is done with it.
fn socket() -> WebSocket {
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

fn done(socket: &WebSocket) -> String {
    let done = js("return x.done.join('; ');", socket);
    done.as_string().unwrap()
}

#[wasm_bindgen_test]
fn sockets_send_and_close() {
    let socket = socket();
    for text in ["", "a", "é€😀", "\0\u{feff}\u{2028}"] {
        socket.send_text(text);
    }
    socket.send_string(&"é€😀".into());
    socket.send_bytes(&[0, 127, 128, 255]);
    socket.send_bytes(&[]);
    socket.close_quietly(1000);
    assert_eq!(
        done(&socket),
        "; a; é€😀; \0\u{feff}\u{2028}; é€😀; 0,127,128,255; ; close 1000"
    );
}

/// A frame within the limit of all these tests but one.
fn frame(message: &JsValue) -> Option<Frame<'static>> {
    frame_of(message, 1_000_000)
}

#[wasm_bindgen_test]
fn a_message_is_a_text_of_any_length_or_bytes() {
    for length in [0, 1, 255, 256, 257, 10_000] {
        for letter in ["a", "é", "€", "😀", "\0"] {
            let text = letter.repeat(length);
            assert_eq!(frame(&text.as_str().into()), Some(Frame::from(text)));
            let mixed = format!("{}{letter}", "a".repeat(length));
            assert_eq!(frame(&mixed.as_str().into()), Some(Frame::from(mixed)));
        }
        let bytes = js_sys::ArrayBuffer::new(length as u32);
        assert_eq!(frame(&bytes), Some(Frame::from(vec![0; length])));
    }
    // Half a pair is what no text in UTF-8 can hold.
    let lone = js("return 'a'.repeat(x) + '\\ud800';", 300);
    let text = format!("{}\u{fffd}", "a".repeat(300));
    assert_eq!(frame(&lone), Some(Frame::from(text)));
}

#[wasm_bindgen_test]
fn a_message_that_is_too_long_is_not_copied() {
    for (length, fits) in [(999, true), (1_000, true), (1_001, false)] {
        let text = JsValue::from("a".repeat(length));
        assert_eq!(frame_of(&text, 1_000).is_some(), fits);
        let bytes = js_sys::ArrayBuffer::new(length as u32);
        assert_eq!(frame_of(&bytes, 1_000).is_some(), fits);
    }
    let pages = || core::arch::wasm32::memory_size(0);
    let (before, long) = (pages(), js("return 'a'.repeat(x) + '\u{20ac}';", 31 << 20));
    assert_eq!(frame(&long), None);
    assert_eq!(frame(&js_sys::ArrayBuffer::new(31 << 20)), None);
    assert_eq!(pages(), before);
}

#[wasm_bindgen_test]
fn what_is_sent_is_copied_out_of_our_memory() {
    // The platform sends it later, when this memory holds something else.
    let socket: WebSocket = js("return { send(data) { this.data = data; } };", 0).unchecked_into();
    let mut bytes = vec![1, 2, 3];
    socket.send_bytes(&bytes);
    bytes.fill(9);
    let kept = js(
        "return [x.data.byteLength, x.data.buffer.byteLength].join();",
        &socket,
    );
    assert_eq!(
        kept.as_string().as_deref(),
        Some("3,3"),
        "a view of the whole memory"
    );
}

#[wasm_bindgen_test]
fn a_socket_that_throws_is_no_news() {
    let socket: WebSocket = js(
        "const fail = () => { throw new Error('closed'); };
         return { send: fail, close: fail, serializeAttachment: fail, deserializeAttachment: fail };",
        0,
    )
    .unchecked_into();
    socket.send_text("a");
    socket.send_bytes(&[1]);
    socket.close_quietly(1000);
    assert!(socket.set_attachment(&[1]).is_err());
    assert_eq!(socket.attachment(), None);
}

#[wasm_bindgen_test]
fn attachments_come_back() {
    let socket = socket();
    assert_eq!(socket.attachment(), None, "there is none yet");
    for bytes in [vec![], vec![0, 255], vec![7; 16_384]] {
        assert_eq!(socket.set_attachment(&bytes), Ok(()));
        assert_eq!(socket.attachment(), Some(bytes));
    }
    assert!(socket.set_attachment(&[7; 16_385]).is_err());
}

#[wasm_bindgen_test]
fn sockets_keep_their_connections() {
    let socket = socket();
    assert_eq!(socket.conn(), None);
    socket.set_number(ConnId(MAX_SAFE));
    assert_eq!(socket.conn(), Some(ConnId(MAX_SAFE)));
}

/// Creates an object's state of the shape that the platform's has.
fn state(members: &str) -> ObjectState {
    let state = js(&format!("return {{ {members} }};"), 0);
    ObjectState::new(state.unchecked_ref(), Meter::default())
}

#[wasm_bindgen_test]
fn the_state_keeps_what_it_is_given() {
    let state = state("");
    assert!(state.own("dormouse").is_undefined());
    state.set_own("dormouse", &"will".into());
    assert_eq!(state.own("dormouse"), JsValue::from("will"));
    // As the next instance finds it.
    assert_eq!(state.clone().own("dormouse"), JsValue::from("will"));
}

#[wasm_bindgen_test]
fn the_last_automatic_answer_is_a_moment_or_none() {
    let socket = socket();
    for (time, expect) in [
        ("null", None),
        ("undefined", None),
        ("new Date(1800000000123)", Some(1_800_000_000_123)),
    ] {
        let state = state(&format!("getWebSocketAutoResponseTimestamp: () => {time}"));
        let time = state.auto_response_time(&socket);
        assert_eq!(time, expect.map(Timestamp::from_millis));
    }
}

#[wasm_bindgen_test]
async fn the_alarm_is_a_moment_or_none() {
    let state = state(
        "storage: {
             at: null,
             async getAlarm() { return this.at; },
             async setAlarm(at) { this.at = at; },
         }",
    );
    assert_eq!(state.alarm().await, None);
    let at = Timestamp::from_millis(1_800_000_000_123);
    state.set_alarm(at);
    assert_eq!(state.alarm().await, Some(at));
}

#[wasm_bindgen_test]
fn statements_have_their_bindings() {
    let state = state(
        "storage: { sql: { exec(statement, ...bindings) {
             if (statement === 'wrong') throw new Error('syntax');
             return { raw: () => ({ toArray: () => [[statement, ...bindings]] }) };
         } } }",
    );
    let rows = state.sql("right", &["a".into(), JsValue::NULL]).unwrap();
    let row = js("return JSON.stringify(x);", rows).as_string();
    assert_eq!(row.as_deref(), Some(r#"[["right","a",null]]"#));
    assert!(state.sql("wrong", &[]).is_err());
}

#[wasm_bindgen_test]
fn sockets_are_taken_over_with_their_tag() {
    let state = state(
        "acceptWebSocket(socket, tags) {
             if (this.full) throw new Error('32768');
             (this.sockets ??= []).push([socket, tags]);
         },
         getWebSockets(tag) {
             const all = (this.sockets ?? []).filter(([, tags]) => !tag || tags.includes(tag));
             return all.map(([socket]) => socket);
         }",
    );
    assert!(state.sockets().is_empty());
    let tags = |tag: &str| [tag.to_owned(), "both".to_owned()];
    state.accept(&socket(), &tags("one")).unwrap();
    state.accept(&socket(), &tags("other")).unwrap();
    assert_eq!(state.sockets().len(), 2);
    assert_eq!(state.sockets_tagged("one").len(), 1);
    assert_eq!(state.sockets_tagged("both").len(), 2);
    assert_eq!(state.sockets_tagged("none").len(), 0);
    state.set_own("full", &true.into());
    assert!(state.accept(&socket(), &tags("one")).is_err());
}
