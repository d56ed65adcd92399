use dormouse_proto::engine::Data;
use dormouse_proto::socket::{Admission, Protocol};
use wasm_bindgen_test::wasm_bindgen_test;

use super::super::events;
use super::super::tests::made;
use super::*;
use crate::in_browser::object::key;
use crate::request::Handshake;

#[wasm_bindgen_test]
fn a_client_comes_back_as_it_was() {
    let rig = made();
    rig.add(1, Protocol::V5);
    let spot = rig.join(1, "/chat", "id");
    rig.with(spot, |client, join| {
        assert!(client.connection.set_data(join, Some("[1]".into())));
        assert!(client.connection.enter(join, "room").is_ok());
    });
    let content = rig.cx.clients.content(key(1));
    let client = ClientEntry::restore(&rig.cx.application, &content).unwrap();
    let socket = client.connection.socket(spot.join).unwrap();
    assert_eq!((socket.namespace(), socket.id()), ("/chat", "id"));
    assert_eq!(socket.data(), Some("[1]"));
    assert!(socket.rooms().contains(&"room".to_owned()));
    let handshake = Handshake::from(&**client.handshake());
    assert_eq!(handshake.query("room").as_deref(), Some("1"));
    assert!(!client.work.is_running());
}

#[wasm_bindgen_test]
fn what_is_damaged_is_no_client() {
    let rig = made();
    rig.add(1, Protocol::V5);
    rig.join(1, "/", "id");
    let content = rig.cx.clients.content(key(1));
    for length in 0..content.len() {
        let cut = ClientEntry::restore(&rig.cx.application, &content[..length]);
        assert!(cut.is_none(), "{length}");
    }
    assert!(ClientEntry::restore(&rig.cx.application, &[0xff; 64]).is_none());
    assert!(rig.cx.clients.content(key(9)).is_empty(), "nobody is there");
}

#[wasm_bindgen_test]
fn the_address_of_a_socket_is_made_once() {
    let rig = made();
    rig.add(1, Protocol::V5);
    let (one, other) = (rig.join(1, "/", "one"), rig.join(1, "/chat", "other"));
    let address = |spot: Spot| {
        let address = |client: &mut ClientEntry| client.address(spot.session, spot.join);
        rig.cx.clients.with(spot.session, address).flatten()
    };
    let first = address(one).unwrap();
    assert_eq!((&*first.namespace, &*first.id), ("/", "one"));
    assert_eq!(first.spot, one);
    assert!(Rc::ptr_eq(&first, &address(one).unwrap()));
    assert_eq!(&*address(other).unwrap().id, "other");
    rig.with(one, |client, join| client.forget_address(join));
    let again = address(one).unwrap();
    assert!(!Rc::ptr_eq(&first, &again), "it is still a socket");
    rig.with(one, |client, join| {
        client.connection.disconnect(join);
        client.forget(join);
    });
    assert!(address(one).is_none());
    assert!(address(other).is_some());
}

#[wasm_bindgen_test]
fn a_change_is_told_once() {
    let rig = made();
    rig.add(1, Protocol::V5);
    let clients = &rig.cx.clients;
    assert!(clients.must_be_handed_over(key(1)));
    assert!(clients.take_changed(key(1)));
    assert!(!clients.must_be_handed_over(key(1)) && !clients.take_changed(key(1)));
    rig.join(1, "/", "id");
    assert!(clients.take_changed(key(1)));
    assert!(!clients.must_be_handed_over(key(9)) && !clients.take_changed(key(9)));
}

#[wasm_bindgen_test]
fn who_waits_for_a_decision_is_handed_over() {
    let rig = made();
    rig.add(1, Protocol::V5);
    let spot = rig.begin(1, "/", "an id");
    let clients = &rig.cx.clients;
    assert!(clients.take_changed(key(1)));
    assert!(clients.must_be_handed_over(key(1)));
    rig.with(spot, |client, join| client.accept(join));
    assert!(clients.take_changed(key(1)));
    assert!(!clients.must_be_handed_over(key(1)));
}

#[wasm_bindgen_test]
fn in_the_middle_of_a_panic_nothing_is_known() {
    let rig = made();
    rig.add(1, Protocol::V5);
    let clients = &rig.cx.clients;
    let looked = clients.with(key(1), |client| {
        client.connection.begin("/", Admission::new("id"));
        (clients.content(key(1)), clients.must_be_handed_over(key(1)))
    });
    assert_eq!(looked, Some((vec![], false)));
}

#[wasm_bindgen_test]
fn clients_are_there_until_they_are_removed() {
    let rig = made();
    rig.add(2, Protocol::V5);
    rig.add(1, Protocol::V4);
    let seen = || {
        let mut seen = Vec::new();
        rig.cx.clients.for_each(|key, _| seen.push(key[0]));
        seen
    };
    assert_eq!(seen(), [1, 2]);
    rig.cx.clients.remove(key(1));
    assert_eq!(seen(), [2]);
    assert_eq!(rig.cx.clients.with(key(1), |_| ()), None);
    assert!(rig.cx.clients.poll_output(key(1)).is_none());
}

#[wasm_bindgen_test]
fn what_is_said_before_the_decision_is_held_with_its_attachments() {
    for is_let_in in [false, true] {
        let rig = made();
        rig.add(1, Protocol::V5);
        let spot = rig.begin(1, "/", "an id");
        rig.with(spot, |client, join| {
            client.connection.admit(join);
            assert!(client.connection.accept_early(join));
        });
        let held = || rig.with(spot, |client, _| client.weigh().held);
        let before = held();
        let say = |data: Data<'_>| events::handle_message(&rig.cx, spot.session, data);
        say("51-[\"e\",{\"_placeholder\":true,\"num\":0}]".into());
        say(Data::from(&[0; 1_000][..]));
        say("2[\"e\"]".into());
        assert!(held() >= before + 1_000);
        assert_eq!(rig.with(spot, |client, _| client.early.len()), 2);
        rig.with(spot, |client, join| match is_let_in {
            true => assert!(!client.accept(join), "it knows already"),
            false => assert!(!client.connection.refuse(join, "no", None)),
        });
        events::handle_early(&rig.cx, spot);
        assert!(rig.with(spot, |client, _| client.early.is_empty()));
        assert!(held() <= before);
    }
}
