//! Clients of Socket.IO, their rooms and the acknowledgements they owe, beside a
//! model: whatever they say and whatever the application decides, in any order.
//!
//! A twin of each client lives through the same, but sleeps between any two steps.

mod crowd;
mod model;

use dormouse_proto::Timestamp;
use dormouse_proto::engine::Data;
use dormouse_proto::socket::{Client, Encoded, Incoming, Parser, Protocol, Settings, Socket};

use self::crowd::Crowd;
use self::model::{Model, Said};
use super::bytes::{Bytes, text};
use super::trace;

const CLIENTS: usize = 3;
const NAMESPACES: [&str; 5] = ["/", "/a", "/b", "/c", "/d"];
pub(super) const ROOMS: [&str; 4] = ["x", "y", "z", ""];

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
    let mut ends: Vec<End> = (0..CLIENTS)
        .map(|_| End::open(settings, protocol))
        .collect();
    let mut crowd = Crowd::new(u32::from(bytes.byte()) << 23 | u32::from(bytes.byte()));
    while !bytes.is_empty() {
        let who = bytes.below(CLIENTS);
        let end = &mut ends[who];
        end.step(&mut bytes, who, &mut crowd);
        end.sleep();
        end.model.compare(&end.awake, settings);
        crowd.step(&mut bytes);
    }
}

/// One client: as it is, as it sleeps, and as it should be.
struct End {
    settings: Settings,
    protocol: Protocol,
    awake: Client,
    asleep: Client,
    /// What was saved when it last said that it must be.
    saved: Vec<u8>,
    model: Model,
    joined: u32,
}

impl End {
    fn open(settings: Settings, protocol: Protocol) -> Self {
        let open = || Client::open(Timestamp::from_millis(0), settings, protocol);
        Self {
            settings,
            protocol,
            awake: open(),
            asleep: open(),
            saved: Vec::new(),
            model: Model::new(settings, protocol),
            joined: 0,
        }
    }

    fn sleep(&mut self) {
        let snapshot = self.awake.snapshot();
        assert_eq!(snapshot, self.asleep.snapshot(), "sleep loses nothing");
        self.asleep = Client::restore(&snapshot, self.settings).expect("a snapshot");
        assert_eq!(self.asleep.next_deadline(), self.awake.next_deadline());
        if self.awake.take_changed() {
            self.saved = snapshot;
        } else {
            assert_eq!(snapshot, self.saved, "what was saved is all there is");
        }
    }

    /// Does the same to both, which must answer the same.
    fn both<T: PartialEq + std::fmt::Debug>(&mut self, mut act: impl FnMut(&mut Client) -> T) -> T {
        let result = act(&mut self.awake);
        trace(&result);
        assert_eq!(result, act(&mut self.asleep), "sleep changes nothing");
        result
    }

    fn step(&mut self, bytes: &mut Bytes<'_>, who: usize, crowd: &mut Crowd) {
        let namespace = NAMESPACES[bytes.below(NAMESPACES.len())];
        match bytes.below(16) {
            0..=4 => {
                let data = read_message(bytes, self.settings.parser, self.protocol, namespace);
                self.message(data, bytes, who, crowd);
            }
            5 => self.message(Data::from(bytes.piece().to_vec()), bytes, who, crowd),
            6 => {
                let text = text(bytes.piece()).into_owned();
                self.message(Data::from(text), bytes, who, crowd);
            }
            7 => {
                let request = self.both(Client::next_request);
                assert_eq!(request, self.model.next_request());
                if let Some(request) = request {
                    self.decide(&request.namespace, bytes.byte(), who, crowd);
                }
            }
            8 | 9 => self.accept(namespace, who, crowd),
            10 => {
                let expected = self.model.remove(namespace).is_some();
                let result = self.both(|client| client.disconnect(namespace));
                assert_eq!(result.is_some(), expected);
                if let Some((socket, packet)) = result {
                    self.check(&packet, &Said::Disconnect(namespace.to_owned()));
                    crowd.gone(namespace, who, &socket.rooms);
                }
            }
            11 | 12 => {
                let room = ROOMS[bytes.below(ROOMS.len())];
                let joined = self.both(|client| client.join(namespace, room));
                assert_eq!(joined, self.model.join(namespace, room));
                if joined && self.model.is_connected(namespace) {
                    crowd.join(namespace, room, who);
                }
            }
            13 => {
                let room = ROOMS[bytes.below(ROOMS.len())];
                self.both(|client| client.leave(namespace, room));
                self.model.leave(namespace, room);
                crowd.leave(namespace, room, who);
            }
            14 => {
                let data = bytes.flag().then(|| text(bytes.piece()).into_owned());
                let set = self.both(|client| client.set_data(namespace, data.clone()));
                assert_eq!(set, self.model.set_data(namespace, data.clone()));
            }
            _ => self.end_or_wait(bytes, who, crowd),
        }
    }

    fn end_or_wait(&mut self, bytes: &mut Bytes<'_>, who: usize, crowd: &mut Crowd) {
        let now = Timestamp::from_millis(u64::from(bytes.byte()) * 1_000);
        let late = self.both(|client| client.handle_timeout(now));
        let has_time = now < Timestamp::from_millis(0) + self.settings.connect_timeout;
        assert_eq!(late, !self.model.has_joined() && !has_time);
        if bytes.byte() & 3 == 0 {
            self.close(who, crowd);
        }
    }

    /// The session is over; a new one takes its place.
    fn close(&mut self, who: usize, crowd: &mut Crowd) {
        let sockets: Vec<_> = self.both(|client| client.close().collect::<Vec<_>>());
        self.model.check_closed(&sockets);
        for (namespace, socket) in sockets {
            crowd.gone(&namespace, who, &socket.rooms);
        }
        assert_eq!(self.awake.sockets().count(), 0);
        assert_eq!(self.both(Client::next_request), None);
        *self = Self {
            joined: self.joined,
            ..Self::open(self.settings, self.protocol)
        };
    }

    fn message(&mut self, data: Data<'_>, bytes: &mut Bytes<'_>, who: usize, crowd: &mut Crowd) {
        let expected = self.model.message(data.borrowed());
        let awake = self.awake.handle_message(data.borrowed());
        let asleep = self.asleep.handle_message(data.borrowed());
        trace(&(&data, &awake));
        assert_eq!(awake, asleep, "sleep changes nothing");
        match (awake, expected) {
            (Ok(Some(Incoming::Reply(packet))), Ok(Some(model::Expected::Refusal(said)))) => {
                self.check(&packet, &said);
            }
            (Ok(Some(Incoming::Connect(request))), Ok(Some(model::Expected::Connect(same)))) => {
                assert_eq!(request, same);
                self.decide(&request.namespace, bytes.byte(), who, crowd);
            }
            (
                Ok(Some(Incoming::Disconnect { namespace, socket })),
                Ok(Some(model::Expected::Disconnect(same))),
            ) => {
                assert_eq!(namespace, same);
                crowd.gone(&namespace, who, &socket.rooms);
            }
            (
                Ok(Some(Incoming::Event {
                    namespace,
                    ack,
                    name,
                    args,
                })),
                Ok(Some(model::Expected::Packet(packet))),
            ) => packet.check_event(&namespace, ack, &name, &args),
            (
                Ok(Some(Incoming::Ack {
                    namespace,
                    id,
                    args,
                })),
                Ok(Some(model::Expected::Packet(packet))),
            ) => {
                packet.check_ack(&namespace, id, &args);
                crowd.ack(id, &namespace, who, args.into_owned());
            }
            (Ok(None), Ok(None)) => {}
            (Err(violation), Err(same)) => {
                assert_eq!(violation, same);
                self.close(who, crowd);
            }
            (got, expected) => panic!("{got:?} and not {expected:?}"),
        }
    }

    /// The application thinks about it, or knows at once.
    fn decide(&mut self, namespace: &str, choice: u8, who: usize, crowd: &mut Crowd) {
        if choice & 7 == 7 {
            let data = (choice & 8 != 0).then_some(r#"{"code":1}"#);
            let packet = self.both(|client| client.refuse(namespace, "no \"entry\"", data));
            self.model.remove(namespace);
            let said = Said::Refusal {
                namespace: namespace.to_owned(),
                message: "no \"entry\"".to_owned(),
                data: data.map(str::to_owned),
            };
            return self.check(&packet, &said);
        }
        self.joined += 1;
        let id = format!("{who}-{}", self.joined);
        let mut socket = Socket::new(id, u16::from(choice));
        socket.pid = (choice & 16 != 0).then(|| format!("pid {}", self.joined));
        self.both(|client| client.begin(namespace, socket.clone()));
        self.model.begin(namespace, &socket);
        if choice & 1 == 1 {
            self.accept(namespace, who, crowd);
        }
    }

    fn accept(&mut self, namespace: &str, who: usize, crowd: &mut Crowd) {
        let expected = self.model.accept(namespace);
        let packet = self.both(|client| client.accept(namespace));
        assert_eq!(packet.is_some(), expected.is_some());
        if let (Some(packet), Some(said)) = (packet, expected) {
            self.check(&packet, &said);
            for room in self.model.rooms(namespace) {
                crowd.join(namespace, &room, who);
            }
        }
    }

    /// Whether a packet says what it should. In msgpack that is what the target of
    /// that name is for.
    fn check(&self, packet: &Encoded, said: &Said) {
        if self.settings.parser == Parser::JSON {
            let [message] = *packet.messages().collect::<Vec<_>>() else {
                panic!("{packet:?} has no attachments");
            };
            assert_eq!(message.data(), Data::from(said.to_text(self.protocol)));
        }
    }
}

/// What a client may well say.
fn read_message(
    bytes: &mut Bytes<'_>,
    parser: Parser,
    protocol: Protocol,
    namespace: &str,
) -> Data<'static> {
    let choice = bytes.byte();
    let prefix = if namespace == "/" {
        String::new()
    } else {
        format!("{namespace},")
    };
    if parser == Parser::MSGPACK {
        return Data::from(write_msgpack(choice, namespace, bytes.byte()));
    }
    Data::from(match choice & 15 {
        0..=3 => format!("0{prefix}"),
        4 if protocol == Protocol::V4 => format!("0{namespace}?token=1,"),
        4 => format!("0{prefix}{{\"token\":1}}"),
        5 => format!("1{prefix}"),
        6 | 7 => format!("2{prefix}[\"event\",{choice}]"),
        8 => format!("2{prefix}{choice}[\"event\"]"),
        9 | 10 => format!(
            "3{prefix}{}[{choice}]",
            u32::from(bytes.byte()) << 23 | u32::from(bytes.byte())
        ),
        11 => format!("51-{prefix}[\"event\",{{\"_placeholder\":true,\"num\":0}}]"),
        12 => format!("62-{prefix}{choice}[{{\"_placeholder\":true,\"num\":1}}]"),
        13 => format!("2{prefix}[\"disconnect\"]"),
        _ => return Data::from(vec![choice; usize::from(choice >> 4)]),
    })
}

fn write_msgpack(choice: u8, namespace: &str, id: u8) -> Vec<u8> {
    let mut message = vec![0x83, 0xa4];
    message.extend(b"type");
    message.push([0, 0, 1, 2, 3][usize::from(choice) % 5]);
    message.push(0xa3);
    message.extend(b"nsp");
    message.push(0xa0 | namespace.len() as u8);
    message.extend(namespace.bytes());
    match choice % 5 {
        0..=2 => message[0] = 0x82,
        3 => message.extend(b"\xa4data\x92\xa1e\xc4\x01!"),
        _ => {
            message[0] = 0x84;
            message.extend(b"\xa4data\x91\xc0\xa2id");
            message.push(id & 0x7f);
        }
    }
    message
}
