//! Messages of every kind, with values that are likely to meet.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::Timestamp;
use crate::cluster::{
    Addressed, Answer, Ask, Attempt, Await, Call, Claim, Claimed, Confirm, Confirmed, Control,
    Controlled, Deliver, Delivered, Event, Failure, Gather, Held, HubIndex, HubLife, Interested,
    Missed, MissedEvents, Missing, NodeId, NodeLife, Operation, OwnEvent, Passed, Payload,
    Position, Publish, Published, Recall, Relay, Sender, Shared, Stamp,
};

pub(super) fn node_id() -> impl Strategy<Value = NodeId> {
    (0..4_u8).prop_map(|byte| NodeId([byte; 32]))
}

pub(super) fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..4_u64, any::<u64>(), Just(u64::MAX)]
}

pub(super) fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![Just(0), 900..1_100_u64, Just(u64::MAX)].prop_map(Timestamp::from_millis)
}

pub(super) fn room() -> impl Strategy<Value = String> {
    prop_oneof!["[abé]?", ".{0,9}"]
}

pub(super) fn rooms() -> impl Strategy<Value = Vec<String>> {
    vec(room(), 0..4)
}

pub(super) fn stamp() -> impl Strategy<Value = Stamp> {
    (number(), number()).prop_map(|(era, count)| Stamp { era, count })
}

pub(super) fn sender() -> impl Strategy<Value = Sender> {
    (node_id(), number()).prop_map(|(node, life)| Sender {
        node,
        life: NodeLife(life),
    })
}

pub(super) fn payload() -> impl Strategy<Value = Payload> {
    vec(any::<u8>(), 0..20).prop_map(|bytes| Payload(bytes.into()))
}

pub(super) fn operation() -> impl Strategy<Value = Shared> {
    (
        number(),
        rooms(),
        vec(node_id(), 0..3),
        any::<bool>(),
        any::<bool>(),
        payload(),
    )
        .prop_map(|(seq, rooms, nodes, tells_nodes, is_logged, payload)| {
            Shared(Rc::new(Operation {
                seq,
                rooms,
                nodes,
                tells_nodes,
                is_logged,
                payload,
            }))
        })
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    (number(), sender(), time(), operation()).prop_map(|(place, sender, deadline, operation)| {
        Event {
            place,
            sender,
            deadline,
            operation,
        }
    })
}

fn addressed() -> impl Strategy<Value = Addressed> {
    (node_id(), 0..3_u64, number(), number(), any::<bool>()).prop_map(
        |(node, life, number, era, has_gap)| Addressed {
            node,
            node_life: NodeLife(life),
            number,
            era,
            has_gap,
        },
    )
}

fn delivered() -> impl Strategy<Value = Delivered> {
    (rooms(), stamp(), vec(any::<u32>(), 0..4)).prop_map(|(vacant, stamp, refused)| Delivered {
        vacant,
        stamp,
        refused,
    })
}

fn passed() -> impl Strategy<Value = Passed> {
    prop_oneof![
        delivered().prop_map(Passed::Delivered),
        number().prop_map(|life| Passed::WrongLife(NodeLife(life))),
        Just(Passed::Failed(Failure::Broken)),
        Just(Passed::Failed(Failure::Overloaded)),
    ]
}

pub(super) fn missing() -> impl Strategy<Value = Missing> {
    (any::<u32>(), vec(node_id(), 0..3), any::<bool>()).prop_map(|(count, nodes, is_late)| {
        Missing {
            count,
            nodes,
            hubs: Vec::from([HubIndex(3)]),
            is_late,
        }
    })
}

pub(super) fn call() -> impl Strategy<Value = Call> {
    let control = (
        node_id(),
        number(),
        any::<bool>(),
        rooms(),
        rooms(),
        stamp(),
    )
        .prop_map(|(node, life, hello, occupy, vacate, stamp)| {
            Call::Control(Control {
                node,
                life: NodeLife(life),
                hello,
                occupy,
                vacate,
                stamp,
            })
        });
    let publish = (0..3_u64, 0..3_u16, sender(), time(), vec(operation(), 0..4)).prop_map(
        |(life, hubs, sender, deadline, operations)| {
            Call::Publish(Publish {
                hub_life: HubLife(life),
                hubs,
                sender,
                deadline,
                operations,
            })
        },
    );
    let deliver = (
        0..3_u64,
        0..3_u16,
        number(),
        number(),
        number(),
        any::<bool>(),
        vec(event(), 0..4),
    )
        .prop_map(|(life, hub, hub_life, number, era, has_gap, events)| {
            Call::Deliver(Deliver {
                node_life: NodeLife(life),
                hub: HubIndex(hub),
                hub_life: HubLife(hub_life),
                number,
                era,
                has_gap,
                events,
            })
        });
    let relay = (
        0..3_u16,
        number(),
        vec(addressed(), 0..4),
        vec(event(), 0..4),
    )
        .prop_map(|(hub, hub_life, to, events)| {
            Call::Relay(Relay {
                hub: HubIndex(hub),
                hub_life: HubLife(hub_life),
                to,
                events,
            })
        });
    prop_oneof![
        control,
        publish,
        deliver,
        relay,
        (0..3_u64, sender(), number()).prop_map(|(life, sender, first_seq)| {
            Call::Await(Await {
                hub_life: HubLife(life),
                sender,
                first_seq,
            })
        }),
        rooms().prop_map(|rooms| Call::Ask(Ask { rooms })),
        (0..3_u16, rooms()).prop_map(|(hub, rooms)| Call::Recall(Recall {
            hub: HubIndex(hub),
            rooms
        })),
        (time(), payload())
            .prop_map(|(deadline, payload)| Call::Gather(Gather { deadline, payload })),
        (rooms(), number()).prop_map(|(rooms, after)| Call::Missed(Missed { rooms, after })),
        (node_id(), pid(), proptest::option::of(position())).prop_map(|(node, pid, position)| {
            Call::Claim(Claim {
                node,
                pid,
                position,
            })
        }),
        (node_id(), attempt(), pid(), number()).prop_map(|(node, attempt, pid, own)| {
            Call::Confirm(Confirm {
                node,
                attempt,
                pid,
                own,
            })
        }),
    ]
}

pub(super) fn pid() -> impl Strategy<Value = String> {
    "pid [0-3]"
}

fn attempt() -> impl Strategy<Value = Attempt> {
    (0..4_u64).prop_map(Attempt)
}

fn position() -> impl Strategy<Value = Position> {
    (number(), number()).prop_map(|(place, own)| Position { place, own })
}

fn own_events() -> impl Strategy<Value = Vec<OwnEvent>> {
    let event = (number(), number(), payload()).prop_map(|(own, place, payload)| OwnEvent {
        own,
        place,
        payload,
    });
    vec(event, 0..3)
}

pub(super) fn held() -> impl Strategy<Value = Held> {
    (room(), rooms(), position(), payload(), own_events()).prop_map(
        |(id, rooms, position, state, own)| Held {
            id,
            rooms,
            position,
            state,
            own,
        },
    )
}

fn claimed() -> impl Strategy<Value = Claimed> {
    prop_oneof![
        (attempt(), held()).prop_map(|(attempt, held)| Claimed::Held(attempt, held)),
        node_id().prop_map(Claimed::Moved),
        Just(Claimed::Unknown),
        Just(Claimed::Gone),
    ]
}

fn confirmed() -> impl Strategy<Value = Confirmed> {
    prop_oneof![
        own_events().prop_map(Confirmed::Given),
        node_id().prop_map(Confirmed::Moved),
        Just(Confirmed::Superseded),
        Just(Confirmed::Gone),
        Just(Confirmed::Unknown),
    ]
}

fn missed_events() -> impl Strategy<Value = MissedEvents> {
    (number(), vec((number(), operation()), 0..3))
        .prop_map(|(up_to, events)| MissedEvents { up_to, events })
}

pub(super) fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        (number(), stamp(), rooms(), number()).prop_map(|(life, stamp, waiting, place)| {
            Answer::Controlled(Controlled {
                hub_life: HubLife(life),
                stamp,
                waiting,
                place,
            })
        }),
        (
            vec((number(), missing()), 0..3),
            vec((number(), vec(node_id(), 0..3)), 0..3),
            rooms(),
            number(),
            any::<bool>(),
        )
            .prop_map(
                |(partial, nodes, grants, place, is_open)| Answer::Published(Published {
                    partial,
                    nodes,
                    grants,
                    place,
                    is_open,
                })
            ),
        (vec(node_id(), 0..4), vec(vec(0..6_u16, 0..4), 0..4))
            .prop_map(|(nodes, rooms)| Answer::Interested(Interested { nodes, rooms })),
        Just(Answer::Recalled),
        delivered().prop_map(Answer::Delivered),
        vec(passed(), 0..4).prop_map(Answer::Relayed),
        payload().prop_map(Answer::Gathered),
        number().prop_map(|life| Answer::WrongHubLife(HubLife(life))),
        number().prop_map(|life| Answer::WrongNodeLife(NodeLife(life))),
        proptest::option::of(missed_events()).prop_map(Answer::Missed),
        claimed().prop_map(Answer::Claimed),
        confirmed().prop_map(Answer::Confirmed),
        Just(Answer::Unavailable),
        Just(Answer::Misdirected),
    ]
}
