//! The attachments of WebSockets, which they carry through sleep.

use dormouse_proto::engine::ConnId;
use dormouse_proto::{bytes, versioned};
use serde::{Deserialize, Serialize};
use web_sys::WebSocket;

use super::set::Parts;
use crate::platform::SocketExt as _;
use crate::sid::Key;

/// The maximum size of an attachment. The platform's is 16,384 bytes, a few of which
/// are its own.
pub(crate) const ATTACHMENT: usize = 16_000;

/// The layout of attachments. Another number is another layout.
const VERSION: u8 = 3;

/// The attachment of a WebSocket.
#[derive(Serialize, Deserialize)]
pub(crate) struct Attachment {
    /// The number of the application's server that it belongs to.
    pub(crate) server: u8,
    pub(crate) key: Key,
    pub(crate) conn: u64,
    /// `None` if another WebSocket carries the session.
    pub(crate) carried: Option<Carried>,
}

/// A session in an attachment.
#[derive(Serialize, Deserialize)]
pub(crate) struct Carried {
    #[serde(with = "bytes")]
    pub(crate) session: Vec<u8>,
    pub(crate) content: Held,
}

/// The place of a session's content, which its layer keeps.
#[derive(Serialize, Deserialize)]
pub(crate) enum Held {
    Here(#[serde(with = "bytes")] Vec<u8>),
    /// In a row, because it is too large to be here.
    Row,
}

/// Attaches to a WebSocket which session it belongs to.
pub(crate) fn attach(parts: &Parts, key: Key, conn: ConnId, socket: &WebSocket) {
    // If this fails, the WebSocket is closed when it wakes us.
    let _ = socket.set_attachment(&attachment(parts, key, conn, None));
}

pub(crate) fn attachment(
    parts: &Parts,
    key: Key,
    conn: ConnId,
    carried: Option<Carried>,
) -> Vec<u8> {
    let attachment = Attachment {
        server: parts.server.get().map_or(0, |server| server.number),
        key,
        conn: conn.0,
        carried,
    };
    versioned::encode(VERSION, &attachment)
}

/// Returns the number of a WebSocket's server, its session, and its own number.
pub(crate) fn whose(socket: &WebSocket) -> Option<(u8, Key, ConnId)> {
    let attachment = read_attachment(socket)?;
    Some((attachment.server, attachment.key, ConnId(attachment.conn)))
}

pub(crate) fn read_attachment(socket: &WebSocket) -> Option<Attachment> {
    versioned::decode(VERSION, &socket.attachment()?).ok()
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
