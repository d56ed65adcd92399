//! Every state and every input, as one table for each revision.
//!
//! The tables are in `snapshots/`. A row is an input, what the session says to
//! it, and the state it is in after; `·` is nothing, and no change. Inputs that
//! do neither stand in the last line.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::SessionState;
use super::super::polling::{Poll, Polling};
use super::super::websocket::Probe;
use super::rig::{Rig, SLEEPY};
use crate::engine::{BodyError, ConnId, Frame, Revision};

type States = Vec<(&'static str, Rig)>;

/// A session in each of its states. `GET`s are request 2, `POST`s request 3,
/// WebSockets socket 5.
fn states(revision: Revision) -> States {
    let from = |rig: fn(Revision, _) -> Rig, arrange: fn(&mut Rig)| {
        let mut rig = rig(revision, SLEEPY);
        rig.wait(1_000);
        arrange(&mut rig);
        rig.outputs();
        rig
    };
    let polling = |arrange| from(Rig::polling, arrange);
    let upgraded = |arrange| from(Rig::upgraded, arrange);
    let mut states = alloc::vec![
        ("polling, idle", polling(|_| ())),
        ("polling, GET waits", polling(|rig| drop(rig.get(2)))),
        ("polling, message waits", polling(|rig| drop(rig.send("b")))),
        (
            "polling, POST on its way",
            polling(|rig| drop(rig.post_head(3)))
        ),
        (
            "polling, POSTs on their way",
            polling(|rig| {
                rig.post_head(3);
                rig.post_head(4);
            })
        ),
        ("probing", polling(|rig| drop(rig.upgrade(5)))),
        (
            "probing, GET waits",
            polling(|rig| {
                rig.get(2);
                rig.upgrade(5);
            })
        ),
        (
            "probing, answered",
            polling(|rig| {
                rig.upgrade(5);
                rig.frame(5, "2probe");
            })
        ),
        (
            "probing, answered, message waits",
            polling(|rig| {
                rig.upgrade(5);
                rig.frame(5, "2probe");
                rig.send("b");
            })
        ),
        ("websocket", upgraded(|_| ())),
        (
            "websocket, POST on its way",
            polling(|rig| {
                rig.post_head(3);
                rig.upgrade(5);
                rig.frame(5, "2probe");
                rig.frame(5, "5");
            })
        ),
        ("closing", polling(|rig| drop(rig.close()))),
        (
            "closing, message waits, POST on its way",
            polling(|rig| {
                rig.send("b");
                rig.close();
                rig.post_head(3);
            })
        ),
        (
            "closing, probing",
            polling(|rig| {
                rig.upgrade(5);
                rig.close();
            })
        ),
        (
            "closing, probing, answered, message waits",
            polling(|rig| {
                rig.upgrade(5);
                rig.frame(5, "2probe");
                rig.send("b");
                rig.close();
            })
        ),
        (
            "closed by the client, GET expected",
            polling(|rig| drop(rig.post(3, &["1"])))
        ),
        ("closed", upgraded(|rig| drop(rig.close()))),
    ];
    if revision == Revision::V4 {
        let pinged = |rig: &mut Rig| drop(rig.deadline());
        states.push(("polling, pinged", polling(pinged)));
        states.push(("websocket, pinged", upgraded(pinged)));
    }
    states
}

type Input = fn(&mut Rig) -> String;

/// Every input. New requests and sockets are 8 and 9.
fn inputs() -> Vec<(&'static str, Input)> {
    alloc::vec![
        ("GET", |rig| rig.get(8)),
        ("GET gone", |rig| rig.get_gone(2)),
        ("POST", |rig| rig.post_head(9)),
        ("POST 4a", |rig| rig.post(9, &["4a"])),
        ("POST 2", |rig| rig.post(9, &["2"])),
        ("POST 3", |rig| rig.post(9, &["3"])),
        ("POST 1", |rig| rig.post(9, &["1"])),
        ("POST x", |rig| rig.post(9, &["x"])),
        ("body 4a", |rig| rig.body(3, &["4a"])),
        ("body 1", |rig| rig.body(3, &["1"])),
        ("body too large", |rig| {
            rig.no_body(3, BodyError::TooLarge);
            rig.outputs()
        }),
        ("body malformed", |rig| {
            rig.no_body(3, BodyError::Malformed);
            rig.outputs()
        }),
        ("body gone", |rig| {
            rig.no_body(3, BodyError::Gone);
            rig.outputs()
        }),
        ("new socket", |rig| rig.upgrade(8)),
        ("frame 2probe", |rig| rig.frame(5, "2probe")),
        ("frame 5", |rig| rig.frame(5, "5")),
        ("frame 4a", |rig| rig.frame(5, "4a")),
        ("frame binary", |rig| {
            rig.raw_frame(5, Frame::from(&[4, 7][..]))
        }),
        ("frame 2", |rig| rig.frame(5, "2")),
        ("frame 3", |rig| rig.frame(5, "3")),
        ("frame 1", |rig| rig.frame(5, "1")),
        ("frame 6", |rig| rig.frame(5, "6")),
        ("frame x", |rig| rig.frame(5, "x")),
        ("frame too large", |rig| rig.frame(5, &"4".repeat(1_001))),
        ("socket closed", |rig| rig.socket_gone(5, false)),
        ("socket broken", |rig| rig.socket_gone(5, true)),
        ("send a", |rig| rig.send("a")),
        ("send too much", |rig| rig.send(&"a".repeat(1_001))),
        ("close", |rig| rig.close()),
        ("close at once", |rig| rig.close_at_once()),
        ("sign of life", |rig| {
            rig.wait(1).sign_of_life();
            rig.outputs()
        }),
        ("timeout, early", |rig| rig.timeout()),
        ("timeout, in time", |rig| match rig.next_deadline() {
            Some(_) => rig.deadline(),
            None => rig.timeout(),
        }),
        ("timeout, late", |rig| rig.wait(60_000).timeout()),
    ]
}

/// The state in a few words.
fn describe(rig: &Rig) -> String {
    let session = &rig.session;
    let mut state = match &session.state {
        SessionState::Polling(polling) => format!("polling{}", describe_polling(polling)),
        SessionState::Probing(polling, probe) => {
            format!("{}{}", describe_probe(probe), describe_polling(polling))
        }
        SessionState::WebSocket(socket) => format!("websocket #{}", socket.conn.0),
        SessionState::Closing { outbox, probe, .. } => {
            let probe = probe.as_ref().map(describe_probe);
            let probe = probe.map_or(String::new(), |probe| format!(", {probe}"));
            format!("closing{probe}, {} bytes wait", outbox.bytes())
        }
        SessionState::Closed { farewell: Some(_) } => "closed, GET expected".into(),
        SessionState::Closed { farewell: None } => "closed".into(),
    };
    for ConnId(post) in &session.posts {
        state += &format!(", POST #{post}");
    }
    if session.transport().is_some() && session.heartbeat.is_pending() {
        state += ", pinged";
    }
    state
}

fn describe_probe(probe: &Probe) -> String {
    let answered = if probe.answered { " answered" } else { "" };
    format!("probing #{}{answered}", probe.conn.0)
}

fn describe_polling(polling: &Polling) -> String {
    let waiting = match polling.poll {
        Poll::Idle => String::new(),
        Poll::Waiting(ConnId(request), _) => format!(", GET #{request}"),
    };
    match polling.outbox.bytes() {
        0 => waiting,
        bytes => format!("{waiting}, {bytes} bytes wait"),
    }
}

fn table(revision: Revision) -> String {
    let or_dot = |text: String| if text.is_empty() { "·".into() } else { text };
    let mut table = String::new();
    for (index, (name, rig)) in states(revision).into_iter().enumerate() {
        let before = describe(&rig);
        table += &format!("\n{name}: {before}\n");
        let mut ignored = Vec::new();
        for (input, act) in inputs() {
            // Sessions are not cloned: each input has one of its own.
            let (_, mut rig) = states(revision).swap_remove(index);
            let said = act(&mut rig);
            let after = Some(describe(&rig)).filter(|after| *after != before);
            if said.is_empty() && after.is_none() {
                ignored.push(input);
                continue;
            }
            let (said, after) = (or_dot(said), or_dot(after.unwrap_or_default()));
            table += &format!("  {input:16} {said:64} {after}\n");
        }
        table += &format!("  ignored: {}\n", ignored.join("; "));
    }
    table
}

#[test]
fn every_state_and_every_input() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        insta::assert_snapshot!("revision-3", table(Revision::V3));
        insta::assert_snapshot!("revision-4", table(Revision::V4));
    });
}
