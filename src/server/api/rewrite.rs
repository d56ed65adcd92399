//! Events that are changed before they reach their handler.

use dormouse_proto::socket::Args as Raw;

use super::{Arguments, EmitError};

/// The event that goes on in place of one that has come in: what a handler of
/// [`Namespace::event_rewrite`](crate::Namespace::event_rewrite) returns, as an `Option`
/// or a `Result` of it. `None` drops the event: no handler is called, and it is not
/// acknowledged.
#[derive(Clone, Debug)]
pub struct Rewrite {
    pub(crate) name: String,
    pub(crate) args: Raw<'static>,
}

impl Rewrite {
    /// Creates an event of this name. A tuple or an array is several arguments, `()` is
    /// none, everything else is one; [`Args`](crate::Args) are those that came in.
    ///
    /// # Errors
    ///
    /// Those of an argument that cannot be written as JSON, and
    /// [`EmitError::ReservedName`] for a name that clients reserve.
    pub fn new(event: &str, args: impl Arguments) -> Result<Self, EmitError> {
        Ok(Self {
            name: event.to_owned(),
            args: args.encode(Some(event))?,
        })
    }
}
