use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::in_browser::js;

/// A frame within the limit of all these tests but one.
fn frame(message: &JsValue) -> Option<Frame<'static>> {
    frame_of(message, 1_000_000)
}

#[wasm_bindgen_test]
fn a_message_is_a_text_of_any_length_or_bytes() {
    for length in [0, 1, 255, 256, 257, 10_000] {
        for letter in ["a", "é", "€", "😀", "\0"] {
            let text = letter.repeat(length);
            assert_eq!(frame(&text.as_str().into()), Some(Frame::from(text)));
            let mixed = format!("{}{letter}", "a".repeat(length));
            assert_eq!(frame(&mixed.as_str().into()), Some(Frame::from(mixed)));
        }
        let bytes = js_sys::ArrayBuffer::new(length as u32);
        assert_eq!(frame(&bytes), Some(Frame::from(vec![0; length])));
    }
    // Half a pair is what no text in UTF-8 can hold.
    let lone = js("return 'a'.repeat(x) + '\\ud800';", 300);
    let text = format!("{}\u{fffd}", "a".repeat(300));
    assert_eq!(frame(&lone), Some(Frame::from(text)));
}

#[wasm_bindgen_test]
fn a_message_that_is_too_long_is_not_copied() {
    for (length, fits) in [(999, true), (1_000, true), (1_001, false)] {
        let text = JsValue::from("a".repeat(length));
        assert_eq!(frame_of(&text, 1_000).is_some(), fits);
        let bytes = js_sys::ArrayBuffer::new(length as u32);
        assert_eq!(frame_of(&bytes, 1_000).is_some(), fits);
    }
    let pages = || core::arch::wasm32::memory_size(0);
    let (before, long) = (pages(), js("return 'a'.repeat(x) + '\u{20ac}';", 31 << 20));
    assert_eq!(frame(&long), None);
    assert_eq!(frame(&js_sys::ArrayBuffer::new(31 << 20)), None);
    assert_eq!(pages(), before);
}
