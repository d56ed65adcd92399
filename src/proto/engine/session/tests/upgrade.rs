//! WebSocket, and the move to it: protocol, "Session rules", "Upgrade".

use core::time::Duration;

use super::rig::{BOTH, Rig, SLEEPY};
use crate::engine::{ConnId, Data, Frame, Revision, Settings, Transport};

#[test]
fn messages_travel_by_websocket() {
    for revision in BOTH {
        let mut rig = Rig::websocket(revision, SLEEPY);
        assert_eq!(rig.session.transport(), Some(Transport::WebSocket));
        assert_eq!(rig.session.socket(), Some(ConnId(1)));
        assert_eq!(rig.frame(1, "4a"), "message a");
        assert_eq!(rig.send("b"), "#1 > 4b");
        assert_eq!(rig.send_data(Data::from(&[7][..])), "#1 > 4[07]");
    }
}

#[test]
fn binary_frames_have_a_type_in_revision_3_alone() {
    let frame = || Frame::from(&[4, 7][..]);
    let mut rig = Rig::websocket(Revision::V3, SLEEPY);
    assert_eq!(rig.raw_frame(1, frame()), "message [07]");
    let mut rig = Rig::websocket(Revision::V4, SLEEPY);
    assert_eq!(rig.raw_frame(1, frame()), "message [04, 07]");
}

#[test]
fn bad_frame_ends_the_session() {
    for revision in BOTH {
        for bad in ["", "x", "0{}", "b4!"] {
            let mut rig = Rig::websocket(revision, SLEEPY);
            assert_eq!(
                rig.frame(1, bad),
                "#1 closed 1000, over: parse error",
                "{revision:?} {bad:?}"
            );
        }
    }
}

#[test]
fn upgrade_with_a_waiting_get() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.get(2);
        assert_eq!(rig.upgrade(5), "");
        assert_eq!(rig.frame(5, "2probe"), "#5 > 3probe, #2 200 6");
        assert_eq!(rig.session.transport(), Some(Transport::Polling));
        assert_eq!(rig.frame(5, "5"), "upgraded");
        assert_eq!(rig.session.transport(), Some(Transport::WebSocket));
        assert_eq!(rig.send("a"), "#5 > 4a");
        assert_eq!(rig.frame(5, "4b"), "message b");
    }
}

#[test]
fn every_get_is_let_go_once_the_probe_is_answered() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.upgrade(5);
        rig.frame(5, "2probe");
        for request in [2, 3] {
            assert_eq!(rig.get(request), "");
            assert_eq!(rig.wait(99).timeout(), "");
            let answer = std::format!("#{request} 200 6");
            assert_eq!(rig.wait(1).timeout(), answer);
        }
        rig.send("a");
        assert_eq!(rig.get(4), "#4 200 4a");
    }
}

#[test]
fn get_that_comes_behind_the_websocket_may_be_too_late() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.upgrade(5);
        assert_eq!(rig.get(2), "");
        assert_eq!(rig.frame(5, "2probe"), "#5 > 3probe");
        assert_eq!(rig.frame(5, "5"), "upgraded");
        assert_eq!(rig.send("a"), "#5 > 4a");
        assert_eq!(rig.wait(99).timeout(), "");
        assert_eq!(rig.wait(1).timeout(), "#2 400 Bad request");
    }
}

#[test]
fn probe_and_upgrade_back_to_back() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.get(2);
        rig.upgrade(5);
        for frame in ["2probe", "5"] {
            let message = rig
                .session
                .handle_frame(rig.now, ConnId(5), Frame::from(frame));
            assert_eq!(message, None);
        }
        assert_eq!(rig.outputs(), "#5 > 3probe, #2 200 6, upgraded");
        assert_eq!(rig.get(3), "");
        assert_eq!(rig.get(4), "#4 400 Bad request");
        assert_eq!(rig.wait(100).timeout(), "#3 400 Bad request");
    }
}

#[test]
fn what_waited_is_flushed_to_the_websocket() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.send("a");
        rig.upgrade(5);
        rig.frame(5, "2probe");
        rig.send("b");
        assert_eq!(rig.frame(5, "5"), "upgraded, #5 > 4a, #5 > 4b");
        assert_eq!(rig.send("c"), "#5 > 4c");
    }
}

#[test]
fn messages_travel_by_polling_while_probing() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.get(2);
        rig.upgrade(5);
        assert_eq!(rig.post(3, &["4a"]), "message a, #3 200 ok");
        assert_eq!(rig.send("b"), "#2 200 4b");
        rig.frame(5, "2probe");
        assert_eq!(rig.post(4, &["4c"]), "message c, #4 200 ok");
        assert_eq!(rig.send("d"), "");
        assert_eq!(rig.get(6), "#6 200 4d");
    }
}

#[test]
fn post_that_began_before_the_upgrade_is_delivered_after_it() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.post_head(3);
        rig.upgrade(5);
        rig.frame(5, "2probe");
        rig.frame(5, "5");
        assert_eq!(rig.body(3, &["4a"]), "message a, #3 200 ok");
        assert_eq!(rig.frame(5, "4b"), "message b");
    }
}

#[test]
fn post_that_began_before_the_upgrade_ends_with_the_session() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.post_head(3);
        rig.upgrade(5);
        rig.frame(5, "2probe");
        rig.frame(5, "5");
        let too_large = "4".repeat(SLEEPY.max_payload + 1);
        assert_eq!(
            rig.frame(5, &too_large),
            "#5 closed 1009, #3 400 Bad request, over: transport error"
        );
        assert!(rig.session.is_over());
    }
}

#[test]
fn polling_is_over_after_the_upgrade() {
    for revision in BOTH {
        let mut rig = Rig::upgraded(revision, SLEEPY);
        rig.wait(100);
        assert_eq!(rig.get(2), "#2 400 Bad request");
        assert_eq!(rig.post_head(3), "#3 400 Bad request");
        assert_eq!(rig.send("a"), "#5 > 4a");
    }
}

#[test]
fn anything_else_on_the_probing_socket_closes_that_socket_alone() {
    let too_large = "4".repeat(SLEEPY.max_payload + 1);
    for revision in BOTH {
        for frame in [
            "5", "2", "2prob", "3probe", "4a", "1", "6", "x", "", &too_large,
        ] {
            let mut rig = Rig::polling(revision, SLEEPY);
            rig.get(2);
            rig.upgrade(5);
            assert_eq!(rig.frame(5, frame), "#5 closed 1000", "{frame:?}");
            assert_eq!(rig.frame(5, "2probe"), "", "it had something left to say");
            assert_eq!(rig.send("b"), "#2 200 4b");
            assert_eq!(rig.upgrade(6), "", "there may be another attempt");
        }
    }
}

#[test]
fn binary_frame_on_the_probing_socket_closes_it() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.upgrade(5);
        assert_eq!(
            rig.raw_frame(5, Frame::from(&b"2probe"[..])),
            "#5 closed 1000"
        );
    }
}

#[test]
fn upgrade_timeout_closes_the_probing_socket_alone() {
    for revision in BOTH {
        for probe in [&[][..], &["2probe"]] {
            let settings = Settings {
                upgrade_timeout: Duration::from_secs(3),
                ..SLEEPY
            };
            let mut rig = Rig::polling(revision, settings);
            rig.upgrade(5);
            for frame in probe {
                rig.frame(5, frame);
            }
            assert_eq!(rig.next_deadline(), Some(3_000));
            assert_eq!(rig.wait(2_999).timeout(), "");
            assert_eq!(rig.wait(1).timeout(), "#5 closed 1000");
            assert_eq!(rig.frame(5, "5"), "");
            assert_eq!(rig.get(2), "");
            assert_eq!(rig.send("a"), "#2 200 4a");
        }
    }
}

#[test]
fn probing_socket_that_goes_is_no_loss() {
    for revision in BOTH {
        for broken in [false, true] {
            let mut rig = Rig::polling(revision, SLEEPY);
            rig.upgrade(5);
            rig.frame(5, "2probe");
            assert_eq!(rig.socket_gone(5, broken), "");
            assert_eq!(rig.get(2), "", "nobody lets the poll finish any more");
            assert_eq!(rig.send("a"), "#2 200 4a");
        }
    }
}

#[test]
fn second_websocket_is_closed() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.upgrade(5);
        assert_eq!(rig.upgrade(6), "#6 closed 1000", "probing");
        assert_eq!(rig.frame(6, "2probe"), "");
        rig.frame(5, "2probe");
        assert_eq!(rig.frame(5, "5"), "upgraded", "the first one is unharmed");
        assert_eq!(rig.upgrade(7), "#7 closed 1000", "upgraded");
        assert_eq!(rig.socket_gone(7, true), "");
        assert_eq!(rig.frame(5, "4a"), "message a");
        let mut rig = Rig::websocket(revision, SLEEPY);
        assert_eq!(rig.upgrade(6), "#6 closed 1000", "WebSocket from the start");
    }
}

#[test]
fn upgrades_can_be_switched_off() {
    for revision in BOTH {
        let settings = Settings {
            allow_upgrades: false,
            ..SLEEPY
        };
        let mut rig = Rig::polling(revision, settings);
        assert_eq!(rig.upgrade(5), "#5 400 Bad request");
        assert_eq!(rig.get(2), "");
        assert_eq!(rig.send("a"), "#2 200 4a");
    }
}

#[test]
fn late_echoes_of_an_upgrade_mean_nothing() {
    for revision in BOTH {
        let mut rig = Rig::upgraded(revision, SLEEPY);
        assert_eq!(rig.frame(5, "5"), "");
        assert_eq!(rig.frame(5, "6"), "");
        assert_eq!(rig.frame(5, "4a"), "message a");
    }
}
