//! Disconnecting sockets, and the reasons for it: each rule by itself.

use alloc::string::String;

use super::rig::{BOTH, OPENED, Rig, event};
use super::*;
use crate::engine;

pub(super) const LOST: engine::Reason = engine::Reason::TransportClose;

/// The root is `#0`, connected, and `/a` is `#1`, which the application is still
/// asked about.
fn undecided(protocol: Protocol, admitted: bool) -> Rig {
    let mut rig = Rig::joined(protocol);
    rig.say("0/a,");
    let a = rig.begin("/a");
    if admitted {
        rig.admit(a);
    }
    rig
}

#[test]
fn a_client_leaves() {
    for protocol in BOTH {
        let mut rig = Rig::joined(protocol);
        rig.join("/a");
        let left = "disconnected #1: client namespace disconnect";
        assert_eq!(rig.say("1/a,"), left);
        assert_eq!(rig.connection.route(JoinId(1)), Route::Gone);
        assert_eq!(
            rig.say("2[\"e\"]"),
            "event #0 [\"e\"]",
            "it is still in the root"
        );
        let outside = "violation: packet for a namespace that was not joined; close";
        assert_eq!(rig.say("2/a,[\"e\"]"), outside);
    }
}

#[test]
fn the_application_disconnects_a_socket() {
    for protocol in BOTH {
        let mut rig = Rig::joined(protocol);
        let away = "> 1; disconnected #0: server namespace disconnect";
        assert_eq!(rig.disconnect(JoinId(0)), away);
        assert!(!rig.connection.disconnect(JoinId(0)), "it has gone");
        assert_eq!(rig.outputs(), "");
        assert_eq!(rig.say("0"), "asks for /", "it may come back");
    }
}

#[test]
fn one_that_is_seen_by_others_is_refused_and_the_decision_comes_too_late() {
    let refused = "> 4/a,{\"message\":\"Connection rejected by server\"}; refused #1";
    let mut rig = undecided(Protocol::V5, true);
    assert_eq!(rig.disconnect(JoinId(1)), refused);
    assert_eq!(rig.accept(JoinId(1)), "");
    assert_eq!(rig.refuse(JoinId(1), "no", None), "");
    assert!(rig.connection.socket(JoinId(1)).is_none());
}

/// What its middleware returns tells why, if it says so.
#[test]
fn one_that_its_middleware_disconnects_is_refused_when_that_returns() {
    let rejected = "> 4/a,{\"message\":\"Connection rejected by server\"}; refused #1";
    type End = fn(&mut Rig) -> String;
    let ends: [(End, &str); 2] = [
        (|rig| rig.accept(JoinId(1)), rejected),
        (
            |rig| rig.refuse(JoinId(1), "no", None),
            "> 4/a,{\"message\":\"no\"}; refused #1",
        ),
    ];
    for (end, refused) in ends {
        let mut rig = undecided(Protocol::V5, false);
        assert!(rig.connection.is_wanted(JoinId(1)));
        assert_eq!(rig.disconnect(JoinId(1)), "");
        assert!(!rig.connection.is_wanted(JoinId(1)));
        assert_eq!(rig.connection.route(JoinId(1)), Route::Gone);
        let packet = event(Protocol::V5, "/a", None, "[\"e\"]");
        assert!(!rig.connection.hold(JoinId(1), &packet));
        assert_eq!(rig.admit(JoinId(1)), "", "nobody gets to see it");
        assert_eq!(rig.accept_early(JoinId(1)), "");
        assert_eq!(end(&mut rig), refused);
        assert!(rig.connection.socket(JoinId(1)).is_none());
    }
}

#[test]
fn whoever_is_disconnected_after_it_was_accepted_has_heard_everything() {
    for protocol in BOTH {
        let mut rig = Rig::new(protocol);
        rig.outputs();
        let root = rig.begin("/");
        rig.admit(root);
        let packet = event(protocol, "/", None, "[\"hello\"]");
        assert!(rig.connection.hold(root, &packet));
        let connect = match protocol {
            Protocol::V4 => "> 0",
            Protocol::V5 => "> 0{\"sid\":\"sid\"}",
        };
        let told = alloc::format!("{connect}; > 2[\"hello\"]");
        assert_eq!(rig.accept_early(root), told);
        let away = "> 1; disconnected #0: server namespace disconnect";
        assert_eq!(rig.disconnect(root), away);
        assert_eq!(rig.accept(root), "", "on_connect returns after all");
        assert_eq!(rig.refuse(root, "no", None), "", "or fails");
    }
}

/// The client is told that it is connected, answers, and the decision comes then.
#[test]
fn one_that_is_asked_something_is_accepted_before_the_decision() {
    let mut rig = undecided(Protocol::V5, true);
    let connected = "> 0/a,{\"sid\":\"sid\"}";
    assert_eq!(rig.accept_early(JoinId(1)), connected);
    assert_eq!(rig.accept_early(JoinId(1)), "", "once");
    assert_eq!(rig.connection.route(JoinId(1)), Route::Send);
    let socket = rig.connection.socket(JoinId(1)).unwrap();
    assert!(socket.is_connected() && socket.is_undecided() && socket.is_present());
    assert_eq!(rig.say("3/a,7[1]"), "ack #1 7[1]");
    assert_eq!(rig.accept(JoinId(1)), "", "it is told once");
    let socket = rig.connection.socket(JoinId(1)).unwrap();
    assert!(socket.is_connected() && !socket.is_undecided());
}

#[test]
fn one_that_was_accepted_early_is_disconnected_instead_of_refused() {
    let mut rig = undecided(Protocol::V5, true);
    rig.accept_early(JoinId(1));
    let away = "> 1/a,; disconnected #1: server namespace disconnect";
    assert_eq!(rig.refuse(JoinId(1), "no", None), away);
    assert_eq!(rig.say("0/a,"), "asks for /a", "it may ask again");
}

#[test]
fn the_decision_about_one_that_was_accepted_early_may_be_lost() {
    let mut rig = undecided(Protocol::V5, true);
    rig.accept_early(JoinId(1));
    let away = "> 1/a,; disconnected #1: server namespace disconnect";
    assert_eq!(rig.sleep(), away);
}

#[test]
fn one_that_was_accepted_early_is_not_stored_before_the_decision() {
    let mut rig = Rig::joined(Protocol::V5);
    let admission = Admission {
        pid: Some("pid".into()),
        ..Admission::new("sid")
    };
    let a = rig.connection.begin("/a", admission);
    rig.admit(a);
    rig.accept_early(a);
    assert!(rig.connection.set_data(a, Some("1".into())));
    assert!(!rig.connection.is_unstored());
    assert!(rig.connection.poll_storing(Due::Unstored, true).is_none());
    rig.accept(a);
    assert!(rig.connection.is_unstored());
}

/// Its client could otherwise come back without the decision.
#[test]
fn one_that_goes_before_the_decision_is_not_stored_either() {
    for is_let_in in [false, true] {
        let mut rig = Rig::joined(Protocol::V5);
        let admission = Admission {
            pid: Some("pid".into()),
            recovered: Some(RecoveredSocket::default()),
            ..Admission::new("sid")
        };
        let a = rig.connection.begin("/a", admission);
        rig.admit(a);
        rig.accept_early(a);
        if is_let_in {
            rig.accept(a);
        }
        rig.end(LOST);
        let last = rig.connection.last_storing(a, LOST.into(), true);
        match is_let_in {
            true => assert!(matches!(last, Some(Storing::Write(_)))),
            false => assert!(matches!(last, Some(Storing::Delete(_)))),
        }
    }
}

/// In protocol 4, other namespaces wait for the answer, and not for the decision.
#[test]
fn other_namespaces_do_not_wait_for_one_that_was_accepted_early() {
    let mut rig = Rig::new(Protocol::V4);
    rig.outputs();
    let root = rig.begin("/");
    rig.say("0/a,");
    rig.admit(root);
    assert_eq!(rig.accept_early(root), "> 0; asks for /a");
}

#[test]
fn closing_tells_every_connected_socket_before() {
    let mut rig = undecided(Protocol::V5, true);
    rig.begin("/b");
    let told = [
        "> 1",
        "disconnected #0: server namespace disconnect",
        "close",
    ];
    assert_eq!(rig.close(), told.join("; "));
    assert_eq!(rig.close(), "", "it is being closed");
    assert!(!rig.connection.is_wanted(JoinId(1)));
    let abandoned = "abandoned #1; abandoned #2";
    assert_eq!(rig.end(engine::Reason::ForcedClose), abandoned);
}

#[test]
fn the_end_of_the_session_is_the_end_of_its_sockets() {
    for admitted in [false, true] {
        let mut rig = undecided(Protocol::V5, admitted);
        let ended = "disconnected #0: transport close; abandoned #1";
        assert_eq!(rig.end(LOST), ended);
        assert_eq!(rig.end(engine::Reason::PingTimeout), "", "it ends once");
        assert!(rig.connection.sockets().all(|socket| !socket.is_present()));
    }
}

#[test]
fn an_application_that_lets_in_whom_it_has_lost_hears_that_it_has_gone() {
    for admitted in [false, true] {
        let mut rig = undecided(Protocol::V5, admitted);
        rig.end(LOST);
        assert_eq!(rig.admit(JoinId(1)), "", "nobody is there to be seen");
        let gone = "disconnected #1: transport close";
        assert_eq!(rig.accept(JoinId(1)), gone);
        assert_eq!(rig.accept(JoinId(1)), "");
        rig.connection.forget(JoinId(1));
        assert!(rig.connection.socket(JoinId(1)).is_none());
    }
}

#[test]
fn one_that_refuses_whom_it_has_lost_hears_no_more_of_it() {
    for admitted in [false, true] {
        let mut rig = undecided(Protocol::V5, admitted);
        rig.end(LOST);
        let refused = rig.refuse(JoinId(1), "no", None);
        assert_eq!(refused, "refused #1", "nobody is there to be told");
        assert!(rig.connection.socket(JoinId(1)).is_none());
    }
}

#[test]
fn what_waits_for_the_root_ends_with_the_session() {
    let waiting = || {
        let mut rig = Rig::new(Protocol::V4);
        rig.outputs();
        rig.begin("/");
        rig.say("0/a,");
        rig
    };
    let mut rig = waiting();
    rig.end(LOST);
    assert_eq!(rig.accept(JoinId(0)), "disconnected #0: transport close");
    let mut rig = waiting();
    rig.end(LOST);
    assert_eq!(rig.refuse(JoinId(0), "no", None), "refused #0");
    let mut rig = waiting();
    assert_eq!(rig.close(), "close");
    assert_eq!(rig.refuse(JoinId(0), "no", None), "refused #0");
    let mut rig = waiting();
    rig.say("nonsense");
    assert_eq!(rig.refuse(JoinId(0), "no", None), "refused #0");
}

#[test]
fn after_a_violation_nothing_is_heard_or_said() {
    for nonsense in ["nonsense", "2/a,[\"e\"]", "1/c,"] {
        let mut rig = undecided(Protocol::V5, true);
        rig.join("/b");
        assert!(rig.say(nonsense).ends_with("; close"));
        for text in ["0/c,", "1", "2[\"e\"]", "3,1[]", "nonsense"] {
            assert_eq!(rig.say(text), "");
        }
        let away = "disconnected #2: server namespace disconnect";
        assert_eq!(rig.disconnect(JoinId(2)), away);
        assert_eq!(rig.refuse(JoinId(1), "no", None), "refused #1");
        assert_eq!(rig.close(), "disconnected #0: server namespace disconnect");
    }
}

#[test]
fn whoever_is_let_in_while_the_session_is_being_closed_goes_with_it() {
    let mut rig = undecided(Protocol::V5, true);
    let packet = event(Protocol::V5, "/a", None, "[\"held\"]");
    assert!(rig.connection.hold(JoinId(1), &packet));
    rig.say("nonsense");
    assert_eq!(rig.accept(JoinId(1)), "");
    let ended = "disconnected #0: parse error; disconnected #1: parse error";
    assert_eq!(rig.end(LOST), ended);
}

#[test]
fn a_request_that_is_taken_up_after_the_end_is_abandoned() {
    let mut rig = Rig::new(Protocol::V5);
    rig.connection.handle_message(rig.now, "0/a,".into());
    rig.connection.handle_closed(LOST);
    let a = rig.begin("/a");
    assert_eq!(rig.connection.route(a), Route::Gone);
    rig.outputs();
    assert_eq!(rig.accept(a), "disconnected #0: transport close");
}

/// The reason for which this side closes wins over what the session says of it.
#[test]
fn reasons_are_those_of_whoever_began() {
    let root = |reason: &str| alloc::format!("disconnected #0: {reason}");
    let end_after = |act: fn(&mut Rig)| -> String {
        let mut rig = Rig::joined(Protocol::V5);
        act(&mut rig);
        rig.outputs();
        rig.end(engine::Reason::ForcedClose)
    };
    assert_eq!(end_after(|_| ()), root("forced close"));
    assert_eq!(end_after(|rig| drop(rig.say("x"))), root("parse error"));
    assert_eq!(
        end_after(|rig| drop(rig.say("2/elsewhere,[\"e\"]"))),
        root("forced server close")
    );
    assert_eq!(
        end_after(|rig| drop(rig.say("1/elsewhere,"))),
        root("forced server close")
    );
    let supersede = |rig: &mut Rig| {
        let admission = Admission {
            pid: Some("pid".into()),
            ..Admission::new("sid")
        };
        let a = rig.connection.begin("/a", admission);
        rig.accept(a);
        rig.disconnect(JoinId(0));
        assert!(rig.connection.supersede("/a", "pid"));
    };
    assert_eq!(end_after(supersede), "disconnected #1: transport close");
}

#[test]
fn only_whoever_has_the_secret_of_a_connected_socket_supersedes_it() {
    let mut rig = Rig::joined(Protocol::V5);
    let admission = Admission {
        pid: Some("pid".into()),
        ..Admission::new("sid")
    };
    let a = rig.connection.begin("/a", admission);
    assert!(!rig.connection.supersede("/a", "pid"), "not connected yet");
    rig.accept(a);
    assert!(!rig.connection.supersede("/a", "another"));
    assert!(!rig.connection.supersede("/", "pid"));
    assert!(!rig.connection.supersede("/elsewhere", "pid"));
    assert_eq!(rig.outputs(), "");
    assert!(rig.connection.supersede("/a", "pid"));
    assert_eq!(rig.outputs(), "close");
    rig.end(LOST);
    assert!(!rig.connection.supersede("/a", "pid"), "it has gone");
}

#[test]
fn a_socket_that_is_had_again_is_superseded_before_the_application_has_decided() {
    let mut rig = Rig::joined(Protocol::V5);
    let admission = Admission {
        pid: Some("pid".into()),
        recovered: Some(RecoveredSocket::default()),
        ..Admission::new("sid")
    };
    let a = rig.connection.begin("/a", admission);
    assert!(!rig.connection.supersede("/a", "another"));
    assert!(rig.connection.supersede("/a", "pid"));
    assert_eq!(rig.outputs(), "close");
    // What is stored is for whoever has come back.
    let reason = Reason::Session(crate::engine::Reason::TransportClose);
    assert!(rig.connection.last_storing(a, reason, true).is_none());
}

#[test]
fn who_joins_again_has_another_socket() {
    for protocol in BOTH {
        let mut rig = Rig::joined(protocol);
        let old = JoinId(0);
        rig.say("1");
        assert_eq!(rig.say("0"), "asks for /");
        let new = rig.join("/");
        let id = |join| rig.connection.socket(join).unwrap().id();
        assert_eq!(id(old), id(new), "the id is the same");
        assert_ne!(old, new);
        assert_stale(&mut rig, old);
        rig.connection.forget(old);
        assert!(rig.connection.socket(old).is_none());
        assert_stale(&mut rig, old);
        rig.connection.forget(new);
        let socket = rig.connection.socket(new).unwrap();
        assert!(
            socket.is_connected(),
            "one that has not gone is not forgotten"
        );
        assert_eq!((socket.rooms(), socket.data()), (&["sid".into()][..], None));
    }
}

/// Checks that an old handle acts on nothing.
fn assert_stale(rig: &mut Rig, old: JoinId) {
    let connection = &mut rig.connection;
    connection.take_changed();
    assert_eq!(connection.route(old), Route::Gone);
    let packet = event(Protocol::V5, "/", None, "[\"e\"]");
    assert!(!connection.hold(old, &packet));
    assert!(connection.encode_ack(old, 1, &Args::default()).is_none());
    assert_eq!(connection.enter(old, "room"), Err(JoinError::Gone));
    assert_eq!(connection.leave(old, "sid"), None);
    assert!(!connection.set_data(old, Some("1".into())));
    assert!(!connection.accept(old));
    connection.admit(old);
    connection.refuse(old, "no", None);
    assert!(!connection.disconnect(old));
    assert!(!connection.take_changed());
    assert_eq!(rig.outputs(), "");
}

#[test]
fn time_runs_out_once() {
    let mut rig = Rig::new(Protocol::V5);
    rig.connection.handle_timeout(OPENED + settings_timeout());
    assert_eq!(rig.outputs(), "close");
    assert_eq!(rig.say("0"), "", "it is being closed");
    assert_eq!(rig.end(engine::Reason::ForcedClose), "");
}

fn settings_timeout() -> core::time::Duration {
    super::rig::settings().connect_timeout
}

#[test]
fn reasons_are_those_that_users_know() {
    assert_eq!(
        Violation::NotJoined.reason().as_str(),
        "forced server close"
    );
    let parse = Violation::Parse(ParseError::Json).reason();
    assert_eq!(parse.as_str(), "parse error");
    assert!(!parse.is_recoverable());
    let error = Violation::Parse(ParseError::NotForServers).reason();
    assert_eq!(error.as_str(), "forced server close");
    assert!(Violation::NotJoined.reason().is_recoverable());
    assert!(!Reason::ClientNamespaceDisconnect.is_recoverable());
    assert!(!Reason::ServerNamespaceDisconnect.is_recoverable());
}

/// What a client has sent before it hears that it was disconnected is on its way.
#[test]
fn packets_on_their_way_to_a_namespace_that_the_server_has_left_end_nothing() {
    for protocol in BOTH {
        for forgotten in [false, true] {
            let mut rig = Rig::joined(protocol);
            let a = rig.join("/a");
            rig.disconnect(a);
            if forgotten {
                rig.connection.forget(a);
            }
            for text in [
                "2/a,[\"e\"]",
                "2/a,1[\"e\"]",
                "3/a,1[]",
                "1/a,",
                "51-/a,[\"e\",{\"_placeholder\":true,\"num\":0}]",
            ] {
                assert_eq!(rig.say(text), "", "{text}");
            }
            // The attachment, too.
            assert_eq!(rig.say_data(Data::from(&[1][..])), "");
            assert_eq!(rig.say("2[\"e\"]"), "event #0 [\"e\"]");
            // It knows now, and waits like everybody else.
            assert_eq!(rig.say("0/a,"), "asks for /a");
            let again = rig.begin("/a");
            let told = "violation: packet for a namespace that was not joined; close";
            assert_eq!(rig.say("2/a,[\"e\"]"), told);
            assert!(rig.connection.socket(again).is_some());
        }
    }
}

#[test]
fn packets_on_their_way_end_nothing_after_sleep_either() {
    let mut rig = Rig::joined(Protocol::V5);
    let a = rig.join("/a");
    let text = "51-/a,[\"e\",{\"_placeholder\":true,\"num\":0}]";
    assert_eq!(rig.say(text), "");
    rig.disconnect(a);
    rig.connection.forget(a);
    rig.sleep();
    assert_eq!(rig.say_data(Data::from(&[1][..])), "");
    assert_eq!(rig.say("2/a,[\"e\"]"), "");
    // Nobody has left the others.
    let told = "violation: packet for a namespace that was not joined; close";
    assert_eq!(rig.say("2/b,[\"e\"]"), told);
}

#[test]
fn who_has_left_by_itself_knows_it() {
    for protocol in BOTH {
        let mut rig = Rig::joined(protocol);
        rig.join("/a");
        rig.say("1/a,");
        let told = "violation: packet for a namespace that was not joined; close";
        assert_eq!(rig.say("2/a,[\"e\"]"), told);
    }
}
