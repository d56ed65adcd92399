use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::in_browser::object::{SERVER, key, object};
use crate::in_browser::platform::socket;
use crate::options::Options;

/// The bytes of an attachment that carries a session.
fn carrying(content: Held) -> Vec<u8> {
    let object = object(Options::default());
    let session = vec![1, 2, 3];
    let carried = Carried { session, content };
    attachment(&object.parts, key(1), ConnId(1 << 52), Some(carried))
}

fn read(bytes: &[u8]) -> Option<Attachment> {
    let socket = socket();
    socket.set_attachment(bytes).unwrap();
    read_attachment(&socket)
}

#[wasm_bindgen_test]
fn an_attachment_comes_back() {
    for content in [vec![], vec![0, 255], vec![7; 15_900]] {
        let attachment = read(&carrying(Held::Here(content.clone()))).unwrap();
        assert_eq!(attachment.server, SERVER);
        assert_eq!(attachment.key, key(1));
        assert_eq!(attachment.conn, 1 << 52);
        let carried = attachment.carried.unwrap();
        assert_eq!(carried.session, [1, 2, 3]);
        assert!(matches!(carried.content, Held::Here(found) if found == content));
    }
    let carried = read(&carrying(Held::Row)).unwrap().carried.unwrap();
    assert!(matches!(carried.content, Held::Row));
}

#[wasm_bindgen_test]
fn a_websocket_says_whose_it_is() {
    let object = object(Options::default());
    let socket = socket();
    assert_eq!(whose(&socket), None);
    attach(&object.parts, key(1), ConnId(7), &socket);
    assert_eq!(whose(&socket), Some((SERVER, key(1), ConnId(7))));
    assert!(read_attachment(&socket).unwrap().carried.is_none());
}

#[wasm_bindgen_test]
fn what_cannot_be_read_is_nobodys() {
    let whole = carrying(Held::Here(vec![7; 100]));
    assert!(read(&whole).is_some());
    for length in 0..whole.len() {
        assert!(read(&whole[..length]).is_none(), "{length}");
    }
    let mut other = whole.clone();
    other[0] += 1;
    assert!(read(&other).is_none(), "of another version");
    assert!(read(&[0xff; 200]).is_none());
}
