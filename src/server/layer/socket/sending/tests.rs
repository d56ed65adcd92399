use dormouse_proto::engine::Reason;
use wasm_bindgen_test::wasm_bindgen_test;

use super::super::tests::{Rig, made, sent};
use super::*;
use crate::in_browser::object::key;

fn args() -> Args<'static> {
    Args::new(r#"["e",1]"#, Vec::new())
}

fn connected(rig: &Rig, number: u8, protocol: Protocol) -> (Spot, web_sys::WebSocket) {
    let socket = rig.add(number, protocol);
    let spot = rig.join(number, "/", "id");
    sent(&socket);
    (spot, socket)
}

#[wasm_bindgen_test]
fn an_event_is_sent_to_who_is_connected() {
    let rig = made();
    let (spot, socket) = connected(&rig, 1, Protocol::V5);
    let args = args();
    assert!(EncodedEvent::new(&rig.cx, "/", &args).send(spot, false));
    assert!(
        EncodedEvent::new(&rig.cx, "/", &args)
            .ack(7)
            .send(spot, false)
    );
    assert!(EncodedEvent::new(&rig.cx, "/chat", &args).send(spot, true));
    let expect = r#"42["e",1]; 427["e",1]; 42/chat,["e",1]"#;
    assert_eq!(sent(&socket), expect);
}

#[wasm_bindgen_test]
fn an_event_waits_until_its_client_knows_of_the_socket() {
    let rig = made();
    let socket = rig.add(1, Protocol::V5);
    let spot = rig.begin(1, "/", "id");
    let args = args();
    assert!(EncodedEvent::new(&rig.cx, "/", &args).send(spot, false));
    assert_eq!(sent(&socket), "");
    rig.with(spot, |client, join| client.connection.accept(join));
    assert_eq!(sent(&socket), r#"40{"sid":"id"}; 42["e",1]"#);
}

#[wasm_bindgen_test]
fn an_event_to_who_has_gone_is_not_sent() {
    let rig = made();
    let (spot, socket) = connected(&rig, 1, Protocol::V5);
    let args = args();
    let send = |spot| EncodedEvent::new(&rig.cx, "/", &args).send(spot, false);
    rig.with(spot, |client, join| client.connection.disconnect(join));
    sent(&socket);
    assert!(!send(spot));
    assert!(!send(Spot::new(key(9), spot.join)));
    let (spot, socket) = connected(&rig, 2, Protocol::V5);
    rig.cx.clients.with(spot.session, |client| {
        client.connection.handle_closed(Reason::TransportClose);
    });
    assert!(!send(spot));
    assert_eq!(sent(&socket), "");
}

#[wasm_bindgen_test]
fn an_offset_is_for_those_who_can_come_back() {
    let rig = made();
    let (new, new_socket) = connected(&rig, 1, Protocol::V5);
    let (old, old_socket) = connected(&rig, 2, Protocol::V4);
    let args = args();
    let offset = "5";
    let event = EncodedEvent::new(&rig.cx, "/", &args).offset(Some(offset.to_owned()));
    let event = event.count(2);
    assert!(event.send(old, false) && event.send(new, false));
    assert_eq!(sent(&old_socket), r#"42["e",1]"#);
    assert_eq!(sent(&new_socket), format!(r#"42["e",1,"{offset}"]"#));
}

#[wasm_bindgen_test]
fn an_event_is_encoded_once_where_it_is_the_same() {
    let rig = made();
    let args = args();
    let event = EncodedEvent::new(&rig.cx, "/", &args).count(2);
    let (one, other) = (event.packet(Protocol::V5), event.packet(Protocol::V4));
    assert!(core::ptr::eq(one, other));
    let event = EncodedEvent::new(&rig.cx, "/", &args).offset(Some("1".to_owned()));
    let (one, other) = (event.packet(Protocol::V5), event.packet(Protocol::V4));
    assert!(!core::ptr::eq(one, other));
    assert!(core::ptr::eq(one, event.packet(Protocol::V5)));
}
