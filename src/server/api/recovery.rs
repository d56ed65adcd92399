//! The options of connection state recovery.

use core::time::Duration;

use dormouse_proto::socket::recovery;

use crate::options::{ConfigError, Options};

/// Connection state recovery: a client that was cut off and comes back in time gets
/// its socket back, with id, rooms and data, and the events it has missed.
///
/// It survives sleep, crashes and deploys, and works any number of times. It costs a
/// row in the object's storage for each event that is sent without an
/// acknowledgement, and one whenever a socket connects, goes, or changes its rooms
/// or data, but no more than [`max_rows`](crate::Server::max_rows) of these. Volatile events, and those with an acknowledgement, are not recovered.
///
/// A client that left, that the application disconnected, or that sent a malformed
/// packet starts over. So do clients of protocol 4, which do not support recovery,
/// and clients that have missed an event that is not stored any more. What a version
/// of Dormouse with another storage layout has stored is not read: after such a
/// deploy, clients start over.
///
/// With [`Placement::spread`](crate::Placement::spread), a client comes back to any of the
/// objects. Each namespace then has a single object that orders and stores its events, and
/// what is sent with `local` is not recovered. `docs/scaling.md` says what it costs.
///
/// ```
/// use core::time::Duration;
/// use dormouse::{Recovered, Recovery, Server, Socket};
///
/// let server = Server::new()
///     .recovery(Recovery::default().max_disconnection(Duration::from_secs(300)))
///     .namespace("/", |namespace| {
///         namespace.on_connect(async |socket: Socket, Recovered(recovered): Recovered| {
///             if !recovered {
///                 socket.join("news").await?;
///             }
///             Ok::<(), dormouse::EmitError>(())
///         })
///     });
/// # let _ = server;
/// ```
#[derive(Clone, Debug)]
pub struct Recovery {
    pub(crate) max_disconnection: Duration,
    pub(crate) skip_middlewares: bool,
    pub(crate) max_events: u64,
    pub(crate) max_bytes: u64,
    pub(crate) max_sockets: u64,
    pub(crate) max_socket_bytes: u64,
}

impl Default for Recovery {
    fn default() -> Self {
        Self {
            max_disconnection: Duration::from_secs(120),
            skip_middlewares: true,
            max_events: 10_000,
            max_bytes: 64 << 20,
            max_sockets: 100_000,
            max_socket_bytes: 64 << 20,
        }
    }
}

impl Recovery {
    /// Sets how long a client may be away. Events are kept for as long. Default: 2
    /// minutes.
    pub fn max_disconnection(mut self, duration: Duration) -> Self {
        self.max_disconnection = duration;
        self
    }

    /// Sets whether a client that has come back skips the namespace's middlewares.
    /// Default: `true`.
    pub fn skip_middlewares(mut self, skip: bool) -> Self {
        self.skip_middlewares = skip;
        self
    }

    /// Sets how many events are kept in one object. Beyond that the oldest go, and a
    /// client that has missed one of them starts over. An event counts as often as it
    /// takes rows. Default: 10,000.
    pub fn max_events(mut self, count: u64) -> Self {
        self.max_events = count;
        self
    }

    /// Sets how many bytes of events are kept in one object. Beyond that the oldest
    /// go. A client that has missed more than half of what it can be sent at once
    /// (`max_buffered` or `max_unproven`, whichever is smaller) starts over: 2 MiB by
    /// default. Of a single event that is larger, nothing is kept but whom it was for.
    /// All this is in storage, and read piece by piece. Default: 64 MiB.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets how many sockets are kept in one object, connected ones among them. Beyond
    /// that, those go that were lost first, and their clients start over; where none is
    /// lost, no more are kept. Default: 100,000.
    pub fn max_sockets(mut self, count: u64) -> Self {
        self.max_sockets = count;
        self
    }

    /// Sets how many bytes of sockets are kept in one object: their rooms, their data
    /// and some hundred bytes for each. Beyond that, as with
    /// [`max_sockets`](Self::max_sockets). Default: 64 MiB.
    pub fn max_socket_bytes(mut self, bytes: u64) -> Self {
        self.max_socket_bytes = bytes;
        self
    }

    /// Returns the core's settings. `max_missed` is how much a client can be sent at
    /// once.
    pub(crate) fn settings(&self, max_missed: usize) -> recovery::Settings {
        recovery::Settings {
            max_disconnection: self.max_disconnection,
            max_events: self.max_events,
            max_bytes: self.max_bytes,
            max_sockets: self.max_sockets,
            max_socket_bytes: self.max_socket_bytes,
            max_missed,
            ..recovery::Settings::default()
        }
    }

    pub(crate) fn check(&self, options: &Options) -> Result<(), ConfigError> {
        let too_little = self.max_disconnection.is_zero()
            || self.max_events == 0
            || self.max_sockets == 0
            || self.max_socket_bytes == 0
            || self.max_bytes < options.settings.max_payload as u64;
        if too_little {
            return Err(ConfigError {
                endpoint: options.path.clone(),
                option: "recovery",
                remedy: "max_disconnection, max_events, max_sockets and max_socket_bytes must be \
                         over 0, and max_bytes at least max_payload"
                    .to_owned(),
            });
        }
        Ok(())
    }
}
