use core::time::Duration;

/// How long a Durable Object without work stays in memory before the platform
/// puts it to sleep. Whoever must be woken more often than this never sleeps.
pub const SLEEP_AFTER: Duration = Duration::from_secs(10);

/// How long a session that was closed waits for the `GET` that fetches the news.
pub const FAREWELL: Duration = Duration::from_secs(30);

/// The most packets in the answer to one `GET`; the others wait for the next.
///
/// The Python client takes no more, and closes over a longer payload.
pub const MAX_PACKETS: usize = 16;

/// How many `POST`s of a session may be on their way at once; the bodies of all but
/// the first wait to be read.
///
/// Clients for C# and Unity do not wait for the answer before they send the next
/// one. The bound is that of what a session can make its object hold.
pub const MAX_POSTS: usize = 16;

/// How long a `GET` is held that comes in the middle of an upgrade.
///
/// A client that has stopped polling may send its `5` meanwhile, and then the
/// `GET` came too late. One that waits for its poll to end before it sends the
/// `5` is let go after this.
pub const LATE_POLL: Duration = Duration::from_millis(100);

/// What a session has to know of the server's options.
///
/// The defaults are those the users of other Engine.IO servers know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The time between two heartbeats. Default: 25 s.
    pub ping_interval: Duration,
    /// How long the other side may leave a heartbeat unanswered. Default: 20 s.
    pub ping_timeout: Duration,
    /// How long a WebSocket may take to replace polling. Default: 10 s.
    pub upgrade_timeout: Duration,
    /// Whether polling sessions may move to a WebSocket. Default: `true`.
    pub allow_upgrades: bool,
    /// The largest body of a `POST` and the largest WebSocket frame, in bytes.
    /// Default: 1,000,000.
    pub max_payload: usize,
    /// The most bytes kept for a polling client that does not fetch them; a
    /// session past it is closed. Default: 4 MiB.
    pub max_buffered: usize,
    /// The most bytes sent to a WebSocket since its client last proved that it
    /// lives. The platform tells nothing of a stalled receiver and queues
    /// without end, so a session past this is closed. Default: 16 MiB.
    pub max_unproven: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            allow_upgrades: true,
            max_payload: 1_000_000,
            max_buffered: 4 << 20,
            max_unproven: 16 << 20,
        }
    }
}

impl Settings {
    /// Whether an object of such sessions can sleep between two heartbeats.
    ///
    /// If so, heartbeats are batched: they are sent by one pulse per object and
    /// ping interval, and revision 3 needs none. If not, every session keeps
    /// its own time to the millisecond.
    pub fn sleeps(&self) -> bool {
        self.ping_interval >= SLEEP_AFTER
    }

    /// How long a client may be silent before its session is over.
    pub(crate) fn patience(&self) -> Duration {
        self.ping_interval.saturating_add(self.ping_timeout)
    }

    /// How much earlier than due a pulse sends a `2`.
    ///
    /// A session that one pulse does not ping makes another when it is due. So
    /// that there is hardly more than one in an interval, a pulse pings everyone
    /// whom none has pinged just before: within a quarter of the ping timeout, or
    /// of the interval where that is shorter.
    pub(crate) fn head_start(&self) -> Duration {
        if self.sleeps() {
            self.ping_interval - self.ping_timeout.min(self.ping_interval) / 4
        } else {
            Duration::ZERO
        }
    }
}
