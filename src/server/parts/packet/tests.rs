use dormouse_proto::engine::{Prepared, Revision};
use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::in_browser::object::event;
use crate::in_browser::platform::{done, is_same, socket};

/// An event with an attachment: two messages.
fn with_attachment() -> Rc<Encoded> {
    event(
        r#"["e",{"_placeholder":true,"num":0}]"#,
        vec![vec![1, 2, 3]],
    )
}

fn send_to(socket: &WebSocket, packet: &Packet, revision: Revision, b64: bool) {
    for (message, value) in packet.messages() {
        send(socket, &message.frame(revision, b64), message, value);
    }
}

/// What a WebSocket was given by the message of this number.
fn value(socket: &WebSocket, index: u32) -> JsValue {
    let values = js_sys::Reflect::get(socket, &"values".into()).unwrap();
    js_sys::Reflect::get_u32(&values.unchecked_into(), index).unwrap()
}

const TEXT: &str = r#"451-["e",{"_placeholder":true,"num":0}]"#;

#[wasm_bindgen_test]
fn a_message_to_many_crosses_once() {
    let packet = Packet::new(with_attachment(), 2);
    let crossed = |packet: &Packet| {
        let values = packet.messages().filter_map(|(_, value)| value);
        values.filter(|value| value.get().is_some()).count()
    };
    assert_eq!(crossed(&packet), 0, "not before anybody is sent it");
    let sockets = [socket(), socket()];
    for socket in &sockets {
        send_to(socket, &packet, Revision::V4, false);
        assert_eq!(done(socket), format!("{TEXT}; 1,2,3"));
    }
    assert_eq!(crossed(&packet), 2);
    let [one, other] = &sockets;
    assert!(is_same(&value(one, 1), &value(other, 1)));
}

#[wasm_bindgen_test]
fn a_message_to_one_is_not_kept() {
    for count in [0, 1] {
        let packet = Packet::new(with_attachment(), count);
        assert!(packet.messages().all(|(_, value)| value.is_none()));
        let socket = socket();
        send_to(&socket, &packet, Revision::V4, false);
        assert_eq!(done(&socket), format!("{TEXT}; 1,2,3"));
    }
}

/// What a client that takes bytes in a form of its own is sent of a packet that others
/// have been sent already.
fn check_form(revision: Revision, b64: bool, expect: &str) {
    let packet = Packet::new(with_attachment(), 2);
    let [first, second] = [socket(), socket()];
    send_to(&first, &packet, Revision::V4, false);
    send_to(&second, &packet, revision, b64);
    assert_eq!(done(&second), format!("{TEXT}; {expect}"));
    // And the other way round.
    let packet = Packet::new(with_attachment(), 2);
    let [first, second] = [socket(), socket()];
    send_to(&first, &packet, revision, b64);
    send_to(&second, &packet, Revision::V4, false);
    assert_eq!(done(&first), format!("{TEXT}; {expect}"));
    assert_eq!(done(&second), format!("{TEXT}; 1,2,3"));
}

#[wasm_bindgen_test]
fn bytes_of_another_form_are_not_mixed_up() {
    check_form(Revision::V4, false, "1,2,3");
    check_form(Revision::V3, false, "4,1,2,3");
    check_form(Revision::V3, true, "b4AQID");
}

#[wasm_bindgen_test]
fn no_bytes_at_all_are_sent_in_every_form() {
    let encoded = event(r#"["e",{"_placeholder":true,"num":0}]"#, vec![vec![]]);
    let packet = Packet::new(encoded, 2);
    for (revision, expect) in [(Revision::V4, ""), (Revision::V3, "4")] {
        let socket = socket();
        send_to(&socket, &packet, revision, false);
        assert_eq!(done(&socket), format!("{TEXT}; {expect}"));
    }
}

#[wasm_bindgen_test]
fn a_packet_is_what_was_encoded() {
    let encoded = with_attachment();
    let packet = Packet::new(encoded.clone(), 3);
    assert!(Rc::ptr_eq(packet.encoded(), &encoded));
    let messages: Vec<&Prepared> = packet.messages().map(|(message, _)| message).collect();
    assert_eq!(messages, encoded.messages().collect::<Vec<_>>());
}
