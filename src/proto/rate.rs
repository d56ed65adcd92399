//! Rate limits: how much of what a client sends is taken in, and when.
//!
//! It knows no protocol and no clock. A [`Rate`] says how much may come in the long
//! run and at once; [`Buckets`] are what is left of it. An [`Intake`] decides about
//! the messages of one session, by its own buckets and those of the [`Network`] that
//! its client connects from. What happens to a message beyond a limit is for the
//! application to say: it is dropped, [held](Intake::hold), or the end of its
//! session.

mod bucket;
mod intake;
mod network;
mod networks;

pub use bucket::{Buckets, Cost, Limit, Rate, Rates};
pub use intake::{Class, Excess, Intake, MAX_HELD_BYTES, MAX_HELD_MESSAGES, Scope, Shared, Taken};
pub use network::Network;
pub use networks::{MAX_NETWORKS, Networks};

#[cfg(test)]
mod tests;
