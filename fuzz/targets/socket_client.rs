//! Clients of Socket.IO, their rooms and the acknowledgements they owe, beside a
//! model: whatever they say and whatever the application decides, in any order.
//!
//! A twin of each connection lives through the same, but sleeps between any two
//! steps, unless the application has yet to decide about one of its sockets.

mod crowd;
mod message;
mod model;
mod told;

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{self, Data};
use dormouse_proto::socket::{
    Admission, Args, Connection, Definition, Due, Incoming, JoinId, Output, Parser, Protocol,
    Route, ServerPacket, Settings, Socket, Storing,
};
use std::rc::Rc;

use self::crowd::Crowd;
use self::message::read_message;
use self::model::{Heard, Model};
use self::told::{Told, check};
use super::bytes::{Bytes, text};
use super::trace;

const CLIENTS: usize = 3;
const NAMESPACES: [&str; 5] = ["/", "/a", "/b", "/c", "/d"];
const ROOMS: [&str; 5] = ["x", "y", "z", "", "id"];

/// A socket of one of the clients.
type Name = (usize, JoinId);

pub(super) fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let flags = bytes.byte();
    let settings = Settings {
        parser: [Parser::JSON, Parser::MSGPACK][usize::from(flags & 1)],
        max_attachments: 2,
        max_packet: 300,
        max_namespaces: 3,
        max_rooms: 2,
        ..Settings::default()
    };
    let protocol = [Protocol::V4, Protocol::V5][usize::from(flags >> 1 & 1)];
    let mut crowd = Crowd::new(u32::from(bytes.byte()) << 23 | u32::from(bytes.byte()));
    let mut ends: Vec<End> = (0..CLIENTS)
        .map(|who| End::open(settings, protocol, who, &mut crowd))
        .collect();
    while !bytes.is_empty() {
        let who = bytes.below(CLIENTS);
        let end = &mut ends[who];
        end.step(&mut bytes, &mut crowd);
        end.sleep();
        end.model.compare(&end.awake);
        crowd.step(&mut bytes);
    }
}

/// One client: as it is, as it sleeps, and as it should be.
struct End {
    settings: Settings,
    protocol: Protocol,
    who: usize,
    awake: Connection,
    asleep: Connection,
    /// What was saved when it last said that it must be.
    saved: Vec<u8>,
    model: Model,
    /// The time, which may jump.
    now: Timestamp,
}

/// Returns the next socket that is to be stored.
fn to_store(connection: &mut Connection) -> Option<&Socket> {
    match connection.poll_storing(Due::Unstored, true)? {
        Storing::Write(socket) => Some(socket),
        Storing::Delete(socket) => panic!("{socket:?} may be written"),
    }
}

impl End {
    fn open(settings: Settings, protocol: Protocol, who: usize, crowd: &mut Crowd) -> Self {
        let open = || Connection::open(Timestamp::from_millis(0), settings, protocol);
        let mut end = Self {
            settings,
            protocol,
            who,
            awake: open(),
            asleep: open(),
            saved: Vec::new(),
            model: Model::new(settings, protocol),
            now: Timestamp::from_millis(0),
        };
        end.drain(0, crowd);
        end
    }

    /// The definition is found again, and has moved meanwhile.
    fn restore(&self, snapshot: &[u8]) -> Connection {
        let define = |_: &str, tag: u32| Some(tag as u16 + 1);
        Connection::restore(snapshot, self.settings, define).expect("a snapshot")
    }

    fn sleep(&mut self) {
        while let Some(socket) = to_store(&mut self.awake) {
            let same = to_store(&mut self.asleep).expect("sleep changes nothing");
            assert_eq!(same.join_id(), socket.join_id());
            assert_eq!(same.since(), socket.since());
            self.model.store(socket);
        }
        assert!(to_store(&mut self.asleep).is_none());
        self.model.all_are_stored();
        let is_changed = self.awake.is_changed();
        // Parts of a packet are saved later than anything else.
        assert!(!self.awake.take_changed() || is_changed);
        let snapshot = self.awake.snapshot();
        assert_eq!(snapshot, self.asleep.snapshot(), "sleep loses nothing");
        if !self.model.has_undecided() {
            self.asleep = self.restore(&snapshot);
            assert!(self.asleep.poll_output().is_none());
        }
        assert_eq!(self.asleep.next_deadline(), self.awake.next_deadline());
        if is_changed {
            self.saved = snapshot;
        } else {
            assert_eq!(snapshot, self.saved, "what was saved is all there is");
        }
    }

    /// The object's memory is lost, and with it whoever was to decide.
    fn evict(&mut self, crowd: &mut Crowd) {
        self.saved = self.awake.snapshot();
        assert_eq!(self.saved, self.asleep.snapshot(), "sleep loses nothing");
        self.awake = self.restore(&self.saved);
        self.asleep = self.restore(&self.saved);
        self.model.evict();
        self.drain(0, crowd);
    }

    /// Does the same to both, which must answer the same.
    fn both<T: PartialEq + std::fmt::Debug>(
        &mut self,
        mut act: impl FnMut(&mut Connection) -> T,
    ) -> T {
        let result = act(&mut self.awake);
        trace(&result);
        assert_eq!(result, act(&mut self.asleep), "sleep changes nothing");
        result
    }

    /// Takes the outputs of both, and does what a driver does. The application
    /// makes its choice about the first request.
    fn drain(&mut self, choice: u8, crowd: &mut Crowd) {
        let mut choice = Some(choice);
        loop {
            let outputs = (self.awake.poll_output(), self.asleep.poll_output());
            trace(&outputs.0);
            let told = self.model.told.pop_front();
            let (Some(output), Some(same)) = outputs else {
                assert!(told.is_none() && outputs.0.is_none() && outputs.1.is_none());
                return;
            };
            let told = told.unwrap_or_else(|| panic!("{output:?} is not expected"));
            check(&output, &told, self.settings.parser, self.protocol);
            check(&same, &told, self.settings.parser, self.protocol);
            match output {
                Output::Connect(request) => {
                    self.begin(&request.namespace, choice.take().unwrap_or(0));
                }
                Output::Present(join) => {
                    let socket = self.awake.socket(join).expect("it is there");
                    crowd.insert((self.who, join), socket);
                }
                Output::Refused(socket) => crowd.gone((self.who, socket.join_id()), &socket),
                Output::Abandoned(join) | Output::Disconnected(join, _) => {
                    let socket = self.awake.socket(join).expect("until it is forgotten");
                    crowd.gone((self.who, join), socket);
                }
                Output::Send(_) | Output::Violation(_) | Output::Close => {}
            }
        }
    }

    /// The application thinks about it, or knows at once.
    fn begin(&mut self, namespace: &str, choice: u8) {
        let data = (choice & 8 != 0).then_some(r#"{"code":1}"#);
        if choice & 7 == 7 {
            for connection in [&mut self.awake, &mut self.asleep] {
                connection.refuse_request(namespace, "no \"entry\"", data);
            }
            return self.model.refuse_request(namespace, "no \"entry\"", data);
        }
        let admission = Admission {
            pid: (choice & 16 != 0).then(|| format!("pid of {namespace}")),
            since: Some(self.model.newest()),
            definition: Definition {
                index: u16::from(choice) + 1,
                tag: u32::from(choice),
            },
            recovered: (choice & 32 != 0).then(|| self.model.recovered()),
            ..Admission::new("id")
        };
        let join = if choice & 64 == 0 {
            let join = self.both(|it| it.begin(namespace, admission.clone()));
            self.model.begin(join, namespace, admission);
            join
        } else {
            let join = self.both(|it| it.reserve(namespace));
            self.model.reserve(join, namespace);
            join
        };
        if choice & 1 == 1 {
            self.decide(join, 1);
        }
    }

    fn decide(&mut self, join: JoinId, choice: u8) {
        let data = (choice & 8 != 0).then_some(r#"{"code":1}"#);
        if choice & 7 == 7 {
            let refused = self.both(|it| it.refuse(join, "no \"entry\"", data));
            assert_eq!(refused, self.model.refuse(join, "no \"entry\"", data));
            return;
        }
        // Where a place was reserved, there is such a namespace.
        let admission = Admission {
            since: Some(self.model.newest()),
            definition: Definition { index: 1, tag: 0 },
            ..Admission::new("id")
        };
        let filled = self.both(|it| it.fill(join, admission.clone()));
        assert_eq!(filled, self.model.fill(join, admission));
        if choice & 1 == 1 {
            let accepted = self.both(|it| it.accept(join));
            assert_eq!(accepted, self.model.accept(join));
        } else {
            self.both(|it| it.admit(join));
            self.model.admit(join);
            if choice & 6 == 2 {
                let accepted = self.both(|it| it.accept_early(join));
                assert_eq!(accepted, self.model.accept_early(join));
            }
        }
    }

    fn step(&mut self, bytes: &mut Bytes<'_>, crowd: &mut Crowd) {
        let namespace = NAMESPACES[bytes.below(NAMESPACES.len())];
        // The newest in this namespace, or none that there ever was.
        let join = self.model.newest_in(namespace).unwrap_or(JoinId(u32::MAX));
        let mut choice = 0;
        match bytes.below(16) {
            0..=4 => {
                let data = read_message(bytes, self.settings.parser, self.protocol, namespace);
                choice = self.message(data, bytes, crowd);
            }
            5 => choice = self.message(Data::from(bytes.piece().to_vec()), bytes, crowd),
            6 => {
                let text = text(bytes.piece()).into_owned();
                choice = self.message(Data::from(text), bytes, crowd);
            }
            7 => {
                let choice = bytes.byte();
                self.decide(join, choice);
            }
            8 => self.decide(join, 1),
            9 => self.post(join, namespace, bytes.byte()),
            10 => {
                let disconnected = self.both(|it| it.disconnect(join));
                assert_eq!(disconnected, self.model.disconnect(join));
            }
            11 | 12 => {
                let room = ROOMS[bytes.below(ROOMS.len())];
                let entered = self.both(|it| it.enter(join, room));
                assert_eq!(entered, self.model.enter(join, room));
                if entered == Ok(true) && self.model.is_present(join) {
                    crowd.enter(namespace, room, (self.who, join));
                }
            }
            13 => {
                let room = ROOMS[bytes.below(ROOMS.len())];
                let left = self.both(|it| it.leave(join, room));
                assert_eq!(left, self.model.leave(join, room));
                if left == Some(true) {
                    crowd.leave(namespace, room, (self.who, join));
                }
            }
            14 => {
                let data = bytes.flag().then(|| text(bytes.piece()).into_owned());
                let set = self.both(|it| it.set_data(join, data.clone()));
                assert_eq!(set, self.model.set_data(join, data.clone()));
            }
            _ => self.end_or_wait(join, namespace, bytes, crowd),
        }
        self.drain(choice, crowd);
    }

    /// Sends an event to a socket, or holds it until its client knows of it.
    fn post(&mut self, join: JoinId, namespace: &str, number: u8) {
        let route = self.both(|it| it.route(join));
        assert_eq!(route, self.model.route(join));
        let args = Args::new(format!("[\"event\",{number}]"), Vec::new());
        let ack = self.both(|it| it.encode_ack(join, u64::from(number), &args));
        assert_eq!(ack.is_some(), route == Route::Send);
        let packet = ServerPacket::Event {
            namespace,
            ack: None,
            args: &args,
            offset: None,
        };
        let packet = Rc::new(packet.encode(self.protocol, self.settings.parser));
        let held = self.both(|it| it.hold(join, &packet));
        assert_eq!(held, route == Route::Hold);
        if held {
            self.model.hold(join, Told::Held(packet));
        }
    }

    fn end_or_wait(
        &mut self,
        join: JoinId,
        namespace: &str,
        bytes: &mut Bytes<'_>,
        crowd: &mut Crowd,
    ) {
        let now = Timestamp::from_millis(u64::from(bytes.byte()) * 1_000);
        self.now = now;
        self.both(|it| it.handle_timeout(now));
        self.model.timeout(now);
        self.drain(0, crowd);
        match bytes.byte() & 7 {
            // Once more, and there is a new one.
            0 if self.model.is_over() => {
                *self = Self::open(self.settings, self.protocol, self.who, crowd);
            }
            0 | 4 => {
                let reason = engine::Reason::TransportClose;
                self.both(|it| it.handle_closed(reason));
                self.model.end(reason);
            }
            1 => {
                self.both(Connection::close);
                self.model.close();
            }
            2 => {
                let pid = format!("pid of {namespace}");
                let superseded = self.both(|it| it.supersede(namespace, &pid));
                assert_eq!(superseded, self.model.supersede(namespace, &pid));
            }
            5 => self.evict(crowd),
            6 => {
                self.both(|it| it.forget(join));
                self.model.forget(join);
            }
            _ => {}
        }
    }

    /// Returns what the application thinks of a request that this may be.
    fn message(&mut self, data: Data<'_>, bytes: &mut Bytes<'_>, crowd: &mut Crowd) -> u8 {
        let heard = self.model.message(self.now, data.borrowed());
        let awake = self.awake.handle_message(self.now, data.borrowed());
        let asleep = self.asleep.handle_message(self.now, data.borrowed());
        trace(&(&data, &awake));
        assert_eq!(awake, asleep, "sleep changes nothing");
        match (awake, heard) {
            (None, None) => {}
            (
                Some(Incoming::Event {
                    join,
                    ack,
                    name,
                    args,
                }),
                Some(Heard(by, packet)),
            ) => {
                assert_eq!(join, by);
                packet.check_event(ack, &name, &args);
            }
            (Some(Incoming::Ack { join, id, args }), Some(Heard(by, packet))) => {
                assert_eq!(join, by);
                packet.check_ack(id, &args);
                crowd.ack(id, (self.who, join), args.into_owned());
            }
            (got, heard) => panic!("{got:?} and not {heard:?}"),
        }
        match self.model.told.front() {
            Some(Told::Connect(_)) => bytes.byte(),
            _ => 0,
        }
    }
}
