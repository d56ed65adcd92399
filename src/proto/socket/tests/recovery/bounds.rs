//! Every bound, just below it, at it, and just above.

use super::*;

/// Logs as many events as it takes for the instance to count them.
fn counting(settings: Settings) -> Rig {
    let mut rig = Rig::new(settings);
    for _ in 0..COUNT_EVERY {
        rig.log(&Filter::default(), "").unwrap();
    }
    rig
}

#[test]
fn max_events_bounds_their_number() {
    let limit = 200;
    for (count, stored) in [
        (limit - 1, limit - 1),
        (limit, limit),
        (limit + 1, limit - limit / 10),
    ] {
        let mut rig = counting(Settings {
            max_events: limit,
            ..settings()
        });
        let ada = rig.connect("ada");
        for _ in COUNT_EVERY..count {
            rig.log(&Filter::default(), "").unwrap();
        }
        assert_eq!(rig.rows.events.len() as u64, stored);
        // The newest stay.
        rig.reload();
        let oldest = *rig.rows.events.first_key_value().unwrap().0;
        let missed = rig.come_back(&ada, Some(oldest)).map(|it| it.len() as u64);
        assert_eq!(missed, Some(stored - 1));
    }
}

#[test]
fn who_has_missed_a_deleted_event_starts_over() {
    let mut rig = counting(Settings {
        max_events: 110,
        ..settings()
    });
    let ada = rig.connect("ada");
    let mut offsets = Vec::new();
    for _ in 0..100 {
        offsets.push(rig.log(&Filter::default(), "").unwrap());
    }
    for reload in [false, true] {
        if reload {
            rig.reload();
        }
        let oldest = *rig.rows.events.first_key_value().unwrap().0;
        for (place, offset) in offsets.iter().enumerate() {
            let next = offsets.get(place + 1).copied();
            let all_stored = next.is_none_or(|next| next >= oldest);
            let missed = rig.come_back(&ada, Some(*offset));
            assert_eq!(missed.is_some(), all_stored, "{place}");
        }
    }
}

#[test]
fn max_bytes_bounds_their_size() {
    let row = {
        let mut rig = Rig::new(settings());
        rig.log(&Filter::default(), "").unwrap();
        rig.rows.event_usage().unwrap().bytes
    };
    for (more, stored) in [(-1, 180), (0, 200), (1, 200)] {
        let mut rig = counting(Settings {
            max_bytes: (200 * row).saturating_add_signed(more),
            ..settings()
        });
        for _ in COUNT_EVERY..200 {
            rig.log(&Filter::default(), "").unwrap();
        }
        // One row less than a tenth, where the bound is not divisible.
        let count = rig.rows.events.len() as u64;
        assert!(stored == count || stored == count + 1, "{more}: {count}");
    }
}

#[test]
fn few_large_events_make_room_like_many_small_ones() {
    let mut rig = counting(Settings {
        max_bytes: 10_000,
        ..settings()
    });
    for size in [10, 3_000, 10, 6_000, 10, 9_000, 10, 10_000, 10, 10] {
        rig.log(&Filter::default(), &"x".repeat(size)).unwrap();
        assert!(rig.rows.event_usage().unwrap().bytes <= 10_000);
    }
}

#[test]
fn an_instance_counts_after_a_hundred_events() {
    let mut rig = Rig::new(Settings {
        max_events: 10,
        ..settings()
    });
    for _ in 1..COUNT_EVERY {
        rig.log(&Filter::default(), "").unwrap();
    }
    assert_eq!(rig.rows.events.len() as u64, COUNT_EVERY - 1);
    rig.log(&Filter::default(), "").unwrap();
    assert_eq!(rig.rows.events.len(), 9);
}

#[test]
fn old_events_go_without_an_alarm() {
    let mut rig = Rig::new(settings());
    for _ in 0..50 {
        rig.log(&Filter::default(), "").unwrap();
    }
    rig.now = rig.now + AWAY;
    for _ in 50..100 {
        rig.log(&Filter::default(), "").unwrap();
    }
    assert_eq!(rig.rows.events.len(), 50);
    rig.now = rig.now + AWAY;
    for _ in 0..100 {
        rig.log(&Filter::default(), "").unwrap();
    }
    assert_eq!(rig.rows.events.len(), 100);
}

#[test]
fn events_that_have_expired_are_not_counted() {
    let mut rig = counting(Settings {
        max_events: 200,
        ..settings()
    });
    for _ in 0..50 {
        rig.log(&Filter::default(), "").unwrap();
    }
    rig.now = rig.now + AWAY;
    rig.expire(&[]);
    for _ in 0..150 {
        rig.log(&Filter::default(), "").unwrap();
    }
    assert_eq!(rig.rows.events.len(), 150);
}

#[test]
fn max_missed_bounds_what_is_sent_at_once() {
    let size = args("").bytes();
    for (missed, fits) in [(999, true), (1_000, true), (1_001, false)] {
        let mut rig = Rig::new(Settings {
            max_missed: 1_000,
            ..settings()
        });
        let ada = rig.connect("ada");
        rig.log(&to("ada"), &"x".repeat(500 - size)).unwrap();
        rig.log(&to("bob"), &"x".repeat(900 - size)).unwrap();
        rig.log(&to("ada"), &"x".repeat(missed - 500 - size))
            .unwrap();
        assert_eq!(rig.come_back(&ada, None).is_some(), fits, "{missed}");
    }
}

#[test]
fn a_large_event_is_a_gap_for_those_it_was_for() {
    let size = args("").bytes();
    for (bytes, fits) in [(9_999, true), (10_000, true), (10_001, false)] {
        let mut rig = Rig::new(settings());
        let (ada, bob) = (rig.connect("ada"), rig.connect("bob"));
        rig.log(&to("bob"), &"x".repeat(bytes - size)).unwrap();
        let after = rig.log(&to("ada"), "small").unwrap();
        rig.reload();
        assert_eq!(rig.come_back(&ada, None), texts(["small"]));
        assert_eq!(rig.come_back(&bob, None).is_some(), fits, "{bytes}");
        assert_eq!(rig.come_back(&bob, Some(after)), texts([]), "had it");
        assert_eq!(rig.rows.events.len(), 2);
    }
}

/// What a photo album is: ten attachments, of which the platform takes two in a row.
#[test]
fn an_event_larger_than_a_row_takes_several() {
    let mut rig = Rig::new(Settings {
        max_missed: 10_000_000,
        ..settings()
    });
    let (ada, bob) = (rig.connect("ada"), rig.connect("bob"));
    let large = Args::new("[\"e\",\"photos\"]", vec![vec![7; 990_000]; 9]);
    let first = rig.log(&Filter::default(), "before").unwrap();
    let photos = rig.log_in("/", &to("bob"), &large).unwrap();
    assert_eq!(rig.rows.events.len(), 1 + 1 + 5);
    let after = rig.log(&Filter::default(), "after").unwrap();
    for reload in [false, true] {
        if reload {
            rig.reload();
        }
        assert_eq!(rig.come_back(&ada, Some(first)), texts(["after"]));
        assert_eq!(rig.come_back(&bob, Some(first)), texts(["photos", "after"]));
        assert_eq!(rig.come_back(&bob, Some(photos)), texts(["after"]));
        assert_eq!(rig.come_back(&bob, Some(after)), texts([]));
    }
    let request = RecoveryRequest {
        pid: bob.pid.clone(),
        offset: Some(first),
    };
    let (rows, now) = (&mut rig.rows, rig.now);
    let missed = rig.recovery.missed(rows, now, &bob, &request).unwrap();
    assert_eq!(missed[0], (photos, large));
    assert_eq!(rig.recovery.offset(&mut rig.rows, rig.now), after);
}

#[test]
fn a_row_is_as_large_as_it_may_be() {
    let rows_of = |bytes: usize| {
        let mut rig = Rig::new(Settings {
            max_row: 1_000,
            ..settings()
        });
        let ada = rig.connect("ada");
        let text = "x".repeat(bytes);
        rig.log(&to("ada"), &text).unwrap();
        assert_eq!(rig.come_back(&ada, None), Some(vec![text]));
        let rows = rig.rows.events.values();
        let size = |row: &rows::Event| row.namespace.len() + row.head.len() + row.content.len();
        assert!(rows.clone().all(|row| size(row) <= 1_000));
        (rows.len(), rows.map(size).max().unwrap())
    };
    let alone = (900..1_000)
        .filter(|bytes| rows_of(*bytes).0 == 1)
        .max()
        .unwrap();
    assert_eq!(rows_of(alone), (1, 1_000));
    assert_eq!(rows_of(alone + 1).0, 2);
    let two = (950..1_000)
        .filter(|bytes| rows_of(*bytes).0 == 2)
        .max()
        .unwrap();
    assert_eq!(rows_of(two), (2, 1_000));
    assert_eq!(rows_of(two + 1), (3, 1_000));
}

#[test]
fn an_event_that_takes_too_many_rows_is_a_gap() {
    for (bytes, fits) in [(25_300, true), (25_400, true), (25_500, false)] {
        let mut rig = Rig::new(Settings {
            max_row: 100,
            max_missed: 1_000_000,
            ..settings()
        });
        let (ada, bob) = (rig.connect("ada"), rig.connect("bob"));
        rig.log(&to("bob"), &"x".repeat(bytes - 20)).unwrap();
        assert_eq!(rig.come_back(&bob, None).is_some(), fits, "{bytes}");
        assert_eq!(rig.come_back(&ada, None).is_some(), fits, "{bytes}");
    }
}

#[test]
fn a_filter_larger_than_a_row_is_everybody() {
    let many_rooms = Filter {
        rooms: vec!["a long name of a room".into(); 100_000],
        except: Vec::new(),
    };
    for (namespace, starts_over) in [("/", true), ("/other", false)] {
        let mut rig = Rig::new(settings());
        let ada = rig.connect("ada");
        rig.log_in(namespace, &many_rooms, &args("small")).unwrap();
        assert_eq!(rig.rows.events.len(), 1);
        assert_eq!(rig.come_back(&ada, None).is_none(), starts_over);
    }
}

#[test]
fn what_was_for_others_is_not_read() {
    let mut rig = Rig::new(Settings {
        max_missed: 1_000_000,
        ..settings()
    });
    let ada = rig.connect("ada");
    for _ in 0..60 {
        rig.log(&to("bob"), &"x".repeat(900_000)).unwrap();
    }
    rig.log(&to("ada"), "small").unwrap();
    assert_eq!(rig.come_back(&ada, None), texts(["small"]));
    let read = rig.rows.bytes_read.get();
    assert!(read < 5_000, "{read} bytes");
}

#[test]
fn what_is_too_much_is_not_read() {
    let mut rig = Rig::new(Settings {
        max_missed: 1_000_000,
        ..settings()
    });
    let ada = rig.connect("ada");
    for _ in 0..50 {
        rig.log(&to("ada"), &"x".repeat(100_000)).unwrap();
    }
    assert_eq!(rig.come_back(&ada, None), None);
    let read = rig.rows.bytes_read.get();
    assert!(read < 5_000, "{read} bytes");
}

#[test]
fn what_was_missed_is_read_in_pages() {
    let mut rig = Rig::new(Settings {
        max_missed: 10_000_000,
        ..settings()
    });
    let ada = rig.connect("ada");
    for size in [10, 100_000, 200_000, 60_000, 1_000_000, 10, 20, 250_000] {
        rig.log(&Filter::default(), &"x".repeat(size)).unwrap();
    }
    assert_eq!(
        rig.come_back(&ada, None).map(|missed| missed.len()),
        Some(8)
    );
    let page = rig.rows.largest_page.get();
    assert!((1_000_000..1_000_100).contains(&page), "{page} bytes");
}

#[test]
fn a_namespace_whose_name_fills_a_row_has_no_recovery() {
    let mut rig = Rig::new(settings());
    let ada = rig.connect("ada");
    let namespace = "/".repeat(1_900_001);
    let offset = rig.recovery.offset(&mut rig.rows, rig.now);
    let logged = rig.log_in(&namespace, &Filter::default(), &args("small"));
    assert_eq!(logged, Ok(offset));
    let there = StoredSocket {
        pid: "another pid".into(),
        namespace,
        ..ada.clone()
    };
    assert_eq!(rig.save(&there), [""; 0]);
    assert_eq!(rig.come_back(&there, None), None);
    assert_eq!(rig.come_back(&ada, None), texts([]));
}

#[test]
fn a_socket_larger_than_a_row_is_not_stored() {
    let overhead = {
        let mut rig = Rig::new(settings());
        let mut ada = rig.connect("ada");
        ada.data = Some("x".repeat(1_000));
        rig.save(&ada);
        let names = ada.pid.len() + ada.namespace.len() + ada.session.len();
        rig.rows.socket_usage().unwrap().bytes as usize + names - 1_000
    };
    for (bytes, fits) in [(4_999, true), (5_000, true), (5_001, false)] {
        let mut rig = Rig::new(Settings {
            max_row: 5_000,
            ..settings()
        });
        let mut ada = rig.connect("ada");
        ada.data = Some("x".repeat(bytes - overhead));
        rig.save(&ada);
        assert_eq!(rig.come_back(&ada, None).is_some(), fits, "{bytes}");
        assert_eq!(rig.rows.sockets.len(), usize::from(fits));
    }
}

#[test]
fn sockets_expire_unread_where_nobody_is_told() {
    for tells_of_expired in [true, false] {
        let mut rig = Rig::new(Settings {
            tells_of_expired,
            ..settings()
        });
        for number in 0..100 {
            let mut socket = rig.connect(&alloc::format!("{number}"));
            socket.data = Some("x".repeat(100_000));
            rig.lose(&socket);
        }
        rig.now = rig.now + AWAY + MILLI;
        let (told, next) = rig.expire(&[]);
        assert_eq!(next.is_some(), tells_of_expired, "a page at a time");
        assert_eq!(told.len(), if tells_of_expired { 2 } else { 0 });
        assert_eq!(
            rig.rows.sockets.len(),
            if tells_of_expired { 98 } else { 0 }
        );
        let read = rig.rows.socket_bytes_read.get();
        assert_eq!(read > 0, tells_of_expired);
        assert!(read < 256 << 10, "{read} bytes");
    }
}

/// So many sockets, of which the first few are lost one after the other, in an
/// instance that has counted them.
fn crowd(settings: Settings, count: usize, lost: usize) -> Rig {
    let mut rig = Rig::new(settings);
    for number in 0..count {
        let socket = rig.connect(&alloc::format!("{number}"));
        if number < lost {
            rig.now = rig.now + MILLI;
            rig.lose(&socket);
        }
    }
    rig
}

/// Connects one more client. Returns who gives way to it.
fn one_more(rig: &mut Rig) -> (StoredSocket, Vec<String>) {
    let mut socket = Socket::new(JoinId(0), "/", "one more".into(), Definition::default());
    socket.pid = Some("pid of one more".into());
    let since = rig.recovery.offset(&mut rig.rows, rig.now);
    let socket = StoredSocket::of(b"session", "/", &socket, since).unwrap();
    let evicted = rig.save(&socket);
    (socket, evicted)
}

#[test]
fn max_sockets_bounds_their_number() {
    let settings = Settings {
        max_sockets: 200,
        ..settings()
    };
    for (count, gone) in [(198, 0), (199, 0), (200, 21)] {
        let mut rig = crowd(settings, count, 50);
        let (socket, evicted) = one_more(&mut rig);
        let expect: Vec<_> = (0..gone).map(|it| alloc::format!("{it}")).collect();
        assert_eq!(evicted, expect, "{count}: those lost first");
        assert_eq!(rig.rows.sockets.len(), count + 1 - gone);
        assert_eq!(rig.come_back(&socket, None), texts([]));
    }
}

#[test]
fn max_socket_bytes_bounds_their_size() {
    let size = |rig: &Rig| rig.rows.socket_usage().unwrap().bytes;
    let all = size(&crowd(settings(), 200, 50));
    let one = {
        let mut rig = crowd(settings(), 200, 50);
        one_more(&mut rig);
        size(&rig) - all
    };
    for (more, fits) in [(1, true), (0, true), (-1, false)] {
        let limit = (all + one).saturating_add_signed(more);
        let mut rig = crowd(
            Settings {
                max_socket_bytes: limit,
                ..settings()
            },
            200,
            50,
        );
        let (socket, evicted) = one_more(&mut rig);
        assert_eq!(evicted.is_empty(), fits, "{more}");
        assert!(size(&rig) <= limit);
        assert_eq!(rig.come_back(&socket, None), texts([]));
    }
}

#[test]
fn where_nobody_is_lost_no_more_are_stored() {
    let mut rig = crowd(
        Settings {
            max_sockets: 200,
            ..settings()
        },
        200,
        0,
    );
    let (socket, evicted) = one_more(&mut rig);
    assert_eq!((evicted.len(), rig.rows.sockets.len()), (0, 200));
    assert_eq!(rig.come_back(&socket, None), None);
    // The others still are, as often as they change.
    let mut ada = rig.stored("7");
    for data in ["one", "two"] {
        ada.data = Some(data.into());
        assert_eq!(rig.save(&ada), [""; 0]);
        assert_eq!(rig.come_back(&ada, None), texts([]));
    }
}

#[test]
fn a_socket_does_not_give_way_to_itself() {
    let settings = Settings {
        max_sockets: 101,
        ..settings()
    };
    // Its client has come back: nobody was lost before.
    let mut rig = crowd(settings, 101, 1);
    let ada = rig.stored("0");
    let connected = StoredSocket { lost: None, ..ada };
    assert_eq!(rig.save(&connected), [""; 0]);
    assert_eq!(rig.rows.sockets.len(), 101);
    assert_eq!(rig.come_back(&connected, None), texts([]));
}

#[test]
fn nor_does_it_when_it_has_grown() {
    let all = crowd(settings(), 200, 50)
        .rows
        .socket_usage()
        .unwrap()
        .bytes;
    let settings = Settings {
        max_socket_bytes: all + 10,
        ..settings()
    };
    let mut rig = crowd(settings, 200, 50);
    let mut ada = rig.stored("0");
    (ada.lost, ada.data) = (None, Some("x".repeat(100)));
    let evicted = rig.save(&ada);
    assert_eq!(evicted.first().map(|id| &**id), Some("1"));
    assert_eq!(rig.come_back(&ada, None), texts([]));
}
