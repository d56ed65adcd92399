//! Random events in the lives of clients.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;
use proptest::sample::Index;

use crate::engine;
use crate::socket::Filter;

pub(super) const NAMESPACES: [&str; 5] = ["/", "/a", "/b", "/c", "/undefined"];
pub(super) const ROOMS: [&str; 3] = ["x", "y", "z"];

/// Something that happens to one client.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Packets in one payload: outputs are taken behind the last of them.
    Say(Vec<String>),
    /// The application decides about one of the sockets, whatever its state.
    Admit(Index),
    AcceptEarly(Index),
    Accept(Index),
    Refuse(Index),
    Disconnect(Index),
    Forget(Index),
    Enter(Index, &'static str),
    Leave(Index, &'static str),
    /// An event for all in a namespace that a filter means; with `true` they are
    /// to acknowledge it.
    Broadcast(&'static str, Filter, bool),
    /// The client acknowledges one of the events that it owes that.
    Acknowledge(Index),
    Close,
    Timeout,
    End(engine::Reason),
    Sleep,
}

fn packet() -> impl Strategy<Value = String> {
    let namespace = prop::sample::select(&NAMESPACES[..]).prop_map(|namespace| match namespace {
        "/" => String::new(),
        namespace => format!("{namespace},"),
    });
    let kind = prop_oneof![
        8 => Just('0'),
        3 => Just('1'),
        4 => Just('2'),
        1 => Just('3'),
    ];
    (kind, namespace).prop_map(|(kind, namespace)| match kind {
        '2' => format!("2{namespace}[\"e\"]"),
        '3' => format!("3{namespace}1[]"),
        kind => format!("{kind}{namespace}"),
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let rooms = || {
        let room = prop::sample::select(&ROOMS[..]).prop_map(String::from);
        prop::collection::vec(room, 0..3)
    };
    (rooms(), rooms()).prop_map(|(rooms, except)| Filter { rooms, except })
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    let namespace = || prop::sample::select(&NAMESPACES[..]);
    let room = || prop::sample::select(&ROOMS[..]);
    prop_oneof![
        12 => prop::collection::vec(packet(), 1..3).prop_map(Step::Say),
        2 => index().prop_map(Step::Admit),
        2 => index().prop_map(Step::AcceptEarly),
        12 => index().prop_map(Step::Accept),
        2 => index().prop_map(Step::Refuse),
        2 => index().prop_map(Step::Disconnect),
        2 => index().prop_map(Step::Forget),
        6 => (index(), room()).prop_map(|(index, room)| Step::Enter(index, room)),
        2 => (index(), room()).prop_map(|(index, room)| Step::Leave(index, room)),
        10 => (namespace(), filter(), any::<bool>())
            .prop_map(|(namespace, filter, asks)| Step::Broadcast(namespace, filter, asks)),
        6 => index().prop_map(Step::Acknowledge),
        1 => Just(Step::Close),
        1 => Just(Step::Timeout),
        1 => Just(Step::End(engine::Reason::PingTimeout)),
        1 => Just(Step::Sleep),
    ]
}
