//! The stateless Worker, which requests meet first.

mod admission;
pub(crate) mod front;
