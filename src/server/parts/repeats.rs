//! Lines of the log that a client can bring about as often as it likes: the first of
//! a kind is logged, and then their number.

use core::cell::RefCell;
use core::time::Duration;

use dormouse_proto::Timestamp;

use crate::sid::Key;
use crate::table::Table;

/// The time between two lines of one kind.
const EVERY: Duration = Duration::from_secs(60);

/// The maximum number of kinds of each session that are told apart by more than their
/// event.
const MAX_KINDS: usize = 16;

/// Stands for the object where a line is not that of a session.
pub(crate) const OBJECT: Key = [0; 12];

/// The lines of one kind.
pub(crate) struct Line {
    pub(crate) event: &'static str,
    /// Stands for the fields, which tell it from others.
    fields: u64,
    /// How many have not been logged.
    pub(crate) left_out: u32,
    /// When the next one is.
    next: Timestamp,
}

/// What was logged of each session in memory.
#[derive(Default)]
pub(crate) struct Repeats(RefCell<Table<Key, Vec<Line>>>);

impl Repeats {
    /// Notes a line. Returns `None` if it is to be left out, or else how many were
    /// since the last one.
    pub(crate) fn note(
        &self,
        now: Timestamp,
        key: Key,
        event: &'static str,
        fields: &[(&str, &str)],
    ) -> Option<u32> {
        // In a panic, whatever was going on may still hold it.
        let Ok(mut all) = self.0.try_borrow_mut() else {
            return Some(0);
        };
        if !all.contains(key) {
            all.insert(key, Vec::new());
        }
        let lines = all.get_mut(key)?;
        let is = |line: &Line, fields| line.event == event && line.fields == fields;
        let mut fields = hash(fields);
        if lines.len() >= MAX_KINDS && !lines.iter().any(|line| is(line, fields)) {
            // All others of this event.
            fields = 0;
        }
        let Some(line) = lines.iter_mut().find(|line| is(line, fields)) else {
            lines.push(Line {
                event,
                fields,
                left_out: 0,
                next: now + EVERY,
            });
            return Some(0);
        };
        if now < line.next {
            line.left_out = line.left_out.saturating_add(1);
            return None;
        }
        line.next = now + EVERY;
        Some(core::mem::take(&mut line.left_out))
    }

    /// Forgets a session. Returns the lines of which some were left out.
    pub(crate) fn end(&self, key: Key) -> Vec<Line> {
        let lines = self.0.borrow_mut().remove(key);
        let mut lines = lines.map_or_else(Vec::new, |lines| *lines);
        lines.retain(|line| line.left_out > 0);
        lines
    }
}

/// FNV-1a: if two lines have the same number, they count as one kind.
fn hash(fields: &[(&str, &str)]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for (_, value) in fields {
        for byte in value.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    const KEY: Key = [1; 12];

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn the_first_is_logged_and_then_their_number() {
        let repeats = Repeats::default();
        for (seconds, expect) in [
            (0, Some(0)),
            (0, None),
            (59, None),
            (60, Some(2)),
            (61, None),
            (119, None),
            (120, Some(2)),
            (500, Some(0)),
        ] {
            assert_eq!(repeats.note(at(seconds), KEY, "a", &[]), expect);
        }
        assert!(repeats.end(KEY).is_empty());
        assert_eq!(repeats.note(at(500), KEY, "a", &[]), Some(0));
        assert_eq!(repeats.note(at(501), KEY, "a", &[]), None);
        let ended = repeats.end(KEY);
        assert_eq!(ended.len(), 1);
        assert_eq!((ended[0].event, ended[0].left_out), ("a", 1));
        assert!(repeats.end(KEY).is_empty());
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn sessions_events_and_fields_are_told_apart() {
        let repeats = Repeats::default();
        for (key, event, fields) in [
            (KEY, "a", &[][..]),
            (KEY, "b", &[]),
            (KEY, "a", &[("handler", "x")]),
            (KEY, "a", &[("handler", "x"), ("message", "y")]),
            (KEY, "a", &[("handler", "xy"), ("message", "")]),
            ([2; 12], "a", &[]),
            (OBJECT, "a", &[]),
        ] {
            assert_eq!(repeats.note(at(0), key, event, fields), Some(0));
            assert_eq!(repeats.note(at(0), key, event, fields), None);
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn kinds_that_a_client_thinks_of_are_bounded() {
        let repeats = Repeats::default();
        let logged = (0..1_000).filter(|index| {
            let index = index.to_string();
            let fields = [("handler", &*index)];
            repeats.note(at(0), KEY, "a", &fields).is_some()
        });
        assert_eq!(logged.count(), MAX_KINDS + 1);
        let ended = repeats.end(KEY);
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].left_out as usize, 1_000 - MAX_KINDS - 1);
    }
}
