use core::time::Duration;

use crate::{Timestamp, millis};

/// The time that an idle Durable Object stays in memory before the platform puts it
/// to sleep. An object that has to be woken more often than this never sleeps.
pub const SLEEP_AFTER: Duration = Duration::from_secs(10);

/// The time that a closed session waits for the `GET` that fetches the news.
pub const FAREWELL: Duration = Duration::from_secs(30);

/// The maximum number of packets in the answer to one `GET`. The others wait for the
/// next.
///
/// The Python client accepts no more, and closes over a longer payload.
pub const MAX_PACKETS: usize = 16;

/// The maximum number of packets in the body of one `POST`. A session whose client
/// sends more ends before any of them is handled.
///
/// A client that polls sends all it has in one payload, as far as the limit for its
/// size allows. This is what it may send at once by default.
pub const MAX_PAYLOAD_PACKETS: usize = 20_000;

/// The maximum number of `POST`s of a session that are on their way at once. The bodies
/// of all but the first wait to be read.
///
/// Clients for C# and Unity do not wait for the answer before they send the next one.
/// This bounds what one session can make its object hold.
pub const MAX_POSTS: usize = 16;

/// The time that a `GET` is held that comes in the middle of an upgrade.
///
/// A client that has stopped polling may send its `5` meanwhile, and then the `GET`
/// came too late. If a client waits for its poll to end before it sends the `5`, the
/// poll is answered after this.
pub const LATE_POLL: Duration = Duration::from_millis(100);

/// The server's options, as far as a session has to know them.
///
/// The defaults are those that users of other Engine.IO servers know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The time between two heartbeats. Default: 25 s.
    pub ping_interval: Duration,
    /// The time that a heartbeat may stay unanswered. Default: 20 s.
    pub ping_timeout: Duration,
    /// Lets an object of such sessions sleep between two heartbeats, if these are far
    /// enough apart. Default: `true`.
    pub may_sleep: bool,
    /// The time that a WebSocket may take to replace polling. Default: 10 s.
    pub upgrade_timeout: Duration,
    /// Lets polling sessions upgrade to WebSocket. Default: `true`.
    pub allow_upgrades: bool,
    /// The maximum size of a `POST`'s body and of a WebSocket frame, in bytes.
    /// Default: 1,000,000.
    pub max_payload: usize,
    /// The maximum number of bytes kept for a polling client that does not fetch
    /// them. Beyond that the session is closed. Default: 4 MiB.
    pub max_buffered: usize,
    /// The maximum number of bytes sent over a WebSocket of which the client has not
    /// shown that it reads them. The platform does not report a stalled receiver and
    /// queues without limit, so beyond that the session is closed. Default: 16 MiB.
    ///
    /// In revision 4 the answer to a ping shows it. In revision 3 nothing does: there
    /// the client pings, and one that reads nothing can do so for ever. So its signs
    /// of life make room in proportion to time, and this is also the maximum that it
    /// is sent in each ping interval.
    pub max_unproven: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            may_sleep: true,
            upgrade_timeout: Duration::from_secs(10),
            allow_upgrades: true,
            max_payload: 1_000_000,
            max_buffered: 4 << 20,
            max_unproven: 16 << 20,
        }
    }
}

impl Settings {
    /// Returns whether an object of such sessions can sleep between two heartbeats.
    ///
    /// If so, heartbeats are batched: one pulse per object and ping interval sends
    /// them, and revision 3 needs none. If not, every session keeps its own time to
    /// the millisecond.
    pub fn sleeps(&self) -> bool {
        self.may_sleep && self.ping_interval >= SLEEP_AFTER
    }

    /// Returns how long a client may be silent before its session is over.
    pub(crate) fn patience(&self) -> Duration {
        self.ping_interval.saturating_add(self.ping_timeout)
    }

    /// Returns how many bytes a sign of life of revision 3 makes room for, where the
    /// one before it was at `since`: all of [`max_unproven`](Self::max_unproven) after
    /// a ping interval, and in proportion before.
    ///
    /// A client that pings as seldom as it has to may be sent as much between two
    /// pings, and one that pings or talks all the time no more than that.
    pub(crate) fn allowance(&self, since: Timestamp, at: Timestamp) -> usize {
        let interval = millis(self.ping_interval).max(1);
        let elapsed = millis(at.since(since)).min(interval);
        let room = (self.max_unproven as u64).saturating_mul(elapsed) / interval;
        usize::try_from(room).unwrap_or(usize::MAX)
    }

    /// Returns how much earlier than due a pulse sends a ping.
    ///
    /// A session that a pulse does not ping causes another pulse when it is due. To
    /// have hardly more than one in an interval, a pulse pings every session that
    /// the previous one did not ping just before: within a quarter of the ping
    /// timeout, or of the interval if that is shorter.
    pub(crate) fn head_start(&self) -> Duration {
        if self.sleeps() {
            self.ping_interval - self.ping_timeout.min(self.ping_interval) / 4
        } else {
            Duration::ZERO
        }
    }
}
