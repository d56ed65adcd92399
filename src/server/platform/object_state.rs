//! The state of a Durable Object: its WebSockets, its alarm and its storage.

use std::rc::Rc;

use dormouse_proto::Timestamp;
use js_sys::{Array, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::WebSocket;
use worker::worker_sys::{DurableObjectState, WebSocketRequestResponsePair};

use crate::compatibility;
use crate::usage::{Counted, Meter};

#[wasm_bindgen]
extern "C" {
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

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
