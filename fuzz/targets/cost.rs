//! What something takes for each byte that comes in. Time is not counted, and shows in
//! inputs that are long: where it grows with the square of their length, the fuzzer
//! gives up on them.

/// What something may allocate for each byte that comes in. A little more is allowed
/// whatever comes in.
#[derive(Clone, Copy)]
pub(super) struct Allowed {
    /// Bytes at once.
    pub(super) at_once: usize,
    /// Bytes in all, also those that are freed meanwhile.
    pub(super) in_all: usize,
    /// How often.
    pub(super) times: usize,
}

const SOME_BYTES: usize = 1_000;
/// A list that grows is allocated as often as it doubles.
const SOME_TIMES: usize = 100;

/// Runs something that is to allocate no more than that.
pub(super) fn bounded<T>(len: usize, allowed: Allowed, run: impl FnOnce() -> T) -> T {
    let mut result = None;
    let taken = allocation_counter::measure(|| result = Some(run()));
    let check = |what: &str, taken: u64, each: usize, some: usize| {
        assert!(
            taken as usize <= len * each + some,
            "{what}: {taken} for {len}"
        );
    };
    check(
        "bytes at once",
        taken.bytes_max,
        allowed.at_once,
        SOME_BYTES,
    );
    check(
        "bytes in all",
        taken.bytes_total,
        allowed.in_all,
        2 * SOME_BYTES,
    );
    check("allocations", taken.count_total, allowed.times, SOME_TIMES);
    result.expect("it was run")
}
