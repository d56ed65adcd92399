//! A connection by the book: what has to come of what its client says, and of
//! what its application decides.
//!
//! What the client's messages say is taken from a decoder; others watch that one.

mod decisions;

use std::collections::{BTreeSet, VecDeque};

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{self, Data};
use dormouse_proto::socket::{
    Args, Auth, ClientPacket, ConnectRequest, Connection, Decoder, INTERNAL_ERROR, JoinId, Limits,
    MAX_STALL, Offset, ParseError, Protocol, Reason, Settings, Socket, TOO_MANY_NAMESPACES,
    Violation,
};

use super::told::{Said, Told};

/// An event or an acknowledgement that the application is to receive, and its socket.
#[derive(Debug)]
pub(super) struct Heard(pub(super) JoinId, pub(super) Packet);

/// An event or an acknowledgement.
#[derive(Debug)]
pub(super) struct Packet(ClientPacket<'static>);

impl Packet {
    pub(super) fn check_event(&self, ack: Option<u64>, name: &str, args: &Args<'_>) {
        let ClientPacket::Event {
            ack: k,
            name: e,
            args: a,
            ..
        } = &self.0
        else {
            panic!("{self:?} is not an event");
        };
        assert_eq!((*k, &**e, a), (ack, name, args));
    }

    pub(super) fn check_ack(&self, id: u64, args: &Args<'_>) {
        let ClientPacket::Ack { id: i, args: a, .. } = &self.0 else {
            panic!("{self:?} is not an acknowledgement");
        };
        assert_eq!((*i, a), (id, args));
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reserved,
    Asked,
    Admitted,
    AcceptedEarly,
    Connected,
    Abandoned(Reason),
    Leaving,
}

struct Joined {
    join: JoinId,
    namespace: String,
    id: String,
    pid: Option<String>,
    data: Option<String>,
    rooms: BTreeSet<String>,
    since: Option<Offset>,
    unstored: bool,
    missed: Vec<(String, Args<'static>)>,
    held: Vec<Told>,
    /// Its middleware has disconnected it.
    is_declined: bool,
    state: State,
}

impl Joined {
    fn is_unanswered(&self) -> bool {
        matches!(self.state, State::Reserved | State::Asked | State::Admitted)
    }

    fn is_undecided(&self) -> bool {
        self.is_unanswered() || self.state == State::AcceptedEarly
    }

    fn is_connected(&self) -> bool {
        matches!(self.state, State::AcceptedEarly | State::Connected)
    }

    fn is_current(&self) -> bool {
        self.is_undecided() || self.is_connected()
    }

    fn is_present(&self) -> bool {
        self.is_connected() || self.state == State::Admitted
    }
}

enum Phase {
    Open,
    Closing(Reason),
    Over(Reason),
}

pub(super) struct Model {
    settings: Settings,
    protocol: Protocol,
    decoder: Decoder,
    /// The time of the last part of a packet.
    last_part: Timestamp,
    sockets: Vec<Joined>,
    /// The namespaces that the client may not know yet it was disconnected from.
    left: BTreeSet<String>,
    waiting: VecDeque<ConnectRequest<'static>>,
    ever_connected: bool,
    phase: Phase,
    stored: u64,
    /// The outputs that have to come.
    pub(super) told: VecDeque<Told>,
}

impl Model {
    pub(super) fn new(settings: Settings, protocol: Protocol) -> Self {
        // In protocol 4 everybody is in the root namespace, unasked.
        let root = Told::Connect(ConnectRequest {
            namespace: "/".into(),
            auth: Auth::None,
        });
        Self {
            settings,
            protocol,
            decoder: Decoder::default(),
            last_part: Timestamp::from_millis(0),
            sockets: Vec::new(),
            left: BTreeSet::new(),
            waiting: VecDeque::new(),
            ever_connected: false,
            phase: Phase::Open,
            stored: 0,
            told: (protocol == Protocol::V4)
                .then_some(root)
                .into_iter()
                .collect(),
        }
    }

    fn get(&mut self, join: JoinId) -> Option<&mut Joined> {
        self.sockets.iter_mut().find(|it| it.join == join)
    }

    fn current(&mut self, join: JoinId) -> Option<&mut Joined> {
        self.get(join).filter(|it| it.is_current())
    }

    fn current_in(&self, namespace: &str) -> Option<&Joined> {
        let mut current = self.sockets.iter().filter(|it| it.is_current());
        current.find(|it| it.namespace == namespace)
    }

    pub(super) fn newest_in(&self, namespace: &str) -> Option<JoinId> {
        let mut newest = self.sockets.iter().rev();
        newest
            .find(|it| it.namespace == namespace)
            .map(|it| it.join)
    }

    fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over(_))
    }

    pub(super) fn has_undecided(&self) -> bool {
        let is_it = |it: &Joined| it.is_undecided() || matches!(it.state, State::Abandoned(_));
        self.sockets.iter().any(is_it)
    }

    pub(super) fn is_present(&mut self, join: JoinId) -> bool {
        self.get(join).is_some_and(|it| it.is_present())
    }

    fn say(&mut self, said: Said) {
        if self.is_open() {
            self.told.push_back(Told::Said(said));
        }
    }

    fn say_refusal(&mut self, namespace: &str, message: &str, data: Option<&str>) {
        self.say(Said::Refusal {
            namespace: namespace.to_owned(),
            message: message.to_owned(),
            data: data.map(str::to_owned),
        });
    }

    /// Closes the session.
    fn shut(&mut self, reason: Reason) {
        if self.is_open() {
            self.phase = Phase::Closing(reason);
            self.waiting.clear();
            self.told.push_back(Told::Close);
        }
    }
}

/// Messages of the client.
impl Model {
    pub(super) fn message(&mut self, now: Timestamp, data: Data<'_>) -> Option<Heard> {
        if !self.is_open() {
            return None;
        }
        let limits = Limits {
            attachments: self.settings.max_attachments,
            bytes: self.settings.max_packet,
        };
        let packet =
            self.decoder
                .decode(self.protocol, self.settings.parser, limits, data.borrowed());
        self.last_part = now;
        let heard = match (packet, &data) {
            (Ok(Some(packet)), _) => self.packet(packet.into_owned()),
            (Ok(None), Data::Text(text)) if self.decoder.is_pending() => self.announced(text),
            (Ok(None), _) => Ok(None),
            (Err(error), _) => Err(Violation::Parse(error)),
        };
        heard.unwrap_or_else(|violation| {
            self.violate(violation);
            None
        })
    }

    fn violate(&mut self, violation: Violation) {
        self.told.push_back(Told::Violation(violation));
        self.shut(match violation {
            Violation::Parse(ParseError::NotForServers) => Reason::ForcedServerClose,
            Violation::Parse(_) => engine::Reason::ParseError.into(),
            Violation::NotJoined => Reason::ForcedServerClose,
        });
    }

    /// Nobody waits for attachments of a packet that is for nobody.
    fn announced(&self, text: &str) -> Result<Option<Heard>, Violation> {
        let (_, rest) = text.split_once('-').expect("the number of attachments");
        let namespace = match rest.starts_with('/') {
            true => rest.split(',').next().expect("the first"),
            false => "/",
        };
        let end = namespace
            .find('?')
            .filter(|_| self.protocol == Protocol::V4);
        let name = &namespace[..end.unwrap_or(namespace.len())];
        self.connected_in(name).map(|_| None)
    }

    /// There is nobody, and nothing wrong, where the client may not know yet that it was
    /// disconnected.
    fn connected_in(&self, namespace: &str) -> Result<Option<JoinId>, Violation> {
        let socket = self.current_in(namespace);
        let connected = socket.filter(|it| it.is_connected()).map(|it| it.join);
        match connected.is_some() || self.left.contains(namespace) {
            true => Ok(connected),
            false => Err(Violation::NotJoined),
        }
    }

    fn packet(&mut self, packet: ClientPacket<'static>) -> Result<Option<Heard>, Violation> {
        let namespace = packet.namespace().to_owned();
        let connected = self.connected_in(&namespace);
        match packet {
            ClientPacket::Connect { query, auth, .. } => {
                let auth = match (auth, query) {
                    (Some(json), _) => Auth::Json(json),
                    (None, Some(query)) => Auth::Query(query),
                    (None, None) => Auth::None,
                };
                self.connect(ConnectRequest {
                    namespace: namespace.into(),
                    auth,
                });
                Ok(None)
            }
            ClientPacket::Disconnect { .. } => {
                if let Some(join) = connected? {
                    self.lose(join, Reason::ClientNamespaceDisconnect);
                }
                Ok(None)
            }
            ClientPacket::Event { .. } | ClientPacket::Ack { .. } => {
                Ok(connected?.map(|join| Heard(join, Packet(packet))))
            }
        }
    }

    fn connect(&mut self, request: ConnectRequest<'static>) {
        let namespace = request.namespace.clone();
        self.start_over(&namespace);
        self.left.remove(&*namespace);
        let current = self.sockets.iter().filter(|it| it.is_current()).count();
        let root = self.current_in("/");
        let must_wait = self.protocol == Protocol::V4 && root.is_some_and(Joined::is_unanswered);
        if current + self.waiting.len() >= self.settings.max_namespaces {
            self.say_refusal(&namespace, TOO_MANY_NAMESPACES, None);
        } else if must_wait {
            self.waiting.push_back(request);
        } else {
            self.told.push_back(Told::Connect(request));
        }
    }

    /// Whatever the client has had in a namespace it has not any more.
    fn start_over(&mut self, namespace: &str) {
        self.waiting.retain(|it| it.namespace != namespace);
        let Some(join) = self.current_in(namespace).map(|it| it.join) else {
            return;
        };
        let it = self.get(join).expect("it is there");
        if it.is_connected() {
            return self.lose(join, Reason::ClientNamespaceDisconnect);
        }
        it.state = State::Abandoned(Reason::ClientNamespaceDisconnect);
        it.pid = None;
        self.told.push_back(Told::Abandoned(join));
    }

    /// Whoever has waited for the root is heard.
    fn ask(&mut self) {
        let root = self.current_in("/");
        if self.is_open() && !root.is_some_and(Joined::is_unanswered) {
            self.told.extend(self.waiting.drain(..).map(Told::Connect));
        }
    }

    pub(super) fn timeout(&mut self, now: Timestamp) {
        let has_time = now < Timestamp::from_millis(0) + self.settings.connect_timeout;
        if !has_time && !self.ever_connected && self.sockets.is_empty() {
            self.shut(Reason::ForcedServerClose);
        }
        let is_stalled = self.decoder.is_pending() && now >= self.last_part + MAX_STALL;
        if is_stalled && self.is_open() {
            self.violate(Violation::Parse(ParseError::Incomplete));
        }
    }

    pub(super) fn end(&mut self, reason: engine::Reason) {
        let reason = match self.phase {
            Phase::Open => reason.into(),
            Phase::Closing(reason) => reason,
            Phase::Over(_) => return,
        };
        self.phase = Phase::Over(reason);
        self.waiting.clear();
        for it in &mut self.sockets {
            if it.is_unanswered() {
                it.state = State::Abandoned(reason);
                self.told.push_back(Told::Abandoned(it.join));
            } else if it.is_connected() {
                it.state = State::Leaving;
                it.unstored = false;
                self.told.push_back(Told::Disconnected(it.join, reason));
            }
        }
    }

    /// The memory is lost: nobody decides about those who asked, and nobody is
    /// told any more of those who have gone.
    pub(super) fn evict(&mut self) {
        let undecided = self.sockets.iter().filter(|it| it.is_undecided());
        let undecided: Vec<JoinId> = undecided.map(|it| it.join).collect();
        self.sockets.retain(Joined::is_current);
        for join in undecided {
            self.refuse(join, INTERNAL_ERROR, None);
        }
    }
}

impl Model {
    pub(super) fn compare(&self, connection: &Connection) {
        assert!(self.told.is_empty());
        assert!(connection.sockets().count() == self.sockets.len());
        for it in &self.sockets {
            let socket = connection.socket(it.join).expect("it is there");
            assert_eq!(socket.namespace(), it.namespace);
            let own = (socket.id(), socket.pid(), socket.data(), socket.since());
            let same = (&*it.id, it.pid.as_deref(), it.data.as_deref(), it.since);
            assert_eq!(own, same);
            let definition = socket.definition();
            let has_moved = u32::from(definition.index) == definition.tag + 1;
            assert!(has_moved || it.id.is_empty());
            assert_eq!(socket.is_connected(), it.is_connected());
            assert_eq!(socket.is_undecided(), it.is_undecided());
            assert_eq!(socket.is_present(), it.is_present());
            let is_wanted = it.is_current() && !it.is_declined && self.is_open();
            assert_eq!(connection.is_wanted(it.join), is_wanted);
            assert!(socket.rooms().iter().eq(&it.rooms), "{socket:?}");
            assert!(it.rooms.iter().all(|room| socket.is_in(room)) && !socket.is_in("nowhere"));
            let current = self.current_in(&it.namespace).map(|it| it.join);
            let same = connection.socket_in(&it.namespace);
            assert_eq!(same.map(Socket::join_id), current);
        }
        let waits = self.is_open() && !self.ever_connected && self.sockets.is_empty();
        assert_eq!(connection.next_deadline().is_some(), waits);
    }
}
