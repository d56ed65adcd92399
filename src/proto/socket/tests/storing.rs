//! The rows of sockets whose clients may come back: when they are written and
//! deleted, and that none of them is ever wrong.

use alloc::string::String;
use alloc::vec;

use proptest::prelude::*;

use super::disconnects::LOST;
use super::rig::Rig;
use super::*;

const YES: bool = true;
const NO: bool = false;

fn admission(pid: &str) -> Admission {
    Admission {
        pid: Some(pid.into()),
        since: Some(Offset(5)),
        ..Admission::new("sid")
    }
}

/// A client in `/` whose socket has no row yet.
fn joined() -> (Rig, JoinId) {
    let mut rig = Rig::new(Protocol::V5);
    let join = rig.connection.begin("/", admission("pid"));
    rig.accept(join);
    (rig, join)
}

/// The same with a row that is true.
fn stored() -> (Rig, JoinId) {
    let (mut rig, join) = joined();
    assert_eq!(poll(&mut rig, Due::Unstored, YES), "write /");
    (rig, join)
}

/// Polls until there is nothing, and says what was to be done.
fn poll(rig: &mut Rig, due: Due, may_write: bool) -> String {
    let mut all = Vec::new();
    while let Some(storing) = rig.connection.poll_storing(due, may_write) {
        all.push(name(storing));
    }
    all.join(", ")
}

fn name(storing: Storing<'_>) -> String {
    match storing {
        Storing::Write(socket) => alloc::format!("write {}", socket.namespace()),
        Storing::Delete(socket) => alloc::format!("delete {}", socket.namespace()),
    }
}

fn last(rig: &Rig, join: JoinId, reason: Reason, may_write: bool) -> String {
    let storing = rig.connection.last_storing(join, reason, may_write);
    storing.map(name).unwrap_or_default()
}

#[test]
fn a_socket_is_stored_when_it_is_asked_for() {
    let (mut rig, _) = joined();
    assert!(rig.connection.is_unstored());
    assert_eq!(poll(&mut rig, Due::Outdated, YES), "", "it can wait");
    assert_eq!(poll(&mut rig, Due::Unstored, NO), "", "it has to");
    assert!(rig.connection.is_unstored());
    assert_eq!(poll(&mut rig, Due::Unstored, YES), "write /");
    assert!(!rig.connection.is_unstored());
    assert_eq!(poll(&mut rig, Due::Unstored, YES), "");
}

#[test]
fn one_whose_client_cannot_come_back_is_not() {
    let mut rig = Rig::joined(Protocol::V5);
    assert!(!rig.connection.is_unstored());
    assert_eq!(poll(&mut rig, Due::Unstored, YES), "");
    let a = rig.connection.begin("/a", admission("pid"));
    rig.connection.enter(a, "room").unwrap();
    rig.connection.set_data(a, Some("1".into()));
    assert!(!rig.connection.is_unstored(), "it is not let in yet");
    assert_eq!(poll(&mut rig, Due::Unstored, YES), "");
}

#[test]
fn whatever_it_says_outdates_its_row() {
    let changes: [fn(&mut Connection, JoinId); 3] = [
        |it, join| assert_eq!(it.enter(join, "room"), Ok(true)),
        |it, join| assert_eq!(it.leave(join, "sid"), Some(true)),
        |it, join| assert!(it.set_data(join, None)),
    ];
    for change in changes {
        let (mut rig, join) = stored();
        change(&mut rig.connection, join);
        assert!(rig.connection.is_unstored());
        assert_eq!(poll(&mut rig, Due::Outdated, YES), "write /");
        change_nothing(&mut rig, join);
        let (mut rig, join) = stored();
        change(&mut rig.connection, join);
        assert_eq!(poll(&mut rig, Due::Outdated, NO), "delete /");
        assert!(rig.connection.is_unstored());
        assert_eq!(poll(&mut rig, Due::Outdated, YES), "", "it is one of many");
        assert_eq!(poll(&mut rig, Due::Unstored, YES), "write /");
    }
}

fn change_nothing(rig: &mut Rig, join: JoinId) {
    let rooms = rig.connection.socket(join).unwrap().rooms().to_vec();
    for room in rooms {
        assert_eq!(rig.connection.enter(join, &room), Ok(false));
    }
    assert_eq!(rig.connection.leave(join, "elsewhere"), Some(false));
    assert!(!rig.connection.is_unstored());
}

#[test]
fn a_change_of_what_is_stored_is_one_of_what_sleeps() {
    for may_write in [YES, NO] {
        let (mut rig, join) = stored();
        rig.connection.enter(join, "room").unwrap();
        rig.connection.take_changed();
        poll(&mut rig, Due::Unstored, may_write);
        assert!(rig.connection.take_changed());
    }
}

/// A row is deleted only where there is one: a client that comes and goes in one
/// payload costs none.
#[test]
fn what_has_gone_is_stored_for_the_last_time_or_not_at_all() {
    let closed = Reason::Session(LOST);
    let left = Reason::ClientNamespaceDisconnect;
    let outdated = || {
        let (mut rig, join) = stored();
        rig.connection.enter(join, "room").unwrap();
        (rig, join)
    };
    let again = || {
        let mut rig = Rig::new(Protocol::V5);
        let join = rig.begin_again("/", RecoveredSocket::default());
        rig.accept(join);
        (rig, join)
    };
    type Make<'a> = &'a dyn Fn() -> (Rig, JoinId);
    let tables: [(Make<'_>, [&str; 4]); 4] = [
        // Its reason lets it come back, or not; a row may be written, or not.
        (&joined, ["write /", "", "", ""]),
        (&stored, ["write /", "", "delete /", "delete /"]),
        (&outdated, ["write /", "delete /", "delete /", "delete /"]),
        (&again, ["write /", "delete /", "delete /", "delete /"]),
    ];
    for (number, (make, expect)) in tables.into_iter().enumerate() {
        let (rig, join) = make();
        let table = [(closed, YES), (closed, NO), (left, YES), (left, NO)];
        let all = table.map(|(reason, may_write)| last(&rig, join, reason, may_write));
        assert_eq!(all, expect, "{number}");
    }
}

#[test]
fn nothing_is_polled_of_what_has_gone() {
    let goes: [fn(&mut Rig, JoinId); 3] = [
        |rig, _| drop(rig.say("1")),
        |rig, join| drop(rig.disconnect(join)),
        |rig, _| drop(rig.end(LOST)),
    ];
    for go in goes {
        let (mut rig, join) = stored();
        rig.connection.enter(join, "room").unwrap();
        go(&mut rig, join);
        assert!(!rig.connection.is_unstored());
        assert_eq!(poll(&mut rig, Due::Unstored, YES), "");
    }
}

#[test]
fn a_client_that_has_received_nothing_stands_where_its_socket_began() {
    let (rig, join) = joined();
    assert_eq!(
        rig.connection.socket(join).unwrap().since(),
        Some(Offset(5))
    );
    let mut rig = Rig::new(Protocol::V5);
    let recovered = RecoveredSocket {
        since: Offset(3),
        ..RecoveredSocket::default()
    };
    let join = rig.begin_again("/", recovered);
    assert_eq!(
        rig.connection.socket(join).unwrap().since(),
        Some(Offset(3))
    );
}

/// Something that happens to a socket.
#[derive(Clone, Debug)]
enum Step {
    Enter(&'static str),
    Leave(&'static str),
    Data(Option<&'static str>),
    Poll(Due, bool),
    Sleep,
}

/// Returns what a row says of a socket.
fn row(socket: &Socket) -> (Vec<String>, Option<String>) {
    (socket.rooms().to_vec(), socket.data().map(Into::into))
}

proptest! {
    /// Whatever happens: once the rows that are not true any more have been polled,
    /// the one that is there says what the socket is, and it was written no more
    /// often than allowed.
    #[test]
    fn a_row_is_true_or_not_there(steps in prop::collection::vec(step(), 0..60)) {
        let (mut rig, join) = joined();
        let (mut stored, mut written, mut deleted, mut allowed) = (None, 0, 0, 0);
        for step in steps {
            let mut poll = (Due::Outdated, true);
            match step {
                Step::Enter(room) => drop(rig.connection.enter(join, room)),
                Step::Leave(room) => drop(rig.connection.leave(join, room)),
                Step::Data(data) => {
                    rig.connection.set_data(join, data.map(Into::into));
                }
                Step::Poll(due, may_write) => poll = (due, may_write),
                Step::Sleep => drop(rig.sleep()),
            }
            let (due, may_write) = poll;
            allowed += u32::from(may_write);
            while let Some(storing) = rig.connection.poll_storing(due, may_write) {
                match storing {
                    Storing::Write(socket) => {
                        stored = Some(row(socket));
                        written += 1;
                    }
                    Storing::Delete(_) => {
                        prop_assert!(stored.take().is_some(), "there was none");
                        deleted += 1;
                    }
                }
            }
            let now = row(rig.connection.socket(join).unwrap());
            prop_assert_eq!(rig.connection.is_unstored(), stored.is_none());
            prop_assert!(stored.as_ref().is_none_or(|stored| *stored == now));
        }
        prop_assert!(written <= allowed && deleted <= written);
    }
}

fn step() -> impl Strategy<Value = Step> {
    let rooms = prop::sample::select(vec!["room", "zoo"]);
    let due = prop_oneof![Just(Due::Outdated), Just(Due::Unstored)];
    prop_oneof![
        2 => rooms.clone().prop_map(Step::Enter),
        1 => rooms.prop_map(Step::Leave),
        1 => prop::option::of(Just("1")).prop_map(Step::Data),
        4 => (due, any::<bool>()).prop_map(|(due, may_write)| Step::Poll(due, may_write)),
        1 => Just(Step::Sleep),
    ]
}
