//! Another number of hubs: rooms move, and what is meant for others is refused.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::bounds::{EMIT, NODE, OTHER, control, operations, publish};
use super::simulation::Rows;
use crate::Timestamp;
use crate::cluster::{
    Address, Answer, Ask, CONTROL_LIMIT, Call, CallId, Controlled, DEFAULT_HUBS, Emit, Emitted,
    Failure, Hub, HubIndex, HubLife, JoinKey, Joining, Node, NodeLife, Output, Publish, Published,
    Settings, Stamp, Store as _, Ticket, hub_of,
};

/// A room that is led by one hub among so many, and by another among so many.
fn room(one: (u16, u16), other: (u16, u16)) -> String {
    let fits = |name: &String| {
        [one, other]
            .iter()
            .all(|(hub, count)| hub_of(name, *count) == HubIndex(*hub))
    };
    let mut names = (0..10_000).map(|number: u32| number.to_string());
    names.find(fits).unwrap()
}

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

/// A node among four hubs, whose sockets have joined when there were two.
fn node() -> Node {
    let settings = Settings {
        hubs: 4,
        ..Settings::default()
    };
    Node::new(NODE, NodeLife(1), settings)
}

fn calls(node: &mut Node) -> (Vec<(CallId, Address, Call)>, Vec<Output>) {
    let (mut calls, mut others) = (Vec::new(), Vec::new());
    while let Some(output) = node.poll_output() {
        if let Output::Call { id, to, call } = output {
            calls.push((id, to, call));
        } else {
            others.push(output);
        }
    }
    (calls, others)
}

fn controlled() -> Answer {
    Answer::Controlled(Controlled {
        hub_life: HubLife(1),
        stamp: Stamp { era: 1, count: 0 },
        place: 0,
        waiting: Vec::new(),
    })
}

#[test]
fn only_rooms_move_that_another_hub_leads() {
    let (stays, moves) = (room((0, 2), (0, 4)), room((0, 2), (2, 4)));
    for (from, moved) in [(Some(2), 1), (Some(4), 0), (None, 2)] {
        let mut node = node();
        let rooms = [stays.clone(), moves.clone()];
        node.move_rooms(rooms, from, NOW, &|_: &str| true);
        let (calls, others) = calls(&mut node);
        let told = calls.iter().flat_map(|(_, _, call)| {
            let Call::Control(control) = call else {
                panic!("hubs are told of rooms: {call:?}");
            };
            control.occupy.clone()
        });
        assert_eq!(told.count(), moved, "{from:?}");
        let is_done = others == [Output::Moved];
        assert_eq!(is_done, moved == 0, "{from:?}");
    }
}

#[test]
fn who_joins_or_emits_meanwhile_waits() {
    let moves = room((0, 2), (2, 4));
    let members = |room: &str| room == moves;
    let mut node = node();
    node.move_rooms([moves.clone()], Some(2), NOW, &members);
    let (mut controls, _) = calls(&mut node);
    let (id, to, _) = controls.remove(0);
    assert_eq!(to, Address::Hub(HubIndex(2)));
    let joining = node.join(JoinKey(0), &moves, NOW, &members);
    assert_eq!(joining, Ok(Joining::Later));
    let rooms = &[&*moves][..];
    let emitted = node.emit(&Emit { rooms, ..EMIT }, NOW, &members);
    assert!(matches!(emitted, Ok(Emitted::Sent(_))));
    assert_eq!(calls(&mut node), (Vec::new(), Vec::new()));
    assert!(!node.is_idle());

    node.handle_answer(id, controlled(), NOW, 0, &members);
    let (calls, others) = calls(&mut node);
    assert_eq!(others, [Output::Moved, Output::Joined(JoinKey(0))]);
    let [(_, _, Call::Publish(publish))] = &calls[..] else {
        panic!("what has waited leaves: {calls:?}");
    };
    assert_eq!(publish.hubs, 4);
    let joining = node.join(JoinKey(1), &moves, NOW, &members);
    assert_eq!(joining, Ok(Joining::Now));
}

#[test]
fn rooms_move_for_as_long_as_somebody_is_in_them() {
    let moves = room((0, 2), (2, 4));
    for stays in [true, false] {
        let mut node = node();
        node.move_rooms([moves.clone()], Some(2), NOW, &|_: &str| true);
        let (first, _) = calls(&mut node);
        let later = NOW + CONTROL_LIMIT;
        let members = |_: &str| stays;
        node.handle_failure(first[0].0, Failure::Broken, NOW, 0, &members);
        node.handle_timeout(later, &members);
        let (calls, others) = calls(&mut node);
        assert_eq!(calls.len(), usize::from(stays));
        assert_eq!(others == [Output::Moved], !stays);
        assert_eq!(node.is_idle(), !stays);
    }
}

/// Returns the answer of the first of four hubs, if it gives one at once.
fn answer(call: Call) -> Option<Answer> {
    let mut rows = Rows::default();
    let mut hub = Hub::new(HubIndex(0), 4, &mut rows).unwrap();
    hub.handle_call(Ticket(0), call, NOW, &mut rows);
    match hub.poll_output() {
        Some(Output::Answer { answer, .. }) => Some(answer),
        _ => None,
    }
}

#[test]
fn a_hub_refuses_what_another_leads() {
    let (own, other) = (room((0, 2), (0, 4)), room((0, 2), (2, 4)));
    for (room, is_own) in [(&own, true), (&other, false)] {
        let calls = [
            Call::Ask(Ask {
                rooms: Vec::from([own.clone(), room.clone()]),
            }),
            Call::Control(control(NODE, &[&own, room], &[])),
            Call::Publish(Publish {
                hubs: 2,
                ..publish(NODE, NOW, operations(&[(1, &own), (2, room)]))
            }),
        ];
        for call in calls {
            let answer = answer(call.clone());
            let is_refused = answer == Some(Answer::Misdirected);
            assert_eq!(is_refused, !is_own, "{call:?}: {answer:?}");
        }
    }
    // That somebody has left it says nothing wrong.
    let vacate = Call::Control(control(NODE, &[], &[&other]));
    assert!(matches!(answer(vacate), Some(Answer::Controlled(_))));
    // A hub that no longer exists refuses everything.
    let mut rows = Rows::default();
    let mut hub = Hub::new(HubIndex(7), 4, &mut rows).unwrap();
    let occupy = Call::Control(control(NODE, &[&own], &[]));
    hub.handle_call(Ticket(0), occupy, NOW, &mut rows);
    assert!(matches!(
        hub.poll_output(),
        Some(Output::Answer {
            answer: Answer::Misdirected,
            ..
        })
    ));
}

#[test]
fn two_that_disagree_about_other_rooms_only_go_on() {
    let own = room((0, 2), (0, 4));
    let batch = Publish {
        hubs: 2,
        ..publish(OTHER, NOW, operations(&[(1, &own)]))
    };
    let published = Answer::Published(Published::default());
    assert_eq!(answer(Call::Publish(batch)), Some(published));
}

#[test]
fn a_hub_deletes_the_rows_of_rooms_that_others_lead_now() {
    let (own, other) = (room((0, 2), (0, 4)), room((0, 2), (2, 4)));
    let mut rows = Rows::default();
    let has = |rows: &Rows, room: &str| !rows.nodes(room).unwrap().is_empty();
    Hub::new(HubIndex(0), 2, &mut rows).unwrap();
    for room in [&own, &other] {
        rows.put(room, NODE, Stamp::first(1)).unwrap();
    }
    for (hubs, is_there) in [(2, true), (4, false), (4, false)] {
        Hub::new(HubIndex(0), hubs, &mut rows).unwrap();
        assert!(has(&rows, &own));
        assert_eq!(has(&rows, &other), is_there, "{hubs} hubs");
    }
}

#[test]
fn where_there_is_no_other_number_nothing_is_written() {
    let mut rows = Rows::default();
    for (hubs, written) in [(DEFAULT_HUBS, None), (3, Some(3)), (DEFAULT_HUBS, Some(8))] {
        Hub::new(HubIndex(0), hubs, &mut rows).unwrap();
        assert_eq!(rows.hubs, written);
    }
}
