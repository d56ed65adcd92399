//! A session with a clock, and everything it says as text.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::Timestamp;
use crate::engine::test_client::{Received, decode_answer, decode_frame};
use crate::engine::{
    Answer, Body, BodyError, ConnId, Data, Deadline, Flush, Format, Frame, Open, Output, Reason,
    Revision, Session, Settings,
};

pub(super) const BOTH: [Revision; 2] = [Revision::V3, Revision::V4];

/// The time at which a rig's session is opened.
const OPENED: Timestamp = Timestamp::from_millis(1_000_000);

/// Heartbeats so far apart that the object can sleep: those of the default
/// settings.
pub(super) const SLEEPY: Settings = Settings {
    ping_interval: Duration::from_secs(25),
    ping_timeout: Duration::from_secs(20),
    may_sleep: true,
    upgrade_timeout: Duration::from_secs(10),
    allow_upgrades: true,
    max_payload: 1_000,
    max_buffered: 1_000,
    max_unproven: 1_000,
};

/// Heartbeats so close that it cannot.
pub(super) const AWAKE: Settings = Settings {
    ping_interval: Duration::from_millis(300),
    ping_timeout: Duration::from_millis(200),
    ..SLEEPY
};

/// A session under test. Connections go by their number: `1` opened it.
///
/// Whatever a method makes the session say is what it returns: see
/// [`describe`].
pub(super) struct Rig {
    pub(super) session: Session,
    pub(super) now: Timestamp,
}

impl Rig {
    pub(super) fn polling(revision: Revision, settings: Settings) -> Self {
        let open = Open {
            sid: "sid",
            revision,
            b64: false,
        };
        let session = Session::open_polling(OPENED, settings, open, ConnId(1), Format::default());
        Self::new(session)
    }

    pub(super) fn websocket(revision: Revision, settings: Settings) -> Self {
        let open = Open {
            sid: "sid",
            revision,
            b64: false,
        };
        Self::new(Session::open_websocket(OPENED, settings, open, ConnId(1)))
    }

    /// Opens a polling session that has just moved to WebSocket `5`.
    pub(super) fn upgraded(revision: Revision, settings: Settings) -> Self {
        let mut rig = Self::polling(revision, settings);
        rig.upgrade(5);
        rig.frame(5, "2probe");
        assert_eq!(rig.frame(5, "5"), "upgraded");
        rig
    }

    fn new(session: Session) -> Self {
        let mut rig = Self {
            session,
            now: OPENED,
        };
        rig.outputs();
        rig
    }

    /// Lets time pass, without anyone noticing.
    pub(super) fn wait(&mut self, millis: u64) -> &mut Self {
        self.now = self.now + Duration::from_millis(millis);
        self
    }

    pub(super) fn get(&mut self, request: u64) -> String {
        self.session
            .handle_poll(self.now, ConnId(request), Format::default());
        self.outputs()
    }

    pub(super) fn get_gone(&mut self, request: u64) -> String {
        self.session.handle_poll_gone(ConnId(request));
        self.outputs()
    }

    /// Takes in a `POST`, head and body, of the given packets.
    pub(super) fn post(&mut self, request: u64, packets: &[&str]) -> String {
        let refused = self.post_head(request);
        if refused.is_empty() {
            self.body(request, packets)
        } else {
            refused
        }
    }

    pub(super) fn post_head(&mut self, request: u64) -> String {
        let wants_body = self.session.handle_post(self.now, ConnId(request));
        let said = self.outputs();
        let is_answered = said.contains(&format!("#{request} "));
        let waits = self.session.posts.iter().skip(1);
        let waits = waits.copied().any(|post| post == ConnId(request));
        assert_eq!(
            wants_body,
            !is_answered && !waits,
            "a body is wanted at once, or later, or there is an answer: {said}"
        );
        said
    }

    pub(super) fn body(&mut self, request: u64, packets: &[&str]) -> String {
        let body = match self.session.revision() {
            Revision::V4 => packets.join("\u{1e}"),
            Revision::V3 => packets
                .iter()
                .map(|packet| format!("{}:{packet}", packet.encode_utf16().count()))
                .collect(),
        };
        self.raw_body(request, &Body::from(body))
    }

    pub(super) fn raw_body(&mut self, request: u64, body: &Body<'_>) -> String {
        let messages = self
            .session
            .handle_body(self.now, ConnId(request), Ok(body));
        let messages = messages.into_iter().map(Data::into_owned).collect();
        self.heard(messages)
    }

    /// Takes in that there is no body.
    pub(super) fn no_body(&mut self, request: u64, error: BodyError) {
        let request = ConnId(request);
        let messages = self.session.handle_body(self.now, request, Err(error));
        assert!(messages.is_empty(), "{messages:?}");
    }

    /// Takes in WebSocket `socket`, which asks to take over.
    pub(super) fn upgrade(&mut self, socket: u64) -> String {
        match self.session.handle_upgrade(self.now, ConnId(socket)) {
            Ok(()) => self.outputs(),
            Err(refusal) => {
                let said = self.outputs();
                join([said, format!("#{socket} {} {refusal}", refusal.status())])
            }
        }
    }

    pub(super) fn frame(&mut self, socket: u64, text: &str) -> String {
        self.raw_frame(socket, Frame::from(text))
    }

    pub(super) fn raw_frame(&mut self, socket: u64, frame: Frame<'_>) -> String {
        let message = self.session.handle_frame(self.now, ConnId(socket), frame);
        let messages = message.into_iter().map(Data::into_owned).collect();
        self.heard(messages)
    }

    pub(super) fn socket_gone(&mut self, socket: u64, broken: bool) -> String {
        self.session.handle_socket_gone(ConnId(socket), broken);
        self.outputs()
    }

    /// Sends a message of the application.
    pub(super) fn send(&mut self, text: &str) -> String {
        self.send_data(Data::from(text))
    }

    pub(super) fn send_data(&mut self, data: Data<'_>) -> String {
        let at_once = self.session.send(self.now, data);
        let at_once = at_once.map(|(socket, frame)| Output::Send {
            socket,
            frame: frame.into_owned(),
        });
        let at_once = at_once.map(|output| describe(self.session.revision(), &output));
        join([at_once.unwrap_or_default(), self.outputs()])
    }

    pub(super) fn close(&mut self) -> String {
        self.session.close(self.now, Flush::All);
        self.outputs()
    }

    pub(super) fn close_at_once(&mut self) -> String {
        self.session.close(self.now, Flush::Nothing);
        self.outputs()
    }

    pub(super) fn oversized(&mut self, socket: u64) -> String {
        self.session.handle_oversized_frame(ConnId(socket));
        self.outputs()
    }

    pub(super) fn expel(&mut self, reason: Reason) -> String {
        self.session.expel(self.now, reason);
        self.outputs()
    }

    pub(super) fn timeout(&mut self) -> String {
        self.session.handle_timeout(self.now);
        self.outputs()
    }

    pub(super) fn is_in_doubt(&self) -> bool {
        self.session.is_in_doubt(self.now)
    }

    /// Takes in a sign of life, as of an object that slept.
    pub(super) fn sign_of_life(&mut self) {
        self.session.handle_sign_of_life(self.now);
    }

    /// Goes to the next deadline and does what is due.
    pub(super) fn deadline(&mut self) -> String {
        let Deadline { at, .. } = self.session.next_deadline().expect("a deadline");
        self.now = self.now.max(at);
        self.timeout()
    }

    /// Returns in how many milliseconds the next deadline is.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        let deadline = self.session.next_deadline()?;
        Some(deadline.at.as_millis() - self.now.as_millis())
    }

    fn heard(&mut self, messages: Vec<Data<'static>>) -> String {
        let messages = messages
            .iter()
            .map(|data| format!("message {}", describe_data(data)));
        let outputs = self.drain();
        join(messages.chain(outputs))
    }

    /// Returns the session's outputs.
    pub(super) fn outputs(&mut self) -> String {
        join(self.drain())
    }

    fn drain(&mut self) -> Vec<String> {
        let revision = self.session.revision();
        core::iter::from_fn(|| self.session.poll_output())
            .map(|output| describe(revision, &output))
            .collect()
    }
}

fn join(said: impl IntoIterator<Item = String>) -> String {
    let said: Vec<_> = said.into_iter().filter(|said| !said.is_empty()).collect();
    said.join(", ")
}

/// An output in a few characters, alike for both revisions. `#2 200 4hi|6`
/// answers request 2 with two packets, `#5 > 3probe` is a frame on socket 5.
pub(super) fn describe(revision: Revision, output: &Output) -> String {
    match output {
        Output::Answer {
            request: ConnId(request),
            answer,
        } => match answer {
            Answer::Payload(content_type, body) => {
                let packets = decode_answer(revision, *content_type, body);
                let packets: Vec<_> = packets.iter().map(describe_packet).collect();
                format!("#{request} 200 {}", packets.join("|"))
            }
            Answer::Received => format!("#{request} 200 ok"),
            Answer::TooLarge => format!("#{request} 413"),
            Answer::Refused(refusal) => format!("#{request} {} {refusal}", refusal.status()),
        },
        Output::ReadBody {
            request: ConnId(request),
        } => format!("#{request} read"),
        Output::Send {
            socket: ConnId(socket),
            frame,
        } => format!(
            "#{socket} > {}",
            describe_packet(&decode_frame(revision, frame))
        ),
        Output::CloseSocket {
            socket: ConnId(socket),
            code,
        } => format!("#{socket} closed {code}"),
        Output::Upgraded => "upgraded".to_owned(),
        Output::Closed(reason) => format!("over: {reason}"),
    }
}

fn describe_packet(packet: &Received) -> String {
    match packet {
        Received::Open(_) => "0".to_owned(),
        Received::Close => "1".to_owned(),
        Received::Ping => "2".to_owned(),
        Received::Pong(text) => format!("3{text}"),
        Received::Message(data) => format!("4{}", describe_data(data)),
        Received::Noop => "6".to_owned(),
    }
}

fn describe_data(data: &Data<'_>) -> String {
    match data {
        Data::Text(text) if text.len() > 20 => format!("({} bytes)", text.len()),
        Data::Text(text) => text.clone().into_owned(),
        Data::Binary(bytes) => format!("{bytes:02x?}"),
    }
}
