use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::in_browser::js;
use crate::platform::tests::{MAX_SAFE, socket};

fn done(socket: &WebSocket) -> String {
    let done = js("return x.done.join('; ');", socket);
    done.as_string().unwrap()
}

#[wasm_bindgen_test]
fn sockets_send_and_close() {
    let socket = socket();
    for text in ["", "a", "é€😀", "\0\u{feff}\u{2028}"] {
        socket.send_text(text);
    }
    socket.send_string(&"é€😀".into());
    socket.send_bytes(&[0, 127, 128, 255]);
    socket.send_bytes(&[]);
    socket.close_quietly(1000);
    assert_eq!(
        done(&socket),
        "; a; é€😀; \0\u{feff}\u{2028}; é€😀; 0,127,128,255; ; close 1000"
    );
}

#[wasm_bindgen_test]
fn what_is_sent_is_copied_out_of_our_memory() {
    // The platform sends it later, when this memory holds something else.
    let socket: WebSocket = js("return { send(data) { this.data = data; } };", 0).unchecked_into();
    let mut bytes = vec![1, 2, 3];
    socket.send_bytes(&bytes);
    bytes.fill(9);
    let kept = js(
        "return [x.data.byteLength, x.data.buffer.byteLength].join();",
        &socket,
    );
    assert_eq!(
        kept.as_string().as_deref(),
        Some("3,3"),
        "a view of the whole memory"
    );
}

#[wasm_bindgen_test]
fn a_socket_that_throws_is_no_news() {
    let socket: WebSocket = js(
        "const fail = () => { throw new Error('closed'); };
         return { send: fail, close: fail, serializeAttachment: fail, deserializeAttachment: fail };",
        0,
    )
    .unchecked_into();
    socket.send_text("a");
    socket.send_bytes(&[1]);
    socket.close_quietly(1000);
    assert!(socket.set_attachment(&[1]).is_err());
    assert_eq!(socket.attachment(), None);
}

#[wasm_bindgen_test]
fn attachments_come_back() {
    let socket = socket();
    assert_eq!(socket.attachment(), None, "there is none yet");
    for bytes in [vec![], vec![0, 255], vec![7; 16_384]] {
        assert_eq!(socket.set_attachment(&bytes), Ok(()));
        assert_eq!(socket.attachment(), Some(bytes));
    }
    assert!(socket.set_attachment(&[7; 16_385]).is_err());
}

#[wasm_bindgen_test]
fn sockets_keep_their_connections() {
    let socket = socket();
    assert_eq!(socket.conn(), None);
    socket.set_number(ConnId(MAX_SAFE));
    assert_eq!(socket.conn(), Some(ConnId(MAX_SAFE)));
}
