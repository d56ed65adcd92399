//! Engine.IO alone: messages go to the application as they are.

use core::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{ConnId, Data, Flush, Reason};
use dormouse_proto::rate::Class;
use dormouse_proto::versioned;
use serde::{Deserialize, Serialize};

use super::called::{self, finish, log_failure};
use super::{Content, Layer, Opening, Ringing};
use crate::api::client::Client;
use crate::api::endpoint::Endpoint;
use crate::api::engine::{EngineHandlers, Message, Refusal};
use crate::api::{Alarm, Call, CloseContext, EngineAlarmContext, MessageContext, OpenContext};
use crate::log::Level;
use crate::parts::{self, CONNECT_LIMIT, Job, Layered, Parts, Work, opening};
use crate::port::{Called, LocalPort, PortError, Reply, Request};
use crate::request::StoredHandshake;
use crate::sid::Key;
use crate::table::Table;

/// The layer of an Engine.IO server.
pub(super) struct Messages {
    me: Weak<Messages>,
    handlers: Rc<EngineHandlers>,
    endpoint: Rc<Endpoint>,
    parts: Rc<Parts>,
    port: Weak<dyn LocalPort>,
    entries: RefCell<Table<Key, ClientEntry>>,
}

/// A client's state besides its session.
#[derive(Default)]
struct ClientEntry {
    /// The user session, as JSON.
    data: Option<String>,
    changed: bool,
    work: Work,
    /// Messages that wait for the previous one's handler (`in_order`).
    queue: VecDeque<Message>,
}

/// The layout of what is stored. Another number is another layout.
const VERSION: u8 = 1;

/// What is stored of it.
#[derive(Serialize)]
struct Storing<'a> {
    data: Option<&'a str>,
}

/// The same, read back.
#[derive(Deserialize)]
struct Stored {
    data: Option<String>,
}

impl Messages {
    pub(super) fn new(
        handlers: &Rc<EngineHandlers>,
        endpoint: &Rc<Endpoint>,
        parts: &Rc<Parts>,
        port: Weak<dyn LocalPort>,
    ) -> Rc<Self> {
        Rc::new_cyclic(|me| Self {
            me: me.clone(),
            handlers: handlers.clone(),
            endpoint: endpoint.clone(),
            parts: parts.clone(),
            port,
            entries: RefCell::default(),
        })
    }

    fn with<T>(&self, key: Key, change: impl FnOnce(&mut ClientEntry) -> T) -> Option<T> {
        self.entries.borrow_mut().get_mut(key).map(change)
    }

    fn client(&self, key: Key) -> Option<Client> {
        let port = self.port.upgrade()?;
        Some(Client::new(port, &self.endpoint, self.parts.sid(key)?))
    }

    /// Calls the handler of a message.
    fn run_handler(&self, key: Key, message: Message) {
        let Some((client, handler)) = self.client(key).zip(self.handlers.on_message.as_ref())
        else {
            return;
        };
        let bytes = message.len();
        self.with(key, |entry| entry.work.begin());
        let job = Job::droppable(key, "message");
        let mut context = MessageContext::new(&client, message);
        let called = parts::guarded(&self.parts, job, || handler(&mut context));
        let me = self.me.clone();
        finish(&self.parts, job, called, move || {
            if let Some(me) = me.upgrade() {
                me.handle_return(key, bytes);
            }
        });
    }

    /// Handles the end of a message's handler: takes the next message, if one waits.
    fn handle_return(&self, key: Key, bytes: usize) {
        let next = self.with(key, |entry| {
            entry.work.end();
            entry.work.put_down(bytes);
            entry.queue.pop_front()
        });
        if let Some(message) = next.flatten() {
            self.run_handler(key, message);
        }
        self.parts.turn.mark_dirty(key);
    }

    fn decide(&self, job: Job, conn: ConnId, decided: Option<Result<(), Refusal>>) {
        let refusal = match decided {
            Some(Ok(())) => return opening::admit(&self.parts, job.key, conn),
            Some(Err(refusal)) => refusal,
            None => {
                let what = "connect handler dropped";
                self.parts.log(Level::Warn, what, job.key, &[]);
                Refusal::default()
            }
        };
        if refusal.is_internal() {
            log_failure(&self.parts, job, &refusal.failure);
        }
        let fields = [("data", &*refusal.body())];
        self.parts.log(Level::Info, "refuse", job.key, &fields);
        opening::deny(&self.parts, job.key, conn, refusal.reply());
    }
}

impl Content for Messages {
    fn forget(&self, key: Key) {
        self.entries.borrow_mut().remove(key);
    }

    fn content(&self, key: Key) -> Vec<u8> {
        let content = self.with(key, |entry| {
            let content = Storing {
                data: entry.data.as_deref(),
            };
            versioned::encode(VERSION, &content)
        });
        content.unwrap_or_default()
    }

    fn weigh(&self, key: Key) -> Layered {
        let held = |entry: &mut ClientEntry| {
            let data = entry.data.as_ref().map_or(0, String::len);
            entry.work.held_bytes().saturating_add(data)
        };
        Layered {
            held: self.with(key, held).unwrap_or_default(),
            kept: 0,
        }
    }

    fn take_changed(&self, key: Key) -> bool {
        let changed = |entry: &mut ClientEntry| core::mem::take(&mut entry.changed);
        self.with(key, changed) == Some(true)
    }

    fn must_be_handed_over(&self, key: Key) -> bool {
        let entries = self.entries.try_borrow();
        entries.is_ok_and(|entries| entries.get(key).is_some_and(|entry| entry.changed))
    }

    fn restore(&self, key: Key, content: Option<&[u8]>) -> bool {
        let content = content.and_then(|content| versioned::decode(VERSION, content).ok());
        let entry = ClientEntry {
            data: content.and_then(|content: Stored| content.data),
            ..ClientEntry::default()
        };
        self.entries.borrow_mut().insert(key, entry);
        true
    }
}

impl Layer for Messages {
    fn open(&self, opening: Opening) {
        let Opening { key, conn, request } = opening;
        self.entries
            .borrow_mut()
            .insert(key, ClientEntry::default());
        let handler = self.handlers.on_connect.as_ref();
        let Some((client, handler)) = self.client(key).zip(handler) else {
            return opening::admit(&self.parts, key, conn);
        };
        let job = Job {
            conn: Some(conn),
            limit: Some(CONNECT_LIMIT),
            ..Job::droppable(key, "connect")
        };
        let handler = handler.clone();
        let handled = Box::pin(async move {
            match handler(&mut OpenContext::new(&client, &request))? {
                Call::Done(decision) => decision,
                Call::Later(future) => future.await,
            }
        });
        let me = self.me.clone();
        parts::run_later(&self.parts, job, handled, move |decided| {
            if let Some(me) = me.upgrade() {
                me.parts.turn.run(|| me.decide(job, conn, decided));
            }
        });
    }

    fn classify(&self, _key: Key, _data: &Data<'_>) -> Class {
        Class::Whole
    }

    fn drop_message(&self, _key: Key, _data: Data<'_>) {}

    fn handshake(&self, _key: Key) -> Option<Rc<StoredHandshake>> {
        None
    }

    fn handle_message(&self, key: Key, data: Data<'_>) {
        if self.handlers.on_message.is_none() {
            return;
        }
        let message = data.into_owned();
        let in_order = self.endpoint.options.in_order;
        let bytes = message.len();
        let now = self.with(key, |entry| {
            if !entry.work.take_on(bytes) {
                return Err(());
            }
            if in_order && entry.work.is_running() {
                entry.queue.push_back(message);
                return Ok(None);
            }
            Ok(Some(message))
        });
        match now {
            Some(Ok(Some(message))) => self.run_handler(key, message),
            Some(Err(())) => parts::expel(&self.parts, key, Reason::Overrun),
            Some(Ok(None)) | None => {}
        }
    }

    fn is_ready_to_close(&self, key: Key) -> bool {
        let in_order = self.endpoint.options.in_order;
        let waits = |entry: &mut ClientEntry| entry.work.is_running() || !entry.queue.is_empty();
        !(in_order && self.with(key, waits) == Some(true))
    }

    fn handle_closed(&self, key: Key, reason: Reason) {
        let handler = self.handlers.on_disconnect.as_ref();
        let Some((client, handler)) = self.client(key).zip(handler) else {
            return;
        };
        self.with(key, |entry| entry.work.begin());
        let job = Job::new(key, "disconnect");
        let mut context = CloseContext::new(&client, reason);
        let called = parts::guarded(&self.parts, job, || handler(&mut context));
        let me = self.me.clone();
        finish(&self.parts, job, called, move || {
            if let Some(me) = me.upgrade() {
                me.with(key, |entry| entry.work.end());
                me.parts.turn.mark_dirty(key);
            }
        });
    }

    fn handle_timeout(&self, _key: Key) {}

    fn next_deadline(&self, _key: Key) -> Option<Timestamp> {
        None
    }

    fn finish(&self, _key: Key) {}

    fn save_all(&self) -> Vec<Key> {
        Vec::new()
    }

    fn is_busy(&self, key: Key) -> bool {
        let is_busy = |entry: &mut ClientEntry| entry.work.is_running() || !entry.queue.is_empty();
        self.with(key, is_busy) == Some(true)
    }

    fn resume(&self, _key: Key) {}

    fn queued(&self) -> Vec<(Key, Message)> {
        let mut queued = Vec::new();
        if let Ok(entries) = self.entries.try_borrow() {
            for (key, entry) in entries.iter() {
                queued.extend(entry.queue.iter().map(|message| (key, message.clone())));
            }
        }
        queued
    }

    fn handle_alarm(&self) -> Option<Timestamp> {
        None
    }

    fn ring(&self, ringing: Ringing) -> bool {
        let handler = self.handlers.alarms.find(&ringing.name);
        let Some(((handler, params), port)) = handler.zip(self.port.upgrade()) else {
            return false;
        };
        let alarm = Alarm::new(&ringing.name, ringing.due, params, port.clone());
        super::ringing::ring(&self.parts, ringing, || {
            handler(&mut EngineAlarmContext::new(&port, &self.endpoint, &alarm))
        });
        true
    }

    fn tell_of_usage(&self) {
        if let Some(tell) = &self.handlers.on_usage {
            called::tell_of_usage(&self.parts, &self.port, &|port| {
                tell.call(port, &self.endpoint)
            });
        }
    }

    fn call(&self, request: Request<'_>) -> Called {
        let parts = &self.parts;
        let found = |key| parts.sessions.find(key);
        let done = |done: bool| {
            if done {
                Ok(Reply::Done)
            } else {
                Err(PortError::Gone)
            }
        };
        let reply = match request {
            Request::Send(key, data) => done(found(key) && parts::send(parts, key, data)),
            Request::Close(key) => done(found(key) && parts::close(parts, key, Flush::All)),
            Request::CloseAll => {
                parts.sessions.restore_all();
                for key in parts.sessions.keys() {
                    parts::close(parts, key, Flush::All);
                }
                Ok(Reply::Done)
            }
            Request::Transport(key) if found(key) => {
                let transport = parts::transport(parts, key);
                transport.map(Reply::Transport).ok_or(PortError::Gone)
            }
            Request::UserSession(key) if found(key) => {
                let data = self.with(key, |entry| entry.data.clone());
                data.map(Reply::Json).ok_or(PortError::Gone)
            }
            Request::SetUserSession(key, update) if found(key) => {
                let set = self.with(key, |entry| match update.apply(entry.data.as_deref()) {
                    Ok(data) => {
                        entry.data = Some(data);
                        entry.changed = true;
                        Reply::Done
                    }
                    Err(kept) => kept,
                });
                parts.turn.mark_dirty(key);
                set.ok_or(PortError::Gone)
            }
            Request::Transport(_)
            | Request::UserSession(_)
            | Request::SetUserSession(..)
            | Request::Alarm(..)
            | Request::Cluster(_)
            | Request::Operate(..)
            | Request::Look(..)
            | Request::SetData(..)
            | Request::Acknowledge(..)
            | Request::Census => Err(PortError::Gone),
        };
        reply.into()
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
