//! Whatever happens, beside a list of everything that was ever sent: a client that
//! comes back gets exactly what it has missed, in order, or starts over.

use proptest::prelude::*;

use super::*;

/// The rooms there are, besides that of each client's id.
const ROOMS: [&str; 2] = ["a", "b"];
const NAMESPACES: [&str; 2] = ["/", "/other"];
const CLIENTS: usize = 4;

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    Emit {
        namespace: usize,
        room: Option<usize>,
        except: Option<usize>,
        bytes: usize,
    },
    Volatile,
    /// The network of a client is gone, and nobody has noticed.
    Cut(usize),
    /// The server has noticed.
    Lose(usize),
    /// The application moves a client into a room or out of it.
    Move(usize, usize),
    ComeBack(usize),
    /// A client leaves on purpose. Later it tries to come back all the same.
    Leave(usize),
    Pass(u64),
    Expire,
    /// The instance ends, and another one goes on.
    Reload,
    /// The storage takes nothing, or takes it again.
    Fill(bool),
    /// So many calls from now, one fails.
    Fail(u32),
}

/// A client, and what it knows.
#[derive(Clone, Debug)]
struct Client {
    /// As the server has it, whether or not it could be saved.
    socket: StoredSocket,
    state: State,
    offset: Option<Offset>,
    /// The number of events when it received the last one, or connected.
    stands_at: usize,
}

/// An event that was sent.
#[derive(Clone, Debug)]
struct Sent {
    namespace: &'static str,
    filter: Filter,
    args: Args<'static>,
    at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connected,
    /// Its network is gone, of which the server does not know.
    Cut,
    Lost,
    Left,
}

struct World {
    rig: Rig,
    clients: Vec<Client>,
    /// All events there have been.
    sent: Vec<Sent>,
    last: Offset,
    /// Clients and sessions there have been.
    count: u32,
    /// The storage has never failed.
    is_sound: bool,
    /// Everything that can be observed, step by step.
    seen: Vec<String>,
}

impl World {
    fn new(settings: Settings) -> Self {
        let mut world = Self {
            rig: Rig::new(settings),
            clients: Vec::new(),
            sent: Vec::new(),
            last: Offset(0),
            count: 0,
            is_sound: true,
            seen: Vec::new(),
        };
        for number in 0..CLIENTS {
            let client = world.new_client(number);
            world.clients.push(client);
        }
        world
    }

    /// Lets a client start over.
    fn new_client(&mut self, number: usize) -> Client {
        self.count += 1;
        let mut socket = Socket::new(
            JoinId(0),
            "/",
            alloc::format!("client {}", self.count),
            Definition::default(),
        );
        socket.pid = Some(alloc::format!("pid {}", self.count));
        let namespace = NAMESPACES[number % NAMESPACES.len()];
        let since = self.rig.recovery.offset(&mut self.rig.rows, self.rig.now);
        let session = self.count.to_le_bytes();
        let socket = StoredSocket::of(&session, namespace, &socket, since).unwrap();
        self.save(&socket);
        Client {
            socket,
            state: State::Connected,
            offset: None,
            stands_at: self.sent.len(),
        }
    }

    fn save(&mut self, socket: &StoredSocket) {
        let evicted = self
            .rig
            .recovery
            .save(&mut self.rig.rows, self.rig.now, socket);
        self.tell_of_expiry(&evicted);
    }

    fn tell_of_expiry(&mut self, sockets: &[StoredSocket]) {
        for socket in sockets {
            let connected =
                |client: &Client| client.socket.id == socket.id && client.state == State::Connected;
            assert!(!self.clients.iter().any(connected), "{socket:?} expired");
            self.seen.push(alloc::format!("{} expired", socket.id));
        }
    }

    fn emit(&mut self, namespace: usize, filter: &Filter, bytes: usize) {
        let args = args(&alloc::format!("{:x<1$}", self.sent.len(), bytes));
        let namespace = NAMESPACES[namespace];
        let logged = self.rig.log_in(namespace, filter, &args);
        self.seen.push(alloc::format!("{logged:?}"));
        let offset = match logged {
            Ok(offset) => {
                assert!(offset > self.last, "{offset} was given out before");
                assert!(offset.0 >= self.rig.now.as_millis() * 1_000);
                self.last = offset;
                offset
            }
            Err(NotStored { offset }) => offset,
        };
        self.sent.push(Sent {
            namespace,
            filter: filter.clone(),
            args,
            at: self.rig.now,
        });
        for client in &mut self.clients {
            let is_there = client.state == State::Connected;
            if is_there && client.socket.namespace == namespace && client.socket.is_meant_by(filter)
            {
                client.offset = Some(offset);
                client.stands_at = self.sent.len();
            }
        }
    }

    /// Returns what was sent since a client received anything, and was for it.
    fn missed(&self, client: &Client) -> Vec<Args<'static>> {
        let missed = self.sent.iter().skip(client.stands_at);
        let is_for_it = |sent: &&Sent| {
            client.socket.namespace == sent.namespace && client.socket.is_meant_by(&sent.filter)
        };
        let missed = missed.filter(is_for_it);
        missed.map(|sent| sent.args.clone()).collect()
    }

    /// Lets the server notice that a client is gone.
    fn lose(&mut self, number: usize) {
        let now = self.rig.now;
        let client = &mut self.clients[number];
        if client.state != State::Lost && client.state != State::Left {
            client.state = State::Lost;
            client.socket.lost = Some(now);
            let socket = client.socket.clone();
            self.save(&socket);
        }
    }

    fn come_back(&mut self, number: usize) {
        let client = self.clients[number].clone();
        if client.state == State::Connected {
            return;
        }
        let request = RecoveryRequest {
            pid: client.socket.pid.clone(),
            offset: client.offset,
        };
        let (rows, now) = (&mut self.rig.rows, self.rig.now);
        let namespace = &*client.socket.namespace;
        let mut found = self.rig.recovery.find(rows, now, namespace, &request.pid);
        if found.as_ref().is_some_and(|socket| socket.lost.is_none()) {
            self.lose(number);
            let rows = &mut self.rig.rows;
            found = self.rig.recovery.find(rows, now, namespace, &request.pid);
        }
        let missed = found.as_ref().and_then(|socket| {
            let rows = &mut self.rig.rows;
            self.rig.recovery.missed(rows, now, socket, &request)
        });
        self.seen.push(alloc::format!("{found:?} {missed:?}"));
        if self.is_sound {
            assert_eq!(
                missed.is_some(),
                self.is_to_come_back(number),
                "{request:?}"
            );
        }
        let Some(missed) = missed else {
            let client = self.new_client(number);
            self.clients[number] = client;
            return;
        };
        assert_ne!(client.state, State::Left, "{client:?}");
        let mut socket = found.unwrap();
        assert_eq!(socket, self.clients[number].socket);
        let args: Vec<_> = missed.iter().map(|(_, args)| args.clone()).collect();
        assert_eq!(args, self.missed(&client), "{client:?}");
        let is_last = |sent: &Sent| Some(&sent.args) == args.last();
        let last = self.sent.iter().rposition(is_last);
        let stands_at = last.map_or(client.stands_at, |last| last + 1);
        self.count += 1;
        socket.session = self.count.to_le_bytes().into();
        socket.lost = None;
        self.save(&socket);
        self.clients[number] = Client {
            socket,
            state: State::Connected,
            offset: missed.last().map(|(offset, _)| *offset).or(client.offset),
            stands_at,
        };
    }

    /// Returns whether all of it must still be there, if the storage has never
    /// failed.
    fn is_to_come_back(&self, number: usize) -> bool {
        let client = &self.clients[number];
        let settings = &self.rig.settings;
        let ago = |at: Timestamp| self.rig.now.since(at) > settings.max_disconnection;
        let mut after = self.sent.iter().skip(client.stands_at);
        let missed = self.missed(client);
        client.state != State::Left
            && !client.socket.lost.is_some_and(ago)
            && !after.any(|sent| ago(sent.at))
            && missed.iter().map(Args::bytes).sum::<usize>() <= settings.max_missed
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Emit {
                namespace,
                room,
                except,
                bytes,
            } => {
                let name = |room: &usize| ROOMS[*room].into();
                let filter = Filter {
                    rooms: room.iter().map(name).collect(),
                    except: except.iter().map(name).collect(),
                };
                self.emit(*namespace, &filter, *bytes);
            }
            Step::Volatile => {
                let offset = self.rig.recovery.offset(&mut self.rig.rows, self.rig.now);
                self.seen.push(alloc::format!("{offset}"));
                for client in &mut self.clients {
                    if client.state == State::Connected {
                        client.offset = Some(offset);
                        client.stands_at = self.sent.len();
                    }
                }
            }
            Step::Cut(number) => {
                let client = &mut self.clients[*number];
                if client.state == State::Connected {
                    client.state = State::Cut;
                }
            }
            Step::Lose(number) => self.lose(*number),
            Step::Move(number, room) => {
                let client = &mut self.clients[*number];
                if matches!(client.state, State::Connected | State::Cut) {
                    let rooms = &mut client.socket.rooms;
                    let room = ROOMS[*room];
                    match rooms.iter().position(|name| name == room) {
                        Some(place) => drop(rooms.remove(place)),
                        None => rooms.push(room.into()),
                    }
                    let socket = client.socket.clone();
                    self.save(&socket);
                }
            }
            Step::ComeBack(number) => self.come_back(*number),
            Step::Leave(number) => {
                let client = &mut self.clients[*number];
                if client.state == State::Connected {
                    client.state = State::Left;
                    let pid = client.socket.pid.clone();
                    self.rig.recovery.forget(&mut self.rig.rows, &pid);
                }
            }
            Step::Pass(millis) => self.rig.now = self.rig.now + Duration::from_millis(*millis),
            Step::Expire => self.expire(),
            Step::Reload => {
                // What could neither be stored nor deleted, an instance takes with it.
                if !self.rig.rows.has_kept {
                    self.rig.reload();
                }
            }
            Step::Fill(is_full) => {
                self.rig.rows.is_full = *is_full;
                self.is_sound &= !is_full;
            }
            Step::Fail(calls) => {
                self.rig.rows.fails_in.set(Some(*calls));
                self.is_sound = false;
            }
        }
    }

    fn expire(&mut self) {
        let clients = self.clients.clone();
        let is_held = &mut |holder: &Holder| {
            let mut all = clients.iter();
            all.any(|client| {
                client.socket.session == holder.session
                    && matches!(client.state, State::Connected | State::Cut)
            })
        };
        let Rig {
            recovery,
            rows,
            now,
            ..
        } = &mut self.rig;
        let Expired { sockets, next } = recovery.expire(rows, *now, is_held);
        assert!(sockets.is_empty() || sockets.iter().all(|it| it.lost.is_some()));
        self.seen.push(alloc::format!("{next:?}"));
        self.tell_of_expiry(&sockets);
    }
}

fn step() -> impl Strategy<Value = Step> {
    let client = || 0..CLIENTS;
    let room = || prop::option::of(0..ROOMS.len());
    let bytes = prop_oneof![4 => Just(1_usize), 1 => Just(400), 1 => Just(2_000)];
    prop_oneof![
        12 => (0..NAMESPACES.len(), room(), room(), bytes).prop_map(
            |(namespace, room, except, bytes)| Step::Emit { namespace, room, except, bytes }
        ),
        1 => Just(Step::Volatile),
        4 => client().prop_map(Step::Cut),
        3 => client().prop_map(Step::Lose),
        4 => (client(), 0..ROOMS.len()).prop_map(|(client, room)| Step::Move(client, room)),
        6 => client().prop_map(Step::ComeBack),
        1 => client().prop_map(Step::Leave),
        2 => prop_oneof![Just(0_u64), 1..400_u64, Just(1_000), Just(1_001)].prop_map(Step::Pass),
        2 => Just(Step::Expire),
        2 => Just(Step::Reload),
    ]
}

/// The same, in a storage that fails.
fn faulty_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => step(),
        1 => any::<bool>().prop_map(Step::Fill),
        1 => (0..8_u32).prop_map(Step::Fail),
    ]
}

fn small() -> Settings {
    Settings {
        max_missed: 1_000,
        ..settings()
    }
}

proptest! {
    /// Whether it starts over is what is expected, too.
    #[test]
    fn a_client_gets_what_it_has_missed_exactly_if_it_is_there(
        steps in prop::collection::vec(step(), 0..100),
    ) {
        let mut world = World::new(small());
        steps.iter().for_each(|step| world.run(step));
        (0..CLIENTS).for_each(|client| world.come_back(client));
    }

    #[test]
    fn a_client_gets_what_it_has_missed_or_starts_over(
        steps in prop::collection::vec(faulty_step(), 0..100),
    ) {
        let mut world = World::new(small());
        steps.iter().for_each(|step| world.run(step));
        (0..CLIENTS).for_each(|client| world.come_back(client));
    }

    /// The same where events and sockets give way to others.
    #[test]
    fn so_it_does_where_there_is_little_room(
        before in 0..150_usize,
        steps in prop::collection::vec(faulty_step(), 0..100),
    ) {
        let settings = Settings {
            max_events: 20,
            max_bytes: 3_000,
            max_sockets: 3,
            ..small()
        };
        let mut world = World::new(settings);
        world.is_sound = false;
        for _ in 0..before {
            world.emit(0, &Filter::default(), 1);
        }
        for step in &steps {
            world.run(step);
            prop_assert!((world.rig.rows.events.len() as u64) < 20 + COUNT_EVERY);
        }
        (0..CLIENTS).for_each(|client| world.come_back(client));
    }

    #[test]
    fn a_reload_between_any_two_steps_changes_nothing(
        steps in prop::collection::vec(
            prop_oneof![20 => step(), 1 => any::<bool>().prop_map(Step::Fill)],
            0..100,
        ),
    ) {
        let mut awake = World::new(small());
        let mut asleep = World::new(small());
        for step in &steps {
            if !matches!(step, Step::Reload) {
                awake.run(step);
                asleep.run(step);
                asleep.rig.reload();
                prop_assert_eq!(&awake.seen, &asleep.seen);
            }
        }
    }
}
