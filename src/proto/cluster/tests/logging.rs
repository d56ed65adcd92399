//! A hub that logs events: rules and bounds.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::time::Duration;

use super::bounds::{NODE, OTHER, Rig, control, publish};

use crate::cluster::{
    Answer, Await, Call, CallId, Deliver, Delivered, EMIT_LIMIT, Failure, LogSettings, Missed,
    MissedEvents, NodeLife, Operation, PUBLISH_PATIENCE, Payload, Published, Sender, Shared,
    Ticket,
};

fn rig() -> Rig {
    let mut rig = Rig::recovering(LogSettings::default());
    rig.control(Ticket(0), control(NODE, &["a"], &[]));
    rig.take_answers();
    rig
}

fn logged(seq: u64, room: &str, bytes: usize) -> Shared {
    Shared(Rc::new(Operation {
        seq,
        rooms: Vec::from([room.into()]),
        nodes: Vec::new(),
        tells_nodes: false,
        is_logged: true,
        payload: Payload(alloc::vec![7; bytes].into()),
    }))
}

/// Publishes events, and returns what was answered.
fn log(rig: &mut Rig, operations: Vec<Shared>) -> Answer {
    let mut batch = publish(OTHER, rig.now, operations);
    batch.hub_life = rig.hub.life();
    rig.call(Ticket(1), Call::Publish(batch));
    let answers = rig.take_answers();
    assert_eq!(answers.len(), 1, "it waits for nobody");
    answers.into_iter().next().unwrap().1
}

fn is_published(answer: &Answer) -> bool {
    matches!(answer, Answer::Published(Published { partial, .. }) if partial.is_empty())
}

fn delivers(rig: &mut Rig) -> Vec<(CallId, Deliver)> {
    let calls = rig.take_calls().into_iter();
    let delivers = calls.map(|(id, call)| {
        let Call::Deliver(deliver) = call else {
            panic!("{call:?}");
        };
        (id, deliver)
    });
    delivers.collect()
}

fn seqs(deliver: &Deliver) -> Vec<u64> {
    let events = deliver.events.iter();
    events.map(|event| event.operation.seq).collect()
}

fn take(rig: &mut Rig, id: CallId) {
    rig.answer(id, Answer::Delivered(Delivered::default()));
}

fn missed(rig: &mut Rig, after: u64) -> Option<MissedEvents> {
    let rooms = Vec::from(["a".into()]);
    rig.call(Ticket(2), Call::Missed(Missed { rooms, after }));
    match rig.take_answers().pop() {
        Some((Ticket(2), Answer::Missed(missed))) => missed,
        other => panic!("{other:?}"),
    }
}

fn pass(rig: &mut Rig, time: Duration) {
    rig.now = rig.now + time;
    rig.hub.handle_timeout(rig.now, &mut rig.rows);
}

#[test]
fn an_event_is_logged_once_whatever_is_lost() {
    let mut rig = rig();
    assert!(is_published(&log(&mut rig, Vec::from([logged(1, "a", 9)]))));
    assert_eq!(rig.rows.log.as_ref().unwrap().events.len(), 1);
    // The answer is lost, and so is the memory.
    rig.restart();
    assert!(is_published(&log(
        &mut rig,
        Vec::from([logged(1, "a", 9), logged(2, "a", 9)])
    )));
    assert_eq!(rig.rows.log.as_ref().unwrap().events.len(), 2);
    let delivers = delivers(&mut rig);
    assert_eq!(seqs(&delivers[0].1), [1, 2], "in the order of all lives");
    let places = delivers[0].1.events.iter().map(|event| event.place);
    assert!(places.is_sorted_by(|one, next| one < next));
}

#[test]
fn what_cannot_be_stored_is_neither_acknowledged_nor_sent() {
    for fails_in in 0..9 {
        let mut rig = rig();
        rig.rows.fails_in.set(Some(fails_in));
        let answer = log(&mut rig, Vec::from([logged(1, "a", 9)]));
        let stored = rig.rows.log.as_ref().unwrap().events.len();
        assert_eq!(is_published(&answer), stored == 1, "{fails_in}");
        if stored == 0 {
            assert_eq!(answer, Answer::Unavailable);
            assert!(rig.take_calls().is_empty());
            assert!(is_published(&log(&mut rig, Vec::from([logged(1, "a", 9)]))));
        }
    }
}

#[test]
fn a_crash_is_followed_by_an_alarm() {
    let mut rig = rig();
    assert_eq!(rig.hub.alarm(), None);
    log(&mut rig, Vec::from([logged(1, "a", 9)]));
    let alarm = rig.hub.alarm().unwrap();
    rig.restart();
    rig.now = alarm;
    pass(&mut rig, Duration::ZERO);
    let [(id, deliver)] = &delivers(&mut rig)[..] else {
        panic!("it is sent again");
    };
    assert_eq!(seqs(deliver), [1]);
    take(&mut rig, *id);
    // That it has arrived is put down, and nothing is left to do but to delete it.
    pass(&mut rig, Duration::from_secs(1));
    assert!(rig.hub.is_idle());
    let alarm = rig.hub.alarm().unwrap();
    rig.restart();
    rig.now = alarm;
    pass(&mut rig, Duration::ZERO);
    assert!(delivers(&mut rig).is_empty());
    // An alarm that comes early is harmless.
    let alarm = rig.hub.alarm().unwrap();
    rig.now = alarm;
    pass(&mut rig, Duration::ZERO);
    assert_eq!((rig.hub.alarm(), rig.hub.is_idle()), (None, true));
    assert!(rig.rows.log.as_ref().unwrap().events.is_empty());
}

#[test]
fn nothing_overtakes_what_is_read_again() {
    let mut rig = rig();
    log(&mut rig, Vec::from([logged(1, "a", 9)]));
    assert_eq!(delivers(&mut rig).len(), 1);
    log(&mut rig, Vec::from([logged(2, "a", 9)]));
    // The node does not answer for so long that the hub gives its memory up.
    pass(&mut rig, EMIT_LIMIT + Duration::from_secs(1));
    let again = delivers(&mut rig);
    assert_eq!(seqs(&again[0].1), [1, 2]);
    log(&mut rig, Vec::from([logged(3, "a", 9)]));
    take(&mut rig, again[0].0);
    assert_eq!(seqs(&delivers(&mut rig)[0].1), [3]);
}

#[test]
fn a_node_is_told_of_what_it_cannot_get_any_more() {
    let mut rig = rig();
    log(&mut rig, Vec::from([logged(1, "a", 9)]));
    // It does not answer for as long as the event is there, and is not called then.
    while !rig.hub.is_idle() {
        pass(&mut rig, EMIT_LIMIT + Duration::from_secs(1));
        for (id, _) in delivers(&mut rig) {
            rig.hub
                .handle_failure(id, Failure::Broken, rig.now, 0, &mut rig.rows);
        }
    }
    assert!(rig.rows.log.as_ref().unwrap().events.is_empty());
    for seq in [2, 3] {
        // It is known after a crash, too.
        log(&mut rig, Vec::from([logged(seq, "a", 9)]));
        assert!(delivers(&mut rig)[0].1.has_gap);
        rig.restart();
        pass(&mut rig, Duration::ZERO);
    }
    let told = delivers(&mut rig);
    assert!(told[0].1.has_gap && seqs(&told[0].1) == [2, 3]);
    take(&mut rig, told[0].0);
    log(&mut rig, Vec::from([logged(4, "a", 9)]));
    assert!(!delivers(&mut rig)[0].1.has_gap);
    assert!(rig.rows.log.as_ref().unwrap().gaps.is_empty());
}

#[test]
fn what_was_missed_is_given_in_full_or_not_at_all() {
    let mut rig = rig();
    log(
        &mut rig,
        Vec::from([logged(1, "a", 9), logged(2, "b", 9), logged(3, "a", 9)]),
    );
    let all = missed(&mut rig, 0).unwrap();
    let seqs: Vec<_> = all.events.iter().map(|(_, op)| op.seq).collect();
    assert_eq!(seqs, [1, 3]);
    let (first, _) = all.events[0];
    assert_eq!(missed(&mut rig, first).unwrap().events.len(), 1);
    assert_eq!(missed(&mut rig, all.up_to).unwrap().events.len(), 0);
    assert_eq!(missed(&mut rig, all.up_to + 1), None, "never given out");
    let window = LogSettings::default().max_disconnection;
    pass(&mut rig, window);
    assert!(missed(&mut rig, 0).is_some());
    pass(&mut rig, Duration::from_millis(1));
    pass(&mut rig, Duration::from_secs(30));
    assert_eq!(missed(&mut rig, 0), None);
    assert!(missed(&mut rig, all.up_to).is_some());
}

#[test]
fn what_can_be_missed_has_a_bound() {
    for (bytes, fits) in [(99, true), (100, true), (101, false)] {
        let mut rig = Rig::recovering(LogSettings {
            max_missed: 100,
            ..LogSettings::default()
        });
        log(
            &mut rig,
            Vec::from([logged(1, "a", bytes - 50), logged(2, "a", 50)]),
        );
        assert_eq!(missed(&mut rig, 0).is_some(), fits, "{bytes}");
    }
}

#[test]
fn a_row_has_a_bound() {
    let mut rig = rig();
    log(&mut rig, Vec::from([logged(1, "a", 50)]));
    let table = rig.rows.log.as_ref().unwrap();
    let size = table
        .events
        .values()
        .map(|(_, event)| event.head.len() + 50);
    let size = size.max().unwrap();
    for (max_row, fits) in [(size + 1, true), (size, true), (size - 1, false)] {
        let mut rig = Rig::recovering(LogSettings {
            max_row,
            ..LogSettings::default()
        });
        rig.control(Ticket(0), control(NODE, &["a"], &[]));
        rig.take_answers();
        log(&mut rig, Vec::from([logged(1, "a", 50)]));
        assert_eq!(missed(&mut rig, 0).is_some(), fits, "{max_row}");
        assert_eq!(seqs(&delivers(&mut rig)[0].1), [1]);
    }
}

#[test]
fn a_log_has_bounds() {
    // Numbers of the same size in bytes.
    let first = 1_000;
    let size = |rig: &Rig| {
        let table = rig.rows.log.as_ref().unwrap();
        let (_, event) = table.events.values().next().unwrap();
        (event.head.len() + event.content.0.len()) as u64
    };
    let mut one = rig();
    log(&mut one, Vec::from([logged(first, "a", 50)]));
    let size = size(&one);
    for (max_events, max_bytes) in [(200, u64::MAX), (u64::MAX, 200 * size)] {
        let mut rig = Rig::recovering(LogSettings {
            max_events,
            max_bytes,
            ..LogSettings::default()
        });
        for count in 1..=201 {
            log(&mut rig, Vec::from([logged(first + count, "a", 50)]));
            let kept = rig.rows.log.as_ref().unwrap().events.len() as u64;
            let expected = if count <= 200 { count } else { 180 };
            assert_eq!(kept, expected, "of {count}");
        }
    }
}

#[test]
fn senders_are_forgotten_when_no_repetition_can_come() {
    let mut rig = Rig::recovering(LogSettings {
        max_disconnection: Duration::from_secs(1),
        ..LogSettings::default()
    });
    log(&mut rig, Vec::from([logged(1, "a", 9)]));
    assert_eq!(rig.rows.log.as_ref().unwrap().senders.len(), 1);
    while let Some(alarm) = rig.hub.alarm() {
        rig.now = alarm;
        pass(&mut rig, Duration::ZERO);
    }
    assert_eq!(rig.rows.log.as_ref().unwrap().senders.len(), 0);
}

#[test]
fn what_is_not_logged_has_its_place_and_its_limit() {
    let mut rig = rig();
    let plain = Operation {
        is_logged: false,
        ..(*logged(1, "a", 9)).clone()
    };
    let mut batch = publish(OTHER, rig.now, Vec::from([Shared(Rc::new(plain))]));
    batch.hub_life = rig.hub.life();
    rig.call(Ticket(1), Call::Publish(batch));
    assert!(rig.take_answers().is_empty(), "it waits for the node");
    assert_eq!(delivers(&mut rig).len(), 1);
    assert!(rig.rows.log.as_ref().unwrap().events.is_empty());
    pass(&mut rig, PUBLISH_PATIENCE);
    let [(_, Answer::Published(Published { is_open: true, .. }))] = &rig.take_answers()[..] else {
        panic!("its sender goes on");
    };
    let wanted = Await {
        hub_life: rig.hub.life(),
        sender: Sender {
            node: OTHER,
            life: NodeLife(1),
        },
        first_seq: 1,
    };
    rig.call(Ticket(2), Call::Await(wanted));
    pass(&mut rig, EMIT_LIMIT + Duration::from_secs(1));
    let [(_, Answer::Published(published))] = &rig.take_answers()[..] else {
        panic!("it is answered within its limit");
    };
    assert_eq!(published.partial[0].1.nodes, [NODE]);
}

#[test]
fn a_hub_without_a_log_logs_nothing() {
    let mut rig = Rig::new();
    let mixed = [logged(1, "a", 9)];
    assert_eq!(log(&mut rig, mixed.into()), Answer::Misdirected);
    let rooms = Vec::new();
    rig.call(Ticket(3), Call::Missed(Missed { rooms, after: 0 }));
    assert_eq!(rig.take_answers(), [(Ticket(3), Answer::Misdirected)]);
    assert_eq!(rig.hub.alarm(), None);
}
