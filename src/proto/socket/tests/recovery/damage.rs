//! Rows that this version of the code cannot read, or that nobody has written.

use proptest::prelude::*;

use super::*;

/// Writes over the first event's row.
fn damage_event(rig: &mut Rig, damage: impl FnOnce(&mut Vec<u8>)) {
    let mut first = rig.rows.events.first_entry().unwrap();
    damage(&mut first.get_mut().head);
}

/// The same with its arguments.
fn damage_content(rig: &mut Rig, damage: impl FnOnce(&mut Vec<u8>)) {
    let mut first = rig.rows.events.first_entry().unwrap();
    damage(&mut first.get_mut().content);
}

fn damage_socket(rig: &mut Rig, pid: &str, damage: impl FnOnce(&mut Vec<u8>)) {
    damage(&mut rig.rows.sockets.get_mut(pid).unwrap().bytes);
}

type Damage = (&'static str, fn(&mut Vec<u8>));

const ALL: [Damage; 5] = [
    ("another version", |bytes| bytes[0] += 1),
    ("an older version", |bytes| bytes[0] -= 1),
    ("cut off", |bytes| bytes.truncate(bytes.len() - 1)),
    ("more than was written", |bytes| bytes.push(0)),
    ("nothing", Vec::clear),
];

#[test]
fn a_socket_that_cannot_be_read_is_gone() {
    for (what, damage) in ALL {
        let mut rig = Rig::new(settings());
        let ada = rig.connect("ada");
        damage_socket(&mut rig, &ada.pid, damage);
        assert_eq!(rig.come_back(&ada, None), None, "{what}");
        assert!(rig.rows.sockets.is_empty(), "{what}");
    }
}

#[test]
fn so_it_is_when_it_expires() {
    for (what, damage) in ALL {
        let mut rig = Rig::new(settings());
        let (ada, bob) = (rig.connect("ada"), rig.connect("bob"));
        rig.lose(&bob);
        damage_socket(&mut rig, &ada.pid, damage);
        damage_socket(&mut rig, &bob.pid, damage);
        // Whose session has not gone is not read.
        for (held, left) in [(["ada"], 1), (["nobody"], 1), (["nobody"], 0)] {
            rig.now = rig.now + AWAY + MILLI;
            let (expired, _) = rig.expire(&held);
            assert!(expired.is_empty(), "{what}");
            assert_eq!(rig.rows.sockets.len(), left, "{what}");
        }
    }
}

#[test]
fn who_may_have_missed_an_event_that_cannot_be_read_starts_over() {
    for (what, damage) in ALL {
        let mut rig = Rig::new(settings());
        let ada = rig.connect("ada");
        let damaged = rig.log(&to("somebody"), "damaged").unwrap();
        rig.log(&Filter::default(), "sound").unwrap();
        damage_event(&mut rig, damage);
        assert_eq!(rig.come_back(&ada, None), None, "{what}");
        assert_eq!(rig.rows.events.len(), 1, "{what}");
        rig.reload();
        assert_eq!(rig.come_back(&ada, None), None, "{what}");
        // Who has had it is none the worse.
        assert_eq!(rig.come_back(&ada, Some(damaged)), texts(["sound"]));
    }
}

#[test]
fn who_has_missed_an_event_whose_arguments_cannot_be_read_starts_over() {
    for (what, damage) in ALL {
        let mut rig = Rig::new(settings());
        let (ada, bob) = (rig.connect("ada"), rig.connect("bob"));
        let damaged = rig.log(&to("ada"), "damaged").unwrap();
        rig.log(&Filter::default(), "sound").unwrap();
        damage_content(&mut rig, damage);
        assert_eq!(rig.come_back(&bob, None), texts(["sound"]), "{what}");
        assert_eq!(rig.come_back(&ada, None), None, "{what}");
        rig.reload();
        assert_eq!(rig.come_back(&ada, None), None, "{what}");
        assert_eq!(rig.come_back(&ada, Some(damaged)), texts(["sound"]));
    }
}

/// An instance may end between any two rows of one event.
#[test]
fn an_event_of_which_a_row_is_missing_is_nobody_elses() {
    for missing in 0..4 {
        let mut rig = Rig::new(Settings {
            max_row: 100,
            ..settings()
        });
        let ada = rig.connect("ada");
        let large = rig.log(&to("ada"), &"x".repeat(250)).unwrap();
        assert_eq!(rig.rows.events.len(), 4);
        rig.log(&to("ada"), "sound").unwrap();
        rig.rows.events.remove(&Offset(large.0 + missing));
        rig.reload();
        let expect = if missing == 0 { texts(["sound"]) } else { None };
        assert_eq!(rig.come_back(&ada, None), expect, "{missing}");
        assert_eq!(rig.come_back(&ada, Some(large)), texts(["sound"]));
    }
}

#[test]
fn a_row_without_a_version_is_not_read() {
    // As they were before rows had one.
    let mut rig = Rig::new(settings());
    let mut ada = rig.connect("ada");
    // Id, namespace, rooms, data, and where it was connected.
    let bytes = postcard::to_allocvec(&("ada", "/", ["ada"], None::<&str>, ada.since)).unwrap();
    damage_socket(&mut rig, &ada.pid, |row| *row = bytes);
    assert_eq!(rig.come_back(&ada, None), None);
    ada.pid = "another".into();
    rig.save(&ada);
    rig.log(&Filter::default(), "one").unwrap();
    let bytes = postcard::to_allocvec(&(Filter::default(), args("one"))).unwrap();
    damage_event(&mut rig, |row| *row = bytes);
    assert_eq!(rig.come_back(&ada, None), None);
}

/// Does everything that reads rows.
fn use_all(rig: &mut Rig, pid: &str, offset: Option<Offset>) {
    let request = RecoveryRequest {
        pid: pid.into(),
        offset,
    };
    for _ in 0..2 {
        rig.recovery.offset(&mut rig.rows, rig.now);
        let (now, rows) = (rig.now, &mut rig.rows);
        if let Some(found) = rig.recovery.find(rows, now, "/", &request.pid) {
            let _ = rig.recovery.missed(rows, now, &found, &request);
        }
        let _ = rig.log(&Filter::default(), "one");
        rig.expire(&[]);
        rig.reload();
        rig.now = rig.now + AWAY;
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        socket in prop::collection::vec(any::<u8>(), 0..40),
        event in prop::collection::vec(any::<u8>(), 0..40),
        content in prop::collection::vec(any::<u8>(), 0..40),
        versioned in any::<bool>(),
        at in prop_oneof![any::<u64>(), 0..2_000_000_000_u64],
        lost in prop::option::of(any::<u64>()),
        numbers in prop::collection::vec(any::<u64>(), 3),
        offset in prop::option::of(any::<u64>()),
    ) {
        let mut rig = Rig::new(settings());
        let ada = rig.connect("ada");
        let with_version = |mut bytes: Vec<u8>| -> Vec<u8> {
            if versioned {
                bytes.insert(0, 2);
            }
            bytes
        };
        damage_socket(&mut rig, &ada.pid, |row| *row = with_version(socket));
        rig.rows.sockets.get_mut(&ada.pid).unwrap().lost = lost.map(Timestamp::from_millis);
        let event = rows::Event {
            namespace: "/".into(),
            head: with_version(event),
            content: with_version(content),
        };
        rig.rows.events.insert(Offset(at), event);
        for (number, value) in [Number::Pruned, Number::Intact, Number::Searched].into_iter().zip(numbers) {
            if value % 3 != 0 {
                rig.rows.numbers.insert(number, value);
            }
        }
        rig.reload();
        use_all(&mut rig, &ada.pid, offset.map(Offset));
    }

    /// A byte that has changed may make another value of a row, but nothing worse.
    #[test]
    fn no_byte_that_has_changed_makes_it_panic(
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        which in 0..3_u8,
    ) {
        let mut rig = Rig::new(settings());
        let ada = rig.connect("ada");
        let large = Args::new("[\"e\",1]", vec![vec![1, 2, 3]; 3]);
        rig.log_in("/", &to("ada"), &large).unwrap();
        let change = |row: &mut Vec<u8>| *place.get_mut(row) = byte;
        match which {
            0 => damage_socket(&mut rig, &ada.pid, change),
            1 => damage_event(&mut rig, change),
            _ => damage_content(&mut rig, change),
        }
        use_all(&mut rig, &ada.pid, None);
    }
}
