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

/// The attachment of a WebSocket, read where its bytes are.
#[derive(Serialize, Deserialize)]
pub(crate) struct Attachment<'a> {
    /// The number of the application's server that it belongs to.
    pub(crate) server: u8,
    pub(crate) key: Key,
    pub(crate) conn: u64,
    /// `None` if another WebSocket carries the session.
    #[serde(borrow)]
    pub(crate) carried: Option<Carried<'a>>,
}

/// A session in an attachment.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Carried<'a> {
    #[serde(serialize_with = "bytes::serialize")]
    pub(crate) session: &'a [u8],
    #[serde(borrow)]
    pub(crate) content: Held<'a>,
}

/// The place of a session's content, which its layer keeps.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Held<'a> {
    Here(#[serde(serialize_with = "bytes::serialize")] &'a [u8]),
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
    carried: Option<Carried<'_>>,
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
    let bytes = socket.attachment()?;
    let attachment = Attachment::read(&bytes)?;
    Some((attachment.server, attachment.key, ConnId(attachment.conn)))
}

impl<'a> Attachment<'a> {
    /// Reads an attachment. Returns `None` for one of another layout, or that is not ours.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        versioned::decode(VERSION, bytes).ok()
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
