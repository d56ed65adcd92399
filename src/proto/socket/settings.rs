use core::time::Duration;

use super::Parser;

/// The server's options, as far as a connection has to know them.
///
/// The defaults are those that users of other Socket.IO servers know, where those
/// have any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The format of packets. Default: JSON.
    pub parser: Parser,
    /// The time that a client may stay without joining a namespace. Default: 45 s.
    pub connect_timeout: Duration,
    /// The maximum number of attachments in one packet. Default: 10.
    pub max_attachments: usize,
    /// The maximum size of one packet with its attachments, in bytes. Each
    /// attachment comes in a message of its own. Default: 10,000,000.
    pub max_packet: usize,
    /// The maximum number of namespaces for one client. Default: 100.
    pub max_namespaces: usize,
    /// The maximum number of rooms for one socket, not counting the room of its own
    /// id. Default: 1,000.
    pub max_rooms: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            parser: Parser::default(),
            connect_timeout: Duration::from_secs(45),
            max_attachments: 10,
            max_packet: 10_000_000,
            max_namespaces: 100,
            max_rooms: 1_000,
        }
    }
}
