//! The hand-over to the next wasm instance when a handler panics.
//!
//! A panic aborts the wasm instance, and with it the memory of every object in the
//! isolate; the next call finds a new instance. While the panic is being reported,
//! the memory is still whole. So each object writes down what is nowhere else, as a
//! property of its state on the JavaScript side, and is called, so that the
//! new instance is made at once and takes up what was left.

use core::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Once;

use dormouse_proto::engine::{ConnId, Data, Reason};
use dormouse_proto::{bytes, versioned};
use js_sys::Uint8Array;
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast as _, JsValue};
use worker::Env;

use super::set::Parts;
use super::tasks::Job;
use crate::log::{Level, Log, log, loggers};
use crate::platform::ObjectState;
use crate::sid::Key;
use crate::tracing;

/// The name of that property.
const PROPERTY: &str = "dormouseHandover";

/// The layout of what is in it. Another number is another layout.
const VERSION: u8 = 2;

/// The state that one instance leaves to the next.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Handover {
    pub(crate) path: String,
    /// Sessions of which something is nowhere else.
    pub(crate) sessions: Vec<HandedOver>,
    /// Messages that have not been delivered yet.
    pub(crate) messages: Vec<(Key, Data<'static>)>,
    /// The handshake whose handler panicked.
    pub(crate) refused: Option<u64>,
    /// What the layer remembers of other objects.
    #[serde(with = "bytes")]
    pub(crate) marks: Vec<u8>,
}

/// A session of which something is nowhere else.
#[derive(Serialize, Deserialize)]
pub(crate) struct HandedOver {
    pub(crate) key: Key,
    #[serde(with = "bytes")]
    pub(crate) session: Vec<u8>,
    /// The layer's content.
    #[serde(with = "bytes")]
    pub(crate) content: Vec<u8>,
    /// The reason it has ended, if the application has not been told yet.
    pub(crate) ended: Option<Reason>,
}

impl Handover {
    pub(crate) fn write(&self, state: &ObjectState) {
        let bytes = versioned::encode(VERSION, self);
        state.set_own(PROPERTY, &Uint8Array::from(&*bytes));
    }

    /// Takes what the previous instance has left, if there was one.
    pub(crate) fn take(state: &ObjectState) -> Option<Self> {
        let bytes = state.own(PROPERTY).dyn_into::<Uint8Array>().ok()?;
        state.set_own(PROPERTY, &JsValue::UNDEFINED);
        versioned::decode(VERSION, &bytes.to_vec()).ok()
    }
}

/// An object, or a request that waits in the front: it has something to do when the
/// instance ends.
pub(crate) trait HandsOver {
    /// Writes down what is nowhere else, or answers what nobody will.
    fn hand_over(&self, refused: Option<ConnId>);

    /// Sends the object a request, which makes the new instance, unless the object
    /// holds nothing.
    fn make_next(&self, env: &Env);
}

/// Code of the application that is running.
struct Running {
    whose: Whose,
    /// The handshake that depends on it.
    conn: Option<ConnId>,
    event: &'static str,
}

enum Whose {
    /// A handler: `connect`, `message` and so on.
    Session(Weak<Parts>, Key),
    /// Nobody's in particular, as in the front: the bindings through which the objects can
    /// be called.
    Nobody(Env),
}

thread_local! {
    /// The objects of this instance, and what waits in the front.
    static OBJECTS: RefCell<Vec<Weak<dyn HandsOver>>> = const { RefCell::new(Vec::new()) };
    /// The handler that is running.
    static RUNNING: RefCell<Option<Running>> = const { RefCell::new(None) };
}

/// Registers an object or a request, so that it hands over if there is a panic.
pub(crate) fn register(object: Weak<dyn HandsOver>) {
    install_hook();
    OBJECTS.with_borrow_mut(|objects| {
        objects.retain(|object| object.strong_count() > 0);
        objects.push(object);
    });
}

fn install_hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            loggers::begin_end();
            tracing::end();
            handle_panic(&info.to_string());
            console_error_panic_hook::hook(info);
            loggers::end();
            before(info);
        }));
    });
}

/// Notes whose handler is running, until the result is dropped.
pub(crate) fn running(parts: &Rc<Parts>, job: Job) -> impl Drop + use<> {
    begin(Running {
        whose: Whose::Session(Rc::downgrade(parts), job.key),
        conn: job.conn,
        event: job.event,
    })
}

/// Notes that code of the application is running in the front, and under which name,
/// until the result is dropped.
pub(crate) fn running_in_front(env: &Env, event: &'static str) -> impl Drop + use<> {
    install_hook();
    begin(Running {
        whose: Whose::Nobody(env.clone()),
        conn: None,
        event,
    })
}

/// Notes that a function of the application's runs that its options hold, until the result
/// is dropped.
pub(crate) fn running_hook(env: &Env, event: &'static str) -> impl Drop + use<> {
    begin(Running {
        whose: Whose::Nobody(env.clone()),
        conn: None,
        event,
    })
}

fn begin(running: Running) -> impl Drop {
    struct Guard(Option<Running>);
    impl Drop for Guard {
        fn drop(&mut self) {
            RUNNING.replace(self.0.take());
        }
    }
    Guard(RUNNING.replace(Some(running)))
}

fn handle_panic(message: &str) {
    let running = RUNNING.take();
    let conn = running.as_ref().and_then(|running| running.conn);
    let objects = OBJECTS.with_borrow(|objects| objects.clone());
    let objects: Vec<Rc<dyn HandsOver>> = objects.iter().filter_map(Weak::upgrade).collect();
    for object in &objects {
        object.hand_over(conn);
    }
    let Some(running) = running else {
        return;
    };
    let fields = [("handler", running.event), ("message", message)];
    let env = match running.whose {
        Whose::Session(parts, key) => parts.upgrade().map(|parts| {
            parts.log(Level::Error, "handler panicked", key, &fields);
            parts.env.clone()
        }),
        Whose::Nobody(env) => {
            log(&Log::default(), Level::Error, "handler panicked", &fields);
            Some(env)
        }
    };
    if let Some(env) = env {
        for object in &objects {
            object.make_next(&env);
        }
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
