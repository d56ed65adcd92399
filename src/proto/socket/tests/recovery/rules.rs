//! A rule, a test.

use super::*;

#[test]
fn a_client_gets_what_it_has_missed() {
    for reload in [false, true] {
        let mut rig = Rig::new(settings());
        let ada = rig.connect("ada");
        rig.log(&Filter::default(), "before").unwrap();
        let offset = rig.log(&to("ada"), "last received").unwrap();
        rig.lose(&ada);
        rig.log(&to("ada"), "one").unwrap();
        rig.log(&to("somebody else"), "not for her").unwrap();
        rig.log_in("/other", &Filter::default(), &args("elsewhere"))
            .unwrap();
        rig.log(&Filter::default(), "two").unwrap();
        let except = Filter {
            rooms: Vec::new(),
            except: vec!["ada".into()],
        };
        rig.log(&except, "but for her").unwrap();
        if reload {
            rig.reload();
        }
        assert_eq!(rig.come_back(&ada, Some(offset)), texts(["one", "two"]));
        // Its connection breaks again, before anything has reached it.
        assert_eq!(rig.come_back(&ada, Some(offset)), texts(["one", "two"]));
    }
}

#[test]
fn who_has_received_nothing_stands_where_it_connected() {
    let mut rig = Rig::new(settings());
    rig.log(&Filter::default(), "before").unwrap();
    let ada = rig.connect("ada");
    rig.log(&Filter::default(), "after").unwrap();
    rig.lose(&ada);
    assert_eq!(rig.come_back(&ada, None), texts(["after"]));
}

#[test]
fn in_a_new_store_too() {
    let mut rig = Rig::new(settings());
    let ada = rig.connect("ada");
    rig.log(&Filter::default(), "first of all").unwrap();
    assert_eq!(rig.come_back(&ada, None), texts(["first of all"]));
}

#[test]
fn no_offset_but_those_given_out_counts() {
    let mut rig = Rig::new(settings());
    let ada = rig.connect("ada");
    let first = rig.log(&Filter::default(), "one").unwrap();
    let last = rig.log(&Filter::default(), "two").unwrap();
    for (offset, expect) in [
        (Offset(0), None),
        (Offset(ada.since.0 - 1), None),
        (ada.since, texts(["one", "two"])),
        (first, texts(["two"])),
        (last, texts([])),
        (Offset(last.0 + 1), None),
        (Offset(u64::MAX), None),
    ] {
        assert_eq!(rig.come_back(&ada, Some(offset)), expect, "{offset}");
    }
}

#[test]
fn a_pid_is_good_for_its_namespace() {
    let mut rig = Rig::new(settings());
    let ada = rig.connect("ada");
    let elsewhere = StoredSocket {
        namespace: "/other".into(),
        ..ada.clone()
    };
    assert_eq!(rig.come_back(&elsewhere, None), None);
    assert_eq!(rig.come_back(&ada, None), texts([]));
    let stranger = StoredSocket {
        pid: "pid of nobody".into(),
        ..ada
    };
    assert_eq!(rig.come_back(&stranger, None), None);
}

#[test]
fn a_stranger_costs_no_row() {
    let mut rig = Rig::new(settings());
    let request = RecoveryRequest {
        pid: "guessed".into(),
        offset: None,
    };
    let found = rig.recovery.find(&mut rig.rows, BEGIN, "/", &request.pid);
    assert_eq!((found, rig.rows.writes), (None, 0));
}

#[test]
fn who_leaves_on_purpose_does_not_come_back() {
    let mut rig = Rig::new(settings());
    let ada = rig.connect("ada");
    rig.recovery.forget(&mut rig.rows, &ada.pid);
    assert_eq!(rig.come_back(&ada, None), None);
    assert!(rig.rows.sockets.is_empty());
}

#[test]
fn a_socket_is_as_it_was_saved_last() {
    let mut rig = Rig::new(settings());
    let mut ada = rig.connect("ada");
    rig.log(&to("room"), "too early").unwrap();
    ada.rooms.push("room".into());
    ada.data = Some("{}".into());
    rig.save(&ada);
    let request = RecoveryRequest {
        pid: ada.pid.clone(),
        offset: None,
    };
    rig.reload();
    let found = rig.recovery.find(&mut rig.rows, rig.now, "/", &request.pid);
    assert_eq!(found, Some(ada));
}

#[test]
fn a_client_finds_out_who_holds_its_socket() {
    let mut rig = Rig::new(settings());
    let ada = rig.connect("ada");
    let request = RecoveryRequest {
        pid: ada.pid.clone(),
        offset: None,
    };
    let found = rig.recovery.find(&mut rig.rows, rig.now, "/", &request.pid);
    let found = found.unwrap();
    assert_eq!((&*found.session, found.lost), (&b"session"[..], None));
    rig.lose(&ada);
    let found = rig.recovery.find(&mut rig.rows, rig.now, "/", &request.pid);
    assert_eq!(found.unwrap().lost, Some(rig.now));
}

#[test]
fn only_what_cannot_come_back_lacks_a_pid() {
    let socket = Socket::new(JoinId(0), "/", "ada".into(), Definition::default());
    assert_eq!(StoredSocket::of(b"session", "/", &socket, Offset(0)), None);
}

#[test]
fn offsets_grow_whatever_the_clock_does() {
    let mut rig = Rig::new(settings());
    let mut before = rig.recovery.offset(&mut rig.rows, rig.now);
    for millis in [5_000, 5_000, 5_001, 4_000, 0, 6_000, 6_000] {
        for reload in [false, true] {
            let (now, filter) = (Timestamp::from_millis(millis), Filter::default());
            let offset = rig
                .recovery
                .log(&mut rig.rows, now, "/", &filter, &args(""))
                .unwrap();
            assert!(offset > before && offset.0 >= millis * 1_000);
            assert_eq!(rig.recovery.offset(&mut rig.rows, rig.now), offset);
            before = offset;
            if reload {
                rig.reload();
                assert_eq!(rig.recovery.offset(&mut rig.rows, rig.now), offset);
            }
        }
    }
}

#[test]
fn offsets_grow_when_all_events_have_gone() {
    let mut rig = Rig::new(settings());
    let before = rig.log(&Filter::default(), "").unwrap();
    let now = rig.now;
    rig.now = now + AWAY + AWAY;
    rig.expire(&[]);
    assert!(rig.rows.events.is_empty());
    rig.reload();
    // The clock is put back.
    rig.now = now - MILLI;
    assert!(rig.log(&Filter::default(), "").unwrap() > before);
}

#[test]
fn no_offset_comes_after_the_last() {
    let mut rig = Rig::new(settings());
    let ada = rig.connect("ada");
    rig.now = Timestamp::from_millis(u64::MAX);
    let last = rig.log(&Filter::default(), "last").unwrap();
    assert_eq!(last, Offset(u64::MAX));
    assert_eq!(
        rig.log(&Filter::default(), "one more"),
        Err(NotStored { offset: last })
    );
    assert_eq!(rig.come_back(&ada, Some(last)), None);
}

#[test]
fn an_event_that_was_not_stored_is_a_gap() {
    for reload in [false, true] {
        let mut rig = Rig::new(settings());
        let ada = rig.connect("ada");
        let before = rig.log(&Filter::default(), "stored").unwrap();
        rig.rows.is_full = true;
        let offset = rig.recovery.offset(&mut rig.rows, rig.now);
        let failed = rig.log(&Filter::default(), "not stored");
        assert_eq!(failed, Err(NotStored { offset }));
        assert_eq!(rig.come_back(&ada, Some(before)), None, "while it is full");
        if reload {
            rig.reload();
            assert_eq!(rig.come_back(&ada, Some(before)), None, "after a reload");
        }
        rig.rows.is_full = false;
        assert_eq!(rig.come_back(&ada, Some(before)), None, "afterwards");
        assert_eq!(rig.come_back(&ada, None), None, "who has received nothing");
        // Who connects now, or goes on receiving events, can come back.
        let bob = rig.connect("bob");
        let after = rig.log(&Filter::default(), "stored again").unwrap();
        rig.log(&Filter::default(), "missed").unwrap();
        assert_eq!(rig.come_back(&bob, None), texts(["stored again", "missed"]));
        rig.save(&ada);
        assert_eq!(rig.come_back(&ada, Some(after)), texts(["missed"]));
    }
}

#[test]
fn who_comes_from_another_store_starts_over() {
    let mut rig = Rig::new(settings());
    let ada = rig.connect("ada");
    let before = rig.log(&Filter::default(), "received").unwrap();
    rig.log(&Filter::default(), "missed").unwrap();
    // The tables are dropped, as where a deploy has others. The session lives on.
    rig.rows = Rows::default();
    rig.reload();
    rig.now = rig.now + MILLI;
    rig.lose(&ada);
    rig.log(&Filter::default(), "missed too").unwrap();
    assert_eq!(rig.come_back(&ada, Some(before)), None);
    assert_eq!(rig.come_back(&ada, None), None);
}

#[test]
fn a_gap_makes_room_in_a_storage_that_is_full() {
    let mut rig = Rig::new(settings());
    for _ in 0..10 {
        rig.log(&Filter::default(), "stored").unwrap();
    }
    rig.rows.is_full = true;
    let newest = rig.now;
    rig.log(&Filter::default(), "not stored").unwrap_err();
    assert_eq!(rig.rows.events.len(), 1);
    // That one has nobody to go to, and goes in time.
    rig.rows.is_full = false;
    rig.connect("ada");
    let next = rig.recovery.expiry(newest);
    assert_eq!(rig.expire(&["ada"]).1, Some(next));
    rig.now = next;
    rig.expire(&["ada"]);
    assert!(rig.rows.events.is_empty());
}

#[test]
fn what_could_not_be_saved_is_not_found() {
    for reload in [false, true] {
        let mut rig = Rig::new(settings());
        let mut ada = rig.connect("ada");
        ada.data = Some("newer".into());
        rig.rows.is_full = true;
        rig.save(&ada);
        rig.rows.is_full = false;
        if reload {
            rig.reload();
        }
        assert_eq!(rig.come_back(&ada, None), None);
    }
}

#[test]
fn nobody_is_found_where_a_row_could_not_be_deleted() {
    let mut rig = Rig::new(settings());
    let (ada, bob) = (rig.connect("ada"), rig.connect("bob"));
    rig.rows.fails_in.set(Some(0));
    rig.recovery.forget(&mut rig.rows, &ada.pid);
    assert_eq!(rig.rows.sockets.len(), 2);
    rig.rows.fails_in.set(Some(0));
    assert_eq!(rig.come_back(&bob, None), None);
    assert_eq!(rig.rows.sockets.len(), 2);
    assert_eq!(rig.come_back(&ada, None), None);
    assert!(rig.rows.sockets.is_empty());
    // From now on all is well.
    rig.save(&bob);
    assert_eq!(rig.come_back(&bob, None), texts([]));
}

#[test]
fn who_left_does_not_expire_where_its_row_could_not_be_deleted() {
    let mut rig = Rig::new(settings());
    let ada = rig.connect("ada");
    rig.rows.fails_in.set(Some(0));
    rig.recovery.forget(&mut rig.rows, &ada.pid);
    assert_eq!(rig.rows.sockets.len(), 1);
    assert_eq!(rig.expire(&[]), (vec![], None));
    assert!(rig.rows.sockets.is_empty());
}

#[test]
fn no_event_is_deleted_before_the_store_knows() {
    let mut rig = Rig::new(settings());
    let ada = rig.connect("ada");
    rig.log(&Filter::default(), "too old").unwrap();
    rig.now = rig.now + AWAY + MILLI;
    rig.save(&ada);
    rig.rows.is_full = true;
    rig.expire(&["ada"]);
    rig.rows.is_full = false;
    rig.reload();
    assert_eq!(rig.come_back(&ada, None), None);
}

#[test]
fn lost_sockets_expire() {
    let mut rig = Rig::new(settings());
    let (ada, bob) = (rig.connect("ada"), rig.connect("bob"));
    let lost = rig.now;
    rig.lose(&ada);
    rig.now = lost + MILLI;
    rig.lose(&bob);
    let next = lost + AWAY + MILLI;
    assert_eq!(rig.expire(&[]), (vec![], Some(next)));
    rig.now = lost + AWAY;
    assert_eq!(rig.come_back(&ada, None), texts([]));
    assert_eq!(rig.expire(&[]), (vec![], Some(next)));
    rig.now = next;
    assert_eq!(rig.come_back(&ada, None), None);
    assert_eq!(
        rig.expire(&[]),
        (vec!["ada".into()], Some(next + MILLI)),
        "bob's"
    );
    assert_eq!(rig.come_back(&bob, None), texts([]));
    rig.now = next + MILLI;
    assert_eq!(rig.expire(&[]), (vec!["bob".into()], None));
}

#[test]
fn sockets_expire_page_by_page() {
    let mut rig = Rig::new(settings());
    for name in ["a", "b", "c", "d"] {
        let mut socket = rig.connect(name);
        socket.data = Some("x".repeat(100_000));
        rig.lose(&socket);
        rig.now = rig.now + MILLI;
    }
    rig.now = rig.now + AWAY;
    let (sockets, next) = rig.expire(&[]);
    assert_eq!(sockets, ["a", "b"]);
    assert!(next.unwrap() <= rig.now, "the others are due");
    assert_eq!(rig.expire(&[]), (vec!["c".into(), "d".into()], None));
}

#[test]
fn sockets_that_were_cut_off_without_a_word_are_searched_for() {
    let mut rig = Rig::new(settings());
    assert_eq!(rig.expire(&[]), (vec![], None));
    let (ada, bob) = (rig.connect("ada"), rig.connect("bob"));
    let first = rig.now;
    let again = first + AWAY;
    // Ada's session is gone, and nobody has noticed.
    assert_eq!(rig.expire(&["bob"]), (vec![], Some(again)));
    assert_eq!(rig.rows.sockets[&ada.pid].lost, Some(first));
    assert_eq!(rig.rows.sockets[&bob.pid].lost, None);
    // Bob's goes too, but it is not time to look.
    rig.reload();
    rig.now = again - MILLI;
    assert_eq!(rig.expire(&[]), (vec![], Some(again)));
    assert_eq!(rig.rows.sockets[&bob.pid].lost, None);
    rig.now = again;
    let next = again + MILLI;
    assert_eq!(rig.expire(&[]), (vec![], Some(next)), "when ada expires");
    assert_eq!(rig.rows.sockets[&bob.pid].lost, Some(again));
    rig.now = next;
    let next = again + AWAY + MILLI;
    assert_eq!(rig.expire(&[]), (vec!["ada".into()], Some(next)));
}

#[test]
fn a_search_that_lies_ahead_is_not_waited_for() {
    let mut rig = Rig::new(settings());
    let ada = rig.connect("ada");
    rig.rows.numbers.insert(Number::Searched, u64::MAX);
    rig.expire(&[]);
    assert_eq!(rig.rows.sockets[&ada.pid].lost, Some(rig.now));
}

#[test]
fn events_expire() {
    let mut rig = Rig::new(settings());
    rig.log(&Filter::default(), "").unwrap();
    let logged = rig.now;
    let next = logged + AWAY + MILLI;
    assert_eq!(next, rig.recovery.expiry(logged));
    for (now, count, expect) in [
        (logged, 1, Some(next)),
        (logged + AWAY, 1, Some(next)),
        (next, 0, None),
    ] {
        rig.now = now;
        rig.reload();
        assert_eq!(rig.expire(&[]), (vec![], expect));
        assert_eq!(rig.rows.events.len(), count);
    }
}

#[test]
fn a_storage_that_fails_is_asked_again_later() {
    let mut rig = Rig::new(settings());
    let ada = rig.connect("ada");
    rig.lose(&ada);
    rig.now = rig.now + AWAY + MILLI;
    for call in 0..6 {
        rig.reload();
        rig.rows.fails_in.set(Some(call));
        let (expired, next) = rig.expire(&[]);
        let later = rig.now + AWAY + MILLI;
        if expired.is_empty() {
            assert_eq!(next, Some(later), "{call}");
            assert_eq!(rig.rows.sockets.len(), 1, "{call}");
        } else {
            assert!(next.is_none_or(|next| next == later), "{call}");
            rig.lose(&ada);
            rig.now = rig.now + AWAY + MILLI;
        }
    }
}
