//! A small fake of the platform: the state of an object, and its WebSockets. It keeps
//! what is done with it.

use dormouse_proto::Timestamp;
use js_sys::Array;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::WebSocket;
use worker::worker_sys::DurableObjectState;

use super::object::env;
use super::{js, js_async};
use crate::parts::running_in_front;
use crate::platform::ObjectState;
use crate::usage::Meter;

/// The object's id.
pub(crate) const ID: &str = "00ff10a5f00f7e81bd5aa1b2c3d4e5f60123456789abcdeffedcba9876543210";

/// What the platform has and a browser has not.
const GLOBALS: &str = "
    if (globalThis.WebSocketPair) return;
    const socket = () => {
        const listeners = [];
        let attachment = null;
        const own = {
            done: [],
            values: [],
            listeners,
            accept() { this.done.push('accept'); },
            send(data) {
                this.values.push(data);
                this.done.push(typeof data === 'string' ? data : [...data].join());
            },
            close(code) {
                this.readyState = 2;
                this.done.push('close ' + code);
            },
            addEventListener(type, listener) {
                const known = listeners.some(([t, l]) => t === type && l === listener);
                if (!known) listeners.push([type, listener]);
            },
            removeEventListener(type, listener) {
                const at = listeners.findIndex(([t, l]) => t === type && l === listener);
                if (at >= 0) listeners.splice(at, 1);
            },
            fire(event) {
                event.target = this;
                for (const [type, listener] of [...listeners]) {
                    if (type === event.type) listener(event);
                }
            },
            serializeAttachment(value) {
                if (value.length > 16384) throw new Error('too large');
                attachment = structuredClone(value);
            },
            deserializeAttachment: () => structuredClone(attachment),
            binaryType: 'blob',
            readyState: 1,
        };
        const socket = Object.create(WebSocket.prototype);
        for (const [name, value] of Object.entries(own)) {
            Object.defineProperty(socket, name, { value, writable: true });
        }
        return socket;
    };
    globalThis.WebSocketPair = class {
        constructor() {
            if (WebSocketPair.fails) throw new Error('none left');
            this[0] = socket();
            this[1] = socket();
        }
    };
    globalThis.WebSocketRequestResponsePair = class {
        constructor(request, response) { Object.assign(this, { request, response }); }
    };
    const Real = Response;
    globalThis.Response = class extends Real {
        constructor(body, init) {
            super(body, init?.status === 101 ? { headers: init.headers } : init);
            // A header that pages do not see.
            this.cookie = init?.headers?.get?.('set-cookie');
            if (init?.status !== 101) return;
            Object.defineProperty(this, 'status', { value: 101 });
            this.webSocket = init.webSocket;
        }
    };";

/// The rows of one table, as far as they are asked for.
const STATE: &str = "
    const rows = new Map();
    let made = false;
    const answer = (statement, bindings) => {
        if (statement.startsWith('CREATE')) { made = true; return []; }
        if (!made) throw new Error('no such table');
        const all = [...rows.values()].sort(([, a], [, b]) => a - b);
        const [key, part, bytes] = bindings;
        const of = ([other]) => other === key;
        switch (statement.split(' ')[0] + bindings.length) {
            case 'INSERT3': rows.set(key + ' ' + part, [key, part, bytes]); return [];
            case 'DELETE2': all.filter((row) => of(row) && row[1] >= part)
                .forEach((row) => rows.delete(key + ' ' + row[1])); return [];
            case 'DELETE1': all.filter(of).forEach((row) => rows.delete(key + ' ' + row[1])); return [];
            case 'SELECT1': return all.filter(of).map((row) => [row[2]]);
            case 'SELECT0': return all.filter((row) => row[1] === 0).map((row) => [row[0]]);
            default: throw new Error(statement);
        }
    };
    const sockets = [];
    const statements = [];
    return {
        sockets,
        statements,
        room: 32768,
        pairs: [],
        id: { toString: () => x },
        acceptWebSocket(socket, tags) {
            if (sockets.length >= this.room) throw new Error('full');
            sockets.push([socket, tags]);
        },
        getWebSockets: (tag) => sockets
            .filter(([, tags]) => tag === undefined || tags.includes(tag))
            .map(([socket]) => socket),
        getWebSocketAutoResponse() { return this.pairs.at(-1); },
        setWebSocketAutoResponse(pair) { this.pairs.push(pair); },
        getWebSocketAutoResponseTimestamp: (socket) => socket.answered,
        storage: {
            alarm: null,
            alarms: [],
            asked: 0,
            async getAlarm() { this.asked += 1; return this.alarm; },
            async setAlarm(at) { this.alarms.push(at); this.alarm = at; },
            sql: { exec(statement, ...bindings) {
                statements.push(statement.split(' ')[0]);
                const found = answer(statement, bindings);
                return { raw: () => ({ toArray: () => found }) };
            } },
        },
    };";

/// The state of an object that nothing has happened to.
pub(crate) fn state() -> ObjectState {
    ObjectState::new(&raw_state(), Meter::default())
}

/// The same as the platform hands it to the object.
pub(crate) fn raw_state() -> DurableObjectState {
    // Installs the panic hook, which cannot be done any more once a test has failed.
    drop(running_in_front(&env(), "fetch"));
    js(GLOBALS, JsValue::UNDEFINED);
    js(STATE, ID).unchecked_into()
}

/// A WebSocket that nothing was done with.
pub(crate) fn socket() -> WebSocket {
    js(GLOBALS, JsValue::UNDEFINED);
    js("return new WebSocketPair()[1];", JsValue::UNDEFINED).unchecked_into()
}

/// What was done with a WebSocket: accepting it, frames, closing it.
pub(crate) fn done(socket: &WebSocket) -> String {
    let done = js("return x.done.join('; ');", socket);
    done.as_string().unwrap()
}

/// Has a WebSocket bring an event, such as `{ type: 'message', data: '2' }`.
pub(crate) fn bring(socket: &WebSocket, event: &str) {
    js(&format!("x.fire({event});"), socket);
}

/// Has the runtime have answered a heartbeat.
pub(crate) fn answer_heartbeat(socket: &WebSocket, at: Timestamp) {
    let at = JsValue::from(at.as_millis() as f64);
    js("x[0].answered = new Date(x[1]);", Array::of2(socket, &at));
}

/// Whether two values of JavaScript are the same.
pub(crate) fn is_same(one: &JsValue, other: &JsValue) -> bool {
    js_sys::Object::is(one, other)
}

/// Moments for which the alarm was set, one after the other.
pub(crate) fn alarms(state: &ObjectState) -> Vec<Timestamp> {
    let alarms: Array = js("return x.alarms;", state.own("storage")).into();
    let alarms = alarms.iter().filter_map(|at| at.as_f64());
    alarms.map(|at| Timestamp::from_millis(at as u64)).collect()
}

/// The requests that the runtime was told to answer, one after the other.
pub(crate) fn paired(state: &ObjectState) -> String {
    let paired = js(
        "return x.map(({ request }) => request).join();",
        state.own("pairs"),
    );
    paired.as_string().unwrap()
}

/// The first words of the SQL statements since this was last asked.
pub(crate) fn take_statements(state: &ObjectState) -> String {
    let statements = js("return x.splice(0).join();", state.own("statements"));
    statements.as_string().unwrap()
}

/// The status of a response that is promised, its cookie, and its body.
pub(crate) async fn answer(promise: JsValue) -> String {
    let body = "const response = await x;
        const { status, cookie } = response;
        return [status, cookie, await response.text()].filter(Boolean).join(' ');";
    js_async(body, promise).await.as_string().unwrap()
}
