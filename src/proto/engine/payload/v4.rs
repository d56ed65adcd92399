//! Payloads of revision 4: packets joined by the record separator, U+001E.
//!
//! Specification: revision 4, "Packet encoding", "HTTP long-polling".

use alloc::string::String;

use super::Part;
use crate::engine::Revision;
use crate::engine::packet::{push_text, text_len};

const SEPARATOR: char = '\u{1e}';

pub(super) type Split<'a> = core::str::Split<'a, char>;

pub(super) fn split(payload: &str) -> Split<'_> {
    payload.split(SEPARATOR)
}

pub(super) fn encode(packets: &[Part<'_>]) -> String {
    let len = packets
        .iter()
        .map(|(_, data)| text_len(Revision::V4, data) + SEPARATOR.len_utf8())
        .sum();
    let mut payload = String::with_capacity(len);
    for (kind, data) in packets {
        if !payload.is_empty() {
            payload.push(SEPARATOR);
        }
        push_text(Revision::V4, *kind, data, &mut payload);
    }
    payload
}
