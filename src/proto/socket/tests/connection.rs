//! Joining namespaces: each rule by itself.

use alloc::format;
use alloc::vec;
use core::time::Duration;

use super::rig::{BOTH, OPENED, Rig, event, settings};
use super::*;
use crate::engine;
use crate::rate::Class;

#[test]
fn a_client_joins_what_it_asks_for() {
    let mut rig = Rig::new(Protocol::V5);
    assert_eq!(rig.outputs(), "");
    assert_eq!(rig.say("0/a,{\"x\":1}"), "asks for /a with {\"x\":1}");
    let a = rig.begin("/a");
    assert_eq!(rig.outputs(), "", "neither the client nor others know");
    assert!(!rig.connection.socket(a).unwrap().is_present());
    assert_eq!(rig.admit(a), "present #0");
    assert!(rig.connection.socket(a).unwrap().is_present());
    assert_eq!(rig.admit(a), "", "it was admitted before");
    assert_eq!(rig.accept(a), "> 0/a,{\"sid\":\"sid\"}");
    assert_eq!(rig.accept(a), "", "it was accepted before");
    assert_eq!(rig.say("2/a,7[\"e\",1]"), "event #0 7[\"e\",1]");
    assert_eq!(rig.say("3/a,7[1]"), "ack #0 7[1]");
}

#[test]
fn accepting_admits() {
    for protocol in BOTH {
        let mut rig = Rig::joined(protocol);
        rig.say("0/a,");
        let a = rig.begin("/a");
        let told = match protocol {
            Protocol::V4 => "present #1; > 0/a,",
            Protocol::V5 => "present #1; > 0/a,{\"sid\":\"sid\"}",
        };
        assert_eq!(rig.accept(a), told);
    }
}

#[test]
fn until_a_client_is_let_in_it_has_nothing_to_say() {
    for admitted in [false, true] {
        for text in ["2/a,[\"e\"]", "3/a,1[]", "1/a,"] {
            let mut rig = Rig::new(Protocol::V5);
            rig.say("0/a,");
            let a = rig.begin("/a");
            if admitted {
                rig.admit(a);
            }
            assert_eq!(
                rig.say(text),
                "violation: packet for a namespace that was not joined; close"
            );
        }
    }
}

#[test]
fn who_has_left_or_was_refused_may_come_back() {
    let mut rig = Rig::joined(Protocol::V5);
    rig.say("1");
    assert_eq!(rig.say("0"), "asks for /");
    let again = rig.begin("/");
    rig.refuse(again, "no", None);
    assert_eq!(rig.say("0"), "asks for /");
}

/// A client that disconnects before it has heard that it is connected says nothing
/// of that, and connects again.
#[test]
fn a_second_request_takes_back_one_that_is_undecided() {
    for protocol in BOTH {
        for admitted in [false, true] {
            for accepts in [false, true] {
                let mut rig = Rig::joined(protocol);
                rig.say("0/a,");
                let first = rig.begin("/a");
                if admitted {
                    rig.admit(first);
                }
                assert_eq!(rig.say("0/a,"), "abandoned #1; asks for /a");
                assert!(!rig.connection.is_wanted(first));
                let second = rig.begin("/a");
                // Its client hears nothing of the first, whose application does.
                let told = match accepts {
                    true => "disconnected #1: client namespace disconnect",
                    false => "refused #1",
                };
                let said = match accepts {
                    true => rig.accept(first),
                    false => rig.refuse(first, "no", Some("1")),
                };
                assert_eq!(said, told);
                let connected = match protocol {
                    Protocol::V4 => "present #2; > 0/a,",
                    Protocol::V5 => "present #2; > 0/a,{\"sid\":\"sid\"}",
                };
                assert_eq!(rig.accept(second), connected);
                assert_eq!(rig.say("2/a,[\"e\"]"), "event #2 [\"e\"]");
            }
        }
    }
}

#[test]
fn a_second_request_takes_back_a_socket() {
    for protocol in BOTH {
        for early in [false, true] {
            let mut rig = Rig::joined(protocol);
            let first = rig.begin("/a");
            rig.admit(first);
            match early {
                true => rig.accept_early(first),
                false => rig.accept(first),
            };
            let left = "disconnected #1: client namespace disconnect; asks for /a";
            assert_eq!(rig.say("0/a,"), left);
            let second = rig.begin("/a");
            rig.accept(second);
            assert_eq!(rig.say("2/a,[\"e\"]"), "event #2 [\"e\"]");
            assert_eq!(rig.say("2[\"e\"]"), "event #0 [\"e\"]", "nothing else ends");
        }
    }
}

#[test]
fn a_second_request_takes_back_one_that_nobody_has_looked_at() {
    let mut rig = Rig::new(Protocol::V5);
    let now = rig.now;
    rig.connection.handle_message(now, "0/a,{\"n\":1}".into());
    rig.connection.handle_message(now, "0/b,".into());
    let asked = "asks for /b; asks for /a with {\"n\":2}";
    assert_eq!(rig.say("0/a,{\"n\":2}"), asked);
    // Of those that wait for the root, too, which never waits itself.
    let mut rig = Rig::new(Protocol::V4);
    rig.begin("/");
    rig.outputs();
    assert_eq!(rig.say("0/a?n=1,"), "");
    assert_eq!(rig.say("0/a?n=2,"), "");
    assert_eq!(rig.say("0"), "abandoned #0; asks for /");
    let root = rig.begin("/");
    assert_eq!(rig.accept(root), "present #1; > 0; asks for /a with n=2");
}

#[test]
fn a_second_request_takes_no_more_room_than_one() {
    let mut rig = Rig::joined(Protocol::V5);
    rig.join("/a");
    rig.say("0/b,");
    let b = rig.begin("/b");
    let asked = "abandoned #2; asks for /b";
    assert_eq!(rig.say("0/b,"), asked, "of three namespaces, it is in two");
    rig.begin("/b");
    rig.refuse(b, "no", None);
    assert_eq!(
        rig.say("0/c,"),
        "> 4/c,{\"message\":\"Too many namespaces\"}"
    );
}

/// Its row is that of the socket that comes after it.
#[test]
fn a_socket_that_was_taken_back_leaves_what_is_stored() {
    let mut rig = Rig::joined(Protocol::V5);
    rig.say("0/a,");
    let first = rig.begin_again("/a", RecoveredSocket::default());
    rig.say("0/a,");
    let second = rig.begin_again("/a", RecoveredSocket::default());
    rig.accept(first);
    let reason = Reason::ClientNamespaceDisconnect;
    assert!(rig.connection.last_storing(first, reason, true).is_none());
    assert!(rig.connection.last_storing(second, reason, true).is_some());
}

#[test]
fn a_place_is_kept_while_the_namespace_is_looked_for() {
    for protocol in BOTH {
        let mut rig = Rig::new(protocol);
        if protocol == Protocol::V5 {
            rig.say("0");
        }
        let root = rig.connection.reserve("/");
        rig.outputs();
        // Others need not wait, but for the root namespace in protocol 4.
        let asked = rig.say("0/a,");
        assert_eq!(asked.is_empty(), protocol == Protocol::V4);
        assert!(rig.connection.is_wanted(root));
        assert!(rig.fill(root, "/"));
        assert!(!rig.fill(root, "/"), "it was filled before");
        let sid = match protocol {
            Protocol::V4 => "present #0; > 0; asks for /a",
            Protocol::V5 => "present #0; > 0{\"sid\":\"sid\"}",
        };
        assert_eq!(rig.accept(root), sid);
        assert!(rig.connection.socket(root).unwrap().is_in("sid"));
    }
}

#[test]
fn a_place_that_is_kept_counts_and_is_given_up() {
    for protocol in BOTH {
        let mut rig = Rig::joined(protocol);
        rig.join("/b");
        let a = rig.connection.reserve("/a");
        assert!(rig.say("0/c,").contains("Too many namespaces"));
        assert_eq!(rig.say("0/a,"), "abandoned #2; asks for /a");
        assert!(!rig.connection.is_wanted(a) && !rig.fill(a, "/a"));
        assert_eq!(rig.refuse(a, "no", None), "refused #2", "nobody is told");
        let a = rig.connection.reserve("/a");
        assert!(rig.refuse(a, "no", None).starts_with("> 4/a,"));
        let a = rig.connection.reserve("/a");
        let ended = rig.end(engine::Reason::TransportClose);
        assert!(ended.ends_with("abandoned #4"), "{ended}");
        assert!(!rig.fill(a, "/a"));
        let a = rig.connection.reserve("/a");
        assert!(
            !rig.connection.is_wanted(a) && !rig.fill(a, "/a"),
            "it ended before"
        );
    }
}

/// Nobody finds the definition of a namespace that is still looked for.
#[test]
fn a_place_that_is_kept_through_sleep_is_given_up() {
    let mut rig = Rig::joined(Protocol::V5);
    rig.connection.reserve("/a");
    let snapshot = rig.connection.snapshot();
    let define = |namespace: &str, _| (namespace == "/").then_some(0);
    rig.connection = Connection::restore(&snapshot, settings(), define).unwrap();
    let refused = "> 4/a,{\"message\":\"Internal server error\"}; refused #1";
    assert_eq!(rig.outputs(), refused);
    assert_eq!(rig.say("2[\"e\"]"), "event #0 [\"e\"]");
}

#[test]
fn what_was_missed_comes_before_the_news_and_what_was_held_behind_it() {
    let mut rig = Rig::new(Protocol::V5);
    rig.say("0/a,");
    let missed = |number: u64| {
        let args = Args::new(format!("[\"missed\",{number}]"), vec![]);
        (format!("{number}"), args)
    };
    let a = rig.begin_again(
        "/a",
        RecoveredSocket {
            rooms: vec!["room".into(), "sid".into()],
            data: Some("1".into()),
            since: Offset(3),
            missed: vec![missed(5), missed(8)],
        },
    );
    let socket = rig.connection.socket(a).unwrap();
    assert_eq!(
        (socket.data(), socket.since()),
        (Some("1"), Some(Offset(3)))
    );
    assert!(socket.is_in("room"));
    let hold = |rig: &mut Rig, json| {
        let packet = event(Protocol::V5, "/a", None, json);
        assert_eq!(rig.connection.route(a), Route::Hold);
        assert!(rig.connection.hold(a, &packet));
    };
    hold(&mut rig, "[\"held\",1]");
    rig.admit(a);
    hold(&mut rig, "[\"held\",2]");
    let told = [
        r#"> 2/a,["missed",5,"5"]"#,
        r#"> 2/a,["missed",8,"8"]"#,
        r#"> 0/a,{"sid":"sid","pid":"pid"}"#,
        r#"> 2/a,["held",1]"#,
        r#"> 2/a,["held",2]"#,
    ];
    assert_eq!(rig.accept(a), told.join("; "));
    assert_eq!(rig.connection.route(a), Route::Send);
    let late = event(Protocol::V5, "/a", None, "[\"late\"]");
    assert!(!rig.connection.hold(a, &late), "it is to be sent");
}

#[test]
fn so_many_bytes_are_held() {
    for (beyond, fits) in [(-1, true), (0, true), (1, false)] {
        let mut rig = Rig::new(Protocol::V5);
        rig.say("0/a,");
        let a = rig.begin("/a");
        let first = event(Protocol::V5, "/a", None, "[\"first\"]");
        assert!(rig.connection.hold(a, &first));
        let empty = event(Protocol::V5, "/a", None, "[\"\"]");
        let left = MAX_HELD - wire(&first)[0].len() - wire(&empty)[0].len();
        let name = "x".repeat(left.checked_add_signed(beyond).unwrap());
        let last = event(Protocol::V5, "/a", None, &format!("[\"{name}\"]"));
        assert_eq!(rig.connection.hold(a, &last), fits);
        // What does not fit is lost, and nothing else.
        let sent = rig.accept(a);
        assert_eq!(sent.contains(&name), fits);
        assert!(sent.contains("first"));
    }
}

#[test]
fn a_refusal_says_why() {
    for (protocol, without, with) in [
        (Protocol::V4, r#"> 4/a,"no""#, r#"> 4/a,{"code":1}"#),
        (
            Protocol::V5,
            r#"> 4/a,{"message":"no"}"#,
            r#"> 4/a,{"message":"no","data":{"code":1}}"#,
        ),
    ] {
        for (data, told) in [(None, without), (Some("{\"code\":1}"), with)] {
            let mut rig = Rig::joined(protocol);
            rig.say("0/a,");
            rig.connection.refuse_request("/a", "no", data);
            assert_eq!(rig.outputs(), told);
            for admitted in [false, true] {
                rig.say("0/a,");
                let a = rig.begin("/a");
                if admitted {
                    rig.admit(a);
                }
                let refused = format!("{told}; refused #{}", a.0);
                assert_eq!(rig.refuse(a, "no", data), refused);
                assert_eq!(rig.refuse(a, "no", data), "", "it was refused before");
                assert_eq!(rig.accept(a), "", "it was refused before");
            }
        }
    }
}

#[test]
fn in_protocol_4_the_root_comes_first() {
    let mut rig = Rig::new(Protocol::V4);
    // It asks before anybody has so much as heard of the root …
    assert_eq!(
        rig.connection.handle_message(rig.now, "0/a?t=1,".into()),
        None
    );
    assert_eq!(rig.outputs(), "asks for /");
    let root = rig.begin("/");
    assert_eq!(rig.say("0/b,"), "");
    assert_eq!(rig.admit(root), "present #0");
    // … and is heard behind it, in order.
    assert_eq!(rig.accept(root), "> 0; asks for /a with t=1; asks for /b");
    assert_eq!(rig.begin("/a"), JoinId(1));
    assert_eq!(rig.say("1"), "disconnected #0: client namespace disconnect");
    assert_eq!(rig.say("0/c,"), "asks for /c", "the root was decided");
}

#[test]
fn in_protocol_4_others_are_heard_even_if_the_root_is_refused() {
    let mut rig = Rig::new(Protocol::V4);
    assert_eq!(rig.outputs(), "asks for /");
    let root = rig.begin("/");
    assert_eq!(rig.say("0/a,"), "");
    let told = "> 4\"no\"; refused #0; asks for /a";
    assert_eq!(rig.refuse(root, "no", None), told);

    // The application has no root namespace.
    let mut rig = Rig::new(Protocol::V4);
    rig.connection.handle_message(rig.now, "0/a,".into());
    assert!(rig.connection.poll_output().is_some());
    rig.connection.refuse_request(ROOT, INVALID_NAMESPACE, None);
    assert_eq!(rig.outputs(), "> 4\"Invalid namespace\"; asks for /a");
}

#[test]
fn ids_of_protocol_4_are_computed() {
    let id = |protocol, namespace| Connection::socket_id(protocol, "sid", namespace);
    assert_eq!(id(Protocol::V4, "/").as_deref(), Some("sid"));
    assert_eq!(id(Protocol::V4, "/n").as_deref(), Some("/n#sid"));
    assert_eq!(id(Protocol::V5, "/"), None);
    for id in ["sid", "/n#sid", "/n#m#sid"] {
        assert_eq!(Connection::sid_in(id), "sid");
    }
}

#[test]
fn nothing_joined_in_time_closes_the_session() {
    let at = |seconds| OPENED + Duration::from_secs(seconds);
    let time_out = |rig: &mut Rig, now| {
        rig.connection.handle_timeout(now);
        rig.outputs()
    };
    let mut rig = Rig::new(Protocol::V5);
    assert_eq!(rig.connection.next_deadline(), Some(at(45)));
    assert_eq!(time_out(&mut rig, at(44)), "");
    assert_eq!(time_out(&mut rig, at(45)), "close");
    assert_eq!(rig.connection.next_deadline(), None);
    assert_eq!(time_out(&mut rig, at(46)), "");

    // Whoever asked waits for the application, and not the other way round.
    let mut rig = Rig::new(Protocol::V5);
    rig.say("0");
    let root = rig.begin("/");
    assert_eq!(rig.connection.next_deadline(), None);
    assert_eq!(time_out(&mut rig, at(45)), "");
    rig.refuse(root, "no", None);
    assert_eq!(rig.connection.next_deadline(), Some(at(45)));
    assert_eq!(time_out(&mut rig, at(45)), "close");

    // Who has joined once may stay without a namespace.
    let mut rig = Rig::joined(Protocol::V5);
    rig.say("1");
    rig.connection.forget(JoinId(0));
    assert_eq!(rig.connection.next_deadline(), None);
    assert_eq!(time_out(&mut rig, at(1_000)), "");
}

#[test]
fn a_client_is_in_so_many_namespaces() {
    let too_many =
        |namespace: &str| format!("> 4{namespace},{{\"message\":\"Too many namespaces\"}}");
    let mut rig = Rig::joined(Protocol::V5);
    assert_eq!(rig.say("0/a,"), "asks for /a");
    rig.join("/a");
    assert_eq!(rig.say("0/b,"), "asks for /b");
    rig.begin("/b");
    assert_eq!(rig.say("0/c,"), too_many("/c"), "one undecided counts");
    // One that is leaving does not.
    rig.say("1/a,");
    assert_eq!(rig.say("0/c,"), "asks for /c");

    let mut rig = Rig::new(Protocol::V4);
    rig.outputs();
    rig.begin("/");
    assert_eq!(rig.say("0/a,"), "");
    assert_eq!(rig.say("0/b,"), "");
    let told = rig.say("0/c,");
    assert_eq!(
        told, "> 4/c,\"Too many namespaces\"",
        "those that wait count"
    );
}

#[test]
fn a_message_is_of_a_class() {
    for protocol in BOTH {
        let mut rig = Rig::joined(protocol);
        let classify = |rig: &Rig, data: Data<'_>| rig.connection.classify(&data);
        for (text, class) in [
            ("0/a,", Class::Join),
            ("0", Class::Join),
            ("1", Class::Whole),
            (r#"2["0"]"#, Class::Whole),
            (r#"51-["a",{"_placeholder":true,"num":0}]"#, Class::Whole),
            ("", Class::Whole),
            ("é", Class::Whole),
        ] {
            assert_eq!(classify(&rig, Data::from(text)), class, "{text}");
        }
        assert_eq!(classify(&rig, Data::from(&[0][..])), Class::Whole);
        rig.say(r#"52-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#);
        for _ in 0..2 {
            assert_eq!(classify(&rig, Data::from(&[1][..])), Class::Part);
            rig.say_data(Data::from(&[1][..]));
        }
        assert_eq!(classify(&rig, Data::from(&[1][..])), Class::Whole);
    }
}
