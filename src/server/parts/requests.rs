//! HTTP requests that wait for their answers.
//!
//! They are kept on the JavaScript side, as a property of the object's state. So
//! they outlive the wasm instance, which a panic in any handler replaces, and the
//! next instance can answer them.

use core::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use dormouse_proto::engine::{BodyError, ConnId, Format, Frame, RequestError, Revision, jsonp};
use js_sys::{Array, Function, Map, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Request, Response};
use worker::Env;

use super::handover::running_hook;
use crate::http::{self, Reply};
use crate::incoming::Incoming;
use crate::options::Options;
use crate::platform::{self, ObjectState};
use crate::query::{self, Query};
use crate::sid::{Key, Sid};
use crate::table::Table;

/// The name of that property.
const PROPERTY: &str = "dormouseWaiting";

/// The kind of a waiting request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Handshake,
    Upgrade,
    Poll,
    Post,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Handshake, Self::Upgrade, Self::Poll, Self::Post];
}

/// A request, parsed once.
#[derive(Clone)]
pub(crate) struct Parsed {
    pub(crate) request: Incoming,
    /// The options of the server it is for.
    pub(crate) options: Rc<Options>,
    pub(crate) kind: Kind,
    pub(crate) sid: Option<Sid>,
    /// The revision it names; `Some(None)` if we do not speak it.
    pub(crate) revision: Option<Option<Revision>>,
    /// It is to become a WebSocket.
    pub(crate) upgrades: bool,
    /// Its client does not accept binary (revision 3).
    pub(crate) b64: bool,
    /// The format in which it wants the answer to its poll.
    pub(crate) format: Format,
}

impl Parsed {
    /// Parses a request. Returns `None` if it is not for one of the servers.
    pub(crate) fn read(
        mut request: Incoming,
        options_at: impl FnOnce(&str) -> Option<Rc<Options>>,
    ) -> Option<Self> {
        let (path, query) = query::split(request.url());
        let options = options_at(path)?;
        let query = Query::parse(query);
        let sid = query.session();
        let upgrades = http::is_upgrade(&request);
        let kind = match sid {
            None => Kind::Handshake,
            Some(_) if upgrades => Kind::Upgrade,
            Some(_) if request.method() == "POST" => Kind::Post,
            Some(_) => Kind::Poll,
        };
        let (sid, revision) = (sid.and_then(Sid::parse), query.revision());
        let (format, b64) = (format(&query), query.b64.is_some_and(|b64| !b64.is_empty()));
        if kind != Kind::Handshake {
            request.forget_url();
        }
        Some(Self {
            request,
            options,
            kind,
            sid,
            revision,
            format,
            upgrades,
            b64,
        })
    }
}

/// Returns the format in which a client wants the answer to its poll.
fn format(query: &Query) -> Format {
    match &query.j {
        Some(j) => Format::Jsonp(jsonp::JsonpIndex::from_query(j)),
        None if query.t.is_some() => Format::Bytes,
        None => Format::Any,
    }
}

/// Handles what happens to requests.
pub(crate) trait Receiver {
    /// Handles the body of a `POST`, or its absence.
    fn handle_body(&self, key: Key, conn: ConnId, body: Result<Frame<'static>, BodyError>);

    /// Handles a client that has dropped its held poll.
    fn handle_abort(&self, conn: ConnId);
}

/// The waiting requests of one object.
pub(crate) struct Requests {
    object: Weak<dyn Receiver>,
    /// Number → `[kind, request, resolve, body, key, is answered]`.
    map: Map,
    /// What this instance knows of them, so as not to ask the map again.
    known: RefCell<Table<ConnId, Known>>,
    options_at: fn(&str) -> Option<Rc<Options>>,
    env: Env,
    /// Called when a client drops its poll: one listener for all of them.
    listener: Closure<dyn FnMut(JsValue)>,
    /// The number of the last connection.
    last: Cell<Option<u64>>,
}

/// A request in the map that this instance has parsed.
struct Known {
    parsed: Rc<Parsed>,
    entry: Array,
    /// What answers it, if that has not been asked of the entry.
    resolve: Option<Function>,
}

/// The places in an entry of the map.
const KIND: u32 = 0;
const REQUEST: u32 = 1;
const RESOLVE: u32 = 2;
const BODY: u32 = 3;
const KEY: u32 = 4;
/// Its answer is being made.
const IS_ANSWERED: u32 = 5;

impl Requests {
    pub(crate) fn new(
        state: &ObjectState,
        env: &Env,
        options_at: fn(&str) -> Option<Rc<Options>>,
        object: Weak<dyn Receiver>,
    ) -> Self {
        let map = state.own(PROPERTY).dyn_into::<Map>().unwrap_or_else(|_| {
            let map = Map::new();
            state.set_own(PROPERTY, &map);
            map
        });
        let listening = object.clone();
        let listener = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
            let target = Reflect::get(&event, &"target".into()).unwrap_or_default();
            let conn = platform::number_of(&target).map(ConnId);
            if let Some((object, conn)) = listening.upgrade().zip(conn) {
                object.handle_abort(conn);
            }
        });
        Self {
            object,
            map,
            known: RefCell::default(),
            options_at,
            env: env.clone(),
            listener,
            last: Cell::new(None),
        }
    }

    /// Returns a number for a connection, unlike any other of this object: a later
    /// instance must not reuse one that an earlier one has given out. So each begins
    /// somewhere else.
    pub(crate) fn number(&self) -> ConnId {
        let next = match self.last.get() {
            Some(last) => last + 1,
            None => u64::from_le_bytes(platform::random()),
        };
        // A JavaScript number can hold 53 bits.
        let next = next & ((1 << 53) - 1);
        self.last.set(Some(next));
        ConnId(next)
    }

    /// Keeps a request until it is answered. Returns its number, and the promise of
    /// its answer.
    pub(crate) fn hold(&self, parsed: Parsed) -> (ConnId, JsValue) {
        let deferred = platform::defer();
        let conn = self.number();
        let kind = JsValue::from_f64(f64::from(parsed.kind as u8));
        let resolve = deferred.resolve();
        let entry = Array::of3(&kind, parsed.request.raw(), &resolve);
        self.map.set(&key_of(conn), &entry);
        let known = Known {
            parsed: Rc::new(parsed),
            entry,
            resolve: Some(resolve),
        };
        self.known.borrow_mut().insert(conn, known);
        (conn, deferred.promise().into())
    }

    /// Does something with the entry of a request, if it waits.
    fn with_entry<T>(&self, conn: ConnId, work: impl FnOnce(&Array) -> T) -> Option<T> {
        if let Some(known) = self.known.borrow().get(conn) {
            return Some(work(&known.entry));
        }
        let entry = self.map.get(&key_of(conn)).dyn_into().ok()?;
        Some(work(&entry))
    }

    pub(crate) fn contains(&self, conn: ConnId) -> bool {
        self.map.has(&key_of(conn))
    }

    pub(crate) fn is_handshake(&self, conn: ConnId) -> bool {
        let parsed = self.parsed(conn);
        parsed.is_some_and(|parsed| parsed.kind == Kind::Handshake)
    }

    /// Returns the session that a waiting request belongs to, if that is known.
    pub(crate) fn key(&self, conn: ConnId) -> Option<Key> {
        self.with_entry(conn, key_in)?
    }

    /// Returns a waiting request. One that an earlier instance took in is parsed
    /// again.
    pub(crate) fn parsed(&self, conn: ConnId) -> Option<Rc<Parsed>> {
        if let Some(known) = self.known.borrow().get(conn) {
            return Some(known.parsed.clone());
        }
        let entry: Array = self.map.get(&key_of(conn)).dyn_into().ok()?;
        let request = Incoming::new(entry.get(REQUEST).unchecked_into());
        let parsed = Rc::new(Parsed {
            kind: kind_in(&entry)?,
            ..Parsed::read(request, self.options_at)?
        });
        let known = Known {
            parsed: parsed.clone(),
            entry,
            resolve: None,
        };
        self.known.borrow_mut().insert(conn, known);
        Some(parsed)
    }

    /// Answers a request, which then waits no longer.
    pub(crate) fn answer(&self, conn: ConnId, reply: Reply) {
        if let Some(parsed) = self.parsed(conn) {
            let response = self.make_answer(conn, &parsed, |options, request| {
                http::respond(options, request, reply)
            });
            self.resolve(conn, &response);
        }
    }

    /// Makes the answer to a request, to which the application may add. If it panics, the
    /// next instance answers without it: see [`was_being_answered`](Self::was_being_answered).
    pub(crate) fn make_answer(
        &self,
        conn: ConnId,
        parsed: &Parsed,
        make: impl FnOnce(&Options, &Incoming) -> Response,
    ) -> Response {
        let options = &parsed.options;
        let asks = options.asks_for_answers();
        let asks = asks
            && self
                .with_entry(conn, |it| it.set(IS_ANSWERED, JsValue::TRUE))
                .is_some();
        let _running = asks.then(|| running_hook(&self.env, "headers"));
        make(options, &parsed.request)
    }

    /// Returns whether the instance before ended while the application was asked about the
    /// answer to a request.
    pub(crate) fn was_being_answered(&self, conn: ConnId) -> bool {
        let is_answered = |entry: &Array| entry.get(IS_ANSWERED).is_truthy();
        self.with_entry(conn, is_answered) == Some(true)
    }

    pub(crate) fn refuse(&self, conn: ConnId, refusal: RequestError) {
        self.answer(conn, Reply::refusal(refusal, None));
    }

    pub(crate) fn resolve(&self, conn: ConnId, response: &Response) {
        let in_entry = || self.with_entry(conn, |entry| entry.get(RESOLVE).unchecked_into());
        let known = self.known.borrow_mut().remove(conn);
        let resolve: Option<Function> = known.and_then(|known| known.resolve).or_else(in_entry);
        if let Some(resolve) = resolve {
            self.map.delete(&key_of(conn));
            // Resolving a promise never throws.
            let _ = resolve.call1(&JsValue::UNDEFINED, response);
        }
    }

    /// Returns all waiting requests.
    pub(crate) fn all(&self) -> Vec<(ConnId, Kind)> {
        let mut all = Vec::new();
        self.map.for_each(&mut |entry, conn| {
            let kind = kind_in(entry.unchecked_ref());
            if let Some((conn, kind)) = conn.as_f64().zip(kind) {
                all.push((ConnId(conn as u64), kind));
            }
        });
        all
    }
}

/// Clients that drop their polls.
impl Requests {
    /// Listens for the client dropping a poll, unless it was answered at once.
    pub(crate) fn watch(&self, conn: ConnId, key: Key) {
        self.assign(conn, key);
        if let Some(request) = self.with_entry(conn, |entry| entry.get(REQUEST)) {
            let request: Request = request.unchecked_into();
            platform::on_abort(&request, conn.0, self.listener.as_ref().unchecked_ref());
        }
    }
}

/// Bodies.
impl Requests {
    /// Notes the session of a request, for the instance that may have to take it up.
    pub(crate) fn assign(&self, conn: ConnId, key: Key) {
        self.with_entry(conn, |entry| {
            entry.set(KEY, Uint8Array::from(key.as_slice()).into());
        });
    }

    /// Reads the body of a `POST`, and reports it.
    pub(crate) fn read_body(&self, conn: ConnId, key: Key) {
        let Some(parsed) = self.parsed(conn) else {
            return;
        };
        let request = &parsed.request;
        let limit = parsed.options.settings.max_payload;
        let length = request
            .header("content-length")
            .and_then(|length| length.parse().ok());
        match length {
            Some(length) if limit < length => self.tell_body(conn, key, Err(BodyError::TooLarge)),
            Some(_) => match request.raw().array_buffer() {
                Ok(body) => {
                    self.with_entry(conn, |entry| entry.set(BODY, body.into()));
                    self.await_body(conn, key);
                }
                Err(_) => self.tell_body(conn, key, Err(BodyError::Gone)),
            },
            None => self.await_stream(conn, key, &parsed, limit),
        }
    }

    /// Waits for a body that is being read. The next instance can do so again.
    fn await_body(&self, conn: ConnId, key: Key) {
        let body = self.with_entry(conn, |entry| entry.get(BODY));
        let Some((body, parsed)) = body.zip(self.parsed(conn)) else {
            return;
        };
        let Ok(body) = body.dyn_into::<Promise>() else {
            return self.tell_body(conn, key, Err(BodyError::Gone));
        };
        let object = self.object.clone();
        platform::spawn(Box::pin(async move {
            let body = match JsFuture::from(body).await {
                Ok(body) => decode(&parsed, platform::bytes_of(&body)),
                Err(_) => Err(BodyError::Gone),
            };
            if let Some(object) = object.upgrade() {
                object.handle_body(key, conn, body);
            }
        }));
    }

    /// Reads a body whose length is not known.
    fn await_stream(&self, conn: ConnId, key: Key, parsed: &Rc<Parsed>, limit: usize) {
        let (object, parsed) = (self.object.clone(), parsed.clone());
        platform::spawn(Box::pin(async move {
            let body = match platform::read_at_most(parsed.request.raw(), limit).await {
                Ok(Some(bytes)) => decode(&parsed, bytes),
                Ok(None) => Err(BodyError::TooLarge),
                Err(_) => Err(BodyError::Gone),
            };
            if let Some(object) = object.upgrade() {
                object.handle_body(key, conn, body);
            }
        }));
    }

    /// Continues to read the body that the previous instance was waiting for.
    pub(crate) fn resume_body(&self, conn: ConnId) {
        match self.key(conn) {
            Some(key) => self.await_body(conn, key),
            None => self.refuse(conn, RequestError::BadRequest),
        }
    }

    fn tell_body(&self, conn: ConnId, key: Key, body: Result<Frame<'static>, BodyError>) {
        if let Some(object) = self.object.upgrade() {
            object.handle_body(key, conn, body);
        }
    }
}

/// Decodes a body according to its headers.
fn decode(parsed: &Parsed, bytes: Vec<u8>) -> Result<Frame<'static>, BodyError> {
    let content_type = parsed.request.header("content-type").unwrap_or_default();
    if content_type.starts_with("application/octet-stream") {
        return Ok(Frame::from(bytes));
    }
    let text = String::from_utf8(bytes).map_err(|_| BodyError::Malformed)?;
    match parsed.format {
        Format::Any | Format::Bytes | Format::Text => Ok(Frame::from(text)),
        Format::Jsonp(_) => {
            let payload = jsonp::decode_form(&text).map_err(|_| BodyError::Malformed)?;
            Ok(Frame::from(payload.into_owned()))
        }
    }
}

fn key_of(conn: ConnId) -> JsValue {
    JsValue::from_f64(conn.0 as f64)
}

fn kind_in(entry: &Array) -> Option<Kind> {
    let kind = entry.get(KIND).as_f64()?;
    Kind::ALL.get(kind as usize).copied()
}

fn key_in(entry: &Array) -> Option<Key> {
    entry
        .get(KEY)
        .dyn_into::<Uint8Array>()
        .ok()?
        .to_vec()
        .try_into()
        .ok()
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
