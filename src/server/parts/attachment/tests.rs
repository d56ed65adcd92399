use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::in_browser::object::{SERVER, key, object};
use crate::in_browser::platform::socket;
use crate::options::Options;

/// The bytes of an attachment that carries a session.
fn carrying(content: Held<'_>) -> Vec<u8> {
    let object = object(Options::default());
    let carried = Carried {
        session: &[1, 2, 3],
        content,
    };
    attachment(&object.parts, key(1), ConnId(1 << 52), Some(carried))
}

/// The attachment of a WebSocket that has been given it.
fn attached(bytes: &[u8]) -> Vec<u8> {
    let socket = socket();
    socket.set_attachment(bytes).unwrap();
    socket.attachment().unwrap()
}

#[wasm_bindgen_test]
fn an_attachment_comes_back() {
    for content in [vec![], vec![0, 255], vec![7; 15_900]] {
        let bytes = attached(&carrying(Held::Here(&content)));
        let attachment = Attachment::read(&bytes).unwrap();
        assert_eq!(attachment.server, SERVER);
        assert_eq!(attachment.key, key(1));
        assert_eq!(attachment.conn, 1 << 52);
        let carried = attachment.carried.unwrap();
        assert_eq!(carried.session, [1, 2, 3]);
        assert!(matches!(carried.content, Held::Here(found) if found == content));
    }
    let bytes = attached(&carrying(Held::Row));
    let carried = Attachment::read(&bytes).unwrap().carried.unwrap();
    assert!(matches!(carried.content, Held::Row));
}

#[wasm_bindgen_test]
fn a_websocket_says_whose_it_is() {
    let object = object(Options::default());
    let socket = socket();
    assert_eq!(whose(&socket), None);
    attach(&object.parts, key(1), ConnId(7), &socket);
    assert_eq!(whose(&socket), Some((SERVER, key(1), ConnId(7))));
    let bytes = socket.attachment().unwrap();
    assert!(Attachment::read(&bytes).unwrap().carried.is_none());
}

#[wasm_bindgen_test]
fn what_cannot_be_read_is_nobodys() {
    let is_read = |bytes: &[u8]| Attachment::read(&attached(bytes)).is_some();
    let whole = carrying(Held::Here(&[7; 100]));
    assert!(is_read(&whole));
    for length in 0..whole.len() {
        assert!(!is_read(&whole[..length]), "{length}");
    }
    let mut other = whole.clone();
    other[0] += 1;
    assert!(!is_read(&other), "of another version");
    assert!(!is_read(&[0xff; 200]));
}
