//! A client by the book: what has to come of what it says.
//!
//! What its messages say is taken from a decoder; others watch that one.

use std::collections::{BTreeSet, VecDeque};

use dormouse_proto::engine::Data;
use dormouse_proto::socket::{
    Args, Auth, Client, ClientPacket, ConnectRequest, Decoder, Limits, Protocol, Settings, Socket,
    TOO_MANY_NAMESPACES, Violation,
};

/// What a client is told.
#[derive(Debug)]
pub(super) enum Said {
    Connect {
        namespace: String,
        sid: String,
        pid: Option<String>,
    },
    Refusal {
        namespace: String,
        message: String,
        data: Option<String>,
    },
    Disconnect(String),
}

impl Said {
    pub(super) fn to_text(&self, protocol: Protocol) -> String {
        let quoted = |text: &str| serde_json::to_string(text).expect("a string");
        let (kind, namespace, payload) = match (self, protocol) {
            (Self::Connect { namespace, .. }, Protocol::V4) => ('0', namespace, String::new()),
            (
                Self::Connect {
                    namespace,
                    sid,
                    pid,
                },
                Protocol::V5,
            ) => {
                let pid = pid
                    .as_deref()
                    .map(|pid| format!(",\"pid\":{}", quoted(pid)));
                let pid = pid.unwrap_or_default();
                ('0', namespace, format!("{{\"sid\":{}{pid}}}", quoted(sid)))
            }
            (
                Self::Refusal {
                    namespace,
                    message,
                    data,
                },
                Protocol::V4,
            ) => {
                let payload = data.clone().unwrap_or_else(|| quoted(message));
                ('4', namespace, payload)
            }
            (
                Self::Refusal {
                    namespace,
                    message,
                    data,
                },
                Protocol::V5,
            ) => {
                let data = data.as_deref().map(|data| format!(",\"data\":{data}"));
                let data = data.unwrap_or_default();
                (
                    '4',
                    namespace,
                    format!("{{\"message\":{}{data}}}", quoted(message)),
                )
            }
            (Self::Disconnect(namespace), _) => ('1', namespace, String::new()),
        };
        match &**namespace {
            "/" => format!("{kind}{payload}"),
            namespace => format!("{kind}{namespace},{payload}"),
        }
    }
}

/// What the application is to hear.
#[derive(Debug)]
pub(super) enum Expected {
    Connect(ConnectRequest<'static>),
    Disconnect(String),
    Packet(Packet),
    Refusal(Said),
}

/// An event or an acknowledgement.
#[derive(Debug)]
pub(super) struct Packet(ClientPacket<'static>);

impl Packet {
    pub(super) fn check_event(
        &self,
        namespace: &str,
        ack: Option<u64>,
        name: &str,
        args: &Args<'_>,
    ) {
        let ClientPacket::Event {
            namespace: n,
            ack: k,
            name: e,
            args: a,
        } = &self.0
        else {
            panic!("{self:?} is no event");
        };
        assert_eq!((&**n, *k, &**e, a), (namespace, ack, name, args));
    }

    pub(super) fn check_ack(&self, namespace: &str, id: u64, args: &Args<'_>) {
        let ClientPacket::Ack {
            namespace: n,
            id: i,
            args: a,
        } = &self.0
        else {
            panic!("{self:?} is no acknowledgement");
        };
        assert_eq!((&**n, *i, a), (namespace, id, args));
    }
}

struct Joined {
    namespace: String,
    id: String,
    pid: Option<String>,
    data: Option<String>,
    rooms: BTreeSet<String>,
    connected: bool,
}

pub(super) struct Model {
    settings: Settings,
    protocol: Protocol,
    decoder: Decoder,
    sockets: Vec<Joined>,
    waiting: VecDeque<ConnectRequest<'static>>,
    ever_connected: bool,
}

impl Model {
    pub(super) fn new(settings: Settings, protocol: Protocol) -> Self {
        // In protocol 4 everybody is in the root namespace, unasked.
        let root = ConnectRequest {
            namespace: "/".into(),
            auth: Auth::None,
        };
        let waiting = (protocol == Protocol::V4).then_some(root);
        Self {
            settings,
            protocol,
            decoder: Decoder::default(),
            sockets: Vec::new(),
            waiting: waiting.into_iter().collect(),
            ever_connected: false,
        }
    }

    fn socket(&mut self, namespace: &str) -> Option<&mut Joined> {
        self.sockets.iter_mut().find(|it| it.namespace == namespace)
    }

    pub(super) fn has_joined(&self) -> bool {
        self.ever_connected || !self.sockets.is_empty()
    }

    pub(super) fn is_connected(&mut self, namespace: &str) -> bool {
        self.socket(namespace).is_some_and(|it| it.connected)
    }

    pub(super) fn rooms(&mut self, namespace: &str) -> BTreeSet<String> {
        self.socket(namespace)
            .map(|it| it.rooms.clone())
            .unwrap_or_default()
    }

    pub(super) fn message(&mut self, data: Data<'_>) -> Result<Option<Expected>, Violation> {
        let Settings {
            parser,
            max_attachments,
            max_packet,
            ..
        } = self.settings;
        let limits = Limits {
            attachments: max_attachments,
            bytes: max_packet,
        };
        let packet = self.decoder.decode(self.protocol, parser, limits, data);
        let Some(packet) = packet.map_err(Violation::Parse)? else {
            return Ok(None);
        };
        let packet = packet.into_owned();
        let namespace = packet.namespace().to_owned();
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
                })
            }
            _ if !self.is_connected(&namespace) => Err(Violation::NotJoined),
            ClientPacket::Disconnect { .. } => {
                self.remove(&namespace);
                Ok(Some(Expected::Disconnect(namespace)))
            }
            ClientPacket::Event { .. } | ClientPacket::Ack { .. } => {
                Ok(Some(Expected::Packet(Packet(packet))))
            }
        }
    }

    fn connect(&mut self, request: ConnectRequest<'static>) -> Result<Option<Expected>, Violation> {
        let asked = self
            .waiting
            .iter()
            .any(|other| other.namespace == request.namespace);
        if asked || self.socket(&request.namespace).is_some() {
            return Err(Violation::JoinedTwice);
        }
        if self.sockets.len() + self.waiting.len() >= self.settings.max_namespaces {
            return Ok(Some(Expected::Refusal(Said::Refusal {
                namespace: request.namespace.into_owned(),
                message: TOO_MANY_NAMESPACES.to_owned(),
                data: None,
            })));
        }
        let is_connecting = self.socket("/").is_some_and(|root| !root.connected);
        if self.protocol == Protocol::V4 && (is_connecting || !self.waiting.is_empty()) {
            self.waiting.push_back(request);
            return Ok(None);
        }
        Ok(Some(Expected::Connect(request)))
    }

    /// Nobody is asked about anything else while the root namespace is undecided.
    pub(super) fn next_request(&mut self) -> Option<ConnectRequest<'static>> {
        match self.socket("/") {
            Some(root) if !root.connected => None,
            _ => self.waiting.pop_front(),
        }
    }

    pub(super) fn begin(&mut self, namespace: &str, socket: &Socket) {
        self.remove(namespace);
        self.sockets.push(Joined {
            namespace: namespace.to_owned(),
            id: socket.id.clone(),
            pid: socket.pid.clone(),
            data: None,
            rooms: BTreeSet::from([socket.id.clone()]),
            connected: false,
        });
    }

    pub(super) fn accept(&mut self, namespace: &str) -> Option<Said> {
        let socket = self.socket(namespace)?;
        socket.connected = true;
        let said = Said::Connect {
            namespace: namespace.to_owned(),
            sid: socket.id.clone(),
            pid: socket.pid.clone(),
        };
        self.ever_connected = true;
        Some(said)
    }

    pub(super) fn remove(&mut self, namespace: &str) -> Option<()> {
        let place = self
            .sockets
            .iter()
            .position(|it| it.namespace == namespace)?;
        self.sockets.remove(place);
        Some(())
    }

    pub(super) fn join(&mut self, namespace: &str, room: &str) -> bool {
        let most = self.settings.max_rooms;
        let Some(socket) = self.socket(namespace) else {
            return false;
        };
        let others = socket
            .rooms
            .iter()
            .filter(|room| **room != socket.id)
            .count();
        if !socket.rooms.contains(room) && others >= most {
            return false;
        }
        socket.rooms.insert(room.to_owned());
        true
    }

    pub(super) fn leave(&mut self, namespace: &str, room: &str) {
        if let Some(socket) = self.socket(namespace) {
            socket.rooms.remove(room);
        }
    }

    pub(super) fn set_data(&mut self, namespace: &str, data: Option<String>) -> bool {
        let socket = self.socket(namespace);
        socket.map(|socket| socket.data = data).is_some()
    }

    pub(super) fn check_closed(&self, sockets: &[(String, Socket)]) {
        let expected = self.sockets.iter().map(|it| (&*it.namespace, &*it.id));
        let closed = sockets
            .iter()
            .map(|(namespace, socket)| (&**namespace, &*socket.id));
        assert!(expected.eq(closed), "each socket is closed once");
    }

    pub(super) fn compare(&self, client: &Client, settings: Settings) {
        assert!(self.sockets.len() + self.waiting.len() <= settings.max_namespaces);
        assert_eq!(client.sockets().count(), self.sockets.len());
        for it in &self.sockets {
            let socket = client.socket(&it.namespace).expect("it is there");
            assert_eq!(
                (&socket.id, &socket.pid, &socket.data),
                (&it.id, &it.pid, &it.data)
            );
            assert_eq!(socket.is_connected(), it.connected);
            assert!(socket.rooms.iter().eq(&it.rooms), "{socket:?}");
            assert!(it.rooms.iter().all(|room| socket.is_in(room)) && !socket.is_in("nowhere"));
        }
        assert_eq!(client.next_deadline().is_some(), !self.has_joined());
    }
}
