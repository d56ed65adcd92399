//! A layer that decides what tests want it to decide, and writes down what it is told.

use core::cell::{Cell, RefCell};
use std::rc::Rc;

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{Data, Reason};
use dormouse_proto::rate::Class;

use crate::api::engine::Message;
use crate::layer::{Content, Layer, Opening, Ringing};
use crate::parts::Layered;
use crate::port::{Called, PortError, Request};
use crate::request::StoredHandshake;
use crate::sid::Key;

pub(crate) struct FakeLayer {
    /// What is kept of each session.
    pub(crate) content: RefCell<Vec<u8>>,
    /// Whether that has changed.
    pub(crate) changed: Cell<bool>,
    /// Whether sessions can be restored.
    pub(crate) restores: Cell<bool>,
    /// What it has of each client.
    pub(crate) weight: Cell<Layered>,
    pub(crate) is_busy: Cell<bool>,
    pub(crate) is_ready_to_close: Cell<bool>,
    pub(crate) deadline: Cell<Option<Timestamp>>,
    /// Messages that wait for their turn.
    pub(crate) queued: RefCell<Vec<(Key, Message)>>,
    heard: RefCell<Vec<String>>,
}

impl Default for FakeLayer {
    fn default() -> Self {
        Self {
            content: RefCell::new(b"content".to_vec()),
            changed: Cell::new(false),
            restores: Cell::new(true),
            weight: Cell::default(),
            is_busy: Cell::new(false),
            is_ready_to_close: Cell::new(true),
            deadline: Cell::new(None),
            queued: RefCell::default(),
            heard: RefCell::default(),
        }
    }
}

impl FakeLayer {
    fn hear(&self, what: impl Into<String>) {
        self.heard.borrow_mut().push(what.into());
    }

    /// What was told since this was last asked.
    pub(crate) fn take_heard(&self) -> String {
        self.heard.take().join("; ")
    }
}

impl Content for FakeLayer {
    fn forget(&self, key: Key) {
        self.hear(format!("forget {}", key[0]));
    }

    fn content(&self, _key: Key) -> Vec<u8> {
        self.content.borrow().clone()
    }

    fn weigh(&self, _key: Key) -> Layered {
        self.weight.get()
    }

    fn take_changed(&self, _key: Key) -> bool {
        self.changed.take()
    }

    fn must_be_handed_over(&self, _key: Key) -> bool {
        self.changed.get()
    }

    fn restore(&self, key: Key, content: Option<&[u8]>) -> bool {
        let content = content.map(String::from_utf8_lossy);
        self.hear(format!("restore {} {content:?}", key[0]));
        self.restores.get()
    }
}

impl Layer for FakeLayer {
    fn open(&self, opening: Opening) {
        self.hear(format!("open {}", opening.key[0]));
    }

    fn classify(&self, _key: Key, _data: &Data<'_>) -> Class {
        Class::Whole
    }

    fn drop_message(&self, key: Key, _data: Data<'_>) {
        self.hear(format!("drop {}", key[0]));
    }

    fn handshake(&self, _key: Key) -> Option<Rc<StoredHandshake>> {
        None
    }

    fn handle_message(&self, key: Key, data: Data<'_>) {
        self.hear(format!("message {} {data:?}", key[0]));
    }

    fn is_ready_to_close(&self, _key: Key) -> bool {
        self.is_ready_to_close.get()
    }

    fn handle_closed(&self, key: Key, reason: Reason) {
        self.hear(format!("closed {} {reason}", key[0]));
    }

    fn handle_timeout(&self, key: Key) {
        self.hear(format!("timeout {}", key[0]));
    }

    fn next_deadline(&self, _key: Key) -> Option<Timestamp> {
        self.deadline.get()
    }

    fn finish(&self, key: Key) {
        self.hear(format!("finish {}", key[0]));
    }

    fn save_all(&self) -> Vec<Key> {
        Vec::new()
    }

    fn is_busy(&self, _key: Key) -> bool {
        self.is_busy.get()
    }

    fn resume(&self, key: Key) {
        self.hear(format!("resume {}", key[0]));
    }

    fn queued(&self) -> Vec<(Key, Message)> {
        self.queued.borrow().clone()
    }

    fn handle_alarm(&self) -> Option<Timestamp> {
        None
    }

    fn tell_of_usage(&self) {}

    fn ring(&self, ringing: Ringing) -> bool {
        self.hear(format!("ring {}", ringing.name));
        (ringing.finish)();
        true
    }

    fn call(&self, _request: Request<'_>) -> Called {
        PortError::Gone.into()
    }
}
