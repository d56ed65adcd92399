use alloc::string::String;
use core::time::Duration;

use super::{json, push_decimal};
use crate::millis;

/// A new session, as the server describes it to the client: the content of the
/// [`Open`](super::ServerPacket::Open) packet.
///
/// Specification: revision 4, "Handshake"; revision 3, "Anatomy of an
/// Engine.IO session". Revision 3 does not name `maxPayload`, but its clients
/// ignore it and the reference server sends it to them as well.
///
/// ```
/// use core::time::Duration;
/// use dormouse_proto::engine::Handshake;
///
/// let handshake = Handshake {
///     sid: "lv_VI97HAXpY6yYWAAAC",
///     upgrades: true,
///     ping_interval: Duration::from_secs(25),
///     ping_timeout: Duration::from_secs(20),
///     max_payload: 1_000_000,
/// };
/// assert_eq!(
///     handshake.to_json(),
///     r#"{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"#.to_owned()
///         + r#""pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#,
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake<'a> {
    /// The session's id.
    pub sid: &'a str,
    /// The client may upgrade to WebSocket: true on polling, if upgrades are
    /// allowed. A session that began on WebSocket has nothing to upgrade to.
    pub upgrades: bool,
    /// The time from one ping to the next, sent in whole milliseconds.
    pub ping_interval: Duration,
    /// The time to wait for the other side's heartbeat before giving the session up,
    /// sent in whole milliseconds.
    pub ping_timeout: Duration,
    /// The maximum size of a payload that the server accepts, in bytes.
    pub max_payload: u64,
}

impl Handshake<'_> {
    /// Returns the handshake as JSON: exactly these five keys, in the
    /// specification's order, without white space.
    pub fn to_json(&self) -> String {
        let mut json = String::with_capacity(self.capacity());
        self.push_json(&mut json);
        json
    }

    /// Returns a capacity that is enough for a packet with it: names and numbers
    /// take a hundred bytes.
    pub(super) fn capacity(&self) -> usize {
        self.sid.len() + 128
    }

    /// Appends [`to_json`](Self::to_json).
    pub(super) fn push_json(&self, out: &mut String) {
        out.push_str("{\"sid\":");
        json::push_string(self.sid, out);
        out.push_str(",\"upgrades\":[");
        if self.upgrades {
            out.push_str("\"websocket\"");
        }
        out.push_str("],\"pingInterval\":");
        push_decimal(millis(self.ping_interval), out);
        out.push_str(",\"pingTimeout\":");
        push_decimal(millis(self.ping_timeout), out);
        out.push_str(",\"maxPayload\":");
        push_decimal(self.max_payload, out);
        out.push('}');
    }
}
