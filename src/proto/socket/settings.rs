use core::time::Duration;

use super::Parser;

/// What a client has to know of the server's options.
///
/// The defaults are those the users of other Socket.IO servers know, where they
/// have any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How packets are written. Default: as JSON.
    pub parser: Parser,
    /// How long a client may stay without joining a namespace. Default: 45 s.
    pub connect_timeout: Duration,
    /// The most attachments of one packet. Default: 10.
    pub max_attachments: usize,
    /// The most bytes of one packet with its attachments, of which each comes in
    /// a message of its own. Default: 10,000,000.
    pub max_packet: usize,
    /// The most namespaces that one client may be in. Default: 100.
    pub max_namespaces: usize,
    /// The most rooms that one socket may be in, that of its own id apart.
    /// Default: 1,000.
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
