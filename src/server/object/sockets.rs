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
/// and what they have brought while nobody listened. As with requests, they outlive
/// the wasm instance.
const AWAKE: &str = "dormouseSockets";
const UNHEARD: &str = "dormouseUnheard";
/// Puts an event there: no code of an instance that is gone.
const KEEPER: &str = "dormouseKeeper";

const EVENTS: [&str; 3] = ["message", "close", "error"];

/// The tag of WebSockets that belong to no session.
const REJECTED: &str = "";

pub(super) struct Sockets {
    state: ObjectState,
    awake: Map,
    unheard: Array,
    keeper: Function,
    listener: Closure<dyn FnMut(JsValue)>,
}

impl Sockets {
    pub(super) fn new(state: &ObjectState, shell: Weak<Shell>) -> Self {
        let listener = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
            if let Some(shell) = shell.upgrade() {
                handle_event(&shell, &event);
            }
        });
        let unheard: Array = own(state, UNHEARD, Array::new);
        let keeper = own(state, KEEPER, || {
            let push: Function = Reflect::get(&unheard, &"push".into())
                .unwrap_or_default()
                .unchecked_into();
            push.bind0(&unheard)
        });
        let sockets = Self {
            state: state.clone(),
            awake: own(state, AWAKE, Map::new),
            unheard,
            keeper,
            listener,
        };
        sockets.listen(&sockets.keeper, sockets.listener.as_ref().unchecked_ref());
        sockets
    }

    /// This instance is about to end. Its listener would break any WebSocket that
    /// called it afterwards, so that something else listens until the next one does.
    pub(super) fn hand_over(&self) {
        self.listen(self.listener.as_ref().unchecked_ref(), &self.keeper);
    }

    fn listen(&self, before: &Function, now: &Function) {
        for socket in self.all_awake() {
            for event in EVENTS {
                // Neither fails for a function.
                let _ = socket.remove_event_listener_with_callback(event, before);
                let _ = socket.add_event_listener_with_callback(event, now);
            }
        }
    }

    /// The next of what WebSockets that are kept awake have brought while nobody
    /// listened. The others stay there: what is done with this one may panic.
    pub(super) fn next_unheard(&self) -> Option<JsValue> {
        (self.unheard.length() > 0).then(|| self.unheard.shift())
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
        for event in EVENTS {
            // It fails for no function.
            let listener = self.listener.as_ref().unchecked_ref();
            let _ = socket.add_event_listener_with_callback(event, listener);
        }
        self.tagged_awake(tag).push(socket);
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
        all.append(&mut self.all_awake());
        all
    }

    fn all_awake(&self) -> Vec<WebSocket> {
        let mut all = Vec::new();
        self.awake.for_each(&mut |sockets, _| {
            let sockets = sockets.unchecked_ref::<Array>().iter();
            all.extend(sockets.map(JsCast::unchecked_into::<WebSocket>));
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

/// A property of ours, which is made where it is missing.
fn own<T: JsCast>(state: &ObjectState, name: &str, make: impl FnOnce() -> T) -> T {
    state.own(name).dyn_into().unwrap_or_else(|_| {
        let value = make();
        state.set_own(name, value.as_ref());
        value
    })
}

/// What the runtime calls a hibernating WebSocket's object for by itself.
pub(super) fn handle_event(shell: &Rc<Shell>, event: &JsValue) {
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
