//! What the codec is measured with: the same inputs for both sides, and the same
//! work done by each, in [`ours`] and in [`peer`].
//!
//! Each function returns how much it has seen of the result, so that nothing can
//! be left out, and so that the benchmarks can see that both sides agree.

pub mod inputs;
pub mod ours;
pub mod peer;
