//! Bindings for what the platform offers and `worker` does not bind, or not cheaply.

mod spawned;
pub(crate) mod subtle;

use core::cell::{Cell, RefCell};
use core::future::{Pending, pending};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{ConnId, Frame};
use futures::future::{AbortHandle, Abortable, LocalBoxFuture};
use js_sys::{Array, Function, JsString, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Request, RequestInit, Response, WebSocket};
use worker::worker_sys::{DurableObjectState, WebSocketPair, WebSocketRequestResponsePair};

pub(crate) use self::spawned::{settle, spawn};
use crate::compatibility;
use crate::table::Table;
use crate::usage::{Counted, Meter};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn fill_random(bytes: &mut [u8]);

    /// A message from a WebSocket: text has a `length`, and an `ArrayBuffer` does
    /// not.
    type Message;
    #[wasm_bindgen(method, getter)]
    fn length(this: &Message) -> f64;

    type TextEncoder;
    #[wasm_bindgen(constructor)]
    fn new() -> TextEncoder;
    #[wasm_bindgen(method, js_name = encodeInto)]
    fn encode_into(this: &TextEncoder, text: &JsValue, bytes: &mut [u8]) -> Encoded;
    type Encoded;
    #[wasm_bindgen(method, getter)]
    fn read(this: &Encoded) -> usize;

    /// Bytes of the platform's, which are copied in one call. With those of `js_sys`,
    /// it takes five.
    #[wasm_bindgen(js_name = Uint8Array)]
    type Bytes;
    #[wasm_bindgen(constructor, js_class = Uint8Array)]
    fn new(buffer: &JsValue) -> Bytes;
    #[wasm_bindgen(method, getter)]
    fn length(this: &Bytes) -> f64;
    #[wasm_bindgen(method, js_name = valueOf)]
    fn copy(this: &Bytes) -> Vec<u8>;

    /// `Promise.withResolvers()`.
    pub(crate) type Deferred;
    #[wasm_bindgen(js_namespace = Promise, js_name = withResolvers)]
    pub(crate) fn defer() -> Deferred;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn promise(this: &Deferred) -> Promise;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn resolve(this: &Deferred) -> Function;

    /// Calls back with this number.
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Closure<dyn FnMut(f64)>, millis: f64, number: f64) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(id: &JsValue);

    /// A Durable Object's state, for what `worker` leaves out.
    type State;
    #[wasm_bindgen(method, catch, js_name = acceptWebSocket)]
    fn accept_web_socket(this: &State, socket: &WebSocket, tags: &Array) -> Result<(), JsValue>;
    #[wasm_bindgen(method, js_name = getWebSockets)]
    fn web_sockets(this: &State) -> Vec<WebSocket>;
    #[wasm_bindgen(method, js_name = getWebSockets)]
    fn web_sockets_tagged(this: &State, tag: &str) -> Vec<WebSocket>;
    #[wasm_bindgen(method, js_name = getWebSocketAutoResponseTimestamp)]
    fn auto_response_time(this: &State, socket: &WebSocket) -> Option<js_sys::Date>;
    #[wasm_bindgen(method, js_name = getWebSocketAutoResponse)]
    fn auto_response(this: &State) -> Option<AutoResponse>;
    #[wasm_bindgen(method, getter)]
    fn storage(this: &State) -> Storage;

    type AutoResponse;
    #[wasm_bindgen(method, getter)]
    fn request(this: &AutoResponse) -> String;

    type Storage;
    #[wasm_bindgen(method, js_name = getAlarm)]
    fn get_alarm(this: &Storage) -> Promise;
    #[wasm_bindgen(method, js_name = setAlarm)]
    fn set_alarm(this: &Storage, at: f64) -> Promise;
    #[wasm_bindgen(method, js_name = deleteAlarm)]
    fn delete_alarm(this: &Storage) -> Promise;
    #[wasm_bindgen(method, js_name = deleteAll)]
    fn delete_all(this: &Storage) -> Promise;
    #[wasm_bindgen(method, getter)]
    fn sql(this: &Storage) -> Sql;

    type Sql;
    #[wasm_bindgen(method, catch, variadic)]
    fn exec(this: &Sql, query: &str, bindings: &Array) -> Result<Cursor, JsValue>;
    type Cursor;
    #[wasm_bindgen(method, getter, js_name = rowsWritten)]
    fn rows_written(this: &Cursor) -> f64;
    #[wasm_bindgen(method, getter, js_name = rowsRead)]
    fn rows_read(this: &Cursor) -> f64;
    #[wasm_bindgen(method, catch)]
    fn raw(this: &Cursor) -> Result<Rows, JsValue>;
    type Rows;
    #[wasm_bindgen(method, catch, js_name = toArray)]
    fn to_array(this: &Rows) -> Result<Array, JsValue>;

    /// A WebSocket of this runtime.
    type Socket;
    #[wasm_bindgen(method, catch)]
    fn accept(this: &Socket) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = send)]
    fn send_text(this: &Socket, text: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = send)]
    fn send_string(this: &Socket, text: &JsString) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = send)]
    fn send_bytes(this: &Socket, bytes: &Uint8Array) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = serializeAttachment)]
    fn serialize_attachment(this: &Socket, bytes: &Uint8Array) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = deserializeAttachment)]
    fn deserialize_attachment(this: &Socket) -> Result<Option<Vec<u8>>, JsValue>;

    /// A thing of the platform's that we have given a number: a property, which is
    /// there as long as the object is awake.
    type Numbered;
    #[wasm_bindgen(method, getter, catch, js_name = dormouse)]
    fn number(this: &Numbered) -> Result<f64, JsValue>;
    #[wasm_bindgen(method, setter, catch, js_name = dormouse)]
    fn set_number(this: &Numbered, number: f64) -> Result<(), JsValue>;

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

/// Returns what the Worker's main module exports, as `ctx.exports` does: where there
/// is no context, as in the handler of a queue that calls `Io::new`, as well.
#[cfg(not(test))]
pub(crate) fn exports() -> JsValue {
    #[wasm_bindgen(module = "cloudflare:workers")]
    extern "C" {
        #[wasm_bindgen(thread_local_v2, js_name = exports)]
        static EXPORTS: JsValue;
    }
    EXPORTS.with(JsValue::clone)
}

/// A browser has no such module, and would load none of the tests.
#[cfg(test)]
pub(crate) fn exports() -> JsValue {
    JsValue::UNDEFINED
}

/// Returns the class that the platform wants Durable Objects to extend.
#[cfg(not(test))]
pub(crate) fn durable_object() -> JsValue {
    #[wasm_bindgen(module = "cloudflare:workers")]
    extern "C" {
        #[wasm_bindgen(thread_local_v2, js_name = DurableObject)]
        static DURABLE_OBJECT: JsValue;
    }
    DURABLE_OBJECT.with(JsValue::clone)
}

/// A browser has no such class.
#[cfg(test)]
pub(crate) fn durable_object() -> JsValue {
    js_sys::Function::new_no_args("").into()
}

/// Returns the Worker's bindings, also while it starts. `None` where there is no Worker,
/// as in tests.
#[cfg(all(target_arch = "wasm32", not(test)))]
pub(crate) fn bindings() -> Option<JsValue> {
    #[wasm_bindgen(module = "cloudflare:workers")]
    extern "C" {
        #[wasm_bindgen(thread_local_v2, js_name = env)]
        static ENV: JsValue;
    }
    Some(ENV.with(JsValue::clone))
}

#[cfg(not(all(target_arch = "wasm32", not(test))))]
pub(crate) fn bindings() -> Option<JsValue> {
    None
}

/// Returns a module of the runtime's that is not imported: one that is missing would keep
/// the Worker from starting. `None` where there is no such module, or Node's way to ask for
/// it is missing.
pub(crate) fn builtin(name: &str) -> Option<JsValue> {
    #[wasm_bindgen]
    extern "C" {
        type Process;
        #[wasm_bindgen(method, catch, js_name = getBuiltinModule)]
        fn builtin_module(this: &Process, name: &str) -> Result<JsValue, JsValue>;
    }
    let process = Reflect::get(&js_sys::global(), &"process".into()).ok()?;
    let module = process.unchecked_ref::<Process>().builtin_module(name);
    module.ok().filter(JsValue::is_object)
}

thread_local! {
    /// The time of the turn that is under way, once that has been asked for.
    static TIME: Cell<Option<Option<Timestamp>>> = const { Cell::new(None) };
}

/// Returns the platform's time, which stands still between two events. It is asked for
/// once in a turn, because that costs as much as decoding a message.
pub(crate) fn now() -> Timestamp {
    let held = TIME.get();
    held.flatten().unwrap_or_else(|| {
        let now = Timestamp::from_millis(js_sys::Date::now() as u64);
        TIME.set(held.map(|_| Some(now)));
        now
    })
}

/// Has time stand still.
pub(crate) fn hold_time() {
    TIME.set(Some(None));
}

/// Has it go on.
pub(crate) fn release_time() {
    TIME.set(None);
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill_random(&mut bytes);
    bytes
}

/// From this length on, text is read by the platform and not by the bindings, which
/// read it character by character.
const LONG: f64 = 256.0;

/// Returns what a WebSocket has brought, or `None` if it is longer than `limit`. The
/// length is known before anything is copied: linear memory never shrinks.
///
/// Text that is not ASCII has more bytes than the platform counts characters, at most
/// three times as many, so `limit` still has to be compared with the result.
pub(crate) fn frame_of(message: &JsValue, limit: usize) -> Option<Frame<'static>> {
    let limit = limit as f64;
    let length = message.unchecked_ref::<Message>().length();
    if length > limit {
        return None;
    }
    if let Some(text) = text_of(message, length) {
        return Some(Frame::from(text));
    }
    let bytes = Bytes::new(message);
    let fits = bytes.length() <= limit;
    fits.then(|| Frame::from(bytes.copy()))
}

/// Returns what is in an `ArrayBuffer`.
pub(crate) fn bytes_of(buffer: &JsValue) -> Vec<u8> {
    Bytes::new(buffer).copy()
}

/// Returns a message's text, if it is text of this length.
fn text_of(message: &JsValue, length: f64) -> Option<String> {
    thread_local! {
        static ENCODER: TextEncoder = TextEncoder::new();
    }
    if length >= LONG {
        // ASCII is as long in UTF-8 as in JavaScript, and most long texts are ASCII.
        let mut bytes = vec![0; length as usize];
        let encoded = ENCODER.with(|encoder| encoder.encode_into(message, &mut bytes));
        if encoded.read() == bytes.len()
            && let Ok(text) = String::from_utf8(bytes)
        {
            return Some(text);
        }
    }
    message.as_string()
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

/// Waits for this long, from when it is first asked.
///
/// `worker::Delay` takes what `setTimeout` returns for a number. With `nodejs_compat` it is
/// an object, and builds with the checks of wasm-bindgen panic.
pub(crate) fn sleep(duration: Duration) -> impl Future<Output = ()> + Unpin {
    Sleep {
        duration,
        timer: None,
        alarm: Rc::default(),
    }
}

struct Sleep {
    duration: Duration,
    timer: Option<Timer>,
    alarm: Rc<SleepAlarm>,
}

#[derive(Default)]
struct SleepAlarm {
    is_over: Cell<bool>,
    sleeper: Cell<Option<Waker>>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.alarm.is_over.get() {
            return Poll::Ready(());
        }
        self.alarm.sleeper.set(Some(context.waker().clone()));
        let (duration, alarm) = (self.duration, self.alarm.clone());
        self.timer.get_or_insert_with(|| {
            Timer::new(duration, move || {
                alarm.is_over.set(true);
                if let Some(sleeper) = alarm.sleeper.take() {
                    sleeper.wake();
                }
            })
        });
        Poll::Pending
    }
}

/// A timer that calls back once, unless it is dropped before.
pub(crate) struct Timer {
    id: JsValue,
    number: u64,
}

/// The callbacks of timers, by number.
#[derive(Default)]
struct Callbacks {
    last: u64,
    waiting: Table<u64, Box<dyn FnOnce()>>,
}

thread_local! {
    static CALLBACKS: RefCell<Callbacks> = RefCell::default();
    /// What the platform calls for every timer: to make one for each would cost more
    /// than the timer itself.
    static RING: Closure<dyn FnMut(f64)> = Closure::new(ring);
}

impl Timer {
    pub(crate) fn new(after: Duration, callback: impl FnOnce() + 'static) -> Self {
        let number = CALLBACKS.with_borrow_mut(|callbacks| {
            callbacks.last += 1;
            let callback = Box::new(callback);
            callbacks.waiting.insert(callbacks.last, callback);
            callbacks.last
        });
        let set = |ring: &_| set_timeout(ring, after.as_millis() as f64, number as f64);
        Self {
            id: RING.with(set),
            number,
        }
    }
}

/// Calls back for a timer that has gone off, which may be dropped meanwhile.
fn ring(number: f64) {
    if let Some(callback) = take_callback(number as u64) {
        callback();
    }
}

fn take_callback(number: u64) -> Option<Box<dyn FnOnce()>> {
    let callback = CALLBACKS.with_borrow_mut(|callbacks| callbacks.waiting.remove(number));
    callback.map(|callback| *callback)
}

impl Drop for Timer {
    fn drop(&mut self) {
        if take_callback(self.number).is_some() {
            clear_timeout(&self.id);
        }
    }
}

/// Creates a WebSocket, and returns its two ends: the client's and ours.
pub(crate) fn socket_pair() -> Option<(WebSocket, WebSocket)> {
    let mut pair = WebSocketPair::new().ok()?;
    Some((pair.client().ok()?, pair.server().ok()?))
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

/// A Durable Object's own state.
#[derive(Clone)]
pub(crate) struct ObjectState {
    state: JsValue,
    /// What is counted of it.
    meter: Rc<Meter>,
}

impl ObjectState {
    pub(crate) fn new(state: &DurableObjectState, meter: Meter) -> Self {
        Self {
            state: AsRef::<JsValue>::as_ref(state).clone(),
            meter: Rc::new(meter),
        }
    }

    fn raw(&self) -> &State {
        self.state.unchecked_ref()
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Returns the object's id, as the platform's 64 hexadecimal digits.
    pub(crate) fn id(&self) -> String {
        let state: &DurableObjectState = self.state.unchecked_ref();
        state.id().and_then(|id| id.to_string()).unwrap_or_default()
    }

    pub(crate) fn storage(&self) -> worker::durable::Storage {
        let state: DurableObjectState = self.state.clone().unchecked_into();
        worker::durable::State::from(state).storage()
    }

    /// Accepts a WebSocket so that it survives sleep.
    ///
    /// # Errors
    ///
    /// The object has as many WebSockets as the platform allows.
    pub(crate) fn accept(&self, socket: &WebSocket, tags: &[String]) -> Result<(), JsValue> {
        let tags: Array = tags.iter().map(JsValue::from).collect();
        self.raw().accept_web_socket(socket, &tags)
    }

    pub(crate) fn sockets(&self) -> Vec<WebSocket> {
        self.raw().web_sockets()
    }

    pub(crate) fn sockets_tagged(&self, tag: &str) -> Vec<WebSocket> {
        self.raw().web_sockets_tagged(tag)
    }

    /// Has the runtime answer `request` with `response` on every WebSocket, without
    /// waking.
    pub(crate) fn set_auto_response(&self, request: &str, response: &str) {
        let state: &DurableObjectState = self.state.unchecked_ref();
        if let Ok(pair) = WebSocketRequestResponsePair::new(request, response) {
            // Failing costs only money: the object wakes instead.
            let _ = state.set_websocket_auto_response(&pair);
        }
    }

    /// Returns the text that the runtime answers by itself.
    pub(crate) fn auto_response(&self) -> Option<String> {
        Some(self.raw().auto_response()?.request())
    }

    /// Returns when the runtime last answered for us on this WebSocket.
    pub(crate) fn auto_response_time(&self, socket: &WebSocket) -> Option<Timestamp> {
        let date = self.raw().auto_response_time(socket)?;
        Some(Timestamp::from_millis(date.get_time() as u64))
    }

    pub(crate) async fn alarm(&self) -> Option<Timestamp> {
        let promise = self.raw().storage().get_alarm();
        let alarm = JsFuture::from(promise).await.ok()?;
        Some(Timestamp::from_millis(alarm.as_f64()? as u64))
    }

    pub(crate) fn set_alarm(&self, at: Timestamp) {
        // A failed write breaks the object, and the platform reports it.
        let _ = self.raw().storage().set_alarm(at.as_millis() as f64);
        self.meter.count(Counted::Rows {
            written: 1,
            read: 0,
        });
    }

    /// Deletes the alarm and everything that is stored, at once.
    pub(crate) fn delete_all(&self) {
        let storage = self.raw().storage();
        // With compatibility dates before 2026-02-24 the alarm is not part of the rest.
        let _ = storage.delete_alarm();
        let _ = storage.delete_all();
    }

    /// Runs one SQL statement, and returns its rows as arrays of values.
    pub(crate) fn sql(&self, statement: &str, bindings: &[JsValue]) -> Result<Array, JsValue> {
        let bindings: Array = bindings.iter().collect();
        let sql = self.raw().storage().sql();
        let cursor = sql.exec(statement, &bindings);
        let cursor = cursor.inspect_err(compatibility::check_sql)?;
        let rows = cursor.raw()?.to_array()?;
        if self.meter.is_on() {
            self.meter.count(Counted::Rows {
                written: cursor.rows_written() as u64,
                read: cursor.rows_read() as u64,
            });
        }
        Ok(rows)
    }

    /// Returns a property of ours on the object's state. It outlives the wasm
    /// instance.
    pub(crate) fn own(&self, name: &str) -> JsValue {
        Reflect::get(&self.state, &name.into()).unwrap_or(JsValue::UNDEFINED)
    }

    pub(crate) fn set_own(&self, name: &str, value: &JsValue) {
        // A plain property of a plain object: it can always be set.
        let _ = Reflect::set(&self.state, &name.into(), value);
    }
}

/// Operations on this runtime's WebSockets.
pub(crate) trait SocketExt {
    /// Returns the number of this WebSocket's connection, while the object is awake.
    fn conn(&self) -> Option<ConnId>;
    fn set_number(&self, conn: ConnId);
    /// Accepts a WebSocket without letting the object sleep.
    fn accept_awake(&self);
    fn send_text(&self, text: &str);
    /// Sends a text that is a value of the runtime's.
    fn send_string(&self, text: &JsString);
    fn send_bytes(&self, bytes: &[u8]);
    /// Sends bytes that are a value of the runtime's, and that nobody changes.
    fn send_array(&self, bytes: &Uint8Array);
    fn close_quietly(&self, code: u16);
    fn set_attachment(&self, bytes: &[u8]) -> Result<(), JsValue>;
    fn attachment(&self) -> Option<Vec<u8>>;
}

// Sending to a socket that has just closed, or closing it again, throws. That is not
// news: the event about it is on its way.
impl SocketExt for WebSocket {
    fn conn(&self) -> Option<ConnId> {
        number_of(self).map(ConnId)
    }

    fn set_number(&self, conn: ConnId) {
        set_number_of(self, conn.0);
    }

    fn accept_awake(&self) {
        // Otherwise bytes come as a `Blob`, which has to be awaited.
        let _ = Reflect::set(self, &"binaryType".into(), &"arraybuffer".into());
        let _ = self.unchecked_ref::<Socket>().accept();
    }

    fn send_text(&self, text: &str) {
        let _ = self.unchecked_ref::<Socket>().send_text(text);
    }

    fn send_string(&self, text: &JsString) {
        let _ = self.unchecked_ref::<Socket>().send_string(text);
    }

    fn send_bytes(&self, bytes: &[u8]) {
        // This is a copy: the runtime reads the bytes when it sends them, which may
        // be after a write to storage, and by then our memory holds something else.
        let bytes = Uint8Array::from(bytes);
        let _ = self.unchecked_ref::<Socket>().send_bytes(&bytes);
    }

    fn send_array(&self, bytes: &Uint8Array) {
        let _ = self.unchecked_ref::<Socket>().send_bytes(bytes);
    }

    fn close_quietly(&self, code: u16) {
        let _ = self.close_with_code(code);
    }

    fn set_attachment(&self, bytes: &[u8]) -> Result<(), JsValue> {
        self.unchecked_ref::<Socket>()
            .serialize_attachment(&Uint8Array::from(bytes))
    }

    fn attachment(&self) -> Option<Vec<u8>> {
        self.unchecked_ref::<Socket>()
            .deserialize_attachment()
            .ok()?
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
