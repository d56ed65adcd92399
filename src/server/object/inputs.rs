//! The object's inputs: requests of clients and events of WebSockets, each passed to
//! its session.

use dormouse_proto::engine::{BodyError, ConnId, Data, Frame, Open, RequestError, Session};
use dormouse_proto::rate::Network;
use wasm_bindgen::JsValue;
use web_sys::WebSocket;

use super::{Inner, WokenBy, endpoint_of};
use crate::api::app::app;
use crate::http::{Reply, origins};
use crate::layer::Opening;
use crate::log::Level;
use crate::parts::opening::accept;
use crate::parts::{
    Kind, Listener, Parsed, Phase, Receiver, SessionEntry, admit_handshake, forget_socket, full,
    has_room, is_at_capacity, is_closed, next_output, retire, run_output, run_outputs, whose,
};
use crate::platform::{self, SocketExt as _};
use crate::sid::{Key, Sid};
use crate::usage::Counted;

/// The kinds of requests.
impl Inner {
    pub(super) fn handle_request(&self, conn: ConnId) {
        let Some(parsed) = self.parts.requests.parsed(conn) else {
            return;
        };
        if parsed.kind == Kind::Handshake {
            self.adopt(endpoint_of(&parsed.options).as_ref());
            return self.handle_handshake(conn, &parsed);
        }
        match self.look_up(&parsed) {
            Ok(key) => match parsed.kind {
                Kind::Upgrade => self.handle_upgrade(key, conn),
                Kind::Post => self.handle_post(key, conn),
                Kind::Poll | Kind::Handshake => self.handle_poll(key, conn, &parsed),
            },
            Err(refusal) => self.parts.requests.refuse(conn, refusal),
        }
    }

    /// Finds the session that a request is for.
    fn look_up(&self, parsed: &Parsed) -> Result<Key, RequestError> {
        let key = parsed.sid.ok_or(RequestError::UnknownSid)?.key();
        if !self.parts.sessions.find(key) || !self.serves(&parsed.options) {
            return Err(RequestError::UnknownSid);
        }
        let revision = self
            .parts
            .sessions
            .with(key, |entry| entry.session.revision());
        match parsed.revision {
            Some(said) if said != revision => Err(RequestError::BadRequest),
            Some(_) | None => Ok(key),
        }
    }

    fn handle_handshake(&self, conn: ConnId, parsed: &Parsed) {
        let revision = parsed.revision.flatten();
        let sid = Sid::new(&self.parts.id, platform::random());
        let Some((revision, sid)) = revision.zip(sid) else {
            let refusal = RequestError::UnsupportedProtocolVersion;
            return self.parts.requests.refuse(conn, refusal);
        };
        if !has_room(&self.parts) || is_at_capacity(&self.parts) {
            return self.parts.requests.answer(conn, full());
        }
        let network = match self.admit_network(conn, parsed) {
            Ok(network) => network,
            Err(()) => return,
        };
        let text = sid.to_string();
        let open = Open {
            sid: &text,
            revision,
            b64: parsed.b64,
        };
        let now = self.parts.turn.now();
        let settings = parsed.options.session_settings();
        let mut session = if parsed.upgrades {
            Session::open_websocket(now, settings, open, conn)
        } else {
            Session::open_polling(now, settings, open, conn, parsed.format)
        };
        if let Some(network) = network {
            session.set_network(network);
        }
        let key = sid.key();
        let entry = SessionEntry::new(session, Phase::Opening);
        self.parts.sessions.insert(key, entry);
        if let Some(layer) = self.layer() {
            layer.open(Opening {
                key,
                conn,
                request: Clone::clone(&parsed.request),
            });
        }
    }

    /// Returns the network that a new client connects from, if that matters to anyone.
    /// An error has been answered: too many sessions begin there.
    fn admit_network(&self, conn: ConnId, parsed: &Parsed) -> Result<Option<Network>, ()> {
        let options = &parsed.options;
        if !options.needs_networks() {
            return Ok(None);
        }
        let Some(network) = origins::network(options, &parsed.request) else {
            return Ok(None);
        };
        match admit_handshake(&self.parts, network) {
            Ok(()) => Ok(Some(network)),
            Err(wait) => {
                let fields = [("limit", "handshakes"), ("address", &*network.to_string())];
                let what = "rate limited";
                self.parts.log_for_all(Level::Warn, what, &fields);
                self.parts.requests.answer(conn, Reply::too_many(wait));
                Err(())
            }
        }
    }

    fn handle_upgrade(&self, key: Key, conn: ConnId) {
        let now = self.parts.turn.now();
        let upgraded = self
            .parts
            .sessions
            .with(key, |entry| entry.session.handle_upgrade(now, conn));
        match upgraded {
            Some(Ok(())) => accept(&self.parts, key, conn),
            Some(Err(refusal)) => self.parts.requests.refuse(conn, refusal),
            None => self.parts.requests.refuse(conn, RequestError::UnknownSid),
        }
        self.parts.turn.mark_dirty(key);
    }

    fn handle_poll(&self, key: Key, conn: ConnId, parsed: &Parsed) {
        let now = self.parts.turn.now();
        let format = parsed.format;
        self.parts.sessions.with(key, |entry| {
            entry.session.handle_poll(now, conn, format);
        });
        run_outputs(&self.parts, key);
        self.parts.turn.mark_dirty(key);
        self.parts.requests.watch(conn, key);
    }

    fn handle_post(&self, key: Key, conn: ConnId) {
        self.parts.requests.assign(conn, key);
        let now = self.parts.turn.now();
        let is_taken = self
            .parts
            .sessions
            .with(key, |entry| entry.session.handle_post(now, conn));
        if is_taken == Some(true) {
            self.parts.requests.read_body(conn, key);
        }
        self.parts.turn.mark_dirty(key);
    }
}

impl Receiver for Inner {
    fn handle_body(&self, key: Key, conn: ConnId, body: Result<Frame<'static>, BodyError>) {
        self.parts.turn.run(|| {
            let now = self.parts.turn.now();
            self.parts.sessions.find(key);
            let bytes = body.as_ref().map_or(0, Frame::len);
            let handled = self.parts.sessions.with(key, |entry| {
                let body = body.as_ref().map_err(|error| *error);
                let messages = entry.session.handle_body(now, conn, body);
                let messages = messages.into_iter().map(Data::into_owned);
                (messages.collect::<Vec<_>>(), entry.session.take_others())
            });
            let (messages, others) = handled.unwrap_or_default();
            run_outputs(&self.parts, key);
            let of_messages = messages.iter().map(Data::len).sum();
            self.take_others(key, others, bytes.saturating_sub(of_messages));
            self.deliver(key, messages);
            self.parts.turn.mark_dirty(key);
        });
    }

    fn handle_abort(&self, conn: ConnId) {
        let Some(key) = self.parts.requests.key(conn) else {
            return;
        };
        self.parts
            .sessions
            .with(key, |entry| entry.session.handle_poll_gone(conn));
        self.parts.turn.mark_dirty(key);
    }
}

impl Listener for Inner {
    fn handle_message(&self, socket: &WebSocket, message: &JsValue) {
        let whose = self.whose(socket, WokenBy::Message);
        self.count(Counted::Message);
        let Some((key, conn)) = whose else {
            return;
        };
        let limit = self.parts.options().map_or(0, |it| it.settings.max_payload);
        let frame = platform::frame_of(message, limit);
        let bytes = frame.as_ref().map_or(limit, Frame::len);
        self.parts.turn.run(|| {
            let now = self.parts.turn.now();
            let handled = self.parts.sessions.with(key, |entry| {
                let message = match &frame {
                    Some(frame) => entry.session.handle_frame(now, conn, frame.borrowed()),
                    None => {
                        entry.session.handle_oversized_frame(conn);
                        None
                    }
                };
                (message, entry.session.take_others(), next_output(entry))
            });
            let (message, others, output) = handled.unwrap_or_default();
            if let Some(output) = output {
                run_output(&self.parts, key, output);
                run_outputs(&self.parts, key);
            }
            if let Some(message) = message {
                self.take_in(key, message);
            }
            self.take_others(key, others, bytes);
            self.parts.turn.mark_dirty(key);
        });
    }

    fn handle_close(&self, socket: &WebSocket, code: u16) {
        self.handle_socket_gone(socket, false);
        // Without an answer the client would take it for an abnormal end. Not every
        // code that can be received may be sent: RFC 6455, section 7.4.
        let may_be_sent = matches!(code, 1000 | 3000..=4999);
        retire(socket, if may_be_sent { code } else { 1000 });
    }

    fn handle_error(&self, socket: &WebSocket) {
        self.handle_socket_gone(socket, true);
        retire(socket, 1011);
    }

    fn handle_brought(&self) {
        self.parts.websockets.take_brought(self);
    }
}

impl Inner {
    fn handle_socket_gone(&self, socket: &WebSocket, broken: bool) {
        if let Some((key, conn)) = self.whose(socket, WokenBy::Close) {
            self.parts.sessions.with(key, |entry| {
                entry.session.handle_socket_gone(conn, broken);
            });
            forget_socket(&self.parts, key, conn);
            self.parts.turn.mark_dirty(key);
        }
    }

    /// Returns the session and the connection that a WebSocket belongs to.
    fn whose(&self, socket: &WebSocket, by: WokenBy) -> Option<(Key, ConnId)> {
        if let Some(conn) = socket.conn()
            && let Some(key) = self.parts.sessions.of_conn(conn)
        {
            return Some((key, conn));
        }
        let whose = whose(socket).and_then(|(server, key, conn)| {
            let endpoint = app().endpoints.get(usize::from(server)).cloned()?;
            self.adopt(Some(&endpoint));
            self.wake(&endpoint.options, by);
            let found = self.parts.sessions.find(key);
            let is_its = found && self.parts.sessions.of_conn(conn).is_some();
            is_its.then(|| {
                socket.set_number(conn);
                (key, conn)
            })
        });
        if whose.is_none() && !is_closed(socket) {
            // It is not ours, was written by another version, or belongs to a
            // session that is over: its client starts over.
            retire(socket, 1011);
        }
        whose
    }
}
