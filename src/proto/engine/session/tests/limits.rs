//! Every bound, just below it, at it, and just above.

use super::rig::{BOTH, Rig, SLEEPY};
use crate::engine::{
    ConnId, Data, Frame, MAX_PACKETS, MAX_PAYLOAD_PACKETS, Open, Revision, Session, Settings,
};

/// All limits of these settings, in bytes.
const LIMIT: usize = 1_000;

/// The cost of a buffered packet besides its content.
const PACKET_COST: usize = 32;

fn text(bytes: usize) -> alloc::string::String {
    "x".repeat(bytes)
}

#[test]
fn max_payload_bounds_a_frame() {
    for revision in BOTH {
        for (length, fits) in [(LIMIT - 1, true), (LIMIT, true), (LIMIT + 1, false)] {
            let mut rig = Rig::websocket(revision, SLEEPY);
            let said = rig.frame(1, &"4".repeat(length));
            if fits {
                assert_eq!(said, alloc::format!("message ({} bytes)", length - 1));
            } else {
                assert_eq!(said, "#1 closed 1009, over: transport error");
            }
            let mut rig = Rig::websocket(revision, SLEEPY);
            let said = rig.raw_frame(1, Frame::from(alloc::vec![4; length]));
            assert_eq!(said.starts_with("message"), fits);
        }
    }
}

#[test]
fn a_frame_that_was_not_read_ends_what_a_frame_that_is_too_large_ends() {
    for revision in BOTH {
        let mut rig = Rig::websocket(revision, SLEEPY);
        assert_eq!(rig.oversized(2), "");
        assert_eq!(rig.oversized(1), "#1 closed 1009, over: transport error");
        assert_eq!(rig.oversized(1), "");

        let mut rig = Rig::polling(revision, SLEEPY);
        rig.upgrade(5);
        assert_eq!(rig.oversized(5), "#5 closed 1000");
        assert!(rig.get(2).is_empty());
        assert_eq!(rig.send("goes on"), "#2 200 4goes on");
    }
}

#[test]
fn held_bytes_are_what_waits() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        assert_eq!(rig.session.held_bytes(), 0);
        rig.send("abc");
        rig.send("defg");
        assert_eq!(rig.session.held_bytes(), 7 + 2 * PACKET_COST);
        rig.get(2);
        assert_eq!(rig.session.held_bytes(), 0);

        // Frames that have not been taken yet count too.
        let mut rig = Rig::websocket(revision, SLEEPY);
        rig.close();
        assert_eq!(rig.session.held_bytes(), 0);
        let open = Open {
            sid: "sid",
            revision,
            b64: false,
        };
        let socket = ConnId(1);
        let mut fresh = Session::open_websocket(rig.now, SLEEPY, open, socket);
        let hello = fresh.held_bytes();
        assert!(hello > 50);
        assert_eq!(fresh.send(rig.now, Data::from("abc")), None);
        assert_eq!(fresh.held_bytes(), hello + "4abc".len());
        while fresh.poll_output().is_some() {}
        assert_eq!(fresh.held_bytes(), 0);
    }
}

#[test]
fn max_buffered_bounds_what_waits_for_a_get() {
    for revision in BOTH {
        for (length, fits) in [(LIMIT - 1, true), (LIMIT, true), (LIMIT + 1, false)] {
            let mut rig = Rig::polling(revision, SLEEPY);
            let said = rig.send(&text(length - PACKET_COST));
            if fits {
                assert_eq!(said, "");
                assert!(rig.get(2).starts_with("#2 200 4"));
            } else {
                assert_eq!(said, "over: transport error");
                assert_eq!(rig.get(2), "#2 400 Session ID unknown");
            }
        }
    }
}

#[test]
fn max_buffered_holds_while_probing() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.upgrade(5);
        assert_eq!(rig.send(&text(LIMIT - PACKET_COST)), "");
        assert_eq!(rig.send(""), "#5 closed 1000, over: transport error");
    }
}

#[test]
fn max_buffered_counts_empty_messages_too() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        let fit = LIMIT / PACKET_COST;
        for _ in 0..fit {
            assert_eq!(rig.send(""), "");
        }
        assert_eq!(rig.send(""), "over: transport error");
    }
}

#[test]
fn max_buffered_counts_the_answers_to_pings() {
    let mut rig = Rig::polling(Revision::V3, SLEEPY);
    let ping = alloc::format!("2{}", text(LIMIT / 2));
    assert_eq!(rig.post(2, &[&ping]), "#2 200 ok");
    assert_eq!(
        rig.post(3, &[&ping, "4late"]),
        "over: transport error, #3 200 ok"
    );
}

#[test]
fn fetching_makes_room() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        for request in 2..10 {
            assert_eq!(rig.send(&text(LIMIT - PACKET_COST)), "");
            assert!(rig.get(request).contains(" 200 4"));
        }
    }
}

#[test]
fn max_unproven_bounds_what_is_sent_without_a_sign_of_life() {
    for revision in BOTH {
        for (length, fits) in [(LIMIT - 1, true), (LIMIT, true), (LIMIT + 1, false)] {
            let mut rig = Rig::websocket(revision, SLEEPY);
            let half = LIMIT / 2;
            assert!(rig.send(&text(half - 1)).starts_with("#1 > 4"));
            let said = rig.send(&text(length - half - 1));
            if fits {
                assert!(said.starts_with("#1 > 4"), "{said}");
            } else {
                assert_eq!(said, "#1 closed 1000, over: transport error");
            }
        }
    }
}

#[test]
fn max_unproven_counts_what_the_upgrade_flushes() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.send(&text(900));
        rig.upgrade(5);
        rig.frame(5, "2probe");
        rig.frame(5, "5");
        let said = rig.send(&text(100));
        assert!(
            said.ends_with("#5 closed 1000, over: transport error"),
            "{said}"
        );
    }
}

#[test]
fn revision_4_is_asked_for_a_sign_of_life_at_half_of_max_unproven() {
    let mut rig = Rig::websocket(Revision::V4, SLEEPY);
    assert_eq!(rig.send(&text(LIMIT / 2)), "#1 > 4(500 bytes)");
    assert_eq!(rig.send("a"), "#1 > 2, #1 > 4a", "in this order");
    assert_eq!(rig.send("b"), "#1 > 4b", "it is asked once");
    // Its answer proves what was sent before the question, and no more.
    rig.frame(1, "3");
    assert!(!rig.is_in_doubt());
    assert_eq!(rig.send(&text(LIMIT - 5)), "#1 > 4(995 bytes)");
    assert_eq!(
        rig.send("c"),
        "#1 > 2, #1 closed 1000, over: transport error"
    );
}

#[test]
fn the_answer_to_an_early_ping_is_awaited_no_longer_than_any() {
    let mut rig = Rig::websocket(Revision::V4, super::rig::AWAKE);
    rig.send(&text(LIMIT / 2));
    rig.send("a");
    assert_eq!(rig.next_deadline(), Some(200));
    assert_eq!(rig.deadline(), "#1 closed 1000, over: ping timeout");
}

#[test]
fn a_pong_without_a_ping_proves_nothing() {
    let mut rig = Rig::websocket(Revision::V4, SLEEPY);
    rig.send(&text(LIMIT / 2));
    assert_eq!(rig.frame(1, "3"), "");
    assert!(rig.is_in_doubt());
}

/// The ping interval of [`SLEEPY`], in milliseconds.
const INTERVAL: u64 = 25_000;

#[test]
fn revision_3_makes_room_in_proportion_to_the_time_since_it_was_heard() {
    for (silence, room) in [
        (0, 0),
        (24, 0),
        (25, 1),
        (INTERVAL / 2, LIMIT / 2),
        (INTERVAL - 1, LIMIT - 1),
        (INTERVAL, LIMIT),
        (INTERVAL + 1, LIMIT),
    ] {
        for asleep in [false, true] {
            for excess in [0, 1] {
                let mut rig = Rig::websocket(Revision::V3, SLEEPY);
                rig.send(&text(LIMIT - 1));
                rig.wait(silence);
                match asleep {
                    true => rig.sign_of_life(),
                    false => assert_ne!(rig.frame(1, "4a"), ""),
                }
                if room + excess == 0 {
                    continue;
                }
                let said = rig.send(&text(room + excess - 1));
                assert_eq!(
                    said.ends_with("over: transport error"),
                    excess == 1,
                    "{said}"
                );
            }
        }
    }
}

#[test]
fn revision_3_that_pings_but_does_not_read_is_sent_no_more_than_the_bound_in_an_interval() {
    for pause in [0, 1, 50, 1_000, INTERVAL] {
        let mut rig = Rig::websocket(Revision::V3, SLEEPY);
        let opened = rig.now;
        let mut sent = 0;
        for _ in 0..1_000 {
            rig.wait(pause);
            rig.frame(1, "2");
            if rig.session.transport().is_some() {
                rig.send(&text(99));
                sent += 100;
            }
        }
        let elapsed = (rig.now.as_millis() - opened.as_millis()) as usize;
        let bound = LIMIT + LIMIT * elapsed / INTERVAL as usize;
        assert!(sent <= bound + 100, "{sent} bytes in {elapsed} ms");
    }
}

#[test]
fn the_answers_to_pings_count_as_well() {
    for (length, fits) in [(LIMIT - 1, true), (LIMIT, false)] {
        let mut rig = Rig::websocket(Revision::V3, SLEEPY);
        let half = LIMIT / 2;
        rig.send(&text(half - 1));
        let ping = alloc::format!("2{}", text(length - half));
        let said = rig.frame(1, &ping);
        assert_eq!(said.starts_with("#1 > 3"), fits, "{said}");
        assert_eq!(said.ends_with("over: transport error"), !fits, "{said}");
    }
}

#[test]
fn revision_3_that_is_sent_the_bound_in_every_interval_stays() {
    for pings in [1, 2, 5, 100] {
        let mut rig = Rig::websocket(Revision::V3, SLEEPY);
        for _ in 0..10 * pings {
            // Two bytes for the types of the message and of the answer to the ping.
            let said = rig.send(&text(LIMIT / pings - 2));
            assert!(!said.contains("over"), "{said}");
            rig.wait(INTERVAL / pings as u64);
            rig.frame(1, "2");
        }
    }
}

#[test]
fn signs_of_life_while_asleep_make_room_as_well() {
    for revision in BOTH {
        let mut rig = Rig::websocket(revision, SLEEPY);
        for _ in 0..5 {
            rig.send(&text(LIMIT / 2));
            rig.send("a");
            rig.wait(match revision {
                Revision::V3 => INTERVAL,
                Revision::V4 => 10,
            });
            assert!(rig.is_in_doubt());
            rig.sign_of_life();
            assert!(!rig.is_in_doubt());
        }
    }
}

/// Returns how many messages `a` were heard.
fn heard(said: &str) -> usize {
    said.matches("4a").count()
}

#[test]
fn max_packets_bounds_a_payload() {
    for revision in BOTH {
        for count in [MAX_PACKETS - 1, MAX_PACKETS, MAX_PACKETS + 1] {
            let mut rig = Rig::polling(revision, SLEEPY);
            (0..count).for_each(|_| assert_eq!(rig.send("a"), ""));
            assert_eq!(heard(&rig.get(2)), count.min(MAX_PACKETS));
            assert_eq!(heard(&rig.get(3)), count.saturating_sub(MAX_PACKETS));
        }
    }
}

#[test]
fn max_packets_counts_the_news_that_the_session_is_closed() {
    for revision in BOTH {
        for is_waiting in [true, false] {
            for count in [MAX_PACKETS - 1, MAX_PACKETS, MAX_PACKETS + 1] {
                let mut rig = Rig::polling(revision, SLEEPY);
                if is_waiting {
                    rig.get(1);
                }
                for _ in 0..count {
                    // All of them by one handler: nothing goes out in between.
                    assert_eq!(rig.session.send(rig.now, Data::from("a")), None);
                }
                let answers = [rig.close(), rig.get(2), rig.get(3)];
                assert!(answers.iter().all(|answer| heard(answer) <= MAX_PACKETS));
                assert_eq!(
                    answers.iter().map(|answer| heard(answer)).sum::<usize>(),
                    count
                );
                let news = answers
                    .iter()
                    .filter(|answer| answer.contains("|1") || answer.contains("200 1"));
                assert_eq!(news.count(), 1, "{answers:?}");
            }
        }
    }
}

#[test]
fn max_payload_packets_bounds_what_one_post_brings() {
    let settings = Settings {
        max_payload: usize::MAX,
        ..SLEEPY
    };
    for revision in BOTH {
        for packet in ["4a", "6"] {
            for count in [
                MAX_PAYLOAD_PACKETS - 1,
                MAX_PAYLOAD_PACKETS,
                MAX_PAYLOAD_PACKETS + 1,
            ] {
                let mut rig = Rig::polling(revision, settings);
                rig.get(2);
                rig.post_head(3);
                let said = rig.body(3, &alloc::vec![packet; count]);
                let is_message = packet == "4a";
                if count > MAX_PAYLOAD_PACKETS {
                    // Not one of them is handled.
                    let end = "#3 400 Bad request, #2 200 1, over: overrun";
                    assert_eq!(said, end, "{revision:?}");
                } else {
                    assert_eq!(said.matches("message a").count() == count, is_message);
                    assert!(said.ends_with("#3 200 ok"), "{revision:?}");
                }
            }
        }
    }
}

#[test]
fn packets_that_nobody_asked_for_are_counted() {
    for (revision, packets, others) in [
        (Revision::V4, &["4a", "6", "4b", "3"][..], 2),
        (Revision::V4, &["6", "9", "6"], 1),
        (Revision::V4, &["1", "4a", "6"], 2),
        (Revision::V3, &["2", "4a", "6"], 2),
    ] {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.post(3, packets);
        assert_eq!(rig.session.take_others(), others, "{packets:?}");
        assert_eq!(rig.session.take_others(), 0);
    }
    let mut rig = Rig::websocket(Revision::V4, SLEEPY);
    rig.wait(25_000).timeout();
    for (frame, others) in [("3", 0), ("3", 1), ("4a", 0), ("6", 1)] {
        rig.frame(1, frame);
        assert_eq!(rig.session.take_others(), others, "{frame}");
    }
    // A WebSocket that is not the session's, and one that is to become it.
    let mut rig = Rig::polling(Revision::V4, SLEEPY);
    rig.upgrade(5);
    for (socket, frame, others) in [(5, "2probe", 1), (9, "4a", 1), (5, "5", 1)] {
        rig.frame(socket, frame);
        assert_eq!(rig.session.take_others(), others, "{frame}");
    }
}
