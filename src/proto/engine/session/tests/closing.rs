//! The end of a session, from either side: protocol, "Session rules".

use alloc::format;

use super::rig::{BOTH, Rig, SLEEPY};
use crate::engine::{ConnId, Data, FAREWELL, MAX_PACKETS, Reason, Revision, Settings};

const FAREWELL_MILLIS: u64 = FAREWELL.as_millis() as u64;

/// Checks what every request gets once nobody has to be told anything.
fn assert_over(rig: &mut Rig) {
    assert!(rig.session.is_over());
    assert_eq!(rig.session.next_deadline(), None);
    assert_eq!(rig.session.transport(), None);
    assert_eq!(rig.get(90), "#90 400 Session ID unknown");
    assert_eq!(rig.post_head(91), "#91 400 Session ID unknown");
    assert_eq!(rig.upgrade(92), "#92 400 Session ID unknown");
    assert_eq!(rig.send("lost"), "");
    assert_eq!(rig.close(), "");
    assert_eq!(rig.timeout(), "");
    assert!(rig.session.is_over());
}

#[test]
fn client_closes_by_post_while_its_get_waits() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.get(2);
        assert_eq!(
            rig.post(3, &["1"]),
            "#2 200 6, over: transport close, #3 200 ok"
        );
        assert_over(&mut rig);
    }
}

#[test]
fn client_that_costs_too_much_is_told_and_gets_nothing_else() {
    for (reason, code) in [(Reason::Overrun, 1008), (Reason::MemoryExceeded, 1013)] {
        for revision in BOTH {
            let over = format!("over: {reason}");
            let mut rig = Rig::websocket(revision, SLEEPY);
            assert_eq!(rig.expel(reason), format!("#1 closed {code}, {over}"));
            assert_over(&mut rig);

            let mut rig = Rig::polling(revision, SLEEPY);
            rig.get(2);
            assert_eq!(rig.expel(reason), format!("#2 200 1, {over}"));
            assert_over(&mut rig);

            // What waits is dropped, and a POST that is on its way is answered as if
            // nothing were wrong, so that the close is the first that it hears.
            let mut rig = Rig::polling(revision, SLEEPY);
            rig.send("dropped");
            rig.post_head(2);
            assert_eq!(rig.expel(reason), format!("#2 200 ok, {over}"));
            assert_eq!(rig.get(3), "#3 200 1");
            assert_over(&mut rig);
        }
    }
}

#[test]
fn client_closes_by_post_and_its_get_arrives_moments_later() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        assert_eq!(rig.post(2, &["1"]), "over: transport close, #2 200 ok");
        assert!(!rig.session.is_over());
        assert_eq!(rig.wait(FAREWELL_MILLIS - 1).get(3), "#3 200 6");
        assert_over(&mut rig);
    }
}

#[test]
fn client_that_closed_by_post_and_does_not_come_is_forgotten() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.post(2, &["1"]);
        assert_eq!(rig.next_deadline(), Some(FAREWELL_MILLIS));
        assert_eq!(
            rig.wait(FAREWELL_MILLIS).get(3),
            "#3 400 Session ID unknown"
        );
        assert_over(&mut rig);
    }
}

#[test]
fn client_that_closed_by_post_sends_no_more() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        assert_eq!(
            rig.post(2, &["4a", "1", "4b"]),
            "message a, over: transport close, #2 200 ok"
        );
        assert_eq!(rig.post_head(3), "#3 400 Session ID unknown");
        assert_eq!(rig.upgrade(4), "#4 400 Session ID unknown");
        assert_eq!(rig.get(5), "#5 200 6");
    }
}

#[test]
fn client_closes_by_post_while_it_probes() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.upgrade(5);
        assert_eq!(
            rig.post(2, &["1"]),
            "#5 closed 1000, over: transport close, #2 200 ok"
        );
        assert_eq!(rig.get(3), "#3 200 6");
        assert_over(&mut rig);
    }
}

#[test]
fn client_closes_by_websocket() {
    for revision in BOTH {
        let mut rig = Rig::websocket(revision, SLEEPY);
        assert_eq!(rig.frame(1, "1"), "#1 closed 1000, over: transport close");
        assert_over(&mut rig);
    }
}

#[test]
fn client_closes_its_websocket() {
    for revision in BOTH {
        let mut rig = Rig::websocket(revision, SLEEPY);
        assert_eq!(
            rig.socket_gone(1, false),
            "#1 closed 1000, over: transport close"
        );
        assert_over(&mut rig);
    }
}

#[test]
fn websocket_breaks() {
    for revision in BOTH {
        let mut rig = Rig::websocket(revision, SLEEPY);
        assert_eq!(
            rig.socket_gone(1, true),
            "#1 closed 1000, over: transport error"
        );
        assert_over(&mut rig);
    }
}

#[test]
fn server_closes_while_a_get_waits() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.get(2);
        assert_eq!(rig.close(), "#2 200 1, over: forced close");
        assert_over(&mut rig);
    }
}

#[test]
fn server_closes_and_the_next_get_is_told() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.send("a");
        assert_eq!(rig.close(), "over: forced close");
        assert!(!rig.session.is_over());
        assert_eq!(rig.send("lost"), "");
        assert_eq!(rig.wait(FAREWELL_MILLIS - 1).get(2), "#2 200 4a|1");
        assert_over(&mut rig);
    }
}

#[test]
fn server_closes_and_the_client_does_not_come() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.send("a");
        rig.close();
        assert_eq!(rig.next_deadline(), Some(FAREWELL_MILLIS));
        assert_eq!(rig.deadline(), "");
        assert_over(&mut rig);
    }
}

#[test]
fn server_closes_without_flushing() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.send("a");
        assert_eq!(rig.close_at_once(), "over: forced close");
        assert_eq!(rig.get(2), "#2 200 1");
        assert_over(&mut rig);
    }
}

#[test]
fn server_closes_in_the_turn_in_which_it_sends() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.get(2);
        assert_eq!(rig.session.send(rig.now, Data::from("a")), None);
        assert_eq!(rig.close(), "#2 200 4a|1, over: forced close");
        assert_over(&mut rig);
    }
}

#[test]
fn server_closes_a_websocket_without_a_packet() {
    for revision in BOTH {
        let mut rig = Rig::websocket(revision, SLEEPY);
        assert_eq!(rig.close(), "#1 closed 1000, over: forced close");
        assert_eq!(rig.frame(1, "4late"), "");
        assert_eq!(rig.socket_gone(1, false), "");
        assert_over(&mut rig);
    }
}

#[test]
fn server_closes_while_the_client_probes() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.upgrade(5);
        assert_eq!(rig.close(), "over: forced close");
        assert_eq!(rig.get(2), "#2 200 1, #5 closed 1000");
        assert_over(&mut rig);
    }
}

/// A client that may have stopped polling: it has had its `3probe`. The
/// application has said a last word and closed the session.
fn closed_between_probe_and_upgrade(revision: Revision, settings: Settings) -> Rig {
    let mut rig = Rig::polling(revision, settings);
    rig.upgrade(5);
    rig.frame(5, "2probe");
    rig.send("a");
    assert_eq!(rig.close(), "over: forced close");
    assert_eq!(rig.session.transport(), None);
    assert_eq!(rig.session.socket(), None, "it carries nothing");
    assert!(rig.session.has_socket(ConnId(5)));
    assert!(!rig.session.is_over());
    rig
}

#[test]
fn client_that_is_moving_is_told_by_its_websocket() {
    for revision in BOTH {
        let mut rig = closed_between_probe_and_upgrade(revision, SLEEPY);
        rig.send_data(Data::from("lost"));
        assert_eq!(rig.frame(5, "5"), "#5 > 4a, #5 closed 1000");
        assert_eq!(rig.frame(5, "4late"), "");
        assert_eq!(rig.socket_gone(5, false), "");
        assert_over(&mut rig);
    }
}

#[test]
fn client_that_probes_when_the_session_is_closed_may_still_move() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.send("a");
        rig.upgrade(5);
        assert_eq!(rig.close(), "over: forced close");
        assert_eq!(rig.frame(5, "2probe"), "#5 > 3probe");
        assert_eq!(rig.frame(5, "5"), "#5 > 4a, #5 closed 1000");
        assert_over(&mut rig);
    }
}

#[test]
fn client_that_was_moving_and_polls_is_told_by_its_get() {
    for revision in BOTH {
        let mut rig = closed_between_probe_and_upgrade(revision, SLEEPY);
        assert_eq!(rig.get(2), "#2 200 4a|1, #5 closed 1000");
        assert_eq!(rig.frame(5, "5"), "");
        assert_over(&mut rig);
    }
}

#[test]
fn client_whose_websocket_fails_after_the_close_is_told_by_its_get() {
    for revision in BOTH {
        for frame in ["4a", "2probe", "6", "x", ""] {
            let mut rig = closed_between_probe_and_upgrade(revision, SLEEPY);
            assert_eq!(rig.frame(5, frame), "#5 closed 1000", "{frame:?}");
            assert_eq!(rig.get(2), "#2 200 4a|1");
            assert_over(&mut rig);
        }
        for broken in [true, false] {
            let mut rig = closed_between_probe_and_upgrade(revision, SLEEPY);
            assert_eq!(rig.socket_gone(5, broken), "");
            assert!(!rig.session.has_socket(ConnId(5)));
            assert_eq!(rig.get(2), "#2 200 4a|1");
            assert_over(&mut rig);
        }
        let mut rig = closed_between_probe_and_upgrade(revision, SLEEPY);
        assert_eq!(rig.upgrade(6), "#6 400 Session ID unknown");
        assert_eq!(rig.frame(5, "5"), "#5 > 4a, #5 closed 1000");
        assert_over(&mut rig);
    }
}

#[test]
fn client_that_stops_in_the_middle_of_its_move_is_forgotten() {
    for revision in BOTH {
        // The upgrade has its own timeout, and then there is the farewell …
        let mut rig = closed_between_probe_and_upgrade(revision, SLEEPY);
        assert_eq!(rig.next_deadline(), Some(10_000));
        assert_eq!(rig.deadline(), "#5 closed 1000");
        assert_eq!(rig.next_deadline(), Some(FAREWELL_MILLIS - 10_000));
        assert_eq!(rig.deadline(), "");
        assert_over(&mut rig);
        // … unless that is over before.
        let patient = Settings {
            upgrade_timeout: FAREWELL * 2,
            ..SLEEPY
        };
        let mut rig = closed_between_probe_and_upgrade(revision, patient);
        assert_eq!(rig.next_deadline(), Some(FAREWELL_MILLIS));
        assert_eq!(rig.deadline(), "#5 closed 1000");
        assert_over(&mut rig);
        // A request judges it too.
        let mut rig = closed_between_probe_and_upgrade(revision, patient);
        assert_eq!(
            rig.wait(FAREWELL_MILLIS).get(2),
            "#5 closed 1000, #2 400 Session ID unknown"
        );
        assert_over(&mut rig);
    }
}

#[test]
fn post_of_a_client_that_is_moving_is_not_left_unanswered() {
    for revision in BOTH {
        let mut rig = closed_between_probe_and_upgrade(revision, SLEEPY);
        assert_eq!(rig.post(3, &["4late"]), "#3 200 ok");
        rig.post_head(4);
        assert_eq!(rig.frame(5, "5"), "#5 > 4a, #5 closed 1000, #4 200 ok");
        assert_over(&mut rig);
    }
}

#[test]
fn client_that_is_moving_is_closed_without_flushing() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.upgrade(5);
        rig.frame(5, "2probe");
        rig.send("a");
        assert_eq!(rig.close_at_once(), "over: forced close");
        assert_eq!(rig.frame(5, "5"), "#5 closed 1000");
        assert_over(&mut rig);
    }
}

#[test]
fn client_that_is_moving_loses_nothing_of_what_one_payload_does_not_hold() {
    for revision in BOTH {
        let mut rig = closed_between_probe_and_upgrade(revision, SLEEPY);
        assert_eq!(rig.frame(5, "5"), "#5 > 4a, #5 closed 1000");
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.upgrade(5);
        rig.frame(5, "2probe");
        for _ in 0..MAX_PACKETS {
            rig.send("a");
        }
        rig.close();
        let first = rig.get(2);
        assert_eq!(first.matches("4a").count(), MAX_PACKETS - 1, "{first}");
        assert_eq!(rig.frame(5, "5"), "#5 > 4a, #5 closed 1000");
        assert_over(&mut rig);
    }
}

#[test]
fn post_on_its_way_when_the_server_closes_is_taken_and_ignored() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.get(2);
        rig.post_head(3);
        assert_eq!(rig.close(), "#2 200 1, #3 200 ok, over: forced close");
        assert_eq!(rig.body(3, &["4late"]), "");
        assert_over(&mut rig);
    }
}

#[test]
fn post_between_the_close_and_the_get_is_taken_and_ignored() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.close();
        assert_eq!(rig.post(2, &["4late", "1"]), "#2 200 ok");
        assert_eq!(rig.get(3), "#3 200 1");
        assert_over(&mut rig);
    }
}

#[test]
fn post_on_its_way_when_the_get_is_told_is_not_left_unanswered() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.close();
        rig.post_head(2);
        assert_eq!(rig.get(3), "#3 200 1, #2 200 ok");
        assert_over(&mut rig);
    }
}

#[test]
fn post_on_its_way_when_the_farewell_ends_is_not_left_unanswered() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.close();
        rig.post_head(2);
        assert_eq!(rig.deadline(), "#2 200 ok");
        assert_over(&mut rig);
    }
}

#[test]
fn posts_after_the_close_do_not_keep_the_get_from_being_told() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.close();
        rig.post_head(2);
        rig.post_head(3);
        assert_eq!(rig.body(2, &["4late"]), "#2 200 ok, #3 read");
        assert_eq!(rig.body(3, &["4late"]), "#3 200 ok");
        rig.post_head(4);
        rig.post_head(5);
        assert_eq!(rig.get(6), "#6 200 1, #4 200 ok, #5 200 ok");
        assert_over(&mut rig);
    }
}
