//! The stateless Worker, which requests meet first.

pub(crate) mod front;
