//! Clients of both protocols in one object: whatever they say and whatever the
//! application decides, in any order. Who is in which room and who owes an
//! acknowledgement is known to [`Rooms`] and [`AwaitedAcks`], and to a model that looks
//! through everybody.

mod step;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;
use proptest::sample::Index;

use self::step::{NAMESPACES, ROOMS, Step, step};
use super::rig::{event, settings, text};
use super::watch::{Packet, Watch};
use super::*;
use crate::Timestamp;
use crate::engine;

/// A socket of one of the clients.
type Name = (usize, JoinId);

struct Client {
    connection: Connection,
    watch: Watch,
    /// The acknowledgements it owes: where, and under which number.
    owes: Vec<(String, u64)>,
}

impl Client {
    fn open(protocol: Protocol) -> Self {
        Self {
            connection: Connection::open(Timestamp::from_millis(0), settings(), protocol),
            watch: Watch::new(protocol),
            owes: Vec::new(),
        }
    }

    fn receive(&mut self, packet: &Packet) {
        let owed = packet.id.map(|id| (packet.namespace.clone(), id));
        self.owes.extend(owed);
        self.watch.receive(packet);
    }
}

/// Those who have not answered an event, and how many have done so or gone.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    missing: BTreeSet<Name>,
    answers: usize,
    gone: usize,
}

/// The time at which clients speak: each of their packets is complete.
const NOW: Timestamp = Timestamp::from_millis(0);

struct Object {
    clients: Vec<Client>,
    rooms: Rooms<Name>,
    acks: AwaitedAcks<Name, u32>,
    asked: BTreeMap<u32, Asked>,
    events: u32,
}

impl Object {
    fn new(protocols: &[Protocol]) -> Self {
        let mut object = Self {
            clients: protocols.iter().copied().map(Client::open).collect(),
            rooms: Rooms::default(),
            acks: AwaitedAcks::begin_at(LAST_ACK - 2),
            asked: BTreeMap::new(),
            events: 0,
        };
        for who in 0..object.clients.len() {
            object.drain(who);
        }
        object
    }

    /// Picks a socket that was begun once, whatever has become of it.
    fn pick(&self, who: usize, index: &Index) -> Option<JoinId> {
        let sockets: Vec<_> = self.clients[who].connection.sockets().collect();
        (!sockets.is_empty()).then(|| index.get(&sockets).join_id())
    }

    fn run(&mut self, who: usize, step: &Step) {
        let client = &mut self.clients[who];
        match step {
            Step::Say(packets) => packets.iter().for_each(|packet| self.say(who, packet)),
            Step::Admit(index) => {
                if let Some(join) = self.pick(who, index) {
                    self.clients[who].connection.admit(join);
                }
            }
            Step::AcceptEarly(index) => {
                if let Some(join) = self.pick(who, index)
                    && self.clients[who].connection.accept_early(join)
                {
                    self.clients[who].watch.connected_early(join);
                }
            }
            Step::Accept(index) => self.decide(who, index, true),
            Step::Refuse(index) => self.decide(who, index, false),
            Step::Disconnect(index) => {
                if let Some(join) = self.pick(who, index) {
                    let client = &mut self.clients[who];
                    let socket = client.connection.socket(join).unwrap();
                    if socket.is_undecided() && !socket.is_present() {
                        client.watch.declined(join);
                    }
                    client.connection.disconnect(join);
                }
            }
            Step::Forget(index) => {
                if let Some(join) = self.pick(who, index) {
                    self.clients[who].connection.forget(join);
                }
            }
            Step::Enter(index, room) => self.enter(who, index, room),
            Step::Leave(index, room) => self.leave(who, index, room),
            Step::Broadcast(namespace, filter, asks) => self.broadcast(namespace, filter, *asks),
            Step::Acknowledge(index) => {
                if !client.owes.is_empty() {
                    let (namespace, id) = client.owes.swap_remove(index.index(client.owes.len()));
                    self.say(who, &format!("3{namespace},{id}[]"));
                }
            }
            Step::Close => client.connection.close(),
            Step::Timeout => client
                .connection
                .handle_timeout(Timestamp::from_millis(45_000)),
            Step::End(reason) => self.end(who, *reason),
            Step::Sleep => {
                let snapshot = client.connection.snapshot();
                let restored = Connection::restore(&snapshot, settings(), |_, _| Some(0));
                client.connection = restored.expect("a snapshot of its own");
            }
        }
        self.drain(who);
    }

    fn say(&mut self, who: usize, packet: &str) {
        let client = &mut self.clients[who];
        let was_closing = client.watch.is_closing();
        let incoming = client.connection.handle_message(NOW, Data::from(packet));
        assert!(
            incoming.is_none() || !was_closing,
            "nobody listens any more"
        );
        // Whoever asks for a namespace again has left it.
        if let Some(namespace) = packet.strip_prefix(['0', '1']) {
            let namespace = namespace.trim_end_matches(',');
            let namespace = if namespace.is_empty() {
                ROOT
            } else {
                namespace
            };
            client.watch.leaves(namespace);
        }
        if let Some(Incoming::Ack { join, id, args }) = incoming {
            let socket = client.connection.socket(join);
            assert!(socket.is_some_and(Socket::is_connected));
            self.acknowledge((who, join), id, args.into_owned());
        }
    }

    fn acknowledge(&mut self, name: Name, id: u64, args: Args<'static>) {
        let asked = u32::try_from(id)
            .ok()
            .and_then(|id| self.asked.get_mut(&id));
        let complete = asked.is_some_and(|asked| {
            let counts = asked.missing.remove(&name);
            asked.answers += usize::from(counts);
            counts && asked.missing.is_empty()
        });
        let told = self.acks.handle_ack(id, name, args);
        assert_eq!(told.map(u64::from), complete.then_some(id));
    }

    fn decide(&mut self, who: usize, index: &Index, accepts: bool) {
        let Some(join) = self.pick(who, index) else {
            return;
        };
        let client = &mut self.clients[who];
        client.watch.decided(join, accepts);
        if accepts {
            client.connection.accept(join);
        } else {
            client.connection.refuse(join, "no", None);
        }
    }

    fn enter(&mut self, who: usize, index: &Index, room: &str) {
        let Some(join) = self.pick(who, index) else {
            return;
        };
        let connection = &mut self.clients[who].connection;
        let entered = connection.enter(join, room);
        let socket = connection.socket(join).unwrap();
        if entered == Ok(true) && socket.is_present() {
            self.rooms.join(socket.namespace(), room, (who, join));
        }
    }

    fn leave(&mut self, who: usize, index: &Index, room: &str) {
        let Some(join) = self.pick(who, index) else {
            return;
        };
        let connection = &mut self.clients[who].connection;
        if connection.leave(join, room) == Some(true) {
            let namespace = connection.socket(join).unwrap().namespace();
            self.rooms.leave(namespace, room, (who, join));
        }
    }

    fn end(&mut self, who: usize, reason: engine::Reason) {
        let client = &mut self.clients[who];
        client.connection.handle_closed(reason);
        client.watch.ended();
        self.drain(who);
    }

    /// Takes all outputs, as a driver does: requests are taken up at once.
    fn drain(&mut self, who: usize) {
        while let Some(output) = self.clients[who].connection.poll_output() {
            self.take(who, output);
        }
    }

    fn take(&mut self, who: usize, output: Output) {
        let client = &mut self.clients[who];
        client.watch.output(&output);
        match output {
            Output::Connect(request) if request.namespace == "/undefined" => {
                client
                    .connection
                    .refuse_request("/undefined", INVALID_NAMESPACE, None);
            }
            Output::Connect(request) => {
                let missed = Args::new("[\"missed\"]", Vec::new());
                let admission = Admission {
                    recovered: Some(RecoveredSocket {
                        rooms: vec!["sid".into(), "x".into()],
                        missed: vec![("1".into(), missed)],
                        ..RecoveredSocket::default()
                    }),
                    ..Admission::new("sid")
                };
                let join = client.connection.begin(&request.namespace, admission);
                client.watch.begun(&request.namespace, join);
            }
            Output::Present(join) => {
                let socket = client.connection.socket(join).unwrap();
                let namespace = socket.namespace();
                self.rooms.insert(namespace, (who, join));
                for room in socket.rooms() {
                    self.rooms.join(namespace, room, (who, join));
                }
            }
            Output::Send(packet) => {
                client.receive(&Packet::read(&text(&packet)));
            }
            Output::Refused(socket) => {
                Self::gone(&mut self.rooms, who, &socket);
                self.give_up((who, socket.join_id()));
            }
            Output::Abandoned(join) | Output::Disconnected(join, _) => {
                let socket = client.connection.socket(join).unwrap();
                Self::gone(&mut self.rooms, who, socket);
                self.give_up((who, join));
            }
            Output::Violation(_) | Output::Close => {}
        }
    }

    fn gone(rooms: &mut Rooms<Name>, who: usize, socket: &Socket) {
        let left = socket.rooms().iter().map(|room| &**room);
        rooms.remove(socket.namespace(), left, (who, socket.join_id()));
    }

    fn give_up(&mut self, name: Name) {
        let mut complete = Vec::new();
        for (id, asked) in &mut self.asked {
            if asked.missing.remove(&name) {
                asked.gone += 1;
                complete.extend(asked.missing.is_empty().then_some(*id));
            }
        }
        let mut told = self.acks.handle_gone(name);
        told.sort_unstable();
        assert_eq!(told, complete);
    }

    /// Returns the sockets that a filter selects, found by checking every one.
    fn meant(&self, namespace: &str, filter: &Filter) -> Vec<Name> {
        let mut meant = Vec::new();
        for (who, client) in self.clients.iter().enumerate() {
            for socket in client.connection.sockets() {
                let named = |rooms: &[String]| rooms.iter().any(|it| socket.rooms().contains(it));
                let invited = filter.rooms.is_empty() || named(&filter.rooms);
                let is_there = socket.is_present() && socket.namespace() == namespace;
                if is_there && invited && !named(&filter.except) {
                    meant.push((who, socket.join_id()));
                }
            }
        }
        meant.sort_unstable();
        meant
    }

    fn broadcast(&mut self, namespace: &str, filter: &Filter, asks: bool) {
        let to = self.rooms.select(namespace, filter);
        assert_eq!(to, self.meant(namespace, filter), "{filter:?}");
        self.events += 1;
        let number = self.events;
        let id = asks.then(|| self.expect(&to));
        for (who, join) in to {
            let client = &mut self.clients[who];
            client.watch.expect(join, number);
            let json = format!("[\"event\",{number}]");
            let packet = event(client.connection.protocol(), namespace, id, &json);
            match client.connection.route(join) {
                // The session would not send it.
                Route::Send if client.watch.is_closing() => {}
                Route::Send => client.receive(&Packet::read(&text(&packet))),
                Route::Hold => assert!(client.connection.hold(join, &packet)),
                Route::Gone => panic!("who is present has not gone"),
            }
        }
    }

    fn expect(&mut self, to: &[Name]) -> u32 {
        let next = (LAST_ACK - 2 + self.asked.len() as u32) % LAST_ACK;
        let id = self.acks.expect(to.iter().copied(), next);
        assert_eq!(id, next, "numbers are given in turn");
        let missing = to.iter().copied().collect();
        let asked = Asked {
            missing,
            ..Asked::default()
        };
        self.asked.insert(id, asked);
        id
    }

    fn check(&self) {
        for client in &self.clients {
            client.watch.check(&client.connection);
        }
        for namespace in NAMESPACES {
            for room in ROOMS {
                let filter = Filter {
                    rooms: vec![room.to_string()],
                    except: Vec::new(),
                };
                let selected = self.rooms.select(namespace, &filter);
                assert_eq!(selected, self.meant(namespace, &filter));
            }
            let all = Filter::default();
            let selected = self.rooms.select(namespace, &all);
            assert_eq!(selected, self.meant(namespace, &all));
        }
    }

    /// Checks the outcome of every event in the end.
    fn finish(mut self) {
        for who in 0..self.clients.len() {
            self.end(who, engine::Reason::TransportClose);
        }
        self.check();
        for (id, asked) in core::mem::take(&mut self.asked) {
            assert!(self.acks.is_complete(id), "nobody is left to answer");
            let waiting = self.acks.take(id);
            let answers = waiting.answers.len();
            let missing: BTreeSet<_> = waiting.missing().iter().copied().collect();
            let gone = waiting.gone.len();
            assert_eq!(
                Asked {
                    missing,
                    answers,
                    gone
                },
                asked
            );
        }
        let nobody = Filter::default();
        let left = NAMESPACES
            .iter()
            .flat_map(|it| self.rooms.select(it, &nobody));
        assert_eq!(left.count(), 0);
    }
}

fn protocol() -> impl Strategy<Value = Protocol> {
    prop_oneof![Just(Protocol::V4), Just(Protocol::V5)]
}

proptest! {
    #[test]
    fn everybody_has_what_is_theirs(
        protocols in prop::collection::vec(protocol(), 1..4),
        steps in prop::collection::vec((any::<Index>(), step()), 0..80),
    ) {
        let mut object = Object::new(&protocols);
        for (who, step) in &steps {
            let who = who.index(protocols.len());
            object.run(who, step);
            object.check();
            if object.clients[who].watch.is_over() {
                object.clients[who] = Client::open(protocols[who]);
                object.drain(who);
            }
        }
        object.finish();
    }
}
