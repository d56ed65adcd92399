//! Running the application's handlers.
//!
//! A handler is polled once at once: most return without waiting, and then
//! nothing was queued anywhere. No borrow of the object's state is held while a
//! handler runs, so that it may do anything with any session.

use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Wake;

use dormouse_proto::engine::{ConnId, Data, Flush, Transport};
use futures::future::{AbortHandle, Abortable, Either, LocalBoxFuture, select};
use futures::task::AtomicWaker;
use web_sys::Request;

use super::sessions::Entry;
use super::{Shell, will};
use crate::client::Client;
use crate::engine::{HandlerError, Handshake, Message, Refused, sleep};
use crate::http::Reply;
use crate::log::Level;
use crate::platform;
use crate::sid::{Key, Sid};

/// The most messages of one client that may wait, or be waited over, at once. A
/// client that causes more than this is closed: each holds memory.
const MAX_MESSAGES: usize = 1_000;

/// The most bytes that these may have together.
const MAX_LOAD: usize = 16 << 20;

/// How long a client waits for the application to decide whether it wants it.
/// Then it is refused: few clients wait longer, and each waiting request keeps
/// the object awake.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// Clients come.
impl Shell {
    /// Asks the application whether it wants this client.
    pub(super) fn connect(&self, sid: Sid, conn: ConnId, request: Request) {
        let endpoint = self.endpoint();
        let handlers = endpoint.as_ref().and_then(|endpoint| endpoint.engine());
        let handler = handlers.and_then(|handlers| handlers.on_connect.clone());
        let Some((handler, shell)) = handler.zip(self.me.upgrade()) else {
            if let Some(application) = endpoint.as_ref().and_then(|endpoint| endpoint.io()) {
                self.open_io(sid.key(), application, &Handshake::new(&request));
            }
            return self.event(|| self.admit(sid.key(), conn));
        };
        // Not within the request's own call, which must return: see `will`.
        platform::spawn(Box::pin(async move {
            let client = Client::new(&shell, sid);
            let handler = handler(client, Handshake::new(&request));
            let traced = Traced {
                shell: shell.clone(),
                key: sid.key(),
                conn: Some(conn),
                event: "connect",
                handler,
            };
            match select(traced, Box::pin(sleep(CONNECT_LIMIT))).await {
                Either::Left((Ok(()), _)) => shell.event(|| shell.admit(sid.key(), conn)),
                Either::Left((Err(refused), _)) => shell.deny(sid.key(), conn, refused),
                Either::Right(_) => {
                    shell.log(Level::Warn, "connect handler dropped", sid.key(), &[]);
                    shell.deny(sid.key(), conn, Refused::default());
                }
            }
        }));
    }

    fn admit(&self, key: Key, conn: ConnId) {
        let transport = self.with_entry(key, |entry| {
            entry.connecting = false;
            entry.session.transport()
        });
        let transport = transport.flatten().map_or("none", Transport::as_str);
        self.log(Level::Info, "connect", key, &[("transport", transport)]);
        if self.with(key, |session| session.socket()).flatten() == Some(conn) {
            self.accept(key, conn, self.cookie(key));
        }
        self.drain(key);
        self.join_waiting(key);
        self.touch(key);
    }

    fn deny(&self, key: Key, conn: ConnId, refused: Refused) {
        self.log(Level::Info, "refuse", key, &[("data", &refused.body)]);
        let entry = self.entries.borrow_mut().remove(&key);
        entry
            .iter()
            .flat_map(|entry| &entry.tasks)
            .for_each(AbortHandle::abort);
        self.waiting.answer(conn, Reply::from(refused));
    }
}

/// When a message is to be handled.
pub(super) enum Turn {
    Now,
    /// When the handler of the message before has returned.
    Later,
    /// There are too many.
    Never,
}

impl Entry {
    /// Takes on a message of so many bytes, if there is room for it.
    pub(super) fn turn(&mut self, bytes: usize, in_order: bool) -> Turn {
        let messages = self.running + self.queue.len();
        let load = self.load + bytes;
        if messages > 0 && (messages >= MAX_MESSAGES || load > MAX_LOAD) {
            return Turn::Never;
        }
        self.load = load;
        if in_order && self.running > 0 {
            Turn::Later
        } else {
            Turn::Now
        }
    }
}

/// Messages come, clients go.
impl Shell {
    /// Delivers the messages of one payload, one after the other. Those that are
    /// still to come are known to `will`, if a handler before them panics.
    pub(super) fn deliver_all(&self, key: Key, messages: Vec<Message>) {
        let messages = messages.into_iter().map(|message| (key, message));
        self.undelivered.borrow_mut().extend(messages);
        self.deliver_rest();
    }

    /// Delivers what is yet to be delivered.
    pub(super) fn deliver_rest(&self) {
        loop {
            let next = self.undelivered.borrow_mut().pop_front();
            let Some((key, message)) = next else {
                return;
            };
            if self.find(key) {
                self.deliver(key, message);
                self.touch(key);
            }
        }
    }

    /// Hands a message to the application.
    pub(super) fn deliver(&self, key: Key, message: Data<'_>) {
        let Some(endpoint) = self.endpoint() else {
            return;
        };
        if endpoint.io().is_some() {
            return self.handle_io_message(key, message);
        }
        let message = message.into_owned();
        let Some(handler) = endpoint.engine().and_then(|it| it.on_message.as_ref()) else {
            return;
        };
        let in_order = endpoint.options.in_order;
        let bytes = message.len();
        let turn = self.with_entry(key, |entry| entry.turn(bytes, in_order));
        match turn.zip(self.client(key)) {
            Some((Turn::Now, client)) => {
                let handled = handler(client, message);
                self.run(key, "message", bytes, handled, move |shell, result| {
                    if let Err(HandlerError(message)) = result {
                        shell.log_failure(key, "message", &message);
                    }
                });
            }
            Some((Turn::Later, _)) => {
                self.with_entry(key, |entry| entry.queue.push_back(message));
            }
            Some((Turn::Never, _)) => self.overrun(key),
            None => {}
        }
    }

    /// A client sends faster than the application works.
    pub(super) fn overrun(&self, key: Key) {
        self.log(Level::Warn, "overrun", key, &[]);
        self.with(key, |session| session.close(self.now(), Flush::Nothing));
        self.touch(key);
    }

    /// If the session has ended, and what came before was dealt with: tells the
    /// application.
    pub(super) fn conclude(&self, key: Key) {
        let Some(endpoint) = self.endpoint() else {
            return;
        };
        let in_order = endpoint.options.in_order;
        let ended = self.with_entry(key, |entry| {
            if in_order && (entry.running > 0 || !entry.queue.is_empty()) {
                return None;
            }
            let reason = entry.ended.take()?;
            entry.tasks.drain(..).for_each(|task| task.abort());
            Some(reason)
        });
        let Some(reason) = ended.flatten() else {
            return;
        };
        if endpoint.io().is_some() {
            return self.lose_all(key, reason);
        }
        if let Some(client) = self.client(key)
            && let Some(handler) = endpoint.engine().and_then(|it| it.on_disconnect.as_ref())
        {
            let handled = handler(client, reason);
            self.run(key, "disconnect", 0, handled, move |shell, result| {
                if let Err(HandlerError(message)) = result {
                    shell.log_failure(key, "disconnect", &message);
                }
            });
        }
    }

    /// Does what is to be done with a session that is about to end, before
    /// anything else happens.
    pub(super) fn conclude_now(&self, key: Key) {
        self.drain(key);
        self.conclude(key);
    }

    fn client(&self, key: Key) -> Option<Client> {
        Some(Client::new(&self.me.upgrade()?, self.sid(key)?))
    }

    /// Calls something of the application that returns at once.
    pub(super) fn guarded<T>(&self, key: Key, event: &'static str, call: impl FnOnce() -> T) -> T {
        let shell = self.me.upgrade();
        let _running = shell
            .as_ref()
            .map(|shell| will::running(shell, key, None, event));
        call()
    }

    /// Runs a handler as far as it goes without waiting; the rest of it goes on
    /// beside everything else. In the end, `finish` takes what came of it.
    pub(super) fn run<T: 'static>(
        &self,
        key: Key,
        event: &'static str,
        bytes: usize,
        handler: LocalBoxFuture<'static, T>,
        finish: impl FnOnce(&Self, T) + 'static,
    ) {
        self.run_until(None, key, event, bytes, handler, |shell, result| {
            if let Some(result) = result {
                finish(shell, result);
            }
        });
    }

    /// The same for a handler that is dropped when it takes longer than `limit`:
    /// then there is no result.
    pub(super) fn run_within<T: 'static>(
        &self,
        limit: Duration,
        key: Key,
        event: &'static str,
        handler: LocalBoxFuture<'static, T>,
        finish: impl FnOnce(&Self, Option<T>) + 'static,
    ) {
        self.run_until(Some(limit), key, event, 0, handler, finish);
    }

    fn run_until<T: 'static>(
        &self,
        limit: Option<Duration>,
        key: Key,
        event: &'static str,
        bytes: usize,
        handler: LocalBoxFuture<'static, T>,
        finish: impl FnOnce(&Self, Option<T>) + 'static,
    ) {
        let Some(shell) = self.me.upgrade() else {
            return;
        };
        self.with_entry(key, |entry| entry.running += 1);
        let mut traced = Traced {
            shell: shell.clone(),
            key,
            conn: None,
            event,
            handler,
        };
        let relay = Arc::new(Relay::default());
        let waker = Waker::from(relay.clone());
        if let Poll::Ready(result) = Pin::new(&mut traced).poll(&mut Context::from_waker(&waker)) {
            finish(self, Some(result));
            return self.handle_end(key, bytes);
        }
        platform::spawn(Box::pin(async move {
            let result = poll_fn(|context| {
                relay.task.register(context.waker());
                Pin::new(&mut traced).poll(&mut Context::from_waker(&waker))
            });
            let result = match limit {
                None => Some(result.await),
                Some(limit) => match select(result, Box::pin(sleep(limit))).await {
                    Either::Left((result, _)) => Some(result),
                    Either::Right(_) => None,
                },
            };
            shell.event(|| {
                finish(&shell, result);
                shell.handle_end(key, bytes);
            });
        }));
    }

    /// A handler that took its time has returned.
    fn handle_end(&self, key: Key, bytes: usize) {
        self.with_entry(key, |entry| entry.running = entry.running.saturating_sub(1));
        self.handle_return(key, bytes);
    }

    pub(super) fn log_failure(&self, key: Key, event: &str, message: &str) {
        let fields = [("handler", event), ("message", message)];
        self.log(Level::Error, "handler failed", key, &fields);
    }

    /// A message that was taken on is dealt with: the next one, if one waits.
    pub(super) fn handle_return(&self, key: Key, bytes: usize) {
        let next = self.with_entry(key, |entry| {
            let next = entry.queue.pop_front();
            // It is taken on once more when it is delivered.
            let queued = next.as_ref().map_or(0, Message::len);
            entry.load = entry.load.saturating_sub(bytes + queued);
            next
        });
        if let Some(message) = next.flatten() {
            self.deliver(key, message);
        }
        self.touch(key);
    }

    /// Runs a task of the application for as long as its client is there, and no
    /// longer than the limit.
    pub(crate) fn spawn(self: &Rc<Self>, key: Key, task: impl Future<Output = ()> + 'static) {
        let limit = self
            .endpoint()
            .map_or_else(Default::default, |endpoint| endpoint.options.task_limit);
        let (abort, registration) = AbortHandle::new_pair();
        if self
            .with_entry(key, |entry| {
                entry.tasks.retain(|task| !task.is_aborted());
                entry.tasks.push(abort.clone());
            })
            .is_none()
        {
            return;
        }
        let shell = self.clone();
        let handler: LocalBoxFuture<'static, ()> = Box::pin(task);
        let traced = Traced {
            shell: self.clone(),
            key,
            conn: None,
            event: "task",
            handler,
        };
        platform::spawn(Box::pin(async move {
            let limited = select(traced, Box::pin(sleep(limit)));
            if let Ok(Either::Right(_)) = Abortable::new(limited, registration).await {
                shell.log(
                    Level::Warn,
                    "task dropped",
                    key,
                    &[("option", "task_limit")],
                );
            }
            abort.abort();
        }));
    }
}

/// Wakes whichever task polls a handler. A handler is polled once before it has
/// a task, and some futures keep the first waker that they are given.
#[derive(Default)]
struct Relay {
    task: AtomicWaker,
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.task.wake();
    }
}

/// A handler that is known by session and event while it runs, so that a panic
/// can be told of, and whose changes are settled whenever it pauses.
struct Traced<T> {
    shell: Rc<Shell>,
    key: Key,
    /// The handshake that depends on it.
    conn: Option<ConnId>,
    event: &'static str,
    handler: LocalBoxFuture<'static, T>,
}

impl<T> Future for Traced<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let shell = self.shell.clone();
        shell.event(|| {
            let _running = will::running(&shell, self.key, self.conn, self.event);
            self.handler.as_mut().poll(context)
        })
    }
}
