//! Acknowledgements that handlers send themselves.

use core::cell::Cell;
use std::rc::Rc;

use dormouse_proto::socket::Args as Raw;

use super::{Arguments, EmitError, Socket};

/// The acknowledgement of an event, for a handler that wants to send it itself:
/// earlier than it returns, or later.
///
/// The value that such a handler returns is not sent. The error is, unless the
/// acknowledgement was sent before: it is sent once. Where the client waits for no
/// acknowledgement, nothing is.
///
/// ```
/// use dormouse::{Ack, Server, Socket};
///
/// let server = Server::new().namespace("/", |namespace| {
///     namespace.on("order", async |socket: Socket, ack: Ack, (dish,): (String,)| {
///         ack.send("in the oven").await.ok();
///         // … some time later …
///         socket.emit("served", dish).await
///     })
/// });
/// # let _ = server;
/// ```
#[derive(Clone, Debug)]
pub struct Ack(Option<Rc<Asked>>);

#[derive(Debug)]
struct Asked {
    socket: Socket,
    id: u64,
    is_sent: Cell<bool>,
}

impl Ack {
    pub(crate) fn new(socket: &Socket, id: u64) -> Self {
        Self(Some(Rc::new(Asked {
            socket: socket.clone(),
            id,
            is_sent: Cell::new(false),
        })))
    }

    /// One that nobody waits for.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// Returns whether the client waits for one.
    pub fn is_expected(&self) -> bool {
        self.0.is_some()
    }

    /// Sends the acknowledgement. As with events, a tuple is several values.
    ///
    /// # Errors
    ///
    /// [`EmitError::Gone`] if the socket is disconnected, [`EmitError::Json`] if
    /// the values cannot be written as JSON.
    pub async fn send(self, values: impl Arguments) -> Result<(), EmitError> {
        let values = values.encode(None)?;
        if self.send_encoded(values) {
            Ok(())
        } else {
            Err(EmitError::Gone)
        }
    }

    pub(crate) fn send_encoded(self, values: Raw<'_>) -> bool {
        self.0.is_none_or(|asked| {
            asked.is_sent.replace(true) || asked.socket.acknowledge(asked.id, values)
        })
    }
}
