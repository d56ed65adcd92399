//! A connection whose application decides when a test says so, and everything
//! that comes of it as text.

use alloc::borrow::Cow;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::wire;
use crate::Timestamp;
use crate::engine::{self, Data};
use crate::socket::{
    Admission, Args, Auth, Connection, Encoded, Incoming, JoinId, Output, Protocol,
    RecoveredSocket, ServerPacket, Settings,
};

pub(super) const BOTH: [Protocol; 2] = [Protocol::V4, Protocol::V5];

/// The time at which a rig's session begins.
pub(super) const OPENED: Timestamp = Timestamp::from_millis(1_000);

/// Limits that tests can reach.
pub(super) fn settings() -> Settings {
    Settings {
        max_namespaces: 3,
        max_rooms: 2,
        ..Settings::default()
    }
}

/// A connection under test. Whatever a method brings about is what it returns:
/// see [`describe`].
pub(super) struct Rig {
    pub(super) connection: Connection,
    /// The time at which the client says what it says.
    pub(super) now: Timestamp,
}

impl Rig {
    pub(super) fn new(protocol: Protocol) -> Self {
        Self {
            connection: Connection::open(OPENED, settings(), protocol),
            now: OPENED,
        }
    }

    /// Opens one whose client is in the root namespace, as `#0`.
    pub(super) fn joined(protocol: Protocol) -> Self {
        let mut rig = Self::new(protocol);
        rig.join("/");
        rig
    }

    /// Takes in a text message of the client.
    pub(super) fn say(&mut self, text: &str) -> String {
        self.say_data(Data::from(text))
    }

    pub(super) fn say_data(&mut self, data: Data<'_>) -> String {
        let said = self.connection.handle_message(self.now, data);
        let mut all: Vec<String> = said.iter().map(describe_incoming).collect();
        all.extend(self.poll());
        all.join("; ")
    }

    /// Begins to decide.
    pub(super) fn begin(&mut self, namespace: &str) -> JoinId {
        let id = Connection::socket_id(self.connection.protocol(), "sid", namespace);
        let id = id.unwrap_or("sid".to_string());
        self.connection.begin(namespace, Admission::new(id))
    }

    /// Begins to decide where a place was reserved.
    pub(super) fn fill(&mut self, join: JoinId, namespace: &str) -> bool {
        let id = Connection::socket_id(self.connection.protocol(), "sid", namespace);
        let id = id.unwrap_or("sid".to_string());
        self.connection.fill(join, Admission::new(id))
    }

    /// Begins to decide about a client that has come back.
    pub(super) fn begin_again(&mut self, namespace: &str, recovered: RecoveredSocket) -> JoinId {
        let admission = Admission {
            pid: Some("pid".into()),
            recovered: Some(recovered),
            ..Admission::new("sid")
        };
        self.connection.begin(namespace, admission)
    }

    /// Lets a socket in at once.
    pub(super) fn join(&mut self, namespace: &str) -> JoinId {
        let join = self.begin(namespace);
        assert!(self.connection.accept(join));
        self.outputs();
        join
    }

    pub(super) fn admit(&mut self, join: JoinId) -> String {
        self.connection.admit(join);
        self.outputs()
    }

    pub(super) fn accept_early(&mut self, join: JoinId) -> String {
        let accepted = self.connection.accept_early(join);
        let is_undecided = self.connection.socket(join).map(|it| it.is_undecided());
        assert!(!accepted || is_undecided == Some(true));
        self.outputs()
    }

    pub(super) fn accept(&mut self, join: JoinId) -> String {
        let accepted = self.connection.accept(join);
        let is_connected = self.connection.socket(join).map(|it| it.is_connected());
        assert!(!accepted || is_connected == Some(true));
        self.outputs()
    }

    pub(super) fn refuse(&mut self, join: JoinId, message: &str, data: Option<&str>) -> String {
        self.connection.refuse(join, message, data);
        self.outputs()
    }

    pub(super) fn disconnect(&mut self, join: JoinId) -> String {
        self.connection.disconnect(join);
        self.outputs()
    }

    pub(super) fn close(&mut self) -> String {
        self.connection.close();
        self.outputs()
    }

    /// Ends the session.
    pub(super) fn end(&mut self, reason: engine::Reason) -> String {
        self.connection.handle_closed(reason);
        self.outputs()
    }

    /// Lets the object sleep and wake up.
    pub(super) fn sleep(&mut self) -> String {
        let snapshot = self.connection.snapshot();
        self.connection = Connection::restore(&snapshot, settings(), |_, tag| Some(tag as u16))
            .expect("a snapshot of its own");
        self.outputs()
    }

    pub(super) fn outputs(&mut self) -> String {
        self.poll().join("; ")
    }

    fn poll(&mut self) -> Vec<String> {
        let outputs = core::iter::from_fn(|| self.connection.poll_output());
        outputs.map(|output| describe(&output)).collect()
    }
}

/// An output in a few words. Sockets go by the number of their join, and packets
/// to the client stand behind a `>`.
pub(super) fn describe(output: &Output) -> String {
    match output {
        Output::Connect(request) => match &request.auth {
            Auth::None => format!("asks for {}", request.namespace),
            Auth::Json(auth) | Auth::Query(auth) => {
                format!("asks for {} with {auth}", request.namespace)
            }
        },
        Output::Present(JoinId(join)) => format!("present #{join}"),
        Output::Send(packet) => format!("> {}", text(packet)),
        Output::Refused(socket) => format!("refused #{}", socket.join_id().0),
        Output::Abandoned(JoinId(join)) => format!("abandoned #{join}"),
        Output::Disconnected(JoinId(join), reason) => format!("disconnected #{join}: {reason}"),
        Output::Violation(violation) => format!("violation: {violation}"),
        Output::Close => "close".into(),
    }
}

pub(super) fn describe_incoming(incoming: &Incoming<'_>) -> String {
    let number = |id: &Option<u64>| id.map_or(String::new(), |id| format!("{id}"));
    match incoming {
        Incoming::Event {
            join, ack, args, ..
        } => {
            let attachments = "+".repeat(args.attachments().len());
            format!(
                "event #{} {}{}{attachments}",
                join.0,
                number(ack),
                args.json()
            )
        }
        Incoming::Ack { join, id, args } => format!("ack #{} {id}{}", join.0, args.json()),
    }
}

/// Returns a packet as its client reads it. Attachments are only counted.
pub(super) fn text(packet: &Encoded) -> String {
    let messages = wire(packet).into_iter().map(|data| match data {
        Data::Text(text) => text,
        Data::Binary(_) => Cow::Borrowed("+"),
    });
    messages.collect()
}

/// Encodes an event for a namespace, as a broadcast does.
pub(super) fn event(
    protocol: Protocol,
    namespace: &str,
    ack: Option<u32>,
    json: &str,
) -> Rc<Encoded> {
    let packet = ServerPacket::Event {
        namespace,
        ack: ack.map(u64::from),
        args: &Args::new(json, Vec::new()),
        offset: None,
    };
    Rc::new(packet.encode(protocol, crate::socket::Parser::JSON))
}
