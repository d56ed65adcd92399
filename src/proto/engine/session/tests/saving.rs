//! Saving for sleep: what has to be saved, and when, as little as possible.
//!
//! A session sleeps only while no request of it is on its way, so what waits
//! for an answer need not be saved.

use alloc::format;
use alloc::vec::Vec;

use super::rig::{BOTH, Rig, SLEEPY};
use crate::engine::{ConnId, Data, Revision, Session};
use crate::rate::Network;
use crate::versioned::SnapshotError;

/// Returns whether a session has to be saved after `act`.
fn saved(rig: &mut Rig, act: impl FnOnce(&mut Rig)) -> bool {
    rig.session.take_changed();
    act(rig);
    rig.session.take_changed()
}

#[test]
fn new_session_is_saved_once() {
    for revision in BOTH {
        let mut rig = Rig::websocket(revision, SLEEPY);
        assert!(rig.session.take_changed());
        assert!(!rig.session.take_changed());
    }
}

#[test]
fn messages_on_a_websocket_are_never_saved() {
    for revision in BOTH {
        for mut rig in [
            Rig::upgraded(revision, SLEEPY),
            Rig::upgraded(revision, SLEEPY),
        ] {
            assert!(!saved(&mut rig, |rig| drop(rig.frame(5, "4a"))));
            assert!(!saved(&mut rig, |rig| drop(rig.send("a"))));
        }
    }
}

#[test]
fn messages_that_a_get_waits_for_are_not_saved() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        assert!(!saved(&mut rig, |rig| drop(rig.get(2))));
        assert!(!saved(&mut rig, |rig| drop(rig.send("a"))));
        assert!(!saved(&mut rig, |rig| drop(rig.get(3))));
        assert!(!saved(&mut rig, |rig| drop(rig.post(4, &["4a"]))));
    }
}

#[test]
fn messages_that_wait_for_a_get_are_saved_until_it_comes() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        assert!(saved(&mut rig, |rig| drop(rig.send("a"))));
        assert!(saved(&mut rig, |rig| drop(rig.send("b"))));
        assert!(saved(&mut rig, |rig| drop(rig.get(2))));
        assert!(!saved(&mut rig, |rig| drop(rig.get(3))));
    }
}

#[test]
fn messages_are_saved_though_as_many_were_fetched() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        assert!(saved(&mut rig, |rig| drop(rig.send("a"))));
        assert!(saved(&mut rig, |rig| {
            rig.get(2);
            rig.send("b");
        }));
    }
}

#[test]
fn heartbeats_are_saved() {
    let mut rig = Rig::websocket(Revision::V4, SLEEPY);
    assert!(saved(&mut rig, |rig| drop(rig.deadline())), "a ping");
    assert!(saved(&mut rig, |rig| drop(rig.frame(1, "3"))), "a pong");
    let mut rig = Rig::websocket(Revision::V3, SLEEPY);
    assert!(saved(&mut rig, |rig| drop(rig.frame(1, "2"))));
}

#[test]
fn heartbeats_that_were_answered_asleep_are_saved_if_they_cannot_be_asked_for_again() {
    // A pong counts for the ping before it alone, which is then forgotten.
    let mut rig = Rig::websocket(Revision::V4, SLEEPY);
    rig.deadline();
    assert!(saved(&mut rig, |rig| rig.sign_of_life()));
    assert!(!saved(&mut rig, |rig| rig.sign_of_life()));
    // The last ping of a revision 3 client can be looked up again.
    let mut rig = Rig::websocket(Revision::V3, SLEEPY);
    rig.wait(1);
    assert!(!saved(&mut rig, |rig| rig.sign_of_life()));
}

#[test]
fn every_step_of_an_upgrade_is_saved() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        assert!(saved(&mut rig, |rig| drop(rig.upgrade(5))));
        assert!(saved(&mut rig, |rig| drop(rig.frame(5, "2probe"))));
        assert!(saved(&mut rig, |rig| drop(rig.frame(5, "5"))));
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.upgrade(5);
        assert!(saved(&mut rig, |rig| drop(rig.socket_gone(5, true))));
    }
}

#[test]
fn every_end_is_saved() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        assert!(saved(&mut rig, |rig| drop(rig.close())));
        assert!(saved(&mut rig, |rig| drop(rig.get(2))));
        let mut rig = Rig::polling(revision, SLEEPY);
        assert!(saved(&mut rig, |rig| drop(rig.post(2, &["1"]))));
        assert!(saved(&mut rig, |rig| drop(rig.deadline())));
        let mut rig = Rig::websocket(revision, SLEEPY);
        assert!(saved(&mut rig, |rig| drop(rig.close())));
    }
}

#[test]
fn a_restored_session_needs_no_saving() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.send("a");
        let snapshot = rig.session.snapshot();
        let restored = Session::restore(&snapshot, SLEEPY, |_| true);
        let mut restored = restored.expect("a snapshot");
        assert!(!restored.take_changed());
        assert_eq!(restored.snapshot(), snapshot);
        let sent = restored.send(rig.now, Data::from("b"));
        assert_eq!(sent, None);
        assert!(restored.take_changed());
    }
}

#[test]
fn a_session_of_another_version_is_not_read() {
    let mut snapshot = Rig::polling(Revision::V4, SLEEPY).session.snapshot();
    if let Some(version) = snapshot.first_mut() {
        *version += 1;
    }
    let error = Session::restore(&snapshot, SLEEPY, |_| true).err();
    assert_eq!(error, Some(SnapshotError::Version));
    let error = Session::restore(&[], SLEEPY, |_| true).err();
    assert_eq!(error, Some(SnapshotError::Malformed));
    assert_eq!(format!("{}", SnapshotError::Malformed), "damaged snapshot");
}

#[test]
fn snapshot_of_an_open_websocket_is_small() {
    // It shares the 16 kB of the WebSocket's attachment with the application.
    for revision in BOTH {
        let rig = Rig::websocket(revision, SLEEPY);
        assert!(rig.session.snapshot().len() < 32);
    }
}

/// Sleeps and wakes up to find only `there` of its connections.
fn evict(rig: &mut Rig, there: &[u64]) -> alloc::string::String {
    let snapshot = rig.session.snapshot();
    let there: Vec<_> = there.iter().copied().map(ConnId).collect();
    let restored = Session::restore(&snapshot, SLEEPY, |conn| there.contains(&conn));
    rig.session = restored.expect("a snapshot");
    rig.outputs()
}

#[test]
fn polling_survives_the_loss_of_its_requests() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.get(2);
        rig.post_head(3);
        assert_eq!(evict(&mut rig, &[]), "");
        assert_eq!(rig.send("a"), "");
        assert_eq!(rig.body(3, &["4lost"]), "");
        assert_eq!(rig.get(4), "#4 200 4a");
        assert_eq!(rig.post(5, &["4b"]), "message b, #5 200 ok");
    }
}

#[test]
fn post_is_read_when_the_one_before_it_is_lost() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        for request in [2, 3, 4] {
            rig.post_head(request);
        }
        assert_eq!(evict(&mut rig, &[2, 3, 4]), "");
        assert_eq!(evict(&mut rig, &[2, 4]), "");
        assert_eq!(evict(&mut rig, &[4]), "#4 read");
        assert_eq!(rig.body(4, &["4c"]), "message c, #4 200 ok");
    }
}

#[test]
fn polling_survives_the_loss_of_a_probing_websocket() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.upgrade(5);
        rig.frame(5, "2probe");
        rig.send("a");
        assert_eq!(evict(&mut rig, &[]), "");
        assert!(rig.session.take_changed());
        assert_eq!(rig.get(2), "#2 200 4a");
        assert_eq!(rig.get(3), "");
    }
}

#[test]
fn farewells_by_websocket_survive() {
    for revision in BOTH {
        for probed in [true, false] {
            let mut rig = Rig::polling(revision, SLEEPY);
            rig.upgrade(5);
            if probed {
                rig.frame(5, "2probe");
            }
            rig.send("a");
            assert!(saved(&mut rig, |rig| drop(rig.close())));
            assert_eq!(evict(&mut rig, &[5]), "");
            if !probed {
                assert!(saved(&mut rig, |rig| drop(rig.frame(5, "2probe"))));
                assert_eq!(evict(&mut rig, &[5]), "");
            }
            assert!(!rig.session.take_changed());
            assert!(rig.session.has_socket(ConnId(5)));
            assert_eq!(rig.frame(5, "5"), "#5 > 4a, #5 closed 1000");
            assert!(rig.session.take_changed());
            assert!(rig.session.is_over());
        }
    }
}

#[test]
fn farewells_survive_the_loss_of_a_probing_websocket() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.upgrade(5);
        rig.frame(5, "2probe");
        rig.send("a");
        rig.close();
        assert_eq!(evict(&mut rig, &[]), "");
        assert!(rig.session.take_changed());
        assert!(!rig.session.has_socket(ConnId(5)));
        assert_eq!(rig.get(2), "#2 200 4a|1");
        assert!(rig.session.is_over());
    }
}

#[test]
fn session_does_not_survive_the_loss_of_its_websocket() {
    for revision in BOTH {
        let mut rig = Rig::websocket(revision, SLEEPY);
        assert_eq!(
            evict(&mut rig, &[]),
            "#1 closed 1000, over: transport error"
        );
        assert!(rig.session.is_over());
    }
}

#[test]
fn farewells_survive() {
    for revision in BOTH {
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.send("a");
        rig.close();
        evict(&mut rig, &[]);
        assert_eq!(rig.get(2), "#2 200 4a|1");
        let mut rig = Rig::polling(revision, SLEEPY);
        rig.post(2, &["1"]);
        evict(&mut rig, &[]);
        assert_eq!(rig.get(3), "#3 200 6");
    }
}

#[test]
fn where_a_client_connects_from_is_saved() {
    let network = Network::parse("2001:db8::1").unwrap();
    for revision in BOTH {
        let mut rig = Rig::websocket(revision, SLEEPY);
        assert_eq!(rig.session.network(), None);
        assert!(saved(&mut rig, |rig| rig.session.set_network(network)));
        let snapshot = rig.session.snapshot();
        let again = Session::restore(&snapshot, SLEEPY, |_| true).unwrap();
        assert_eq!(again.network(), Some(network));
    }
}
