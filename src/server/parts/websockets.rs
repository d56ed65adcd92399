//! The WebSockets of one object.
//!
//! If the object can sleep, the runtime keeps them, and calls the object when one of
//! them brings something. If it never sleeps, because its heartbeats are too
//! frequent, they are kept awake: the runtime then releases a connection as soon as
//! it is closed, and not only when the object sleeps.

use core::cell::{Cell, RefCell};
use std::rc::Weak;

use dormouse_proto::engine::{LATE_POLL, Revision};
use dormouse_proto::sort_by_key;
use js_sys::{Array, Function, Map, Object, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::WebSocket;

use crate::platform::{self, ObjectState, SocketExt, sleep};
use crate::sid::{Key, tag};

/// Properties of the object's state: the WebSockets that are kept awake, by tag,
/// and what listens to them. As with requests, they outlive the wasm instance.
const AWAKE: &str = "dormouseSockets";
const LISTENER: &str = "dormouseListener";
/// The events that they have brought and no instance has taken yet.
const BROUGHT: &str = "dormouseBrought";

/// The events of a WebSocket that is kept awake.
const EVENTS: [&str; 3] = ["message", "close", "error"];

/// The tag of WebSockets that belong to no session.
const REJECTED: &str = "";

/// Handles the events of WebSockets.
pub(crate) trait Listener {
    /// Handles a message.
    fn handle_message(&self, socket: &WebSocket, message: &JsValue);

    /// Handles a WebSocket that the client has closed.
    fn handle_close(&self, socket: &WebSocket, code: u16);

    /// Handles a WebSocket that broke.
    fn handle_error(&self, socket: &WebSocket);

    /// Handles what WebSockets that are kept awake have brought:
    /// [`WebSockets::take_brought`].
    fn handle_brought(&self);
}

pub(crate) struct WebSockets {
    state: ObjectState,
    awake: Map,
    brought: Array,
    listener: Function,
    _handler: Closure<dyn FnMut()>,
    /// The revision whose heartbeats the runtime answers, as far as this instance
    /// knows.
    paired: Cell<Option<Revision>>,
    /// Those of sessions that are asleep, by session, as far as anybody has looked.
    asleep: RefCell<Vec<(Key, Option<WebSocket>)>>,
    /// The number of WebSockets of each revision, once this instance has had to know.
    open: Cell<Option<Open>>,
}

/// The number of hibernating WebSockets that have not been closed, by revision.
#[derive(Clone, Copy)]
struct Open {
    v3: usize,
    v4: usize,
}

impl Open {
    fn of(&mut self, revision: Revision) -> &mut usize {
        match revision {
            Revision::V3 => &mut self.v3,
            Revision::V4 => &mut self.v4,
        }
    }
}

impl WebSockets {
    pub(crate) fn new(state: &ObjectState, object: Weak<dyn Listener>) -> Self {
        let handler = Closure::<dyn FnMut()>::new(move || {
            if let Some(object) = object.upgrade() {
                object.handle_brought();
            }
        });
        // It is not called by the event itself: a listener that throws, as it does
        // if its handler panics, would end the object with all its WebSockets.
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
            paired: Cell::new(None),
            asleep: RefCell::default(),
            open: Cell::new(None),
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
                    // Neither can fail, because the listener is a function.
                    let _ = socket.remove_event_listener_with_callback(event, before);
                    let _ = socket.add_event_listener_with_callback(event, &self.listener);
                }
            }
        });
    }

    /// Accepts a WebSocket so that it survives sleep.
    ///
    /// # Errors
    ///
    /// The object has as many WebSockets as the platform allows.
    pub(crate) fn accept(
        &self,
        socket: &WebSocket,
        key: Key,
        revision: Revision,
    ) -> Result<(), JsValue> {
        let tags = [tag(key), revision_tag(revision).to_owned()];
        self.state.accept(socket, &tags)?;
        self.count(revision, |open| open + 1);
        self.pair(revision);
        Ok(())
    }

    fn count(&self, revision: Revision, change: impl FnOnce(usize) -> usize) {
        if let Some(mut open) = self.open.get() {
            let count = open.of(revision);
            *count = change(*count);
            self.open.set(Some(open));
        }
    }

    /// Returns how many WebSockets of each revision there are. The runtime is asked
    /// once: its answer takes as long as it has WebSockets.
    fn open(&self) -> Open {
        let count = |revision| {
            let sockets = self.state.sockets_tagged(revision_tag(revision));
            // A client that ignores our close frame keeps its WebSocket here.
            sockets.iter().filter(|socket| !is_closed(socket)).count()
        };
        let open = self.open.get().unwrap_or_else(|| Open {
            v3: count(Revision::V3),
            v4: count(Revision::V4),
        });
        self.open.set(Some(open));
        open
    }

    /// Returns how many WebSockets there are.
    pub(crate) fn count_open(&self) -> usize {
        let Open { v3, v4 } = self.open();
        v3 + v4
    }

    /// Has the runtime answer the heartbeats of the revision that has more
    /// WebSockets here, now that there is one more of this revision.
    fn pair(&self, revision: Revision) {
        if self.paired.get() == Some(revision) {
            return;
        }
        let request = self.state.auto_response();
        let known = [Revision::V3, Revision::V4];
        let paired = known
            .into_iter()
            .find(|known| request.as_deref() == Some(known.auto_response().0));
        let has_more = |one, other| {
            let mut open = self.open();
            *open.of(one) > *open.of(other)
        };
        let chosen = match paired {
            Some(other) if other != revision && !has_more(revision, other) => other,
            Some(_) | None => revision,
        };
        if paired != Some(chosen) {
            let (request, response) = chosen.auto_response();
            self.state.set_auto_response(request, response);
        }
        self.paired.set(Some(chosen));
    }

    /// Accepts a WebSocket in an object that never sleeps.
    pub(crate) fn accept_awake(&self, socket: &WebSocket, key: Key) {
        self.keep_awake(socket, &tag(key));
    }

    fn keep_awake(&self, socket: &WebSocket, tag: &str) {
        socket.accept_awake();
        // Events are stored on the JavaScript side first: whatever happens to this
        // instance, they are there for the next.
        let put_down = function(&self.brought, "push").map(|push| push.bind0(&self.brought));
        for event in EVENTS {
            // It cannot fail, because the listener is a function.
            if let Some(put_down) = &put_down {
                let _ = socket.add_event_listener_with_callback(event, put_down);
            }
            let _ = socket.add_event_listener_with_callback(event, &self.listener);
        }
        self.tagged_awake(tag).push(socket);
    }

    /// Takes the events that WebSockets that are kept awake have brought.
    pub(crate) fn take_brought(&self, object: &dyn Listener) {
        while self.brought.length() > 0 {
            handle_event(object, &self.brought.shift());
        }
    }

    /// Closes a WebSocket that no session wants, a moment after it was opened: what
    /// its client has sent on another one has to be handled first.
    ///
    /// It is kept awake for that long. A hibernating WebSocket that has not brought
    /// anything before the client's close frame would be released only when the object
    /// sleeps: kj's pipe between the connection and the object
    /// (`WebSocketPipeImpl::BlockedReceive::tryPumpFrom`) goes on reading behind the
    /// first frame it was waiting for, even if that was the close.
    pub(crate) fn reject(&self, socket: WebSocket) {
        self.keep_awake(&socket, REJECTED);
        let awake = self.awake.clone();
        platform::spawn(Box::pin(async move {
            sleep(LATE_POLL).await;
            forget_awake(&awake, &socket, REJECTED);
            retire(&socket, 1000);
        }));
    }

    /// Closes the WebSockets that an earlier instance has rejected.
    pub(crate) fn close_rejected(&self) {
        for socket in self.tagged_awake(REJECTED) {
            retire(socket.unchecked_ref(), 1000);
        }
        self.awake.delete(&REJECTED.into());
    }

    /// Forgets a WebSocket that is closed. The runtime itself forgets those that it
    /// keeps, as soon as their clients have closed them too.
    pub(crate) fn forget(&self, socket: &WebSocket, key: Key, revision: Revision) {
        forget_awake(&self.awake, socket, &tag(key));
        self.count(revision, |open| open.saturating_sub(1));
    }

    pub(crate) fn all(&self) -> Vec<WebSocket> {
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

    /// Takes note of the only WebSockets of sessions that are asleep.
    pub(crate) fn remember(&self, asleep: Vec<(Key, WebSocket)>) {
        let asleep = asleep.into_iter().map(|(key, socket)| (key, Some(socket)));
        let mut asleep: Vec<_> = asleep.collect();
        sort_by_key(&mut asleep, |(key, _)| *key);
        self.asleep.replace(asleep);
    }

    /// Returns the WebSocket of a session that was asleep, once.
    fn take_asleep(&self, key: Key) -> Option<WebSocket> {
        let mut asleep = self.asleep.borrow_mut();
        let place = asleep.binary_search_by_key(&key, |(other, _)| *other);
        asleep.get_mut(place.ok()?)?.1.take()
    }

    /// Returns the WebSockets of a session. The runtime is asked, unless the session has
    /// been asleep since somebody has looked at all of them.
    pub(crate) fn of_session(&self, key: Key) -> Vec<WebSocket> {
        if let Some(socket) = self.take_asleep(key) {
            return vec![socket];
        }
        let tag = &*tag(key);
        let mut tagged = self.state.sockets_tagged(tag);
        if self.awake.size() > 0 && self.awake.has(&tag.into()) {
            tagged.extend(self.tagged_awake(tag).iter().map(JsCast::unchecked_into));
        }
        tagged
    }

    fn tagged_awake(&self, tag: &str) -> Array {
        tagged_awake(&self.awake, tag)
    }
}

fn tagged_awake(awake: &Map, tag: &str) -> Array {
    awake.get(&tag.into()).dyn_into().unwrap_or_else(|_| {
        let sockets = Array::new();
        awake.set(&tag.into(), &sockets);
        sockets
    })
}

fn forget_awake(awake: &Map, socket: &WebSocket, tag: &str) {
    if awake.size() == 0 || !awake.has(&tag.into()) {
        return;
    }
    let others = tagged_awake(awake, tag).filter(&mut |other, _, _| !Object::is(&other, socket));
    if others.length() == 0 {
        awake.delete(&tag.into());
    } else {
        awake.set(&tag.into(), &others);
    }
}

/// Returns the tag of all WebSockets of a revision.
fn revision_tag(revision: Revision) -> &'static str {
    match revision {
        Revision::V3 => "revision 3",
        Revision::V4 => "revision 4",
    }
}

/// Returns whether a WebSocket has been closed from either side.
pub(crate) fn is_closed(socket: &WebSocket) -> bool {
    socket.ready_state() >= WebSocket::CLOSING
}

/// Closes a WebSocket that does not belong to a session any more, and ignores what
/// it may still bring: the runtime has no way to let go of it before its client has
/// closed it as well.
pub(crate) fn retire(socket: &WebSocket, code: u16) {
    // An empty attachment cannot be read.
    let _ = socket.set_attachment(&[]);
    socket.close_quietly(code);
}

fn bound(function: &Function, this: &JsValue, argument: &JsValue) -> Function {
    function.bind1(this, argument).unchecked_into()
}

fn function(thing: &JsValue, name: &str) -> Option<Function> {
    Reflect::get(thing, &name.into()).ok()?.dyn_into().ok()
}

/// Returns a property of ours, after creating it if it is missing.
fn own<T: JsCast>(state: &ObjectState, name: &str, make: impl FnOnce() -> T) -> T {
    state.own(name).dyn_into().unwrap_or_else(|_| {
        let value = make();
        state.set_own(name, value.as_ref());
        value
    })
}

/// Dispatches an event, as the runtime does for hibernating WebSockets.
fn handle_event(object: &dyn Listener, event: &JsValue) {
    let property = |name: &str| Reflect::get(event, &name.into()).unwrap_or_default();
    let Ok(socket) = property("target").dyn_into::<WebSocket>() else {
        return;
    };
    match property("type").as_string().as_deref() {
        Some("message") => object.handle_message(&socket, &property("data")),
        Some("close") => {
            let code = property("code").as_f64().unwrap_or_default();
            object.handle_close(&socket, code as u16);
        }
        Some(_) | None => object.handle_error(&socket),
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
