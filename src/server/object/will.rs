//! What becomes of everybody else when a handler panics.
//!
//! A panic aborts the wasm instance, and with it the memory of every object in
//! the isolate; the next call finds a new instance. While the panic is being
//! told, the memory is still whole: so each object writes down what is nowhere
//! else, as a property of its state on the JavaScript side, and is sent a
//! request, so that the new instance is made at once and takes up what was
//! left.

use core::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Once;

use dormouse_proto::engine::{ConnId, Data};
use js_sys::Uint8Array;
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast, JsValue};
use worker::Env;

use super::Shell;
use super::commands::Command;
use super::sessions::Entry;
use super::waiting::Kind;
use crate::app::app;
use crate::engine::Refused;
use crate::front;
use crate::http::Reply;
use crate::log::{Level, log};
use crate::sid::Key;

/// The name of that property.
const PROPERTY: &str = "dormouseWill";

/// What one instance leaves to the next.
#[derive(Serialize, Deserialize)]
struct Will {
    path: String,
    /// Sessions of which something is nowhere else, each with what is kept
    /// besides it.
    sessions: Vec<(Key, Vec<u8>, Vec<u8>)>,
    /// Namespaces that clients were about to join.
    joining: Vec<(Key, String)>,
    /// Messages that were not delivered yet.
    messages: Vec<(Key, Data<'static>)>,
    /// The handshake whose handler panicked.
    refused: Option<u64>,
}

/// Code of the application that is running.
struct Running {
    whose: Whose,
    /// The handshake that depends on it.
    conn: Option<ConnId>,
    event: &'static str,
}

enum Whose {
    /// `connect`, `message` and so on.
    Session(Weak<Shell>, Key),
    /// The front's, with what the objects can be called by from there.
    Front(Env),
}

thread_local! {
    /// The objects of this instance.
    static SHELLS: RefCell<Vec<Weak<Shell>>> = const { RefCell::new(Vec::new()) };
    /// The handler that is running.
    static RUNNING: RefCell<Option<Running>> = const { RefCell::new(None) };
}

/// Makes sure that an object's will is written when it comes to it.
pub(super) fn register(shell: &Rc<Shell>) {
    install_hook();
    SHELLS.with_borrow_mut(|shells| {
        shells.retain(|shell| shell.strong_count() > 0);
        shells.push(Rc::downgrade(shell));
    });
}

fn install_hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            handle_panic(&info.to_string());
            console_error_panic_hook::hook(info);
            before(info);
        }));
    });
}

/// Says whose handler is running, until it is dropped.
pub(super) fn running(
    shell: &Rc<Shell>,
    key: Key,
    conn: Option<ConnId>,
    event: &'static str,
) -> impl Drop {
    begin(Running {
        whose: Whose::Session(Rc::downgrade(shell), key),
        conn,
        event,
    })
}

/// Says that code of the application is running in the front, until it is
/// dropped.
pub(crate) fn running_fetch(env: &Env) -> impl Drop + use<> {
    install_hook();
    begin(Running {
        whose: Whose::Front(env.clone()),
        conn: None,
        event: "fetch",
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
    let shells = SHELLS.with_borrow(|shells| shells.clone());
    let shells: Vec<Rc<Shell>> = shells.iter().filter_map(Weak::upgrade).collect();
    for shell in &shells {
        shell.write_will(conn);
    }
    let Some(running) = running else {
        return;
    };
    let fields = [("handler", running.event), ("message", message)];
    let env = match running.whose {
        Whose::Session(shell, key) => shell.upgrade().map(|shell| {
            shell.log(Level::Error, "handler panicked", key, &fields);
            shell.env.clone()
        }),
        Whose::Front(env) => {
            log(Level::Error, Level::Error, "handler panicked", &fields);
            Some(env)
        }
    };
    for shell in shells.iter().filter(|shell| shell.is_in_use()) {
        shell.call(env.as_ref().unwrap_or(&shell.env));
    }
}

impl Shell {
    fn write_will(&self, refused: Option<ConnId>) {
        let (Ok(entries), Ok(undelivered)) =
            (self.entries.try_borrow(), self.undelivered.try_borrow())
        else {
            return;
        };
        let sessions = entries
            .iter()
            .filter(|(_, entry)| !entry.connecting)
            .filter(|(_, entry)| entry.unsaved || entry.session.socket().is_none())
            .map(|(key, entry)| (*key, entry.session.snapshot(), entry.content()))
            .collect();
        let joining = entries
            .iter()
            .flat_map(|(key, entry)| entry.joining().map(|namespace| (*key, namespace)))
            .collect();
        let queued = entries
            .iter()
            .flat_map(|(key, entry)| entry.queue.iter().map(|message| (*key, message.clone())));
        let will = Will {
            path: self
                .endpoint()
                .map(|endpoint| endpoint.options.path.clone())
                .unwrap_or_default(),
            sessions,
            joining,
            messages: queued.chain(undelivered.iter().cloned()).collect(),
            refused: refused.map(|conn| conn.0),
        };
        let bytes = postcard::to_allocvec(&will).unwrap_or_default();
        self.state.set_own(PROPERTY, &Uint8Array::from(&*bytes));
    }

    /// Whether anybody would notice if the object forgot everything.
    fn is_in_use(&self) -> bool {
        let idle = self
            .entries
            .try_borrow()
            .is_ok_and(|entries| entries.is_empty());
        !idle || !self.waiting.all().is_empty()
    }

    /// Sends the object a request, which makes the new instance.
    fn call(&self, env: &Env) {
        let Ok(objects) = front::object(&app(), env) else {
            return;
        };
        let object = objects
            .id_from_string(&self.id)
            .and_then(|id| objects.get(&id));
        let path = self
            .endpoint()
            .map(|endpoint| endpoint.options.path.clone())
            .unwrap_or_default();
        // If it cannot be called, the next event will do.
        let _ = object.and_then(|object| Command::Wake.ask(&object, &path));
    }

    /// Takes up what the instance before has left, if there was one.
    pub(super) fn take_up(&self) {
        self.sockets.close_rejected();
        let will = self.state.own(PROPERTY).dyn_into::<Uint8Array>().ok();
        let will: Option<Will> = will.and_then(|will| postcard::from_bytes(&will.to_vec()).ok());
        let mut refused = None;
        let mut messages = Vec::new();
        let mut joining = Vec::new();
        if let Some(will) = will {
            self.state.set_own(PROPERTY, &JsValue::UNDEFINED);
            self.adopt(app().endpoint_at(&will.path));
            for (key, session, content) in will.sessions {
                self.inherit(key, &session, &content);
            }
            joining = will.joining;
            refused = will.refused.map(ConnId);
            messages = will.messages;
        }
        self.event(|| {
            for (conn, kind) in self.waiting.all() {
                self.take_up_request(conn, kind, refused);
            }
            for (key, namespace) in joining {
                let is_joining =
                    |entry: &mut Entry| entry.joining().any(|other| other == namespace);
                // Restoring has broken off what was restored just now.
                if self.find(key) && self.with_entry(key, is_joining) == Some(true) {
                    self.break_off(key, &namespace);
                }
            }
            // All at once: the handler of one of them may panic again, and then the
            // others are in the next will.
            self.undelivered.borrow_mut().extend(messages);
            self.deliver_rest();
        });
        if let Some(shell) = self.me.upgrade() {
            self.sockets.take_brought(&shell);
        }
    }

    fn inherit(&self, key: Key, session: &[u8], content: &[u8]) {
        let sockets = self.sockets_of(key);
        let session = self.revive(session, &sockets);
        if let Some(mut entry) = session.and_then(|session| self.complete(session, Some(content))) {
            entry.unsaved = true;
            entry.stored = true;
            self.admit_entry(key, entry, sockets);
            self.touch(key);
        }
    }

    fn take_up_request(&self, conn: ConnId, kind: Kind, refused: Option<ConnId>) {
        match kind {
            Kind::Handshake if Some(conn) == refused => {
                self.waiting.answer(conn, Reply::from(Refused::default()));
            }
            Kind::Handshake => self.handle_request(conn, kind),
            Kind::Post => self.waiting.resume_body(conn),
            Kind::Upgrade => self
                .waiting
                .refuse(conn, dormouse_proto::engine::Refusal::BadRequest),
            Kind::Poll => match self.waiting.key(conn) {
                Some(key)
                    if self.with(key, |session| session.waiting_poll()) == Some(Some(conn)) =>
                {
                    self.waiting.watch(conn, key);
                }
                Some(_) | None => {
                    self.waiting
                        .refuse(conn, dormouse_proto::engine::Refusal::BadRequest);
                }
            },
        }
    }
}
