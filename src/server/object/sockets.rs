//! The WebSockets of one object.
//!
//! Where the object may sleep, the runtime keeps them and calls the object when
//! one of them says something. Where it never does, because its heartbeats are
//! too frequent, they are kept awake: the runtime then lets go of a connection
//! as soon as it is closed, and not only when the object sleeps.

use std::rc::{Rc, Weak};

use dormouse_proto::engine::LATE_POLL;
use js_sys::{Array, Function, Map, Object, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::WebSocket;

use super::Shell;
use super::sessions::retire;
use crate::engine::sleep;
use crate::platform::{self, ObjectState, SocketExt};

/// Properties of the object's state: the WebSockets that are kept awake, by tag,
/// and what listens to them. As with requests, they outlive the wasm instance.
const AWAKE: &str = "dormouseSockets";
const LISTENER: &str = "dormouseListener";
/// What they have brought and no instance has taken yet.
const BROUGHT: &str = "dormouseBrought";

/// What a WebSocket tells that is kept awake.
const EVENTS: [&str; 3] = ["message", "close", "error"];

/// The tag of WebSockets that belong to no session.
const REJECTED: &str = "";

pub(super) struct Sockets {
    state: ObjectState,
    awake: Map,
    brought: Array,
    listener: Function,
    _handler: Closure<dyn FnMut()>,
}

impl Sockets {
    pub(super) fn new(state: &ObjectState, shell: Weak<Shell>) -> Self {
        let handler = Closure::<dyn FnMut()>::new(move || {
            if let Some(shell) = shell.upgrade() {
                shell.sockets.take_brought(&shell);
            }
        });
        // It is not called by the event itself: a listener that throws, as one does
        // whose handler panics, would end the object with all its WebSockets.
        let later = function(&js_sys::global(), "queueMicrotask")
            .map(|queue_microtask| bound(&queue_microtask, &JsValue::UNDEFINED, handler.as_ref()));
        let before = state.own(LISTENER).dyn_into::<Function>().ok();
        let listener = later.unwrap_or_default();
        state.set_own(LISTENER, &listener);
        let sockets = Self {
            state: state.clone(),
            awake: own(state, AWAKE, Map::new),
            brought: own(state, BROUGHT, Array::new),
            listener,
            _handler: handler,
        };
        if let Some(before) = before {
            sockets.take_over(&before);
        }
        sockets
    }

    /// Listens to the WebSockets that an earlier instance has listened to.
    fn take_over(&self, before: &Function) {
        self.awake.for_each(&mut |sockets, _| {
            for socket in sockets.unchecked_ref::<Array>().iter() {
                let socket: WebSocket = socket.unchecked_into();
                for event in EVENTS {
                    // Neither fails for a listener that is a function.
                    let _ = socket.remove_event_listener_with_callback(event, before);
                    let _ = socket.add_event_listener_with_callback(event, &self.listener);
                }
            }
        });
    }

    /// Takes a WebSocket into use, so that it outlives sleep.
    ///
    /// # Errors
    ///
    /// The object has as many as the platform lets it have.
    pub(super) fn accept(&self, socket: &WebSocket, tags: &[String]) -> Result<(), JsValue> {
        self.state.accept(socket, tags)
    }

    /// Takes a WebSocket into use in an object that never sleeps.
    pub(super) fn accept_awake(&self, socket: &WebSocket, tag: &str) {
        socket.accept_awake();
        // What comes is put down on the JavaScript side first: whatever happens to
        // this instance, it is there for the next.
        let put_down = function(&self.brought, "push").map(|push| push.bind0(&self.brought));
        for event in EVENTS {
            // It fails for no listener that is a function.
            if let Some(put_down) = &put_down {
                let _ = socket.add_event_listener_with_callback(event, put_down);
            }
            let _ = socket.add_event_listener_with_callback(event, &self.listener);
        }
        self.tagged_awake(tag).push(socket);
    }

    /// Takes what the WebSockets have brought that are kept awake.
    pub(super) fn take_brought(&self, shell: &Rc<Shell>) {
        while self.brought.length() > 0 {
            handle_event(shell, &self.brought.shift());
        }
    }

    /// Closes a WebSocket that no session wants, a moment after it was opened: what
    /// its client has sent by another one is to be dealt with first.
    ///
    /// It is kept awake for that long. A hibernating WebSocket that has brought
    /// nothing yet would be let go only when the object sleeps.
    pub(super) fn reject(&self, shell: &Rc<Shell>, socket: WebSocket) {
        self.accept_awake(&socket, REJECTED);
        let shell = shell.clone();
        platform::spawn(Box::pin(async move {
            sleep(LATE_POLL).await;
            shell.sockets.forget(&socket, REJECTED);
            retire(&socket, 1000);
        }));
    }

    /// Closes those that an earlier instance has rejected.
    pub(super) fn close_rejected(&self) {
        for socket in self.tagged_awake(REJECTED) {
            retire(socket.unchecked_ref(), 1000);
        }
        self.awake.delete(&REJECTED.into());
    }

    /// A WebSocket is closed. The runtime forgets those that it keeps by itself.
    pub(super) fn forget(&self, socket: &WebSocket, tag: &str) {
        if !self.awake.has(&tag.into()) {
            return;
        }
        let others = self
            .tagged_awake(tag)
            .filter(&mut |other, _, _| !Object::is(&other, socket));
        if others.length() == 0 {
            self.awake.delete(&tag.into());
        } else {
            self.awake.set(&tag.into(), &others);
        }
    }

    pub(super) fn all(&self) -> Vec<WebSocket> {
        let mut all = self.state.sockets();
        self.awake.for_each(&mut |sockets, _| {
            all.extend(
                sockets
                    .unchecked_ref::<Array>()
                    .iter()
                    .map(JsCast::unchecked_into),
            );
        });
        all
    }

    pub(super) fn tagged(&self, tag: &str) -> Vec<WebSocket> {
        let mut tagged = self.state.sockets_tagged(tag);
        if self.awake.has(&tag.into()) {
            tagged.extend(self.tagged_awake(tag).iter().map(JsCast::unchecked_into));
        }
        tagged
    }

    fn tagged_awake(&self, tag: &str) -> Array {
        self.awake.get(&tag.into()).dyn_into().unwrap_or_else(|_| {
            let sockets = Array::new();
            self.awake.set(&tag.into(), &sockets);
            sockets
        })
    }
}

fn bound(function: &Function, this: &JsValue, argument: &JsValue) -> Function {
    function.bind1(this, argument).unchecked_into()
}

fn function(thing: &JsValue, name: &str) -> Option<Function> {
    Reflect::get(thing, &name.into()).ok()?.dyn_into().ok()
}

/// A property of ours, which is made where it is missing.
fn own<T: JsCast>(state: &ObjectState, name: &str, make: impl FnOnce() -> T) -> T {
    state.own(name).dyn_into().unwrap_or_else(|_| {
        let value = make();
        state.set_own(name, value.as_ref());
        value
    })
}

/// What the runtime calls a hibernating WebSocket's object for by itself.
fn handle_event(shell: &Rc<Shell>, event: &JsValue) {
    let property = |name: &str| Reflect::get(event, &name.into()).unwrap_or_default();
    let Ok(socket) = property("target").dyn_into::<WebSocket>() else {
        return;
    };
    match property("type").as_string().as_deref() {
        Some("message") => shell.handle_message(&socket, &property("data")),
        Some("close") => {
            let code = property("code").as_f64().unwrap_or_default();
            shell.handle_close(&socket, code as u16);
        }
        Some(_) | None => shell.handle_error(&socket),
    }
}
