//! The targets of `targets`, driven by libFuzzer. Which one is said by the
//! environment: `DORMOUSE_FUZZ_TARGET`.

#![no_main]

mod memory;
mod targets;

use std::sync::OnceLock;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

fn target() -> &'static targets::Target {
    static TARGET: OnceLock<&targets::Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        targets::MEASURE.get_or_init(|| memory::most_of);
        let name = std::env::var("DORMOUSE_FUZZ_TARGET").unwrap_or_default();
        let found = targets::ALL.iter().find(|(other, _)| *other == name);
        found.unwrap_or_else(|| panic!("there is no target {name:?}"))
    })
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (_, run) = target();
    run(data);
});
