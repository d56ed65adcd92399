//! Every state of a socket and every input, as one table for each protocol.
//!
//! The tables are in `snapshots/`. The socket is `#1`, in the namespace `/n`; its
//! client is in the root namespace too, as `#0`. A row is an input, what the
//! connection says to it, and the state the socket is in after; `·` is nothing,
//! and no change. Inputs that do neither stand in the last line.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::rig::{BOTH, OPENED, Rig, event, text};
use super::*;
use crate::engine;
use crate::socket::connection::socket::SocketState;

const N: JoinId = JoinId(1);

/// Brings a rig into a state.
type Arrange = fn(&mut Rig);

fn states() -> Vec<(&'static str, Arrange)> {
    fn admitted(rig: &mut Rig) {
        rig.begin("/n");
        rig.admit(N);
    }
    alloc::vec![
        ("no socket", |_| ()),
        ("reserved", |rig| {
            rig.connection.reserve("/n");
        }),
        ("asked", |rig| {
            rig.begin("/n");
        }),
        ("asked, disconnected", |rig| {
            rig.begin("/n");
            rig.disconnect(N);
        }),
        ("admitted", admitted),
        ("accepted early", |rig| {
            admitted(rig);
            rig.accept_early(N);
        }),
        ("connected", |rig| {
            rig.join("/n");
        }),
        ("connected, attachment to come", |rig| {
            rig.join("/n");
            rig.say("51-/n,[\"e\",{\"_placeholder\":true,\"num\":0}]");
        }),
        ("leaving", |rig| {
            rig.join("/n");
            rig.say("1/n,");
        }),
        ("session closing, reserved", |rig| {
            rig.connection.reserve("/n");
            rig.say("nonsense");
        }),
        ("session closing, asked", |rig| {
            rig.begin("/n");
            rig.say("nonsense");
        }),
        ("session closing, admitted", |rig| {
            admitted(rig);
            rig.say("nonsense");
        }),
        ("session closing, accepted early", |rig| {
            admitted(rig);
            rig.accept_early(N);
            rig.say("nonsense");
        }),
        ("session closing, connected", |rig| {
            rig.join("/n");
            rig.say("nonsense");
        }),
        ("session over, abandoned", |rig| {
            admitted(rig);
            rig.end(engine::Reason::TransportClose);
        }),
        ("session over, leaving", |rig| {
            rig.join("/n");
            rig.end(engine::Reason::TransportClose);
        }),
    ]
}

type Input = fn(&mut Rig) -> String;

fn inputs() -> Vec<(&'static str, Input)> {
    alloc::vec![
        ("0/n,", |rig| rig.say("0/n,")),
        ("0/m,", |rig| rig.say("0/m,")),
        ("1/n,", |rig| rig.say("1/n,")),
        ("2/n,[\"e\"]", |rig| rig.say("2/n,[\"e\"]")),
        ("2/n,1[\"e\"]", |rig| rig.say("2/n,1[\"e\"]")),
        ("2[\"e\"]", |rig| rig.say("2[\"e\"]")),
        ("3/n,1[]", |rig| rig.say("3/n,1[]")),
        ("4/n,{}", |rig| rig.say("4/n,{}")),
        ("x", |rig| rig.say("x")),
        ("bytes", |rig| rig.say_data(Data::from(&[1][..]))),
        ("begin", |rig| {
            rig.begin("/n");
            rig.outputs()
        }),
        ("fill", |rig| {
            rig.fill(N, "/n");
            rig.outputs()
        }),
        ("admit", |rig| rig.admit(N)),
        ("accept early", |rig| rig.accept_early(N)),
        ("accept", |rig| rig.accept(N)),
        ("refuse", |rig| rig.refuse(N, "no", None)),
        ("refuse with data", |rig| rig.refuse(N, "no", Some("1"))),
        ("disconnect", |rig| rig.disconnect(N)),
        ("forget", |rig| {
            rig.connection.forget(N);
            rig.outputs()
        }),
        ("an event for it", |rig| {
            let packet = event(rig.connection.protocol(), "/n", None, "[\"e\"]");
            match rig.connection.route(N) {
                Route::Send => "sent".into(),
                Route::Hold if rig.connection.hold(N, &packet) => "held".into(),
                Route::Hold => "lost".into(),
                Route::Gone => String::new(),
            }
        }),
        ("an acknowledgement", |rig| {
            let packet = rig
                .connection
                .encode_ack(N, 1, &Args::new("[]", Vec::new()));
            packet.map_or(String::new(), |packet| format!("> {}", text(&packet)))
        }),
        ("enter", |rig| match rig.connection.enter(N, "room") {
            Ok(entered) => format!("entered: {entered}"),
            Err(error) => error.to_string(),
        }),
        ("leave", |rig| match rig.connection.leave(N, "sid") {
            Some(left) => format!("left: {left}"),
            None => String::new(),
        }),
        ("close", |rig| rig.close()),
        ("timeout", |rig| {
            rig.connection
                .handle_timeout(OPENED + super::rig::settings().connect_timeout);
            rig.outputs()
        }),
        ("session over", |rig| rig.end(engine::Reason::PingTimeout)),
        ("sleep", |rig| rig.sleep()),
    ]
}

/// Describes the sockets in `/n`, the newest last.
fn describe(rig: &Rig) -> String {
    let sockets = rig.connection.sockets();
    let sockets = sockets.filter(|socket| socket.namespace() == "/n");
    let mut all: Vec<String> = sockets
        .map(|socket| match &socket.state {
            SocketState::Reserved => "reserved".into(),
            SocketState::Asked(pending) if !rig.connection.is_wanted(socket.join_id()) => {
                format!("asked in vain, {} held", pending.held.len())
            }
            SocketState::Asked(pending) => format!("asked, {} held", pending.held.len()),
            SocketState::Admitted(pending) => format!("admitted, {} held", pending.held.len()),
            SocketState::AcceptedEarly => "accepted early".into(),
            SocketState::Connected => format!("connected, in {}", socket.rooms().join(" ")),
            SocketState::Abandoned(reason) => format!("abandoned: {reason}"),
            SocketState::Leaving => "leaving".into(),
        })
        .collect();
    if all.is_empty() {
        all.push("no socket".into());
    }
    all.join("; ")
}

fn rig(protocol: Protocol, arrange: Arrange) -> Rig {
    let mut rig = Rig::joined(protocol);
    arrange(&mut rig);
    rig.outputs();
    rig
}

fn table(protocol: Protocol) -> String {
    let or_dot = |text: String| if text.is_empty() { "·".into() } else { text };
    let mut table = String::new();
    for (name, arrange) in states() {
        let before = describe(&rig(protocol, arrange));
        table += &format!("\n{name}: {before}\n");
        let mut ignored = Vec::new();
        for (input, act) in inputs() {
            let mut rig = rig(protocol, arrange);
            let said = act(&mut rig);
            let after = Some(describe(&rig)).filter(|after| *after != before);
            if said.is_empty() && after.is_none() {
                ignored.push(input);
                continue;
            }
            let (said, after) = (or_dot(said), or_dot(after.unwrap_or_default()));
            table += &format!("  {input:18} {said:78} {after}\n");
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
        for protocol in BOTH {
            let name = match protocol {
                Protocol::V4 => "protocol-4",
                Protocol::V5 => "protocol-5",
            };
            insta::assert_snapshot!(name, table(protocol));
        }
    });
}
