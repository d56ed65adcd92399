//! Requests that wait for their answer.
//!
//! They are kept on the JavaScript side, as a property of the object's state: so
//! they outlive the wasm instance, which a panic in any handler replaces, and
//! the next instance can answer them.

use std::rc::{Rc, Weak};

use dormouse_proto::engine::{ConnId, Frame, Refusal, jsonp};
use js_sys::{Array, Function, Map, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Request, Response};

use super::Shell;
use crate::app::app;
use crate::endpoint::Endpoint;
use crate::http::{self, Reply};
use crate::platform::{self, ObjectState};
use crate::query;
use crate::sid::Key;

/// The name of that property.
const PROPERTY: &str = "dormouseWaiting";

/// What a waiting request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Handshake,
    Upgrade,
    Poll,
    Post,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Handshake, Self::Upgrade, Self::Poll, Self::Post];
}

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoBody {
    TooLarge,
    Malformed,
    Gone,
}

/// The requests of one object that wait.
pub(super) struct Waiting {
    shell: Weak<Shell>,
    /// Number → `[kind, request, resolve, body, key]`.
    map: Map,
    /// Called when a client lets go of its poll. One for all of them.
    listener: Closure<dyn FnMut(JsValue)>,
}

/// The places in an entry of the map.
const KIND: u32 = 0;
const REQUEST: u32 = 1;
const RESOLVE: u32 = 2;
const BODY: u32 = 3;
const KEY: u32 = 4;

impl Waiting {
    pub(super) fn new(state: &ObjectState, shell: Weak<Shell>) -> Self {
        let map = state.own(PROPERTY).dyn_into::<Map>().unwrap_or_else(|_| {
            let map = Map::new();
            state.set_own(PROPERTY, &map);
            map
        });
        let listening = shell.clone();
        let listener = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
            if let Some(shell) = listening.upgrade() {
                shell.waiting.handle_abort(&shell, &event);
            }
        });
        Self {
            shell,
            map,
            listener,
        }
    }

    /// A number for a connection, unlike any other of this object: a later
    /// instance must not give out one that an earlier one has in use.
    pub(super) fn number(&self) -> ConnId {
        // 53 bits are what a number of JavaScript can hold.
        let random = u64::from_le_bytes(platform::random()) >> 11;
        ConnId(random)
    }

    /// Keeps a request until it is answered, and sees to that.
    pub(super) fn hold(&self, request: &Request, kind: Kind) -> JsValue {
        let deferred = platform::defer();
        let conn = self.number();
        let kind_number = JsValue::from_f64(f64::from(kind as u8));
        let entry = Array::of3(&kind_number, request, &deferred.resolve());
        self.map.set(&key_of(conn), &entry);
        if let Some(shell) = self.shell.upgrade() {
            shell.handle_request(conn, kind);
        }
        deferred.promise().into()
    }

    fn entry(&self, conn: ConnId) -> Option<Array> {
        self.map.get(&key_of(conn)).dyn_into().ok()
    }

    pub(super) fn contains(&self, conn: ConnId) -> bool {
        self.map.has(&key_of(conn))
    }

    pub(super) fn is_handshake(&self, conn: ConnId) -> bool {
        let kind = self.entry(conn).and_then(|entry| entry.get(KIND).as_f64());
        kind == Some(f64::from(Kind::Handshake as u8))
    }

    /// The session that a waiting request belongs to, where it is known.
    pub(super) fn key(&self, conn: ConnId) -> Option<Key> {
        key_in(&self.entry(conn)?)
    }

    /// A waiting request, and the server it is for.
    pub(super) fn request(&self, conn: ConnId) -> Option<(Rc<Endpoint>, Request)> {
        let request: Request = self.entry(conn)?.get(REQUEST).unchecked_into();
        let endpoint = app().endpoint_at(query::split(&request.url()).0).cloned();
        Some((endpoint?, request))
    }

    /// Reads something from the query of a waiting request.
    pub(super) fn query<T>(&self, conn: ConnId, read: impl FnOnce(&str) -> T) -> Option<T> {
        let (_, request) = self.request(conn)?;
        Some(read(query::split(&request.url()).1))
    }

    /// Answers a request. It waits no longer.
    pub(super) fn answer(&self, conn: ConnId, reply: Reply) {
        if let Some((endpoint, request)) = self.request(conn) {
            self.resolve(conn, &http::respond(&endpoint.options, &request, reply));
        }
    }

    pub(super) fn refuse(&self, conn: ConnId, refusal: Refusal) {
        self.answer(conn, Reply::refusal(refusal, None));
    }

    pub(super) fn resolve(&self, conn: ConnId, response: &Response) {
        if let Some(entry) = self.entry(conn) {
            self.map.delete(&key_of(conn));
            let resolve: Function = entry.get(RESOLVE).unchecked_into();
            // Resolving a promise never throws.
            let _ = resolve.call1(&JsValue::UNDEFINED, response);
        }
    }

    /// Everything that waits.
    pub(super) fn all(&self) -> Vec<(ConnId, Kind)> {
        let mut all = Vec::new();
        self.map.for_each(&mut |entry, conn| {
            let kind = entry.unchecked_ref::<Array>().get(KIND).as_f64();
            let kind = Kind::ALL.get(kind.unwrap_or_default() as usize);
            if let Some((conn, kind)) = conn.as_f64().zip(kind) {
                all.push((ConnId(conn as u64), *kind));
            }
        });
        all
    }
}

/// Clients that let go.
impl Waiting {
    /// Listens for the client of a poll, if it was not answered at once.
    pub(super) fn watch(&self, conn: ConnId, key: Key) {
        let Some(entry) = self.entry(conn) else {
            return;
        };
        entry.set(KEY, Uint8Array::from(key.as_slice()).into());
        let request: Request = entry.get(REQUEST).unchecked_into();
        platform::on_abort(&request, conn.0, self.listener.as_ref().unchecked_ref());
    }

    fn handle_abort(&self, shell: &Shell, event: &JsValue) {
        let target = Reflect::get(event, &"target".into()).unwrap_or_default();
        let Some(conn) = platform::number_of(&target).map(ConnId) else {
            return;
        };
        if let Some(key) = self.entry(conn).and_then(|entry| key_in(&entry)) {
            shell.handle_abort(key, conn);
        }
    }
}

/// Bodies.
impl Waiting {
    /// Reads the body of a `POST`, and tells the shell.
    pub(super) fn read_body(&self, conn: ConnId, key: Key) {
        let Some((entry, (endpoint, request))) = self.entry(conn).zip(self.request(conn)) else {
            return;
        };
        let limit = endpoint.options.settings.max_payload;
        entry.set(KEY, Uint8Array::from(key.as_slice()).into());
        let length =
            http::header(&request, "content-length").and_then(|length| length.parse().ok());
        match length {
            Some(length) if limit < length => self.tell_body(conn, key, Err(NoBody::TooLarge)),
            Some(_) => match request.array_buffer() {
                Ok(body) => {
                    entry.set(BODY, body.into());
                    self.await_body(conn, key);
                }
                Err(_) => self.tell_body(conn, key, Err(NoBody::Gone)),
            },
            None => self.await_stream(conn, key, request, limit),
        }
    }

    /// Waits for a body that is being read. The next instance can do it again.
    fn await_body(&self, conn: ConnId, key: Key) {
        let Some(entry) = self.entry(conn) else {
            return;
        };
        let Ok(body) = entry.get(BODY).dyn_into::<Promise>() else {
            return self.tell_body(conn, key, Err(NoBody::Gone));
        };
        let request: Request = entry.get(REQUEST).unchecked_into();
        let shell = self.shell.clone();
        platform::spawn(Box::pin(async move {
            let body = match JsFuture::from(body).await {
                Ok(body) => decode(&request, Uint8Array::new(&body).to_vec()),
                Err(_) => Err(NoBody::Gone),
            };
            if let Some(shell) = shell.upgrade() {
                shell.handle_body(key, conn, body);
            }
        }));
    }

    /// Reads a body that does not say how long it is.
    fn await_stream(&self, conn: ConnId, key: Key, request: Request, limit: usize) {
        let shell = self.shell.clone();
        platform::spawn(Box::pin(async move {
            let body = match platform::read_at_most(&request, limit).await {
                Ok(Some(bytes)) => decode(&request, bytes),
                Ok(None) => Err(NoBody::TooLarge),
                Err(_) => Err(NoBody::Gone),
            };
            if let Some(shell) = shell.upgrade() {
                shell.handle_body(key, conn, body);
            }
        }));
    }

    /// Takes up the body that the instance before was waiting for.
    pub(super) fn resume_body(&self, conn: ConnId) {
        match self.entry(conn).as_ref().and_then(key_in) {
            Some(key) => self.await_body(conn, key),
            None => self.refuse(conn, Refusal::BadRequest),
        }
    }

    fn tell_body(&self, conn: ConnId, key: Key, body: Result<Frame<'static>, NoBody>) {
        if let Some(shell) = self.shell.upgrade() {
            shell.handle_body(key, conn, body);
        }
    }
}

/// Takes a body for what its headers say it is.
fn decode(request: &Request, bytes: Vec<u8>) -> Result<Frame<'static>, NoBody> {
    let content_type = http::header(request, "content-type").unwrap_or_default();
    if content_type.starts_with("application/octet-stream") {
        return Ok(Frame::from(bytes));
    }
    let text = String::from_utf8(bytes).map_err(|_| NoBody::Malformed)?;
    let url = request.url();
    if query::parameter(query::split(&url).1, "j").is_none() {
        return Ok(Frame::from(text));
    }
    let payload = jsonp::decode_form(&text).map_err(|_| NoBody::Malformed)?;
    Ok(Frame::from(payload.into_owned()))
}

fn key_of(conn: ConnId) -> JsValue {
    JsValue::from_f64(conn.0 as f64)
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
