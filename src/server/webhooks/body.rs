//! The bodies of calls, as JSON.

use dormouse_proto::Base64;
use serde_json::value::RawValue;

use super::Hook;
use crate::api::{Args, Expired, Socket};
use crate::request::Handshake;

/// An object in JSON that is being written.
pub(super) struct Body(String);

impl Body {
    /// Begins the body of a call, with what all of them have. It will have about as many
    /// bytes as `capacity`.
    pub(super) fn new(hook: Hook, id: &str, time: u64, namespace: &str, capacity: usize) -> Self {
        let mut body = Self::object();
        body.0.reserve(capacity);
        body.text("type", hook.as_str());
        body.text("id", id);
        body.raw("time", &time.to_string());
        body.text("namespace", namespace);
        body
    }

    fn object() -> Self {
        Self("{".to_owned())
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&quoted(name));
        self.0.push(':');
    }

    /// Adds a member whose value is JSON already.
    pub(super) fn raw(&mut self, name: &str, json: &str) {
        self.name(name);
        self.0.push_str(json);
    }

    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.raw(name, &quoted(value));
    }

    pub(super) fn flag(&mut self, name: &str, value: bool) {
        self.raw(name, if value { "true" } else { "false" });
    }

    fn texts<'a>(&mut self, name: &str, values: impl Iterator<Item = &'a str>) {
        self.name(name);
        self.list(values, |text, value| text.push_str(&quoted(value)));
    }

    pub(super) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }

    /// Adds a socket.
    pub(super) fn socket(&mut self, socket: &Socket) {
        let rooms = socket.rooms();
        let data = data_of(socket);
        let rooms = rooms.iter().map(String::as_str);
        self.member_socket(socket.id(), rooms, data.as_deref());
    }

    /// Adds a socket whose client has not come back.
    pub(super) fn expired(&mut self, socket: &Expired) {
        let data: Option<Box<RawValue>> = socket.data().ok().flatten();
        self.member_socket(socket.id(), socket.rooms(), data.as_deref());
    }

    fn member_socket<'a>(
        &mut self,
        id: &str,
        rooms: impl Iterator<Item = &'a str>,
        data: Option<&RawValue>,
    ) {
        let mut socket = Self::object();
        socket.text("id", id);
        socket.texts("rooms", rooms);
        socket.raw("data", data.map_or("null", RawValue::get));
        self.raw("socket", &socket.finish());
    }

    /// Adds the arguments of an event. Attachments are beside them, in base64, and
    /// `{"_placeholder":true,"num":0}` stands for the first.
    pub(super) fn args(&mut self, args: &Args) {
        self.name("args");
        self.list(args.json(), |text, json| text.push_str(json));
        if !args.attachments().is_empty() {
            self.name("attachments");
            self.list(args.attachments(), |text, bytes| {
                text.push('"');
                Base64::Standard.push(bytes, text);
                text.push('"');
            });
        }
    }

    /// Adds an array. Its items are written where they stay: they may be large.
    fn list<T>(&mut self, items: impl IntoIterator<Item = T>, write: impl Fn(&mut String, T)) {
        self.0.push('[');
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            write(&mut self.0, item);
        }
        self.0.push(']');
    }

    /// Adds the request by which a client's session began.
    pub(super) fn handshake(&mut self, handshake: &Handshake) {
        // It is all texts and numbers, and can always be written.
        let json = serde_json::to_string(handshake).unwrap_or_default();
        self.raw("handshake", &json);
    }
}

/// Returns a socket's data as it is kept.
pub(super) fn data_of(socket: &Socket) -> Option<Box<RawValue>> {
    socket.data().ok().flatten()
}

fn quoted(text: &str) -> String {
    // A string can always be written.
    serde_json::to_string(text).unwrap_or_default()
}
