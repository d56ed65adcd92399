//! The other half of the package, which calls the application's own functions.

use core::cell::RefCell;

use js_sys::Array;
use wasm_bindgen::prelude::*;

// None of its functions throws: what the application throws is reported there. Where the
// application may wait, the answer may be a promise, which is never rejected.
#[wasm_bindgen]
extern "C" {
    /// The host of this instance.
    #[derive(Clone)]
    pub type Host;

    /// Returns what is to be served: see `application.rs`.
    #[wasm_bindgen(method)]
    pub(crate) fn describe(this: &Host) -> Array;

    /// Returns the number of an object that is heard of for the first time.
    #[wasm_bindgen(method)]
    pub(crate) fn begin(this: &Host) -> u32;

    /// Is told that an object has lost its memory.
    #[wasm_bindgen(method)]
    pub(crate) fn forget(this: &Host, object: u32);

    /// Is told of a socket that has gone and that no handler is called for any more.
    #[wasm_bindgen(method)]
    pub(crate) fn lost(this: &Host, object: u32, socket: u32);

    /// Decides whether a client may connect: `undefined`, or the message for one that may
    /// not.
    #[wasm_bindgen(method)]
    pub(crate) fn admit(this: &Host, server: u32, handshake: &str) -> JsValue;

    /// Is given a line of the log, as JSON.
    #[wasm_bindgen(method)]
    pub(crate) fn log(this: &Host, server: u32, line: &str);

    /// Returns the key of the object that a client is put into.
    #[wasm_bindgen(method)]
    pub(crate) fn place(this: &Host, server: u32, handshake: &str) -> String;

    /// Decides whether there is a namespace of this name.
    #[wasm_bindgen(method)]
    pub(crate) fn exists(this: &Host, definition: u32, namespace: &str, handshake: &str)
    -> JsValue;

    /// Is told of the first socket in a namespace of many.
    #[wasm_bindgen(method)]
    pub(crate) fn open(this: &Host, object: u32, server: u32, namespace: &str) -> JsValue;

    /// Is told what was counted of what is billed, as JSON.
    #[wasm_bindgen(method)]
    pub(crate) fn count(this: &Host, object: u32, server: u32, counted: &str) -> JsValue;

    /// Handles an event of another object, or of elsewhere in the Worker: its name and
    /// arguments as JSON, and their attachments. Returns the values that answer it as JSON.
    #[wasm_bindgen(method)]
    pub(crate) fn hear(
        this: &Host,
        object: u32,
        server: u32,
        namespace: &str,
        json: &str,
        attachments: Option<Array>,
    ) -> JsValue;

    /// Decides whether a client may join: `undefined`, or the message and JSON, or
    /// `undefined`, for one that may not.
    #[wasm_bindgen(method)]
    pub(crate) fn examine(
        this: &Host,
        object: u32,
        definition: u32,
        socket: u32,
        id: &str,
        namespace: &str,
        recovered: bool,
    ) -> JsValue;

    /// Is told of a client that has joined.
    #[wasm_bindgen(method)]
    pub(crate) fn connect(
        this: &Host,
        object: u32,
        definition: u32,
        socket: u32,
        id: &str,
        namespace: &str,
        recovered: bool,
    );

    /// Handles an event: its name and arguments as JSON, their attachments, and the number
    /// of its acknowledgement, or -1.
    #[wasm_bindgen(method)]
    pub(crate) fn event(
        this: &Host,
        object: u32,
        definition: u32,
        socket: u32,
        json: &str,
        attachments: Option<Array>,
        ack: f64,
    ) -> JsValue;

    /// Is told of an event that a socket is sent.
    #[wasm_bindgen(method)]
    pub(crate) fn sent(
        this: &Host,
        object: u32,
        definition: u32,
        socket: u32,
        json: &str,
        attachments: Option<Array>,
    );

    /// Is told of a socket that has gone.
    #[wasm_bindgen(method)]
    pub(crate) fn disconnect(
        this: &Host,
        object: u32,
        definition: u32,
        socket: u32,
        reason: &str,
    ) -> JsValue;
}

thread_local! {
    static HOST: RefCell<Option<Host>> = const { RefCell::new(None) };
}

/// Sets the host. There is one for each instance.
pub(crate) fn set(host: Host) {
    HOST.with_borrow_mut(|it| *it = Some(host));
}

/// Returns the host, unless none has been set.
pub(crate) fn host() -> Option<Host> {
    HOST.with_borrow(Clone::clone)
}
