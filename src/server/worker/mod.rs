//! The Worker, which keeps nothing: what requests meet first.

pub(crate) mod front;
