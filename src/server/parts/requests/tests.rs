use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::api::engine::Engine;
use crate::in_browser::object::env;
use crate::in_browser::{js, js_async, request};
use crate::usage::Meter;

const URL: &str = "https://example.com/engine.io/?EIO=4&transport=polling";

/// Installs a server on `/engine.io/`. All tests of a page share it.
fn install() {
    let _ = crate::api::app::install(Engine::new());
}

fn state() -> ObjectState {
    install();
    ObjectState::new(js("return {};", 0).unchecked_ref(), Meter::default())
}

/// Nobody who could be told.
struct Nobody;

impl Receiver for Nobody {
    fn handle_body(&self, _key: Key, _conn: ConnId, _body: Result<Frame<'static>, BodyError>) {}

    fn handle_abort(&self, _conn: ConnId) {}
}

fn options_at(path: &str) -> Option<Rc<Options>> {
    (path == "/engine.io/").then(Rc::default)
}

fn instance(state: &ObjectState) -> Requests {
    Requests::new(state, &env(), options_at, Weak::<Nobody>::new())
}

fn parsed(request: &Incoming, kind: Kind) -> Parsed {
    Parsed {
        kind,
        ..Parsed::read(request.clone(), options_at).unwrap()
    }
}

fn get() -> Incoming {
    request("GET", URL, &[])
}

/// Returns the only request that waits.
fn only(waiting: &Requests) -> (ConnId, Kind) {
    let all = waiting.all();
    assert_eq!(all.len(), 1);
    all[0]
}

#[wasm_bindgen_test]
fn numbers_are_what_javascript_can_hold() {
    let waiting = instance(&state());
    let numbers: Vec<_> = (0..100).map(|_| waiting.number()).collect();
    assert!(numbers.iter().all(|ConnId(number)| *number < 1 << 53));
    assert!(numbers.iter().any(|ConnId(number)| *number > 1 << 32));
    let mut different = numbers.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), numbers.len());
    for conn in numbers {
        assert_eq!(
            key_of(conn).as_f64().map(|number| number as u64),
            Some(conn.0)
        );
    }
}

#[wasm_bindgen_test]
async fn a_request_is_held_until_it_is_answered() {
    let waiting = instance(&state());
    assert!(waiting.all().is_empty());
    let (held, promise) = waiting.hold(parsed(&get(), Kind::Poll));
    let (conn, kind) = only(&waiting);
    assert_eq!(held, conn);
    assert_eq!(kind, Kind::Poll);
    assert!(waiting.contains(conn));
    assert_eq!(
        waiting.parsed(conn).unwrap().revision,
        Some(Some(Revision::V4))
    );
    waiting.answer(conn, Reply::new(200, "text/html", "ok"));
    assert!(!waiting.contains(conn));
    assert!(waiting.all().is_empty());
    let text = js_async("return (await x).text();", promise).await;
    assert_eq!(text.as_string().as_deref(), Some("ok"));
}

#[wasm_bindgen_test]
async fn a_request_is_answered_once() {
    let waiting = instance(&state());
    let (_, promise) = waiting.hold(parsed(&get(), Kind::Poll));
    let (conn, _) = only(&waiting);
    waiting.refuse(conn, RequestError::BadRequest);
    waiting.answer(conn, Reply::new(200, "text/html", "ok"));
    waiting.refuse(ConnId(1), RequestError::BadRequest);
    let status = js_async("return (await x).status;", promise).await;
    assert_eq!(status.as_f64(), Some(400.0));
}

#[wasm_bindgen_test]
async fn the_next_instance_knows_who_waits() {
    let state = state();
    let kinds = Kind::ALL.map(|kind| {
        let before = instance(&state);
        let (_, promise) = before.hold(parsed(&get(), kind));
        (kind, promise)
    });
    let after = instance(&state);
    assert_eq!(after.all().len(), Kind::ALL.len());
    for (conn, kind) in after.all() {
        assert_eq!(after.is_handshake(conn), kind == Kind::Handshake);
        assert_eq!(after.key(conn), None);
        after.answer(conn, Reply::new(200 + kind as u16, "text/html", ""));
    }
    for (kind, promise) in kinds {
        let status = js_async("return (await x).status;", promise).await;
        assert_eq!(
            status.as_f64(),
            Some(200.0 + f64::from(kind as u8)),
            "{kind:?}"
        );
    }
}

#[wasm_bindgen_test]
fn a_poll_that_is_watched_has_its_session() {
    let state = state();
    let waiting = instance(&state);
    let _promise = waiting.hold(parsed(&get(), Kind::Poll));
    let (conn, _) = only(&waiting);
    let key = [7; 12];
    waiting.watch(conn, key);
    assert_eq!(waiting.key(conn), Some(key));
    assert_eq!(instance(&state).key(conn), Some(key));
    // Nobody waits by that name.
    waiting.watch(ConnId(1), key);
    assert_eq!(waiting.key(ConnId(1)), None);
}

#[wasm_bindgen_test]
fn what_is_no_key_is_none() {
    for entry in [
        "[]",
        "[0, 1, 2, 3, 'key']",
        "[0, 1, 2, 3, new Uint8Array(11)]",
    ] {
        let entry = js(&format!("return {entry};"), 0).unchecked_into();
        assert_eq!(key_in(&entry), None);
    }
}

fn check_body(
    url: &str,
    content_type: Option<&str>,
    bytes: &[u8],
    expect: Result<Frame<'_>, BodyError>,
) {
    let headers: Vec<_> = content_type
        .map(|value| ("content-type", value))
        .into_iter()
        .collect();
    let request = request("POST", url, &headers);
    install();
    let body = decode(&parsed(&request, Kind::Post), bytes.to_vec());
    assert_eq!(body, expect, "{url} {content_type:?} {bytes:?}");
}

#[wasm_bindgen_test]
fn bodies_are_what_their_headers_say() {
    let jsonp = &*format!("{URL}&j=0");
    let form = Some("application/x-www-form-urlencoded");
    let plain = Some("text/plain;charset=UTF-8");
    let octets = Some("application/octet-stream");
    check_body(URL, plain, b"4a", Ok(Frame::from("4a")));
    check_body(URL, None, "4€".as_bytes(), Ok(Frame::from("4€")));
    check_body(URL, plain, b"", Ok(Frame::from("")));
    check_body(URL, plain, b"4\xff", Err(BodyError::Malformed));
    // A lone surrogate, as some encoders write it.
    check_body(URL, plain, b"4\xed\xa0\x80", Err(BodyError::Malformed));
    check_body(
        URL,
        octets,
        b"\x00\x02\xff4a",
        Ok(Frame::from(&b"\x00\x02\xff4a"[..])),
    );
    check_body(
        URL,
        Some("application/octet-stream; x=y"),
        b"4a",
        Ok(Frame::from(&b"4a"[..])),
    );
    check_body(jsonp, form, b"d=4a+b%5Cnc", Ok(Frame::from("4a b\nc")));
    check_body(jsonp, form, b"4a", Err(BodyError::Malformed));
    check_body(jsonp, form, b"d=%zz", Err(BodyError::Malformed));
    check_body(URL, form, b"d=4a", Ok(Frame::from("d=4a")));
}

#[wasm_bindgen_test]
fn a_request_is_read_once_and_whole() {
    install();
    let read = |query: &str| {
        let url = format!("https://example.com/engine.io/?{query}");
        Parsed::read(request("GET", &url, &[]), options_at).unwrap()
    };
    let handshake = read("EIO=3&transport=polling&b64=1&j=7");
    assert_eq!(handshake.kind, Kind::Handshake);
    assert_eq!(handshake.revision, Some(Some(Revision::V3)));
    assert!(handshake.b64);
    assert!(matches!(handshake.format, Format::Jsonp(_)));
    for (query, format) in [
        ("EIO=3", Format::Any),
        ("EIO=3&t=", Format::Bytes),
        ("t=1&EIO=3&b64=1", Format::Bytes),
        ("EIO=3&T=1", Format::Any),
    ] {
        assert_eq!(read(query).format, format, "{query}");
    }
    let sid = "A".repeat(59);
    let poll = read(&format!("sid={sid}&EIO=9"));
    assert_eq!((poll.kind, poll.revision), (Kind::Poll, Some(None)));
    assert_eq!(poll.sid.map(|sid| sid.to_string()), Some(sid));
    assert_eq!(read("sid=").kind, Kind::Handshake);
    let malformed = read("sid=x");
    assert_eq!((malformed.kind, malformed.sid), (Kind::Poll, None));
    // Of several, the last counts.
    assert_eq!(read("sid=x&sid=").kind, Kind::Handshake);
    let elsewhere = request("GET", "https://example.com/other/", &[]);
    assert!(Parsed::read(elsewhere, options_at).is_none());
}
