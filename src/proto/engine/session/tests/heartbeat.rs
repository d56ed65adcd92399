//! The heartbeat: protocol, "Session rules", and how it is batched.

use alloc::vec::Vec;
use core::time::Duration;

use super::rig::{AWAKE, BOTH, Rig, SLEEPY};
use crate::engine::{Revision, Settings};

#[test]
fn revision_3_is_answered() {
    for mut rig in [
        Rig::websocket(Revision::V3, SLEEPY),
        Rig::websocket(Revision::V3, AWAKE),
    ] {
        assert_eq!(rig.frame(1, "2"), "#1 > 3");
        assert_eq!(rig.frame(1, "2any data"), "#1 > 3any data");
    }
    let mut rig = Rig::polling(Revision::V3, SLEEPY);
    rig.get(2);
    assert_eq!(rig.post(3, &["2"]), "#3 200 ok, #2 200 3");
    assert_eq!(rig.post(4, &["2a"]), "#4 200 ok");
    assert_eq!(rig.get(5), "#5 200 3a");
}

#[test]
fn revision_4_is_pinged_an_interval_after_the_handshake_and_after_each_pong() {
    for settings in [SLEEPY, AWAKE] {
        let interval = settings.ping_interval.as_millis() as u64;
        let mut rig = Rig::websocket(Revision::V4, settings);
        assert_eq!(rig.timeout(), "", "never at connect time");
        for _ in 0..3 {
            assert_eq!(rig.next_deadline(), Some(interval));
            assert_eq!(rig.deadline(), "#1 > 2");
            assert_eq!(rig.timeout(), "", "once");
            assert_eq!(rig.wait(70).frame(1, "3"), "");
        }
    }
}

#[test]
fn ping_by_polling() {
    let mut rig = Rig::polling(Revision::V4, SLEEPY);
    assert_eq!(rig.deadline(), "");
    assert_eq!(rig.get(2), "#2 200 2");
    assert_eq!(rig.post(3, &["3"]), "#3 200 ok");
    rig.get(4);
    assert_eq!(rig.deadline(), "#4 200 2");
}

#[test]
fn heartbeat_in_the_wrong_direction_ends_the_session() {
    for (revision, wrong) in [(Revision::V3, "3"), (Revision::V4, "2")] {
        let mut rig = Rig::websocket(revision, SLEEPY);
        assert_eq!(rig.frame(1, wrong), "#1 closed 1000, over: transport error");
        let mut rig = Rig::polling(revision, SLEEPY);
        assert_eq!(
            rig.post(2, &["4a", wrong]),
            "message a, #2 400 Bad request, over: transport error"
        );
    }
}

#[test]
fn silence_is_judged_at_each_request_without_any_timer() {
    for revision in BOTH {
        for settings in [SLEEPY, AWAKE] {
            let patience = settings.patience().as_millis() as u64;
            let mut rig = Rig::polling(revision, settings);
            assert_eq!(rig.wait(patience - 1).get(2), "");
            assert_eq!(
                rig.wait(1).get(3),
                "#2 200 1, over: ping timeout, #3 400 Session ID unknown"
            );
            let mut rig = Rig::polling(revision, settings);
            assert_eq!(
                rig.wait(patience).post_head(2),
                "over: ping timeout, #2 400 Session ID unknown"
            );
            let mut rig = Rig::polling(revision, settings);
            assert_eq!(
                rig.wait(patience).upgrade(5),
                "over: ping timeout, #5 400 Session ID unknown"
            );
        }
    }
}

#[test]
fn silence_ends_the_session_when_the_timer_fires() {
    for revision in BOTH {
        let mut rig = Rig::websocket(revision, AWAKE);
        if revision == Revision::V4 {
            assert_eq!(rig.deadline(), "#1 > 2");
        }
        assert_eq!(rig.deadline(), "#1 closed 1000, over: ping timeout");
        let opened = Rig::websocket(revision, AWAKE).now;
        assert_eq!(rig.now.since(opened), AWAKE.patience());
    }
}

#[test]
fn anything_a_revision_3_client_says_is_a_sign_of_life() {
    for packet in ["2", "4a", "6"] {
        let mut rig = Rig::websocket(Revision::V3, AWAKE);
        rig.wait(499).frame(1, packet);
        assert_eq!(rig.wait(499).timeout(), "", "{packet}");
        assert_eq!(rig.wait(1).timeout(), "#1 closed 1000, over: ping timeout");
        let mut rig = Rig::polling(Revision::V3, AWAKE);
        rig.wait(499).post(2, &[packet]);
        assert_eq!(rig.wait(499).timeout(), "", "{packet}");
        assert_eq!(rig.wait(1).timeout(), "over: ping timeout");
    }
}

#[test]
fn a_pong_alone_is_a_sign_of_life_of_a_revision_4_client() {
    let mut rig = Rig::websocket(Revision::V4, AWAKE);
    assert_eq!(rig.deadline(), "#1 > 2");
    assert_eq!(rig.wait(199).frame(1, "4a"), "message a");
    assert_eq!(rig.wait(1).timeout(), "#1 closed 1000, over: ping timeout");
    let mut rig = Rig::websocket(Revision::V4, AWAKE);
    assert_eq!(rig.deadline(), "#1 > 2");
    assert_eq!(rig.wait(199).frame(1, "3"), "");
    assert_eq!(rig.wait(1).timeout(), "");
}

#[test]
fn revision_3_on_websocket_wakes_no_sleeping_object() {
    assert_eq!(Rig::websocket(Revision::V3, SLEEPY).next_deadline(), None);
    assert_eq!(Rig::upgraded(Revision::V3, SLEEPY).next_deadline(), None);
    // Polling keeps the object awake in any case.
    let rig = Rig::polling(Revision::V3, SLEEPY);
    assert_eq!(rig.next_deadline(), Some(45_000));
    // An object that never sleeps can look.
    let rig = Rig::websocket(Revision::V3, AWAKE);
    assert_eq!(rig.next_deadline(), Some(500));
}

#[test]
fn heartbeats_that_were_answered_asleep_count_in_revision_3() {
    let mut rig = Rig::websocket(Revision::V3, SLEEPY);
    let heard = rig.wait(25_000).now;
    assert!(!rig.wait(19_999).is_in_doubt());
    assert!(rig.wait(1).is_in_doubt());
    rig.session.handle_sign_of_life(heard);
    assert!(!rig.is_in_doubt());
    assert_eq!(rig.timeout(), "");
    // The same sign, told again, is not another one.
    rig.wait(25_000).session.handle_sign_of_life(heard);
    assert_eq!(rig.timeout(), "#1 closed 1000, over: ping timeout");
}

#[test]
fn heartbeats_that_were_answered_asleep_count_in_revision_4() {
    let mut rig = Rig::websocket(Revision::V4, SLEEPY);
    let before = rig.now;
    assert_eq!(rig.deadline(), "#1 > 2");
    let heard = rig.wait(70).now;
    // At the next pulse the answer to the last ping is looked up.
    assert_eq!(rig.next_deadline(), Some(25_000 - 70));
    rig.wait(25_000 - 70);
    assert!(rig.is_in_doubt());
    rig.session.handle_sign_of_life(before);
    assert!(rig.is_in_doubt(), "older than the ping");
    rig.session.handle_sign_of_life(heard);
    assert!(!rig.is_in_doubt());
    assert_eq!(rig.timeout(), "#1 > 2");
    assert_eq!(rig.next_deadline(), Some(25_000));
    rig.session.handle_sign_of_life(heard);
    assert_eq!(rig.deadline(), "#1 closed 1000, over: ping timeout");
}

#[test]
fn stray_request_does_not_judge_a_websocket() {
    // Its heartbeats may have been answered asleep, and nobody has looked yet.
    for revision in BOTH {
        let mut rig = Rig::websocket(revision, SLEEPY);
        rig.wait(60_000);
        assert_eq!(rig.upgrade(6), "#6 closed 1000");
        assert_eq!(rig.get(2), "#2 400 Bad request");
        assert_eq!(rig.post_head(3), "#3 400 Bad request");
        assert_eq!(rig.frame(1, "4a"), "message a");
    }
}

#[test]
fn sign_of_life_is_looked_up_before_much_is_sent() {
    for revision in BOTH {
        let mut rig = Rig::websocket(revision, SLEEPY);
        rig.send(&"a".repeat(500));
        assert!(rig.is_in_doubt());
    }
}

#[test]
fn pulse_pings_ahead_of_time_who_could_not_wait_for_the_next() {
    // Due at 25 s; the pulse of the others comes with 20 s of head start.
    let mut rig = Rig::websocket(Revision::V4, SLEEPY);
    assert_eq!(rig.wait(4_999).timeout(), "", "can wait for the next one");
    assert_eq!(rig.wait(1).timeout(), "#1 > 2");
    // Where every session keeps its own time there is no pulse.
    let mut rig = Rig::websocket(Revision::V4, AWAKE);
    assert_eq!(rig.wait(299).timeout(), "");
    assert_eq!(rig.wait(1).timeout(), "#1 > 2");
}

#[test]
fn a_ping_ahead_of_time_gives_no_less_time_to_answer() {
    let mut rig = Rig::polling(Revision::V4, SLEEPY);
    rig.wait(5_000).timeout();
    assert_eq!(rig.get(2), "#2 200 2");
    assert_eq!(rig.wait(19_999).get(3), "");
    assert!(rig.wait(1).post_head(4).contains("over: ping timeout"));
}

/// The client has longer to answer a ping than it is to the next one.
const PATIENT: Settings = Settings {
    ping_interval: Duration::from_secs(10),
    ping_timeout: Duration::from_secs(35),
    ..SLEEPY
};

#[test]
fn pings_come_every_interval_though_there_is_more_time_to_answer() {
    let mut rig = Rig::websocket(Revision::V4, PATIENT);
    assert_eq!(rig.next_deadline(), Some(10_000));
    assert_eq!(rig.deadline(), "#1 > 2");
    for _ in 0..5 {
        // It is answered while the object sleeps.
        let heard = rig.wait(70).now;
        assert_eq!(rig.next_deadline(), Some(10_000 - 70));
        rig.wait(10_000 - 70).session.handle_sign_of_life(heard);
        assert_eq!(rig.timeout(), "#1 > 2");
    }
}

#[test]
fn silence_is_looked_at_every_interval_until_the_time_to_answer_is_over() {
    for mut rig in [
        Rig::websocket(Revision::V4, PATIENT),
        Rig::polling(Revision::V4, PATIENT),
    ] {
        rig.get(2);
        assert!(rig.deadline().ends_with('2'));
        let pinged = rig.now;
        for millis in [10_000, 20_000, 30_000] {
            assert_eq!(rig.deadline(), "");
            assert_eq!(rig.now.since(pinged), Duration::from_millis(millis));
            assert_eq!(rig.timeout(), "", "there is one ping at a time");
        }
        assert!(rig.deadline().ends_with("over: ping timeout"));
        assert_eq!(rig.now.since(pinged), PATIENT.ping_timeout);
    }
}

#[test]
fn a_late_answer_is_found_by_the_next_pulse() {
    let mut rig = Rig::websocket(Revision::V4, PATIENT);
    rig.deadline();
    assert_eq!(rig.deadline(), "", "no answer yet");
    let heard = rig.wait(9_000).now;
    assert_eq!(rig.next_deadline(), Some(1_000));
    rig.wait(1_000).session.handle_sign_of_life(heard);
    assert_eq!(rig.timeout(), "", "the next one is not due yet");
    assert_eq!(rig.next_deadline(), Some(9_000));
    assert_eq!(rig.deadline(), "#1 > 2");
}

/// An object of sessions of revision 4 that sleeps: its one alarm is the
/// earliest deadline, and everyone is told the last sign of life.
fn alarms(settings: Settings, opened: impl Iterator<Item = u64>) -> (Vec<Rig>, usize) {
    let mut waiting: Vec<u64> = opened.collect();
    waiting.reverse();
    let mut alarms = 0;
    let mut sessions: Vec<(Rig, Vec<u64>)> = Vec::new();
    let mut now = 0;
    while now < 600_000 {
        let deadlines = sessions.iter().filter_map(|(rig, _)| rig.next_deadline());
        let alarm = deadlines.min().map(|wait| now + wait);
        match (waiting.last(), alarm) {
            (Some(&opened), alarm) if alarm.is_none_or(|alarm| opened < alarm) => {
                for (rig, _) in &mut sessions {
                    rig.wait(opened - now);
                }
                now = opened;
                waiting.pop();
                sessions.push((Rig::websocket(Revision::V4, settings), Vec::new()));
            }
            (_, None) => break,
            (_, Some(alarm)) => {
                alarms += 1;
                for (rig, pings) in &mut sessions {
                    rig.wait(alarm - now);
                    if let Some(ping) = pings.last() {
                        // Pongs take up to 100 ms.
                        let delay = Duration::from_millis(pings.len() as u64 * 13 % 100);
                        let pong = rig.now - Duration::from_millis(alarm - ping) + delay;
                        rig.session.handle_sign_of_life(pong);
                    }
                    let said = rig.timeout();
                    assert!(matches!(&*said, "" | "#1 > 2"), "{said}");
                    if said == "#1 > 2" {
                        pings.push(alarm);
                    }
                }
                now = alarm;
            }
        }
    }
    for (_, pings) in &sessions {
        for (earlier, later) in pings.iter().zip(pings.iter().skip(1)) {
            let gap = Duration::from_millis(later - earlier);
            let delay = Duration::from_millis(100);
            assert!(
                gap <= settings.ping_interval + delay,
                "{settings:?} {gap:?}"
            );
            assert!(gap >= shortest_gap(settings), "{settings:?} {gap:?}");
        }
    }
    (sessions.into_iter().map(|(rig, _)| rig).collect(), alarms)
}

/// Returns how soon after a ping the pulse of others may bring the next one.
fn shortest_gap(settings: Settings) -> Duration {
    settings.ping_timeout.min(settings.ping_interval) / 4
}

#[test]
fn one_alarm_per_interval_serves_all_sessions() {
    for (interval, timeout) in [
        (25, 20),
        (25, 5),
        (10, 8),
        (60, 20),
        (25, 25),
        (25, 26),
        (20, 40),
        (10, 60),
        (25, 100),
    ] {
        let settings = Settings {
            ping_interval: Duration::from_secs(interval),
            ping_timeout: Duration::from_secs(timeout),
            ..SLEEPY
        };
        let opened = (0..200).map(|n| n * 300);
        let (sessions, alarms) = alarms(settings, opened);
        assert!(sessions.iter().all(|rig| rig.session.transport().is_some()));
        let shortest = settings.ping_interval - shortest_gap(settings);
        let most = 600_000 / shortest.as_millis() as usize + 1;
        assert!(alarms <= most, "{interval} {timeout}: {alarms} of {most}");
    }
}
