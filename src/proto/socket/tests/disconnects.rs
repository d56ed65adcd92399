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
fn one_that_was_not_let_in_is_refused_and_the_decision_comes_too_late() {
    let refused = "> 4/a,{\"message\":\"Internal server error\"}; refused #1";
    for admitted in [false, true] {
        let mut rig = undecided(Protocol::V5, admitted);
        assert_eq!(rig.disconnect(JoinId(1)), refused);
        assert_eq!(rig.accept(JoinId(1)), "");
        assert_eq!(rig.refuse(JoinId(1), "no", None), "");
        assert!(rig.connection.socket(JoinId(1)).is_none());
    }
}

#[test]
fn closing_tells_every_socket_before() {
    let mut rig = undecided(Protocol::V5, true);
    let told = [
        "> 1",
        "disconnected #0: server namespace disconnect",
        "> 4/a,{\"message\":\"Internal server error\"}",
        "refused #1",
        "close",
    ];
    assert_eq!(rig.close(), told.join("; "));
    assert_eq!(rig.close(), "", "it is being closed");
    assert_eq!(rig.end(engine::Reason::ForcedClose), "");
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
    let closed = "> 4\"Internal server error\"; refused #0; close";
    assert_eq!(rig.close(), closed);
    let mut rig = waiting();
    rig.say("nonsense");
    assert_eq!(rig.refuse(JoinId(0), "no", None), "refused #0");
}

#[test]
fn after_a_violation_nothing_is_heard_or_said() {
    for nonsense in ["nonsense", "2/a,[\"e\"]", "0"] {
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
        end_after(|rig| drop(rig.say("0"))),
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
    assert!(Violation::JoinedTwice.reason().is_recoverable());
    assert!(!Reason::ClientNamespaceDisconnect.is_recoverable());
    assert!(!Reason::ServerNamespaceDisconnect.is_recoverable());
}
