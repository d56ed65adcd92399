//! The session, held against the protocol.
//!
//! - [`rig`]: a session with a clock, and everything it says as text.
//! - Rule by rule: [`polling`], [`upgrade`], [`heartbeat`], [`closing`],
//!   [`limits`], and what is [saved](saving) for sleep.
//! - [`table`]: every state and every input, as one table.
//! - [`watch`]: what must hold whatever happens; [`properties`] checks it
//!   under random inputs, [`simulation`] with clients, a network and an
//!   application that live through a day of their own.
//! - [`hibernation`]: sleeping changes nothing that anyone can observe.

mod closing;
mod heartbeat;
mod hibernation;
mod limits;
mod polling;
#[cfg(not(target_arch = "wasm32"))]
mod properties;
mod rig;
mod saving;
mod simulation;
#[cfg(not(target_arch = "wasm32"))]
mod table;
mod upgrade;
mod watch;
