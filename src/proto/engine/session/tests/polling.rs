//! HTTP long-polling: protocol, "Session rules".

use alloc::format;

use super::rig::{BOTH, Rig, SLEEPY};
use crate::Timestamp;
use crate::engine::{
    Answer, Body, BodyError, ConnId, Data, Format, MAX_POSTS, Open, Output, Revision, Session,
    Transport,
};

#[test]
fn handshake_answers_the_first_get_alone() {
    for revision in BOTH {
        let open = Open {
            sid: "sid",
            revision,
            b64: false,
        };
        let now = Rig::polling(revision, SLEEPY).now;
        let mut session = Session::open_polling(now, SLEEPY, open, ConnId(1), Format::default());
        let output = session.poll_output();
        let output = output.map(|output| super::rig::describe(revision, &output));
        assert_eq!(output.as_deref(), Some("#1 200 0"));
        assert_eq!(session.poll_output(), None::<Output>);
        assert_eq!(session.transport(), Some(Transport::Polling));
        assert_eq!(session.socket(), None);
    }
}

#[test]
fn get_waits_for_a_message() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        assert_eq!(rig.get(2), "");
        assert_eq!(rig.send("a"), "#2 200 4a");
    }
}

#[test]
fn get_fetches_in_order_what_has_waited() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        assert_eq!(rig.send("a"), "");
        assert_eq!(rig.send_data(Data::from(&[1, 2][..])), "");
        assert_eq!(rig.send("c"), "");
        assert_eq!(rig.get(2), "#2 200 4a|4[01, 02]|4c");
        assert_eq!(rig.get(3), "");
    }
}

#[test]
fn messages_of_one_turn_share_an_answer() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.get(2);
        assert_eq!(rig.session.send(rig.now, Data::from("a")), None);
        assert_eq!(rig.session.send(rig.now, Data::from("b")), None);
        assert_eq!(rig.outputs(), "#2 200 4a|4b");
    }
}

#[test]
fn two_gets_at_once_end_the_session() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.get(2);
        assert_eq!(
            rig.get(3),
            "#3 400 Bad request, #2 200 1, over: transport error"
        );
        assert_eq!(rig.get(4), "#4 400 Session ID unknown");
    }
}

#[test]
fn get_that_the_client_lets_go_ends_the_session() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.get(2);
        assert_eq!(rig.get_gone(2), "#2 200 1, over: transport error");
    }
}

#[test]
fn get_that_was_answered_can_go() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.get(2);
        rig.send("a");
        rig.get(3);
        assert_eq!(rig.get_gone(2), "");
        assert_eq!(rig.send("b"), "#3 200 4b");
    }
}

#[test]
fn post_brings_messages_in_order() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        assert_eq!(
            rig.post(2, &["4a", "4", "4c"]),
            "message a, message , message c, #2 200 ok"
        );
    }
}

#[test]
fn post_and_get_go_side_by_side() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.get(2);
        assert_eq!(rig.post_head(3), "");
        assert_eq!(rig.send("a"), "#2 200 4a");
        assert_eq!(rig.get(4), "");
        assert_eq!(rig.body(3, &["4b"]), "message b, #3 200 ok");
        assert_eq!(rig.send("c"), "#4 200 4c");
    }
}

#[test]
fn posts_at_once_are_read_one_after_the_other() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        assert_eq!(rig.post_head(2), "");
        assert_eq!(rig.post_head(3), "");
        assert_eq!(rig.post_head(4), "");
        // It is not its turn.
        assert_eq!(rig.body(3, &["4b"]), "");
        assert_eq!(rig.body(2, &["4a"]), "message a, #2 200 ok, #3 read");
        assert_eq!(rig.body(3, &["4b"]), "message b, #3 200 ok, #4 read");
        assert_eq!(rig.body(4, &["4c"]), "message c, #4 200 ok");
        assert_eq!(rig.post(5, &["4d"]), "message d, #5 200 ok");
    }
}

#[test]
fn post_that_is_too_large_does_not_hold_up_the_next() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.post_head(2);
        rig.post_head(3);
        rig.no_body(2, BodyError::TooLarge);
        assert_eq!(rig.outputs(), "#2 413, #3 read");
        assert_eq!(rig.body(3, &["4b"]), "message b, #3 200 ok");
    }
}

#[test]
fn posts_behind_one_that_ends_the_session_are_refused() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.post_head(2);
        rig.post_head(3);
        assert_eq!(
            rig.body(2, &["x"]),
            "#2 400 Bad request, #3 400 Bad request, over: parse error"
        );
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.post_head(2);
        rig.post_head(3);
        rig.no_body(3, BodyError::Gone);
        assert_eq!(rig.outputs(), "", "it is not being read");
        rig.no_body(2, BodyError::Gone);
        assert_eq!(
            rig.outputs(),
            "#2 400 Bad request, #3 400 Bad request, over: transport error"
        );
    }
}

#[test]
fn too_many_posts_at_once_end_the_session() {
    for revision in BOTH {
        for count in [MAX_POSTS - 1, MAX_POSTS] {
            let mut rig = Rig::polling(revision, SLEEPY);
            let requests = 3..3 + count as u64;
            for request in requests.clone() {
                assert_eq!(rig.post_head(request), "");
            }
            for request in requests {
                assert!(rig.body(request, &["4a"]).starts_with("message a, #"));
            }
        }
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.get(2);
        let last = 3 + MAX_POSTS as u64;
        for request in 3..last {
            rig.post_head(request);
        }
        let said = rig.post_head(last);
        assert!(said.starts_with(&format!("#{last} 400 Bad request, #2 200 1, #3 400 ")));
        assert!(said.ends_with(", over: transport error"));
        assert_eq!(said.matches("400 Bad request").count(), MAX_POSTS + 1);
        // The first one's body is still on its way. It has had its answer.
        assert_eq!(rig.body(3, &["4a"]), "");
        assert_eq!(rig.post_head(99), "#99 400 Session ID unknown");
    }
}

#[test]
fn bad_packet_ends_the_session_behind_what_stood_before_it() {
    for revision in BOTH {
        for bad in ["x", "", "0{}", "b4!"] {
            let mut rig = Rig::polling(revision, SLEEPY);
            rig.get(2);
            assert_eq!(
                rig.post(3, &["4a", bad, "4b"]),
                "message a, #3 400 Bad request, #2 200 1, over: parse error",
                "{revision:?} {bad:?}"
            );
        }
    }
}

#[test]
fn empty_body_is_a_parse_error() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.post_head(2);
        assert_eq!(
            rig.raw_body(2, &Body::from("")),
            "#2 400 Bad request, over: parse error"
        );
    }
}

#[test]
fn body_that_is_no_text_is_a_parse_error() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.post_head(2);
        rig.no_body(2, BodyError::Malformed);
        assert_eq!(rig.outputs(), "#2 400 Bad request, over: parse error");
    }
}

#[test]
fn body_that_breaks_off_is_a_transport_error() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.post_head(2);
        rig.no_body(2, BodyError::Gone);
        assert_eq!(rig.outputs(), "#2 400 Bad request, over: transport error");
    }
}

#[test]
fn binary_body_is_for_revision_3_alone() {
    let body = Body::from(&[1, 2, 0xff, 4, 7][..]);
    let mut rig = Rig::polling(Revision::V3, SLEEPY);
    rig.post_head(2);
    assert_eq!(rig.raw_body(2, &body), "message [07], #2 200 ok");
    let mut rig = Rig::polling(Revision::V4, SLEEPY);
    rig.post_head(2);
    assert_eq!(
        rig.raw_body(2, &body),
        "#2 400 Bad request, over: transport error"
    );
}

#[test]
fn body_over_the_limit_is_refused_and_the_session_stays() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.post_head(2);
        rig.no_body(2, BodyError::TooLarge);
        assert_eq!(rig.outputs(), "#2 413");
        assert_eq!(rig.post(3, &["4a"]), "message a, #3 200 ok");
    }
}

#[test]
fn whether_a_client_takes_binary_is_said_at_its_handshake() {
    for (b64, expect) in [
        (false, Body::from(&[1, 2, 0xff, 4, 7][..])),
        (true, Body::from("6:b4Bw==")),
    ] {
        let now = Timestamp::from_millis(0);
        let open = Open {
            sid: "sid",
            revision: Revision::V3,
            b64,
        };
        let mut session = Session::open_polling(now, SLEEPY, open, ConnId(1), Format::Any);
        session.poll_output();
        for (request, format) in [(2, Format::Any), (3, Format::Text)] {
            session.handle_poll(now, ConnId(request), format);
            assert_eq!(session.send(now, Data::from(&[7][..])), None);
            let Some(Output::Answer {
                answer: Answer::Payload(_, body),
                ..
            }) = session.poll_output()
            else {
                panic!("an answer");
            };
            assert_eq!(body, expect);
        }
    }
}
