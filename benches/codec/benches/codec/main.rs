//! Dormouse's codec beside those of engineioxide and socketioxide.
//!
//! Each benchmark is a group of two, `ours` and `peer`. Before they are measured
//! both are run once, and have to agree in what they have seen.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

mod engine;
mod msgpack;
mod payload;
mod socket;

/// How many inputs are made ahead: enough that reading the clock does not count,
/// few enough that they stay in the cache.
const BATCH: BatchSize = BatchSize::NumIterations(100);

/// Measures both sides. What a side is called with is made before, unmeasured; it
/// returns how much it has seen.
fn pair<I>(
    criterion: &mut Criterion,
    name: &str,
    mut ours: impl FnMut() -> usize,
    mut input: impl FnMut() -> I,
    mut peer: impl FnMut(I) -> usize,
) {
    assert_eq!(ours(), peer(input()), "{name}: both see the same");
    let mut group = criterion.benchmark_group(name);
    group.bench_function("ours", |bencher| {
        bencher.iter_batched(|| black_box(()), |()| ours(), BATCH);
    });
    group.bench_function("peer", |bencher| {
        bencher.iter_batched(&mut input, |input| peer(input), BATCH);
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(700));
    targets = engine::benches, payload::benches, socket::benches, msgpack::benches
}
criterion_main!(benches);
