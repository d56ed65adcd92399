//! What a client and an application see of their connection, and what must hold
//! of it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::rig::settings;
use crate::socket::{
    Connection, JoinId, Output, Protocol, ROOT, Reason, Socket, TOO_MANY_NAMESPACES,
};

/// A socket, as far as it is known.
#[derive(Default)]
struct Seen {
    decided: bool,
    accepted: bool,
    /// It was connected before the decision.
    early: bool,
    /// Its middleware has disconnected it.
    declined: bool,
    present: bool,
    /// Its client was told that it is connected.
    told: bool,
    gone: Option<Gone>,
    /// The numbers of the events it was to have, and of those it has had.
    expected: Vec<u32>,
    received: Vec<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gone {
    Refused,
    Abandoned,
    Disconnected,
}

/// A packet from the server, read as a client does.
pub(super) struct Packet {
    kind: char,
    pub(super) namespace: String,
    pub(super) id: Option<u64>,
    payload: String,
}

impl Packet {
    pub(super) fn read(packet: &str) -> Self {
        let mut rest = packet.chars();
        let kind = rest.next().unwrap();
        let rest = rest.as_str();
        let (namespace, rest) = match rest.strip_prefix('/') {
            Some(_) => rest.split_once(',').unwrap(),
            None => (ROOT, rest),
        };
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (id, payload) = rest.split_at(digits);
        Self {
            kind,
            namespace: namespace.into(),
            id: id.parse().ok(),
            payload: payload.into(),
        }
    }

    /// Returns the number of an event, unless it is one of those that were missed.
    fn number(&self) -> Option<u32> {
        let number = self.payload.strip_prefix("[\"event\",");
        number.map(|rest| rest.strip_suffix(']').unwrap().parse().unwrap())
    }
}

pub(super) struct Watch {
    protocol: Protocol,
    /// The namespaces that the client believes to be in.
    inside: BTreeSet<String>,
    /// Those it has asked for, as far as the application knows.
    asked: BTreeSet<String>,
    joins: BTreeMap<JoinId, Seen>,
    /// The newest socket in each namespace.
    newest: BTreeMap<String, JoinId>,
    closing: bool,
    over: bool,
}

impl Watch {
    pub(super) fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            inside: BTreeSet::new(),
            asked: BTreeSet::new(),
            joins: BTreeMap::new(),
            newest: BTreeMap::new(),
            closing: false,
            over: false,
        }
    }

    fn seen(&mut self, join: JoinId) -> &mut Seen {
        self.joins.get_mut(&join).expect("a socket that was begun")
    }

    pub(super) fn begun(&mut self, namespace: &str, join: JoinId) {
        let before = self.joins.insert(join, Seen::default());
        assert!(before.is_none(), "each join has a number of its own");
        self.newest.insert(namespace.into(), join);
    }

    /// Notes a decision of the application.
    pub(super) fn decided(&mut self, join: JoinId, accepts: bool) {
        let seen = self.seen(join);
        seen.accepted |= accepts && !seen.decided && !seen.declined;
        seen.decided = true;
    }

    /// Notes that a socket is connected before the decision.
    pub(super) fn connected_early(&mut self, join: JoinId) {
        let seen = self.seen(join);
        assert!(seen.present && !seen.decided && seen.gone.is_none());
        seen.early = true;
    }

    /// Notes that a middleware has disconnected its socket.
    pub(super) fn declined(&mut self, join: JoinId) {
        self.seen(join).declined = true;
    }

    /// Notes that the client leaves a namespace.
    pub(super) fn leaves(&mut self, namespace: &str) {
        self.inside.remove(namespace);
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing
    }

    pub(super) fn ended(&mut self) {
        self.over = true;
        self.closing = true;
    }

    /// Notes an event that a socket has to receive.
    pub(super) fn expect(&mut self, join: JoinId, number: u32) {
        self.seen(join).expected.push(number);
    }

    pub(super) fn output(&mut self, output: &Output) {
        match output {
            Output::Connect(request) => {
                let namespace = &*request.namespace;
                assert!(!self.closing, "nobody is asked about whoever goes");
                let root_first = self.protocol == Protocol::V4 && namespace != ROOT;
                assert!(!root_first || !self.asked.contains(ROOT));
                let new = self.asked.insert(namespace.into());
                assert!(new, "the one before is not answered");
            }
            Output::Present(join) => {
                let seen = self.seen(*join);
                assert!(!seen.present && seen.gone.is_none());
                seen.present = true;
            }
            Output::Send(_) => assert!(!self.closing, "nothing is sent behind the end"),
            Output::Refused(socket) => {
                let seen = self.seen(socket.join_id());
                assert!(!seen.accepted && matches!(seen.gone, None | Some(Gone::Abandoned)));
                seen.decided = true;
                seen.gone = Some(Gone::Refused);
            }
            Output::Abandoned(join) => {
                let mut newest = self.newest.iter();
                let (namespace, _) = newest.find(|(_, newest)| *newest == join).unwrap();
                self.asked.remove(namespace);
                let seen = self.seen(*join);
                assert!(!seen.accepted && seen.gone.is_none());
                seen.gone = Some(Gone::Abandoned);
                // If the application accepts it all the same, it is told of its end.
                seen.declined = false;
            }
            Output::Disconnected(join, reason) => self.disconnected(*join, *reason),
            Output::Violation(_) => assert!(!self.closing),
            Output::Close => {
                assert!(!self.closing, "it is closed once");
                self.closing = true;
            }
        }
    }

    fn disconnected(&mut self, join: JoinId, reason: Reason) {
        let over = self.over;
        let seen = self.seen(join);
        assert!(
            seen.accepted || seen.early,
            "the application believed in it"
        );
        assert!(
            matches!(seen.gone, None | Some(Gone::Abandoned)),
            "it goes once"
        );
        let alone = matches!(
            reason,
            Reason::ClientNamespaceDisconnect | Reason::ServerNamespaceDisconnect
        );
        assert!(alone || over);
        seen.gone = Some(Gone::Disconnected);
    }

    /// The client receives a packet, of those the connection asks to be sent or
    /// of those that are sent straight to a connected socket.
    pub(super) fn receive(&mut self, packet: &Packet) {
        let namespace = &packet.namespace;
        let newest = self.newest.get(namespace).copied();
        match packet.kind {
            '0' => {
                assert!(self.asked.remove(namespace), "it had asked for {namespace}");
                assert!(self.inside.insert(namespace.clone()));
                let seen = self.seen(newest.unwrap());
                assert!((seen.accepted || seen.early) && !seen.told);
                seen.told = true;
            }
            '1' => assert!(self.inside.remove(namespace), "it was in {namespace}"),
            '2' => match packet.number() {
                Some(number) => {
                    assert!(self.inside.contains(namespace), "it knows of its socket");
                    self.seen(newest.unwrap()).received.push(number);
                }
                None => assert!(!self.inside.contains(namespace), "missed events come first"),
            },
            '4' if packet.payload.contains(TOO_MANY_NAMESPACES) => {}
            '4' => assert!(self.asked.remove(namespace), "it had asked for {namespace}"),
            kind => panic!("{kind} is not sent by a connection"),
        }
    }

    /// Checks what must hold whenever all outputs have been taken.
    pub(super) fn check(&self, connection: &Connection) {
        let of = |is: fn(&Socket) -> bool| -> BTreeSet<String> {
            let sockets = connection.sockets().filter(|socket| is(socket));
            sockets.map(|it| it.namespace().to_string()).collect()
        };
        if !self.closing {
            assert_eq!(of(Socket::is_connected), self.inside, "both sides agree");
            assert_eq!(of(Socket::is_unanswered), self.asked);
        }
        if self.over {
            assert!(of(|it| it.is_connected() || it.is_undecided()).is_empty());
        }
        let current = |socket: &&Socket| socket.is_current();
        let all = of(Socket::is_current);
        assert_eq!(connection.sockets().filter(current).count(), all.len());
        assert!(all.len() <= settings().max_namespaces);
        for (join, seen) in &self.joins {
            let went = seen.gone == Some(Gone::Disconnected);
            assert!(
                !self.over || (seen.accepted || seen.early) == went,
                "it is told of each that goes"
            );
            assert!(!seen.told || seen.accepted || seen.early);
            let socket = connection.socket(*join);
            if !self.closing && socket.is_some_and(Socket::is_connected) {
                assert_eq!(seen.received, seen.expected, "each event, in order");
            }
        }
    }
}
