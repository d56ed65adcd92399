//! A client that sleeps after every step is like one that never does.

use alloc::vec;

use proptest::prelude::*;

use super::*;

/// Something that happens to a client.
#[derive(Clone, Debug)]
enum Step {
    Text(&'static str),
    Binary,
    Begin(&'static str),
    Accept(&'static str),
    Refuse(&'static str),
    Disconnect(&'static str),
    Join(&'static str),
    Leave(&'static str),
    Data(&'static str),
}

const NAMESPACES: [&str; 3] = ["/", "/a", "/b"];
const TEXTS: [&str; 10] = [
    "0",
    "0/a,{\"x\":1}",
    "0/b?y=1,",
    "1",
    "1/a,",
    "2[\"e\",1]",
    "2/a,5[\"e\"]",
    "3/a,5[]",
    "52-[\"e\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]",
    "nonsense",
];

fn step() -> impl Strategy<Value = Step> {
    let namespace = || prop::sample::select(&NAMESPACES[..]);
    prop_oneof![
        4 => prop::sample::select(&TEXTS[..]).prop_map(Step::Text),
        2 => Just(Step::Binary),
        2 => namespace().prop_map(Step::Begin),
        2 => namespace().prop_map(Step::Accept),
        1 => namespace().prop_map(Step::Refuse),
        1 => namespace().prop_map(Step::Disconnect),
        1 => namespace().prop_map(Step::Join),
        1 => namespace().prop_map(Step::Leave),
        1 => namespace().prop_map(Step::Data),
    ]
}

/// Does it, and says what came of it.
fn run(client: &mut Client, step: &Step) -> String {
    match step {
        Step::Text(text) => alloc::format!("{:?}", client.handle_message(Data::from(*text))),
        Step::Binary => alloc::format!("{:?}", client.handle_message(Data::from(vec![1, 2]))),
        Step::Begin(namespace) => {
            client.begin(
                namespace,
                Socket::new(alloc::format!("id of {namespace}"), 1),
            );
            alloc::format!("{:?}", client.next_request())
        }
        Step::Accept(namespace) => alloc::format!("{:?}", client.accept(namespace)),
        Step::Refuse(namespace) => {
            alloc::format!("{:?}", client.refuse(namespace, "no", Some("1")))
        }
        Step::Disconnect(namespace) => alloc::format!("{:?}", client.disconnect(namespace)),
        Step::Join(namespace) => alloc::format!("{:?}", client.join(namespace, "room")),
        Step::Leave(namespace) => {
            client.leave(namespace, "room");
            String::new()
        }
        Step::Data(namespace) => {
            alloc::format!("{:?}", client.set_data(namespace, Some("{}".into())))
        }
    }
}

fn look(client: &mut Client) -> String {
    let sockets: Vec<_> = client.sockets().collect();
    alloc::format!("{sockets:?} {:?}", client.next_deadline())
}

fn sleep(client: &Client) -> Client {
    let settings = Settings {
        max_namespaces: 3,
        max_rooms: 2,
        ..Settings::default()
    };
    Client::restore(&client.snapshot(), settings).unwrap()
}

proptest! {
    #[test]
    fn sleep_changes_nothing(
        old in any::<bool>(),
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let protocol = if old { Protocol::V4 } else { Protocol::V5 };
        let mut awake = open(protocol);
        let mut asleep = open(protocol);
        for step in &steps {
            prop_assert_eq!(run(&mut awake, step), run(&mut asleep, step), "{:?}", step);
            prop_assert_eq!(look(&mut awake), look(&mut asleep));
            asleep = sleep(&asleep);
            prop_assert!(!asleep.take_changed(), "what was just read is saved");
        }
    }

    /// Whatever changes what a client sleeps by says so.
    #[test]
    fn what_changes_says_so(steps in prop::collection::vec(step(), 0..40)) {
        let mut client = open(Protocol::V5);
        client.take_changed();
        let mut before = client.snapshot();
        for step in &steps {
            let _ = run(&mut client, step);
            let after = client.snapshot();
            let changed = client.take_changed();
            prop_assert!(changed || after == before, "{:?}", step);
            before = after;
        }
    }

    #[test]
    fn no_bytes_make_a_snapshot_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = Client::restore(&bytes, Settings::default());
        let mut mangled = open(Protocol::V5).snapshot();
        for (place, byte) in bytes.iter().enumerate() {
            if let Some(target) = mangled.get_mut(place * 7 % 20) {
                *target ^= byte;
            }
        }
        let _ = Client::restore(&mangled, Settings::default());
    }
}
