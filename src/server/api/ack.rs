//! Acknowledgements that handlers send themselves.

use core::cell::Cell;
use std::rc::Rc;

use dormouse_proto::socket::Args as Raw;

use super::{Arguments, EmitError, Socket};

/// The acknowledgement of an event, for a handler that sends it itself: before it
/// returns, or later.
///
/// The return value of such a handler is not sent. If it drops the `Ack`, the event
/// is never acknowledged. Its error is sent, unless the acknowledgement has been sent
/// already: an event is acknowledged once. If the client does not wait for an
/// acknowledgement, nothing is sent.
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

    /// Returns an acknowledgement that nobody waits for.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// Returns whether the client waits for the acknowledgement.
    pub fn is_expected(&self) -> bool {
        self.0.is_some()
    }

    /// Returns the number by which [`Socket::ack`](crate::Socket::ack) finds the
    /// acknowledgement again, for a handler that can keep nothing else; `None` if nobody
    /// waits for it. It is valid for as long as the socket, through sleep.
    ///
    /// ```
    /// use dormouse::{Ack, Server, Socket};
    ///
    /// let server = Server::new().namespace("/", |namespace| {
    ///     namespace
    ///         .on("later", |socket: Socket, ack: Ack| socket.set_data(&ack.into_id()))
    ///         .on("now", async |socket: Socket| {
    ///             let id: Option<Option<u64>> = socket.data()?;
    ///             if let Some(id) = id.flatten() {
    ///                 socket.ack(id).send("done").await?;
    ///             }
    ///             Ok::<_, dormouse::HandlerError>(())
    ///         })
    /// });
    /// # let _ = server;
    /// ```
    pub fn into_id(self) -> Option<u64> {
        self.0.map(|asked| asked.id)
    }

    /// Sends the acknowledgement. As with events, a tuple is several values. If it
    /// has been sent already, or nobody waits for it, this does nothing.
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
