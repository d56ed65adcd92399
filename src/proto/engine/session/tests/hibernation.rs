//! Sleeping changes nothing that anyone can observe.

use super::rig::{BOTH, Rig, SLEEPY};
use super::simulation::{Sleep, for_each_seed, simulate};
use super::watch::check_deadline;
use crate::engine::{ConnId, Data, Format, Frame, Session};

#[test]
fn sleeping_after_every_step_leaves_no_trace() {
    for_each_seed(150, |seed| {
        let awake = simulate(seed, Sleep::Never, false).trace;
        let asleep = simulate(seed, Sleep::Always, false).trace;
        let mut both = awake.iter().zip(&asleep);
        if let Some((awake, asleep)) = both.find(|(awake, asleep)| awake != asleep) {
            panic!("awake:  {awake}\nasleep: {asleep}");
        }
        assert_eq!(awake.len(), asleep.len());
    });
}

#[test]
fn sleeping_on_what_was_saved_loses_nothing() {
    for_each_seed(150, |seed| {
        simulate(seed, Sleep::WhenIdle, false);
    });
}

#[test]
fn eviction_leaves_no_session_behind() {
    for_each_seed(150, |seed| {
        simulate(seed, Sleep::WhenIdle, true);
        simulate(seed, Sleep::Always, true);
    });
}

/// Whatever is read as a session can be used as one.
fn use_up(mut session: Session) {
    let mut now = Rig::polling(session.revision(), SLEEPY).now;
    while session.poll_output().is_some() {}
    for conn in 1..8 {
        let conn = ConnId(conn);
        let _ = session.handle_frame(now, conn, Frame::from("4a"));
        let _ = session.handle_frame(now, conn, Frame::from("2probe"));
        let _ = session.handle_frame(now, conn, Frame::from("5"));
        session.handle_poll_gone(ConnId(1));
        session.handle_sign_of_life(now);
        let _ = session.send(now, Data::from("a"));
        let _ = session.is_in_doubt(now);
    }
    session.handle_poll(now, ConnId(8), Format::Any);
    while session.poll_output().is_some() {}
    for _ in 0..4 {
        now = check_deadline(&mut session, now);
    }
}

#[test]
fn no_damage_to_a_snapshot_makes_it_panic() {
    for revision in BOTH {
        let mut polling = Rig::polling(revision, SLEEPY);
        polling.send("message");
        polling.send_data(Data::from(&[1, 2, 3][..]));
        polling.post_head(3);
        polling.upgrade(5);
        let mut waiting = Rig::polling(revision, SLEEPY);
        waiting.get(2);
        let mut closing = Rig::polling(revision, SLEEPY);
        closing.send("message");
        closing.close();
        let mut moving = Rig::polling(revision, SLEEPY);
        moving.upgrade(5);
        moving.send("message");
        moving.close();
        let websocket = Rig::upgraded(revision, SLEEPY);
        for rig in [polling, waiting, closing, moving, websocket] {
            let snapshot = rig.session.snapshot();
            for length in 0..snapshot.len() {
                let shorter = snapshot.get(..length).unwrap_or_default();
                assert!(Session::restore(shorter, SLEEPY, |_| true).is_err());
            }
            for bit in 0..8 * snapshot.len() {
                let mut damaged = snapshot.clone();
                if let Some(byte) = damaged.get_mut(bit / 8) {
                    *byte ^= 1 << (bit % 8);
                }
                if let Ok(session) = Session::restore(&damaged, SLEEPY, |_| true) {
                    use_up(session);
                }
            }
        }
    }
}
