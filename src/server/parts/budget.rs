//! The budget of an object's memory.
//!
//! Each session has bounds of its own, but a hundred of them together can hold more
//! than the object has. So whatever is held for clients is counted: packets that wait
//! for a `GET`, messages whose handlers have not returned, packets that are not
//! complete, data that the application has attached. Past
//! [`max_memory`](crate::Server::max_memory), the session that holds most is ended.

use core::cell::Cell;
use core::time::Duration;

use dormouse_proto::Timestamp;
use dormouse_proto::engine::Reason;

use super::effects::expel_with;
use super::sessions::{Heaviest, Layered};
use super::set::Parts;
use crate::http::Reply;
use crate::log::Level;
use crate::sid::Key;

/// The time after which a client that found the object full should try again. If it is
/// still full then, room is made.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The state of an object that has no room for new sessions.
#[derive(Default)]
pub(crate) struct Budget {
    /// The time at which it was first found full.
    full_since: Cell<Option<Timestamp>>,
}

/// The maximum number of bytes of everything that is known of sessions in memory, their
/// handshakes included: an isolate has 128 MB.
const ALL: usize = 96 << 20;

/// Weighs a session that may hold more or less than before, and makes room if the
/// object holds too much.
pub(crate) fn weigh(parts: &Parts, key: Key, above: Option<Layered>) {
    parts.sessions.weigh(key, above);
    if let Some(options) = parts.options() {
        shrink_to(parts, options.max_memory());
    }
}

/// Ends the sessions that hold most, until all of them together hold no more than
/// `limit`, and have no more than [`ALL`] in memory.
fn shrink_to(parts: &Parts, limit: usize) {
    while let Some(heaviest) = excess(parts, limit, ALL) {
        let_go(parts, heaviest);
    }
}

/// Returns the first session to let go of, if there is more in memory than these limits.
fn excess(parts: &Parts, held: usize, total: usize) -> Option<Heaviest> {
    let sessions = &parts.sessions;
    if sessions.held_bytes() > held {
        sessions.heaviest(false)
    } else if sessions.total_bytes() > total {
        sessions.heaviest(true)
    } else {
        None
    }
}

/// Ends a session, if it has not ended yet, and drops its handlers that wait.
fn let_go(parts: &Parts, Heaviest { key, bytes, .. }: Heaviest) {
    // Before anything else, lest it be found again.
    parts.sessions.write_off(key);
    parts.tasks.drop_handlers(key);
    let fields = [("option", "max_memory"), ("bytes", &*bytes.to_string())];
    expel_with(parts, key, Reason::MemoryExceeded, &fields);
}

/// Returns whether there is room for another session. There is none in the last eighth
/// of the budget, which is for the sessions that are there.
///
/// Nobody can keep others out for long: an object that has been full for
/// [`RETRY_AFTER`] makes room. What sessions hold that have ended goes at once.
pub(crate) fn has_room(parts: &Parts) -> bool {
    let Some(options) = parts.options() else {
        return true;
    };
    let limit = options.max_memory() - options.max_memory() / 8;
    let full_since = &parts.budget.full_since;
    let now = parts.turn.now();
    while let Some(heaviest) = excess(parts, limit, ALL - ALL / 8) {
        let has_waited = || full_since.get().is_some_and(|it| now >= it + RETRY_AFTER);
        if heaviest.has_ended || has_waited() {
            let_go(parts, heaviest);
            continue;
        }
        if full_since.get().is_none() {
            full_since.set(Some(now));
            let bytes = parts.sessions.total_bytes().to_string();
            let fields = [("option", "max_memory"), ("bytes", &*bytes)];
            parts.log_for_all(Level::Warn, "full", &fields);
        }
        return false;
    }
    full_since.set(None);
    true
}

/// Returns whether there are as many clients as the placement allows. Those that poll and
/// have not been heard of since the object has slept are not counted: they would have to
/// be looked for.
pub(crate) fn is_at_capacity(parts: &Parts) -> bool {
    let many = parts.options().and_then(|options| options.placement.many());
    let Some(capacity) = many.and_then(|many| many.capacity) else {
        return false;
    };
    let open = parts.websockets.count_open();
    open + parts.sessions.count_polling() >= capacity as usize
}

/// Returns the answer for a client that finds no room.
pub(crate) fn full() -> Reply {
    Reply {
        retry_after: Some(RETRY_AFTER),
        ..Reply::new(503, crate::http::JSON, r#"{"message":"Server is full"}"#)
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
